//! The annotation of client-side apply: kept up to date, and honoured when `kubectl` moves to server-side apply.

use super::compare::compare;
use super::set::FieldSet;
use super::typed::Type;
use super::validate::validate;
use super::walk::field_set;
use crate::object::meta::{self, LAST_APPLIED};
use crate::object::{Map, Value, json};

/// `ValidateAnnotationsSize`: bytes of all keys and values.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The fields that `kubectl` may take from others: those that client-side apply set last and that nobody has changed
/// since. `None` when the annotation does not tell.
pub fn takeable(live: &Value, ty: Type<'_>, api_version: &str) -> Option<FieldSet> {
    let text = meta::annotation(live, LAST_APPLIED).filter(|text| !text.is_empty())?;
    validate(live, ty, false).ok()?;
    let last_applied: Value = serde_json::from_str(text).ok()?;
    if meta::api_version(&last_applied) != api_version || meta::kind(&last_applied) != meta::kind(live) {
        return None;
    }
    validate(&last_applied, ty, false).ok()?;
    let changes = compare(&last_applied, live, ty);
    let fields = field_set(&last_applied, ty);
    Some(fields.difference(&changes.modified).difference(&changes.added).difference(&changes.removed))
}

/// Rewrites the annotation, if `object` has one, to the configuration just applied. An annotation that would be too
/// large is dropped.
pub fn refresh(object: &mut Value, config: &Value) {
    if meta::annotation(object, LAST_APPLIED).is_none_or(str::is_empty) {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = texts_of(meta::get(&config, &["metadata", "annotations"])) {
        let kept: Map<String, Value> = annotations.into_iter().filter(|(key, _)| key != LAST_APPLIED).collect();
        meta::set(&mut config, &["metadata", "annotations"], kept);
    } else {
        meta::remove(&mut config, &["metadata", "annotations"]);
    }
    let annotations = meta::map_mut(object, &["metadata", "annotations"]);
    annotations.insert(LAST_APPLIED.into(), format!("{}\n", json::to_compact(&config)).into());
    let size: usize = annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > MAX_ANNOTATIONS {
        annotations.remove(LAST_APPLIED);
    }
}

/// A map of texts as unstructured objects read it: null is the empty text, any other type spoils the whole.
fn texts_of(value: Option<&Value>) -> Option<Map<String, Value>> {
    let texts = value?.as_object()?.iter().map(|(key, value)| match value {
        Value::String(_) => Some((key.clone(), value.clone())),
        Value::Null => Some((key.clone(), "".into())),
        _ => None,
    });
    texts.collect()
}
