//! The volume claims of the pods: made with them, and owned so that they go when the retention policy says.

use serde_json::json;

use super::identity;
use crate::controllers::runtime::{Action, Key, Resource, World, owner_reference};
use crate::object::meta::{list_at, str_at};
use crate::object::{Value, meta};

fn claims() -> Resource {
    Resource::new("", "v1", "persistentvolumeclaims")
}

/// The name of a claim: its template's, the set's and the pod's number.
pub(super) fn name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", meta::name(template), meta::name(set))
}

/// Whether claims go away: with the set, and with pods that are scaled away.
fn goes(set: &Value) -> (bool, bool) {
    let deletes = |field: &str| str_at(set, &["spec", "persistentVolumeClaimRetentionPolicy", field]) == "Delete";
    (deletes("whenDeleted"), deletes("whenScaled"))
}

/// Makes the claims of a number that are not there yet.
pub(super) fn create_missing(world: &World<'_>, set: &Value, ordinal: i64, pod: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    for template in list_at(set, &["spec", "volumeClaimTemplates"]) {
        let name = name(set, template, ordinal);
        let key = Key { namespace: meta::namespace(set).to_owned(), name: name.clone() };
        if world.cache.get(&claims(), &key).is_some() {
            continue;
        }
        let message = format!("create Claim {name} Pod {pod} in StatefulSet {} success", meta::name(set));
        let event = Action::Event { regarding: set.clone(), type_: "Normal", reason: "SuccessfulCreate", message };
        let object = new(set, template, name);
        actions.push(Action::CreateAndTell { resource: claims(), object, event: Box::new(event) });
    }
    actions
}

/// The name of a claim with that of the pod that it is for, as events tell it.
pub(super) fn with_pod(set: &Value, claim: &str) -> String {
    let ordinal = claim.rsplit('-').next().unwrap_or_default();
    format!("{claim} Pod {}-{ordinal}", meta::name(set))
}

fn new(set: &Value, template: &Value, name: String) -> Value {
    let mut claim = template.clone();
    meta::remove(&mut claim, &["status"]);
    claim["apiVersion"] = json!("v1");
    claim["kind"] = json!("PersistentVolumeClaim");
    meta::set(&mut claim, &["metadata", "name"], name);
    meta::set(&mut claim, &["metadata", "namespace"], meta::namespace(set));
    for (key, value) in meta::texts(meta::map_at(set, &["spec", "selector", "matchLabels"])) {
        meta::set(&mut claim, &["metadata", "labels", key], value);
    }
    if goes(set).0 {
        meta::set(&mut claim, &["metadata", "ownerReferences"], json!([owner_reference(set)]));
    }
    claim
}

/// Brings the owners of a pod's claims in line with the retention policy. A pod that is scaled away (`condemned`) takes
/// its claims with it when the policy says so.
pub(super) fn set_owners(world: &World<'_>, set: &Value, pod: &Value, condemned: bool) -> Vec<Action> {
    let Some(ordinal) = identity::ordinal(set, pod) else { return Vec::new() };
    let (with_set, with_pod) = goes(set);
    let by_pod = with_pod && condemned;
    let by_set = with_set && !by_pod;
    let mut actions = Vec::new();
    for template in list_at(set, &["spec", "volumeClaimTemplates"]) {
        let key = Key { namespace: meta::namespace(set).to_owned(), name: name(set, template, ordinal) };
        let Some(claim) = world.cache.get(&claims(), &key) else { continue };
        let is = |owner: &Value, object: &Value| str_at(owner, &["uid"]) == meta::uid(object);
        let mut owners: Vec<Value> = meta::owner_references(&claim).to_vec();
        let before = owners.clone();
        owners.retain(|owner| (by_set || !is(owner, set)) && (by_pod || !is(owner, pod)));
        for (wanted, object) in [(by_set, set), (by_pod, pod)] {
            if wanted && !owners.iter().any(|owner| is(owner, object)) {
                owners.push(owner_reference(object));
            }
        }
        if owners != before {
            let patch = json!({"metadata": {"uid": meta::uid(&claim), "ownerReferences": owners}});
            actions.push(Action::merge(&claims(), &claim, patch));
        }
    }
    actions
}
