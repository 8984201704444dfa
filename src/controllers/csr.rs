//! Signs approved certificate signing requests of Kubernetes' own signers with the cluster's authority.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rcgen::{
    CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SigningKey, date_time_ymd,
};
use serde_json::json;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pods;
use super::runtime::{Action, Controller, Key, Resource, Watch, World};
use crate::object::meta::{int_at, list_at, str_at};
use crate::object::{Value, meta};

/// The shortest and the longest time for which certificates are issued, in seconds.
const DURATION: (i64, i64) = (600, 365 * 24 * 3600);

/// How long before now a certificate begins to be valid, for clocks that are behind.
const BACKDATE: TimeDelta = TimeDelta::minutes(5);

/// The certificate signing controller.
pub struct CertificateSigner {
    /// The certificate of the cluster's authority, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
}

pub(super) fn requests() -> Resource {
    Resource::new("certificates.k8s.io", "v1", "certificatesigningrequests")
}

impl Controller for CertificateSigner {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-signing"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(requests())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(request) = world.cache.get(&requests(), key) else { return Vec::new() };
        let is = |type_: &str| pods::condition(&request, type_).is_some();
        let signed = !str_at(&request, &["status", "certificate"]).is_empty();
        if signed || !is("Approved") || is("Denied") || is("Failed") {
            return Vec::new();
        }
        let Some(signer) = SIGNERS.iter().find(|signer| signer.name == str_at(&request, &["spec", "signerName"]))
        else {
            return Vec::new();
        };
        let mut answered = request.as_ref().clone();
        match self.sign(signer, &request, world.now) {
            Ok(certificate) => answered["status"]["certificate"] = json!(encode(&certificate)),
            Err(error) => {
                let now = world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
                let mut conditions = list_at(&request, &["status", "conditions"]).to_vec();
                conditions.push(json!({"type": "Failed", "status": "True", "reason": "SignerValidationFailure",
                    "message": error, "lastUpdateTime": now, "lastTransitionTime": now}));
                answered["status"]["conditions"] = json!(conditions);
            }
        }
        vec![Action::update_status(&requests(), answered)]
    }
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// What the subject and the alternative names of a request say.
#[derive(Default)]
struct Claims {
    common_name: String,
    organizations: Vec<String>,
    dns: usize,
    addresses: usize,
    emails: usize,
    uris: usize,
}

/// One of Kubernetes' signers: what it signs.
struct Signer {
    name: &'static str,
    /// Usages of which a request must name all of one list, and nothing beside them but the optional ones.
    required: &'static [&'static str],
    optional: &'static [&'static str],
    check: fn(&Claims) -> Result<(), &'static str>,
}

/// The signer of the certificates with which kubelets are clients of the API.
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";

const SIGNERS: [Signer; 4] = [
    Signer {
        name: "kubernetes.io/kube-apiserver-client",
        required: &["client auth"],
        optional: &["digital signature", "key encipherment"],
        check: |_| Ok(()),
    },
    Signer {
        name: KUBELET_CLIENT,
        required: &["client auth", "digital signature"],
        optional: &["key encipherment"],
        check: kubelet_client,
    },
    Signer {
        name: "kubernetes.io/kubelet-serving",
        required: &["server auth", "digital signature"],
        optional: &["key encipherment"],
        check: kubelet_serving,
    },
    Signer { name: "kubernetes.io/legacy-unknown", required: &[], optional: &[], check: |_| Ok(()) },
];

fn node_subject(claims: &Claims) -> Result<(), &'static str> {
    if claims.organizations != ["system:nodes"] {
        return Err("subject organization is not system:nodes");
    }
    if !claims.common_name.starts_with("system:node:") {
        return Err("subject common name does not begin with system:node: ");
    }
    Ok(())
}

fn kubelet_client(claims: &Claims) -> Result<(), &'static str> {
    let names = [
        (claims.dns, "DNS subjectAltNames are not allowed"),
        (claims.emails, "Email subjectAltNames are not allowed"),
        (claims.addresses, "IP subjectAltNames are not allowed"),
        (claims.uris, "URI subjectAltNames are not allowed"),
    ];
    node_subject(claims)?;
    names.iter().find(|(count, _)| *count > 0).map_or(Ok(()), |(_, error)| Err(*error))
}

