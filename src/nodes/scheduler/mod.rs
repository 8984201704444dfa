//! The scheduler: for every pod without a node, filter the nodes, rank those that fit, bind.

mod affinity;
mod filter;
mod rank;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use crate::controllers::pods::set_condition;
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, PatchType, Resource, Watch, World};
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

fn claims() -> Resource {
    Resource::new("", "v1", "persistentvolumeclaims")
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
            _ => Vec::new(),
        };
        let anything: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, _| waiting(cache);
        vec![
            Watch { resource: pods(), keys: of_pod },
            Watch { resource: nodes(), keys: anything },
            Watch { resource: claims(), keys: anything },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pods(), key).filter(|pod| is_waiting(pod)) else { return Vec::new() };
        match decide(world.cache, &pod) {
            Ok(node) => bind(&pod, &node),
            Err(reason) => refuse(world, &pod, &reason),
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

fn frees_room(change: &Change<'_>) -> bool {
    let holds =
        |pod: &&Value| !str_at(pod, &["spec", "nodeName"]).is_empty() && crate::controllers::pods::is_active(pod);
    change.old.is_some_and(|pod| holds(&pod)) && !change.new.is_some_and(|pod| holds(&pod))
}

fn waiting(cache: &Cache) -> Vec<Key> {
    cache.list(&pods(), None).iter().filter(|pod| is_waiting(pod)).map(|pod| Key::of(pod)).collect()
}

/// A node with the pods on it.
pub(super) struct Host {
    pub node: Arc<Value>,
    pub pods: Vec<Arc<Value>>,
}

fn hosts(cache: &Cache) -> Vec<Host> {
    let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for pod in cache.list(&pods(), None) {
        let node = str_at(&pod, &["spec", "nodeName"]);
        if !node.is_empty() && !matches!(str_at(&pod, &["status", "phase"]), "Succeeded" | "Failed") {
            by_node.entry(node.to_owned()).or_default().push(pod);
        }
    }
    let host = |node: Arc<Value>| Host { pods: by_node.remove(meta::name(&node)).unwrap_or_default(), node };
    cache.list(&nodes(), None).into_iter().map(host).collect()
}

/// The best node for a pod, or why there is none, in kube-scheduler's words.
fn decide(cache: &Cache, pod: &Value) -> Result<Arc<Value>, String> {
    let hosts = hosts(cache);
    if hosts.is_empty() {
        return Err("no nodes available to schedule pods".into());
    }
    if let Some(why) = missing_claim(cache, pod) {
        return Err(explain(hosts.len(), &BTreeMap::from([(why, 0)]), hosts.len(), 0));
    }
    let mut fitting = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut evictable = 0;
    for host in &hosts {
        let refusals = filter::refusals(pod, host, &hosts);
        if refusals.is_empty() {
            fitting.push(host);
        }
        evictable += usize::from(!refusals.is_empty() && refusals.iter().all(|refusal| refusal.eviction_may_help));
        for refusal in refusals {
            *reasons.entry(refusal.reason).or_default() += 1;
        }
    }
    match rank::best(pod, &fitting, &hosts) {
        Some(node) => Ok(node),
        None => Err(explain(hosts.len(), &reasons, hosts.len() - evictable, evictable)),
    }
}

/// Why a claim of the pod keeps it from every node.
fn missing_claim(cache: &Cache, pod: &Value) -> Option<String> {
    for volume in list_at(pod, &["spec", "volumes"]) {
        let name = str_at(volume, &["persistentVolumeClaim", "claimName"]);
        if name.is_empty() {
            continue;
        }
        let key = Key { namespace: meta::namespace(pod).to_owned(), name: name.to_owned() };
        let Some(claim) = cache.get(&claims(), &key) else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if str_at(&claim, &["status", "phase"]) == "Lost" {
            return Some(format!("persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume"));
        }
        if str_at(&claim, &["spec", "volumeName"]).is_empty() && !waits_for_pod(cache, &claim) {
            return Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    None
}

/// Whether the claim's class binds it only once a pod is there.
fn waits_for_pod(cache: &Cache, claim: &Value) -> bool {
    let class = Key::cluster(str_at(claim, &["spec", "storageClassName"]));
    let class = cache.get(&Resource::new("storage.k8s.io", "v1", "storageclasses"), &class);
    class.is_some_and(|class| str_at(&class, &["volumeBindingMode"]) == "WaitForFirstConsumer")
}

/// The message of a pod that fits nowhere: how many nodes refused for which reason, and whether eviction would help.
fn explain(total: usize, reasons: &BTreeMap<String, usize>, unhelpful: usize, evictable: usize) -> String {
    let mut parts: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| if *count == 0 { reason.clone() } else { format!("{count} {reason}") })
        .collect();
    parts.sort();
    let mut outlook: Vec<String> = Vec::new();
    if evictable > 0 {
        outlook.push(format!("{evictable} No preemption victims found for incoming pod"));
    }
    if unhelpful > 0 {
        outlook.push(format!("{unhelpful} Preemption is not helpful for scheduling"));
    }
    outlook.sort();
    format!(
        "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        parts.join(", "),
        outlook.join(", ")
    )
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

/// Says in the pod's condition and in an event why it has to wait.
fn refuse(world: &World<'_>, pod: &Value, reason: &str) -> Vec<Action> {
    let mut conditions = list_at(pod, &["status", "conditions"]).to_vec();
    let mut condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": reason, "lastProbeTime": null,
        "lastTransitionTime": world.now.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    if meta::generation(pod) != 0 {
        condition["observedGeneration"] = json!(meta::generation(pod));
    }
    let mut actions = Vec::new();
    if set_condition(&mut conditions, condition) {
        actions.push(Action::Patch {
            resource: pods(),
            namespace: meta::namespace(pod).to_owned(),
            name: meta::name(pod).to_owned(),
            subresource: Some("status"),
            patch_type: PatchType::Merge,
            patch: json!({"metadata": {"uid": meta::uid(pod)}, "status": {"conditions": conditions}}),
        });
        actions.push(Action::Event {
            regarding: pod.clone(),
            type_: "Warning",
            reason: "FailedScheduling",
            message: reason.to_owned(),
        });
    }
    actions.push(Action::RequeueAfter(RETRY));
    actions
}

#[cfg(test)]
mod tests;
