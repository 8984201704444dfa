//! Services, endpoints, endpoint slices, ingresses and what else belongs to the group networking.

use super::related::Request;
use super::text::{self, or, present};
use super::{Describer, Error, Settings, Subject, Writer, events};
use crate::kinds::columns::text::labels;
use crate::kinds::columns::{join_host_port, load_balancer};
use crate::object::{Value, intstr, meta};

const GROUP: &str = "networking.k8s.io";

pub(super) const TABLE: &[Describer] = &[
    Describer::new("", "Endpoints", endpoints),
    Describer::new("", "Service", service).reads(|object| vec![slices_of(meta::namespace(object), meta::name(object))]),
    Describer::new("discovery.k8s.io", "EndpointSlice", endpoint_slice),
    Describer::new(GROUP, "Ingress", ingress).reads(ingress_requests),
    Describer::new(GROUP, "IngressClass", ingress_class),
    Describer::new(GROUP, "IPAddress", ip_address),
    Describer::new(GROUP, "ServiceCIDR", service_cidr),
];

/// How many endpoints are shown.
const MAX_ENDPOINTS: usize = 3;

fn heading(w: &mut Writer, object: &Value, namespaced: bool) {
    w.field(0, "Name", meta::name(object));
    if namespaced {
        w.field(0, "Namespace", meta::namespace(object));
    }
    text::labels(w, object);
    text::object_annotations(w, object);
}

/// The endpoint slices of a service.
fn slices_of(namespace: &str, service: &str) -> Request {
    Request::list("discovery.k8s.io", "v1", "endpointslices", namespace)
        .labelled(format!("kubernetes.io/service-name={service}"))
}

/// The ready endpoints behind the port of that name; slices without ports count for every port.
fn ready_endpoints(slices: &[Value], port_name: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let (mut shown, mut count, mut more) = (Vec::new(), 0, false);
    let mut visit = |endpoint: &Value, port: Option<i64>| {
        more |= shown.len() == MAX_ENDPOINTS;
        if present(endpoint, &["conditions", "ready"]).and_then(Value::as_bool) == Some(false) {
            return;
        }
        count += 1;
        if !more {
            let address = text::texts(endpoint, &["addresses"]).first().copied().unwrap_or_default();
            shown.push(port.map_or_else(|| address.to_owned(), |port| join_host_port(address, port)));
        }
    };
    for slice in slices {
        let endpoints = meta::list_at(slice, &["endpoints"]);
        let ports = meta::list_at(slice, &["ports"]);
        if ports.is_empty() {
            endpoints.iter().for_each(|endpoint| visit(endpoint, None));
        }
        for port in ports.iter().filter(|port| meta::str_at(port, &["name"]) == port_name) {
            let number = meta::int_at(port, &["port"]).unwrap_or_default();
            endpoints.iter().for_each(|endpoint| visit(endpoint, Some(number)));
        }
    }
    let list = shown.join(",");
    if more { format!("{list} + {} more...", count - MAX_ENDPOINTS) } else { list }
}

