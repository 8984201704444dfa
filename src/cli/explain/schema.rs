//! Schemas to explain: of a server's OpenAPI document, or the built-in ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::kinds::{Schemas, descriptions};
use crate::object::{GroupVersionKind, Value};

/// Definitions that refer to each other.
pub struct Definitions {
    /// Definitions of a server's document, by name; none for the built-in ones.
    served: Option<HashMap<String, Rc<Value>>>,
    read: RefCell<HashMap<String, Option<Rc<Value>>>>,
}

impl Definitions {
    /// The definitions of an OpenAPI v3 document.
    pub fn of_document(mut document: Value) -> Self {
        let schemas = document.pointer_mut("/components/schemas").map(Value::take);
        let served = match schemas {
            Some(Value::Object(schemas)) => schemas.into_iter().map(|(name, schema)| (name, Rc::new(schema))).collect(),
            _ => HashMap::new(),
        };
        Self { served: Some(served), read: RefCell::default() }
    }

    /// The built-in definitions.
    pub fn builtin() -> Self {
        Self { served: None, read: RefCell::default() }
    }

    fn named(&self, name: &str) -> Option<Rc<Value>> {
        if let Some(served) = &self.served {
            return served.get(name).cloned();
        }
        if let Some(found) = self.read.borrow().get(name) {
            return found.clone();
        }
        let schema = descriptions::described(name).map(Rc::new);
        self.read.borrow_mut().insert(name.to_owned(), schema.clone());
        schema
    }

    /// What the schema refers to, if it refers to anything that is there.
    pub fn resolve(&self, schema: &Value) -> Option<Rc<Value>> {
        self.named(name_of(reference(schema)?))
    }

    /// The schema that describes a kind.
    pub fn of_kind(&self, gvk: &GroupVersionKind) -> Option<Rc<Value>> {
        let Some(served) = &self.served else {
            return self.named(Schemas::builtin().name_of_kind(gvk)?);
        };
        let is_kind = |entry: &Value| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default();
            text("group") == gvk.group && text("version") == gvk.version && text("kind") == gvk.kind
        };
        let describes = |schema: &&Rc<Value>| {
            schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.iter().any(is_kind))
        };
        served.values().find(describes).cloned()
    }
}

/// What a schema refers to.
pub fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// The definition's name: the last part of a reference.
pub fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// A part that is itself a schema; `additionalProperties` may be a mere yes or no.
pub fn part<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get(name).filter(|part| part.is_object())
}

/// All alternatives of `allOf`.
pub fn all_of(schema: &Value) -> &[Value] {
    schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text of a field, or nothing.
pub fn text<'a>(schema: &'a Value, field: &str) -> &'a str {
    schema.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a field of that name must be there.
pub fn requires(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|other| other == name))
}
