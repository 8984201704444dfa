//! The schema language of definitions (`JSONSchemaProps`), parsed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::object::Value;

/// `items`: one schema for all, or a list of them, which no definition may have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Items {
    /// One schema for every item.
    One(Arc<Props>),
    /// A schema for each position.
    Many(Vec<Props>),
}

/// `additionalProperties`: a schema for the values, or a mere yes or no.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Additional {
    /// Whether unnamed fields are allowed.
    Allowed(bool),
    /// The schema of every unnamed field.
    Schema(Arc<Props>),
}

impl Additional {
    /// The schema of unnamed fields.
    pub fn schema(&self) -> Option<&Props> {
        match self {
            Self::Schema(schema) => Some(schema),
            Self::Allowed(_) => None,
        }
    }
}

/// One rule of `x-kubernetes-validations`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// The expression.
    pub rule: String,
    /// What to say when it does not hold.
    pub message: String,
    /// An expression that makes that text.
    pub message_expression: String,
    /// Reason of the field error.
    pub reason: Option<String>,
    /// Field of the error, below the schema's own.
    pub field_path: String,
    /// Whether the rule is judged without an old value too.
    pub optional_old_self: Option<bool>,
}

/// One node of a definition's schema.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are those of JSON schema")]
pub struct Props {
    pub id: String,
    #[serde(rename = "$schema")]
    pub schema: String,
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    pub description: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub format: String,
    pub title: String,
    pub default: Option<Value>,
    pub maximum: Option<f64>,
    pub exclusive_maximum: bool,
    pub minimum: Option<f64>,
    pub exclusive_minimum: bool,
    pub max_length: Option<i64>,
    pub min_length: Option<i64>,
    pub pattern: String,
    pub max_items: Option<i64>,
    pub min_items: Option<i64>,
    pub unique_items: bool,
    pub multiple_of: Option<f64>,
    #[serde(rename = "enum")]
    pub enum_: Vec<Value>,
    pub max_properties: Option<i64>,
    pub min_properties: Option<i64>,
    pub required: Vec<String>,
    pub items: Option<Items>,
    pub all_of: Vec<Props>,
    pub one_of: Vec<Props>,
    pub any_of: Vec<Props>,
    pub not: Option<Arc<Props>>,
    pub properties: BTreeMap<String, Props>,
    pub additional_properties: Option<Additional>,
    pub pattern_properties: BTreeMap<String, Props>,
    pub dependencies: Option<Value>,
    pub additional_items: Option<Additional>,
    pub definitions: BTreeMap<String, Props>,
    pub external_docs: Option<Value>,
    pub example: Option<Value>,
    pub nullable: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub preserve_unknown_fields: Option<bool>,
    #[serde(rename = "x-kubernetes-embedded-resource")]
    pub embedded_resource: bool,
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub int_or_string: bool,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub list_map_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-list-type")]
    pub list_type: Option<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    pub map_type: Option<String>,
    #[serde(rename = "x-kubernetes-validations")]
    pub validations: Vec<Rule>,
}

impl Props {
    /// Reads a schema as a definition holds it; decoding has checked its types before.
    pub fn from_value(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// The schema of list items.
    pub fn item(&self) -> Option<&Self> {
        match &self.items {
            Some(Items::One(schema)) => Some(schema),
            _ => None,
        }
    }

    /// The schema of unnamed fields.
    pub fn values(&self) -> Option<&Self> {
        self.additional_properties.as_ref().and_then(Additional::schema)
    }

    /// The schema of a field: named, else that of unnamed ones.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or_else(|| self.values())
    }

    /// Whether unknown fields are kept.
    pub fn preserves(&self) -> bool {
        self.preserve_unknown_fields == Some(true)
    }

    /// Whether a list is a map by keys.
    pub fn is_list_map(&self) -> bool {
        self.list_type.as_deref() == Some("map")
    }

    /// Whether any schema of the tree, this one included, fulfils a condition.
    pub fn any(&self, condition: &dyn Fn(&Self) -> bool) -> bool {
        condition(self) || self.children().any(|child| child.any(condition))
    }

    /// The schemas directly below this one.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let items = match &self.items {
            Some(Items::One(one)) => std::slice::from_ref(one.as_ref()),
            Some(Items::Many(many)) => many.as_slice(),
            None => &[],
        };
        let maps = self.properties.values().chain(self.pattern_properties.values()).chain(self.definitions.values());
        let lists = self.all_of.iter().chain(&self.any_of).chain(&self.one_of);
        let additional = [&self.additional_properties, &self.additional_items].into_iter().flatten();
        items
            .iter()
            .chain(lists)
            .chain(self.not.as_deref())
            .chain(maps)
            .chain(additional.filter_map(Additional::schema))
    }
}
