//! Rules of the group networking.

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, MetaCheck, NameRule, Rules, StatusSplit, check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, names};

const GROUP: &str = "networking.k8s.io";
/// Annotation that named the class before the field did.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Most bytes of the name of an ingress controller.
const CONTROLLER_LIMIT: usize = 250;
const PATH_PATTERN: &str = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

pub const RULES: &[Rules] = &[
    Rules {
        group: GROUP,
        kind: "Ingress",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        validate_create: ingress_create,
        validate_update: ingress_update,
        validate_status_update: ingress_status,
        status: StatusSplit::Status,
        generation: true,
        ..GENERIC
    },
    Rules {
        group: GROUP,
        kind: "IngressClass",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        validate_create: ingress_class,
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            let path = Path::new("spec").child("controller");
            check::immutable(&mut errors, &path, new.at("spec").at("controller"), old.at("spec").at("controller"));
            errors.extend(ingress_class(new));
            errors
        },
        generation: true,
        ..GENERIC
    },
    Rules {
        group: GROUP,
        kind: "NetworkPolicy",
        validate_create: |policy| network_policy(policy, false),
        validate_update: |new, old| network_policy(new, has_bad_selector(old)),
        generation: true,
        ..GENERIC
    },
    Rules {
        group: GROUP,
        kind: "IPAddress",
        name: NameRule::PathSegment,
        validate_create: ip_address,
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            let path = Path::new("spec").child("parentRef");
            check::immutable(&mut errors, &path, new.at("spec").at("parentRef"), old.at("spec").at("parentRef"));
            errors
        },
        ..GENERIC
    },
    Rules {
        group: GROUP,
        kind: "ServiceCIDR",
        validate_create: service_cidr,
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            let path = Path::new("spec").child("cidrs");
            check::immutable(&mut errors, &path, new.at("spec").at("cidrs"), old.at("spec").at("cidrs"));
            errors
        },
        status: StatusSplit::Status,
        ..GENERIC
    },
];

fn ingress_create(ingress: &Value) -> ErrorList {
    let mut errors = ingress_spec(ingress, false, false);
    let annotation = ingress.at("metadata").at("annotations").opt_text(CLASS_ANNOTATION);
    let class = ingress.at("spec").opt_text("ingressClassName");
    if let (Some(annotation), Some(class)) = (annotation, class)
        && annotation != class
    {
        let path = Path::new("annotations").child(CLASS_ANNOTATION);
        let message = "must match `ingressClassName` when both are specified";
        errors.push(Error::invalid(&path, annotation, message));
    }
    errors
}

/// What stored objects have wrong already may stay so.
fn ingress_update(new: &Value, old: &Value) -> ErrorList {
    let spec = old.at("spec");
    let bad_secret = |tls: &Value| !secret_name(tls.text("secretName")).is_empty();
    let bad_wildcard = |rule: &Value| {
        let mut errors = ErrorList::new();
        rule_paths(&mut errors, &Path::default(), rule);
        rule.text("host").contains('*') && !errors.is_empty()
    };
    ingress_spec(new, spec.list("tls").iter().any(bad_secret), spec.list("rules").iter().any(bad_wildcard))
}

fn secret_name(name: &str) -> Vec<String> {
    if name.is_empty() { Vec::new() } else { names::is_dns1123_subdomain(name) }
}

fn ingress_spec(ingress: &Value, any_secret: bool, any_wildcard: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = ingress.at("spec");
    let path = Path::new("spec");
    if spec.list("rules").is_empty() && !spec.has("defaultBackend") {
        let rules = spec.at("rules").clone();
        errors.push(Error::invalid(&path, rules, "either `defaultBackend` or `rules` must be specified"));
    }
    if let Some(backend) = spec.some("defaultBackend") {
        ingress_backend(&mut errors, &path.child("defaultBackend"), backend);
    }
    for (i, rule) in spec.list("rules").iter().enumerate() {
        let path = path.child("rules").index(i);
        let host = rule.text("host");
        let wildcard = host.contains('*');
        if !host.is_empty() {
            if names::parse_ip_sloppy(host).is_some() {
                errors.push(Error::invalid(&path.child("host"), host, "must be a DNS name, not an IP address"));
            }
            check::messages(&mut errors, &path.child("host"), host, host_name(host));
        }
        if !wildcard || !any_wildcard {
            rule_paths(&mut errors, &path, rule);
        }
    }
    for (i, tls) in spec.list("tls").iter().enumerate() {
        let path = path.child("tls").index(i);
        for (j, host) in tls.texts("hosts").into_iter().enumerate() {
            check::messages(&mut errors, &path.child("hosts").index(j), host, host_name(host));
        }
        if !any_secret {
            let secret = tls.text("secretName");
            check::messages(&mut errors, &path.child("secretName"), secret, secret_name(secret));
        }
    }
    if let Some(class) = spec.opt_text("ingressClassName") {
        check::dns_subdomain(&mut errors, &path.child("ingressClassName"), class);
    }
    errors
}

