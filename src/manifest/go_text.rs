//! Values as Go prints them: numbers of `strconv`, quoted text, and whole values in Go syntax, for error texts.

use std::fmt::Write as _;

use super::scalar::{Resolved, resolve_scalar};
use super::scanner::Result;
use super::tree::{NodeId, NodeKind, Tree};

/// A float in Go's shortest `%g` form: with an exponent below 1e-4 and from 1e6 on.
pub(super) fn float(value: f64) -> String {
    general(&format!("{value:e}"))
}

/// The same for the nearest 32-bit float: how the reference makes text of a float that is a key.
pub(super) fn float32(value: f64) -> String {
    let value = value as f32;
    if value.is_finite() { general(&format!("{value:e}")) } else { float(f64::from(value)) }
}

/// Rewrites Rust's shortest exponent form as `%g`.
fn general(exponent_form: &str) -> String {
    let Some((mantissa, exponent)) = exponent_form.split_once('e') else {
        return match exponent_form {
            "inf" => ".inf".to_owned(),
            "-inf" => "-.inf".to_owned(),
            _ => ".nan".to_owned(),
        };
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    if !(-4..6).contains(&exponent) {
        let fraction = if digits.len() > 1 { format!(".{}", &digits[1..]) } else { String::new() };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{}{fraction}e{exponent_sign}{:02}", &digits[..1], exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// Text in Go's quotes (`strconv.Quote`).
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if is_print(c) => out.push(c),
            c => push_hex(&mut out, c),
        }
    }
    out.push('"');
    out
}

/// Appends `\x`, `\u` or `\U` with the character's code.
pub(super) fn push_hex(out: &mut String, c: char) {
    let code = c as u32;
    // Writing to a string cannot fail.
    let _ = match code {
        0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
        0..0x10000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the space.
pub(super) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // Behind another character, Rust escapes just what has no shape of its own.
    let pair: String = ['a', c].iter().collect();
    pair.escape_debug().count() == 2
}

/// A node's value in Go syntax (`%#v`), as it stands in error texts.
///
/// # Errors
///
/// Those of resolving its scalars.
pub(super) fn go_syntax(tree: &Tree<'_>, id: NodeId) -> Result<String> {
    let mut out = String::new();
    write_syntax(tree, id, &mut out, false)?;
    Ok(out)
}

fn write_syntax(tree: &Tree<'_>, id: NodeId, out: &mut String, nested: bool) -> Result<()> {
    let id = tree.followed(id);
    let node = &tree.nodes[id];
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let value = resolve_scalar(scalar, node.start)?;
            out.push_str(&scalar_syntax(&value, nested));
        }
        NodeKind::Sequence(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_syntax(tree, *item, out, true)?;
            }
            out.push('}');
        }
        NodeKind::Mapping(children) => {
            let mut pairs = Vec::new();
            for pair in children.chunks_exact(2) {
                let (mut key, mut value) = (String::new(), String::new());
                write_syntax(tree, pair[0], &mut key, true)?;
                write_syntax(tree, pair[1], &mut value, true)?;
                pairs.push((key, value));
            }
            pairs.sort();
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
            let _ = write!(out, "map[interface {{}}]interface {{}}{{{}}}", pairs.join(", "));
        }
        NodeKind::Alias { .. } => {}
    }
    Ok(())
}

/// A scalar in Go syntax; a nil inside something else names its type.
pub(super) fn scalar_syntax(value: &Resolved<'_>, nested: bool) -> String {
    match value {
        Resolved::Null => if nested { "interface {}(nil)" } else { "<nil>" }.to_owned(),
        Resolved::Bool(value) => value.to_string(),
        Resolved::Int(value) => value.to_string(),
        Resolved::Uint(value) => format!("{value:#x}"),
        Resolved::Float(value) if value.is_nan() => "NaN".to_owned(),
        Resolved::Float(value) if value.is_infinite() => if *value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        Resolved::Float(value) => float(*value),
        Resolved::Text(text) => quote(text),
        Resolved::Mended(text) => quote(text),
        Resolved::Timestamp(text) => quote(text),
    }
}
