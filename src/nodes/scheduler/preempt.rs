//! Preemption: a pod that fits nowhere may take the place of less important ones.

use std::cmp::Reverse;
use std::sync::Arc;

use super::explain::{Verdict, explain};
use super::filter::refusals;
use super::view::{Attempt, Host, priority};
use crate::controllers::runtime::{Cache, Resource};
use crate::object::meta::{get, int_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// What came of looking for pods to evict.
pub(super) enum Preemption {
    /// Without these pods there is room on the node.
    Victims { node: String, pods: Vec<Arc<Value>> },
    /// Room is being made on the node that the pod was promised.
    UnderWay,
    /// Nothing helps, and why.
    Useless(String),
}

/// Looks for the node on which the fewest and least important pods have to go.
pub(super) fn preempt(cache: &Cache, attempt: &Attempt<'_>, hosts: &[Host], verdicts: &[Verdict]) -> Preemption {
    let pod = attempt.pod;
    if str_at(pod, &["spec", "preemptionPolicy"]) == "Never" {
        return Preemption::Useless("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    let promised = str_at(pod, &["status", "nominatedNodeName"]);
    let leaves = |other: &Arc<Value>| meta::deletion_timestamp(other).is_some() && priority(other) < priority(pod);
    if hosts.iter().any(|host| meta::name(&host.node) == promised && host.pods.iter().any(leaves)) {
        return Preemption::UnderWay;
    }
    let budgets = Budgets::of(cache);
    let mut reasons = Vec::new();
    let mut candidates = Vec::new();
    for (at, verdict) in verdicts.iter().enumerate() {
        let found = match verdict.iter().all(|refusal| refusal.eviction_may_help) && !verdict.is_empty() {
            true => victims(attempt, hosts, at, &budgets),
            false => Err(vec!["Preemption is not helpful for scheduling".to_owned()]),
        };
        match found {
            Ok(found) => candidates.push((at, found)),
            Err(why) => reasons.push(why),
        }
    }
    match candidates.into_iter().min_by_key(|(_, found)| found.cost()) {
        Some((at, found)) => {
            let node = hosts.get(at).map(|host| meta::name(&host.node).to_owned()).unwrap_or_default();
            Preemption::Victims { node, pods: found.pods }
        }
        None => Preemption::Useless(explain(hosts.len(), reasons.into_iter().flatten())),
    }
}

/// The pods of a node that have to go, the most important first.
struct Victims {
    pods: Vec<Arc<Value>>,
    /// How many of them a disruption budget protects.
    protected: usize,
}

fn started(pod: &Value) -> String {
    str_at(pod, &["status", "startTime"]).to_owned()
}

impl Victims {
    /// What counts against a node, the weightiest first: broken budgets, the most important victim, all of them, their
    /// number, how long the most important have run.
    fn cost(&self) -> (usize, i64, i64, usize, Reverse<String>) {
        let highest = self.pods.iter().map(|pod| priority(pod)).max().unwrap_or(i64::MIN);
        // Shifted, so that more pods of a negative priority do not make a node cheaper.
        let sum = self.pods.iter().map(|pod| priority(pod) + i64::from(i32::MAX) + 1).sum();
        let earliest = self.pods.iter().filter(|pod| priority(pod) == highest).map(|pod| started(pod)).min();
        (self.protected, highest, sum, self.pods.len(), Reverse(earliest.unwrap_or_default()))
    }
}

/// The fewest pods of a node that have to go; an error says why even all less important ones are not enough.
fn victims(attempt: &Attempt<'_>, hosts: &[Host], at: usize, budgets: &Budgets) -> Result<Victims, Vec<String>> {
    let lower = |other: &&Arc<Value>| priority(other) < priority(attempt.pod);
    let mut trial: Vec<Host> = hosts.to_vec();
    let Some(host) = trial.get_mut(at) else { return Err(Vec::new()) };
    let mut weaker: Vec<Arc<Value>> = host.pods.iter().filter(lower).cloned().collect();
    if weaker.is_empty() {
        return Err(vec!["No preemption victims found for incoming pod".to_owned()]);
    }
    host.pods.retain(|other| !lower(&other));
    let refused = refusals(attempt, &trial[at], &trial);
    if !refused.is_empty() {
        return Err(refused.into_iter().map(|refusal| refusal.reason).collect());
    }
    // The important ones are let back in first, those under the protection of a budget before all others.
    weaker.sort_by_key(|pod| (Reverse(priority(pod)), started(pod)));
    let (protected, others) = budgets.split(&weaker);
    let mut victims = Victims { pods: Vec::new(), protected: 0 };
    for (pod, is_protected) in
        protected.into_iter().map(|pod| (pod, true)).chain(others.into_iter().map(|pod| (pod, false)))
    {
        trial[at].pods.push(pod.clone());
        if refusals(attempt, &trial[at], &trial).is_empty() {
            continue;
        }
        trial[at].pods.pop();
        victims.protected += usize::from(is_protected);
        victims.pods.push(pod);
    }
    victims.pods.sort_by_key(|pod| (Reverse(priority(pod)), started(pod)));
    Ok(victims)
}

/// The disruption budgets of a namespace with what they still allow.
struct Budgets(Vec<(LabelSelector, i64, Arc<Value>)>);

impl Budgets {
    fn of(cache: &Cache) -> Self {
        let all = cache.list(&Resource::new("policy", "v1", "poddisruptionbudgets"), None);
        let row = |budget: Arc<Value>| {
            let selector = LabelSelector::from_struct(get(&budget, &["spec", "selector"])?).ok()?;
            Some((selector, int_at(&budget, &["status", "disruptionsAllowed"]).unwrap_or_default(), budget))
        };
        Self(all.into_iter().filter_map(row).collect())
    }

    /// The pods whose eviction would break a budget, and the others.
    fn split(&self, pods: &[Arc<Value>]) -> (Vec<Arc<Value>>, Vec<Arc<Value>>) {
        let mut allowed: Vec<i64> = self.0.iter().map(|(_, allowed, _)| *allowed).collect();
        pods.iter().cloned().partition(|pod| {
            let mut breaks = false;
            for ((selector, _, budget), allowed) in self.0.iter().zip(&mut allowed) {
                let evicting = meta::map_at(budget, &["status", "disruptedPods"])
                    .is_some_and(|pods| pods.contains_key(meta::name(pod)));
                let covers = meta::namespace(budget) == meta::namespace(pod)
                    && !is_unlabelled(pod)
                    && selector.matches_object(pod);
                if covers && !evicting {
                    *allowed -= 1;
                    breaks |= *allowed < 0;
                }
            }
            breaks
        })
    }
}

/// A pod without labels is covered by no budget.
fn is_unlabelled(pod: &Value) -> bool {
    meta::labels(pod).next().is_none()
}
