//! Rows of the core group, but for pods and volumes.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::{Value, meta};

pub(super) const ROWS: &[RowOf] = &[
    ("", "ComponentStatus", component_status),
    ("", "ConfigMap", config_map),
    ("", "Event", event),
    ("events.k8s.io", "Event", event),
    ("", "Namespace", namespace),
    ("", "Node", node),
    ("", "PodTemplate", pod_template),
    ("", "ReplicationController", replication_controller),
    ("", "ResourceQuota", resource_quota),
    ("", "Secret", secret),
    ("", "ServiceAccount", super::extend::name_and_age),
];

fn component_status(row: &Row<'_>) -> Vec<Value> {
    let healthy = row.list(&["conditions"]).iter().find(|c| meta::str_at(c, &["type"]) == "Healthy");
    let (status, message, error) = match healthy {
        None => ("Unknown", "", ""),
        Some(condition) => (
            if meta::str_at(condition, &["status"]) == "True" { "Healthy" } else { "Unhealthy" },
            meta::str_at(condition, &["message"]),
            meta::str_at(condition, &["error"]),
        ),
    };
    vec![row.name(), json!(status), json!(message), json!(error)]
}

fn size(object: &Value, field: &str) -> usize {
    meta::map_at(object, &[field]).map_or(0, serde_json::Map::len)
}

fn config_map(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(size(row.object, "data") + size(row.object, "binaryData")), row.age()]
}

fn secret(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text(&["type"])), json!(size(row.object, "data")), row.age()]
}

fn namespace(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text(&["status", "phase"])), row.age()]
}

/// The text in the first of several fields that has one: events have other field names in each group.
fn first_text<'a>(object: &'a Value, paths: &[&[&str]]) -> &'a str {
    paths.iter().map(|path| meta::str_at(object, path)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn event(row: &Row<'_>) -> Vec<Value> {
    let object = row.object;
    let text_of = |paths: &[&[&str]]| first_text(object, paths);
    let since = |time: &str| text::since(time, row.now);
    let first = since(text_of(&[&["firstTimestamp"], &["deprecatedFirstTimestamp"], &["eventTime"]]));
    let last = match text_of(&[&["lastTimestamp"], &["deprecatedLastTimestamp"]]) {
        "" => first.clone(),
        time => since(time),
    };
    let plain_count = row.int(&["count"]).max(row.int(&["deprecatedCount"]));
    let (last, count) = match row.get(&["series"]) {
        Some(series) => {
            (since(meta::str_at(series, &["lastObservedTime"])), meta::int_at(series, &["count"]).unwrap_or_default())
        }
        None => (last, if plain_count == 0 { 1 } else { plain_count }),
    };
    let about = row.get(&["involvedObject"]).or_else(|| row.get(&["regarding"])).unwrap_or(&Value::Null);
    let mut target = meta::str_at(about, &["kind"]).to_lowercase();
    if !meta::str_at(about, &["name"]).is_empty() {
        target = format!("{target}/{}", meta::str_at(about, &["name"]));
    }
    vec![
        json!(last),
        json!(row.text(&["type"])),
        json!(row.text(&["reason"])),
        json!(target),
        json!(meta::str_at(about, &["fieldPath"])),
        json!(event_source(object)),
        json!(text_of(&[&["message"], &["note"]]).trim()),
        json!(first),
        json!(count),
        row.name(),
    ]
}

fn event_source(event: &Value) -> String {
    let component = first_text(
        event,
        &[
            &["source", "component"],
            &["deprecatedSource", "component"],
            &["reportingComponent"],
            &["reportingController"],
        ],
    );
    let instance = first_text(event, &[&["source", "host"], &["deprecatedSource", "host"], &["reportingInstance"]]);
    if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") }
}

/// The roles that a node's labels give it, sorted.
pub fn node_roles(node: &Value) -> BTreeSet<&str> {
    meta::labels(node)
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then_some(value),
        })
        .filter(|role| !role.is_empty())
        .collect()
}

fn address<'a>(row: &Row<'a>, type_: &str) -> &'a str {
    let addresses = row.list(&["status", "addresses"]);
    let found = addresses.iter().find(|a| meta::str_at(a, &["type"]) == type_);
    found.map_or("<none>", |a| meta::str_at(a, &["address"]))
}

fn node(row: &Row<'_>) -> Vec<Value> {
    // Of several conditions of one type the last one counts.
    let ready = row.list(&["status", "conditions"]).iter().rfind(|c| meta::str_at(c, &["type"]) == "Ready");
    let mut status = match ready.map(|c| meta::str_at(c, &["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if row.flag(&["spec", "unschedulable"]) {
        status.push_str(",SchedulingDisabled");
    }
    let roles: Vec<&str> = node_roles(row.object).into_iter().collect();
    let architecture = row.text(&["status", "nodeInfo", "architecture"]);
    let info = |field: &str| match row.text(&["status", "nodeInfo", field]) {
        "" => "<unknown>",
        text => text,
    };
    vec![
        row.name(),
        json!(status),
        json!(text::or_none(roles.join(","))),
        row.age(),
        json!(row.text(&["status", "nodeInfo", "kubeletVersion"])),
        json!(address(row, "InternalIP")),
        json!(address(row, "ExternalIP")),
        json!(info("osImage")),
        json!(match architecture {
            "" => info("kernelVersion").to_owned(),
            _ => format!("{} ({architecture})", info("kernelVersion")),
        }),
        json!(info("containerRuntimeVersion")),
    ]
}

fn pod_template(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = text::containers(row.get(&["template", "spec"]));
    let labels = text::labels(meta::map_at(row.object, &["template", "metadata", "labels"]));
    vec![row.name(), json!(names), json!(images), json!(labels)]
}

fn replication_controller(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = text::containers(row.get(&["spec", "template", "spec"]));
    vec![
        row.name(),
        json!(row.int(&["spec", "replicas"])),
        json!(row.int(&["status", "replicas"])),
        json!(row.int(&["status", "readyReplicas"])),
        row.age(),
        json!(names),
        json!(images),
        json!(text::labels(meta::map_at(row.object, &["spec", "selector"]))),
    ]
}

fn resource_quota(row: &Row<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in meta::map_at(row.object, &["status", "hard"]).into_iter().flatten() {
        let used = row.get(&["status", "used", resource]);
        let entry = format!("{resource}: {}/{}", text::quantity(used), text::quantity(Some(hard)));
        let column = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(entry);
    }
    vec![row.name(), json!(requests.join(", ")), json!(limits.join(", ")), row.age()]
}
