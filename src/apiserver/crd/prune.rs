//! Removal of fields that a structural schema does not name.

use crate::object::{Map, Value};

use super::props::Props;

/// Fields that every object has, schema or not.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What pruning is doing: where it is, and what it took away.
#[derive(Default)]
struct Pruner {
    path: String,
    unknown: Vec<String>,
}

/// Prunes an object at its root; gives back the paths of what went, sorted.
pub fn prune(object: &mut Value, schema: &Props) -> Vec<String> {
    let mut pruner = Pruner::default();
    pruner.value(object, Some(schema), true);
    pruner.unknown.sort();
    pruner.unknown
}

/// Prunes a value that is no object of its own, such as a default.
pub fn prune_value(value: &mut Value, schema: &Props) {
    Pruner::default().value(value, Some(schema), false);
}

impl Pruner {
    fn within(&mut self, part: &str, run: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !part.starts_with('[') && length > 0 {
            self.path.push('.');
        }
        self.path.push_str(part);
        run(self);
        self.path.truncate(length);
    }

    fn note(&mut self, name: &str) {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        self.unknown.push(path);
    }

    fn value(&mut self, value: &mut Value, schema: Option<&Props>, root: bool) {
        if schema.is_some_and(Props::preserves) {
            return self.preserved(value, schema, root);
        }
        match value {
            Value::Object(map) => self.object(map, schema, root),
            Value::Array(items) => {
                let schema = schema.and_then(Props::item);
                for (at, item) in items.iter_mut().enumerate() {
                    self.within(&format!("[{at}]"), |pruner| pruner.value(item, schema, false));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: Option<&Props>, root: bool) {
        let Some(schema) = schema else {
            map.keys().for_each(|name| self.note(name));
            map.clear();
            return;
        };
        let resource = root || schema.embedded_resource;
        let mut gone = Vec::new();
        for (name, value) in map.iter_mut() {
            let known = (resource && META.contains(&name.as_str())) || self.named(name, value, schema);
            if !known {
                if !META.contains(&name.as_str()) || !self.path.is_empty() {
                    self.note(name);
                }
                gone.push(name.clone());
            }
        }
        gone.iter().for_each(|name| drop(map.remove(name)));
    }

    /// Goes into a field of which the schema knows; whether it does.
    fn named(&mut self, name: &str, value: &mut Value, schema: &Props) -> bool {
        let below = match schema.properties.get(name) {
            Some(field) => Some(field),
            None if schema.additional_properties.is_some() => schema.values(),
            None => return false,
        };
        self.within(name, |pruner| pruner.value(value, below, false));
        true
    }

    /// Below a value whose unknown fields stay, named ones are still looked into.
    fn preserved(&mut self, value: &mut Value, schema: Option<&Props>, root: bool) {
        let Some(schema) = schema else { return };
        match value {
            Value::Object(map) => {
                let resource = root || schema.embedded_resource;
                for (name, value) in map.iter_mut() {
                    if !(resource && META.contains(&name.as_str())) {
                        self.named(name, value, schema);
                    }
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.within(&format!("[{at}]"), |pruner| pruner.preserved(item, schema.item(), false));
                }
            }
            _ => {}
        }
    }
}

/// Fills in defaults, and puts them in the place of nulls that are not allowed; other such nulls of named fields go.
pub fn default(value: &mut Value, schema: &Props) {
    drop_nulls(value, schema);
    fill(value, schema);
}

fn forbidden_null(value: &Value, schema: &Props) -> bool {
    value.is_null() && !schema.nullable
}

fn fill(value: &mut Value, schema: &Props) {
    match value {
        Value::Object(map) => {
            for (name, field) in &schema.properties {
                let Some(default) = &field.default else { continue };
                if map.get(name).is_none_or(|value| forbidden_null(value, field)) {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                let Some(field) = schema.field(name) else { continue };
                if !schema.properties.contains_key(name) {
                    replace_null(value, field);
                }
                fill(value, field);
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.item() else { return };
            for item in items {
                replace_null(item, schema);
                fill(item, schema);
            }
        }
        _ => {}
    }
}

fn replace_null(value: &mut Value, schema: &Props) {
    if let Some(default) = schema.default.as_ref().filter(|_| forbidden_null(value, schema)) {
        *value = default.clone();
    }
}

/// `PruneNonNullableNullsWithoutDefaults`.
fn drop_nulls(value: &mut Value, schema: &Props) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                schema.field(name).is_none_or(|field| !forbidden_null(value, field) || field.default.is_some())
            });
            for (name, value) in map.iter_mut() {
                if let Some(field) = schema.field(name) {
                    drop_nulls(value, field);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.item() {
                items.iter_mut().for_each(|item| drop_nulls(item, schema));
            }
        }
        _ => {}
    }
}
