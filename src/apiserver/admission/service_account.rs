//! `ServiceAccount`: pods run under an account and get its token and its pull secrets.

use serde_json::json;

use super::{Attributes, Operation};
use crate::apiserver::core::Core;
use crate::object::{Status, Value, meta};

/// Where containers find the token.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The beginning of the name of the volume with the token.
const VOLUME: &str = "kube-api-access-";
/// Marks pods that a node made from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Fills in account, token volume and pull secrets of a new pod.
pub fn admit(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(mut pod) = attributes.object.take() else { return Ok(()) };
    let outcome = if meta::annotation(&pod, MIRROR).is_some() {
        check_mirror(&pod)
    } else {
        prepare(core, &attributes.namespace, &mut pod)
    };
    attributes.object = Some(pod);
    outcome.map_err(|why| attributes.forbidden(&why))
}

/// Pods that mirror a file of a node refer to nothing that only the server knows.
fn check_mirror(pod: &Value) -> Result<(), String> {
    if !meta::str_at(pod, &["spec", "serviceAccountName"]).is_empty() {
        return Err("a mirror pod may not reference service accounts".into());
    }
    if super::references::secrets(pod) {
        return Err("a mirror pod may not reference secrets".into());
    }
    let volumes = meta::list_at(pod, &["spec", "volumes"]).iter();
    let mut sources = volumes.flat_map(|volume| meta::list_at(volume, &["projected", "sources"]));
    if sources.any(|source| source.get("serviceAccountToken").is_some()) {
        return Err("a mirror pod may not use ServiceAccountToken volume projections".into());
    }
    Ok(())
}

fn prepare(core: &Core, namespace: &str, pod: &mut Value) -> Result<(), String> {
    let spec = |field| meta::str_at(pod, &["spec", field]).to_owned();
    let name = [spec("serviceAccountName"), spec("serviceAccount"), "default".into()];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    meta::set(pod, &["spec", "serviceAccountName"], &*name);
    meta::set(pod, &["spec", "serviceAccount"], &*name);
    let Some(entry) = core.store.get(&format!("/registry/serviceaccounts/{namespace}/{name}")) else {
        return Err(format!(
            "error looking up service account {namespace}/{name}: serviceaccount {} not found",
            crate::object::go::quote(&name)
        ));
    };
    let account = entry.kept();
    let wish = |value: Option<&Value>| value.and_then(Value::as_bool);
    let mounts = wish(meta::get(pod, &["spec", "automountServiceAccountToken"]))
        .or_else(|| wish(account.get("automountServiceAccountToken")))
        .unwrap_or(true);
    if mounts {
        mount(core, pod);
    }
    let secrets = meta::list_at(account, &["imagePullSecrets"]);
    if meta::list_at(pod, &["spec", "imagePullSecrets"]).is_empty() && !secrets.is_empty() {
        meta::set(pod, &["spec", "imagePullSecrets"], secrets.to_vec());
    }
    Ok(())
}

fn mount(core: &Core, pod: &mut Value) {
    let names = meta::list_at(pod, &["spec", "volumes"]).iter().map(|volume| meta::str_at(volume, &["name"]));
    let present = names.into_iter().find(|name| name.starts_with(VOLUME)).map(str::to_owned);
    let name = present.clone().unwrap_or_else(|| format!("{VOLUME}{}", core.name_suffix()));
    let mut needed = false;
    for field in ["initContainers", "containers"] {
        let spec = meta::map_mut(pod, &["spec"]);
        for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = meta::list_at(container, &["volumeMounts"]);
            if mounts.iter().any(|mount| meta::str_at(mount, &["mountPath"]) == MOUNT_PATH) {
                continue;
            }
            let mut mounts = mounts.to_vec();
            mounts.push(json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH}));
            meta::set(container, &["volumeMounts"], mounts);
            needed = true;
        }
    }
    if needed && present.is_none() {
        let mut volumes = meta::list_at(pod, &["spec", "volumes"]).to_vec();
        volumes.push(volume(&name));
        meta::set(pod, &["spec", "volumes"], volumes);
    }
}

/// The volume with token, root certificate and namespace.
fn volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        ]}},
    ]}})
}
