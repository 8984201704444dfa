//! What a shell is to do with candidates: the bits of the completion protocol.

use std::fmt;
use std::ops::BitOr;

/// A set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directive(u8);

const NAMES: [(u8, &str); 5] = [
    (2, "ShellCompDirectiveNoSpace"),
    (4, "ShellCompDirectiveNoFileComp"),
    (8, "ShellCompDirectiveFilterFileExt"),
    (16, "ShellCompDirectiveFilterDirs"),
    (32, "ShellCompDirectiveKeepOrder"),
];

impl Directive {
    /// Offer files where there is no candidate.
    pub const DEFAULT: Self = Self(0);
    /// No blank after the candidate.
    pub const NO_SPACE: Self = Self(2);
    /// Offer no files.
    pub const NO_FILES: Self = Self(4);
    /// The candidates are endings of files to offer.
    pub const FILE_ENDINGS: Self = Self(8);

    /// The directive of a number.
    pub const fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits as a number.
    pub fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for Directive {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("ShellCompDirectiveDefault");
        }
        let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}
