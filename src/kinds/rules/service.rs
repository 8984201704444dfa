//! Services and endpoints.

use std::collections::BTreeSet;

use serde_json::json;

use super::defaults::core::externally_accessible;
use super::value::Fields;
use super::{GENERIC, MetaCheck, NameRule, Rules, check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, meta, names};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "Service",
        name: NameRule::DnsLabel,
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        prepare_update: |new, old, _| {
            meta::set(new, &["status"], old.at("status").clone());
            drop_type_dependent(new, old);
        },
        prepare_create: |service, _| drop(meta::remove(service, &["status"])),
        prepare_status_update: |new, old, _| super::generic::copy(new, old, "spec"),
        validate_create: service,
        validate_update: update,
        validate_status_update: |new, _| balancer_status(new),
        warnings,
        allow_create_on_update: true,
        ..GENERIC
    },
    Rules {
        kind: "Endpoints",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        validate_create: endpoints,
        validate_update: |new, _| endpoints(new),
        allow_create_on_update: true,
        ..GENERIC
    },
];

/// `dropTypeDependentFields`: an update to another type drops what that does not have, unless the update changes it.
fn drop_type_dependent(new: &mut Value, old: &Value) {
    let before = old.at("spec");
    let spec = new.at("spec");
    let unchanged = |field: &str| spec.at(field) == before.at(field);
    let mut drops: Vec<&str> = Vec::new();
    let needs_ip = |spec: &Value| spec.text("type") != "ExternalName";
    if needs_ip(before) && !needs_ip(spec) {
        if unchanged("clusterIP") && spec.texts("clusterIPs") == before.texts("clusterIPs") {
            drops.extend(["clusterIP", "clusterIPs"]);
        }
        drops.extend(["ipFamilies", "ipFamilyPolicy"].into_iter().filter(|field| unchanged(field)));
    }
    let balanced = |spec: &Value| spec.text("type") == "LoadBalancer";
    type Needs = fn(&Value) -> bool;
    let dependent: [(&str, Needs); 4] = [
        ("healthCheckNodePort", needs_health_check),
        ("allocateLoadBalancerNodePorts", balanced),
        ("loadBalancerClass", balanced),
        ("externalTrafficPolicy", externally_accessible),
    ];
    let dropped = dependent.iter().filter(|(field, needs)| needs(before) && !needs(spec) && unchanged(field));
    drops.extend(dropped.map(|(field, _)| field));
    let drop_ports =
        needs_node_port(before) && !needs_node_port(spec) && node_ports(before).is_superset(&node_ports(spec));
    let keeps_status = balanced(spec);
    for field in drops {
        meta::remove(new, &["spec", field]);
    }
    if drop_ports && let Some(Value::Array(ports)) = new.pointer_mut("/spec/ports") {
        for port in ports {
            meta::remove(port, &["nodePort"]);
        }
    }
    if !keeps_status && new.at("status").has("loadBalancer") {
        meta::set(new, &["status", "loadBalancer"], json!({}));
    }
}

fn node_ports(spec: &Value) -> BTreeSet<i64> {
    spec.list("ports").iter().map(|port| port.int("nodePort")).filter(|port| *port != 0).collect()
}

fn needs_node_port(spec: &Value) -> bool {
    matches!(spec.text("type"), "NodePort" | "LoadBalancer")
}

fn needs_health_check(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}

fn headless(spec: &Value) -> bool {
    spec.texts("clusterIPs") == ["None"]
}

fn service(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), service.at("spec"));
    topology_annotations(e, service);
    let ports = spec.list("ports");
    let type_ = spec.text("type");
    if ports.is_empty() && !headless(spec) && type_ != "ExternalName" {
        e.push(Error::required(&path.child("ports"), ""));
    }
    by_type(e, &path, spec);
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        service_port(e, &path.child("ports").index(i), port, ports.len() > 1, &mut names);
    }
    check::labels(e, &path.child("selector"), spec, "selector");
    session_affinity(e, &path, spec);
    cluster_ips(e, &path, spec);
    for (i, ip) in spec.texts("externalIPs").iter().enumerate() {
        let path = path.child("externalIPs").index(i);
        let before = e.len();
        check::ip(e, &path, ip);
        if e.len() == before {
            check::non_special_ip(e, &path, ip);
        }
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    check::required_one_of(e, &path.child("type"), type_, &types);
    if type_ == "ClusterIP" {
        for (i, _) in ports.iter().enumerate().filter(|(_, port)| port.int("nodePort") != 0) {
            let path = path.child("ports").index(i).child("nodePort");
            e.push(Error::forbidden(&path, "may not be used when `type` is 'ClusterIP'"));
        }
    }
    duplicate_ports(e, &path.child("ports"), ports);
    source_ranges(e, &path, service);
    balancer_fields(e, &path, spec, None);
    traffic_policies(e, &path, spec);
    errors
}