fn service(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let spec = |field: &str| meta::str_at(object, &["spec", field]);
    let list = |field: &str| text::texts(object, &["spec", field]).join(",");
    heading(w, object, true);
    w.field(0, "Selector", labels(meta::map_at(object, &["spec", "selector"])));
    w.field(0, "Type", spec("type"));
    let optional = |w: &mut Writer, title: &str, value: &str| {
        if !value.is_empty() {
            w.field(0, title, value);
        }
    };
    if present(object, &["spec", "ipFamilyPolicy"]).is_some() {
        w.field(0, "IP Family Policy", spec("ipFamilyPolicy"));
    }
    w.field(0, "IP Families", or(&list("ipFamilies"), "<none>"));
    w.field(0, "IP", spec("clusterIP"));
    w.field(0, "IPs", or(&list("clusterIPs"), "<none>"));
    optional(w, "External IPs", &list("externalIPs"));
    optional(w, "Desired LoadBalancer IP", spec("loadBalancerIP"));
    optional(w, "External Name", spec("externalName"));
    let points = meta::list_at(object, &["status", "loadBalancer", "ingress"]);
    if !points.is_empty() {
        w.field(0, "LoadBalancer Ingress", points.iter().map(balancer_point).collect::<Vec<_>>().join(", "));
    }
    let slices = slices_of(meta::namespace(object), meta::name(object));
    let slices = subject.related.list(&slices).unwrap_or_default();
    for port in meta::list_at(object, &["spec", "ports"]) {
        service_port(w, port, slices);
    }
    w.field(0, "Session Affinity", spec("sessionAffinity"));
    optional(w, "External Traffic Policy", spec("externalTrafficPolicy"));
    if present(object, &["spec", "internalTrafficPolicy"]).is_some() {
        w.field(0, "Internal Traffic Policy", spec("internalTrafficPolicy"));
    }
    if let Some(port) = meta::int_at(object, &["spec", "healthCheckNodePort"]).filter(|port| *port != 0) {
        w.field(0, "HealthCheck NodePort", port);
    }
    optional(w, "LoadBalancer Source Ranges", &list("loadBalancerSourceRanges"));
    if present(object, &["spec", "trafficDistribution"]).is_some() {
        w.field(0, "Traffic Distribution", spec("trafficDistribution"));
    }
    events::describe(subject, w);
    Ok(())
}

fn balancer_point(point: &Value) -> String {
    match (meta::str_at(point, &["ip"]), present(point, &["ipMode"]).and_then(Value::as_str)) {
        ("", _) => meta::str_at(point, &["hostname"]).to_owned(),
        (ip, None) => ip.to_owned(),
        (ip, Some(mode)) => format!("{ip} ({mode})"),
    }
}

fn service_port(w: &mut Writer, port: &Value, slices: &[Value]) {
    let part = |field: &str| meta::str_at(port, &[field]);
    let number = |field: &str| meta::int_at(port, &[field]).unwrap_or_default();
    let (name, protocol) = (part("name"), part("protocol"));
    let shown = or(name, "<unset>");
    w.field(0, "Port", format_args!("{shown}\t{}/{protocol}", number("port")));
    let target = present(port, &["targetPort"]).map_or_else(|| "0".to_owned(), intstr::to_text);
    w.field(0, "TargetPort", format_args!("{target}/{protocol}"));
    if present(port, &["appProtocol"]).is_some() {
        w.field(0, "AppProtocol", part("appProtocol"));
    }
    if number("nodePort") != 0 {
        w.field(0, "NodePort", format_args!("{shown}\t{}/{protocol}", number("nodePort")));
    }
    w.field(0, "Endpoints", ready_endpoints(slices, name));
}

fn endpoints(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object, true);
    w.line(0, "Subsets:");
    for subset in meta::list_at(object, &["subsets"]) {
        for (title, field) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")] {
            let ips = meta::list_at(subset, &[field]).iter().map(|address| meta::str_at(address, &["ip"]));
            w.field(1, title, or(&ips.collect::<Vec<_>>().join(","), "<none>"));
        }
        let ports = meta::list_at(subset, &["ports"]);
        if !ports.is_empty() {
            w.line(1, "Ports:");
            w.line(2, "Name\tPort\tProtocol");
            w.line(2, "----\t----\t--------");
        }
        for port in ports {
            let part = |field: &str| meta::str_at(port, &[field]);
            let number = meta::int_at(port, &["port"]).unwrap_or_default();
            w.line(2, format_args!("{}\t{number}\t{}", or(part("name"), "<unset>"), part("protocol")));
        }
        w.line(0, "");
    }
    events::describe(subject, w);
    Ok(())
}

