//! Patch metadata of fields, looked up as the Kubernetes libraries look it up in Go types
//! (`strategicpatch.PatchMetaFromStruct`).

use super::PatchError;
use crate::kinds::{Schema, SchemaNode, Schemas};
use crate::object::{GroupVersionKind, go};

/// The type of a value, as far as patches need to know it.
#[derive(Clone, Copy, Debug)]
pub struct PatchSchema<'a> {
    node: SchemaNode<'a>,
    /// Full name of the definition, empty for types without one.
    definition: &'a str,
}

/// What a field declares about patches, and the type behind it.
#[derive(Clone, Copy, Debug)]
pub struct PatchField<'a> {
    /// The type of the field, or of its items when looked up with [`PatchSchema::list`].
    pub schema: PatchSchema<'a>,
    /// The declared strategy besides `retainKeys`: `merge`, `replace` or empty.
    pub strategy: &'a str,
    /// Whether the strategy `retainKeys` is declared.
    pub retain_keys: bool,
    /// The field that names a list's items, empty when none is declared.
    pub merge_key: &'a str,
}

impl PatchField<'_> {
    /// Whether lists are merged item by item.
    pub fn merges(&self) -> bool {
        self.strategy == "merge"
    }

    /// Whether the value is replaced as a whole.
    pub fn replaces(&self) -> bool {
        self.strategy == "replace"
    }
}

impl<'a> PatchSchema<'a> {
    /// The schema of a kind, if it is known.
    pub fn of_kind(schemas: &'a Schemas, gvk: &GroupVersionKind) -> Option<Self> {
        let definition = schemas.name_of_kind(gvk)?;
        Some(Self { node: schemas.definition(definition)?, definition })
    }

    /// A schema outside the definitions, such as one made of a custom resource definition.
    pub fn of_node(node: SchemaNode<'a>) -> Self {
        Self { node, definition: "" }
    }

    /// The field `key` of a struct (`LookupPatchMetadataForStruct`).
    ///
    /// # Errors
    /// When this is no struct, when it has no such field, or when the declared strategies make no sense.
    pub fn field(self, key: &str) -> Result<PatchField<'a>, PatchError> {
        let kind = self.kind();
        if kind != "struct" {
            return Err(PatchError::NotStruct(kind));
        }
        let Some((name, declared)) = self.declared(key) else {
            return Err(PatchError::UnknownField { type_name: self.type_name().to_owned(), field: go::quote(key) });
        };
        let (retain_keys, strategy) = split_strategies(&declared.patch_strategy)?;
        let node = self.node.field(name).unwrap_or(self.node);
        let definition = declared.definition().unwrap_or_default();
        Ok(PatchField {
            schema: Self { node, definition },
            strategy,
            retain_keys,
            merge_key: &declared.patch_merge_key,
        })
    }

    /// The list field `key` of a struct, its schema being that of the items (`LookupPatchMetadataForSlice`).
    ///
    /// # Errors
    /// As [`PatchSchema::field`], and when the field is no list.
    pub fn list(self, key: &str) -> Result<PatchField<'a>, PatchError> {
        let field = self.field(key)?;
        let schema = field.schema.node.schema();
        let Some(items) = schema.items.as_deref() else {
            return match field.schema.kind() {
                // Bytes are a list in Go, written as one text.
                "slice" => Ok(field),
                _ => Err(PatchError::NotList(self.kind())),
            };
        };
        let definition = items.definition().unwrap_or_default();
        let item = Self { node: field.schema.node.item().unwrap_or(field.schema.node), definition };
        if item.kind() == "slice" {
            return Err(PatchError::SchemaListOfLists);
        }
        Ok(PatchField { schema: item, ..field })
    }

    /// Go's `reflect.Kind` of the type.
    pub fn kind(self) -> &'static str {
        let schema = self.node.schema();
        if !schema.properties.is_empty() || !self.definition.is_empty() {
            return "struct";
        }
        match schema.type_.as_str() {
            "array" => "slice",
            "object" => "map",
            "boolean" => "bool",
            "number" => "float64",
            "integer" if schema.format == "int32" => "int32",
            "integer" => "int64",
            "string" if schema.format == "byte" => "slice",
            "string" => "string",
            _ => "interface",
        }
    }

    /// Go's name of the type: the last part of the definition's name.
    fn type_name(self) -> &'a str {
        self.definition.rsplit('.').next().unwrap_or_default()
    }

    /// The property, found as `encoding/json` finds struct fields: exactly, else without regard to case.
    fn declared(self, key: &str) -> Option<(&'a str, &'a Schema)> {
        let properties = &self.node.schema().properties;
        let found = properties
            .get_key_value(key)
            .or_else(|| properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)));
        found.map(|(name, schema)| (name.as_str(), schema.as_ref()))
    }
}

/// Splits declared strategies into `retainKeys` and the other one (`extractRetainKeysPatchStrategy`).
fn split_strategies(declared: &str) -> Result<(bool, &str), PatchError> {
    const RETAIN: &str = "retainKeys";
    let mut parts = declared.split(',');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(RETAIN), None, _) => Ok((true, "")),
        (Some(one), None, _) => Ok((false, one)),
        (Some(RETAIN), Some(other), None) | (Some(other), Some(RETAIN), None) => Ok((true, other)),
        _ => Err(PatchError::BadStrategy(declared.replace(',', " "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> PatchSchema<'static> {
        let gvk = GroupVersionKind::new("apps", "v1", "Deployment");
        PatchSchema::of_kind(Schemas::builtin(), &gvk).expect("deployments are built in")
    }

    #[test]
    fn metadata_is_that_of_the_declared_field() {
        let spec = deployment().field("spec").expect("spec");
        let strategy = spec.schema.field("strategy").expect("strategy");
        assert!(strategy.retain_keys && strategy.strategy.is_empty());
        let pod = spec.schema.field("template").and_then(|t| t.schema.field("spec")).expect("pod spec");
        let volumes = pod.schema.list("volumes").expect("volumes");
        assert!(volumes.retain_keys && volumes.merges());
        assert_eq!(volumes.merge_key, "name");
        assert!(volumes.schema.field("configmap").is_ok(), "fields are found without regard to case");
    }

    #[test]
    fn errors_name_the_go_type() {
        let spec = deployment().field("spec").expect("spec").schema;
        let text = |e: Result<PatchField<'_>, PatchError>| e.map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            text(spec.field("bogus")),
            "unable to find api field in struct DeploymentSpec for the json field \"bogus\""
        );
        let labels = deployment().field("metadata").and_then(|m| m.schema.field("labels")).expect("labels").schema;
        assert_eq!(text(labels.field("a")), "merging an object in json but data type is not struct, instead is: map");
        assert_eq!(text(spec.list("template")), "expected slice or array type, but got: struct");
    }
}
