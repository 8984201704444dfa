//! Objects as Go prints their internal types: every field, with its Go name, zero values included.
//!
//! Messages show whole values of internal types, and refused changes as the difference of two such texts. Internal
//! types are declared as their versioned counterparts but for the differences that stand here.

use serde_json::json;

use super::value::Fields;
use crate::kinds::go_types::{GoField, GoKind, GoStruct, GoType, go_struct};
use crate::object::{Value, diff};

/// An object of a Go type as ordered fields.
enum Shown {
    Plain(Value),
    List(Vec<Shown>),
    Fields(Vec<(String, Shown)>),
}

/// Fields of `spec.securityContext` that the internal type has in front, taken from the pod spec.
const HOST_FIELDS: &[(&str, &str)] = &[
    ("HostNetwork", "hostNetwork"),
    ("HostPID", "hostPID"),
    ("HostIPC", "hostIPC"),
    ("ShareProcessNamespace", "shareProcessNamespace"),
    ("HostUsers", "hostUsers"),
];
/// Fields of the versioned pod spec that the internal one has elsewhere or not at all.
const MOVED: &[&str] = &["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers", "serviceAccount"];

/// Fields whose place in the internal declaration is another: type, field, the field that it follows there.
const REORDERED: &[(&str, &str, &str)] = &[
    ("io.k8s.api.core.v1.PodSpec", "setHostnameAsFQDN", "subdomain"),
    ("io.k8s.api.core.v1.PodSpec", "preemptionPolicy", "priority"),
    ("io.k8s.api.core.v1.PodSpec", "overhead", "runtimeClassName"),
    ("io.k8s.api.core.v1.PodSecurityContext", "fsGroupChangePolicy", "fsGroup"),
];

/// The fields of a type in the order of its internal declaration.
fn internal_fields(of: &'static GoStruct) -> Vec<&'static GoField> {
    let mut fields: Vec<&GoField> = of.fields.iter().collect();
    for (_, moved, after) in REORDERED.iter().filter(|(name, ..)| *name == of.definition) {
        let Some(from) = fields.iter().position(|field| field.json == *moved) else { continue };
        let field = fields.remove(from);
        let to = fields.iter().position(|field| field.json == *after).map_or(from, |at| at + 1);
        fields.insert(to, field);
    }
    fields
}

fn definition(name: &str) -> Option<&'static GoStruct> {
    go_struct(&format!("io.k8s.api.{name}"))
}

/// The JSON names of the fields of a type.
pub fn fields_of(name: &str) -> impl Iterator<Item = &'static str> {
    definition(name).into_iter().flat_map(|of| of.fields.iter().map(|field| field.json))
}

/// The JSON names of the fields of object metadata.
pub fn object_meta_fields() -> impl Iterator<Item = &'static str> {
    let of = go_struct("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    of.into_iter().flat_map(|of| of.fields.iter().map(|field| field.json))
}

/// A value of a type as one line: `{"Type":"Foo","LocalhostProfile":null}`. The type is named as `core.v1.Taint`.
pub fn show(name: &str, value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, &of_definition(name, value), None, 0);
    out
}

/// A list of values of a type as one line.
pub fn show_list(name: &str, values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(|value| show(name, value)).collect();
    format!("[{}]", shown.join(","))
}

/// What differs between two values of a type, as a unified diff of their texts.
pub fn diff(name: &str, old: &Value, new: &Value) -> String {
    let text = |value: &Value| {
        let mut out = String::new();
        write(&mut out, &of_definition(name, value), Some(" "), 0);
        out.push('\n');
        out
    };
    let (old, new) = (text(old), text(new));
    diff::unsettled_hunks(&old, &new)
}

/// Fields of one type under chosen names, for values that are a part of a declared type.
pub fn diff_fields(name: &str, fields: &[&str], old: &Value, new: &Value) -> String {
    let text = |value: &Value| {
        let shown = match of_definition(name, value) {
            Shown::Fields(all) => {
                let wanted: Vec<String> = definition(name)
                    .into_iter()
                    .flat_map(|of| of.fields.iter().filter(|field| fields.contains(&field.json)))
                    .map(|field| field.go_name())
                    .collect();
                Shown::Fields(all.into_iter().filter(|(key, _)| wanted.contains(key)).collect())
            }
            other => other,
        };
        let mut out = String::new();
        write(&mut out, &shown, Some(" "), 0);
        out.push('\n');
        out
    };
    let (old, new) = (text(old), text(new));
    diff::unsettled_hunks(&old, &new)
}

