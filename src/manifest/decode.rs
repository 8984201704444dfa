//! From nodes to values: aliases followed, mappings merged, keys made text, as `sigs.k8s.io/yaml` does it.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::error::{DuplicateKey, Error};
use super::go_text;
use super::scalar::{Resolved, resolve_scalar};
use super::scanner::{MAX_DEPTH, Mark, Result};
use super::tree::{NodeId, NodeKind, Tree};

/// A document's value and what JSON text needs to know besides.
pub(super) struct Decoded {
    pub(super) value: Value,
    /// Whether a `!!binary` text was no UTF-8 and had bytes replaced.
    pub(super) mended: bool,
}

/// Decodes a document.
///
/// # Errors
///
/// Values that do not fit their tags, aliases to themselves, too many aliases, keys and numbers that JSON does not
/// have; with `strict`, keys given twice.
pub(super) fn decode(tree: &Tree<'_>, strict: bool) -> Result<Decoded> {
    let Some(root) = tree.root else { return Ok(Decoded { value: Value::Null, mended: false }) };
    if tree.nodes[root].height > MAX_DEPTH + 1 {
        let problem = format!("exceeded max depth of {MAX_DEPTH}");
        return Err(Error::Value { problem, at: tree.nodes[root].start.into() });
    }
    let mut decoder = Decoder {
        tree,
        strict,
        decoded: 0,
        by_alias: 0,
        alias_depth: 0,
        following: Vec::new(),
        duplicates: Vec::new(),
        bad_key: None,
        bad_number: None,
        mended: false,
    };
    let value = decoder.value(root)?;
    // The reference first decodes, then makes keys text, then writes numbers.
    if !decoder.duplicates.is_empty() {
        return Err(Error::Duplicates(decoder.duplicates));
    }
    match decoder.bad_key.or(decoder.bad_number) {
        Some(error) => Err(error),
        None => Ok(Decoded { value, mended: decoder.mended }),
    }
}

/// Below this many decoded nodes, 99 of 100 may come from aliases.
const ALIAS_RANGE_LOW: f64 = 400_000.0;
/// From here on, 10 of 100 may.
const ALIAS_RANGE_HIGH: f64 = 4_000_000.0;

fn allowed_alias_share(decoded: usize) -> f64 {
    let place = (decoded as f64 - ALIAS_RANGE_LOW) / (ALIAS_RANGE_HIGH - ALIAS_RANGE_LOW);
    0.99 - 0.89 * place.clamp(0.0, 1.0)
}

struct Decoder<'t> {
    tree: &'t Tree<'t>,
    strict: bool,
    decoded: usize,
    by_alias: usize,
    alias_depth: usize,
    /// Aliases being followed.
    following: Vec<NodeId>,
    duplicates: Vec<DuplicateKey>,
    bad_key: Option<Error>,
    bad_number: Option<Error>,
    mended: bool,
}

impl<'t> Decoder<'t> {
    fn fail<T>(&self, problem: impl Into<String>, at: NodeId) -> Result<T> {
        Err(Error::Value { problem: problem.into(), at: self.tree.nodes[at].start.into() })
    }

