//! The fields of a kustomization and of what it holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;
use super::config::FieldSpec;
use super::decode;
use super::id::{Gvk, Id};
use super::shape::KUSTOMIZATION;
use crate::manifest;
use crate::object::Value;

/// Labels to add.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Label {
    pub pairs: BTreeMap<String, String>,
    pub include_selectors: bool,
    pub include_templates: bool,
    #[serde(rename = "fields")]
    pub field_specs: Vec<FieldSpec>,
}

/// What selects objects: kind, name and namespace are patterns.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Selector {
    #[serde(flatten)]
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    pub annotation_selector: String,
    pub label_selector: String,
}

impl Selector {
    /// What selects by name, for messages.
    pub fn id(&self) -> Id {
        Id { gvk: self.gvk.clone(), name: self.name.clone(), namespace: self.namespace.clone(), cluster: false }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:a={}:l={}", self.id(), self.annotation_selector, self.label_selector)
    }
}

/// What a patch may change besides fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PatchOptions {
    pub allow_name_change: bool,
    pub allow_kind_change: bool,
}

/// A patch, inline or in a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Patch {
    pub path: String,
    pub patch: String,
    pub target: Option<Selector>,
    pub options: Option<PatchOptions>,
}

/// What becomes of an image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Image {
    pub name: String,
    pub new_name: String,
    pub tag_suffix: String,
    pub new_tag: String,
    pub digest: String,
}

/// How many replicas an object gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Replica {
    pub name: String,
    pub count: i64,
}

/// Which part of a field is meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FieldOptions {
    pub delimiter: String,
    pub index: i64,
    pub create: bool,
}

/// Where a replacement takes its value from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Source {
    #[serde(flatten)]
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    pub field_path: String,
    pub options: Option<FieldOptions>,
}

impl Source {
    pub fn id(&self) -> Id {
        Id { gvk: self.gvk.clone(), name: self.name.clone(), namespace: self.namespace.clone(), cluster: false }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id())?;
        if !self.field_path.is_empty() {
            write!(f, ":{}", self.field_path)?;
        }
        match &self.options {
            Some(options) if !options.delimiter.is_empty() || options.create => {
                write!(f, ":{}({}), create={}", options.delimiter, options.index, options.create)
            }
            _ => Ok(()),
        }
    }
}

/// Where a replacement writes its value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Target {
    pub select: Option<Selector>,
    pub reject: Vec<Selector>,
    pub field_paths: Vec<String>,
    pub options: Option<FieldOptions>,
}

/// A value copied from one field to others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Replacement {
    pub source: Option<Source>,
    pub targets: Option<Vec<Target>>,
    pub source_value: Option<String>,
    pub path: String,
}

/// The object that a variable reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ObjectReference {
    pub api_version: String,
    #[serde(flatten)]
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
}

/// The field that a variable reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FieldReference {
    pub field_path: String,
}

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub name: String,
    pub objref: ObjectReference,
    pub fieldref: FieldReference,
}

/// Kinds that come first and last in the output.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LegacySortOptions {
    pub order_first: Vec<String>,
    pub order_last: Vec<String>,
}

/// The order of the output.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SortOptions {
    pub order: String,
    pub legacy_sort_options: Option<LegacySortOptions>,
}

/// What generated objects have in common.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GeneratorOptions {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub disable_name_suffix_hash: bool,
    pub immutable: bool,
}

/// A config map or secret to make.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Generator {
    pub namespace: String,
    pub name: String,
    pub behavior: String,
    pub literals: Vec<String>,
    pub files: Vec<String>,
    pub envs: Vec<String>,
    pub env: String,
    pub options: Option<GeneratorOptions>,
    /// Of a secret.
    #[serde(rename = "type")]
    pub type_: String,
}

/// A kustomization.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Kustomization {
    pub kind: String,
    pub api_version: String,
    pub openapi: BTreeMap<String, String>,
    pub name_prefix: String,
    pub name_suffix: String,
    pub namespace: String,
    pub common_labels: BTreeMap<String, String>,
    pub labels: Vec<Label>,
    pub common_annotations: BTreeMap<String, String>,
    pub patches_strategic_merge: Vec<String>,
    pub patches_json6902: Vec<Value>,
    pub patches: Vec<Value>,
    pub images: Vec<Image>,
    pub image_tags: Vec<Image>,
    pub replacements: Vec<Value>,
    pub replicas: Vec<Replica>,
    pub vars: Vec<Variable>,
    pub sort_options: Option<SortOptions>,
    pub resources: Vec<String>,
    pub components: Vec<String>,
    pub crds: Vec<String>,
    pub bases: Vec<String>,
    pub config_map_generator: Vec<Generator>,
    pub secret_generator: Vec<Generator>,
    pub helm_charts: Vec<Value>,
    pub helm_chart_inflation_generator: Vec<Value>,
    pub generator_options: Option<GeneratorOptions>,
    pub configurations: Vec<String>,
    pub generators: Vec<String>,
    pub transformers: Vec<String>,
    pub validators: Vec<String>,
    pub build_metadata: Vec<String>,
}

