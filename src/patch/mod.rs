//! JSON patch, merge patch, strategic merge, three-way merge, server-side apply and field ownership.
//!
//! | module | does |
//! |---|---|
//! | [`apply`] | what `kubectl apply` does: choose the kind of patch, keep the last-applied annotation |
//! | [`explain`] | why a merge turns out as it does, path by path |
//! | [`strategic`] | strategic merge patch: apply, two-way and three-way diff |
//! | [`json_merge`] | RFC 7386 merge patch and the three-way merge of custom resources |
//! | [`ssa`] | server-side apply and the ownership of fields |
//! | [`json_patch`] | RFC 6902 |
//! | [`meta`] | merge keys and strategies of fields |

pub mod apply;
mod error;
pub mod explain;
pub(crate) mod gofmt;
pub mod json_merge;
pub mod json_patch;
mod lazy;
pub mod meta;
pub mod ssa;
pub mod strategic;
#[cfg(test)]
mod tests;

pub use error::{Conflict, PatchError};
pub use json_patch::JsonPatch;
pub use meta::PatchSchema;

use std::sync::LazyLock;

use crate::object::{Map, Value, go};

/// A field that a patch must not change, such as an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// A field at the top (`RequireKeyUnchanged`).
    Key(&'a str),
    /// A field of `metadata` (`RequireMetadataKeyUnchanged`).
    MetadataKey(&'a str),
}

impl Precondition<'_> {
    /// What `kubectl apply` demands of its patches.
    pub const APPLY: &'static [Precondition<'static>] =
        &[Precondition::Key("apiVersion"), Precondition::Key("kind"), Precondition::MetadataKey("name")];

    fn holds(self, patch: &Map<String, Value>) -> bool {
        match self {
            Self::Key(key) => !patch.contains_key(key),
            Self::MetadataKey(key) => patch.get("metadata").is_none_or(|metadata| metadata.get(key).is_none()),
        }
    }

    /// Fails when the patch touches one of the fields.
    fn check(all: &[Self], patch: &Map<String, Value>) -> Result<(), PatchError> {
        if all.iter().all(|precondition| precondition.holds(patch)) {
            Ok(())
        } else {
            Err(PatchError::Precondition(go::map_text(patch)))
        }
    }
}

/// Reads a JSON object as the Kubernetes libraries read documents that are patched: whole numbers that fit are 64-bit
/// integers, all others are floats.
///
/// # Errors
/// [`PatchError::BadDocument`] when the text is neither a JSON object nor `null`.
pub fn decode(text: &str) -> Result<Value, PatchError> {
    let mut value: Value = serde_json::from_str(text).map_err(|_| PatchError::BadDocument)?;
    if !(value.is_object() || value.is_null()) {
        return Err(PatchError::BadDocument);
    }
    floats(&mut value);
    Ok(value)
}

/// Turns integers beyond 64 signed bits into floats.
fn floats(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            *value = number.as_f64().map_or(Value::Null, Value::from);
        }
        Value::Array(list) => list.iter_mut().for_each(floats),
        Value::Object(map) => map.values_mut().for_each(floats),
        _ => {}
    }
}

/// The fields of an object or a patch; null counts as an empty one.
fn fields(value: &Value) -> Option<&Map<String, Value>> {
    static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    match value {
        Value::Object(map) => Some(map),
        Value::Null => Some(&EMPTY),
        _ => None,
    }
}
