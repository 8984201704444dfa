//! The schema of fields: types, required fields, defaults, merge keys and list types.
//!
//! Built-in definitions live in `data/schema.json`, one definition per line, and are parsed only when something asks
//! for them. The same [`Schemas`] is built from a custom resource definition's structural schema or from a server's
//! OpenAPI document.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::object::{GroupVersionKind, Value};

/// How server-side apply treats a list (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListType {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items with keys.
    Map,
}

/// How server-side apply treats a map or struct (`x-kubernetes-map-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapType {
    /// Merged field by field.
    Granular,
    /// Replaced as a whole.
    Atomic,
}

/// `additionalProperties`: a schema for the values, or a mere yes or no.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Additional {
    /// Whether unnamed fields are allowed.
    Allowed(bool),
    /// The schema of every unnamed field.
    Schema(Arc<Schema>),
}

/// One node of a schema.
///
/// `reference` names a definition of the same [`Schemas`]; go through [`SchemaNode`] to have it followed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Schema {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; empty for any value.
    #[serde(rename = "type")]
    pub type_: String,
    /// Format within the type, such as `int32`, `date-time`, `int-or-string`, `byte`, `quantity`.
    pub format: String,
    /// Bare name of the definition that describes this node.
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    /// Schemas that all apply; a field that adds attributes to a definition wraps its reference this way.
    pub all_of: Vec<Arc<Schema>>,
    /// Schema of list items.
    pub items: Option<Arc<Schema>>,
    /// Schema of unnamed fields.
    pub additional_properties: Option<Additional>,
    /// Named fields.
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// Fields that must be present.
    pub required: Vec<String>,
    /// Default as the schema states it (`{}` and `""` are Go's zero values, not Kubernetes defaults).
    pub default: Option<Value>,
    /// Allowed values.
    #[serde(rename = "enum")]
    pub enum_: Vec<Value>,
    /// `x-kubernetes-list-type`.
    #[serde(rename = "x-kubernetes-list-type")]
    pub list_type: Option<ListType>,
    /// `x-kubernetes-list-map-keys`.
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub list_map_keys: Vec<String>,
    /// `x-kubernetes-map-type`.
    #[serde(rename = "x-kubernetes-map-type")]
    pub map_type: Option<MapType>,
    /// `x-kubernetes-patch-strategy`: `merge`, `replace`, `retainKeys`, comma-separated.
    #[serde(rename = "x-kubernetes-patch-strategy")]
    pub patch_strategy: String,
    /// `x-kubernetes-patch-merge-key`.
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    pub patch_merge_key: String,
    /// `x-kubernetes-preserve-unknown-fields`.
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub preserve_unknown_fields: bool,
    /// `x-kubernetes-int-or-string`.
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub int_or_string: bool,
    /// `x-kubernetes-embedded-resource`.
    #[serde(rename = "x-kubernetes-embedded-resource")]
    pub embedded_resource: bool,
    /// Kinds that the definition describes, as `group/version/Kind`.
    #[serde(rename = "x-kubernetes-group-version-kind")]
    pub group_version_kinds: Vec<String>,
}

impl Schema {
    /// Reads a schema as OpenAPI documents write it, references bare; `None` for what is no schema.
    pub fn deserialize_value(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// The name of the definition that describes this node: its reference, bare or wrapped in `allOf`.
    pub fn definition(&self) -> Option<&str> {
        self.reference.as_deref().or_else(|| self.all_of.iter().find_map(|schema| schema.reference.as_deref()))
    }

    /// Whether the patch strategy list holds `strategy`.
    pub fn has_patch_strategy(&self, strategy: &str) -> bool {
        self.patch_strategy.split(',').any(|s| s == strategy)
    }
}

/// A set of named definitions, parsed one by one when needed.
#[derive(Debug, Default)]
pub struct Schemas {
    definitions: HashMap<String, Definition>,
    by_gvk: HashMap<GroupVersionKind, String>,
}

#[derive(Debug)]
struct Definition {
    text: &'static str,
    parsed: OnceLock<Option<Box<Schema>>>,
}

impl Definition {
    fn get(&self) -> Option<&Schema> {
        self.parsed.get_or_init(|| serde_json::from_str(self.text).ok()).as_deref()
    }
}

impl Schemas {
    /// The definitions of a Kubernetes 1.36 API server.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Schemas> = OnceLock::new();
        BUILTIN.get_or_init(|| Self::index(include_str!("data/schema.json")))
    }

    /// Indexes a text with one `"name": {…},` per line, without parsing the bodies.
    fn index(text: &'static str) -> Self {
        let mut schemas = Self::default();
        for line in text.lines() {
            let Some((name, body)) = line.strip_prefix('"').and_then(|rest| rest.split_once("\": ")) else { continue };
            let body = body.strip_suffix(',').unwrap_or(body);
            for gvk in kinds_in(body) {
                schemas.by_gvk.insert(gvk, name.to_owned());
            }
            schemas.definitions.insert(name.to_owned(), Definition { text: body, parsed: OnceLock::new() });
        }
        schemas
    }

    /// A set made of parsed definitions, such as a custom resource's schema or a server's OpenAPI document.
    pub fn from_definitions(definitions: impl IntoIterator<Item = (String, Schema)>) -> Self {
        let mut schemas = Self::default();
        for (name, schema) in definitions {
            for gvk in schema.group_version_kinds.iter().filter_map(|text| parse_gvk(text)) {
                schemas.by_gvk.insert(gvk, name.clone());
            }
            let parsed = OnceLock::from(Some(Box::new(schema)));
            schemas.definitions.insert(name, Definition { text: "", parsed });
        }
        schemas
    }

