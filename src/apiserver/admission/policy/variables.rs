//! What the expressions of a policy see: the request, its objects, parameters, variables.

use std::sync::Arc;

use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation};
use crate::apiserver::auth::{self, UserInfo};
use crate::apiserver::core::Core;
use crate::expressions::authorizer::{Access, Authorization, Authorizer, Decision, Step};
use crate::expressions::value::Opaque;
use crate::expressions::{Program, Value as CelValue, Variables};
use crate::object::selector::FieldSelector;
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
    // Subresources such as `eviction` take objects of a kind of their own.
    let sent = attributes.object.as_ref().filter(|_| !attributes.subresource.is_empty()).map(meta::gvk);
    let sent = sent.filter(|gvk| !gvk.kind.is_empty() && gvk.kind != attributes.resource.stored.kind);
    let sent = sent.unwrap_or_else(|| kind.gvk());
    let gvk = json!({"group": sent.group, "version": sent.version, "kind": sent.kind});
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
    variables.set("object", CelValue::from_json(&shown(attributes, object)));
    variables.set("oldObject", CelValue::from_json(&shown(attributes, attributes.old.as_ref())));
    variables.set("request", CelValue::from_json(&request(attributes)));
    let namespace = matcher::namespace_of(core, attributes).unwrap_or_default();
    variables.set("namespaceObject", CelValue::from_json(&namespace));
    if let Some(core) = core.shared() {
        let authorizer: Arc<dyn Authorizer> = Arc::new(Asker { core, user: attributes.user.clone() });
        let start = Authorization::new(authorizer);
        let resource = Access {
            group: attributes.resource.group().to_owned(),
            resource: attributes.resource.plural().to_owned(),
            subresource: attributes.subresource.clone(),
            namespace: attributes.namespace.clone(),
            name: attributes.name.clone(),
            ..Access::default()
        };
        let whole = Authorization { access: resource, step: Step::Resource, ..start.clone() };
        variables.set("authorizer", CelValue::Opaque(Opaque::Authorization(start.into())));
        variables.set("authorizer.requestResource", CelValue::Opaque(Opaque::Authorization(whole.into())));
    }
    variables
}

/// Asks the server's authorizers for an expression.
struct Asker {
    core: Arc<Core>,
    user: UserInfo,
}

impl Authorizer for Asker {
    fn decide(&self, access: &Access) -> Decision {
        let user = match &access.service_account {
            Some((namespace, name)) => UserInfo {
                name: format!("system:serviceaccount:{namespace}:{name}"),
                groups: vec![
                    "system:serviceaccounts".into(),
                    format!("system:serviceaccounts:{namespace}"),
                    auth::AUTHENTICATED.into(),
                ],
                ..UserInfo::default()
            },
            None => self.user.clone(),
        };
        let attributes = auth::Attributes {
            verb: access.verb.clone(),
            group: access.group.clone(),
            version: "*".into(),
            resource: access.resource.clone(),
            subresource: access.subresource.clone(),
            namespace: access.namespace.clone(),
            name: access.name.clone(),
            path: access.path.clone().unwrap_or_default(),
            resource_request: access.path.is_none(),
            fields: FieldSelector::parse(&access.field_selector).unwrap_or_default(),
        };
        let found = self.core.auth.decide(&self.core, &user, &attributes);
        Decision { allowed: found.allowed, reason: found.reason, error: String::new() }
    }
}

/// What an expression comes to.
///
/// # Errors
///
/// What went wrong, as the reference evaluator says it.
pub fn evaluate(text: &str, variables: &Variables) -> Result<CelValue, String> {
    Program::of(text)?.run(variables).outcome.map_err(|failure| failure.to_string())
}

/// Evaluates the `variables` of a policy one after another; those that fail are missing, with the reason kept.
pub fn compose(policy: &Value, variables: &mut Variables) -> Vec<(String, String)> {
    let mut values: Vec<(String, CelValue)> = Vec::new();
    let mut failures = Vec::new();
    variables.set("variables", CelValue::named(std::iter::empty()));
    for variable in meta::list_at(policy, &["spec", "variables"]) {
        let name = meta::str_at(variable, &["name"]).to_owned();
        let outcome = evaluate(meta::str_at(variable, &["expression"]), variables);
        match outcome {
            Ok(value) => values.push((name, value)),
            Err(why) => failures.push((name, why)),
        }
        variables.set("variables", CelValue::named(values.clone()));
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
        match evaluate(text, variables) {
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
