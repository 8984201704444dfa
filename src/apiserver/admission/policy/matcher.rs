//! Which requests a policy, a binding or a webhook is about.

use crate::apiserver::admission::Attributes;
use crate::apiserver::core::Core;
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// Whether a request is kept from all policies and webhooks: those that set them up, and reviews.
pub fn is_exempt(attributes: &Attributes) -> bool {
    matches!(
        attributes.resource.group(),
        "admissionregistration.k8s.io" | "authentication.k8s.io" | "authorization.k8s.io"
    )
}

/// The namespace that a request is in, if it is in one and it is there.
pub fn namespace_of(core: &Core, attributes: &Attributes) -> Option<Value> {
    if attributes.namespace.is_empty() || !attributes.resource.kind.namespaced {
        return None;
    }
    let entry = core.store.get(&format!("/registry/namespaces/{}", attributes.namespace))?;
    Some(entry.object("v1", "Namespace"))
}

/// Whether rules and selectors (`MatchResources`) select a request; nothing selects all.
///
/// # Errors
///
/// The text about a selector that cannot be read.
pub fn matches(core: &Core, attributes: &Attributes, constraints: Option<&Value>) -> Result<bool, String> {
    let Some(constraints) = constraints.filter(|constraints| !constraints.is_null()) else { return Ok(true) };
    if !namespace_matches(core, attributes, constraints)? || !object_matches(attributes, constraints)? {
        return Ok(false);
    }
    let rules = |field| meta::list_at(constraints, &[field]);
    if rules("excludeResourceRules")
        .iter()
        .any(|rule| rule_matches(attributes, rule, attributes.resource.group(), &attributes.resource.kind.version))
    {
        return Ok(false);
    }
    let included = rules("resourceRules");
    if included.is_empty() {
        return Ok(true);
    }
    let exact = meta::str_at(constraints, &["matchPolicy"]) == "Exact";
    Ok(included.iter().any(|rule| matches_any_version(core, attributes, rule, exact)))
}

/// Whether a rule names the resource of a request or, unless `exact`, the same objects in another group or version.
pub fn matches_any_version(core: &Core, attributes: &Attributes, rule: &Value, exact: bool) -> bool {
    let own = &attributes.resource;
    if rule_matches(attributes, rule, own.group(), &own.kind.version) {
        return true;
    }
    !exact
        && core.registry.snapshot().resources().any(|other| {
            other.prefix == own.prefix
                && other.kind.plural == own.kind.plural
                && rule_matches(attributes, rule, other.group(), &other.kind.version)
        })
}

fn rule_matches(attributes: &Attributes, rule: &Value, group: &str, version: &str) -> bool {
    let has = |field: &str, text: &str| {
        let items = meta::list_at(rule, &[field]).iter().filter_map(Value::as_str);
        items.into_iter().any(|item| item == "*" || item == text)
    };
    let names = meta::list_at(rule, &["resourceNames"]);
    let named = names.is_empty() || names.iter().any(|name| name.as_str() == Some(attributes.name.as_str()));
    let namespaced = attributes.resource.kind.namespaced;
    let scope = match meta::str_at(rule, &["scope"]) {
        "Namespaced" => namespaced,
        "Cluster" => !namespaced,
        _ => true,
    };
    has("operations", attributes.operation.as_str())
        && has("apiGroups", group)
        && has("apiVersions", version)
        && resource_matches(attributes, rule)
        && scope
        && named
}

fn resource_matches(attributes: &Attributes, rule: &Value) -> bool {
    let (plural, sub) = (attributes.resource.plural(), attributes.subresource.as_str());
    meta::list_at(rule, &["resources"]).iter().filter_map(Value::as_str).any(|pattern| match pattern.split_once('/') {
        None => sub.is_empty() && (pattern == "*" || pattern == plural),
        Some((of, part)) => (of == "*" || of == plural) && (part == "*" || (!sub.is_empty() && part == sub)),
    })
}

fn selector(constraints: &Value, field: &str) -> Result<LabelSelector, String> {
    match constraints.get(field).filter(|selector| !selector.is_null()) {
        None => Ok(LabelSelector::everything()),
        Some(selector) => LabelSelector::from_struct(selector).map_err(|e| e.to_string()),
    }
}

fn namespace_matches(core: &Core, attributes: &Attributes, constraints: &Value) -> Result<bool, String> {
    let selector = selector(constraints, "namespaceSelector")?;
    if selector.is_everything() {
        return Ok(true);
    }
    if attributes.is_for("", "namespaces", &attributes.subresource) {
        let object = attributes.object.as_ref().or(attributes.old.as_ref());
        return Ok(object.is_none_or(|object| selector.matches_object(object)));
    }
    if !attributes.resource.kind.namespaced {
        return Ok(true);
    }
    Ok(namespace_of(core, attributes).is_some_and(|namespace| selector.matches_object(&namespace)))
}

fn object_matches(attributes: &Attributes, constraints: &Value) -> Result<bool, String> {
    let selector = selector(constraints, "objectSelector")?;
    if selector.is_everything() {
        return Ok(true);
    }
    let mut objects = [&attributes.object, &attributes.old].into_iter().flatten();
    // Options of connections have no labels that could be asked for.
    Ok(objects.any(|object| object.get("metadata").is_some() && selector.matches_object(object)))
}
