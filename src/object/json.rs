//! JSON text exactly as Go's `encoding/json` writes it: keys sorted, `<`, `>`, `&`, U+2028 and U+2029 escaped,
//! whole floats without a fraction.

use super::Value;

/// Compact JSON with HTML characters escaped (`json.Marshal`).
pub fn to_compact(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, None, 0);
    out
}

/// Appends what [`to_compact`] gives.
pub fn write_compact(out: &mut String, value: &Value) {
    write_value(out, value, None, 0);
}

/// Indented JSON (`json.MarshalIndent(v, "", indent)`), without a trailing newline.
pub fn to_indented(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    write_value(&mut out, value, Some(indent), 0);
    out
}

fn newline(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn write_value(out: &mut String, value: &Value, indent: Option<&str>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_string(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                newline(out, indent, depth + 1);
                write_value(out, item, indent, depth + 1);
            }
            newline(out, indent, depth);
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                newline(out, indent, depth + 1);
                write_string(out, key);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_value(out, item, indent, depth + 1);
            }
            newline(out, indent, depth);
            out.push('}');
        }
    }
}

/// A number as Go's `encoding/json` writes an `int64`, `uint64` or `float64`.
pub fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_text(float),
        _ => number.to_string(),
    }
}

/// A float as Go's `encoding/json` writes it: shortest digits, exponent form below 1e-6 and from 1e21.
pub fn float_text(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{float:e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
            _ => text,
        };
    }
    format!("{float}")
}

/// How Go's `encoding/json` names a value in its errors.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Appends `text` as a JSON string with Go's HTML-safe escapes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts hold nothing to escape and are copied as a whole.
    let is_plain = |b: &u8| !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&' | 0..0x20 | 0xe2);
    if text.as_bytes().iter().all(is_plain) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_escapes_are_those_of_go() {
        assert_eq!(
            to_compact(&json!({"b": 1.0, "a": "<&>\u{2028}", "c": 1e21, "d": 1e-7})),
            r#"{"a":"\u003c\u0026\u003e\u2028","b":1,"c":1e+21,"d":1e-7}"#
        );
        assert_eq!(to_indented(&json!({"a": [1, {}]}), "  "), "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
    }
}
