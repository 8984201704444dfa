use chrono::Utc;

use super::*;

fn node(name: &str, extra: Value) -> Value {
    let mut node = json!({"metadata": {"name": name, "resourceVersion": "1", "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}});
    if let (Some(node), Value::Object(extra)) = (node.as_object_mut(), extra) {
        node.extend(extra);
    }
    node
}

fn pod(spec: Value) -> Value {
    json!({"metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "2", "labels": {"app": "x"}}, "spec": spec})
}

fn decided(nodes_: Vec<Value>, running: Vec<Value>, pod: &Value) -> Result<String, String> {
    let cache = Cache::default();
    for node in nodes_ {
        cache.put(&nodes(), Arc::new(node));
    }
    for (number, (node, mut running)) in
        running.into_iter().map(|p| (str_at(&p, &["spec", "nodeName"]).to_owned(), p)).enumerate()
    {
        running["metadata"]["name"] = json!(format!("{node}-{number}"));
        cache.put(&pods(), Arc::new(running));
    }
    decide(&cache, pod).map(|node| meta::name(&node).to_owned())
}

const UNHELPFUL: &str =
    "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";

fn two() -> Vec<Value> {
    vec![node("a", json!({})), node("b", json!({}))]
}

#[test]
fn reasons_are_counted_in_schedulers_words() {
    let picky = pod(json!({"nodeSelector": {"disk": "ssd"}, "containers": [{}]}));
    let refused = decided(two(), vec![], &picky).unwrap_err();
    assert_eq!(
        refused,
        format!("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. {UNHELPFUL}")
    );
    let big = pod(json!({"containers": [{"resources": {"requests": {"cpu": "64"}}}]}));
    let refused = decided(two(), vec![], &big).unwrap_err();
    assert_eq!(refused, format!("0/2 nodes are available: 2 Insufficient cpu. {UNHELPFUL}"));
    assert_eq!(decided(vec![], vec![], &big).unwrap_err(), "no nodes available to schedule pods");
}

#[test]
fn tolerations_and_taints() {
    let tainted = || vec![node("a", json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}}))];
    assert!(decided(tainted(), vec![], &pod(json!({"containers": [{}]}))).is_err());
    let tolerant = pod(json!({"containers": [{}], "tolerations": [{"key": "k", "operator": "Exists"}]}));
    assert_eq!(decided(tainted(), vec![], &tolerant), Ok("a".into()));
}

#[test]
fn the_emptier_node_is_chosen() {
    let heavy = |node: &str| pod(json!({"nodeName": node, "containers": [{"resources": {"requests": {"cpu": "2"}}}]}));
    assert_eq!(decided(two(), vec![heavy("a")], &pod(json!({"containers": [{}]}))), Ok("b".into()));
}

#[test]
fn pods_that_want_distance_keep_it() {
    let anti = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}]}});
    let running = |node: &str| pod(json!({"nodeName": node, "containers": [{}]}));
    let lonely = pod(json!({"affinity": anti, "containers": [{}]}));
    assert_eq!(decided(two(), vec![running("a")], &lonely), Ok("b".into()));
    let refused = decided(two(), vec![running("a"), running("b")], &lonely).unwrap_err();
    assert!(
        refused.starts_with("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."),
        "{refused}"
    );
    assert!(refused.ends_with("2 No preemption victims found for incoming pod."), "{refused}");
}

#[test]
fn a_refusal_is_told_once() {
    let cache = Cache::default();
    let mut waiting = pod(json!({"containers": [{}]}));
    cache.put(&pods(), Arc::new(waiting.clone()));
    let key = Key { namespace: "n".into(), name: "p".into() };
    let actions = Scheduler.reconcile(&World { cache: &cache, now: Utc::now() }, &key);
    let [Action::Patch { patch, .. }, Action::Event { .. }, Action::RequeueAfter(_)] = &actions[..] else {
        panic!("condition, event, later: {actions:?}");
    };
    waiting["status"] = patch["status"].clone();
    waiting["metadata"]["resourceVersion"] = json!("3");
    cache.put(&pods(), Arc::new(waiting));
    let again = Scheduler.reconcile(&World { cache: &cache, now: Utc::now() }, &key);
    assert!(matches!(again[..], [Action::RequeueAfter(_)]));
}
