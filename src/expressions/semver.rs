//! Versions (`semver`), compared as semantic versioning 2.0 has it.

use std::cmp::Ordering;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major, minor and patch.
    pub numbers: [u64; 3],
    /// What stands behind a hyphen, in its parts.
    pub pre: Vec<String>,
}

fn number(text: &str, what: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {what} number {}", crate::object::go::quote(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!("{} must not contain leading zeroes {}", capital(what), crate::object::go::quote(text)));
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", crate::object::go::quote(text)))
}

fn capital(what: &str) -> String {
    let mut chars = what.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str() + " number").unwrap_or_default()
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".into());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts.as_slice() else {
            return Err("No Major.Minor.Patch elements found".into());
        };
        let (rest, build) = rest.split_once('+').map_or((*rest, None), |(rest, build)| (rest, Some(build)));
        let (patch, pre) = rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        let valid = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let split = |text: Option<&str>| -> Vec<String> {
            text.map(|text| text.split('.').map(str::to_owned).collect()).unwrap_or_default()
        };
        let (pre, build) = (split(pre), split(build));
        let numbers = [number(major, "major")?, number(minor, "minor")?, number(patch, "patch")?];
        for part in &pre {
            if !valid(part) {
                return Err(match part.is_empty() {
                    true => "Prerelease is empty".into(),
                    false => format!("Invalid character(s) found in prerelease {}", crate::object::go::quote(part)),
                });
            }
            if part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()) {
                let shown = crate::object::go::quote(part);
                return Err(format!("Numeric PreRelease version must not contain leading zeroes {shown}"));
            }
        }
        for part in &build {
            if !valid(part) {
                return Err(match part.is_empty() {
                    true => "Build meta data is empty".into(),
                    false => {
                        format!("Invalid character(s) found in build meta data {}", crate::object::go::quote(part))
                    }
                });
            }
        }
        Ok(Self { numbers, pre })
    }

    /// Reads a version after mending what is common: a leading `v`, missing parts, leading zeroes.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn parse_tolerant(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let bare = part.trim_start_matches('0');
                let bare =
                    if bare.starts_with(|c: char| c.is_ascii_digit()) { bare.to_owned() } else { format!("0{bare}") };
                *part = bare;
            }
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                return Err("Short version cannot contain PreRelease/Build meta data".into());
            }
            parts.resize(3, "0".into());
        }
        Self::parse(&parts.join("."))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |a: &String, b: &String| match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        };
        let pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let first = self.pre.iter().zip(&other.pre).map(|(a, b)| part(a, b)).find(|order| order.is_ne());
                first.unwrap_or_else(|| self.pre.len().cmp(&other.pre.len()))
            }
        };
        self.numbers.cmp(&other.numbers).then_with(pre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let version = |text: &str| Version::parse(text).expect("a version");
        assert!(version("1.0.0-alpha.2") < version("1.0.0-alpha.11"));
        assert!(version("1.0.0-rc.1") < version("1.0.0") && version("1.2.0") < version("1.10.0"));
        assert_eq!(Version::parse_tolerant("v01.2"), Ok(version("1.2.0")));
        assert!(Version::parse("1.02.0").is_err() && Version::parse("1.2").is_err());
    }
}
