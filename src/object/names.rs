//! Rules for names, labels, ports and keys: the functions of `k8s.io/apimachinery/pkg/util/validation`.
//!
//! Every function returns the messages of what is wrong, and an empty list for a valid value. Lengths are in bytes.

use std::net::{IpAddr, Ipv6Addr};

/// Longest DNS label, label key name and label value.
pub const LABEL_MAX_LENGTH: usize = 63;
/// Longest DNS subdomain.
pub const SUBDOMAIN_MAX_LENGTH: usize = 253;

/// A character rule with the words and the pattern that its message shows.
struct Rule {
    message: &'static str,
    pattern: &'static str,
    examples: &'static [&'static str],
}

impl Rule {
    fn message(&self) -> String {
        regex_error(self.message, self.pattern, self.examples)
    }
}

const LABEL: Rule = Rule {
    message: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
              end with an alphanumeric character",
    pattern: "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    examples: &["my-name", "123-abc"],
};
const SUBDOMAIN: Rule = Rule {
    message: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
              start and end with an alphanumeric character",
    pattern: r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    examples: &["example.com"],
};
const SUBDOMAIN_UNDERSCORE: Rule = Rule {
    message: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and \
              must start and end with an alphanumeric character",
    pattern: r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
    examples: &["example.com"],
};
const WILDCARD: Rule = Rule {
    message: "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
              consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    pattern: r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    examples: &["*.example.com"],
};
const LABEL_1035: Rule = Rule {
    message: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
              character, and end with an alphanumeric character",
    pattern: "[a-z]([-a-z0-9]*[a-z0-9])?",
    examples: &["my-name", "abc-123"],
};
const LABEL_KEY: Rule = Rule {
    message: "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
              character",
    pattern: "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
    examples: &["MyName", "my.name", "123-abc"],
};
const LABEL_VALUE: Rule = Rule {
    message: "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
              start and end with an alphanumeric character",
    pattern: "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
    examples: &["MyValue", "my_value", "12345"],
};
const C_IDENTIFIER: Rule = Rule {
    message: "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric \
              characters or '_'",
    pattern: "[A-Za-z_][A-Za-z0-9_]*",
    examples: &["my_name", "MY_NAME", "MyName"],
};
const PERCENT: Rule = Rule {
    message: "a valid percent string must be a numeric string followed by an ending '%'",
    pattern: "[0-9]+%",
    examples: &["1%", "93%"],
};
const HTTP_HEADER: Rule = Rule {
    message: "a valid HTTP header must consist of alphanumeric characters or '-'",
    pattern: "[-A-Za-z0-9]+",
    examples: &["X-Header-Name"],
};
const ENV_VAR: Rule = Rule {
    message: "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and \
              must not start with a digit",
    pattern: "[-._a-zA-Z][-._a-zA-Z0-9]*",
    examples: &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
};
const CONFIG_KEY: Rule = Rule {
    message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    pattern: "[-._a-zA-Z0-9]+",
    examples: &["key.name", "KEY_NAME", "key-name"],
};

/// `must be no more than N characters`.
pub fn max_length_error(length: usize) -> String {
    format!("must be no more than {length} characters")
}

/// `must be no more than N bytes`: what label keys and values say since 1.36.
pub fn max_bytes_error(length: usize) -> String {
    format!("must be no more than {length} bytes")
}