fn topology_annotations(errors: &mut ErrorList, service: &Value) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    const MODE: &str = "service.kubernetes.io/topology-mode";
    let annotations = service.at("metadata").at("annotations");
    if let (Some(mode), Some(hints)) = (annotations.opt_text(MODE), annotations.opt_text(HINTS))
        && mode != hints
    {
        let path = Path::new("metadata").child("annotations").key(MODE);
        errors.push(Error::invalid(&path, mode, format!("must match annotations[{HINTS}] when both are specified")));
    }
}

fn by_type(errors: &mut ErrorList, path: &Path, spec: &Value) {
    match spec.text("type") {
        type_ @ ("LoadBalancer" | "NodePort") if headless(spec) => {
            let message = format!("may not be set to 'None' for {type_} services");
            errors.push(Error::invalid(&path.child("clusterIPs").index(0), "None", message));
        }
        "ExternalName" => {
            let message = "may not be set for ExternalName services";
            for field in ["clusterIPs", "ipFamilies"] {
                if !spec.list(field).is_empty() {
                    errors.push(Error::forbidden(&path.child(field), message));
                }
            }
            if spec.has("ipFamilyPolicy") {
                errors.push(Error::forbidden(&path.child("ipFamilyPolicy"), message));
            }
            let name = spec.text("externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                errors.push(Error::required(&path.child("externalName"), ""));
            } else {
                check::dns_subdomain(errors, &path.child("externalName"), name);
            }
        }
        _ => {}
    }
}

fn service_port<'a>(errors: &mut ErrorList, path: &Path, port: &'a Value, named: bool, names: &mut BTreeSet<&'a str>) {
    let name = port.text("name");
    if named && name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    } else if !name.is_empty() {
        check::dns_label(errors, &path.child("name"), name);
        if !names.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    }
    check::port_number(errors, &path.child("port"), port.int("port"));
    check::required_one_of(errors, &path.child("protocol"), port.text("protocol"), PROTOCOLS);
    check::port_or_name(errors, &path.child("targetPort"), port.at("targetPort"));
    if let Some(protocol) = port.opt_text("appProtocol") {
        check::qualified_name(errors, &path.child("appProtocol"), protocol);
    }
}

fn session_affinity(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let affinity = spec.text("sessionAffinity");
    check::required_one_of(errors, &path.child("sessionAffinity"), affinity, &["ClientIP", "None"]);
    let path = path.child("sessionAffinityConfig");
    let config = spec.at("sessionAffinityConfig");
    match affinity {
        "ClientIP" => {
            let steps = [(config, path.clone()), (config.at("clientIP"), path.child("clientIP"))];
            let timeout_path = path.child("clientIP").child("timeoutSeconds");
            let message = "when session affinity type is ClientIP";
            if let Some((_, path)) = steps.iter().find(|(value, _)| value.is_null()) {
                errors.push(Error::required(path, message));
                return;
            }
            match config.at("clientIP").opt_int("timeoutSeconds") {
                None => errors.push(Error::required(&timeout_path, message)),
                Some(seconds) if seconds <= 0 || seconds > 86400 => {
                    errors.push(Error::invalid(&timeout_path, seconds, "must be greater than 0 and less than 86400"));
                }
                Some(_) => {}
            }
        }
        "None" if config.is_object() => {
            errors.push(Error::forbidden(&path, "must not be set when session affinity is None"));
        }
        _ => {}
    }
}

fn is_v6(ip: &str) -> bool {
    names::parse_ip_sloppy(ip).is_some_and(|ip| ip.is_ipv6())
}

/// What must be right of the addresses before any is allocated: `ValidateServiceClusterIPsRelatedFields`.
pub fn addresses(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    cluster_ips(&mut errors, &Path::new("spec"), service.at("spec"));
    errors
}

