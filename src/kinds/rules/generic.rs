//! What the registry does for every kind around the kind's own rules.

use crate::kinds::Kinds;
use crate::kinds::decode::{put_back, settle};
use crate::object::field::ErrorList;
use crate::object::{Value, meta};

use super::value::Fields;
use super::{Context, DISALLOWED, MetaCheck, NameRule, Rules, StatusSplit, object_meta};

/// A passed check: the warnings for the client. A failed one: every field error, in the real server's order.
pub type Outcome = Result<Vec<String>, ErrorList>;

impl Rules {
    /// `rest.BeforeCreate`: prepares and validates an object that is about to be created.
    ///
    /// The object is decoded and defaulted, and has its name, namespace, uid and creation timestamp already.
    pub fn before_create(&self, object: &mut Value, context: &Context) -> Outcome {
        (self.convert)(object);
        if self.status == StatusSplit::Status {
            meta::remove(object, &["status"]);
        }
        if self.generation {
            meta::set(object, &["metadata", "generation"], 1);
        }
        (self.prepare_create)(object, context);
        settle(object);
        let namespaced = is_namespaced(object);
        judge(object, context, |object| {
            let mut errors = ErrorList::new();
            if self.name != NameRule::Own {
                object_meta::create(&mut errors, object, namespaced, self.name);
                object_meta::standard_finalizers(&mut errors, object);
            }
            errors.extend((self.validate_create)(object));
            errors
        })?;
        let mut errors = ErrorList::new();
        object_meta::create(&mut errors, object, namespaced, NameRule::PathSegment);
        permit(&mut errors, context)?;
        let warnings = (self.warnings)(object, None);
        (self.canonicalize)(object);
        Ok(warnings)
    }

    /// `rest.BeforeUpdate` on the main endpoint: prepares and validates the new state of an object.
    pub fn before_update(&self, object: &mut Value, old: &Value, context: &Context) -> Outcome {
        (self.convert)(object);
        if self.status == StatusSplit::Status {
            copy(object, old, "status");
        }
        keep_generation(object, old);
        (self.prepare_update)(object, old, context);
        if self.generation && changed(object, old) {
            meta::set(object, &["metadata", "generation"], meta::generation(old) + 1);
        }
        keep_system_fields(object, old);
        settle(object);
        let namespaced = is_namespaced(object);
        judge(object, context, |object| {
            let mut errors = common_update(object, old, namespaced);
            for check in self.update_meta {
                match check {
                    MetaCheck::Create => object_meta::create(&mut errors, object, namespaced, self.name),
                    MetaCheck::Update => object_meta::update(&mut errors, object, old),
                }
                object_meta::standard_finalizers(&mut errors, object);
            }
            errors.extend((self.validate_update)(object, old));
            errors
        })?;
        let warnings = (self.warnings)(object, Some(old));
        (self.canonicalize)(object);
        Ok(warnings)
    }

    /// `rest.BeforeUpdate` on another endpoint that writes a part of the object.
    pub fn before_subresource_update(
        &self,
        subresource: &str,
        object: &mut Value,
        old: &Value,
        context: &Context,
    ) -> Outcome {
        let Some(rule) = self.subresources.iter().find(|rule| rule.name == subresource) else {
            return self.before_update(object, old, context);
        };
        (self.convert)(object);
        keep_generation(object, old);
        (rule.prepare)(object, old, context);
        if self.generation && changed(object, old) {
            meta::set(object, &["metadata", "generation"], meta::generation(old) + 1);
        }
        keep_system_fields(object, old);
        settle(object);
        judge(object, context, |object| {
            let mut errors = common_update(object, old, is_namespaced(object));
            errors.extend((rule.validate)(object, old));
            errors
        })?;
        Ok((self.warnings)(object, Some(old)))
    }

    /// `rest.BeforeUpdate` on the `status` endpoint.
    pub fn before_status_update(&self, object: &mut Value, old: &Value, context: &Context) -> Outcome {
        (self.convert)(object);
        keep_generation(object, old);
        if self.status == StatusSplit::Status {
            copy(object, old, "spec");
        }
        (self.prepare_status_update)(object, old, context);
        keep_system_fields(object, old);
        settle(object);
        judge(object, context, |object| {
            let mut errors = common_update(object, old, is_namespaced(object));
            if self.name != NameRule::Own {
                object_meta::update(&mut errors, object, old);
                object_meta::standard_finalizers(&mut errors, object);
            }
            errors.extend((self.validate_status_update)(object, old));
            errors
        })?;
        Ok(Vec::new())
    }
}

/// Validates an object. What is wrong is told of the object as it was sent: with its empty lists and maps.
fn judge(object: &Value, context: &Context, validate: impl Fn(&Value) -> ErrorList) -> Result<(), ErrorList> {
    let judged = permit(&mut validate(object), context);
    let mut shown = context.empties.iter().filter(|empty| empty.shown).peekable();
    if judged.is_ok() || shown.peek().is_none() {
        return judged;
    }
    let mut sent = object.clone();
    put_back(&mut sent, shown);
    permit(&mut validate(&sent), context).and(judged)
}

/// What `rest.BeforeUpdate` checks before the kind's own validation.
fn common_update(object: &Value, old: &Value, namespaced: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    object_meta::create(&mut errors, object, namespaced, NameRule::PathSegment);
    object_meta::update(&mut errors, object, old);
    errors
}

fn is_namespaced(object: &Value) -> bool {
    match Kinds::builtin().by_gvk(&meta::gvk(object)) {
        Some(row) => row.namespaced,
        None => !meta::namespace(object).is_empty(),
    }
}

/// Fails with the errors, if there are any; what only a policy of the cluster forbids passes where the policy allows it.
fn permit(errors: &mut ErrorList, context: &Context) -> Result<(), ErrorList> {
    if context.allow_privileged {
        errors.retain(|error| error.detail != DISALLOWED);
    }
    if errors.is_empty() { Ok(()) } else { Err(std::mem::take(errors)) }
}

/// Whether a change makes a new generation: everything but metadata and status counts.
fn changed(new: &Value, old: &Value) -> bool {
    let counted = |key: &str| !matches!(key, "metadata" | "status" | "apiVersion" | "kind");
    let side = |value: &Value| {
        let mut copy = value.clone();
        if let Some(map) = copy.as_object_mut() {
            map.retain(|key, value| counted(key) && !value.is_null());
        }
        copy
    };
    side(new) != side(old)
}

fn keep_generation(object: &mut Value, old: &Value) {
    keep(object, old, "generation");
}

/// Fields that no client changes.
fn keep_system_fields(object: &mut Value, old: &Value) {
    if meta::uid(object).is_empty() {
        keep(object, old, "uid");
    }
    for field in ["creationTimestamp", "deletionTimestamp"] {
        if old.at("metadata").has(field) {
            keep(object, old, field);
        }
    }
    if !object.at("metadata").has("deletionGracePeriodSeconds") {
        keep(object, old, "deletionGracePeriodSeconds");
    }
}

/// Makes a field of the metadata what it is in `old`.
fn keep(object: &mut Value, old: &Value, field: &str) {
    match old.at("metadata").some(field) {
        Some(value) => meta::set(object, &["metadata", field], value.clone()),
        None => drop(meta::remove(object, &["metadata", field])),
    }
}

/// Makes a top-level field of `object` what it is in `old`.
pub fn copy(object: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => meta::set(object, &[field], value.clone()),
        None => drop(meta::remove(object, &[field])),
    }
}
