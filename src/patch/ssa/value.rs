//! Order, equality and Go's printed forms of values.

use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::object::{Value, go};

/// Whether two values are equal; whole numbers and floats compare by amount.
pub fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}

/// Whether the lists within two values are equal, wherever both have one.
pub fn equal_lists(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_), Value::Array(_)) => equal(left, right),
        (Value::Object(a), Value::Object(b)) => a.iter().all(|(key, a)| b.get(key).is_none_or(|b| equal_lists(a, b))),
        _ => true,
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// A total order of all values: numbers, texts, booleans, lists, maps, null.
pub fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| compare(a, b));
            pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let pairs = a.iter().zip(b).map(|((ka, a), (kb, b))| ka.cmp(kb).then_with(|| compare(a, b)));
            pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

/// A value within a path: texts quoted, lists in brackets.
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) | Value::Number(_) => go::text(value).into_owned(),
        Value::String(text) => go::quote(text),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
        Value::Object(map) => map.iter().map(|(key, item)| format!("{key}={}", show(item))).collect(),
    }
}

/// A value as Go's `%#v` prints what JSON decodes to.
fn go_syntax(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("interface {}(nil)"),
        Value::Bool(_) | Value::Number(_) => out.push_str(&go::text(value)),
        Value::String(text) => out.push_str(&go::quote(text)),
        Value::Array(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                go_syntax(out, item);
            }
            out.push('}');
        }
        Value::Object(map) => {
            out.push_str("map[string]interface {}{");
            for (i, (key, item)) in map.iter().enumerate() {
                let comma = if i > 0 { ", " } else { "" };
                let _ = write!(out, "{comma}{}:", go::quote(key));
                go_syntax(out, item);
            }
            out.push('}');
        }
    }
}

/// The wrapped value as Go's `%v` prints it: `&{map[name:x]}`.
pub fn wrapped(value: &Value) -> String {
    format!("&{{{}}}", go::text(value))
}

/// The wrapped value as Go's `%#v` prints it: `&value.valueUnstructured{Value:5}`.
pub fn wrapped_syntax(value: &Value) -> String {
    let mut out = String::from("&value.valueUnstructured{Value:");
    go_syntax(&mut out, value);
    out.push('}');
    out
}
