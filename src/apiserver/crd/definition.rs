//! The strategy of definitions.

use chrono::Utc;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::apiserver::core::Core;
use crate::apiserver::store::Entry;
use crate::apiserver::strategy::{BuiltIn, Outcome, Scope, Strategy};
use crate::kinds::decode::settle;
use crate::object::field::ErrorList;
use crate::object::go::quote;
use crate::object::{GroupKind, Status, Value, meta};

use super::props::Props;
use super::{check, formats, register};

/// The finalizer under which a definition stays until its objects are gone.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The rules of definitions.
pub struct DefinitionStrategy(pub BuiltIn);

/// Schemas of all versions.
pub(super) fn schemas(crd: &Value) -> Vec<Props> {
    let versions = meta::list_at(crd, &["spec", "versions"]).iter();
    versions.filter_map(|version| Props::from_value(version.get("schema")?.get("openAPIV3Schema")?)).collect()
}

/// Adds the version that is stored to `status.storedVersions`.
fn note_stored_version(crd: &mut Value) {
    let versions = meta::list_at(crd, &["spec", "versions"]).iter();
    let Some(stored) = versions.filter(|v| meta::bool_at(v, &["storage"])).map(|v| meta::str_at(v, &["name"])).next()
    else {
        return;
    };
    let stored = stored.to_owned();
    let mut known = meta::list_at(crd, &["status", "storedVersions"]).to_vec();
    if !known.iter().any(|version| version.as_str() == Some(&stored)) {
        known.push(stored.into());
        meta::set(crd, &["status", "storedVersions"], known);
    }
}

fn each_format(schema: &Props, found: &mut Vec<String>) {
    if !schema.format.is_empty() && !formats::supported(&schema.type_, &schema.format) {
        found.push(format!("unrecognized format {}", quote(&schema.format)));
    }
    schema.children().for_each(|child| each_format(child, found));
}

fn each_set(schema: &Props, found: &mut Vec<String>) {
    if let (Some("set"), Some(item)) = (schema.list_type.as_deref(), schema.item())
        && matches!(item.type_.as_str(), "object" | "array")
    {
        found.push(format!(
            "x-kubernetes-list-type: set for items of type {} is not supported by server-side apply or CEL validation \
             rules",
            quote(&item.type_)
        ));
    }
    schema.children().for_each(|child| each_set(child, found));
}

fn warnings(crd: &Value, old: Option<&Value>) -> Vec<String> {
    let all = |crd: &Value| {
        let (mut odd, mut sets) = (Vec::new(), Vec::new());
        let mut schemas = schemas(crd);
        // Equal schemas of all versions count once.
        schemas.dedup();
        for schema in schemas {
            each_format(&schema, &mut odd);
            each_set(&schema, &mut sets);
        }
        sets.sort();
        sets.dedup();
        odd.append(&mut sets);
        odd
    };
    let known = old.map(all).unwrap_or_default();
    all(crd).into_iter().filter(|warning| !known.contains(warning)).collect()
}

fn answer(errors: &ErrorList, object: &Value) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    let kind = GroupKind { group: "apiextensions.k8s.io".into(), kind: "CustomResourceDefinition".into() };
    Err(Status::invalid(&kind, meta::name(object), errors))
}

impl Strategy for DefinitionStrategy {
    fn base(&self) -> Option<&BuiltIn> {
        Some(&self.0)
    }

    fn before_create(&self, _scope: &Scope<'_>, object: &mut Value) -> Outcome {
        meta::remove(object, &["status"]);
        meta::set(object, &["metadata", "generation"], 1);
        note_stored_version(object);
        settle(object);
        answer(&check::create(object), object)?;
        Ok(warnings(object, None))
    }

    fn before_update(&self, _scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        match old.get("status") {
            Some(status) => meta::set(object, &["status"], status.clone()),
            None => drop(meta::remove(object, &["status"])),
        }
        let generation = meta::generation(old) + i64::from(object.get("spec") != old.get("spec"));
        meta::set(object, &["metadata", "generation"], generation);
        note_stored_version(object);
        settle(object);
        answer(&check::update(object, old), object)?;
        Ok(warnings(object, Some(old)))
    }

    fn before_subresource_update(
        &self,
        _scope: &Scope<'_>,
        _subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        meta::set(object, &["spec"], old.get("spec").cloned().unwrap_or_default());
        meta::set(object, &["metadata", "generation"], meta::generation(old));
        settle(object);
        answer(&check::status_update(object, old), object)?;
        Ok(Vec::new())
    }

    fn allow_unconditional_update(&self) -> bool {
        false
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn reset_fields(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        match subresource {
            "" => &[&["status"]],
            "status" => &[&["spec"]],
            _ => &[],
        }
    }

    fn may_finalize(&self, object: &Value) -> bool {
        // The first request to delete always leaves the definition in place, for its objects go first.
        meta::deletion_timestamp(object).is_some()
    }

    fn marked(&self, object: &mut Value) {
        meta::remove(object, &["metadata", "deletionGracePeriodSeconds"]);
        if meta::finalizers(object).any(|name| name == CLEANUP) {
            return;
        }
        let mut finalizers: Vec<String> = meta::finalizers(object).map(str::to_owned).collect();
        finalizers.push(CLEANUP.into());
        meta::set(object, &["metadata", "finalizers"], finalizers);
        let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        register::set_condition(object, "Terminating", "True", "InstanceDeletionPending", message, Utc::now());
    }

    fn after_write<'a>(&'a self, core: &'a Core, _written: &'a Entry) -> BoxFuture<'a, ()> {
        Box::pin(register::refresh(core))
    }

    fn deleted<'a>(&'a self, core: &'a Core, _object: &'a Value) -> BoxFuture<'a, ()> {
        Box::pin(register::refresh(core))
    }
}

/// A condition as a value.
pub(super) fn condition(type_: &str, status: &str, reason: &str, message: &str, at: &str) -> Value {
    json!({"type": type_, "status": status, "lastTransitionTime": at, "reason": reason, "message": message})
}
