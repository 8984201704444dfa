//! Topology spread constraints: how evenly pods lie over the domains of a label of nodes.

use std::collections::BTreeMap;

use super::view::Host;
use crate::controllers::placement::{is_tolerated, node_matches};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The constraints of a pod with this value of `whenUnsatisfiable`.
pub(super) fn constraints<'a>(pod: &'a Value, when: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = list_at(pod, &["spec", "topologySpreadConstraints"]).iter();
    all.filter(move |constraint| str_at(constraint, &["whenUnsatisfiable"]) == when)
}

/// Whether the pods of a node count for a constraint.
fn counts(pod: &Value, constraint: &Value, node: &Value) -> bool {
    let honors = |field: &str, default: bool| match str_at(constraint, &[field]) {
        "" => default,
        policy => policy == "Honor",
    };
    let hard = |taint: &&Value| matches!(str_at(taint, &["effect"]), "NoSchedule" | "NoExecute");
    let mut taints = list_at(node, &["spec", "taints"]).iter().filter(hard);
    (!honors("nodeAffinityPolicy", true) || node_matches(pod, node))
        && (!honors("nodeTaintsPolicy", false) || taints.all(|taint| is_tolerated(pod, taint)))
}

/// How many pods like this one each domain of a constraint has. Nodes that lack the label of any of `all` constraints
/// do not count.
pub(super) fn domains<'h>(
    pod: &Value,
    constraint: &Value,
    all: &[&Value],
    hosts: &'h [Host],
) -> (Option<LabelSelector>, BTreeMap<&'h str, i64>) {
    let selector = get(constraint, &["labelSelector"]).and_then(|s| LabelSelector::from_struct(s).ok());
    let mut found: BTreeMap<&str, i64> = BTreeMap::new();
    for host in hosts {
        let labelled = all.iter().all(|other| meta::label(&host.node, str_at(other, &["topologyKey"])).is_some());
        let domain = meta::label(&host.node, str_at(constraint, &["topologyKey"]));
        let Some(domain) = domain.filter(|_| labelled && counts(pod, constraint, &host.node)) else { continue };
        let alike = host.pods.iter().filter(|other| {
            meta::namespace(other) == meta::namespace(pod)
                && meta::deletion_timestamp(other).is_none()
                && selector.as_ref().is_some_and(|selector| selector.matches_object(other))
        });
        *found.entry(domain).or_default() += i64::try_from(alike.count()).unwrap_or(i64::MAX);
    }
    (selector, found)
}

/// How uneven a constraint's domains would be with the pod on `host`, and whether the node has the label at all.
pub(super) fn is_too_uneven(pod: &Value, constraint: &Value, all: &[&Value], host: &Host, hosts: &[Host]) -> bool {
    let (selector, found) = domains(pod, constraint, all, hosts);
    let domain = meta::label(&host.node, str_at(constraint, &["topologyKey"])).unwrap_or_default();
    let enough = int_at(constraint, &["minDomains"])
        .is_none_or(|least| i64::try_from(found.len()).is_ok_and(|count| count >= least));
    let least = if enough { found.values().min().copied().unwrap_or_default() } else { 0 };
    let itself = i64::from(selector.is_some_and(|selector| selector.matches_object(pod)));
    let here = found.get(domain).copied().unwrap_or_default();
    here + itself - least > int_at(constraint, &["maxSkew"]).unwrap_or(1)
}