/// `must be between LOW and HIGH, inclusive`.
pub fn inclusive_range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// `message (e.g. 'a',  or 'b', regex used for validation is 'pattern')`, with the two blanks of the original.
pub fn regex_error(message: &str, pattern: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{pattern}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

/// Whether `value` is not empty, begins with a byte of `first`, ends with one of `last` and else holds `inner`.
fn shaped(value: &str, first: fn(u8) -> bool, inner: fn(u8) -> bool, last: fn(u8) -> bool) -> bool {
    match value.as_bytes() {
        [] => false,
        [one] => first(*one),
        [head, middle @ .., tail] => first(*head) && last(*tail) && middle.iter().all(|b| inner(*b)),
    }
}

fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn lower_digit_dash(b: u8) -> bool {
    lower_or_digit(b) || b == b'-'
}

fn alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn key_inner(b: u8) -> bool {
    alphanumeric(b) || matches!(b, b'-' | b'_' | b'.')
}

fn label_shape(value: &str) -> bool {
    shaped(value, lower_or_digit, lower_digit_dash, lower_or_digit)
}

fn subdomain_shape(value: &str) -> bool {
    value.split('.').all(label_shape)
}

fn label_key_shape(value: &str) -> bool {
    shaped(value, alphanumeric, key_inner, alphanumeric)
}

/// The message for a length above `max`, if it is above.
fn too_long(value: &str, max: usize) -> Option<String> {
    (value.len() > max).then(|| max_length_error(max))
}

fn check(length: Option<String>, valid: bool, rule: &Rule) -> Vec<String> {
    length.into_iter().chain((!valid).then(|| rule.message())).collect()
}

/// A label in DNS (RFC 1123): most object names that become DNS labels.
pub fn is_dns1123_label(value: &str) -> Vec<String> {
    if !label_shape(value) && subdomain_shape(value) {
        let length = too_long(value, LABEL_MAX_LENGTH);
        return length.into_iter().chain(["must not contain dots".to_owned()]).collect();
    }
    check(too_long(value, LABEL_MAX_LENGTH), label_shape(value), &LABEL)
}

/// A subdomain in DNS (RFC 1123): most object names.
pub fn is_dns1123_subdomain(value: &str) -> Vec<String> {
    check(too_long(value, SUBDOMAIN_MAX_LENGTH), subdomain_shape(value), &SUBDOMAIN)
}

/// A DNS subdomain whose labels may also hold underscores.
pub fn is_dns1123_subdomain_with_underscore(value: &str) -> Vec<String> {
    let label = |part: &str| {
        let part = part.strip_prefix('_').unwrap_or(part);
        shaped(part, lower_or_digit, |b| lower_digit_dash(b) || b == b'_', lower_or_digit)
    };
    check(too_long(value, SUBDOMAIN_MAX_LENGTH), value.split('.').all(label), &SUBDOMAIN_UNDERSCORE)
}

/// A label in DNS (RFC 1035): service names.
pub fn is_dns1035_label(value: &str) -> Vec<String> {
    let valid = shaped(value, |b| b.is_ascii_lowercase(), lower_digit_dash, lower_or_digit);
    check(too_long(value, LABEL_MAX_LENGTH), valid, &LABEL_1035)
}

/// `*.` and a DNS subdomain.
pub fn is_wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let valid = value.strip_prefix("*.").is_some_and(subdomain_shape);
    check(too_long(value, SUBDOMAIN_MAX_LENGTH), valid, &WILDCARD)
}

/// A label key: an optional DNS prefix, a slash and a name (`IsQualifiedName`, `IsLabelKey`).
pub fn is_qualified_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        ["", name] => {
            errors.push("prefix part must be non-empty".to_owned());
            *name
        }
        [prefix, name] => {
            let length = (prefix.len() > SUBDOMAIN_MAX_LENGTH).then(|| max_bytes_error(SUBDOMAIN_MAX_LENGTH));
            let messages = check(length, subdomain_shape(prefix), &SUBDOMAIN);
            errors.extend(messages.into_iter().map(|m| format!("prefix part {m}")));
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                LABEL_KEY.message()
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX_LENGTH {
        errors.push(format!("name part {}", max_bytes_error(LABEL_MAX_LENGTH)));
    }
    if !label_key_shape(name) {
        errors.push(format!("name part {}", LABEL_KEY.message()));
    }
    errors
}

/// A label value.
pub fn is_valid_label_value(value: &str) -> Vec<String> {
    let length = (value.len() > LABEL_MAX_LENGTH).then(|| max_bytes_error(LABEL_MAX_LENGTH));
    check(length, value.is_empty() || label_key_shape(value), &LABEL_VALUE)
}

/// An identifier in C: names of environment variables before dots and dashes were allowed.
pub fn is_c_identifier(value: &str) -> Vec<String> {
    let inner = |b: u8| alphanumeric(b) || b == b'_';
    check(None, shaped(value, |b| b.is_ascii_alphabetic() || b == b'_', inner, inner), &C_IDENTIFIER)
}

/// A port number from 1 to 65535.
pub fn is_valid_port_num(port: i64) -> Vec<String> {
    is_in_range(port, 1, 65535)
}

/// A number between two bounds, both included.
pub fn is_in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) { Vec::new() } else { vec![inclusive_range_error(low, high)] }
}

/// A group id.
pub fn is_valid_group_id(id: i64) -> Vec<String> {
    is_in_range(id, 0, i64::from(i32::MAX))
}

/// A user id.
pub fn is_valid_user_id(id: i64) -> Vec<String> {
    is_in_range(id, 0, i64::from(i32::MAX))
}