/// A host, which may begin with a wildcard.
fn host_name(host: &str) -> Vec<String> {
    if host.contains('*') { names::is_wildcard_dns1123_subdomain(host) } else { names::is_dns1123_subdomain(host) }
}

fn rule_paths(errors: &mut ErrorList, path: &Path, rule: &Value) {
    let Some(http) = rule.some("http") else { return };
    let path = path.child("http").child("paths");
    if http.list("paths").is_empty() {
        errors.push(Error::required(&path, ""));
    }
    for (i, entry) in http.list("paths").iter().enumerate() {
        http_path(errors, &path.index(i), entry);
    }
}

fn http_path(errors: &mut ErrorList, path: &Path, entry: &Value) {
    let Some(type_) = entry.opt_text("pathType") else {
        errors.push(Error::required(&path.child("pathType"), "pathType must be specified"));
        return;
    };
    let text = entry.text("path");
    let at = path.child("path");
    match type_ {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errors.push(Error::invalid(&at, text, "must be an absolute path"));
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|s| text.contains(s)) {
                errors.push(Error::invalid(&at, text, format!("must not contain '{sequence}'")));
            }
            for suffix in ["/..", "/."].into_iter().filter(|s| text.ends_with(s)) {
                errors.push(Error::invalid(&at, text, format!("cannot end with '{suffix}'")));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.push(Error::invalid(&at, text, "must be an absolute path"));
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.push(Error::not_supported(&path.child("pathType"), other, &supported));
        }
    }
    ingress_backend(errors, &path.child("backend"), entry.at("backend"));
}

fn ingress_backend(errors: &mut ErrorList, path: &Path, backend: &Value) {
    match (backend.some("resource"), backend.some("service")) {
        (Some(_), Some(_)) => {
            errors.push(Error::invalid(path, "", "cannot set both resource and service backends"));
        }
        (Some(resource), None) => {
            local_reference(errors, &path.child("resource"), resource, ["kind is required", "name is required"]);
        }
        (None, Some(service)) => service_backend(errors, path, service),
        (None, None) => errors.push(Error::invalid(path, "", "resource or service backend is required")),
    }
}

fn service_backend(errors: &mut ErrorList, path: &Path, service: &Value) {
    let at = path.child("service");
    let name = service.text("name");
    if name.is_empty() {
        errors.push(Error::required(&at.child("name"), ""));
    } else {
        check::dns_label(errors, &at.child("name"), name);
    }
    let port = service.at("port");
    match (port.text("name"), port.int("number")) {
        ("", 0) => errors.push(Error::required(path, "port name or number is required")),
        ("", number) => check::port_number(errors, &at.child("port").child("number"), number),
        (name, 0) => {
            check::messages(errors, &at.child("port").child("name"), name, names::is_valid_port_name(name));
        }
        _ => errors.push(Error::invalid(path, "", "cannot set both port name & port number")),
    }
}

/// Group, kind and name of an object in the same namespace; `missing` words the absence of the last two.
fn local_reference(errors: &mut ErrorList, path: &Path, reference: &Value, missing: [&str; 2]) {
    if let Some(group) = reference.opt_text("apiGroup") {
        check::dns_subdomain(errors, &path.child("apiGroup"), group);
    }
    for (field, missing) in ["kind", "name"].into_iter().zip(missing) {
        let text = reference.text(field);
        if text.is_empty() {
            errors.push(Error::required(&path.child(field), missing));
        } else {
            check::messages(errors, &path.child(field), text, names::is_path_segment_name(text));
        }
    }
}

fn ingress_status(new: &Value, _: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("status").child("loadBalancer").child("ingress");
    for (i, point) in new.at("status").at("loadBalancer").list("ingress").iter().enumerate() {
        let path = path.index(i);
        if !point.text("ip").is_empty() {
            check::ip(&mut errors, &path.child("ip"), point.text("ip"));
        }
        let host = point.text("hostname");
        if !host.is_empty() {
            check::dns_subdomain(&mut errors, &path.child("hostname"), host);
            if names::parse_ip_sloppy(host).is_some() {
                errors.push(Error::invalid(&path.child("hostname"), host, "must be a DNS name, not an IP address"));
            }
        }
    }
    errors
}

