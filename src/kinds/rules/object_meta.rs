//! Validation of `metadata` (`ValidateObjectMeta`, `ValidateObjectMetaUpdate`).

use std::collections::BTreeSet;

use serde_json::json;

use super::value::Fields;
use super::{NameRule, check};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::go::quote;
use crate::object::{GroupVersion, Value, meta, names};

/// Finalizers without a domain that Kubernetes itself uses.
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];
/// Longest manager and subresource of field ownership.
const MANAGER_LIMIT: usize = 128;
const SUBRESOURCE_LIMIT: usize = 256;

impl NameRule {
    /// What is wrong with a name; `prefix` for one that generation will lengthen.
    pub fn check(self, name: &str, prefix: bool) -> Vec<String> {
        match self {
            Self::PathSegment if prefix => names::is_path_segment_prefix(name),
            Self::PathSegment => names::is_path_segment_name(name),
            Self::DnsSubdomain => check::name_is_subdomain(name, prefix),
            Self::DnsLabel => check::name_is_label(name, prefix),
            Self::Dns1035Label => check::name_is_1035_label(name, prefix),
            Self::Own => Vec::new(),
        }
    }
}

/// `metadata` at creation, and the part of an update that does not look at the old object.
pub fn create(errors: &mut ErrorList, object: &Value, namespaced: bool, rule: NameRule) {
    let metadata = object.at("metadata");
    let path = Path::new("metadata");
    let generate_name = metadata.text("generateName");
    if !generate_name.is_empty() {
        check::messages(errors, &path.child("generateName"), generate_name, rule.check(generate_name, true));
    }
    let name = metadata.text("name");
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), "name or generateName is required"));
    } else {
        check::messages(errors, &path.child("name"), name, rule.check(name, false));
    }
    let namespace = metadata.text("namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => errors.push(Error::required(&path.child("namespace"), "")),
        (true, false) => {
            check::messages(errors, &path.child("namespace"), namespace, check::name_is_label(namespace, false));
        }
        (false, false) => errors.push(Error::forbidden(&path.child("namespace"), "not allowed on this type")),
        (false, true) => {}
    }
    check::non_negative(errors, &path.child("generation"), metadata.int("generation"));
    check::labels(errors, &path.child("labels"), metadata, "labels");
    check::annotations(errors, &path.child("annotations"), metadata);
    owner_references(errors, &path.child("ownerReferences"), metadata);
    finalizers(errors, &path.child("finalizers"), metadata);
    managed_fields(errors, &path.child("managedFields"), metadata);
}

fn owner_references(errors: &mut ErrorList, path: &Path, metadata: &Value) {
    let owners = metadata.list("ownerReferences");
    let mut controller = None;
    for owner in owners {
        let api_version = owner.text("apiVersion");
        let gv = GroupVersion::parse(api_version).unwrap_or_default();
        let rules = [
            ("apiVersion", gv.version.as_str(), "version must not be empty"),
            ("kind", owner.text("kind"), "must not be empty"),
            ("name", owner.text("name"), "must not be empty"),
            ("uid", owner.text("uid"), "must not be empty"),
        ];
        for (field, checked, message) in rules {
            if checked.is_empty() {
                errors.push(Error::invalid(&path.child(field), owner.text(field), message));
            }
        }
        if api_version == "v1" && owner.text("kind") == "Event" {
            let message = format!("{} is disallowed from being an owner", gv.with_kind("Event"));
            errors.push(Error::invalid(path, owner.clone(), message));
        }
        if owner.flag("controller") {
            let current = format!("{}/{}", owner.text("kind"), owner.text("name"));
            match &controller {
                None => controller = Some(current),
                Some(first) => errors.push(Error::invalid(
                    path,
                    Value::Array(owners.to_vec()),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                    ),
                )),
            }
        }
    }
}

fn finalizers(errors: &mut ErrorList, path: &Path, metadata: &Value) {
    let finalizers = metadata.texts("finalizers");
    for finalizer in &finalizers {
        check::qualified_name(errors, path, finalizer);
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let message = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(Error::invalid(path, json!(finalizers), message));
    }
}

