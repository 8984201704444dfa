//! ReplicaSets and ReplicationControllers: as many pods as asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::pods;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, int_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Map, Value, meta};

/// At most so many pods are made or deleted in one turn (kube-controller-manager's burst).
const BURST: usize = 500;

/// The controller of one of the two kinds, which differ in their selector's form only.
pub struct ReplicaSets {
    name: &'static str,
    component: &'static str,
    resource: Resource,
    kind: &'static str,
    selector: fn(&Value) -> Option<LabelSelector>,
}

impl ReplicaSets {
    /// The controller of apps/v1 ReplicaSets.
    pub fn of_replica_sets() -> Self {
        Self {
            name: "replicaset",
            component: "replicaset-controller",
            resource: Resource::new("apps", "v1", "replicasets"),
            kind: "ReplicaSet",
            selector: |set| LabelSelector::from_struct(get(set, &["spec", "selector"])?).ok(),
        }
    }

    /// The controller of v1 ReplicationControllers.
    pub fn of_replication_controllers() -> Self {
        Self {
            name: "replicationcontroller",
            component: "replication-controller",
            resource: Resource::new("", "v1", "replicationcontrollers"),
            kind: "ReplicationController",
            selector: |set| Some(LabelSelector::from_set(meta::map_at(set, &["spec", "selector"])?)),
        }
    }
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

/// The pods of a set, sorted by what they are to it.
struct Claimed {
    /// Those that count.
    active: Vec<Arc<Value>>,
    terminating: usize,
    /// Pods without a controller that match: they are taken over.
    adopt: Vec<Arc<Value>>,
    /// Owned pods that match no more: they are let go.
    release: Vec<Arc<Value>>,
}

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        self.name
    }

    fn event_source(&self) -> &'static str {
        self.component
    }

    fn watches(&self) -> Vec<Watch> {
        let matching: fn(&Cache, &Change<'_>) -> Vec<Key> = match self.kind {
            "ReplicaSet" => |cache, change| ReplicaSets::of_replica_sets().touched(cache, change),
            _ => |cache, change| ReplicaSets::of_replication_controllers().touched(cache, change),
        };
        vec![Watch::own(self.resource.clone()), Watch { resource: pod_resource(), keys: matching }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(set) = world.cache.get(&self.resource, key) else { return Vec::new() };
        let Some(selector) = (self.selector)(&set) else { return Vec::new() };
        let claimed = claim(world, &set, &selector);
        let mut actions = Vec::new();
        if meta::deletion_timestamp(&set).is_none() {
            actions.extend(claimed.adopt.iter().map(|pod| pods::adopt(&pod_resource(), pod, &set)));
            actions.extend(claimed.release.iter().map(|pod| pods::release(&pod_resource(), pod, &set)));
            let mut pods = claimed.active.clone();
            pods.extend(claimed.adopt.iter().filter(|pod| pods::is_active(pod)).cloned());
            actions.extend(self.resize(world, &set, &pods));
        }
        actions.extend(self.report(world, &set, &claimed));
        actions
    }

    fn goes_on_after_failed_creates(&self) -> bool {
        true
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        let Some(set) = world.cache.get(&self.resource, key).filter(|_| failed.is_create()) else {
            return Vec::new();
        };
        let message = error.to_string();
        let event = pods::creation_failed(&set, error);
        let mut failing = set.as_ref().clone();
        let condition = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message,
            "lastTransitionTime": world.now.to_rfc3339_opts(SecondsFormat::Secs, true)});
        let Value::Array(conditions) =
            meta::map_mut(&mut failing, &["status"]).entry("conditions").or_insert_with(|| json!([]))
        else {
            return vec![event];
        };
        let mut actions = vec![event];
        // The first failure stands until the number is right.
        if !conditions.iter().any(|known| known["type"] == condition["type"]) {
            conditions.push(condition);
            actions.push(Action::update_status(&self.resource, failing));
        }
        actions
    }
}

fn claim(world: &World<'_>, set: &Value, selector: &LabelSelector) -> Claimed {
    let mut claimed = Claimed { active: Vec::new(), terminating: 0, adopt: Vec::new(), release: Vec::new() };
    for pod in world.cache.list(&pod_resource(), Some(meta::namespace(set))) {
        let owner = meta::controller_of(&pod).map(|owner| str_at(owner, &["uid"]).to_owned());
        let matches = !selector.is_everything() && selector.matches_object(&pod);
        match owner.as_deref() {
            Some(uid) if uid != meta::uid(set) => {}
            Some(_) if matches && pods::is_active(&pod) => claimed.active.push(pod),
            Some(_) if matches => claimed.terminating += usize::from(pods::is_terminating(&pod)),
            Some(_) if meta::deletion_timestamp(&pod).is_none() => claimed.release.push(pod),
            None if matches && pods::is_active(&pod) => claimed.adopt.push(pod),
            _ => {}
        }
    }
    claimed
}

fn desired(set: &Value) -> usize {
    usize::try_from(int_at(set, &["spec", "replicas"]).unwrap_or(1)).unwrap_or_default()
}

