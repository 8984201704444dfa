//! The status of a deployment: counts, and the conditions Available, Progressing and ReplicaFailure.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::rollout::has_minimum;
use super::sets::{Sets, stamp};
use super::{deployments, replicas};
use crate::controllers::pods;
use crate::controllers::runtime::{Action, World};
use crate::object::meta::{bool_at, int_at, str_at};
use crate::object::{Map, Value, meta};

/// `spec.progressDeadlineSeconds` that means that there is none.
const NO_DEADLINE: i64 = i32::MAX as i64;

fn deadline(deployment: &Value) -> Option<i64> {
    int_at(deployment, &["spec", "progressDeadlineSeconds"]).filter(|seconds| *seconds != NO_DEADLINE)
}

fn condition(world: &World<'_>, type_: &str, status: &str, reason: &str, message: String) -> Value {
    let now = stamp(world);
    json!({"type": type_, "status": status, "reason": reason, "message": message, "lastUpdateTime": now,
        "lastTransitionTime": now})
}

/// Sets a condition as `SetDeploymentCondition`: nothing changes while status and reason stay; a changed one moves to
/// the end.
fn set(conditions: &mut Vec<Value>, mut new: Value) {
    if let Some(at) = conditions.iter().position(|c| c["type"] == new["type"]) {
        let old = &conditions[at];
        if old["status"] == new["status"] && old["reason"] == new["reason"] {
            return;
        }
        if old["status"] == new["status"] {
            new["lastTransitionTime"] = old["lastTransitionTime"].clone();
        }
        conditions.remove(at);
    }
    conditions.push(new);
}

fn conditions(deployment: &Value) -> Vec<Value> {
    meta::list_at(deployment, &["status", "conditions"]).to_vec()
}

fn with_conditions(deployment: &Value, conditions: Vec<Value>) -> Action {
    let mut changed = deployment.clone();
    meta::set(&mut changed, &["status", "conditions"], conditions);
    Action::update_status(&deployments(), changed)
}

/// Notes in a deployment that there is progress for a reason, if a deadline makes that matter.
pub(super) fn progressing(world: &World<'_>, deployment: &mut Value, reason: &str, message: String) {
    if deadline(deployment).is_none() {
        return;
    }
    let mut conditions = conditions(deployment);
    set(&mut conditions, condition(world, "Progressing", "True", reason, message));
    meta::set(deployment, &["status", "conditions"], conditions);
}

/// Notes that the new set could not be made, if a deadline makes progress matter.
pub(super) fn creation_failed(world: &World<'_>, deployment: &Value, message: String) -> Option<Action> {
    deadline(deployment)?;
    let before = conditions(deployment);
    let mut after = before.clone();
    set(&mut after, condition(world, "Progressing", "False", "ReplicaSetCreateError", message));
    (after != before).then(|| with_conditions(deployment, after))
}

/// The condition that tells that the deployment was paused or resumed, when it does not stand yet.
pub(super) fn pausing(world: &World<'_>, deployment: &Value) -> Option<Action> {
    deadline(deployment)?;
    let reason = pods::condition(deployment, "Progressing").map(|c| str_at(c, &["reason"])).unwrap_or_default();
    let (reason, message) = match (bool_at(deployment, &["spec", "paused"]), reason) {
        (_, "ProgressDeadlineExceeded") => return None,
        (true, "DeploymentPaused") => return None,
        (true, _) => ("DeploymentPaused", "Deployment is paused"),
        (false, "DeploymentPaused") => ("DeploymentResumed", "Deployment is resumed"),
        (false, _) => return None,
    };
    let mut after = conditions(deployment);
    set(&mut after, condition(world, "Progressing", "Unknown", reason, message.to_owned()));
    Some(with_conditions(deployment, after))
}

/// The counts of the new status, with the conditions of the old one and `Available` brought up to date.
pub(super) fn calculate(world: &World<'_>, deployment: &Value, sets: &Sets) -> Value {
    let sum = |field: &str| -> i64 { sets.all().map(|set| int_at(set, &["status", field]).unwrap_or_default()).sum() };
    let updated = sets.new.as_ref().and_then(|new| int_at(new, &["status", "replicas"])).unwrap_or_default();
    let available = sum("availableReplicas");
    let counts = [
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (sets.total() - available).max(0)),
    ];
    let mut status = Map::new();
    status.extend(counts.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), json!(n))));
    status.insert("terminatingReplicas".into(), json!(sum("terminatingReplicas")));
    status.insert("observedGeneration".into(), json!(meta::generation(deployment)));
    if let Some(collisions) = meta::get(deployment, &["status", "collisionCount"]) {
        status.insert("collisionCount".into(), collisions.clone());
    }
    let mut conditions = conditions(deployment);
    let availability = match has_minimum(deployment, available) {
        true => ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    };
    let (yes, reason, message) = availability;
    set(&mut conditions, condition(world, "Available", yes, reason, message.to_owned()));
    status.insert("conditions".into(), Value::Array(conditions));
    Value::Object(status)
}

