//! Rolling updates: the pods of earlier revisions are deleted from the highest number down.

use super::{Replicas, identity};
use crate::controllers::runtime::Action;
use crate::object::meta::{get, int_at, str_at};
use crate::object::{Value, intstr, meta};

impl Replicas<'_> {
    /// Deletes the next pods that do not have the newest revision, down to the partition.
    pub(super) fn update(&self) -> Vec<Action> {
        if str_at(self.set, &["spec", "updateStrategy", "type"]) == "OnDelete" {
            return Vec::new();
        }
        let rolling = get(self.set, &["spec", "updateStrategy", "rollingUpdate"]);
        let partition = rolling.and_then(|r| int_at(r, &["partition"])).unwrap_or_default();
        let total = i64::try_from(self.wanted.len()).unwrap_or(i64::MAX);
        let most = rolling
            .and_then(|r| get(r, &["maxUnavailable"]))
            .and_then(|value| intstr::scaled(value, total, false).ok())
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(1)
            .max(1);
        let pods = || self.wanted.iter().filter_map(|replica| replica.pod.as_deref());
        let unavailable = pods().filter(|pod| !self.serves(pod)).count();
        let mut budget = most.saturating_sub(unavailable);
        let first = usize::try_from(partition.max(0)).unwrap_or(usize::MAX);
        let mut actions = Vec::new();
        for replica in self.wanted.iter().skip(first).rev() {
            let Some(pod) = &replica.pod else { break };
            let old = identity::revision(pod) != meta::name(self.updated);
            if !old || meta::deletion_timestamp(pod).is_some() {
                // In order, a pod that was updated has to be well before the next one goes.
                if !self.serves(pod) && budget == 0 {
                    break;
                }
                continue;
            }
            if self.serves(pod) {
                if budget == 0 {
                    break;
                }
                budget -= 1;
            }
            actions.extend(self.delete(pod));
        }
        actions
    }

    fn serves(&self, pod: &Value) -> bool {
        self.is_available(pod) && meta::deletion_timestamp(pod).is_none()
    }
}
