//! How the API's Go structs are declared: field order, Go names, types, pointers and `omitempty`.
//!
//! OpenAPI does not tell a pointer from a value, nor a named string from a string; error texts of the JSON decoder,
//! the printed form of objects (which zero values are shown) and dumps of internal objects depend on these. The data
//! file holds one definition per line: its name, then `json:GoName:type:flags` per field, an empty Go name standing
//! for the JSON name with a capital; flags are `o` for `omitempty` and `z` for `omitzero`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::{Schema, Schemas};

/// One field of a Go struct, embedded structs flattened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoField {
    /// Name in JSON.
    pub json: &'static str,
    go_name: &'static str,
    /// Type as reflection prints it: `*int32`, `[]v1.Container`, `map[string]string`.
    pub type_: &'static str,
    /// Zero values are left out, except of structs.
    pub omit_empty: bool,
    /// Zero values are left out, also of structs.
    pub omit_zero: bool,
    /// Position among the fields of the struct.
    index: usize,
}

impl GoField {
    /// Name of the struct field in Go.
    pub fn go_name(&self) -> String {
        if !self.go_name.is_empty() {
            return self.go_name.to_owned();
        }
        let mut chars = self.json.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    }
}

/// One Go struct.
#[derive(Debug)]
pub struct GoStruct {
    /// Name of the definition: `io.k8s.api.core.v1.PodSpec`.
    pub definition: &'static str,
    /// Fields in the order of the declaration.
    pub fields: Vec<GoField>,
    /// The types of the fields, found when one is first asked for.
    types: OnceLock<Vec<GoType>>,
    /// The fields whose zero value is shown, by position.
    shown: OnceLock<Vec<usize>>,
    /// The fields that may get a value though they have none, by position.
    filled: OnceLock<Vec<usize>>,
}

impl GoStruct {
    /// Name of the type without its package: `PodSpec`.
    pub fn name(&self) -> &'static str {
        self.definition.rsplit('.').next().unwrap_or(self.definition)
    }

    /// The fields that are shown also when nothing is set.
    fn always_shown(&'static self) -> impl Iterator<Item = &'static GoField> {
        let shown = self.shown.get_or_init(|| {
            let is_shown = |field: &&GoField| {
                let type_ = GoType::of_field(self, field);
                let empty_is_shown = !field.omit_empty || !(type_.is_pointer() || type_.is_empty(&Value::Null));
                !field.omit_zero && empty_is_shown
            };
            self.fields.iter().filter(is_shown).map(|field| field.index).collect()
        });
        shown.iter().filter_map(|at| self.fields.get(*at))
    }

    /// The fields that may get a value though they have none: those with a default, and structs that are always there.
    pub(super) fn filled(&'static self) -> impl Iterator<Item = &'static GoField> {
        let filled = self.filled.get_or_init(|| {
            let is_filled = |field: &&GoField| {
                let type_ = GoType::of_field(self, field);
                type_.default().is_some() || (!type_.is_pointer() && matches!(type_.kind(), GoKind::Struct(_)))
            };
            self.fields.iter().filter(is_filled).map(|field| field.index).collect()
        });
        filled.iter().filter_map(|at| self.fields.get(*at))
    }

    /// The field with that JSON name; case matters, as to the server.
    pub fn field(&self, json: &str) -> Option<&GoField> {
        self.fields.iter().find(|field| field.json == json)
    }
}

struct Line {
    text: &'static str,
    parsed: OnceLock<GoStruct>,
}

fn lines() -> &'static HashMap<&'static str, Line> {
    static LINES: OnceLock<HashMap<&'static str, Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        include_str!("data/go_types.txt")
            .lines()
            .filter_map(|line| Some((line.split(' ').next()?, Line { text: line, parsed: OnceLock::new() })))
            .collect()
    })
}

fn parse(line: &'static str) -> GoStruct {
    let mut words = line.split(' ');
    let definition = words.next().unwrap_or_default();
    let fields = words
        .enumerate()
        .filter_map(|(index, word)| {
            let mut parts = word.split(':');
            let (json, go_name, type_, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let (omit_empty, omit_zero) = (flags.contains('o'), flags.contains('z'));
            Some(GoField { json, go_name, type_, omit_empty, omit_zero, index })
        })
        .collect();
    GoStruct { definition, fields, types: OnceLock::new(), shown: OnceLock::new(), filled: OnceLock::new() }
}

/// The Go struct behind a definition of the built-in schema, if it is one.
pub fn go_struct(definition: &str) -> Option<&'static GoStruct> {
    let line = lines().get(definition)?;
    Some(line.parsed.get_or_init(|| parse(line.text)))
}

