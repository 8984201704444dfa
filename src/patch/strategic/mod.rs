//! Strategic merge patch: JSON merge patch that knows which lists are merged item by item
//! (`k8s.io/apimachinery/pkg/util/strategicpatch`).
//!
//! | directive | meaning |
//! |---|---|
//! | `$patch: replace` / `delete` | replace or empty the map (or the list that holds the item), delete the item |
//! | `$retainKeys` | fields that are not named go |
//! | `$deleteFromPrimitiveList/x` | scalars to remove from the list `x` |
//! | `$setElementOrder/x` | the wanted order of the list `x` |

mod conflict;
mod diff;
mod lists;
mod merge;
#[cfg(test)]
mod tests;

use diff::{DiffOptions, SortedLists};
use merge::Target;

use super::meta::PatchSchema;
use super::{Conflict, PatchError, Precondition, fields};
use crate::object::{Map, Value};

const DIRECTIVE: &str = "$patch";
const DELETE: &str = "delete";
const REPLACE: &str = "replace";
const MERGE: &str = "merge";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ELEMENT_ORDER: &str = "$setElementOrder";

fn object(value: &Value) -> Result<&Map<String, Value>, PatchError> {
    fields(value).ok_or(PatchError::BadDocument)
}

/// Applies a strategic merge patch to an object (`StrategicMergePatch`).
///
/// As in the library, `$retainKeys` and the directives for lists stay in maps that the object did not have before; a
/// server loses them as unknown fields, and [`drop_directives`] removes them.
///
/// # Errors
/// When one of the two is no object, when a directive is malformed, or when the schema lacks a merged field.
pub fn apply(original: Value, patch: Value, schema: PatchSchema<'_>) -> Result<Value, PatchError> {
    let mut object = match original {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        _ => return Err(PatchError::BadDocument),
    };
    match patch {
        Value::Object(patch) => merge::maps(&mut object, patch, schema, Target::Object)?,
        Value::Null => {}
        _ => return Err(PatchError::BadDocument),
    }
    Ok(Value::Object(object))
}

/// Removes the directives that [`apply`] left in new maps.
pub fn drop_directives(value: &mut Value) {
    let lists = |key: &str| matches!(key.split_once('/'), Some((DELETE_FROM | ELEMENT_ORDER, _)));
    match value {
        Value::Object(map) => {
            map.retain(|key, _| key != DIRECTIVE && key != RETAIN_KEYS && !lists(key));
            map.values_mut().for_each(drop_directives);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_directives),
        _ => {}
    }
}

/// The patch that turns `original` into `modified` (`CreateTwoWayMergePatch`).
///
/// # Errors
/// When one of the two is no object, when a list cannot be compared, or when the patch breaks a precondition.
pub fn two_way(
    original: &Value,
    modified: &Value,
    schema: PatchSchema<'_>,
    preconditions: &[Precondition<'_>],
) -> Result<Value, PatchError> {
    let options = DiffOptions { element_order: true, ..DiffOptions::default() };
    let patch = diff::maps(object(original)?, object(modified)?, schema, options)?;
    Precondition::check(preconditions, &patch)?;
    Ok(Value::Object(patch))
}

/// The patch that brings `current` to `modified` and removes what was in `original` and is no longer in `modified`
/// (`CreateThreeWayMergePatch`). What others added to `current` stays.
///
/// # Errors
/// As [`two_way`]; and [`PatchError::Conflict`] when `overwrite` is false and the patch touches what others changed
/// since `original`.
pub fn three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    schema: PatchSchema<'_>,
    overwrite: bool,
    preconditions: &[Precondition<'_>],
) -> Result<Value, PatchError> {
    let (original, modified, current) = (object(original)?, object(modified)?, object(current)?);
    let lists = SortedLists::default();
    let sorted = (!overwrite).then_some(&lists);
    let additions = DiffOptions { element_order: true, ignore_deletions: true, sorted, ..DiffOptions::default() };
    let additions = diff::maps(current, modified, schema, additions)?;
    let deletions = DiffOptions { element_order: true, ignore_changes: true, ..DiffOptions::default() };
    let mut patch = diff::maps(original, modified, schema, deletions)?;
    merge::maps(&mut patch, additions, schema, Target::Patch)?;
    Precondition::check(preconditions, &patch)?;
    if !overwrite {
        let changes = diff::maps(original, current, schema, DiffOptions { sorted, ..DiffOptions::default() })?;
        if conflict::maps(&patch, &changes, schema)? {
            let (patch, changes) = (Value::Object(patch), Value::Object(changes));
            return Err(PatchError::Conflict(Box::new(Conflict { patch, changes })));
        }
    }
    Ok(Value::Object(patch))
}
