//! Whether two patches change the same field in different ways (`MergingMapsHaveConflicts`).

use super::lists::{self, Items};
use super::{DIRECTIVE, RETAIN_KEYS};
use crate::object::{Map, Value, go};
use crate::patch::meta::{PatchField, PatchSchema};
use crate::patch::{PatchError, gofmt};

/// Whether `left` and `right` disagree.
pub(super) fn maps(
    left: &Map<String, Value>,
    right: &Map<String, Value>,
    schema: PatchSchema<'_>,
) -> Result<bool, PatchError> {
    if let Some(conflict) = directives(left, right)? {
        return Ok(conflict);
    }
    for (key, value) in left.iter().filter(|(key, _)| *key != DIRECTIVE && *key != RETAIN_KEYS) {
        let Some(other) = right.get(key) else { continue };
        let conflict = match value {
            Value::Array(list) => {
                let field = schema.list(key)?;
                other.as_array().map_or(Ok(true), |other| slices(list, other, field))?
            }
            Value::Object(map) => {
                let field = schema.field(key)?;
                other.as_object().map_or(Ok(true), |other| map_field(map, other, field))?
            }
            scalar => scalar != other,
        };
        if conflict {
            return Ok(true);
        }
    }
    Ok(false)
}

fn map_field(left: &Map<String, Value>, right: &Map<String, Value>, field: PatchField<'_>) -> Result<bool, PatchError> {
    match directives(left, right)? {
        Some(conflict) => Ok(conflict),
        None if field.replaces() => Ok(false),
        None => maps(left, right, field.schema),
    }
}

/// A directive works on the whole map: two different ones, or one against changes of single fields, conflict.
fn directives(left: &Map<String, Value>, right: &Map<String, Value>) -> Result<Option<bool>, PatchError> {
    match (left.get(DIRECTIVE), right.get(DIRECTIVE)) {
        (None, None) => Ok(None),
        (Some(left), Some(right)) => Ok(if gofmt::equal(left, right)? { None } else { Some(true) }),
        _ => Ok(Some(true)),
    }
}

fn slices(left: &[Value], right: &[Value], field: PatchField<'_>) -> Result<bool, PatchError> {
    let items = lists::items_of(&[left, right])?;
    if field.merges() {
        // Lists of scalars cannot conflict.
        return match items {
            Items::Scalars => Ok(false),
            Items::Maps => keyed(left, right, field),
        };
    }
    if left.len() != right.len() {
        return Ok(true);
    }
    if items == Items::Scalars {
        let (left, right) = (distinct_sorted(left)?, distinct_sorted(right)?);
        if left.len() > right.len() && left.starts_with(&right) {
            return Err(PatchError::Runtime("index out of range"));
        }
        // The library compares no further than the left list goes.
        return Ok(left.iter().zip(&right).any(|(left, right)| left != right));
    }
    for (left, right) in left.iter().zip(right) {
        let conflict = match (left, right) {
            (Value::Object(left), Value::Object(right)) => maps(left, right, field.schema)?,
            _ => left != right,
        };
        if conflict {
            return Ok(true);
        }
    }
    Ok(false)
}

fn distinct_sorted(list: &[Value]) -> Result<Vec<Value>, PatchError> {
    let mut list = list.to_vec();
    let kept = lists::deduplicate(&mut list)?;
    list.truncate(kept);
    Ok(lists::sorted_scalars(&list))
}

fn keyed(left: &[Value], right: &[Value], field: PatchField<'_>) -> Result<bool, PatchError> {
    let (left, right) = (by_key(left, field.merge_key)?, by_key(right, field.merge_key)?);
    for (key, left) in &left {
        // The last item of a key counts, as in a map that is filled item by item.
        if let Some(right) = right.get(key)
            && maps(left, right, field.schema)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

type ByKey<'a> = std::collections::BTreeMap<String, &'a Map<String, Value>>;

fn by_key<'a>(list: &'a [Value], merge_key: &str) -> Result<ByKey<'a>, PatchError> {
    let entry = |item: &'a Value| {
        let map = item.as_object().ok_or_else(|| PatchError::BadListItem(go::list_text(list)))?;
        let key = map
            .get(merge_key)
            .ok_or_else(|| PatchError::NoMergeKeyInItem { key: merge_key.to_owned(), map: go::map_text(map) })?;
        Ok((gofmt::string_verb(key), map))
    };
    list.iter().map(entry).collect()
}
