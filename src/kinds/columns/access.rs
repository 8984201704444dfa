//! Rows of role bindings, certificate signing requests, leases and disruption budgets.

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::{Value, intstr, meta};

pub(super) const ROWS: &[RowOf] = &[
    ("certificates.k8s.io", "CertificateSigningRequest", signing_request),
    ("coordination.k8s.io", "Lease", lease),
    ("policy", "PodDisruptionBudget", disruption_budget),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", role_binding),
    ("rbac.authorization.k8s.io", "RoleBinding", role_binding),
];

fn role_binding(row: &Row<'_>) -> Vec<Value> {
    let subjects = |kind: &str| {
        let named = row.list(&["subjects"]).iter().filter(|s| meta::kind(s) == kind);
        let texts = named.map(|subject| match (kind, meta::str_at(subject, &["namespace"])) {
            ("ServiceAccount", namespace) if !namespace.is_empty() => {
                format!("{namespace}/{}", meta::str_at(subject, &["name"]))
            }
            _ => meta::str_at(subject, &["name"]).to_owned(),
        });
        json!(texts.collect::<Vec<_>>().join(", "))
    };
    vec![
        row.name(),
        json!(format!("{}/{}", row.text(&["roleRef", "kind"]), row.text(&["roleRef", "name"]))),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

/// State of a certificate signing request: `Approved,Issued` and the like.
pub fn signing_request_status(request: &Value) -> String {
    let conditions = meta::list_at(request, &["status", "conditions"]);
    let has = |type_: &str| conditions.iter().any(|c| meta::str_at(c, &["type"]) == type_);
    let mut status = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status.push_str(",Failed");
    }
    if !meta::str_at(request, &["status", "certificate"]).is_empty() {
        status.push_str(",Issued");
    }
    status
}

fn signing_request(row: &Row<'_>) -> Vec<Value> {
    let seconds = meta::int_at(row.object, &["spec", "expirationSeconds"]);
    let duration = seconds.and_then(chrono::Duration::try_seconds).map(text::human);
    vec![
        row.name(),
        row.age(),
        json!(text::or_none(row.text(&["spec", "signerName"]).to_owned())),
        json!(row.text(&["spec", "username"])),
        json!(duration.unwrap_or_else(|| "<none>".to_owned())),
        json!(signing_request_status(row.object)),
    ]
}

fn lease(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text(&["spec", "holderIdentity"])), row.age()]
}

fn disruption_budget(row: &Row<'_>) -> Vec<Value> {
    let amount = |field: &str| row.get(&["spec", field]).map_or_else(|| "N/A".to_owned(), intstr::to_text);
    vec![
        row.name(),
        json!(amount("minAvailable")),
        json!(amount("maxUnavailable")),
        json!(row.int(&["status", "disruptionsAllowed"])),
        row.age(),
    ]
}