fn ingress_class(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = class.at("spec");
    let path = Path::new("spec");
    let controller = spec.text("controller");
    if controller.len() > CONTROLLER_LIMIT {
        errors.push(Error::too_long(&path.child("controller"), CONTROLLER_LIMIT));
    }
    domain_prefixed_path(&mut errors, &path.child("controller"), controller);
    let Some(parameters) = spec.some("parameters") else { return errors };
    let path = path.child("parameters");
    local_reference(&mut errors, &path, parameters, ["", ""]);
    let namespace = parameters.opt_text("namespace");
    match (parameters.opt_text("scope"), namespace) {
        (None, _) => errors.push(Error::required(&path.child("scope"), "")),
        (Some("Namespace"), None) => {
            let message = "`parameters.scope` is set to 'Namespace'";
            errors.push(Error::required(&path.child("namespace"), message));
        }
        (Some("Namespace"), Some(namespace)) => {
            check::dns_label(&mut errors, &path.child("namespace"), namespace);
        }
        (Some("Cluster"), Some(_)) => {
            errors.push(Error::forbidden(&path.child("namespace"), "`parameters.scope` is set to 'Cluster'"));
        }
        (Some("Cluster"), None) => {}
        (Some(other), _) => {
            errors.push(Error::not_supported(&path.child("scope"), other, &["Cluster", "Namespace"]));
        }
    }
    errors
}

/// A path below a domain: `example.com/controller`.
fn domain_prefixed_path(errors: &mut ErrorList, path: &Path, text: &str) {
    if text.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let Some((host, rest)) = text.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty()) else {
        errors.push(Error::invalid(path, text, "must be a domain-prefixed path (such as \"acme.io/foo\")"));
        return;
    };
    check::dns_subdomain(errors, path, host);
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        errors.push(Error::invalid(path, rest, names::regex_error("Invalid path", PATH_PATTERN, &[])));
    }
}

fn has_bad_selector(policy: &Value) -> bool {
    let mut errors = ErrorList::new();
    check::label_selector(&mut errors, &Path::default(), policy.at("spec").at("podSelector"));
    !errors.is_empty()
}

fn network_policy(policy: &Value, any_values: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = policy.at("spec");
    let path = Path::new("spec");
    check::label_selector_with(&mut errors, &path.child("podSelector"), spec.at("podSelector"), any_values);
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for (i, rule) in spec.list(rules).iter().enumerate() {
            let path = path.child(rules).index(i);
            for (j, port) in rule.list("ports").iter().enumerate() {
                policy_port(&mut errors, &path.child("ports").index(j), port);
            }
            for (j, peer) in rule.list(peers).iter().enumerate() {
                policy_peer(&mut errors, &path.child(peers).index(j), peer, any_values);
            }
        }
    }
    let types = spec.texts("policyTypes");
    let path = path.child("policyTypes");
    if types.len() > 2 {
        errors.push(Error::invalid(&path, json!(types), "may not specify more than two policyTypes"));
        return errors;
    }
    for (i, type_) in types.into_iter().enumerate() {
        check::one_of(&mut errors, &path.index(i), type_, &["Ingress", "Egress"]);
    }
    errors
}

