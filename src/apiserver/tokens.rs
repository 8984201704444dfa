//! Tokens of service accounts: the key that signs them (RS256), and the documents that tell others of it.

use std::path::PathBuf;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::json;

use crate::object::Value;

/// Bits of a new key.
const BITS: usize = 2048;

/// Why a signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not PEM.
    #[error("the service account key is not PEM")]
    Pem,
    /// The key is not an RSA key in PKCS #8.
    #[error("the service account key is not an RSA key in PKCS #8: {0}")]
    Key(String),
    /// A new key cannot be made.
    #[error("no service account key could be made: {0}")]
    Generate(String),
    /// The file of the key cannot be read or written.
    #[error("the service account key {path} cannot be used")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Signs tokens with RS256. Making a key takes a while, so that is put off until the first token is asked for.
pub struct TokenSigner {
    key: OnceLock<Option<RsaKeyPair>>,
    file: Option<PathBuf>,
    random: SystemRandom,
}

impl TokenSigner {
    /// The signer of a key (PEM), or of the one in a file, which is made when it is needed and not there; without
    /// either, of a key that nobody keeps.
    ///
    /// # Errors
    ///
    /// When the given key is not usable.
    pub fn new(pem: Option<&str>, file: Option<PathBuf>) -> Result<Self, KeyError> {
        let key = OnceLock::new();
        if let Some(pem) = pem {
            // The cell is new and so takes its first value.
            let _ = key.set(Some(parse(pem)?));
        }
        Ok(Self { key, file, random: SystemRandom::new() })
    }

    fn key(&self) -> Option<&RsaKeyPair> {
        self.key.get_or_init(|| self.load().ok()).as_ref()
    }

    fn load(&self) -> Result<RsaKeyPair, KeyError> {
        let failed = |path: &PathBuf| {
            let path = path.display().to_string();
            move |source| KeyError::File { path, source }
        };
        if let Some(path) = self.file.as_ref().filter(|path| path.exists()) {
            return parse(&std::fs::read_to_string(path).map_err(failed(path))?);
        }
        let pem = generate(&self.random)?;
        if let Some(path) = &self.file {
            write_private(path, &pem).map_err(failed(path))?;
        }
        parse(&pem)
    }

    /// Whether a token can have been signed by a key that is not known yet: there is none, nor a file of one.
    fn has_signed_nothing(&self) -> bool {
        self.key.get().is_none() && !self.file.as_ref().is_some_and(|path| path.exists())
    }

    /// Signs `message`; `None` when there is no key to be had.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let key = self.key()?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature).ok()?;
        Some(signature)
    }

    /// Whether `signature` is this signer's for `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.has_signed_nothing() {
            return false;
        }
        let Some(key) = self.key() else { return false };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref()).verify(message, signature).is_ok()
    }

    /// The name of the key: a digest of its public half.
    pub fn key_id(&self) -> String {
        let Some(key) = self.key() else { return String::new() };
        let digest = ring::digest::digest(&ring::digest::SHA256, &public_key_info(key.public().as_ref()));
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// A token with these claims; `None` when there is no key to be had.
    pub fn token(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "RS256", "kid": self.key_id()});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(text.as_bytes())?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The set of keys by which others verify tokens.
    pub fn key_set(&self) -> Value {
        let keys = self.key().map(|key| {
            let parts = PublicKeyComponents::<Vec<u8>>::from(key.public());
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({
                "use": "sig",
                "kty": "RSA",
                "kid": self.key_id(),
                "alg": "RS256",
                "n": encode(&parts.n),
                "e": encode(&parts.e),
            })
        });
        json!({"keys": keys.into_iter().collect::<Vec<Value>>()})
    }
}

/// What an issuer tells of itself.
pub fn discovery_document(issuer: &str, keys: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": keys,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

fn parse(pem: &str) -> Result<RsaKeyPair, KeyError> {
    let body = pem.split("-----BEGIN PRIVATE KEY-----").nth(1).and_then(|rest| rest.split("-----END").next());
    let text: String = body.ok_or(KeyError::Pem)?.split_whitespace().collect();
    let der = STANDARD.decode(text).map_err(|_| KeyError::Pem)?;
    RsaKeyPair::from_pkcs8(&der).map_err(|e| KeyError::Key(e.to_string()))
}

/// The system's randomness for the making of keys.
struct Random<'a>(&'a SystemRandom);

impl rsa::rand_core::RngCore for Random<'_> {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rsa::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Without randomness no primes are found, and making the key fails.
        if self.0.fill(bytes).is_err() {
            bytes.fill(0);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.0.fill(bytes).map_err(|_| rsa::rand_core::Error::new("the system has no randomness"))
    }
}

impl rsa::rand_core::CryptoRng for Random<'_> {}

fn generate(random: &SystemRandom) -> Result<String, KeyError> {
    // Asked first, for the making itself cannot report it.
    random.fill(&mut [0; 32]).map_err(|_| KeyError::Generate("the system has no randomness".into()))?;
    let failed = |why: String| KeyError::Generate(why);
    let key = rsa::RsaPrivateKey::new(&mut Random(random), BITS).map_err(|e| failed(e.to_string()))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| failed(e.to_string()))?;
    Ok(pem.to_string())
}

/// Writes a file that only its owner reads; it appears whole or not at all.
fn write_private(path: &PathBuf, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

/// A public key (PKCS #1) as `SubjectPublicKeyInfo`.
fn public_key_info(key: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: &[u8] =
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    let mut body = RSA_ENCRYPTION.to_vec();
    body.extend(der(0x03, &bits));
    der(0x30, &body)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_verifies_what_it_signed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pki/sa.key");
        let signer = TokenSigner::new(None, Some(file.clone())).expect("a signer");
        assert!(!signer.verifies(b"x", b"y"));
        assert!(!file.exists());
        let signature = signer.sign(b"message").expect("a signature");
        let again = TokenSigner::new(None, Some(file)).expect("a signer");
        assert!(again.verifies(b"message", &signature));
        assert!(!again.verifies(b"another", &signature));
        assert_eq!(again.key_set(), signer.key_set());
        assert_eq!(again.key_set()["keys"][0]["e"], "AQAB");
    }
}
