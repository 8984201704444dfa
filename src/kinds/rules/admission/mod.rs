//! Rules of webhook configurations and admission policies.

use std::collections::BTreeSet;

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, MetaCheck, Rules, StatusSplit, check};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, names};

mod expression;
mod policy;

const GROUP: &str = "admissionregistration.k8s.io";
const ANY: &str = "*";
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
const NO_SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const SIDE_EFFECTS: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];
/// Most match conditions.
const MAX_CONDITIONS: usize = 64;

const ROW: Rules = Rules {
    group: GROUP,
    update_meta: &[MetaCheck::Create],
    generation: true,
    allow_unconditional_update: false,
    ..GENERIC
};

pub const RULES: &[Rules] = &[
    Rules {
        kind: "ValidatingWebhookConfiguration",
        validate_create: |object| webhooks(object, false, Tolerated::default()),
        validate_update: |new, old| webhooks(new, false, tolerated(new, old)),
        ..ROW
    },
    Rules {
        kind: "MutatingWebhookConfiguration",
        validate_create: |object| webhooks(object, true, Tolerated::default()),
        validate_update: |new, old| webhooks(new, true, tolerated(new, old)),
        ..ROW
    },
    Rules {
        kind: "ValidatingAdmissionPolicy",
        validate_create: |object| policy::validating(object, false),
        validate_update: policy::validating_update,
        status: StatusSplit::Status,
        ..ROW
    },
    Rules {
        kind: "MutatingAdmissionPolicy",
        validate_create: policy::mutating,
        validate_update: |new, old| {
            if new.at("spec") == old.at("spec") { ErrorList::new() } else { policy::mutating(new) }
        },
        ..ROW
    },
    Rules {
        kind: "ValidatingAdmissionPolicyBinding",
        validate_create: |object| policy::binding(object, true),
        validate_update: |new, _| policy::binding(new, true),
        ..ROW
    },
    Rules {
        kind: "MutatingAdmissionPolicyBinding",
        validate_create: |object| policy::binding(object, false),
        validate_update: |new, _| policy::binding(new, false),
        ..ROW
    },
];

/// What an old configuration has wrong already, and a new one may keep.
#[derive(Clone, Copy, Default)]
struct Tolerated {
    side_effects: bool,
    review_versions: bool,
    same_names: bool,
    selector_values: bool,
    conditions: bool,
}

fn tolerated(new: &Value, old: &Value) -> Tolerated {
    let hooks = old.list("webhooks");
    let any = |wrong: &dyn Fn(&Value) -> bool| hooks.iter().any(wrong);
    let names: BTreeSet<&str> = hooks.iter().map(|hook| hook.text("name")).collect();
    let conditions = |object: &Value| -> Vec<Value> {
        object.list("webhooks").iter().map(|hook| json!(hook.list("matchConditions"))).collect()
    };
    let bad_selector = |hook: &Value| {
        let mut errors = ErrorList::new();
        for field in ["namespaceSelector", "objectSelector"] {
            check::label_selector(&mut errors, &Path::default(), hook.at(field));
        }
        !errors.is_empty()
    };
    let unknown_version = |hook: &Value| {
        let versions = hook.texts("admissionReviewVersions");
        !versions.is_empty() && !versions.iter().any(|version| REVIEW_VERSIONS.contains(version))
    };
    Tolerated {
        side_effects: any(&|hook| !NO_SIDE_EFFECTS.contains(&hook.text("sideEffects"))),
        review_versions: any(&unknown_version),
        same_names: names.len() < hooks.len(),
        selector_values: any(&bad_selector),
        conditions: conditions(new) == conditions(old),
    }
}

fn webhooks(object: &Value, mutating: bool, tolerated: Tolerated) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut seen = BTreeSet::new();
    for (i, hook) in object.list("webhooks").iter().enumerate() {
        let path = Path::new("webhooks").index(i);
        webhook(&mut errors, &path, hook, mutating, tolerated);
        review_versions(&mut errors, &path.child("admissionReviewVersions"), hook, tolerated);
        let name = hook.text("name");
        if !name.is_empty() && !seen.insert(name) && !tolerated.same_names {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    }
    errors
}

