//! Which fields a build looks at: built in, from `configurations`, and from `crds`.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::Error;
use super::id::Gvk;
use super::loader::Loader;
use crate::manifest;
use crate::object::Value;

/// A field of some kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FieldSpec {
    #[serde(flatten)]
    pub gvk: Gvk,
    /// Its path; lists on the way are looked at item by item.
    pub path: String,
    /// Whether the field is made where it is missing.
    pub create: bool,
}

impl FieldSpec {
    pub fn new(path: &str, create: bool) -> Self {
        Self { gvk: Gvk::default(), path: path.to_owned(), create }
    }
}

/// Fields that hold the name of an object of some kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct BackReference {
    #[serde(flatten)]
    pub gvk: Gvk,
    #[serde(rename = "fieldSpecs")]
    pub referrers: Vec<FieldSpec>,
}

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_reference: Vec<BackReference>,
    pub var_reference: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
}

/// Adds rules to others; one that is there for the same or fewer kinds is not added.
///
/// # Errors
/// The same field is to be made by one and not by the other.
pub(super) fn merge_specs(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<(), Error> {
    for spec in more {
        match specs.iter().find(|known| known.gvk.is_selected(&spec.gvk) && known.path == spec.path) {
            Some(known) if known.create != spec.create => return Err(Error::fact("conflicting fieldspecs")),
            Some(_) => {}
            None => specs.push(spec.clone()),
        }
    }
    Ok(())
}

fn merge_references(references: &mut Vec<BackReference>, more: &[BackReference]) -> Result<(), Error> {
    for reference in more {
        match references.iter_mut().find(|known| known.gvk == reference.gvk) {
            Some(known) => merge_specs(&mut known.referrers, &reference.referrers)?,
            None => references.push(reference.clone()),
        }
    }
    Ok(())
}

impl Config {
    /// The rules that are built in.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Config> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            let mut config = Config::default();
            let rows = include_str!("field_specs.txt").lines();
            rows.filter(|row| !row.is_empty() && !row.starts_with('#')).for_each(|row| config.add_row(row));
            config.sort();
            config
        })
    }

    fn add_row(&mut self, row: &str) {
        let gvk = |text: &str| {
            let mut parts = text.splitn(3, '/').map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            Gvk { group: part(), version: part(), kind: part() }
        };
        let mut words = row.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (section, kind, path, create) = (word(), word(), word(), word() == "create");
        let spec = FieldSpec { gvk: gvk(kind), path: path.to_owned(), create };
        match section.split_once(':') {
            Some((_, target)) => {
                let target = gvk(target);
                match self.name_reference.iter_mut().find(|known| known.gvk == target) {
                    Some(known) => known.referrers.push(spec),
                    None => self.name_reference.push(BackReference { gvk: target, referrers: vec![spec] }),
                }
            }
            None => {
                if let Some(specs) = self.section(section) {
                    specs.push(spec);
                }
            }
        }
    }

    fn section(&mut self, name: &str) -> Option<&mut Vec<FieldSpec>> {
        Some(match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_reference,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => return None,
        })
    }

    fn sort(&mut self) {
        for name in SECTIONS.iter().map(|(name, _)| *name) {
            if let Some(specs) = self.section(name) {
                specs.sort_by_cached_key(|spec| spec.gvk.sort_key());
            }
        }
        self.name_reference.sort_by_cached_key(|reference| reference.gvk.sort_key());
    }

    /// Adds other rules.
    ///
    /// # Errors
    /// They contradict.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let mut other = other.clone();
        for (name, title) in SECTIONS {
            let more = other.section(name).cloned().unwrap_or_default();
            if let Some(specs) = self.section(name) {
                merge_specs(specs, &more)
                    .map_err(|error| error.within(format!("failed to merge {title} fieldSpec")))?;
            }
        }
        merge_references(&mut self.name_reference, &other.name_reference)
            .map_err(|error| error.within("failed to merge NameReference fieldSpec"))?;
        self.sort();
        Ok(())
    }

    /// The built-in rules and those of files.
    pub fn load(loader: &Loader<'_>, paths: &[String]) -> Result<Self, Error> {
        let mut config = Self::builtin().clone();
        let mut own = Self::default();
        for path in paths {
            let value = manifest::yaml_to_value(loader.load(path)?, true)
                .map_err(|error| Error::fact(format!("error converting YAML to JSON: {error}")))?;
            own.merge(&Self::from_value(value)?)?;
        }
        config.merge(&own)?;
        Ok(config)
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let value = super::decode::checked(value, &super::shape::CONFIG)
            .map_err(|error| Error::fact(format!("error unmarshaling JSON: while decoding JSON: {error}")))?;
        let mut config: Self = serde_json::from_value(value).map_err(|error| Error::fact(error.to_string()))?;
        config.sort();
        Ok(config)
    }

    /// Rules that the extensions of OpenAPI definitions in files imply.
    pub fn of_crds(loader: &Loader<'_>, paths: &[String]) -> Result<Self, Error> {
        let mut config = Self::default();
        for path in paths {
            let text = loader.load(path)?;
            let definitions = manifest::yaml_to_value(&text, false)
                .map_err(|error| Error::fact(format!("unable to parse open API definition from '{path}': {error}")))?;
            for (name, _) in definitions.as_object().into_iter().flatten() {
                let Some(properties) = properties(&definitions, name) else { continue };
                if !["kind", "apiVersion", "metadata"].iter().all(|field| properties.contains_key(*field)) {
                    continue;
                }
                let kind = name.rsplit('.').next().unwrap_or_default();
                config.add_definition(&definitions, name, &Gvk::new("", "", kind), &mut Vec::new())?;
            }
        }
        config.sort();
        Ok(config)
    }

    fn add_definition(
        &mut self,
        definitions: &Value,
        name: &str,
        gvk: &Gvk,
        path: &mut Vec<String>,
    ) -> Result<(), Error> {
        // A definition that holds itself adds nothing new at every level.
        if path.len() > 32 {
            return Ok(());
        }
        for (field, property) in properties(definitions, name).into_iter().flatten() {
            path.push(field.clone());
            let spec = |more: Option<&str>| {
                let parts: Vec<&str> = path.iter().map(String::as_str).chain(more).collect();
                FieldSpec { gvk: gvk.clone(), path: parts.join("/"), create: false }
            };
            let text = |key: &str| property.get(key).and_then(Value::as_str);
            for (key, specs) in [
                ("x-kubernetes-annotation", &mut self.common_annotations),
                ("x-kubernetes-label-selector", &mut self.common_labels),
                ("x-kubernetes-identity", &mut self.name_prefix),
            ] {
                if text(key).is_some() {
                    merge_specs(specs, &[spec(None)])?;
                }
            }
            if let (Some(version), Some(kind)) =
                (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
            {
                let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
                let reference = BackReference { gvk: Gvk::new("", version, kind), referrers: vec![spec(Some(key))] };
                merge_references(&mut self.name_reference, &[reference])?;
            }
            if let Some(target) = text("$ref") {
                self.add_definition(definitions, target, gvk, path)?;
            }
            path.pop();
        }
        Ok(())
    }
}

/// The sections and how messages call them.
const SECTIONS: [(&str, &str); 10] = [
    ("namePrefix", "NamePrefix"),
    ("nameSuffix", "NameSuffix"),
    ("namespace", "NameSpace"),
    ("commonAnnotations", "CommonAnnotations"),
    ("commonLabels", "CommonLabels"),
    ("labels", "Labels"),
    ("templateLabels", "TemplateLabels"),
    ("varReference", "VarReference"),
    ("images", "Images"),
    ("replicas", "Replicas"),
];

fn properties<'v>(definitions: &'v Value, name: &str) -> Option<&'v crate::object::Map<String, Value>> {
    definitions.get(name)?.get("Schema")?.get("properties")?.as_object()
}
