//! Empty lists and maps that a client sent although Go would not print them.
//!
//! Go keeps `[]` and nothing apart until an object is written, and messages show the difference: `Invalid value: []`
//! against `null`. Objects here are in the form that Go prints, so what was sent is kept beside them.

use serde_json::Map;

use crate::kinds::Schemas;
use crate::kinds::go_types::{GoKind, GoType, go_struct};
use crate::object::{GroupVersionKind, Value, meta};

/// One empty list or map: where it stood, as a JSON pointer, and which of the two it was.
pub type Empty = (String, Value);

/// The empty lists and maps of an object of a built-in kind that are left out when it is printed.
pub fn empties(gvk: &GroupVersionKind, sent: &Value) -> Vec<Empty> {
    let mut found = Vec::new();
    if let Some(definition) = Schemas::builtin().name_of_kind(gvk).filter(|name| go_struct(name).is_some()) {
        collect(sent, &GoType::of_definition(definition), &mut String::new(), &mut found);
    }
    found
}

/// Takes the empty lists and maps out of an object that [`put_back`] put in.
pub fn take_out(object: &mut Value) -> Vec<Empty> {
    let found = empties(&meta::gvk(object), object);
    for (pointer, _) in &found {
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(map)) = object.pointer_mut(parent) {
            map.remove(&unescaped(key));
        }
    }
    found
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

/// Puts empty lists and maps back where nothing else has come to stand.
pub fn put_back(object: &mut Value, empties: &[Empty]) {
    for (pointer, value) in empties {
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(map)) = object.pointer_mut(parent) {
            map.entry(unescaped(key)).or_insert_with(|| value.clone());
        }
    }
}

fn collect(value: &Value, type_: &GoType, place: &mut String, found: &mut Vec<Empty>) {
    match (type_.kind(), value) {
        // Types of the meta group other than metadata are printed with the names and rules of JSON everywhere.
        (GoKind::Struct(of), _) if of.definition.contains(".apimachinery.") && of.name() != "ObjectMeta" => {}
        (GoKind::Struct(of), Value::Object(map)) => {
            for (key, inner) in map {
                let Some(field) = of.field(key) else { continue };
                let type_ = GoType::of_field(of, field);
                let dropped = field.omit_empty && !type_.is_pointer() && is_empty(type_, inner);
                below(place, key, |place| match dropped {
                    true => found.push((place.clone(), inner.clone())),
                    false => collect(inner, type_, place, found),
                });
            }
        }
        (GoKind::List(item), Value::Array(items)) => {
            for (i, inner) in items.iter().enumerate() {
                below(place, &i.to_string(), |place| collect(inner, item, place, found));
            }
        }
        (GoKind::Map(item), Value::Object(map)) => entries(map, item, place, found),
        _ => {}
    }
}

fn entries(map: &Map<String, Value>, item: &GoType, place: &mut String, found: &mut Vec<Empty>) {
    for (key, inner) in map {
        below(place, key, |place| collect(inner, item, place, found));
    }
}

fn is_empty(type_: &GoType, value: &Value) -> bool {
    match (type_.kind(), value) {
        (GoKind::List(_), Value::Array(items)) => items.is_empty(),
        (GoKind::Map(_), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

/// Runs `inner` with the pointer extended by `key`, and restores it.
fn below(place: &mut String, key: &str, inner: impl FnOnce(&mut String)) {
    let length = place.len();
    place.push('/');
    place.push_str(&key.replace('~', "~0").replace('/', "~1"));
    inner(place);
    place.truncate(length);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_lists_and_maps_are_found_and_put_back() {
        let sent = json!({"spec": {"template": {"metadata": {"labels": {}}, "spec": {
            "containers": [], "volumes": [{"name": "a", "emptyDir": {}}], "tolerations": [],
        }}}});
        let mut found = empties(&GroupVersionKind::new("apps", "v1", "Deployment"), &sent);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        // Containers are always printed, and an empty struct behind a pointer is.
        let expected = [("/spec/template/metadata/labels", json!({})), ("/spec/template/spec/tolerations", json!([]))];
        assert_eq!(found, expected.map(|(pointer, value)| (pointer.to_owned(), value)));
        let mut object = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}});
        put_back(&mut object, &found);
        let expected = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"tolerations": []}}}});
        assert_eq!(object, expected);
    }
}
