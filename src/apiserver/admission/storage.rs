//! Default classes of claims and ingresses, finalizers of volumes in use, resizing of claims.

use super::{Attributes, Operation};
use crate::apiserver::core::Core;
use crate::object::{Status, Value, meta, quantity};

/// The objects under `prefix` that one of `annotations` marks as the default: the newest, of equally old ones the first
/// by name.
fn default_class(core: &Core, prefix: &str, annotations: &[&str]) -> Option<String> {
    let entries = core.store.list(prefix, None).entries;
    let classes = entries.iter().map(|entry| entry.object("", ""));
    let is_default =
        |class: &Value| annotations.iter().any(|name| meta::annotation(class, name).is_some_and(|v| v == "true"));
    let mut found: Vec<(String, String)> = classes
        .filter(is_default)
        .map(|class| {
            (meta::str_at(&class, &["metadata", "creationTimestamp"]).to_owned(), meta::name(&class).to_owned())
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().next().map(|(_, name)| name)
}

/// `DefaultStorageClass`.
pub fn default_storage_class(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("", "persistentvolumeclaims", "") {
        return Ok(());
    }
    let Some(claim) = &mut attributes.object else { return Ok(()) };
    let named = meta::get(claim, &["spec", "storageClassName"]).is_some_and(|name| !name.is_null());
    if named || meta::annotation(claim, "volume.beta.kubernetes.io/storage-class").is_some() {
        return Ok(());
    }
    const MARKS: &[&str] =
        &["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    if let Some(class) = default_class(core, "/registry/storageclasses/", MARKS) {
        meta::set(claim, &["spec", "storageClassName"], class);
    }
    Ok(())
}

/// `DefaultIngressClass`.
pub fn default_ingress_class(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("networking.k8s.io", "ingresses", "") {
        return Ok(());
    }
    let Some(ingress) = &mut attributes.object else { return Ok(()) };
    let named = meta::get(ingress, &["spec", "ingressClassName"]).is_some_and(|name| !name.is_null());
    if named || meta::annotation(ingress, "kubernetes.io/ingress.class").is_some() {
        return Ok(());
    }
    const MARKS: &[&str] = &["ingressclass.kubernetes.io/is-default-class"];
    if let Some(class) = default_class(core, "/registry/ingressclasses/", MARKS) {
        meta::set(ingress, &["spec", "ingressClassName"], class);
    }
    Ok(())
}

/// The finalizers that keep objects of storage for as long as they are used.
const PROTECTION: &[(&str, &str, &str)] = &[
    ("", "persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("", "persistentvolumes", "kubernetes.io/pv-protection"),
    ("storage.k8s.io", "volumeattributesclasses", "kubernetes.io/vac-protection"),
];

/// `StorageObjectInUseProtection`.
pub fn protect(_: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create {
        return Ok(());
    }
    let row = PROTECTION.iter().find(|(group, resource, _)| attributes.is_for(group, resource, ""));
    let (Some((_, _, finalizer)), Some(object)) = (row, &mut attributes.object) else { return Ok(()) };
    if meta::finalizers(object).any(|present| present == *finalizer) {
        return Ok(());
    }
    let mut finalizers: Vec<Value> = meta::finalizers(object).map(Value::from).collect();
    finalizers.push((*finalizer).into());
    meta::set(object, &["metadata", "finalizers"], finalizers);
    Ok(())
}

/// `PersistentVolumeClaimResize`: only bound claims of classes that allow it grow.
pub fn resize(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Update || !attributes.is_for("", "persistentvolumeclaims", "") {
        return Ok(());
    }
    let (Some(new), Some(old)) = (&attributes.object, &attributes.old) else { return Ok(()) };
    let size = |claim: &Value| {
        let value = meta::get(claim, &["spec", "resources", "requests", "storage"]);
        value.and_then(|value| quantity::from_value(value).ok()).unwrap_or_else(quantity::Quantity::zero)
    };
    if size(new) <= size(old) {
        return Ok(());
    }
    if meta::str_at(old, &["status", "phase"]) != "Bound" {
        return Err(attributes.forbidden("only bound persistent volume claims can be expanded"));
    }
    let class_of = |claim: &Value| {
        let annotated = meta::annotation(claim, "volume.beta.kubernetes.io/storage-class");
        annotated.unwrap_or_else(|| meta::str_at(claim, &["spec", "storageClassName"])).to_owned()
    };
    let (class, before) = (class_of(new), class_of(old));
    let entry = core.store.get(&format!("/registry/storageclasses/{class}"));
    let allows = entry.is_some_and(|e| meta::bool_at(&e.object("storage.k8s.io/v1", ""), &["allowVolumeExpansion"]));
    if class.is_empty() || before.is_empty() || class != before || !allows {
        return Err(attributes.forbidden(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
             support resize",
        ));
    }
    Ok(())
}
