//! Decoding against the Go types, as the API server's strict and plain JSON serializers do.
//!
//! [`decode`] turns what a client sent into the form that Go's typed objects print: unknown and null fields dropped,
//! quantities in canonical form, empty structs shown, zero values of optional fields left out. What is wrong comes
//! back with its path and, for unknown fields, the near misses, so that a client can point into the manifest.

use std::fmt::Write as _;

use base64::Engine;
use serde_json::{Map, json};

mod empties;
mod node;
mod time;

pub use empties::{Empty, empties, put_back, take_out};
pub use node::{Node, SyntaxError};

use super::go_types::{GoKind, GoStruct, GoType, go_struct, settle_struct};
use super::{Schemas, go_types};
use crate::object::{GroupVersionKind, Value, go};

/// What kind of problem a field has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The schema has no such field; near misses are listed, best first.
    Unknown {
        /// Names of fields that may have been meant.
        suggestions: Vec<String>,
    },
    /// The field stands in its map more than once.
    Duplicate,
    /// The value is of another type, or malformed.
    Type,
}

/// One problem that decoding found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Field as strict errors write it: `spec.containers[0].foo`.
    pub path: String,
    /// What is wrong.
    pub kind: ProblemKind,
    /// The serializer's text: `unknown field "spec.foo"`, `json: cannot unmarshal …`.
    pub message: String,
}

/// What decoding yields.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The object in the form that Go prints.
    pub object: Value,
    /// Problems that strict decoding refuses and that plain decoding passes over, in the order of the text.
    pub strict: Vec<Problem>,
}

/// Most strict problems that the serializer collects.
const MAX_STRICT: usize = 100;

/// Decodes `node` as an object of a built-in kind.
///
/// Kinds without a built-in type pass through as they are, without their null fields.
///
/// # Errors
///
/// The value of a wrong type that the server reports: no field validation level lets one pass.
pub fn decode(gvk: &GroupVersionKind, node: impl Into<Node>) -> Result<Decoded, Problem> {
    match Schemas::builtin().name_of_kind(gvk) {
        Some(definition) if go_struct(definition).is_some() => decode_definition(definition, node),
        _ => Ok(Decoded { object: node.into().into_value(), strict: Vec::new() }),
    }
}

/// Decodes `node` as the Go type of a built-in definition, such as `io.k8s.api.core.v1.PodTemplateSpec`.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_definition(definition: &str, node: impl Into<Node>) -> Result<Decoded, Problem> {
    let mut decoder = Decoder::default();
    let object = decoder.value(node.into(), &GoType::of_definition(definition))?;
    match decoder.first_type_problem {
        Some(problem) => Err(problem),
        None => Ok(Decoded { object, strict: decoder.strict }),
    }
}

/// The text under which the server reports what decoding refused.
pub fn refusal(gvk: &GroupVersionKind, why: &str) -> String {
    format!("{} in version {} cannot be handled as a {}: {why}", gvk.kind, go::quote(&gvk.version), gvk.kind)
}

/// All strict problems as one text: `strict decoding error: unknown field "a", unknown field "b"`.
pub fn strict_text(problems: &[Problem]) -> String {
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    format!("strict decoding error: {}", messages.join(", "))
}

/// Reads a time as the API writes it (RFC 3339), with the errors of Go's `time.Parse`.
///
/// # Errors
///
/// Go's text.
pub fn parse_time(text: &str) -> Result<chrono::DateTime<chrono::Utc>, String> {
    time::parse(time::RFC3339, text)
}

/// Brings a built-in object whose fields were changed back into the form that Go prints.
pub fn settle(object: &mut Value) {
    let gvk = crate::object::meta::gvk(object);
    if let Some(definition) = Schemas::builtin().name_of_kind(&gvk) {
        go_types::settle(object, definition);
    }
}

#[derive(Default)]
struct Decoder {
    strict: Vec<Problem>,
    /// The decoder goes on after a wrong type and reports the first; a value's own parser stops it at once.
    first_type_problem: Option<Problem>,
    /// Name of the innermost struct and the names of the fields down to here, without list positions.
    struct_name: &'static str,
    fields: Vec<&'static str>,
    path: String,
}

type Outcome = Result<Value, Problem>;

impl Decoder {
    fn problem(&self, message: String) -> Problem {
        Problem { path: self.path.clone(), kind: ProblemKind::Type, message }
    }

    fn mismatch(&self, found: &str, type_: &str) -> Problem {
        let place = if self.struct_name.is_empty() && self.fields.is_empty() {
            "Go value".to_owned()
        } else {
            format!("Go struct field {}.{}", self.struct_name, self.fields.join("."))
        };
        // Go prints the type of bytes as what it stands for.
        let type_ = type_.replace("[]byte", "[]uint8");
        self.problem(format!("json: cannot unmarshal {found} into {place} of type {type_}"))
    }

