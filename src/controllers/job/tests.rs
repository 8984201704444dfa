use super::*;

fn job(spec: Value, status: Value) -> Value {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n", "uid": "J",
        "resourceVersion": "1"}, "spec": {"parallelism": 1, "backoffLimit": 6,
        "selector": {"matchLabels": {"job": "j"}}, "template": {"metadata": {"labels": {"job": "j"}}, "spec": {
            "containers": [{"name": "c"}]}}}, "status": status});
    if let Value::Object(spec) = spec {
        job["spec"].as_object_mut().expect("spec").extend(spec);
    }
    job
}

fn pod(name: &str, phase: &str, exit: i64, tracked: bool) -> Value {
    let finalizers = if tracked { json!([TRACKING]) } else { json!([]) };
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": name,
        "resourceVersion": "2", "labels": {"job": "j"}, "finalizers": finalizers,
        "ownerReferences": [{"kind": "Job", "name": "j", "uid": "J", "controller": true}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "c",
            "state": {"terminated": {"exitCode": exit, "finishedAt": "2020-01-01T00:00:00Z"}}}]}})
}

fn turn(job: Value, pods: &[Value]) -> Vec<Action> {
    let cache = Cache::default();
    cache.put(&jobs(), Arc::new(job));
    for pod in pods {
        cache.put(&pod_resource(), Arc::new(pod.clone()));
    }
    let world = World { cache: &cache, now: Utc::now() };
    Jobs.reconcile(&world, &Key { namespace: "n".into(), name: "j".into() })
}

fn status(actions: &[Action]) -> &Value {
    let status = actions.iter().find_map(|action| match action {
        Action::Update { object, subresource: Some("status"), .. } => object.get("status"),
        _ => None,
    });
    status.expect("a status")
}

fn created(actions: &[Action]) -> Vec<&Value> {
    actions.iter().filter_map(Action::created).collect()
}

#[test]
fn a_success_is_noted_then_counted() {
    let actions = turn(job(json!({"completions": 2}), json!({})), &[pod("a", "Succeeded", 0, true)]);
    assert_eq!(status(&actions)["uncountedTerminatedPods"], json!({"succeeded": ["a"]}));
    assert!(status(&actions).get("succeeded").is_none());
    assert_eq!(created(&actions).len(), 1);
    let noted = json!({"uncountedTerminatedPods": {"succeeded": ["a"]}});
    let actions = turn(job(json!({"completions": 1}), noted), &[pod("a", "Succeeded", 0, false)]);
    assert_eq!(status(&actions)["succeeded"], 1);
    let conditions: Vec<&str> =
        list_at(status(&actions), &["conditions"]).iter().map(|c| str_at(c, &["type"])).collect();
    assert_eq!(conditions, ["SuccessCriteriaMet", "Complete"]);
    assert!(matches!(actions.last(), Some(Action::Event { reason: "Completed", .. })));
}

#[test]
fn too_many_failures_end_the_job_and_its_pods() {
    let mut running = pod("b", "Running", 0, true);
    running["status"]["containerStatuses"] = json!([]);
    let spec = json!({"backoffLimit": 0, "parallelism": 2});
    let actions = turn(job(spec, json!({})), &[pod("a", "Failed", 1, true), running]);
    assert!(actions.iter().any(|action| matches!(action, Action::Delete { name, .. } if name == "b")));
    let status = status(&actions);
    assert_eq!(status["uncountedTerminatedPods"], json!({"failed": ["a", "b"]}));
    assert_eq!(
        (&status["conditions"][0]["type"], list_at(status, &["conditions"]).len()),
        (&json!("FailureTarget"), 1)
    );
}

#[test]
fn failures_wait_before_the_next_pod() {
    let mut failed = pod("a", "Failed", 1, false);
    failed["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = json!(stamp(Utc::now()));
    let actions = turn(job(json!({}), json!({})), &[failed]);
    assert!(created(&actions).is_empty());
    assert!(actions.iter().any(|action| matches!(action, Action::RequeueAfter(wait) if wait.as_secs() >= 8)));
}

#[test]
fn indexes_are_filled_up_from_the_lowest() {
    let mut first = pod("a", "Succeeded", 0, true);
    first["metadata"]["annotations"] = json!({manage::INDEX: "1"});
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2});
    let actions = turn(job(spec, json!({})), &[first]);
    let names: Vec<&str> = created(&actions).iter().map(|pod| str_at(pod, &["spec", "hostname"])).collect();
    assert_eq!(names, ["j-0", "j-2"]);
    assert_eq!((&status(&actions)["completedIndexes"], &status(&actions)["succeeded"]), (&json!("1"), &json!(1)));
    assert_eq!(created(&actions)[0]["spec"]["containers"][0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
}

#[test]
fn policies_decide_over_failures() {
    let rule = |action: &str| {
        json!({"podFailurePolicy": {"rules": [
            {"action": action, "onExitCodes": {"operator": "In", "values": [42]}}]}})
    };
    let failed = [pod("a", "Failed", 42, true)];
    let actions = turn(job(rule("FailJob"), json!({})), &failed);
    assert_eq!(
        status(&actions)["conditions"][0]["message"],
        "Container c for pod n/a failed with exit code 42 matching FailJob rule at index 0"
    );
    let actions = turn(job(rule("Ignore"), json!({})), &failed);
    assert_eq!(status(&actions)["uncountedTerminatedPods"], json!({}));
    let spec = json!({"completionMode": "Indexed", "completions": 3,
        "successPolicy": {"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]}});
    let actions = turn(job(spec, json!({"completedIndexes": "2"})), &[]);
    assert_eq!(status(&actions)["conditions"][0]["message"], "Matched rules at index 0");
}

#[test]
fn a_suspended_job_has_no_pods() {
    let mut running = pod("a", "Running", 0, true);
    running["status"]["containerStatuses"] = json!([]);
    let actions = turn(job(json!({"suspend": true}), json!({"startTime": "2020-01-01T00:00:00Z"})), &[running]);
    // The finalizer goes first: a pod that is suspended has not failed.
    assert!(matches!(&actions[..2], [Action::Patch { .. }, Action::Delete { .. }]));
    assert_eq!(status(&actions).get("startTime"), None);
    assert_eq!(status(&actions)["conditions"][0]["type"], "Suspended");
}
