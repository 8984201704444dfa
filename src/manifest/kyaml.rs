//! KYAML, the strict subset of YAML in braces that `kubectl -o kyaml` prints.

use serde_json::{Map, Value};

use super::scalar::{Resolved, is_timestamp, parse_int, resolve};
use crate::object::go::{is_print, push_hex};
use crate::object::json::number_text;

/// Writes one document with its `---` line and a newline at its end.
pub(super) fn emit<L: Layout>(value: &Value, layout: Option<&L>) -> String {
    let mut out = String::from("---\n");
    write_value(&mut out, value, layout, 0);
    out.push('\n');
    out
}

/// In which order the fields of a document stand, from its root down.
pub trait Layout: Sized {
    /// The fields of a map in their order, each with its own layout.
    fn fields<'a>(&self, map: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value, Option<Self>)>;

    /// The layout of the items of a list.
    fn items(&self) -> Option<Self>;
}

/// Fields sorted by name, which is how they stand where nothing else is said.
pub(super) enum Sorted {}

impl Layout for Sorted {
    fn fields<'a>(&self, _: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value, Option<Self>)> {
        match *self {}
    }

    fn items(&self) -> Option<Self> {
        match *self {}
    }
}

fn write_value<L: Layout>(out: &mut String, value: &Value, layout: Option<&L>, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_string(out, text, indent + 1),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => write_list(out, items, layout.and_then(Layout::items).as_ref(), indent),
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => write_map(out, map, layout, indent),
    }
}

/// A list of lists and maps only shares lines with its brackets.
fn write_list<L: Layout>(out: &mut String, items: &[Value], layout: Option<&L>, indent: usize) {
    out.push('[');
    if items.iter().all(|item| item.is_array() || item.is_object()) {
        for (i, item) in items.iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { "" });
            write_value(out, item, layout, indent);
        }
    } else {
        for item in items {
            write_line_start(out, indent + 1);
            write_value(out, item, layout, indent + 1);
            out.push(',');
        }
        write_line_start(out, indent);
    }
    out.push(']');
}

fn write_map<L: Layout>(out: &mut String, map: &Map<String, Value>, layout: Option<&L>, indent: usize) {
    out.push('{');
    let fields = match layout {
        Some(layout) => layout.fields(map),
        None => map.iter().map(|(key, value)| (key.as_str(), value, None)).collect(),
    };
    for (key, value, layout) in fields {
        write_line_start(out, indent + 1);
        write_key(out, key);
        out.push_str(": ");
        write_value(out, value, layout.as_ref(), indent + 1);
        out.push(',');
    }
    write_line_start(out, indent);
    out.push('}');
}

fn write_line_start(out: &mut String, indent: usize) {
    out.push('\n');
    write_indent(out, indent);
}

fn write_indent(out: &mut String, indent: usize) {
    for _ in 0..indent {
        out.push_str("  ");
    }
}

fn write_key(out: &mut String, key: &str) {
    if !needs_quotes(key) {
        out.push_str(key);
        return;
    }
    out.push('"');
    for c in key.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => write_char(out, c),
        }
    }
    out.push('"');
}

/// Text in quotes; each line of a text with several stands on a line of its own, by YAML's folding.
fn write_string(out: &mut String, text: &str, indent: usize) {
    const FOLD: &str = "\\\n";
    let several_lines = text.contains('\n');
    out.push('"');
    if several_lines {
        out.push_str(FOLD);
    }
    let mut after_fold = several_lines;
    for c in text.chars() {
        if after_fold {
            write_indent(out, indent);
            // Folding drops the white space that a line begins with, so the text's own must be escaped; else a
            // space stands there, for lines to be aligned.
            out.push(if c.is_whitespace() && c != '\n' { '\\' } else { ' ' });
        }
        after_fold = c == '\n';
        match c {
            '\n' => out.push_str("\\n\\\n"),
            '\t' => out.push('\t'),
            c => write_char(out, c),
        }
    }
    if several_lines {
        if !after_fold {
            out.push_str(FOLD);
        }
        write_indent(out, indent);
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        c if is_print(c) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\x0b' => out.push_str("\\v"),
        '\0' => out.push_str("\\0"),
        '\x1b' => out.push_str("\\e"),
        '\u{85}' => out.push_str("\\N"),
        '\u{a0}' => out.push_str("\\_"),
        '\u{2028}' => out.push_str("\\L"),
        '\u{2029}' => out.push_str("\\P"),
        c => push_hex(out, c),
    }
}

/// Whether a key is more than letters, digits and `_`, with `-`, `.` and `/` inside, or may read as another type.
fn needs_quotes(key: &str) -> bool {
    let last = key.chars().count().saturating_sub(1);
    let allowed =
        |(i, c): (usize, char)| c.is_alphanumeric() || c == '_' || (i > 0 && i < last && matches!(c, '-' | '.' | '/'));
    key.is_empty() || is_ambiguous(key) || !key.chars().enumerate().all(allowed)
}

/// Whether any YAML reader may take the text for null, a boolean, a number or a time.
fn is_ambiguous(text: &str) -> bool {
    let lower = text.to_lowercase();
    let word =
        matches!(lower.as_str(), "null" | "~" | "true" | "t" | "y" | "yes" | "on" | "false" | "f" | "n" | "no" | "off");
    let plain = text.replace('_', "");
    word || parse_int(&plain).is_some()
        || is_go_float(&plain)
        || is_timestamp(text)
        || is_sexagesimal(text)
        || matches!(resolve(&lower), Resolved::Float(_))
}

/// What Go's `strconv.ParseFloat` takes: decimal, hexadecimal with a binary exponent, infinity and NaN.
fn is_go_float(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    if matches!(unsigned, "inf" | "infinity") || lower == "nan" {
        return true;
    }
    match unsigned.strip_prefix("0x").map(|hex| hex.split_once('p')) {
        Some(Some((mantissa, exponent))) => {
            let digits = mantissa.replacen('.', "", 1);
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !exponent.is_empty()
                && exponent.bytes().all(|byte| byte.is_ascii_digit())
        }
        Some(None) => false,
        None => super::scalar::parse_float(text).is_some(),
    }
}

/// YAML 1.1 numbers to the base of 60, like `11:00`.
fn is_sexagesimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.starts_with(|c: char| matches!(c, '1'..='9')) && super::emitter::is_base_60(text)
}
