//! `ValidatingAdmissionPolicy`.

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::apiserver::admission::{Attributes, Plugin};
use crate::apiserver::core::Core;
use crate::expressions::{Value as CelValue, Variables};
use crate::object::status::Cause;
use crate::object::{Status, Value, go, meta};

use super::{Policies, ignores_failures, matcher, params, variables};

/// The longest value of an audit annotation, in bytes.
const MAX_ANNOTATION: usize = 10 * 1024;

/// The plugin.
pub struct ValidatingPolicies(Policies);

impl Default for ValidatingPolicies {
    fn default() -> Self {
        Self(Policies::new(
            &["/registry/validatingadmissionpolicies/"],
            &["/registry/validatingadmissionpolicybindings/"],
        ))
    }
}

impl Plugin for ValidatingPolicies {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionPolicy"
    }

    fn validate<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(self.judge(core, attributes)))
    }
}

/// Why a request is refused.
struct Denial {
    policy: String,
    binding: Option<String>,
    message: String,
    reason: String,
}

/// What one validation found.
struct Failure {
    index: usize,
    message: String,
    reason: String,
}

/// What a review of one request has come to so far.
#[derive(Default)]
struct Findings {
    denials: Vec<Denial>,
    audited: Vec<Value>,
    warnings: Vec<String>,
    annotations: Vec<(String, String)>,
}

impl ValidatingPolicies {
    fn judge(&self, core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
        if matcher::is_exempt(attributes) {
            return Ok(());
        }
        let bound = self.0.bound(&core.store);
        if bound.is_empty() {
            return Ok(());
        }
        let mut shared = None;
        let mut findings = Findings::default();
        for (policy, bindings) in &bound {
            match matcher::matches(core, attributes, meta::get(policy, &["spec", "matchConstraints"])) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    findings.misconfigured(policy, None, &why);
                    continue;
                }
            }
            let shared = shared.get_or_insert_with(|| variables::of(core, attributes));
            for binding in bindings {
                findings.apply(core, attributes, policy, binding, shared);
            }
        }
        attributes.warnings.append(&mut findings.warnings);
        attributes.audit.append(&mut findings.annotations);
        if !findings.audited.is_empty() {
            let key = "validation.policy.admission.k8s.io/validation_failure";
            attributes.audit.push((key.into(), Value::from(findings.audited).to_string()));
        }
        match findings.denials.into_iter().next() {
            Some(denial) => Err(denial.status(attributes)),
            None => Ok(()),
        }
    }
}

impl Denial {
    fn status(&self, attributes: &Attributes) -> Status {
        let binding = self.binding.as_ref().map(|name| format!(" with binding '{name}'")).unwrap_or_default();
        let message = format!("ValidatingAdmissionPolicy '{}'{binding} denied request: {}", self.policy, self.message);
        let mut status = attributes.forbidden(&message);
        let reason = if self.reason.is_empty() { "Invalid" } else { self.reason.as_str() };
        status.code = match reason {
            "Forbidden" => 403,
            "Unauthorized" => 401,
            "RequestEntityTooLarge" => 413,
            _ => 422,
        };
        reason.clone_into(&mut status.reason);
        status.details_mut().causes.push(Cause { message, ..Cause::default() });
        status
    }
}

impl Findings {
    fn misconfigured(&mut self, policy: &Value, binding: Option<&Value>, why: &str) {
        if ignores_failures(policy) {
            return;
        }
        let what = if binding.is_some() { "binding" } else { "policy" };
        self.denials.push(Denial {
            policy: meta::name(policy).to_owned(),
            binding: binding.map(|binding| meta::name(binding).to_owned()),
            message: format!("failed to configure {what}: {why}"),
            reason: String::new(),
        });
    }

    fn apply(&mut self, core: &Core, attributes: &Attributes, policy: &Value, binding: &Value, shared: &Variables) {
        match matcher::matches(core, attributes, meta::get(binding, &["spec", "matchResources"])) {
            Ok(true) => {}
            Ok(false) => return,
            Err(why) => return self.misconfigured(policy, Some(binding), &why),
        }
        let params = match params(core, attributes, policy, binding) {
            Ok(params) => params,
            Err(why) => return self.misconfigured(policy, Some(binding), &why),
        };
        for param in params {
            let mut variables = shared.clone();
            variables.set("params", CelValue::from_json(&param));
            for failure in validate(policy, &mut variables) {
                self.report(policy, binding, failure);
            }
            self.annotate(policy, binding, &variables);
        }
    }

