//! Texts.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex::Regex;

use super::conversions::duration_text;
use crate::expressions::eval::{Failure, NO_OVERLOAD, Outcome};
use crate::expressions::value::{Value, timestamp_text};
use crate::object::go;

/// How many expressions are kept compiled.
const KEPT: usize = 500;

/// The compiled form of a regular expression.
fn regex(pattern: &str) -> Result<Regex, Failure> {
    static KNOWN: OnceLock<Mutex<HashMap<String, Regex>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(pattern) {
        return Ok(found.clone());
    }
    let made = Regex::new(pattern).map_err(|_| format!("error parsing regexp: invalid pattern: `{pattern}`"))?;
    if known.len() >= KEPT {
        known.clear();
    }
    known.insert(pattern.to_owned(), made.clone());
    Ok(made)
}

fn position(chars: usize) -> Value {
    Value::Int(i64::try_from(chars).unwrap_or(i64::MAX))
}

fn out_of_range(at: i64) -> Failure {
    Failure::Wrong(format!("index out of range: {at}"))
}

pub(super) fn join(items: &[Value], separator: &str) -> Outcome {
    let text = |item: &Value| match item {
        Value::String(text) => Ok(text.to_string()),
        _ => Err(Failure::from(NO_OVERLOAD)),
    };
    let texts: Vec<String> = items.iter().map(text).collect::<Result<_, _>>()?;
    Ok(Value::text(texts.join(separator)))
}

pub(super) fn call(name: &str, args: &[Value]) -> Option<Outcome> {
    match (name, args) {
        ("join", [Value::List(items, _), Value::String(separator)]) => Some(join(items, separator)),
        ("format", [Value::String(text), Value::List(items, _)]) => Some(format_text(text, items).map(Value::text)),
        ("strings.quote", [Value::String(text)]) => Some(Ok(Value::text(quote(text)))),
        ("jsonpatch.escapeKey", [Value::String(text)]) => {
            Some(Ok(Value::text(text.replace('~', "~0").replace('/', "~1"))))
        }
        (_, [Value::String(text)]) => Some(Ok(Value::text(match name {
            "lowerAscii" => text.to_ascii_lowercase(),
            "upperAscii" => text.to_ascii_uppercase(),
            "trim" => text.trim().to_owned(),
            _ => return None,
        }))),
        (_, [Value::String(text), Value::String(other)]) => with_text(name, text, other),
        (_, [Value::String(text), Value::Int(number)]) => with_number(name, text, *number),
        (_, [Value::String(text), Value::String(other), Value::Int(number)]) => with_both(name, text, other, *number),
        ("substring", [Value::String(text), Value::Int(from), Value::Int(to)]) => {
            Some(substring(text, *from, Some(*to)))
        }
        ("replace", [Value::String(text), Value::String(from), Value::String(to)]) => {
            Some(Ok(Value::text(text.replace(&**from, to))))
        }
        ("replace", [Value::String(text), Value::String(from), Value::String(to), Value::Int(most)]) => {
            let replaced = match usize::try_from(*most) {
                Ok(most) => text.replacen(&**from, to, most),
                Err(_) => text.replace(&**from, to),
            };
            Some(Ok(Value::text(replaced)))
        }
        _ => None,
    }
}

fn with_text(name: &str, text: &str, other: &str) -> Option<Outcome> {
    let chars = |bytes: Option<usize>| match bytes.and_then(|at| text.get(..at)) {
        Some(before) => position(before.chars().count()),
        None => Value::Int(-1),
    };
    let illegal = |failure: Failure| Failure::Wrong(format!("Illegal regex: {failure}"));
    Some(match name {
        "contains" => Ok(Value::Bool(text.contains(other))),
        "startsWith" => Ok(Value::Bool(text.starts_with(other))),
        "endsWith" => Ok(Value::Bool(text.ends_with(other))),
        "matches" => regex(other).map(|regex| Value::Bool(regex.is_match(text))),
        "indexOf" => Ok(chars(text.find(other))),
        "lastIndexOf" => Ok(chars(text.rfind(other))),
        "split" => Ok(split(text, other, -1)),
        "find" => {
            regex(other).map(|regex| Value::text(regex.find(text).map_or("", |found| found.as_str()))).map_err(illegal)
        }
        "findAll" => regex(other).map(|regex| found(&regex, text, -1)).map_err(illegal),
        _ => return None,
    })
}

fn found(regex: &Regex, text: &str, most: i64) -> Value {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Value::list(regex.find_iter(text).take(most).map(|found| Value::text(found.as_str())).collect())
}

