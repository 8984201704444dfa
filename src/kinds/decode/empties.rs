//! Empty lists and maps that a client sent although Go would not print them.
//!
//! Go keeps `[]` and nothing apart until an object is written, and messages show the difference: `Invalid value: []`
//! against `null`. Objects here are in the form that Go prints, so what was sent is kept beside them.

use serde_json::Map;

use crate::kinds::Schemas;
use crate::kinds::go_types::{GoKind, GoStruct, GoType, go_struct};
use crate::object::{GroupVersionKind, Value, meta};

/// One empty list or map.
#[derive(Clone, Debug, PartialEq)]
pub struct Empty {
    /// Where it stood, as a JSON pointer.
    pub pointer: String,
    /// `[]` or `{}`.
    pub value: Value,
    /// Whether messages show it. They do not within types of the meta group, such as label selectors: these are
    /// printed with the names and rules of JSON everywhere.
    pub shown: bool,
}

/// The empty lists and maps of an object of a built-in kind that are left out when it is printed.
pub fn empties(gvk: &GroupVersionKind, sent: &Value) -> Vec<Empty> {
    let mut found = Vec::new();
    if let Some(definition) = Schemas::builtin().name_of_kind(gvk).filter(|name| go_struct(name).is_some()) {
        let mut collector = Collector { place: String::new(), shown: true, found: &mut found };
        collector.collect(sent, &GoType::of_definition(definition));
    }
    found
}

/// Takes the empty lists and maps out of an object that [`put_back`] put in.
pub fn take_out(object: &mut Value) -> Vec<Empty> {
    let found = empties(&meta::gvk(object), object);
    for empty in &found {
        let Some((parent, key)) = empty.pointer.rsplit_once('/') else { continue };
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
pub fn put_back<'a>(object: &mut Value, empties: impl IntoIterator<Item = &'a Empty>) {
    for empty in empties {
        let Some((parent, key)) = empty.pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(map)) = object.pointer_mut(parent) {
            map.entry(unescaped(key)).or_insert_with(|| empty.value.clone());
        }
    }
}

struct Collector<'a> {
    place: String,
    shown: bool,
    found: &'a mut Vec<Empty>,
}

impl Collector<'_> {
    fn collect(&mut self, value: &Value, type_: &GoType) {
        match (type_.kind(), value) {
            (GoKind::Struct(of), Value::Object(map)) => {
                let outer = self.shown;
                self.shown &= !of.definition.contains(".apimachinery.") || of.name() == "ObjectMeta";
                self.fields(map, of);
                self.shown = outer;
            }
            (GoKind::List(item), Value::Array(items)) => {
                for (i, inner) in items.iter().enumerate() {
                    self.below(&i.to_string(), |collector| collector.collect(inner, item));
                }
            }
            (GoKind::Map(item), Value::Object(map)) => {
                for (key, inner) in map {
                    self.below(key, |collector| collector.collect(inner, item));
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, map: &Map<String, Value>, of: &'static GoStruct) {
        for (key, inner) in map {
            let Some(field) = of.field(key) else { continue };
            let type_ = GoType::of_field(of, field);
            let dropped = field.omit_empty && !type_.is_pointer() && is_empty(type_, inner);
            self.below(key, |collector| match dropped {
                true => {
                    let (pointer, shown) = (collector.place.clone(), collector.shown);
                    collector.found.push(Empty { pointer, value: inner.clone(), shown });
                }
                false => collector.collect(inner, type_),
            });
        }
    }

    /// Runs `inner` with the pointer extended by `key`, and restores it.
    fn below(&mut self, key: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place.push('/');
        self.place.push_str(&key.replace('~', "~0").replace('/', "~1"));
        inner(self);
        self.place.truncate(length);
    }
}

fn is_empty(type_: &GoType, value: &Value) -> bool {
    match (type_.kind(), value) {
        (GoKind::List(_), Value::Array(items)) => items.is_empty(),
        (GoKind::Map(_), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_lists_and_maps_are_found_and_put_back() {
        let sent = json!({"spec": {"template": {"metadata": {"labels": {}}, "spec": {
            "containers": [], "volumes": [{"name": "a", "emptyDir": {}}], "tolerations": [],
        }}, "selector": {"matchLabels": {}}}});
        let mut found = empties(&GroupVersionKind::new("apps", "v1", "Deployment"), &sent);
        found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        // Containers are always printed, and an empty struct behind a pointer is.
        let expected = [
            ("/spec/selector/matchLabels", json!({}), false),
            ("/spec/template/metadata/labels", json!({}), true),
            ("/spec/template/spec/tolerations", json!([]), true),
        ];
        assert_eq!(found, expected.map(|(pointer, value, shown)| Empty { pointer: pointer.into(), value, shown }));
        let mut object = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}});
        put_back(&mut object, found.iter().filter(|empty| empty.shown));
        let expected = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"tolerations": []}}}});
        assert_eq!(object, expected);
    }
}
