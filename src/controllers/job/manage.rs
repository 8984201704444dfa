//! Makes and deletes the pods of a job.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::policy::{Verdict, judge};
use super::{
    Jobs, TRACKING, Turn, completion_index, completions, event, failure_count, has_backoff_per_index, is_failed,
    is_indexed, is_suspended, pod_resource, replaces_failed_only, spec_int, without_tracking,
};
use crate::controllers::pods;
use crate::controllers::runtime::Action;
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{Value, meta};

/// At most so many pods are made or deleted in one turn.
const BURST: i64 = 500;

/// The wait after a first failed pod, doubled by each further one, and the longest wait.
const BACKOFF: (i64, i64) = (10, 600);

/// The label and annotation with a pod's index.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the index of a pod failed before it.
pub(super) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How many failures of the index were ignored.
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

impl Turn<'_> {
    /// Deletes all active pods of a job that has ended; they are still counted.
    pub fn end_active(&mut self) -> Vec<Action> {
        let active = std::mem::take(&mut self.active);
        self.terminating += active.len();
        self.ready = 0;
        let delete = |pod: Arc<Value>| {
            let message = format!("Deleted pod: {}", meta::name(&pod));
            [Action::delete(&pod_resource(), &pod), event(self.job, "SuccessfulDelete", message)]
        };
        active.into_iter().flat_map(delete).collect()
    }

    /// Brings the number of active pods to what parallelism and completions ask for.
    pub fn manage(&mut self) -> Vec<Action> {
        let active = i64::try_from(self.active.len()).unwrap_or(i64::MAX);
        if is_suspended(self.job) {
            return self.remove(active);
        }
        let parallelism = spec_int(self.job, "parallelism").unwrap_or(1);
        let wanted = match completions(self.job) {
            None if self.succeeded > 0 => active,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        };
        let removed = self.remove((active - wanted).max(0));
        if !removed.is_empty() {
            return removed;
        }
        let terminating = match replaces_failed_only(self.job) {
            true => i64::try_from(self.terminating).unwrap_or(i64::MAX),
            false => 0,
        };
        self.create((wanted - terminating - active).clamp(0, BURST))
    }

    /// Deletes pods that are too many, and of an index that has several all but one. They leave no trace in the counts.
    fn remove(&mut self, at_least: i64) -> Vec<Action> {
        let at_least = usize::try_from(at_least).unwrap_or_default();
        let mut left = self.active.clone();
        left.sort_by(|a, b| pods::deletion_order((a, 0), (b, 0)));
        let mut doomed: Vec<Arc<Value>> = Vec::new();
        if let (true, Some(end)) = (is_indexed(self.job), completions(self.job)) {
            // The one that is worth most stays for its index.
            let keeper: HashMap<i64, String> = left
                .iter()
                .filter_map(|pod| Some((completion_index(pod)?, meta::uid(pod).to_owned())))
                .filter(|(index, _)| *index < end)
                .collect();
            let stays = |pod: &Arc<Value>| {
                completion_index(pod).and_then(|index| keeper.get(&index)).is_some_and(|uid| uid == meta::uid(pod))
            };
            let (keep, surplus) = left.into_iter().partition(stays);
            left = keep;
            doomed = surplus;
        }
        let more = at_least.saturating_sub(doomed.len()).min(left.len());
        doomed.extend(left.drain(..more));
        doomed.truncate(usize::try_from(BURST).unwrap_or_default());
        self.active.retain(|pod| !doomed.iter().any(|gone| meta::uid(gone) == meta::uid(pod)));
        self.terminating += doomed.len();
        self.ready -= doomed.iter().filter(|pod| pods::is_ready(pod)).count();
        let mut actions = Vec::new();
        for pod in doomed {
            actions.extend(without_tracking(&pod));
            actions.push(Action::delete(&pod_resource(), &pod));
            actions.push(event(self.job, "SuccessfulDelete", format!("Deleted pod: {}", meta::name(&pod))));
        }
        actions
    }

    fn create(&mut self, count: i64) -> Vec<Action> {
        if count == 0 {
            return Vec::new();
        }
        if !has_backoff_per_index(self.job)
            && let Some(wait) = backoff(&self.pods, self.job, self.world.now)
        {
            return vec![Action::RequeueAfter(wait)];
        }
        let mut waits: Option<Duration> = None;
        let mut new = Vec::new();
        if is_indexed(self.job) {
            for index in self.pending_indexes(count) {
                match self.wait_of_index(index) {
                    Some(wait) => waits = Some(waits.map_or(wait, |least| least.min(wait))),
                    None => new.push(self.pod_of_index(index)),
                }
            }
        } else {
            let template = get(self.job, &["spec", "template"]).cloned().unwrap_or_default();
            let prefix = format!("{}-", meta::name(self.job));
            new.extend((0..count).map(|n| tracked(self.new_pod(&template, &prefix, n))));
        }
        let mut actions: Vec<Action> = new.iter().map(|pod| Action::create_pod(self.job, pod.clone())).collect();
        self.active.extend(new.into_iter().map(Arc::new));
        actions.extend(waits.map(Action::RequeueAfter));
        actions
    }

    fn new_pod(&self, template: &Value, prefix: &str, n: i64) -> Value {
        let nanos = self.world.now.timestamp_nanos_opt().unwrap_or_default();
        pods::with_prefix(template, self.job, prefix, &format!("{}/{nanos}/{n}", meta::uid(self.job)))
    }

    /// The lowest indexes that neither have ended nor have a pod.
    fn pending_indexes(&self, count: i64) -> Vec<i64> {
        let end = completions(self.job).unwrap_or_default();
        let terminating = self.pods.iter().filter(|pod| replaces_failed_only(self.job) && pods::is_terminating(pod));
        let running: Vec<i64> = self.active.iter().chain(terminating).filter_map(|pod| completion_index(pod)).collect();
        let taken = self.succeeded_indexes.with(running);
        let failed = self.failed_indexes.as_ref();
        let free = (0..end).filter(|index| !taken.contains(*index) && failed.is_none_or(|f| !f.contains(*index)));
        free.take(usize::try_from(count).unwrap_or_default()).collect()
    }

    /// How long the replacement of an index's failed pod has to wait.
    fn wait_of_index(&self, index: i64) -> Option<Duration> {
        let failed = self.delayed.get(&index)?;
        let failures = failure_count(failed) + 1;
        remaining(failures, finished_at(failed)?, self.world.now)
    }

    fn pod_of_index(&self, index: i64) -> Value {
        let mut template = get(self.job, &["spec", "template"]).cloned().unwrap_or_default();
        let text = index.to_string();
        meta::set(&mut template, &["metadata", "annotations", INDEX], text.clone());
        meta::set(&mut template, &["metadata", "labels", INDEX], text);
        if has_backoff_per_index(self.job) {
            let (failures, ignored) = self.failures_of_index(index);
            meta::set(&mut template, &["metadata", "annotations", FAILURES], failures.to_string());
            if ignored > 0 {
                meta::set(&mut template, &["metadata", "annotations", IGNORED], ignored.to_string());
            }
        }
        meta::set(&mut template, &["spec", "hostname"], format!("{}-{index}", meta::name(self.job)));
        for field in ["initContainers", "containers"] {
            let Some(Value::Array(containers)) = template.get_mut("spec").and_then(|spec| spec.get_mut(field)) else {
                continue;
            };
            containers.iter_mut().for_each(tell_index);
        }
        tracked(self.new_pod(&template, &format!("{}-{index}-", meta::name(self.job)), index))
    }

    /// How often the index of a new pod failed before it, and how often that was ignored.
    fn failures_of_index(&self, index: i64) -> (i64, i64) {
        let Some(failed) = self.delayed.get(&index) else { return (0, 0) };
        let ignored = meta::annotation(failed, IGNORED).and_then(|n| n.parse().ok()).unwrap_or_default();
        match judge(self.job, failed) {
            Verdict::Ignore => (failure_count(failed), ignored + 1),
            _ => (failure_count(failed) + 1, ignored),
        }
    }
}

