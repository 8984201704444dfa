//! Stateful sets: pods with a number each, made, updated and removed in order.

mod claims;
mod identity;
mod scale;
mod status;
mod update;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use super::history::{History, revisions, template_of};
use super::pods;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, int_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, hash, json as text, meta};

/// The label of revisions with the hash in their name.
const REVISION_HASH: &str = "controller.kubernetes.io/hash";

/// The stateful set controller.
#[derive(Default)]
pub struct StatefulSets;

fn stateful_sets() -> Resource {
    Resource::new("apps", "v1", "statefulsets")
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

fn selector(set: &Value) -> Option<LabelSelector> {
    LabelSelector::from_struct(get(set, &["spec", "selector"])?).ok()
}

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset"
    }

    fn event_source(&self) -> &'static str {
        "statefulset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_owned: fn(&Cache, &Change<'_>) -> Vec<Key> =
            |cache, change| pods::touched(cache, change, &stateful_sets(), "StatefulSet", selector);
        vec![
            Watch::own(stateful_sets()),
            Watch { resource: pod_resource(), keys: of_owned },
            Watch { resource: revisions(), keys: of_owned },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(set) = world.cache.get(&stateful_sets(), key) else { return Vec::new() };
        match selector(&set) {
            Some(selector) => turn(world, &set, &selector),
            None => Vec::new(),
        }
    }

    fn goes_on_after_failed_creates(&self) -> bool {
        true
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        let set = world.cache.get(&stateful_sets(), key);
        let (Some(set), Some(object)) = (set, failed.created()) else { return Vec::new() };
        let (what, name) = match meta::kind(object) {
            "Pod" => ("Pod", meta::name(object).to_owned()),
            "PersistentVolumeClaim" => ("Claim", claims::with_pod(&set, meta::name(object))),
            _ => return Vec::new(),
        };
        let message = format!("create {what} {name} in StatefulSet {} failed error: {error}", key.name);
        vec![Action::Event { regarding: set.as_ref().clone(), type_: "Warning", reason: "FailedCreate", message }]
    }
}

fn turn(world: &World<'_>, set: &Value, selector: &LabelSelector) -> Vec<Action> {
    let (history, mut actions) = History::of(world, set, selector);
    let mut claim = pods::claim(world, set, selector);
    // A pod whose name does not belong to the set is none of its pods, whatever its labels say.
    claim.owned.retain(|pod| identity::ordinal(set, pod).is_some());
    let adopts = |action: &Action| match action {
        Action::Patch { name, .. } => identity::ordinal_of_name(set, name).is_some(),
        _ => true,
    };
    actions.extend(claim.changes.into_iter().filter(adopts));
    let data = text::to_compact(&super::history::data_of(set));
    let collisions = int_at(set, &["status", "collisionCount"]);
    let counted = collisions.filter(|count| *count > 0).and_then(|count| i32::try_from(count).ok());
    let hash = hash::controller_revision_hash(data.as_bytes(), counted.or(Some(0)));
    let present = history.present(world, set, &hash, REVISION_HASH);
    if present.collides {
        let mut collided = set.clone();
        meta::set(&mut collided, &["status", "collisionCount"], collisions.unwrap_or_default() + 1);
        actions.push(Action::update_status(&stateful_sets(), collided));
        return actions;
    }
    actions.extend(present.changes);
    let mut current = history.list.iter().find(|r| meta::name(r) == str_at(set, &["status", "currentRevision"]));
    let updated = Arc::new(present.revision);
    let current = current.take().cloned().unwrap_or_else(|| updated.clone());
    let replicas = Replicas::of(world, set, &claim.owned, &current, &updated);
    if meta::deletion_timestamp(set).is_none() {
        actions.extend(replicas.advance());
    }
    let mut live: HashSet<String> = claim.owned.iter().map(|pod| identity::revision(pod).to_owned()).collect();
    live.extend([meta::name(&current).to_owned(), meta::name(&updated).to_owned()]);
    actions.extend(history.clean_up(set, &live));
    actions.extend(replicas.report());
    actions
}

/// One number of the set with its pod.
struct Replica {
    ordinal: i64,
    pod: Option<Arc<Value>>,
}

