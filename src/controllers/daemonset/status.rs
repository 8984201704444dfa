//! The status of a daemon set: numbers of nodes.

use std::time::Duration;

use serde_json::json;

use super::{Daemons, daemon_sets, place};
use crate::controllers::pods;
use crate::controllers::runtime::Action;
use crate::object::meta::{get, int_at};
use crate::object::{Value, meta};

#[derive(Default)]
struct Counts {
    desired: usize,
    scheduled: usize,
    misplaced: usize,
    ready: usize,
    available: usize,
    updated: usize,
}

impl Daemons<'_> {
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for node in &self.nodes {
            let oldest = self.on(meta::name(node)).first();
            if !place(self.set, node).runs {
                counts.misplaced += usize::from(oldest.is_some());
                continue;
            }
            counts.desired += 1;
            let Some(pod) = oldest else { continue };
            counts.scheduled += 1;
            counts.ready += usize::from(pods::is_ready(pod));
            counts.available += usize::from(self.is_available(pod));
            counts.updated += usize::from(self.is_updated(pod));
        }
        counts
    }

    /// Writes the status when it differs, and comes back when a ready pod will count as available.
    pub(super) fn report(&self) -> Vec<Action> {
        let counts = self.counts();
        let mut status = json!({
            "currentNumberScheduled": counts.scheduled,
            "desiredNumberScheduled": counts.desired,
            "numberMisscheduled": counts.misplaced,
            "numberReady": counts.ready,
            "observedGeneration": meta::generation(self.set),
        });
        let optional = [
            ("updatedNumberScheduled", counts.updated),
            ("numberAvailable", counts.available),
            ("numberUnavailable", counts.desired - counts.available),
        ];
        for (field, count) in optional.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        for field in ["collisionCount", "conditions"] {
            if let Some(kept) = get(self.set, &["status", field]) {
                status[field] = kept.clone();
            }
        }
        let mut actions = Vec::new();
        if self.set.get("status") != Some(&status) {
            let mut reported = self.set.clone();
            reported["status"] = status;
            actions.push(Action::update_status(&daemon_sets(), reported));
        }
        actions.extend(self.soonest_available().map(Action::RequeueAfter));
        actions
    }

    fn soonest_available(&self) -> Option<Duration> {
        let min_ready = int_at(self.set, &["spec", "minReadySeconds"]).unwrap_or_default();
        let ready = self.by_node.values().flatten().filter(|pod| pods::is_ready(pod));
        let waits = |pod: &Value| pods::seconds_until_available(pod, min_ready, self.world.now);
        ready.map(|pod| waits(pod)).filter(|seconds| *seconds > 0).min().map(Duration::from_secs)
    }
}
