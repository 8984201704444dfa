//! `/healthz`, `/livez` and `/readyz` with their checks.

use http::Response;

use super::query::Query;
use super::respond;
use super::service::Body;

/// Checks of all three, in their order.
const CHECKS: &[&str] = &[
    "ping",
    "log",
    "etcd",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];

/// Answers a health endpoint: `name` is `healthz`, `livez` or `readyz`, `check` what follows it in the path.
pub fn answer(name: &str, check: &str, query: &Query) -> Response<Body> {
    let mut checks: Vec<&str> = CHECKS.to_vec();
    if name == "readyz" {
        // Readiness knows the check of the store under another name.
        checks.retain(|check| *check != "etcd");
        checks.splice(2..2, ["etcd-readiness", "informer-sync"]);
        checks.push("shutdown");
    }
    if !check.is_empty() {
        return if checks.contains(&check) { respond::text(200, "ok") } else { respond::page_not_found() };
    }
    if !query.has("verbose") {
        return respond::text(200, "ok");
    }
    let excluded: Vec<&str> = query.values("exclude").collect();
    let mut text = String::new();
    for check in &checks {
        let state = if excluded.contains(check) { "excluded: ok" } else { "ok" };
        text.push_str(&format!("[+]{check} {state}\n"));
    }
    text.push_str(&format!("{name} check passed\n"));
    respond::text(200, text)
}
