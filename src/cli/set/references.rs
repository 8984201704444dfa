//! Where the value of an environment variable comes from, in words and resolved.

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::client::Request;
use crate::object::go::quote;
use crate::object::{Value, meta, names, quantity};

/// What a variable refers to, in words.
pub fn text(from: &Value) -> String {
    let at = |path: &[&str]| meta::str_at(from, path);
    if from.get("configMapKeyRef").is_some() {
        return format!("configmap {}, key {}", at(&["configMapKeyRef", "name"]), at(&["configMapKeyRef", "key"]));
    }
    if from.get("secretKeyRef").is_some() {
        return format!("secret {}, key {}", at(&["secretKeyRef", "name"]), at(&["secretKeyRef", "key"]));
    }
    if from.get("fieldRef").is_some() {
        return format!("field path {}", at(&["fieldRef", "fieldPath"]));
    }
    if from.get("resourceFieldRef").is_some() {
        let container = at(&["resourceFieldRef", "containerName"]);
        let prefix = if container.is_empty() { String::new() } else { format!("{container}/") };
        return format!("resource field {prefix}{}", at(&["resourceFieldRef", "resource"]));
    }
    "invalid valueFrom".to_owned()
}

/// Config maps and secrets that have been read.
#[derive(Default)]
pub struct Store(BTreeMap<String, Value>);

impl Store {
    async fn data(&mut self, cx: &Context, resource: &str, name: &str, key: &str) -> Result<Option<String>> {
        let (namespace, _) = cx.namespace()?;
        let path = format!("/api/v1/namespaces/{namespace}/{resource}/{name}");
        if !self.0.contains_key(&path) {
            let object = cx.json(Request::get(path.clone()).on(resource, name)).await?;
            self.0.insert(path.clone(), object);
        }
        let value = self.0.get(&path).and_then(|object| meta::get(object, &["data", key]));
        Ok(value.and_then(Value::as_str).map(str::to_owned))
    }

    /// The value that a variable of a container has.
    ///
    /// # Errors
    /// What it refers to is not there.
    pub async fn value(&mut self, cx: &Context, from: &Value, object: &Value, container: &Value) -> Result<String> {
        let at = |path: &[&str]| meta::str_at(from, path).to_owned();
        if from.get("secretKeyRef").is_some() {
            let (name, key) = (at(&["secretKeyRef", "name"]), at(&["secretKeyRef", "key"]));
            let data = self.data(cx, "secrets", &name, &key).await?;
            let missing = || Error::new(format!("key {key} not found in secret {name}"));
            let bytes = base64::engine::general_purpose::STANDARD.decode(data.ok_or_else(missing)?);
            return Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned());
        }
        if from.get("configMapKeyRef").is_some() {
            let (name, key) = (at(&["configMapKeyRef", "name"]), at(&["configMapKeyRef", "key"]));
            let data = self.data(cx, "configmaps", &name, &key).await?;
            return data.ok_or_else(|| Error::new(format!("key {key} not found in config map {name}")));
        }
        if from.get("fieldRef").is_some() {
            return field(object, &at(&["fieldRef", "fieldPath"]));
        }
        match from.get("resourceFieldRef") {
            Some(reference) => amount(reference, container),
            None => Err(Error::new("invalid valueFrom")),
        }
    }
}

fn field(object: &Value, path: &str) -> Result<String> {
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let (name, known) = match map {
            "metadata.annotations" => ("annotations", key.to_lowercase()),
            "metadata.labels" => ("labels", key.to_owned()),
            _ => return Err(Error::new(format!("fieldPath {} does not support subscript", quote(path)))),
        };
        let wrong = names::is_qualified_name(&known);
        if !wrong.is_empty() {
            return Err(Error::new(format!("invalid key subscript in {path}: {}", wrong.join(";"))));
        }
        return Ok(meta::str_at(object, &["metadata", name, key]).to_owned());
    }
    let lines = |pairs: Vec<(&str, &str)>| {
        pairs.iter().map(|(key, value)| format!("{key}={}", quote(value))).collect::<Vec<_>>().join("\n")
    };
    match path {
        "metadata.annotations" => Ok(lines(meta::annotations(object).collect())),
        "metadata.labels" => Ok(lines(meta::labels(object).collect())),
        "metadata.name" => Ok(meta::name(object).to_owned()),
        "metadata.namespace" => Ok(meta::namespace(object).to_owned()),
        "metadata.uid" => Ok(meta::uid(object).to_owned()),
        _ => Err(Error::new(format!("unsupported fieldPath: {path}"))),
    }
}

/// A limit or request of the container in units of the divisor, rounded up.
fn amount(reference: &Value, container: &Value) -> Result<String> {
    let resource = meta::str_at(reference, &["resource"]);
    let unsupported = || Error::new(format!("Unsupported container resource : {resource}"));
    let (list, name) = resource.split_once('.').ok_or_else(unsupported)?;
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !known || !matches!(list, "limits" | "requests") {
        return Err(unsupported());
    }
    let milli = |value: Option<&Value>| {
        let quantity = value.and_then(|value| quantity::from_value(value).ok());
        quantity.map_or(0, |quantity| if name == "cpu" { quantity.milli_value() } else { quantity.value() })
    };
    let one = if name == "cpu" { 1000 } else { 1 };
    let divisor = match milli(reference.get("divisor")) {
        0 => one,
        divisor => divisor,
    };
    let amount = milli(meta::get(container, &["resources", list, name]));
    Ok((amount.div_euclid(divisor) + i64::from(amount.rem_euclid(divisor) != 0)).to_string())
}
