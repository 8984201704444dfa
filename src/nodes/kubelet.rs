//! The kubelet of all simulated nodes: what happens to a pod after it was bound.
//!
//! A pod's life is a table of [`Step`]s, tried in order: which pods it is for, how long after which moment it comes, and
//! what it does. Nothing is remembered between turns; all follows from the pod as it stands.

use std::collections::HashSet;
use std::time::Duration;

use chrono::SecondsFormat;
use ring::digest;
use serde_json::json;

use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

/// A moment in a pod's life with what happens then.
struct Step {
    /// Whether the pod is at this point.
    applies: fn(&Value) -> bool,
    /// How long it stays there, from when that was seen.
    delay: Duration,
    /// What happens.
    outcome: Outcome,
}

enum Outcome {
    /// The object goes away: its containers have stopped.
    Gone,
    /// Containers run, or wait for an image that is not there.
    Started,
    /// All containers have ended.
    Ended,
    /// Nothing more, ever.
    Rest,
}

/// The life of a pod, first match wins.
const LIFE: &[Step] = &[
    Step {
        applies: |pod| meta::deletion_timestamp(pod).is_some(),
        delay: Duration::from_millis(400),
        outcome: Outcome::Gone,
    },
    Step { applies: has_ended, delay: Duration::ZERO, outcome: Outcome::Rest },
    Step { applies: |pod| !is_observed(pod), delay: Duration::ZERO, outcome: Outcome::Started },
    Step {
        applies: |pod| is_of_job(pod) && phase(pod) == "Running" && !says(pod, "sleep 3600"),
        delay: Duration::from_millis(700),
        outcome: Outcome::Ended,
    },
];

fn pods() -> Resource {
    Resource::new("", "v1", "pods")
}

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

/// Plays the kubelets.
#[derive(Default)]
pub struct Kubelet;

impl Controller for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn component(&self) -> &'static str {
        "kubelet"
    }

    /// One, because pod addresses are picked from those that are free in the cache.
    fn workers(&self) -> usize {
        1
    }

    fn watches(&self) -> Vec<Watch> {
        let bound = |_: &Cache, change: &Change<'_>| -> Vec<Key> {
            change.new.filter(|pod| !node_name(pod).is_empty()).map(Key::of).into_iter().collect()
        };
        let of_node = |cache: &Cache, change: &Change<'_>| -> Vec<Key> {
            // Only a node that is new, or is back, has pods that waited for it.
            match (change.old, change.new) {
                (None, Some(node)) => on_node(cache, meta::name(node)).map(|pod| Key::of(&pod)).collect(),
                _ => Vec::new(),
            }
        };
        vec![Watch { resource: pods(), keys: bound }, Watch { resource: nodes(), keys: of_node }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pods(), key) else { return Vec::new() };
        let Some(node) = world.cache.get(&nodes(), &Key::cluster(node_name(&pod))) else { return Vec::new() };
        let Some(step) = LIFE.iter().find(|step| (step.applies)(&pod)) else { return Vec::new() };
        let due = world.cache.seen_since(&pods(), key).map(|since| since + step.delay);
        let left = due.and_then(|due| (due - world.now).to_std().ok()).filter(|left| !left.is_zero());
        if let Some(left) = left.filter(|_| !step.delay.is_zero()) {
            return vec![Action::RequeueAfter(left)];
        }
        match step.outcome {
            Outcome::Rest => Vec::new(),
            Outcome::Gone => vec![gone(&pod)],
            Outcome::Started => vec![report(&pod, started(&pod, &node, world))],
            Outcome::Ended => vec![report(&pod, ended(&pod, &node, world))],
        }
    }
}

fn node_name(pod: &Value) -> &str {
    str_at(pod, &["spec", "nodeName"])
}

fn phase(pod: &Value) -> &str {
    str_at(pod, &["status", "phase"])
}

