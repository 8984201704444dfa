//! Daemon sets: one pod on every node that fits.

mod rollout;
mod status;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::history::{HASH_LABEL, History};
use super::placement::{is_tolerated, node_matches};
use super::pods;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::kinds::go_dump;
use crate::object::meta::{bool_at, get, int_at, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The annotation of a daemon set, and the label of its pods, that count the changes of the template.
const GENERATION: (&str, &str) = ("deprecated.daemonset.template.generation", "pod-template-generation");

/// At most so many pods are made or deleted in one turn.
const BURST: usize = 250;

/// What every daemon pod puts up with: key and effect.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The daemon set controller.
#[derive(Default)]
pub struct DaemonSets;

fn daemon_sets() -> Resource {
    Resource::new("apps", "v1", "daemonsets")
}

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

fn selector(set: &Value) -> Option<LabelSelector> {
    LabelSelector::from_struct(get(set, &["spec", "selector"])?).ok()
}

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonset"
    }

    fn event_source(&self) -> &'static str {
        "daemonset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_pod: fn(&Cache, &Change<'_>) -> Vec<Key> =
            |cache, change| pods::touched(cache, change, &daemon_sets(), "DaemonSet", selector);
        let of_revision: fn(&Cache, &Change<'_>) -> Vec<Key> =
            |cache, change| pods::touched(cache, change, &daemon_sets(), "DaemonSet", selector);
        vec![
            Watch::own(daemon_sets()),
            Watch { resource: pod_resource(), keys: of_pod },
            Watch { resource: super::history::revisions(), keys: of_revision },
            Watch { resource: nodes(), keys: of_node },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(set) = world.cache.get(&daemon_sets(), key) else { return Vec::new() };
        let Some(selector) = selector(&set).filter(|s| !s.is_everything()) else { return Vec::new() };
        if meta::deletion_timestamp(&set).is_some() {
            return Vec::new();
        }
        turn(world, &set, &selector)
    }

    fn goes_on_after_failed_creates(&self) -> bool {
        true
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        let set = world.cache.get(&daemon_sets(), key).filter(|_| is_pod(failed));
        set.map(|set| pods::creation_failed(&set, error)).into_iter().collect()
    }
}

/// Whether the action makes a pod.
fn is_pod(action: &Action) -> bool {
    action.created().is_some_and(|object| meta::kind(object) == "Pod")
}

/// Every daemon set, after a change of what decides where pods may be.
fn of_node(cache: &Cache, change: &Change<'_>) -> Vec<Key> {
    let side =
        |node: &Value| json!([node["metadata"]["labels"], node["spec"]["taints"], node["spec"]["unschedulable"]]);
    match (change.old, change.new) {
        (Some(old), Some(new)) if side(old) == side(new) => Vec::new(),
        _ => cache.list(&daemon_sets(), None).iter().map(|set| Key::of(set)).collect(),
    }
}

fn turn(world: &World<'_>, set: &Value, selector: &LabelSelector) -> Vec<Action> {
    let (history, mut actions) = History::of(world, set, selector);
    let claim = pods::claim(world, set, selector);
    actions.extend(claim.changes);
    let template = get(set, &["spec", "template"]).cloned().unwrap_or_default();
    let collisions = int_at(set, &["status", "collisionCount"]);
    let hash = go_dump::pod_template_hash(&template, collisions.and_then(|count| i32::try_from(count).ok()));
    let present = history.present(world, set, &hash, HASH_LABEL);
    if present.collides {
        let mut collided = set.clone();
        meta::set(&mut collided, &["status", "collisionCount"], collisions.unwrap_or_default() + 1);
        actions.push(Action::update_status(&daemon_sets(), collided));
        return actions;
    }
    actions.extend(present.changes);
    let hash = meta::label(&present.revision, HASH_LABEL).unwrap_or(&hash).to_owned();
    let daemons = Daemons::of(world, set, &claim.owned, hash);
    let managed = daemons.manage();
    let rolling = str_at(set, &["spec", "updateStrategy", "type"]) != "OnDelete";
    if managed.is_empty() && rolling {
        actions.extend(daemons.roll());
    }
    actions.extend(managed);
    let mut live: HashSet<String> = claim
        .owned
        .iter()
        .filter_map(|pod| meta::label(pod, HASH_LABEL))
        .map(|hash| format!("{}-{hash}", meta::name(set)))
        .collect();
    live.insert(meta::name(&present.revision).to_owned());
    actions.extend(history.clean_up(set, &live));
    actions.extend(daemons.report());
    actions
}

