//! One object of a build and what the build remembers of it.

use std::collections::BTreeMap;

use super::Error;
use super::id::{Gvk, Id};
use super::node::{Node, Scalar};
use crate::manifest;
use crate::object::selector::LabelSelector;
use crate::object::{Value, json};

/// Annotation that tells where an object comes from.
pub(super) const ORIGIN: &str = "config.kubernetes.io/origin";
/// Annotation that tells what changed an object.
pub(super) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
/// Annotation of objects that are for the build only.
const LOCAL: &str = "config.kubernetes.io/local-config";

const INTERNAL: &str = "internal.config.kubernetes.io/";

/// Annotations that stand for what a build remembers.
const MEMORY_ANNOTATIONS: [&str; 7] = [
    "generatorBehavior",
    "needsHashSuffix",
    "prefixes",
    "previousKinds",
    "previousNames",
    "previousNamespaces",
    "suffixes",
];

/// Annotations of tools, which builds do not print.
const TOOL_ANNOTATIONS: [&str; 19] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
    "internal.config.kubernetes.io/helm-generated",
];

/// What becomes of an object that a generator made when there is one of its name already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub fn parse(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

/// What a build remembers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Names that the object had, oldest first: kind, name, namespace.
    pub previous: Vec<(String, String, String)>,
    pub prefixes: Vec<String>,
    pub suffixes: Vec<String>,
    pub behavior: Behavior,
    pub needs_hash: bool,
    /// Whether a generator made it.
    pub generated: bool,
    /// For a patch: whether it may change the name of what it is applied to.
    pub allow_name_change: bool,
    /// For a patch: whether it may change the kind of what it is applied to.
    pub allow_kind_change: bool,
}

/// One object of a build.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    /// The object; a null when it was deleted.
    pub node: Node,
    pub memory: Memory,
    /// Variables that read a field of this object.
    pub variables: Vec<String>,
}

impl Resource {
    pub fn new(node: Node) -> Self {
        Self { node, memory: Memory::default(), variables: Vec::new() }
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.node.is_empty()
    }

