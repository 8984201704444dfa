//! Rules of autoscaling and of disruption budgets.

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, Rules, StatusSplit, check, internal, quantity};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{GroupVersion, Value, meta, names};

/// Longest stabilization window, in seconds.
const MAX_WINDOW: i64 = 3600;
/// Longest period of a scaling policy, in seconds.
const MAX_PERIOD: i64 = 1800;
/// Share of the requested CPU that version 1 aims at when nothing is said.
const DEFAULT_CPU: i64 = 80;

pub const RULES: &[Rules] = &[
    Rules {
        group: "autoscaling",
        kind: "HorizontalPodAutoscaler",
        convert: default_target,
        validate_create: |object| autoscaler(object, 1, false),
        validate_update: |new, old| {
            let lower = if old.at("spec").opt_int("minReplicas") == Some(0) { 0 } else { 1 };
            autoscaler(new, lower, !has_group(old.at("spec").at("scaleTargetRef")))
        },
        validate_status_update: |new, _| {
            let mut errors = ErrorList::new();
            let fields = ["currentReplicas", "desiredReplicas"];
            check::non_negative_fields(&mut errors, &Path::new("status"), new.at("status"), &fields);
            errors
        },
        status: StatusSplit::Status,
        ..GENERIC
    },
    Rules {
        group: "policy",
        kind: "PodDisruptionBudget",
        validate_create: disruption_budget,
        validate_update: |new, _| disruption_budget(new),
        validate_status_update: |new, _| {
            let mut errors = ErrorList::new();
            let fields = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
            check::non_negative_fields(&mut errors, &Path::new("status"), new.at("status"), &fields);
            errors
        },
        status: StatusSplit::Status,
        generation: true,
        allow_unconditional_update: false,
        ..GENERIC
    },
];

/// Without any metric the CPU is looked at; version 1 shows that on the way back from the internal version.
fn default_target(object: &mut Value) {
    let version_1 = object.text("apiVersion") == "autoscaling/v1";
    let annotated = meta::annotation(object, "autoscaling.alpha.kubernetes.io/metrics").is_some();
    if version_1 && !annotated && !object.at("spec").has("targetCPUUtilizationPercentage") {
        meta::set(object, &["spec", "targetCPUUtilizationPercentage"], DEFAULT_CPU);
    }
}

fn has_group(reference: &Value) -> bool {
    let version = GroupVersion::parse(reference.text("apiVersion"));
    let core = reference.text("kind") == "ReplicationController" && reference.text("apiVersion") == "v1";
    core || version.is_some_and(|version| !version.group.is_empty())
}

/// The metrics of a spec; version 1 has one at most.
fn metrics_of(spec: &Value) -> Vec<Value> {
    match spec.some("targetCPUUtilizationPercentage") {
        Some(percent) => vec![json!({
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
        })],
        None => spec.list("metrics").to_vec(),
    }
}

fn autoscaler(object: &Value, lower: i64, any_group: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    let (minimum, maximum) = (spec.opt_int("minReplicas"), spec.int("maxReplicas"));
    if let Some(minimum) = minimum.filter(|minimum| *minimum < lower) {
        let message = format!("must be greater than or equal to {lower}");
        errors.push(Error::invalid(&path.child("minReplicas"), minimum, message));
    }
    let at = path.child("maxReplicas");
    match maximum {
        0 => errors.push(Error::required(&at, "must be set and greater than 0")),
        negative if negative < 0 => errors.push(Error::invalid(&at, negative, "must be greater than 0")),
        _ => {}
    }
    if minimum.is_some_and(|minimum| maximum < minimum) {
        errors.push(Error::invalid(&at, maximum, "must be greater than or equal to `minReplicas`"));
    }
    let target = spec.at("scaleTargetRef");
    let at = path.child("scaleTargetRef");
    reference(&mut errors, &at, target);
    if !any_group && !has_group(target) {
        let message = "apiVersion must specify API group";
        errors.push(Error::invalid(&at.child("apiVersion"), target.text("apiVersion"), message));
    }
    let metrics = metrics_of(spec);
    let at = path.child("metrics");
    for (i, metric) in metrics.iter().enumerate() {
        check_metric(&mut errors, &at.index(i), metric);
    }
    let counted = |metric: &Value| matches!(metric.text("type"), "Object" | "External");
    if minimum == Some(0) && !metrics.iter().any(counted) {
        let message = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(Error::forbidden(&at, message));
    }
    if let Some(behavior) = spec.some("behavior") {
        for direction in ["scaleUp", "scaleDown"] {
            if let Some(rules) = behavior.some(direction) {
                scaling_rules(&mut errors, &path.child("behavior").child(direction), rules);
            }
        }
    }
    errors
}

