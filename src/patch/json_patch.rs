//! RFC 6902 JSON patch as the API server applies it (`evanphx/json-patch` v4).
//!
//! The `json-patch` crate carries out the patches on which both agree. They differ in these points, which the code
//! below covers, together with the library's error texts:
//!
//! | | library | RFC and crate |
//! |---|---|---|
//! | `test` of numbers and texts | compares their spelling: `1` is not `1.0` | compares values |
//! | `test` of null on a missing field | succeeds | fails |
//! | `replace` of a missing field | adds it | fails |
//! | index `-1` | the last item | an error |
//! | the empty path | only `replace` and `test` | every operation |
//! | a path without leading slash | its first part is ignored | an error |
//! | `add` without value | adds null | cannot be read |

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::PatchError;
use super::lazy::{self, Node, Slot};
use crate::manifest;
use crate::object::{Value, go, json};

/// A decoded patch.
#[derive(Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
    /// The same patch for the crate, when the crate agrees with the library on it.
    plain: Option<json_patch::Patch>,
}

#[derive(Debug, Default)]
struct Operation {
    kind: Option<Value>,
    path: Option<Value>,
    from: Option<Value>,
    /// Nothing when the operation has no value at all.
    value: Option<Node>,
}

impl Operation {
    /// Reads an object; of a key that is given twice, the last value counts, and null is as good as missing, but for
    /// the value.
    fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let mut fields: BTreeMap<String, Option<Box<RawValue>>> = serde_json::from_str(text)?;
        let mut field = |key: &str| {
            let raw = fields.remove(key).flatten();
            raw.map(|raw| serde_json::from_str(raw.get())).transpose()
        };
        let (kind, path, from) = (field("op")?, field("path")?, field("from")?);
        let value = fields.remove("value");
        let value = value.map(|raw| raw.map_or(Node::Null, |raw| Node::Raw(Box::<RawValue>::into(raw))));
        Ok(Self { kind, path, from, value })
    }

    /// The name of the operation.
    fn kind(&self) -> &str {
        self.kind.as_ref().and_then(Value::as_str).unwrap_or("unknown")
    }

    /// The path, or the library's error.
    fn path(&self) -> Result<&str, String> {
        text_field(self.path.as_ref(), "operation missing path field: missing value")
    }

    /// The path that `move` and `copy` read from, or the library's error.
    fn from(&self) -> Result<&str, String> {
        text_field(self.from.as_ref(), "operation, missing from field: missing value")
    }
}

fn text_field<'a>(value: Option<&'a Value>, missing: &str) -> Result<&'a str, String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(cannot_unmarshal(other, "string")),
        None => Err(missing.to_owned()),
    }
}

fn cannot_unmarshal(value: &Value, go_type: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {go_type}", json::type_name(value))
}

/// Go's words for what is wrong with a JSON text.
fn syntax_error(text: &str) -> String {
    manifest::json_to_value(text).err().map_or_else(|| "unexpected end of JSON input".to_owned(), |e| e.to_string())
}

impl JsonPatch {
    /// Reads a patch (`DecodePatch`).
    ///
    /// # Errors
    /// [`PatchError::Decode`] when the text is no list of objects; a server answers with 400.
    pub fn decode(text: &str) -> Result<Self, PatchError> {
        let value: Value = serde_json::from_str(text).map_err(|_| PatchError::Decode(syntax_error(text)))?;
        let items: Vec<Option<Box<RawValue>>> = match &value {
            Value::Null => Vec::new(),
            Value::Array(_) => serde_json::from_str(text).map_err(|_| PatchError::Decode(syntax_error(text)))?,
            other => return Err(PatchError::Decode(cannot_unmarshal(other, "jsonpatch.Patch"))),
        };
        let mut operations = Vec::with_capacity(items.len());
        for (item, value) in items.into_iter().zip(value.as_array().into_iter().flatten()) {
            operations.push(match item {
                None => Operation::default(),
                Some(raw) if value.is_object() => {
                    Operation::decode(raw.get()).map_err(|e| PatchError::Decode(e.to_string()))?
                }
                Some(_) => return Err(PatchError::Decode(cannot_unmarshal(value, "jsonpatch.Operation"))),
            });
        }
        let plain = plain(text, &value, &operations);
        Ok(Self { operations, plain })
    }

    /// The number of operations; a server refuses more than 10,000.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies the patch to an object; on an error the object is as before.
    ///
    /// # Errors
    /// [`PatchError::Apply`] with the library's text; a server answers with 422.
    pub fn apply(&self, document: &mut Value) -> Result<(), PatchError> {
        if let Some(plain) = &self.plain
            && (document.is_object() || document.is_array())
            && json_patch::patch(document, plain).is_ok()
        {
            return Ok(());
        }
        let text = self.apply_text(&json::to_compact(document))?;
        *document = serde_json::from_str(&text).map_err(|e| PatchError::Apply(e.to_string()))?;
        Ok(())
    }

