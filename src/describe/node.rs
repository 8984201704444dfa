//! Nodes with their leases, pods and resource slices.

use std::collections::BTreeMap;

use super::container::is_huge_pages;
use super::related::Request;
use super::resources::{self, Amounts, Side};
use super::text::{self, present};
use super::{Describer, Error, Subject, Writer, events};
use crate::kinds::columns::node_roles;
use crate::kinds::columns::text::quantity;
use crate::object::quantity::{self as quantities, Quantity};
use crate::object::selector::escape_field_value;
use crate::object::{Value, meta};

pub(super) const TABLE: &[Describer] =
    &[Describer::new("", "Node", describe).reads(|node| vec![pods(node), lease(node), slices(node)])];

/// How many pools of devices are shown.
const MAX_POOLS: usize = 10;

/// The pods on a node that have not ended.
fn pods(node: &Value) -> Request {
    let name = escape_field_value(meta::name(node));
    Request::list("", "v1", "pods", "")
        .with_fields(format!("spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"))
}

fn lease(node: &Value) -> Request {
    Request::get("coordination.k8s.io", "v1", "leases", "kube-node-lease", meta::name(node))
}

fn slices(node: &Value) -> Request {
    let name = escape_field_value(meta::name(node));
    Request::list("resource.k8s.io", "v1", "resourceslices", "").with_fields(format!("spec.nodeName={name}"))
}

fn describe(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let node = subject.object;
    // Who may see a node need not see all its pods: then only their part is left out.
    let on_node = match subject.related.list(&pods(node)) {
        Ok(list) => Some(list),
        Err(status) if status.code == 403 => None,
        Err(status) => return Err(status.into()),
    };
    w.field(0, "Name", meta::name(node));
    let roles: Vec<&str> = node_roles(node).into_iter().collect();
    w.field(0, "Roles", text::or(&roles.join(","), "<none>"));
    text::labels(w, node);
    text::object_annotations(w, node);
    w.field(0, "CreationTimestamp", text::time(node, &["metadata", "creationTimestamp"], subject.settings));
    let mut taints: Vec<&Value> = meta::list_at(node, &["spec", "taints"]).iter().collect();
    taints.sort_by_key(|taint| format!("{},{}", meta::str_at(taint, &["effect"]), meta::str_at(taint, &["key"])));
    text::lines_below(w, "", "Taints", taints.into_iter().map(taint));
    w.field(0, "Unschedulable", meta::bool_at(node, &["spec", "unschedulable"]));
    describe_lease(w, subject);
    conditions(w, subject);
    w.line(0, "Addresses:");
    for address in meta::list_at(node, &["status", "addresses"]) {
        w.field(1, meta::str_at(address, &["type"]), meta::str_at(address, &["address"]));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let Some(map) = meta::map_at(node, &["status", field]).filter(|map| !map.is_empty()) else { continue };
        w.line(0, format_args!("{title}:"));
        for (name, amount) in map {
            w.field(1, name, quantity(Some(amount)));
        }
    }
    describe_slices(w, subject.related.list(&slices(node)).unwrap_or_default());
    system_info(w, node);
    match on_node {
        Some(pods) => describe_pods(w, subject, pods),
        None => w.field(0, "Pods", "not authorized"),
    }
    events::describe(subject, w);
    Ok(())
}

fn taint(taint: &Value) -> String {
    let part = |field: &str| meta::str_at(taint, &[field]);
    match (part("effect"), part("value")) {
        ("", "") => part("key").to_owned(),
        ("", value) => format!("{}={value}:", part("key")),
        (effect, "") => format!("{}:{effect}", part("key")),
        (effect, value) => format!("{}={value}:{effect}", part("key")),
    }
}

fn describe_lease(w: &mut Writer, subject: &Subject<'_>) {
    let lease = match subject.related.get(&lease(subject.object)) {
        Ok(lease) => lease,
        Err(status) => return w.field(0, "Lease", format_args!("Failed to get lease: {status}")),
    };
    w.line(0, "Lease:");
    let holder = present(lease, &["spec", "holderIdentity"]).and_then(Value::as_str).unwrap_or("<unset>");
    w.field(1, "HolderIdentity", holder);
    for (title, field) in [("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")] {
        match present(lease, &["spec", field]) {
            Some(_) => w.field(1, title, text::time(lease, &["spec", field], subject.settings)),
            None => w.field(1, title, "<unset>"),
        }
    }
}

