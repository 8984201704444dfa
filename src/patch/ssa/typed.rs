//! Types as structured-merge-diff sees them, read from a kind's schema: which shapes a value may have, which containers
//! are atomic, how list items are told apart.

use super::set::PathElement;
use crate::kinds::schema::{Additional, ListType, MapType};
use crate::kinds::{Schema, SchemaNode, Schemas};
use crate::object::{Value, go};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Type<'a> {
    /// What a schema node declares.
    Schema(Declared<'a>),
    /// A scalar outside any schema.
    Scalar(Scalar),
    /// No schema: maps are merged field by field, lists are atomic.
    Deduced,
    /// No schema, and every container is atomic.
    Atomic,
    /// No type at all: the field is not declared.
    Undeclared,
}

/// A schema node with what its place in the schema adds.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    node: SchemaNode<'a>,
    /// `x-kubernetes-map-type` beside the reference that led here.
    map_type: Option<MapType>,
    /// Whether unknown fields are kept, here or in an enclosing node of the same definition.
    preserve_unknown: bool,
    /// Whether the node is a whole object with `apiVersion`, `kind` and `metadata`.
    resource: bool,
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A whole or broken number.
    Numeric,
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// Any of them.
    Untyped,
}

/// The list side of a type.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// Type of the items.
    pub item: Type<'a>,
    /// Whether the list is one leaf.
    pub atomic: bool,
    /// Names of the key fields; empty for sets of scalars.
    pub keys: &'a [String],
}

/// The map side of a type.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// The schema, or the deduced type of all fields.
    fields: Fields<'a>,
    /// Whether the map is one leaf.
    pub atomic: bool,
}

/// What tells the types of a map's fields.
#[derive(Clone, Copy, Debug)]
enum Fields<'a> {
    Declared(Declared<'a>),
    Deduced,
    Atomic,
}

/// The side of a type that fits a value.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'a> {
    /// A map or struct.
    Map(Map<'a>),
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    List(List<'a>),
    /// The type allows nothing.
    Invalid,
}

impl<'a> Type<'a> {
    /// The type of whole objects: that of the schema, or deduced from the values where there is none.
    pub fn of_object(schema: Option<SchemaNode<'a>>) -> Self {
        schema.map_or(Self::Deduced, |node| Self::of_node(node, None, false, true))
    }

    fn of_node(node: SchemaNode<'a>, map_type: Option<MapType>, inherited: bool, resource: bool) -> Self {
        let schema = node.schema();
        Self::Schema(Declared {
            node,
            map_type,
            preserve_unknown: inherited || schema.preserve_unknown_fields,
            resource: resource || schema.embedded_resource,
        })
    }

    /// The type of a child node; `stated` is how the parent writes it, `node` what stands behind a reference.
    fn of_child(parent: Declared<'a>, stated: &'a Schema, node: SchemaNode<'a>) -> Self {
        if stated.definition().is_some() {
            Self::of_node(node, stated.map_type, false, false)
        } else {
            Self::of_node(node, None, parent.preserve_unknown, false)
        }
    }

    fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Schema(declared) => declared.scalar(),
            Self::Scalar(scalar) => Some(scalar),
            Self::Deduced | Self::Atomic => Some(Scalar::Untyped),
            Self::Undeclared => None,
        }
    }

    fn list(self) -> Option<List<'a>> {
        match self {
            Self::Schema(declared) => declared.list(),
            Self::Deduced | Self::Atomic => Some(List { item: Self::Atomic, atomic: true, keys: &[] }),
            Self::Scalar(_) | Self::Undeclared => None,
        }
    }

    fn map(self) -> Option<Map<'a>> {
        match self {
            Self::Schema(declared) => declared.map(),
            Self::Deduced => Some(Map { fields: Fields::Deduced, atomic: false }),
            Self::Atomic => Some(Map { fields: Fields::Atomic, atomic: true }),
            Self::Scalar(_) | Self::Undeclared => None,
        }
    }

    /// The side of the type that fits `value`; when none does, the first that the type has: validation then says what
    /// it expected.
    pub fn shape(self, value: Option<&Value>) -> Shape<'a> {
        let fitting = match value {
            Some(Value::Object(_)) => self.map().map(Shape::Map),
            Some(Value::Array(_)) => self.list().map(Shape::List),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => self.scalar().map(Shape::Scalar),
            Some(Value::Null) | None => None,
        };
        fitting.unwrap_or_else(|| self.first_shape())
    }

    /// The side of the type that stands first: map, scalar, list.
    pub fn first_shape(self) -> Shape<'a> {
        let map = self.map().map(Shape::Map);
        map.or_else(|| self.scalar().map(Shape::Scalar))
            .or_else(|| self.list().map(Shape::List))
            .unwrap_or(Shape::Invalid)
    }

    /// The type of the item that `element` names below a value of this type.
    pub fn below(self, element: &PathElement) -> Self {
        match element {
            PathElement::Field(name) => self.map().map_or(Self::Undeclared, |map| map.field(name)),
            PathElement::Key(_) => self.list().map_or(Self::Undeclared, |list| list.item),
            PathElement::Value(_) | PathElement::Index(_) => Self::Undeclared,
        }
    }

    /// Whether the schema names the field.
    pub fn names(self, element: &PathElement) -> bool {
        match element {
            PathElement::Field(name) => self.map().is_some_and(|map| map.named(name).is_some()),
            _ => false,
        }
    }
}

