//! Moving pods between the sets: scaling, rolling update, recreation, clean-up of old sets.

use serde_json::json;

use super::sets::{MAX_REPLICAS, Sets, annotate_size, revision};
use super::{event, fenceposts, is_recreate, max_surge, max_unavailable, pod_resource, replica_sets, replicas};
use crate::controllers::pods;
use crate::controllers::runtime::{Action, World};
use crate::object::meta::int_at;
use crate::object::{Value, meta};

/// Gives a set a new size, in place and as actions; none when nothing changes.
fn resize(deployment: &Value, set: &mut Value, size: i64) -> Vec<Action> {
    let before = replicas(set);
    let unchanged = set.clone();
    set["spec"]["replicas"] = json!(size);
    annotate_size(set, deployment);
    if *set == unchanged {
        return Vec::new();
    }
    let mut actions = vec![Action::Update { resource: replica_sets(), subresource: None, object: set.clone() }];
    if size != before {
        let direction = if size > before { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {} from {before} to {size}", meta::name(set));
        actions.push(event(deployment, "ScalingReplicaSet", message));
    }
    actions
}

fn available(set: &Value) -> i64 {
    int_at(set, &["status", "availableReplicas"]).unwrap_or_default()
}

/// Follows a change of the deployment's size (or scales a paused one): the only active set alone, old ones away when
/// the new one is complete, else all in proportion.
pub(super) fn scale(deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    let wanted = replicas(deployment);
    let active = sets.all().filter(|set| replicas(set) > 0).count();
    if active <= 1 {
        let only = sets.new.as_mut().into_iter().chain(&mut sets.old).find(|set| replicas(set) > 0);
        let only = match only {
            Some(only) => Some(only),
            None => sets.new.as_mut().or(sets.old.last_mut()),
        };
        return only.map(|set| resize(deployment, set, wanted)).unwrap_or_default();
    }
    if sets.new.as_ref().is_some_and(|new| is_saturated(deployment, new)) {
        let old = sets.old.iter_mut().filter(|set| replicas(set) > 0);
        return old.flat_map(|set| resize(deployment, set, 0)).collect();
    }
    if is_recreate(deployment) { Vec::new() } else { scale_in_proportion(deployment, sets) }
}

/// Whether the new set alone has all pods, and they are available.
fn is_saturated(deployment: &Value, new: &Value) -> bool {
    let desired = meta::annotation(new, "deployment.kubernetes.io/desired-replicas");
    let wanted = replicas(deployment);
    desired == Some(wanted.to_string().as_str()) && replicas(new) == wanted && available(new) == wanted
}

fn scale_in_proportion(deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    let wanted = replicas(deployment);
    let allowed = if wanted > 0 { wanted + max_surge(deployment) } else { 0 };
    let mut active: Vec<&mut Value> =
        sets.old.iter_mut().chain(&mut sets.new).filter(|set| replicas(set) > 0).collect();
    let to_add = allowed - active.iter().map(|set| replicas(set)).sum::<i64>();
    let created = |set: &Value| pods::time_at(set, &["metadata", "creationTimestamp"]);
    // The largest first; of equal ones the newer first when adding, the older first when removing.
    active.sort_by(|a, b| {
        let by_age = created(a).cmp(&created(b));
        replicas(b).cmp(&replicas(a)).then(if to_add > 0 { by_age.reverse() } else { by_age })
    });
    let mut sizes = Vec::new();
    let mut added = 0;
    for set in &active {
        let part = proportion(deployment, set, to_add, added);
        added += part;
        sizes.push(replicas(set) + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    active.into_iter().zip(sizes).flat_map(|(set, size)| resize(deployment, set, size)).collect()
}

/// The part of `to_add` that falls to a set, after `added` have been given to others.
fn proportion(deployment: &Value, set: &Value, to_add: i64, added: i64) -> i64 {
    if to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(deployment, set);
    let left = to_add - added;
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

fn fraction(deployment: &Value, set: &Value) -> i64 {
    let size = replicas(set);
    if replicas(deployment) == 0 {
        return -size;
    }
    let most = replicas(deployment) + max_surge(deployment);
    let former = meta::annotation(set, MAX_REPLICAS).and_then(|m| m.parse::<i64>().ok());
    let former = former.or_else(|| int_at(deployment, &["status", "replicas"])).filter(|n| *n > 0).unwrap_or(most);
    // Rounded half up, in integers.
    (2 * size * most + former).div_euclid(2 * former) - size
}

/// One step of a rolling update: first the new set grows, then the old ones shrink.
pub(super) fn rolling_update(deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    let grown = grow_new(deployment, sets);
    if grown.is_empty() { shrink_old(deployment, sets) } else { grown }
}

fn grow_new(deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    let Some(present) = sets.new.as_ref().map(replicas) else { return Vec::new() };
    let wanted = replicas(deployment);
    let size = match present.cmp(&wanted) {
        std::cmp::Ordering::Equal => return Vec::new(),
        std::cmp::Ordering::Greater => wanted,
        std::cmp::Ordering::Less => sets.size_of_new(deployment, present),
    };
    if size == present {
        return Vec::new();
    }
    sets.new.as_mut().map(|new| resize(deployment, new, size)).unwrap_or_default()
}

fn shrink_old(deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    if sets.old.iter().all(|set| replicas(set) == 0) {
        return Vec::new();
    }
    let least = replicas(deployment) - fenceposts(deployment).1.min(replicas(deployment));
    let new_missing = sets.new.as_ref().map(|new| replicas(new) - available(new)).unwrap_or_default();
    let most = sets.total() - least - new_missing;
    if most <= 0 {
        return Vec::new();
    }
    let mut actions = drop_unhealthy(deployment, sets, most);
    let mut surplus = sets.all().map(available).sum::<i64>() - least;
    for set in &mut sets.old {
        let part = replicas(set).min(surplus);
        if part > 0 {
            surplus -= part;
            actions = merge(actions, resize(deployment, set, replicas(set) - part));
        }
    }
    actions
}

/// Pods of old sets that are not available go first: they serve nobody.
fn drop_unhealthy(deployment: &Value, sets: &mut Sets, most: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut dropped = 0;
    for set in &mut sets.old {
        let part = (replicas(set) - available(set)).min(most - dropped);
        if replicas(set) > 0 && part > 0 {
            dropped += part;
            actions.extend(resize(deployment, set, replicas(set) - part));
        }
    }
    actions
}

/// Later writes of a set stand for the earlier ones of the same turn, whose resourceVersion would be out of date.
fn merge(before: Vec<Action>, after: Vec<Action>) -> Vec<Action> {
    let name = |action: &Action| match action {
        Action::Update { object, .. } => Some(meta::name(object).to_owned()),
        _ => None,
    };
    let again: Vec<String> = after.iter().filter_map(name).collect();
    let kept = before.into_iter().filter(|action| name(action).is_none_or(|name| !again.contains(&name)));
    kept.chain(after).collect()
}

/// One step of a recreation: old sets to nothing, wait for their pods to end, then the new set.
pub(super) fn recreate(world: &World<'_>, deployment: &Value, sets: &mut Sets) -> Vec<Action> {
    let shrunk: Vec<Action> =
        sets.old.iter_mut().filter(|set| replicas(set) > 0).flat_map(|set| resize(deployment, set, 0)).collect();
    if !shrunk.is_empty() || old_pods_run(world, sets) {
        return shrunk;
    }
    match &mut sets.new {
        None => sets.create_new(world, deployment),
        Some(new) if replicas(new) != replicas(deployment) => resize(deployment, new, replicas(deployment)),
        Some(_) => Vec::new(),
    }
}

fn old_pods_run(world: &World<'_>, sets: &Sets) -> bool {
    let pods = sets.old.iter().flat_map(|set| world.cache.owned_by(&pod_resource(), meta::uid(set)));
    let mut pods = pods.filter(|pod| !matches!(pods::phase(pod), "Succeeded" | "Failed"));
    pods.next().is_some()
}

/// Deletes the oldest empty sets beyond the history limit.
pub(super) fn clean_up(deployment: &Value, sets: &Sets) -> Vec<Action> {
    let Some(limit) = int_at(deployment, &["spec", "revisionHistoryLimit"]) else { return Vec::new() };
    let empty = |set: &&Value| {
        replicas(set) == 0
            && int_at(set, &["status", "replicas"]).unwrap_or_default() == 0
            && meta::generation(set) <= int_at(set, &["status", "observedGeneration"]).unwrap_or_default()
    };
    let mut old: Vec<&Value> = sets.old.iter().filter(|set| meta::deletion_timestamp(set).is_none()).collect();
    let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    old.sort_by_key(|set| revision(set));
    old.into_iter().take(surplus).filter(empty).map(|set| Action::delete(&replica_sets(), set)).collect()
}

/// Whether a rolling update may have this many pods unavailable, for the `Available` condition.
pub(super) fn has_minimum(deployment: &Value, available: i64) -> bool {
    available >= replicas(deployment) - max_unavailable(deployment)
}