fn has_ended(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

fn is_of_job(pod: &Value) -> bool {
    meta::controller_of(pod).is_some_and(|owner| meta::kind(owner) == "Job")
}

/// The fields of containers and of their statuses.
const ORDINARY: (&str, &str) = ("containers", "containerStatuses");
/// The same of containers that were added for debugging.
const EPHEMERAL: (&str, &str) = ("ephemeralContainers", "ephemeralContainerStatuses");

/// Whether the status speaks of the pod as it is now.
fn is_observed(pod: &Value) -> bool {
    let told_of = |(list, of): (&str, &str)| {
        let statuses = list_at(pod, &["status", of]);
        let containers = list_at(pod, &["spec", list]);
        statuses.len() == containers.len()
            && containers.iter().all(|c| {
                statuses
                    .iter()
                    .any(|s| meta::get(s, &["name"]) == get(c, &["name"]) && get(s, &["image"]) == get(c, &["image"]))
            })
    };
    meta::int_at(pod, &["status", "observedGeneration"]).unwrap_or_default() >= meta::generation(pod)
        && told_of(ORDINARY)
        && told_of(EPHEMERAL)
}

/// Whether the command or the arguments of a container contain `words`.
fn says(pod: &Value, words: &str) -> bool {
    let said = |container: &Value| {
        let parts = list_at(container, &["command"]).iter().chain(list_at(container, &["args"]));
        parts.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    list_at(pod, &["spec", "containers"]).iter().any(|container| said(container).contains(words))
}

fn on_node<'a>(cache: &Cache, node: &'a str) -> impl Iterator<Item = std::sync::Arc<Value>> + use<'a> {
    cache.list(&pods(), None).into_iter().filter(move |pod| node_name(pod) == node)
}

fn gone(pod: &Value) -> Action {
    Action::Delete {
        resource: pods(),
        namespace: meta::namespace(pod).to_owned(),
        name: meta::name(pod).to_owned(),
        options: json!({"gracePeriodSeconds": 0, "preconditions": {"uid": meta::uid(pod)}}),
    }
}

fn report(pod: &Value, status: Value) -> Action {
    Action::merge_status(&pods(), pod, status)
}

/// The image of a container that never starts.
fn is_missing(image: &str) -> bool {
    image.contains("nosuch")
}

/// The status once the containers have started, or cannot.
fn started(pod: &Value, node: &Value, world: &World<'_>) -> Value {
    let containers = list_at(pod, &["spec", "containers"]);
    let bad: Vec<&str> =
        containers.iter().filter(|c| is_missing(str_at(c, &["image"]))).map(|c| str_at(c, &["name"])).collect();
    let phase = if bad.len() == containers.len() { "Pending" } else { "Running" };
    let why = (!bad.is_empty()).then_some("ContainersNotReady");
    let message = (!bad.is_empty()).then(|| format!("containers with unready status: [{}]", bad.join(" ")));
    status(pod, node, world, &Phase { name: phase, exit: None, why, message })
}

/// The status once all containers have ended.
fn ended(pod: &Value, node: &Value, world: &World<'_>) -> Value {
    let exit = i64::from(says(pod, "exit 1"));
    let (name, why) = if exit == 0 { ("Succeeded", "PodCompleted") } else { ("Failed", "PodFailed") };
    status(pod, node, world, &Phase { name, exit: Some(exit), why: Some(why), message: None })
}

struct Phase {
    name: &'static str,
    /// The exit code of every container, once they have ended.
    exit: Option<i64>,
    /// Why the pod is not ready.
    why: Option<&'static str>,
    message: Option<String>,
}

fn status(pod: &Value, node: &Value, world: &World<'_>, phase: &Phase) -> Value {
    let now = world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let start = match str_at(pod, &["status", "startTime"]) {
        "" => now.clone(),
        start => start.to_owned(),
    };
    let host = host_address(node);
    let address = match str_at(pod, &["status", "podIP"]) {
        "" => pick_address(pod, node, world),
        address => address.to_owned(),
    };
    let mut status = json!({
        "phase": phase.name,
        "conditions": conditions(pod, phase, &now),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": start,
        "containerStatuses": container_statuses(pod, ORDINARY, phase, &start, &now),
    });
    let mut ephemeral = container_statuses(pod, EPHEMERAL, phase, &now, &now);
    if !ephemeral.is_empty() {
        for status in &mut ephemeral {
            // Nothing depends on them, so they are never ready.
            status["ready"] = json!(false);
            status["started"] = json!(false);
        }
        status["ephemeralContainerStatuses"] = Value::Array(ephemeral);
    }
    if meta::generation(pod) != 0 {
        status["observedGeneration"] = json!(meta::generation(pod));
    }
    let init = init_statuses(pod, phase, &start);
    if !init.is_empty() {
        status["initContainerStatuses"] = Value::Array(init);
    }
    status
}

/// The conditions of a pod in the kubelet's order, each transition time kept while the status stays.
fn conditions(pod: &Value, phase: &Phase, now: &str) -> Vec<Value> {
    let message = phase.message.as_deref();
    let ready = if phase.why.is_some() { "False" } else { "True" };
    let sandbox = if phase.exit.is_some() { "False" } else { "True" };
    let initialized = (phase.exit == Some(0)).then_some("PodCompleted");
    let rows = [
        ("PodReadyToStartContainers", sandbox, None, None),
        ("Initialized", "True", initialized, None),
        ("Ready", ready, phase.why, message),
        ("ContainersReady", ready, phase.why, message),
        ("PodScheduled", "True", None, None),
    ];
    rows.into_iter()
        .map(|(type_, status, reason, message)| condition(pod, type_, status, reason, message, now))
        .collect()
}