fn kubelet_serving(claims: &Claims) -> Result<(), &'static str> {
    node_subject(claims)?;
    match claims {
        Claims { dns: 0, addresses: 0, .. } => Err("at least one DNS or IP subjectAltName is required"),
        Claims { emails: 1.., .. } => Err("Email subjectAltNames are not allowed"),
        Claims { uris: 1.., .. } => Err("URI subjectAltNames are not allowed"),
        _ => Ok(()),
    }
}

impl Signer {
    fn check_usages(&self, request: &Value) -> Result<(), String> {
        let usages: Vec<&str> = list_at(request, &["spec", "usages"]).iter().filter_map(Value::as_str).collect();
        let allowed = |usage: &&str| self.required.contains(usage) || self.optional.contains(usage);
        let any = self.required.is_empty();
        if any || usages.iter().all(allowed) && self.required.iter().all(|usage| usages.contains(usage)) {
            return Ok(());
        }
        Err(format!("usages did not match {}", self.required.join(", ")))
    }
}

impl CertificateSigner {
    fn sign(&self, signer: &Signer, request: &Value, now: DateTime<Utc>) -> Result<String, String> {
        use base64::Engine as _;
        let text = |error: &dyn std::fmt::Display| format!("unable to parse csr {:?}: {error}", meta::name(request));
        let pem = base64::engine::general_purpose::STANDARD
            .decode(str_at(request, &["spec", "request"]))
            .map_err(|error| text(&error))?;
        let pem = String::from_utf8(pem).map_err(|error| text(&error))?;
        let mut asked = CertificateSigningRequestParams::from_pem(&pem).map_err(|error| text(&error))?;
        let claims = claims(&pem, &asked.params.subject_alt_names).map_err(|error| text(&error))?;
        (signer.check)(&claims)?;
        signer.check_usages(request)?;
        let seconds = int_at(request, &["spec", "expirationSeconds"]).unwrap_or(DURATION.1);
        let end = now + TimeDelta::seconds(seconds.clamp(DURATION.0, DURATION.1));
        let epoch = date_time_ymd(1970, 1, 1);
        asked.params.not_before = epoch + since_epoch(now - BACKDATE);
        asked.params.not_after = epoch + since_epoch(end);
        asked.params.is_ca = IsCa::ExplicitNoCa;
        asked.params.use_authority_key_identifier_extension = true;
        (asked.params.key_usages, asked.params.extended_key_usages) = usages(request);
        let key = KeyPair::from_pem(&self.key).map_err(|error| error.to_string())?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, key).map_err(|error| error.to_string())?;
        let certificate = asked.signed_by(&issuer).map_err(|error| error.to_string())?;
        with_subject(certificate.der(), &subject(&pem).map_err(|error| text(&error))?, issuer.key())
    }
}

/// The PEM text of a request.
fn pem_of_request(request: &Value) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(str_at(request, &["spec", "request"])).ok()?;
    String::from_utf8(bytes).ok()
}

/// The name that a request asks for, if it is one of a kubelet for a client certificate.
pub(super) fn is_kubelet_client(request: &Value) -> Option<String> {
    let name = str_at(request, &["spec", "signerName"]);
    let signer = SIGNERS.iter().find(|signer| signer.name == name && signer.name == KUBELET_CLIENT)?;
    let pem = pem_of_request(request)?;
    let asked = CertificateSigningRequestParams::from_pem(&pem).ok()?;
    let claims = claims(&pem, &asked.params.subject_alt_names).ok()?;
    (signer.check)(&claims).ok()?;
    signer.check_usages(request).ok()?;
    Some(claims.common_name)
}

