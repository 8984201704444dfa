//! Which objects a quota with scopes is about.

use crate::object::{Value, meta};

/// Whether a quota is about an object of a resource.
pub fn matches(quota: &Value, pods: bool, claims: bool, object: &Value) -> bool {
    let scopes = meta::list_at(quota, &["spec", "scopes"]).iter().filter_map(Value::as_str);
    let simple = scopes.map(|scope| (scope, "Exists", &[][..]));
    let selected = meta::list_at(quota, &["spec", "scopeSelector", "matchExpressions"]).iter().map(|expression| {
        let text = |field| meta::str_at(expression, &[field]);
        (text("scopeName"), text("operator"), meta::list_at(expression, &["values"]))
    });
    let mut all = simple.chain(selected);
    all.all(|(scope, operator, values)| match scope {
        "VolumeAttributesClass" => claims && by_value(volume_class(object), operator, values),
        _ if !pods => false,
        "PriorityClass" => by_value(meta::str_at(object, &["spec", "priorityClassName"]), operator, values),
        _ => holds(scope, object),
    })
}

fn volume_class(claim: &Value) -> &str {
    meta::str_at(claim, &["spec", "volumeAttributesClassName"])
}

fn by_value(value: &str, operator: &str, values: &[Value]) -> bool {
    let listed = values.iter().any(|candidate| candidate.as_str() == Some(value));
    match operator {
        "In" => !value.is_empty() && listed,
        "NotIn" => !listed,
        "Exists" => !value.is_empty(),
        "DoesNotExist" => value.is_empty(),
        _ => false,
    }
}

fn holds(scope: &str, pod: &Value) -> bool {
    let terminating =
        meta::get(pod, &["spec", "activeDeadlineSeconds"]).and_then(Value::as_i64).is_some_and(|seconds| seconds >= 0);
    match scope {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

/// Whether no container asks for processor or memory.
fn is_best_effort(pod: &Value) -> bool {
    let spec = pod.get("spec").into_iter();
    let containers =
        ["containers", "initContainers"].iter().flat_map(|field| meta::list_at(pod, &["spec", field])).chain(spec);
    !containers.into_iter().any(|container| {
        ["requests", "limits"]
            .iter()
            .any(|kind| ["cpu", "memory"].iter().any(|name| meta::get(container, &["resources", kind, name]).is_some()))
    })
}

fn crosses_namespaces(pod: &Value) -> bool {
    let crossing = |term: &Value| {
        !meta::list_at(term, &["namespaces"]).is_empty()
            || term.get("namespaceSelector").is_some_and(|selector| !selector.is_null())
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let path = |field| meta::list_at(pod, &["spec", "affinity", kind, field]);
        path("requiredDuringSchedulingIgnoredDuringExecution").iter().any(crossing)
            || path("preferredDuringSchedulingIgnoredDuringExecution")
                .iter()
                .any(|weighted| weighted.get("podAffinityTerm").is_some_and(crossing))
    })
}
