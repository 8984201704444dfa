//! RFC 7386 merge patch, and the three-way merge that `kubectl apply` uses for custom resources
//! (`k8s.io/apimachinery/pkg/util/jsonmergepatch` over `evanphx/json-patch` v4).

use std::collections::BTreeMap;

use super::lazy::{self, Node, Slot};
use super::{Conflict, PatchError, Precondition, fields};
use crate::object::{Map, Value};

/// Applies an RFC 7386 merge patch as the API server does.
///
/// The `json-patch` crate does the merging; where the library differs from the RFC, the patch is prepared before:
/// nulls inside of lists are dropped wherever the list does not replace a map.
///
/// # Errors
/// When the document is null, or the patch is neither an object nor a list.
pub fn apply(document: &mut Value, mut patch: Value) -> Result<(), PatchError> {
    if document.is_null() {
        return Err(PatchError::MergeDocument);
    }
    match patch {
        Value::Object(_) => {
            drop_nulls_in_lists(Some(document), &mut patch);
            json_patch::merge(document, &patch);
        }
        Value::Array(_) => {
            prune(&mut patch);
            *document = patch;
        }
        _ => return Err(PatchError::MergePatch),
    }
    Ok(())
}

/// Applies an RFC 7386 merge patch to a text: what is not touched keeps its order and spelling (`MergePatch`).
///
/// # Errors
/// As [`apply`], and when one of the texts is no JSON.
pub fn apply_text(document: &str, patch: &str) -> Result<String, PatchError> {
    let (document, patch) = (Text::parse(document), Text::parse(patch));
    let mut out = String::new();
    match (document, patch) {
        (Text::Broken | Text::Null, _) => return Err(PatchError::MergeDocument),
        (_, Text::Broken | Text::Null | Text::Scalar) => return Err(PatchError::MergePatch),
        (_, Text::List(mut items)) => {
            items.iter_mut().flatten().for_each(Node::prune);
            lazy::write_ary(&mut out, &items);
        }
        (Text::Object(mut fields), Text::Object(patch)) => {
            merge_text(&mut fields, patch);
            lazy::write_doc(&mut out, &fields);
        }
        (_, Text::Object(mut patch)) => {
            lazy::prune_fields(&mut patch);
            lazy::write_doc(&mut out, &patch);
        }
    }
    Ok(out)
}

/// A document or a patch as text.
enum Text {
    Object(BTreeMap<String, Slot>),
    List(Vec<Slot>),
    Scalar,
    Null,
    Broken,
}

impl Text {
    fn parse(text: &str) -> Self {
        if let Some(fields) = lazy::parse_doc(text) {
            return Self::Object(fields);
        }
        if let Some(items) = lazy::parse_ary(text) {
            return Self::List(items);
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Null) => Self::Null,
            Ok(_) => Self::Scalar,
            Err(_) => Self::Broken,
        }
    }
}

fn merge_text(fields: &mut BTreeMap<String, Slot>, patch: BTreeMap<String, Slot>) {
    for (key, value) in patch {
        let Some(mut value) = value else {
            fields.remove(&key);
            continue;
        };
        match fields.get_mut(&key).and_then(Option::as_mut).and_then(Node::as_doc) {
            Some(inner) => match value.as_doc() {
                Some(patch) => merge_text(inner, std::mem::take(patch)),
                None => {
                    fields.insert(key, Some(value));
                }
            },
            None => {
                value.prune();
                fields.insert(key, Some(value));
            }
        }
    }
}

/// Drops nulls in the lists that `patch` puts where the document has no map.
fn drop_nulls_in_lists(document: Option<&Value>, patch: &mut Value) {
    match patch {
        Value::Object(fields) => {
            for (key, value) in fields {
                drop_nulls_in_lists(document.and_then(|document| document.get(key)), value);
            }
        }
        Value::Array(_) if !document.is_some_and(Value::is_object) => prune(patch),
        _ => {}
    }
}

