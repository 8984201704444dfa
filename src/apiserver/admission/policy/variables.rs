//! What the expressions of a policy see: the request, its objects, parameters, variables.

use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation};
use crate::apiserver::cel::{self, CelValue, Expression, Variables};
use crate::apiserver::core::Core;
use crate::object::{Value, meta};

use super::matcher;

/// An object in the version of the request's resource; objects of subresources as they are.
pub fn shown(attributes: &Attributes, object: Option<&Value>) -> Value {
    let Some(object) = object else { return Value::Null };
    let own = meta::kind(object) == attributes.resource.stored.kind || meta::kind(object).is_empty();
    if own { attributes.resource.shown(object.clone()) } else { object.clone() }
}

/// The request as `AdmissionRequest` has it, without its objects.
pub fn request(attributes: &Attributes) -> Value {
    let kind = &attributes.resource.kind;
    let gvk = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let gvr = json!({"group": kind.group, "version": kind.version, "resource": kind.plural});
    let mut request = json!({
        "kind": gvk,
        "resource": gvr,
        "requestKind": gvk,
        "requestResource": gvr,
        "name": attributes.name,
        "operation": attributes.operation.as_str(),
        "userInfo": attributes.user.to_value(),
        "dryRun": attributes.dry_run,
        "options": attributes.options,
    });
    if !attributes.namespace.is_empty() {
        request["namespace"] = attributes.namespace.as_str().into();
    }
    if !attributes.subresource.is_empty() {
        request["subResource"] = attributes.subresource.as_str().into();
        request["requestSubResource"] = attributes.subresource.as_str().into();
    }
    request
}

/// The variables that all expressions about a request share.
pub fn of(core: &Core, attributes: &Attributes) -> Variables {
    let mut variables = Variables::default();
    let object = if attributes.operation == Operation::Delete { None } else { attributes.object.as_ref() };
    variables.set("object", cel::from_json(&shown(attributes, object)));
    variables.set("oldObject", cel::from_json(&shown(attributes, attributes.old.as_ref())));
    variables.set("request", cel::from_json(&request(attributes)));
    let namespace = matcher::namespace_of(core, attributes).unwrap_or_default();
    variables.set("namespaceObject", cel::from_json(&namespace));
    variables
}

/// Evaluates the `variables` of a policy one after another; those that fail are missing, with the reason kept.
pub fn compose(policy: &Value, variables: &mut Variables) -> Vec<(String, String)> {
    let mut values: Vec<(String, CelValue)> = Vec::new();
    let mut failures = Vec::new();
    variables.set("variables", cel::map_of(std::iter::empty()));
    for variable in meta::list_at(policy, &["spec", "variables"]) {
        let name = meta::str_at(variable, &["name"]).to_owned();
        let outcome = Expression::compile(meta::str_at(variable, &["expression"])).and_then(|e| e.evaluate(variables));
        match outcome {
            Ok(value) => values.push((name, value)),
            Err(why) => failures.push((name, why)),
        }
        variables.set("variables", cel::map_of(values.clone().into_iter()));
    }
    failures
}

/// Whether all match conditions hold.
///
/// # Errors
///
/// What went wrong in a condition while no other one ruled the request out.
pub fn conditions_hold(of: &Value, variables: &Variables) -> Result<bool, String> {
    let mut failures = Vec::new();
    for condition in meta::list_at(of, &["matchConditions"]) {
        let text = meta::str_at(condition, &["expression"]);
        match Expression::compile(text).and_then(|expression| expression.evaluate(variables)) {
            Ok(CelValue::Bool(true)) => {}
            Ok(_) => return Ok(false),
            Err(why) => failures.push(format!("expression '{text}' resulted in error: {why}")),
        }
    }
    match failures.as_slice() {
        [] => Ok(true),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}
