//! Horizontal pod autoscalers.

use super::text::{self, optional_number, present};
use super::{Describer, Error, Subject, Writer, events};
use crate::kinds::columns::text::quantity;
use crate::object::go::quote;
use crate::object::{Value, meta};

pub(super) const TABLE: &[Describer] = &[Describer::new("autoscaling", "HorizontalPodAutoscaler", autoscaler)];

fn autoscaler(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let number = |path: &[&str]| meta::int_at(object, path).unwrap_or_default();
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.field(0, "CreationTimestamp", text::time(object, &["metadata", "creationTimestamp"], subject.settings));
    let target = |field: &str| meta::str_at(object, &["spec", "scaleTargetRef", field]);
    w.field(0, "Reference", format_args!("{}/{}", target("kind"), target("name")));
    let version_1 = meta::gvk(object).version == "v1";
    if version_1 {
        cpu(w, object);
    } else {
        w.field(0, "Metrics", "( current / target )");
        let statuses = meta::list_at(object, &["status", "currentMetrics"]);
        for (index, spec) in meta::list_at(object, &["spec", "metrics"]).iter().enumerate() {
            metric(w, spec, statuses.get(index));
        }
    }
    w.field(0, "Min replicas", optional_number(present(object, &["spec", "minReplicas"])));
    w.field(0, "Max replicas", number(&["spec", "maxReplicas"]));
    if let Some(behavior) = present(object, &["spec", "behavior"]) {
        w.line(0, "Behavior:");
        direction(w, "Scale Up", present(behavior, &["scaleUp"]));
        direction(w, "Scale Down", present(behavior, &["scaleDown"]));
    }
    let (current, desired) = (number(&["status", "currentReplicas"]), number(&["status", "desiredReplicas"]));
    w.field(0, &format!("{} pods", target("kind")), format_args!("{current} current / {desired} desired"));
    let conditions = meta::list_at(object, &["status", "conditions"]);
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus\tReason\tMessage");
        w.line(1, "----\t------\t------\t-------");
    }
    text::conditions(w, conditions, |c| {
        let part = |field: &str| meta::str_at(c, &[field]);
        format!("{}\t{}\t{}\t{}", part("type"), part("status"), part("reason"), part("message"))
    });
    events::describe(subject, w);
    Ok(())
}

/// What version 1 shows in place of metrics.
fn cpu(w: &mut Writer, object: &Value) {
    let Some(target) = present(object, &["spec", "targetCPUUtilizationPercentage"]) else { return };
    w.field(0, "Target CPU utilization", format_args!("{target}%"));
    let current = present(object, &["status", "currentCPUUtilizationPercentage"]);
    let current = current.map_or_else(|| "<unknown>".to_owned(), Value::to_string);
    w.field(0, "Current CPU utilization", format_args!("{current}%"));
}

/// A metric of a spec beside its status, if the status speaks of the same type.
struct Metric<'a> {
    spec: &'a Value,
    status: Option<&'a Value>,
}

impl Metric<'_> {
    fn target(&self, field: &str) -> String {
        quantity(present(self.spec, &["target", field]))
    }

    /// The current amount: unknown without a status, 0 when the status lacks it.
    fn current(&self, field: &str) -> String {
        self.status.map_or_else(|| "<unknown>".to_owned(), |status| quantity(present(status, &["current", field])))
    }

    /// Current and target of a resource: amounts, or shares of what is requested.
    fn of_resource(&self) -> String {
        if present(self.spec, &["target", "averageValue"]).is_some() {
            return format!(":\t{} / {}", self.current("averageValue"), self.target("averageValue"));
        }
        let share = self.status.and_then(|status| present(status, &["current", "averageUtilization"]));
        let current = share
            .map_or_else(|| "<unknown>".to_owned(), |share| format!("{share}% ({})", self.current("averageValue")));
        let target = present(self.spec, &["target", "averageUtilization"]);
        let target = target.map_or_else(|| "<auto>".to_owned(), |share| format!("{share}%"));
        format!("  (as a percentage of request):\t{current} / {target}")
    }
}

fn metric(w: &mut Writer, spec: &Value, status: Option<&Value>) {
    let type_ = meta::str_at(spec, &["type"]);
    let field = match type_ {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        other => return w.line(1, format_args!("<unknown metric type {}>", quote(other))),
    };
    let empty = Value::Null;
    let spec = present(spec, &[field]).unwrap_or(&empty);
    let metric = Metric { spec, status: status.and_then(|status| present(status, &[field])) };
    let name = quote(meta::str_at(spec, &["metric", "name"]));
    let values = |field: &str| format!("{} / {}", metric.current(field), metric.target(field));
    match type_ {
        "External" if present(spec, &["target", "averageValue"]).is_some() => {
            let known = metric.status.filter(|status| present(status, &["current", "averageValue"]).is_some());
            let current = known.map_or_else(|| "<unknown>".to_owned(), |_| metric.current("averageValue"));
            let target = metric.target("averageValue");
            w.line(1, format_args!("{name} (target average value):\t{current} / {target}"));
        }
        "External" => w.line(1, format_args!("{name} (target value):\t{}", values("value"))),
        "Pods" => w.line(1, format_args!("{name} on pods:\t{}", values("averageValue"))),
        "Object" => {
            let described = |field: &str| meta::str_at(spec, &["describedObject", field]);
            let (words, field) = if meta::str_at(spec, &["target", "type"]) == "AverageValue" {
                ("target average value", "averageValue")
            } else {
                ("target value", "value")
            };
            let (kind, object) = (described("kind"), described("name"));
            // Unlike elsewhere the name stands between plain quotes, without escapes.
            let name = meta::str_at(spec, &["metric", "name"]);
            w.line(1, format_args!("\"{name}\" on {kind}/{object} ({words}):\t{}", values(field)));
        }
        "Resource" => {
            w.line(1, format_args!("resource {} on pods{}", meta::str_at(spec, &["name"]), metric.of_resource()));
        }
        _ => {
            let (name, container) = (meta::str_at(spec, &["name"]), meta::str_at(spec, &["container"]));
            w.line(1, format_args!("resource {name} of container \"{container}\" on pods{}", metric.of_resource()));
        }
    }
}

fn direction(w: &mut Writer, title: &str, rules: Option<&Value>) {
    let Some(rules) = rules else { return };
    w.line(1, format_args!("{title}:"));
    if let Some(seconds) = present(rules, &["stabilizationWindowSeconds"]) {
        w.line(2, format_args!("Stabilization Window: {seconds} seconds"));
    }
    let policies = meta::list_at(rules, &["policies"]);
    if policies.is_empty() {
        return;
    }
    let select = present(rules, &["selectPolicy"]).and_then(Value::as_str).unwrap_or("Max");
    w.line(2, format_args!("Select Policy: {select}"));
    w.line(2, "Policies:");
    for policy in policies {
        let number = |field: &str| meta::int_at(policy, &[field]).unwrap_or_default();
        let (type_, value, period) = (meta::str_at(policy, &["type"]), number("value"), number("periodSeconds"));
        w.line(3, format_args!("- Type: {type_}\tValue: {value}\tPeriod: {period} seconds"));
    }
}
