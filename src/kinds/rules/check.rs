//! The checks that validations of many kinds share; each appends what is wrong to `errors`.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::json;

use super::value::Fields;
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::go::quote;
use crate::object::quantity::Quantity;
use crate::object::selector::LabelSelector;
use crate::object::{Map, Value, names};

/// `field is immutable`.
pub const IMMUTABLE: &str = "field is immutable";
/// For numbers that may be 0.
pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// For numbers that may not be 0.
pub const POSITIVE: &str = "must be greater than zero";
/// Most bytes of annotations, keys and values together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// One `Invalid value` per message.
pub fn messages(errors: &mut ErrorList, path: &Path, value: impl Into<Value>, messages: Vec<String>) {
    let value = value.into();
    errors.extend(messages.into_iter().map(|message| Error::invalid(path, value.clone(), message)));
}

/// RFC 1123 label.
pub fn dns_label(errors: &mut ErrorList, path: &Path, value: &str) {
    messages(errors, path, value, names::is_dns1123_label(value));
}

/// RFC 1123 subdomain.
pub fn dns_subdomain(errors: &mut ErrorList, path: &Path, value: &str) {
    messages(errors, path, value, names::is_dns1123_subdomain(value));
}

/// Qualified name, as label keys are.
pub fn qualified_name(errors: &mut ErrorList, path: &Path, value: &str) {
    messages(errors, path, value, names::is_qualified_name(value));
}

/// An object's name as a DNS subdomain; a prefix for generation may end in a dash.
pub fn name_is_subdomain(name: &str, prefix: bool) -> Vec<String> {
    names::is_dns1123_subdomain(&masked(name, prefix))
}

/// An object's name as a DNS label.
pub fn name_is_label(name: &str, prefix: bool) -> Vec<String> {
    names::is_dns1123_label(&masked(name, prefix))
}

/// An object's name as an RFC 1035 label.
pub fn name_is_1035_label(name: &str, prefix: bool) -> Vec<String> {
    names::is_dns1035_label(&masked(name, prefix))
}

/// With a trailing dash replaced where more text will follow.
fn masked(name: &str, prefix: bool) -> String {
    match name.strip_suffix('-') {
        Some(stem) if prefix && !stem.is_empty() => format!("{stem}a"),
        _ => name.to_owned(),
    }
}

/// Must not be empty.
pub fn required(errors: &mut ErrorList, path: &Path, value: &str) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    }
}

/// Each of the named text fields must not be empty.
pub fn required_fields(errors: &mut ErrorList, path: &Path, value: &Value, fields: &[&str]) {
    for field in fields {
        required(errors, &path.child(field), value.text(field));
    }
}

/// Must be 0 or more.
pub fn non_negative(errors: &mut ErrorList, path: &Path, value: i64) {
    if value < 0 {
        errors.push(Error::invalid(path, value, NOT_NEGATIVE));
    }
}

/// The named integer fields, where present, must be 0 or more.
pub fn non_negative_fields(errors: &mut ErrorList, path: &Path, value: &Value, fields: &[&str]) {
    for field in fields {
        non_negative(errors, &path.child(field), value.int(field));
    }
}

/// Must be within the range, both ends included.
pub fn in_range(errors: &mut ErrorList, path: &Path, value: i64, low: i64, high: i64) {
    if !(low..=high).contains(&value) {
        errors.push(Error::invalid(path, value, names::inclusive_range_error(low, high)));
    }
}

/// Must be a port number.
pub fn port_number(errors: &mut ErrorList, path: &Path, value: i64) {
    messages(errors, path, value, names::is_valid_port_num(value));
}

/// Must be a port number or a port name.
pub fn port_or_name(errors: &mut ErrorList, path: &Path, value: &Value) {
    match value {
        Value::String(name) => messages(errors, path, name.as_str(), names::is_valid_port_name(name)),
        number => port_number(errors, path, number.as_i64().unwrap_or_default()),
    }
}

