//! Tells in the status of validating admission policies up to which generation they were looked at.

use serde_json::json;

use super::runtime::{Action, Controller, Key, Resource, Watch, World};
use crate::object::meta;
use crate::object::meta::int_at;

/// The controller of the status of validating admission policies.
#[derive(Default)]
pub struct PolicyStatus;

fn policies() -> Resource {
    Resource::new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies")
}

impl Controller for PolicyStatus {
    fn name(&self) -> &'static str {
        "validatingadmissionpolicy-status"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(policies())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(policy) = world.cache.get(&policies(), key) else { return Vec::new() };
        let generation = meta::generation(&policy);
        if generation <= int_at(&policy, &["status", "observedGeneration"]).unwrap_or_default() {
            return Vec::new();
        }
        let status = json!({"observedGeneration": generation, "typeChecking": {}});
        vec![Action::merge_status(&policies(), &policy, status)]
    }
}