    /// Applies the patch to a text; what is not touched keeps its order and spelling (`Patch.Apply`).
    ///
    /// # Errors
    /// As [`JsonPatch::apply`], and when the document is no JSON object or list.
    pub fn apply_text(&self, document: &str) -> Result<String, PatchError> {
        if document.is_empty() {
            return Ok(String::new());
        }
        let mut root = Root::parse(document)?;
        for operation in &self.operations {
            root.carry_out(operation)?;
        }
        Ok(root.text())
    }
}

/// The patch for the crate: no path that the crate reads in another way, and no `test` of something that may be
/// spelled in several ways.
fn plain(text: &str, value: &Value, operations: &[Operation]) -> Option<json_patch::Patch> {
    let agrees = |(value, operation): (&Value, &Operation)| {
        let slash = |key: &str| value.get(key).and_then(Value::as_str).is_none_or(|path| path.starts_with('/'));
        let is_test = value.get("op").and_then(Value::as_str) == Some("test");
        slash("path") && slash("from") && (!is_test || has_one_spelling(value.get("value"), operation))
    };
    if !value.as_array()?.iter().zip(operations).all(agrees) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Whether an operation's value is a truth value, a whole number or a text in the spelling of [`json::to_compact`],
/// which documents have as well.
fn has_one_spelling(value: Option<&Value>, operation: &Operation) -> bool {
    let Some(value) = value else { return false };
    let simple = value.is_boolean() || value.is_i64() || value.is_u64() || value.is_string();
    simple && matches!(&operation.value, Some(Node::Raw(raw)) if raw.trim() == json::to_compact(value))
}

/// The document as a whole.
enum Root {
    Doc(BTreeMap<String, Slot>),
    Ary(Vec<Slot>),
    /// `null`, which reads like an empty object and cannot be written to.
    Null,
}

/// The object or list that holds what an operation is about.
enum Container<'a> {
    Doc(&'a mut BTreeMap<String, Slot>),
    Ary(&'a mut Vec<Slot>),
    Null,
}

fn failed(text: String) -> PatchError {
    PatchError::Apply(text)
}

impl Root {
    fn parse(text: &str) -> Result<Self, PatchError> {
        let list = text.starts_with('[');
        let parsed = if list { lazy::parse_ary(text).map(Self::Ary) } else { lazy::parse_doc(text).map(Self::Doc) };
        parsed.map_or_else(
            || match serde_json::from_str::<Value>(text) {
                Ok(Value::Null) => Ok(Self::Null),
                Ok(other) => Err(failed(cannot_unmarshal(&other, "jsonpatch.partialDoc"))),
                Err(_) => Err(failed(syntax_error(text))),
            },
            Ok,
        )
    }

    fn text(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Doc(fields) => lazy::write_doc(&mut out, fields),
            Self::Ary(items) => lazy::write_ary(&mut out, items),
            Self::Null => out.push_str("null"),
        }
        out
    }

    fn container(&mut self) -> Container<'_> {
        match self {
            Self::Doc(fields) => Container::Doc(fields),
            Self::Ary(items) => Container::Ary(items),
            Self::Null => Container::Null,
        }
    }

    /// The container and the key that a path leads to. What stands before the first slash is ignored.
    fn find(&mut self, path: &str) -> Option<(Container<'_>, String)> {
        let (_, path) = path.split_once('/')?;
        let (parents, key) = path.rsplit_once('/').map_or((None, path), |(parents, key)| (Some(parents), key));
        let mut container = self.container();
        for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
            container = container.into_child(&unescaped(part))?;
        }
        Some((container, unescaped(key)))
    }

    fn carry_out(&mut self, operation: &Operation) -> Result<(), PatchError> {
        match operation.kind() {
            "add" => self.add(operation),
            "remove" => self.remove(operation),
            "replace" => self.replace(operation),
            "move" => self.relocate(operation),
            "test" => self.test(operation),
            "copy" => self.copy(operation),
            other => Err(failed(format!("Unexpected kind: {other}"))),
        }
    }

    fn add(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let path = operation.path().map_err(|_| failed("add operation failed to decode path: missing value".into()))?;
        let (container, key) = self.find(path).ok_or_else(|| {
            failed(format!("add operation does not apply: doc is missing path: \"{path}\": missing value"))
        })?;
        container
            .add(&key, operation.value.clone())
            .map_err(|e| failed(format!("error in add for path: '{path}': {e}")))
    }

    fn remove(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let path =
            operation.path().map_err(|_| failed("remove operation failed to decode path: missing value".into()))?;
        let (container, key) = self.find(path).ok_or_else(|| {
            failed(format!("remove operation does not apply: doc is missing path: \"{path}\": missing value"))
        })?;
        container.remove(&key).map_err(|e| failed(format!("error in remove for path: '{path}': {e}"))).map(drop)
    }

    fn replace(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let path = operation.path().map_err(|e| failed(format!("replace operation failed to decode path: {e}")))?;
        if path.is_empty() {
            return self.replace_root(operation);
        }
        let (container, key) = self.find(path).ok_or_else(|| {
            failed(format!("replace operation does not apply: doc is missing path: {path}: missing value"))
        })?;
        container
            .set(&key, operation.value.clone())
            .map_err(|_| failed(format!("replace operation does not apply: doc is missing key: {path}: missing value")))
    }

    fn replace_root(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let mut value =
            operation.value.clone().ok_or(PatchError::Runtime("invalid memory address or nil pointer dereference"))?;
        *self = if let Some(fields) = value.as_doc() {
            Self::Doc(std::mem::take(fields))
        } else if let Some(items) = value.as_ary() {
            Self::Ary(std::mem::take(items))
        } else {
            return Err(failed("replace operation value must be object or array: %!w(<nil>)".into()));
        };
        Ok(())
    }

    fn relocate(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let from = operation.from().map_err(|e| failed(format!("move operation failed to decode from: {e}")))?;
        let (container, key) = self.find(from).ok_or_else(|| {
            failed(format!("move operation does not apply: doc is missing from path: {from}: missing value"))
        })?;
        let value = container.remove(&key).map_err(|e| failed(format!("error in move for path: '{key}': {e}")))?;
        let path = operation.path().map_err(|e| failed(format!("move operation failed to decode path: {e}")))?;
        let (container, key) = self.find(path).ok_or_else(|| {
            failed(format!("move operation does not apply: doc is missing destination path: {path}: missing value"))
        })?;
        container.add(&key, value).map_err(|e| failed(format!("error in move for path: '{path}': {e}")))
    }

    fn copy(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let from = operation.from().map_err(|e| failed(format!("copy operation failed to decode from: {e}")))?;
        let missing =
            || failed(format!("copy operation does not apply: doc is missing from path: {from}: missing value"));
        let (container, key) = self.find(from).ok_or_else(missing)?;
        container.get(&key).map_err(|e| failed(format!("error in copy for from: '{from}': {e}")))?;
        let path =
            operation.path().map_err(|_| failed("copy operation failed to decode path: missing value".into()))?;
        let nowhere =
            || failed(format!("copy operation does not apply: doc is missing destination path: {path}: missing value"));
        self.find(path).ok_or_else(nowhere)?;
        // Looking for the destination may take the source apart, and the copy is made of the text that it has then.
        let (container, key) = self.find(from).ok_or_else(missing)?;
        let value = container.get(&key).ok().flatten().and_then(|slot| slot.as_ref()).map(Node::copied);
        let (container, key) = self.find(path).ok_or_else(nowhere)?;
        container.add(&key, value).map_err(|e| failed(format!("error while adding value during copy: {e}")))
    }

    fn test(&mut self, operation: &Operation) -> Result<(), PatchError> {
        let path = operation.path().map_err(|e| failed(format!("test operation failed to decode path: {e}")))?;
        let differs = || failed(format!("testing value {path} failed: test failed"));
        let wanted = operation.value.clone();
        if path.is_empty() {
            let mut wanted = wanted.ok_or(PatchError::Runtime("invalid memory address or nil pointer dereference"))?;
            return if self.equal(&mut wanted)? { Ok(()) } else { Err(differs()) };
        }
        let (container, key) = self
            .find(path)
            .ok_or_else(|| failed(format!("test operation does not apply: is missing path: {path}: missing value")))?;
        let found = container.get(&key).map_err(|e| failed(format!("error in test for path: '{path}': {e}")))?;
        let equal = match (found.and_then(Option::as_mut), wanted) {
            (None, None | Some(Node::Null)) => true,
            (Some(found), Some(mut wanted)) => found.equal(&mut wanted)?,
            _ => false,
        };
        if equal { Ok(()) } else { Err(differs()) }
    }

    fn equal(&mut self, wanted: &mut Node) -> Result<bool, PatchError> {
        let mut node = match std::mem::replace(self, Self::Null) {
            Self::Doc(fields) => Node::Doc(fields),
            Self::Ary(items) => Node::Ary(items),
            Self::Null => return Node::Doc(BTreeMap::new()).equal(wanted),
        };
        let equal = node.equal(wanted);
        *self = match node {
            Node::Doc(fields) => Self::Doc(fields),
            Node::Ary(items) => Self::Ary(items),
            Node::Raw(_) | Node::Null => Self::Null,
        };
        equal
    }
}

