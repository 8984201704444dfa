//! Jobs: pods until enough of them have succeeded, or too many have failed.
//!
//! Every pod carries a finalizer until its end is counted. Counting takes two turns: the first notes the uids of ended
//! pods in `status.uncountedTerminatedPods` and frees the pods, the second turns the notes of freed pods into numbers.
//! So no end is ever counted twice or lost, wherever the controller is stopped.

mod indexes;
mod manage;
mod policy;
mod track;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use self::indexes::Indexes;
use self::policy::{Verdict, judge};
use super::pods;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{bool_at, get, int_at, list_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The finalizer of pods that have not been counted yet.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The value of `spec.managedBy` that means this controller.
const MANAGED_HERE: &str = "kubernetes.io/job-controller";

/// The job controller.
#[derive(Default)]
pub struct Jobs;

/// batch/v1 jobs.
pub(super) fn jobs() -> Resource {
    Resource::new("batch", "v1", "jobs")
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

fn selector(job: &Value) -> Option<LabelSelector> {
    LabelSelector::from_struct(get(job, &["spec", "selector"])?).ok()
}

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job"
    }

    fn event_source(&self) -> &'static str {
        "job-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_pod: fn(&Cache, &Change<'_>) -> Vec<Key> =
            |cache, change| pods::touched(cache, change, &jobs(), "Job", selector);
        vec![Watch::own(jobs()), Watch { resource: pod_resource(), keys: of_pod }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(job) = world.cache.get(&jobs(), key) else { return Jobs::free(&orphans(world, key)) };
        if !matches!(str_at(&job, &["spec", "managedBy"]), "" | MANAGED_HERE) {
            return Vec::new();
        }
        if let Some(ended) = finished(&job) {
            let mut actions = Jobs::free(&world.cache.owned_by(&pod_resource(), meta::uid(&job)));
            actions.extend(expire(world, &job, ended));
            return actions;
        }
        Turn::of(world, &job).map(Turn::run).unwrap_or_default()
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        let job = world.cache.get(&jobs(), key).filter(|_| failed.is_create());
        job.map(|job| pods::creation_failed(&job, error)).into_iter().collect()
    }
}

/// The pods of a job of that name that is gone.
fn orphans(world: &World<'_>, key: &Key) -> Vec<Arc<Value>> {
    let mut pods = world.cache.list(&pod_resource(), Some(&key.namespace));
    pods.retain(|pod| {
        meta::controller_of(pod).is_some_and(|owner| meta::kind(owner) == "Job" && str_at(owner, &["name"]) == key.name)
    });
    pods
}

/// The condition with which a job has ended.
pub(super) fn finished(job: &Value) -> Option<&Value> {
    list_at(job, &["status", "conditions"])
        .iter()
        .find(|c| matches!(str_at(c, &["type"]), "Complete" | "Failed") && str_at(c, &["status"]) == "True")
}

/// Deletes an ended job once it has been kept for `spec.ttlSecondsAfterFinished`.
fn expire(world: &World<'_>, job: &Value, ended: &Value) -> Option<Action> {
    let keep = spec_int(job, "ttlSecondsAfterFinished").filter(|_| meta::deletion_timestamp(job).is_none())?;
    let at = pods::time_at(ended, &["lastTransitionTime"])? + TimeDelta::seconds(keep);
    if let Some(left) = (at - world.now).to_std().ok().filter(|left| !left.is_zero()) {
        return Some(Action::RequeueAfter(left));
    }
    Some(Action::Delete {
        resource: jobs(),
        namespace: meta::namespace(job).to_owned(),
        name: meta::name(job).to_owned(),
        options: json!({"propagationPolicy": "Foreground", "preconditions": {
            "uid": meta::uid(job), "resourceVersion": meta::resource_version(job)}}),
    })
}

fn spec_int(job: &Value, field: &str) -> Option<i64> {
    int_at(job, &["spec", field])
}

fn completions(job: &Value) -> Option<i64> {
    spec_int(job, "completions")
}

fn is_indexed(job: &Value) -> bool {
    str_at(job, &["spec", "completionMode"]) == "Indexed"
}

fn is_suspended(job: &Value) -> bool {
    bool_at(job, &["spec", "suspend"])
}