fn managed_fields(errors: &mut ErrorList, path: &Path, metadata: &Value) {
    for (i, entry) in metadata.list("managedFields").iter().enumerate() {
        let path = path.index(i);
        let operation = entry.text("operation");
        if !matches!(operation, "Apply" | "Update") {
            errors.push(Error::invalid(&path.child("operation"), operation, "must be `Apply` or `Update`"));
        }
        let fields_type = entry.text("fieldsType");
        if !matches!(fields_type, "" | "FieldsV1") {
            errors.push(Error::invalid(&path.child("fieldsType"), fields_type, "must be `FieldsV1`"));
        }
        field_manager(errors, &path.child("manager"), entry.text("manager"));
        if entry.text("subresource").len() > SUBRESOURCE_LIMIT {
            errors.push(Error::too_long(&path.child("subresource"), SUBRESOURCE_LIMIT));
        }
    }
}

/// A field manager: short enough and printable (`ValidateFieldManager`).
pub fn field_manager(errors: &mut ErrorList, path: &Path, manager: &str) {
    if manager.len() > MANAGER_LIMIT {
        errors.push(Error::too_long(path, MANAGER_LIMIT));
    }
    for (at, c) in manager.char_indices().filter(|(_, c)| c.is_control()) {
        let message = format!("invalid character U+{:04X} (at position {at})", c as u32);
        errors.push(Error::invalid(path, manager, message));
    }
}

/// Finalizers without a domain must be Kubernetes' own; the core group and the groups that build on it check this.
pub fn standard_finalizers(errors: &mut ErrorList, object: &Value) {
    let path = Path::new("metadata").child("finalizers");
    for (i, finalizer) in object.at("metadata").texts("finalizers").iter().enumerate() {
        standard_finalizer(errors, &path.index(i), finalizer);
    }
}

/// One finalizer of that kind.
pub fn standard_finalizer(errors: &mut ErrorList, path: &Path, finalizer: &str) {
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        let message = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(Error::invalid(path, finalizer, message));
    }
}

/// The part of an update that compares with the old object.
pub fn update(errors: &mut ErrorList, new: &Value, old: &Value) {
    let path = Path::new("metadata");
    let (new_meta, old_meta) = (new.at("metadata"), old.at("metadata"));
    if meta::deletion_timestamp(old).is_some() {
        let known: BTreeSet<&str> = old_meta.texts("finalizers").into_iter().collect();
        let extra: BTreeSet<&str> = new_meta.texts("finalizers").into_iter().filter(|f| !known.contains(f)).collect();
        if !extra.is_empty() {
            let list: Vec<String> = extra.into_iter().map(quote).collect();
            errors.push(Error::forbidden(
                &path.child("finalizers"),
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    list.join(", ")
                ),
            ));
        }
    }
    if new_meta.text("resourceVersion").is_empty() {
        errors.push(Error::invalid(&path.child("resourceVersion"), "", "must be specified for an update"));
    }
    if new_meta.int("generation") < old_meta.int("generation") {
        errors.push(Error::invalid(&path.child("generation"), new_meta.int("generation"), "must not be decremented"));
    }
    for field in ["name", "namespace", "uid"] {
        immutable_text(errors, &path, field, new_meta, old_meta);
    }
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        check::immutable(errors, &path.child(field), new_meta.at(field), old_meta.at(field));
    }
    check::labels(errors, &path.child("labels"), new_meta, "labels");
    check::annotations(errors, &path.child("annotations"), new_meta);
    owner_references(errors, &path.child("ownerReferences"), new_meta);
    managed_fields(errors, &path.child("managedFields"), new_meta);
}

fn immutable_text(errors: &mut ErrorList, path: &Path, field: &str, new: &Value, old: &Value) {
    if new.text(field) != old.text(field) {
        errors.push(Error::invalid(&path.child(field), new.text(field), check::IMMUTABLE));
    }
}
