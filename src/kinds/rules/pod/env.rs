//! Environment variables and the downward API.

use crate::kinds::rules::check;
use crate::kinds::rules::quantity;
use crate::kinds::rules::value::Fields;
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, names};

/// Fields of a pod that a volume may show.
pub const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that the conversion of labels knows.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "spec.hostNetwork",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_DIVISORS: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// `env` of a container.
pub fn variables(errors: &mut ErrorList, path: &Path, container: &Value) {
    for (i, variable) in container.list("env").iter().enumerate() {
        let path = path.index(i);
        let name = variable.text("name");
        if name.is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        } else {
            check::messages(errors, &path.child("name"), name, names::is_relaxed_env_var_name(name));
        }
        if let Some(from) = variable.some("valueFrom") {
            value_from(errors, &path.child("valueFrom"), variable, from);
        }
    }
}

fn value_from(errors: &mut ErrorList, path: &Path, variable: &Value, from: &Value) {
    let mut sources = 0;
    if let Some(field) = from.some("fieldRef") {
        sources += 1;
        object_field(errors, &path.child("fieldRef"), field, ENV_FIELDS);
    }
    if let Some(resource) = from.some("resourceFieldRef") {
        sources += 1;
        resource_field(errors, &path.child("resourceFieldRef"), resource, false);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(key) = from.some(field) {
            sources += 1;
            key_selector(errors, &path.child(field), key);
        }
    }
    if let Some(file) = from.some("fileKeyRef") {
        sources += 1;
        file_key(errors, &path.child("fileKeyRef"), file);
    }
    let message = if sources == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    } else if !variable.text("value").is_empty() {
        "may not be specified when `value` is not empty"
    } else if sources > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    errors.push(Error::invalid(path, "", message));
}

fn key_selector(errors: &mut ErrorList, path: &Path, selector: &Value) {
    check::dns_subdomain(errors, &path.child("name"), selector.text("name"));
    let key = selector.text("key");
    if key.is_empty() {
        errors.push(Error::required(&path.child("key"), ""));
    } else {
        check::messages(errors, &path.child("key"), key, names::is_config_map_key(key));
    }
}

fn file_key(errors: &mut ErrorList, path: &Path, selector: &Value) {
    let key = selector.text("key");
    if key.is_empty() {
        errors.push(Error::required(&path.child("key"), ""));
    } else {
        check::messages(errors, &path.child("key"), key, names::is_relaxed_env_var_name(key));
    }
    let volume = selector.text("volumeName");
    if volume.is_empty() {
        errors.push(Error::required(&path.child("volumeName"), ""));
    } else {
        check::dns_label(errors, &path.child("volumeName"), volume);
    }
    let file = selector.text("path");
    if file.is_empty() {
        errors.push(Error::required(&path.child("path"), ""));
    } else {
        check::local_free_path(errors, &path.child("path"), file);
    }
}

/// A field of the pod itself.
pub fn object_field(errors: &mut ErrorList, path: &Path, selector: &Value, allowed: &[&str]) {
    let field = selector.text("fieldPath");
    for required in ["apiVersion", "fieldPath"] {
        if selector.text(required).is_empty() {
            errors.push(Error::required(&path.child(required), ""));
            return;
        }
    }
    let subscript = field.strip_suffix("']").and_then(|rest| rest.split_once("['"));
    let name = subscript.map_or(field, |(name, _)| name);
    let known = KNOWN_FIELDS.contains(&name)
        && (subscript.is_none() || matches!(name, "metadata.annotations" | "metadata.labels"))
        || name == "spec.host";
    if selector.text("apiVersion") != "v1" {
        let message = format!("error converting fieldPath: unsupported pod version: {}", selector.text("apiVersion"));
        errors.push(Error::invalid(&path.child("fieldPath"), field, message));
        return;
    }
    match subscript {
        Some((name, _)) if !known => {
            let message = format!("error converting fieldPath: field label does not support subscript: {name}['");
            let message = message.trim_end_matches("['").to_owned();
            errors.push(Error::invalid(&path.child("fieldPath"), field, message));
        }
        None if !known => {
            let message = format!("error converting fieldPath: field label not supported: {field}");
            errors.push(Error::invalid(&path.child("fieldPath"), field, message));
        }
        Some(("metadata.annotations", key)) => check::qualified_name(errors, path, &key.to_lowercase()),
        Some((_, key)) => check::qualified_name(errors, path, key),
        None => check::one_of(
            errors,
            &path.child("fieldPath"),
            if field == "spec.host" { "spec.nodeName" } else { field },
            allowed,
        ),
    }
}

/// A resource of a container.
pub fn resource_field(errors: &mut ErrorList, path: &Path, selector: &Value, volume: bool) {
    let resource = selector.text("resource");
    let huge = ["requests.hugepages-", "limits.hugepages-"].iter().any(|prefix| resource.starts_with(prefix));
    if volume && selector.text("containerName").is_empty() {
        errors.push(Error::required(&path.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(Error::required(&path.child("resource"), ""));
    } else if !huge {
        check::one_of(errors, &path.child("resource"), resource, RESOURCES);
    }
    let divisor = quantity::of(selector.at("divisor"));
    if divisor.is_zero() {
        return;
    }
    let (allowed, what, list): (&[&str], &str, &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu", "1m and 1"),
        "limits.memory" | "requests.memory" => (BYTE_DIVISORS, "memory", ""),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (BYTE_DIVISORS, "local ephemeral storage", ""),
        _ if huge => (BYTE_DIVISORS, "hugepages", ""),
        _ => return,
    };
    if !allowed.contains(&divisor.to_string().as_str()) {
        let list = if list.is_empty() { BYTE_DIVISORS.join(", ") } else { list.to_owned() };
        let message = format!("only divisor's values {list} are supported with the {what} resource");
        errors.push(Error::invalid(&path.child("divisor"), resource, message));
    }
}

/// `envFrom` of a container.
pub fn from_sources(errors: &mut ErrorList, path: &Path, container: &Value) {
    for (i, source) in container.list("envFrom").iter().enumerate() {
        let at = path.index(i);
        let prefix = source.text("prefix");
        if !prefix.is_empty() {
            check::messages(errors, &at.child("prefix"), prefix, names::is_relaxed_env_var_name(prefix));
        }
        let mut count = 0;
        for field in ["configMapRef", "secretRef"] {
            let Some(reference) = source.some(field) else { continue };
            count += 1;
            let name = reference.text("name");
            let name_path = at.child(field).child("name");
            if name.is_empty() {
                errors.push(Error::required(&name_path, ""));
            } else {
                check::messages(errors, &name_path, name, check::name_is_subdomain(name, true));
            }
        }
        match count {
            0 => errors.push(Error::invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")),
            1 => {}
            _ => errors.push(Error::invalid(path, "", "may not have more than one field specified at a time")),
        }
    }
}
