//! Which other objects a pod refers to.

use crate::object::Value;

/// Whether a value has, at any depth, one of `fields` that is not null.
fn has_any(value: &Value, fields: &[&str]) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(name, value)| (fields.contains(&name.as_str()) && !value.is_null()) || has_any(value, fields)),
        Value::Array(items) => items.iter().any(|item| has_any(item, fields)),
        _ => false,
    }
}

fn spec(pod: &Value) -> &Value {
    pod.get("spec").unwrap_or(&Value::Null)
}

/// Whether a pod refers to a secret.
pub fn secrets(pod: &Value) -> bool {
    const FIELDS: &[&str] = &["secret", "secretRef", "secretKeyRef", "secretName", "nodePublishSecretRef"];
    let pull = crate::object::meta::list_at(spec(pod), &["imagePullSecrets"]);
    !pull.is_empty() || has_any(spec(pod), FIELDS)
}

/// Whether a pod refers to a config map.
pub fn config_maps(pod: &Value) -> bool {
    has_any(spec(pod), &["configMap", "configMapRef", "configMapKeyRef"])
}

/// Whether a pod refers to a bundle of trusted certificates.
pub fn trust_bundles(pod: &Value) -> bool {
    has_any(spec(pod), &["clusterTrustBundle"])
}

/// Whether a pod refers to a claim of a volume.
pub fn claims(pod: &Value) -> bool {
    has_any(spec(pod), &["persistentVolumeClaim"])
}