/// The pods of a daemon set by node.
struct Daemons<'a> {
    world: &'a World<'a>,
    set: &'a Value,
    /// The revision of the present template.
    hash: String,
    nodes: Vec<Arc<Value>>,
    /// By node, whether or not it exists: the oldest bound pod first.
    by_node: BTreeMap<String, Vec<Arc<Value>>>,
}

/// The node that a pod is on, or is meant for.
fn target(pod: &Value) -> &str {
    let bound = str_at(pod, &["spec", "nodeName"]);
    if !bound.is_empty() {
        return bound;
    }
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = get(pod, &path).map(|required| list_at(required, &["nodeSelectorTerms"])).unwrap_or_default();
    let mut fields = terms.iter().flat_map(|term| list_at(term, &["matchFields"]));
    let field = fields.find(|field| str_at(field, &["key"]) == "metadata.name");
    field.and_then(|field| list_at(field, &["values"]).first()).and_then(Value::as_str).unwrap_or_default()
}

impl<'a> Daemons<'a> {
    fn of(world: &'a World<'a>, set: &'a Value, owned: &[Arc<Value>], hash: String) -> Self {
        let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        let ended =
            |pod: &Value| matches!(pods::phase(pod), "Succeeded" | "Failed") && meta::deletion_timestamp(pod).is_some();
        for pod in owned.iter().filter(|pod| !ended(pod)) {
            by_node.entry(target(pod).to_owned()).or_default().push(pod.clone());
        }
        let age = |pod: &Value| {
            let unbound = str_at(pod, &["spec", "nodeName"]).is_empty();
            (unbound, str_at(pod, &["metadata", "creationTimestamp"]).to_owned(), meta::name(pod).to_owned())
        };
        by_node.values_mut().for_each(|pods| pods.sort_by_cached_key(|pod| age(pod)));
        Self { world, set, hash, nodes: world.cache.list(&nodes(), None), by_node }
    }

    fn on(&self, node: &str) -> &[Arc<Value>] {
        self.by_node.get(node).map_or(&[], Vec::as_slice)
    }

    fn allows_surge(&self) -> bool {
        self.limits().0 > 0
    }

    /// Makes the pods that nodes lack, and deletes those that should not be.
    fn manage(&self) -> Vec<Action> {
        let mut lacking = Vec::new();
        let mut doomed: Vec<Arc<Value>> = Vec::new();
        let mut events = Vec::new();
        for node in &self.nodes {
            let place = place(self.set, node);
            let pods = self.on(meta::name(node));
            if pods.is_empty() {
                lacking.extend(place.runs.then(|| meta::name(node).to_owned()));
            } else if place.stays {
                doomed.extend(self.surplus(pods, &mut events));
            } else {
                doomed.extend(pods.iter().filter(|pod| meta::deletion_timestamp(pod).is_none()).cloned());
            }
        }
        // Pods that wait for a node that is gone would wait for ever.
        let known: HashSet<&str> = self.nodes.iter().map(|node| meta::name(node)).collect();
        let lost = self.by_node.iter().filter(|(node, _)| !known.contains(node.as_str())).flat_map(|(_, pods)| pods);
        let waiting = |pod: &&Arc<Value>| {
            str_at(pod, &["spec", "nodeName"]).is_empty() && meta::deletion_timestamp(pod).is_none()
        };
        doomed.extend(lost.filter(waiting).cloned());
        events.extend(self.make(&lacking));
        events.extend(self.delete(&doomed));
        events
    }

    /// The pods of a node that have ended or are too many.
    fn surplus(&self, pods: &[Arc<Value>], events: &mut Vec<Action>) -> Vec<Arc<Value>> {
        let mut doomed = Vec::new();
        let mut running = Vec::new();
        for pod in pods.iter().filter(|pod| meta::deletion_timestamp(pod).is_none()) {
            let (type_, reason, state, verb) = match pods::phase(pod) {
                "Failed" => ("Warning", "FailedDaemonPod", "failed", "kill"),
                "Succeeded" => ("Normal", "SucceededDaemonPod", "succeeded", "delete"),
                _ => {
                    running.push(pod.clone());
                    continue;
                }
            };
            let (namespace, name, node) = (meta::namespace(pod), meta::name(pod), target(pod));
            let message = format!("Found {state} daemon pod {namespace}/{name} on node {node}, will try to {verb} it");
            events.push(Action::Event { regarding: self.set.clone(), type_, reason, message });
            doomed.push(pod.clone());
        }
        let kept = match self.allows_surge() {
            false => running.first().map(|pod| vec![meta::uid(pod).to_owned()]).unwrap_or_default(),
            true => self.kept_with_surge(&running),
        };
        doomed.extend(running.into_iter().filter(|pod| !kept.iter().any(|uid| uid == meta::uid(pod))));
        doomed
    }