fn webhook(errors: &mut ErrorList, path: &Path, hook: &Value, mutating: bool, tolerated: Tolerated) {
    qualified_domain(errors, &path.child("name"), hook.text("name"));
    for (i, rule) in hook.list("rules").iter().enumerate() {
        rule_with_operations(errors, &path.child("rules").index(i), rule);
    }
    if let Some(policy) = hook.opt_text("failurePolicy") {
        check::one_of(errors, &path.child("failurePolicy"), policy, &FAILURE_POLICIES);
    }
    if let Some(policy) = hook.opt_text("matchPolicy") {
        check::one_of(errors, &path.child("matchPolicy"), policy, &MATCH_POLICIES);
    }
    let allowed: &[&str] = if tolerated.side_effects { &SIDE_EFFECTS } else { &NO_SIDE_EFFECTS };
    match hook.opt_text("sideEffects") {
        None => {
            let message = format!("must specify one of {}", allowed.join(", "));
            errors.push(Error::required(&path.child("sideEffects"), message));
        }
        Some(effects) => check::one_of(errors, &path.child("sideEffects"), effects, allowed),
    }
    if let Some(seconds) = hook.opt_int("timeoutSeconds").filter(|seconds| !(1..=30).contains(seconds)) {
        let message = "the timeout value must be between 1 and 30 seconds";
        errors.push(Error::invalid(&path.child("timeoutSeconds"), seconds, message));
    }
    for field in ["namespaceSelector", "objectSelector"] {
        check::label_selector_with(errors, &path.child(field), hook.at(field), tolerated.selector_values);
    }
    if mutating && let Some(policy) = hook.opt_text("reinvocationPolicy") {
        check::one_of(errors, &path.child("reinvocationPolicy"), policy, &["IfNeeded", "Never"]);
    }
    let config = hook.at("clientConfig");
    let at = path.child("clientConfig");
    match (config.opt_text("url"), config.some("service")) {
        (Some(url), None) => webhook_url(errors, &at.child("url"), url),
        (None, Some(service)) => webhook_service(errors, &at.child("service"), service),
        _ => errors.push(Error::required(&at, "exactly one of url or service is required")),
    }
    if !tolerated.conditions {
        match_conditions(errors, &path.child("matchConditions"), hook.list("matchConditions"), false);
    }
}

/// A domain name of at least three segments.
fn qualified_domain(errors: &mut ErrorList, path: &Path, name: &str) {
    if name.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let messages = names::is_dns1123_subdomain(name);
    if messages.is_empty() && name.split('.').count() < 3 {
        let message = "should be a domain with at least three segments separated by dots";
        errors.push(Error::invalid(path, name, message));
    }
    check::messages(errors, path, name, messages);
}

fn review_versions(errors: &mut ErrorList, path: &Path, hook: &Value, tolerated: Tolerated) {
    let versions = hook.texts("admissionReviewVersions");
    let known = REVIEW_VERSIONS.join(", ");
    if versions.is_empty() {
        errors.push(Error::required(path, format!("must specify one of {known}")));
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, version) in versions.iter().enumerate() {
        if seen.insert(*version) {
            check::messages(errors, &path.index(i), *version, names::is_dns1035_label(version));
        } else {
            errors.push(Error::invalid(&path.index(i), *version, "duplicate version"));
        }
    }
    if !tolerated.review_versions && !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        errors.push(Error::invalid(path, json!(versions), format!("must include at least one of {known}")));
    }
}

fn rule_with_operations(errors: &mut ErrorList, path: &Path, rule: &Value) {
    const OPERATIONS: [&str; 5] = [ANY, "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let operations = rule.texts("operations");
    let at = path.child("operations");
    if operations.is_empty() {
        errors.push(Error::required(&at, ""));
    }
    alone(errors, &at, &operations, "operations");
    for (i, operation) in operations.iter().enumerate() {
        check::one_of(errors, &at.index(i), operation, &OPERATIONS);
    }
    for (field, what) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        let values = rule.texts(field);
        if values.is_empty() {
            errors.push(Error::required(&path.child(field), ""));
        }
        alone(errors, &path.child(field), &values, what);
    }
    for (i, version) in rule.texts("apiVersions").into_iter().enumerate() {
        check::required(errors, &path.child("apiVersions").index(i), version);
    }
    resources(errors, &path.child("resources"), &rule.texts("resources"));
    if let Some(scope) = rule.opt_text("scope") {
        check::one_of(errors, &path.child("scope"), scope, &[ANY, "Cluster", "Namespaced"]);
    }
}

/// `*` stands for all and so stands alone.
fn alone(errors: &mut ErrorList, path: &Path, values: &[&str], what: &str) {
    if values.len() > 1 && values.contains(&ANY) {
        let message = format!("if '*' is present, must not specify other {what}");
        errors.push(Error::invalid(path, json!(values), message));
    }
}

