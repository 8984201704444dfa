//! Deployments: replica sets for each pod template, brought from the old ones to the new one as the strategy says.

mod rollout;
mod sets;
mod status;

use serde_json::json;

use self::sets::Sets;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{bool_at, int_at, str_at};
use crate::object::{Value, meta};

fn deployments() -> Resource {
    Resource::new("apps", "v1", "deployments")
}

fn replica_sets() -> Resource {
    Resource::new("apps", "v1", "replicasets")
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

/// The deployment controller.
#[derive(Default)]
pub struct Deployments;

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn event_source(&self) -> &'static str {
        "deployment-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::own(deployments()),
            Watch {
                resource: replica_sets(),
                keys: |_, change| change.both().filter_map(Key::of_controller).collect(),
            },
            Watch { resource: pod_resource(), keys: of_ended_pod },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        match world.cache.get(&deployments(), key) {
            Some(deployment) => turn(world, &deployment),
            None => Vec::new(),
        }
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        let deployment = world.cache.get(&deployments(), key);
        let (Some(deployment), Some(set)) = (deployment, failed.created()) else { return Vec::new() };
        let message = format!("Failed to create new replica set \"{}\": {error}", meta::name(set));
        let event = Action::Event {
            regarding: deployment.as_ref().clone(),
            type_: "Warning",
            reason: "ReplicaSetCreateError",
            message: message.clone(),
        };
        let mut actions = vec![event];
        actions.extend(status::creation_failed(world, &deployment, message));
        actions
    }
}

/// A pod that is gone lets a `Recreate` deployment go on.
fn of_ended_pod(cache: &Cache, change: &Change<'_>) -> Vec<Key> {
    let Some(pod) = change.old.filter(|_| change.new.is_none()) else { return Vec::new() };
    let set = Key::of_controller(pod).and_then(|key| cache.get(&replica_sets(), &key));
    set.and_then(|set| Key::of_controller(&set)).into_iter().collect()
}

/// One turn: the first step that changes something ends it, for its effect brings the next turn.
fn turn(world: &World<'_>, deployment: &Value) -> Vec<Action> {
    let mut sets = Sets::of(world, deployment);
    if meta::deletion_timestamp(deployment).is_some() {
        return status::report(world, deployment, &sets, false);
    }
    let adopted = sets.adopt(deployment);
    if !adopted.is_empty() {
        return adopted;
    }
    if let Some(paused) = status::pausing(world, deployment) {
        return vec![paused];
    }
    if bool_at(deployment, &["spec", "paused"]) {
        let mut actions = rollout::scale(deployment, &mut sets);
        actions.extend(rollout::clean_up(deployment, &sets));
        actions.extend(status::report(world, deployment, &sets, false));
        return actions;
    }
    let prepared = sets.prepare_new(world, deployment, !is_recreate(deployment));
    if !prepared.is_empty() {
        return prepared;
    }
    if sets.needs_scaling(deployment) {
        let mut actions = rollout::scale(deployment, &mut sets);
        actions.extend(status::report(world, deployment, &sets, false));
        return actions;
    }
    let mut actions = match is_recreate(deployment) {
        true => rollout::recreate(world, deployment, &mut sets),
        false => rollout::rolling_update(deployment, &mut sets),
    };
    if actions.is_empty() && status::is_complete(deployment, &status::calculate(world, deployment, &sets)) {
        actions.extend(rollout::clean_up(deployment, &sets));
    }
    actions.extend(status::report(world, deployment, &sets, true));
    actions
}

fn is_recreate(deployment: &Value) -> bool {
    str_at(deployment, &["spec", "strategy", "type"]) == "Recreate"
}

/// `spec.replicas` of a deployment or replica set, 1 when absent.
fn replicas(object: &Value) -> i64 {
    int_at(object, &["spec", "replicas"]).unwrap_or(1)
}

/// How many pods more than wanted, and how many fewer available, the rolling update allows (surge rounded up,
/// unavailability down; never both zero).
fn fenceposts(deployment: &Value) -> (i64, i64) {
    let wanted = replicas(deployment);
    let part = |field: &str, up: bool| {
        let value = meta::get(deployment, &["spec", "strategy", "rollingUpdate", field]);
        value.and_then(|v| crate::object::intstr::scaled(v, wanted, up).ok()).unwrap_or_default()
    };
    let (surge, unavailable) = (part("maxSurge", true), part("maxUnavailable", false));
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// How many pods more than wanted may exist.
fn max_surge(deployment: &Value) -> i64 {
    if is_recreate(deployment) { 0 } else { fenceposts(deployment).0 }
}

/// How many of the wanted pods may be unavailable.
fn max_unavailable(deployment: &Value) -> i64 {
    if is_recreate(deployment) || replicas(deployment) == 0 {
        return 0;
    }
    fenceposts(deployment).1.min(replicas(deployment))
}

fn event(deployment: &Value, reason: &'static str, message: String) -> Action {
    Action::Event { regarding: deployment.clone(), type_: "Normal", reason, message }
}

/// Removes the label that tells the sets of a deployment apart, for comparing templates.
fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    meta::remove(&mut template, &["metadata", "labels", sets::HASH_LABEL]);
    if template["metadata"]["labels"] == json!({}) {
        meta::remove(&mut template, &["metadata", "labels"]);
    }
    meta::remove(&mut template, &["metadata", "creationTimestamp"]);
    template
}