fn count(status: &Value, field: &str) -> i64 {
    int_at(status, &[field]).unwrap_or_default()
}

/// Whether all pods are those of the new template, and available.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let wanted = replicas(deployment);
    count(status, "updatedReplicas") == wanted
        && count(status, "replicas") == wanted
        && count(status, "availableReplicas") == wanted
        && count(status, "observedGeneration") >= meta::generation(deployment)
}

/// Whether the new status is nearer to the goal than the old one.
fn has_progressed(deployment: &Value, new: &Value) -> bool {
    let old = &deployment["status"];
    let stale = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    count(new, "updatedReplicas") > count(old, "updatedReplicas")
        || stale(new) < stale(old)
        || count(new, "readyReplicas") > count(old, "readyReplicas")
        || count(new, "availableReplicas") > count(old, "availableReplicas")
}

/// Writes the status when it differs; while rolling out (`rollout`), with the state of its progress.
pub(super) fn report(world: &World<'_>, deployment: &Value, sets: &Sets, rollout: bool) -> Vec<Action> {
    let mut status = calculate(world, deployment, sets);
    let mut conditions = meta::list_at(&status, &["conditions"]).to_vec();
    let mut wake = None;
    if rollout {
        wake = judge_progress(world, deployment, sets, &status, &mut conditions);
        note_failures(sets, &mut conditions);
    }
    status["conditions"] = Value::Array(conditions);
    let mut actions = Vec::new();
    if deployment["status"] != status {
        let mut reported = deployment.clone();
        reported["status"] = status;
        actions.push(Action::update_status(&deployments(), reported));
    }
    actions.extend(wake.map(Action::RequeueAfter));
    actions
}

/// Brings the `Progressing` condition up to date; gives back when to look again, while the deadline runs.
fn judge_progress(
    world: &World<'_>,
    deployment: &Value,
    sets: &Sets,
    status: &Value,
    conditions: &mut Vec<Value>,
) -> Option<Duration> {
    let deadline = deadline(deployment)?;
    let current = pods::condition(deployment, "Progressing");
    let reason = current.map(|c| str_at(c, &["reason"])).unwrap_or_default();
    let settled = count(status, "replicas") == count(status, "updatedReplicas") && reason == "NewReplicaSetAvailable";
    if settled {
        return None;
    }
    let subject = match &sets.new {
        Some(new) => format!("ReplicaSet \"{}\"", meta::name(new)),
        None => format!("Deployment \"{}\"", meta::name(deployment)),
    };
    let entry =
        |yes: &str, reason: &str, what: &str| condition(world, "Progressing", yes, reason, format!("{subject} {what}"));
    if is_complete(deployment, status) {
        set(conditions, entry("True", "NewReplicaSetAvailable", "has successfully progressed."));
        return None;
    }
    if has_progressed(deployment, status) {
        let mut progress = entry("True", "ReplicaSetUpdated", "is progressing.");
        if let Some(current) = current.filter(|c| str_at(c, &["status"]) == "True") {
            progress["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
        // Every progress starts the deadline anew, so the update time is written even when the reason stays.
        conditions.retain(|c| c["type"] != "Progressing");
        conditions.push(progress);
        return Some(Duration::from_secs(u64::try_from(deadline).unwrap_or_default() + 1));
    }
    let current = current?;
    if matches!(reason, "NewReplicaSetAvailable" | "ProgressDeadlineExceeded") {
        return None;
    }
    let since = pods::time_at(current, &["lastUpdateTime"])?;
    let left = since + TimeDelta::seconds(deadline) - world.now;
    if left < TimeDelta::zero() {
        set(conditions, entry("False", "ProgressDeadlineExceeded", "has timed out progressing."));
        return None;
    }
    left.to_std().ok().map(|left| left + Duration::from_secs(1))
}

/// A set that cannot make its pods makes the deployment say so.
fn note_failures(sets: &Sets, conditions: &mut Vec<Value>) {
    let failing = sets.new.iter().chain(&sets.old).find_map(|set| pods::condition(set, "ReplicaFailure"));
    match failing {
        None => conditions.retain(|c| c["type"] != "ReplicaFailure"),
        Some(failing) => {
            let mut own = failing.clone();
            own["lastUpdateTime"] = failing["lastTransitionTime"].clone();
            set(conditions, own);
        }
    }
}
