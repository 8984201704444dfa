//! Quantities, durations, names, selectors and hashes.

use knarr::object::duration::{self, GoDuration};
use knarr::object::quantity::Quantity;
use knarr::object::selector::{FieldSelector, LabelSelector};
use knarr::object::{hash, intstr, names};
use serde_json::{Value, json};

use super::{Set, same};

/// The sets of this file.
pub const SETS: &[Set] = &[
    Set { name: "quantity", at_least: 100.0, known: &[], check: quantity },
    Set { name: "duration_intstr", at_least: 100.0, known: &[], check: duration_intstr },
    Set { name: "names_validation", at_least: 100.0, known: &[], check: names_validation },
    Set { name: "label_selector", at_least: 100.0, known: &[], check: label_selector },
    Set { name: "field_selector", at_least: 100.0, known: &[], check: field_selector },
    Set { name: "pod_template_hash", at_least: 100.0, known: &[], check: controller_revision },
];

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// Compares a result with `want` or `error` of the case.
fn outcome<E: ToString>(case: &Value, got: Result<Value, E>) -> Result<(), String> {
    match got {
        Ok(value) => same(&json!({ "want": value }), &json!({ "want": case.get("want") })),
        Err(error) => same(&json!({ "error": error.to_string() }), &json!({ "error": case.get("error") })),
    }
}

fn quantity(case: &Value) -> Result<(), String> {
    if text(case, "func") == "arith" {
        let parse = |key| Quantity::parse(text(case, key)).map_err(|e| e.to_string());
        let (a, b) = (parse("a")?, parse("b")?);
        let (mut sum, mut difference) = (a.clone(), a.clone());
        sum.add(&b);
        difference.sub(&b);
        let got = json!({
            "cmp": a.cmp(&b) as i8, "equal": a == b, "add": sum.to_string(), "sub": difference.to_string(),
        });
        return same(&got, &case["want"]);
    }
    let mut case = case.clone();
    // The float is text in Go's form: compared as a number.
    if let Some(float) = case["want"]["as_float"].as_str().and_then(|f| f.parse::<f64>().ok()) {
        case["want"]["as_float"] = json!(float);
    }
    let got = Quantity::parse(text(&case, "input")).map(|q| {
        json!({
            "string": q.to_string(), "format": q.format().as_str(), "value": q.value(), "milli_value": q.milli_value(),
            "sign": q.sign(), "is_int64": q.as_i64().is_some(), "as_float": q.as_f64(),
        })
    });
    outcome(&case, got)
}

fn duration_intstr(case: &Value) -> Result<(), String> {
    match text(case, "func") {
        "human" => {
            let duration = GoDuration(case["nanoseconds"].as_i64().unwrap_or_default());
            let got = json!({"human": duration::human(duration), "short_human": duration::short_human(duration)});
            same(&got, &case["want"])
        }
        "metav1_duration" => {
            let value = serde_json::from_str(text(case, "input")).map_err(|e| e.to_string())?;
            let got = GoDuration::from_value(&value)
                .map(|duration| json!({"nanoseconds": duration.0, "json": duration::to_json(duration)}));
            outcome(case, got)
        }
        _ => {
            let (total, up) = (case["total"].as_i64().unwrap_or_default(), case["round_up"] == true);
            outcome(case, intstr::scaled(&case["value"], total, up).map(Value::from))
        }
    }
}

fn names_validation(case: &Value) -> Result<(), String> {
    let input = text(case, "input");
    let got = match text(case, "func") {
        "IsCIdentifier" => names::is_c_identifier(input),
        "IsConfigMapKey" => names::is_config_map_key(input),
        "IsDNS1035Label" => names::is_dns1035_label(input),
        "IsDNS1123Label" => names::is_dns1123_label(input),
        "IsDNS1123Subdomain" => names::is_dns1123_subdomain(input),
        "IsDNS1123SubdomainWithUnderscore" => names::is_dns1123_subdomain_with_underscore(input),
        "IsEnvVarName" => names::is_env_var_name(input),
        "IsHTTPHeaderName" => names::is_http_header_name(input),
        "IsQualifiedName" => names::is_qualified_name(input),
        "IsRelaxedEnvVarName" => names::is_relaxed_env_var_name(input),
        "IsValidLabelValue" => names::is_valid_label_value(input),
        "IsValidPercent" => names::is_valid_percent(input),
        "IsValidPortName" => names::is_valid_port_name(input),
        "IsValidPortNum" => names::is_valid_port_num(case["input"].as_i64().unwrap_or_default()),
        "IsWildcardDNS1123Subdomain" => names::is_wildcard_dns1123_subdomain(input),
        other => return Err(format!("no function {other}")),
    };
    same(&json!(got), &case["want"])
}

fn sets<'a>(case: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    case[key].as_array().into_iter().flatten()
}

fn label_selector(case: &Value) -> Result<(), String> {
    let got = LabelSelector::parse(text(case, "selector")).map(|selector| {
        let requirement = |r: &knarr::object::selector::Requirement| {
            json!({"key": r.key, "operator": r.operator.as_str(), "values": r.values})
        };
        let matches: Vec<bool> = sets(case, "label_sets").map(|set| selector.matches(set.as_object())).collect();
        json!({
            "requirements": selector.requirements().iter().map(requirement).collect::<Vec<_>>(),
            "selectable": selector.selectable(), "string": selector.to_string(), "matches": matches,
        })
    });
    outcome(case, got)
}

fn field_selector(case: &Value) -> Result<(), String> {
    let got = FieldSelector::parse(text(case, "selector")).map(|selector| {
        let requirement = |r: &knarr::object::selector::FieldRequirement| {
            json!({"field": r.field, "operator": r.operator(), "value": r.value})
        };
        let matches: Vec<bool> =
            sets(case, "field_sets").map(|set| selector.matches_with(|field| set[field].as_str())).collect();
        json!({
            "requirements": selector.requirements().iter().map(requirement).collect::<Vec<_>>(),
            "string": selector.to_string(), "empty": selector.is_everything(), "matches": matches,
        })
    });
    outcome(case, got)
}

fn controller_revision(case: &Value) -> Result<(), String> {
    let count = case["collision_count"].as_i64().and_then(|n| i32::try_from(n).ok());
    if case.get("statefulset").is_none() {
        let got = knarr::kinds::go_dump::pod_template_hash(&case["template"], count);
        return same(&got.as_str(), &text(case, "want"));
    }
    let want = &case["want"];
    let got = hash::controller_revision_hash(text(want, "data").as_bytes(), count);
    same(&got.as_str(), &text(want, "hash"))
}