/// When the certificate that a request got ends.
pub(super) fn certificate_end(request: &Value) -> Option<DateTime<Utc>> {
    use base64::Engine as _;
    let pem = base64::engine::general_purpose::STANDARD.decode(str_at(request, &["status", "certificate"])).ok()?;
    let (_, block) = x509_parser::pem::parse_x509_pem(&pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

/// The subject of a request as its bytes stand there.
fn subject(pem: &str) -> Result<Vec<u8>, String> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let (_, parsed) = X509CertificationRequest::from_der(&block.contents).map_err(|error| error.to_string())?;
    Ok(parsed.certification_request_info.subject.as_raw().to_vec())
}

/// One DER value: its tag, its length, its content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut value = vec![tag];
    match (content.len(), u8::try_from(length.len())) {
        (short @ 0..128, _) => value.push(u8::try_from(short).unwrap_or_default()),
        (_, Ok(bytes)) => {
            value.push(0x80 | bytes);
            value.extend(length);
        }
        _ => {}
    }
    value.extend(content);
    value
}

/// A certificate with the subject that was asked for, signed anew: rcgen keeps one name of each sort, but people are in
/// several groups.
fn with_subject(certificate: &[u8], subject: &[u8], key: &impl SigningKey) -> Result<String, String> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let signed = parsed.tbs_certificate.as_ref();
    let old = parsed.tbs_certificate.subject.as_raw();
    let at = (old.as_ptr() as usize).checked_sub(signed.as_ptr() as usize).ok_or("no subject")?;
    let (before, after) = (signed.get(..at), signed.get(at + old.len()..));
    // The header of the sequence goes with its old length.
    let (Some(before), Some(after)) = (before.and_then(|before| before.get(header(signed)..)), after) else {
        return Err("no subject".to_owned());
    };
    let rest = certificate.get(header(certificate) + signed.len()..).ok_or("no signature")?;
    let signed = der(SEQUENCE, &[before, subject, after]);
    let signature = key.sign(&signed).map_err(|error| error.to_string())?;
    let (after_algorithm, _) = x509_parser::x509::AlgorithmIdentifier::from_der(rest).map_err(|e| e.to_string())?;
    let algorithm = rest.get(..rest.len() - after_algorithm.len()).unwrap_or_default();
    let whole = der(SEQUENCE, &[&signed, algorithm, &der(BIT_STRING, &[&[0], &signature])]);
    Ok(pem_of(&whole))
}

/// How many bytes tag and length of a DER value take.
fn header(value: &[u8]) -> usize {
    match value.get(1) {
        Some(length @ 0x80..) => 2 + usize::from(length & 0x7f),
        _ => 2,
    }
}

fn pem_of(certificate: &[u8]) -> String {
    use base64::Engine as _;
    const LINE: usize = 64;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<String> =
        text.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn since_epoch(time: DateTime<Utc>) -> Duration {
    Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default())
}

fn claims(pem: &str, names: &[SanType]) -> Result<Claims, String> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let (_, parsed) = X509CertificationRequest::from_der(&block.contents).map_err(|error| error.to_string())?;
    let subject = &parsed.certification_request_info.subject;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let mut claims = Claims {
        common_name: text(subject.iter_common_name().next().and_then(|name| name.as_str().ok())),
        organizations: subject.iter_organization().map(|name| text(name.as_str().ok())).collect(),
        ..Claims::default()
    };
    for name in names {
        match name {
            SanType::DnsName(_) => claims.dns += 1,
            SanType::IpAddress(_) => claims.addresses += 1,
            SanType::Rfc822Name(_) => claims.emails += 1,
            SanType::URI(_) => claims.uris += 1,
            _ => {}
        }
    }
    Ok(claims)
}

