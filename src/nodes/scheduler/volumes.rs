//! The claims of a pod: which nodes their volumes allow, and binding those that wait for the pod.

use std::sync::Arc;

use serde_json::json;

use super::filter::{Refusal, for_now, never};
use super::view::Host;
use crate::controllers::runtime::{Action, Cache, Key, Resource};
use crate::controllers::volumes::ephemeral::{claim_of, is_of_pod};
use crate::controllers::volumes::keep;
use crate::controllers::volumes::matching::{
    BIND_COMPLETED, NO_PROVISIONER, SELECTED_NODE, best_volume, class_of, is_reachable, kept_for, waits_for_pod,
};
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

fn claims() -> Resource {
    Resource::new("", "v1", "persistentvolumeclaims")
}

/// A claim that is bound once its pod has a node.
struct Delayed {
    claim: Arc<Value>,
    /// Whether somebody makes volumes of its class.
    is_provisioned: bool,
}

/// The volumes of a pod.
#[derive(Default)]
pub(super) struct Volumes {
    /// The volumes that its claims are bound to.
    bound: Vec<Arc<Value>>,
    /// Whether a claim is bound to a volume that is gone.
    lost: bool,
    delayed: Vec<Delayed>,
    /// All volumes there are.
    all: Vec<Arc<Value>>,
    /// Claims that one pod at a time may use.
    exclusive: Vec<String>,
}

impl Volumes {
    /// # Errors
    /// Why a claim keeps the pod from every node.
    pub fn of(cache: &Cache, pod: &Value) -> Result<Self, String> {
        let mut volumes = Self::default();
        for volume in list_at(pod, &["spec", "volumes"]) {
            let Some(name) = claim_of(pod, volume) else { continue };
            let is_ephemeral = get(volume, &["ephemeral"]).is_some();
            let key = Key { namespace: meta::namespace(pod).to_owned(), name: name.clone() };
            let claim = match cache.get(&claims(), &key) {
                Some(claim) => claim,
                None if is_ephemeral => {
                    let what = "waiting for ephemeral volume controller to create the persistentvolumeclaim";
                    return Err(format!("{what} \"{name}\""));
                }
                None => return Err(format!("persistentvolumeclaim \"{name}\" not found")),
            };
            if is_ephemeral && !is_of_pod(&claim, pod) {
                let (namespace, pod) = (&key.namespace, meta::name(pod));
                return Err(format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{pod} (pod is not owner)"
                ));
            }
            volumes.add(cache, claim)?;
        }
        if !volumes.delayed.is_empty() {
            volumes.all = cache.list(&Resource::new("", "v1", "persistentvolumes"), None);
        }
        Ok(volumes)
    }

    fn add(&mut self, cache: &Cache, claim: Arc<Value>) -> Result<(), String> {
        let (name, volume) = (meta::name(&claim), str_at(&claim, &["spec", "volumeName"]));
        if str_at(&claim, &["status", "phase"]) == "Lost" {
            let what = "bound to non-existent persistentvolume";
            return Err(format!("persistentvolumeclaim \"{name}\" {what} \"{volume}\""));
        }
        if meta::deletion_timestamp(&claim).is_some() {
            return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if list_at(&claim, &["spec", "accessModes"]).iter().any(|mode| mode == "ReadWriteOncePod") {
            self.exclusive.push(name.to_owned());
        }
        if !volume.is_empty() && meta::annotation(&claim, BIND_COMPLETED).is_some() {
            match cache.get(&Resource::new("", "v1", "persistentvolumes"), &Key::cluster(volume)) {
                Some(volume) => self.bound.push(volume),
                None => self.lost = true,
            }
            return Ok(());
        }
        if !(volume.is_empty() && waits_for_pod(cache, &claim)) {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        let class = class_of(cache, &claim);
        let provisioner = class.as_deref().map(|class| str_at(class, &["provisioner"]).to_owned()).unwrap_or_default();
        let is_provisioned = !provisioner.is_empty() && provisioner != NO_PROVISIONER;
        self.delayed.push(Delayed { claim, is_provisioned });
        Ok(())
    }

    /// Whether every claim is bound, so that the pod may be.
    pub fn are_bound(&self) -> bool {
        self.delayed.is_empty()
    }

    /// What to write so that the claims get volumes on `node`; `None` when that is not possible.
    pub fn bind(&self, node: &Value) -> Option<Vec<Action>> {
        let mut actions = Vec::new();
        let mut left = self.all.clone();
        for delayed in &self.delayed {
            let claim = &delayed.claim;
            if let Some(kept) = kept_for(&left, claim) {
                is_reachable(kept, node).then_some(())?;
                continue;
            }
            let selected = meta::annotation(claim, SELECTED_NODE);
            if selected.is_some_and(|selected| selected != meta::name(node)) {
                return None;
            }
            if let Some(volume) = best_volume(&left, claim, Some(node)).cloned() {
                actions.push(keep(&volume, claim));
                left.retain(|other| meta::name(other) != meta::name(&volume));
                continue;
            }
            delayed.is_provisioned.then_some(())?;
            if selected.is_none() {
                let patch = json!({"metadata": {"uid": meta::uid(claim),
                    "annotations": {SELECTED_NODE: meta::name(node)}}});
                actions.push(Action::merge(&claims(), claim, patch));
            }
        }
        Some(actions)
    }

    /// Why the pod's volumes cannot be used on a node.
    pub fn refusals(&self, pod: &Value, host: &Host) -> Vec<Refusal> {
        let uses = |other: &Value| {
            let mut used = list_at(other, &["spec", "volumes"]).iter().filter_map(|volume| claim_of(other, volume));
            meta::namespace(other) == meta::namespace(pod) && used.any(|name| self.exclusive.contains(&name))
        };
        if !self.exclusive.is_empty() && host.pods.iter().any(|other| uses(other)) {
            return for_now(
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
            );
        }
        if self.lost {
            return never("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
        }
        if !self.bound.iter().all(|volume| is_reachable(volume, &host.node)) {
            return never("node(s) didn't match PersistentVolume's node affinity");
        }
        if !self.delayed.is_empty() && self.bind(&host.node).is_none() {
            return never("node(s) didn't find available persistent volumes to bind");
        }
        Vec::new()
    }
}
