//! Bodies of fuzz targets, called by the targets under `fuzz/` and by property tests. None may panic, whatever the
//! input, and each holds what must be true of every input.

use crate::kinds::Schemas;
use crate::manifest;
use crate::object::quantity::Quantity;
use crate::object::selector::{FieldSelector, LabelSelector};
use crate::object::{GroupVersionKind, Value, json};
use crate::output::custom_columns::CustomColumns;
use crate::output::gotemplate::GoTemplate;
use crate::output::jsonpath::{self, JsonPath};
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

/// Some of everything that JSON can hold, for templates to walk.
fn sample() -> Value {
    serde_json::json!({
        "kind": "List", "n": null, "f": 1.5, "big": 1e21, "i": -3, "t": true, "s": "te\u{e9}xt", "e": [], "m": {},
        "items": [{"a": 1, "b": ["x", "y"], "metadata": {"name": "web"}}, {"a": 2.0, "b": [[1, 2], {"c": null}]}],
    })
}

/// Reads any text as a JSONPath template, as relaxed path and as custom columns, and executes what can be read.
pub fn fuzz_jsonpath(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let data = sample();
    if let Ok(path) = JsonPath::parse(text) {
        for (allow_missing_keys, json_output) in [(true, false), (false, true)] {
            let options = jsonpath::Options { allow_missing_keys, json_output };
            let (mut first, mut second) = (String::new(), String::new());
            let outcome = path.execute(&data, options, &mut first);
            assert!(outcome.is_ok() || first.is_empty(), "nothing is printed unless all parts fit");
            assert_eq!(path.execute(&data, options, &mut second), outcome);
            assert_eq!(first, second, "a template keeps no state");
        }
    }
    if let Ok(relaxed) = jsonpath::relaxed(text) {
        assert!(relaxed.is_empty() || jsonpath::relaxed(&relaxed).is_ok(), "{relaxed} stays a path");
    }
    if let Ok(mut columns) = CustomColumns::from_spec(text, false) {
        let _ = columns.add(&data);
        columns.flush(&mut String::new());
    }
}

/// Reads any text as a Go template and executes what can be read.
pub fn fuzz_gotemplate(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let data = sample();
    for allow in [true, false] {
        match GoTemplate::parse(text) {
            Ok(template) => {
                let mut out = String::new();
                let outcome = template.allow_missing_keys(allow).execute(&data, &mut out);
                let debugged = out.contains("Printing more information for debugging the template:");
                assert!(outcome.is_ok() || debugged, "failures are explained on standard output");
            }
            Err(error) => assert!(error.to_string().starts_with("template: output:")),
        }
    }
}

/// Reads any text as label selector and as field selector; the normal form selects the same.
pub fn fuzz_selectors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(selector) = LabelSelector::parse(text) {
        let normal = selector.to_string();
        assert_eq!(LabelSelector::parse(&normal).as_ref(), Ok(&selector), "{normal}");
        selector.matches_object(&sample());
    }
    if let Ok(selector) = FieldSelector::parse(text) {
        // The order follows the text as written, so `==` may stand elsewhere than the `=` that it becomes.
        let sorted = |selector: FieldSelector| {
            let mut requirements = selector.requirements().to_vec();
            requirements.sort_by(|a, b| (&a.field, &a.value, a.negated).cmp(&(&b.field, &b.value, b.negated)));
            requirements
        };
        assert_eq!(FieldSelector::parse(&selector.to_string()).map(sorted), Ok(sorted(selector.clone())));
        selector.matches_with(|_| Some(""));
    }
}

/// Reads any text as two quantities, one a line; canonical texts stay, and what is added can be taken off again.
pub fn fuzz_quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let parse = |line: Option<&str>| Quantity::parse(line.unwrap_or_default());
    let (first, second) = (parse(lines.next()), parse(lines.next()));
    for quantity in [&first, &second].into_iter().flatten() {
        let _ = (quantity.value(), quantity.milli_value(), quantity.as_f64(), quantity.as_i64());
        let _ = quantity.to_string();
    }
    if let (Ok(first), Ok(second)) = (first, second) {
        assert_eq!(first.cmp(&second), second.cmp(&first).reverse());
        let mut sum = first.clone();
        sum.add(&second);
        sum.sub(&second);
        let small = |q: &Quantity| q.as_f64().abs() < 1e30;
        assert!(sum == first || !small(&first) || !small(&second), "{first} + {second} - {second} = {sum}");
    }
}
