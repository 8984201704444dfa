//! The cluster's own certificate authority and the certificates it issues: the server's, and the administrator's
//! (`CN=kubernetes-admin, O=system:masters`, the identity that kubeadm gives). Keys are ECDSA P-256.

use std::net::IpAddr;
use std::path::Path;

use chrono::{Datelike, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::ClusterError;

/// How long certificates are valid, in days: ten years, for a cluster is thrown away long before.
const VALID_DAYS: u64 = 3650;

/// A certificate with its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The PKCS #8 key.
    pub key: String,
}

/// The certificate authority of one cluster.
pub struct Authority {
    /// The authority's own certificate and key, PEM.
    pub pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority in memory.
    ///
    /// # Errors
    /// [`ClusterError::Certificates`] when the system gives no randomness.
    pub fn generate() -> Result<Self, ClusterError> {
        let key = KeyPair::generate().map_err(ClusterError::certificates)?;
        let params = authority_params();
        let certificate = params.self_signed(&key).map_err(ClusterError::certificates)?.pem();
        let pair = Pair { certificate, key: key.serialize_pem() };
        Ok(Self { pair, issuer: Issuer::new(params, key) })
    }

    /// Reads the authority kept in `folder`, or makes one and keeps it there.
    ///
    /// # Errors
    /// [`ClusterError::File`] when the folder cannot be read or written, [`ClusterError::Certificates`] when what it
    /// holds is no key.
    pub fn load_or_generate(folder: &Path) -> Result<Self, ClusterError> {
        if let Some(pair) = Pair::load(folder, "ca")? {
            let key = KeyPair::from_pem(&pair.key).map_err(ClusterError::certificates)?;
            return Ok(Self { pair, issuer: Issuer::new(authority_params(), key) });
        }
        let authority = Self::generate()?;
        authority.pair.save(folder, "ca")?;
        Ok(authority)
    }

    /// Issues a certificate for a server that is reached under `addresses` and the names of the API service.
    ///
    /// # Errors
    /// [`ClusterError::Certificates`].
    pub fn issue_server(&self, addresses: &[IpAddr]) -> Result<Pair, ClusterError> {
        let mut names: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        names.extend(
            [
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ]
            .map(str::to_owned),
        );
        let mut params = CertificateParams::new(names).map_err(ClusterError::certificates)?;
        params.distinguished_name = name("kube-apiserver", None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// Issues a client certificate for `user` in `group`.
    ///
    /// # Errors
    /// [`ClusterError::Certificates`].
    pub fn issue_client(&self, user: &str, group: &str) -> Result<Pair, ClusterError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, Some(group));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Pair, ClusterError> {
        let key = KeyPair::generate().map_err(ClusterError::certificates)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).map_err(ClusterError::certificates)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

impl Pair {
    /// Reads `NAME.crt` and `NAME.key`; `None` when either is missing.
    ///
    /// # Errors
    /// [`ClusterError::File`] when they are there but cannot be read.
    pub fn load(folder: &Path, name: &str) -> Result<Option<Self>, ClusterError> {
        let read = |ending: &str| {
            let path = folder.join(format!("{name}.{ending}"));
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(ClusterError::file("reading", path)(e)),
            }
        };
        Ok(read("crt")?.zip(read("key")?).map(|(certificate, key)| Self { certificate, key }))
    }

    /// Writes `NAME.crt` and `NAME.key` (the key readable by its owner only).
    ///
    /// # Errors
    /// [`ClusterError::File`].
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), ClusterError> {
        super::data_folder::write_private(&folder.join(format!("{name}.key")), self.key.as_bytes())?;
        super::data_folder::write_private(&folder.join(format!("{name}.crt")), self.certificate.as_bytes())
    }
}

/// The authority's parameters; always the same, so that a kept key with these makes the same issuer again.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("kubernetes-ca", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::KeyEncipherment];
    set_validity(&mut params);
    params
}

/// Valid since yesterday, so that a clock that is a little behind does not refuse it.
fn set_validity(params: &mut CertificateParams) {
    let today = Utc::now().date_naive();
    let day = |date: chrono::NaiveDate| {
        rcgen::date_time_ymd(
            date.year(),
            u8::try_from(date.month()).unwrap_or(1),
            u8::try_from(date.day()).unwrap_or(1),
        )
    };
    params.not_before = day(today.checked_sub_days(Days::new(1)).unwrap_or(today));
    params.not_after = day(today.checked_add_days(Days::new(VALID_DAYS)).unwrap_or(today));
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_authority_issues_what_the_first_one_verifies() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = Authority::load_or_generate(folder.path()).expect("made");
        let again = Authority::load_or_generate(folder.path()).expect("read");
        assert_eq!(first.pair.certificate, again.pair.certificate);

        let issued = again.issue_client("kubernetes-admin", "system:masters").expect("issued");
        let ca = x509_parser::pem::parse_x509_pem(first.pair.certificate.as_bytes()).expect("PEM").1;
        let leaf = x509_parser::pem::parse_x509_pem(issued.certificate.as_bytes()).expect("PEM").1;
        let (ca, leaf) = (ca.parse_x509().expect("a certificate"), leaf.parse_x509().expect("a certificate"));
        assert_eq!(leaf.issuer(), ca.subject());
        assert_eq!(leaf.subject().to_string(), "O=system:masters, CN=kubernetes-admin");
    }
}
