//! Defaults of the core group but pods.

use serde_json::json;

use super::Default;
use crate::kinds::rules::value::{Fields, map_in, set_default};
use crate::object::{Map, Value};

/// The rows of this file.
pub const DEFAULTS: &[Default] = &[
    Default { of: "core.v1.ReplicationController", set: replication_controller },
    Default { of: "core.v1.Service", set: service },
    Default { of: "core.v1.Secret", set: |map| set_default(map, "type", "Opaque") },
    Default { of: "core.v1.PersistentVolume", set: persistent_volume },
    Default { of: "core.v1.PersistentVolumeClaim", set: |map| set_default(map_in(map, "status"), "phase", "Pending") },
    Default { of: "core.v1.PersistentVolumeClaimSpec", set: |map| set_default(map, "volumeMode", "Filesystem") },
    Default { of: "core.v1.EndpointPort", set: |map| set_default(map, "protocol", "TCP") },
    Default { of: "core.v1.Namespace", set: namespace },
    Default { of: "core.v1.NamespaceStatus", set: |map| set_default(map, "phase", "Active") },
    Default { of: "core.v1.NodeStatus", set: node_status },
    Default { of: "core.v1.LimitRangeItem", set: limit_range_item },
];

fn field<'a>(map: &'a Map<String, Value>, name: &str) -> &'a Value {
    map.get(name).unwrap_or(&Value::Null)
}

fn replication_controller(map: &mut Map<String, Value>) {
    let labels = field(map, "spec").at("template").at("metadata").at("labels").clone();
    if !labels.is_object() {
        return;
    }
    let spec = map_in(map, "spec");
    if field(spec, "selector").as_object().is_none_or(Map::is_empty) {
        spec.insert("selector".into(), labels.clone());
    }
    let metadata = map_in(map, "metadata");
    if field(metadata, "labels").as_object().is_none_or(Map::is_empty) {
        metadata.insert("labels".into(), labels);
    }
}

/// Whether a service can be reached from outside the cluster, so that it has an external traffic policy.
pub fn externally_accessible(spec: &Value) -> bool {
    match spec.text("type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !spec.list("externalIPs").is_empty(),
        _ => false,
    }
}

fn service(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_default(spec, "sessionAffinity", "None");
    match field(spec, "sessionAffinity").as_str() {
        Some("None") => drop(spec.remove("sessionAffinityConfig")),
        Some("ClientIP") if !field(spec, "sessionAffinityConfig").at("clientIP").has("timeoutSeconds") => {
            spec.insert("sessionAffinityConfig".into(), json!({"clientIP": {"timeoutSeconds": 10800}}));
        }
        _ => {}
    }
    set_default(spec, "type", "ClusterIP");
    if let Some(Value::Array(ports)) = spec.get_mut("ports") {
        ports.iter_mut().filter_map(Value::as_object_mut).for_each(service_port);
    }
    if externally_accessible(&Value::Object(spec.clone())) {
        set_default(spec, "externalTrafficPolicy", "Cluster");
    }
    let type_ = field(spec, "type").as_str().unwrap_or_default().to_owned();
    if matches!(type_.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP")
        && field(spec, "internalTrafficPolicy").is_null()
    {
        spec.insert("internalTrafficPolicy".into(), json!("Cluster"));
    }
    if type_ != "LoadBalancer" {
        return;
    }
    if field(spec, "allocateLoadBalancerNodePorts").is_null() {
        spec.insert("allocateLoadBalancerNodePorts".into(), json!(true));
    }
    let balancer = map_in(map_in(map, "status"), "loadBalancer");
    if let Some(Value::Array(ingress)) = balancer.get_mut("ingress") {
        for point in ingress.iter_mut().filter_map(Value::as_object_mut) {
            if field(point, "ip").as_str().is_some_and(|ip| !ip.is_empty()) && field(point, "ipMode").is_null() {
                point.insert("ipMode".into(), json!("VIP"));
            }
        }
    }
}

fn service_port(port: &mut Map<String, Value>) {
    set_default(port, "protocol", "TCP");
    let target = field(port, "targetPort");
    if target.is_null() || target.as_i64() == Some(0) || target.as_str() == Some("") {
        let number = field(port, "port").as_i64().unwrap_or_default();
        port.insert("targetPort".into(), json!(number));
    }
}

fn persistent_volume(map: &mut Map<String, Value>) {
    set_default(map_in(map, "status"), "phase", "Pending");
    let spec = map_in(map, "spec");
    set_default(spec, "persistentVolumeReclaimPolicy", "Retain");
    if field(spec, "volumeMode").is_null() {
        spec.insert("volumeMode".into(), json!("Filesystem"));
    }
}

/// Every namespace with a name carries it in a label, so that namespace selectors can name it.
fn namespace(map: &mut Map<String, Value>) {
    let name = field(map, "metadata").text("name").to_owned();
    if !name.is_empty() {
        map_in(map_in(map, "metadata"), "labels").insert("kubernetes.io/metadata.name".into(), json!(name));
    }
}

fn node_status(map: &mut Map<String, Value>) {
    if field(map, "allocatable").is_null() && !field(map, "capacity").is_null() {
        let capacity = field(map, "capacity").clone();
        map.insert("allocatable".into(), capacity);
    }
}

fn limit_range_item(map: &mut Map<String, Value>) {
    if field(map, "type").as_str() != Some("Container") {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        let source = field(map, from).as_object().cloned().unwrap_or_default();
        let target = map_in(map, to);
        for (resource, quantity) in source {
            target.entry(resource).or_insert(quantity);
        }
    }
}
