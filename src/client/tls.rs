//! Trust and client certificates for a connection, and Go's words for what fails there.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::kubeconfig::ClusterAccess;

/// Accepts any certificate; the user has asked for it.
#[derive(Debug)]
struct NoCheck(Arc<CryptoProvider>);

/// Checks the certificate for another name than the one connected to.
#[derive(Debug)]
struct ForName {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for NoCheck {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for ForName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Where systems keep the certificates they trust.
const SYSTEM_ROOTS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

fn roots(access: &ClusterAccess) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let pem = match &access.authorities {
        Some(pem) => pem.clone(),
        None => SYSTEM_ROOTS.iter().find_map(|file| std::fs::read(file).ok()).unwrap_or_default(),
    };
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 && access.authorities.is_some() {
        return Err("unable to load root certificates: unable to parse bytes as PEM block".into());
    }
    Ok(store)
}

/// Settings for a client that speaks plain HTTP; they trust nobody.
///
/// # Errors
/// None in practice.
pub fn unused() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The TLS settings for a connection.
///
/// # Errors
/// Certificates or keys that cannot be read.
pub fn config(access: &ClusterAccess, certificate: Option<(Vec<u8>, Vec<u8>)>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if access.insecure {
        if access.authorities.is_some() {
            return Err("specifying a root certificates file with the insecure flag is not allowed".into());
        }
        builder.dangerous().with_custom_certificate_verifier(Arc::new(NoCheck(provider)))
    } else {
        let store = Arc::new(roots(access)?);
        if access.tls_server_name.is_empty() {
            builder.with_root_certificates(store)
        } else {
            let inner = WebPkiServerVerifier::builder_with_provider(store, provider).build();
            let inner = inner.map_err(|error| error.to_string())?;
            let name = ServerName::try_from(access.tls_server_name.clone()).map_err(|error| error.to_string())?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(ForName { inner, name }))
        }
    };
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).filter_map(Result::ok).collect();
            if chain.is_empty() {
                return Err("tls: failed to find any PEM data in certificate input".into());
            }
            let key = PrivateKeyDer::from_pem_slice(&key)
                .map_err(|_| "tls: failed to find any PEM data in key input".to_owned())?;
            builder.with_client_auth_cert(chain, key).map_err(|error| format!("tls: {error}"))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What Go's TLS says of the same failure.
pub fn go_words(error: &rustls::Error, host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let x509 = |text: String| format!("tls: failed to verify certificate: x509: {text}");
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                x509("certificate signed by unknown authority".into())
            }
            CertificateError::NotValidForName => {
                x509(format!("certificate is not valid for any names, but wanted to match {name}"))
            }
            CertificateError::NotValidForNameContext { presented, .. } => x509(wrong_name(presented, name)),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                x509("certificate has expired or is not yet valid".into())
            }
            other => x509(format!("{other:?}")),
        },
        rustls::Error::InvalidMessage(_) => "http: server gave HTTP response to HTTPS client".into(),
        rustls::Error::AlertReceived(alert) => format!("remote error: tls: {alert:?}"),
        other => format!("tls: {other}"),
    }
}

/// The names a certificate bears, against the one that was wanted.
fn wrong_name(presented: &[String], wanted: &str) -> String {
    let is_address = wanted.parse::<std::net::IpAddr>().is_ok();
    let kind = if is_address { "IpAddress(" } else { "DnsName(" };
    let names: Vec<&str> = presented
        .iter()
        .filter_map(|name| name.strip_prefix(kind))
        .map(|name| name.trim_end_matches(')').trim_matches('"'))
        .collect();
    match (names.is_empty(), is_address) {
        (true, true) => format!("cannot validate certificate for {wanted} because it doesn't contain any IP SANs"),
        (true, false) => format!("certificate is not valid for any names, but wanted to match {wanted}"),
        (false, _) => format!("certificate is valid for {}, not {wanted}", names.join(", ")),
    }
}
