//! Binds claims to volumes: the smallest available volume of the class that is large enough and has the access modes.
//! A volume whose claim is gone is released, or deleted, as its reclaim policy says.

use std::time::Duration;

use serde_json::json;

use super::matching::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE, best_volume, is_for, kept_for, waits_for_pod,
};
use super::protection::claim_names;
use super::{claims, pods, provision, volumes};
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, str_at};
use crate::object::{Value, meta};

/// How often a claim that waits is looked at again (`pvclaimbinder-sync-period`).
const REMIND: Duration = Duration::from_secs(15);

/// The persistent volume binder. Claims have their own keys; a volume's key has no namespace.
#[derive(Default)]
pub struct VolumeBinder;

impl Controller for VolumeBinder {
    fn name(&self) -> &'static str {
        "persistentvolume-binder"
    }

    fn event_source(&self) -> &'static str {
        "persistentvolume-controller"
    }

    /// One, so that no two claims are given the same volume.
    fn workers(&self) -> usize {
        1
    }

    fn watches(&self) -> Vec<Watch> {
        let of_claim: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| {
            let volumes = change.both().map(|claim| str_at(claim, &["spec", "volumeName"]).to_owned());
            let volumes = volumes.filter(|name| !name.is_empty()).map(Key::cluster);
            std::iter::once(Key::of(change.object())).chain(volumes).collect()
        };
        // A volume that is new or free again may suit any claim that waits.
        let of_volume: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| {
            let waiting = cache.list(&claims(), None);
            let waiting = waiting.iter().filter(|claim| str_at(claim, &["status", "phase"]) != "Bound");
            std::iter::once(Key::of(change.object())).chain(waiting.map(|claim| Key::of(claim))).collect()
        };
        vec![Watch { resource: claims(), keys: of_claim }, Watch { resource: volumes(), keys: of_volume }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        if key.namespace.is_empty() {
            return world.cache.get(&volumes(), key).map(|volume| sync_volume(world, &volume)).unwrap_or_default();
        }
        world.cache.get(&claims(), key).map(|claim| sync_claim(world, &claim)).unwrap_or_default()
    }
}

fn phase(object: &Value) -> &str {
    str_at(object, &["status", "phase"])
}

fn set_phase(resource: &Resource, object: &Value, phase_: &str) -> Option<Action> {
    (phase(object) != phase_).then(|| patch(resource, object, Some("status"), json!({"status": {"phase": phase_}})))
}

fn patch(resource: &Resource, object: &Value, subresource: Option<&'static str>, mut patch: Value) -> Action {
    meta::set(&mut patch, &["metadata", "uid"], meta::uid(object));
    Action::merge_at(resource, object, subresource, patch)
}

fn sync_volume(world: &World<'_>, volume: &Value) -> Vec<Action> {
    let reference = get(volume, &["spec", "claimRef"]).filter(|reference| !reference.is_null());
    let Some(reference) = reference else { return set_phase(&volumes(), volume, "Available").into_iter().collect() };
    let key =
        Key { namespace: str_at(reference, &["namespace"]).to_owned(), name: str_at(reference, &["name"]).to_owned() };
    match world.cache.get(&claims(), &key).filter(|claim| is_for(volume, claim)) {
        Some(claim) if str_at(&claim, &["spec", "volumeName"]) == meta::name(volume) => {
            set_phase(&volumes(), volume, "Bound").into_iter().collect()
        }
        // Kept for a claim that has not been bound yet, or is still to come.
        Some(_) => set_phase(&volumes(), volume, "Available").into_iter().collect(),
        None if str_at(reference, &["uid"]).is_empty() => {
            set_phase(&volumes(), volume, "Available").into_iter().collect()
        }
        None => match phase(volume) {
            "Failed" => Vec::new(),
            "Released" => reclaim(volume),
            _ => set_phase(&volumes(), volume, "Released").into_iter().collect(),
        },
    }
}

/// What happens to a volume whose claim is gone. Volumes of external provisioners are left to those.
fn reclaim(volume: &Value) -> Vec<Action> {
    let provisioner = meta::annotation(volume, provision::PROVISIONED_BY);
    if str_at(volume, &["spec", "persistentVolumeReclaimPolicy"]) != "Delete"
        || meta::deletion_timestamp(volume).is_some()
        || provisioner.is_some_and(|name| name != provision::SIMULATED)
    {
        return Vec::new();
    }
    let path = get(volume, &["spec", "hostPath", "path"]).and_then(Value::as_str);
    let refusal = match path {
        _ if provisioner.is_some() => None,
        Some(path) if path.strip_prefix("/tmp/").is_some_and(|rest| !rest.is_empty()) => None,
        Some(path) => Some(format!("host_path deleter only supports /tmp/.+ but received provided {path}")),
        None => {
            let name = crate::object::go::quote(meta::name(volume));
            Some(format!("error getting deleter volume plugin for volume {name}: no deletable volume plugin matched"))
        }
    };
    let Some(message) = refusal else { return vec![Action::delete(&volumes(), volume)] };
    let status = json!({"status": {"phase": "Failed", "message": message}});
    vec![
        patch(&volumes(), volume, Some("status"), status),
        Action::Event { regarding: volume.clone(), type_: "Warning", reason: "VolumeFailedDelete", message },
    ]
}