/// Resources with or without subresource, where a wildcard leaves nothing to say beside it.
fn resources(errors: &mut ErrorList, path: &Path, resources: &[&str]) {
    if resources.is_empty() {
        errors.push(Error::required(path, ""));
    }
    let (mut all_subresources, mut all_resources) = (BTreeSet::new(), BTreeSet::new());
    let mut plain = false;
    for (i, resource) in resources.iter().enumerate() {
        let path = path.index(i);
        check::required(errors, &path, resource);
        let Some((base, sub)) = resource.split_once('/') else {
            plain |= !resource.is_empty() && *resource != ANY;
            continue;
        };
        if all_subresources.contains(base) {
            let message = format!("if '{base}/*' is present, must not specify {resource}");
            errors.push(Error::invalid(&path, *resource, message));
        }
        if all_resources.contains(sub) {
            let message = format!("if '*/{sub}' is present, must not specify {resource}");
            errors.push(Error::invalid(&path, *resource, message));
        }
        if sub == ANY {
            all_subresources.insert(base);
        }
        if base == ANY {
            all_resources.insert(sub);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        let message = "if '*/*' is present, must not specify other resources";
        errors.push(Error::invalid(path, json!(resources), message));
    }
    if resources.contains(&ANY) && plain {
        let message = "if '*' is present, must not specify other resources without subresources";
        errors.push(Error::invalid(path, json!(resources), message));
    }
}

fn webhook_url(errors: &mut ErrorList, path: &Path, text: &str) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = if scheme.is_empty() { "" } else { rest.split('/').next().unwrap_or_default() };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if scheme != "https" {
        let message = format!("'https' is the only allowed URL scheme{FORM}");
        errors.push(Error::invalid(path, scheme, message));
    }
    if host.is_empty() {
        errors.push(Error::invalid(path, "", format!("host must be specified{FORM}")));
    }
    for (part, message) in [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ] {
        if !part.is_empty() {
            errors.push(Error::invalid(path, part, message));
        }
    }
}

fn webhook_service(errors: &mut ErrorList, path: &Path, service: &Value) {
    check::required_fields(errors, path, service, &["name", "namespace"]);
    if let Some(port) = service.opt_int("port") {
        let messages = names::is_valid_port_num(port);
        if !messages.is_empty() {
            let message = format!("port is not valid: {}", messages.join(","));
            errors.push(Error::invalid(&path.child("port"), port, message));
        }
    }
    let Some(text) = service.opt_text("path").filter(|text| !matches!(*text, "" | "/")) else { return };
    let path = path.child("path");
    if text == "//" {
        errors.push(Error::invalid(&path, text, "segment[0] may not be empty"));
        return;
    }
    if !text.starts_with('/') {
        errors.push(Error::invalid(&path, text, "must start with a '/'"));
    }
    let inner = text.get(1..).unwrap_or_default();
    for (i, step) in inner.strip_suffix('/').unwrap_or(inner).split('/').enumerate() {
        let messages =
            if step.is_empty() { vec!["may not be empty".to_owned()] } else { names::is_dns1123_subdomain(step) };
        for message in messages {
            let colon = if step.is_empty() { "" } else { ":" };
            errors.push(Error::invalid(&path, text, format!("segment[{i}]{colon} {message}")));
        }
    }
}

/// Named conditions, each an expression that must come out as a boolean.
fn match_conditions(errors: &mut ErrorList, path: &Path, conditions: &[Value], params: bool) {
    if conditions.len() > MAX_CONDITIONS {
        errors.push(Error::too_many(path, conditions.len(), MAX_CONDITIONS));
    }
    let mut seen = BTreeSet::new();
    for (i, condition) in conditions.iter().enumerate() {
        let path = path.index(i);
        let text = condition.text("expression").trim();
        if text.is_empty() {
            errors.push(Error::required(&path.child("expression"), ""));
        } else {
            let scope = expression::Scope { params, authorizer: true, variables: &[] };
            expression::check(errors, &path.child("expression"), text, scope, &["bool"]);
        }
        let name = condition.text("name");
        check::required(errors, &path.child("name"), name);
        if !name.is_empty() {
            check::qualified_name(errors, &path.child("name"), name);
            if !seen.insert(name) {
                errors.push(Error::duplicate(&path.child("name"), name));
            }
        }
    }
}
