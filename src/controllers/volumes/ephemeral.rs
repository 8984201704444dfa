//! Ephemeral volumes: each has a claim that is made for its pod and goes with it.

use serde_json::json;

use super::{claims, pods};
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Watch, World, owner_reference};
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

/// The name of the claim that a volume of a pod uses, if it uses one.
pub fn claim_of(pod: &Value, volume: &Value) -> Option<String> {
    if get(volume, &["ephemeral"]).is_some_and(|ephemeral| !ephemeral.is_null()) {
        return Some(format!("{}-{}", meta::name(pod), str_at(volume, &["name"])));
    }
    let name = str_at(volume, &["persistentVolumeClaim", "claimName"]);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether a claim was made for this pod.
pub fn is_of_pod(claim: &Value, pod: &Value) -> bool {
    meta::controller_of(claim).is_some_and(|owner| str_at(owner, &["uid"]) == meta::uid(pod))
}

/// Makes the claims of ephemeral volumes.
#[derive(Default)]
pub struct EphemeralVolumes;

impl Controller for EphemeralVolumes {
    fn name(&self) -> &'static str {
        "ephemeral-volume"
    }

    fn event_source(&self) -> &'static str {
        "ephemeral_volume"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_claim: fn(&Cache, &Change<'_>) -> Vec<Key> =
            |_, change| change.both().filter_map(Key::of_controller).collect();
        vec![Watch::own(pods()), Watch { resource: claims(), keys: of_claim }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(pod) = world.cache.get(&pods(), key) else { return Vec::new() };
        if meta::deletion_timestamp(&pod).is_some() {
            return Vec::new();
        }
        list_at(&pod, &["spec", "volumes"]).iter().filter_map(|volume| claim_for(world, &pod, volume)).collect()
    }
}

fn claim_for(world: &World<'_>, pod: &Value, volume: &Value) -> Option<Action> {
    let template = get(volume, &["ephemeral", "volumeClaimTemplate"])?;
    let name = claim_of(pod, volume)?;
    let key = Key { namespace: meta::namespace(pod).to_owned(), name: name.clone() };
    if let Some(claim) = world.cache.get(&claims(), &key) {
        let foreign = !is_of_pod(&claim, pod);
        return foreign.then(|| Action::Event {
            regarding: pod.clone(),
            type_: "Warning",
            reason: "FailedBinding",
            message: format!(
                "ephemeral volume {}: PVC {}/{name} was not created for pod {}/{} (pod is not owner)",
                str_at(volume, &["name"]),
                key.namespace,
                key.namespace,
                meta::name(pod)
            ),
        });
    }
    let mut owner = owner_reference(pod);
    owner["apiVersion"] = json!("v1");
    owner["kind"] = json!("Pod");
    let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": key.namespace, "ownerReferences": [owner]},
        "spec": template["spec"]});
    for field in ["annotations", "labels"] {
        if let Some(value) = get(template, &["metadata", field]) {
            claim["metadata"][field] = value.clone();
        }
    }
    Some(Action::Create { resource: claims(), object: claim })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    #[test]
    fn a_claim_is_made_for_each_ephemeral_volume() {
        let cache = Cache::default();
        let spec = json!({"accessModes": ["ReadWriteOnce"]});
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "uid": "P", "resourceVersion": "1"},
            "spec": {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate":
                {"metadata": {"labels": {"a": "b"}}, "spec": spec}}}, {"name": "other", "emptyDir": {}}]}});
        cache.put(&pods(), Arc::new(pod.clone()));
        let world = World { cache: &cache, now: Utc::now() };
        let actions = EphemeralVolumes.reconcile(&world, &Key::of(&pod));
        let [Action::Create { object, .. }] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((meta::name(object), &object["spec"]), ("p-scratch", &spec));
        let mut claim = object.clone();
        claim["metadata"]["resourceVersion"] = json!("2");
        cache.put(&claims(), Arc::new(claim));
        assert_eq!(EphemeralVolumes.reconcile(&world, &Key::of(&pod)), vec![]);
    }
}
