//! Pods that cannot stay: on nodes with a `NoExecute` taint that they do not put up with, and on nodes that are gone.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::placement::tolerates;
use super::pods::{self, set_condition};
use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{Value, meta};

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

fn node_of(pod: &Value) -> &str {
    str_at(pod, &["spec", "nodeName"])
}

fn bound(_: &Cache, change: &Change<'_>) -> Vec<Key> {
    change.new.filter(|pod| !node_of(pod).is_empty()).map(Key::of).into_iter().collect()
}

fn on_node(cache: &Cache, node: &Value) -> Vec<Key> {
    let all = cache.list(&pod_resource(), None);
    all.iter().filter(|pod| node_of(pod) == meta::name(node)).map(|pod| Key::of(pod)).collect()
}

/// The condition that tells why a pod was taken away.
fn disrupted(pod: &Value, now: DateTime<Utc>, reason: &str, message: &str) -> Vec<Value> {
    let mut conditions = list_at(pod, &["status", "conditions"]).to_vec();
    let mut condition = json!({"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": now.to_rfc3339_opts(SecondsFormat::Secs, true)});
    if meta::generation(pod) != 0 {
        condition["observedGeneration"] = json!(meta::generation(pod));
    }
    set_condition(&mut conditions, condition);
    conditions
}

/// Evicts pods from nodes with `NoExecute` taints, when their tolerations have run out.
#[derive(Default)]
pub struct TaintEviction;

impl Controller for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    fn event_source(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_node: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| {
            let taints = |node: Option<&Value>| node.map(|node| no_execute(node).cloned().collect::<Vec<_>>());
            match change.new {
                Some(node) if taints(change.old) != taints(change.new) => on_node(cache, node),
                _ => Vec::new(),
            }
        };
        vec![Watch { resource: pod_resource(), keys: bound }, Watch { resource: nodes(), keys: of_node }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pod_resource(), key) else { return Vec::new() };
        let Some(node) = world.cache.get(&nodes(), &Key::cluster(node_of(&pod))) else { return Vec::new() };
        if meta::deletion_timestamp(&pod).is_some() {
            return Vec::new();
        }
        let Some(at) = eviction_time(&pod, &node, world.now) else { return Vec::new() };
        if let Some(left) = (at - world.now).to_std().ok().filter(|left| !left.is_zero()) {
            return vec![Action::RequeueAfter(left)];
        }
        let message = format!("Marking for deletion Pod {}/{}", meta::namespace(&pod), meta::name(&pod));
        let why = "Taint manager: deleting due to NoExecute taint";
        let conditions = disrupted(&pod, world.now, "DeletionByTaintManager", why);
        vec![
            Action::Event { regarding: pod.as_ref().clone(), type_: "Normal", reason: "TaintManagerEviction", message },
            Action::merge_status(&pod_resource(), &pod, json!({"conditions": conditions})),
            Action::delete(&pod_resource(), &pod),
        ]
    }
}

fn no_execute(node: &Value) -> impl Iterator<Item = &Value> {
    list_at(node, &["spec", "taints"]).iter().filter(|taint| str_at(taint, &["effect"]) == "NoExecute")
}

/// When a pod has to leave its node; `None` when it may stay.
fn eviction_time(pod: &Value, node: &Value, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let tolerations = list_at(pod, &["spec", "tolerations"]);
    let mut first: Option<DateTime<Utc>> = None;
    for taint in no_execute(node) {
        let matching: Vec<&Value> = tolerations.iter().filter(|t| tolerates(t, taint)).collect();
        if matching.is_empty() {
            return Some(now);
        }
        let seconds = matching.iter().filter_map(|t| int_at(t, &["tolerationSeconds"])).min();
        let Some(seconds) = seconds else { continue };
        let at = tainted_since(node, taint).unwrap_or(now) + TimeDelta::seconds(seconds.max(0));
        first = Some(first.map_or(at, |first| first.min(at)));
    }
    first
}

/// Since when a taint is there: as it says itself, else the last time that anybody wrote the node's taints.
fn tainted_since(node: &Value, taint: &Value) -> Option<DateTime<Utc>> {
    let written = || {
        let entries = list_at(node, &["metadata", "managedFields"]).iter();
        let taints = entries.filter(|entry| get(entry, &["fieldsV1", "f:spec", "f:taints"]).is_some());
        taints.filter_map(|entry| pods::time_at(entry, &["time"])).max()
    };
    pods::time_at(taint, &["timeAdded"]).or_else(written)
}

