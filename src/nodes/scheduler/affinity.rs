//! Node selectors and affinities, and affinities between pods.

use super::Host;
use crate::object::meta::{get, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// Whether a node has the labels of `nodeSelector` and satisfies the required node affinity.
pub(super) fn node_matches(pod: &Value, node: &Value) -> bool {
    let selector = meta::texts(meta::map_at(pod, &["spec", "nodeSelector"]));
    let required = get(pod, &["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    let mut selector = selector;
    selector.all(|(key, value)| meta::label(node, key) == Some(value))
        && required.is_none_or(|r| list_at(r, &["nodeSelectorTerms"]).iter().any(|term| term_matches(term, node)))
}

/// Whether a node satisfies one term: all its expressions; an empty term matches nothing.
pub(super) fn term_matches(term: &Value, node: &Value) -> bool {
    let expressions = list_at(term, &["matchExpressions"]);
    let fields = list_at(term, &["matchFields"]);
    let by_label = |e: &Value| expression_matches(e, meta::label(node, str_at(e, &["key"])));
    let by_field = |e: &Value| expression_matches(e, Some(meta::name(node)));
    !(expressions.is_empty() && fields.is_empty()) && expressions.iter().all(by_label) && fields.iter().all(by_field)
}

fn expression_matches(expression: &Value, found: Option<&str>) -> bool {
    let values = list_at(expression, &["values"]);
    let among = |found: &str| values.iter().any(|value| value == found);
    let number = |text: &str| text.parse::<i64>().ok();
    let limit = || values.first().and_then(Value::as_str).and_then(number);
    match str_at(expression, &["operator"]) {
        "In" => found.is_some_and(among),
        "NotIn" => !found.is_some_and(among),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => found.and_then(number).zip(limit()).is_some_and(|(found, limit)| found > limit),
        "Lt" => found.and_then(number).zip(limit()).is_some_and(|(found, limit)| found < limit),
        _ => false,
    }
}

/// The terms of a required affinity between pods (`podAffinity` or `podAntiAffinity`).
pub(super) fn pod_terms<'a>(pod: &'a Value, which: &str) -> &'a [Value] {
    list_at(pod, &["spec", "affinity", which, "requiredDuringSchedulingIgnoredDuringExecution"])
}

/// Whether `other` is a pod that a term of `pod` speaks of.
pub(super) fn speaks_of(term: &Value, pod: &Value, other: &Value) -> bool {
    let namespaces = list_at(term, &["namespaces"]);
    let any_namespace = get(term, &["namespaceSelector"]).is_some_and(|selector| selector == &serde_json::json!({}));
    let in_namespace = any_namespace
        || namespaces.iter().any(|namespace| namespace == meta::namespace(other))
        || namespaces.is_empty() && meta::namespace(pod) == meta::namespace(other);
    let selector = get(term, &["labelSelector"]).and_then(|selector| LabelSelector::from_struct(selector).ok());
    in_namespace && selector.is_some_and(|selector| selector.matches_object(other))
}

/// Whether a pod that the term speaks of runs in the same topology domain as `host`.
pub(super) fn is_near(term: &Value, pod: &Value, host: &Host, hosts: &[Host]) -> bool {
    let key = str_at(term, &["topologyKey"]);
    let Some(domain) = meta::label(&host.node, key) else { return false };
    let mut same = hosts.iter().filter(|other| meta::label(&other.node, key) == Some(domain));
    same.any(|other| other.pods.iter().any(|running| speaks_of(term, pod, running)))
}

/// Whether any pod at all is spoken of, wherever it runs.
pub(super) fn exists_anywhere(term: &Value, pod: &Value, hosts: &[Host]) -> bool {
    hosts.iter().flat_map(|host| &host.pods).any(|running| speaks_of(term, pod, running))
}
