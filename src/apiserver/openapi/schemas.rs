//! The schemas of documents.

use std::collections::BTreeSet;

use serde_json::json;

use crate::kinds::schema::Schema;
use crate::kinds::schema::{Additional, ListType, MapType};
use crate::kinds::{Schemas, descriptions};
use crate::object::{Map, Value, meta};

use super::super::registry::{Resource, Snapshot};

/// The package of the types that all groups share.
pub const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// A definition whose version, kind and metadata are described as those of any object.
const ANY_OBJECT: &str = "io.k8s.api.core.v1.ConfigMap";

const PREFIX: &str = "#/components/schemas/";

/// A reference to a definition.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{name}")})
}

/// The name of a custom resource's definition: `com.example.v1.Widget`.
pub fn custom_name(group: &str, version: &str, kind: &str) -> String {
    let mut parts: Vec<&str> = group.split('.').collect();
    parts.reverse();
    format!("{}.{version}.{kind}", parts.join("."))
}

/// Collects the names of the definitions that a value refers to.
pub fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                match inner.as_str().and_then(|text| text.strip_prefix(PREFIX)) {
                    Some(target) if name == "$ref" => drop(found.insert(target.to_owned())),
                    _ => references(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// The definitions of those names, and of all that they refer to.
pub fn closure(
    snapshot: &Snapshot,
    mut wanted: BTreeSet<String>,
    custom: &[&Resource],
    parts: &[&str],
) -> Map<String, Value> {
    let mut all = Map::new();
    for resource in custom {
        for (name, value) in custom_schemas(resource) {
            references(&value, &mut wanted);
            all.insert(name, value);
        }
    }
    while let Some(name) = wanted.pop_first() {
        if all.contains_key(&name) {
            continue;
        }
        let Some(node) = Schemas::builtin().definition(&name) else { continue };
        let mut value = write(&name, node.schema());
        if matches!(name.strip_prefix(META), Some("DeleteOptions" | "WatchEvent")) {
            shared_kinds(snapshot, &mut value, name.trim_start_matches(META), parts);
        }
        references(&value, &mut wanted);
        all.insert(name, value);
    }
    all
}

/// Types that are registered in every group list the kinds of the document's own.
fn shared_kinds(snapshot: &Snapshot, value: &mut Value, kind: &str, parts: &[&str]) {
    let (group, version) = match parts {
        ["apis", group, version] => (*group, *version),
        ["api", version] => ("", *version),
        _ => return,
    };
    if snapshot.kinds.groups().iter().any(|known| known.group == group) {
        value["x-kubernetes-group-version-kind"] = json!([{"group": group, "kind": kind, "version": version}]);
    }
}

/// Whether the fields of a definition are documented: references of such fields are wrapped.
fn is_documented(definition: &str, field: &str) -> bool {
    !definition.ends_with(".JSONSchemaProps") || field == "default"
}

fn write(name: &str, schema: &Schema) -> Value {
    let mut value = node(schema);
    let texts = descriptions::of(name);
    if !texts.own.is_empty() {
        value["description"] = texts.own.as_str().into();
    }
    let properties = schema.properties.iter().map(|(field, inner)| {
        let mut written = node(inner);
        if written.get("$ref").is_some()
            && (is_documented(name, field) || written.as_object().is_some_and(|o| o.len() > 1))
        {
            let target = written["$ref"].take();
            meta::remove(&mut written, &["$ref"]);
            written["allOf"] = json!([{"$ref": target}]);
        }
        // Beside a bare reference nothing else may stand.
        let text = descriptions::of_field(&texts, field, &inner.enum_);
        if let Some(text) = text.filter(|_| written.get("$ref").is_none()) {
            written["description"] = text.into();
        }
        (field.clone(), written)
    });
    let properties: Map<String, Value> = properties.collect();
    if !properties.is_empty() {
        value["properties"] = Value::Object(properties);
    }
    let kinds: Vec<Value> = schema
        .group_version_kinds
        .iter()
        .map(|text| {
            let mut parts = text.rsplitn(3, '/');
            let (kind, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            json!({"group": parts.next().unwrap_or_default(), "kind": kind, "version": version})
        })
        .collect();
    if !kinds.is_empty() {
        value["x-kubernetes-group-version-kind"] = Value::Array(kinds);
    }
    value
}

/// A schema without its named fields.
fn node(schema: &Schema) -> Value {
    let mut value = json!({});
    let mut text = |name: &str, text: &str| {
        if !text.is_empty() {
            value[name] = text.into();
        }
    };
    text("type", &schema.type_);
    text("format", &schema.format);
    text("x-kubernetes-patch-strategy", &schema.patch_strategy);
    text("x-kubernetes-patch-merge-key", &schema.patch_merge_key);
    if let Some(target) = schema.definition() {
        value["$ref"] = format!("{PREFIX}{target}").into();
    }
    if let Some(items) = &schema.items {
        value["items"] = node(items);
    }
    match &schema.additional_properties {
        Some(Additional::Schema(values)) => value["additionalProperties"] = node(values),
        Some(Additional::Allowed(allowed)) => value["additionalProperties"] = (*allowed).into(),
        None => {}
    }
    if !schema.required.is_empty() {
        value["required"] = json!(schema.required);
    }
    if let Some(default) = &schema.default {
        value["default"] = default.clone();
    }
    if !schema.enum_.is_empty() {
        value["enum"] = Value::Array(schema.enum_.clone());
    }
    if !schema.list_map_keys.is_empty() {
        value["x-kubernetes-list-map-keys"] = json!(schema.list_map_keys);
    }
    match schema.list_type {
        Some(ListType::Atomic) => value["x-kubernetes-list-type"] = "atomic".into(),
        Some(ListType::Set) => value["x-kubernetes-list-type"] = "set".into(),
        Some(ListType::Map) => value["x-kubernetes-list-type"] = "map".into(),
        None => {}
    }
    match schema.map_type {
        Some(MapType::Atomic) => value["x-kubernetes-map-type"] = "atomic".into(),
        Some(MapType::Granular) => value["x-kubernetes-map-type"] = "granular".into(),
        None => {}
    }
    let flags = [
        ("x-kubernetes-preserve-unknown-fields", schema.preserve_unknown_fields),
        ("x-kubernetes-int-or-string", schema.int_or_string),
        ("x-kubernetes-embedded-resource", schema.embedded_resource),
    ];
    for (name, set) in flags {
        if set {
            value[name] = true.into();
        }
    }
    value
}

/// The definitions of a custom resource and its lists.
fn custom_schemas(resource: &Resource) -> Vec<(String, Value)> {
    let kind = &resource.kind;
    let name = custom_name(&kind.group, &kind.version, &kind.kind);
    let gvk = |name: &str| json!([{"group": kind.group, "kind": name, "version": kind.version}]);
    let wrapped = |target: &str| json!({"allOf": [reference(&format!("{META}{target}"))]});
    let mut object = resource.strategy.published_schema().unwrap_or_else(|| json!({"type": "object"}));
    if object["properties"].is_null() {
        object["properties"] = json!({});
    }
    let texts = descriptions::of(ANY_OBJECT).fields;
    let described = |field: &str, mut schema: Value| {
        if let Some(text) = texts.get(field) {
            schema["description"] = text.as_str().into();
        }
        schema
    };
    let text = json!({"type": "string"});
    object["properties"]["apiVersion"] = described("apiVersion", text.clone());
    object["properties"]["kind"] = described("kind", text.clone());
    object["properties"]["metadata"] = described("metadata", wrapped("ObjectMeta"));
    object["x-kubernetes-group-version-kind"] = gvk(&kind.kind);
    let list_kind = kind.list_kind();
    let list = json!({
        "type": "object",
        "description": format!("{list_kind} is a list of {}", kind.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": described("apiVersion", text.clone()),
            "kind": described("kind", text),
            "metadata": described("metadata", wrapped("ListMeta")),
            "items": {"type": "array", "items": reference(&name), "description": format!("The {} of the list.", kind.plural)},
        },
        "x-kubernetes-group-version-kind": gvk(&list_kind),
    });
    vec![(name, object), (custom_name(&kind.group, &kind.version, &list_kind), list)]
}
