//! Defaults of pods and of everything in pod templates.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::json;

use super::Default;
use crate::kinds::rules::quantity::{self, Resources};
use crate::kinds::rules::value::{Fields, map_in, set_default};
use crate::object::{Map, Value};

/// The rows of this file.
pub const DEFAULTS: &[Default] = &[
    Default { of: "core.v1.Pod", set: pod },
    Default { of: "core.v1.PodSpec", set: pod_spec },
    Default { of: "core.v1.Container", set: container },
    Default { of: "core.v1.EphemeralContainer", set: container },
    Default { of: "core.v1.Volume", set: volume },
    Default { of: "core.v1.Probe", set: probe },
    Default { of: "core.v1.HTTPGetAction", set: http_get },
    Default { of: "core.v1.ObjectFieldSelector", set: |map| set_default(map, "apiVersion", "v1") },
    Default { of: "core.v1.SecretVolumeSource", set: default_mode },
    Default { of: "core.v1.ConfigMapVolumeSource", set: default_mode },
    Default { of: "core.v1.DownwardAPIVolumeSource", set: default_mode },
    Default { of: "core.v1.ProjectedVolumeSource", set: default_mode },
    Default { of: "core.v1.ServiceAccountTokenProjection", set: |map| set_null(map, "expirationSeconds", 3600) },
    Default { of: "core.v1.PodCertificateProjection", set: |map| set_null(map, "maxExpirationSeconds", 86400) },
    Default { of: "core.v1.HostPathVolumeSource", set: |map| set_null(map, "type", "") },
];

/// Sets a pointer field that is absent.
fn set_null(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if map.get(name).is_none_or(Value::is_null) {
        map.insert(name.to_owned(), value.into());
    }
}

/// Sets an integer field that is absent or 0.
fn set_zero(map: &mut Map<String, Value>, name: &str, value: i64) {
    if map.get(name).and_then(Value::as_i64).unwrap_or_default() == 0 {
        map.insert(name.to_owned(), value.into());
    }
}

/// 0644.
fn default_mode(map: &mut Map<String, Value>) {
    set_null(map, "defaultMode", 420);
}

/// Whether the tag of an image reference is `latest`, said or not; false for a reference that is malformed.
pub fn tag_is_latest(image: &str) -> bool {
    static REFERENCE: OnceLock<Option<Regex>> = OnceLock::new();
    const COMPONENT: &str = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    const DOMAIN: &str = r"(?:(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?";
    let Some(reference) = REFERENCE.get_or_init(|| {
        Regex::new(&format!(
            r"^{DOMAIN}{COMPONENT}(?:/{COMPONENT})*(?::(\w[\w.-]{{0,127}}))?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{{32,}})?$"
        ))
        .ok()
    }) else {
        return false;
    };
    let identifier = image.len() == 64 && image.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let Some(found) = reference.captures(image).filter(|_| !identifier) else { return false };
    match found.get(1) {
        Some(tag) => tag.as_str() == "latest",
        None => found.get(2).is_none(),
    }
}

fn pull_policy(image: &str) -> &'static str {
    if tag_is_latest(image) { "Always" } else { "IfNotPresent" }
}

fn container(map: &mut Map<String, Value>) {
    if map.get("imagePullPolicy").and_then(Value::as_str).is_none_or(str::is_empty) {
        let policy = pull_policy(map.get("image").and_then(Value::as_str).unwrap_or_default());
        set_default(map, "imagePullPolicy", policy);
    }
    set_default(map, "terminationMessagePath", "/dev/termination-log");
    set_default(map, "terminationMessagePolicy", "File");
}

fn volume(map: &mut Map<String, Value>) {
    let sources = map.iter().filter(|(name, source)| *name != "name" && !source.is_null()).count();
    if sources == 0 {
        map.insert("emptyDir".into(), json!({}));
    }
    if let Some(Value::Object(image)) = map.get_mut("image") {
        let policy = pull_policy(image.get("reference").and_then(Value::as_str).unwrap_or_default());
        set_default(image, "pullPolicy", policy);
    }
}

fn probe(map: &mut Map<String, Value>) {
    set_zero(map, "timeoutSeconds", 1);
    set_zero(map, "periodSeconds", 10);
    set_zero(map, "successThreshold", 1);
    set_zero(map, "failureThreshold", 3);
}