fn sync_claim(world: &World<'_>, claim: &Value) -> Vec<Action> {
    let name = str_at(claim, &["spec", "volumeName"]);
    let all = world.cache.list(&volumes(), None);
    if !name.is_empty() {
        return match all.iter().find(|volume| meta::name(volume) == name) {
            Some(volume) if get(volume, &["spec", "claimRef"]).is_none_or(Value::is_null) || is_for(volume, claim) => {
                bind(claim, volume)
            }
            None if meta::annotation(claim, BIND_COMPLETED).is_some() => {
                set_phase(&claims(), claim, "Lost").into_iter().collect()
            }
            _ => set_phase(&claims(), claim, "Pending").into_iter().collect(),
        };
    }
    let delayed = waits_for_pod(world.cache, claim);
    let suitable = kept_for(&all, claim).or_else(|| if delayed { None } else { best_volume(&all, claim, None) });
    if let Some(volume) = suitable {
        return bind(claim, volume);
    }
    let mut actions: Vec<Action> = set_phase(&claims(), claim, "Pending").into_iter().collect();
    actions.extend(match (delayed && meta::annotation(claim, SELECTED_NODE).is_none(), claim) {
        (true, claim) => vec![waiting_for_pods(world, claim)],
        (false, claim) => provision::provision(world, claim),
    });
    actions.push(Action::RequeueAfter(REMIND));
    actions
}

/// Tells that the claim is bound only once a pod that uses it is scheduled.
fn waiting_for_pods(world: &World<'_>, claim: &Value) -> Action {
    let uses = |pod: &Value| {
        str_at(pod, &["spec", "nodeName"]).is_empty() && claim_names(pod).any(|name| name == meta::name(claim))
    };
    let all = world.cache.list(&pods(), Some(meta::namespace(claim)));
    let names: Vec<&str> = all.iter().filter(|pod| uses(pod)).map(|pod| meta::name(pod)).collect();
    let (reason, message) = match names[..] {
        [] => ("WaitForFirstConsumer", "waiting for first consumer to be created before binding".to_owned()),
        [name] => ("WaitForPodScheduled", format!("waiting for pod {name} to be scheduled")),
        _ => ("WaitForPodScheduled", format!("waiting for pods {} to be scheduled", names.join(","))),
    };
    Action::Event { regarding: claim.clone(), type_: "Normal", reason, message }
}

/// Keeps a volume for a claim.
pub fn keep(volume: &Value, claim: &Value) -> Action {
    let reference = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta::namespace(claim),
        "name": meta::name(claim), "uid": meta::uid(claim), "resourceVersion": meta::resource_version(claim),
    });
    let mut change = json!({"spec": {"claimRef": reference}});
    if get(volume, &["spec", "claimRef"]).is_none_or(Value::is_null) {
        meta::set(&mut change, &["metadata", "annotations", BOUND_BY_CONTROLLER], "yes");
    }
    // The resourceVersion keeps the volume from being given away twice.
    meta::set(&mut change, &["metadata", "resourceVersion"], meta::resource_version(volume));
    patch(&volumes(), volume, None, change)
}

/// One step of binding at a time: the volume names the claim, then the claim the volume, then their phases.
fn bind(claim: &Value, volume: &Value) -> Vec<Action> {
    let mut actions = Vec::new();
    if str_at(volume, &["spec", "claimRef", "uid"]) != meta::uid(claim) {
        actions.push(keep(volume, claim));
    }
    actions.extend(set_phase(&volumes(), volume, "Bound"));
    if meta::annotation(claim, BIND_COMPLETED).is_none() {
        let mut change = json!({"spec": {"volumeName": meta::name(volume)}});
        meta::set(&mut change, &["metadata", "annotations", BIND_COMPLETED], "yes");
        if str_at(claim, &["spec", "volumeName"]).is_empty() {
            meta::set(&mut change, &["metadata", "annotations", BOUND_BY_CONTROLLER], "yes");
        }
        actions.push(patch(&claims(), claim, None, change));
    }
    let status =
        json!({"phase": "Bound", "accessModes": volume["spec"]["accessModes"], "capacity": volume["spec"]["capacity"]});
    let same = |field: &str| get(claim, &["status", field]) == status.get(field);
    if !["phase", "accessModes", "capacity"].into_iter().all(same) {
        actions.push(patch(&claims(), claim, Some("status"), json!({"status": status})));
    }
    actions
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    fn volume(name: &str, size: &str) -> Arc<Value> {
        Arc::new(
            json!({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "status": {"phase": "Available"},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual"}}),
        )
    }

    #[test]
    fn the_smallest_volume_that_is_large_enough_is_bound() {
        let cache = Cache::default();
        let claim = json!({"metadata": {"name": "data", "namespace": "n", "uid": "c", "resourceVersion": "5"},
            "spec": {"storageClassName": "manual", "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "500Mi"}}}});
        cache.put(&claims(), Arc::new(claim));
        for volume in [volume("large", "10Gi"), volume("small", "100Mi"), volume("right", "1Gi")] {
            cache.put(&volumes(), volume);
        }
        let key = Key { namespace: "n".into(), name: "data".into() };
        let actions = VolumeBinder.reconcile(&World { cache: &cache, now: Utc::now() }, &key);
        let names: Vec<&str> = actions
            .iter()
            .map(|action| match action {
                Action::Patch { name, .. } => name.as_str(),
                other => panic!("only patches: {other:?}"),
            })
            .collect();
        assert_eq!(names, ["right", "right", "data", "data"]);
    }
}
