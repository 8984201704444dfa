//! Whether API services are available, which the aggregator of the reference server finds out.

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::apiserver::core::{Core, timestamp};
use crate::apiserver::store::{Encoded, Entry, Expect, Write};
use crate::object::go::quote;
use crate::object::{Value, meta};

/// Status, reason and message of the condition `Available`.
type Finding = (&'static str, &'static str, String);

/// Writes the condition of an API service that was just written, if it is another than before. A write that comes in
/// between brings its own finding.
pub fn settle<'a>(core: &'a Core, written: &'a Entry) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let object = &written.object("apiregistration.k8s.io/v1", "APIService");
        let (status, reason, message) = finding(core, object);
        let known = meta::list_at(object, &["status", "conditions"]).iter().any(|condition| {
            meta::str_at(condition, &["type"]) == "Available"
                && meta::str_at(condition, &["status"]) == status
                && meta::str_at(condition, &["reason"]) == reason
                && meta::str_at(condition, &["message"]) == message
        });
        let key = format!("/registry/apiregistration.k8s.io/apiservices/{}", meta::name(object));
        let Some(entry) = core.store.get(&key).filter(|_| !known) else { return };
        let mut settled = entry.object("apiregistration.k8s.io/v1", "APIService");
        let mut conditions = meta::list_at(&settled, &["status", "conditions"]).to_vec();
        conditions.retain(|condition| meta::str_at(condition, &["type"]) != "Available");
        conditions.push(json!({
            "type": "Available",
            "status": status,
            "lastTransitionTime": timestamp(core.now()),
            "reason": reason,
            "message": message,
        }));
        meta::set(&mut settled, &["status", "conditions"], conditions);
        let expect = Expect::Revision(entry.revision);
        // Whoever was faster settles the condition of what was written then.
        let _ = core.store.write(Write { key, expect, value: Some(Encoded::new(&settled)) }).await;
    })
}

/// What can be said of an API service without asking it.
fn finding(core: &Core, object: &Value) -> Finding {
    if meta::get(object, &["spec", "service"]).is_none_or(Value::is_null) {
        return ("True", "Local", "Local APIServices are always available".into());
    }
    let (name, namespace) =
        (meta::str_at(object, &["spec", "service", "name"]), meta::str_at(object, &["spec", "service", "namespace"]));
    let port = meta::int_at(object, &["spec", "service", "port"]).unwrap_or(443);
    let place = format!("service/{name} in {}", quote(namespace));
    let entry = core.store.get(&format!("/registry/services/specs/{namespace}/{name}"));
    let Some(service) = entry.map(|entry| entry.object("v1", "Service")) else {
        return ("False", "ServiceNotFound", format!("{place} is not present"));
    };
    if meta::str_at(&service, &["spec", "type"]) == "ExternalName" {
        return unreachable_service(object);
    }
    let ports = meta::list_at(&service, &["spec", "ports"]);
    let Some(found) = ports.iter().find(|found| meta::int_at(found, &["port"]) == Some(port)) else {
        return ("False", "ServicePortError", format!("{place} is not listening on port {port}"));
    };
    let slices: Vec<Value> = core
        .store
        .list(&format!("/registry/endpointslices/{namespace}/"), None)
        .entries
        .iter()
        .map(|entry| entry.object("discovery.k8s.io/v1", "EndpointSlice"))
        .filter(|slice| meta::str_at(slice, &["metadata", "labels", "kubernetes.io/service-name"]) == name)
        .collect();
    if slices.is_empty() {
        return ("False", "EndpointsNotFound", format!("cannot find endpointslices for {place}"));
    }
    let port_name = meta::str_at(found, &["name"]);
    if !slices.iter().any(|slice| serves(slice, port_name)) {
        let message = format!("endpointslices for {place} have no addresses with port name {}", quote(port_name));
        return ("False", "MissingEndpoints", message);
    }
    unreachable_service(object)
}

/// Whether a slice has a ready endpoint with a port of that name.
fn serves(slice: &Value, port: &str) -> bool {
    let ready = |endpoint: &Value| {
        meta::get(endpoint, &["conditions", "ready"]).and_then(Value::as_bool) != Some(false)
            && !meta::list_at(endpoint, &["addresses"]).is_empty()
    };
    meta::list_at(slice, &["endpoints"]).iter().any(ready)
        && meta::list_at(slice, &["ports"]).iter().any(|found| meta::str_at(found, &["name"]) == port)
}

/// Services are not asked: there is no network behind their addresses.
fn unreachable_service(object: &Value) -> Finding {
    let (group, version) = (meta::str_at(object, &["spec", "group"]), meta::str_at(object, &["spec", "version"]));
    let message = format!("failing or missing response from the service of /apis/{group}/{version}");
    ("False", "FailedDiscoveryCheck", message)
}