fn has_backoff_per_index(job: &Value) -> bool {
    spec_int(job, "backoffLimitPerIndex").is_some()
}

/// Whether a pod is replaced once it has failed, not when its deletion begins.
fn replaces_failed_only(job: &Value) -> bool {
    str_at(job, &["spec", "podReplacementPolicy"]) == "Failed"
}

fn completion_index(pod: &Value) -> Option<i64> {
    meta::annotation(pod, manage::INDEX)?.parse().ok()
}

fn failure_count(pod: &Value) -> i64 {
    meta::annotation(pod, manage::FAILURES).and_then(|n| n.parse().ok()).unwrap_or_default()
}

fn is_tracked(pod: &Value) -> bool {
    meta::finalizers(pod).any(|name| name == TRACKING)
}

/// Whether a pod counts as failed: its deletion does too, unless only ended pods are replaced.
fn is_failed(job: &Value, pod: &Value) -> bool {
    match pods::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => !replaces_failed_only(job) && meta::deletion_timestamp(pod).is_some(),
    }
}

/// Takes the finalizer from a pod that has it.
fn without_tracking(pod: &Value) -> Option<Action> {
    let rest: Vec<&str> = meta::finalizers(pod).filter(|name| *name != TRACKING).collect();
    is_tracked(pod)
        .then(|| Action::merge(&pod_resource(), pod, json!({"metadata": {"uid": meta::uid(pod), "finalizers": rest}})))
}

fn event(job: &Value, reason: &'static str, message: String) -> Action {
    Action::Event { regarding: job.clone(), type_: "Normal", reason, message }
}

fn stamp(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// How a job is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ending {
    succeeded: bool,
    reason: String,
    message: String,
}

impl Ending {
    fn failure(reason: &str, message: &str) -> Self {
        Self { succeeded: false, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// The ending that an earlier turn has noted.
    fn noted(job: &Value) -> Option<Self> {
        let noted = |type_: &str| pods::condition(job, type_).filter(|c| str_at(c, &["status"]) == "True");
        let (succeeded, found) = match noted("SuccessCriteriaMet") {
            Some(found) => (true, found),
            None => (false, noted("FailureTarget")?),
        };
        let text = |field: &str| str_at(found, &[field]).to_owned();
        Some(Self { succeeded, reason: text("reason"), message: text("message") })
    }
}

/// One turn over an unfinished job.
struct Turn<'a> {
    world: &'a World<'a>,
    job: &'a Value,
    /// All pods of the job.
    pods: Vec<Arc<Value>>,
    active: Vec<Arc<Value>>,
    ready: usize,
    terminating: usize,
    succeeded: i64,
    /// Indexes that the status counts as succeeded.
    counted_indexes: Indexes,
    /// Those and the ones of pods still to be counted.
    succeeded_indexes: Indexes,
    failed_indexes: Option<Indexes>,
    /// With a limit per index: the failed pod of an index that waits for its replacement. It is freed after that one
    /// has been made, for it carries the count of failures.
    delayed: BTreeMap<i64, Arc<Value>>,
    ending: Option<Ending>,
    claims: Vec<Action>,
}

impl<'a> Turn<'a> {
    fn of(world: &'a World<'a>, job: &'a Value) -> Option<Self> {
        let claim = pods::claim(world, job, &selector(job)?);
        let active: Vec<Arc<Value>> = claim.owned.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
        let mut turn = Self {
            world,
            job,
            ready: active.iter().filter(|pod| pods::is_ready(pod)).count(),
            terminating: claim.owned.iter().filter(|pod| pods::is_terminating(pod)).count(),
            active,
            pods: claim.owned,
            succeeded: 0,
            counted_indexes: Indexes::default(),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            delayed: BTreeMap::new(),
            ending: Ending::noted(job),
            claims: claim.changes,
        };
        turn.succeeded = turn.count("succeeded", &|pod| pods::phase(pod) == "Succeeded");
        if is_indexed(job) {
            turn.count_indexes();
        }
        Some(turn)
    }

