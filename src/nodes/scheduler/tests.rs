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
    match decide(&cache, pod) {
        Decision::Bind(node) => Ok(meta::name(&node).to_owned()),
        Decision::Refuse(refused) => Err(refused.message),
        other => panic!("bound or refused: {other:?}"),
    }
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

#[test]
fn pods_of_one_node_are_tried_on_no_other() {
    let field = json!({"key": "metadata.name", "operator": "In", "values": ["a"]});
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [{"matchFields": [field]}]}}});
    let nodes = vec![node("a", json!({"spec": {"unschedulable": true}})), node("b", json!({}))];
    let refused = decided(nodes, vec![], &pod(json!({"affinity": affinity, "containers": [{}]}))).unwrap_err();
    let expected = "0/2 nodes are available: 1 node(s) didn't satisfy plugin(s) [NodeAffinity], 1 node(s) were \
                    unschedulable.";
    assert!(refused.starts_with(expected), "{refused}");
}

/// A pod with a priority that asks for cpus.
fn asking(cpu: &str, priority: i64, node: &str) -> Value {
    let mut pod = pod(json!({"priority": priority, "containers": [{"resources": {"requests": {"cpu": cpu}}}]}));
    if !node.is_empty() {
        pod["spec"]["nodeName"] = json!(node);
    }
    pod
}

fn refused(running: Vec<Value>, pod: &Value) -> Refused {
    let cache = Cache::default();
    for node in two() {
        cache.put(&nodes(), Arc::new(node));
    }
    for (number, mut running) in running.into_iter().enumerate() {
        running["metadata"]["name"] = json!(format!("r{number}"));
        running["metadata"]["uid"] = json!(format!("R{number}"));
        cache.put(&pods(), Arc::new(running));
    }
    match decide(&cache, pod) {
        Decision::Refuse(refused) => refused,
        other => panic!("refused: {other:?}"),
    }
}

#[test]
fn the_least_important_pods_make_room() {
    let running = || vec![asking("3", 5, "a"), asking("2", 1, "b"), asking("1500m", 0, "b")];
    let found = refused(running(), &asking("2", 10, ""));
    let names: Vec<&str> = found.victims.iter().map(|pod| meta::name(pod)).collect();
    assert_eq!((found.promised.as_str(), names), ("b", vec!["r2"]), "the one of priority 0 is enough");
    assert_eq!(found.message, "0/2 nodes are available: 2 Insufficient cpu.");
    let found = refused(running(), &asking("2", 0, ""));
    assert!(found.victims.is_empty());
    assert!(found.message.ends_with("2 No preemption victims found for incoming pod."), "{}", found.message);
    let mut meek = asking("2", 10, "");
    meek["spec"]["preemptionPolicy"] = json!("Never");
    let found = refused(running(), &meek);
    assert!(found.message.ends_with("preemption: not eligible due to preemptionPolicy=Never."), "{}", found.message);
}

#[test]
fn claims_that_wait_for_the_pod_get_a_volume_near_it() {
    let cache = Cache::default();
    let labelled = |name: &str| node(name, json!({}));
    for name in ["a", "b"] {
        cache.put(&nodes(), Arc::new(labelled(name)));
    }
    let class = json!({"metadata": {"name": "local", "resourceVersion": "3"}, "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer"});
    cache.put(&Resource::new("storage.k8s.io", "v1", "storageclasses"), Arc::new(class));
    let claim = json!({"metadata": {"name": "c", "namespace": "n", "uid": "C", "resourceVersion": "4"},
        "spec": {"storageClassName": "local", "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}});
    cache.put(&Resource::new("", "v1", "persistentvolumeclaims"), Arc::new(claim));
    let wanting = pod(json!({"containers": [{}], "volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]}));
    let Decision::Refuse(without) = decide(&cache, &wanting) else { panic!("there is no volume") };
    let expected = "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    assert!(without.message.starts_with(expected), "{}", without.message);
    let terms = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}]);
    let volume = json!({"metadata": {"name": "v", "uid": "V", "resourceVersion": "5"},
        "spec": {"storageClassName": "local", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}});
    cache.put(&Resource::new("", "v1", "persistentvolumes"), Arc::new(volume));
    let Decision::Prepare(actions) = decide(&cache, &wanting) else { panic!("the claim is bound first") };
    assert!(matches!(&actions[..], [Action::Patch { name, .. }] if name == "v"));
}

#[test]
fn room_is_free_once_a_pod_is_gone() {
    let mut leaving = pod(json!({"nodeName": "a", "containers": [{}]}));
    leaving["metadata"]["deletionTimestamp"] = json!("2020-01-01T00:00:00Z");
    let mut running = leaving.clone();
    meta::remove(&mut running, &["metadata", "deletionTimestamp"]);
    assert!(!frees_room(&Change { old: Some(&running), new: Some(&leaving) }));
    assert!(frees_room(&Change { old: Some(&leaving), new: None }));
}
