//! Why a node cannot take a pod: kube-scheduler's filters, in its order and words. The first filter that refuses decides.

use serde_json::json;

use super::Host;
use super::affinity::{exists_anywhere, is_near, pod_terms, speaks_of};
use super::resources::{amounts, requests, used};
use crate::controllers::placement::{is_tolerated, node_matches};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// One reason of one node.
pub(super) struct Refusal {
    pub reason: String,
    /// Whether evicting other pods could make room.
    pub eviction_may_help: bool,
}

type Filter = fn(&Value, &Host, &[Host]) -> Vec<Refusal>;

const FILTERS: [Filter; 7] = [unschedulable, taints, node_affinity, ports, fit, topology_spread, pod_affinity];

/// Why `host` cannot take `pod`; empty when it can.
pub(super) fn refusals(pod: &Value, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    FILTERS.iter().map(|filter| filter(pod, host, hosts)).find(|refusals| !refusals.is_empty()).unwrap_or_default()
}

fn never(reason: &str) -> Vec<Refusal> {
    vec![Refusal { reason: reason.to_owned(), eviction_may_help: false }]
}

fn for_now(reason: &str) -> Vec<Refusal> {
    vec![Refusal { reason: reason.to_owned(), eviction_may_help: true }]
}

fn unschedulable(pod: &Value, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let taint = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if meta::bool_at(&host.node, &["spec", "unschedulable"]) && !is_tolerated(pod, &taint) {
        return never("node(s) were unschedulable");
    }
    Vec::new()
}

fn taints(pod: &Value, host: &Host, _: &[Host]) -> Vec<Refusal> {
    let hard = |taint: &&Value| matches!(str_at(taint, &["effect"]), "NoSchedule" | "NoExecute");
    let mut taints = list_at(&host.node, &["spec", "taints"]).iter().filter(hard);
    if taints.any(|taint| !is_tolerated(pod, taint)) { never("node(s) had untolerated taint(s)") } else { Vec::new() }
}

fn node_affinity(pod: &Value, host: &Host, _: &[Host]) -> Vec<Refusal> {
    if node_matches(pod, &host.node) { Vec::new() } else { never("node(s) didn't match Pod's node affinity/selector") }
}

fn ports(pod: &Value, host: &Host, _: &[Host]) -> Vec<Refusal> {
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

fn fit(pod: &Value, host: &Host, _: &[Host]) -> Vec<Refusal> {
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

fn topology_spread(pod: &Value, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    for constraint in list_at(pod, &["spec", "topologySpreadConstraints"]) {
        if str_at(constraint, &["whenUnsatisfiable"]) != "DoNotSchedule" {
            continue;
        }
        let key = str_at(constraint, &["topologyKey"]);
        let Some(domain) = meta::label(&host.node, key) else {
            return never("node(s) didn't match pod topology spread constraints (missing required label)");
        };
        let selector = get(constraint, &["labelSelector"]).and_then(|s| LabelSelector::from_struct(s).ok());
        let Some(selector) = selector else { continue };
        let counts = |domain: &str| -> i64 {
            let of_domain = hosts.iter().filter(|other| meta::label(&other.node, key) == Some(domain));
            let pods = of_domain.flat_map(|other| &other.pods);
            let matching = pods.filter(|other| {
                meta::namespace(other) == meta::namespace(pod)
                    && meta::deletion_timestamp(other).is_none()
                    && selector.matches_object(other)
            });
            i64::try_from(matching.count()).unwrap_or(i64::MAX)
        };
        let eligible = hosts.iter().filter(|other| node_matches(pod, &other.node));
        let least = eligible.filter_map(|other| meta::label(&other.node, key)).map(counts).min().unwrap_or_default();
        let itself = i64::from(selector.matches_object(pod));
        if counts(domain) + itself - least > int_at(constraint, &["maxSkew"]).unwrap_or(1) {
            return for_now("node(s) didn't match pod topology spread constraints");
        }
    }
    Vec::new()
}

fn pod_affinity(pod: &Value, host: &Host, hosts: &[Host]) -> Vec<Refusal> {
    // The first pod of a group that wants to be near its own kind may go anywhere.
    let satisfied = |term: &Value| {
        is_near(term, pod, host, hosts)
            || !exists_anywhere(term, pod, hosts)
                && speaks_of(term, pod, pod)
                && meta::label(&host.node, str_at(term, &["topologyKey"])).is_some()
    };
    if !pod_terms(pod, "podAffinity").iter().all(satisfied) {
        return never("node(s) didn't match pod affinity rules");
    }
    if pod_terms(pod, "podAntiAffinity").iter().any(|term| is_near(term, pod, host, hosts)) {
        return for_now("node(s) didn't match pod anti-affinity rules");
    }
    let objects = |running: &Value, other: &Host| {
        pod_terms(running, "podAntiAffinity").iter().any(|term| {
            let key = str_at(term, &["topologyKey"]);
            let domain = meta::label(&other.node, key);
            domain.is_some() && domain == meta::label(&host.node, key) && speaks_of(term, running, pod)
        })
    };
    if hosts.iter().any(|other| other.pods.iter().any(|running| objects(running, other))) {
        return for_now("node(s) didn't satisfy existing pods anti-affinity rules");
    }
    Vec::new()
}
