//! Accessors for the fields that every Kubernetes object shares.
//!
//! Readers never fail: a missing field, or one of another type, reads as empty. Writers create the
//! maps that they need.

use super::gvk::GroupVersionKind;
use super::{GroupVersion, Map, Value};

/// Annotation in which client-side apply keeps the manifest as last applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The value at `path`, going through maps only.
pub fn get<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// The text at `path`, or the empty string.
pub fn str_at<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    get(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at `path`, if it is one.
pub fn int_at(object: &Value, path: &[&str]) -> Option<i64> {
    get(object, path).and_then(Value::as_i64)
}

/// The boolean at `path`, false when absent.
pub fn bool_at(object: &Value, path: &[&str]) -> bool {
    get(object, path).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at `path`, empty when absent.
pub fn list_at<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    get(object, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The map at `path`, if there is one.
pub fn map_at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    get(object, path).and_then(Value::as_object)
}

/// The map at `path`, made where it is missing; whatever stands in the way is replaced by a map.
pub fn map_mut<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut value = object;
    for key in path {
        value = ensure_map(value).entry((*key).to_owned()).or_insert(Value::Null);
    }
    ensure_map(value)
}

/// Sets the value at `path`, making maps on the way. An empty path replaces the whole.
pub fn set(object: &mut Value, path: &[&str], new: impl Into<Value>) {
    match path.split_last() {
        None => *object = new.into(),
        Some((last, parents)) => {
            map_mut(object, parents).insert((*last).to_owned(), new.into());
        }
    }
}

/// Removes the value at `path` and returns it; parents stay, even when they become empty.
pub fn remove(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut value = object;
    for key in parents {
        value = value.get_mut(key)?;
    }
    value.as_object_mut()?.remove(*last)
}

fn ensure_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("just made a map"),
    }
}

/// `apiVersion`.
pub fn api_version(object: &Value) -> &str {
    str_at(object, &["apiVersion"])
}

/// `kind`.
pub fn kind(object: &Value) -> &str {
    str_at(object, &["kind"])
}

/// Group, version and kind; a malformed `apiVersion` counts as a version of the core group.
pub fn gvk(object: &Value) -> GroupVersionKind {
    GroupVersion::parse(api_version(object))
        .unwrap_or_else(|| GroupVersion::new("", api_version(object)))
        .with_kind(kind(object))
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    str_at(object, &["metadata", "name"])
}

/// `metadata.generateName`.
pub fn generate_name(object: &Value) -> &str {
    str_at(object, &["metadata", "generateName"])
}

/// `metadata.namespace`.
pub fn namespace(object: &Value) -> &str {
    str_at(object, &["metadata", "namespace"])
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    str_at(object, &["metadata", "uid"])
}

/// `metadata.resourceVersion`, as the opaque text that it is.
pub fn resource_version(object: &Value) -> &str {
    str_at(object, &["metadata", "resourceVersion"])
}

/// `metadata.generation`, 0 when absent.
pub fn generation(object: &Value) -> i64 {
    int_at(object, &["metadata", "generation"]).unwrap_or_default()
}

/// `metadata.deletionTimestamp`, if the object is being deleted.
pub fn deletion_timestamp(object: &Value) -> Option<&str> {
    get(object, &["metadata", "deletionTimestamp"]).and_then(Value::as_str)
}

/// The value of one label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(object, &["metadata", "labels", key]).and_then(Value::as_str)
}

/// The value of one annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(object, &["metadata", "annotations", key]).and_then(Value::as_str)
}

/// All labels whose values are text, in key order.
pub fn labels(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    texts(map_at(object, &["metadata", "labels"]))
}

/// All annotations whose values are text, in key order.
pub fn annotations(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    texts(map_at(object, &["metadata", "annotations"]))
}

/// The entries of a map whose values are text.
pub fn texts(map: Option<&Map<String, Value>>) -> impl Iterator<Item = (&str, &str)> {
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// `metadata.finalizers` as texts.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list_at(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str)
}

/// `metadata.ownerReferences`.
pub fn owner_references(object: &Value) -> &[Value] {
    list_at(object, &["metadata", "ownerReferences"])
}

/// The owner reference with `controller: true`, if any.
pub fn controller_of(object: &Value) -> Option<&Value> {
    owner_references(object).iter().find(|owner| bool_at(owner, &["controller"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn set_makes_maps_and_replaces_what_is_in_the_way() {
        let mut object = json!({"spec": 3});
        set(&mut object, &["spec", "template", "name"], "a");
        assert_eq!(object, json!({"spec": {"template": {"name": "a"}}}));
        assert_eq!(remove(&mut object, &["spec", "template", "name"]), Some(json!("a")));
        assert_eq!(object, json!({"spec": {"template": {}}}));
    }
}
