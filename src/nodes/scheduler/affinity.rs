//! Affinities between pods.

use super::view::{Attempt, Host};
use crate::object::meta::{get, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The terms of a required affinity between pods (`podAffinity` or `podAntiAffinity`).
pub(super) fn pod_terms<'a>(pod: &'a Value, which: &str) -> &'a [Value] {
    list_at(pod, &["spec", "affinity", which, "requiredDuringSchedulingIgnoredDuringExecution"])
}

fn selector(term: &Value, field: &str) -> Option<LabelSelector> {
    LabelSelector::from_struct(get(term, &[field]).filter(|selector| !selector.is_null())?).ok()
}

/// Whether `other` is a pod that a term of `pod` speaks of.
pub(super) fn speaks_of(attempt: &Attempt<'_>, term: &Value, pod: &Value, other: &Value) -> bool {
    let namespaces = list_at(term, &["namespaces"]);
    let by_label = selector(term, "namespaceSelector");
    let selected = || {
        let mut known = attempt.namespaces.iter();
        let own = known.find(|namespace| meta::name(namespace) == meta::namespace(other));
        by_label.as_ref().is_some_and(|s| s.is_everything() || own.is_some_and(|own| s.matches_object(own)))
    };
    let in_namespace = namespaces.iter().any(|namespace| namespace == meta::namespace(other))
        || namespaces.is_empty() && by_label.is_none() && meta::namespace(pod) == meta::namespace(other)
        || selected();
    in_namespace && selector(term, "labelSelector").is_some_and(|selector| selector.matches_object(other))
}

/// Whether a pod that the term speaks of runs in the same topology domain as `host`.
pub(super) fn is_near(attempt: &Attempt<'_>, term: &Value, host: &Host, hosts: &[Host]) -> bool {
    let key = str_at(term, &["topologyKey"]);
    let Some(domain) = meta::label(&host.node, key) else { return false };
    let mut same = hosts.iter().filter(|other| meta::label(&other.node, key) == Some(domain));
    same.any(|other| other.pods.iter().any(|running| speaks_of(attempt, term, attempt.pod, running)))
}

/// Whether any pod at all is spoken of, wherever it runs.
pub(super) fn exists_anywhere(attempt: &Attempt<'_>, term: &Value, hosts: &[Host]) -> bool {
    hosts.iter().flat_map(|host| &host.pods).any(|running| speaks_of(attempt, term, attempt.pod, running))
}
