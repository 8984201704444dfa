//! Defaulting by type: every value of a Go type with a `SetDefaults_*` function gets its defaults, wherever it stands.
//!
//! Files of API groups register [`Default`] rows; the walk goes from the outside in, as the generated defaulters do:
//! a type's own function first, then the fields that declare a default, then what is inside.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::kinds::Schemas;
use crate::kinds::go_types::{GoKind, GoStruct, GoType, go_struct, settle};
use crate::object::{Map, Value, meta};

pub mod core;
mod others;
mod pod;
mod workloads;

/// The rows of every file.
const DEFAULTS: &[&[Default]] = &[core::DEFAULTS, pod::DEFAULTS, workloads::DEFAULTS, others::DEFAULTS];

/// The defaults of one Go type.
#[derive(Clone, Copy)]
pub struct Default {
    /// The definition without `io.k8s.api.`: `core.v1.Service`.
    pub of: &'static str,
    /// Fills in one value of the type.
    pub set: fn(&mut Map<String, Value>),
}

type Setters = HashMap<&'static str, fn(&mut Map<String, Value>)>;

fn setters() -> &'static Setters {
    static SETTERS: OnceLock<Setters> = OnceLock::new();
    SETTERS.get_or_init(|| DEFAULTS.iter().copied().flatten().map(|row| (row.of, row.set)).collect())
}

/// Fills in the defaults of an object of a built-in kind (`Scheme.Default`) and brings it into the form that Go prints.
///
/// The object is expected as [`crate::kinds::decode::decode`] leaves it; unknown kinds stay as they are.
pub fn default_object(object: &mut Value) {
    let gvk = meta::gvk(object);
    let Some(definition) = Schemas::builtin().name_of_kind(&gvk) else { return };
    if let (Some(of), Value::Object(map)) = (go_struct(definition), &mut *object) {
        default_struct(map, of);
        settle(object, definition);
    }
}

fn default_struct(map: &mut Map<String, Value>, of: &'static GoStruct) {
    let name = of.definition.strip_prefix("io.k8s.api.").unwrap_or(of.definition);
    if let Some(set) = setters().get(name) {
        set(map);
    }
    for field in of.filled() {
        if let Some(default) = GoType::of_field(of, field).default().filter(|default| !default.is_object())
            && map.get(field.json).is_none_or(|value| value.is_null() || value.as_str() == Some(""))
        {
            map.insert(field.json.to_owned(), default.clone());
        }
    }
    for (name, value) in map.iter_mut() {
        if let Some(field) = of.field(name) {
            default_value(value, GoType::of_field(of, field));
        }
    }
    // A struct that is not a pointer is always there, so what is inside it has its defaults.
    for field in of.filled() {
        let type_ = GoType::of_field(of, field);
        if !type_.is_pointer() && !map.contains_key(field.json) {
            default_absent(map, field.json, type_);
        }
    }
}

fn default_absent(map: &mut Map<String, Value>, name: &str, type_: &GoType) {
    if let GoKind::Struct(inner) = type_.kind() {
        let mut made = Map::new();
        default_struct(&mut made, inner);
        if !made.is_empty() {
            map.insert(name.to_owned(), Value::Object(made));
        }
    }
}

fn default_value(value: &mut Value, type_: &GoType) {
    match (type_.kind(), value) {
        (GoKind::Struct(of), Value::Object(map)) => default_struct(map, of),
        (GoKind::List(item), Value::Array(items)) => items.iter_mut().for_each(|inner| default_value(inner, item)),
        (GoKind::Map(item), Value::Object(map)) if item.shown() == "resource.Quantity" => {
            crate::kinds::rules::quantity::round_up(map)
        }
        (GoKind::Map(item), Value::Object(map)) => map.values_mut().for_each(|inner| default_value(inner, item)),
        _ => {}
    }
}