    /// The definition of that name, such as `io.k8s.api.core.v1.PodSpec`.
    pub fn definition(&self, name: &str) -> Option<SchemaNode<'_>> {
        let schema = self.definitions.get(name)?.get()?;
        Some(SchemaNode { schemas: self, schema })
    }

    /// The JSON text of a built-in definition; of others there is none.
    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.definitions.get(name).map(|definition| definition.text).filter(|text| !text.is_empty())
    }

    /// The definition that describes a kind.
    pub fn of_kind(&self, gvk: &GroupVersionKind) -> Option<SchemaNode<'_>> {
        self.definition(self.by_gvk.get(gvk)?)
    }

    /// The name of the definition that describes a kind.
    pub fn name_of_kind(&self, gvk: &GroupVersionKind) -> Option<&str> {
        self.by_gvk.get(gvk).map(String::as_str)
    }

    /// The names of all definitions, unordered.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// A node for a schema outside the definitions whose references lead into them.
    pub fn node<'a>(&'a self, schema: &'a Schema) -> SchemaNode<'a> {
        SchemaNode { schemas: self, schema }.followed()
    }
}

/// Finds `"x-kubernetes-group-version-kind":["g/v/K",…]` without parsing the rest of a definition.
fn kinds_in(body: &str) -> Vec<GroupVersionKind> {
    const MARK: &str = "\"x-kubernetes-group-version-kind\":[";
    let Some(at) = body.rfind(MARK) else { return Vec::new() };
    let list = &body[at + MARK.len()..];
    let list = &list[..list.find(']').unwrap_or(list.len())];
    list.split(',').filter_map(|item| parse_gvk(item.trim_matches('"'))).collect()
}

fn parse_gvk(text: &str) -> Option<GroupVersionKind> {
    let mut parts = text.rsplitn(3, '/');
    let (kind, version) = (parts.next()?, parts.next()?);
    Some(GroupVersionKind::new(parts.next().unwrap_or_default(), version, kind))
}

/// A schema node together with the definitions that its references lead into.
///
/// Nodes that methods return have their reference followed already: a field's own strategy and default are read with
/// [`SchemaNode::declared`], the type behind it with [`SchemaNode::field`].
#[derive(Clone, Copy, Debug)]
pub struct SchemaNode<'a> {
    schemas: &'a Schemas,
    schema: &'a Schema,
}

impl<'a> SchemaNode<'a> {
    /// The node's own attributes.
    pub fn schema(self) -> &'a Schema {
        self.schema
    }

    /// The set of definitions that this node belongs to.
    pub fn schemas(self) -> &'a Schemas {
        self.schemas
    }

    /// The field as its parent declares it, reference not followed: default, patch strategy and merge key stand here.
    pub fn declared(self, name: &str) -> Option<&'a Schema> {
        self.schema.properties.get(name).map(Arc::as_ref)
    }

    /// The schema of the value in field `name`: a named property, else `additionalProperties`.
    pub fn field(self, name: &str) -> Option<Self> {
        match self.declared(name) {
            Some(schema) => Some(self.at(schema)),
            None => self.values(),
        }
    }

    /// The schema of the values of a map.
    pub fn values(self) -> Option<Self> {
        match self.schema.additional_properties.as_ref()? {
            Additional::Schema(schema) => Some(self.at(schema)),
            Additional::Allowed(_) => None,
        }
    }

    /// The schema of the items of a list.
    pub fn item(self) -> Option<Self> {
        self.schema.items.as_deref().map(|schema| self.at(schema))
    }

    fn at(self, schema: &'a Schema) -> Self {
        Self { schemas: self.schemas, schema }.followed()
    }

    /// Follows the reference, if there is one; a dangling one leaves the node as it is.
    fn followed(self) -> Self {
        self.schema.definition().and_then(|name| self.schemas.definition(name)).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_reached_through_references() {
        let pod = Schemas::builtin().of_kind(&GroupVersionKind::new("", "v1", "Pod")).expect("pods are built in");
        let spec = pod.field("spec").expect("pods have a spec");
        assert_eq!(spec.declared("containers").map(|s| s.patch_merge_key.as_str()), Some("name"));
        let ports = spec.field("containers").and_then(SchemaNode::item).and_then(|c| c.field("ports"));
        assert_eq!(
            ports.map(|p| p.schema().list_map_keys.clone()),
            Some(vec!["containerPort".into(), "protocol".into()])
        );
        let deployment = Schemas::builtin().of_kind(&GroupVersionKind::new("apps", "v1", "Deployment"));
        let strategy = deployment.and_then(|d| d.field("spec")).and_then(|spec| spec.field("strategy"));
        assert!(strategy.is_some_and(|s| s.declared("rollingUpdate").is_some()), "references in allOf are followed");
    }

    #[test]
    fn every_builtin_definition_parses() {
        let schemas = Schemas::builtin();
        for name in schemas.names() {
            assert!(schemas.definition(name).is_some(), "{name}");
        }
        for kind in crate::kinds::Kinds::builtin().rows() {
            assert!(schemas.of_kind(&kind.gvk()).is_some(), "{}", kind.gvk());
        }
    }
}
