//! YAML and JSON with Kubernetes' rules: reading with source positions, writing as kubectl does.

mod decode;
mod emitter;
mod error;
mod go_text;
mod input;
mod parser;
mod scalar;
mod scalars;
mod scanner;
mod tags;
mod tree;

pub use error::{DuplicateKey, Error, Position};

use crate::object::{Value, json};

/// Above this height, a document is handled on a thread of its own with enough stack.
const DEEP: usize = 200;

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
            let text = json::to_compact(&decoded.value);
            // Go escapes what stands for bytes that are no UTF-8.
            Ok(if decoded.mended { text.replace('\u{fffd}', "\\ufffd") } else { text })
        })
    })
}

/// Reads the first document of a YAML text as a value; see [`yaml_to_json`].
///
/// Numbers are `i64`, `u64` or `f64`, as the reference reads them.
///
/// # Errors
///
/// [`Error`]; also for documents nested deeper than any Kubernetes object.
pub fn yaml_to_value(text: impl AsRef<[u8]>, strict: bool) -> Result<Value, Error> {
    tree::with_tree(text.as_ref(), |tree| {
        tree::limit_height(tree, DEEP)?;
        Ok(decode::decode(tree, strict)?.value)
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
