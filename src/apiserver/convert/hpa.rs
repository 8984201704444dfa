//! Horizontal pod autoscalers in `autoscaling/v1` and `autoscaling/v2`.
//!
//! What version 1 cannot say goes into annotations, as in the real server, so that it survives a round trip.

use serde_json::json;

use crate::object::{Map, Value, meta};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";

fn is_cpu_utilization(metric: &Value) -> bool {
    meta::str_at(metric, &["type"]) == "Resource" && meta::str_at(metric, &["resource", "name"]) == "cpu"
}

fn take_annotation(object: &mut Value, name: &str) -> Option<Value> {
    let text = meta::remove(object, &["metadata", "annotations", name])?;
    if meta::map_at(object, &["metadata", "annotations"]).is_some_and(Map::is_empty) {
        meta::remove(object, &["metadata", "annotations"]);
    }
    serde_json::from_str(text.as_str()?).ok()
}

fn annotate(object: &mut Value, name: &str, value: &Value) {
    meta::set(object, &["metadata", "annotations", name], crate::object::json::to_compact(value));
}

/// `autoscaling/v1` to `autoscaling/v2`.
pub fn to_v2(object: &mut Value) {
    let mut metrics = Vec::new();
    if let Some(Value::Array(others)) = take_annotation(object, METRICS) {
        metrics.extend(others.iter().map(metric_to_v2));
    }
    if let Some(percent) = meta::remove(object, &["spec", "targetCPUUtilizationPercentage"]) {
        let target = json!({"type": "Utilization", "averageUtilization": percent});
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    }
    if metrics.is_empty() {
        // The default of the second version holds for the first one, too.
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    }
    meta::set(object, &["spec", "metrics"], metrics);
    if let Some(behavior) = take_annotation(object, BEHAVIOR) {
        meta::set(object, &["spec", "behavior"], behavior);
    }
    if let Some(conditions) = take_annotation(object, CONDITIONS) {
        meta::set(object, &["status", "conditions"], conditions);
    }
    let mut current = Vec::new();
    if let Some(percent) = meta::remove(object, &["status", "currentCPUUtilizationPercentage"]) {
        current
            .push(json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}));
    }
    if let Some(Value::Array(others)) = take_annotation(object, CURRENT) {
        current.extend(others);
    }
    if meta::get(object, &["status"]).is_some() {
        meta::map_mut(object, &["status"]).entry("desiredReplicas").or_insert(json!(0));
        let shown = if current.is_empty() { Value::Null } else { Value::Array(current) };
        meta::map_mut(object, &["status"]).entry("currentMetrics").or_insert(shown);
    }
}

/// Metrics in the annotation are in the form of `v2beta1`, with the target's parts side by side.
fn metric_to_v2(metric: &Value) -> Value {
    let mut metric = metric.clone();
    let kind = meta::str_at(&metric, &["type"]).to_owned();
    let Some(name) = (kind == "Resource").then_some("resource") else { return metric };
    let mut target = Map::new();
    for (old, new, type_) in [
        ("targetAverageUtilization", "averageUtilization", "Utilization"),
        ("targetAverageValue", "averageValue", "AverageValue"),
    ] {
        if let Some(value) = meta::remove(&mut metric, &[name, old]) {
            target.insert(new.into(), value);
            target.insert("type".into(), json!(type_));
        }
    }
    if !target.is_empty() {
        meta::set(&mut metric, &[name, "target"], target);
    }
    metric
}

fn metric_from_v2(metric: &Value) -> Value {
    let mut metric = metric.clone();
    if meta::str_at(&metric, &["type"]) == "Resource"
        && let Some(target) = meta::remove(&mut metric, &["resource", "target"])
    {
        for (new, old) in [("averageUtilization", "targetAverageUtilization"), ("averageValue", "targetAverageValue")] {
            if let Some(value) = target.get(new) {
                meta::set(&mut metric, &["resource", old], value.clone());
            }
        }
    }
    metric
}

/// `autoscaling/v2` to `autoscaling/v1`.
pub fn from_v2(object: &mut Value) {
    if let Some(Value::Array(metrics)) = meta::remove(object, &["spec", "metrics"]) {
        let mut others = Vec::new();
        for metric in metrics {
            match meta::int_at(&metric, &["resource", "target", "averageUtilization"]) {
                Some(percent) if is_cpu_utilization(&metric) => {
                    meta::set(object, &["spec", "targetCPUUtilizationPercentage"], percent);
                }
                _ => others.push(metric_from_v2(&metric)),
            }
        }
        if !others.is_empty() {
            annotate(object, METRICS, &Value::Array(others));
        }
    }
    if let Some(behavior) = meta::remove(object, &["spec", "behavior"]) {
        annotate(object, BEHAVIOR, &behavior);
    }
    if let Some(conditions) = meta::remove(object, &["status", "conditions"]).filter(|c| !c.is_null()) {
        annotate(object, CONDITIONS, &conditions);
    }
    if let Some(Value::Array(metrics)) = meta::remove(object, &["status", "currentMetrics"]) {
        let mut others = Vec::new();
        for metric in metrics {
            match meta::int_at(&metric, &["resource", "current", "averageUtilization"]) {
                Some(percent) if is_cpu_utilization(&metric) => {
                    meta::set(object, &["status", "currentCPUUtilizationPercentage"], percent);
                }
                _ => others.push(metric),
            }
        }
        if !others.is_empty() {
            annotate(object, CURRENT, &Value::Array(others));
        }
    }
    if meta::get(object, &["status"]).is_some() {
        let status = meta::map_mut(object, &["status"]);
        status.entry("currentReplicas").or_insert(json!(0));
        status.entry("desiredReplicas").or_insert(json!(0));
    }
}