fn endpoint_slice(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object, true);
    w.field(0, "AddressType", meta::str_at(object, &["addressType"]));
    let ports = meta::list_at(object, &["ports"]);
    if ports.is_empty() {
        w.line(0, "Ports: <unset>");
    } else {
        w.line(0, "Ports:");
        w.line(1, "Name\tPort\tProtocol");
        w.line(1, "----\t----\t--------");
    }
    for port in ports {
        let number = text::optional_number(present(port, &["port"]));
        let part = |field: &str| meta::str_at(port, &[field]);
        w.line(1, format_args!("{}\t{number}\t{}", or(part("name"), "<unset>"), part("protocol")));
    }
    let endpoints = meta::list_at(object, &["endpoints"]);
    w.line(0, if endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    for endpoint in endpoints {
        let unset = |field: &str| present(endpoint, &[field]).and_then(Value::as_str).unwrap_or("<unset>");
        w.field(1, "- Addresses", or(&text::texts(endpoint, &["addresses"]).join(", "), "<none>"));
        w.line(2, "Conditions:");
        let ready = present(endpoint, &["conditions", "ready"]);
        w.field(3, "Ready", ready.map_or_else(|| "<unset>".to_owned(), Value::to_string));
        w.field(2, "Hostname", unset("hostname"));
        if let Some(target) = present(endpoint, &["targetRef"]) {
            w.field(2, "TargetRef", format_args!("{}/{}", meta::kind(target), meta::str_at(target, &["name"])));
        }
        w.field(2, "NodeName", unset("nodeName"));
        w.field(2, "Zone", unset("zone"));
    }
    events::describe(subject, w);
    Ok(())
}

/// The backends of an ingress: the default one, then those of its paths.
fn backends(ingress: &Value) -> impl Iterator<Item = &Value> {
    let rules = meta::list_at(ingress, &["spec", "rules"]).iter();
    let paths = rules.flat_map(|rule| meta::list_at(rule, &["http", "paths"]));
    present(ingress, &["spec", "defaultBackend"]).into_iter().chain(paths.filter_map(|path| path.get("backend")))
}

fn service_request(namespace: &str, name: &str) -> Request {
    Request::get("", "v1", "services", namespace, name)
}

fn ingress_requests(ingress: &Value) -> Vec<Request> {
    let namespace = meta::namespace(ingress);
    let mut names: Vec<&str> =
        backends(ingress).map(|b| meta::str_at(b, &["service", "name"])).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().flat_map(|name| [slices_of(namespace, name), service_request(namespace, name)]).collect()
}

fn backend_text(subject: &Subject<'_>, backend: &Value) -> String {
    if let Some(service) = present(backend, &["service"]) {
        return service_backend(subject, service);
    }
    let Some(resource) = present(backend, &["resource"]) else { return String::new() };
    let group = present(resource, &["apiGroup"]).and_then(Value::as_str).unwrap_or("<none>");
    format!("APIGroup: {group}, Kind: {}, Name: {}", meta::kind(resource), meta::str_at(resource, &["name"]))
}

fn service_backend(subject: &Subject<'_>, backend: &Value) -> String {
    let namespace = meta::namespace(subject.object);
    let name = meta::str_at(backend, &["name"]);
    let number = meta::int_at(backend, &["port", "number"]).unwrap_or_default();
    let port_name = meta::str_at(backend, &["port", "name"]);
    let port = if number == 0 { port_name.to_owned() } else { number.to_string() };
    let slices = subject.related.list(&slices_of(namespace, name));
    let request = service_request(namespace, name);
    let found = slices.and_then(|slices| Ok((slices, subject.related.get(&request)?)));
    let (slices, service) = match found {
        Ok(found) => found,
        Err(status) => return format!("{name}:{port} (<error: {status}>)"),
    };
    // Of several ports that match the last one gives its name.
    let of_service = meta::list_at(service, &["spec", "ports"]).iter().rev().find(|candidate| {
        let same_number = number != 0 && meta::int_at(candidate, &["port"]) == Some(number);
        same_number || (!port_name.is_empty() && meta::str_at(candidate, &["name"]) == port_name)
    });
    let endpoints = ready_endpoints(slices, of_service.map(|p| meta::str_at(p, &["name"])).unwrap_or_default());
    format!("{name}:{port} ({endpoints})")
}