    pub fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::scalar_text)
    }

    pub fn api_version(&self) -> &str {
        self.node.get("apiVersion").map_or("", Node::scalar_text)
    }

    pub fn name(&self) -> &str {
        self.meta_text("name")
    }

    pub fn namespace(&self) -> &str {
        self.meta_text("namespace")
    }

    fn meta_text(&self, field: &str) -> &str {
        self.node.at(&["metadata", field]).filter(|node| !node.is_empty()).map_or("", Node::scalar_text)
    }

    pub fn gvk(&self) -> Gvk {
        Gvk::parse(self.api_version(), self.kind())
    }

    /// What the object is called now.
    pub fn id(&self) -> Id {
        let gvk = self.gvk();
        let cluster = gvk.is_cluster_scoped();
        Id { gvk, name: self.name().to_owned(), namespace: self.namespace().to_owned(), cluster }
    }

    /// What the object was called, oldest first.
    pub fn previous_ids(&self) -> Vec<Id> {
        let (api_version, previous) = (self.api_version(), &self.memory.previous);
        let id = |(kind, name, namespace): &(String, String, String)| Id {
            gvk: Gvk::parse(api_version, kind),
            name: name.clone(),
            namespace: namespace.clone(),
            cluster: false,
        };
        previous.iter().map(id).collect()
    }

    /// What the object was called first.
    pub fn original_id(&self) -> Id {
        self.previous_ids().into_iter().next().unwrap_or_else(|| self.id())
    }

    /// All names that the object has or had, the current one last.
    pub fn all_ids(&self) -> Vec<Id> {
        let mut ids = self.previous_ids();
        ids.push(self.id());
        ids
    }

    /// Remembers the current name before it changes.
    pub fn remember_id(&mut self) {
        let id = self.id();
        let namespace = id.effective_namespace().to_owned();
        self.memory.previous.push((id.gvk.kind, id.name, namespace));
    }

    fn meta(&mut self) -> Option<&mut Node> {
        self.node.entry("metadata", Node::map)
    }

    pub fn set_name(&mut self, name: &str) {
        if let Some(meta) = self.meta() {
            meta.set("name", Node::Scalar(Scalar::open(name)));
        }
    }

    pub fn set_namespace(&mut self, namespace: &str) {
        let Some(meta) = self.meta() else { return };
        if namespace.is_empty() {
            meta.remove("namespace");
        } else {
            meta.set("namespace", Node::Scalar(Scalar::open(namespace)));
        }
    }

    pub fn set_kind(&mut self, kind: &str) {
        self.node.set("kind", Node::Scalar(Scalar::open(kind)));
    }

    pub fn set_gvk(&mut self, gvk: &Gvk) {
        self.set_kind(&gvk.kind);
        self.node.set("apiVersion", Node::Scalar(Scalar::open(gvk.api_version())));
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        self.meta_map("labels")
    }

    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.meta_map("annotations")
    }

    fn meta_map(&self, field: &str) -> BTreeMap<String, String> {
        text_map(self.node.at(&["metadata", field]))
    }

    pub fn set_labels(&mut self, labels: &BTreeMap<String, String>) {
        self.set_meta_map("labels", labels);
    }

    pub fn set_annotations(&mut self, annotations: &BTreeMap<String, String>) {
        self.set_meta_map("annotations", annotations);
    }

    fn set_meta_map(&mut self, field: &str, map: &BTreeMap<String, String>) {
        let Some(meta) = self.meta() else { return };
        meta.remove(field);
        if !map.is_empty() {
            meta.set(field, text_node(map));
        }
    }

    /// Takes over the name, the memory, and whatever labels and annotations this object does not have itself.
    pub fn take_over(&mut self, other: &Self) {
        let joined = |own: BTreeMap<String, String>, mut others: BTreeMap<String, String>| {
            others.extend(own);
            others
        };
        self.set_labels(&joined(self.labels(), other.labels()));
        self.set_annotations(&joined(self.annotations(), other.annotations()));
        let needs_hash = self.memory.needs_hash && other.memory.needs_hash;
        self.memory = Memory { needs_hash, ..other.memory.clone() };
        self.set_name(other.name());
        self.set_namespace(other.namespace());
        self.variables.clone_from(&other.variables);
    }

    /// Whether its labels match a selector.
    pub fn has_labels(&self, selector: &str) -> Result<bool, Error> {
        matches(selector, &self.labels())
    }

    /// Whether its annotations match a selector.
    pub fn has_annotations(&self, selector: &str) -> Result<bool, Error> {
        matches(selector, &self.annotations())
    }

    /// Whether it is for the build only and not printed.
    pub fn is_local(&self) -> bool {
        self.annotations().get(LOCAL).is_some_and(|value| value != "false")
    }

    /// Takes off what tools annotated; all annotations become texts.
    pub fn drop_tool_annotations(&mut self, keep_origin: bool, keep_transformations: bool) {
        let mut annotations = self.annotations();
        annotations.retain(|key, _| {
            !TOOL_ANNOTATIONS.contains(&key.as_str())
                && (keep_origin || key != ORIGIN)
                && (keep_transformations || key != TRANSFORMATIONS)
        });
        self.set_annotations(&annotations);
    }

    /// Takes off the annotations that [`Self::with_memory`] adds.
    pub fn drop_memory_annotations(&mut self) {
        let annotations = self.annotations();
        if annotations.keys().any(|key| MEMORY_ANNOTATIONS.contains(&key.strip_prefix(INTERNAL).unwrap_or(""))) {
            let kept = |key: &str| !MEMORY_ANNOTATIONS.contains(&key.strip_prefix(INTERNAL).unwrap_or(""));
            self.set_annotations(&annotations.into_iter().filter(|(key, _)| kept(key)).collect());
        }
    }

    /// The object with what the build remembers as annotations, as messages show it.
    pub fn with_memory(&self) -> Self {
        let mut shown = self.clone();
        let memory = &self.memory;
        let part = |pick: fn(&(String, String, String)) -> &String| {
            memory.previous.iter().map(|id| pick(id).as_str()).collect::<Vec<_>>().join(",")
        };
        let mut annotations = shown.annotations();
        let needs_hash = if memory.needs_hash { "enabled" } else { "" };
        let behavior = if memory.generated { memory.behavior.text() } else { "" };
        for (name, value) in [
            ("generatorBehavior", behavior.to_owned()),
            ("needsHashSuffix", needs_hash.to_owned()),
            ("prefixes", memory.prefixes.join(",")),
            ("previousKinds", part(|id| &id.0)),
            ("previousNames", part(|id| &id.1)),
            ("previousNamespaces", part(|id| &id.2)),
            ("suffixes", memory.suffixes.join(",")),
        ] {
            if !value.is_empty() {
                annotations.insert(format!("{INTERNAL}{name}"), value);
            }
        }
        shown.set_annotations(&annotations);
        shown
    }

    /// The object as a value.
    ///
    /// # Errors
    /// A text does not fit its type.
    pub fn value(&self) -> Result<Value, Error> {
        self.node.to_value()
    }

    /// The object as YAML.
    ///
    /// # Errors
    /// A text does not fit its type.
    pub fn yaml(&self) -> Result<String, Error> {
        if let Some(fault) = super::text::repeated_keys(&self.node) {
            return Err(Error::fact(fault));
        }
        let value = self.value().map_err(|error| error.within("map[string]interface {}(nil)"))?;
        Ok(manifest::json_to_yaml(json::to_compact(&value))?)
    }
}

/// A map's texts.
pub(super) fn text_map(node: Option<&Node>) -> BTreeMap<String, String> {
    match node {
        Some(Node::Map(fields)) => {
            fields.iter().map(|(key, value)| (key.clone(), value.scalar_text().to_owned())).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// A map of texts.
pub(super) fn text_node(map: &BTreeMap<String, String>) -> Node {
    Node::Map(map.iter().map(|(key, value)| (key.clone(), Node::text(value.clone()))).collect())
}

fn matches(selector: &str, texts: &BTreeMap<String, String>) -> Result<bool, Error> {
    if selector.is_empty() {
        return Ok(true);
    }
    let selector = LabelSelector::parse(selector).map_err(|error| Error::fact(error.to_string()))?;
    Ok(selector.matches_with(|key| texts.get(key).map(String::as_str)))
}
