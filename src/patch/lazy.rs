//! JSON documents that are taken apart only where a patch touches them, as `evanphx/json-patch` v4 keeps them: what
//! is not touched keeps its order of keys, its numbers and its escapes, and comparisons look at that text.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::PatchError;
use crate::object::json;

/// A value in a document: nothing stands for `null`.
pub(super) type Slot = Option<Node>;

/// A value that is not null.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text that nobody has looked into yet.
    Raw(Box<str>),
    /// An object.
    Doc(BTreeMap<String, Slot>),
    /// A list.
    Ary(Vec<Slot>),
    /// A `null` that an operation gave as its value: unlike a null of the document, the library keeps a node for it.
    Null,
}

type RawSlot = Option<Box<RawValue>>;

fn slot(raw: RawSlot) -> Slot {
    raw.map(|raw| Node::Raw(Box::<RawValue>::into(raw)))
}

/// The fields of an object, or nothing when the text is something else.
pub(super) fn parse_doc(text: &str) -> Option<BTreeMap<String, Slot>> {
    let fields: BTreeMap<String, RawSlot> = serde_json::from_str(text).ok()?;
    Some(fields.into_iter().map(|(key, raw)| (key, slot(raw))).collect())
}

/// The items of a list, or nothing when the text is something else.
pub(super) fn parse_ary(text: &str) -> Option<Vec<Slot>> {
    let items: Vec<RawSlot> = serde_json::from_str(text).ok()?;
    Some(items.into_iter().map(slot).collect())
}

impl Node {
    /// Takes the node apart as an object, if it is one.
    pub fn as_doc(&mut self) -> Option<&mut BTreeMap<String, Slot>> {
        if let Self::Raw(text) = self {
            *self = Self::Doc(parse_doc(text)?);
        }
        match self {
            Self::Doc(fields) => Some(fields),
            _ => None,
        }
    }

    /// Takes the node apart as a list, if it is one.
    pub fn as_ary(&mut self) -> Option<&mut Vec<Slot>> {
        if let Self::Raw(text) = self {
            *self = Self::Ary(parse_ary(text)?);
        }
        match self {
            Self::Ary(items) => Some(items),
            _ => None,
        }
    }

    /// Whether both are the same value: objects and lists by what they hold, everything else by its text.
    ///
    /// # Errors
    /// The library panics on lists that hold null; here that is an error.
    pub fn equal(&mut self, other: &mut Self) -> Result<bool, PatchError> {
        if let Some(fields) = self.as_doc() {
            let Some(others) = other.as_doc() else { return Ok(false) };
            return equal_docs(fields, others);
        }
        if let Some(items) = self.as_ary() {
            let Some(others) = other.as_ary() else { return Ok(false) };
            return equal_lists(items, others);
        }
        match (self, other) {
            (Self::Raw(a), Self::Raw(b)) => Ok(a.trim() == b.trim()),
            (Self::Null, Self::Null) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Drops every field that is null; null items of lists stay.
    pub fn prune(&mut self) {
        if let Some(fields) = self.as_doc() {
            prune_fields(fields);
        } else if let Some(items) = self.as_ary() {
            items.iter_mut().flatten().for_each(Self::prune);
        }
    }

    /// A copy that is not taken apart.
    pub fn copied(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            node => {
                let mut text = String::new();
                node.write(&mut text);
                Self::Raw(text.into())
            }
        }
    }

    /// Appends the node as Go writes it.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Raw(text) => write_raw(out, text),
            Self::Ary(items) => write_ary(out, items),
            Self::Doc(fields) => write_doc(out, fields),
        }
    }
}

fn equal_docs(a: &mut BTreeMap<String, Slot>, b: &mut BTreeMap<String, Slot>) -> Result<bool, PatchError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a {
        let same = match (value, b.get_mut(key)) {
            (None, Some(None)) => true,
            (Some(a), Some(Some(b))) => a.equal(b)?,
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_lists(a: &mut [Slot], b: &mut [Slot]) -> Result<bool, PatchError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter_mut().zip(b) {
        let (Some(a), Some(b)) = (a, b) else {
            return Err(PatchError::Runtime("invalid memory address or nil pointer dereference"));
        };
        if !a.equal(b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drops every field that is null.
pub(super) fn prune_fields(fields: &mut BTreeMap<String, Slot>) {
    fields.retain(|_, value| value.is_some());
    fields.values_mut().flatten().for_each(Node::prune);
}

/// Appends an object with its keys sorted.
pub(super) fn write_doc(out: &mut String, fields: &BTreeMap<String, Slot>) {
    out.push('{');
    for (i, (key, value)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::write_string(out, key);
        out.push(':');
        write_slot(out, value);
    }
    out.push('}');
}

/// Appends a list.
pub(super) fn write_ary(out: &mut String, items: &[Slot]) {
    out.push('[');
    for (i, value) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_slot(out, value);
    }
    out.push(']');
}

fn write_slot(out: &mut String, value: &Slot) {
    match value {
        Some(node) => node.write(out),
        None => out.push_str("null"),
    }
}

/// Appends JSON text without white space and with HTML characters escaped, otherwise as it is.
fn write_raw(out: &mut String, text: &str) {
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' if !in_string => continue,
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = c == '\\' && !escaped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untouched_text_keeps_order_and_numbers() {
        let mut out = String::new();
        write_raw(&mut out, "{ \"z\" : 1.50 , \"a\\\"\" : \"< b\" }");
        assert_eq!(out, "{\"z\":1.50,\"a\\\"\":\"\\u003c b\"}");
    }
}
