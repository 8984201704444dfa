//! Rules of small kinds that steer the cluster: endpoint slices, leases, runtime and priority classes, API services.

use std::collections::BTreeSet;

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, GarbageCollection, MetaCheck, NameRule, Rules, StatusSplit, check};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta, names};

/// Most endpoints of a slice, addresses of an endpoint, ports of a slice, hints of an endpoint.
const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const MAX_TOPOLOGY: usize = 16;
const MAX_HINTS: usize = 8;
/// Highest priority that users may give.
const MAX_PRIORITY: i64 = 1_000_000_000;
/// Priority classes of the system with their values.
const SYSTEM_PRIORITIES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub const RULES: &[Rules] = &[
    Rules {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        update_meta: &[MetaCheck::Create],
        validate_create: |slice| endpoint_slice(slice, &BTreeSet::new()),
        validate_update: |new, old| {
            let stored = old.list("endpoints").iter().flat_map(|endpoint| endpoint.texts("addresses")).collect();
            let mut errors = endpoint_slice(new, &stored);
            check::immutable(&mut errors, &Path::new("addressType"), new.at("addressType"), old.at("addressType"));
            errors
        },
        warnings: |slice, _| match slice.text("addressType") {
            "FQDN" => vec!["spec.addressType: FQDN endpoints are deprecated".to_owned()],
            _ => Vec::new(),
        },
        generation: true,
        ..GENERIC
    },
    Rules {
        group: "coordination.k8s.io",
        kind: "Lease",
        prepare_create: |lease, _| drop_election(lease),
        prepare_update: |lease, _, _| drop_election(lease),
        validate_create: lease,
        validate_update: |new, _| lease(new),
        allow_create_on_update: true,
        allow_unconditional_update: false,
        ..GENERIC
    },
    Rules {
        group: "node.k8s.io",
        kind: "RuntimeClass",
        validate_create: runtime_class,
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            check::immutable(&mut errors, &Path::new("handler"), new.at("handler"), old.at("handler"));
            errors
        },
        allow_unconditional_update: false,
        ..GENERIC
    },
    Rules {
        group: "scheduling.k8s.io",
        kind: "PriorityClass",
        validate_create: priority_class,
        validate_update: priority_class_update,
        generation: true,
        ..GENERIC
    },
    Rules {
        group: "apiregistration.k8s.io",
        kind: "APIService",
        name: NameRule::Own,
        update_meta: &[MetaCheck::Update],
        validate_create: api_service,
        validate_update: |new, _| api_service(new),
        validate_status_update: |new, _| api_service_status(new),
        status: StatusSplit::Status,
        allow_unconditional_update: false,
        ..GENERIC
    },
    Rules {
        group: "events.k8s.io",
        kind: "Event",
        validate_create: event,
        allow_create_on_update: true,
        garbage_collection: GarbageCollection::Unsupported,
        ..GENERIC
    },
];

/// A slice; addresses that are stored already pass.
fn endpoint_slice(slice: &Value, stored: &BTreeSet<&str>) -> ErrorList {
    let mut errors = ErrorList::new();
    let type_ = slice.text("addressType");
    check::required_one_of(&mut errors, &Path::new("addressType"), type_, &["FQDN", "IPv4", "IPv6"]);
    let path = Path::new("endpoints");
    let endpoints = slice.list("endpoints");
    if endpoints.len() > MAX_ENDPOINTS {
        errors.push(Error::too_many(&path, endpoints.len(), MAX_ENDPOINTS));
    } else {
        for (i, endpoint) in endpoints.iter().enumerate() {
            check_endpoint(&mut errors, &path.index(i), endpoint, type_, stored);
        }
    }
    let path = Path::new("ports");
    let ports = slice.list("ports");
    if ports.len() > MAX_PORTS {
        errors.push(Error::too_many(&path, ports.len(), MAX_PORTS));
        return errors;
    }
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let path = path.index(i);
        let name = port.text("name");
        if !name.is_empty() {
            check::dns_label(&mut errors, &path.child("name"), name);
        }
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        match port.opt_text("protocol") {
            None => errors.push(Error::required(&path.child("protocol"), "")),
            Some(protocol) => {
                check::one_of(&mut errors, &path.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]);
            }
        }
        if let Some(protocol) = port.opt_text("appProtocol") {
            check::qualified_name(&mut errors, &path.child("appProtocol"), protocol);
        }
    }
    errors
}

