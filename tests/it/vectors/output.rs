//! JSONPath, Go templates and custom columns.

use knarr::output::custom_columns::CustomColumns;
use knarr::output::gotemplate::GoTemplate;
use knarr::output::jsonpath::{self, JsonPath};
use serde_json::{Value, json};

use super::{Set, same};

/// The sets of this file.
pub const SETS: &[Set] = &[
    Set { name: "jsonpath", at_least: 100.0, known: &[], check: jsonpath },
    Set { name: "go_template", at_least: 100.0, known: &[], check: go_template },
    Set { name: "custom_columns", at_least: 100.0, known: &[], check: custom_columns },
];

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// What was printed, and the stage and error that ended it.
type Outcome = (String, Option<(&'static str, String)>);

fn compare(case: &Value, (printed, failure): Outcome) -> Result<(), String> {
    match failure {
        None => same(&json!({ "want": printed }), &json!({ "want": case.get("want") })),
        Some((stage, error)) => {
            let want = json!({
                "stage": case.get("stage"), "error": case.get("error"),
                "partial": case["partial_output"].as_str().unwrap_or_default(),
            });
            same(&json!({"stage": stage, "error": error, "partial": printed}), &want)
        }
    }
}

fn jsonpath(case: &Value) -> Result<(), String> {
    if text(case, "func") == "relaxed" {
        return match jsonpath::relaxed(text(case, "input")) {
            Ok(got) => same(&json!({ "want": got }), &json!({ "want": case.get("want") })),
            Err(error) => same(&error.to_string().as_str(), &text(case, "error")),
        };
    }
    let options = jsonpath::Options {
        allow_missing_keys: case["allow_missing_keys"] == true,
        json_output: case["json_output"] == true,
    };
    let mut out = String::new();
    let failure = match JsonPath::parse(text(case, "template")) {
        Err(error) => Some(("parse", error.to_string())),
        Ok(path) => path.execute(&case["input"], options, &mut out).err().map(|e| ("execute", e.to_string())),
    };
    compare(case, (out, failure))
}

fn go_template(case: &Value) -> Result<(), String> {
    let mut out = String::new();
    let failure = match GoTemplate::parse(text(case, "template")) {
        Err(error) => Some(("parse", error.to_string())),
        Ok(template) => {
            let template = template.allow_missing_keys(case["allow_missing_keys"] == true);
            template.execute(&case["input"], &mut out).err().map(|e| ("execute", e.to_string()))
        }
    };
    compare(case, (out, failure))
}

fn custom_columns(case: &Value) -> Result<(), String> {
    let parsed = match case["template_file"].as_str() {
        Some(template) => CustomColumns::from_template(template),
        None => CustomColumns::from_spec(text(case, "spec"), case["no_headers"] == true),
    };
    let mut printer = match parsed {
        Ok(printer) => printer,
        Err(error) => return compare(case, (String::new(), Some(("parse", error.to_string())))),
    };
    let objects = case["objects"].as_array().cloned().unwrap_or_default();
    let objects = match text(case, "mode") {
        "list" => vec![json!({"kind": "List", "apiVersion": "v1", "items": objects})],
        _ => objects,
    };
    let failure = objects.iter().find_map(|object| printer.add(object).err());
    let mut out = String::new();
    printer.flush(&mut out);
    compare(case, (out, failure.map(|e| ("print", e.to_string()))))
}