    /// The uids of a kind that are noted and not yet counted.
    fn uncounted(&self, field: &str) -> Vec<&'a str> {
        let noted = list_at(self.job, &["status", "uncountedTerminatedPods", field]);
        noted.iter().filter_map(Value::as_str).collect()
    }

    /// The number of the status, the noted pods and those found now.
    fn count(&self, field: &str, ended: &dyn Fn(&Value) -> bool) -> i64 {
        let noted = self.uncounted(field);
        let found = |pod: &&Arc<Value>| is_tracked(pod) && ended(pod) && !noted.contains(&meta::uid(pod));
        let found = self.pods.iter().filter(found).count() + noted.len();
        int_at(self.job, &["status", field]).unwrap_or_default() + i64::try_from(found).unwrap_or(i64::MAX)
    }

    fn count_indexes(&mut self) {
        let end = completions(self.job).unwrap_or_default();
        let of = |test: &dyn Fn(&Value) -> bool| -> Vec<i64> {
            let found = self.pods.iter().filter(|pod| is_tracked(pod) && test(pod));
            found.filter_map(|pod| completion_index(pod)).filter(|index| *index < end).collect()
        };
        let counted = Indexes::parse(str_at(self.job, &["status", "completedIndexes"]), end);
        let succeeded = counted.with(of(&|pod| pods::phase(pod) == "Succeeded"));
        let failed = has_backoff_per_index(self.job).then(|| {
            let before = Indexes::parse(str_at(self.job, &["status", "failedIndexes"]), end);
            before.with(of(&|pod| is_failed(self.job, pod) && self.fails_index(pod)))
        });
        self.succeeded = succeeded.total();
        (self.counted_indexes, self.succeeded_indexes, self.failed_indexes) = (counted, succeeded, failed);
        self.find_delayed(end);
    }

    /// Whether the failure of this pod is the last that its index may have.
    fn fails_index(&self, pod: &Value) -> bool {
        match judge(self.job, pod) {
            Verdict::FailIndex => true,
            Verdict::Ignore => false,
            _ => failure_count(pod) >= spec_int(self.job, "backoffLimitPerIndex").unwrap_or_default(),
        }
    }

    fn find_delayed(&mut self, end: i64) {
        let Some(failed) = self.failed_indexes.as_ref() else { return };
        for pod in self.pods.iter().filter(|pod| is_tracked(pod) && is_failed(self.job, pod)) {
            let Some(index) = completion_index(pod).filter(|index| *index < end) else { continue };
            let settled = failed.contains(index)
                || self.succeeded_indexes.contains(index)
                || self.active.iter().any(|other| completion_index(other) == Some(index));
            let newest = self.delayed.get(&index).is_none_or(|other| failure_count(other) < failure_count(pod));
            if !settled && newest {
                self.delayed.insert(index, pod.clone());
            }
        }
    }

    fn run(mut self) -> Vec<Action> {
        let mut actions = std::mem::take(&mut self.claims);
        let mut status = self.begin();
        let ends_before = self.ending.is_some();
        self.ending = self.ending.take().or_else(|| self.judge_ending());
        if self.ending.is_some() {
            actions.extend(self.end_active());
        } else {
            actions.extend(self.wake_at_deadline(&status));
            if meta::deletion_timestamp(self.job).is_none() {
                actions.extend(self.manage());
            }
            if self.is_complete() {
                let (reason, message) = ("CompletionsReached", "Reached expected number of succeeded pods");
                self.ending = Some(Ending { succeeded: true, reason: reason.into(), message: message.into() });
            } else if meta::deletion_timestamp(self.job).is_none() {
                actions.extend(self.note_suspension(&mut status));
            }
        }
        actions.extend(self.track(status, ends_before));
        actions
    }

    /// The status with the time of the first start.
    fn begin(&self) -> Value {
        let mut status = get(self.job, &["status"]).cloned().unwrap_or_else(|| json!({}));
        if str_at(&status, &["startTime"]).is_empty() && !is_suspended(self.job) {
            status["startTime"] = json!(stamp(self.world.now));
        }
        status
    }