    fn note_mismatch(&mut self, found: &str, type_: &GoType) {
        if self.first_type_problem.is_none() {
            self.first_type_problem = Some(self.mismatch(found, type_.shown()));
        }
    }

    fn note_strict(&mut self, kind: ProblemKind, path: String) {
        let what = if kind == ProblemKind::Duplicate { "duplicate" } else { "unknown" };
        let message = format!("{what} field {}", go::quote(&path));
        if self.strict.len() < MAX_STRICT && self.strict.iter().all(|known| known.message != message) {
            self.strict.push(Problem { path, kind, message });
        }
    }

    fn value(&mut self, node: Node, type_: &GoType) -> Outcome {
        let kind = type_.kind();
        if node == Node::Null {
            return Ok(type_.zero());
        }
        match kind {
            GoKind::Any => Ok(node.into_value()),
            GoKind::Time => self.time(node, time::RFC3339),
            GoKind::MicroTime => self.time(node, time::RFC3339_MICRO),
            GoKind::Duration => self.duration(node),
            GoKind::Quantity => self.quantity(node),
            GoKind::IntOrString => self.int_or_string(node),
            kind => match node {
                Node::Object(fields) => self.object(fields, type_, kind),
                Node::Array(items) => self.array(items, type_, kind),
                scalar => self.scalar(scalar, type_, kind),
            },
        }
    }

    fn object(&mut self, fields: Vec<(String, Node)>, type_: &GoType, kind: &GoKind) -> Outcome {
        match kind {
            GoKind::Struct(of) => self.struct_fields(fields, of),
            GoKind::Empty => Ok(Value::Object(Map::new())),
            GoKind::Map(item) => self.map_entries(fields, item),
            _ => {
                self.note_mismatch("object", type_);
                Ok(type_.zero())
            }
        }
    }

    /// Runs `inner` with the path extended by a field, and restores it.
    fn below_field<T>(&mut self, key: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let outcome = inner(self);
        self.path.truncate(length);
        outcome
    }

    /// The path of a field here.
    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn struct_fields(&mut self, fields: Vec<(String, Node)>, of: &'static GoStruct) -> Outcome {
        let mut map = Map::new();
        let mut seen: Vec<&'static str> = Vec::with_capacity(fields.len());
        let outer = self.struct_name;
        for (key, node) in fields {
            let Some(go_field) = of.field(&key) else {
                self.note_strict(ProblemKind::Unknown { suggestions: near(&key, of) }, self.path_of(&key));
                continue;
            };
            let repeated = seen.contains(&go_field.json);
            if repeated {
                self.note_strict(ProblemKind::Duplicate, self.path_of(&key));
            }
            self.struct_name = of.name();
            self.fields.push(go_field.json);
            let value = self.below_field(&key, |inner| inner.value(node, GoType::of_field(of, go_field)))?;
            self.fields.pop();
            self.struct_name = outer;
            // A repeated struct field is decoded into the struct that the first one filled.
            match (repeated.then(|| map.get_mut(&key)).flatten(), value) {
                (Some(Value::Object(first)), Value::Object(second)) => first.extend(second),
                (_, value) => drop(map.insert(key, value)),
            }
            seen.push(go_field.json);
        }
        settle_struct(&mut map, of);
        Ok(Value::Object(map))
    }

