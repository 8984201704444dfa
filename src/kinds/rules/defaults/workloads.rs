//! Defaults of apps, batch and autoscaling.

use serde_json::json;

use super::Default;
use crate::kinds::rules::value::{map_in, set_default};
use crate::object::{Map, Value};

/// The rows of this file.
pub const DEFAULTS: &[Default] = &[
    Default { of: "apps.v1.Deployment", set: deployment },
    Default { of: "apps.v1.DaemonSet", set: daemon_set },
    Default { of: "apps.v1.StatefulSet", set: stateful_set },
    Default { of: "apps.v1.ReplicaSet", set: |map| set_default(map_in(map, "spec"), "replicas", 1) },
    Default { of: "batch.v1.Job", set: job },
    Default { of: "batch.v1.CronJob", set: cron_job },
    Default { of: "batch.v1.PodFailurePolicyOnPodConditionsPattern", set: |map| set_default(map, "status", "True") },
    Default {
        of: "autoscaling.v1.HorizontalPodAutoscaler",
        set: |map| set_default(map_in(map, "spec"), "minReplicas", 1),
    },
    Default { of: "autoscaling.v2.HorizontalPodAutoscaler", set: autoscaler },
];

fn deployment(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_default(spec, "replicas", 1);
    let strategy = map_in(spec, "strategy");
    set_default(strategy, "type", "RollingUpdate");
    if strategy.get("type") == Some(&json!("RollingUpdate")) {
        let rolling = map_in(strategy, "rollingUpdate");
        set_null(rolling, "maxUnavailable", "25%");
        set_null(rolling, "maxSurge", "25%");
    }
    set_default(spec, "revisionHistoryLimit", 10);
    set_default(spec, "progressDeadlineSeconds", 600);
}

fn set_null(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if map.get(name).is_none_or(Value::is_null) {
        map.insert(name.to_owned(), value.into());
    }
}

fn daemon_set(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    let strategy = map_in(spec, "updateStrategy");
    set_default(strategy, "type", "RollingUpdate");
    if strategy.get("type") == Some(&json!("RollingUpdate")) {
        let rolling = map_in(strategy, "rollingUpdate");
        set_null(rolling, "maxUnavailable", 1);
        set_null(rolling, "maxSurge", 0);
    }
    set_default(spec, "revisionHistoryLimit", 10);
}

fn stateful_set(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_default(spec, "podManagementPolicy", "OrderedReady");
    let strategy = map_in(spec, "updateStrategy");
    if strategy.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
        strategy.insert("type".into(), json!("RollingUpdate"));
        map_in(strategy, "rollingUpdate");
    }
    if strategy.get("type") == Some(&json!("RollingUpdate"))
        && let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate")
    {
        set_null(rolling, "partition", 0);
    }
    let retention = map_in(spec, "persistentVolumeClaimRetentionPolicy");
    set_default(retention, "whenDeleted", "Retain");
    set_default(retention, "whenScaled", "Retain");
    set_default(spec, "replicas", 1);
    set_default(spec, "revisionHistoryLimit", 10);
}

fn job(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    let absent = |spec: &Map<String, Value>, name: &str| spec.get(name).is_none_or(Value::is_null);
    if absent(spec, "completions") && absent(spec, "parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    set_null(spec, "parallelism", 1);
    let limit = if absent(spec, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    set_null(spec, "backoffLimit", limit);
    set_null(spec, "completionMode", "NonIndexed");
    set_null(spec, "suspend", false);
    let replacement = if absent(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    set_null(spec, "podReplacementPolicy", replacement);
    set_null(spec, "manualSelector", false);
    let labels = spec.get("template").and_then(|t| t.get("metadata")).and_then(|m| m.get("labels")).cloned();
    let metadata = map_in(map, "metadata");
    if let Some(labels @ Value::Object(_)) = labels
        && metadata.get("labels").and_then(Value::as_object).is_none_or(Map::is_empty)
    {
        metadata.insert("labels".into(), labels);
    }
}

fn cron_job(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_default(spec, "concurrencyPolicy", "Allow");
    set_null(spec, "suspend", false);
    set_null(spec, "successfulJobsHistoryLimit", 3);
    set_null(spec, "failedJobsHistoryLimit", 1);
}

fn autoscaler(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_null(spec, "minReplicas", 1);
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}});
        spec.insert("metrics".into(), json!([{"type": "Resource", "resource": cpu}]));
    }
    if let Some(Value::Object(behavior)) = spec.get_mut("behavior") {
        scaling_rules(
            map_in(behavior, "scaleUp"),
            &json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        );
        scaling_rules(
            map_in(behavior, "scaleDown"),
            &json!({"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        );
    }
}

fn scaling_rules(rules: &mut Map<String, Value>, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        set_null(rules, name, value.clone());
    }
}