fn condition(pod: &Value, type_: &str, status: &str, reason: Option<&str>, message: Option<&str>, now: &str) -> Value {
    let before = list_at(pod, &["status", "conditions"]).iter().find(|c| str_at(c, &["type"]) == type_);
    let kept = before.filter(|c| str_at(c, &["status"]) == status).map(|c| str_at(c, &["lastTransitionTime"]));
    let mut condition = json!({
        "type": type_, "status": status, "lastProbeTime": null, "lastTransitionTime": kept.unwrap_or(now),
    });
    if let Some(reason) = reason {
        condition["reason"] = json!(reason);
    }
    if let Some(message) = message {
        condition["message"] = json!(message);
    }
    if meta::generation(pod) != 0 {
        condition["observedGeneration"] = json!(meta::generation(pod));
    }
    condition
}

/// The statuses of one list of containers; those that run keep the moment from which they do.
fn container_statuses(pod: &Value, fields: (&str, &str), phase: &Phase, start: &str, now: &str) -> Vec<Value> {
    let before = list_at(pod, &["status", fields.1]);
    let containers = list_at(pod, &["spec", fields.0]);
    let status = |container: &Value| {
        let old = before.iter().find(|s| get(s, &["name"]) == get(container, &["name"]));
        let since = match old.map(|old| str_at(old, &["state", "running", "startedAt"])) {
            Some(since) if fields == EPHEMERAL && !since.is_empty() => since,
            _ => start,
        };
        container_status(pod, container, old, phase, since, now)
    };
    containers.iter().map(status).collect()
}

fn container_status(
    pod: &Value,
    container: &Value,
    old: Option<&Value>,
    phase: &Phase,
    start: &str,
    now: &str,
) -> Value {
    let image = str_at(container, &["image"]);
    let mut restarts = old.and_then(|s| meta::int_at(s, &["restartCount"])).unwrap_or_default();
    let mut status = json!({
        "name": str_at(container, &["name"]), "image": image, "imageID": "", "lastState": {}, "ready": false, "started": false,
    });
    if is_missing(image) {
        let message = format!("Back-off pulling image \"{image}\"");
        status["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
        status["restartCount"] = json!(restarts);
        return status;
    }
    // A running container whose image was changed in place is restarted with the new one.
    if old.is_some_and(|s| !str_at(s, &["imageID"]).is_empty() && str_at(s, &["image"]) != image) {
        restarts += 1;
    }
    let id = container_id(pod, container, restarts);
    status["restartCount"] = json!(restarts);
    status["imageID"] = json!(image_id(image));
    status["containerID"] = json!(id);
    match phase.exit {
        None => {
            status["ready"] = json!(true);
            status["started"] = json!(true);
            status["state"] = json!({"running": {"startedAt": start}});
        }
        Some(code) => {
            let reason = if code == 0 { "Completed" } else { "Error" };
            status["state"] = json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": start,
                "finishedAt": now, "containerID": id}});
        }
    }
    if let Some(resources) = get(container, &["resources"]) {
        status["resources"] = resources.clone();
    }
    status
}

fn init_statuses(pod: &Value, phase: &Phase, start: &str) -> Vec<Value> {
    let status = |container: &Value| {
        let id = container_id(pod, container, 0);
        let runs = str_at(container, &["restartPolicy"]) == "Always" && phase.exit.is_none();
        let state = if runs {
            json!({"running": {"startedAt": start}})
        } else {
            json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": start, "finishedAt": start,
                "containerID": id}})
        };
        let image = str_at(container, &["image"]);
        json!({"name": str_at(container, &["name"]), "image": image, "imageID": image_id(image), "containerID": id,
            "restartCount": 0, "lastState": {}, "ready": true, "started": runs, "state": state})
    };
    list_at(pod, &["spec", "initContainers"]).iter().map(status).collect()
}

fn hex_sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn container_id(pod: &Value, container: &Value, restarts: i64) -> String {
    let seed = format!("{}/{}/{restarts}", meta::uid(pod), str_at(container, &["name"]));
    format!("containerd://{}", hex_sha256(&seed))
}

/// The digest form of an image: the registry and `library/` filled in as container runtimes do.
fn image_id(image: &str) -> String {
    let last_slash = image.rfind('/').map_or(0, |at| at + 1);
    let end = image[last_slash..].find([':', '@']).map_or(image.len(), |at| last_slash + at);
    let repository = &image[..end];
    let registry = repository.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
    let prefix = match (registry, repository.contains('/')) {
        (true, _) => "",
        (false, true) => "docker.io/",
        (false, false) => "docker.io/library/",
    };
    format!("{prefix}{repository}@sha256:{}", hex_sha256(image))
}