impl<'a> Declared<'a> {
    fn scalar(self) -> Option<Scalar> {
        let schema = self.node.schema();
        match schema.type_.as_str() {
            "integer" | "number" => Some(Scalar::Numeric),
            "boolean" => Some(Scalar::Boolean),
            "string" if matches!(schema.format.as_str(), "" | "byte") => Some(Scalar::String),
            "object" | "array" => None,
            _ => Some(Scalar::Untyped),
        }
    }

    fn list(self) -> Option<List<'a>> {
        let schema = self.node.schema();
        if !matches!(schema.type_.as_str(), "" | "array") {
            return None;
        }
        let item = match (&schema.items, self.node.item()) {
            (Some(stated), Some(node)) => Type::of_child(self, stated, node),
            _ => Type::Atomic,
        };
        let (atomic, keys): (bool, &'a [String]) = match schema.list_type {
            Some(ListType::Map) => (false, &schema.list_map_keys),
            Some(ListType::Set) => (false, &[]),
            Some(ListType::Atomic) | None => (true, &[]),
        };
        Some(List { item, atomic, keys })
    }

    fn map(self) -> Option<Map<'a>> {
        let schema = self.node.schema();
        if !matches!(schema.type_.as_str(), "" | "object") {
            return None;
        }
        let atomic = self.map_type.or(schema.map_type) == Some(MapType::Atomic);
        Some(Map { fields: Fields::Declared(self), atomic })
    }

    /// The type of fields that the schema does not name.
    fn values(self) -> Type<'a> {
        let schema = self.node.schema();
        match (&schema.additional_properties, self.node.values()) {
            (Some(Additional::Schema(stated)), Some(node)) => Type::of_child(self, stated, node),
            (Some(Additional::Allowed(true)), _) => Type::Deduced,
            (Some(_), _) => Type::Undeclared,
            (None, _) if self.preserve_unknown || (schema.properties.is_empty() && !self.resource) => Type::Deduced,
            (None, _) => Type::Undeclared,
        }
    }
}

impl<'a> Map<'a> {
    /// The type of a field that the schema names.
    pub fn named(self, name: &str) -> Option<Type<'a>> {
        let declared = self.declared()?;
        let stated = declared.node.declared(name);
        if declared.resource && stated.is_none_or(|stated| stated.definition().is_none()) {
            match name {
                "apiVersion" | "kind" => return Some(Type::Scalar(Scalar::String)),
                "metadata" => {
                    let meta = Schemas::builtin().definition(OBJECT_META)?;
                    return Some(Type::of_node(meta, None, false, false));
                }
                _ => (),
            }
        }
        Some(Type::of_child(declared, stated?, declared.node.field(name)?))
    }

    fn declared(self) -> Option<Declared<'a>> {
        match self.fields {
            Fields::Declared(declared) => Some(declared),
            Fields::Deduced | Fields::Atomic => None,
        }
    }

    /// The type of fields that the schema does not name.
    pub fn values(self) -> Type<'a> {
        match self.fields {
            Fields::Declared(declared) => declared.values(),
            Fields::Deduced => Type::Deduced,
            Fields::Atomic => Type::Atomic,
        }
    }

    /// The type of any field.
    pub fn field(self, name: &str) -> Type<'a> {
        self.named(name).unwrap_or_else(|| self.values())
    }

    /// Whether nothing is known of the map's fields, so that no change of schema can be told.
    pub fn is_deduced(self) -> bool {
        let unnamed =
            self.declared().is_none_or(|declared| !declared.resource && declared.node.schema().properties.is_empty());
        let inlined = self.declared().and_then(|declared| declared.node.schema().additional_properties.as_ref());
        let untyped = match (self.values(), inlined) {
            (Type::Deduced, _) => true,
            (values @ Type::Schema(_), Some(Additional::Schema(stated))) if stated.definition().is_none() => {
                values.scalar() == Some(Scalar::Untyped)
            }
            _ => false,
        };
        unnamed && untyped
    }
}

impl List<'_> {
    /// How the item is named in field sets.
    ///
    /// # Errors
    ///
    /// Items that cannot be told apart, in the reference's words.
    pub fn element(self, item: &Value) -> Result<PathElement, String> {
        if self.atomic {
            return Err("invalid indexing of non-associative list".into());
        }
        if self.keys.is_empty() { set_element(item) } else { self.keyed_element(item) }
    }

    fn keyed_element(self, item: &Value) -> Result<PathElement, String> {
        let item = match item {
            Value::Object(item) => item,
            Value::Null => return Err("associative list with keys may not have a null element".into()),
            _ => return Err("associative list with keys may not have non-map elements".into()),
        };
        let mut fields = Vec::with_capacity(self.keys.len());
        for name in self.keys {
            match item.get(name) {
                Some(value) => fields.push((name.clone(), value.clone())),
                None => fields.extend(self.key_default(name)?.map(|value| (name.clone(), value))),
            }
        }
        if fields.is_empty() {
            let names: Vec<String> = self.keys.iter().map(|key| go::quote(key)).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default \
                 values for any key fields)",
                names.join(" ")
            ));
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(PathElement::Key(fields.into()))
    }

    fn key_default(self, name: &str) -> Result<Option<Value>, String> {
        let Some(map) = self.item.map() else {
            return Err(format!("couldn't find default value for {name}: associative list may not have non-map types"));
        };
        let stated = map.declared().and_then(|declared| declared.node.declared(name));
        Ok(stated.and_then(|stated| stated.default.clone()).filter(|default| !default.is_null()))
    }
}

fn set_element(item: &Value) -> Result<PathElement, String> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type".into()),
        Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
        Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
        _ => Ok(PathElement::Value(item.clone().into())),
    }
}
