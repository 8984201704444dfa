//! Persistent volumes and claims.

use serde_json::json;

use super::pod::{resources, scheduling, volumes, warnings as pod_warnings};
use super::value::Fields;
use super::{GENERIC, MetaCheck, Rules, StatusSplit, check, internal, quantity};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta};

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "PersistentVolume",
        update_meta: &[MetaCheck::Create, MetaCheck::Create],
        prepare_create: |volume, context| {
            let now = context.now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            meta::set(volume, &["status"], json!({"phase": "Pending", "lastPhaseTransitionTime": now}));
        },
        prepare_status_update: |new, old, context| {
            let (now, before) = (new.at("status").text("phase"), old.at("status").text("phase"));
            if now != before
                && new.at("status").at("lastPhaseTransitionTime") == old.at("status").at("lastPhaseTransitionTime")
            {
                let time = context.now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                meta::set(new, &["status", "lastPhaseTransitionTime"], time);
            }
        },
        validate_create: volume,
        validate_update: volume_update,
        validate_status_update: |new, _| needs_version(new),
        status: StatusSplit::Status,
        ..GENERIC
    },
    Rules {
        kind: "PersistentVolumeClaim",
        update_meta: &[MetaCheck::Create, MetaCheck::Update, MetaCheck::Create],
        prepare_create: |claim, _| {
            drop_foreign_source(claim);
            sync_data_source(claim);
        },
        prepare_update: |claim, old, _| {
            if !old.at("spec").has("dataSource") && !old.at("spec").has("dataSourceRef") {
                drop_foreign_source(claim);
            }
            sync_data_source(claim);
        },
        validate_create: |claim| claim_errors(claim, None),
        validate_update: claim_update,
        validate_status_update: claim_status,
        warnings: |claim, _| {
            let mut out = Vec::new();
            beta_class(&mut out, claim);
            pod_warnings::storage(&mut out, &Path::new("spec"), claim.at("spec"));
            out
        },
        status: StatusSplit::Status,
        ..GENERIC
    },
];

fn needs_version(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    check::required(&mut errors, &Path::new("resourceVersion"), object.at("metadata").text("resourceVersion"));
    errors
}

fn access_modes(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let modes = spec.texts("accessModes");
    for mode in &modes {
        check::one_of(errors, path, mode, ACCESS_MODES);
    }
    let other = modes.iter().any(|mode| ACCESS_MODES.contains(mode) && *mode != "ReadWriteOncePod");
    if modes.contains(&"ReadWriteOncePod") && other {
        errors.push(Error::forbidden(path, "may not use ReadWriteOncePod with other access modes"));
    }
}

fn volume(volume: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), volume.at("spec"));
    let modes_path = path.child("accessModes");
    if spec.list("accessModes").is_empty() {
        e.push(Error::required(&modes_path, ""));
    }
    access_modes(e, &modes_path, spec);
    capacity(e, &path.child("capacity"), spec);
    let policy = spec.text("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        check::one_of(e, &path.child("persistentVolumeReclaimPolicy"), policy, &["Delete", "Recycle", "Retain"]);
    }
    let affinity = spec.some("nodeAffinity");
    if let Some(affinity) = affinity {
        let path = path.child("nodeAffinity").child("required");
        match affinity.some("required") {
            Some(required) => scheduling::node_selector(e, &path, required, false),
            None => e.push(Error::required(&path, "must specify required node constraints")),
        }
    }
    let sources = volumes::persistent_source(e, &path, spec, volume.at("metadata").text("name"));
    if spec.has("local") && affinity.is_none() {
        e.push(Error::required(&path.child("nodeAffinity"), "Local volume requires node affinity"));
    }
    if sources == 0 {
        e.push(Error::required(&path, "must specify a volume type"));
    }
    let host = spec.at("hostPath").text("path");
    let root = !host.is_empty() && host.split('/').all(|part| matches!(part, "" | "." | ".."));
    if root && policy == "Recycle" {
        let message = "may not be 'recycle' for a hostPath mount of '/'";
        e.push(Error::forbidden(&path.child("persistentVolumeReclaimPolicy"), message));
    }
    class_and_mode(e, &path, spec);
    if let Some(class) = spec.opt_text("volumeAttributesClassName") {
        let class_path = path.child("volumeAttributesClassName");
        if class.is_empty() {
            e.push(Error::required(&class_path, "an empty string is disallowed"));
        } else {
            check::dns_subdomain(e, &class_path, class);
        }
        if !spec.has("csi") {
            let message = "has to be specified when using volumeAttributesClassName";
            e.push(Error::required(&path.child("csi"), message));
        }
    }
    errors
}

