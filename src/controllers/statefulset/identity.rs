//! What makes a pod the n-th of its set: name, host name, labels, volumes.

use serde_json::json;

use super::claims;
use crate::controllers::history::HASH_LABEL;
use crate::controllers::pods;
use crate::object::meta::{int_at, list_at, str_at};
use crate::object::{Value, meta};

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The first number of a set.
pub(super) fn start(set: &Value) -> i64 {
    int_at(set, &["spec", "ordinals", "start"]).unwrap_or_default()
}

/// The number of a pod, when its name is one of the set's.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    ordinal_of_name(set, meta::name(pod))
}

/// The number in a pod's name, when the name is one of the set's.
pub(super) fn ordinal_of_name(set: &Value, name: &str) -> Option<i64> {
    let number = name.strip_prefix(meta::name(set))?.strip_prefix('-')?;
    number.parse::<u32>().ok().map(i64::from)
}

/// The revision of a pod's template.
pub(super) fn revision(pod: &Value) -> &str {
    meta::label(pod, HASH_LABEL).unwrap_or_default()
}

/// The pod of a number.
pub(super) fn pod(set: &Value, template: &Value, ordinal: i64, revision: &str) -> Value {
    let name = format!("{}-{ordinal}", meta::name(set));
    let mut pod = pods::with_name(template, set, &name);
    pod["metadata"]["generateName"] = json!(format!("{}-", meta::name(set)));
    meta::set(&mut pod, &["metadata", "labels", HASH_LABEL], revision);
    meta::set(&mut pod, &["spec", "hostname"], name.clone());
    meta::set(&mut pod, &["spec", "subdomain"], str_at(set, &["spec", "serviceName"]));
    settle(set, &mut pod, ordinal);
    pod
}

/// Gives a pod the labels and volumes of its number.
fn settle(set: &Value, pod: &mut Value, ordinal: i64) {
    let name = format!("{}-{ordinal}", meta::name(set));
    meta::set(pod, &["metadata", "labels", POD_NAME], name);
    meta::set(pod, &["metadata", "labels", POD_INDEX], ordinal.to_string());
    let templates = list_at(set, &["spec", "volumeClaimTemplates"]);
    if templates.is_empty() {
        return;
    }
    let of_claim = |template: &Value| json!({"name": meta::name(template), "persistentVolumeClaim": {"claimName": claims::name(set, template, ordinal)}});
    let mut volumes: Vec<Value> = templates.iter().map(of_claim).collect();
    let claimed = |volume: &&Value| templates.iter().any(|t| meta::name(t) == str_at(volume, &["name"]));
    volumes.extend(list_at(pod, &["spec", "volumes"]).iter().filter(|volume| !claimed(volume)).cloned());
    pod["spec"]["volumes"] = Value::Array(volumes);
}

/// The labels that a pod of the set lacks, if any.
pub(super) fn missing_labels(set: &Value, pod: &Value) -> Option<Value> {
    let ordinal = ordinal(set, pod)?;
    let (name, index) = (meta::name(pod), ordinal.to_string());
    let right = meta::label(pod, POD_NAME) == Some(name) && meta::label(pod, POD_INDEX) == Some(&index);
    (!right).then(|| json!({POD_NAME: name, POD_INDEX: index}))
}
