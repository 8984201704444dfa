//! What controllers of pods share: the state of a pod, which to delete first, and making one from a template.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::runtime::{Action, ApiError, Cache, Change, Key, Resource, World, owner_reference};
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Map, Value, meta};

/// The annotation by which people say which pods are the cheapest to delete.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The letters of generated name suffixes: no vowels and nothing that looks like another (`util/rand`).
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// `status.phase`.
pub fn phase(pod: &Value) -> &str {
    str_at(pod, &["status", "phase"])
}

/// Whether the pod runs or may still run: not ended, not being deleted.
pub fn is_active(pod: &Value) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && meta::deletion_timestamp(pod).is_none()
}

/// Whether the pod is being deleted and has not ended.
pub fn is_terminating(pod: &Value) -> bool {
    !matches!(phase(pod), "Succeeded" | "Failed") && meta::deletion_timestamp(pod).is_some()
}

/// The condition of that type.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    list_at(object, &["status", "conditions"]).iter().find(|c| str_at(c, &["type"]) == type_)
}

/// Whether the pod's `Ready` condition is true.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|c| str_at(c, &["status"]) == "True")
}

/// Whether the pod has been ready for at least `min_ready` seconds.
pub fn is_available(pod: &Value, min_ready: i64, now: DateTime<Utc>) -> bool {
    is_ready(pod) && (min_ready == 0 || seconds_until_available(pod, min_ready, now) == 0)
}

/// How many seconds a ready pod still needs until it counts as available.
pub fn seconds_until_available(pod: &Value, min_ready: i64, now: DateTime<Utc>) -> u64 {
    let since = condition(pod, "Ready").and_then(|c| time_at(c, &["lastTransitionTime"]));
    let Some(since) = since else { return 0 };
    u64::try_from(min_ready - (now - since).num_seconds()).unwrap_or_default()
}

/// A time field.
pub fn time_at(object: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(str_at(object, path)).ok().map(|time| time.to_utc())
}

/// Which of two pods to delete first (`ActivePodsWithRanks`): unassigned, pending, not ready, cheap, in company of more
/// (`ranks`), ready for less time, restarted more often, younger.
pub fn deletion_order(a: (&Value, usize), b: (&Value, usize)) -> Ordering {
    let (rank_a, rank_b) = (a.1, b.1);
    let (a, b) = (a.0, b.0);
    let unassigned = |pod: &Value| !str_at(pod, &["spec", "nodeName"]).is_empty();
    let started = |pod: &Value| match phase(pod) {
        "Pending" => 0,
        "Running" => 2,
        _ => 1,
    };
    let cost =
        |pod: &Value| meta::annotation(pod, DELETION_COST).and_then(|c| c.parse::<i32>().ok()).unwrap_or_default();
    let ready_since = |pod: &Value| condition(pod, "Ready").and_then(|c| time_at(c, &["lastTransitionTime"]));
    let restarts = |pod: &Value| {
        let statuses = list_at(pod, &["status", "containerStatuses"]);
        statuses.iter().filter_map(|s| int_at(s, &["restartCount"])).max().unwrap_or_default()
    };
    let created = |pod: &Value| time_at(pod, &["metadata", "creationTimestamp"]);
    (unassigned(a).cmp(&unassigned(b)))
        .then_with(|| started(a).cmp(&started(b)))
        .then_with(|| is_ready(a).cmp(&is_ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| rank_b.cmp(&rank_a))
        .then_with(|| ready_since(b).cmp(&ready_since(a)))
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| created(b).cmp(&created(a)))
        .then_with(|| meta::name(a).cmp(meta::name(b)))
}

/// A pod from a template, controlled by `owner`, with the owner's name and a suffix that follows from `seed`.
pub fn from_template(template: &Value, owner: &Value, seed: &str) -> Value {
    with_prefix(template, owner, &format!("{}-", meta::name(owner)), seed)
}

/// A pod from a template, controlled by `owner`, whose name is a prefix and a suffix that follows from `seed`.
pub fn with_prefix(template: &Value, owner: &Value, prefix: &str, seed: &str) -> Value {
    // The server shortens a prefix to leave room for the suffix; so must the name that is sent with it.
    const LONGEST_PREFIX: usize = 58;
    let base = prefix.get(..LONGEST_PREFIX).unwrap_or(prefix);
    let mut pod = with_name(template, owner, &format!("{base}{}", suffix(seed)));
    pod["metadata"]["generateName"] = json!(prefix);
    pod
}

