//! In which form objects are stored, under which keys, and how the other served forms are made from it.

use crate::kinds::Kind;
use crate::object::{GroupVersionKind, Value};

mod event;
mod hpa;

/// The two ways between a served form and the stored one.
pub struct Conversion {
    kind: &'static str,
    served: (&'static str, &'static str),
    stored: (&'static str, &'static str),
    /// From the served to the stored form.
    pub to_stored: fn(&mut Value),
    /// From the stored to the served form.
    pub from_stored: fn(&mut Value),
}

static CONVERSIONS: &[Conversion] = &[
    Conversion {
        kind: "Event",
        served: ("events.k8s.io", "v1"),
        stored: ("", "v1"),
        to_stored: event::to_core,
        from_stored: event::from_core,
    },
    Conversion {
        kind: "HorizontalPodAutoscaler",
        served: ("autoscaling", "v1"),
        stored: ("autoscaling", "v2"),
        to_stored: hpa::to_v2,
        from_stored: hpa::from_v2,
    },
];

/// The kind in whose form objects of `kind` are stored.
pub fn stored_kind(kind: &Kind) -> GroupVersionKind {
    let served = (kind.group.as_str(), kind.version.as_str());
    match CONVERSIONS.iter().find(|c| c.kind == kind.kind && c.served == served) {
        Some(conversion) => GroupVersionKind::new(conversion.stored.0, conversion.stored.1, conversion.kind),
        None => kind.gvk(),
    }
}

/// The conversion between two forms, if they differ.
pub fn between(served: &GroupVersionKind, stored: &GroupVersionKind) -> Option<&'static Conversion> {
    CONVERSIONS.iter().find(|c| {
        c.kind == served.kind
            && c.served == (served.group.as_str(), served.version.as_str())
            && c.stored == (stored.group.as_str(), stored.version.as_str())
    })
}

/// Resources whose keys are not named for their plural, as etcd has them.
const PREFIXES: &[(&str, &str, &str)] = &[
    ("", "endpoints", "services/endpoints"),
    ("", "nodes", "minions"),
    ("", "replicationcontrollers", "controllers"),
    ("", "services", "services/specs"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "apiextensions.k8s.io/customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices", "apiregistration.k8s.io/apiservices"),
    ("networking.k8s.io", "ingresses", "ingress"),
];

/// The prefix of a built-in resource's keys.
pub fn prefix(kind: &Kind) -> String {
    let row = PREFIXES.iter().find(|(group, plural, _)| *group == kind.group && *plural == kind.plural);
    format!("/registry/{}/", row.map_or(kind.plural.as_str(), |(_, _, folder)| folder))
}
