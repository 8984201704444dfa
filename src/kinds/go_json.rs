//! JSON of built-in objects in the order in which Go's structs declare their fields, as typed clients print it:
//! `kind`, `apiVersion`, `metadata` with the name first.

use serde_json::{Map, Value};

use super::Schemas;
use super::go_types::{GoKind, GoType, go_struct};
use crate::object::{GroupVersionKind, json, meta};

/// An object as Go's `encoding/json` writes the struct of its kind: indented when `indent` is given, else in one
/// line; objects of kinds that are not built in have their keys sorted.
pub fn to_json(object: &Value, indent: Option<&str>) -> String {
    let type_ = type_of(&meta::gvk(object));
    let mut writer = Writer { out: String::new(), indent };
    match object {
        Value::Object(list) if type_.is_none() && is_list(object) => writer.list(list, item_type_of(object).as_ref()),
        _ => writer.value(object, type_.as_ref(), 0),
    }
    writer.out
}

/// Whether an object is a list of a built-in kind, or one of objects of any kinds.
fn is_list(object: &Value) -> bool {
    let mixed = meta::kind(object) == "List" && meta::api_version(object) == "v1";
    object.get("items").is_some_and(Value::is_array) && (mixed || item_type_of(object).is_some())
}

/// The type of the items of a list of a built-in kind.
fn item_type_of(list: &Value) -> Option<GoType> {
    let mut gvk = meta::gvk(list);
    gvk.kind = gvk.kind.strip_suffix("List")?.to_owned();
    type_of(&gvk)
}

/// The type of the objects of a built-in kind.
fn type_of(gvk: &GroupVersionKind) -> Option<GoType> {
    let definition = Schemas::builtin().name_of_kind(gvk);
    definition.filter(|name| go_struct(name).is_some()).map(GoType::of_definition)
}

/// The fields of a map of that type as Go declares them; others follow by name.
fn members<'a, 't>(
    map: &'a Map<String, Value>,
    type_: Option<&'t GoType>,
) -> Vec<(&'a str, &'a Value, Option<&'t GoType>)> {
    let by_name = |inner: Option<&'t GoType>| move |(key, value): (&'a String, &'a Value)| (key.as_str(), value, inner);
    match type_.map(GoType::kind) {
        Some(GoKind::Struct(of)) => {
            let declared = of.fields.iter().filter_map(|field| {
                let (key, value) = map.get_key_value(field.json)?;
                Some((key.as_str(), value, Some(GoType::of_field(of, field))))
            });
            let unknown = map.iter().filter(|(key, _)| of.field(key).is_none()).map(by_name(None));
            declared.chain(unknown).collect()
        }
        Some(GoKind::Map(inner)) => map.iter().map(by_name(Some(inner))).collect(),
        _ => map.iter().map(by_name(None)).collect(),
    }
}

/// The type of the items of a list of that type.
fn item_type(type_: &GoType) -> Option<&GoType> {
    match type_.kind() {
        GoKind::List(inner) => Some(inner),
        _ => None,
    }
}

/// The order in which Go declares the fields of a type, for writers of other forms than JSON.
pub struct Declared(GoType);

impl Declared {
    /// The order for an object of a built-in kind.
    pub fn of(object: &Value) -> Option<Self> {
        type_of(&meta::gvk(object)).map(Self)
    }

    /// The fields of a map in their order, each with the order of its own fields.
    pub fn fields<'a>(&self, map: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value, Option<Self>)> {
        let fields = members(map, Some(&self.0)).into_iter();
        fields.map(|(key, value, type_)| (key, value, type_.cloned().map(Self))).collect()
    }

    /// The order in the items of a list.
    pub fn items(&self) -> Option<Self> {
        item_type(&self.0).cloned().map(Self)
    }
}

struct Writer<'a> {
    out: String,
    indent: Option<&'a str>,
}

impl Writer<'_> {
    fn newline(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(indent, depth));
        }
    }

    fn value(&mut self, value: &Value, type_: Option<&GoType>, depth: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => self.object(map, type_, depth),
            Value::Array(items) => self.array(items, type_.and_then(item_type), depth),
            other => self.out.push_str(&json::to_compact(other)),
        }
    }

    fn array(&mut self, items: &[Value], type_: Option<&GoType>, depth: usize) {
        self.out.push('[');
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            self.newline(depth + 1);
            self.value(item, type_, depth + 1);
        }
        if !items.is_empty() {
            self.newline(depth);
        }
        self.out.push(']');
    }

    fn key(&mut self, key: &str, first: bool, depth: usize) {
        if !first {
            self.out.push(',');
        }
        self.newline(depth);
        json::write_string(&mut self.out, key);
        self.out.push_str(if self.indent.is_some() { ": " } else { ":" });
    }

    fn object(&mut self, map: &Map<String, Value>, type_: Option<&GoType>, depth: usize) {
        self.out.push('{');
        for (position, (key, value, type_)) in members(map, type_).into_iter().enumerate() {
            self.key(key, position == 0, depth + 1);
            self.value(value, type_, depth + 1);
        }
        self.newline(depth);
        self.out.push('}');
    }

    /// A list of objects, of one type or of any.
    fn list(&mut self, list: &Map<String, Value>, type_: Option<&GoType>) {
        self.out.push('{');
        let fields = ["kind", "apiVersion", "metadata", "items"].into_iter();
        for (position, (key, value)) in fields.filter_map(|key| Some((key, list.get(key)?))).enumerate() {
            self.key(key, position == 0, 1);
            match value {
                Value::Array(items) => self.array(items, type_, 1),
                other => self.value(other, None, 1),
            }
        }
        self.newline(0);
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_stand_as_declared() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"b": "1", "a": "2"},
            "name": "web"}, "spec": {"template": {"spec": {"containers": [{"image": "i", "name": "n"}]}}, "replicas": 1}});
        assert_eq!(
            to_json(&object, None),
            r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","labels":{"a":"2","b":"1"}},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"n","image":"i"}]}}}}"#
        );
        let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"},
            "items": [{"spec": {}, "metadata": {"namespace": "n", "name": "p"}}]});
        assert_eq!(
            to_json(&list, None),
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"p","namespace":"n"},"spec":{}}]}"#
        );
        let empty = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": []});
        assert_eq!(
            to_json(&empty, Some("  ")),
            "{\n  \"kind\": \"PodList\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n  \"items\": []\n}"
        );
        let unknown = json!({"kind": "Thing", "apiVersion": "x/v1", "spec": {}});
        assert_eq!(
            to_json(&unknown, Some("  ")),
            "{\n  \"apiVersion\": \"x/v1\",\n  \"kind\": \"Thing\",\n  \"spec\": {}\n}"
        );
    }
}
