//! Rows of the groups that extend or steer the API server and the scheduler: admission, API services, flow control,
//! priority and runtime classes, dynamic resources.

use std::cmp::Ordering;

use serde_json::json;

use super::{Row, RowOf};
use crate::object::{Value, meta};

const ADMISSION: &str = "admissionregistration.k8s.io";
const FLOW_CONTROL: &str = "flowcontrol.apiserver.k8s.io";
const RESOURCE: &str = "resource.k8s.io";

pub(super) const ROWS: &[RowOf] = &[
    (ADMISSION, "MutatingAdmissionPolicy", |row| policy(row, "mutations")),
    (ADMISSION, "MutatingAdmissionPolicyBinding", policy_binding),
    (ADMISSION, "MutatingWebhookConfiguration", webhooks),
    (ADMISSION, "ValidatingAdmissionPolicy", |row| policy(row, "validations")),
    (ADMISSION, "ValidatingAdmissionPolicyBinding", policy_binding),
    (ADMISSION, "ValidatingWebhookConfiguration", webhooks),
    ("apiregistration.k8s.io", "APIService", api_service),
    (FLOW_CONTROL, "FlowSchema", flow_schema),
    (FLOW_CONTROL, "PriorityLevelConfiguration", priority_level),
    ("node.k8s.io", "RuntimeClass", runtime_class),
    (RESOURCE, "DeviceClass", name_and_age),
    (RESOURCE, "ResourceClaim", resource_claim),
    (RESOURCE, "ResourceClaimTemplate", name_and_age),
    (RESOURCE, "ResourceSlice", resource_slice),
    ("scheduling.k8s.io", "PriorityClass", priority_class),
];

/// The row of kinds that show nothing else.
pub(super) fn name_and_age(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), row.age()]
}

fn webhooks(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.list(&["webhooks"]).len()), row.age()]
}

fn policy(row: &Row<'_>, expressions: &str) -> Vec<Value> {
    let parameter = row.get(&["spec", "paramKind"]).map_or_else(
        || "<unset>".to_owned(),
        |parameter| format!("{}/{}", meta::api_version(parameter), meta::kind(parameter)),
    );
    vec![row.name(), json!(row.list(&["spec", expressions]).len()), json!(parameter), row.age()]
}

fn policy_binding(row: &Row<'_>) -> Vec<Value> {
    let parameter = row.get(&["spec", "paramRef"]).and_then(|reference| {
        match (meta::str_at(reference, &["namespace"]), meta::str_at(reference, &["name"])) {
            ("", "") | (_, "") => reference.get("selector").filter(|s| !s.is_null()).map(go_selector),
            ("", name) => Some(format!("*/{name}")),
            (namespace, name) => Some(format!("{namespace}/{name}")),
        }
    });
    let parameter = parameter.unwrap_or_else(|| "<unset>".to_owned());
    vec![row.name(), json!(row.text(&["spec", "policyName"])), json!(parameter), row.age()]
}

/// A label selector as Go prints the struct.
fn go_selector(selector: &Value) -> String {
    let labels: String =
        meta::texts(meta::map_at(selector, &["matchLabels"])).map(|(key, value)| format!("{key}: {value},")).collect();
    let expression = |e: &Value| {
        let values: Vec<&str> = meta::list_at(e, &["values"]).iter().filter_map(Value::as_str).collect();
        format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            meta::str_at(e, &["key"]),
            meta::str_at(e, &["operator"]),
            values.join(" ")
        )
    };
    let expressions: String = meta::list_at(selector, &["matchExpressions"]).iter().map(expression).collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

fn api_service(row: &Row<'_>) -> Vec<Value> {
    let service = row.get(&["spec", "service"]).map_or_else(
        || "Local".to_owned(),
        |service| format!("{}/{}", meta::str_at(service, &["namespace"]), meta::str_at(service, &["name"])),
    );
    let conditions = row.list(&["status", "conditions"]);
    let available = conditions.iter().find(|c| meta::str_at(c, &["type"]) == "Available").map_or_else(
        || "Unknown".to_owned(),
        |condition| match (meta::str_at(condition, &["status"]), meta::str_at(condition, &["reason"])) {
            ("True", _) => "True".to_owned(),
            (status, "") => status.to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        },
    );
    vec![row.name(), json!(service), json!(available), row.age()]
}

/// Flow schemas by precedence, then by name.
pub(super) fn flow_schema_order(a: &Value, b: &Value) -> Ordering {
    let precedence = |schema: &Value| meta::int_at(schema, &["spec", "matchingPrecedence"]).unwrap_or_default();
    precedence(a).cmp(&precedence(b)).then_with(|| meta::name(a).cmp(meta::name(b)))
}

fn flow_schema(row: &Row<'_>) -> Vec<Value> {
    let conditions = row.list(&["status", "conditions"]);
    let dangling = conditions.iter().find(|c| meta::str_at(c, &["type"]) == "Dangling");
    vec![
        row.name(),
        json!(row.text(&["spec", "priorityLevelConfiguration", "name"])),
        json!(row.int(&["spec", "matchingPrecedence"])),
        json!(row.text_or(&["spec", "distinguisherMethod", "type"], "<none>")),
        row.age(),
        json!(dangling.map_or("?", |c| meta::str_at(c, &["status"]))),
    ]
}

fn priority_level(row: &Row<'_>) -> Vec<Value> {
    let limited = ["spec", "limited"];
    let cell = |within: &[&str], field: &str| match row.get(&[&limited[..], within].concat()) {
        Some(part) => json!(meta::int_at(part, &[field]).unwrap_or_default()),
        None => json!("<none>"),
    };
    let queuing: &[&str] = &["limitResponse", "queuing"];
    vec![
        row.name(),
        json!(row.text(&["spec", "type"])),
        cell(&[], "nominalConcurrencyShares"),
        cell(queuing, "queues"),
        cell(queuing, "handSize"),
        cell(queuing, "queueLengthLimit"),
        row.age(),
    ]
}

fn runtime_class(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text(&["handler"])), row.age()]
}

fn resource_claim(row: &Row<'_>) -> Vec<Value> {
    let allocated = row.get(&["status", "allocation"]).is_some();
    let reserved = allocated && !row.list(&["status", "reservedFor"]).is_empty();
    let states = [
        ("deleted", row.deleted()),
        ("pending", !allocated && !row.deleted()),
        ("allocated", allocated),
        ("reserved", reserved),
    ];
    let states: Vec<&str> = states.iter().filter(|(_, holds)| *holds).map(|(state, _)| *state).collect();
    vec![row.name(), json!(states.join(",")), row.age()]
}

fn resource_slice(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text(&["spec", "nodeName"])),
        json!(row.text(&["spec", "driver"])),
        json!(row.text(&["spec", "pool", "name"])),
        row.age(),
    ]
}

fn priority_class(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.int(&["value"])),
        json!(row.flag(&["globalDefault"])),
        row.age(),
        json!(row.text(&["preemptionPolicy"])),
    ]
}