/// A pod of that name from a template, controlled by `owner`.
pub fn with_name(template: &Value, owner: &Value, name: &str) -> Value {
    let mut metadata = Map::new();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = get(template, &["metadata", field]) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    metadata.insert("name".into(), json!(name));
    metadata.insert("namespace".into(), json!(meta::namespace(owner)));
    metadata.insert("ownerReferences".into(), json!([owner_reference(owner)]));
    let spec = template.get("spec").cloned().unwrap_or_default();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// Tells that a pod could not be made.
pub fn creation_failed(owner: &Value, error: &ApiError) -> Action {
    let message = format!("Error creating: {error}");
    Action::Event { regarding: owner.clone(), type_: "Warning", reason: "FailedCreate", message }
}

/// The objects that belong to an owner, and the writes that make it so.
pub struct Claim {
    /// What the owner controls and its selector matches, those taken over in this turn included.
    pub owned: Vec<Arc<Value>>,
    /// Takes over what matches and has no controller; lets go of what matches no more.
    pub changes: Vec<Action>,
}

/// The pods of `owner` by its selector; nothing is taken over or let go once the owner is being deleted.
pub fn claim(world: &World<'_>, owner: &Value, selector: &LabelSelector) -> Claim {
    claim_of(world, &Resource::new("", "v1", "pods"), owner, selector)
}

/// As [`claim`], for the objects of any resource.
pub fn claim_of(world: &World<'_>, resource: &Resource, owner: &Value, selector: &LabelSelector) -> Claim {
    let mut claim = Claim { owned: Vec::new(), changes: Vec::new() };
    let living = meta::deletion_timestamp(owner).is_none();
    for object in world.cache.list(resource, Some(meta::namespace(owner))) {
        let controller = meta::controller_of(&object).map(|owner| str_at(owner, &["uid"]).to_owned());
        let matches = !selector.is_everything() && selector.matches_object(&object);
        match controller.as_deref() {
            Some(uid) if uid != meta::uid(owner) => {}
            Some(_) if matches => claim.owned.push(object),
            Some(_) if living => claim.changes.push(release(resource, &object, owner)),
            None if matches && living && meta::deletion_timestamp(&object).is_none() => {
                claim.changes.push(adopt(resource, &object, owner));
                claim.owned.push(object);
            }
            _ => {}
        }
    }
    claim
}

/// Makes `owner` the controller of an object that has none.
pub fn adopt(resource: &Resource, object: &Value, owner: &Value) -> Action {
    let mut owners = meta::owner_references(object).to_vec();
    owners.push(owner_reference(owner));
    patch_owners(resource, object, &owners)
}

/// Takes `owner` out of an object's owners.
pub fn release(resource: &Resource, object: &Value, owner: &Value) -> Action {
    let others = meta::owner_references(object).iter().filter(|other| str_at(other, &["uid"]) != meta::uid(owner));
    patch_owners(resource, object, &others.cloned().collect::<Vec<_>>())
}

fn patch_owners(resource: &Resource, object: &Value, owners: &[Value]) -> Action {
    Action::merge(resource, object, json!({"metadata": {"uid": meta::uid(object), "ownerReferences": owners}}))
}

/// The owners (of one kind) that a change of an object concerns: its controller, and for an orphan those that would
/// take it over.
pub fn touched(
    cache: &Cache,
    change: &Change<'_>,
    owners: &Resource,
    kind: &str,
    selector: fn(&Value) -> Option<LabelSelector>,
) -> Vec<Key> {
    let of_kind = |object: &&Value| meta::controller_of(object).is_some_and(|owner| meta::kind(owner) == kind);
    let mut keys: Vec<Key> = change.both().filter(of_kind).filter_map(Key::of_controller).collect();
    let orphan =
        change.new.filter(|object| meta::controller_of(object).is_none() && meta::labels(object).next().is_some());
    if let Some(orphan) = orphan {
        let candidates = cache.list(owners, Some(meta::namespace(orphan)));
        let adopts =
            |owner: &Arc<Value>| selector(owner).is_some_and(|s| !s.is_everything() && s.matches_object(orphan));
        keys.extend(candidates.iter().filter(|owner| adopts(owner)).map(|owner| Key::of(owner)));
    }
    keys
}

/// Five letters that follow from `seed`, as the server's own name suffixes look.
pub fn suffix(seed: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, seed.as_bytes());
    let letters = digest.as_ref().iter().take(5);
    letters.map(|byte| char::from(SUFFIX_LETTERS[usize::from(*byte) % SUFFIX_LETTERS.len()])).collect()
}

/// Sets a condition; its transition time stays while its status does. True when anything changed.
pub fn set_condition(conditions: &mut Vec<Value>, mut new: Value) -> bool {
    let Some(at) = conditions.iter().position(|c| c["type"] == new["type"]) else {
        conditions.push(new);
        return true;
    };
    let old = &conditions[at];
    if old["status"] == new["status"] && old["reason"] == new["reason"] && old["message"] == new["message"] {
        return false;
    }
    if old["status"] == new["status"] {
        new["lastTransitionTime"] = old["lastTransitionTime"].clone();
    }
    conditions[at] = new;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_are_worth_least_go_first() {
        let pod = |name: &str, node: &str, ready: &str| {
            json!({"metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"phase": "Running",
                "conditions": [{"type": "Ready", "status": ready}]}})
        };
        let mut pods = [pod("ready", "n", "True"), pod("unassigned", "", "True"), pod("unready", "n", "False")];
        pods.sort_by(|a, b| deletion_order((a, 0), (b, 0)));
        assert_eq!(pods.iter().map(meta::name).collect::<Vec<_>>(), ["unassigned", "unready", "ready"]);
    }

    #[test]
    fn conditions_keep_their_transition_time() {
        let mut conditions = vec![json!({"type": "A", "status": "True", "reason": "x", "lastTransitionTime": "1"})];
        assert!(!set_condition(
            &mut conditions,
            json!({"type": "A", "status": "True", "reason": "x", "lastTransitionTime": "2"})
        ));
        assert!(set_condition(
            &mut conditions,
            json!({"type": "A", "status": "True", "reason": "y", "lastTransitionTime": "2"})
        ));
        assert_eq!(conditions[0]["lastTransitionTime"], "1");
        assert!(set_condition(
            &mut conditions,
            json!({"type": "A", "status": "False", "reason": "y", "lastTransitionTime": "3"})
        ));
        assert_eq!(conditions[0]["lastTransitionTime"], "3");
    }
}
