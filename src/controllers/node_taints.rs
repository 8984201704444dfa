//! What nodes are given: taints that say what their conditions say (not ready, under pressure, cordoned), an event when
//! they come, and the note how long kubelets may keep secrets (node life cycle and TTL controllers).

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;

use super::pods::condition;
use super::runtime::{Action, Controller, Key, Resource, Watch, World};
use crate::object::meta::{bool_at, list_at, str_at};
use crate::object::{Value, meta};

/// Condition, its status, the taint that stands for it, and its effect.
const TAINTS: [(&str, &str, &str, &str); 8] = [
    ("Ready", "False", "node.kubernetes.io/not-ready", NO_SCHEDULE),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable", NO_SCHEDULE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure", NO_SCHEDULE),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure", NO_SCHEDULE),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", NO_SCHEDULE),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure", NO_SCHEDULE),
    ("Ready", "False", "node.kubernetes.io/not-ready", "NoExecute"),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable", "NoExecute"),
];

/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const NO_SCHEDULE: &str = "NoSchedule";

/// The annotation with the seconds for which kubelets may keep what they read, and how it follows from the number of
/// nodes.
const TTL: &str = "node.alpha.kubernetes.io/ttl";
const TTL_STEPS: [(usize, &str); 4] = [(100, "0"), (500, "15"), (1000, "30"), (2000, "60")];

/// How old a node may be to be greeted as a new one.
const NEW: TimeDelta = TimeDelta::seconds(60);

/// The node taint controller.
#[derive(Default)]
pub struct NodeTaints;

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

impl Controller for NodeTaints {
    fn name(&self) -> &'static str {
        "node-lifecycle"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(nodes())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(node) = world.cache.get(&nodes(), key) else { return Vec::new() };
        let wanted = wanted(&node);
        let present = list_at(&node, &["spec", "taints"]);
        let is = |taint: &Value, key: &str, effect: &str| {
            str_at(taint, &["key"]) == key && str_at(taint, &["effect"]) == effect
        };
        let own = |taint: &Value| {
            let stands = TAINTS.iter().any(|(_, _, key, effect)| is(taint, key, effect));
            stands || is(taint, UNSCHEDULABLE, NO_SCHEDULE)
        };
        let kept = |taint: &&Value| !own(taint) || wanted.iter().any(|(key, effect)| is(taint, key, effect));
        let mut taints: Vec<Value> = present.iter().filter(kept).cloned().collect();
        let now = world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for (key, effect) in wanted {
            if !present.iter().any(|taint| is(taint, key, effect)) {
                taints.push(json!({"key": key, "effect": effect, "timeAdded": now}));
            }
        }
        let mut actions: Vec<Action> = greeting(world, &node).into_iter().collect();
        if taints == present {
            return actions;
        }
        let taints = if taints.is_empty() { Value::Null } else { Value::Array(taints) };
        // The resourceVersion keeps a taint that somebody sets meanwhile.
        let patch = json!({"metadata": {"uid": meta::uid(&node), "resourceVersion": meta::resource_version(&node)},
            "spec": {"taints": taints}});
        actions.push(Action::merge(&nodes(), &node, patch));
        actions
    }

    fn event_source(&self) -> &'static str {
        "node-controller"
    }
}

/// Tells once that a node has come.
fn greeting(world: &World<'_>, node: &Value) -> Option<Action> {
    let created = super::pods::time_at(node, &["metadata", "creationTimestamp"])?;
    let told = |event: &Value| {
        str_at(event, &["reason"]) == "RegisteredNode" && str_at(event, &["involvedObject", "uid"]) == meta::uid(node)
    };
    let events = world.cache.list(&Resource::new("", "v1", "events"), Some("default"));
    if world.now - created > NEW || events.iter().any(|event| told(event)) {
        return None;
    }
    let name = meta::name(node);
    let message = format!("Node {name} event: Registered Node {name} in Controller");
    Some(Action::Event { regarding: node.clone(), type_: "Normal", reason: "RegisteredNode", message })
}

/// The TTL controller.
#[derive(Default)]
pub struct NodeTtl;

impl Controller for NodeTtl {
    fn name(&self) -> &'static str {
        "ttl"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(nodes())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(node) = world.cache.get(&nodes(), key) else { return Vec::new() };
        let count = world.cache.list(&nodes(), None).len();
        let wanted = TTL_STEPS.iter().find(|(most, _)| count <= *most).map_or("300", |(_, ttl)| *ttl);
        if meta::annotation(&node, TTL) == Some(wanted) {
            return Vec::new();
        }
        let patch = json!({"metadata": {"uid": meta::uid(&node), "annotations": {TTL: wanted}}});
        vec![Action::merge(&nodes(), &node, patch)]
    }
}

fn wanted(node: &Value) -> Vec<(&'static str, &'static str)> {
    let stands = |type_: &str, status: &str| condition(node, type_).is_some_and(|c| str_at(c, &["status"]) == status);
    let of_conditions =
        TAINTS.iter().filter(|(type_, status, ..)| stands(type_, status)).map(|(_, _, key, effect)| (*key, *effect));
    let cordoned = bool_at(node, &["spec", "unschedulable"]).then_some((UNSCHEDULABLE, NO_SCHEDULE));
    of_conditions.chain(cordoned).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;
    use crate::controllers::runtime::Cache;

    fn taints_after(node: Value) -> Option<Value> {
        let cache = Cache::default();
        cache.put(&nodes(), Arc::new(node));
        let actions = NodeTaints.reconcile(&World { cache: &cache, now: Utc::now() }, &Key::cluster("a"));
        actions.into_iter().next().map(|action| match action {
            Action::Patch { patch, .. } => patch["spec"]["taints"].clone(),
            other => panic!("a patch: {other:?}"),
        })
    }

    fn node(ready: &str, taints: Value, unschedulable: bool) -> Value {
        json!({"metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"taints": taints, "unschedulable": unschedulable},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn taints_follow_conditions_and_others_stay() {
        let not_ready = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let own = json!({"key": "team", "value": "a", "effect": "NoExecute"});
        assert_eq!(taints_after(node("True", json!([not_ready, own]), false)), Some(json!([own])));
        assert_eq!(taints_after(node("True", json!([not_ready]), false)), Some(Value::Null));
        let evicting = taints_after(node("False", json!([not_ready]), false)).expect("a taint is added");
        assert_eq!((evicting[0].clone(), &evicting[1]["effect"]), (not_ready, &json!("NoExecute")));
        let cordoned = taints_after(node("True", json!([own]), true)).expect("a taint is added");
        assert_eq!(cordoned[1]["key"], UNSCHEDULABLE);
    }
}
