//! The scheduler: for every pod without a node, filter the nodes, rank those that fit, bind.

mod affinity;
mod explain;
mod filter;
mod preempt;
mod rank;
mod resources;
mod spread;
mod view;
mod volumes;

use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use self::explain::{Verdict, explain, hopeless, outlook};
use self::preempt::{Preemption, preempt};
use self::view::{Attempt, hosts, priority};
use crate::controllers::pods::set_condition;
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{list_at, str_at};
use crate::object::{Value, meta};

/// The scheduler that pods get when they name none.
const NAME: &str = "default-scheduler";

/// How soon a pod that fits nowhere is looked at again, should no event tell that something changed.
const RETRY: Duration = Duration::from_secs(60);

fn pods() -> Resource {
    Resource::new("", "v1", "pods")
}

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

/// The scheduler.
#[derive(Default)]
pub struct Scheduler;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn component(&self) -> &'static str {
        "kube-scheduler"
    }

    fn event_source(&self) -> &'static str {
        NAME
    }

    fn event_action(&self, reason: &str) -> Option<&'static str> {
        Some(match reason {
            "Scheduled" => "Binding",
            "Preempted" => "Preempting",
            _ => "Scheduling",
        })
    }

    /// One: each decision counts the pods that the former ones placed.
    fn workers(&self) -> usize {
        1
    }

    fn watches(&self) -> Vec<Watch> {
        // A pod that ends, moves or goes frees room for those that wait; so does a change of nodes and volumes.
        let of_pod: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| match change.new {
            Some(pod) if is_waiting(pod) => vec![Key::of(pod)],
            _ if frees_room(change) => waiting(cache),
            _ if is_new_company(change) => seeking_company(cache),
            _ => Vec::new(),
        };
        let anything: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, _| waiting(cache);
        vec![
            Watch { resource: pods(), keys: of_pod },
            Watch { resource: nodes(), keys: anything },
            Watch { resource: Resource::new("", "v1", "persistentvolumeclaims"), keys: anything },
            Watch { resource: Resource::new("", "v1", "persistentvolumes"), keys: anything },
            Watch { resource: Resource::new("storage.k8s.io", "v1", "storageclasses"), keys: anything },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pods(), key).filter(|pod| is_waiting(pod)) else { return Vec::new() };
        match decide(world.cache, &pod) {
            Decision::Bind(node) => bind(&pod, &node),
            Decision::Prepare(actions) => actions,
            Decision::Wait => vec![Action::RequeueAfter(RETRY)],
            Decision::Refuse(refusal) => refuse(world, &pod, &refusal),
        }
    }
}

/// Whether this scheduler has to find a node for the pod.
fn is_waiting(pod: &Value) -> bool {
    let scheduler = str_at(pod, &["spec", "schedulerName"]);
    str_at(pod, &["spec", "nodeName"]).is_empty()
        && meta::deletion_timestamp(pod).is_none()
        && !matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed")
        && (scheduler.is_empty() || scheduler == NAME)
        && list_at(pod, &["spec", "schedulingGates"]).is_empty()
}

/// Whether a pod has left its node: one that is being deleted still takes its room.
fn frees_room(change: &Change<'_>) -> bool {
    let holds = |pod: &Value| {
        !str_at(pod, &["spec", "nodeName"]).is_empty()
            && !matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed")
    };
    change.old.is_some_and(holds) && !change.new.is_some_and(holds)
}

/// Whether a pod has come to a node, or has got other labels there.
fn is_new_company(change: &Change<'_>) -> bool {
    let side = |pod: &Value| (str_at(pod, &["spec", "nodeName"]).to_owned(), pod["metadata"]["labels"].clone());
    let there = |pod: &&Value| !str_at(pod, &["spec", "nodeName"]).is_empty();
    change.new.filter(there).is_some_and(|new| change.old.map(side) != Some(side(new)))
}

/// The pods without a node that want to be near others.
fn seeking_company(cache: &Cache) -> Vec<Key> {
    let seeks = |pod: &Value| !affinity::pod_terms(pod, "podAffinity").is_empty();
    let mut waiting = cache.list(&pods(), None);
    waiting.retain(|pod| is_waiting(pod) && seeks(pod));
    waiting.iter().map(|pod| Key::of(pod)).collect()
}

/// The pods without a node, the most important first.
fn waiting(cache: &Cache) -> Vec<Key> {
    let mut waiting = cache.list(&pods(), None);
    waiting.retain(|pod| is_waiting(pod));
    waiting.sort_by_cached_key(|pod| {
        (std::cmp::Reverse(priority(pod)), str_at(pod, &["metadata", "creationTimestamp"]).to_owned())
    });
    waiting.iter().map(|pod| Key::of(pod)).collect()
}

/// What is to be done with a pod.
#[derive(Debug, PartialEq)]
enum Decision {
    Bind(Arc<Value>),
    /// Its claims get volumes first.
    Prepare(Vec<Action>),
    /// Room is being made for it.
    Wait,
    Refuse(Refused),
}

