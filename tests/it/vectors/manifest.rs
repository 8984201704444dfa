//! Sets of the manifest engine.

use knarr::manifest;
use serde_json::Value;

use super::{Set, same};

/// The engine's sets.
pub const SETS: &[Set] = &[
    Set { name: "yaml_to_json", at_least: 100.0, known: &[], check: yaml_to_json },
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

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// All texts, then the error if one ends them.
fn outcomes<E: ToString>(results: impl Iterator<Item = Result<String, E>>) -> Vec<String> {
    results.map(outcome).collect()
}

fn wanted_list(case: &Value) -> Vec<String> {
    let texts = case["want"].as_array().or(case["documents_before_error"].as_array());
    let mut list: Vec<String> =
        texts.into_iter().flatten().map(|text| format!("ok: {}", text.as_str().unwrap_or_default())).collect();
    list.extend(case["error"].as_str().map(|error| format!("error: {error}")));
    list
}

fn yaml_to_json(case: &Value) -> Result<(), String> {
    let input = input(case);
    match case["func"].as_str() {
        Some("YAMLToJSON") => same(&outcome(manifest::yaml_to_json(input, false)), &wanted(case)),
        Some("YAMLToJSONStrict") => same(&outcome(manifest::yaml_to_json(input, true)), &wanted(case)),
        Some("stream") => {
            let read =
                manifest::documents(&input).map(|document| document.map(|document| document.json().into_owned()));
            same(&outcomes(read), &wanted_list(case))
        }
        Some("split") => {
            let pieces = manifest::split(&input).map(|piece| piece.map(|piece| lossy(&piece.text)));
            same(&outcomes(pieces), &wanted_list(case))
        }
        other => Err(format!("unknown function {other:?}")),
    }
}

fn json_to_yaml(case: &Value) -> Result<(), String> {
    same(&outcome(manifest::json_to_yaml(input(case))), &wanted(case))
}