    /// Whether the job has to end now, before its pods are looked after.
    fn judge_ending(&self) -> Option<Ending> {
        self.policy_failure().or_else(|| self.limit_failure()).or_else(|| self.index_failure()).or_else(|| {
            let message = is_indexed(self.job).then(|| policy::success(self.job, &self.succeeded_indexes))??;
            Some(Ending { succeeded: true, reason: "SuccessPolicy".into(), message })
        })
    }

    fn policy_failure(&self) -> Option<Ending> {
        let failed = self.pods.iter().filter(|pod| is_failed(self.job, pod));
        failed.into_iter().find_map(|pod| match judge(self.job, pod) {
            Verdict::FailJob(message) => Some(Ending::failure("PodFailurePolicy", &message)),
            _ => None,
        })
    }

    fn limit_failure(&self) -> Option<Ending> {
        let counts = |pod: &Value| is_failed(self.job, pod) && judge(self.job, pod) != Verdict::Ignore;
        let limit = spec_int(self.job, "backoffLimit").unwrap_or(6);
        if self.count("failed", &counts) > limit || self.restarted_too_often(limit) {
            return Some(Ending::failure("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        let left = self.until_deadline(&self.begin());
        left.is_some_and(|left| left <= TimeDelta::zero())
            .then(|| Ending::failure("DeadlineExceeded", "Job was active longer than specified deadline"))
    }

    /// Whether containers that are restarted in their pods have been so too often.
    fn restarted_too_often(&self, limit: i64) -> bool {
        if str_at(self.job, &["spec", "template", "spec", "restartPolicy"]) != "OnFailure" {
            return false;
        }
        let living = self.pods.iter().filter(|pod| matches!(pods::phase(pod), "Running" | "Pending"));
        let statuses = living.flat_map(|pod| {
            ["initContainerStatuses", "containerStatuses"]
                .into_iter()
                .flat_map(|field| list_at(pod, &["status", field]))
        });
        let restarts: i64 = statuses.filter_map(|status| int_at(status, &["restartCount"])).sum();
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    /// What is left of `spec.activeDeadlineSeconds`.
    fn until_deadline(&self, status: &Value) -> Option<TimeDelta> {
        let allowed = spec_int(self.job, "activeDeadlineSeconds").filter(|_| !is_suspended(self.job))?;
        let start = pods::time_at(status, &["startTime"])?;
        Some(start + TimeDelta::seconds(allowed) - self.world.now)
    }

    fn wake_at_deadline(&self, status: &Value) -> Option<Action> {
        let left = self.until_deadline(status)?.to_std().ok()?;
        // A little later, so that the deadline is surely over then.
        Some(Action::RequeueAfter(left + Duration::from_millis(10)))
    }

    fn index_failure(&self) -> Option<Ending> {
        let failed = self.failed_indexes.as_ref()?.total();
        if spec_int(self.job, "maxFailedIndexes").is_some_and(|most| failed > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(Ending::failure("MaxFailedIndexesExceeded", message));
        }
        let all = failed + self.succeeded_indexes.total() >= completions(self.job).unwrap_or(i64::MAX);
        (failed > 0 && all).then(|| Ending::failure("FailedIndexes", "Job has failed indexes"))
    }

    /// Whether enough pods have succeeded and none is active any more.
    fn is_complete(&self) -> bool {
        let enough = match completions(self.job) {
            None => self.succeeded > 0,
            Some(completions) => self.succeeded >= completions,
        };
        enough && self.active.is_empty()
    }

    /// Notes in the status that the job was suspended or resumed.
    fn note_suspension(&self, status: &mut Value) -> Vec<Action> {
        let noted = pods::condition(self.job, "Suspended").map(|c| str_at(c, &["status"]));
        let row = match (is_suspended(self.job), noted) {
            (true, None | Some("False")) => ("True", "JobSuspended", "Job suspended", "Suspended"),
            (false, Some("True")) => ("False", "JobResumed", "Job resumed", "Resumed"),
            _ => return Vec::new(),
        };
        let (yes, reason, message, happened) = row;
        track::set_condition(status, "Suspended", yes, reason, message, self.world.now);
        match is_suspended(self.job) {
            true => drop(meta::remove(status, &["startTime"])),
            false => status["startTime"] = json!(stamp(self.world.now)),
        }
        vec![event(self.job, happened, message.to_owned())]
    }
}
