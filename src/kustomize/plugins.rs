//! Generators and transformers that objects configure: those of the built-in kinds.

use super::Error;
use super::config::{Config, FieldSpec};
use super::decode;
use super::generate::{self, Product};
use super::images::ImageChange;
use super::loader::Loader;
use super::model::{Generator, Image, Patch, Replacement, Replica, Selector};
use super::patches::{JsonChange, MergeChange, PatchChange};
use super::replace::ReplacementChange;
use super::resource::Resource;
use super::shape::PLUGIN;
use super::transform::{Change, End, NamespaceChange, Subjects};
use super::valueadd::ValueAdd;
use crate::manifest;
use crate::object::Value;

/// Whether an object configures a built-in plugin.
fn is_builtin(resource: &Resource) -> bool {
    resource.api_version() == "builtin"
}

fn not_builtin(resource: &Resource) -> Error {
    let kind = resource.original_id().gvk.kind;
    Error::fact(format!("external plugins disabled; unable to load external plugin '{kind}'"))
}

fn unknown(resource: &Resource) -> Error {
    Error::fact(format!("unable to load builtin {}", resource.gvk()))
}

fn failed(resource: &Resource, error: Error) -> Error {
    error.within(format!("plugin {} fails configuration", resource.original_id()))
}

const GENERATORS: [&str; 4] =
    ["ConfigMapGenerator", "IAMPolicyGenerator", "SecretGenerator", "HelmChartInflationGenerator"];

/// The settings of a plugin.
struct Settings {
    value: Value,
}

impl Settings {
    fn of(resource: &Resource) -> Result<Self, Error> {
        let value = decode::lenient(resource.value()?, &PLUGIN)
            .map_err(|error| failed(resource, error.within("error unmarshaling JSON: while decoding JSON")))?;
        Ok(Self { value })
    }

    fn get<T: serde::de::DeserializeOwned + Default>(&self, key: &str) -> Result<T, Error> {
        let Some(value) = self.value.get(key).filter(|value| !value.is_null()) else { return Ok(T::default()) };
        serde_json::from_value(value.clone()).map_err(|error| Error::fact(error.to_string()))
    }

    fn whole<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_value(self.value.clone()).map_err(|error| Error::fact(error.to_string()))
    }

    fn specs(&self) -> Result<Vec<FieldSpec>, Error> {
        self.get("fieldSpecs")
    }

    fn needed_specs(&self) -> Result<Vec<FieldSpec>, Error> {
        if self.value.get("fieldSpecs").is_none() {
            return Err(Error::fact("fieldSpecs is not expected to be nil"));
        }
        self.specs()
    }
}

/// Carries out the generator that an object configures.
///
/// # Errors
/// There is no such generator, or it fails.
pub(super) fn generate(loader: &Loader<'_>, resource: &Resource) -> Result<Resource, Error> {
    let loading = |error: Error| error.within("failed to load generator").within("loading generator plugins");
    if !is_builtin(resource) {
        return Err(loading(not_builtin(resource)));
    }
    let product = match resource.kind() {
        "IAMPolicyGenerator" => return service_account(resource).map_err(loading),
        "ConfigMapGenerator" => Product::ConfigMap,
        "SecretGenerator" => Product::Secret,
        "HelmChartInflationGenerator" => {
            return Err(loading(failed(resource, Error::fact("must specify --enable-helm"))));
        }
        _ => return Err(loading(unknown(resource))),
    };
    let settings = Settings::of(resource).map_err(loading)?;
    let mut generator: Generator = settings.whole().map_err(loading)?;
    let meta = |field: &str| {
        let text = settings.value.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    if generator.name.is_empty() {
        generator.name = meta("name");
    }
    if generator.namespace.is_empty() {
        generator.namespace = meta("namespace");
    }
    generate::generate(loader, &generator, product)
}

/// The service account of a GKE cluster that acts as a service account of Google Cloud.
fn service_account(resource: &Resource) -> Result<Resource, Error> {
    let value = resource.value()?;
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let cloud = text("/cloud");
    if cloud != "gke" {
        return Err(Error::fact(format!("cloud provider {cloud} not supported yet")));
    }
    let google =
        format!("{}@{}.iam.gserviceaccount.com", text("/serviceAccount/name"), text("/serviceAccount/projectId"));
    let mut meta = serde_json::json!({
        "annotations": {"iam.gke.io/gcp-service-account": google},
        "name": text("/kubernetesService/name"),
    });
    let namespace = text("/kubernetesService/namespace");
    if !namespace.is_empty() {
        meta["namespace"] = Value::String(namespace);
    }
    let object = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta});
    Ok(Resource::new(super::node::Node::from_value(&object)))
}

