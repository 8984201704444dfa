//! Keys that end an attachment.

use crate::cli::error::{Error, Result};

/// Watches typed bytes for a sequence of keys.
#[derive(Debug)]
pub struct Detach {
    keys: Vec<u8>,
    /// How many of them have been typed.
    matched: usize,
}

/// What typed bytes amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// To be sent.
    Bytes(Vec<u8>),
    /// The sequence is complete; what stands before it is to be sent.
    Detached(Vec<u8>),
}

impl Detach {
    /// Reads `ctrl-p,ctrl-q` and the like: single letters, and those with the control key.
    pub fn parse(text: &str) -> Result<Self> {
        let keys: Result<Vec<u8>> = text.split(',').map(key).collect();
        Ok(Self { keys: keys?, matched: 0 })
    }

    /// Takes what was typed.
    pub fn take(&mut self, bytes: &[u8]) -> Typed {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.matched) == Some(byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return Typed::Detached(out);
                }
                continue;
            }
            // The keys of a sequence that was broken off were meant as such.
            out.extend(self.keys.iter().take(self.matched));
            self.matched = usize::from(self.keys.first() == Some(byte));
            if self.matched == 0 {
                out.push(*byte);
            }
        }
        Typed::Bytes(out)
    }
}

fn key(text: &str) -> Result<u8> {
    let unknown = || Error::new(format!("could not bind detach keys: unknown character: '{text}'"));
    match text.as_bytes() {
        [letter] => Ok(*letter),
        [b'c' | b'C', b't' | b'T', b'r' | b'R', b'l' | b'L', b'-', letter] => match letter {
            b'a'..=b'z' => Ok(letter - b'a' + 1),
            b'@' => Ok(0),
            b'[' => Ok(27),
            b'\\' => Ok(28),
            b']' => Ok(29),
            b'^' => Ok(30),
            b'_' => Ok(31),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_found_across_reads() {
        let mut detach = Detach::parse("ctrl-p,ctrl-q").expect("keys");
        assert_eq!(detach.take(b"ab\x10"), Typed::Bytes(b"ab".to_vec()));
        assert_eq!(detach.take(b"c\x10"), Typed::Bytes(b"\x10c".to_vec()));
        assert_eq!(detach.take(b"\x11d"), Typed::Detached(Vec::new()));
        assert!(Detach::parse("ctrl-p,enter").is_err());
        assert!(Detach::parse("").is_err());
    }
}
