//! Kinds and names by which builds tell objects apart.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// Group, version and kind; empty parts match everything where they select.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gvk {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// Kinds in the order in which clusters need them.
pub(super) const ORDER_FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come behind all others.
pub(super) const ORDER_LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The rank of a kind among those that come first and last; all others are 0.
pub(super) fn rank<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> isize {
    let place = |list: &[T]| list.iter().rposition(|name| name.as_ref() == kind).map(usize::cast_signed);
    let from_end = || place(first).map(|at| at - first.len().cast_signed());
    place(last).map(|at| at + 1).or_else(from_end).unwrap_or(0)
}

impl Gvk {
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// From an object's `apiVersion` and `kind`.
    pub fn parse(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self::new(group, version, kind)
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether the parts that `selector` names are the same here.
    pub fn is_selected(&self, selector: &Self) -> bool {
        let same = |own: &str, wanted: &str| wanted.is_empty() || own == wanted;
        same(&self.group, &selector.group) && same(&self.version, &selector.version) && same(&self.kind, &selector.kind)
    }

    /// Whether objects of the kind are known to have no namespace.
    pub fn is_cluster_scoped(&self) -> bool {
        known_kind(self) == Some(true)
    }

    /// What rules are sorted by.
    pub fn sort_key(&self) -> (isize, String) {
        (rank(&self.kind, &ORDER_FIRST, &ORDER_LAST), self.sort_text())
    }

    /// Group, version and kind in one text that sorts missing parts last.
    pub fn sort_text(&self) -> String {
        let part = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
        format!("{}_{}_{}", part(&self.group, "~G"), part(&self.version, "~V"), part(&self.kind, "~K"))
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part =
            |text: &'_ str, missing: &'static str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
        let (kind, version) = (part(&self.kind, "[noKind]"), part(&self.version, "[noVer]"));
        write!(f, "{kind}.{version}.{}", part(&self.group, "[noGrp]"))
    }
}

/// Whether a kind that builds know is cluster-scoped; none for kinds that they do not know.
pub(super) fn known_kind(gvk: &Gvk) -> Option<bool> {
    static KNOWN: OnceLock<std::collections::HashMap<(&'static str, &'static str), bool>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let rows = include_str!("known_kinds.txt").lines().filter(|line| !line.starts_with('#'));
        rows.filter_map(|row| {
            let mut words = row.split(' ');
            Some(((words.next()?, words.next()?), words.next()? == "cluster"))
        })
        .collect()
    });
    known.get(&(gvk.api_version().as_str(), gvk.kind.as_str())).copied()
}

/// What tells an object from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Id {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    /// Whether the kind is known to have no namespace.
    pub cluster: bool,
}

/// What stands for the namespace of objects without one.
pub(super) const NO_NAMESPACE: &str = "_non_namespaceable_";

impl Id {
    pub fn effective_namespace(&self) -> &str {
        match self.namespace.as_str() {
            _ if self.cluster => NO_NAMESPACE,
            "" => "default",
            namespace => namespace,
        }
    }

    pub fn same_namespace(&self, other: &Self) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether kind and name are the same.
    pub fn same_name(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    /// Whether both mean the same object.
    pub fn same(&self, other: &Self) -> bool {
        self.same_namespace(other) && self.same_name(other)
    }

    /// Whether the parts that `selector` names are the same here.
    pub fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.same_namespace(self))
            && self.gvk.is_selected(&selector.gvk)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "[noName]" } else { &self.name };
        let namespace = if self.namespace.is_empty() { "[noNs]" } else { &self.namespace };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}
