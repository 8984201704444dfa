//! Sets of the manifest engine.

use knarr::manifest;
use serde_json::Value;

use super::{Set, same};

/// The engine's sets.
pub const SETS: &[Set] = &[
    Set { name: "yaml_to_json", at_least: 75.0, known: &[], check: yaml_to_json },
    Set { name: "json_to_yaml", at_least: 100.0, known: &[], check: json_to_yaml },
];

fn input(case: &Value) -> Vec<u8> {
    use base64::Engine as _;
    match (case["input"].as_str(), case["input_b64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => base64::engine::general_purpose::STANDARD.decode(encoded).unwrap(),
        (None, None) => panic!("a case without input"),
    }
}

/// The wanted text or error, as one line that shows which.
fn outcome<E: ToString>(result: Result<String, E>) -> String {
    match result {
        Ok(text) => format!("ok: {text}"),
        Err(error) => format!("error: {}", error.to_string()),
    }
}

fn wanted(case: &Value) -> String {
    match case["error"].as_str() {
        Some(error) => format!("error: {error}"),
        None => format!("ok: {}", case["want"].as_str().unwrap_or_default()),
    }
}

fn yaml_to_json(case: &Value) -> Result<(), String> {
    let input = input(case);
    match case["func"].as_str() {
        Some("YAMLToJSON") => same(&outcome(manifest::yaml_to_json(input, false)), &wanted(case)),
        Some("YAMLToJSONStrict") => same(&outcome(manifest::yaml_to_json(input, true)), &wanted(case)),
        other => Err(format!("unknown function {other:?}")),
    }
}

fn json_to_yaml(case: &Value) -> Result<(), String> {
    same(&outcome(manifest::json_to_yaml(input(case))), &wanted(case))
}
