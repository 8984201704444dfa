//! `MutatingAdmissionPolicy`.

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation, Plugin};
use crate::apiserver::core::Core;
use crate::expressions::{Value as CelValue, Variables};
use crate::object::{Status, Value, meta};
use crate::patch::ssa;

use super::{Policies, ignores_failures, matcher, params, variables};

/// The plugin.
pub struct MutatingPolicies(Policies);

impl Default for MutatingPolicies {
    fn default() -> Self {
        Self(Policies::new(&["/registry/mutatingadmissionpolicies/"], &["/registry/mutatingadmissionpolicybindings/"]))
    }
}

impl Plugin for MutatingPolicies {
    fn name(&self) -> &'static str {
        "MutatingAdmissionPolicy"
    }

    fn admit<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(self.change(core, attributes)))
    }
}

impl MutatingPolicies {
    fn change(&self, core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
        let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
        if !writes || attributes.object.is_none() || matcher::is_exempt(attributes) {
            return Ok(());
        }
        for (policy, bindings) in self.0.bound(&core.store) {
            let constraints = meta::get(&policy, &["spec", "matchConstraints"]);
            if matcher::matches(core, attributes, constraints) == Ok(false) {
                continue;
            }
            for binding in &bindings {
                if let Err(why) = apply(core, attributes, &policy, binding)
                    && !ignores_failures(&policy)
                {
                    return Err(denied(attributes, &policy, binding, &why));
                }
            }
        }
        Ok(())
    }
}

fn denied(attributes: &Attributes, policy: &Value, binding: &Value, why: &str) -> Status {
    let (policy, binding) = (meta::name(policy), meta::name(binding));
    let message = format!("policy '{policy}' with binding '{binding}' denied request: {why}");
    let mut status = attributes.forbidden(&message);
    "Invalid".clone_into(&mut status.reason);
    status.code = 422;
    status
}

fn apply(core: &Core, attributes: &mut Attributes, policy: &Value, binding: &Value) -> Result<(), String> {
    if !matcher::matches(core, attributes, meta::get(binding, &["spec", "matchResources"]))? {
        return Ok(());
    }
    for param in params(core, attributes, policy, binding)? {
        let mut variables = variables::of(core, attributes);
        variables.set("params", CelValue::from_json(&param));
        let spec = policy.get("spec").unwrap_or(&Value::Null);
        if !variables::conditions_hold(spec, &variables)? {
            continue;
        }
        for mutation in meta::list_at(spec, &["mutations"]) {
            let mut variables = variables::of(core, attributes);
            variables.set("params", CelValue::from_json(&param));
            variables::compose(policy, &mut variables);
            mutate(core, attributes, mutation, &variables)?;
        }
    }
    Ok(())
}

fn result_of(mutation: &Value, field: &str, variables: &Variables) -> Result<Value, String> {
    let text = meta::str_at(mutation, &[field, "expression"]);
    variables::evaluate(text, variables)
        .and_then(|value| value.to_json())
        .map_err(|why| format!("expression '{text}' resulted in error: {why}"))
}

fn mutate(core: &Core, attributes: &mut Attributes, mutation: &Value, variables: &Variables) -> Result<(), String> {
    let resource = attributes.resource.clone();
    let present = variables::shown(attributes, attributes.object.as_ref());
    let mut changed = match meta::str_at(mutation, &["patchType"]) {
        "JSONPatch" => patched(&present, result_of(mutation, "jsonPatch", variables)?)?,
        _ => merged(core, attributes, &present, result_of(mutation, "applyConfiguration", variables)?)?,
    };
    resource.strategy.default(&resource, &mut changed);
    attributes.object = Some(resource.to_stored(changed));
    Ok(())
}

fn patched(present: &Value, operations: Value) -> Result<Value, String> {
    let patch: json_patch::Patch = serde_json::from_value(operations).map_err(|e| format!("invalid JSONPatch: {e}"))?;
    let mut changed = present.clone();
    json_patch::patch(&mut changed, &patch).map_err(|e| format!("JSON Patch: {e}"))?;
    Ok(changed)
}

/// Applies a configuration as server-side apply does, without a word on who owns its fields.
fn merged(core: &Core, attributes: &Attributes, present: &Value, mut config: Value) -> Result<Value, String> {
    let kind = attributes.resource.kind.gvk();
    for field in ["apiVersion", "kind"] {
        meta::remove(&mut config, &[field]);
    }
    meta::set(&mut config, &["apiVersion"], kind.api_version());
    meta::set(&mut config, &["kind"], &*kind.kind);
    meta::set(&mut config, &["metadata", "name"], meta::name(present));
    let empty = json!({"apiVersion": kind.api_version(), "kind": kind.kind});
    let owners = meta::get(present, &["metadata", "managedFields"]).cloned();
    let mut bare = present.clone();
    meta::remove(&mut bare, &["metadata", "managedFields"]);
    let options = ssa::Options {
        manager: "admission",
        force: true,
        subresource: "",
        kind: &kind,
        schema: attributes.resource.schema(),
        empty: &empty,
        reset_fields: &[],
        versions: None,
        now: core.now(),
    };
    let mut changed = ssa::apply(Some(&bare), &config, &options)
        .map_err(|e| format!("error applying patch: {}", e.to_status().message))?;
    match owners {
        Some(owners) => meta::set(&mut changed, &["metadata", "managedFields"], owners),
        None => drop(meta::remove(&mut changed, &["metadata", "managedFields"])),
    }
    Ok(changed)
}