/// Must be one of the values, which the message lists in the order given.
pub fn one_of(errors: &mut ErrorList, path: &Path, value: &str, supported: &[&str]) {
    if !supported.contains(&value) {
        errors.push(Error::not_supported(path, value, supported));
    }
}

/// Must be there and one of the values.
pub fn required_one_of(errors: &mut ErrorList, path: &Path, value: &str, supported: &[&str]) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        one_of(errors, path, value, supported);
    }
}

/// Must be what it was.
pub fn immutable(errors: &mut ErrorList, path: &Path, new: &Value, old: &Value) {
    if new != old {
        errors.push(Error::invalid(path, new.clone(), IMMUTABLE));
    }
}

/// A valid IP address, not one that programs read in different ways (`IsValidIPForLegacyField`).
pub fn ip(errors: &mut ErrorList, path: &Path, value: &str) {
    messages(errors, path, value, names::is_valid_ip(value));
    if names::parse_ip_sloppy(value).is_some() {
        if has_leading_zero(value) {
            errors.push(Error::invalid(path, value, "must not have leading 0s"));
        }
        if is_mapped(value) {
            errors.push(Error::invalid(path, value, "must not be an IPv4-mapped IPv6 address"));
        }
    }
}

/// A valid CIDR (`IsValidCIDRForLegacyField`).
pub fn cidr(errors: &mut ErrorList, path: &Path, value: &str) {
    messages(errors, path, value, names::is_valid_cidr(value));
    let Some((address, bits)) = names::parse_cidr_sloppy(value) else { return };
    let (text, length) = value.split_once('/').unwrap_or((value, ""));
    let message = if has_leading_zero(text) || (length.len() > 1 && length.starts_with('0')) {
        "must not have leading 0s in IP or prefix length"
    } else if is_mapped(text) {
        "must not have an IPv4-mapped IPv6 address"
    } else if has_bits_beyond(address, bits) {
        "must not have bits set beyond the prefix length"
    } else {
        return;
    };
    errors.push(Error::invalid(path, value, message));
}

fn has_leading_zero(address: &str) -> bool {
    !address.contains(':') && address.split('.').any(|part| part.len() > 1 && part.starts_with('0'))
}

fn is_mapped(address: &str) -> bool {
    address.contains(':') && names::parse_ip_sloppy(address).is_some_and(|address| address.is_ipv4())
}

fn has_bits_beyond(address: IpAddr, bits: u8) -> bool {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_shl(u32::from(bits)).unwrap_or(0) != 0,
        IpAddr::V6(address) => u128::from(address).checked_shl(u32::from(bits)).unwrap_or(0) != 0,
    }
}

/// What is said of an IPv6 address that is not spelled as it should be (`GetWarningsForIP`).
pub fn ip_warning(path: &Path, value: &str) -> Option<String> {
    let canonical = value.parse::<Ipv6Addr>().ok()?.to_string();
    let message = "should be in RFC 5952 canonical format";
    (canonical != value).then(|| format!("{path}: IPv6 address {} {message} ({})", quote(value), quote(&canonical)))
}

/// The same of an IPv6 range (`GetWarningsForCIDR`).
pub fn cidr_warning(path: &Path, value: &str) -> Option<String> {
    let (address, bits) = value.split_once('/')?;
    let canonical = format!("{}/{bits}", address.parse::<Ipv6Addr>().ok()?);
    let message = "should be in RFC 5952 canonical format";
    (canonical != value).then(|| format!("{path}: IPv6 CIDR value {} {message} ({})", quote(value), quote(&canonical)))
}

