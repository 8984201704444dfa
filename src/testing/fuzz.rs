//! Bodies of fuzz targets, called by the targets under `fuzz/` and by property tests. None may panic, whatever the
//! input, and each holds what must be true of every input.

use crate::kinds::Schemas;
use crate::manifest;
use crate::object::{GroupVersionKind, Value, json};
use crate::patch::explain::explain_result;
use crate::patch::ssa::{FieldSet, Managed};
use crate::patch::{JsonPatch, PatchSchema, Precondition, apply, decode, json_merge, strategic};

/// Reads any bytes in every way that manifests are read, and what was read once more.
pub fn fuzz_yaml(bytes: &[u8]) {
    let lenient = manifest::yaml_to_json(bytes, false);
    let strict = manifest::yaml_to_json(bytes, true);
    if let Ok(text) = &strict {
        assert_eq!(Ok(text), lenient.as_ref(), "strict reading only refuses");
    }
    for error in [lenient.err(), strict.err()].into_iter().flatten() {
        assert!(error.position().line >= 1 && !error.to_string().is_empty());
    }
    if let Ok(value) = manifest::yaml_to_value(bytes, false) {
        // What is written can be read; a key `<<` then merges, as with the reference.
        let written = manifest::to_yaml(&value);
        if let Err(error) = manifest::yaml_to_json(&written, false) {
            assert!(written.contains("<<"), "{error}: {written:?}");
        }
        manifest::to_kyaml(&value);
    }
    for document in manifest::documents(bytes).take(100) {
        match document {
            Ok(document) => {
                let located = document.positions();
                assert!(located.value.line >= document.start.line);
                document.duplicate_keys();
            }
            Err(error) => assert!(error.position().line >= 1),
        }
    }
    manifest::split(bytes).for_each(drop);
    let _ = manifest::json_to_value(bytes);
    let _ = manifest::json_to_yaml(bytes);
}

/// Reads any JSON as a field set and as `managedFields`: what was read is written and read again without change, and
/// the set operations keep their laws.
pub fn fuzz_managed_fields(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(set) = FieldSet::from_value(&value) {
        assert_eq!(FieldSet::from_value(&set.to_value()).as_ref(), Ok(&set), "objects keep a set");
        assert_eq!(FieldSet::from_json(&set.to_json()).as_ref(), Ok(&set), "texts keep a set");
        assert_eq!(set.union(&set), set);
        assert_eq!(set.intersection(&set), set);
        assert!(set.difference(&set).is_empty() && set.recursive_difference(&set).is_empty());
        for path in set.paths() {
            assert!(set.has(&path) && !path.to_string().is_empty());
        }
    }
    let entries = value.as_array().map_or(&[][..], Vec::as_slice);
    if let Ok(managed) = Managed::decode(entries) {
        let written = managed.encode();
        let again = Managed::decode(&written).map(|managed| managed.encode());
        assert_eq!(again.as_ref(), Ok(&written), "entries keep their form");
    }
}

/// Patches documents with each other in every way; the input is up to three JSON texts, one a line.
pub fn fuzz_patch(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let (first, second, third) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    patch_texts(first, second);
    if let (Ok(first), Ok(second)) = (decode(first), decode(second)) {
        patch_objects(&first, &second, &decode(third).unwrap_or_default());
    }
}

/// JSON patch and merge patch: an object becomes what its text becomes.
fn patch_texts(document: &str, patch: &str) {
    let value: Option<Value> = serde_json::from_str(document).ok();
    let compact = value.as_ref().map(json::to_compact);
    if let Ok(patch) = JsonPatch::decode(patch) {
        let _ = patch.apply_text(document);
        if let (Some(mut object), Some(text)) = (value.clone(), &compact) {
            let (got, want) = (patch.apply(&mut object).is_ok(), patch.apply_text(text));
            assert_eq!(got, want.is_ok(), "{want:?}");
        }
    }
    let _ = json_merge::apply_text(document, patch);
    if let (Some(mut object), Some(text), Ok(value)) = (value, &compact, serde_json::from_str(patch)) {
        let (got, want) = (json_merge::apply(&mut object, value), json_merge::apply_text(text, patch));
        assert_eq!(got.is_ok(), want.is_ok(), "{want:?}");
    }
}

/// Merges and diffs in all roles; the strategic ones with kinds that have every kind of list.
fn patch_objects(first: &Value, second: &Value, third: &Value) {
    let schemas = Schemas::builtin();
    let kinds = [("", "v1", "Pod"), ("apps", "v1", "Deployment"), ("", "v1", "Service"), ("", "v1", "Node")];
    for (group, version, kind) in kinds {
        let Some(schema) = PatchSchema::of_kind(schemas, &GroupVersionKind::new(group, version, kind)) else {
            continue;
        };
        let _ = strategic::apply(first.clone(), second.clone(), schema);
        if let Ok(patch) = strategic::two_way(first, second, schema, Precondition::APPLY) {
            let _ = strategic::apply(first.clone(), patch, schema);
        }
        for overwrite in [false, true] {
            match strategic::three_way(first, second, third, schema, overwrite, &[]) {
                Ok(patch) => {
                    if let Ok(result) = strategic::apply(third.clone(), patch, schema) {
                        explain_result(Some(schema), Some(first), second, third, &result).to_string();
                    }
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    if let Ok(patch) = json_merge::three_way(first, second, third, &[]) {
        let mut result = third.clone();
        let _ = json_merge::apply(&mut result, patch);
        explain_result(None, Some(first), second, third, &result).to_string();
    }
    let _ = apply::last_applied(first);
    let _ = apply::last_applied_config(second);
}