fn check_endpoint(errors: &mut ErrorList, path: &Path, endpoint: &Value, type_: &str, stored: &BTreeSet<&str>) {
    let addresses = endpoint.texts("addresses");
    let at = path.child("addresses");
    if addresses.is_empty() {
        errors.push(Error::required(&at, "must contain at least 1 address"));
    } else if addresses.len() > MAX_ADDRESSES {
        errors.push(Error::too_many(&at, addresses.len(), MAX_ADDRESSES));
    }
    for (i, address) in addresses.into_iter().enumerate() {
        let at = at.index(i);
        match type_ {
            "IPv4" | "IPv6" if stored.contains(address) => {}
            "IPv4" | "IPv6" => {
                let ip = names::parse_ip_sloppy(address);
                if ip.is_none_or(|ip| ip.is_ipv4() != (type_ == "IPv4")) {
                    errors.push(Error::invalid(&at, address, format!("must be a valid {type_} address")));
                }
                check::non_special_ip(errors, &at, address);
            }
            "FQDN" => domain_name(errors, &at, address),
            _ => {}
        }
    }
    if let Some(node) = endpoint.opt_text("nodeName") {
        check::dns_subdomain(errors, &path.child("nodeName"), node);
    }
    let at = path.child("deprecatedTopology");
    let topology = endpoint.entries("deprecatedTopology").len();
    if topology > MAX_TOPOLOGY {
        errors.push(Error::too_many(&at, topology, MAX_TOPOLOGY));
    }
    check::labels(errors, &at, endpoint, "deprecatedTopology");
    if let Some(name) = endpoint.opt_text("hostname") {
        check::dns_label(errors, &path.child("hostname"), name);
    }
    hints(errors, &path.child("hints"), endpoint.at("hints"));
}

/// A fully qualified domain name of at least two labels.
fn domain_name(errors: &mut ErrorList, path: &Path, name: &str) {
    if name.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let messages = names::is_dns1123_subdomain(name);
    if !messages.is_empty() {
        check::messages(errors, path, name, messages);
        return;
    }
    let labels: Vec<&str> = name.split('.').collect();
    if labels.len() < 2 {
        let message = "should be a domain with at least two segments separated by dots";
        errors.push(Error::invalid(path, name, message));
        return;
    }
    for label in labels {
        check::messages(errors, path, label, names::is_dns1123_label(label));
    }
}

fn hints(errors: &mut ErrorList, path: &Path, hints: &Value) {
    for (field, check_name) in [
        ("forZones", names::is_valid_label_value as fn(&str) -> Vec<String>),
        ("forNodes", names::is_dns1123_subdomain),
    ] {
        let path = path.child(field);
        let list = hints.list(field);
        if list.len() > MAX_HINTS {
            errors.push(Error::too_many(&path, list.len(), MAX_HINTS));
            continue;
        }
        let mut seen = BTreeSet::new();
        for (i, hint) in list.iter().enumerate() {
            let path = path.index(i).child("name");
            let name = hint.text("name");
            if !seen.insert(name) {
                errors.push(Error::duplicate(&path, name));
            }
            check::messages(errors, &path, name, check_name(name));
        }
    }
}

/// Fields of coordinated leader election, which is off.
fn drop_election(lease: &mut Value) {
    for field in ["strategy", "preferredHolder"] {
        meta::remove(lease, &["spec", field]);
    }
}

fn lease(lease: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = lease.at("spec");
    let path = Path::new("spec");
    if let Some(seconds) = spec.opt_int("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        errors.push(Error::invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0"));
    }
    check::non_negative_fields(&mut errors, &path, spec, &["leaseTransitions"]);
    errors
}

fn runtime_class(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let handler = class.text("handler");
    check::required(&mut errors, &Path::new("handler"), handler);
    if !handler.is_empty() {
        check::dns_label(&mut errors, &Path::new("handler"), handler);
    }
    let path = Path::new("scheduling").child("nodeSelector");
    check::labels(&mut errors, &path, class.at("scheduling"), "nodeSelector");
    errors
}

fn priority_class(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let (name, value) = (meta::name(class), class.int("value"));
    if name.starts_with("system-") {
        let known = SYSTEM_PRIORITIES.iter().find(|(known, _)| *known == name);
        let wrong = match known {
            None => Some(format!("{name} is not a known system priority class")),
            Some((_, priority)) if *priority != value => {
                Some(format!("value of {name} PriorityClass must be {priority}"))
            }
            Some(_) if class.flag("globalDefault") => {
                Some(format!("globalDefault of {name} PriorityClass must be false"))
            }
            Some(_) => None,
        };
        let reserved = "priority class names with 'system-' prefix are reserved for system use only. error:";
        let path = Path::new("metadata").child("name");
        errors.extend(wrong.map(|wrong| Error::forbidden(&path, format!("{reserved} {wrong}"))));
    } else if value > MAX_PRIORITY {
        let message = format!("maximum allowed value of a user defined priority is {MAX_PRIORITY}");
        errors.push(Error::forbidden(&Path::new("value"), message));
    }
    if let Some(policy) = class.opt_text("preemptionPolicy") {
        let supported = ["PreemptLowerPriority", "Never"];
        check::one_of(&mut errors, &Path::new("preemptionPolicy"), policy, &supported);
    }
    errors
}

