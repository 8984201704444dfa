//! Fields that field selectors may name, and where their values stand.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::object::selector::FieldSelector;
use crate::object::{Status, Value, go, meta};

use super::registry::Resource;

/// What a resource supports, from `data/fields.json`.
#[derive(Deserialize)]
struct Supported {
    /// Field labels beyond `metadata.name` and `metadata.namespace`.
    #[serde(default)]
    fields: Vec<String>,
    /// Whether `metadata.namespace` is a field label.
    #[serde(default)]
    namespace: bool,
    /// Whether an unknown one is refused in the words of the kinds that have labels of their own.
    #[serde(default)]
    own: bool,
    /// The words in which an unknown one is refused, `{}` standing for it, where they are neither of the usual ones.
    #[serde(default)]
    message: Option<String>,
}

fn table() -> &'static HashMap<String, Supported> {
    static TABLE: OnceLock<HashMap<String, Supported>> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("data/fields.json"))
            .unwrap_or_else(|e| unreachable!("data/fields.json is part of the program and well formed: {e}"))
    })
}

/// Checks that a resource knows the fields of a selector.
///
/// # Errors
///
/// 400 in the reference server's words.
pub fn check(resource: &Resource, selector: &FieldSelector) -> Result<(), Status> {
    let extra = resource.strategy.selectable_fields(resource);
    let row = table().get(&format!("{}/{}", resource.kind.api_version(), resource.plural()));
    for requirement in selector.requirements() {
        let name = requirement.field.as_str();
        let known = match (name, row) {
            ("metadata.name", _) => true,
            ("metadata.namespace", Some(row)) => row.namespace,
            ("metadata.namespace", None) => true,
            (_, Some(row)) => row.fields.iter().any(|f| f == name),
            (_, None) => extra.iter().any(|f| f == name),
        };
        if !known {
            return Err(match row.and_then(|row| row.message.as_ref()) {
                Some(message) => Status::bad_request(message.replace("{}", &go::quote(name))),
                None => unsupported(name, row.is_some_and(|row| row.own), &extra),
            });
        }
    }
    Ok(())
}

fn unsupported(name: &str, own: bool, extra: &[String]) -> Status {
    if own || !extra.is_empty() {
        return Status::bad_request(format!("field label not supported: {name}"));
    }
    Status::bad_request(format!(
        "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        go::quote(name)
    ))
}

/// The value of a field of an object in the resource's form.
pub fn value(object: &Value, name: &str) -> Option<String> {
    let kind = (meta::api_version(object), meta::kind(object));
    match (kind, name) {
        (("v1", "Event"), "source") => {
            let source = meta::str_at(object, &["source", "component"]);
            let reporting = meta::str_at(object, &["reportingComponent"]);
            return Some(if source.is_empty() { reporting } else { source }.to_owned());
        }
        (("v1", "Pod"), "status.podIPs") => return meta::get(object, &["status", "podIPs"]).map(|_| String::new()),
        (("v1", "Pod"), "status.podIP") => {
            let first = meta::list_at(object, &["status", "podIPs"]).first().map(|ip| meta::str_at(ip, &["ip"]));
            return Some(first.unwrap_or_else(|| meta::str_at(object, &["status", "podIP"])).to_owned());
        }
        _ => {}
    }
    let path: Vec<&str> = name.split('.').collect();
    let shown = match meta::get(object, &path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ if matches!(name, "spec.hostNetwork" | "spec.unschedulable") => "false".to_owned(),
        _ if matches!(name, "status.replicas" | "status.successful") => "0".to_owned(),
        _ => String::new(),
    };
    Some(shown)
}