fn ingress(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    w.field(0, "Namespace", meta::namespace(object));
    w.field(0, "Address", load_balancer(object));
    let class = present(object, &["spec", "ingressClassName"]).and_then(Value::as_str).unwrap_or("<none>");
    w.field(0, "Ingress Class", class);
    let default = present(object, &["spec", "defaultBackend"])
        .map_or_else(|| "<default>".to_owned(), |backend| backend_text(subject, backend));
    w.field(0, "Default backend", &default);
    tls(w, meta::list_at(object, &["spec", "tls"]));
    w.line(0, "Rules:\n  Host\tPath\tBackends");
    w.line(1, "----\t----\t--------");
    let mut any = false;
    for rule in meta::list_at(object, &["spec", "rules"]) {
        let Some(http) = present(rule, &["http"]) else { continue };
        any = true;
        w.line(1, format_args!("{}\t", or(meta::str_at(rule, &["host"]), "*")));
        for path in meta::list_at(http, &["paths"]) {
            let backend = path.get("backend").map(|backend| backend_text(subject, backend)).unwrap_or_default();
            w.line(2, format_args!("\t{} \t{backend}", meta::str_at(path, &["path"])));
        }
    }
    if !any {
        w.line(1, format_args!("*\t*\t{default}"));
    }
    text::object_annotations(w, object);
    events::describe(subject, w);
    Ok(())
}

fn tls(w: &mut Writer, list: &[Value]) {
    if !list.is_empty() {
        w.line(0, "TLS:");
    }
    for entry in list {
        let hosts = text::texts(entry, &["hosts"]).join(",");
        match meta::str_at(entry, &["secretName"]) {
            "" => w.line(1, format_args!("SNI routes {hosts}")),
            secret => w.line(1, format_args!("{secret} terminates {hosts}")),
        }
    }
}

fn ingress_class(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object, false);
    w.field(0, "Controller", meta::str_at(object, &["spec", "controller"]));
    if let Some(parameters) = present(object, &["spec", "parameters"]) {
        w.line(0, "Parameters:");
        if present(parameters, &["apiGroup"]).is_some() {
            w.field(1, "APIGroup", meta::str_at(parameters, &["apiGroup"]));
        }
        w.field(1, "Kind", meta::kind(parameters));
        w.field(1, "Name", meta::str_at(parameters, &["name"]));
    }
    events::describe(subject, w);
    Ok(())
}

fn ip_address(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object, false);
    if let Some(parent) = present(object, &["spec", "parentRef"]) {
        w.line(0, "Parent Reference:");
        for (title, field) in
            [("Group", "group"), ("Resource", "resource"), ("Namespace", "namespace"), ("Name", "name")]
        {
            w.field(1, title, meta::str_at(parent, &[field]));
        }
    }
    events::describe(subject, w);
    Ok(())
}

fn service_cidr(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object, false);
    w.field(0, "CIDRs", text::texts(object, &["spec", "cidrs"]).join(", "));
    let conditions = meta::list_at(object, &["status", "conditions"]);
    if !conditions.is_empty() {
        w.line(0, "Status:");
        dated_conditions(w, conditions, subject.settings);
    }
    events::describe(subject, w);
    Ok(())
}

/// Conditions with the time of their last transition.
pub(super) fn dated_conditions(w: &mut Writer, conditions: &[Value], settings: &Settings) {
    w.line(0, "Conditions:");
    w.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
    w.line(1, "----\t------\t------------------\t------\t-------");
    for c in conditions {
        let part = |field: &str| meta::str_at(c, &[field]);
        let time = text::time(c, &["lastTransitionTime"], settings);
        let (type_, status, reason, message) = (part("type"), part("status"), part("reason"), part("message"));
        w.line(1, format_args!("{type_}\t{status}\t{time}\t{reason}\t{message}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn endpoints_that_are_not_ready_are_left_out() {
        let slice = json!({
            "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.2"]},
                {"addresses": ["fd00::1"], "conditions": {"ready": true}},
            ],
        });
        let slices = [slice.clone()];
        assert_eq!(ready_endpoints(&slices, "a"), "10.0.0.2:80,[fd00::1]:80");
        assert_eq!(ready_endpoints(&slices, "c"), "");
        assert_eq!(ready_endpoints(&[slice.clone(), slice], "b"), "10.0.0.2:81,[fd00::1]:81,10.0.0.2:81 + 1 more...");
        assert_eq!(ready_endpoints(&[], ""), "<none>");
    }
}
