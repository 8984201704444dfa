//! Making volumes for claims: by the simulated provisioner; others are waited for.

use serde_json::json;

use super::matching::{NO_PROVISIONER, SELECTED_NODE, class_of};
use super::{claims, volumes};
use crate::controllers::runtime::{Action, World};
use crate::object::go::quote;
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

/// The provisioner that is built in: its volumes are folders of nodes that are not there.
pub const SIMULATED: &str = "knarr.io/host-path";
/// The note on a volume with the name of its provisioner.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The notes on a claim with the name of the provisioner that is asked.
const ASKED: [&str; 2] = ["volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"];

fn event(claim: &Value, type_: &'static str, reason: &'static str, message: String) -> Action {
    Action::Event { regarding: claim.clone(), type_, reason, message }
}

/// What to do for a claim that no volume suits.
pub(super) fn provision(world: &World<'_>, claim: &Value) -> Vec<Action> {
    let name = str_at(claim, &["spec", "storageClassName"]);
    if name.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set".to_owned();
        return vec![event(claim, "Normal", "FailedBinding", message)];
    }
    let Some(class) = class_of(world.cache, claim) else {
        let message = format!("storageclass.storage.k8s.io {} not found", quote(name));
        return vec![event(claim, "Warning", "ProvisioningFailed", message)];
    };
    match str_at(&class, &["provisioner"]) {
        SIMULATED => simulate(claim, &class),
        provisioner if provisioner == NO_PROVISIONER || provisioner.starts_with("kubernetes.io/") => {
            let message = format!("no volume plugin matched name: {provisioner}");
            vec![event(claim, "Warning", "ProvisioningFailed", message)]
        }
        provisioner => ask(claim, provisioner),
    }
}

/// Asks an external provisioner, and tells that the claim waits for it.
fn ask(claim: &Value, provisioner: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    if ASKED.iter().any(|note| meta::annotation(claim, note) != Some(provisioner)) {
        let notes = ASKED.map(|note| (note.to_owned(), json!(provisioner)));
        let notes = Value::Object(notes.into_iter().collect());
        let patch = json!({"metadata": {"uid": meta::uid(claim), "annotations": notes}});
        actions.push(Action::merge(&claims(), claim, patch));
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
         system administrator. If volume creation is delayed, please verify that the provisioner is running and \
         correctly registered."
    );
    actions.push(event(claim, "Normal", "ExternalProvisioning", message));
    actions
}

fn simulate(claim: &Value, class: &Value) -> Vec<Action> {
    let name = format!("pvc-{}", meta::uid(claim));
    let policy = match str_at(class, &["reclaimPolicy"]) {
        "" => "Delete",
        policy => policy,
    };
    let mut volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: SIMULATED}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta::namespace(claim),
                "name": meta::name(claim), "uid": meta::uid(claim),
                "resourceVersion": meta::resource_version(claim)},
            "hostPath": {"path": format!("/var/lib/knarr/volumes/{name}"), "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": meta::name(class),
        },
    });
    if let Some(mode) = get(claim, &["spec", "volumeMode"]) {
        volume["spec"]["volumeMode"] = mode.clone();
    }
    let options = list_at(class, &["mountOptions"]);
    if !options.is_empty() {
        volume["spec"]["mountOptions"] = json!(options);
    }
    if let Some(node) = meta::annotation(claim, SELECTED_NODE) {
        let term = json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]});
        volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [term]}});
    }
    let message = format!("Successfully provisioned volume {name} using {SIMULATED}");
    let told = Box::new(event(claim, "Normal", "ProvisioningSucceeded", message));
    vec![Action::CreateAndTell { resource: volumes(), object: volume, event: told }]
}
