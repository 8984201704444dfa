//! Rows of the table of kinds and the look-ups over them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::object::{GroupKind, GroupVersion, GroupVersionKind, GroupVersionResource};

/// One served resource: names, scope, verbs, subresources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kind {
    /// API group, empty for core.
    pub group: String,
    /// Version within the group.
    pub version: String,
    /// Whether the version is the preferred one of its group.
    pub preferred: bool,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Plural resource name, as in URLs.
    pub plural: String,
    /// Singular resource name.
    pub singular: String,
    /// Kind of lists; empty for the kind with `List` behind it.
    pub list_kind: String,
    /// Short names, such as `deploy`.
    pub short_names: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Verbs that the resource serves, sorted.
    pub verbs: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// Hash of the storage version as discovery shows it.
    pub storage_version_hash: String,
    /// Subresources in the order of discovery.
    pub subresources: Vec<Subresource>,
    /// Other resources (`group/version/plural`) through which the same stored objects are seen.
    pub same_storage_as: Vec<String>,
    /// The kind that discovery names where its group or version differs from the resource's.
    pub response_kind: Option<ResponseKind>,
}

/// Group, version and kind in a row of discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResponseKind {
    /// API group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// A subresource of a kind, such as `status` or `scale`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Subresource {
    /// Name below the object, such as `scale`.
    pub name: String,
    /// Kind of what is read and written there.
    pub kind: String,
    /// Group of that kind where it differs from the resource's.
    pub group: Option<String>,
    /// Version of that kind where it differs from the resource's.
    pub version: Option<String>,
    /// Verbs, sorted.
    pub verbs: Vec<String>,
}

impl Kind {
    /// Group, version and kind of the objects.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(&*self.group, &*self.version, &*self.kind)
    }

    /// Group, version and plural.
    pub fn gvr(&self) -> GroupVersionResource {
        GroupVersionResource::new(&*self.group, &*self.version, &*self.plural)
    }

    /// Group and version.
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion::new(&*self.group, &*self.version)
    }

    /// Group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }

    /// The kind of lists.
    pub fn list_kind(&self) -> String {
        if self.list_kind.is_empty() { format!("{}List", self.kind) } else { self.list_kind.clone() }
    }

    /// The `apiVersion` of the objects.
    pub fn api_version(&self) -> String {
        self.group_version().to_string()
    }

    /// Whether the resource serves `verb`.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| v == verb)
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// `deployments.apps`, or the bare plural for the core group.
    pub fn group_resource(&self) -> String {
        self.gvr().group_resource()
    }

    /// How printers name the kind of an object: `deployment.apps`, or the bare lower-case kind for the core group.
    pub fn printed_name(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) }
    }
}

/// One group with its versions, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// API group, empty for core.
    pub group: String,
    /// Versions, best first.
    pub versions: Vec<String>,
    /// The preferred version.
    pub preferred: String,
}

/// A set of kinds with its look-ups. The built-in set is [`Kinds::builtin`]; a client's discovery and a server's
/// custom resource definitions make others.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    groups: Vec<Group>,
    rows: Vec<Arc<Kind>>,
    by_gvr: HashMap<GroupVersionResource, usize>,
    by_gvk: HashMap<GroupVersionKind, usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    group_order: Vec<Group>,
    resources: Vec<Kind>,
}

impl Kinds {
    /// A set of rows; groups in the order in which a server lists them.
    pub fn new(groups: Vec<Group>, rows: Vec<Arc<Kind>>) -> Self {
        let mut kinds = Self { groups, rows: Vec::new(), by_gvr: HashMap::new(), by_gvk: HashMap::new() };
        for row in rows {
            kinds.push(row);
        }
        kinds
    }

    /// The kinds that a Kubernetes 1.36 API server serves by default.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Kinds> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            let data: Data = serde_json::from_str(include_str!("data/resources.json"))
                .unwrap_or_else(|e| unreachable!("data/resources.json is part of the program and well formed: {e}"));
            Self::new(data.group_order, data.resources.into_iter().map(Arc::new).collect())
        })
    }

    /// Adds a row; a row with the same group, version and plural is replaced.
    pub fn push(&mut self, row: Arc<Kind>) {
        if let Some(&at) = self.by_gvr.get(&row.gvr()) {
            self.by_gvk.remove(&self.rows[at].gvk());
            self.by_gvk.insert(row.gvk(), at);
            self.rows[at] = row;
            return;
        }
        let at = self.rows.len();
        self.by_gvr.insert(row.gvr(), at);
        // Several resources may serve one kind (events in two groups do not; `bindings` and pods' do): the first is it.
        self.by_gvk.entry(row.gvk()).or_insert(at);
        self.rows.push(row);
    }

    /// All rows, in order.
    pub fn rows(&self) -> &[Arc<Kind>] {
        &self.rows
    }

    /// All groups, in order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The row that serves a resource.
    pub fn by_gvr(&self, gvr: &GroupVersionResource) -> Option<&Arc<Kind>> {
        self.by_gvr.get(gvr).map(|&at| &self.rows[at])
    }

    /// The row of a kind.
    pub fn by_gvk(&self, gvk: &GroupVersionKind) -> Option<&Arc<Kind>> {
        self.by_gvk.get(gvk).map(|&at| &self.rows[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_rows_are_found_by_kind_and_by_resource() {
        let kinds = Kinds::builtin();
        let row = kinds.by_gvk(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("deployments are built in");
        assert_eq!(row.plural, "deployments");
        assert!(row.subresource("scale").is_some_and(|s| s.kind == "Scale"));
        assert_eq!(kinds.by_gvr(&row.gvr()).map(|k| &k.kind), Some(&row.kind));
        assert_eq!(row.printed_name(), "deployment.apps");
    }
}
