//! How Go's `fmt` prints JSON values (`%v`, `%s`) and names their types: error texts and the order of merge keys
//! depend on it.

use std::borrow::Cow;
use std::fmt::Write;

use super::PatchError;
use crate::object::{Map, Value};

/// Go's name of the type of a JSON object.
pub(crate) const MAP_TYPE: &str = "map[string]interface {}";
/// Go's name of the type of a JSON list.
pub(crate) const LIST_TYPE: &str = "[]interface {}";

/// Go's name of the type that a JSON value is decoded into.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => LIST_TYPE,
        Value::Object(_) => MAP_TYPE,
    }
}

/// Whether Go decodes both values into the same type.
pub(crate) fn same_type(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.is_i64() == b.is_i64(),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Go's `==` on two interface values, which panics for maps and slices.
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, PatchError> {
    match (a, b) {
        (Value::Object(_), Value::Object(_)) => {
            Err(PatchError::Runtime("comparing uncomparable type map[string]interface {}"))
        }
        (Value::Array(_), Value::Array(_)) => Err(PatchError::Runtime("comparing uncomparable type []interface {}")),
        _ => Ok(a == b),
    }
}

/// Fails as Go does when a map or a slice is used as the key of a map.
pub(crate) fn hashable(value: &Value) -> Result<(), PatchError> {
    match value {
        Value::Object(_) => Err(PatchError::Runtime("hash of unhashable type map[string]interface {}")),
        Value::Array(_) => Err(PatchError::Runtime("hash of unhashable type []interface {}")),
        _ => Ok(()),
    }
}

/// `%v` of a value.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Null => Cow::Borrowed("<nil>"),
        _ => {
            let mut out = String::new();
            write_value(&mut out, value, false);
            Cow::Owned(out)
        }
    }
}

/// `%v` of a map.
pub(crate) fn map_text(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    write_map(&mut out, map, false);
    out
}

/// `%v` of a list.
pub(crate) fn list_text(list: &[Value]) -> String {
    let mut out = String::new();
    write_list(&mut out, list, false);
    out
}

/// `%s` of a value: what is no text shows its type (`%!s(int64=5)`).
pub(crate) fn string_verb(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, true);
    out
}

/// `%q` of a text, as far as field names need it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{07}' => out.push_str("\\a"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0b}' => out.push_str("\\v"),
            '\u{0c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => push(&mut out, format_args!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(args);
}

fn write_value(out: &mut String, value: &Value, string_verb: bool) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(list) => write_list(out, list, string_verb),
        Value::Object(map) => write_map(out, map, string_verb),
        Value::Null if string_verb => out.push_str("%!s(<nil>)"),
        Value::Null => out.push_str("<nil>"),
        Value::Bool(_) | Value::Number(_) if string_verb => {
            push(out, format_args!("%!s({}={})", type_name(value), scalar(value)));
        }
        Value::Bool(_) | Value::Number(_) => out.push_str(&scalar(value)),
    }
}

fn write_list(out: &mut String, list: &[Value], string_verb: bool) {
    out.push('[');
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        write_value(out, item, string_verb);
    }
    out.push(']');
}

fn write_map(out: &mut String, map: &Map<String, Value>, string_verb: bool) {
    out.push_str("map[");
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        write_value(out, value, string_verb);
    }
    out.push(']');
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Number(n) if n.is_i64() => n.to_string(),
        Value::Number(n) => float(n.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// `%v` of a float: shortest digits, exponent form below 1e-4 and from 1e21, at least two exponent digits.
fn float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_in_go() {
        let value = json!({"b": [1, 2.5, null, true], "a": {"x": "y z"}, "c": 1e21, "d": 0.00001});
        assert_eq!(text(&value), "map[a:map[x:y z] b:[1 2.5 <nil> true] c:1e+21 d:1e-05]");
        assert_eq!(string_verb(&json!(5)), "%!s(int64=5)");
        assert_eq!(string_verb(&json!([true, "a"])), "[%!s(bool=true) a]");
        assert_eq!(quoted("a\"b\n"), r#""a\"b\n""#);
    }
}