fn split(text: &str, separator: &str, most: i64) -> Value {
    let texts = |parts: Vec<String>| Value::list(parts.iter().map(Value::text).collect());
    if most == 0 {
        return Value::list(Vec::new());
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if separator.is_empty() {
        let chars: Vec<char> = text.chars().collect();
        let (single, rest) = chars.split_at(chars.len().min(most.saturating_sub(1)));
        let mut parts: Vec<String> = single.iter().map(char::to_string).collect();
        if !rest.is_empty() {
            parts.push(rest.iter().collect());
        }
        return texts(parts);
    }
    texts(text.splitn(most, separator).map(str::to_owned).collect())
}

fn with_number(name: &str, text: &str, number: i64) -> Option<Outcome> {
    Some(match name {
        "charAt" => {
            let length = text.chars().count();
            let at = usize::try_from(number).ok().filter(|at| *at <= length);
            let found = at.map(|at| text.chars().nth(at).map(String::from).unwrap_or_default());
            found.map(Value::text).ok_or_else(|| out_of_range(number))
        }
        "substring" => substring(text, number, None),
        _ => return None,
    })
}

fn substring(text: &str, from: i64, to: Option<i64>) -> Outcome {
    let chars: Vec<char> = text.chars().collect();
    let length = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let end = to.unwrap_or(length);
    if from < 0 || from > length {
        return Err(out_of_range(from));
    }
    if end < 0 || end > length {
        return Err(out_of_range(end));
    }
    if from > end {
        return Err(format!("invalid substring range. start: {from}, end: {end}").into());
    }
    let range = usize::try_from(from).ok().zip(usize::try_from(end).ok());
    let part = range.and_then(|(from, end)| chars.get(from..end)).unwrap_or_default();
    Ok(Value::text(part.iter().collect::<String>()))
}

fn with_both(name: &str, text: &str, other: &str, number: i64) -> Option<Outcome> {
    let chars: Vec<char> = text.chars().collect();
    let wanted: Vec<char> = other.chars().collect();
    let at = usize::try_from(number).ok().filter(|at| *at <= chars.len());
    let here = |start: usize| chars.get(start..).is_some_and(|rest| rest.starts_with(&wanted));
    Some(match name {
        "split" => Ok(split(text, other, number)),
        "findAll" => regex(other)
            .map(|regex| found(&regex, text, number))
            .map_err(|failure| Failure::Wrong(format!("Illegal regex: {failure}"))),
        "indexOf" | "lastIndexOf" if at.is_none() => Err(out_of_range(number)),
        "indexOf" => {
            Ok((at.unwrap_or_default()..=chars.len()).find(|start| here(*start)).map_or(Value::Int(-1), position))
        }
        "lastIndexOf" => {
            Ok((0..=at.unwrap_or_default()).rev().find(|start| here(*start)).map_or(Value::Int(-1), position))
        }
        _ => return None,
    })
}

/// A text in quotes, with what cannot be seen escaped.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out + "\""
}

fn format_text(text: &str, items: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut items = items.iter();
    let mut index = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = chars.next().ok_or("unexpected end of string")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let mut precision = None;
        if verb == '.' {
            let mut digits = String::new();
            loop {
                let c = chars.next().ok_or("could not find end of precision specifier")?;
                if c.is_ascii_digit() {
                    digits.push(c);
                } else {
                    verb = c;
                    break;
                }
            }
            precision = digits.parse().ok();
        }
        let item = items.next().ok_or_else(|| format!("index {index} out of range"))?;
        index += 1;
        out.push_str(&clause(verb, precision, item)?);
    }
    if items.next().is_some() {
        return Err("too many arguments supplied to the format string".into());
    }
    Ok(out)
}

fn clause(verb: char, precision: Option<usize>, item: &Value) -> Result<String, Failure> {
    let refused = |what: &str, accepted: &str| -> Failure {
        format!("error during formatting: {what} clause can only be used on {accepted}, was given {}", item.type_name())
            .into()
    };
    Ok(match (verb, item) {
        ('s', _) => shown(item),
        ('d', Value::Int(number)) => number.to_string(),
        ('d', Value::Uint(number)) => number.to_string(),
        ('d', Value::Double(number)) if !number.is_finite() => go::float(*number),
        ('d', _) => return Err(refused("decimal", "integers")),
        ('f', Value::Double(number)) => format!("{number:.*}", precision.unwrap_or(6)),
        ('f', Value::Int(number)) => format!("{number}.{}", "0".repeat(precision.unwrap_or(6))),
        ('f', Value::Uint(number)) => format!("{number}.{}", "0".repeat(precision.unwrap_or(6))),
        ('f', _) => return Err(refused("fixed-point", "doubles")),
        ('e', Value::Double(number)) => scientific(*number, precision.unwrap_or(6)),
        #[expect(clippy::cast_precision_loss, reason = "the form has few digits")]
        ('e', Value::Int(number)) => scientific(*number as f64, precision.unwrap_or(6)),
        ('e', _) => return Err(refused("scientific", "doubles")),
        ('b', Value::Bool(flag)) => u8::from(*flag).to_string(),
        ('b', Value::Int(number)) if *number < 0 => format!("-{:b}", number.unsigned_abs()),
        ('b', Value::Int(number)) => format!("{number:b}"),
        ('b', Value::Uint(number)) => format!("{number:b}"),
        ('b', _) => return Err(refused("binary", "integers and bools")),
        ('o', Value::Int(number)) if *number < 0 => format!("-{:o}", number.unsigned_abs()),
        ('o', Value::Int(number)) => format!("{number:o}"),
        ('o', Value::Uint(number)) => format!("{number:o}"),
        ('o', _) => return Err(refused("octal", "integers")),
        ('x' | 'X', _) => {
            let hex = match item {
                Value::Int(number) if *number < 0 => format!("-{:x}", number.unsigned_abs()),
                Value::Int(number) => format!("{number:x}"),
                Value::Uint(number) => format!("{number:x}"),
                Value::String(text) => text.bytes().map(|b| format!("{b:02x}")).collect(),
                Value::Bytes(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
                _ => return Err(refused("hex", "integers, byte buffers, and strings")),
            };
            if verb == 'X' { hex.to_uppercase() } else { hex }
        }
        (other, _) => return Err(format!("unrecognized formatting clause \"{other}\"").into()),
    })
}

fn scientific(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{mantissa}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// A value as `%s` shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => go::float(*number),
        Value::String(text) | Value::Type(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::List(items, _) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", key.text(), shown(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Duration(nanos) => duration_text(*nanos),
        Value::Timestamp(time) => timestamp_text(time),
        other => other.to_json().map(|json| go::text(&json).into_owned()).unwrap_or_default(),
    }
}
