//! Values as Go prints them: numbers of `strconv`, quoted text, and whole values in Go syntax, for error texts.

use std::fmt::Write as _;

use crate::object::go::{self, quote};

use super::scalar::{Resolved, resolve_scalar};
use super::scanner::Result;
use super::tree::{NodeId, NodeKind, Tree};

/// A float as YAML text in Go's shortest `%g` form: with an exponent below 1e-4 and from 1e6 on.
pub(super) fn float(value: f64) -> String {
    special(value).map_or_else(|| go::float(value), str::to_owned)
}

/// The same for the nearest 32-bit float: how the reference makes text of a float that is a key.
pub(super) fn float32(value: f64) -> String {
    let narrow = value as f32;
    if narrow.is_finite() { go::float32(narrow) } else { float(value) }
}

/// YAML's names of the floats that are no numbers.
fn special(value: f64) -> Option<&'static str> {
    match value {
        value if value.is_nan() => Some(".nan"),
        f64::INFINITY => Some(".inf"),
        f64::NEG_INFINITY => Some("-.inf"),
        _ => None,
    }
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
        Resolved::Float(value) => go::float(*value),
        Resolved::Text(text) => quote(text),
        Resolved::Mended(text) => quote(text),
        Resolved::Timestamp(text) => quote(text),
    }
}
