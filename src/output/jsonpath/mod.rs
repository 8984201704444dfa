//! JSONPath templates in kubectl's dialect (`k8s.io/client-go/util/jsonpath`).
//!
//! A template is text with actions in braces: paths, literals, and `range` ... `end`. Maps are walked in the order of
//! their keys, where Go's order is random.

mod eval;
mod parser;
#[cfg(test)]
mod tests;

pub use eval::Found;
pub(in crate::output) use parser::unquote;

use crate::object::{Value, json};

/// Why a template cannot be read or does not fit the data; the texts are client-go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonPathError(pub(crate) String);

/// How values are looked up and printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A field that is not there has no results instead of being an error.
    pub allow_missing_keys: bool,
    /// Print the results of each action as an indented JSON list (`-o jsonpath-as-json`).
    pub json_output: bool,
}

/// A parsed template, to be used any number of times.
#[derive(Clone, Debug)]
pub struct JsonPath {
    nodes: Vec<parser::Node>,
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// With the text of client-go's parser.
    pub fn parse(template: &str) -> Result<Self, JsonPathError> {
        Ok(Self { nodes: parser::parse(template)? })
    }

    /// The results of every part of the template, in order.
    ///
    /// # Errors
    /// When a part does not fit the data.
    pub fn find<'a>(&'a self, data: &'a Value, allow_missing_keys: bool) -> Result<Vec<Vec<Found<'a>>>, JsonPathError> {
        eval::find(&self.nodes, data, allow_missing_keys)
    }

    /// Appends the printed results to `out`; nothing is printed unless all parts fit.
    ///
    /// # Errors
    /// When a part does not fit the data.
    pub fn execute(&self, data: &Value, options: Options, out: &mut String) -> Result<(), JsonPathError> {
        for results in self.find(data, options.allow_missing_keys)? {
            if options.json_output {
                let list: Vec<Value> = results.iter().map(Found::to_value).collect();
                out.push_str(&json::to_indented(&Value::Array(list), "    "));
                out.push('\n');
                continue;
            }
            for (i, found) in results.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                found.write_text(out);
            }
        }
        Ok(())
    }
}

/// Turns a path as people write it (`x`, `.x`, `{x}`, `{.x}`) into a template; an empty one stays empty.
///
/// # Errors
/// When braces stand elsewhere.
pub fn relaxed(path: &str) -> Result<String, JsonPathError> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let inner = path.strip_prefix('{').and_then(|p| p.strip_suffix('}')).unwrap_or(path);
    // Without anything after it a point is itself the path.
    let spec = match inner.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => rest,
        _ => inner,
    };
    if spec.is_empty() || spec.contains(['{', '}']) {
        let expected = "expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'";
        return Err(JsonPathError(format!("unexpected path string, {expected}")));
    }
    Ok(format!("{{.{spec}}}"))
}
