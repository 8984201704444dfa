//! Hashes that become parts of names, and the alphabet of generated names.

/// Characters of generated name parts: no vowels and no look-alikes, so that no words arise.
pub const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// FNV-1, 32 bits (`fnv.New32`).
pub fn fnv1(parts: &[&[u8]]) -> u32 {
    parts.iter().copied().flatten().fold(OFFSET, |hash, byte| hash.wrapping_mul(PRIME) ^ u32::from(*byte))
}

/// FNV-1a, 32 bits (`fnv.New32a`).
pub fn fnv1a(parts: &[&[u8]]) -> u32 {
    parts.iter().copied().flatten().fold(OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}

/// Writes `text` in [`ALPHABET`], character by character (`rand.SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    text.chars().map(|c| char::from(ALPHABET[c as usize % ALPHABET.len()])).collect()
}

/// The suffix that tells what a config map or secret holds: 40 bits of the SHA-256 digest of `text`, without vowels and what looks like
/// them.
pub fn content_hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let safe = |letter: char| match letter {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    hex.chars().map(safe).collect()
}

/// A name part of `length` characters drawn from `random`, as the API server appends to `generateName`.
pub fn random_suffix(length: usize, mut random: impl FnMut() -> u8) -> String {
    let mut out = String::with_capacity(length);
    while out.len() < length {
        // Five bits give 32 numbers; those beyond the alphabet are drawn again, so that all letters are as likely.
        if let Some(letter) = ALPHABET.get(usize::from(random() & 31)) {
            out.push(char::from(*letter));
        }
    }
    out
}

/// The hash of a controller revision's data, for its name and the label `controller.kubernetes.io/hash`
/// (`HashControllerRevision`).
pub fn controller_revision_hash(data: &[u8], collision_count: Option<i32>) -> String {
    let count = collision_count.map(|count| count.to_string()).unwrap_or_default();
    safe_encode(&fnv1(&[data, count.as_bytes()]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(fnv1(&[b"a"]), 0x050c_5d7e);
        assert_eq!(fnv1a(&[b"a"]), 0xe40c_292c);
        assert_eq!(safe_encode("123"), "567");
        let mut n = 0_u8;
        let mut next = || {
            n = n.wrapping_add(27);
            n
        };
        assert_eq!(random_suffix(5, &mut next).len(), 5);
    }

    #[test]
    fn hashes_are_kubernetes() {
        // The digest of the empty config map in Kubernetes' own tests.
        assert_eq!(content_hash(r#"{"data":{},"kind":"ConfigMap","name":""}"#), "42745tchd9");
    }
}