/// The change that an object configures.
///
/// # Errors
/// There is no such transformer, or its settings are not good.
pub(super) fn change(loader: &Loader<'_>, resource: &Resource) -> Result<Change, Error> {
    if !is_builtin(resource) {
        return Err(not_builtin(resource));
    }
    if GENERATORS.contains(&resource.kind()) {
        return Err(Error::fact(format!("plugin {} not a transformer", resource.original_id())));
    }
    let settings = Settings::of(resource)?;
    let change = builtin_change(loader, resource, &settings).map_err(|error| failed(resource, error))?;
    change.ok_or_else(|| unknown(resource))
}

fn builtin_change(loader: &Loader<'_>, resource: &Resource, settings: &Settings) -> Result<Option<Change>, Error> {
    Ok(Some(match resource.kind() {
        "AnnotationsTransformer" => Change::Entries(settings.get("annotations")?, settings.specs()?),
        "LabelTransformer" => Change::Entries(settings.get("labels")?, settings.specs()?),
        "HashTransformer" => Change::Hashes,
        "ImageTagTransformer" => {
            Change::Images(ImageChange::new(settings.get::<Image>("imageTag")?, settings.specs()?))
        }
        "NamespaceTransformer" => namespace(settings)?,
        "PrefixTransformer" => Change::Affix(End::Prefix, settings.get("prefix")?, settings.needed_specs()?),
        "SuffixTransformer" => Change::Affix(End::Suffix, settings.get("suffix")?, settings.needed_specs()?),
        "PrefixSuffixTransformer" => Change::Several(vec![
            Change::Affix(End::Prefix, settings.get("prefix")?, settings.needed_specs()?),
            Change::Affix(End::Suffix, settings.get("suffix")?, settings.needed_specs()?),
        ]),
        "ReplicaCountTransformer" => Change::Replicas(settings.get::<Replica>("replica")?, settings.specs()?),
        "PatchTransformer" => {
            let patch = Patch {
                path: settings.get("path")?,
                patch: settings.get("patch")?,
                target: settings.get("target")?,
                options: settings.get("options")?,
            };
            Change::Patch(Box::new(PatchChange::new(loader, &patch, &resource.yaml()?)?))
        }
        "PatchStrategicMergeTransformer" => {
            let (paths, inline) = (settings.get::<Vec<String>>("paths")?, settings.get::<String>("patches")?);
            Change::Merges(MergeChange::new(loader, &paths, &inline)?)
        }
        "PatchJson6902Transformer" => {
            let (path, inline) = (settings.get::<String>("path")?, settings.get::<String>("jsonOp")?);
            let target = settings.get::<Option<Selector>>("target")?;
            Change::JsonPatch(Box::new(JsonChange::new(loader, target, &path, &inline)?))
        }
        "ReplacementTransformer" => {
            let fields = settings.get::<Vec<Replacement>>("replacements")?;
            Change::Replacements(ReplacementChange::new(loader, &fields)?)
        }
        "ValueAddTransformer" => Change::ValueAdd(ValueAdd::new(loader, &settings.value)?),
        _ => return Ok(None),
    }))
}

fn namespace(settings: &Settings) -> Result<Change, Error> {
    let namespace = settings.value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    Ok(Change::Namespace(NamespaceChange {
        namespace: namespace.to_owned(),
        specs: settings.specs()?,
        unset_only: settings.get("unsetOnly")?,
        subjects: Subjects::parse(&settings.get::<String>("setRoleBindingSubjects")?)?,
    }))
}

/// The failure of a built-in transformer's or generator's settings, shown as kustomize shows them.
pub(super) fn trouble(kind: &str, config: &str, error: Error) -> Error {
    error.within(format!("trouble configuring builtin {kind} with config: `\n{config}`"))
}