    fn map_entries(&mut self, fields: Vec<(String, Node)>, item: &GoType) -> Outcome {
        let mut map = Map::new();
        for (key, node) in fields {
            if map.contains_key(&key) {
                self.note_strict(ProblemKind::Duplicate, self.path_of(&key));
            }
            let value = self.below_field(&key, |inner| inner.value(node, item))?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self, items: Vec<Node>, type_: &GoType, kind: &GoKind) -> Outcome {
        let GoKind::List(item) = kind else {
            self.note_mismatch("array", type_);
            return Ok(type_.zero());
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, node) in items.into_iter().enumerate() {
            let length = self.path.len();
            // Writing to a text does not fail.
            let _ = write!(self.path, "[{index}]");
            let value = self.value(node, item);
            self.path.truncate(length);
            list.push(value?);
        }
        Ok(Value::Array(list))
    }

    fn scalar(&mut self, node: Node, type_: &GoType, kind: &GoKind) -> Outcome {
        let (found, value) = match (&node, kind) {
            (Node::Bool(set), GoKind::Bool) => return Ok(Value::Bool(*set)),
            (Node::Text(_), GoKind::Text) => return Ok(node.into_value()),
            (Node::Text(text), GoKind::Bytes) => return Ok(self.bytes(text)),
            (Node::Number(text), GoKind::Int { bits }) => match text.parse::<i64>() {
                Ok(number) if *bits == 64 || i32::try_from(number).is_ok() => return Ok(json!(number)),
                _ => (format!("number {text}"), type_.zero()),
            },
            (Node::Number(text), GoKind::Float) => return Ok(node::number_value(text)),
            (Node::Bool(_), _) => ("bool".to_owned(), type_.zero()),
            (Node::Number(_), _) => ("number".to_owned(), type_.zero()),
            _ => ("string".to_owned(), type_.zero()),
        };
        self.note_mismatch(&found, type_);
        Ok(value)
    }

    /// Base64 text in its canonical spelling.
    fn bytes(&mut self, text: &str) -> Value {
        let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        match base64::engine::general_purpose::STANDARD.decode(&clean) {
            Ok(bytes) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
            Err(_) => {
                let message = format!("illegal base64 data at input byte {}", corrupt_at(text));
                let problem = self.problem(message);
                self.first_type_problem.get_or_insert(problem);
                Value::Null
            }
        }
    }

    fn text_of(&self, node: Node) -> Result<String, Problem> {
        match node {
            Node::Text(text) => Ok(text),
            Node::Bool(_) => Err(self.mismatch("bool", "string")),
            Node::Number(_) => Err(self.mismatch("number", "string")),
            Node::Array(_) => Err(self.mismatch("array", "string")),
            Node::Object(_) | Node::Null => Err(self.mismatch("object", "string")),
        }
    }

    fn time(&mut self, node: Node, layout: &'static str) -> Outcome {
        let text = self.text_of(node)?;
        let time = time::parse(layout, &text).map_err(|message| self.problem(message))?;
        let format = if layout == time::RFC3339 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
        Ok(json!(time.format(format).to_string()))
    }

    fn duration(&mut self, node: Node) -> Outcome {
        let text = self.text_of(node)?;
        Ok(json!(text))
    }

    fn quantity(&mut self, node: Node) -> Outcome {
        let text = match node {
            Node::Text(text) | Node::Number(text) => text,
            Node::Bool(set) => set.to_string(),
            other => crate::object::json::to_compact(&other.into_value()),
        };
        quantity_text(text.trim()).map(Value::String).map_err(|message| self.problem(message))
    }

    fn int_or_string(&mut self, node: Node) -> Outcome {
        match node {
            Node::Text(text) => Ok(json!(text)),
            Node::Number(text) => match text.parse::<i32>() {
                Ok(number) => Ok(json!(number)),
                Err(_) => Err(self.mismatch(&format!("number {text}"), "int32")),
            },
            Node::Bool(_) => Err(self.mismatch("bool", "int32")),
            Node::Array(_) => Err(self.mismatch("array", "int32")),
            Node::Object(_) | Node::Null => Err(self.mismatch("object", "int32")),
        }
    }
}

/// The canonical text of a quantity.
fn quantity_text(text: &str) -> Result<String, String> {
    crate::object::quantity::Quantity::parse(text)
        .map(|quantity| quantity.to_string())
        .map_err(|error| error.to_string())
}

/// Position of the first byte that Go's base64 decoder refuses.
fn corrupt_at(text: &str) -> usize {
    let bytes: Vec<(usize, u8)> = text.bytes().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n')).collect();
    for (count, &(at, byte)) in bytes.iter().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {}
            b'=' => return padding_error(&bytes, count, at, text.len()),
            _ => return at,
        }
    }
    // Incomplete last group: Go names the position where the group starts.
    bytes.get(bytes.len() / 4 * 4).map_or(text.len(), |&(at, _)| at)
}

fn padding_error(bytes: &[(usize, u8)], count: usize, at: usize, length: usize) -> usize {
    match count % 4 {
        0 | 1 => at,
        2 => match bytes.get(count + 1) {
            None => length,
            Some(&(next, b)) if b != b'=' => next.saturating_sub(1).max(at),
            Some(_) => bytes.get(count + 2).map_or(length, |&(next, _)| next),
        },
        _ => bytes.get(count + 1).map_or(length, |&(next, _)| next),
    }
}

/// Names of fields that `key` may have been meant for, best first.
fn near(key: &str, of: &GoStruct) -> Vec<String> {
    let lower = key.to_lowercase();
    let limit = (key.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = of
        .fields
        .iter()
        .map(|field| (distance(&lower, &field.json.to_lowercase()), field.json))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let cost = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
