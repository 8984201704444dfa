//! Rules of flow schemas and priority levels.

use std::collections::BTreeSet;

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, MetaCheck, Rules, StatusSplit, check};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta, names};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const ANY: &str = "*";
const EXEMPT: &str = "exempt";
const MAX_PRECEDENCE: i64 = 10_000;
const MAX_QUEUES: i64 = 10 * 1000 * 1000;
/// Most bits that dealing hands from the deck of queues may need.
const MAX_ENTROPY: f64 = 60.0;
const VERBS: [&str; 9] = ["connect", "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const HTTP_VERBS: [&str; 6] = ["get", "head", "options", "patch", "post", "put"];

const ROW: Rules =
    Rules { group: GROUP, update_meta: &[MetaCheck::Create], status: StatusSplit::Status, generation: true, ..GENERIC };

pub const RULES: &[Rules] = &[
    Rules {
        kind: "FlowSchema",
        validate_create: flow_schema,
        validate_update: |new, _| flow_schema(new),
        validate_status_update: |new, _| conditions(new),
        ..ROW
    },
    Rules {
        kind: "PriorityLevelConfiguration",
        validate_create: priority_level,
        validate_update: |new, _| priority_level(new),
        validate_status_update: |new, _| conditions(new),
        ..ROW
    },
];

fn conditions(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut seen = BTreeSet::new();
    for (i, condition) in object.at("status").list("conditions").iter().enumerate() {
        let path = Path::new("status").child("conditions").index(i).child("type");
        let type_ = condition.text("type");
        if !seen.insert(type_) {
            errors.push(Error::duplicate(&path, type_));
        }
        if type_.is_empty() {
            errors.push(Error::required(&path, "must not be empty"));
        }
    }
    errors
}

fn flow_schema(schema: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = schema.at("spec");
    let path = Path::new("spec");
    let precedence = spec.int("matchingPrecedence");
    let at = path.child("matchingPrecedence");
    if precedence <= 0 {
        errors.push(Error::invalid(&at, precedence, "must be a positive value"));
    }
    if precedence > MAX_PRECEDENCE {
        errors.push(Error::invalid(&at, precedence, format!("must not be greater than {MAX_PRECEDENCE}")));
    }
    if precedence == 1 && meta::name(schema) != EXEMPT {
        let message = "only the schema named 'exempt' may have matchingPrecedence 1";
        errors.push(Error::invalid(&at, precedence, message));
    }
    if let Some(method) = spec.some("distinguisherMethod") {
        let at = path.child("distinguisherMethod").child("type");
        check::one_of(&mut errors, &at, method.text("type"), &["ByNamespace", "ByUser"]);
    }
    let level = spec.at("priorityLevelConfiguration").text("name");
    let at = path.child("priorityLevelConfiguration").child("name");
    if level.is_empty() {
        errors.push(Error::required(&at, "must reference a priority level"));
    } else {
        check::dns_subdomain(&mut errors, &at, level);
    }
    for (i, rule) in spec.list("rules").iter().enumerate() {
        rules_with_subjects(&mut errors, &path.child("rules").index(i), rule);
    }
    errors.extend(conditions(schema));
    errors
}

fn rules_with_subjects(errors: &mut ErrorList, path: &Path, rule: &Value) {
    if rule.list("subjects").is_empty() {
        errors.push(Error::required(&path.child("subjects"), "subjects must contain at least one value"));
    }
    for (i, subject) in rule.list("subjects").iter().enumerate() {
        check_subject(errors, &path.child("subjects").index(i), subject);
    }
    if rule.list("resourceRules").is_empty() && rule.list("nonResourceRules").is_empty() {
        let message = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.push(Error::required(path, message));
    }
    for (i, rule) in rule.list("resourceRules").iter().enumerate() {
        resource_rule(errors, &path.child("resourceRules").index(i), rule);
    }
    for (i, rule) in rule.list("nonResourceRules").iter().enumerate() {
        let path = path.child("nonResourceRules").index(i);
        verbs(errors, &path.child("verbs"), rule, &HTTP_VERBS);
        urls(errors, &path.child("nonResourceURLs"), &rule.texts("nonResourceURLs"));
    }
}

fn check_subject(errors: &mut ErrorList, path: &Path, subject: &Value) {
    const KINDS: [(&str, &str); 3] = [("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")];
    let kind = subject.text("kind");
    let Some((_, own)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let supported = ["Group", "ServiceAccount", "User"];
        errors.push(Error::not_supported(&path.child("kind"), kind, &supported));
        return;
    };
    let at = path.child(own);
    match subject.some(own) {
        None => errors.push(Error::required(&at, format!("{own} is required when subject kind is '{kind}'"))),
        Some(found) => {
            let name = found.text("name");
            check::required(errors, &at.child("name"), name);
            if kind == "ServiceAccount" {
                if !name.is_empty() && name != ANY {
                    check::dns_subdomain(errors, &at.child("name"), name);
                }
                let namespace = found.text("namespace");
                if namespace.is_empty() {
                    let message = "must specify namespace for service account";
                    errors.push(Error::required(&at.child("namespace"), message));
                } else {
                    check::dns_label(errors, &at.child("namespace"), namespace);
                }
            }
        }
    }
    for (name, field) in KINDS.iter().filter(|(_, field)| field != own && subject.has(field)) {
        let message = format!("{field} is forbidden when subject kind is not '{name}'");
        errors.push(Error::forbidden(&path.child(field), message));
    }
}

fn verbs(errors: &mut ErrorList, path: &Path, rule: &Value, supported: &[&str]) {
    let verbs = rule.texts("verbs");
    if verbs.is_empty() {
        errors.push(Error::required(path, "verbs must contain at least one value"));
    } else if verbs.contains(&ANY) {
        alone(errors, path, &verbs, "verbs");
    } else if !verbs.iter().all(|verb| supported.contains(verb)) {
        errors.push(Error::not_supported(path, json!(verbs), supported));
    }
}

/// `*` stands for all and so stands alone.
fn alone(errors: &mut ErrorList, path: &Path, values: &[&str], what: &str) {
    if values.len() > 1 && values.contains(&ANY) {
        let message = format!("if '*' is present, must not specify other {what}");
        errors.push(Error::invalid(path, json!(values), message));
    }
}

fn urls(errors: &mut ErrorList, path: &Path, urls: &[&str]) {
    if urls.is_empty() {
        errors.push(Error::required(path, "nonResourceURLs must contain at least one value"));
    } else if urls.contains(&ANY) {
        alone(errors, path, urls, "non-resource URLs");
    } else {
        for (i, url) in urls.iter().enumerate() {
            if let Some(wrong) = url_error(url) {
                errors.push(Error::invalid(&path.index(i), *url, wrong));
            }
        }
    }
}

fn url_error(url: &str) -> Option<&'static str> {
    let inner = url.strip_prefix('/');
    Some(match (url, inner) {
        ("", _) => "must not be empty",
        ("/", _) => return None,
        (_, None) => "must start with slash",
        _ if url.contains(' ') => "must not contain white-space",
        _ if url.contains("//") => "must not contain double slash",
        _ if url.trim_end_matches('*').contains('*') || url.contains("**") => "wildcard can only do suffix matching",
        _ if url.ends_with('*') && !url.ends_with("/*") => "wildcard can only do suffix matching",
        _ => return None,
    })
}