fn http_get(map: &mut Map<String, Value>) {
    set_default(map, "path", "/");
    set_default(map, "scheme", "HTTP");
}

fn pod_spec(map: &mut Map<String, Value>) {
    set_default(map, "dnsPolicy", "ClusterFirst");
    set_default(map, "restartPolicy", "Always");
    set_null(map, "securityContext", json!({}));
    set_null(map, "terminationGracePeriodSeconds", 30);
    set_default(map, "schedulerName", "default-scheduler");
    if map.get("hostNetwork").and_then(Value::as_bool) == Some(true) {
        host_ports(map);
    }
}

/// On the host's network every container port is a host port.
fn host_ports(spec: &mut Map<String, Value>) {
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = spec.get_mut(list) else { continue };
        for container in containers {
            let Some(Value::Array(ports)) = container.get_mut("ports") else { continue };
            for port in ports.iter_mut().filter_map(Value::as_object_mut) {
                let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or_default();
                set_zero(port, "hostPort", number);
            }
        }
    }
}

/// Defaults that only pods have, not templates.
fn pod(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = spec.get_mut(list) else { continue };
        for container in containers.iter_mut().filter_map(Value::as_object_mut) {
            requests_from_limits(container);
        }
    }
    pod_level_resources(spec);
    set_null(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork").and_then(Value::as_bool) == Some(true) {
        host_ports(spec);
    }
}

fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = map_in(resources, "requests");
    for (resource, quantity) in limits {
        requests.entry(resource).or_insert(quantity);
    }
}

/// Pod-level requests and limits from those of the containers (`PodLevelResources`).
fn pod_level_resources(spec: &mut Map<String, Value>) {
    if spec.get("resources").is_none_or(Value::is_null) {
        return;
    }
    let whole = Value::Object(spec.clone());
    let Some(resources) = whole.some("resources") else { return };
    let set = |list: &str| !resources.entries(list).is_empty();
    if !set("limits") && !set("requests") {
        return;
    }
    let limits = quantity::aggregate(&whole, "limits");
    let mut new_limits = resources.at("limits").as_object().cloned().unwrap_or_default();
    for (resource, sum) in &limits {
        let wanted = quantity::is_huge_page(resource) && !resources.at("requests").has(resource);
        if wanted && !new_limits.contains_key(resource) {
            new_limits.insert(resource.clone(), json!(sum.to_string()));
        }
    }
    let mut new_requests = resources.at("requests").as_object().cloned().unwrap_or_default();
    if !new_limits.is_empty() {
        default_pod_requests(&whole, &new_limits, &mut new_requests);
    }
    if new_limits.is_empty() && !new_requests.is_empty() {
        default_pod_limits(&whole, &limits, &mut new_limits);
    }
    let resources = map_in(spec, "resources");
    if !new_limits.is_empty() {
        resources.insert("limits".into(), Value::Object(new_limits));
    }
    if !new_requests.is_empty() {
        resources.insert("requests".into(), Value::Object(new_requests));
    }
}

fn default_pod_requests(spec: &Value, limits: &Map<String, Value>, requests: &mut Map<String, Value>) {
    for (resource, sum) in quantity::aggregate(spec, "requests") {
        if quantity::is_pod_level(&resource) && quantity::overcommit_allowed(&resource) {
            requests.entry(resource).or_insert_with(|| json!(sum.to_string()));
        }
    }
    for (resource, limit) in limits {
        if quantity::is_pod_level(resource) {
            requests.entry(resource.clone()).or_insert_with(|| limit.clone());
        }
    }
}

fn default_pod_limits(spec: &Value, sums: &Resources, limits: &mut Map<String, Value>) {
    let everywhere = |resource: &str| {
        let limited = |container: &Value| container.at("resources").at("limits").has(resource);
        let sidecars = spec.list("initContainers");
        spec.list("containers").iter().all(limited) && sidecars.iter().all(limited)
    };
    for (resource, sum) in sums {
        if quantity::is_pod_level(resource) && quantity::overcommit_allowed(resource) && everywhere(resource) {
            limits.insert(resource.clone(), json!(sum.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_the_pull_policy() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.25", "IfNotPresent"),
            ("localhost:5000/a/b", "Always"),
            ("Nginx", "IfNotPresent"),
            ("nginx@sha256:0123456789abcdef0123456789abcdef", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
