//! Taints that say what a node's conditions say: not ready, under pressure, cordoned (the node life cycle controller's
//! taint manager).

use chrono::SecondsFormat;
use serde_json::json;

use super::pods::condition;
use super::runtime::{Action, Controller, Key, PatchType, Resource, Watch, World};
use crate::object::meta::{bool_at, list_at, str_at};
use crate::object::{Value, meta};

/// Condition, its status, and the taint that stands for it.
const TAINTS: [(&str, &str, &str); 6] = [
    ("Ready", "False", "node.kubernetes.io/not-ready"),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable"),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const EFFECT: &str = "NoSchedule";

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
        let is = |taint: &Value, key: &str| str_at(taint, &["key"]) == key && str_at(taint, &["effect"]) == EFFECT;
        let own = |taint: &Value| is(taint, UNSCHEDULABLE) || TAINTS.iter().any(|(_, _, key)| is(taint, key));
        let kept = |taint: &&Value| !own(taint) || wanted.iter().any(|key| is(taint, key));
        let mut taints: Vec<Value> = present.iter().filter(kept).cloned().collect();
        let now = world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for key in wanted {
            if !present.iter().any(|taint| is(taint, key)) {
                taints.push(json!({"key": key, "effect": EFFECT, "timeAdded": now}));
            }
        }
        if taints == present {
            return Vec::new();
        }
        let taints = if taints.is_empty() { Value::Null } else { Value::Array(taints) };
        vec![Action::Patch {
            resource: nodes(),
            namespace: String::new(),
            name: key.name.clone(),
            subresource: None,
            patch_type: PatchType::Merge,
            // The resourceVersion keeps a taint that somebody sets meanwhile.
            patch: json!({"metadata": {"uid": meta::uid(&node), "resourceVersion": meta::resource_version(&node)},
                "spec": {"taints": taints}}),
        }]
    }
}

fn wanted(node: &Value) -> Vec<&'static str> {
    let stands = |type_: &str, status: &str| condition(node, type_).is_some_and(|c| str_at(c, &["status"]) == status);
    let of_conditions = TAINTS.iter().filter(|(type_, status, _)| stands(type_, status)).map(|(_, _, key)| *key);
    of_conditions.chain(bool_at(node, &["spec", "unschedulable"]).then_some(UNSCHEDULABLE)).collect()
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
        assert_eq!(taints_after(node("False", json!([not_ready]), false)), None);
        let cordoned = taints_after(node("True", json!([own]), true)).expect("a taint is added");
        assert_eq!(cordoned[1]["key"], UNSCHEDULABLE);
    }
}
