//! What changes objects: one variant for each kind of transformer.

use std::collections::BTreeMap;

use super::Error;
use super::config::FieldSpec;
use super::decode::go_quoted;
use super::fields::{self, Create};
use super::generate;
use super::id::Gvk;
use super::images::ImageChange;
use super::model::Replica;
use super::node::{Node, Scalar, Tag};
use super::patches::{JsonChange, MergeChange, PatchChange};
use super::replace::ReplacementChange;
use super::resmap::ResMap;
use super::resource::Resource;
use super::schema::KindSchemas;
use super::valueadd::ValueAdd;

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Subjects {
    /// Those called `default`.
    #[default]
    Default,
    AllServiceAccounts,
    None,
}

impl Subjects {
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "defaultOnly" => Ok(Self::Default),
            "allServiceAccounts" => Ok(Self::AllServiceAccounts),
            "none" => Ok(Self::None),
            other => Err(Error::fact(format!(
                "invalid value {} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                 \"allServiceAccounts\"",
                go_quoted(other)
            ))),
        }
    }
}

/// A namespace for all objects.
#[derive(Default)]
pub(super) struct NamespaceChange {
    pub namespace: String,
    pub specs: Vec<FieldSpec>,
    /// Whether only empty namespaces are filled in.
    pub unset_only: bool,
    pub subjects: Subjects,
}

/// Which end of a name something is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Prefix,
    Suffix,
}

/// A change of the objects of a build.
pub(super) enum Change {
    Merges(MergeChange),
    Patch(Box<PatchChange>),
    JsonPatch(Box<JsonChange>),
    Namespace(NamespaceChange),
    Affix(End, String, Vec<FieldSpec>),
    /// Labels or annotations.
    Entries(BTreeMap<String, String>, Vec<FieldSpec>),
    Replicas(Replica, Vec<FieldSpec>),
    Images(ImageChange),
    Replacements(ReplacementChange),
    Hashes,
    ValueAdd(ValueAdd),
    Several(Vec<Change>),
}

impl Change {
    /// Carries it out.
    ///
    /// # Errors
    /// It does not fit the objects.
    pub fn apply(&self, map: &mut ResMap, schemas: &KindSchemas) -> Result<(), Error> {
        match self {
            Self::Merges(change) => change.apply(map, schemas),
            Self::Patch(change) => change.apply(map, schemas),
            Self::JsonPatch(change) => change.apply(map),
            Self::Namespace(change) => change.apply(map),
            Self::Affix(end, text, specs) => add_affix(&mut map.resources, *end, text, specs),
            Self::Entries(entries, specs) => add_entries(&mut map.resources, entries, specs),
            Self::Replicas(replica, specs) => set_replicas(map, replica, specs),
            Self::Images(change) => change.apply(&mut map.resources),
            Self::Replacements(change) => change.apply(&mut map.resources),
            Self::Hashes => add_hashes(&mut map.resources),
            Self::ValueAdd(change) => change.apply(&mut map.resources),
            Self::Several(changes) => changes.iter().try_for_each(|change| change.apply(map, schemas)),
        }
    }
}

/// Appends to the names of generated objects the hash of what they hold.
pub(super) fn add_hashes(resources: &mut [Resource]) -> Result<(), Error> {
    for resource in resources.iter_mut().filter(|resource| resource.memory.needs_hash) {
        let hash = generate::hash(&resource.node)?;
        resource.remember_id();
        let name = format!("{}-{hash}", resource.name());
        resource.set_name(&name);
    }
    Ok(())
}

