//! The status of a stateful set.

use serde_json::json;

use super::{Replicas, identity, stateful_sets};
use crate::controllers::pods;
use crate::controllers::runtime::Action;
use crate::object::meta::{get, int_at, str_at};
use crate::object::{Value, meta};

impl Replicas<'_> {
    /// Writes the status when it differs.
    pub(super) fn report(&self) -> Option<Action> {
        let status = self.status();
        (self.set.get("status") != Some(&status)).then(|| {
            let mut reported = self.set.clone();
            reported["status"] = status;
            Action::update_status(&stateful_sets(), reported)
        })
    }

    fn status(&self) -> Value {
        let created = || self.pods.iter().filter(|pod| !pods::phase(pod).is_empty());
        let living = || created().filter(|pod| meta::deletion_timestamp(pod).is_none());
        let of = |revision: &Value| living().filter(|pod| identity::revision(pod) == meta::name(revision)).count();
        let replicas = created().count();
        let ready = created().filter(|pod| self.is_running_and_ready(pod)).count();
        let available = created().filter(|pod| self.is_available(pod)).count();
        let (mut current, updated) = (of(self.current), of(self.updated));
        let mut revision = meta::name(self.current);
        let wanted = int_at(self.set, &["spec", "replicas"]).unwrap_or(1);
        let all = |count: usize| i64::try_from(count).is_ok_and(|count| count == wanted);
        let rolling = str_at(self.set, &["spec", "updateStrategy", "type"]) == "RollingUpdate";
        if rolling && all(updated) && all(ready) && all(replicas) {
            (current, revision) = (updated, meta::name(self.updated));
        }
        let mut status = json!({
            "replicas": replicas,
            "availableReplicas": available,
            "currentRevision": revision,
            "updateRevision": meta::name(self.updated),
            "collisionCount": int_at(self.set, &["status", "collisionCount"]).unwrap_or_default(),
            "observedGeneration": meta::generation(self.set),
        });
        let optional = [("readyReplicas", ready), ("currentReplicas", current), ("updatedReplicas", updated)];
        for (field, count) in optional.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        if let Some(conditions) = get(self.set, &["status", "conditions"]) {
            status["conditions"] = conditions.clone();
        }
        status
    }
}