fn host_address(node: &Value) -> &str {
    list_at(node, &["status", "addresses"])
        .iter()
        .find(|a| str_at(a, &["type"]) == "InternalIP")
        .map(|a| str_at(a, &["address"]))
        .unwrap_or_default()
}

/// A free address in the node's part of the pod network (10.244.N.0/24), or the node's own for host networking.
fn pick_address(pod: &Value, node: &Value, world: &World<'_>) -> String {
    if meta::bool_at(pod, &["spec", "hostNetwork"]) {
        return host_address(node).to_owned();
    }
    let third = host_address(node).rsplit('.').next().and_then(|last| last.parse::<u8>().ok()).unwrap_or_default();
    let network = format!("10.244.{}", third.wrapping_sub(10));
    let others: HashSet<String> = on_node(world.cache, meta::name(node))
        .filter(|other| !has_ended(other))
        .map(|other| str_at(&other, &["status", "podIP"]).to_owned())
        .collect();
    let first = hex_sha256(meta::uid(pod)).bytes().map(u32::from).sum::<u32>();
    let candidates = (0..253u32).map(|step| format!("{network}.{}", 2 + (first + step) % 253));
    let mut candidates = candidates.peekable();
    let fallback = candidates.peek().cloned().unwrap_or_default();
    candidates.find(|address| !others.contains(address)).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{TimeDelta, Utc};

    use super::*;

    fn world_with(pod: Value) -> (Cache, Key) {
        let cache = Cache::default();
        let node = json!({"metadata": {"name": "node-1", "resourceVersion": "1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "172.20.0.11"}]}});
        cache.put(&nodes(), Arc::new(node));
        let key = Key::of(&pod);
        cache.put(&pods(), Arc::new(pod));
        (cache, key)
    }

    fn pod(image: &str) -> Value {
        json!({"metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "2"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": image}]}})
    }

    fn turn(pod: Value) -> Vec<Action> {
        turn_after(pod, 0)
    }

    fn turn_after(pod: Value, milliseconds: i64) -> Vec<Action> {
        let (cache, key) = world_with(pod);
        let now = Utc::now() + TimeDelta::milliseconds(milliseconds);
        Kubelet.reconcile(&World { cache: &cache, now }, &key)
    }

    fn patched_status(actions: &[Action]) -> Value {
        match actions {
            [Action::Patch { patch, .. }] => patch["status"].clone(),
            other => panic!("one patch of the status: {other:?}"),
        }
    }

    #[test]
    fn a_bound_pod_runs_and_is_left_alone_afterwards() {
        let mut pod = pod("nginx:1.27");
        let status = patched_status(&turn(pod.clone()));
        assert_eq!(status["phase"], "Running");
        assert_eq!(status["containerStatuses"][0]["ready"], true);
        assert!(status["podIP"].as_str().is_some_and(|ip| ip.starts_with("10.244.1.")));
        assert!(
            status["containerStatuses"][0]["imageID"]
                .as_str()
                .is_some_and(|id| id.starts_with("docker.io/library/nginx@"))
        );
        pod["status"] = status;
        assert_eq!(turn(pod), vec![]);
    }

    #[test]
    fn an_image_that_is_not_there_keeps_the_pod_pending() {
        let status = patched_status(&turn(pod("nosuch:1")));
        assert_eq!(status["phase"], "Pending");
        assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ImagePullBackOff");
        assert_eq!(status["conditions"][2]["message"], "containers with unready status: [main]");
    }

    #[test]
    fn pods_of_jobs_end() {
        let mut pod = pod("busybox");
        pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "controller": true, "uid": "j", "name": "j"}]);
        pod["spec"]["containers"][0]["command"] = json!(["sh", "-c", "exit 1"]);
        pod["status"] = patched_status(&turn(pod.clone()));
        assert!(matches!(turn(pod.clone())[..], [Action::RequeueAfter(_)]));
        let status = patched_status(&turn_after(pod, 1000));
        assert_eq!(status["phase"], "Failed");
        assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["exitCode"], 1);
    }

    #[test]
    fn a_deleted_pod_goes() {
        let mut pod = pod("nginx");
        pod["metadata"]["deletionTimestamp"] = json!("2020-01-01T00:00:00Z");
        assert!(matches!(turn(pod.clone())[..], [Action::RequeueAfter(_)]));
        assert!(matches!(turn_after(pod, 1000)[..], [Action::Delete { .. }]));
    }
}
