//! Namespaces: they stay until their content is gone, which `spec.finalizers` stands for.

use crate::object::field::{Error, ErrorList, Path};
use crate::object::{GroupKind, Status, Value, meta};

use super::{BuiltIn, Outcome, Scope, Strategy};

/// The rules of namespaces.
pub struct NamespaceStrategy(pub BuiltIn);

impl Strategy for NamespaceStrategy {
    fn base(&self) -> Option<&BuiltIn> {
        Some(&self.0)
    }

    fn before_subresource_update(
        &self,
        scope: &Scope<'_>,
        subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        if subresource == "finalize" {
            return self.before_finalize(scope, object, old);
        }
        self.0.before_subresource_update(scope, subresource, object, old)
    }

    fn may_finalize(&self, object: &Value) -> bool {
        meta::list_at(object, &["spec", "finalizers"]).is_empty()
    }

    fn checks_deletion_first(&self) -> bool {
        true
    }

    fn marked(&self, object: &mut Value) {
        meta::remove(object, &["metadata", "deletionGracePeriodSeconds"]);
        meta::set(object, &["status", "phase"], "Terminating");
    }
}

impl NamespaceStrategy {
    /// `finalize` writes `spec.finalizers` and leaves the status alone.
    fn before_finalize(&self, scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        let finalizers = meta::get(object, &["spec", "finalizers"]).cloned();
        check_finalizers(object)?;
        let warnings = self.0.before_update(scope, object, old)?;
        match finalizers {
            Some(finalizers) => meta::set(object, &["spec", "finalizers"], finalizers),
            None => drop(meta::remove(object, &["spec", "finalizers"])),
        }
        if meta::list_at(object, &["spec", "finalizers"]).is_empty() {
            meta::remove(object, &["spec", "finalizers"]);
        }
        Ok(warnings)
    }
}

/// `spec.finalizers` are qualified names, or the one that is Kubernetes' own.
fn check_finalizers(object: &Value) -> Result<(), Status> {
    let path = Path::new("spec").child("finalizers");
    let finalizers = meta::list_at(object, &["spec", "finalizers"]).iter().filter_map(Value::as_str);
    let errors: ErrorList = finalizers
        .enumerate()
        .filter(|(_, name)| *name != "kubernetes" && !name.contains('/'))
        .map(|(i, name)| {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            Error::invalid(&path.index(i), name, why)
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let kind = GroupKind { group: String::new(), kind: "Namespace".into() };
    Err(Status::invalid(&kind, meta::name(object), &errors))
}