fn conditions(w: &mut Writer, subject: &Subject<'_>) {
    let list = meta::list_at(subject.object, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    w.line(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    w.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for c in list {
        let part = |field: &str| meta::str_at(c, &[field]);
        let heartbeat = text::time(c, &["lastHeartbeatTime"], subject.settings);
        let transition = text::time(c, &["lastTransitionTime"], subject.settings);
        let (type_, status, reason, message) = (part("type"), part("status"), part("reason"), part("message"));
        w.line(1, format_args!("{type_} \t{status} \t{heartbeat} \t{transition} \t{reason} \t{message}"));
    }
}

fn describe_slices(w: &mut Writer, slices: &[Value]) {
    if slices.is_empty() {
        return;
    }
    let mut pools: BTreeMap<String, (&str, &str, usize, usize)> = BTreeMap::new();
    for slice in slices {
        let (driver, pool) = (meta::str_at(slice, &["spec", "driver"]), meta::str_at(slice, &["spec", "pool", "name"]));
        let sums = pools.entry(format!("{driver}/{pool}")).or_insert((driver, pool, 0, 0));
        sums.2 += 1;
        sums.3 += meta::list_at(slice, &["spec", "devices"]).len();
    }
    w.line(0, "Node-Local ResourceSlices:");
    w.line(1, "Driver\tPool\tSlices\tDevices");
    w.line(1, "------\t----\t------\t-------");
    for (driver, pool, slices, devices) in pools.values().take(MAX_POOLS) {
        w.line(1, format_args!("{driver}\t{pool}\t{slices}\t{devices}"));
    }
    if pools.len() > MAX_POOLS {
        w.line(1, format_args!("...and {} more pools", pools.len() - MAX_POOLS));
    }
}

fn system_info(w: &mut Writer, node: &Value) {
    w.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        w.field(1, title, meta::str_at(node, &["status", "nodeInfo", field]));
    }
    let spec = |field: &str| meta::str_at(node, &["spec", field]);
    if !spec("podCIDR").is_empty() {
        w.field(0, "PodCIDR", spec("podCIDR"));
    }
    let cidrs = text::texts(node, &["spec", "podCIDRs"]);
    if !cidrs.is_empty() {
        w.field(0, "PodCIDRs", cidrs.join(","));
    }
    if !spec("providerID").is_empty() {
        w.field(0, "ProviderID", spec("providerID"));
    }
}

/// A share in whole percent, cut off; a division by zero gives what Go makes of it.
fn percent(part: i64, whole: i64) -> i64 {
    let share = part as f64 / whole as f64 * 100.0;
    if share.is_finite() { share as i64 } else { i64::MIN }
}

fn amount(list: &Amounts, name: &str) -> Quantity {
    list.get(name).cloned().unwrap_or_else(Quantity::zero)
}

/// The number by which shares of a resource are reckoned: thousandths of CPUs, whole units of all else.
fn units(name: &str, amount: &Quantity) -> i64 {
    if name == "cpu" { amount.milli_value() } else { amount.value() }
}

fn allocatable(node: &Value) -> Amounts {
    let field = if meta::map_at(node, &["status", "allocatable"]).is_some_and(|map| !map.is_empty()) {
        "allocatable"
    } else {
        "capacity"
    };
    let entries = meta::map_at(node, &["status", field]).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), quantities::from_value(value).ok()?))).collect()
}

fn describe_pods(w: &mut Writer, subject: &Subject<'_>, pods: &[Value]) {
    let allocatable = allocatable(subject.object);
    w.field(0, "Non-terminated Pods", format_args!("({} in total)", pods.len()));
    w.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    w.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in pods {
        let sides = [Side::Requests, Side::Limits].map(|side| resources::of_pod(pod, side, true));
        let shares: Vec<String> = ["cpu", "memory"]
            .into_iter()
            .flat_map(|name| sides.iter().map(move |side| (name, amount(side, name))))
            .map(|(name, amount_)| {
                let whole = units(name, &amount(&allocatable, name));
                format!("{amount_} ({}%)", percent(units(name, &amount_), whole))
            })
            .collect();
        let age = text::since(pod, &["metadata", "creationTimestamp"], subject.settings.now);
        w.line(1, format_args!("{}\t{}\t\t{}\t{age}", meta::namespace(pod), meta::name(pod), shares.join("\t")));
        resources::add(&mut requests, &resources::of_pod(pod, Side::Requests, false));
        resources::add(&mut limits, &resources::of_pod(pod, Side::Limits, false));
    }
    allocated(w, &allocatable, &requests, &limits);
}

fn allocated(w: &mut Writer, allocatable: &Amounts, requests: &Amounts, limits: &Amounts) {
    w.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)");
    w.line(1, "Resource\tRequests\tLimits");
    w.line(1, "--------\t--------\t------");
    let huge = allocatable.keys().map(String::as_str).filter(|name| is_huge_pages(name));
    for name in ["cpu", "memory", "ephemeral-storage"].into_iter().chain(huge) {
        let whole = units(name, &amount(allocatable, name));
        let share = |list: &Amounts| {
            let amount = amount(list, name);
            let percent = if whole == 0 { 0 } else { percent(units(name, &amount), whole) };
            format!("{amount} ({percent}%)")
        };
        w.line(1, format_args!("{name}\t{}\t{}", share(requests), share(limits)));
    }
    let standard = |name: &str| matches!(name, "cpu" | "memory" | "ephemeral-storage" | "pods") || is_huge_pages(name);
    for name in allocatable.keys().filter(|name| !standard(name)) {
        w.line(1, format_args!("{name}\t{}\t{}", amount(requests, name), amount(limits, name)));
    }
}
