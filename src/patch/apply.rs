//! What `kubectl apply` does on the client: the patch from last-applied, manifest and live object, and the annotation
//! that remembers the manifest.

use super::{PatchError, PatchSchema, Precondition, json_merge, strategic};
use crate::kinds::Schemas;
use crate::object::{GroupVersionKind, Map, Value, json, meta};

/// How a patch is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge patch.
    Strategic,
    /// Server-side apply, as YAML.
    Apply,
}

impl PatchType {
    /// The `Content-Type` of the request.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }

    /// The type that a `Content-Type` without parameters names.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        [Self::Json, Self::Merge, Self::Strategic, Self::Apply]
            .into_iter()
            .find(|patch_type| patch_type.content_type() == content_type)
    }
}

/// A computed patch.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchOutcome {
    /// What to send.
    pub patch: Value,
    /// How to send it.
    pub patch_type: PatchType,
    /// Whether there is nothing to send: the object is as the manifest wants it.
    pub is_empty: bool,
}

impl PatchOutcome {
    /// The exact bytes that `kubectl` would send.
    pub fn text(&self) -> String {
        json::to_compact(&self.patch)
    }
}

/// Computes the patch of `kubectl apply`: strategic for kinds whose schema is built in, JSON merge for all others.
///
/// `modified` is the manifest with its annotation, as [`with_last_applied`] makes it. `last_applied` is what
/// [`last_applied`] read from the live object, `None` when it was never applied.
///
/// # Errors
/// When a document is no object, when a list cannot be merged, when the patch would change apiVersion, kind or name,
/// and [`PatchError::Conflict`] when `overwrite` is false and others changed the same fields.
pub fn three_way(
    gvk: &GroupVersionKind,
    schemas: &Schemas,
    last_applied: Option<&Value>,
    modified: &Value,
    live: &Value,
    overwrite: bool,
) -> Result<PatchOutcome, PatchError> {
    let original = last_applied.unwrap_or(&Value::Null);
    let (patch, patch_type) = match PatchSchema::of_kind(schemas, gvk) {
        Some(schema) => {
            let patch = strategic::three_way(original, modified, live, schema, overwrite, Precondition::APPLY)?;
            (patch, PatchType::Strategic)
        }
        None => (json_merge::three_way(original, modified, live, Precondition::APPLY)?, PatchType::Merge),
    };
    let is_empty = patch.as_object().is_none_or(Map::is_empty);
    Ok(PatchOutcome { patch, patch_type, is_empty })
}

/// Applies a patch that [`three_way`] computed, without leftover directives: what a server makes of it, but for
/// defaults.
///
/// # Errors
/// As [`strategic::apply`] and [`json_merge::apply`]; [`PatchError::Unsupported`] for other types and for a strategic
/// patch of a kind without schema.
pub fn apply(
    gvk: &GroupVersionKind,
    schemas: &Schemas,
    mut live: Value,
    outcome: &PatchOutcome,
) -> Result<Value, PatchError> {
    match outcome.patch_type {
        PatchType::Strategic => {
            let schema = PatchSchema::of_kind(schemas, gvk).ok_or(PatchError::Unsupported)?;
            let mut result = strategic::apply(live, outcome.patch.clone(), schema)?;
            strategic::drop_directives(&mut result);
            Ok(result)
        }
        PatchType::Merge => {
            json_merge::apply(&mut live, outcome.patch.clone())?;
            Ok(live)
        }
        PatchType::Json | PatchType::Apply => Err(PatchError::Unsupported),
    }
}

/// The text of the last-applied annotation, if the object has one.
pub fn last_applied_text(object: &Value) -> Option<&str> {
    meta::annotation(object, meta::LAST_APPLIED)
}

/// The manifest as last applied, read from the live object's annotation (`GetOriginalConfiguration`).
///
/// # Errors
/// [`PatchError::BadDocument`] when the annotation is no JSON object.
pub fn last_applied(object: &Value) -> Result<Option<Value>, PatchError> {
    match last_applied_text(object) {
        None | Some("") => Ok(None),
        Some(text) => super::decode(text).map(Some),
    }
}

/// Whether the annotation's text says the same as `manifest`, in whatever form.
pub fn decodes_to(text: &str, manifest: &Value) -> bool {
    super::decode(text).is_ok_and(|value| value == *manifest)
}

/// What the annotation of a manifest says (`GetModifiedConfiguration` without annotation): the manifest without the
/// annotation itself, as compact JSON with `metadata.annotations` always present and a newline at the end.
pub fn last_applied_config(manifest: &Value) -> String {
    let mut object = manifest.clone();
    meta::map_mut(&mut object, &["metadata", "annotations"]).remove(meta::LAST_APPLIED);
    let mut text = json::to_compact(&object);
    text.push('\n');
    text
}

/// Sets the annotation to what [`last_applied_config`] says (`CreateApplyAnnotation`).
pub fn set_last_applied(object: &mut Value) {
    let text = last_applied_config(object);
    meta::map_mut(object, &["metadata", "annotations"]).insert(meta::LAST_APPLIED.to_owned(), text.into());
}

/// A copy of the manifest with its annotation: what the live object is brought to.
pub fn with_last_applied(manifest: &Value) -> Value {
    let mut object = manifest.clone();
    set_last_applied(&mut object);
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_annotation_is_that_of_kubectl() {
        let mut object =
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "<&>"}});
        set_last_applied(&mut object);
        let text = last_applied_text(&object).unwrap().to_owned();
        assert_eq!(
            text,
            "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"\\u003c\\u0026\\u003e\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n"
        );
        set_last_applied(&mut object);
        assert_eq!(last_applied_text(&object), Some(text.as_str()), "the annotation never holds itself");
    }

    #[test]
    fn kinds_without_schema_get_a_merge_patch() {
        let gvk = GroupVersionKind::new("example.com", "v1", "Widget");
        let (modified, live) = (json!({"spec": {"list": [1]}}), json!({"spec": {"list": [1, 2], "other": 1}}));
        let outcome = three_way(&gvk, Schemas::builtin(), None, &modified, &live, true).unwrap();
        assert_eq!(outcome.patch_type, PatchType::Merge);
        assert_eq!(outcome.text(), r#"{"spec":{"list":[1]}}"#);
        let result = apply(&gvk, Schemas::builtin(), live, &outcome).unwrap();
        assert!(three_way(&gvk, Schemas::builtin(), Some(&modified), &modified, &result, true).unwrap().is_empty);
    }
}