/// `ValidateServiceClusterIPsRelatedFields`.
fn cluster_ips(errors: &mut ErrorList, path: &Path, spec: &Value) {
    if spec.text("type") == "ExternalName" {
        return;
    }
    let ips = spec.texts("clusterIPs");
    let list = || json!(ips);
    let ips_path = path.child("clusterIPs");
    let first = spec.text("clusterIP");
    match (first.is_empty(), ips.first()) {
        (false, None) => errors.push(Error::required(&ips_path, "")),
        (false, Some(ip)) if *ip != first => {
            errors.push(Error::invalid(&ips_path, list(), "first value must match `clusterIP`"));
        }
        (true, Some(_)) => {
            errors.push(Error::invalid(&ips_path, list(), "must be empty when `clusterIP` is not specified"));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    let families = spec.texts("ipFamilies");
    for (i, family) in families.iter().enumerate() {
        let path = path.child("ipFamilies").index(i);
        check::one_of(errors, &path, family, &["IPv4", "IPv6"]);
        if !seen.insert(family) {
            errors.push(Error::duplicate(&path, *family));
        }
    }
    if let Some(policy) = spec.opt_text("ipFamilyPolicy") {
        let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        check::one_of(errors, &path.child("ipFamilyPolicy"), policy, &policies);
    }
    let mut bad = false;
    for (i, ip) in ips.iter().enumerate() {
        if i == 0 && *ip == "None" {
            if ips.len() > 1 {
                bad = true;
                errors.push(Error::invalid(&ips_path, list(), "'None' must be the first and only value"));
            }
            continue;
        }
        let before = errors.len();
        check::ip(errors, &ips_path.index(i), ip);
        bad |= errors.len() > before;
    }
    if ips.len() > 2 {
        errors.push(Error::invalid(&ips_path, list(), "may only hold up to 2 values"));
    }
    if bad {
        return;
    }
    let six = ips.iter().filter(|ip| is_v6(ip)).count();
    if ips.len() > 1 && (six == 0 || six == ips.len()) {
        errors.push(Error::invalid(&ips_path, list(), "may specify no more than one IP for each IP family"));
    }
    if headless(spec) {
        return;
    }
    for (i, (ip, family)) in ips.iter().zip(&families).enumerate() {
        if matches!((*family, is_v6(ip)), ("IPv4", true) | ("IPv6", false)) {
            let message = format!("expected an {family} value as indicated by `ipFamilies[{i}]`");
            errors.push(Error::invalid(&ips_path.index(i), *ip, message));
        }
    }
}

fn duplicate_ports(errors: &mut ErrorList, path: &Path, ports: &[Value]) {
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate().filter(|(_, port)| port.int("nodePort") != 0) {
        if !seen.insert((port.text("protocol"), port.int("nodePort"))) {
            errors.push(Error::duplicate(&path.index(i).child("nodePort"), port.int("nodePort")));
        }
    }
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let (protocol, number) = (port.text("protocol"), port.int("port"));
        if !seen.insert((protocol, number)) {
            let text = internal::show("core.v1.ServicePort", &json!({"protocol": protocol, "port": number}));
            errors.push(check::shown(ErrorKind::Duplicate, &path.index(i), text, ""));
        }
    }
}

fn source_ranges(errors: &mut ErrorList, path: &Path, service: &Value) {
    let spec = service.at("spec");
    let balanced = spec.text("type") == "LoadBalancer";
    let ranges = spec.texts("loadBalancerSourceRanges");
    let annotation = service.at("metadata").at("annotations").opt_text(SOURCE_RANGES);
    if !ranges.is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        for (i, range) in ranges.iter().enumerate() {
            check::cidr(errors, &path.index(i), range.trim());
        }
    } else if let Some(text) = annotation {
        let path = Path::new("metadata").child("annotations").key(SOURCE_RANGES);
        if !balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        for range in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
            check::cidr(errors, &path, range.trim());
        }
    }
}

/// Fields that only load balancers have; `old` is given on updates.
fn balancer_fields(errors: &mut ErrorList, path: &Path, spec: &Value, old: Option<&Value>) {
    let balanced = spec.text("type") == "LoadBalancer";
    if old.is_none() {
        let field = "allocateLoadBalancerNodePorts";
        match (spec.has(field), balanced) {
            (true, false) => errors.push(Error::forbidden(&path.child(field), ONLY_BALANCED)),
            (false, true) => errors.push(Error::required(&Path::new(field), "")),
            _ => {}
        }
    }
    let class_path = path.child("loadBalancerClass");
    let class = spec.opt_text("loadBalancerClass");
    if let Some(old) = old.filter(|old| balanced && old.text("type") == "LoadBalancer")
        && old.opt_text("loadBalancerClass") != class
    {
        let shown = class.map_or(Value::Null, Value::from);
        errors.push(Error::invalid(&class_path, shown, "may not change once set"));
    }
    match class {
        Some(class) if balanced => check::qualified_name(errors, &class_path, class),
        Some(_) => errors.push(Error::forbidden(&class_path, ONLY_BALANCED)),
        None => {}
    }
}