    fn count(&mut self, id: NodeId) -> Result<()> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.by_alias += 1;
            let share = self.by_alias as f64 / self.decoded as f64;
            if self.by_alias > 100 && self.decoded > 1000 && share > allowed_alias_share(self.decoded) {
                return self.fail("document contains excessive aliasing", id);
            }
        }
        Ok(())
    }

    fn value(&mut self, id: NodeId) -> Result<Value> {
        self.count(id)?;
        let node = &self.tree.nodes[id];
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let resolved = resolve_scalar(scalar, node.start)?;
                Ok(self.scalar(resolved, node.start))
            }
            NodeKind::Sequence(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.value(*item)?);
                }
                Ok(Value::Array(list))
            }
            NodeKind::Mapping(children) => {
                let mut out = Out::default();
                self.pairs(children, &mut out)?;
                Ok(Value::Object(out.map))
            }
            NodeKind::Alias { name, target } => self.follow(id, name, |decoder| decoder.value(*target)),
        }
    }

    fn follow<T>(&mut self, alias: NodeId, name: &str, then: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.following.contains(&alias) {
            return self.fail(format!("anchor '{name}' value contains itself"), alias);
        }
        self.following.push(alias);
        self.alias_depth += 1;
        let result = then(self);
        self.alias_depth -= 1;
        self.following.pop();
        result
    }

    fn scalar(&mut self, resolved: Resolved<'_>, start: Mark) -> Value {
        match resolved {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => Value::Bool(value),
            Resolved::Int(value) => value.into(),
            Resolved::Uint(value) => value.into(),
            Resolved::Float(value) => match Number::from_f64(value) {
                Some(number) => Value::Number(number),
                None => {
                    let name = if value.is_nan() { "NaN" } else { infinity(value) };
                    self.bad_number.get_or_insert(Error::Number { value: name, at: start.into() });
                    Value::Null
                }
            },
            Resolved::Text(text) => Value::String(text.into_owned()),
            Resolved::Timestamp(text) => Value::String(text.to_owned()),
            Resolved::Mended(text) => {
                self.mended = true;
                Value::String(text)
            }
        }
    }

    fn pairs(&mut self, children: &'t [NodeId], out: &mut Out) -> Result<()> {
        for pair in children.chunks_exact(2) {
            let (key, value) = (pair[0], pair[1]);
            if self.tree.is_merge(key) {
                self.merge(value, out)?;
                continue;
            }
            let typed = self.key(key)?;
            let decoded = self.value(value)?;
            let text = match key_text(&typed) {
                Ok(text) => text,
                Err(kind) => {
                    self.note_bad_key(kind, &typed, key, value)?;
                    continue;
                }
            };
            if self.strict && out.has(&text, &typed) {
                self.duplicates.push(DuplicateKey {
                    key: go_text::scalar_syntax(&typed, false),
                    at: self.tree.nodes[key].start.into(),
                    value_line: self.tree.nodes[value].start.line + 1,
                });
                continue;
            }
            out.note(&text, &typed);
            out.map.insert(text.into_owned(), decoded);
        }
        Ok(())
    }

    /// The key of a pair, which must be a scalar.
    fn key(&mut self, id: NodeId) -> Result<Resolved<'t>> {
        self.count(id)?;
        let node = &self.tree.nodes[id];
        match &node.kind {
            NodeKind::Scalar(scalar) => resolve_scalar(scalar, node.start),
            NodeKind::Alias { name, target } => self.follow(id, name, |decoder| decoder.key(*target)),
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
                // What is wrong inside comes first.
                self.decoded -= 1;
                self.value(id)?;
                self.fail(format!("invalid map key: {}", go_text::go_syntax(self.tree, id)?), id)
            }
        }
    }

    fn note_bad_key(&mut self, kind: &'static str, typed: &Resolved<'_>, key: NodeId, value: NodeId) -> Result<()> {
        if self.bad_key.is_none() {
            self.bad_key = Some(Error::Key {
                kind,
                key: go_text::scalar_syntax(typed, false),
                value: go_text::go_syntax(self.tree, value)?,
                at: self.tree.nodes[key].start.into(),
            });
        }
        Ok(())
    }

    fn merge(&mut self, id: NodeId, out: &mut Out) -> Result<()> {
        match &self.tree.nodes[id].kind {
            NodeKind::Sequence(items) => {
                // Earlier ones win, so the later ones go first.
                for item in items.iter().rev() {
                    self.merge_mapping(*item, out)?;
                }
                Ok(())
            }
            _ => self.merge_mapping(id, out),
        }
    }

    fn merge_mapping(&mut self, id: NodeId, out: &mut Out) -> Result<()> {
        let target = self.tree.followed(id);
        let NodeKind::Mapping(children) = &self.tree.nodes[target].kind else {
            return self.fail("map merge requires map or sequence of maps as the value", id);
        };
        self.count(id)?;
        match &self.tree.nodes[id].kind {
            NodeKind::Alias { name, .. } => self.follow(id, name, |decoder| {
                decoder.count(target)?;
                decoder.pairs(children, out)
            }),
            _ => self.pairs(children, out),
        }
    }
}

/// A mapping being filled.
#[derive(Default)]
struct Out {
    map: Map<String, Value>,
    /// Keys that were no text, as text: `1` and `"1"` are two keys.
    not_text: Vec<String>,
}

impl Out {
    fn has(&self, text: &str, typed: &Resolved<'_>) -> bool {
        let was_not_text = self.not_text.iter().any(|key| key == text);
        if is_text(typed) { !was_not_text && self.map.contains_key(text) } else { was_not_text }
    }

    fn note(&mut self, text: &str, typed: &Resolved<'_>) {
        if !is_text(typed) && !self.not_text.iter().any(|key| key == text) {
            self.not_text.push(text.to_owned());
        }
    }
}

fn is_text(typed: &Resolved<'_>) -> bool {
    matches!(typed, Resolved::Text(_) | Resolved::Mended(_) | Resolved::Timestamp(_))
}

/// The text of a key, or Go's name of a type that cannot be one.
pub(super) fn key_text<'r>(typed: &'r Resolved<'_>) -> std::result::Result<Cow<'r, str>, &'static str> {
    Ok(match typed {
        Resolved::Null => return Err("%!s(<nil>)"),
        Resolved::Uint(_) => return Err("uint64"),
        Resolved::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Resolved::Int(value) => Cow::Owned(value.to_string()),
        Resolved::Float(value) => Cow::Owned(go_text::float32(*value)),
        Resolved::Text(text) => Cow::Borrowed(text),
        Resolved::Mended(text) => Cow::Borrowed(text),
        Resolved::Timestamp(text) => Cow::Borrowed(text),
    })
}

fn infinity(value: f64) -> &'static str {
    if value > 0.0 { "+Inf" } else { "-Inf" }
}
