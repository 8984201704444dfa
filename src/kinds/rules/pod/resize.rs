//! The subresources `resize` and `ephemeralcontainers` of pods: each writes one part of the spec.

use serde_json::json;

use super::{Options, annotations_and_spec, qos_class, update};
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{Context, internal, object_meta};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta};

/// The old pod with the identity of the new one: what else the request says of it does not count.
fn reset(new: &mut Value, old: &Value) -> Value {
    let sent = std::mem::replace(new, old.clone());
    for field in ["name", "namespace", "uid", "resourceVersion", "managedFields"] {
        match meta::get(&sent, &["metadata", field]) {
            Some(value) => meta::set(new, &["metadata", field], value.clone()),
            None => drop(meta::remove(new, &["metadata", field])),
        }
    }
    sent
}

fn find<'a>(containers: &'a [Value], name: &str) -> Option<&'a Value> {
    containers.iter().find(|container| container.text("name") == name)
}

/// Only resources and the policies of resizing come from the request.
pub fn prepare_resize(new: &mut Value, old: &Value, _: &Context) {
    let sent = reset(new, old);
    for list in ["containers", "initContainers"] {
        let asked = sent.at("spec").list(list);
        let Some(Value::Array(containers)) = new.get_mut("spec").and_then(|spec| spec.get_mut(list)) else { continue };
        for container in containers {
            let Some(asked) = find(asked, container.text("name")) else { continue };
            for field in ["resources", "resizePolicy"] {
                match asked.get(field) {
                    Some(value) => meta::set(container, &[field], value.clone()),
                    None => drop(meta::remove(container, &[field])),
                }
            }
        }
    }
}

/// Only ephemeral containers come from the request.
pub fn prepare_ephemeral(new: &mut Value, old: &Value, _: &Context) {
    let sent = reset(new, old);
    match meta::get(&sent, &["spec", "ephemeralContainers"]) {
        Some(containers) => meta::set(new, &["spec", "ephemeralContainers"], containers.clone()),
        None => drop(meta::remove(new, &["spec", "ephemeralContainers"])),
    }
}

fn common(errors: &mut ErrorList, new: &Value, old: &Value) {
    let options = Options::of(true, Some(old.at("spec")), Some(old.at("metadata")));
    object_meta::update(errors, new, old);
    annotations_and_spec(errors, new, &options);
}

/// `ValidatePodResize`.
pub fn resize(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    common(&mut errors, new, old);
    if old.at("metadata").at("annotations").has(update::MIRROR) {
        errors.push(Error::forbidden(&Path::unnamed(), "static pods cannot be resized"));
        return errors;
    }
    let path = Path::new("spec");
    if old.at("spec").at("os").text("name") == "windows" {
        errors.push(Error::forbidden(&path, "windows pods cannot be resized"));
    }
    if qos_class(new.at("spec")) != old.at("status").text("qosClass") {
        let class = new.at("status").text("qosClass");
        errors.push(Error::invalid(&path, class, "Pod QOS Class may not change as a result of resizing"));
    }
    let mut munged = new.at("spec").clone();
    for list in ["containers", "initContainers"] {
        for (i, before) in old.at("spec").list(list).iter().enumerate() {
            let Some(now) = new.at("spec").list(list).get(i) else { continue };
            removed(&mut errors, &path.child(list).index(i).child("resources"), now, before);
        }
        if let Some(Value::Array(containers)) = munged.get_mut(list) {
            containers.iter_mut().zip(old.at("spec").list(list)).for_each(|(now, before)| restore(now, before));
        }
    }
    if munged != *old.at("spec") {
        errors.push(Error::forbidden(&path, "only cpu and memory resources are mutable"));
    }
    errors
}

const RESIZABLE: [&str; 2] = ["cpu", "memory"];

/// Requests and limits that are there stay, with whatever value.
fn removed(errors: &mut ErrorList, path: &Path, now: &Value, before: &Value) {
    for (field, message) in
        [("limits", "resource limits cannot be removed"), ("requests", "resource requests cannot be removed")]
    {
        let has = |container: &Value, name| container.at("resources").at(field).has(name);
        if RESIZABLE.iter().any(|name| has(before, name) && !has(now, name)) {
            errors.push(Error::forbidden(&path.child(field), message));
        }
    }
}

/// Puts back what a resize may change.
fn restore(now: &mut Value, before: &Value) {
    for field in ["limits", "requests"] {
        for name in RESIZABLE {
            match meta::get(before, &["resources", field, name]) {
                Some(value) => meta::set(now, &["resources", field, name], value.clone()),
                None => drop(meta::remove(now, &["resources", field, name])),
            }
        }
        if now.at("resources").at(field) == &json!({}) && !before.at("resources").has(field) {
            meta::remove(now, &["resources", field]);
        }
    }
    match before.get("resizePolicy") {
        Some(policy) => meta::set(now, &["resizePolicy"], policy.clone()),
        None => drop(meta::remove(now, &["resizePolicy"])),
    }
}

/// `ValidatePodEphemeralContainersUpdate`.
pub fn ephemeral(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    common(&mut errors, new, old);
    if old.at("metadata").at("annotations").has(update::MIRROR) {
        errors.push(Error::forbidden(&Path::unnamed(), "static pods do not support ephemeral containers"));
        return errors;
    }
    let path = Path::new("spec").child("ephemeralContainers");
    for before in old.at("spec").list("ephemeralContainers") {
        let name = crate::object::go::quote(before.text("name"));
        match find(new.at("spec").list("ephemeralContainers"), before.text("name")) {
            None => {
                let message = format!("existing ephemeral containers {name} may not be removed\n");
                errors.push(Error::forbidden(&path, message));
            }
            Some(now) if now != before => {
                let diff = internal::diff("core.v1.EphemeralContainer", before, now);
                let message = format!("existing ephemeral containers {name} may not be changed\n{diff}");
                errors.push(Error::forbidden(&path, message));
            }
            Some(_) => {}
        }
    }
    errors
}
