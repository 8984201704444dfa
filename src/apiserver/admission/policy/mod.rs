//! Policies that stand in the cluster as objects: `ValidatingAdmissionPolicy` and `MutatingAdmissionPolicy`.

use std::sync::Arc;

use crate::apiserver::core::Core;
use crate::apiserver::mirror::{Items, Mirror};
use crate::apiserver::store::{Entry, Store};
use crate::object::selector::LabelSelector;
use crate::object::{GroupVersion, Value, meta};

use super::Attributes;

pub mod matcher;
mod mutating;
mod validating;
pub mod variables;

pub use mutating::MutatingPolicies;
pub use validating::ValidatingPolicies;

const GROUP_VERSION: &str = "admissionregistration.k8s.io/v1";

/// Policies and their bindings.
struct Policies {
    policies: Mirror<Value>,
    bindings: Mirror<Value>,
}

fn parse(entry: &Entry) -> Value {
    entry.object(GROUP_VERSION, "")
}

impl Policies {
    fn new(policies: &'static [&'static str], bindings: &'static [&'static str]) -> Self {
        Self { policies: Mirror::new(policies, parse), bindings: Mirror::new(bindings, parse) }
    }

    /// Every policy with its bindings, in the order of their names; policies without any are left out.
    fn bound(&self, store: &Store) -> Vec<(Arc<Value>, Vec<Arc<Value>>)> {
        let policies: Items<Value> = self.policies.items(store);
        if policies.is_empty() {
            return Vec::new();
        }
        let bindings = self.bindings.items(store);
        let of = |policy: &Value| -> Vec<Arc<Value>> {
            let name = meta::name(policy);
            bindings.values().filter(|b| meta::str_at(b, &["spec", "policyName"]) == name).cloned().collect()
        };
        let rows = policies.values().map(|policy| (policy.clone(), of(policy)));
        rows.filter(|(_, bindings)| !bindings.is_empty()).collect()
    }
}

fn ignores_failures(policy: &Value) -> bool {
    meta::str_at(policy, &["spec", "failurePolicy"]) == "Ignore"
}

/// The parameters of a binding: one null when the policy takes none, nothing when there are none and that is fine.
///
/// # Errors
///
/// Why the binding cannot be used.
fn params(core: &Core, attributes: &Attributes, policy: &Value, binding: &Value) -> Result<Vec<Value>, String> {
    let given = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    let Some(kind) = given(meta::get(policy, &["spec", "paramKind"])) else { return Ok(vec![Value::Null]) };
    let Some(reference) = given(meta::get(binding, &["spec", "paramRef"])) else { return Ok(vec![Value::Null]) };
    let gv = GroupVersion::parse(meta::api_version(&kind)).unwrap_or_default();
    let gvk = gv.with_kind(meta::kind(&kind));
    let snapshot = core.registry.snapshot();
    let Some(resource) = snapshot.by_gvk(&gvk) else {
        return Err(format!(
            "failed to find resource referenced by paramKind: '{}, Kind={}'",
            gvk.api_version(),
            gvk.kind
        ));
    };
    let asked = meta::str_at(&reference, &["namespace"]);
    let namespace = if resource.kind.namespaced {
        let namespace = if asked.is_empty() { attributes.namespace.as_str() } else { asked };
        if namespace.is_empty() {
            return Err("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".into());
        }
        namespace
    } else if asked.is_empty() {
        ""
    } else {
        return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into());
    };
    let name = meta::str_at(&reference, &["name"]);
    let shown = |entry: &Entry| resource.shown(resource.stored_object(entry));
    let found: Vec<Value> = if name.is_empty() {
        let selector = reference.get("selector").unwrap_or(&Value::Null);
        let selector = LabelSelector::from_struct(selector).map_err(|e| e.to_string())?;
        let entries = core.store.list(&resource.namespace_prefix(namespace), None).entries;
        entries.iter().map(|entry| shown(entry)).filter(|object| selector.matches_object(object)).collect()
    } else {
        core.store.get(&resource.key(namespace, name)).iter().map(|entry| shown(entry)).collect()
    };
    if found.is_empty() && meta::str_at(&reference, &["parameterNotFoundAction"]) != "Allow" {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".into());
    }
    Ok(found)
}
