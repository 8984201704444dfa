//! `--custom`: parts of a container that a file adds to what the profile makes.

use serde_json::json;

use crate::cli::error::{Error, Result, path_error};
use crate::kinds::{Schemas, decode};
use crate::manifest;
use crate::object::{GroupVersionKind, Value, meta};
use crate::patch::{PatchSchema, strategic};

const CONTAINER: &str = "io.k8s.api.core.v1.Container";

/// Reads the file; nothing where there is none.
pub fn read(file: &str) -> Result<Option<Value>> {
    if file.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file).map_err(|error| {
        let why = path_error("open", file, &error).text();
        Error::new(format!("must pass a container spec json file for custom profile: {why}"))
    })?;
    let invalid = |why: String| Error::new(format!("{file} does not contain a valid container spec: {why}"));
    let value = match serde_json::from_str::<Value>(&text) {
        Ok(value) => value,
        Err(_) => manifest::yaml_to_value(&text, false).map_err(|error| invalid(error.to_string()))?,
    };
    if value.is_null() {
        return Ok(None);
    }
    let decoded = decode::decode_definition(CONTAINER, value).map_err(|problem| invalid(problem.to_string()))?;
    Ok(Some(decoded.object))
}

/// Fails for fields that are not the file's business.
pub fn check(custom: &Value) -> Result<()> {
    let is_set = |field: &str| match custom.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    if ["name", "command", "image", "lifecycle", "volumeDevices"].into_iter().any(is_set) {
        return Err(Error::new(
            "name, command, image, lifecycle and volume devices are not modifiable via custom profile",
        ));
    }
    Ok(())
}

/// Merges the file's parts into a container of a pod; `list` is `containers` or `ephemeralContainers`.
pub fn apply(pod: &mut Value, list: &str, name: &str, custom: &Value) -> Result<()> {
    let known = meta::list_at(pod, &["spec", list]).iter().any(|item| meta::str_at(item, &["name"]) == name);
    if !known {
        let which = if list == "containers" { "container" } else { "ephemeral container" };
        return Err(Error::new(format!("unable to find the {name} {which} in the pod {}", meta::name(pod))));
    }
    let kind = GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() };
    let Some(schema) = PatchSchema::of_kind(Schemas::builtin(), &kind) else { return Ok(()) };
    let mut part = custom.clone();
    part["name"] = name.into();
    let patch = json!({"spec": {list: [part]}});
    *pod = strategic::apply(std::mem::take(pod), patch, schema)
        .map_err(|error| Error::new(format!("error creating three way patch to add debug container: {error}")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_merged_into_the_container() {
        let mut pod = json!({"spec": {"containers": [
            {"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"},
        ]}});
        let custom = json!({"env": [{"name": "Y", "value": "2"}], "securityContext": {"runAsUser": 0}});
        apply(&mut pod, "containers", "a", &custom).expect("there is such a container");
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["runAsUser"], json!(0));
        assert_eq!(container["env"].as_array().map(Vec::len), Some(2));
        assert_eq!(pod["spec"]["containers"][1], json!({"name": "b"}));
        let told = apply(&mut pod, "ephemeralContainers", "a", &custom).map_err(|error| error.text());
        assert_eq!(told, Err("unable to find the a ephemeral container in the pod ".into()));
    }

    #[test]
    fn some_fields_are_refused() {
        assert!(check(&json!({"env": [], "command": []})).is_ok());
        for field in ["name", "image"] {
            assert!(check(&json!({field: "x"})).is_err(), "{field}");
        }
        assert!(check(&json!({"lifecycle": {}})).is_err());
    }
}