fn of_definition(name: &str, value: &Value) -> Shown {
    match definition(name) {
        Some(of) => of_struct(of, value),
        None => Shown::Plain(value.clone()),
    }
}

fn of_struct(of: &'static GoStruct, value: &Value) -> Shown {
    let mut fields = Vec::new();
    for field in internal_fields(of) {
        let pod_spec = of.definition.ends_with(".core.v1.PodSpec");
        if pod_spec && MOVED.contains(&field.json) {
            continue;
        }
        let type_ = GoType::of_field(of, field);
        let shown = if pod_spec && field.json == "securityContext" {
            security_context(value, type_)
        } else {
            of_type(type_, value.at(field.json))
        };
        match (field.json, shown) {
            // Go's JSON writes what is embedded without a name as if it were the struct's own.
            ("metadata", Shown::Plain(Value::Object(inner))) => {
                fields.extend(inner.into_iter().map(|(key, value)| (key, Shown::Plain(value))));
            }
            ("metadata", Shown::Plain(Value::Null)) => {}
            (_, shown) => fields.push((field.go_name(), shown)),
        }
    }
    Shown::Fields(fields)
}

/// The internal security context of a pod also holds what it shares with the host.
fn security_context(spec: &Value, type_: &GoType) -> Shown {
    match of_type(type_, spec.at("securityContext")) {
        Shown::Fields(own) => {
            let host = HOST_FIELDS.iter().map(|(go, json)| {
                let absent = if go.starts_with("Host") && *go != "HostUsers" { json!(false) } else { Value::Null };
                ((*go).to_owned(), Shown::Plain(spec.some(json).cloned().unwrap_or(absent)))
            });
            Shown::Fields(host.chain(own).collect())
        }
        other => other,
    }
}

fn of_type(type_: &GoType, value: &Value) -> Shown {
    if value.is_null() && (type_.is_pointer() || !matches!(type_.kind(), GoKind::Struct(_))) {
        return Shown::Plain(if type_.is_pointer() { Value::Null } else { type_.zero() });
    }
    match (type_.kind(), value) {
        // Types of the meta group have JSON names of their own.
        (GoKind::Struct(of), _) if of.definition.contains(".apimachinery.") => Shown::Plain(value.clone()),
        (GoKind::Struct(of), _) => of_struct(of, value),
        (GoKind::List(item), Value::Array(items)) => {
            Shown::List(items.iter().map(|inner| of_type(item, inner)).collect())
        }
        (GoKind::Map(item), Value::Object(map)) if matches!(item.kind(), GoKind::Struct(_)) => {
            Shown::Fields(map.iter().map(|(key, inner)| (key.clone(), of_type(item, inner))).collect())
        }
        _ => Shown::Plain(value.clone()),
    }
}

fn newline(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        out.push_str(&indent.repeat(depth));
    }
}

fn write(out: &mut String, shown: &Shown, indent: Option<&str>, depth: usize) {
    match shown {
        Shown::Plain(value) => match indent {
            None => out.push_str(&crate::object::json::to_compact(value)),
            Some(indent) => {
                let text = crate::object::json::to_indented(value, indent);
                out.push_str(&text.replace('\n', &format!("\n{}", indent.repeat(depth))));
            }
        },
        Shown::List(items) if items.is_empty() => out.push_str("[]"),
        Shown::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                newline(out, indent, depth + 1);
                write(out, item, indent, depth + 1);
            }
            newline(out, indent, depth);
            out.push(']');
        }
        Shown::Fields(fields) if fields.is_empty() => out.push_str("{}"),
        Shown::Fields(fields) => {
            out.push('{');
            for (i, (key, item)) in fields.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                newline(out, indent, depth + 1);
                crate::object::json::write_string(out, key);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, item, indent, depth + 1);
            }
            newline(out, indent, depth);
            out.push('}');
        }
    }
}
