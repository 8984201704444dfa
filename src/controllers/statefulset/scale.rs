//! Makes the pods that are wanted and removes those that are not, in order unless the set says otherwise.

use serde_json::json;

use super::{Replica, Replicas, claims, identity, pod_resource};
use crate::controllers::pods;
use crate::controllers::runtime::Action;
use crate::object::{Value, meta};

/// What one pod means for those after it.
enum Step {
    /// Nothing stands in the way.
    Done(Vec<Action>),
    /// The rest waits for this pod.
    Wait(Vec<Action>),
}

impl Replicas<'_> {
    /// One turn of making, removing and updating.
    pub(super) fn advance(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let done = self.each(&mut actions, &self.wanted, Self::bring_up)
            && self.each(&mut actions, &self.condemned, Self::take_down);
        if done {
            actions.extend(self.update());
        }
        actions
    }

    /// Takes a step for each replica; whether nothing has to be waited for. In order, the first wait ends it.
    fn each(&self, actions: &mut Vec<Action>, replicas: &[Replica], step: fn(&Self, &Replica) -> Step) -> bool {
        let mut done = true;
        for replica in replicas {
            match step(self, replica) {
                Step::Done(more) => actions.extend(more),
                Step::Wait(more) => {
                    actions.extend(more);
                    done = false;
                    if self.in_order() {
                        break;
                    }
                }
            }
        }
        done
    }

    fn bring_up(&self, replica: &Replica) -> Step {
        let Some(pod) = &replica.pod else {
            let create = self.create(replica.ordinal);
            return if self.in_order() { Step::Wait(create) } else { Step::Done(create) };
        };
        if matches!(pods::phase(pod), "Failed" | "Succeeded") {
            return Step::Wait(self.start_over(pod));
        }
        let mut actions = Vec::new();
        if pods::phase(pod) == "Pending" {
            actions.extend(claims::create_missing(self.world, self.set, replica.ordinal, meta::name(pod)));
        }
        let terminating = meta::deletion_timestamp(pod).is_some();
        if self.in_order() && (terminating || !self.is_running_and_ready(pod)) {
            return Step::Wait(actions);
        }
        if self.in_order() && !self.is_available(pod) {
            let wait = pods::seconds_until_available(pod, self.min_ready(), self.world.now);
            actions.push(Action::RequeueAfter(std::time::Duration::from_secs(wait.max(1))));
            return Step::Wait(actions);
        }
        if !terminating {
            actions.extend(self.put_right(pod));
        }
        Step::Done(actions)
    }

    /// A pod that has ended is made anew.
    fn start_over(&self, pod: &Value) -> Vec<Action> {
        if meta::deletion_timestamp(pod).is_some() {
            return Vec::new();
        }
        let (reason, state) = match pods::phase(pod) {
            "Failed" => ("RecreatingFailedPod", "failed"),
            _ => ("RecreatingTerminatedPod", "terminated"),
        };
        let (namespace, set) = (meta::namespace(self.set), meta::name(self.set));
        let message = format!("StatefulSet {namespace}/{set} is recreating {state} Pod {}", meta::name(pod));
        let type_ = if state == "failed" { "Warning" } else { "Normal" };
        let mut actions = vec![self.event(type_, reason, message)];
        actions.extend(self.delete(pod));
        actions
    }

    /// Labels and owners of claims that somebody has changed, or that an earlier version left out.
    fn put_right(&self, pod: &Value) -> Vec<Action> {
        let mut actions = claims::set_owners(self.world, self.set, pod, false);
        if let Some(labels) = identity::missing_labels(self.set, pod) {
            actions.push(Action::merge(
                &pod_resource(),
                pod,
                json!({"metadata": {"uid": meta::uid(pod), "labels": labels}}),
            ));
        }
        actions
    }

    /// The first pod that is not well: wanted ones by number, then the condemned by number.
    fn first_unhealthy(&self) -> Option<&str> {
        let all = self.wanted.iter().chain(self.condemned.iter().rev()).filter_map(|replica| replica.pod.as_ref());
        all.into_iter().find(|pod| !self.is_healthy(pod)).map(|pod| meta::uid(pod))
    }

    fn take_down(&self, replica: &Replica) -> Step {
        let Some(pod) = &replica.pod else { return Step::Done(Vec::new()) };
        let in_order = self.in_order();
        if meta::deletion_timestamp(pod).is_some() {
            return if in_order { Step::Wait(Vec::new()) } else { Step::Done(Vec::new()) };
        }
        if in_order && !self.is_available(pod) && self.first_unhealthy() != Some(meta::uid(pod)) {
            return Step::Wait(Vec::new());
        }
        let mut actions = claims::set_owners(self.world, self.set, pod, true);
        actions.extend(self.delete(pod));
        Step::Wait(actions)
    }
}