/// How long a pod may be on a node that nobody knows: the node may still be on its way.
const UNKNOWN_NODE: TimeDelta = TimeDelta::seconds(40);

/// Removes pods whose node is gone, for no kubelet will.
#[derive(Default)]
pub struct PodGarbage;

impl Controller for PodGarbage {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_node: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| match (change.old, change.new) {
            (Some(node), None) => on_node(cache, node),
            _ => Vec::new(),
        };
        vec![Watch { resource: pod_resource(), keys: bound }, Watch { resource: nodes(), keys: of_node }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pod_resource(), key) else { return Vec::new() };
        let known = world.cache.get(&nodes(), &Key::cluster(node_of(&pod))).is_some();
        if known || node_of(&pod).is_empty() {
            return Vec::new();
        }
        let scheduled = pods::condition(&pod, "PodScheduled").and_then(|c| pods::time_at(c, &["lastTransitionTime"]));
        let since = scheduled.max(pods::time_at(&pod, &["metadata", "creationTimestamp"]));
        let left = since.and_then(|since| (since + UNKNOWN_NODE - world.now).to_std().ok());
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return vec![Action::RequeueAfter(left + Duration::from_millis(10))];
        }
        let mut actions = Vec::new();
        if !matches!(pods::phase(&pod), "Succeeded" | "Failed") {
            let conditions = disrupted(&pod, world.now, "DeletionByPodGC", "PodGC: node no longer exists");
            actions.push(Action::merge_status(
                &pod_resource(),
                &pod,
                json!({"phase": "Failed", "conditions": conditions}),
            ));
        }
        actions.push(Action::Delete {
            resource: pod_resource(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            options: json!({"gracePeriodSeconds": 0, "preconditions": {"uid": meta::uid(&pod)}}),
        });
        actions
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pod(tolerations: Value) -> Value {
        json!({"metadata": {"name": "p", "namespace": "n", "uid": "P", "resourceVersion": "1",
            "creationTimestamp": "2020-01-01T00:00:00Z"},
            "spec": {"nodeName": "a", "tolerations": tolerations}, "status": {"phase": "Running"}})
    }

    fn turn(controller: &dyn Controller, pod: Value, node: Option<Value>) -> Vec<Action> {
        let cache = Cache::default();
        cache.put(&pod_resource(), Arc::new(pod));
        node.into_iter().for_each(|node| drop(cache.put(&nodes(), Arc::new(node))));
        let world = World { cache: &cache, now: Utc::now() };
        controller.reconcile(&world, &Key { namespace: "n".into(), name: "p".into() })
    }

    #[test]
    fn tolerations_hold_for_their_time() {
        let since =
            |seconds: i64| (Utc::now() - TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let node = |seconds: i64| {
            json!({"metadata": {"name": "a", "uid": "N", "resourceVersion": "2"},
                "spec": {"taints": [{"key": "k", "effect": "NoExecute", "timeAdded": since(seconds)}]}})
        };
        let evicted = |actions: &[Action]| matches!(actions, [.., Action::Delete { .. }]);
        let for_a_minute = json!([{"key": "k", "operator": "Exists", "tolerationSeconds": 60}]);
        assert!(evicted(&turn(&TaintEviction, pod(json!([])), Some(node(0)))));
        assert!(evicted(&turn(&TaintEviction, pod(for_a_minute.clone()), Some(node(61)))));
        assert!(matches!(turn(&TaintEviction, pod(for_a_minute), Some(node(10)))[..], [Action::RequeueAfter(_)]));
        let for_ever = json!([{"key": "k", "operator": "Exists"}]);
        assert!(turn(&TaintEviction, pod(for_ever), Some(node(999))).is_empty());
    }

    #[test]
    fn pods_of_nodes_that_are_gone_go_too() {
        let node = json!({"metadata": {"name": "a", "uid": "N", "resourceVersion": "2"}});
        assert!(turn(&PodGarbage, pod(json!([])), Some(node)).is_empty());
        let actions = turn(&PodGarbage, pod(json!([])), None);
        assert!(matches!(&actions[..], [Action::Patch { .. }, Action::Delete { options, .. }]
            if options["gracePeriodSeconds"] == 0));
    }
}