/// What a Go type is to the JSON decoder.
#[derive(Clone, Debug)]
pub(super) enum GoKind {
    Bool,
    Int {
        bits: u32,
    },
    Float,
    Text,
    Bytes,
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    /// Anything: extensions, schemas' free-form parts.
    Any,
    List(GoType),
    Map(GoType),
    Struct(&'static GoStruct),
    /// A struct without fields.
    Empty,
}

/// A Go type together with the schema of the same place.
#[derive(Clone, Debug)]
pub(super) struct GoType {
    /// As reflection prints it, pointers included.
    pub text: Cow<'static, str>,
    schema: Option<&'static Schema>,
    /// The struct, for a definition that is given by itself rather than through a reference.
    own: Option<&'static GoStruct>,
    kind: OnceLock<Box<GoKind>>,
}

impl GoType {
    /// The type of a definition.
    pub fn of_definition(definition: &str) -> Self {
        let schema = Schemas::builtin().definition(definition).map(super::SchemaNode::schema);
        Self { own: go_struct(definition), ..Self::new(short_name(definition).into(), schema) }
    }

    const fn new(text: Cow<'static, str>, schema: Option<&'static Schema>) -> Self {
        Self { text, schema, own: None, kind: OnceLock::new() }
    }

    /// The type of a field of a struct.
    pub fn of_field(of: &'static GoStruct, field: &GoField) -> &'static Self {
        static UNKNOWN: GoType = GoType::new(Cow::Borrowed(""), None);
        let types = of.types.get_or_init(|| {
            let definition = Schemas::builtin().definition(of.definition);
            let schema = |field: &GoField| definition.and_then(|node| node.declared(field.json));
            of.fields.iter().map(|field| Self::new(Cow::Borrowed(field.type_), schema(field))).collect()
        });
        types.get(field.index).unwrap_or(&UNKNOWN)
    }

    /// The type as errors show it, without pointers.
    pub fn shown(&self) -> &str {
        self.text.trim_start_matches('*')
    }

    /// The default that the schema declares.
    pub fn default(&self) -> Option<&'static Value> {
        self.schema.and_then(|schema| schema.default.as_ref())
    }

    /// Whether the zero value is nil.
    pub fn is_pointer(&self) -> bool {
        self.text.starts_with('*')
    }

    fn element(text: &str, schema: Option<&'static Schema>) -> Self {
        let text = if text.is_empty() { schema.map(type_of_schema).unwrap_or_default() } else { text.to_owned() };
        Self::new(text.into(), schema)
    }

    /// What the type is, pointers followed.
    pub fn kind(&self) -> &GoKind {
        self.kind.get_or_init(|| Box::new(self.find_kind()))
    }

    fn find_kind(&self) -> GoKind {
        let text = self.shown();
        let schema = self.schema;
        let item = || schema.and_then(|s| s.items.as_deref());
        let value = || match schema.and_then(|s| s.additional_properties.as_ref()) {
            Some(super::schema::Additional::Schema(schema)) => Some(&**schema),
            _ => None,
        };
        match text {
            "bool" => GoKind::Bool,
            "int" | "int64" => GoKind::Int { bits: 64 },
            "int32" => GoKind::Int { bits: 32 },
            "float64" => GoKind::Float,
            "string" => GoKind::Text,
            "[]byte" => GoKind::Bytes,
            "v1.Time" => GoKind::Time,
            "v1.MicroTime" => GoKind::MicroTime,
            "v1.Duration" => GoKind::Duration,
            "resource.Quantity" => GoKind::Quantity,
            "intstr.IntOrString" => GoKind::IntOrString,
            "runtime.RawExtension"
            | "v1.FieldsV1"
            | "v1.JSON"
            | "v1.JSONSchemaPropsOrArray"
            | "v1.JSONSchemaPropsOrBool"
            | "v1.JSONSchemaPropsOrStringArray" => GoKind::Any,
            _ if text.starts_with("[]") => GoKind::List(Self::element(text.trim_start_matches("[]"), item())),
            _ if text.starts_with("map[") => {
                GoKind::Map(Self::element(text.split_once(']').map_or("", |(_, rest)| rest), value()))
            }
            _ => self.named_kind(),
        }
    }

    fn named_kind(&self) -> GoKind {
        let Some(schema) = self.schema else { return GoKind::Any };
        if let Some(definition) = &schema.reference {
            return match go_struct(definition) {
                Some(found) => GoKind::Struct(found),
                None => GoKind::Empty,
            };
        }
        match schema.type_.as_str() {
            "string" => GoKind::Text,
            "boolean" => GoKind::Bool,
            "integer" => GoKind::Int { bits: if schema.format == "int32" { 32 } else { 64 } },
            "number" => GoKind::Float,
            "array" => GoKind::List(Self::element("", schema.items.as_deref())),
            "object" if !schema.properties.is_empty() => self.own.map_or(GoKind::Any, GoKind::Struct),
            "object" => match &schema.additional_properties {
                Some(super::schema::Additional::Schema(value)) => GoKind::Map(Self::element("", Some(value))),
                _ => GoKind::Any,
            },
            _ => GoKind::Any,
        }
    }

