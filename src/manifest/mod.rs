//! YAML and JSON with Kubernetes' rules: reading with source positions, writing as kubectl does.
//!
//! | from | to | with |
//! |---|---|---|
//! | a file's text | its [`Document`]s, each with its value and the places of its fields | [`documents`] |
//! | one YAML document | a value or JSON text | [`yaml_to_value`], [`yaml_to_json`] |
//! | JSON text | a value or YAML text | [`json_to_value`], [`json_to_yaml`] |
//! | one YAML document | its nodes as written | [`yaml_to_node`] |
//! | a value | what `-o yaml` and `-o kyaml` print | [`to_yaml`], [`to_kyaml`] |
//!
//! Reading goes from characters (`input`) to tokens (`scanner`, `scalars`, `tags`), events (`parser`), nodes
//! (`tree`) and values (`decode`, `scalar`). Errors have the texts of the Go libraries, and true places besides.

mod decode;
mod emitter;
mod error;
mod go_text;
mod input;
mod json;
mod kyaml;
mod node;
mod parser;
mod positions;
mod scalar;
mod scalars;
mod scanner;
mod stream;
mod tags;
mod tree;

pub use error::{DuplicateKey, Error, Position};
pub use kyaml::Layout;
pub use node::{Node, PlainValue, float_text, needs_quotes, resolve_plain, yaml_to_node};
pub use positions::{Children, Located};
pub use stream::{Document, Documents, Format, Piece, Pieces, StreamError, documents, split};

use crate::object::Value;

/// The most levels of a value. A text conversion of a deeper document, up to the reference's 10000 levels, is done on
/// a thread of its own with enough stack; a [`Value`] of such depth could not even be freed on a usual one.
const DEEP: usize = 400;

/// Converts the first document of a YAML text (JSON is YAML) to compact JSON, as `sigs.k8s.io/yaml` does.
///
/// YAML 1.1 types: `yes` is a boolean, `0644` is octal, `<<` merges, keys become text. With `strict`, a key given
/// twice is an error, else its last value counts. A text without a document is `null`.
///
/// # Errors
///
/// [`Error`], with the reference's text.
pub fn yaml_to_json(text: impl AsRef<[u8]>, strict: bool) -> Result<String, Error> {
    tree::with_tree(text.as_ref(), |tree| {
        let height = tree.root.map_or(0, |root| tree.nodes[root].height);
        with_stack(height, || {
            let decoded = decode::decode(tree, strict)?;
            Ok(json_text(&decoded.value, decoded.mended))
        })
    })
}

/// Compact JSON; Go escapes what stands for bytes that are no UTF-8.
fn json_text(value: &Value, mended: bool) -> String {
    let text = crate::object::json::to_compact(value);
    if mended { text.replace('\u{fffd}', "\\ufffd") } else { text }
}

/// Reads the first document of a YAML text as a value; see [`yaml_to_json`].
///
/// Numbers are `i64`, `u64` or `f64`, as the reference reads them.
///
/// # Errors
///
/// [`Error`]; also for documents nested deeper than any Kubernetes object.
pub fn yaml_to_value(text: impl AsRef<[u8]>, strict: bool) -> Result<Value, Error> {
    Ok(read_yaml(text.as_ref(), strict)?.value)
}

fn read_yaml(text: &[u8], strict: bool) -> Result<decode::Decoded, Error> {
    tree::with_tree(text, |tree| {
        tree::limit_height(tree, DEEP)?;
        decode::decode(tree, strict)
    })
}

/// Converts a JSON text (or any YAML) to YAML, as `sigs.k8s.io/yaml` does.
///
/// # Errors
///
/// Those of [`yaml_to_json`].
pub fn json_to_yaml(text: impl AsRef<[u8]>) -> Result<String, Error> {
    tree::with_tree(text.as_ref(), |tree| {
        let height = tree.root.map_or(0, |root| tree.nodes[root].height);
        with_stack(height, || Ok(emitter::emit(&decode::decode(tree, false)?.value, emitter::float_as_read)))
    })
}

/// Writes an object as `kubectl -o yaml` does, with a newline at its end.
pub fn to_yaml(value: &Value) -> String {
    emitter::emit(value, emitter::float_through_json)
}

/// Writes an object as `kubectl -o kyaml` does: a `---` line, then the object in braces, with a newline at its end.
pub fn to_kyaml(value: &Value) -> String {
    kyaml::emit::<kyaml::Sorted>(value, None)
}

/// The same with the fields in the order of a layout.
pub fn to_kyaml_in<L: Layout>(value: &Value, layout: Option<&L>) -> String {
    kyaml::emit(value, layout)
}

/// Reads a text that is one JSON value, as Go's `json.Unmarshal` does for unstructured objects: numbers written as
/// whole are `i64` or `u64`, others `f64`; a key given twice keeps its last value.
///
/// # Errors
///
/// [`Error::Json`], with Go's text (`invalid character '}' looking for beginning of value`); also for values with too
/// many levels.
pub fn json_to_value(text: impl AsRef<[u8]>) -> Result<Value, Error> {
    json::read(text.as_ref(), DEEP)
}

/// Runs `work` where `height` levels of recursion fit on the stack.
fn with_stack<T: Send>(height: usize, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    if height <= DEEP {
        return work();
    }
    let too_deep =
        Error::Value { problem: format!("exceeded max depth of {DEEP}"), at: Position { line: 1, column: 1 } };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(height * 8192 + (1 << 20));
        match thread.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without a thread, the document is too deep for this machine.
            Err(_) => Err(too_deep),
        }
    })
}

#[cfg(test)]
mod tests;
