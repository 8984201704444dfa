use chrono::Utc;
use serde_json::json;

use super::*;

fn set(replicas: i64, policy: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "n", "uid": "S",
        "resourceVersion": "1", "generation": 1}, "spec": {"replicas": replicas, "serviceName": "svc",
        "podManagementPolicy": policy, "selector": {"matchLabels": {"a": "b"}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}}})
}

fn pod(ordinal: i64, revision: &str, ready: &str) -> Value {
    let name = format!("db-{ordinal}");
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "2",
        "labels": {"a": "b", "controller-revision-hash": revision, "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": ordinal.to_string()},
        "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "S", "controller": true}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
}

/// The pods and claims that a turn makes and the pods that it deletes.
fn effects(actions: &[Action]) -> (Vec<String>, Vec<String>) {
    let (mut made, mut gone) = (Vec::new(), Vec::new());
    for action in actions {
        match action {
            Action::CreateAndTell { object, .. } => made.push(meta::name(object).to_owned()),
            Action::Delete { name, .. } => gone.push(name.clone()),
            _ => {}
        }
    }
    (made, gone)
}

fn turn_of(set: Value, pods: &[Value]) -> Vec<Action> {
    let cache = Cache::default();
    cache.put(&stateful_sets(), Arc::new(set));
    pods.iter().for_each(|pod| drop(cache.put(&pod_resource(), Arc::new(pod.clone()))));
    let world = World { cache: &cache, now: Utc::now() };
    StatefulSets.reconcile(&world, &Key { namespace: "n".into(), name: "db".into() })
}

/// The name of the revision of the present template.
fn revision(set: &Value) -> String {
    let actions = turn_of(set.clone(), &[]);
    let created = actions.iter().find_map(|action| match action {
        Action::Create { object, resource } if *resource == revisions() => Some(meta::name(object).to_owned()),
        _ => None,
    });
    created.expect("a revision")
}

#[test]
fn pods_come_one_after_another_unless_they_may_come_at_once() {
    let (made, _) = effects(&turn_of(set(3, "OrderedReady"), &[]));
    assert_eq!(made, ["data-db-0", "db-0"]);
    let now = revision(&set(3, "OrderedReady"));
    let (made, _) = effects(&turn_of(set(3, "OrderedReady"), &[pod(0, &now, "False")]));
    assert!(made.is_empty(), "a pod that is not ready holds the others up: {made:?}");
    let (made, _) = effects(&turn_of(set(2, "Parallel"), &[]));
    assert_eq!(made, ["data-db-0", "db-0", "data-db-1", "db-1"]);
}

#[test]
fn surplus_pods_go_from_the_highest() {
    let now = revision(&set(1, "OrderedReady"));
    let pods = [pod(0, &now, "True"), pod(1, &now, "True"), pod(2, &now, "True")];
    assert_eq!(effects(&turn_of(set(1, "OrderedReady"), &pods)).1, ["db-2"]);
    assert_eq!(effects(&turn_of(set(1, "Parallel"), &pods)).1, ["db-2", "db-1"]);
}

#[test]
fn updates_go_from_the_highest_down_to_the_partition() {
    let pods = [pod(0, "old", "True"), pod(1, "old", "True"), pod(2, "old", "True")];
    assert_eq!(effects(&turn_of(set(3, "OrderedReady"), &pods)).1, ["db-2"]);
    let now = revision(&set(3, "OrderedReady"));
    let pods = [pod(0, "old", "True"), pod(1, "old", "True"), pod(2, &now, "True")];
    let mut partitioned = set(3, "OrderedReady");
    assert_eq!(effects(&turn_of(partitioned.clone(), &pods)).1, ["db-1"]);
    partitioned["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(2);
    assert!(effects(&turn_of(partitioned.clone(), &pods)).1.is_empty());
    partitioned["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    assert!(effects(&turn_of(partitioned, &pods)).1.is_empty());
}

#[test]
fn claims_go_with_pods_that_are_scaled_away_when_asked_to() {
    let mut set = set(0, "OrderedReady");
    set["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenScaled": "Delete", "whenDeleted": "Retain"});
    let cache = Cache::default();
    let claims = Resource::new("", "v1", "persistentvolumeclaims");
    let claim = json!({"metadata": {"name": "data-db-0", "namespace": "n", "uid": "C", "resourceVersion": "3"}});
    cache.put(&claims, Arc::new(claim));
    cache.put(&stateful_sets(), Arc::new(set));
    cache.put(&pod_resource(), Arc::new(pod(0, "x", "True")));
    let world = World { cache: &cache, now: Utc::now() };
    let actions = StatefulSets.reconcile(&world, &Key { namespace: "n".into(), name: "db".into() });
    let owned = actions.iter().find_map(|action| match action {
        Action::Patch { resource, patch, .. } if *resource == claims => {
            Some(patch["metadata"]["ownerReferences"][0].clone())
        }
        _ => None,
    });
    assert_eq!(owned.expect("a patch of the claim")["uid"], "db-0");
}