/// Why a pod fits nowhere, and who goes so that it will.
#[derive(Debug, Default, PartialEq)]
struct Refused {
    message: String,
    victims: Vec<Arc<Value>>,
    /// The node on which room is made.
    promised: String,
}

/// The best node for a pod, or why there is none, in kube-scheduler's words.
fn decide(cache: &Cache, pod: &Value) -> Decision {
    let refused = |message: String| Decision::Refuse(Refused { message, ..Refused::default() });
    let hosts = hosts(cache, pod);
    if hosts.is_empty() {
        return refused("no nodes available to schedule pods".into());
    }
    let total = hosts.len();
    let attempt = match Attempt::of(cache, pod) {
        Ok(attempt) => attempt,
        Err(why) => return refused(format!("0/{total} nodes are available: {why}. {}", hopeless(total))),
    };
    let verdicts: Vec<Verdict> = hosts.iter().map(|host| filter::refusals(&attempt, host, &hosts)).collect();
    let fitting: Vec<&view::Host> =
        hosts.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_empty()).map(|(host, _)| host).collect();
    if let Some(node) = rank::best(&attempt, &fitting, &hosts) {
        return match attempt.volumes.are_bound() {
            true => Decision::Bind(node),
            false => attempt.volumes.bind(&node).map_or(Decision::Wait, Decision::Prepare),
        };
    }
    let preemption = preempt(cache, &attempt, &hosts, &verdicts);
    let message = explain(total, verdicts.into_iter().flatten().map(|refusal| refusal.reason));
    match preemption {
        Preemption::Victims { node, pods } => Decision::Refuse(Refused { message, victims: pods, promised: node }),
        Preemption::UnderWay => Decision::Wait,
        Preemption::Useless(why) => refused(format!("{message} {}", outlook(&why))),
    }
}

fn bind(pod: &Value, node: &Value) -> Vec<Action> {
    let (namespace, name, node) = (meta::namespace(pod), meta::name(pod), meta::name(node));
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": meta::uid(pod)},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    vec![
        Action::Post {
            resource: pods(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: "binding",
            object: binding,
        },
        Action::Event {
            regarding: pod.clone(),
            type_: "Normal",
            reason: "Scheduled",
            message: format!("Successfully assigned {namespace}/{name} to {node}"),
        },
    ]
}

/// Says in the pod's condition and in an event why it has to wait; evicts whom it may replace.
fn refuse(world: &World<'_>, pod: &Value, refused: &Refused) -> Vec<Action> {
    let mut actions: Vec<Action> =
        refused.victims.iter().flat_map(|victim| evict(world, pod, victim, &refused.promised)).collect();
    let mut conditions = list_at(pod, &["status", "conditions"]).to_vec();
    let condition = condition(world, pod, "PodScheduled", "False", "Unschedulable", &refused.message);
    let news = set_condition(&mut conditions, condition);
    let promise = str_at(pod, &["status", "nominatedNodeName"]) != refused.promised;
    if news || promise {
        let mut status = json!({"conditions": conditions});
        if promise {
            let promised = Some(refused.promised.as_str()).filter(|node| !node.is_empty());
            status["nominatedNodeName"] = json!(promised);
        }
        actions.push(Action::merge_status(&pods(), pod, status));
    }
    if news {
        actions.push(Action::Event {
            regarding: pod.clone(),
            type_: "Warning",
            reason: "FailedScheduling",
            message: refused.message.clone(),
        });
    }
    actions.push(Action::RequeueAfter(RETRY));
    actions
}

fn condition(world: &World<'_>, pod: &Value, type_: &str, status: &str, reason: &str, message: &str) -> Value {
    let mut condition = json!({
        "type": type_, "status": status, "reason": reason, "message": message, "lastProbeTime": null,
        "lastTransitionTime": world.now.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    if meta::generation(pod) != 0 {
        condition["observedGeneration"] = json!(meta::generation(pod));
    }
    condition
}

/// Takes a less important pod off its node, telling it why.
fn evict(world: &World<'_>, pod: &Value, victim: &Value, node: &str) -> [Action; 3] {
    let message = format!("{NAME}: preempting to accommodate a higher priority pod");
    let mut conditions = list_at(victim, &["status", "conditions"]).to_vec();
    set_condition(
        &mut conditions,
        condition(world, victim, "DisruptionTarget", "True", "PreemptionByScheduler", &message),
    );
    [
        Action::merge_status(&pods(), victim, json!({"conditions": conditions})),
        Action::delete(&pods(), victim),
        Action::Event {
            regarding: victim.clone(),
            type_: "Normal",
            reason: "Preempted",
            message: format!("Preempted by pod {} on node {node}", meta::uid(pod)),
        },
    ]
}

#[cfg(test)]
mod tests;
