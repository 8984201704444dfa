//! Affinities between pods.

use super::Host;
use crate::object::meta::{get, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

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
