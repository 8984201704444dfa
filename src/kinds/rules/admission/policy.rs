//! Admission policies and their bindings.

use std::collections::BTreeSet;

use serde_json::json;

use super::expression::{self, Scope};
use super::{FAILURE_POLICIES, MATCH_POLICIES, match_conditions, rule_with_operations};
use crate::kinds::rules::check;
use crate::kinds::rules::value::Fields;
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{GroupVersion, Value, meta, names};

/// Most audit annotations, and most bytes of the expression of one.
const MAX_ANNOTATIONS: usize = 20;
const MAX_ANNOTATION_BYTES: usize = 5 * 1024;

/// A validating policy; `same_conditions` leaves unchanged match conditions alone.
pub fn validating(object: &Value, same_conditions: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    head(&mut errors, spec, same_conditions);
    let variables = variables(&mut errors, spec);
    let scope = Scope { params: spec.has("paramKind"), authorizer: true, variables: &variables };
    let (validations, annotations) = (spec.list("validations"), spec.list("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        let message = "validations or auditAnnotations must contain at least one item";
        for field in ["validations", "auditAnnotations"] {
            errors.push(Error::required(&path.child(field), message));
        }
        return errors;
    }
    for (i, validation) in validations.iter().enumerate() {
        check_validation(&mut errors, &path.child("validations").index(i), validation, scope);
    }
    audit_annotations(&mut errors, object, annotations, scope);
    errors
}

/// An update of a validating policy: what did not change is not looked at again.
pub fn validating_update(new: &Value, old: &Value) -> ErrorList {
    let part = |object: &Value, field: &str| object.at("spec").at(field).clone();
    let same = ["paramKind", "matchConditions"].iter().all(|field| part(new, field) == part(old, field));
    validating(new, same)
}

/// A mutating policy.
pub fn mutating(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    head(&mut errors, spec, false);
    let variables = variables(&mut errors, spec);
    let scope = Scope { params: spec.has("paramKind"), authorizer: true, variables: &variables };
    let at = path.child("mutations");
    if spec.list("mutations").is_empty() {
        errors.push(Error::required(&at, "mutations must contain at least one item"));
    }
    for (i, mutation) in spec.list("mutations").iter().enumerate() {
        let path = at.index(i);
        let type_ = mutation.text("patchType");
        check::required_one_of(&mut errors, &path.child("patchType"), type_, &["ApplyConfiguration", "JSONPatch"]);
        let kinds =
            [("ApplyConfiguration", "applyConfiguration", "Object"), ("JSONPatch", "jsonPatch", "list(JSONPatch)")];
        for (kind, field, gives) in kinds {
            let at = path.child(field);
            match (kind == type_, mutation.some(field)) {
                (true, None) => {
                    errors.push(Error::required(&at, format!("must be specified when patchType is {kind}")));
                }
                (false, Some(_)) => {
                    errors.push(Error::forbidden(&at, format!("must not be specified when patchType is {type_}")));
                }
                (true, Some(patch)) => {
                    let text = patch.text("expression");
                    if text.trim().is_empty() {
                        errors.push(Error::required(&at.child("expression"), "expression is not specified"));
                    } else {
                        expression::check_mutation(&mut errors, &at.child("expression"), text, scope, gives);
                    }
                }
                (false, None) => {}
            }
        }
    }
    let policy = spec.text("reinvocationPolicy");
    check::required_one_of(&mut errors, &path.child("reinvocationPolicy"), policy, &["IfNeeded", "Never"]);
    errors
}

/// What both kinds of policies begin with.
fn head(errors: &mut ErrorList, spec: &Value, same_conditions: bool) {
    let path = Path::new("spec");
    let policy = spec.text("failurePolicy");
    check::required_one_of(errors, &path.child("failurePolicy"), policy, &FAILURE_POLICIES);
    if let Some(kind) = spec.some("paramKind") {
        param_kind(errors, &path.child("paramKind"), kind);
    }
    let at = path.child("matchConstraints");
    match spec.some("matchConstraints") {
        None => errors.push(Error::required(&at, "")),
        Some(constraints) => {
            match_resources(errors, &at, constraints);
            if constraints.list("resourceRules").is_empty() {
                errors.push(Error::required(&at.child("resourceRules"), ""));
            }
        }
    }
    if !same_conditions {
        let conditions = spec.list("matchConditions");
        match_conditions(errors, &path.child("matchConditions"), conditions, spec.has("paramKind"));
    }
}

fn param_kind(errors: &mut ErrorList, path: &Path, kind: &Value) {
    let api_version = kind.text("apiVersion");
    let at = path.child("apiVersion");
    match GroupVersion::parse(api_version) {
        _ if api_version.is_empty() => errors.push(Error::required(&at, "")),
        None => {
            let message = format!("unexpected GroupVersion string: {api_version}");
            errors.push(Error::invalid(&at, api_version, message));
        }
        Some(version) => {
            let joined = |errors: &mut ErrorList, text: &str, messages: Vec<String>| {
                if !messages.is_empty() {
                    errors.push(Error::invalid(&at, text, messages.join(",")));
                }
            };
            if !version.group.is_empty() {
                joined(errors, &version.group, names::is_dns1123_subdomain(&version.group));
            }
            if version.version.is_empty() {
                errors.push(Error::invalid(&at, api_version, "version must be specified"));
            } else {
                joined(errors, &version.version, names::is_dns1035_label(&version.version));
            }
        }
    }
    let name = kind.text("kind");
    let at = path.child("kind");
    let messages = names::is_dns1035_label(&name.to_lowercase());
    if name.is_empty() {
        errors.push(Error::required(&at, ""));
    } else if !messages.is_empty() {
        let message = format!("may have mixed case, but should otherwise match: {}", messages.join(","));
        errors.push(Error::invalid(&at, name, message));
    }
}

fn match_resources(errors: &mut ErrorList, path: &Path, constraints: &Value) {
    let policy = constraints.text("matchPolicy");
    check::required_one_of(errors, &path.child("matchPolicy"), policy, &MATCH_POLICIES);
    for field in ["namespaceSelector", "objectSelector"] {
        match constraints.some(field) {
            None => errors.push(Error::required(&path.child(field), "")),
            Some(selector) => check::label_selector(errors, &path.child(field), selector),
        }
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        for (i, rule) in constraints.list(field).iter().enumerate() {
            let path = path.child(field).index(i);
            let mut seen = BTreeSet::new();
            for (j, name) in rule.texts("resourceNames").into_iter().enumerate() {
                let path = path.child("resourceNames").index(j);
                check::messages(errors, &path, name, names::is_path_segment_name(name));
                if !seen.insert(name) {
                    errors.push(Error::duplicate(&path, name));
                }
            }
            rule_with_operations(errors, &path, rule);
        }
    }
}

/// Checks the variables and returns their names.
fn variables(errors: &mut ErrorList, spec: &Value) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for (i, variable) in spec.list("variables").iter().enumerate() {
        let path = Path::new("spec").child("variables").index(i);
        let (name, text) = (variable.text("name"), variable.text("expression"));
        if name.trim().is_empty() {
            errors.push(Error::required(&path.child("name"), "name is not specified"));
        } else if !expression::is_identifier(name) {
            errors.push(Error::invalid(&path.child("name"), name, "must be a valid CEL identifier"));
        }
        if text.trim().is_empty() {
            errors.push(Error::required(&path.child("expression"), "expression is not specified"));
        } else {
            let scope = Scope { params: spec.has("paramKind"), authorizer: true, variables: &known };
            expression::check(errors, &path.child("expression"), text, scope, &[]);
        }
        known.push(name.to_owned());
    }
    known
}

