//! Rows of horizontal pod autoscalers and of the scale subresource.

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::{Value, meta};

pub(super) const ROWS: &[RowOf] =
    &[("autoscaling", "HorizontalPodAutoscaler", autoscaler), ("autoscaling", "Scale", scale)];

/// How many metrics are shown.
const MAX_METRICS: usize = 2;

fn scale(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.int(&["spec", "replicas"])), json!(row.int(&["status", "replicas"])), row.age()]
}

fn autoscaler(row: &Row<'_>) -> Vec<Value> {
    let target =
        format!("{}/{}", row.text(&["spec", "scaleTargetRef", "kind"]), row.text(&["spec", "scaleTargetRef", "name"]));
    let minimum = row.get(&["spec", "minReplicas"]).map_or_else(|| "<unset>".to_owned(), Value::to_string);
    vec![
        row.name(),
        json!(target),
        json!(metrics(row)),
        json!(minimum),
        json!(row.int(&["spec", "maxReplicas"])),
        json!(row.int(&["status", "currentReplicas"])),
        row.age(),
    ]
}

/// Version 1 knows the CPU only: the metric and its status as version 2 has them.
fn cpu_of_version_1(row: &Row<'_>) -> Option<(Value, Value)> {
    let target = row.get(&["spec", "targetCPUUtilizationPercentage"])?;
    let current = row.get(&["status", "currentCPUUtilizationPercentage"]);
    let spec = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": target}}});
    let status = current.map_or(
        Value::Null,
        |current| json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}}),
    );
    Some((spec, status))
}

fn metrics(row: &Row<'_>) -> String {
    let mut shown: Vec<String> = Vec::new();
    if let Some((spec, status)) = cpu_of_version_1(row) {
        shown.push(metric(&spec, Some(&status)));
    }
    let statuses = row.list(&["status", "currentMetrics"]);
    let specs = row.list(&["spec", "metrics"]).iter().enumerate();
    shown.extend(specs.map(|(index, spec)| metric(spec, statuses.get(index))));
    match shown.len() {
        0 => "<none>".to_owned(),
        count if count > MAX_METRICS => {
            shown.truncate(MAX_METRICS);
            format!("{} + {} more...", shown.join(", "), count - MAX_METRICS)
        }
        _ => shown.join(", "),
    }
}

/// One metric as `current/target`.
fn metric(spec: &Value, status: Option<&Value>) -> String {
    let field = match meta::str_at(spec, &["type"]) {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let target = |name: &str| meta::get(spec, &[field, "target", name]).filter(|v| !v.is_null());
    // Present as soon as the status speaks of this type of metric, even without the value asked for.
    let source = status.and_then(|s| s.get(field)).filter(|s| !s.is_null());
    let current = |name: &str| source.and_then(|s| meta::get(s, &["current", name])).filter(|v| !v.is_null());
    let unknown = || "<unknown>".to_owned();
    let average = target("averageValue").map(|value| text::quantity(Some(value)));
    match (field, average) {
        ("pods", average) => {
            let now = source.map_or_else(unknown, |_| text::quantity(current("averageValue")));
            format!("{now}/{}", average.unwrap_or_else(|| "0".to_owned()))
        }
        ("external" | "object", Some(average)) => {
            let now = current("averageValue").map_or_else(unknown, |value| text::quantity(Some(value)));
            format!("{now}/{average} (avg)")
        }
        ("external" | "object", None) => {
            let now = source.map_or_else(unknown, |_| text::quantity(current("value")));
            format!("{now}/{}", text::quantity(target("value")))
        }
        (_, average) => {
            let name = meta::str_at(spec, &[field, "name"]);
            let (now, wanted) = match average {
                Some(average) => (source.map_or_else(unknown, |_| text::quantity(current("averageValue"))), average),
                None => (
                    current("averageUtilization").map_or_else(unknown, |percent| format!("{percent}%")),
                    target("averageUtilization").map_or_else(|| "<auto>".to_owned(), |percent| format!("{percent}%")),
                ),
            };
            format!("{name}: {now}/{wanted}")
        }
    }
}