/// The changes that a kustomization's own fields ask for, each with the kind of its transformer.
///
/// # Errors
/// A field's settings are not good.
pub(super) fn of_fields(
    loader: &Loader<'_>,
    kustomization: &super::model::Kustomization,
    rules: &Config,
) -> Result<Vec<(&'static str, Change)>, Error> {
    let k = kustomization;
    let mut changes = Vec::new();
    if !k.patches_strategic_merge.is_empty() {
        let kind = "PatchStrategicMergeTransformer";
        let config = manifest::to_yaml(&serde_json::json!({"paths": k.patches_strategic_merge}));
        let change = MergeChange::new(loader, &k.patches_strategic_merge, "");
        changes.push((kind, Change::Merges(change.map_err(|error| trouble(kind, &config, error))?)));
    }
    for value in &k.patches {
        let kind = "PatchTransformer";
        let config = super::patches::config_text(value);
        let patch: Patch = serde_json::from_value(value.clone()).map_err(|error| Error::fact(error.to_string()))?;
        let change = PatchChange::new(loader, &patch, &config).map_err(|error| trouble(kind, &config, error))?;
        changes.push((kind, Change::Patch(Box::new(change))));
    }
    if !k.namespace.is_empty() {
        let change = NamespaceChange {
            namespace: k.namespace.clone(),
            specs: rules.namespace.clone(),
            ..NamespaceChange::default()
        };
        changes.push(("NamespaceTransformer", Change::Namespace(change)));
    }
    for (end, kind, text, specs) in [
        (End::Prefix, "PrefixTransformer", &k.name_prefix, &rules.name_prefix),
        (End::Suffix, "SuffixTransformer", &k.name_suffix, &rules.name_suffix),
    ] {
        if !text.is_empty() {
            changes.push((kind, Change::Affix(end, text.clone(), specs.clone())));
        }
    }
    add_labels(k, rules, &mut changes)?;
    if !k.common_annotations.is_empty() {
        let change = Change::Entries(k.common_annotations.clone(), rules.common_annotations.clone());
        changes.push(("AnnotationsTransformer", change));
    }
    for value in &k.patches_json6902 {
        let kind = "PatchJson6902Transformer";
        let patch: Patch = serde_json::from_value(value.clone()).map_err(|error| Error::fact(error.to_string()))?;
        let mut config = value.clone();
        if let Some(map) = config.as_object_mut() {
            map.remove("options");
            if let Some(inline) = map.remove("patch") {
                map.insert("jsonOp".into(), inline);
            }
        }
        let config = super::patches::config_text(&config);
        let change = JsonChange::new(loader, patch.target, &patch.path, &patch.patch);
        let change = change.map_err(|error| trouble(kind, &config, error))?;
        changes.push((kind, Change::JsonPatch(Box::new(change))));
    }
    for replica in &k.replicas {
        changes.push(("ReplicaCountTransformer", Change::Replicas(replica.clone(), rules.replicas.clone())));
    }
    for image in &k.images {
        let change = ImageChange::new(image.clone(), rules.images.clone());
        changes.push(("ImageTagTransformer", Change::Images(change)));
    }
    if !k.replacements.is_empty() {
        let kind = "ReplacementTransformer";
        let fields: Vec<Replacement> = serde_json::from_value(Value::Array(k.replacements.clone()))
            .map_err(|error| Error::fact(error.to_string()))?;
        let config = serde_json::json!({"Replacements": k.replacements});
        let config = manifest::to_yaml(&super::patches::without_zeros(&config));
        let change = ReplacementChange::new(loader, &fields).map_err(|error| trouble(kind, &config, error))?;
        changes.push((kind, Change::Replacements(change)));
    }
    Ok(changes)
}

/// The changes for `labels` and `commonLabels`.
fn add_labels(
    k: &super::model::Kustomization,
    rules: &Config,
    changes: &mut Vec<(&'static str, Change)>,
) -> Result<(), Error> {
    use super::config::merge_specs;
    if k.labels.is_empty() && k.common_labels.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| error.within("failed to merge labels");
    for label in &k.labels {
        let mut specs = label.field_specs.clone();
        merge_specs(&mut specs, &rules.labels).map_err(failed)?;
        if label.include_selectors {
            merge_specs(&mut specs, &rules.common_labels).map_err(failed)?;
        } else {
            if label.include_templates {
                merge_specs(&mut specs, &rules.template_labels)
                    .map_err(|error| error.within("failed to merge template fieldSpec"))?;
            }
            merge_specs(&mut specs, &[FieldSpec::new("metadata/labels", true)]).map_err(failed)?;
        }
        changes.push(("LabelTransformer", Change::Entries(label.pairs.clone(), specs)));
    }
    changes.push(("LabelTransformer", Change::Entries(k.common_labels.clone(), rules.common_labels.clone())));
    Ok(())
}