impl ReplicaSets {
    /// The sets whose pods a change of a pod concerns.
    fn touched(&self, cache: &Cache, change: &Change<'_>) -> Vec<Key> {
        pods::touched(cache, change, &self.resource, self.kind, self.selector)
    }

    /// Makes or deletes pods until their number is right.
    fn resize(&self, world: &World<'_>, set: &Value, active: &[Arc<Value>]) -> Vec<Action> {
        let wanted = desired(set);
        if active.len() < wanted {
            return make(world, set, (wanted - active.len()).min(BURST));
        }
        let surplus = (active.len() - wanted).min(BURST);
        cheapest(world, set, active, surplus)
            .into_iter()
            .flat_map(|pod| {
                let message = format!("Deleted pod: {}", meta::name(&pod));
                [Action::delete(&pod_resource(), &pod), event(set, "SuccessfulDelete", message)]
            })
            .collect()
    }

    /// Writes the status when it differs, and comes back when a pod will count as available.
    fn report(&self, world: &World<'_>, set: &Value, claimed: &Claimed) -> Vec<Action> {
        let status = self.status(set, claimed, world.now);
        let mut actions = Vec::new();
        if get(set, &["status"]) != Some(&status) {
            let mut reported = set.clone();
            reported["status"] = status;
            actions.push(Action::update_status(&self.resource, reported));
        }
        let min_ready = int_at(set, &["spec", "minReadySeconds"]).unwrap_or_default();
        let waits = claimed.active.iter().filter(|pod| pods::is_ready(pod));
        let soonest =
            waits.map(|pod| pods::seconds_until_available(pod, min_ready, world.now)).filter(|s| *s > 0).min();
        actions.extend(soonest.map(|seconds| Action::RequeueAfter(Duration::from_secs(seconds))));
        actions
    }

    fn status(&self, set: &Value, claimed: &Claimed, now: DateTime<Utc>) -> Value {
        let labels: Vec<(&str, &str)> =
            meta::texts(meta::map_at(set, &["spec", "template", "metadata", "labels"])).collect();
        let min_ready = int_at(set, &["spec", "minReadySeconds"]).unwrap_or_default();
        let count = |test: &dyn Fn(&Value) -> bool| claimed.active.iter().filter(|pod| test(pod)).count();
        let labelled = count(&|pod| labels.iter().all(|(key, value)| meta::label(pod, key) == Some(value)));
        let ready = count(&pods::is_ready);
        let available = count(&|pod| pods::is_available(pod, min_ready, now));
        let mut status = Map::new();
        status.insert("replicas".into(), json!(claimed.active.len()));
        let optional = [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)];
        status.extend(optional.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_owned(), json!(n))));
        if self.kind == "ReplicaSet" {
            status.insert("terminatingReplicas".into(), json!(claimed.terminating));
        }
        status.insert("observedGeneration".into(), json!(meta::generation(set)));
        // A failure to make pods stands until the number is right.
        if let Some(failing) = pods::condition(set, "ReplicaFailure").filter(|_| claimed.active.len() < desired(set)) {
            status.insert("conditions".into(), json!([failing]));
        }
        Value::Object(status)
    }
}

fn event(set: &Value, reason: &'static str, message: String) -> Action {
    Action::Event { regarding: set.clone(), type_: "Normal", reason, message }
}

fn make(world: &World<'_>, set: &Value, count: usize) -> Vec<Action> {
    let template = get(set, &["spec", "template"]).cloned().unwrap_or_default();
    let nanos = world.now.timestamp_nanos_opt().unwrap_or_default();
    let new = (0..count).map(|n| pods::from_template(&template, set, &format!("{}/{nanos}/{n}", meta::uid(set))));
    new.map(|pod| Action::create_pod(set, pod)).collect()
}

/// The pods to delete: those worth least; of several on one node with others of the same owner, the crowded ones.
fn cheapest(world: &World<'_>, set: &Value, active: &[Arc<Value>], count: usize) -> Vec<Arc<Value>> {
    if count == 0 {
        return Vec::new();
    }
    let siblings = siblings(world, set);
    let mut on_node: HashMap<&str, usize> = HashMap::new();
    for pod in siblings.iter().filter(|pod| pods::is_active(pod)) {
        *on_node.entry(str_at(pod, &["spec", "nodeName"])).or_default() += 1;
    }
    let rank = |pod: &Value| on_node.get(str_at(pod, &["spec", "nodeName"])).copied().unwrap_or_default();
    let mut ordered = active.to_vec();
    ordered.sort_by(|a, b| pods::deletion_order((a, rank(a)), (b, rank(b))));
    ordered.truncate(count);
    ordered
}

/// The pods of all sets with the same controller, such as the old and new sets of a deployment.
fn siblings(world: &World<'_>, set: &Value) -> Vec<Arc<Value>> {
    let Some(owner) = meta::controller_of(set) else { return world.cache.owned_by(&pod_resource(), meta::uid(set)) };
    let sets = Resource::new("apps", "v1", "replicasets");
    let of_owner = world.cache.owned_by(&sets, str_at(owner, &["uid"]));
    of_owner.iter().flat_map(|set| world.cache.owned_by(&pod_resource(), meta::uid(set))).collect()
}
