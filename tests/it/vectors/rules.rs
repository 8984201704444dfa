//! Defaulting, preparation, decoding and validation.

use chrono::DateTime;
use knarr::kinds::decode::{self, Node};
use knarr::kinds::rules::{self, Context};
use knarr::object::{Status, Value, meta};
use serde_json::json;

use super::{Set, same};

/// The sets of this engine.
pub const SETS: &[Set] = &[
    Set { name: "defaulting", at_least: 100.0, known: &[], check: defaulting },
    Set { name: "validation", at_least: 99.0, known: &[], check: validation },
];

const UID: &str = "00000000-0000-4000-8000-000000000001";

fn context() -> Context<'static> {
    Context {
        now: DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default(),
        allow_privileged: false,
        empties: &[],
    }
}

fn decoded(manifest: &Value) -> Result<Value, String> {
    decode::decode(&meta::gvk(manifest), manifest.clone()).map(|d| d.object).map_err(|e| e.to_string())
}

/// Status as the vectors note it.
fn noted(status: &Status) -> Value {
    let mut value = json!({"message": status.message, "reason": status.reason, "code": status.code});
    if let Some(details) = &status.details
        && !details.causes.is_empty()
    {
        value["causes"] = json!(details.causes);
    }
    value
}

/// An object as it stands before `BeforeCreate`.
fn ready(mut object: Value) -> Value {
    meta::set(&mut object, &["metadata", "uid"], UID);
    object
}

fn create(object: &mut Value, sent: &Value) -> Result<Vec<String>, Status> {
    let empties = decode::empties(&meta::gvk(sent), sent);
    let kind = meta::gvk(object).group_kind();
    let mut prepared = ready(object.clone());
    let namespaced = knarr::kinds::Kinds::builtin().by_gvk(&meta::gvk(object)).is_some_and(|row| row.namespaced);
    let named = meta::namespace(object).is_empty();
    if namespaced && named {
        meta::set(&mut prepared, &["metadata", "namespace"], "default");
    }
    let outcome = rules::of(&kind)
        .before_create(&mut prepared, &Context { empties: &empties, ..context() })
        .map_err(|errors| Status::invalid(&kind, meta::name(object), &errors));
    meta::remove(&mut prepared, &["metadata", "uid"]);
    meta::remove(&mut prepared, &["status", "lastPhaseTransitionTime"]);
    if namespaced && named {
        meta::remove(&mut prepared, &["metadata", "namespace"]);
    }
    *object = prepared;
    outcome
}

fn defaulting(case: &Value) -> Result<(), String> {
    let mut object = decoded(&case["manifest"])?;
    rules::default_object(&mut object);
    let want = &case["want"];
    same(&object, &want["defaulted"])?;
    if want.get("prepared").is_none() {
        return Ok(());
    }
    let outcome = create(&mut object, &case["manifest"]);
    same(&object, &want["prepared"])?;
    let error = outcome.as_ref().err().map(noted);
    same(&error.as_ref(), &want.get("create_error"))?;
    let warnings = outcome.unwrap_or_default();
    same(&json!(warnings), want.get("warnings").unwrap_or(&json!([])))
}

fn validation(case: &Value) -> Result<(), String> {
    let outcome = match case["operation"].as_str() {
        Some("decode") => decode_case(case),
        Some("update") => update_case(case),
        _ => {
            let mut object = decoded(&case["manifest"])?;
            rules::default_object(&mut object);
            create(&mut object, &case["manifest"]).map_err(|status| noted(&status))
        }
    };
    match outcome {
        Err(error) => same(&Some(&error), &case.get("error")),
        Ok(warnings) => {
            let mut want = json!({"valid": true});
            // Warnings are noted for creation only.
            if case["operation"] == "create" {
                want["warnings"] = json!(warnings);
            }
            same(&Some(&want), &case.get("want"))
        }
    }
}

fn update_case(case: &Value) -> Result<Vec<String>, Value> {
    let object = |name: &str| {
        let mut object = decoded(&case[name]).map_err(|e| json!(e))?;
        rules::default_object(&mut object);
        Ok::<_, Value>(object)
    };
    let (mut new, mut old) = (object("manifest")?, object("old")?);
    // The state that an update meets has gone through creation.
    let _ = create(&mut old, &case["old"]);
    for object in [&mut new, &mut old] {
        meta::set(object, &["metadata", "uid"], UID);
        meta::set(object, &["metadata", "resourceVersion"], "1");
        let row = knarr::kinds::Kinds::builtin().by_gvk(&meta::gvk(object));
        if row.is_some_and(|row| row.namespaced) && meta::namespace(object).is_empty() {
            meta::set(object, &["metadata", "namespace"], "default");
        }
    }
    let kind = meta::gvk(&new).group_kind();
    let name = meta::name(&new).to_owned();
    let empties = decode::empties(&meta::gvk(&new), &case["manifest"]);
    rules::of(&kind)
        .before_update(&mut new, &old, &Context { empties: &empties, ..context() })
        .map_err(|errors| noted(&Status::invalid(&kind, &name, &errors)))
}

fn decode_case(case: &Value) -> Result<Vec<String>, Value> {
    let node = match case["manifest_text"].as_str() {
        Some(text) => Node::parse(text.as_bytes()).map_err(|e| json!(e.message))?,
        None => Node::from(case["manifest"].clone()),
    };
    let gvk = meta::gvk(&node.clone().into_value());
    let refuse = |why: &str| {
        let mut value = noted(&Status::bad_request(decode::refusal(&gvk, why)));
        value["decode_error"] = json!(why);
        value
    };
    let decoded = decode::decode(&gvk, node).map_err(|problem| refuse(&problem.message))?;
    if case["field_validation"] == "Strict" && !decoded.strict.is_empty() {
        return Err(refuse(&decode::strict_text(&decoded.strict)));
    }
    Ok(Vec::new())
}