/// The pods of a stateful set in the order of their numbers.
struct Replicas<'a> {
    world: &'a World<'a>,
    set: &'a Value,
    /// All pods of the set.
    pods: &'a [Arc<Value>],
    /// The numbers that the set asks for, in order.
    wanted: Vec<Replica>,
    /// Pods beyond, the highest number first.
    condemned: Vec<Replica>,
    /// The revision of before the update under way, or the same as `updated`.
    current: &'a Value,
    updated: &'a Value,
}

impl<'a> Replicas<'a> {
    fn of(
        world: &'a World<'a>,
        set: &'a Value,
        pods: &'a [Arc<Value>],
        current: &'a Value,
        updated: &'a Value,
    ) -> Self {
        let start = identity::start(set);
        let end = start + int_at(set, &["spec", "replicas"]).unwrap_or(1);
        let pod_of = |ordinal: i64| pods.iter().find(|pod| identity::ordinal(set, pod) == Some(ordinal)).cloned();
        let wanted = (start..end).map(|ordinal| Replica { ordinal, pod: pod_of(ordinal) }).collect();
        let numbered = pods.iter().filter_map(|pod| Some((identity::ordinal(set, pod)?, pod)));
        let beyond = numbered.filter(|(ordinal, _)| !(start..end).contains(ordinal));
        let mut condemned: Vec<Replica> =
            beyond.map(|(ordinal, pod)| Replica { ordinal, pod: Some(pod.clone()) }).collect();
        condemned.sort_by_key(|replica| std::cmp::Reverse(replica.ordinal));
        Self { world, set, pods, wanted, condemned, current, updated }
    }

    /// Whether one pod has to be well before the next is touched.
    fn in_order(&self) -> bool {
        str_at(self.set, &["spec", "podManagementPolicy"]) != "Parallel"
    }

    fn min_ready(&self) -> i64 {
        int_at(self.set, &["spec", "minReadySeconds"]).unwrap_or_default()
    }

    fn is_running_and_ready(&self, pod: &Value) -> bool {
        pods::phase(pod) == "Running" && pods::is_ready(pod)
    }

    fn is_available(&self, pod: &Value) -> bool {
        pods::phase(pod) == "Running" && pods::is_available(pod, self.min_ready(), self.world.now)
    }

    fn is_healthy(&self, pod: &Value) -> bool {
        self.is_running_and_ready(pod) && meta::deletion_timestamp(pod).is_none()
    }

    /// The pod of a number, as the revision that it is to have makes it.
    fn new_pod(&self, ordinal: i64) -> Value {
        let below = match get(self.set, &["spec", "updateStrategy", "rollingUpdate"]).filter(|r| !r.is_null()) {
            Some(rolling) => int_at(rolling, &["partition"]).unwrap_or_default(),
            None => int_at(self.set, &["status", "currentReplicas"]).unwrap_or_default(),
        };
        let rolling = str_at(self.set, &["spec", "updateStrategy", "type"]) != "OnDelete";
        let revision = match rolling && ordinal < identity::start(self.set) + below {
            true => self.current,
            false => self.updated,
        };
        identity::pod(self.set, &template_of(revision), ordinal, meta::name(revision))
    }

    fn event(&self, type_: &'static str, reason: &'static str, message: String) -> Action {
        Action::Event { regarding: self.set.clone(), type_, reason, message }
    }

    fn create(&self, ordinal: i64) -> Vec<Action> {
        let pod = self.new_pod(ordinal);
        let (name, set) = (meta::name(&pod).to_owned(), meta::name(self.set));
        let mut actions = claims::create_missing(self.world, self.set, ordinal, &name);
        let message = format!("create Pod {name} in StatefulSet {set} successful");
        let event = Box::new(self.event("Normal", "SuccessfulCreate", message));
        actions.push(Action::CreateAndTell { resource: pod_resource(), object: pod, event });
        actions
    }

    fn delete(&self, pod: &Value) -> Vec<Action> {
        let message = format!("delete Pod {} in StatefulSet {} successful", meta::name(pod), meta::name(self.set));
        vec![Action::delete(&pod_resource(), pod), self.event("Normal", "SuccessfulDelete", message)]
    }
}