fn traffic_policies(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let external = spec.text("externalTrafficPolicy");
    let external_path = path.child("externalTrafficPolicy");
    if externally_accessible(spec) {
        check::required_one_of(errors, &external_path, external, &["Cluster", "Local"]);
    } else if !external.is_empty() {
        let message = "may only be set for externally-accessible services";
        errors.push(Error::invalid(&external_path, external, message));
    }
    let health = spec.int("healthCheckNodePort");
    let health_path = path.child("healthCheckNodePort");
    if !needs_health_check(spec) {
        if health != 0 {
            let message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(Error::invalid(&health_path, health, message));
        }
    } else if health == 0 {
        errors.push(Error::required(&health_path, ""));
    } else {
        check::port_number(errors, &health_path, health);
    }
    let internal_path = path.child("internalTrafficPolicy");
    match spec.opt_text("internalTrafficPolicy") {
        None if matches!(spec.text("type"), "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.push(Error::required(&internal_path, ""));
        }
        None => {}
        Some(policy) => check::one_of(errors, &internal_path, policy, &["Cluster", "Local"]),
    }
    if let Some(distribution) = spec.opt_text("trafficDistribution") {
        let supported = ["PreferClose", "PreferSameNode", "PreferSameZone"];
        check::one_of(errors, &path.child("trafficDistribution"), distribution, &supported);
    }
}

fn update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec");
    let (now, before) = (new.at("spec"), old.at("spec"));
    if now.text("type") != "ExternalName" && before.text("type") != "ExternalName" {
        address_changes(&mut errors, &path, now, before);
    }
    balancer_fields(&mut errors, &path, now, Some(before));
    let port = "healthCheckNodePort";
    if needs_health_check(before) && needs_health_check(now) && now.int(port) != before.int(port) {
        errors.push(Error::forbidden(&path.child(port), "field is immutable"));
    }
    errors.extend(service(new));
    errors
}

fn address_changes(errors: &mut ErrorList, path: &Path, now: &Value, before: &Value) {
    if !(headless(now) && headless(before)) {
        secondary(errors, path, now, before, "clusterIPs", "clusterIP", "clusterIP");
    }
    if !headless(now) && !headless(before) {
        secondary(errors, path, now, before, "ipFamilies", "ipFamily", "ipFamily");
    }
}

/// The first of two addresses or families stays; the second may come and go.
fn secondary(
    errors: &mut ErrorList,
    path: &Path,
    now: &Value,
    before: &Value,
    field: &str,
    primary: &str,
    second: &str,
) {
    let (new, old) = (now.texts(field), before.texts(field));
    let path_of = path.child(field);
    let list = json!(new);
    let changed = !old.is_empty() && !new.is_empty() && new.first() != old.first();
    if old.len() == new.len() {
        for (i, _) in old.iter().zip(&new).enumerate().filter(|(_, (a, b))| a != b) {
            let index = if field == "clusterIPs" { i } else { 0 };
            errors.push(Error::invalid(&path_of.index(index), list.clone(), "may not change once set"));
        }
        return;
    }
    if old.len() > new.len() && now.texts("clusterIPs").is_empty() {
        errors.push(Error::invalid(&path_of.index(0), list.clone(), format!("primary {primary} can not be unset")));
    }
    if changed {
        let shown = json!(now.texts("clusterIPs"));
        errors.push(Error::invalid(&path_of.index(0), shown, "may not change once set"));
    }
    if old.len() > new.len() && new.len() == 1 && now.text("ipFamilyPolicy") != "SingleStack" {
        let shown = now.at("ipFamilyPolicy").clone();
        let message = format!("must be set to 'SingleStack' when releasing the secondary {second}");
        errors.push(Error::invalid(&path.child("ipFamilyPolicy"), shown, message));
    }
}