    /// The value that Go prints for the type's zero value.
    pub fn zero(&self) -> Value {
        if self.is_pointer() {
            return Value::Null;
        }
        match self.kind() {
            GoKind::Bool => Value::Bool(false),
            GoKind::Int { .. } | GoKind::Float | GoKind::IntOrString => json!(0),
            GoKind::Text => json!(""),
            GoKind::Quantity => json!("0"),
            GoKind::Duration => json!("0s"),
            GoKind::Time | GoKind::MicroTime | GoKind::Any | GoKind::List(_) | GoKind::Map(_) | GoKind::Bytes => {
                Value::Null
            }
            GoKind::Struct(of) => {
                let mut map = Map::new();
                settle_struct(&mut map, of);
                Value::Object(map)
            }
            GoKind::Empty => Value::Object(Map::new()),
        }
    }

    fn is_zero(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Bool(set) => !set,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
        }
    }

    /// Whether a value of this type is left out of a field with `omitempty`.
    fn is_empty(&self, value: &Value) -> bool {
        if self.is_pointer() {
            return value.is_null();
        }
        match self.kind() {
            GoKind::Struct(_)
            | GoKind::Empty
            | GoKind::Time
            | GoKind::MicroTime
            | GoKind::Quantity
            | GoKind::IntOrString
            | GoKind::Duration => false,
            GoKind::Any => value.is_null() && !self.text.starts_with("runtime."),
            _ => self.is_zero(value),
        }
    }
}

fn short_name(definition: &str) -> String {
    let mut parts = definition.rsplit('.');
    let (name, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{package}.{name}")
}

fn type_of_schema(schema: &Schema) -> String {
    if let Some(definition) = &schema.reference {
        return short_name(definition);
    }
    match (schema.type_.as_str(), schema.format.as_str()) {
        ("string", "byte") => "[]byte".into(),
        ("string", _) => "string".into(),
        ("boolean", _) => "bool".into(),
        ("integer", "int32") => "int32".into(),
        ("integer", _) => "int64".into(),
        ("number", _) => "float64".into(),
        ("array", _) => format!("[]{}", schema.items.as_deref().map(type_of_schema).unwrap_or_default()),
        _ => "interface {}".into(),
    }
}

/// Brings the fields of one struct into the form that Go prints: zero values of `omitempty` fields go, zero values of
/// the others appear. Values inside are expected to be in that form already.
pub(super) fn settle_struct(map: &mut Map<String, Value>, of: &'static GoStruct) {
    let left_out = |name: &str, value: &Value| {
        of.field(name).is_some_and(|field| {
            let type_ = GoType::of_field(of, field);
            (field.omit_zero && type_.is_zero(value)) || (field.omit_empty && type_.is_empty(value))
        })
    };
    // Most structs have nothing to leave out, and taking apart a map costs more than a look.
    if map.iter().any(|(name, value)| left_out(name, value)) {
        map.retain(|name, value| !left_out(name, value));
    }
    for field in of.always_shown() {
        if map.get(field.json).is_none_or(Value::is_null) {
            map.insert(field.json.to_owned(), GoType::of_field(of, field).zero());
        }
    }
}

/// Settles what is inside a struct, then the struct.
fn settle_fields(map: &mut Map<String, Value>, of: &'static GoStruct) {
    for (name, inner) in map.iter_mut() {
        if let Some(field) = of.field(name) {
            settle_value(inner, GoType::of_field(of, field));
        }
    }
    settle_struct(map, of);
}

fn settle_value(value: &mut Value, type_: &GoType) {
    match (type_.kind(), value) {
        (GoKind::Struct(of), Value::Object(map)) => {
            settle_fields(map, of);
        }
        (GoKind::List(item), Value::Array(items)) if holds_structs(item) => {
            items.iter_mut().for_each(|inner| settle_value(inner, item));
        }
        (GoKind::Map(item), Value::Object(map)) if holds_structs(item) => {
            map.values_mut().for_each(|inner| settle_value(inner, item));
        }
        _ => {}
    }
}

fn holds_structs(type_: &GoType) -> bool {
    matches!(type_.kind(), GoKind::Struct(_) | GoKind::List(_) | GoKind::Map(_))
}

/// Brings an object whose fields were changed back into the form that Go prints, by the named definition; objects of
/// unknown definitions stay as they are.
pub fn settle(object: &mut Value, definition: &str) {
    if let (Some(of), Value::Object(map)) = (go_struct(definition), object) {
        settle_fields(map, of);
    }
}
