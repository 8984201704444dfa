//! Patches: strategic merges and JSON patches, inline or from files.

use serde_json::json;

use super::Error;
use super::decode::go_quoted;
use super::loader::Loader;
use super::model::{Patch, Selector};
use super::node::Node;
use super::read;
use super::resmap::{self, ResMap};
use super::resource::Resource;
use super::schema::KindSchemas;
use super::{merge, select};
use crate::manifest;
use crate::object::Value;
use crate::patch::JsonPatch;

/// What a patch is.
enum Content {
    Merge(Vec<Resource>),
    Json(JsonPatch),
}

/// A patch of the field `patches`.
pub(super) struct PatchChange {
    content: Content,
    target: Option<Selector>,
    /// Where it comes from, for messages.
    source: String,
}

impl PatchChange {
    /// Reads a patch; `config` is how messages show its settings.
    pub fn new(loader: &Loader<'_>, patch: &Patch, config: &str) -> Result<Self, Error> {
        let inline = patch.patch.trim();
        let (text, source) = match (inline.is_empty(), patch.path.is_empty()) {
            (true, true) => return Err(Error::fact(format!("must specify one of patch and path in\n{config}"))),
            (false, false) => {
                return Err(Error::fact(format!("patch and path can't be set at the same time\n{config}")));
            }
            (false, true) => (inline.as_bytes().to_vec(), format!("[patch: {}]", go_quoted(inline))),
            (true, false) => {
                let loaded = loader
                    .load(&patch.path)
                    .map_err(|error| error.within(format!("failed to get the patch file from path({})", patch.path)))?;
                (loaded, format!("[path: {}]", go_quoted(&patch.path)))
            }
        };
        let content = match (read::resources(&text), json_patch(&text)) {
            (Ok(objects), Ok(json)) if !objects.is_empty() && !json.is_empty() => {
                return Err(Error::fact(format!("illegally qualifies as both an SM and JSON patch: {source}")));
            }
            (Err(_), Err(_)) => {
                return Err(Error::fact(format!("unable to parse SM or JSON patch from {source}")));
            }
            (Ok(mut objects), _) => {
                for object in &mut objects {
                    let options = patch.options.clone().unwrap_or_default();
                    object.memory.allow_name_change = options.allow_name_change;
                    object.memory.allow_kind_change = options.allow_kind_change;
                }
                Content::Merge(objects)
            }
            (Err(_), Ok(json)) => Content::Json(json),
        };
        Ok(Self { content, target: patch.target.clone(), source })
    }

