//! Where pods may run: affinity, tolerations, spreading.

use std::collections::BTreeSet;

use super::Options;
use crate::kinds::rules::check;
use crate::kinds::rules::value::Fields;
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, names};

/// The effects that a taint may have.
pub const TAINT_EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `affinity` of a pod spec.
pub fn affinity(errors: &mut ErrorList, path: &Path, affinity: &Value, options: &Options) {
    if let Some(node) = affinity.some("nodeAffinity") {
        let path = path.child("nodeAffinity");
        if let Some(selector) = node.some(REQUIRED) {
            node_selector(errors, &path.child(REQUIRED), selector, options.any_affinity_values);
        }
        for (i, term) in node.list(PREFERRED).iter().enumerate() {
            let path = path.child(PREFERRED).index(i);
            weight(errors, &path, term);
            // Values that are no label values have always passed here.
            node_selector_term(errors, &path.child("preference"), term.at("preference"), true);
        }
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = affinity.some(field) else { continue };
        let path = path.child(field);
        for (i, term) in pods.list(REQUIRED).iter().enumerate() {
            pod_term(errors, &path.child(REQUIRED).index(i), term, options);
        }
        for (i, term) in pods.list(PREFERRED).iter().enumerate() {
            let path = path.child(PREFERRED).index(i);
            weight(errors, &path, term);
            pod_term(errors, &path.child("podAffinityTerm"), term.at("podAffinityTerm"), options);
        }
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn weight(errors: &mut ErrorList, path: &Path, term: &Value) {
    let weight = term.int("weight");
    if !(1..=100).contains(&weight) {
        errors.push(Error::invalid(&path.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// A selector of nodes with at least one term.
pub fn node_selector(errors: &mut ErrorList, path: &Path, selector: &Value, any_values: bool) {
    let path = path.child("nodeSelectorTerms");
    let terms = selector.list("nodeSelectorTerms");
    if terms.is_empty() {
        errors.push(Error::required(&path, "must have at least one node selector term"));
    }
    for (i, term) in terms.iter().enumerate() {
        node_selector_term(errors, &path.index(i), term, any_values);
    }
}

fn node_selector_term(errors: &mut ErrorList, path: &Path, term: &Value, any_values: bool) {
    for (i, requirement) in term.list("matchExpressions").iter().enumerate() {
        node_requirement(errors, &path.child("matchExpressions").index(i), requirement, any_values);
    }
    for (i, requirement) in term.list("matchFields").iter().enumerate() {
        let path = path.child("matchFields").index(i);
        let values = requirement.texts("values");
        match requirement.text("operator") {
            "In" | "NotIn" if values.len() != 1 => errors.push(Error::required(
                &path.child("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            )),
            "In" | "NotIn" => {}
            other => errors.push(Error::invalid(&path.child("operator"), other, "not a valid selector operator")),
        }
        let key = requirement.text("key");
        if key != "metadata.name" {
            errors.push(Error::invalid(&path.child("key"), key, "not a valid field selector key"));
            continue;
        }
        for (j, value) in values.iter().enumerate() {
            check::dns_subdomain(errors, &path.child("values").index(j), value);
        }
    }
}

fn node_requirement(errors: &mut ErrorList, path: &Path, requirement: &Value, any_values: bool) {
    let values = requirement.texts("values");
    let values_path = path.child("values");
    match requirement.text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            errors.push(Error::required(&values_path, "must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => errors
            .push(Error::forbidden(&values_path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")),
        "Gt" | "Lt" if values.len() != 1 => {
            errors.push(Error::required(&values_path, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.push(Error::invalid(&path.child("operator"), other, "not a valid selector operator")),
    }
    check::qualified_name(errors, &path.child("key"), requirement.text("key"));
    if !any_values {
        for (i, value) in values.iter().enumerate() {
            check::messages(errors, &values_path.index(i), *value, names::is_valid_label_value(value));
        }
    }
}

fn pod_term(errors: &mut ErrorList, path: &Path, term: &Value, options: &Options) {
    for field in ["labelSelector", "namespaceSelector"] {
        check::label_selector_with(errors, &path.child(field), term.at(field), options.any_selector_values);
    }
    for namespace in term.texts("namespaces") {
        check::dns_label(errors, &path.child("namespace"), namespace);
    }
    match_label_keys(errors, path, term);
    let key = term.text("topologyKey");
    if key.is_empty() {
        errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
    }
    check::qualified_name(errors, &path.child("topologyKey"), key);
}

fn match_label_keys(errors: &mut ErrorList, path: &Path, term: &Value) {
    let selector = term.some("labelSelector");
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = term.texts(field);
        if !keys.is_empty() && selector.is_none() {
            let message = "must not be specified when labelSelector is not set";
            errors.push(Error::forbidden(&path.child(field), message));
            continue;
        }
        for (i, key) in keys.iter().enumerate() {
            check::qualified_name(errors, &path.child(field).index(i), key);
        }
    }
    let keys = term.texts("matchLabelKeys");
    if let Some(selector) = selector {
        let mut known: BTreeSet<&str> = selector.entries("matchLabels").into_iter().map(|(key, _)| key).collect();
        for expression in selector.list("matchExpressions") {
            let key = expression.text("key");
            if let Some(i) = keys.iter().rposition(|own| *own == key).filter(|_| known.contains(key)) {
                let message = "exists in both matchLabelKeys and labelSelector";
                errors.push(Error::invalid(&path.index(i), key, message));
            }
            known.insert(key);
        }
    }
    let mismatch = term.texts("mismatchLabelKeys");
    for (i, key) in keys.iter().enumerate().filter(|(_, key)| mismatch.contains(key)) {
        let message = "exists in both matchLabelKeys and mismatchLabelKeys";
        errors.push(Error::invalid(&path.child("matchLabelKeys").index(i), *key, message));
    }
}

/// `tolerations`.
pub fn tolerations(errors: &mut ErrorList, path: &Path, spec: &Value) {
    for (i, toleration) in spec.list("tolerations").iter().enumerate() {
        let path = path.index(i);
        let [key, operator, value, effect] = ["key", "operator", "value", "effect"].map(|field| toleration.text(field));
        if !key.is_empty() {
            check::qualified_name(errors, &path.child("key"), key);
        }
        if key.is_empty() && operator != "Exists" {
            errors.push(Error::invalid(
                &path.child("operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ));
        }
        if toleration.has("tolerationSeconds") && effect != "NoExecute" {
            let message = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(Error::invalid(&path.child("effect"), effect, message));
        }
        match operator {
            "Equal" | "" => {
                let messages = names::is_valid_label_value(value);
                if !messages.is_empty() {
                    errors.push(Error::invalid(&path.child("operator"), value, messages.join(";")));
                }
            }
            "Exists" if !value.is_empty() => {
                let message = "value must be empty when `operator` is 'Exists'";
                errors.push(Error::invalid(&path.child("operator"), value, message));
            }
            "Exists" => {}
            other => check::one_of(errors, &path.child("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            check::one_of(errors, &path.child("effect"), effect, TAINT_EFFECTS);
        }
    }
}

/// `topologySpreadConstraints`.
pub fn spread(errors: &mut ErrorList, path: &Path, spec: &Value, options: &Options) {
    let constraints = spec.list("topologySpreadConstraints");
    for (i, constraint) in constraints.iter().enumerate() {
        let path = path.index(i);
        let skew = constraint.int("maxSkew");
        if skew <= 0 {
            errors.push(Error::invalid(&path.child("maxSkew"), skew, check::POSITIVE));
        }
        let (key, action) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        if key.is_empty() {
            errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
        }
        check::one_of(errors, &path.child("whenUnsatisfiable"), action, &["DoNotSchedule", "ScheduleAnyway"]);
        let rest = constraints.get(i + 1..).unwrap_or_default();
        if rest.iter().any(|other| other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action) {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            errors.push(Error::duplicate(&path, format!("{{{key}, {action}}}")));
        }
        if let Some(domains) = constraint.opt_int("minDomains") {
            let path = path.child("minDomains");
            if domains <= 0 {
                errors.push(Error::invalid(&path, domains, check::POSITIVE));
            }
            if action != "DoNotSchedule" {
                let message = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.push(Error::invalid(&path, domains, message));
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = constraint.opt_text(field) {
                check::one_of(errors, &path.child(field), policy, &["Honor", "Ignore"]);
            }
        }
        spread_label_keys(errors, &path.child("matchLabelKeys"), constraint);
        if !options.any_spread_selector {
            check::label_selector(errors, &path.child("labelSelector"), constraint.at("labelSelector"));
        }
    }
}

fn spread_label_keys(errors: &mut ErrorList, path: &Path, constraint: &Value) {
    let keys = constraint.texts("matchLabelKeys");
    if keys.is_empty() {
        return;
    }
    let selector = constraint.at("labelSelector");
    if selector.is_null() {
        errors.push(Error::forbidden(path, "must not be specified when labelSelector is not set"));
    }
    let labels = selector.entries("matchLabels").into_iter().map(|(key, _)| key);
    let known: BTreeSet<&str> =
        labels.chain(selector.list("matchExpressions").iter().map(|expression| expression.text("key"))).collect();
    for (i, key) in keys.iter().enumerate() {
        check::qualified_name(errors, &path.index(i), key);
        if known.contains(key) {
            errors.push(Error::invalid(&path.index(i), *key, "exists in both matchLabelKeys and labelSelector"));
        }
    }
}
