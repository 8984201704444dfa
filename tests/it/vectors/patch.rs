//! Strategic merge, three-way merges, merge patch and JSON patch.

use knarr::kinds::Schemas;
use knarr::object::{GroupVersion, GroupVersionKind, json};
use knarr::patch::{self, PatchError, PatchSchema, Precondition, json_merge, strategic};
use serde_json::Value;

use super::{Set, same};

const fn set(name: &'static str, check: fn(&Value) -> Result<(), String>) -> Set {
    Set { name, at_least: 100.0, known: &[], check }
}

pub const SETS: &[Set] = &[
    set("three_way_strategic", three_way_strategic),
    set("strategic_merge_apply", strategic_merge_apply),
    set("two_way_strategic", two_way_strategic),
    set("three_way_json_merge", three_way_json_merge),
];

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

fn schema(case: &Value) -> Result<PatchSchema<'static>, String> {
    let version = GroupVersion::parse(text(case, "apiVersion")).ok_or("bad apiVersion")?;
    let gvk: GroupVersionKind = version.with_kind(text(case, "kind"));
    PatchSchema::of_kind(Schemas::builtin(), &gvk).ok_or_else(|| format!("no schema for {gvk}"))
}

/// A document of a case, with numbers as the libraries read them.
fn decoded(case: &Value, key: &str) -> Result<Value, PatchError> {
    patch::decode(&case[key].to_string())
}

fn preconditions(case: &Value) -> Vec<Precondition<'_>> {
    let keys = case["preconditions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    keys.map(|key| match key.strip_prefix("metadata.") {
        Some(key) => Precondition::MetadataKey(key),
        None => Precondition::Key(key),
    })
    .collect()
}

fn error_text(error: &PatchError) -> String {
    match error {
        PatchError::Conflict(conflict) => conflict.text(knarr::manifest::to_yaml),
        other => other.to_string(),
    }
}

/// Compares with `want`, or with `error` when there is one.
fn outcome(got: Result<String, PatchError>, case: &Value, want: &Value) -> Result<(), String> {
    match case["error"].as_str() {
        Some(error) => same(&got.map_err(|e| error_text(&e)), &Err(error.to_owned())),
        None => same(&got.map_err(|e| error_text(&e)), &Ok(want.as_str().unwrap_or_default().to_owned())),
    }
}

fn three_way_strategic(case: &Value) -> Result<(), String> {
    let (schema, overwrite) = (schema(case)?, case["overwrite"].as_bool().unwrap_or_default());
    let patch = strategic::three_way(
        &case["original"],
        &case["modified"],
        &case["current"],
        schema,
        overwrite,
        &preconditions(case),
    );
    let want = &case["want"];
    outcome(patch.as_ref().map(json::to_compact).map_err(clone_error), case, &want["patch"])?;
    let Ok(patch) = patch else { return Ok(()) };
    let result = strategic::apply(case["current"].clone(), patch, schema);
    match want["apply_error"].as_str() {
        Some(error) => same(&result.map_err(|e| e.to_string()), &Err(error.to_owned())),
        None => same(&result.map_err(|e| e.to_string()), &Ok(want["result"].clone())),
    }
}

/// Errors are compared by text only.
fn clone_error(error: &PatchError) -> PatchError {
    PatchError::Apply(error_text(error))
}

fn strategic_merge_apply(case: &Value) -> Result<(), String> {
    let patch = match case["patch_text"].as_str() {
        Some(text) => patch::decode(text),
        None => decoded(case, "patch"),
    };
    let schema = schema(case)?;
    let got = patch.and_then(|patch| strategic::apply(decoded(case, "original")?, patch, schema));
    let got = got.map(|object| json::to_compact(&object)).map_err(|e| error_text(&e));
    match case["error"].as_str() {
        Some(error) => same(&got, &Err(error.to_owned())),
        None => same(&got, &Ok(json::to_compact(&case["want"]))),
    }
}

fn two_way_strategic(case: &Value) -> Result<(), String> {
    let patch = strategic::two_way(&case["original"], &case["modified"], schema(case)?, &preconditions(case));
    outcome(patch.map(|patch| json::to_compact(&patch)), case, &case["want"])
}

fn three_way_json_merge(case: &Value) -> Result<(), String> {
    let patch = json_merge::three_way(&case["original"], &case["modified"], &case["current"], &preconditions(case));
    outcome(patch.as_ref().map(json::to_compact).map_err(clone_error), case, &case["want"]["patch"])?;
    let Ok(patch) = patch else { return Ok(()) };
    let mut result = case["current"].clone();
    json_merge::apply(&mut result, patch).map_err(|e| e.to_string())?;
    same(&result, &case["want"]["result"])
}
