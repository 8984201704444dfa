//! Rules of roles and role bindings.

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, MetaCheck, NameRule, Rules, check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, names};

const GROUP: &str = "rbac.authorization.k8s.io";

const BOTH: &[MetaCheck] = &[MetaCheck::Create, MetaCheck::Update];

const ROW: Rules =
    Rules { group: GROUP, name: NameRule::PathSegment, update_meta: BOTH, allow_create_on_update: true, ..GENERIC };

pub const RULES: &[Rules] = &[
    Rules {
        kind: "Role",
        validate_create: |role| policy_rules(role, true),
        validate_update: |new, _| policy_rules(new, true),
        ..ROW
    },
    Rules { kind: "ClusterRole", validate_create: cluster_role, validate_update: |new, _| cluster_role(new), ..ROW },
    Rules {
        kind: "RoleBinding",
        validate_create: |object| binding(object, &["Role", "ClusterRole"], true),
        validate_update: |new, old| binding_update(new, old, &["Role", "ClusterRole"], true),
        ..ROW
    },
    Rules {
        kind: "ClusterRoleBinding",
        validate_create: |object| binding(object, &["ClusterRole"], false),
        validate_update: |new, old| binding_update(new, old, &["ClusterRole"], false),
        ..ROW
    },
];

fn policy_rules(role: &Value, namespaced: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    for (i, rule) in role.list("rules").iter().enumerate() {
        let path = Path::new("rules").index(i);
        let missing = |field: &str| rule.list(field).is_empty();
        if missing("verbs") {
            errors.push(Error::required(&path.child("verbs"), "verbs must contain at least one value"));
        }
        if !missing("nonResourceURLs") {
            let urls = json!(rule.texts("nonResourceURLs"));
            let path = path.child("nonResourceURLs");
            if namespaced {
                let message = "namespaced rules cannot apply to non-resource URLs";
                errors.push(Error::invalid(&path, urls.clone(), message));
            }
            if !missing("apiGroups") || !missing("resources") || !missing("resourceNames") {
                let message = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(Error::invalid(&path, urls, message));
            }
            continue;
        }
        if missing("apiGroups") {
            let message = "resource rules must supply at least one api group";
            errors.push(Error::required(&path.child("apiGroups"), message));
        }
        if missing("resources") {
            let message = "resource rules must supply at least one resource";
            errors.push(Error::required(&path.child("resources"), message));
        }
    }
    errors
}

fn cluster_role(role: &Value) -> ErrorList {
    let mut errors = policy_rules(role, false);
    let Some(aggregation) = role.some("aggregationRule") else { return errors };
    let path = Path::new("aggregationRule").child("clusterRoleSelectors");
    let selectors = aggregation.list("clusterRoleSelectors");
    if selectors.is_empty() {
        let message = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errors.push(Error::required(&path, message));
    }
    for (i, selector) in selectors.iter().enumerate() {
        check::label_selector(&mut errors, &path.index(i), selector);
        if check::selector_of(selector).is_none() {
            errors.push(Error::invalid(&path.index(i), Value::Null, "invalid label selector."));
        }
    }
    errors
}

fn binding(object: &Value, roles: &[&str], namespaced: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let reference = object.at("roleRef");
    let path = Path::new("roleRef");
    check::one_of(&mut errors, &path.child("apiGroup"), reference.text("apiGroup"), &[GROUP]);
    check::one_of(&mut errors, &path.child("kind"), reference.text("kind"), roles);
    let name = reference.text("name");
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    } else {
        check::messages(&mut errors, &path.child("name"), name, names::is_path_segment_name(name));
    }
    for (i, subject) in object.list("subjects").iter().enumerate() {
        check_subject(&mut errors, &Path::new("subjects").index(i), subject, namespaced);
    }
    errors
}

fn check_subject(errors: &mut ErrorList, path: &Path, subject: &Value, namespaced: bool) {
    let (name, group) = (subject.text("name"), subject.text("apiGroup"));
    check::required(errors, &path.child("name"), name);
    match subject.text("kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                check::dns_subdomain(errors, &path.child("name"), name);
            }
            check::one_of(errors, &path.child("apiGroup"), group, &[""]);
            if !namespaced {
                check::required(errors, &path.child("namespace"), subject.text("namespace"));
            }
        }
        "User" | "Group" => check::one_of(errors, &path.child("apiGroup"), group, &[GROUP]),
        other => {
            errors.push(Error::not_supported(&path.child("kind"), other, &["ServiceAccount", "User", "Group"]));
        }
    }
}

fn binding_update(new: &Value, old: &Value, roles: &[&str], namespaced: bool) -> ErrorList {
    let mut errors = binding(new, roles, namespaced);
    if new.at("roleRef") != old.at("roleRef") {
        let shown = internal::show("rbac.v1.RoleRef", new.at("roleRef"));
        errors.push(check::shown(ErrorKind::Invalid, &Path::new("roleRef"), shown, "cannot change roleRef"));
    }
    errors
}