/// Drops every field that is null; null items of lists stay.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// The merge patch that brings `current` to `modified` and removes what was in `original` and is no longer in
/// `modified` (`CreateThreeWayJSONMergePatch`). Null counts as an empty document.
///
/// Numbers pass through a 64-bit float, as in the library.
///
/// # Errors
/// When a document is no object, or when the patch breaks a precondition.
pub fn three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    preconditions: &[Precondition<'_>],
) -> Result<Value, PatchError> {
    let (original, modified, current) = (fields(original), fields(modified), fields(current));
    let bad = || PatchError::MergeDocument;
    let (original, modified, current) =
        (original.ok_or_else(bad)?, modified.ok_or_else(bad)?, current.ok_or_else(bad)?);
    let additions = without_nulls(diff(current, modified));
    let deletions = only_nulls(diff(original, modified));
    if has_conflicts(&additions, &deletions) {
        let (patch, changes) = (Value::Object(additions), Value::Object(deletions));
        return Err(PatchError::Conflict(Box::new(Conflict { patch, changes })));
    }
    let mut patch = deletions;
    add(&mut patch, additions);
    Precondition::check(preconditions, &patch)?;
    Ok(Value::Object(patch))
}

/// The merge patch from `old` to `new` (`CreateMergePatch`); what is no object counts as an empty one.
pub fn two_way(old: &Value, new: &Value) -> Value {
    let none = Map::new();
    Value::Object(diff(fields(old).unwrap_or(&none), fields(new).unwrap_or(&none)))
}

/// The merge patch from `old` to `new`.
fn diff(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, value) in new {
        match (old.get(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = diff(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(old), new) if same(old, new) => {}
            _ => {
                patch.insert(key.clone(), through_float(value));
            }
        }
    }
    patch.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    patch
}

/// Equality with numbers as floats.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The value with every number rounded to a float and, where that is whole and small enough, read back as an integer.
fn through_float(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < i64::MAX as f64 => Value::from(float as i64),
            Some(float) => Value::from(float),
            None => value.clone(),
        },
        Value::Array(list) => list.iter().map(through_float).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), through_float(value))).collect())
        }
        other => other.clone(),
    }
}

/// Additions and changes only. A map that is empty in the manifest is a value; one that becomes empty is not.
fn without_nulls(patch: Map<String, Value>) -> Map<String, Value> {
    let keep = |(key, value)| match value {
        Value::Null => None,
        Value::Object(map) if !map.is_empty() => {
            let inner = without_nulls(map);
            (!inner.is_empty()).then_some((key, Value::Object(inner)))
        }
        value => Some((key, value)),
    };
    patch.into_iter().filter_map(keep).collect()
}

/// Deletions only.
fn only_nulls(patch: Map<String, Value>) -> Map<String, Value> {
    let keep = |(key, value)| match value {
        Value::Null => Some((key, Value::Null)),
        Value::Object(map) => {
            let inner = only_nulls(map);
            (!inner.is_empty()).then_some((key, Value::Object(inner)))
        }
        _ => None,
    };
    patch.into_iter().filter_map(keep).collect()
}

fn has_conflicts(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    left.iter().any(|(key, left)| match (left, right.get(key)) {
        (_, None) => false,
        (Value::Object(left), Some(Value::Object(right))) => has_conflicts(left, right),
        (left, Some(right)) => left != right,
    })
}

/// Merges additions into deletions; nulls in added lists are dropped as in [`apply`].
fn add(patch: &mut Map<String, Value>, additions: Map<String, Value>) {
    for (key, mut value) in additions {
        match (patch.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => add(inner, value),
            (_, added) => {
                value = added;
                prune(&mut value);
                patch.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_lose_nulls_unless_they_replace_a_map() {
        let mut document = json!({"a": 1, "m": {"x": 1}});
        apply(&mut document, json!({"a": [{"n": null, "k": 1}, null], "m": [{"n": null}], "z": {"n": null}})).unwrap();
        assert_eq!(document, json!({"a": [{"k": 1}, null], "m": [{"n": null}], "z": {}}));
    }

    #[test]
    fn what_nobody_removed_stays() {
        let (last, live) = (json!({"spec": {"a": 1, "b": 2}}), json!({"spec": {"a": 1, "b": 2, "c": 3}, "status": {}}));
        let patch = three_way(&last, &json!({"spec": {"a": 5}}), &live, &[]).unwrap();
        assert_eq!(patch, json!({"spec": {"a": 5, "b": null}}));
    }
}
