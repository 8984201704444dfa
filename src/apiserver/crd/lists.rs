//! Uniqueness in lists that are sets or maps by keys.

use std::collections::HashMap;

use serde_json::json;

use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Map, Value, json as go_json};

use super::props::Props;

/// Checks every set and every map in an object.
pub fn check(errors: &mut ErrorList, path: &Path, value: &Value, schema: &Props) {
    match value {
        Value::Object(map) => {
            if let Some(values) = schema.values() {
                map.iter().for_each(|(name, value)| check(errors, &path.key(name), value, values));
            }
            for (name, value) in map {
                if let Some(field) = schema.properties.get(name) {
                    check(errors, &path.child(name), value, field);
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type.as_deref() {
                Some("set") => duplicates(errors, path, items, items),
                Some("map") => keyed(errors, path, items, &schema.list_map_keys),
                _ => {}
            }
            if let Some(schema) = schema.item() {
                items.iter().enumerate().for_each(|(at, item)| check(errors, &path.index(at), item, schema));
            }
        }
        _ => {}
    }
}

/// Complains once of each value that comes again, at the place of its second appearance.
fn duplicates(errors: &mut ErrorList, path: &Path, values: &[Value], shown: &[Value]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (at, value) in values.iter().enumerate() {
        let times = seen.entry(go_json::to_compact(value)).or_default();
        *times += 1;
        if *times == 2 {
            errors.push(Error::duplicate(&path.index(at), shown.get(at).cloned().unwrap_or_default()));
        }
    }
}

fn keyed(errors: &mut ErrorList, path: &Path, items: &[Value], keys: &[String]) {
    for (at, item) in items.iter().enumerate() {
        if !item.is_object() && !item.is_null() {
            errors.push(Error::invalid(
                &path.index(at),
                item.clone(),
                "must be an object for an array of list-type map",
            ));
            return;
        }
    }
    let key_of = |item: &Value| -> Value {
        let present = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        json!(present.collect::<Map<String, Value>>())
    };
    let found: Vec<Value> = items.iter().map(key_of).collect();
    duplicates(errors, path, &found, &found);
}
