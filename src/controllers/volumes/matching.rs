//! Which volume suits a claim (`component-helpers/storage/volume`).

use std::sync::Arc;

use crate::controllers::placement::term_matches;
use crate::controllers::runtime::{Cache, Key, Resource};
use crate::object::meta::{get, list_at, str_at};
use crate::object::quantity::{self, Quantity};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The note on claims and volumes whose binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The note on claims and volumes that were bound by the controller, not by people.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// The node for which the scheduler wants a claim's volume to be made.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of storage classes whose volumes people make.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Whether a volume is kept for this claim.
pub fn is_for(volume: &Value, claim: &Value) -> bool {
    let uid = str_at(volume, &["spec", "claimRef", "uid"]);
    str_at(volume, &["spec", "claimRef", "namespace"]) == meta::namespace(claim)
        && str_at(volume, &["spec", "claimRef", "name"]) == meta::name(claim)
        && (uid.is_empty() || uid == meta::uid(claim))
}

/// The class that a claim or volume names, if it is there.
pub fn class_of(cache: &Cache, object: &Value) -> Option<Arc<Value>> {
    let name = str_at(object, &["spec", "storageClassName"]);
    cache.get(&Resource::new("storage.k8s.io", "v1", "storageclasses"), &Key::cluster(name))
}

/// Whether the claim's class binds it only once a pod is there.
pub fn waits_for_pod(cache: &Cache, claim: &Value) -> bool {
    let class = class_of(cache, claim);
    class.is_some_and(|class| str_at(&class, &["volumeBindingMode"]) == "WaitForFirstConsumer")
}

/// Whether a volume can be reached from a node.
pub fn is_reachable(volume: &Value, node: &Value) -> bool {
    let required = get(volume, &["spec", "nodeAffinity", "required"]).filter(|required| !required.is_null());
    required.is_none_or(|r| list_at(r, &["nodeSelectorTerms"]).iter().any(|term| term_matches(term, node)))
}

/// How much a volume holds.
fn capacity(volume: &Value) -> Quantity {
    let capacity = get(volume, &["spec", "capacity", "storage"]);
    capacity.and_then(|q| quantity::from_value(q).ok()).unwrap_or_else(Quantity::zero)
}

fn mode(object: &Value) -> &str {
    match str_at(object, &["spec", "volumeMode"]) {
        "" => "Filesystem",
        mode => mode,
    }
}

/// The volume that is kept for a claim.
pub fn kept_for<'a>(all: &'a [Arc<Value>], claim: &Value) -> Option<&'a Arc<Value>> {
    all.iter().find(|volume| is_for(volume, claim))
}

/// The smallest free volume that suits a claim: of its class and mode, large enough, with its access modes. With a
/// node, only those that can be reached from it.
pub fn best_volume<'a>(all: &'a [Arc<Value>], claim: &Value, node: Option<&Value>) -> Option<&'a Arc<Value>> {
    let asked = get(claim, &["spec", "resources", "requests", "storage"]);
    let asked = asked.and_then(|q| quantity::from_value(q).ok()).unwrap_or_else(Quantity::zero);
    let selector = get(claim, &["spec", "selector"]).filter(|s| !s.is_null());
    let selector = selector.and_then(|s| LabelSelector::from_struct(s).ok());
    let has_modes = |volume: &Value| {
        let modes = list_at(volume, &["spec", "accessModes"]);
        list_at(claim, &["spec", "accessModes"]).iter().all(|mode| modes.contains(mode))
    };
    let fits = |volume: &&Arc<Value>| {
        get(volume, &["spec", "claimRef"]).is_none_or(Value::is_null)
            && meta::deletion_timestamp(volume).is_none()
            && str_at(volume, &["spec", "storageClassName"]) == str_at(claim, &["spec", "storageClassName"])
            && str_at(volume, &["spec", "volumeAttributesClassName"])
                == str_at(claim, &["spec", "volumeAttributesClassName"])
            && mode(volume) == mode(claim)
            && has_modes(volume)
            && node.is_none_or(|node| is_reachable(volume, node))
            && selector.as_ref().is_none_or(|selector| selector.matches_object(volume))
            && capacity(volume).cmp(&asked).is_ge()
    };
    all.iter().filter(fits).min_by(|a, b| capacity(a).cmp(&capacity(b)).then(meta::name(a).cmp(meta::name(b))))
}