/// A part of a JSON pointer: `~1` stands for a slash, `~0` for a tilde.
fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// An index as `strconv.Atoi` reads it.
fn index(key: &str) -> Result<i64, String> {
    let digits = key.strip_prefix(['+', '-']).unwrap_or(key);
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let problem = if valid { "value out of range" } else { "invalid syntax" };
    let error = || format!("strconv.Atoi: parsing {}: {problem}", go::quote(key));
    if valid { key.parse().map_err(|_| error()) } else { Err(error()) }
}

/// An index among `length` places; negative ones count from the end.
fn place(index: i64, length: usize) -> Result<usize, String> {
    let wanted = if index < 0 { index.checked_add_unsigned(length as u64) } else { Some(index) };
    wanted
        .and_then(|wanted| usize::try_from(wanted).ok())
        .filter(|wanted| *wanted < length)
        .ok_or_else(|| format!("Unable to access invalid index: {index}: invalid index referenced"))
}

const NIL_MAP: &str = "assignment to entry in nil map";

impl<'a> Container<'a> {
    /// What the key holds: nothing for a missing field.
    fn get(self, key: &str) -> Result<Option<&'a mut Slot>, String> {
        match self {
            Self::Doc(fields) => Ok(fields.get_mut(key)),
            Self::Ary(items) => {
                let at = place(index(key)?, items.len())?;
                Ok(items.get_mut(at))
            }
            Self::Null => Ok(None),
        }
    }

    fn into_child(self, key: &str) -> Option<Container<'a>> {
        let node = self.get(key).ok()??.as_mut()?;
        if node.as_ary().is_some() {
            return node.as_ary().map(Container::Ary);
        }
        node.as_doc().map(Container::Doc)
    }

    fn set(self, key: &str, value: Slot) -> Result<(), String> {
        match self {
            Self::Doc(fields) => {
                fields.insert(key.to_owned(), value);
            }
            Self::Null => return Err(NIL_MAP.to_owned()),
            items => {
                if let Some(slot) = items.get(key)? {
                    *slot = value;
                }
            }
        }
        Ok(())
    }

    fn add(self, key: &str, value: Slot) -> Result<(), String> {
        match self {
            Self::Doc(fields) => {
                fields.insert(key.to_owned(), value);
            }
            Self::Ary(items) if key == "-" => items.push(value),
            Self::Ary(items) => {
                let at = index(key).map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
                items.insert(place(at, items.len() + 1)?, value);
            }
            Self::Null => return Err(NIL_MAP.to_owned()),
        }
        Ok(())
    }

    fn remove(self, key: &str) -> Result<Slot, String> {
        match self {
            Self::Ary(items) => Ok(items.remove(place(index(key)?, items.len())?)),
            Self::Doc(fields) => {
                fields.remove(key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value"))
            }
            Self::Null => Err(format!("Unable to remove nonexistent key: {key}: missing value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied(document: Value, patch: &Value) -> Result<Value, String> {
        let patch = JsonPatch::decode(&patch.to_string()).map_err(|e| e.to_string())?;
        let mut result = document;
        patch.apply(&mut result).map_err(|e| e.to_string())?;
        Ok(result)
    }

    #[test]
    fn differences_from_the_rfc_are_those_of_the_library() {
        let document = json!({"a": [1, 2, 3], "n": null});
        let cases = [
            (json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1, 2], "n": null})),
            (json!([{"op": "replace", "path": "/new", "value": 1}]), json!({"a": [1, 2, 3], "n": null, "new": 1})),
            (json!([{"op": "add", "path": "x/new"}]), json!({"a": [1, 2, 3], "n": null, "new": null})),
            (json!([{"op": "test", "path": "/missing", "value": null}]), document.clone()),
        ];
        for (patch, want) in cases {
            assert_eq!(applied(document.clone(), &patch), Ok(want), "{patch}");
        }
        let different = json!([{"op": "test", "path": "/a/0", "value": 1.0}]);
        assert_eq!(applied(document, &different), Err("testing value /a/0 failed: test failed".to_owned()));
    }

    #[test]
    fn a_failed_patch_changes_nothing() {
        let mut document = json!({"a": 1});
        let text = r#"[{"op":"add","path":"/b","value":2},{"op":"remove","path":"/c"}]"#;
        assert!(JsonPatch::decode(text).is_ok_and(|patch| patch.apply(&mut document).is_err()));
        assert_eq!(document, json!({"a": 1}));
    }
}