/// The usages of a request in the forms of a certificate.
fn usages(request: &Value) -> (Vec<KeyUsagePurpose>, Vec<ExtendedKeyUsagePurpose>) {
    let (mut plain, mut extended) = (Vec::new(), Vec::new());
    for usage in list_at(request, &["spec", "usages"]).iter().filter_map(Value::as_str) {
        match usage {
            "signing" | "digital signature" => plain.push(KeyUsagePurpose::DigitalSignature),
            "content commitment" => plain.push(KeyUsagePurpose::ContentCommitment),
            "key encipherment" => plain.push(KeyUsagePurpose::KeyEncipherment),
            "key agreement" => plain.push(KeyUsagePurpose::KeyAgreement),
            "data encipherment" => plain.push(KeyUsagePurpose::DataEncipherment),
            "cert sign" => plain.push(KeyUsagePurpose::KeyCertSign),
            "crl sign" => plain.push(KeyUsagePurpose::CrlSign),
            "encipher only" => plain.push(KeyUsagePurpose::EncipherOnly),
            "decipher only" => plain.push(KeyUsagePurpose::DecipherOnly),
            "any" => extended.push(ExtendedKeyUsagePurpose::Any),
            "server auth" => extended.push(ExtendedKeyUsagePurpose::ServerAuth),
            "client auth" => extended.push(ExtendedKeyUsagePurpose::ClientAuth),
            "code signing" => extended.push(ExtendedKeyUsagePurpose::CodeSigning),
            "email protection" | "s/mime" => extended.push(ExtendedKeyUsagePurpose::EmailProtection),
            "timestamping" => extended.push(ExtendedKeyUsagePurpose::TimeStamping),
            "ocsp signing" => extended.push(ExtendedKeyUsagePurpose::OcspSigning),
            _ => {}
        }
    }
    plain.dedup();
    (plain, extended)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, DnType};

    use super::*;
    use crate::controllers::runtime::Cache;

    fn authority() -> CertificateSigner {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        CertificateSigner { certificate, key: key.serialize_pem() }
    }

    /// A request with the name `r`.
    pub fn request(signer: &str, name: &str, group: Option<&str>, usages: Value) -> Value {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        let pem =
            params.serialize_request(&KeyPair::generate().expect("a key")).expect("a request").pem().expect("PEM");
        json!({"metadata": {"name": "r", "uid": "R", "resourceVersion": "1"},
            "spec": {"signerName": signer, "request": encode(&pem), "usages": usages, "expirationSeconds": 3600}})
    }

    fn answer(signer: &str, name: &str, usages: Value, condition: &str) -> Option<Value> {
        let mut request = request(signer, name, None, usages);
        request["status"] = json!({"conditions": [{"type": condition, "status": "True"}]});
        let cache = Cache::default();
        cache.put(&requests(), Arc::new(request));
        let world = World { cache: &cache, now: Utc::now() };
        match authority().reconcile(&world, &Key::cluster("r")).pop() {
            Some(Action::Update { object, .. }) => Some(object["status"].clone()),
            _ => None,
        }
    }

    #[test]
    fn a_subject_keeps_all_its_groups() {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "someone else");
        let made = params.self_signed(&key).expect("a certificate");
        let name = |oid: u8, text: &str| {
            let kind = der(0x06, &[&[0x55, 0x04, oid]]);
            der(0x31, &[&der(0x30, &[&kind, &der(0x0c, &[text.as_bytes()])])])
        };
        let subject = der(0x30, &[&name(3, "alice"), &name(10, "dev"), &name(10, "ops")]);
        let pem = with_subject(made.der(), &subject, &key).expect("a certificate");
        let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("PEM");
        let (_, parsed) = X509Certificate::from_der(&block.contents).expect("a certificate");
        assert_eq!(parsed.subject().to_string(), "CN=alice, O=dev, O=ops");
    }

    #[test]
    fn approved_requests_are_signed_as_their_signer_allows() {
        let client = "kubernetes.io/kube-apiserver-client";
        let signed = answer(client, "alice", json!(["client auth"]), "Approved").expect("a status");
        assert!(signed["certificate"].as_str().is_some_and(|text| text.starts_with("LS0t")));
        assert_eq!(answer(client, "alice", json!(["client auth"]), "Denied"), None);
        let failed = answer(client, "alice", json!(["server auth"]), "Approved").expect("a status");
        assert_eq!(failed["conditions"][1]["type"], "Failed");
        let kubelet = "kubernetes.io/kube-apiserver-client-kubelet";
        let usages = json!(["client auth", "digital signature"]);
        let failed = answer(kubelet, "alice", usages, "Approved").expect("a status");
        assert_eq!(failed["conditions"][1]["message"], "subject organization is not system:nodes");
        assert_eq!(answer("example.com/own", "alice", json!([]), "Approved"), None);
    }
}
