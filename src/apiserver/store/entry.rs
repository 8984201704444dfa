//! Stored values: the object's JSON without `apiVersion` and `kind`, with its own resourceVersion in place.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::partial::{self, Fields};
use crate::object::{Map, Value, json};

/// An object's JSON with a gap where the resourceVersion goes, which only the writer knows.
#[derive(Clone, Debug)]
pub struct Encoded {
    text: String,
    gap: usize,
}

impl Encoded {
    /// Encodes an object; `apiVersion`, `kind` and `metadata.resourceVersion` are left out.
    pub fn new(object: &Value) -> Self {
        let mut text = String::with_capacity(512);
        let mut gap = 0;
        text.push('{');
        let empty = Map::new();
        for (name, value) in object.as_object().unwrap_or(&empty) {
            match (name.as_str(), value) {
                ("apiVersion" | "kind", _) => {}
                ("metadata", Value::Object(metadata)) => {
                    key(&mut text, name);
                    gap = write_metadata(&mut text, metadata);
                }
                _ => field(&mut text, name, value),
            }
        }
        if gap == 0 {
            key(&mut text, "metadata");
            gap = write_metadata(&mut text, &empty);
        }
        text.push('}');
        Self { text, gap }
    }

    /// The size of the text without the resourceVersion.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Never: even an empty object has braces.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text with `revision` in the gap.
    pub(super) fn fill(&self, revision: u64) -> Bytes {
        let digits = revision.to_string();
        let mut out = Vec::with_capacity(self.text.len() + digits.len());
        let (head, tail) = self.text.split_at(self.gap);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(tail.as_bytes());
        Bytes::from(out)
    }
}

fn key(text: &mut String, name: &str) {
    if !text.ends_with('{') {
        text.push(',');
    }
    json::write_string(text, name);
    text.push(':');
}

fn field(text: &mut String, name: &str, value: &Value) {
    key(text, name);
    json::write_compact(text, value);
}

/// Writes `metadata` with an empty resourceVersion in its alphabetic place and gives back the offset between its quotes.
fn write_metadata(text: &mut String, metadata: &Map<String, Value>) -> usize {
    const NAME: &str = "resourceVersion";
    let gap = |text: &mut String| {
        key(text, NAME);
        text.push_str("\"\"");
        text.len() - 1
    };
    text.push('{');
    let mut at = None;
    for (name, value) in metadata.iter().filter(|(name, _)| *name != NAME) {
        if at.is_none() && name.as_str() > NAME {
            at = Some(gap(text));
        }
        field(text, name, value);
    }
    let at = at.unwrap_or_else(|| gap(text));
    text.push('}');
    at
}

fn typed(mut object: Value, api_version: &str, kind: &str) -> Value {
    crate::object::meta::set(&mut object, &["apiVersion"], api_version);
    crate::object::meta::set(&mut object, &["kind"], kind);
    object
}

/// One stored object at one revision.
#[derive(Debug)]
pub struct Entry {
    /// Key.
    pub key: Arc<str>,
    /// Revision of the write that made this entry; of a deletion for the last state of a deleted key.
    pub revision: u64,
    /// The object as JSON, with its resourceVersion, without `apiVersion` and `kind`.
    pub json: Bytes,
    /// The object as a value, once somebody has asked for it to be kept.
    kept: OnceLock<Box<Value>>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.revision, &self.json) == (&other.key, other.revision, &other.json)
    }
}

impl Eq for Entry {}

impl Entry {
    /// An entry as it was written.
    pub(super) fn new(key: Arc<str>, revision: u64, json: Bytes) -> Self {
        Self { key, revision, json, kept: OnceLock::new() }
    }

    /// The object as a value without `apiVersion` and `kind`, read once and then kept as long as the entry: for objects
    /// that many requests look at, such as namespaces.
    pub fn kept(&self) -> &Value {
        self.kept.get_or_init(|| Box::new(serde_json::from_slice(&self.json).unwrap_or_default()))
    }

    /// The object as a value with `apiVersion` and `kind` put in.
    ///
    /// Text that is not a JSON object reads as an empty one: only the writer makes entries.
    pub fn object(&self, api_version: &str, kind: &str) -> Value {
        typed(serde_json::from_slice(&self.json).unwrap_or_default(), api_version, kind)
    }

    /// As [`Entry::object`], with these fields only.
    pub fn part(&self, fields: Fields, api_version: &str, kind: &str) -> Value {
        typed(partial::read(&self.json, fields), api_version, kind)
    }

    /// The text of the object's `metadata`, if it has any.
    pub fn metadata_text(&self) -> Option<&str> {
        partial::metadata_text(&self.json)
    }

    /// The same state under the revision of its deletion, which is what a DELETED event shows.
    pub(super) fn deleted_at(&self, revision: u64) -> Self {
        let object: Value = serde_json::from_slice(&self.json).unwrap_or_default();
        Self::new(self.key.clone(), revision, Encoded::new(&object).fill(revision))
    }
}