fn reference(errors: &mut ErrorList, path: &Path, reference: &Value) {
    for field in ["kind", "name"] {
        let text = reference.text(field);
        if text.is_empty() {
            errors.push(Error::required(&path.child(field), ""));
        } else {
            check::messages(errors, &path.child(field), text, names::is_path_segment_name(text));
        }
    }
}

fn scaling_rules(errors: &mut ErrorList, path: &Path, rules: &Value) {
    let at = path.child("stabilizationWindowSeconds");
    match rules.opt_int("stabilizationWindowSeconds") {
        Some(window) if window < 0 => {
            errors.push(Error::invalid(&at, window, "must be greater than or equal to zero"));
        }
        Some(window) if window > MAX_WINDOW => {
            errors.push(Error::invalid(&at, window, format!("must be less than or equal to {MAX_WINDOW}")));
        }
        _ => {}
    }
    if let Some(policy) = rules.opt_text("selectPolicy") {
        check::one_of(errors, &path.child("selectPolicy"), policy, &["Disabled", "Max", "Min"]);
    }
    let at = path.child("policies");
    if rules.list("policies").is_empty() {
        errors.push(Error::required(&at, "must specify at least one Policy"));
    }
    for (i, policy) in rules.list("policies").iter().enumerate() {
        let path = at.index(i);
        check::one_of(errors, &path.child("type"), policy.text("type"), &["Percent", "Pods"]);
        for field in ["value", "periodSeconds"] {
            if policy.int(field) <= 0 {
                errors.push(Error::invalid(&path.child(field), policy.int(field), check::POSITIVE));
            }
        }
        if policy.int("periodSeconds") > MAX_PERIOD {
            let message = format!("must be less than or equal to {MAX_PERIOD}");
            errors.push(Error::invalid(&path.child("periodSeconds"), policy.int("periodSeconds"), message));
        }
    }
    if let Some(tolerance) = rules.some("tolerance")
        && quantity::of(tolerance).sign() < 0
    {
        let message = "must be greater than or equal to zero";
        errors.push(Error::invalid(&path.child("tolerance"), tolerance.clone(), message));
    }
}

/// Types of metrics with the field of each, in the order in which they are looked at.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

fn check_metric(errors: &mut ErrorList, path: &Path, metric: &Value) {
    const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let type_ = metric.text("type");
    let at = path.child("type");
    if type_.is_empty() {
        errors.push(Error::required(&at, "must specify a metric source type"));
    }
    check::one_of(errors, &at, type_, &TYPES);
    let present: Vec<&str> = SOURCES.iter().map(|(_, field)| *field).filter(|field| metric.has(field)).collect();
    if let Some(field) = present.first() {
        source(errors, &path.child(field), field, metric.at(field));
    }
    let expected = SOURCES.iter().find(|(name, _)| *name == type_).map(|(_, field)| *field);
    match expected {
        None => check::one_of(errors, &at, type_, &TYPES),
        Some(field) if !metric.has(field) => {
            let message = "must populate information for the given metric source";
            errors.push(Error::required(&path.child(field), message));
        }
        Some(_) => {}
    }
    if present.len() != 1 {
        for field in present.into_iter().filter(|field| Some(*field) != expected) {
            errors.push(Error::forbidden(&path.child(field), "must populate the given metric source only"));
        }
    }
}

