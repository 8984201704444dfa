//! Strategic merge, three-way merges, merge patch and JSON patch.

use knarr::kinds::Schemas;
use knarr::object::{GroupVersion, GroupVersionKind, json};
use knarr::patch::{self, JsonPatch, PatchError, PatchSchema, Precondition, json_merge, strategic};
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
    set("json_merge_patch", json_merge_patch),
    set("json_patch", json_patch),
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

/// Compares with `want`, or with `error` when there is one.
fn outcome(got: Result<String, impl ToString>, case: &Value, want: &Value) -> Result<(), String> {
    match case["error"].as_str() {
        Some(error) => same(&got.map_err(|e| e.to_string()), &Err(error.to_owned())),
        None => same(&got.map_err(|e| e.to_string()), &Ok(want.as_str().unwrap_or_default().to_owned())),
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
    outcome(patch.as_ref().map(json::to_compact).map_err(ToString::to_string), case, &want["patch"])?;
    let Ok(patch) = patch else { return Ok(()) };
    let result = strategic::apply(case["current"].clone(), patch, schema);
    match want["apply_error"].as_str() {
        Some(error) => same(&result.map_err(|e| e.to_string()), &Err(error.to_owned())),
        None => same(&result.map_err(|e| e.to_string()), &Ok(want["result"].clone())),
    }
}

fn strategic_merge_apply(case: &Value) -> Result<(), String> {
    let patch = match case["patch_text"].as_str() {
        Some(text) => patch::decode(text),
        None => decoded(case, "patch"),
    };
    let schema = schema(case)?;
    let got = patch.and_then(|patch| strategic::apply(decoded(case, "original")?, patch, schema));
    let got = got.map(|object| json::to_compact(&object)).map_err(|e| e.to_string());
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
    outcome(patch.as_ref().map(json::to_compact).map_err(ToString::to_string), case, &case["want"]["patch"])?;
    let Ok(patch) = patch else { return Ok(()) };
    let mut result = case["current"].clone();
    json_merge::apply(&mut result, patch).map_err(|e| e.to_string())?;
    same(&result, &case["want"]["result"])
}

/// Checks that patching an object gives what patching its text gives, error or result.
fn same_as_text(
    document: &str,
    object: impl Fn(&mut Value) -> Result<(), PatchError>,
    text: impl Fn(&str) -> Result<String, PatchError>,
) -> Result<(), String> {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return Ok(()) };
    let text = text(&json::to_compact(&value)).map_err(|e| e.to_string());
    let object = object(&mut value).map(|()| json::to_compact(&value)).map_err(|e| e.to_string());
    let reread = |text: String| serde_json::from_str::<Value>(&text).map_err(|e| e.to_string());
    same(&object, &text.and_then(reread).map(|value| json::to_compact(&value)))
}

fn json_merge_patch(case: &Value) -> Result<(), String> {
    let (document, patch) = (text(case, "document"), text(case, "patch"));
    let got = json_merge::apply_text(document, patch).map_err(|e| e.to_string());
    outcome(got.clone(), case, &case["want"])?;
    let Ok(value) = serde_json::from_str::<Value>(patch) else { return Ok(()) };
    same_as_text(
        document,
        |object| json_merge::apply(object, value.clone()),
        |text| json_merge::apply_text(text, patch),
    )
}

fn json_patch(case: &Value) -> Result<(), String> {
    let document = text(case, "document");
    let patch = match JsonPatch::decode(text(case, "patch")) {
        Ok(patch) => patch,
        Err(error) => {
            same(&text(case, "stage"), &"decode")?;
            return same(&error.to_string().as_str(), &text(case, "error"));
        }
    };
    let got = patch.apply_text(document).map_err(|e| e.to_string());
    outcome(got.clone(), case, &case["want"])?;
    if got.is_err() {
        same(&text(case, "stage"), &"apply")?;
    }
    same_as_text(document, |object| patch.apply(object), |text| patch.apply_text(text))
}