fn balancer_status(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let ingress = service.at("status").at("loadBalancer").list("ingress");
    let path = Path::new("status").child("loadBalancer").child("ingress");
    if service.at("spec").text("type") != "LoadBalancer" && !ingress.is_empty() {
        errors.push(Error::forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'"));
        return errors;
    }
    for (i, point) in ingress.iter().enumerate() {
        let path = path.index(i);
        let ip = point.text("ip");
        if !ip.is_empty() {
            check::ip(&mut errors, &path.child("ip"), ip);
        }
        match point.opt_text("ipMode") {
            None if !ip.is_empty() => {
                errors.push(Error::required(&path.child("ipMode"), "must be specified when `ip` is set"));
            }
            None => {}
            Some(_) if ip.is_empty() => {
                errors.push(Error::forbidden(&path.child("ipMode"), "may not be specified when `ip` is not set"));
            }
            Some(mode) => check::one_of(&mut errors, &path.child("ipMode"), mode, &["Proxy", "VIP"]),
        }
        let host = point.text("hostname");
        if !host.is_empty() {
            check::dns_subdomain(&mut errors, &path.child("hostname"), host);
            if names::parse_ip_sloppy(host).is_some() {
                let message = "must be a DNS name, not an IP address";
                errors.push(Error::invalid(&path.child("hostname"), host, message));
            }
        }
    }
    errors
}

fn warnings(service: &Value, _: Option<&Value>) -> Vec<String> {
    let mut out = Vec::new();
    if service.at("metadata").at("annotations").has("service.kubernetes.io/topology-aware-hints") {
        out.push("annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead".to_owned());
    }
    let (path, spec) = (Path::new("spec"), service.at("spec"));
    let warn_ips = |out: &mut Vec<String>, field: &str| {
        for (i, ip) in spec.texts(field).iter().enumerate() {
            out.extend(check::ip_warning(&path.child(field).index(i), ip));
        }
    };
    warn_ips(&mut out, "clusterIPs");
    if headless(spec) && spec.text("sessionAffinity") == "ClientIP" {
        out.push("spec.SessionAffinity is ignored for headless services".to_owned());
    }
    if headless(spec) && !spec.text("loadBalancerIP").is_empty() {
        out.push("spec.loadBalancerIP is ignored for headless services".to_owned());
    }
    if headless(spec) && !spec.list("externalIPs").is_empty() {
        out.push("spec.externalIPs is ignored when spec.clusterIP is \"None\"".to_owned());
    }
    if !spec.list("externalIPs").is_empty() {
        out.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    warn_ips(&mut out, "externalIPs");
    out.extend(check::ip_warning(&path.child("loadBalancerIP"), spec.text("loadBalancerIP")));
    for (i, range) in spec.texts("loadBalancerSourceRanges").iter().enumerate() {
        out.extend(check::cidr_warning(&path.child("loadBalancerSourceRanges").index(i), range));
    }
    out
}

fn endpoints(endpoints: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for (i, subset) in endpoints.list("subsets").iter().enumerate() {
        let path = Path::new("subsets").index(i);
        if subset.list("addresses").is_empty() && subset.list("notReadyAddresses").is_empty() {
            errors.push(Error::required(&path, "must specify `addresses` or `notReadyAddresses`"));
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (j, address) in subset.list(list).iter().enumerate() {
                endpoint_address(&mut errors, &path.child(list).index(j), address);
            }
        }
        let ports = subset.list("ports");
        for (j, port) in ports.iter().enumerate() {
            endpoint_port(&mut errors, &path.child("ports").index(j), port, ports.len() > 1);
        }
    }
    errors
}

fn endpoint_address(errors: &mut ErrorList, path: &Path, address: &Value) {
    check::ip(errors, &path.child("ip"), address.text("ip"));
    if !address.text("hostname").is_empty() {
        check::dns_label(errors, &path.child("hostname"), address.text("hostname"));
    }
    if let Some(node) = address.opt_text("nodeName") {
        check::dns_subdomain(errors, &path.child("nodeName"), node);
    }
    check::non_special_ip(errors, &path.child("ip"), address.text("ip"));
}

fn endpoint_port(errors: &mut ErrorList, path: &Path, port: &Value, named: bool) {
    let name = port.text("name");
    if named && name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    } else if !name.is_empty() {
        check::dns_label(errors, &path.child("name"), name);
    }
    check::port_number(errors, &path.child("port"), port.int("port"));
    check::required_one_of(errors, &path.child("protocol"), port.text("protocol"), PROTOCOLS);
    if let Some(protocol) = port.opt_text("appProtocol") {
        check::qualified_name(errors, &path.child("appProtocol"), protocol);
    }
}