/// Neither unspecified, loopback nor link-local.
pub fn non_special_ip(errors: &mut ErrorList, path: &Path, value: &str) {
    let Some(ip) = names::parse_ip_sloppy(value) else {
        errors.push(Error::invalid(path, value, "must be a valid IP address"));
        return;
    };
    let (local, local_multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    let rules = [
        (ip.is_unspecified(), format!("may not be unspecified ({value})")),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
        (local_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()),
    ];
    errors.extend(rules.into_iter().filter(|(bad, _)| *bad).map(|(_, message)| Error::invalid(path, value, message)));
}

/// Keys and values of labels, also of plain selectors.
pub fn labels(errors: &mut ErrorList, path: &Path, of: &Value, name: &str) {
    for (key, value) in of.text_entries(name) {
        qualified_name(errors, path, key);
        messages(errors, path, value, names::is_valid_label_value(value));
    }
}

/// Keys and size of annotations.
pub fn annotations(errors: &mut ErrorList, path: &Path, of: &Value) {
    let entries = of.text_entries("annotations");
    for (key, _) in &entries {
        messages(errors, path, *key, names::is_qualified_name(&key.to_lowercase()));
    }
    if entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > ANNOTATIONS_LIMIT {
        errors.push(Error::too_long(path, ANNOTATIONS_LIMIT));
    }
}

/// A label selector; absent is fine.
pub fn label_selector(errors: &mut ErrorList, path: &Path, selector: &Value) {
    label_selector_with(errors, path, selector, false);
}

/// A label selector; values that are no label values pass where stored objects have them already.
pub fn label_selector_with(errors: &mut ErrorList, path: &Path, selector: &Value, any_values: bool) {
    labels(errors, &path.child("matchLabels"), selector, "matchLabels");
    for (i, requirement) in selector.list("matchExpressions").iter().enumerate() {
        let path = path.child("matchExpressions").index(i);
        let values = requirement.texts("values");
        match requirement.text("operator") {
            "In" | "NotIn" if values.is_empty() => errors
                .push(Error::required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'")),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(Error::forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(Error::invalid(&path.child("operator"), other, "not a valid selector operator")),
        }
        qualified_name(errors, &path.child("key"), requirement.text("key"));
        if !any_values {
            for (j, value) in values.iter().enumerate() {
                messages(errors, &path.child("values").index(j), *value, names::is_valid_label_value(value));
            }
        }
    }
}

/// The selector that a structured label selector stands for; an absent one matches nothing.
pub fn selector_of(selector: &Value) -> Option<LabelSelector> {
    if selector.is_null() {
        return Some(LabelSelector::nothing());
    }
    LabelSelector::from_struct(selector).ok()
}

/// Whether a structured selector has no requirement.
pub fn selector_is_empty(selector: &Value) -> bool {
    selector.entries("matchLabels").is_empty() && selector.list("matchExpressions").is_empty()
}

/// The map in a field.
pub fn map_of<'a>(value: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    value.at(name).as_object()
}

/// An error of a kind with a value that is shown as it stands in the text.
pub fn shown(kind: ErrorKind, path: &Path, text: String, detail: impl Into<String>) -> Error {
    Error { kind, field: path.clone(), shown: Some(text), detail: detail.into() }
}

/// A quantity in a message.
pub fn quantity(value: &Quantity) -> Value {
    json!(value.to_string())
}

/// Absolute in the sense of Go's `path.IsAbs`.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// No element of the path may be `..`.
pub fn no_backsteps(errors: &mut ErrorList, path: &Path, value: &str) {
    if value.split('/').any(|part| part == "..") {
        errors.push(Error::invalid(path, value, "must not contain '..'"));
    }
}

/// A relative path that does not climb.
pub fn local_path(errors: &mut ErrorList, path: &Path, value: &str) {
    if is_absolute(value) {
        errors.push(Error::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(errors, path, value);
}

/// A relative path that does not climb and whose name does not start with two dots.
pub fn local_free_path(errors: &mut ErrorList, path: &Path, value: &str) {
    local_path(errors, path, value);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(Error::invalid(path, value, "must not start with '..'"));
    }
}

/// A file mode, where present.
pub fn file_mode(errors: &mut ErrorList, path: &Path, mode: Option<i64>) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(Error::invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
    }
}
