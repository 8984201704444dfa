//! Tokens of service accounts: the signing key.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// Why a signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not PEM.
    #[error("the service account key is not PEM")]
    Pem,
    /// The key is not an ECDSA P-256 key in PKCS #8.
    #[error("the service account key is not an ECDSA P-256 key in PKCS #8: {0}")]
    Key(String),
}

/// Signs tokens with ES256.
pub struct TokenSigner {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl TokenSigner {
    /// The signer of a key, or of a fresh one.
    ///
    /// # Errors
    ///
    /// When the key is not usable.
    pub fn new(pem: Option<&str>) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let der = match pem {
            Some(pem) => pem_body(pem).ok_or(KeyError::Pem)?,
            None => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .map_err(|e| KeyError::Key(e.to_string()))?
                .as_ref()
                .to_vec(),
        };
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
            .map_err(|e| KeyError::Key(e.to_string()))?;
        Ok(Self { key, random })
    }

    /// Signs `message`; `None` if the system has no randomness.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.key.sign(&self.random, message).ok().map(|signature| signature.as_ref().to_vec())
    }

    /// The name of the key: a digest of its public half.
    pub fn key_id(&self) -> String {
        use base64::Engine as _;
        let digest = ring::digest::digest(&ring::digest::SHA256, self.public_key());
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
    }

    /// Whether `signature` is this signer's for `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.public_key()).verify(message, signature).is_ok()
    }

    /// The public key: an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

fn pem_body(pem: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let body = pem.split("-----BEGIN PRIVATE KEY-----").nth(1)?.split("-----END").next()?;
    let text: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