fn add_affix(resources: &mut [Resource], end: End, text: &str, specs: &[FieldSpec]) -> Result<(), Error> {
    for resource in resources {
        let gvk = resource.original_id().gvk;
        let keeps_name = matches!(gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
            || (gvk.kind == "APIService" && gvk.group == "apiregistration.k8s.io");
        if keeps_name {
            continue;
        }
        for spec in specs.iter().filter(|spec| gvk.is_selected(&spec.gvk)) {
            if spec.path == "metadata/name" && !text.is_empty() {
                match end {
                    End::Prefix => resource.memory.prefixes.push(text.to_owned()),
                    End::Suffix => resource.memory.suffixes.push(text.to_owned()),
                }
                resource.remember_id();
            }
            fields::visit(&mut resource.node, spec, Create::Scalar(Tag::Text), &mut |node| {
                let old = node.scalar_text();
                let new = if end == End::Prefix { format!("{text}{old}") } else { format!("{old}{text}") };
                fields::set_scalar(node, Scalar::open(new))
            })?;
        }
    }
    Ok(())
}

fn add_entries(
    resources: &mut [Resource],
    entries: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<(), Error> {
    for resource in resources {
        for (key, value) in entries {
            for spec in specs {
                fields::visit(&mut resource.node, spec, Create::Map, &mut |node| {
                    fields::set_entry(node, key, Scalar::text(value.clone()))
                })?;
            }
        }
    }
    Ok(())
}

fn set_replicas(map: &mut ResMap, replica: &Replica, specs: &[FieldSpec]) -> Result<(), Error> {
    let mut found = false;
    for spec in specs {
        for at in map.with_any_id(|id| id.name == replica.name && id.gvk.is_selected(&spec.gvk)) {
            found = true;
            let Some(resource) = map.resources.get_mut(at) else { continue };
            fields::visit(&mut resource.node, spec, Create::Scalar(Tag::Int), &mut |node| {
                let count = Scalar { text: replica.count.to_string(), tag: Tag::Int, quoted: false };
                fields::set_scalar(node, count)
            })?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk.to_string()).collect();
    Err(Error::fact(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        replica.name,
        kinds.join(" ")
    )))
}

const NAMESPACE_PATH: &str = "metadata/namespace";

impl NamespaceChange {
    fn apply(&self, map: &mut ResMap) -> Result<(), Error> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        for at in 0..map.resources.len() {
            let Some(resource) = map.resources.get_mut(at).filter(|resource| !resource.is_empty()) else { continue };
            resource.remember_id();
            self.apply_to(&mut resource.node)?;
            let id = resource.id();
            let same: Vec<&Resource> =
                map.resources.iter().filter(|other| other.name() == id.name && other.id().same(&id)).collect();
            if same.len() != 1 {
                let texts = same.iter().map(|resource| {
                    resource.with_memory().value().map(|value| crate::object::json::to_compact(&value))
                });
                let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
                return Err(Error::fact(format!(
                    "namespace transformation produces ID conflict: [{}]",
                    texts.join(" ")
                )));
            }
        }
        Ok(())
    }

    /// Sets the namespace of one object and of what it refers to.
    pub fn apply_to(&self, object: &mut Node) -> Result<(), Error> {
        let text = |key: &str| object.get(key).map_or("", Node::scalar_text).to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if !Gvk::parse(&api_version, &kind).is_cluster_scoped() {
            let own = FieldSpec::new(NAMESPACE_PATH, true);
            fields::visit(object, &own, Create::Scalar(Tag::Open), &mut |node| self.set(node))?;
        }
        let binding = matches!(kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding {
            self.set_subjects(object)?;
        }
        let applies = |spec: &&FieldSpec| {
            let of_binding = matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            spec.path != NAMESPACE_PATH
                && (api_version == "v1" || spec.path != "metadata/name")
                && !(binding && of_binding && spec.path == "subjects/namespace")
        };
        for spec in self.specs.iter().filter(applies) {
            fields::visit(object, spec, Create::Scalar(Tag::Text), &mut |node| self.set(node)).map_err(|error| {
                let fault = if error.to_string().contains("wrong node kind") {
                    "namespace field specs must target scalar nodes"
                } else {
                    "namespace transformation failed"
                };
                error.within(fault)
            })?;
        }
        Ok(())
    }

    fn set(&self, node: &mut Node) -> Result<(), Error> {
        if self.unset_only && !node.is_null() && !node.scalar_text().is_empty() {
            return Ok(());
        }
        fields::set_scalar(node, Scalar::text(self.namespace.clone()))
    }

    fn set_subjects(&self, object: &mut Node) -> Result<(), Error> {
        let wanted = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::Default => ("name", "default"),
            Subjects::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(Node::List(subjects)) = object.get_mut("subjects") else { return Ok(()) };
        for subject in subjects {
            if subject.get(wanted.0).is_none_or(|value| value.scalar_text() != wanted.1) {
                continue;
            }
            if let Some(namespace) = subject.entry("namespace", || Node::Scalar(Scalar::open(""))) {
                self.set(namespace)?;
            }
        }
        Ok(())
    }
}