fn resource_rule(errors: &mut ErrorList, path: &Path, rule: &Value) {
    verbs(errors, &path.child("verbs"), rule, &VERBS);
    for (field, missing, what) in [
        ("apiGroups", "resource rules must supply at least one api group", "api groups"),
        ("resources", "resource rules must supply at least one resource", "resources"),
    ] {
        let values = rule.texts(field);
        if values.is_empty() {
            errors.push(Error::required(&path.child(field), missing));
        }
        alone(errors, &path.child(field), &values, what);
    }
    let namespaces = rule.texts("namespaces");
    let at = path.child("namespaces");
    if namespaces.is_empty() && !rule.flag("clusterScope") {
        let message = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.push(Error::required(&at, message));
    } else if namespaces.contains(&ANY) {
        alone(errors, &at, &namespaces, "namespaces");
    } else {
        for (i, namespace) in namespaces.into_iter().enumerate() {
            for message in names::is_dns1123_label(namespace) {
                let message = format!("each member of this list must be '*' or a DNS-1123 label; {message}");
                errors.push(Error::invalid(&at.index(i), namespace, message));
            }
        }
    }
}

fn priority_level(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    let type_ = spec.text("type");
    if (meta::name(object) == EXEMPT) != (type_ == "Exempt") {
        let message = "type must be 'Exempt' if and only if name is 'exempt'";
        errors.push(Error::invalid(&path.child("type"), type_, message));
    }
    match type_ {
        "Exempt" => {
            if spec.has("limited") {
                errors.push(Error::forbidden(&path.child("limited"), "must be nil if the type is not Limited"));
            }
            if let Some(exempt) = spec.some("exempt") {
                shares(&mut errors, &path.child("exempt"), exempt, false);
            }
        }
        "Limited" => {
            if spec.has("exempt") {
                errors.push(Error::forbidden(&path.child("exempt"), "must be nil if the type is Limited"));
            }
            match spec.some("limited") {
                None => {
                    let message = "must not be empty when type is Limited";
                    errors.push(Error::required(&path.child("limited"), message));
                }
                Some(limited) => {
                    let path = path.child("limited");
                    shares(&mut errors, &path, limited, true);
                    limit_response(&mut errors, &path.child("limitResponse"), limited.at("limitResponse"));
                }
            }
        }
        other => errors.push(Error::not_supported(&path.child("type"), other, &["Exempt", "Limited"])),
    }
    errors.extend(conditions(object));
    errors
}

