//! Ownership of replicas through the `scale` subresource: owners of an object as owners of its scale, and back
//! (`ScaleHandler`).

use std::sync::Arc;

use super::managed::{Managed, ManagerId, Owned};
use super::set::{FieldPath, FieldSet};

const SCALE_VERSION: &str = "autoscaling/v1";

/// Where the replicas stand in each version of a kind.
pub trait Replicas {
    /// The path in a version; nothing within when that version has no scale, nothing at all when it is not known.
    fn path(&self, api_version: &str) -> Option<Option<FieldPath>>;
}

fn replicas_of_scale() -> FieldPath {
    FieldPath::of_fields(&["spec", "replicas"])
}

/// The owners of the replicas, as owners of the scale.
pub fn to_scale(parent: &Managed, replicas: &dyn Replicas) -> Managed {
    let mut managed = Managed::default();
    for (id, owned) in &parent.owners {
        let Some(Some(path)) = replicas.path(&owned.api_version) else { continue };
        if !owned.set.has(&path) {
            continue;
        }
        let set = Arc::new(FieldSet::of_paths([replicas_of_scale()]));
        managed.owners.insert(id.clone(), Owned { set, api_version: SCALE_VERSION.into(), applied: owned.applied });
        if let Some(time) = parent.times.get(id) {
            managed.times.insert(id.clone(), *time);
        }
    }
    managed
}

/// The owners of an object after its scale got the owners `scale`. `api_version` is the version of the endpoint.
pub fn to_parent(parent: &Managed, scale: &Managed, api_version: &str, replicas: &dyn Replicas) -> Managed {
    let mut managed = Managed::default();
    let mut kept: Vec<&ManagerId> = Vec::new();
    for (id, owned) in &parent.owners {
        let Some(path) = replicas.path(&owned.api_version) else { continue };
        let set = match path.filter(|path| owned.set.has(path)) {
            Some(path) if !scale.owners.contains_key(id) => Arc::new(owned.set.difference(&FieldSet::of_paths([path]))),
            found => {
                kept.extend(found.map(|_| id));
                owned.set.clone()
            }
        };
        if !set.is_empty() {
            managed.owners.insert(id.clone(), Owned { set, ..owned.clone() });
            if let Some(time) = parent.times.get(id) {
                managed.times.insert(id.clone(), *time);
            }
        }
    }
    let Some(Some(path)) = replicas.path(api_version) else { return managed };
    for (id, owned) in scale.owners.iter().filter(|(id, _)| !kept.contains(id)) {
        if !owned.set.has(&replicas_of_scale()) {
            continue;
        }
        let set = Arc::new(FieldSet::of_paths([path.clone()]));
        let owned = Owned { set, api_version: api_version.into(), applied: owned.applied };
        match parent.times.get(id) {
            Some(time) => drop(managed.times.insert(id.clone(), *time)),
            None => drop(managed.times.remove(id)),
        }
        managed.owners.insert(id.clone(), owned);
    }
    managed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Value;

    struct Apps;

    impl Replicas for Apps {
        fn path(&self, api_version: &str) -> Option<Option<FieldPath>> {
            (api_version == "apps/v1").then(|| Some(FieldPath::of_fields(&["spec", "replicas"])))
        }
    }

    fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1",
            "fieldsV1": fields, "time": "2024-01-01T00:00:00Z"})
    }

    fn managed(entries: &[Value]) -> Managed {
        Managed::decode(entries).unwrap_or_default()
    }

    #[test]
    fn replicas_that_the_scale_takes_leave_their_owner() {
        let fields = json!({"f:spec": {"f:replicas": {}, "f:paused": {}}});
        let parent = managed(&[entry("a", "Apply", "apps/v1", fields)]);
        let seen = to_scale(&parent, &Apps).encode();
        assert_eq!(seen[0]["apiVersion"], "autoscaling/v1");
        assert_eq!(seen[0]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
        let scale = managed(&[entry("b", "Update", "autoscaling/v1", json!({"f:spec": {"f:replicas": {}}}))]);
        let after = to_parent(&parent, &scale, "apps/v1", &Apps).encode();
        assert_eq!(after[0]["fieldsV1"], json!({"f:spec": {"f:paused": {}}}));
        assert_eq!((&after[1]["manager"], &after[1]["apiVersion"]), (&json!("b"), &json!("apps/v1")));
        assert_eq!(after[1].get("time"), None, "the time is that of the parent's entry, which had none");
    }

    #[test]
    fn an_applier_that_keeps_the_replicas_keeps_its_entry() {
        let fields = json!({"f:spec": {"f:replicas": {}}});
        let parent = managed(&[entry("a", "Apply", "apps/v1", fields.clone())]);
        let scale = managed(&[entry("a", "Apply", "autoscaling/v1", fields)]);
        assert_eq!(to_parent(&parent, &scale, "apps/v1", &Apps).encode(), parent.encode());
    }
}
