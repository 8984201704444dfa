//! Values as Go prints them (`fmt`, `strconv`): Kubernetes' messages and several of its formats are made of these.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Map, Value};

/// Go's name of the type of a JSON object.
pub const MAP_TYPE: &str = "map[string]interface {}";
/// Go's name of the type of a JSON list.
pub const LIST_TYPE: &str = "[]interface {}";

/// Text in Go's quotes (`strconv.Quote`, `%q`).
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_print(c) => out.push(c),
            c => push_hex(&mut out, c),
        }
    }
    out.push('"');
    out
}

/// Appends `\x`, `\u` or `\U` with the character's code.
pub fn push_hex(out: &mut String, c: char) {
    let code = c as u32;
    // Writing to a string cannot fail.
    let _ = match code {
        0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
        0..0x10000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the space.
pub fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // Behind another character, Rust escapes just what has no shape of its own.
    let pair: String = ['a', c].iter().collect();
    pair.escape_debug().count() == 2
}

/// A float as `%v` and `%g` show it: shortest digits, exponent form below 1e-4 and from 1e6 on; `NaN`, `+Inf`, `-Inf`.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    general(&format!("{number:e}"), || number.to_string())
}

/// The same of a 32-bit float.
pub fn float32(number: f32) -> String {
    if number.is_finite() { general(&format!("{number:e}"), || number.to_string()) } else { float(f64::from(number)) }
}

/// Rust's shortest exponent form as `%g`: with two digits of exponent at least, or `plain` for middling exponents.
fn general(exponent_form: &str, plain: impl FnOnce() -> String) -> String {
    let (mantissa, exponent) = exponent_form.split_once('e').unwrap_or((exponent_form, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => exponent_text(mantissa, exponent),
        _ => plain(),
    }
}

/// `mantissa` and `exponent` in Go's exponent form: a sign and two digits at least.
pub fn exponent_text(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// `%v` of a value: `map[a:1 b:[x y]]`, and `<nil>` for null.
pub fn text(value: &Value) -> Cow<'_, str> {
    if let Value::String(text) = value {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    write_value(&mut out, value);
    Cow::Owned(out)
}

/// `%v` of a map.
pub fn map_text(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    write_map(&mut out, map, write_value);
    out
}

/// `%v` of a list.
pub fn list_text(items: &[Value]) -> String {
    let mut out = String::new();
    write_list(&mut out, items, write_value);
    out
}

/// Appends `value` as `%v` shows it.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => out.push_str(text),
        Value::Array(items) => write_list(out, items, write_value),
        Value::Object(map) => write_map(out, map, write_value),
    }
}

/// A number as `%v` shows what JSON decodes it to: an `int64` where it fits, else a `float64`.
pub fn number_text(number: &serde_json::Number) -> String {
    match number.as_i64() {
        Some(integer) => integer.to_string(),
        None => float(number.as_f64().unwrap_or_default()),
    }
}

/// Writes `[a b c]` with `item` for each item.
pub fn write_list(out: &mut String, items: &[Value], mut item: impl FnMut(&mut String, &Value)) {
    out.push('[');
    for (i, value) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        item(out, value);
    }
    out.push(']');
}

/// Writes `map[a:x b:y]` with `item` for each value.
pub fn write_map(out: &mut String, map: &Map<String, Value>, mut item: impl FnMut(&mut String, &Value)) {
    out.push_str("map[");
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        item(out, value);
    }
    out.push(']');
}

/// The shortest path of the same meaning, with slashes (`path.Clean`); `.` for the empty one.
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_in_go() {
        let value = json!({"b": [1, 2.5, null, true], "a": {"x": "y z"}, "c": 1e21, "d": 0.00001});
        assert_eq!(text(&value), "map[a:map[x:y z] b:[1 2.5 <nil> true] c:1e+21 d:1e-05]");
        assert_eq!(text(&json!("x")), "x");
    }

    #[test]
    fn floats_print_as_in_go() {
        for (number, want) in [
            (1e21, "1e+21"),
            (1_048_576.5, "1.0485765e+06"),
            (123_456.0, "123456"),
            (0.00001, "1e-05"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(float(number), want);
        }
        assert_eq!(float32(0.1), "0.1");
    }

    #[test]
    fn quotes_escape_what_does_not_print() {
        assert_eq!(quote("a\"b\n\u{1}é\u{ad}"), "\"a\\\"b\\n\\x01é\\u00ad\"");
    }

    #[test]
    fn paths_are_made_short() {
        assert_eq!(clean_path("a/../b/./c//"), "b/c");
        assert_eq!(clean_path("/../a"), "/a");
        assert_eq!(clean_path("../../a/.."), "../..");
        assert_eq!(clean_path(""), ".");
    }
}