/// The name of a port (IANA service name).
pub fn is_valid_port_name(port: &str) -> Vec<String> {
    let mut errors: Vec<String> = too_long(port, 15).into_iter().collect();
    let mut refuse = |wrong: bool, message: &str| {
        if wrong {
            errors.push(message.to_owned());
        }
    };
    let charset = !port.is_empty() && port.bytes().all(lower_digit_dash);
    refuse(!charset, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    refuse(!port.bytes().any(|b| b.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    refuse(port.contains("--"), "must not contain consecutive hyphens");
    refuse(port.starts_with('-') || port.ends_with('-'), "must not begin or end with a hyphen");
    errors
}

/// Digits and a percent sign.
pub fn is_valid_percent(value: &str) -> Vec<String> {
    let valid = value.strip_suffix('%').is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
    check(None, valid, &PERCENT)
}

/// The name of an HTTP header.
pub fn is_http_header_name(value: &str) -> Vec<String> {
    let valid = !value.is_empty() && value.bytes().all(|b| alphanumeric(b) || b == b'-');
    check(None, valid, &HTTP_HEADER)
}

/// The name of an environment variable in the strict form.
pub fn is_env_var_name(value: &str) -> Vec<String> {
    let first = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'.' | b'_');
    let mut errors = check(None, shaped(value, first, key_inner, key_inner), &ENV_VAR);
    errors.extend(parent_folder_prefix(value));
    errors
}

/// The name of an environment variable in the relaxed form: printable ASCII without `=`.
pub fn is_relaxed_env_var_name(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

/// A key in the data of a config map or secret.
pub fn is_config_map_key(value: &str) -> Vec<String> {
    let valid = !value.is_empty() && value.bytes().all(key_inner);
    let mut errors = check(too_long(value, SUBDOMAIN_MAX_LENGTH), valid, &CONFIG_KEY);
    errors.extend(parent_folder_prefix(value));
    errors
}

/// What is wrong with a name that will be a file's name and leads out of its folder.
fn parent_folder_prefix(value: &str) -> Option<String> {
    match value {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ => value.starts_with("..").then(|| "must not start with '..'".to_owned()),
    }
}

/// A name that is one segment of a URL path: the rule for kinds with free names, such as roles.
pub fn is_path_segment_name(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    is_path_segment_prefix(name)
}

/// The beginning of a name that is one segment of a URL path (`generateName`).
pub fn is_path_segment_prefix(name: &str) -> Vec<String> {
    ["/", "%"].iter().filter(|c| name.contains(**c)).map(|c| format!("may not contain '{c}'")).collect()
}

/// An integer as people write it: no plus sign, no leading zeros.
pub fn is_decimal_integer(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec!["must be non-empty".to_owned()];
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    let nonzero = digits.bytes().all(|b| b.is_ascii_digit()) && matches!(digits.as_bytes(), [b'1'..=b'9', ..]);
    if value == "0" || nonzero {
        Vec::new()
    } else {
        vec!["must be a valid decimal integer in canonical form".to_owned()]
    }
}

/// Reads an IP address as old Kubernetes versions did: IPv4 parts may have leading zeros, which are decimal.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|v6| match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(v6),
        });
    }
    let part = |part: &str| {
        let digits = part.trim_start_matches('0');
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        match (plain, digits) {
            (true, "") => Some(0),
            (true, digits) => digits.parse::<u8>().ok(),
            (false, _) => None,
        }
    };
    let parts: Vec<u8> = text.split('.').map(part).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(parts).ok().map(IpAddr::from)
}

/// Reads `ADDRESS/BITS` with [`parse_ip_sloppy`]; the address keeps the bits beyond the prefix.
pub fn parse_cidr_sloppy(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let ip = parse_ip_sloppy(address)?;
    if bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u8 = bits.parse().ok()?;
    let mapped = address.contains(':') && ip.is_ipv4();
    let max = if address.contains(':') { 128 } else { 32 };
    (bits <= max).then(|| (ip, if mapped { bits.saturating_sub(96) } else { bits }))
}

/// An IP address, with the one message that all fields share.
pub fn is_valid_ip(value: &str) -> Vec<String> {
    match parse_ip_sloppy(value) {
        Some(_) => Vec::new(),
        None => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// An address range.
pub fn is_valid_cidr(value: &str) -> Vec<String> {
    match parse_cidr_sloppy(value) {
        Some(_) => Vec::new(),
        None => vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains() {
        assert!(is_dns1123_label("a-1").is_empty());
        assert_eq!(is_dns1123_label("a.b"), ["must not contain dots"]);
        assert!(is_dns1123_subdomain("a.b").is_empty());
        assert_eq!(is_dns1123_subdomain("a..b").len(), 1);
        assert_eq!(is_dns1035_label("1a").len(), 1);
        assert_eq!(is_qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(is_valid_label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(is_env_var_name("..a"), ["must not start with '..'"]);
    }

    #[test]
    fn addresses() {
        assert_eq!(parse_ip_sloppy("010.0.0.1"), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(parse_ip_sloppy("256.0.0.1"), None);
        assert_eq!(parse_cidr_sloppy("10.0.0.0/33"), None);
        assert_eq!(parse_cidr_sloppy("::ffff:1.2.3.4/120"), Some((IpAddr::from([1, 2, 3, 4]), 24)));
    }
}
