//! The pods behind a service as addresses with ports.

use serde_json::json;

use super::{pods, selector};
use crate::controllers::pods::is_ready;
use crate::controllers::runtime::{Cache, Key, Resource};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{Value, meta};

/// One pod behind a service.
pub(super) struct Address {
    pub ip: String,
    pub hostname: Option<String>,
    pub node: Option<String>,
    /// The zone of the node.
    pub zone: Option<String>,
    /// Reference to the pod.
    pub target: Value,
    pub ready: bool,
    pub terminating: bool,
    /// Name, port and protocol, in the order of names.
    pub ports: Vec<Value>,
}

/// The pods that a service's selector matches and that have an address, in the order of their addresses.
pub(super) fn of_service(cache: &Cache, service: &Value) -> Vec<Address> {
    let Some(selector) = selector(service) else { return Vec::new() };
    let matches = |pod: &Value| meta::texts(Some(selector)).all(|(key, value)| meta::label(pod, key) == Some(value));
    let ended = |pod: &Value| matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed");
    let mut addresses: Vec<Address> = cache
        .list(&pods(), Some(meta::namespace(service)))
        .iter()
        .filter(|pod| matches(pod) && !ended(pod) && !str_at(pod, &["status", "podIP"]).is_empty())
        .map(|pod| address(cache, service, pod))
        .collect();
    addresses.sort_by(|a, b| ip_order(&a.ip).cmp(&ip_order(&b.ip)));
    addresses
}

fn ip_order(ip: &str) -> (Option<std::net::IpAddr>, &str) {
    (ip.parse().ok(), ip)
}

fn address(cache: &Cache, service: &Value, pod: &Value) -> Address {
    let text = |path: &[&str]| Some(str_at(pod, path).to_owned()).filter(|text| !text.is_empty());
    let node = text(&["spec", "nodeName"]);
    let in_service = str_at(pod, &["spec", "subdomain"]) == meta::name(service);
    let zone = node.as_ref().and_then(|node| {
        let node = cache.get(&Resource::new("", "v1", "nodes"), &Key::cluster(node))?;
        meta::label(&node, "topology.kubernetes.io/zone").map(str::to_owned)
    });
    Address {
        ip: str_at(pod, &["status", "podIP"]).to_owned(),
        hostname: text(&["spec", "hostname"]).filter(|_| in_service),
        node,
        zone,
        target: json!({"kind": "Pod", "name": meta::name(pod), "namespace": meta::namespace(pod), "uid": meta::uid(pod)}),
        ready: is_ready(pod),
        terminating: meta::deletion_timestamp(pod).is_some(),
        ports: ports(service, pod),
    }
}

/// The service's ports as this pod serves them; a named port that the pod does not have is left out.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let mut ports: Vec<Value> = list_at(service, &["spec", "ports"])
        .iter()
        .filter_map(|port| {
            let protocol = match str_at(port, &["protocol"]) {
                "" => "TCP",
                protocol => protocol,
            };
            let number = target_port(port, protocol, pod)?;
            let mut entry = json!({"name": str_at(port, &["name"]), "port": number, "protocol": protocol});
            if let Some(protocol) = get(port, &["appProtocol"]) {
                entry["appProtocol"] = protocol.clone();
            }
            Some(entry)
        })
        .collect();
    ports.sort_by(|a, b| str_at(a, &["name"]).cmp(str_at(b, &["name"])));
    ports
}

fn target_port(port: &Value, protocol: &str, pod: &Value) -> Option<i64> {
    match get(port, &["targetPort"]) {
        Some(Value::Number(number)) if number.as_i64() != Some(0) => number.as_i64(),
        Some(Value::String(name)) => named_port(pod, name, protocol),
        _ => int_at(port, &["port"]),
    }
}

/// A container port by name; sidecars (restartable init containers) count too.
fn named_port(pod: &Value, name: &str, protocol: &str) -> Option<i64> {
    let sidecars = list_at(pod, &["spec", "initContainers"]).iter();
    let sidecars = sidecars.filter(|container| str_at(container, &["restartPolicy"]) == "Always");
    let containers = list_at(pod, &["spec", "containers"]).iter().chain(sidecars);
    let mut ports = containers.flat_map(|container| list_at(container, &["ports"]));
    let port = ports.find(|port| {
        let of = match str_at(port, &["protocol"]) {
            "" => "TCP",
            of => of,
        };
        str_at(port, &["name"]) == name && of == protocol
    })?;
    int_at(port, &["containerPort"])
}
