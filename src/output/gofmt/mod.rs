//! Values as Go's package `fmt` prints them.

mod printf;

use std::borrow::Cow;

pub use printf::{printf, sprint, sprintln};

use crate::object::{Map, Value, go};

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

/// Appends `value` as `%v` shows it.
pub fn write(out: &mut String, value: &GoValue<'_>) {
    match value {
        GoValue::Nil => out.push_str("<nil>"),
        GoValue::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        GoValue::Int(number) | GoValue::Int64(number) => out.push_str(&number.to_string()),
        GoValue::Byte(byte) => out.push_str(&byte.to_string()),
        GoValue::Float(number) => out.push_str(&go::float(*number)),
        GoValue::Text(text) => out.push_str(text),
        GoValue::List(items) => go::write_list(out, items, go::write_value),
        GoValue::Map(map) => go::write_map(out, map, go::write_value),
    }
}

/// Appends `value` as `%#v` shows it: `map[string]interface {}{"a":1}`.
pub fn write_syntax(out: &mut String, value: &GoValue<'_>) {
    let inner = |out: &mut String, value: &Value| match value {
        Value::Null => out.push_str("interface {}(nil)"),
        value => write_syntax(out, &value.into()),
    };
    match value {
        GoValue::Text(text) => out.push_str(&go::quote(text)),
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
                out.push_str(&go::quote(key));
                out.push(':');
                inner(out, item);
            }
            out.push('}');
        }
        other => write(out, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn syntax_is_that_of_go() {
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
