//! Rows of services, endpoints and the group networking.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::{Value, meta};

pub(super) const ROWS: &[RowOf] = &[
    ("", "Endpoints", endpoints),
    ("", "Service", service),
    ("discovery.k8s.io", "EndpointSlice", endpoint_slice),
    ("networking.k8s.io", "Ingress", ingress),
    ("networking.k8s.io", "IngressClass", ingress_class),
    ("networking.k8s.io", "IPAddress", ip_address),
    ("networking.k8s.io", "NetworkPolicy", network_policy),
    ("networking.k8s.io", "ServiceCIDR", service_cidr),
];

/// How many endpoints, ports or hosts are shown.
const MAX_SHOWN: usize = 3;

/// `host:port`, with brackets around an IPv6 address.
pub fn join_host_port(host: &str, port: i64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn endpoints(row: &Row<'_>) -> Vec<Value> {
    let subsets = row.list(&["subsets"]);
    let mut all = Vec::new();
    for subset in subsets {
        let addresses = meta::list_at(subset, &["addresses"]).iter().map(|a| meta::str_at(a, &["ip"]));
        let ports = meta::list_at(subset, &["ports"]);
        if ports.is_empty() {
            all.extend(addresses.map(str::to_owned));
            continue;
        }
        for port in ports {
            let number = meta::int_at(port, &["port"]).unwrap_or_default();
            all.extend(addresses.clone().map(|ip| join_host_port(ip, number)));
        }
    }
    let shown = match (subsets.is_empty(), all.is_empty()) {
        (true, _) => "<none>".to_owned(),
        (false, true) => String::new(),
        (false, false) => text::first_of(&all, MAX_SHOWN),
    };
    vec![row.name(), json!(shown), row.age()]
}

fn endpoint_slice(row: &Row<'_>) -> Vec<Value> {
    let port = |port: &Value| match (meta::int_at(port, &["port"]), port.get("name").and_then(Value::as_str)) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".to_owned(),
    };
    let ports: Vec<String> = row.list(&["ports"]).iter().map(port).collect();
    let addresses = row.list(&["endpoints"]).iter().flat_map(|endpoint| meta::list_at(endpoint, &["addresses"]));
    let addresses: Vec<String> = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    vec![
        row.name(),
        json!(row.text(&["addressType"])),
        json!(text::first_of(&ports, MAX_SHOWN)),
        json!(text::first_of(&addresses, MAX_SHOWN)),
        row.age(),
    ]
}

/// Addresses and host names of a load balancer, sorted, without repetition.
pub fn load_balancer(object: &Value) -> String {
    let ingress = meta::list_at(object, &["status", "loadBalancer", "ingress"]).iter();
    let points: BTreeSet<&str> = ingress
        .map(|point| match meta::str_at(point, &["ip"]) {
            "" => meta::str_at(point, &["hostname"]),
            ip => ip,
        })
        .filter(|point| !point.is_empty())
        .collect();
    points.into_iter().collect::<Vec<_>>().join(",")
}

fn external_ip(row: &Row<'_>) -> String {
    let ips: Vec<&str> = row.list(&["spec", "externalIPs"]).iter().filter_map(Value::as_str).collect();
    match row.text(&["spec", "type"]) {
        "ClusterIP" | "NodePort" => text::or_none(ips.join(",")),
        "LoadBalancer" => {
            let balancer = load_balancer(row.object);
            let all: Vec<&str> = Some(balancer.as_str()).filter(|b| !b.is_empty()).into_iter().chain(ips).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => row.text(&["spec", "externalName"]).to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

fn service(row: &Row<'_>) -> Vec<Value> {
    let port = |port: &Value| {
        let number = meta::int_at(port, &["port"]).unwrap_or_default();
        let protocol = meta::str_at(port, &["protocol"]);
        match meta::int_at(port, &["nodePort"]) {
            Some(node_port) if node_port > 0 => format!("{number}:{node_port}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    };
    let ports: Vec<String> = row.list(&["spec", "ports"]).iter().map(port).collect();
    let cluster_ip = row.list(&["spec", "clusterIPs"]).first().and_then(Value::as_str).unwrap_or("<none>");
    vec![
        row.name(),
        json!(row.text(&["spec", "type"])),
        json!(cluster_ip),
        json!(external_ip(row)),
        json!(text::or_none(ports.join(","))),
        row.age(),
        json!(text::labels(meta::map_at(row.object, &["spec", "selector"]))),
    ]
}

/// The hosts of an ingress: rules without a host are left out, but count among those not shown.
fn hosts(rules: &[Value]) -> String {
    let mut shown = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= shown.len() == MAX_SHOWN;
        let host = meta::str_at(rule, &["host"]);
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match (shown.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, false) => shown.join(","),
        (false, true) => format!("{} + {} more...", shown.join(","), rules.len() - MAX_SHOWN),
    }
}

fn ingress(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text_or(&["spec", "ingressClassName"], "<none>")),
        json!(hosts(row.list(&["spec", "rules"]))),
        json!(load_balancer(row.object)),
        json!(if row.list(&["spec", "tls"]).is_empty() { "80" } else { "80, 443" }),
        row.age(),
    ]
}

fn ingress_class(row: &Row<'_>) -> Vec<Value> {
    let parameters = row.get(&["spec", "parameters"]).map_or_else(
        || "<none>".to_owned(),
        |reference| {
            let group = reference.get("apiGroup").and_then(Value::as_str).map(|g| format!(".{g}")).unwrap_or_default();
            format!("{}{group}/{}", meta::kind(reference), meta::str_at(reference, &["name"]))
        },
    );
    let default = meta::annotation(row.object, "ingressclass.kubernetes.io/is-default-class") == Some("true");
    let name = format!("{}{}", meta::name(row.object), if default { " (default)" } else { "" });
    vec![json!(name), json!(row.text(&["spec", "controller"])), json!(parameters), row.age()]
}

fn ip_address(row: &Row<'_>) -> Vec<Value> {
    let parent = row.get(&["spec", "parentRef"]).map_or_else(
        || "<none>".to_owned(),
        |parent| {
            let part = |field: &str| meta::str_at(parent, &[field]);
            let mut text = part("resource").to_lowercase();
            if !part("group").is_empty() {
                text = format!("{text}.{}", part("group").to_lowercase());
            }
            if !part("namespace").is_empty() {
                text = format!("{text}/{}", part("namespace"));
            }
            format!("{text}/{}", part("name"))
        },
    );
    // The server sends the age although it announces no column for it.
    vec![row.name(), json!(parent), row.age()]
}

fn network_policy(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(text::selector_or_none(row.get(&["spec", "podSelector"]))), row.age()]
}

fn service_cidr(row: &Row<'_>) -> Vec<Value> {
    let cidrs: Vec<&str> = row.list(&["spec", "cidrs"]).iter().filter_map(Value::as_str).collect();
    vec![row.name(), json!(cidrs.join(",")), row.age()]
}