fn class_and_mode(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        check::dns_subdomain(errors, &path.child("storageClassName"), class);
    }
    if let Some(mode) = spec.opt_text("volumeMode") {
        check::one_of(errors, &path.child("volumeMode"), mode, VOLUME_MODES);
    }
}

fn capacity(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let capacity = quantity::list(spec.at("capacity"));
    if capacity.is_empty() {
        errors.push(Error::required(path, ""));
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        errors.push(Error::not_supported(path, spec.at("capacity").clone(), &["storage"]));
    }
    for (name, amount) in &capacity {
        let path = path.key(name);
        basic(errors, &path, amount);
        positive(errors, &path, amount);
    }
}

fn basic(errors: &mut ErrorList, path: &Path, amount: &crate::object::quantity::Quantity) {
    if amount.value() < 0 {
        errors.push(Error::invalid(path, amount.value(), "must be a valid resource quantity"));
    }
}

fn positive(errors: &mut ErrorList, path: &Path, amount: &crate::object::quantity::Quantity) -> bool {
    let fine = amount.sign() > 0;
    if !fine {
        errors.push(Error::invalid(path, check::quantity(amount), check::POSITIVE));
    }
    fine
}

fn volume_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = volume(new);
    errors.extend(volume(new));
    let e = &mut errors;
    let source = |object: &Value| {
        let spec = object.at("spec");
        let fields = volumes::persistent_source_fields().filter_map(|f| Some((f.to_owned(), spec.some(f)?.clone())));
        Value::Object(fields.collect())
    };
    let (mut now, before) = (source(new), source(old));
    let secret = ["csi", "controllerExpandSecretRef"];
    if before.has("csi") && !before.at("csi").has(secret[1]) && now.has("csi") {
        meta::remove(&mut now, &secret);
    }
    if now != before {
        let fields: Vec<&str> = volumes::persistent_source_fields().collect();
        let diff = internal::diff_fields("core.v1.PersistentVolumeSpec", &fields, &before, &now);
        let message = format!("spec.persistentvolumesource is immutable after creation\n{diff}");
        e.push(Error::forbidden(&Path::new("spec").child("persistentvolumesource"), message));
    }
    let (now, before) = (new.at("spec"), old.at("spec"));
    check::immutable(e, &Path::new("volumeMode"), now.at("volumeMode"), before.at("volumeMode"));
    if before.has("nodeAffinity") && now.at("nodeAffinity") != before.at("nodeAffinity") {
        let text = internal::show("core.v1.VolumeNodeAffinity", now.at("nodeAffinity"));
        let message = "field is immutable, except for updating from beta label to GA";
        e.push(check::shown(crate::object::field::ErrorKind::Invalid, &Path::new("nodeAffinity"), text, message));
    }
    if before.has("volumeAttributesClassName") && !now.has("volumeAttributesClassName") {
        let message = "update from non-nil value to nil is forbidden";
        e.push(Error::forbidden(&Path::new("spec").child("volumeAttributesClassName"), message));
    }
    errors
}