fn check_validation(errors: &mut ErrorList, path: &Path, validation: &Value, scope: Scope<'_>) {
    let text = validation.text("expression");
    if text.trim().is_empty() {
        errors.push(Error::required(&path.child("expression"), "expression is not specified"));
    } else {
        expression::check(errors, &path.child("expression"), text, scope, &["bool"]);
    }
    let message_expression = validation.text("messageExpression");
    let at = path.child("messageExpression");
    if !message_expression.is_empty() && message_expression.trim().is_empty() {
        errors.push(Error::invalid(&at, message_expression, "must be non-empty if specified"));
    } else if !message_expression.is_empty() {
        let scope = Scope { authorizer: false, ..scope };
        expression::check(errors, &at, message_expression, scope, &["string"]);
    }
    let message = validation.text("message");
    let at = path.child("message");
    if !message.is_empty() && message.trim().is_empty() {
        errors.push(Error::invalid(&at, message, "message must be non-empty if specified"));
    } else if message.trim().contains(['\n', '\r']) {
        errors.push(Error::invalid(&at, message, "message must not contain line breaks"));
    }
    if let Some(reason) = validation.opt_text("reason") {
        let supported = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
        check::one_of(errors, &path.child("reason"), reason, &supported);
    }
}

fn audit_annotations(errors: &mut ErrorList, object: &Value, annotations: &[Value], scope: Scope<'_>) {
    let path = Path::new("spec").child("auditAnnotations");
    if annotations.len() > MAX_ANNOTATIONS {
        let message = format!("must not have more than {MAX_ANNOTATIONS} auditAnnotations");
        errors.push(Error::invalid(&path, json!(annotations), message));
    }
    let mut seen = BTreeSet::new();
    for (i, annotation) in annotations.iter().enumerate() {
        let path = path.index(i);
        let key = annotation.text("key");
        match meta::name(object) {
            "" => errors.push(Error::invalid(&path.child("key"), key, "requires metadata.name be non-empty")),
            name => check::qualified_name(errors, &path.child("key"), &format!("{name}/{key}")),
        }
        let text = annotation.text("valueExpression").trim();
        let at = path.child("valueExpression");
        if text.is_empty() {
            errors.push(Error::required(&at, "valueExpression is not specified"));
        } else if text.len() > MAX_ANNOTATION_BYTES {
            let message = format!("must not exceed {MAX_ANNOTATION_BYTES} bytes in length");
            errors.push(Error::required(&at, message));
        } else {
            expression::check(errors, &at, text, scope, &["string", "null_type"]);
        }
        if !seen.insert(key) {
            errors.push(Error::duplicate(&path.child("key"), key));
        }
    }
}