    pub fn apply(&self, map: &mut ResMap, schemas: &KindSchemas) -> Result<(), Error> {
        match (&self.content, &self.target) {
            (Content::Merge(patches), None) => {
                for patch in patches {
                    let id = patch.original_id();
                    let target = map.unique(&id).map_err(|error| {
                        error
                            .within(format!("no resource matches strategic merge patch {}", go_quoted(&id.to_string())))
                    })?;
                    apply_merge(target, patch, schemas)?;
                }
                Ok(())
            }
            (Content::Merge(patches), Some(_)) if patches.len() > 1 => Err(Error::fact(format!(
                "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: \
                 {}",
                self.source
            ))),
            (Content::Merge(patches), Some(target)) => {
                let Some(patch) = patches.first() else { return Ok(()) };
                let selected = select::select(&map.resources, target).map_err(|error| {
                    let shown = go_quoted(&target.to_string());
                    error.within(format!("unable to find patch target {shown} in `resources`"))
                })?;
                merge_into_selected(map, &selected, patch, schemas)
            }
            (Content::Json(json), None) if json.is_empty() => Ok(()),
            (Content::Json(_), None) => {
                Err(Error::fact(format!("must specify a target for JSON patch {}", self.source)))
            }
            (Content::Json(json), Some(target)) => {
                for at in select::select(&map.resources, target)? {
                    if let Some(resource) = map.resources.get_mut(at) {
                        resource.remember_id();
                        apply_json(resource, json)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Merges a patch into objects, whatever they are called.
fn merge_into_selected(
    map: &mut ResMap,
    selected: &[usize],
    patch: &Resource,
    schemas: &KindSchemas,
) -> Result<(), Error> {
    for at in selected {
        let Some(resource) = map.resources.get_mut(*at) else { continue };
        let mut own = patch.clone();
        own.take_over(patch);
        own.set_gvk(&resource.gvk());
        own.set_kind(patch.kind());
        apply_merge(resource, &own, schemas)?;
    }
    let merged = std::mem::take(&mut map.resources);
    for resource in merged.into_iter().filter(|resource| !resource.is_empty()) {
        map.append(resource)?;
    }
    Ok(())
}

/// Merges a patch into an object; name, kind and namespace stay unless the patch may change them.
fn apply_merge(target: &mut Resource, patch: &Resource, schemas: &KindSchemas) -> Result<(), Error> {
    let before = target.id();
    let allowed = &patch.memory;
    if allowed.allow_name_change || allowed.allow_kind_change {
        target.remember_id();
    }
    let object = std::mem::replace(&mut target.node, Node::List(Vec::new()));
    let Some(node) = merge::merge(object, patch.node.clone(), schemas)? else { return Ok(()) };
    target.node = node;
    if target.is_empty() {
        return Ok(());
    }
    if !allowed.allow_kind_change {
        target.set_kind(&before.gvk.kind);
    }
    if !allowed.allow_name_change {
        target.set_name(&before.name);
    }
    target.set_namespace(&before.namespace);
    Ok(())
}

/// Reads a JSON patch written as JSON or YAML.
pub(super) fn json_patch(text: &[u8]) -> Result<JsonPatch, Error> {
    let text = String::from_utf8_lossy(text);
    if text.is_empty() {
        return Err(Error::fact("empty json patch operations"));
    }
    let text = if text.starts_with('[') { text.into_owned() } else { manifest::yaml_to_json(text.as_bytes(), false)? };
    JsonPatch::decode(&text).map_err(|error| Error::fact(error.to_string()))
}

fn apply_json(resource: &mut Resource, patch: &JsonPatch) -> Result<(), Error> {
    // A patch sees the annotations by which kustomize remembers names: a map that a patch can add to is always there.
    let mut value = resource.with_memory().value()?;
    patch.apply(&mut value).map_err(|error| Error::fact(error.to_string()))?;
    resource.node = Node::from_value(&value);
    resource.drop_memory_annotations();
    Ok(())
}

/// A patch of the field `patchesJson6902`.
pub(super) struct JsonChange {
    patch: JsonPatch,
    target: Selector,
}

impl JsonChange {
    pub fn new(loader: &Loader<'_>, target: Option<Selector>, path: &str, inline: &str) -> Result<Self, Error> {
        let target = target.filter(|target| !target.name.is_empty());
        let target = target.ok_or_else(|| Error::fact("must specify the target name"))?;
        let text = match (path.is_empty(), inline.is_empty()) {
            (true, true) => return Err(Error::fact("empty file path and empty jsonOp")),
            (false, false) => return Err(Error::fact("must specify a file path or jsonOp, not both")),
            (true, false) => inline.as_bytes().to_vec(),
            (false, true) => loader.load(path)?,
        };
        if text.is_empty() {
            return Err(Error::fact(format!("patch file '{path}' empty seems to be empty")));
        }
        let text = if text.starts_with(b"[") {
            String::from_utf8_lossy(&text).into_owned()
        } else {
            manifest::yaml_to_json(&text, false)
                .map_err(|error| Error::fact(format!("error converting YAML to JSON: {error}")))?
        };
        let patch = JsonPatch::decode(&text)
            .map_err(|error| Error::fact(error.to_string()).within(format!("decoding {text}")))?;
        if patch.is_empty() {
            return Err(Error::fact(format!("patch appears to be empty; file={path}, JsonOp={text}")));
        }
        Ok(Self { patch, target })
    }

    pub fn apply(&self, map: &mut ResMap) -> Result<(), Error> {
        for at in select::select(&map.resources, &self.target)? {
            if let Some(resource) = map.resources.get_mut(at) {
                apply_json(resource, &self.patch)?;
            }
        }
        Ok(())
    }
}

/// The patches of the field `patchesStrategicMerge`.
pub(super) struct MergeChange {
    patches: Vec<Resource>,
}

impl MergeChange {
    /// Each path may be a patch itself.
    pub fn new(loader: &Loader<'_>, paths: &[String], inline: &str) -> Result<Self, Error> {
        if paths.is_empty() && inline.is_empty() {
            return Err(Error::fact("empty file path and empty patch content"));
        }
        let mut patches = Vec::new();
        for path in paths {
            match read::resources(path.as_bytes()) {
                Ok(found) => patches.extend(found),
                Err(_) => patches.extend(resmap::from_file(loader, path)?),
            }
        }
        if !inline.is_empty() {
            patches.extend(read::resources(inline.as_bytes())?);
        }
        if patches.is_empty() {
            return Err(Error::fact(format!("patch appears to be empty; files=[{}], Patch={inline}", paths.join(" "))));
        }
        Ok(Self { patches })
    }

    pub fn apply(&self, map: &mut ResMap, schemas: &KindSchemas) -> Result<(), Error> {
        for patch in &self.patches {
            let target = map.unique(&patch.original_id())?.id();
            let found: Vec<usize> = (0..map.resources.len()).filter(|at| map.resources[*at].id() == target).collect();
            merge_into_selected(map, &found, patch, schemas)?;
        }
        Ok(())
    }
}

/// How messages show the settings of a patch.
pub(super) fn config_text(patch: &Value) -> String {
    let mut shown = json!({});
    for (key, value) in patch.as_object().into_iter().flatten() {
        if !is_zero(value) || matches!(key.as_str(), "target" | "options") {
            shown[key.as_str()] = without_zeros(value);
        }
    }
    manifest::to_yaml(&shown)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    }
}

/// The value without fields that say nothing.
pub(super) fn without_zeros(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.iter().filter(|(_, value)| !is_zero(value));
            Value::Object(fields.map(|(key, value)| (key.clone(), without_zeros(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_zeros).collect()),
        other => other.clone(),
    }
}
