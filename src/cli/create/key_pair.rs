//! Whether a certificate and a private key belong together, in the words of Go's `tls.X509KeyPair`.

use base64::Engine as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A block of a PEM file.
struct Block {
    label: String,
    content: Vec<u8>,
}

/// The blocks of a PEM file; text between them counts for nothing.
fn blocks(pem: &[u8]) -> Vec<Block> {
    let text = String::from_utf8_lossy(pem);
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim_end) {
        let between = |begin: &str| line.strip_prefix(begin)?.strip_suffix("-----").map(str::to_owned);
        if let Some(label) = between("-----BEGIN ") {
            open = Some((label, String::new()));
        } else if between("-----END ").is_some() {
            let Some((label, body)) = open.take() else { continue };
            if let Ok(content) = base64::engine::general_purpose::STANDARD.decode(body) {
                blocks.push(Block { label, content });
            }
        } else if let Some((_, body)) = open.as_mut()
            && !line.contains(':')
        {
            body.push_str(line);
        }
    }
    blocks
}

fn labels(blocks: &[Block]) -> String {
    blocks.iter().map(|block| block.label.as_str()).collect::<Vec<_>>().join(" ")
}

/// The certificates of a file.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let blocks = blocks(pem);
    let found: Vec<CertificateDer<'static>> = blocks
        .iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| CertificateDer::from(block.content.clone()))
        .collect();
    match blocks.as_slice() {
        _ if !found.is_empty() => Ok(found),
        [] => Err("tls: failed to find any PEM data in certificate input".into()),
        [only] if only.label.ends_with("PRIVATE KEY") => {
            Err("tls: failed to find certificate PEM data in certificate \
                                                              input, but did find a private key; PEM inputs may have \
                                                              been switched"
                .into())
        }
        _ => Err(format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the \
             following types: [{}]",
            labels(&blocks)
        )),
    }
}

/// The private key of a file, in DER.
fn private_key(pem: &[u8]) -> Result<Vec<u8>, String> {
    let blocks = blocks(pem);
    let is_key = |block: &&Block| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    if let Some(key) = blocks.iter().find(is_key) {
        return Ok(key.content.clone());
    }
    Err(match blocks.as_slice() {
        [] => "tls: failed to find any PEM data in key input".into(),
        [only] if only.label == "CERTIFICATE" => {
            "tls: found a certificate rather than a key in the PEM for the private key".into()
        }
        _ => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of \
             the following types: [{}]",
            labels(&blocks)
        ),
    })
}

/// Checks that the key is the certificate's.
///
/// # Errors
/// Go's text for what is wrong.
pub fn check(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let certificates = certificates(certificate)?;
    let key = private_key(key)?;
    let first = certificates.first().map(|first| first.as_ref()).unwrap_or_default();
    x509_parser::parse_x509_certificate(first).map_err(|_| "x509: malformed certificate")?;
    let key = PrivateKeyDer::try_from(key).map_err(|_| "tls: failed to parse private key")?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| "tls: failed to parse private key")?;
    match rustls::sign::CertifiedKey::new(certificates, key).keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err("tls: private key does not match public key".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_what_they_should_hold() {
        assert_eq!(check(b"x", b"x"), Err("tls: failed to find any PEM data in certificate input".into()));
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(check(key, key).is_err_and(|text| text.ends_with("PEM inputs may have been switched")));
    }
}