fn priority_class_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if new.int("value") != old.int("value") {
        errors.push(Error::forbidden(&Path::new("value"), "may not be changed in an update."));
    }
    let path = Path::new("preemptionPolicy");
    check::immutable(&mut errors, &path, new.at("preemptionPolicy"), old.at("preemptionPolicy"));
    errors
}

fn api_service(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    let (group, version) = (spec.text("group"), spec.text("version"));
    let wanted = format!("{version}.{group}");
    let name = meta::name(object);
    if name != wanted {
        let message = format!("must be `spec.version+\".\"+spec.group`: {}", json!(wanted));
        errors.push(Error::invalid(&Path::new("metadata").child("name"), name, message));
    }
    if group.is_empty() {
        if version != "v1" {
            errors.push(Error::required(
                &path.child("group"),
                "only v1 may have an empty group and it better be legacy kube",
            ));
        }
    } else {
        check::dns_subdomain(&mut errors, &path.child("group"), group);
    }
    check::messages(&mut errors, &path.child("version"), version, names::is_dns1035_label(version));
    for (field, high) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let value = spec.int(field);
        if value <= 0 || value > high {
            let message = format!("must be positive and less than {high}");
            errors.push(Error::invalid(&path.child(field), value, message));
        }
    }
    match spec.some("service") {
        None => {
            let local = [
                (
                    "caBundle",
                    spec.has("caBundle") && !spec.text("caBundle").is_empty(),
                    "local APIServices may not have a caBundle",
                ),
                (
                    "insecureSkipTLSVerify",
                    spec.flag("insecureSkipTLSVerify"),
                    "local APIServices may not have insecureSkipTLSVerify",
                ),
            ];
            for (field, set, message) in local {
                if set {
                    errors.push(Error::invalid(&path.child(field), spec.at(field).clone(), message));
                }
            }
        }
        Some(service) => {
            check::required_fields(&mut errors, &path.child("service"), service, &["namespace", "name"]);
            if let Some(port) = service.opt_int("port") {
                for message in names::is_valid_port_num(port) {
                    let message = format!("port is not valid: {message}");
                    errors.push(Error::invalid(&path.child("service").child("port"), port, message));
                }
            }
            if spec.flag("insecureSkipTLSVerify") && !spec.text("caBundle").is_empty() {
                let message = "may not be true if caBundle is present";
                errors.push(Error::invalid(&path.child("insecureSkipTLSVerify"), true, message));
            }
        }
    }
    errors
}

fn api_service_status(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("status").child("conditions");
    for (i, condition) in object.at("status").list("conditions").iter().enumerate() {
        let supported = ["False", "True", "Unknown"];
        check::one_of(&mut errors, &path.index(i).child("status"), condition.text("status"), &supported);
    }
    errors
}

/// An event of the newer group: who reports what about whom must be said (`ValidateEventCreate`).
fn event(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let regarding = either(object, "involvedObject", "regarding").text("namespace");
    let namespace = meta::namespace(object);
    if regarding.is_empty() {
        if !matches!(namespace, "" | "default" | "kube-system") {
            let path = Path::new("involvedObject").child("namespace");
            errors.push(Error::invalid(&path, regarding, "does not match event.namespace"));
        }
    } else if regarding != namespace {
        let path = Path::new("involvedObject").child("namespace");
        errors.push(Error::invalid(&path, regarding, "does not match event.namespace"));
    }
    if !object.has("eventTime") {
        errors.push(Error::required(&Path::new("eventTime"), ""));
    }
    check::one_of(&mut errors, &Path::new("type"), object.text("type"), &["Normal", "Warning"]);
    reported(&mut errors, object, "reportingController");
    errors
}

/// Who reports what, for events that have an `eventTime`; `field` is what the reporter's name is called.
pub fn reported(errors: &mut ErrorList, event: &Value, field: &str) {
    let controller = either(event, "reportingComponent", "reportingController").as_str().unwrap_or_default();
    check::required(errors, &Path::new(field), controller);
    check::qualified_name(errors, &Path::new(field), controller);
    for field in ["reportingInstance", "action", "reason"] {
        check::required(errors, &Path::new(field), event.text(field));
        if event.text(field).len() > 128 {
            errors.push(Error::invalid(&Path::new(field), "", "can have at most 128 characters"));
        }
    }
    if either(event, "message", "note").as_str().unwrap_or_default().len() > 1024 {
        errors.push(Error::invalid(&Path::new("message"), "", "can have at most 1024 characters"));
    }
}

/// A field of an event, which is stored under the names of the core group.
fn either<'a>(event: &'a Value, core: &str, own: &str) -> &'a Value {
    if event.get(core).is_some() { event.at(core) } else { event.at(own) }
}
