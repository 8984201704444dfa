//! Why a node cannot take a pod: kube-scheduler's filters, in its order and words. The first filter that refuses decides.

use serde_json::json;

use super::affinity::{exists_anywhere, is_near, pod_terms, speaks_of};
use super::resources::{amounts, requests, used};
use super::spread::{constraints, is_too_uneven};
use super::view::{Attempt, Host};
use crate::controllers::placement::{is_tolerated, node_matches};
use crate::object::meta::{int_at, list_at, str_at};
use crate::object::{Value, meta};

/// One reason of one node.
pub(super) struct Refusal {
    pub reason: String,
    /// Whether evicting other pods could make room.
    pub eviction_may_help: bool,
}

type Filter = fn(&Attempt<'_>, &Host, &[Host]) -> Vec<Refusal>;

const FILTERS: [Filter; 9] = [
    pinned,
    unschedulable,
    taints,
    node_affinity,
    ports,
    fit,
    |attempt, host, _| attempt.volumes.refusals(attempt.pod, host),
    topology_spread,
    pod_affinity,
];

/// Why `host` cannot take the pod; empty when it can.
pub(super) fn refusals(attempt: &Attempt<'_>, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    FILTERS.iter().map(|filter| filter(attempt, host, hosts)).find(|refusals| !refusals.is_empty()).unwrap_or_default()
}

pub(super) fn never(reason: &str) -> Vec<Refusal> {
    vec![Refusal { reason: reason.to_owned(), eviction_may_help: false }]
}

pub(super) fn for_now(reason: &str) -> Vec<Refusal> {
    vec![Refusal { reason: reason.to_owned(), eviction_may_help: true }]
}

/// A pod that names its nodes in every term, as those of daemon sets do, is tried on no others.
fn pinned(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = meta::get(attempt.pod, &path).map(|r| list_at(r, &["nodeSelectorTerms"])).unwrap_or_default();
    let named = |term: &Value| {
        let mut fields = list_at(term, &["matchFields"]).iter();
        fields.find(|f| str_at(f, &["key"]) == "metadata.name" && str_at(f, &["operator"]) == "In").cloned()
    };
    let names: Option<Vec<Value>> = terms.iter().map(named).collect();
    let node = meta::name(&host.node);
    let tried = |names: Vec<Value>| names.iter().any(|f| list_at(f, &["values"]).iter().any(|name| name == node));
    match names.filter(|names| !names.is_empty()) {
        Some(names) if !tried(names.clone()) => never("node(s) didn't satisfy plugin(s) [NodeAffinity]"),
        _ => Vec::new(),
    }
}

fn unschedulable(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    let taint = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if meta::bool_at(&host.node, &["spec", "unschedulable"]) && !is_tolerated(pod, &taint) {
        return never("node(s) were unschedulable");
    }
    Vec::new()
}

fn taints(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    let hard = |taint: &&Value| matches!(str_at(taint, &["effect"]), "NoSchedule" | "NoExecute");
    let mut taints = list_at(&host.node, &["spec", "taints"]).iter().filter(hard);
    if taints.any(|taint| !is_tolerated(pod, taint)) { never("node(s) had untolerated taint(s)") } else { Vec::new() }
}

fn node_affinity(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    if node_matches(pod, &host.node) { Vec::new() } else { never("node(s) didn't match Pod's node affinity/selector") }
}

fn ports(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    let wanted = host_ports(pod);
    let taken = host.pods.iter().flat_map(|other| host_ports(other)).collect::<Vec<_>>();
    let clash = |(protocol, ip, port): &(String, String, i64)| {
        let any = "0.0.0.0";
        taken.iter().any(|(p, i, n)| p == protocol && n == port && (i == ip || i == any || ip == any))
    };
    if wanted.iter().any(clash) {
        return for_now("node(s) didn't have free ports for the requested pod ports");
    }
    Vec::new()
}

/// Protocol, address and number of the ports that a pod takes on its node.
fn host_ports(pod: &Value) -> Vec<(String, String, i64)> {
    let ports = list_at(pod, &["spec", "containers"]).iter().flat_map(|container| list_at(container, &["ports"]));
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    ports
        .filter_map(|port| {
            let number = int_at(port, &["hostPort"]).filter(|number| *number > 0)?;
            Some((or(str_at(port, &["protocol"]), "TCP"), or(str_at(port, &["hostIP"]), "0.0.0.0"), number))
        })
        .collect()
}

fn fit(attempt: &Attempt<'_>, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    let allocatable = amounts(&host.node, &["status", "allocatable"]);
    let have = |name: &str| allocatable.get(name).copied().unwrap_or_default();
    let used = used(host.pods.iter().map(AsRef::as_ref), &[]);
    let mut refusals = Vec::new();
    if i64::try_from(host.pods.len()).unwrap_or(i64::MAX) + 1 > have("pods") {
        refusals.extend(for_now("Too many pods"));
    }
    for (name, asked) in requests(pod, &[]) {
        let taken = used.get(&name).copied().unwrap_or_default();
        if asked > 0 && asked > have(&name) - taken {
            // A node that is too small even when empty is not helped by eviction.
            let eviction_may_help = asked <= have(&name);
            refusals.push(Refusal { reason: format!("Insufficient {name}"), eviction_may_help });
        }
    }
    refusals
}

fn topology_spread(attempt: &Attempt<'_>, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    let all: Vec<&Value> = constraints(attempt.pod, "DoNotSchedule").collect();
    for constraint in &all {
        if meta::label(&host.node, str_at(constraint, &["topologyKey"])).is_none() {
            return never("node(s) didn't match pod topology spread constraints (missing required label)");
        }
        if is_too_uneven(attempt.pod, constraint, &all, host, hosts) {
            return for_now("node(s) didn't match pod topology spread constraints");
        }
    }
    Vec::new()
}

fn pod_affinity(attempt: &Attempt<'_>, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    let pod = attempt.pod;
    let wanted = pod_terms(pod, "podAffinity");
    let has_domain = |term: &Value| meta::label(&host.node, str_at(term, &["topologyKey"])).is_some();
    // The first pod of a group that wants to be near its own kind may go anywhere.
    let is_first = wanted
        .iter()
        .all(|term| has_domain(term) && speaks_of(attempt, term, pod, pod) && !exists_anywhere(attempt, term, hosts));
    if !is_first && !wanted.iter().all(|term| is_near(attempt, term, host, hosts)) {
        return never("node(s) didn't match pod affinity rules");
    }
    if pod_terms(pod, "podAntiAffinity").iter().any(|term| is_near(attempt, term, host, hosts)) {
        return for_now("node(s) didn't match pod anti-affinity rules");
    }
    let objects = |running: &Value, other: &Host| {
        pod_terms(running, "podAntiAffinity").iter().any(|term| {
            let key = str_at(term, &["topologyKey"]);
            let domain = meta::label(&other.node, key);
            domain.is_some() && domain == meta::label(&host.node, key) && speaks_of(attempt, term, running, pod)
        })
    };
    if hosts.iter().any(|other| other.pods.iter().any(|running| objects(running, other))) {
        return for_now("node(s) didn't satisfy existing pods anti-affinity rules");
    }
    Vec::new()
}