/// A binding of a policy; only validating ones have actions.
pub fn binding(object: &Value, with_actions: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    let policy = spec.text("policyName");
    check::required(&mut errors, &path.child("policyName"), policy);
    if !policy.is_empty() {
        check::dns_subdomain(&mut errors, &path.child("policyName"), policy);
    }
    if let Some(reference) = spec.some("paramRef") {
        param_reference(&mut errors, &path.child("paramRef"), reference);
    }
    if let Some(resources) = spec.some("matchResources") {
        match_resources(&mut errors, &path.child("matchResources"), resources);
    }
    if with_actions {
        actions(&mut errors, &path.child("validationActions"), &spec.texts("validationActions"));
    }
    errors
}

fn param_reference(errors: &mut ErrorList, path: &Path, reference: &Value) {
    let name = reference.text("name");
    let exclusive = "name and selector are mutually exclusive";
    if !name.is_empty() {
        check::messages(errors, &path.child("name"), name, names::is_path_segment_name(name));
        if reference.has("selector") {
            errors.push(Error::forbidden(&path.child("name"), exclusive));
        }
    }
    if let Some(selector) = reference.some("selector") {
        check::label_selector(errors, &path.child("selector"), selector);
        if !name.is_empty() {
            errors.push(Error::forbidden(&path.child("selector"), exclusive));
        }
    } else if name.is_empty() {
        errors.push(Error::required(path, "one of name or selector must be specified"));
    }
    let action = reference.text("parameterNotFoundAction");
    check::required_one_of(errors, &path.child("parameterNotFoundAction"), action, &["Allow", "Deny"]);
}

fn actions(errors: &mut ErrorList, path: &Path, actions: &[&str]) {
    let mut seen = BTreeSet::new();
    for (i, action) in actions.iter().enumerate() {
        check::one_of(errors, &path.index(i), action, &["Audit", "Deny", "Warn"]);
        if !seen.insert(*action) {
            errors.push(Error::duplicate(&path.index(i), *action));
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let message = "must not contain both Deny and Warn (repeating the same validation failure information in the \
                       API response and headers serves no purpose)";
        errors.push(Error::invalid(path, json!(actions), message));
    }
    if actions.is_empty() {
        errors.push(Error::required(path, "at least one validation action is required"));
    }
}