fn source(errors: &mut ErrorList, path: &Path, field: &str, source: &Value) {
    match field {
        "object" => reference(errors, &path.child("describedObject"), source.at("describedObject")),
        "resource" => resource_name(errors, path, source),
        "containerResource" => {
            resource_name(errors, path, source);
            let container = source.text("container");
            if container.is_empty() {
                errors.push(Error::required(&path.child("container"), "must specify a container"));
            } else {
                check::dns_label(errors, &path.child("container"), container);
            }
        }
        _ => {}
    }
    if matches!(field, "object" | "external" | "pods") {
        let name = source.at("metric").text("name");
        let at = path.child("metric").child("name");
        if name.is_empty() {
            errors.push(Error::required(&at, "must specify a metric name"));
        } else {
            check::messages(errors, &at, name, names::is_path_segment_name(name));
        }
    }
    let target = source.at("target");
    let path = path.child("target");
    metric_target(errors, &path, target);
    let (value, average, share) = (target.has("value"), target.has("averageValue"), target.has("averageUtilization"));
    match field {
        "object" if !value && !average => {
            errors.push(Error::required(&path.child("averageValue"), "must set either a target value or averageValue"))
        }
        "external" if !value && !average => errors.push(Error::required(
            &path.child("averageValue"),
            "must set either a target value for metric or a per-pod target",
        )),
        "external" if value && average => errors.push(Error::forbidden(
            &path.child("value"),
            "may not set both a target value for metric and a per-pod target",
        )),
        "pods" if !average => {
            errors.push(Error::required(&path.child("averageValue"), "must specify a positive target averageValue"))
        }
        "resource" | "containerResource" if !share && !average => errors.push(Error::required(
            &path.child("averageUtilization"),
            "must set either a target raw value or a target utilization",
        )),
        "resource" | "containerResource" if share && average => errors.push(Error::forbidden(
            &path.child("averageValue"),
            "may not set both a target raw value and a target utilization",
        )),
        _ => {}
    }
}

fn resource_name(errors: &mut ErrorList, path: &Path, source: &Value) {
    if source.text("name").is_empty() {
        errors.push(Error::required(&path.child("name"), "must specify a resource name"));
    }
}

fn metric_target(errors: &mut ErrorList, path: &Path, target: &Value) {
    let type_ = target.text("type");
    if type_.is_empty() {
        errors.push(Error::required(&path.child("type"), "must specify a metric target type"));
    }
    if !matches!(type_, "Utilization" | "Value" | "AverageValue") {
        let message = "must be either Utilization, Value, or AverageValue";
        errors.push(Error::invalid(&path.child("type"), type_, message));
    }
    for field in ["value", "averageValue"] {
        if let Some(amount) = target.some(field).filter(|amount| quantity::of(amount).sign() <= 0) {
            errors.push(Error::invalid(&path.child(field), amount.clone(), "must be positive"));
        }
    }
    if let Some(share) = target.opt_int("averageUtilization").filter(|share| *share < 1) {
        errors.push(Error::invalid(&path.child("averageUtilization"), share, "must be greater than 0"));
    }
}

fn disruption_budget(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        let shown = internal::show("policy.v1.PodDisruptionBudgetSpec", spec);
        let message = "minAvailable and maxUnavailable cannot be both set";
        errors.push(check::shown(ErrorKind::Invalid, &path, shown, message));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        if let Some(amount) = spec.some(field) {
            number_or_percent(&mut errors, &path.child(field), amount);
        }
    }
    check::label_selector(&mut errors, &path.child("selector"), spec.at("selector"));
    if let Some(policy) = spec.opt_text("unhealthyPodEvictionPolicy") {
        let supported = ["AlwaysAllow", "IfHealthyBudget"];
        check::one_of(&mut errors, &path.child("unhealthyPodEvictionPolicy"), policy, &supported);
    }
    errors
}

/// A number that is not negative, or a percentage of at most 100.
fn number_or_percent(errors: &mut ErrorList, path: &Path, amount: &Value) {
    match amount {
        Value::String(text) => {
            let messages = names::is_valid_percent(text);
            let percent = text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok());
            if messages.is_empty() && percent.is_none_or(|percent| percent > 100) {
                errors.push(Error::invalid(path, text.as_str(), "must not be greater than 100%"));
            }
            check::messages(errors, path, text.as_str(), messages);
        }
        number => check::non_negative(errors, path, number.as_i64().unwrap_or_default()),
    }
}
