use chrono::Utc;

use super::*;

fn node(name: &str, taints: Value) -> Value {
    json!({"kind": "Node", "metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": {"taints": taints}})
}

fn set(strategy: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d", "namespace": "n", "uid": "D",
        "resourceVersion": "1", "generation": 1, "annotations": {GENERATION.0: "2"}},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "updateStrategy": strategy,
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}}})
}

fn pod(name: &str, node: &str, generation: &str, ready: &str) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "2",
        "labels": {"a": "b", GENERATION.1: generation},
        "ownerReferences": [{"kind": "DaemonSet", "name": "d", "uid": "D", "controller": true}]},
        "spec": {"nodeName": node}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
}

fn turn_of(set: Value, nodes_: &[Value], pods: &[Value]) -> Vec<Action> {
    let cache = Cache::default();
    cache.put(&daemon_sets(), Arc::new(set));
    nodes_.iter().for_each(|node| drop(cache.put(&nodes(), Arc::new(node.clone()))));
    pods.iter().for_each(|pod| drop(cache.put(&pod_resource(), Arc::new(pod.clone()))));
    let world = World { cache: &cache, now: Utc::now() };
    DaemonSets.reconcile(&world, &Key { namespace: "n".into(), name: "d".into() })
}

fn created(actions: &[Action]) -> Vec<&Value> {
    actions.iter().filter(|action| is_pod(action)).filter_map(Action::created).collect()
}

fn deleted(actions: &[Action]) -> Vec<&str> {
    let deleted = actions.iter().filter_map(|action| match action {
        Action::Delete { name, .. } => Some(name.as_str()),
        _ => None,
    });
    deleted.collect()
}

#[test]
fn nodes_that_fit_get_a_pod_that_goes_nowhere_else() {
    let closed = json!([{"key": "k", "effect": "NoSchedule"}]);
    let pressed = json!([{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]);
    let nodes = [node("closed", closed), node("pressed", pressed)];
    let actions = turn_of(set(json!({})), &nodes, &[]);
    assert_eq!(created(&actions).iter().map(|pod| target(pod)).collect::<Vec<_>>(), ["pressed"]);
    // A pod that is there already may stay on a node that takes no new ones.
    let actions = turn_of(set(json!({})), &nodes, &[pod("old", "closed", "2", "True")]);
    assert!(deleted(&actions).is_empty());
    let evicted = [node("closed", json!([{"key": "k", "effect": "NoExecute"}]))];
    assert_eq!(deleted(&turn_of(set(json!({})), &evicted, &[pod("old", "closed", "2", "True")])), ["old"]);
}

#[test]
fn old_pods_are_replaced_within_the_limit() {
    let nodes = ["a", "b", "c"].map(|name| node(name, json!([])));
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
    let pods = [pod("pa", "a", "1", "True"), pod("pb", "b", "1", "True"), pod("pc", "c", "2", "True")];
    assert_eq!(deleted(&turn_of(set(rolling.clone()), &nodes, &pods)), ["pa"]);
    let pods = [pod("pa", "a", "2", "False"), pod("pb", "b", "1", "True"), pod("pc", "c", "2", "True")];
    assert!(deleted(&turn_of(set(rolling), &nodes, &pods)).is_empty());
    assert!(deleted(&turn_of(set(json!({"type": "OnDelete"})), &nodes, &pods)).is_empty());
}

#[test]
fn a_surge_puts_the_new_pod_beside_the_old() {
    let nodes = ["a", "b"].map(|name| node(name, json!([])));
    let surging = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    let mut pods = vec![pod("pa", "a", "1", "True"), pod("pb", "b", "1", "True")];
    let actions = turn_of(set(surging.clone()), &nodes, &pods);
    assert_eq!((created(&actions).len(), deleted(&actions).len()), (1, 0));
    pods.push(pod("pc", "a", "2", "True"));
    assert_eq!(deleted(&turn_of(set(surging), &nodes, &pods)), ["pa"]);
}
