//! What a scalar's text means: YAML 1.1 types as the reference resolves them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::Error;
use super::parser::Scalar;
use super::scanner::{Mark, Result};

/// A scalar's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Cow<'a, str>),
    /// Text that is no UTF-8, from `!!binary`; every bad byte is replaced.
    Mended(String),
    /// Text that looks like a time; it stays text, but must be quoted.
    Timestamp(&'a str),
}

const PREFIX: &str = "tag:yaml.org,2002:";

/// Resolves a scalar of a document.
///
/// # Errors
///
/// [`Error::Value`] if the text does not fit the tag.
pub(super) fn resolve_scalar<'s>(scalar: &'s Scalar<'_>, start: Mark) -> Result<Resolved<'s>> {
    let text: &'s str = &scalar.value;
    if scalar.tag.is_empty() {
        return Ok(if scalar.implicit { resolve(text) } else { Resolved::Text(Cow::Borrowed(text)) });
    }
    let fail = |problem: String| Err(Error::Value { problem, at: start.into() });
    let Some(kind) = scalar.tag.strip_prefix(PREFIX) else { return Ok(Resolved::Text(Cow::Borrowed(text))) };
    let (resolved, found) = match kind {
        "str" => return Ok(Resolved::Text(Cow::Borrowed(text))),
        "binary" => {
            return match decode_base64(text) {
                Some(bytes) => Ok(from_bytes(bytes)),
                None => fail("!!binary value contains invalid base64 data".to_owned()),
            };
        }
        "bool" | "int" | "float" | "null" => {
            let resolved = resolve_without_times(text);
            let found = type_name(&resolved);
            (resolved, found)
        }
        "timestamp" => {
            let resolved = resolve(text);
            let found = type_name(&resolved);
            (resolved, found)
        }
        _ => return Ok(Resolved::Text(Cow::Borrowed(text))),
    };
    match resolved {
        resolved if found == kind => Ok(resolved),
        Resolved::Int(int) if kind == "float" => Ok(Resolved::Float(int as f64)),
        _ => fail(format!("cannot decode !!{found} `{text}` as a !!{kind}")),
    }
}

fn type_name(resolved: &Resolved<'_>) -> &'static str {
    match resolved {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) | Resolved::Uint(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Text(_) | Resolved::Mended(_) => "str",
        Resolved::Timestamp(_) => "timestamp",
    }
}

/// Resolves plain text without a tag.
pub(super) fn resolve(text: &str) -> Resolved<'_> {
    if is_timestamp(text) { Resolved::Timestamp(text) } else { resolve_without_times(text) }
}

fn resolve_without_times(text: &str) -> Resolved<'_> {
    let plain = || Resolved::Text(Cow::Borrowed(text));
    match text.as_bytes().first() {
        None => Resolved::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            resolve_word(text).unwrap_or_else(plain)
        }
        Some(b'.') => match resolve_word(text) {
            Some(word) => word,
            None => parse_float(text).map_or_else(plain, Resolved::Float),
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match resolve_word(text) {
            Some(word) => word,
            None => resolve_number(text).unwrap_or_else(plain),
        },
        _ => plain(),
    }
}

fn resolve_word(text: &str) -> Option<Resolved<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn resolve_number(text: &str) -> Option<Resolved<'static>> {
    let plain: Cow<'_, str> = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(int) = parse_int(&plain) {
        return Some(Resolved::Int(int));
    }
    if let Some(uint) = parse_uint(&plain) {
        return Some(Resolved::Uint(uint));
    }
    if is_yaml_float(&plain)
        && let Some(float) = parse_float(&plain)
    {
        return Some(Resolved::Float(float));
    }
    let binary = plain.strip_prefix("0b")?;
    i64::from_str_radix(binary, 2).ok().map(Resolved::Int)
}

/// Splits off a sign and the base's prefix as Go's `strconv` does with base 0.
fn split_base(digits: &str) -> (u32, &str) {
    let lower = |prefix: &str| digits.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    match digits.as_bytes() {
        [b'0', _, _, ..] if lower("0x") => (16, &digits[2..]),
        [b'0', _, _, ..] if lower("0b") => (2, &digits[2..]),
        [b'0', _, _, ..] if lower("0o") => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)` for a text without underscores.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseUint(text, 0, 64)` for a text without underscores.
fn parse_uint(text: &str) -> Option<u64> {
    let (base, digits) = split_base(text);
    // Rust would take a sign here.
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_fits
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

/// A decimal float that is not too large.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    if !is_yaml_float(text) {
        return None;
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// Whether the text is a time in one of the layouts that the reference knows: a date with month and day of one or
/// two digits, alone, with a zone behind `T` or `t`, or without a zone behind a space.
pub(super) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let year: u32 = text[..4].parse().unwrap_or(0);
    let mut rest = &bytes[5..];
    let Some(month) = take_number(&mut rest).filter(|month| (1..=12).contains(month)) else { return false };
    let Some(day) = take_byte(&mut rest, b"-").and_then(|_| take_number(&mut rest)) else { return false };
    if day < 1 || day > days_in(year, month) {
        return false;
    }
    match take_byte(&mut rest, b"Tt ") {
        None => rest.is_empty(),
        Some(b' ') => take_clock(&mut rest) && rest.is_empty(),
        Some(_) => take_clock(&mut rest) && is_zone(rest),
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn take_byte(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (&first, behind) = rest.split_first()?;
    any_of.contains(&first).then(|| {
        *rest = behind;
        first
    })
}

/// One or two digits.
fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let first = take_byte(rest, b"0123456789")?;
    let tens = u32::from(first - b'0');
    match take_byte(rest, b"0123456789") {
        Some(second) => Some(tens * 10 + u32::from(second - b'0')),
        None => Some(tens),
    }
}

/// Hours, minutes, seconds and perhaps a fraction.
fn take_clock(rest: &mut &[u8]) -> bool {
    let hours = take_number(rest).is_some_and(|hours| hours < 24);
    let minutes = hours && take_byte(rest, b":").is_some() && take_number(rest).is_some_and(|minutes| minutes < 60);
    let seconds = minutes && take_byte(rest, b":").is_some() && take_number(rest).is_some_and(|seconds| seconds < 60);
    if seconds && matches!(rest, [b'.' | b',', b'0'..=b'9', ..]) {
        *rest = &rest[1..];
        while take_byte(rest, b"0123456789").is_some() {}
    }
    seconds
}

/// `Z` or `+hh:mm`.
fn is_zone(text: &[u8]) -> bool {
    match text {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) => {
            (h1 - b'0') * 10 + (h2 - b'0') <= 24 && (m1 - b'0') * 10 + (m2 - b'0') <= 60
        }
        _ => false,
    }
}

/// Go's standard base64, which allows line breaks and stray low bits at the end.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let compact: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    engine.decode(compact).ok()
}

fn from_bytes<'a>(bytes: Vec<u8>) -> Resolved<'a> {
    match String::from_utf8(bytes) {
        Ok(text) => Resolved::Text(Cow::Owned(text)),
        Err(error) => {
            let mut text = String::new();
            for chunk in error.as_bytes().utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            Resolved::Mended(text)
        }
    }
}
