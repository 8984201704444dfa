//! Values as Go's package `fmt` prints them.

mod printf;

use std::borrow::Cow;

pub use printf::{printf, sprint, sprintln};

use crate::object::{Map, Value, field};

/// A value with the Go type that it would have: what JSON decodes to, and what templates make of it.
#[derive(Clone, Debug)]
pub enum GoValue<'a> {
    /// Null.
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`: numbers that a template says or computes.
    Int(i64),
    /// `int64`: whole numbers of the data.
    Int64(i64),
    /// `uint8`: a byte of a text.
    Byte(u8),
    /// `float64`.
    Float(f64),
    /// `string`.
    Text(Cow<'a, str>),
    /// `[]interface {}`.
    List(&'a [Value]),
    /// `map[string]interface {}`.
    Map(&'a Map<String, Value>),
}

impl<'a> From<&'a Value> for GoValue<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Nil,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Int64(integer),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::List(items),
            Value::Object(map) => Self::Map(map),
        }
    }
}

impl GoValue<'_> {
    /// The name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }
}

/// A float as `%v` and `%g` show it: shortest digits, exponent form below 1e-4 and from 1e6 on.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) { exponent(number, None) } else { format!("{number}") }
}

/// A float in exponent form with at least two digits of exponent.
fn exponent(number: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{number:.precision$e}"),
        None => format!("{number:e}"),
    };
    match text.split_once('e') {
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        },
        None => text,
    }
}

/// Appends `value` as `%v` shows it: `map[a:1 b:[x y]]`, and `<nil>` for null.
pub fn write_value(out: &mut String, value: &Value) {
    write(out, &value.into());
}

/// Appends `value` as `%v` shows it.
pub fn write(out: &mut String, value: &GoValue<'_>) {
    match value {
        GoValue::Nil => out.push_str("<nil>"),
        GoValue::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        GoValue::Int(number) | GoValue::Int64(number) => out.push_str(&number.to_string()),
        GoValue::Byte(byte) => out.push_str(&byte.to_string()),
        GoValue::Float(number) => out.push_str(&float(*number)),
        GoValue::Text(text) => out.push_str(text),
        GoValue::List(items) => write_list(out, items, write_value),
        GoValue::Map(map) => write_map(out, map, write_value),
    }
}

/// Writes `[a b c]` with `item` for each item.
fn write_list(out: &mut String, items: &[Value], mut item: impl FnMut(&mut String, &Value)) {
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
fn write_map(out: &mut String, map: &Map<String, Value>, mut item: impl FnMut(&mut String, &Value)) {
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

/// Appends `value` as `%#v` shows it: `map[string]interface {}{"a":1}`.
pub fn write_syntax(out: &mut String, value: &GoValue<'_>) {
    let inner = |out: &mut String, value: &Value| match value {
        Value::Null => out.push_str("interface {}(nil)"),
        value => write_syntax(out, &value.into()),
    };
    match value {
        GoValue::Text(text) => out.push_str(&field::quote(text)),
        GoValue::Byte(byte) => out.push_str(&format!("{byte:#x}")),
        GoValue::List(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                inner(out, item);
            }
            out.push('}');
        }
        GoValue::Map(map) => {
            out.push_str("map[string]interface {}{");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&field::quote(key));
                out.push(':');
                inner(out, item);
            }
            out.push('}');
        }
        other => write(out, other),
    }
}

/// `value` as `%v` shows it.
pub fn value(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prints_like_go() {
        assert_eq!(value(&json!({"b": [1, 2.5, null], "a": "x"})), "map[a:x b:[1 2.5 <nil>]]");
        assert_eq!(float(1e21), "1e+21");
        assert_eq!(float(1_048_576.5), "1.0485765e+06");
        assert_eq!(float(123_456.0), "123456");
        assert_eq!(float(0.00001), "1e-05");
        let mut out = String::new();
        write_syntax(&mut out, &(&json!({"a": [null, "x", 1]})).into());
        assert_eq!(out, "map[string]interface {}{\"a\":[]interface {}{interface {}(nil), \"x\", 1}}");
    }

    #[test]
    fn printf_verbs() {
        let text = |t: &'static str| GoValue::Text(Cow::Borrowed(t));
        for (format, args, want) in [
            ("%5s|%-5s|", vec![text("a"), text("b")], "    a|b    |"),
            ("%05d %x %q", vec![GoValue::Int(42), text("hi"), text("a\"b")], "00042 6869 \"a\\\"b\""),
            ("%s", vec![GoValue::Int(1)], "%!s(int=1)"),
            ("%d", vec![], "%!d(MISSING)"),
            ("x", vec![GoValue::Int(1), GoValue::Nil], "x%!(EXTRA int=1, <nil>)"),
            ("%.2f %T %v%%", vec![GoValue::Float(1.5), GoValue::Float(1.5), GoValue::Nil], "1.50 float64 <nil>%"),
            ("%", vec![], "%!(NOVERB)"),
            ("%*d|%+d", vec![GoValue::Int(4), GoValue::Int(7), GoValue::Int(7)], "   7|+7"),
        ] {
            assert_eq!(printf(format, &args), want, "{format}");
        }
    }
}
