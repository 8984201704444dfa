//! Makes volumes larger when their claims ask for more.

use serde_json::json;

use super::{claims, provision, volumes};
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Watch, World};
use crate::object::meta::{get, list_at, str_at};
use crate::object::quantity::{self, Quantity};
use crate::object::{Value, meta};

/// The volume expander: does the work for simulated volumes, and leaves all others to their drivers.
#[derive(Default)]
pub struct VolumeExpander;

/// The conditions of a claim that end when it has its size.
const UNDER_WAY: [&str; 2] = ["Resizing", "FileSystemResizePending"];

impl Controller for VolumeExpander {
    fn name(&self) -> &'static str {
        "persistentvolume-expander"
    }

    fn event_source(&self) -> &'static str {
        "volume_expand"
    }

    fn watches(&self) -> Vec<Watch> {
        // Only a claim that asks for more than it did is of interest.
        let grown: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| match (change.old, change.new) {
            (Some(old), Some(new)) if asked(new) <= asked(old) => Vec::new(),
            _ => vec![Key::of(change.object())],
        };
        vec![Watch { resource: claims(), keys: grown }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(claim) = world.cache.get(&claims(), key) else { return Vec::new() };
        let given = size(&claim, &["status", "capacity", "storage"]);
        let (Some(asked), Some(given)) = (asked(&claim), given) else { return Vec::new() };
        if str_at(&claim, &["status", "phase"]) != "Bound" || asked <= given {
            return Vec::new();
        }
        let name = str_at(&claim, &["spec", "volumeName"]);
        let Some(volume) = world.cache.get(&volumes(), &Key::cluster(name)) else { return Vec::new() };
        if meta::annotation(&volume, provision::PROVISIONED_BY) == Some(provision::SIMULATED) {
            return expand(&claim, &volume);
        }
        let message = "waiting for an external controller to expand this PVC".to_owned();
        vec![Action::Event { regarding: claim.as_ref().clone(), type_: "Normal", reason: "ExternalExpanding", message }]
    }
}

fn size(object: &Value, path: &[&str]) -> Option<Quantity> {
    quantity::from_value(get(object, path)?).ok()
}

fn asked(claim: &Value) -> Option<Quantity> {
    size(claim, &["spec", "resources", "requests", "storage"])
}

/// The volume grows first, then the claim tells so.
fn expand(claim: &Value, volume: &Value) -> Vec<Action> {
    let mut actions = Vec::new();
    let wanted = claim["spec"]["resources"]["requests"]["storage"].clone();
    if size(volume, &["spec", "capacity", "storage"]) < asked(claim) {
        let patch = json!({"metadata": {"uid": meta::uid(volume)}, "spec": {"capacity": {"storage": wanted}}});
        actions.push(Action::merge(&volumes(), volume, patch));
    }
    let conditions = list_at(claim, &["status", "conditions"]).iter();
    let left: Vec<&Value> = conditions.filter(|c| !UNDER_WAY.contains(&str_at(c, &["type"]))).collect();
    let conditions = if left.is_empty() { Value::Null } else { json!(left) };
    let status = json!({"capacity": {"storage": wanted}, "conditions": conditions});
    actions.push(Action::merge_status(&claims(), claim, status));
    let message = format!("ExpandVolume succeeded for volume {}/{}", meta::namespace(claim), meta::name(claim));
    actions.push(Action::Event {
        regarding: claim.clone(),
        type_: "Normal",
        reason: "VolumeResizeSuccessful",
        message,
    });
    actions
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    fn turn(provisioner: &str, asked: &str) -> Vec<Action> {
        let cache = Cache::default();
        let claim = json!({"metadata": {"name": "c", "namespace": "n", "uid": "C", "resourceVersion": "1"},
            "spec": {"volumeName": "v", "resources": {"requests": {"storage": asked}}},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}});
        let volume = json!({"metadata": {"name": "v", "uid": "V", "resourceVersion": "2",
            "annotations": {provision::PROVISIONED_BY: provisioner}}, "spec": {"capacity": {"storage": "1Gi"}}});
        cache.put(&claims(), Arc::new(claim));
        cache.put(&volumes(), Arc::new(volume));
        let key = Key { namespace: "n".into(), name: "c".into() };
        VolumeExpander.reconcile(&World { cache: &cache, now: Utc::now() }, &key)
    }

    #[test]
    fn simulated_volumes_grow() {
        assert_eq!(turn(provision::SIMULATED, "1024Mi"), []);
        let actions = turn(provision::SIMULATED, "2Gi");
        let [Action::Patch { patch: volume, .. }, Action::Patch { patch: claim, .. }, Action::Event { .. }] =
            &actions[..]
        else {
            panic!("{actions:?}")
        };
        assert_eq!(volume["spec"]["capacity"]["storage"], "2Gi");
        assert_eq!(claim["status"]["capacity"]["storage"], "2Gi");
        let left = turn("example.com/csi", "2Gi");
        assert!(matches!(&left[..], [Action::Event { reason: "ExternalExpanding", .. }]), "{left:?}");
    }
}
