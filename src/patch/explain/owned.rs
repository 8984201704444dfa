//! The part of an object that a manager owns.

use crate::object::{Map, Value};
use crate::patch::ssa::{FieldSet, PathElement};

/// The fields of `value` in `set`, with the maps and lists around them; nothing when there are none.
///
/// Of a list whose items tell no key that the set knows, nothing is taken.
pub fn part(value: &Value, set: &FieldSet) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let fields: Map<String, Value> = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), owned(value, set, &PathElement::field(key))?)))
                .collect();
            (!fields.is_empty()).then(|| fields.into())
        }
        Value::Array(items) => {
            let elements = set.elements();
            let items: Vec<Value> = items
                .iter()
                .filter_map(|item| {
                    let element = elements.iter().find(|element| is(element, item))?;
                    owned(item, set, element)
                })
                .collect();
            (!items.is_empty()).then(|| items.into())
        }
        _ => None,
    }
}

/// What stands at `element`: part of it where fields below are owned, all of it where it is owned itself.
fn owned(value: &Value, set: &FieldSet, element: &PathElement) -> Option<Value> {
    match set.child(element) {
        Some(below) => part(value, below),
        None => set.has_member(element).then(|| value.clone()),
    }
}

/// Whether a list's item is the one that an element of a path names.
fn is(element: &PathElement, item: &Value) -> bool {
    match element {
        PathElement::Key(fields) => fields.iter().all(|(name, value)| item.get(name) == Some(value)),
        PathElement::Value(value) => **value == *item,
        PathElement::Field(_) | PathElement::Index(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_owned_is_taken() {
        let set = FieldSet::from_value(&json!({
            "f:spec": {
                "f:replicas": {},
                "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:image": {}}},
                "f:args": {"v:\"x\"": {}},
            },
        }))
        .expect("a set of fields");
        let live = json!({"kind": "X", "spec": {
            "replicas": 2, "paused": true, "args": ["x", "y"],
            "containers": [{"name": "b", "image": "j"}, {"name": "a", "image": "i", "tty": true}],
        }});
        let owned = json!({"spec": {"replicas": 2, "args": ["x"], "containers": [{"name": "a", "image": "i"}]}});
        assert_eq!(part(&live, &set), Some(owned));
        assert_eq!(part(&live, &FieldSet::default()), None);
    }
}