    /// While surging, an old pod may stay beside a new one until that one is available.
    fn kept_with_surge(&self, running: &[Arc<Value>]) -> Vec<String> {
        let uid = |pod: &Arc<Value>| meta::uid(pod).to_owned();
        let new = running.iter().find(|pod| self.is_updated(pod));
        let old = running.iter().find(|pod| !self.is_updated(pod));
        match (old, new) {
            (Some(old), Some(new)) if pods::is_ready(old) && !self.is_available(new) => vec![uid(old), uid(new)],
            (_, Some(new)) => vec![uid(new)],
            (Some(old), None) => vec![uid(old)],
            (None, None) => Vec::new(),
        }
    }

    fn is_updated(&self, pod: &Value) -> bool {
        let generation = meta::annotation(self.set, GENERATION.0);
        meta::label(pod, HASH_LABEL) == Some(&self.hash)
            || generation.is_some() && meta::label(pod, GENERATION.1) == generation
    }

    fn is_available(&self, pod: &Value) -> bool {
        let min_ready = int_at(self.set, &["spec", "minReadySeconds"]).unwrap_or_default();
        pods::is_available(pod, min_ready, self.world.now)
    }

    fn make(&self, nodes: &[String]) -> Vec<Action> {
        let template = get(self.set, &["spec", "template"]).cloned().unwrap_or_default();
        let nanos = self.world.now.timestamp_nanos_opt().unwrap_or_default();
        nodes
            .iter()
            .take(BURST)
            .map(|node| {
                let seed = format!("{}/{nanos}/{node}", meta::uid(self.set));
                let mut pod = pods::from_template(&template, self.set, &seed);
                self.fit_out(&mut pod);
                pin(&mut pod, node);
                Action::create_pod(self.set, pod)
            })
            .collect()
    }

    fn delete(&self, pods: &[Arc<Value>]) -> Vec<Action> {
        let delete = |pod: &Arc<Value>| {
            let message = format!("Deleted pod: {}", meta::name(pod));
            [Action::delete(&pod_resource(), pod), self.event("SuccessfulDelete", message)]
        };
        pods.iter().take(BURST).flat_map(delete).collect()
    }

    fn event(&self, reason: &'static str, message: String) -> Action {
        Action::Event { regarding: self.set.clone(), type_: "Normal", reason, message }
    }

    /// The labels and tolerations of daemon pods.
    fn fit_out(&self, pod: &mut Value) {
        if let Some(generation) = meta::annotation(self.set, GENERATION.0) {
            meta::set(pod, &["metadata", "labels", GENERATION.1], generation);
        }
        meta::set(pod, &["metadata", "labels", HASH_LABEL], self.hash.clone());
        tolerate(pod);
    }
}

/// Adds the tolerations of daemon pods to a pod's own.
fn tolerate(pod: &mut Value) {
    let mut tolerations = list_at(pod, &["spec", "tolerations"]).to_vec();
    let network =
        bool_at(pod, &["spec", "hostNetwork"]).then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    for (key, effect) in TOLERATED.into_iter().chain(network) {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    pod["spec"]["tolerations"] = Value::Array(tolerations);
}

/// Makes a pod go to one node and no other.
fn pin(pod: &mut Value, node: &str) {
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let term = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]});
    meta::set(pod, &path, json!({"nodeSelectorTerms": [term]}));
}

/// What a node means for a daemon set.
struct Place {
    /// Whether a pod has to be there.
    runs: bool,
    /// Whether a pod that is there may stay.
    stays: bool,
}

fn place(set: &Value, node: &Value) -> Place {
    let mut pod = json!({"spec": set["spec"]["template"]["spec"]});
    tolerate(&mut pod);
    let named = str_at(&pod, &["spec", "nodeName"]);
    if !(named.is_empty() || named == meta::name(node)) || !node_matches(&pod, node) {
        return Place { runs: false, stays: false };
    }
    let refuses = |effects: &[&str]| {
        let mut taints = list_at(node, &["spec", "taints"]).iter();
        taints.any(|taint| effects.contains(&str_at(taint, &["effect"])) && !is_tolerated(&pod, taint))
    };
    Place { runs: !refuses(&["NoSchedule", "NoExecute"]), stays: !refuses(&["NoExecute"]) }
}