const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
/// The kind of kustomizations that others take in.
pub(super) const COMPONENT: &str = "Component";

/// Old fields and what replaces them.
const DEPRECATED: [(&str, &str, &str); 6] = [
    ("bases", "resources", ""),
    ("commonLabels", "labels", ""),
    ("imageTags", "images", ""),
    ("patchesJson6902", "patches", ""),
    ("patchesStrategicMerge", "patches", ""),
    ("vars", "replacements", "[EXPERIMENTAL] "),
];

impl Kustomization {
    /// Reads a kustomization; `warn` is told of old fields.
    ///
    /// # Errors
    /// It is not YAML, has fields that there are not, is empty, or is of another kind. `root` is its folder.
    pub fn read(text: &[u8], root: &str, warn: &mut dyn FnMut(String)) -> Result<Self, Error> {
        let invalid = |error: Error| error.within("invalid Kustomization");
        let value = manifest::yaml_to_value(text, false).map_err(|error| invalid(error.into()))?;
        let value = decode::checked(value, &KUSTOMIZATION).map_err(invalid)?;
        for (field, instead, note) in DEPRECATED.iter().filter(|(field, ..)| value.get(field).is_some()) {
            warn(format!(
                "# Warning: '{field}' is deprecated. Please use '{instead}' instead. {note}Run 'kustomize edit fix' to \
                 update your Kustomization automatically."
            ));
        }
        if is_empty(&value) {
            return Err(Error::fact("kustomization.yaml is empty"));
        }
        let mut read: Self = serde_json::from_value(value).map_err(|error| invalid(Error::fact(error.to_string())))?;
        read.settle();
        read.check_version(root)?;
        Ok(read)
    }

    /// Moves what stands in old fields, and fills in what may be left out.
    fn settle(&mut self) {
        if self.kind.is_empty() {
            self.kind = "Kustomization".into();
        }
        if self.api_version.is_empty() {
            self.api_version = if self.kind == COMPONENT { COMPONENT_VERSION } else { VERSION }.into();
        }
        self.resources.append(&mut self.bases);
        self.images.append(&mut self.image_tags);
        for generator in self.config_map_generator.iter_mut().chain(&mut self.secret_generator) {
            if !generator.env.is_empty() {
                generator.envs.push(std::mem::take(&mut generator.env));
            }
        }
        self.helm_charts.extend(std::mem::take(&mut self.helm_chart_inflation_generator).iter().map(new_chart));
    }

    fn check_version(&self, root: &str) -> Result<(), Error> {
        let mut faults = Vec::new();
        if self.kind != "Kustomization" && self.kind != COMPONENT {
            faults.push(format!("kind should be Kustomization or {COMPONENT}"));
        }
        let version = if self.kind == COMPONENT { COMPONENT_VERSION } else { VERSION };
        if self.api_version != version {
            faults.push(format!("apiVersion for {} should be {version}", self.kind));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::fact(format!("Failed to read kustomization file under {root}:\n{}", faults.join("\n"))))
    }
}

/// A chart of the field `helmChartInflationGenerator` as `helmCharts` has it.
fn new_chart(old: &Value) -> Value {
    let names = [
        ("chartName", "name"),
        ("chartVersion", "version"),
        ("chartRepoUrl", "repo"),
        ("values", "valuesFile"),
        ("valuesLocal", "valuesInline"),
        ("valuesMerge", "valuesMerge"),
        ("releaseName", "releaseName"),
    ];
    let field = |(from, to): (&str, &str)| Some((to.to_owned(), old.get(from)?.clone()));
    Value::Object(names.into_iter().filter_map(field).collect())
}

/// Whether nothing is said but the kind.
fn is_empty(value: &Value) -> bool {
    let says_nothing = |(key, value): (&String, &Value)| match value {
        Value::String(text) => text.is_empty() || key == "kind" || key == "apiVersion",
        Value::Array(items) => {
            items.is_empty() && matches!(key.as_str(), "bases" | "imageTags" | "helmChartInflationGenerator")
        }
        _ => false,
    };
    value.as_object().is_none_or(|map| map.iter().all(says_nothing))
}