/// Tells a container its index through the environment, unless it sets the variable itself.
fn tell_index(container: &mut Value) {
    const VARIABLE: &str = "JOB_COMPLETION_INDEX";
    if list_at(container, &["env"]).iter().any(|entry| str_at(entry, &["name"]) == VARIABLE) {
        return;
    }
    let mut env = list_at(container, &["env"]).to_vec();
    let path = format!("metadata.labels['{INDEX}']");
    env.push(json!({"name": VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": path}}}));
    container["env"] = Value::Array(env);
}

/// With the finalizer that keeps a pod until it has been counted.
fn tracked(mut pod: Value) -> Value {
    let mut finalizers: Vec<String> = meta::finalizers(&pod).map(str::to_owned).collect();
    if !finalizers.iter().any(|name| name == TRACKING) {
        finalizers.push(TRACKING.to_owned());
    }
    pod["metadata"]["finalizers"] = json!(finalizers);
    pod
}

/// When the last container of a pod ended, or the next best that is known of its end.
fn finished_at(pod: &Value) -> Option<DateTime<Utc>> {
    let ended = list_at(pod, &["status", "containerStatuses"])
        .iter()
        .filter_map(|status| pods::time_at(status, &["state", "terminated", "finishedAt"]));
    ended
        .max()
        .or_else(|| pods::condition(pod, "Ready").and_then(|c| pods::time_at(c, &["lastTransitionTime"])))
        .or_else(|| {
            let grace = int_at(pod, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default();
            pods::time_at(pod, &["metadata", "deletionTimestamp"]).map(|time| time - TimeDelta::seconds(grace))
        })
        .or_else(|| pods::time_at(pod, &["metadata", "creationTimestamp"]))
}

/// What is left of the wait after the pods that failed since the last success.
fn backoff(all: &[Arc<Value>], job: &Value, now: DateTime<Utc>) -> Option<Duration> {
    let success = all.iter().filter(|pod| pods::phase(pod) == "Succeeded").filter_map(|pod| finished_at(pod)).max();
    let failures: Vec<DateTime<Utc>> = all
        .iter()
        .filter(|pod| is_failed(job, pod))
        .filter_map(|pod| finished_at(pod))
        .filter(|at| success.is_none_or(|success| *at > success))
        .collect();
    remaining(i64::try_from(failures.len()).ok()?, failures.into_iter().max()?, now)
}

fn remaining(failures: i64, last: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    let doublings = u32::try_from((failures - 1).clamp(0, 10)).unwrap_or_default();
    let wait = BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1);
    (last + TimeDelta::seconds(wait) - now).to_std().ok().filter(|wait| !wait.is_zero())
}

impl Jobs {
    /// The finalizers to take from the pods of a job that has ended or is gone.
    pub(super) fn free(all: &[Arc<Value>]) -> Vec<Action> {
        all.iter().filter_map(|pod| without_tracking(pod)).collect()
    }
}