fn policy_port(errors: &mut ErrorList, path: &Path, port: &Value) {
    if let Some(protocol) = port.opt_text("protocol") {
        check::one_of(errors, &path.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let end = port.opt_int("endPort");
    let end_path = path.child("endPort");
    match (port.some("port"), end) {
        (None, Some(end)) => {
            errors.push(Error::invalid(&end_path, end, "may not be specified when `port` is not specified"));
        }
        (None, None) => {}
        (Some(Value::String(name)), end) => {
            if let Some(end) = end {
                errors.push(Error::invalid(&end_path, end, "may not be specified when `port` is non-numeric"));
            }
            check::messages(errors, &path.child("port"), name.as_str(), names::is_valid_port_name(name));
        }
        (Some(number), end) => {
            let number = number.as_i64().unwrap_or_default();
            check::port_number(errors, &path.child("port"), number);
            if let Some(end) = end {
                if end < number {
                    errors.push(Error::invalid(&end_path, number, "must be greater than or equal to `port`"));
                }
                check::port_number(errors, &end_path, end);
            }
        }
    }
}

fn policy_peer(errors: &mut ErrorList, path: &Path, peer: &Value, any_values: bool) {
    let mut peers = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.some(field) {
            peers += 1;
            check::label_selector_with(errors, &path.child(field), selector, any_values);
        }
    }
    if let Some(block) = peer.some("ipBlock") {
        peers += 1;
        ip_block(errors, &path.child("ipBlock"), block);
    }
    if peers == 0 {
        errors.push(Error::required(path, "must specify a peer"));
    } else if peers > 1 && peer.has("ipBlock") {
        errors.push(Error::forbidden(path, "may not specify both ipBlock and another peer"));
    }
}

fn ip_block(errors: &mut ErrorList, path: &Path, block: &Value) {
    let text = block.text("cidr");
    if text.is_empty() {
        errors.push(Error::required(&path.child("cidr"), ""));
        return;
    }
    check::cidr(errors, &path.child("cidr"), text);
    let Some(whole) = names::parse_cidr_sloppy(text) else { return };
    for (i, text) in block.texts("except").into_iter().enumerate() {
        let path = path.child("except").index(i);
        check::cidr(errors, &path, text);
        if names::parse_cidr_sloppy(text).is_some_and(|part| !strictly_within(part, whole)) {
            errors.push(Error::invalid(&path, text, "must be a strict subset of `cidr`"));
        }
    }
}

type Cidr = (std::net::IpAddr, u8);

/// The leading `bits` of an address.
fn leading(address: std::net::IpAddr, bits: u8) -> (bool, u128) {
    let (v4, number, width) = match address {
        std::net::IpAddr::V4(v4) => (true, u128::from(u32::from(v4)), 32),
        std::net::IpAddr::V6(v6) => (false, u128::from(v6), 128),
    };
    (v4, number.checked_shr(width - u32::from(bits).min(width)).unwrap_or_default())
}

fn strictly_within(part: Cidr, whole: Cidr) -> bool {
    let (address, bits) = part;
    leading(address, bits).0 == leading(whole.0, 0).0
        && leading(address, whole.1) == leading(whole.0, whole.1)
        && bits > whole.1
}

fn ip_address(address: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let name = address.at("metadata").text("name");
    check::messages(&mut errors, &Path::new("metadata").child("name"), name, strict_ip(name));
    let path = Path::new("spec").child("parentRef");
    let Some(parent) = address.at("spec").some("parentRef") else {
        errors.push(Error::required(&path, ""));
        return errors;
    };
    if !parent.text("group").is_empty() {
        check::dns_subdomain(&mut errors, &path.child("group"), parent.text("group"));
    }
    for (field, required) in [("resource", true), ("name", true), ("namespace", false)] {
        let text = parent.text(field);
        if !text.is_empty() {
            check::messages(&mut errors, &path.child(field), text, names::is_path_segment_name(text));
        } else if required {
            errors.push(Error::required(&path.child(field), ""));
        }
    }
    errors
}

/// An IP address in canonical form, without leading zeros and without an IPv4 address inside an IPv6 one.
fn strict_ip(text: &str) -> Vec<String> {
    let Some(sloppy) = names::parse_ip_sloppy(text) else { return names::is_valid_ip(text) };
    let Ok(strict) = text.parse::<std::net::IpAddr>() else { return vec!["must not have leading 0s".to_owned()] };
    match strict {
        std::net::IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        _ if sloppy.to_string() != text => vec![format!("must be in canonical form (\"{sloppy}\")")],
        _ => Vec::new(),
    }
}

/// A CIDR in canonical form.
fn strict_cidr(text: &str) -> Vec<String> {
    let Some((address, bits)) = names::parse_cidr_sloppy(text) else { return names::is_valid_cidr(text) };
    let strict = text.split_once('/').and_then(|(address, _)| address.parse::<std::net::IpAddr>().ok());
    let leading_zero = text.split_once('/').is_some_and(|(_, bits)| bits.len() > 1 && bits.starts_with('0'));
    match strict {
        None => return vec!["must not have leading 0s in IP or prefix length".to_owned()],
        Some(_) if leading_zero => return vec!["must not have leading 0s in IP or prefix length".to_owned()],
        Some(std::net::IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            return vec!["must not have an IPv4-mapped IPv6 address".to_owned()];
        }
        Some(strict) => {
            let width: u8 = if strict.is_ipv4() { 32 } else { 128 };
            let rest = u32::from(width - bits.min(width));
            let all = leading(strict, width).1;
            let kept = leading(strict, bits).1.checked_shl(rest).unwrap_or_default();
            if all != kept {
                return vec!["must not have bits set beyond the prefix length".to_owned()];
            }
        }
    }
    let canonical = format!("{address}/{bits}");
    if canonical == text { Vec::new() } else { vec![format!("must be in canonical form (\"{canonical}\")")] }
}

fn service_cidr(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec").child("cidrs");
    let cidrs = spec.texts("cidrs");
    if cidrs.is_empty() {
        errors.push(Error::required(&path, "at least one CIDR required"));
        return errors;
    }
    if cidrs.len() > 2 {
        let shown = internal::show("networking.v1.ServiceCIDRSpec", spec);
        errors.push(check::shown(ErrorKind::Invalid, &path, shown, "may only hold up to 2 values"));
        return errors;
    }
    if let [first, second] = cidrs.as_slice() {
        let families = [first, second].map(|cidr| names::parse_cidr_sloppy(cidr).map(|(ip, _)| ip.is_ipv4()));
        if !matches!(families, [Some(a), Some(b)] if a != b) {
            let message = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
            errors.push(Error::invalid(&path, json!(cidrs), message));
            return errors;
        }
    }
    for (i, cidr) in cidrs.into_iter().enumerate() {
        check::messages(&mut errors, &path.index(i), cidr, strict_cidr(cidr));
    }
    errors
}
