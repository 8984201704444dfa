//! `MutatingAdmissionPolicy`.

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation, Plugin};
use crate::apiserver::core::Core;
use crate::expressions::{Value as CelValue, Variables};
use crate::object::json::to_compact;
use crate::object::{Status, Value, go, meta};
use crate::patch::json_patch::JsonPatch;
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
        .and_then(|value| {
            check_names(&value)?;
            value.to_json()
        })
        .map_err(|why| format!("expression '{text}' resulted in error: {why}"))
}

fn mutate(core: &Core, attributes: &mut Attributes, mutation: &Value, variables: &Variables) -> Result<(), String> {
    let resource = attributes.resource.clone();
    let present = variables::shown(attributes, attributes.object.as_ref());
    let mut changed = match meta::str_at(mutation, &["patchType"]) {
        "JSONPatch" => patched(&present, &result_of(mutation, "jsonPatch", variables)?)?,
        _ => merged(core, attributes, &present, result_of(mutation, "applyConfiguration", variables)?)?,
    };
    resource.strategy.default(&resource, &mut changed);
    attributes.object = Some(resource.to_stored(changed));
    Ok(())
}

/// Holds the names of the structures that an expression made against the fields in which they stand.
fn check_names(value: &CelValue) -> Result<(), String> {
    let mut problems = Vec::new();
    match value {
        CelValue::Made(..) => wrong_names(value, "Object", &mut problems),
        CelValue::List(operations, _) => {
            for made in operations.iter().filter_map(|operation| operation.field("value")) {
                if let CelValue::Made(name, _) = &made {
                    wrong_names(&made, name, &mut problems);
                }
            }
        }
        _ => {}
    }
    if problems.is_empty() { Ok(()) } else { Err(format!("type mismatch: {}", problems.join("\n"))) }
}

fn wrong_names(value: &CelValue, expected: &str, problems: &mut Vec<String>) {
    match value {
        CelValue::Made(name, fields) => {
            if **name != *expected {
                problems.push(format!(
                    "unexpected type name {}, expected {}, which matches field name path from root Object type",
                    go::quote(name),
                    go::quote(expected)
                ));
            }
            for (field, value) in fields.iter() {
                wrong_names(value, &format!("{expected}.{field}"), problems);
            }
        }
        CelValue::List(items, _) => items.iter().for_each(|item| wrong_names(item, expected, problems)),
        CelValue::Map(map) => map.values().for_each(|value| wrong_names(value, expected, problems)),
        _ => {}
    }
}

/// What becomes of an object; nothing when a test of the patch does not hold.
fn patched(present: &Value, operations: &Value) -> Result<Value, String> {
    let patch = JsonPatch::decode(&to_compact(operations)).map_err(|e| format!("JSON Patch: {e}"))?;
    let mut changed = present.clone();
    match patch.apply(&mut changed).map_err(|e| e.to_string()) {
        Ok(()) => Ok(changed),
        Err(why) if why.ends_with("test failed") => Ok(present.clone()),
        Err(why) => Err(format!("JSON Patch: {why}")),
    }
}

/// Applies a configuration as server-side apply does, without a word on who owns its fields.
fn merged(core: &Core, attributes: &Attributes, present: &Value, mut config: Value) -> Result<Value, String> {
    let kind = attributes.resource.kind.gvk();
    for field in ["apiVersion", "kind"] {
        meta::remove(&mut config, &[field]);
    }
    meta::set(&mut config, &["apiVersion"], kind.api_version());
    meta::set(&mut config, &["kind"], &*kind.kind);
    let atomics = ssa::atomics(&config, attributes.resource.schema());
    if !atomics.is_empty() {
        let paths = atomics.join(", ");
        return Err(format!(
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {paths}"
        ));
    }
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
        empties: ssa::Empties::default(),
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
