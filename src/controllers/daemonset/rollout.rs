//! Replaces the pods of earlier templates, a few at a time.

use std::sync::Arc;

use super::{Daemons, place};
use crate::controllers::runtime::Action;
use crate::object::intstr;
use crate::object::meta::get;
use crate::object::{Value, meta};

/// The pods of one node that are not on their way out.
enum OnNode<'a> {
    /// None, or more than one of a kind: the node is put in order first.
    Unsettled,
    Old(&'a Arc<Value>),
    New(&'a Arc<Value>),
    Both(&'a Arc<Value>, &'a Arc<Value>),
}

impl Daemons<'_> {
    /// How many nodes may have a second pod, and on how many the pod may be missing.
    pub(super) fn limits(&self) -> (usize, usize) {
        let wanted = self.nodes.iter().filter(|node| place(self.set, node).runs).count();
        let total = i64::try_from(wanted).unwrap_or(i64::MAX);
        let limit = |field: &str| {
            let value = get(self.set, &["spec", "updateStrategy", "rollingUpdate", field]);
            let scaled = value.and_then(|value| intstr::scaled(value, total, true).ok());
            scaled.and_then(|scaled| usize::try_from(scaled).ok()).unwrap_or_default()
        };
        match (limit("maxSurge"), limit("maxUnavailable")) {
            (0, 0) => (0, 1),
            limits => limits,
        }
    }

    fn settled<'a>(&self, pods: &'a [Arc<Value>]) -> OnNode<'a> {
        let living = pods.iter().filter(|pod| meta::deletion_timestamp(pod).is_none());
        let (new, old): (Vec<_>, Vec<_>) = living.partition(|pod| self.is_updated(pod));
        match (old.as_slice(), new.as_slice()) {
            ([old], []) => OnNode::Old(old),
            ([], [new]) => OnNode::New(new),
            ([old], [new]) => OnNode::Both(old, new),
            _ => OnNode::Unsettled,
        }
    }

    /// One step of the rolling update.
    pub(super) fn roll(&self) -> Vec<Action> {
        match self.limits() {
            (0, unavailable) => self.replace(unavailable),
            (surge, _) => self.surge(surge),
        }
    }

    /// Deletes old pods as long as no more than `most` nodes are without an available pod.
    fn replace(&self, most: usize) -> Vec<Action> {
        let mut unavailable = 0;
        let mut doomed = Vec::new();
        let mut candidates = Vec::new();
        for pods in self.by_node.values() {
            match self.settled(pods) {
                OnNode::New(new) => unavailable += usize::from(!self.is_available(new)),
                OnNode::Old(old) if self.is_available(old) => candidates.push(old.clone()),
                OnNode::Old(old) => {
                    // One that serves nobody costs nothing to replace.
                    unavailable += 1;
                    doomed.push(old.clone());
                }
                OnNode::Unsettled | OnNode::Both(..) => unavailable += 1,
            }
        }
        doomed.extend(candidates.into_iter().take(most.saturating_sub(unavailable)));
        self.delete(&doomed)
    }

    /// Makes new pods beside old ones on no more than `most` nodes, and deletes the old once the new are available.
    fn surge(&self, most: usize) -> Vec<Action> {
        let mut surging = 0;
        let mut doomed = Vec::new();
        let (mut nodes, mut candidates) = (Vec::new(), Vec::new());
        for (node, pods) in &self.by_node {
            match self.settled(pods) {
                OnNode::New(_) => {}
                OnNode::Old(old) if self.is_available(old) => candidates.push(node.clone()),
                OnNode::Old(_) => nodes.push(node.clone()),
                OnNode::Both(old, new) if self.is_available(new) => doomed.push(old.clone()),
                OnNode::Unsettled | OnNode::Both(..) => surging += 1,
            }
        }
        nodes.extend(candidates.into_iter().take(most.saturating_sub(surging)));
        let mut actions = self.make(&nodes);
        actions.extend(self.delete(&doomed));
        actions
    }
}