/// Both fields for the source of a claim's data say the same, as far as one can be said in the other.
/// `dataSource` without `dataSourceRef` only ever meant claims and snapshots; anything else is dropped without a word.
fn drop_foreign_source(claim: &mut Value) {
    let source = claim.at("spec").at("dataSource");
    let known = matches!(
        (source.text("apiGroup"), source.text("kind")),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    );
    if !known {
        meta::remove(claim, &["spec", "dataSource"]);
    }
}

/// Warns of the annotation that stood for a storage class before there was a field.
fn beta_class(out: &mut Vec<String>, object: &Value) {
    const ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
    if object.at("metadata").at("annotations").has(ANNOTATION) {
        out.push(format!(
            "metadata.annotations[{ANNOTATION}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        ));
    }
}

fn sync_data_source(claim: &mut Value) {
    let spec = claim.at("spec");
    let (source, reference) = (spec.some("dataSource").cloned(), spec.some("dataSourceRef").cloned());
    match (source, reference) {
        (Some(source), None) => meta::set(claim, &["spec", "dataSourceRef"], source),
        (None, Some(reference)) if reference.text("namespace").is_empty() => {
            let mut source = reference;
            meta::remove(&mut source, &["namespace"]);
            meta::set(claim, &["spec", "dataSource"], source);
        }
        _ => {}
    }
}

fn claim_errors(claim: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let old = old.map_or(&Value::Null, |old| old.at("spec"));
    claim_spec(&mut errors, &Path::new("spec"), claim.at("spec"), old);
    errors
}

/// `ValidatePersistentVolumeClaimSpec`; `old` is the stored spec, null without one.
pub fn claim_spec(errors: &mut ErrorList, path: &Path, spec: &Value, old: &Value) {
    let modes_path = path.child("accessModes");
    if spec.list("accessModes").is_empty() {
        errors.push(Error::required(&modes_path, "at least 1 access mode is required"));
    }
    if spec.has("selector") {
        let mut before = ErrorList::new();
        check::label_selector(&mut before, &Path::default(), old.at("selector"));
        check::label_selector_with(errors, &path.child("selector"), spec.at("selector"), !before.is_empty());
    }
    access_modes(errors, &modes_path, spec);
    let storage_path = path.child("resources").key("storage");
    match spec.at("resources").at("requests").some("storage") {
        None => errors.push(Error::required(&storage_path, "")),
        Some(storage) => {
            let amount = quantity::of(storage);
            if positive(errors, &storage_path, &amount) {
                resources::amount(errors, &storage_path, "storage", &amount);
            }
        }
    }
    class_and_mode(errors, path, spec);
    let lax = ["dataSource", "dataSourceRef"].iter().any(|field| old.at(field).has("apiGroup"));
    for field in ["dataSource", "dataSourceRef"] {
        if let Some(source) = spec.some(field) {
            data_source(errors, &path.child(field), source, lax);
        }
    }
    data_sources_agree(errors, path, spec);
    let class = spec.text("volumeAttributesClassName");
    if !class.is_empty() {
        check::dns_subdomain(errors, &path.child("volumeAttributesClassName"), class);
    }
}

fn data_sources_agree(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let (source, reference) = (spec.at("dataSource"), spec.at("dataSourceRef"));
    if !source.is_object() || !reference.is_object() {
        return;
    }
    let differ = ["apiGroup", "kind", "name"].iter().any(|field| source.at(field) != reference.at(field));
    let message = if !reference.text("namespace").is_empty() {
        "may not be specified when dataSourceRef.namespace is specified"
    } else if differ {
        "must match dataSourceRef"
    } else {
        return;
    };
    // The server shows the path of the other field in place of a value.
    let shown = path.child("dataSource").to_string();
    errors.push(check::shown(crate::object::field::ErrorKind::Invalid, path, shown, message));
}

fn data_source(errors: &mut ErrorList, path: &Path, source: &Value, lax: bool) {
    check::required_fields(errors, path, source, &["name", "kind"]);
    let (group, kind) = (source.text("apiGroup"), source.text("kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(Error::invalid(path, kind, message));
    }
    if !group.is_empty() && !lax {
        check::dns_subdomain(errors, &path.child("apiGroup"), group);
    }
    let namespace = source.text("namespace");
    if !namespace.is_empty() {
        check::dns_label(errors, &path.child("namespace"), namespace);
    }
}

fn claim_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = claim_errors(new, Some(old));
    errors.extend(claim_errors(new, Some(old)));
    let e = &mut errors;
    let (mut now, mut before) = (new.at("spec").clone(), old.at("spec").clone());
    let bound = new.at("status").text("phase") == "Bound";
    if before.text("volumeName").is_empty() && !now.text("volumeName").is_empty() {
        meta::set(&mut before, &["volumeName"], now.text("volumeName"));
    }
    storage_class_change(e, new, old, &mut now, &before);
    let storage = ["resources", "requests", "storage"];
    let old_size = quantity::of(old.at("spec").at("resources").at("requests").at("storage"));
    let new_size = quantity::of(new.at("spec").at("resources").at("requests").at("storage"));
    if bound && now.at("resources").has("requests") {
        meta::set(&mut now, &storage, old.at("spec").at("resources").at("requests").at("storage").clone());
    }
    let class = "volumeAttributesClassName";
    if bound && now.has(class) {
        match before.some(class) {
            Some(value) => meta::set(&mut now, &[class], value.clone()),
            None => drop(meta::remove(&mut now, &[class])),
        }
    }
    let path = Path::new("spec");
    if now != before {
        let diff = internal::diff("core.v1.PersistentVolumeClaimSpec", &before, &now);
        let message = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                       bound claims";
        e.push(Error::forbidden(&path, format!("{message}\n{diff}")));
    }
    let status_size = quantity::of(old.at("status").at("capacity").at("storage"));
    if new_size < old_size && new_size <= status_size {
        let path = path.child("resources").child("requests").child("storage");
        e.push(Error::forbidden(&path, "field can not be less than status.capacity"));
    }
    let (now, before) = (new.at("spec"), old.at("spec"));
    check::immutable(e, &Path::new("volumeMode"), now.at("volumeMode"), before.at("volumeMode"));
    if before.has(class) && now.at(class) != before.at(class) {
        let message = match now.opt_text(class) {
            None => "update from non-nil value to nil is forbidden",
            Some("") => "update from non-nil value to an empty string is forbidden",
            Some(_) => return errors,
        };
        e.push(Error::forbidden(&path.child(class), message));
    }
    errors
}

/// A class may move from the old annotation to the field, or be filled in where there was none.
fn storage_class_change(errors: &mut ErrorList, new: &Value, old: &Value, now: &mut Value, before: &Value) {
    let field = "storageClassName";
    let said = |object: &Value| object.at("metadata").at("annotations").opt_text(BETA_CLASS).map(str::to_owned);
    let (new_said, old_said) = (said(new), said(old));
    let class = now.opt_text(field).map(str::to_owned);
    let fresh = !before.has(field) && class.is_some();
    let from_annotation =
        fresh && old_said.is_some() && class == old_said && (new_said.is_none() || new_said == old_said);
    if from_annotation {
        meta::remove(now, &[field]);
        return;
    }
    if new_said != old_said {
        let path = Path::new("metadata").child("annotations").child(BETA_CLASS);
        errors.push(Error::invalid(&path, new_said.unwrap_or_default(), check::IMMUTABLE));
    }
    if fresh && (old_said.is_none() || class == old_said) {
        meta::remove(now, &[field]);
    }
}

fn claim_status(new: &Value, _: &Value) -> ErrorList {
    let mut errors = needs_version(new);
    if new.at("spec").list("accessModes").is_empty() {
        errors.push(Error::required(&Path::new("Spec").child("accessModes"), ""));
    }
    for (name, amount) in quantity::list(new.at("status").at("capacity")) {
        basic(&mut errors, &Path::new("status").child("capacity").key(&name), &amount);
    }
    errors
}
