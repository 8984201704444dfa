//! The wire form of field sets (`FieldsV1`).

use super::set::{FieldSet, PathElement};
use crate::object::{Map, Value, json};

/// Why a text is no field set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text, or a part of it, is no JSON object.
    #[error("a field set must be an object")]
    NotAnObject,
    /// A key is shorter than its prefix.
    #[error("key must be 2 characters long:")]
    TooShort,
    /// A key has no colon as its second character.
    #[error("missing colon: {0}")]
    MissingColon(String),
    /// What follows the prefix is malformed.
    #[error("malformed path element: {0}")]
    Malformed(String),
}

impl PathElement {
    /// The element as a key of `FieldsV1`: `f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`.
    pub fn to_key(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => {
                let mut out = String::from("k:{");
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    json::write_string(&mut out, name);
                    out.push(':');
                    out.push_str(&json::to_compact(value));
                }
                out.push('}');
                out
            }
            Self::Value(value) => format!("v:{}", json::to_compact(value)),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads a key of `FieldsV1`; `None` for prefixes of unknown meaning, which readers drop.
    ///
    /// # Errors
    ///
    /// Keys without a prefix, malformed content.
    pub fn from_key(key: &str) -> Result<Option<Self>, ParseError> {
        let bytes = key.as_bytes();
        let (Some(prefix), Some(colon)) = (bytes.first(), bytes.get(1)) else { return Err(ParseError::TooShort) };
        if *colon != b':' {
            return Err(ParseError::MissingColon(key.into()));
        }
        let malformed = || ParseError::Malformed(key.into());
        let content = key.get(2..).ok_or_else(malformed)?;
        match prefix {
            b'f' => Ok(Some(Self::field(content))),
            b'v' => {
                let value: Value = serde_json::from_str(content).map_err(|_| malformed())?;
                Ok(Some(Self::Value(value.into())))
            }
            b'k' => {
                let fields: Map<String, Value> = serde_json::from_str(content).map_err(|_| malformed())?;
                let mut fields: Vec<_> = fields.into_iter().collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Ok(Some(Self::Key(fields.into())))
            }
            b'i' => content.parse().map(|index| Some(Self::Index(index))).map_err(|_| malformed()),
            _ => Ok(None),
        }
    }
}

impl FieldSet {
    /// Reads `fieldsV1`. Keys with an unknown prefix are dropped.
    ///
    /// # Errors
    ///
    /// Values that are no objects, malformed keys.
    pub fn from_value(value: &Value) -> Result<Self, ParseError> {
        read(value).map(|(set, _)| set.unwrap_or_default())
    }

    /// Reads the JSON text of `fieldsV1`.
    ///
    /// # Errors
    ///
    /// As [`FieldSet::from_value`], and for texts that are not JSON.
    pub fn from_json(text: &str) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_str(text).map_err(|_| ParseError::NotAnObject)?;
        Self::from_value(&value)
    }

    /// The set as `fieldsV1`.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_map(false))
    }

    fn to_map(&self, is_member: bool) -> Map<String, Value> {
        let mut map = Map::new();
        if is_member && !(self.members.is_empty() && self.children.is_empty()) {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for element in &self.members {
            map.insert(element.to_key(), Value::Object(Map::new()));
        }
        for (element, child) in &self.children {
            map.insert(element.to_key(), Value::Object(child.to_map(self.has_member(element))));
        }
        map
    }

    /// The exact bytes in which the reference writes the set: `.` first, then in the order of path elements.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, false);
        out
    }

    fn write_json(&self, out: &mut String, is_member: bool) {
        out.push('{');
        let start = out.len();
        if is_member && !(self.members.is_empty() && self.children.is_empty()) {
            out.push_str("\".\":{}");
        }
        let mut elements: Vec<&PathElement> =
            self.members.iter().chain(self.children.iter().map(|(element, _)| element)).collect();
        elements.sort();
        elements.dedup();
        for element in elements {
            if out.len() > start {
                out.push(',');
            }
            json::write_string(out, &element.to_key());
            out.push(':');
            match self.child(element) {
                Some(child) => child.write_json(out, self.has_member(element)),
                None => out.push_str("{}"),
            }
        }
        out.push('}');
    }
}

/// What lies below a node, and whether the node itself is a member.
fn read(value: &Value) -> Result<(Option<FieldSet>, bool), ParseError> {
    let empty = Map::new();
    let map = match value {
        Value::Object(map) => map,
        Value::Null => &empty,
        _ => return Err(ParseError::NotAnObject),
    };
    let mut is_member = false;
    let mut set: Option<FieldSet> = None;
    for (key, below) in map {
        if key == "." {
            is_member = true;
            continue;
        }
        let Some(element) = PathElement::from_key(key)? else { continue };
        let (child, child_is_member) = read(below)?;
        let set = set.get_or_insert_default();
        if child_is_member {
            set.insert_member(element.clone());
        }
        if let Some(child) = child {
            set.insert_child(element, child);
        }
    }
    is_member |= set.is_none();
    Ok((set, is_member))
}
