//! Which of the nodes that fit is the best: the least used, preferred by affinity, without soft taints, away from its
//! like.

use std::sync::Arc;

use super::affinity::is_near;
use super::resources::{USUAL, amounts, requests, used};
use super::spread::{constraints, domains};
use super::view::{Attempt, Host};
use crate::controllers::placement::{is_tolerated, term_matches};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{Value, meta};

/// The best of the hosts that fit; of equal ones the first by name.
pub(super) fn best(attempt: &Attempt<'_>, fitting: &[&Host], hosts: &[Host]) -> Option<Arc<Value>> {
    let scored = fitting.iter().map(|host| (score(attempt, host, hosts), host));
    // `max_by` keeps the last of equals, so the order of names is turned round.
    let best = scored.max_by(|(a, host_a), (b, host_b)| {
        a.cmp(b).then_with(|| meta::name(&host_b.node).cmp(meta::name(&host_a.node)))
    });
    best.map(|(_, host)| host.node.clone())
}

/// Points out of about a hundred per aspect, weighed as kube-scheduler's default plugins are.
fn score(attempt: &Attempt<'_>, host: &Host, hosts: &[Host]) -> i64 {
    let pod = attempt.pod;
    least_allocated(pod, host)
        + 2 * preferred_nodes(pod, host)
        + 2 * spread(pod, host)
        + 3 * soft_taints(pod, host)
        + 2 * preferred_spread(pod, host, hosts)
        + 2 * preferred_company(attempt, host, hosts)
}

fn least_allocated(pod: &Value, host: &Host) -> i64 {
    let allocatable = amounts(&host.node, &["status", "allocatable"]);
    let used = used(host.pods.iter().map(AsRef::as_ref), &USUAL);
    let asked = requests(pod, &USUAL);
    let free = USUAL.iter().filter_map(|(name, _)| {
        let have = allocatable.get(*name).copied().filter(|have| *have > 0)?;
        let taken = used.get(*name).copied().unwrap_or_default() + asked.get(*name).copied().unwrap_or_default();
        Some((have - taken).max(0).saturating_mul(100) / have)
    });
    let free: Vec<i64> = free.collect();
    if free.is_empty() { 0 } else { free.iter().sum::<i64>() / i64::try_from(free.len()).unwrap_or(1) }
}

fn preferred_nodes(pod: &Value, host: &Host) -> i64 {
    let terms = list_at(pod, &["spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"]);
    let matching = terms.iter().filter(|t| get(t, &["preference"]).is_some_and(|p| term_matches(p, &host.node)));
    matching.filter_map(|term| int_at(term, &["weight"])).sum()
}

fn preferred_company(attempt: &Attempt<'_>, host: &Host, hosts: &[Host]) -> i64 {
    let weigh = |which: &str| -> i64 {
        let terms =
            list_at(attempt.pod, &["spec", "affinity", which, "preferredDuringSchedulingIgnoredDuringExecution"]);
        let near = |t: &&Value| get(t, &["podAffinityTerm"]).is_some_and(|term| is_near(attempt, term, host, hosts));
        terms.iter().filter(near).filter_map(|term| int_at(term, &["weight"])).sum()
    };
    weigh("podAffinity") - weigh("podAntiAffinity")
}

fn soft_taints(pod: &Value, host: &Host) -> i64 {
    let soft = |taint: &&Value| str_at(taint, &["effect"]) == "PreferNoSchedule" && !is_tolerated(pod, taint);
    let count = list_at(&host.node, &["spec", "taints"]).iter().filter(soft).count();
    -100 * i64::try_from(count).unwrap_or_default()
}

/// Constraints that are only wished for: full domains count against a node.
fn preferred_spread(pod: &Value, host: &Host, hosts: &[Host]) -> i64 {
    let all: Vec<&Value> = constraints(pod, "ScheduleAnyway").collect();
    let crowd = |constraint: &&Value| {
        let (_, found) = domains(pod, constraint, &all, hosts);
        let domain = meta::label(&host.node, str_at(constraint, &["topologyKey"]));
        domain.and_then(|domain| found.get(domain).copied()).unwrap_or_default()
    };
    -20 * all.iter().map(crowd).sum::<i64>()
}

/// Pods of one owner are spread over the nodes.
fn spread(pod: &Value, host: &Host) -> i64 {
    let owner = |pod: &Value| meta::controller_of(pod).map(|owner| str_at(owner, &["uid"]).to_owned());
    let Some(own) = owner(pod) else { return 0 };
    let siblings = host.pods.iter().filter(|other| owner(other).as_deref() == Some(own.as_str())).count();
    -20 * i64::try_from(siblings).unwrap_or_default()
}