    fn report(&mut self, policy: &Value, binding: &Value, failure: Failure) {
        let (policy, binding_name) = (meta::name(policy), meta::name(binding));
        let actions = meta::list_at(binding, &["spec", "validationActions"]);
        for action in actions.iter().filter_map(Value::as_str) {
            match action {
                "Deny" => self.denials.push(Denial {
                    policy: policy.to_owned(),
                    binding: Some(binding_name.to_owned()),
                    message: failure.message.clone(),
                    reason: failure.reason.clone(),
                }),
                "Audit" => self.audited.push(json!({
                    "message": failure.message,
                    "policy": policy,
                    "binding": binding_name,
                    "expressionIndex": failure.index,
                    "validationActions": actions,
                })),
                "Warn" => self.warnings.push(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{binding_name}': {}",
                    failure.message
                )),
                _ => {}
            }
        }
    }

    fn annotate(&mut self, policy: &Value, binding: &Value, variables: &Variables) {
        for annotation in meta::list_at(policy, &["spec", "auditAnnotations"]) {
            let text = meta::str_at(annotation, &["valueExpression"]);
            match variables::evaluate(text, variables) {
                Ok(CelValue::String(value)) if !value.trim().is_empty() => {
                    let end = (0..=value.len().min(MAX_ANNOTATION)).rev().find(|end| value.is_char_boundary(*end));
                    let key = format!("{}/{}", meta::name(policy), meta::str_at(annotation, &["key"]));
                    let value = value.get(..end.unwrap_or_default()).unwrap_or_default().to_owned();
                    if !self.annotations.contains(&(key.clone(), value.clone())) {
                        self.annotations.push((key, value));
                    }
                }
                Ok(_) => {}
                Err(_) if ignores_failures(policy) => {}
                Err(why) => self.denials.push(Denial {
                    policy: meta::name(policy).to_owned(),
                    binding: Some(meta::name(binding).to_owned()),
                    message: format!("expression '{text}' resulted in error: {why}"),
                    reason: String::new(),
                }),
            }
        }
    }
}

/// The validations of a policy that fail.
fn validate(policy: &Value, variables: &mut Variables) -> Vec<Failure> {
    let spec = policy.get("spec").unwrap_or(&Value::Null);
    let failed = |index, message: String| {
        let failure = Failure { index, message, reason: String::new() };
        if ignores_failures(policy) { None } else { Some(failure) }
    };
    match variables::conditions_hold(spec, variables) {
        Ok(true) => {}
        Ok(false) => return Vec::new(),
        Err(why) => return failed(0, why).into_iter().collect(),
    }
    let missing = variables::compose(policy, variables);
    let mut failures = Vec::new();
    for (index, validation) in meta::list_at(spec, &["validations"]).iter().enumerate() {
        let text = meta::str_at(validation, &["expression"]);
        match variables::evaluate(text, variables) {
            Ok(CelValue::Bool(true)) => {}
            Ok(_) => failures.push(Failure {
                index,
                message: message_of(validation, variables),
                reason: meta::str_at(validation, &["reason"]).to_owned(),
            }),
            Err(why) => {
                let cause = missing.iter().find(|(name, _)| text.contains(&format!("variables.{name}")));
                let why = cause.map_or(why, |(name, why)| {
                    format!("composited variable {} fails to evaluate: {why}", go::quote(name))
                });
                failures.extend(failed(index, format!("expression '{text}' resulted in error: {why}")));
            }
        }
    }
    failures
}

/// The message of a validation: what its expression makes of it, else its text, else the expression that failed.
fn message_of(validation: &Value, variables: &Variables) -> String {
    let made = Some(meta::str_at(validation, &["messageExpression"])).filter(|text| !text.is_empty());
    let made = made.and_then(|text| variables::evaluate(text, variables).ok());
    if let Some(CelValue::String(text)) = made {
        let text = text.trim();
        if !text.is_empty() && !text.contains('\n') {
            return text.to_owned();
        }
    }
    let message = meta::str_at(validation, &["message"]).trim();
    if message.is_empty() {
        return format!("failed expression: {}", meta::str_at(validation, &["expression"]).trim());
    }
    message.to_owned()
}
