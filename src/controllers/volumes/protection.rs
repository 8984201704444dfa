//! Claims that a pod uses and volumes that a claim is bound to wait with going away.

use serde_json::json;

use super::{claims, ephemeral, pods, volumes};
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{list_at, str_at};
use crate::object::{Value, meta};

/// Holds a claim while pods use it.
#[derive(Default)]
pub struct ClaimProtection;

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";

impl Controller for ClaimProtection {
    fn name(&self) -> &'static str {
        "persistentvolumeclaim-protection"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_pod: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| {
            let namespace = meta::namespace(change.object()).to_owned();
            let names = change.both().flat_map(claim_names);
            names.map(|name| Key { namespace: namespace.clone(), name }).collect()
        };
        vec![Watch::own(claims()), Watch { resource: pods(), keys: of_pod }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(claim) = world.cache.get(&claims(), key) else { return Vec::new() };
        let ended = |pod: &Value| matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed");
        let uses = |pod: &Value| {
            !ended(pod)
                && !str_at(pod, &["spec", "nodeName"]).is_empty()
                && claim_names(pod).any(|name| name == key.name)
        };
        let in_use = world.cache.list(&pods(), Some(&key.namespace)).iter().any(|pod| uses(pod));
        hold(&claims(), &claim, CLAIM_FINALIZER, in_use)
    }
}

/// The claims that a pod's volumes name, those made for it included.
pub(super) fn claim_names(pod: &Value) -> impl Iterator<Item = String> {
    let volumes = list_at(pod, &["spec", "volumes"]).iter();
    volumes.filter_map(|volume| ephemeral::claim_of(pod, volume))
}

/// Holds a volume while a claim is bound to it.
#[derive(Default)]
pub struct VolumeProtection;

const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

impl Controller for VolumeProtection {
    fn name(&self) -> &'static str {
        "persistentvolume-protection"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(volumes())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(volume) = world.cache.get(&volumes(), key) else { return Vec::new() };
        hold(&volumes(), &volume, VOLUME_FINALIZER, str_at(&volume, &["status", "phase"]) == "Bound")
    }
}

/// Puts the finalizer on what is not going away, and takes it from what is and is not in use.
fn hold(resource: &Resource, object: &Value, finalizer: &str, in_use: bool) -> Vec<Action> {
    let held = meta::finalizers(object).any(|name| name == finalizer);
    let going = meta::deletion_timestamp(object).is_some();
    let mut finalizers: Vec<&str> = meta::finalizers(object).collect();
    match (going, held) {
        (false, false) => finalizers.push(finalizer),
        (true, true) if !in_use => finalizers.retain(|name| *name != finalizer),
        _ => return Vec::new(),
    }
    vec![Action::merge(
        resource,
        object,
        json!({"metadata": {"uid": meta::uid(object),
            "resourceVersion": meta::resource_version(object), "finalizers": finalizers}}),
    )]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    #[test]
    fn a_claim_in_use_waits() {
        let cache = Cache::default();
        let claim = json!({"metadata": {"name": "data", "namespace": "n", "uid": "c", "resourceVersion": "1",
            "deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": [CLAIM_FINALIZER]}});
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "uid": "p", "resourceVersion": "2"},
            "spec": {"nodeName": "a", "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}});
        cache.put(&claims(), Arc::new(claim));
        cache.put(&pods(), Arc::new(pod.clone()));
        let (world, key) =
            (World { cache: &cache, now: Utc::now() }, Key { namespace: "n".into(), name: "data".into() });
        assert_eq!(ClaimProtection.reconcile(&world, &key), vec![]);
        cache.remove(&pods(), &Key::of(&pod), 0);
        let actions = ClaimProtection.reconcile(&world, &key);
        assert!(matches!(&actions[..], [Action::Patch { patch, .. }] if patch["metadata"]["finalizers"] == json!([])));
    }
}
