//! What the registry does for every kind around the kind's own rules.

use crate::object::field::ErrorList;
use crate::object::{Value, meta};

use super::{Context, Rules, StatusSplit};

/// A passed check: the warnings for the client. A failed one: every field error, in the real server's order.
pub type Outcome = Result<Vec<String>, ErrorList>;

impl Rules {
    /// `rest.BeforeCreate`: prepares and validates an object that is about to be created.
    ///
    /// The object is decoded and defaulted, and has its name, uid and creation timestamp already.
    pub fn before_create(&self, object: &mut Value, context: &Context) -> Outcome {
        if self.status == StatusSplit::Status {
            meta::set(object, &["status"], Value::Object(Default::default()));
        }
        if self.generation {
            meta::set(object, &["metadata", "generation"], 1);
        }
        (self.prepare_create)(object, context);
        let errors = (self.validate_create)(object);
        if !errors.is_empty() {
            return Err(errors);
        }
        let warnings = (self.warnings)(object, None);
        (self.canonicalize)(object);
        Ok(warnings)
    }

    /// `rest.BeforeUpdate` on the main endpoint: prepares and validates the new state of an object.
    pub fn before_update(&self, object: &mut Value, old: &Value, context: &Context) -> Outcome {
        if self.status == StatusSplit::Status {
            copy(object, old, "status");
        }
        keep_generation(object, old);
        (self.prepare_update)(object, old, context);
        if self.generation && object.get("spec") != old.get("spec") {
            meta::set(object, &["metadata", "generation"], meta::generation(old) + 1);
        }
        let errors = (self.validate_update)(object, old);
        if !errors.is_empty() {
            return Err(errors);
        }
        let warnings = (self.warnings)(object, Some(old));
        (self.canonicalize)(object);
        Ok(warnings)
    }

    /// `rest.BeforeUpdate` on the `status` endpoint.
    pub fn before_status_update(&self, object: &mut Value, old: &Value, context: &Context) -> Outcome {
        keep_generation(object, old);
        if self.status == StatusSplit::Status {
            copy(object, old, "spec");
        }
        (self.prepare_status_update)(object, old, context);
        let errors = (self.validate_status_update)(object, old);
        if errors.is_empty() { Ok(Vec::new()) } else { Err(errors) }
    }
}

fn keep_generation(object: &mut Value, old: &Value) {
    match meta::get(old, &["metadata", "generation"]) {
        Some(generation) => meta::set(object, &["metadata", "generation"], generation.clone()),
        None => drop(meta::remove(object, &["metadata", "generation"])),
    }
}

/// Makes a top-level field of `object` what it is in `old`.
fn copy(object: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => meta::set(object, &[field], value.clone()),
        None => drop(meta::remove(object, &[field])),
    }
}
