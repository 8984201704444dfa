//! Rows of volumes, claims and the group storage.

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::{Value, meta};

pub(super) const ROWS: &[RowOf] = &[
    ("", "PersistentVolume", volume),
    ("", "PersistentVolumeClaim", claim),
    ("storage.k8s.io", "CSIDriver", csi_driver),
    ("storage.k8s.io", "CSINode", csi_node),
    ("storage.k8s.io", "StorageClass", storage_class),
    ("storage.k8s.io", "VolumeAttachment", attachment),
    ("storage.k8s.io", "VolumeAttributesClass", attributes_class),
];

fn phase<'a>(row: &Row<'a>) -> &'a str {
    if row.deleted() { "Terminating" } else { row.text(&["status", "phase"]) }
}

fn volume(row: &Row<'_>) -> Vec<Value> {
    let claim = row
        .get(&["spec", "claimRef"])
        .map(|claim| format!("{}/{}", meta::str_at(claim, &["namespace"]), meta::str_at(claim, &["name"])));
    vec![
        row.name(),
        json!(text::quantity(row.get(&["spec", "capacity", "storage"]))),
        json!(text::access_modes(row.list(&["spec", "accessModes"]))),
        json!(row.text(&["spec", "persistentVolumeReclaimPolicy"])),
        json!(phase(row)),
        json!(claim.unwrap_or_default()),
        json!(text::storage_class(row.object)),
        json!(row.text_or(&["spec", "volumeAttributesClassName"], "<unset>")),
        json!(row.text(&["status", "reason"])),
        row.age(),
        json!(row.text_or(&["spec", "volumeMode"], "<unset>")),
    ]
}

fn claim(row: &Row<'_>) -> Vec<Value> {
    let volume = row.text(&["spec", "volumeName"]);
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (
            text::quantity(row.get(&["status", "capacity", "storage"])),
            text::access_modes(row.list(&["status", "accessModes"])),
        )
    };
    vec![
        row.name(),
        json!(phase(row)),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(text::storage_class(row.object)),
        json!(row.text_or(&["spec", "volumeAttributesClassName"], "<unset>")),
        row.age(),
        json!(row.text_or(&["spec", "volumeMode"], "<unset>")),
    ]
}

fn csi_driver(row: &Row<'_>) -> Vec<Value> {
    let spec_flag =
        |field: &str, otherwise: bool| json!(row.get(&["spec", field]).and_then(Value::as_bool).unwrap_or(otherwise));
    let audiences = row.get(&["spec", "tokenRequests"]).map_or_else(
        || "<unset>".to_owned(),
        |_| {
            let requests = row.list(&["spec", "tokenRequests"]).iter();
            requests.map(|r| meta::str_at(r, &["audience"])).collect::<Vec<_>>().join(",")
        },
    );
    let modes: Vec<&str> = row.list(&["spec", "volumeLifecycleModes"]).iter().filter_map(Value::as_str).collect();
    vec![
        row.name(),
        spec_flag("attachRequired", true),
        spec_flag("podInfoOnMount", false),
        spec_flag("storageCapacity", false),
        json!(audiences),
        spec_flag("requiresRepublish", false),
        json!(text::or_none(modes.join(","))),
        row.age(),
    ]
}

fn csi_node(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.list(&["spec", "drivers"]).len()), row.age()]
}

/// Whether an annotation, current or beta, makes a storage class the default one.
pub fn is_default_class(class: &Value) -> bool {
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
        .iter()
        .any(|key| meta::annotation(class, key) == Some("true"))
}

fn storage_class(row: &Row<'_>) -> Vec<Value> {
    let default = if is_default_class(row.object) { " (default)" } else { "" };
    vec![
        json!(format!("{}{default}", meta::name(row.object))),
        json!(row.text(&["provisioner"])),
        json!(row.text_or(&["reclaimPolicy"], "Delete")),
        json!(row.text_or(&["volumeBindingMode"], "Immediate")),
        json!(row.flag(&["allowVolumeExpansion"])),
        row.age(),
    ]
}

fn attachment(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text(&["spec", "attacher"])),
        json!(row.text(&["spec", "source", "persistentVolumeName"])),
        json!(row.text(&["spec", "nodeName"])),
        json!(row.flag(&["status", "attached"])),
        row.age(),
    ]
}

fn attributes_class(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text(&["driverName"])), row.age()]
}
