//! Which lists have keys: the schema of the objects that patches are merged into.

use std::sync::Arc;

use super::Error;
use super::id::{Gvk, known_kind};
use crate::kinds::{Schema, SchemaNode, Schemas};
use crate::manifest;
use crate::object::{GroupVersionKind, Value};

/// The schema of all kinds that a build knows.
#[derive(Clone, Default)]
pub(super) struct KindSchemas {
    /// What `openapi.path` names; it takes the place of the built-in schema.
    own: Option<Arc<Schemas>>,
}

/// Versions whose lists are those of a later one.
const ALIASES: [(&str, &str, &str); 6] = [
    ("batch", "v1beta1", "v1"),
    ("policy", "v1beta1", "v1"),
    ("networking.k8s.io", "v1beta1", "v1"),
    ("rbac.authorization.k8s.io", "v1beta1", "v1"),
    ("storage.k8s.io", "v1beta1", "v1"),
    ("certificates.k8s.io", "v1beta1", "v1"),
];

/// Lists with keys that are younger than the schema by which kustomize merges; it replaces them.
const YOUNGER: [&str; 2] = ["resourceClaims", "schedulingGates"];

/// A place in a schema and what its field declares about patches.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    node: SchemaNode<'a>,
    declared: &'a Schema,
}

impl KindSchemas {
    /// Takes the definitions of an OpenAPI document in the place of the built-in ones.
    ///
    /// # Errors
    /// It is no such document.
    pub fn custom(text: &[u8]) -> Result<Self, Error> {
        let mut document = manifest::yaml_to_value(text, false)
            .map_err(|error| Error::fact(format!("invalid schema file: {error}")))?;
        let definitions = document.get_mut("definitions").map(Value::take);
        let mut schemas = Vec::new();
        if let Some(Value::Object(definitions)) = definitions {
            for (name, mut definition) in definitions {
                simplify(&mut definition);
                if let Some(schema) = Schema::deserialize_value(&definition) {
                    schemas.push((name, schema));
                }
            }
        }
        Ok(Self { own: Some(Arc::new(Schemas::from_definitions(schemas))) })
    }

    /// The schema of a kind, if it is known.
    pub fn of_kind(&self, gvk: &Gvk) -> Option<Place<'_>> {
        let node = match &self.own {
            Some(own) => own.of_kind(&GroupVersionKind::new(&gvk.group, &gvk.version, &gvk.kind)),
            None => {
                known_kind(gvk)?;
                let alias = ALIASES.iter().find(|(group, version, _)| gvk.group == *group && gvk.version == *version);
                let builtin =
                    |version: &str| Schemas::builtin().of_kind(&GroupVersionKind::new(&gvk.group, version, &gvk.kind));
                builtin(&gvk.version).or_else(|| builtin(alias?.2))
            }
        }?;
        Some(Place { node, declared: node.schema() })
    }
}

/// Brings a definition into the form in which schemas are kept: kinds as texts, references bare.
fn simplify(node: &mut Value) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(map) => {
            if let Some(Value::Array(kinds)) = map.get_mut("x-kubernetes-group-version-kind") {
                for kind in kinds {
                    let text = |key: &str| kind.get(key).and_then(Value::as_str).unwrap_or_default();
                    *kind = Value::String(format!("{}/{}/{}", text("group"), text("version"), text("kind")));
                }
            }
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(bare) = reference.strip_prefix("#/definitions/")
            {
                *reference = bare.to_owned();
            }
            map.values_mut().filter(|value| value.is_object() || value.is_array()).for_each(simplify);
        }
        _ => {}
    }
}

impl<'a> Place<'a> {
    /// The field of a struct or map.
    pub fn field(self, name: &str) -> Option<Self> {
        if YOUNGER.contains(&name) {
            return None;
        }
        let node = self.node.field(name)?;
        Some(Self { node, declared: self.node.declared(name).unwrap_or(node.schema()) })
    }

    /// The items of a list.
    pub fn items(self) -> Option<Self> {
        let node = self.node.item()?;
        Some(Self { node, declared: node.schema() })
    }

    /// Whether lists here are merged item by item.
    pub fn merges(self) -> bool {
        self.declared.has_patch_strategy("merge")
    }

    /// The fields that tell items apart; none for lists of texts.
    pub fn keys(self) -> Vec<String> {
        if !self.declared.list_map_keys.is_empty() {
            return self.declared.list_map_keys.clone();
        }
        let key = &self.declared.patch_merge_key;
        if key.is_empty() { Vec::new() } else { vec![key.clone()] }
    }
}