fn shares(errors: &mut ErrorList, path: &Path, level: &Value, borrows: bool) {
    let shares = level.int("nominalConcurrencyShares");
    if shares < 0 {
        errors.push(Error::invalid(&path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer"));
    }
    if borrows && let Some(limit) = level.opt_int("borrowingLimitPercent").filter(|limit| *limit < 0) {
        let message = "if specified, must be a non-negative integer";
        errors.push(Error::invalid(&path.child("borrowingLimitPercent"), limit, message));
    }
    if let Some(percent) = level.opt_int("lendablePercent").filter(|percent| !(0..=100).contains(percent)) {
        errors.push(Error::invalid(&path.child("lendablePercent"), percent, "must be between 0 and 100, inclusive"));
    }
}

fn limit_response(errors: &mut ErrorList, path: &Path, response: &Value) {
    let at = path.child("queuing");
    match (response.text("type"), response.some("queuing")) {
        ("Reject", Some(_)) => {
            let message = "must be nil if limited.limitResponse.type is not Limited";
            errors.push(Error::forbidden(&at, message));
        }
        ("Reject", None) => {}
        ("Queue", None) => {
            let message = "must not be empty if limited.limitResponse.type is Limited";
            errors.push(Error::required(&at, message));
        }
        ("Queue", Some(queuing)) => check_queuing(errors, &at, queuing),
        (other, _) => errors.push(Error::not_supported(&path.child("type"), other, &["Queue", "Reject"])),
    }
}

fn check_queuing(errors: &mut ErrorList, path: &Path, queuing: &Value) {
    let (limit, queues, hand) = (queuing.int("queueLengthLimit"), queuing.int("queues"), queuing.int("handSize"));
    if limit <= 0 {
        errors.push(Error::invalid(&path.child("queueLengthLimit"), limit, "must be positive"));
    }
    let at = path.child("queues");
    if queues <= 0 {
        errors.push(Error::invalid(&at, queues, "must be positive"));
    } else if queues > MAX_QUEUES {
        errors.push(Error::invalid(&at, queues, format!("must not be greater than {MAX_QUEUES}")));
    }
    let at = path.child("handSize");
    let entropy = ((queues as f64).log2() * hand as f64).ceil();
    if hand <= 0 {
        errors.push(Error::invalid(&at, hand, "must be positive"));
    } else if hand > queues {
        errors.push(Error::invalid(&at, hand, format!("should not be greater than queues ({queues})")));
    } else if entropy > MAX_ENTROPY {
        let message =
            format!("required entropy bits of deckSize {queues} and handSize {hand} should not be greater than 60");
        errors.push(Error::invalid(&at, hand, message));
    }
}
