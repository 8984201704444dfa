//! Counts ended pods and writes the status.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::policy::{Verdict, judge};
use super::{
    Ending, Turn, completion_index, completions, event, has_backoff_per_index, is_failed, is_indexed, is_tracked, jobs,
    stamp, without_tracking,
};
use crate::controllers::pods;
use crate::controllers::runtime::Action;
use crate::object::meta::{int_at, list_at};
use crate::object::{Value, meta};

/// How many pods may be noted and not yet counted; the rest waits for the next turn.
const MOST_UNCOUNTED: usize = 500;

/// Sets a condition of a job's status.
pub(super) fn set_condition(
    status: &mut Value,
    type_: &str,
    yes: &str,
    reason: &str,
    message: &str,
    now: DateTime<Utc>,
) {
    let mut conditions = list_at(status, &["conditions"]).to_vec();
    let time = stamp(now);
    let condition = json!({"type": type_, "status": yes, "reason": reason, "message": message,
        "lastProbeTime": time, "lastTransitionTime": time});
    pods::set_condition(&mut conditions, condition);
    status["conditions"] = Value::Array(conditions);
}

/// Sets a counter that the API leaves out while it is 0.
fn set_count(status: &mut Value, field: &str, count: i64) {
    match count {
        0 => drop(meta::remove(status, &[field])),
        count => status[field] = json!(count),
    }
}

/// Pods noted by uid, per outcome, and the pods to free.
#[derive(Default)]
struct Notes {
    succeeded: Vec<String>,
    failed: Vec<String>,
    indexes: Vec<i64>,
    freed: Vec<Action>,
    full: bool,
}

impl Turn<'_> {
    /// Brings the status up to date, frees counted pods, and ends the job when nothing is left to count.
    /// `noted`: whether the status tells of the ending already.
    pub(super) fn track(&self, mut status: Value, noted: bool) -> Vec<Action> {
        let active = i64::try_from(self.active.len()).unwrap_or(i64::MAX);
        set_count(&mut status, "active", active);
        status["ready"] = json!(self.ready);
        status["terminating"] = json!(self.terminating);
        let notes = self.note_ended(&mut status);
        status["uncountedTerminatedPods"] = json!({});
        for (field, uids) in [("succeeded", &notes.succeeded), ("failed", &notes.failed)] {
            if !uids.is_empty() {
                status["uncountedTerminatedPods"][field] = json!(uids);
            }
        }
        if is_indexed(self.job) {
            self.report_indexes(&mut status, &notes);
        }
        let mut events = Vec::new();
        if let Some(ending) = &self.ending {
            if !noted {
                let interim = if ending.succeeded { "SuccessCriteriaMet" } else { "FailureTarget" };
                set_condition(&mut status, interim, "True", &ending.reason, &ending.message, self.world.now);
            }
            let settled = notes.succeeded.is_empty() && notes.failed.is_empty() && !notes.full;
            if settled && self.terminating == 0 {
                events = self.finish(&mut status, ending);
            }
        }
        let mut actions = Vec::new();
        if self.job.get("status") != Some(&status) {
            let mut reported = self.job.clone();
            reported["status"] = status;
            actions.push(Action::update_status(&jobs(), reported));
        }
        // Only what has been noted may go.
        actions.extend(notes.freed);
        actions.extend(events);
        actions
    }

    /// Counts the noted pods that have been freed, and notes those that have ended since.
    fn note_ended(&self, status: &mut Value) -> Notes {
        let tracked: HashSet<&str> = self.pods.iter().filter(|pod| is_tracked(pod)).map(|pod| meta::uid(pod)).collect();
        let mut notes = Notes::default();
        for (field, kept) in [("succeeded", &mut notes.succeeded), ("failed", &mut notes.failed)] {
            let (still, freed): (Vec<&str>, Vec<&str>) =
                self.uncounted(field).into_iter().partition(|uid| tracked.contains(uid));
            kept.extend(still.into_iter().map(str::to_owned));
            let before = int_at(status, &[field]).unwrap_or_default();
            set_count(status, field, before + i64::try_from(freed.len()).unwrap_or_default());
        }
        for pod in self.pods.iter().filter(|pod| is_tracked(pod)) {
            if notes.succeeded.len() + notes.failed.len() + notes.indexes.len() >= MOST_UNCOUNTED {
                notes.full = true;
                break;
            }
            if self.may_free(pod) {
                notes.freed.extend(without_tracking(pod));
                self.note(pod, &mut notes);
            }
        }
        notes
    }

    fn may_free(&self, pod: &Value) -> bool {
        let failed = is_failed(self.job, pod);
        if self.ending.is_some() || meta::deletion_timestamp(self.job).is_some() {
            return true;
        }
        if failed && has_backoff_per_index(self.job) {
            let waits = |index: i64| self.delayed.get(&index).is_some_and(|other| meta::uid(other) == meta::uid(pod));
            return !completion_index(pod).is_some_and(waits);
        }
        failed || pods::phase(pod) == "Succeeded"
    }

    fn note(&self, pod: &Value, notes: &mut Notes) {
        let uid = meta::uid(pod).to_owned();
        let index = completion_index(pod).filter(|index| *index < completions(self.job).unwrap_or_default());
        if pods::phase(pod) == "Succeeded" && !notes.failed.contains(&uid) {
            match (is_indexed(self.job), index) {
                // The index itself keeps a success from being counted twice.
                (true, Some(index)) if !self.counted_indexes.contains(index) => notes.indexes.push(index),
                (false, _) if !notes.succeeded.contains(&uid) => notes.succeeded.push(uid),
                _ => {}
            }
            return;
        }
        // Once a job is to fail, every pod that still runs has failed.
        let failing = self.ending.as_ref().is_some_and(|ending| !ending.succeeded);
        let counts = is_failed(self.job, pod) || failing;
        let known = notes.failed.contains(&uid) || is_indexed(self.job) && index.is_none();
        if counts && !known && judge(self.job, pod) != Verdict::Ignore {
            notes.failed.push(uid);
        }
    }

    fn report_indexes(&self, status: &mut Value, notes: &Notes) {
        let succeeded = self.counted_indexes.with(notes.indexes.iter().copied());
        set_count(status, "succeeded", succeeded.total());
        match succeeded.to_string() {
            none if none.is_empty() => drop(meta::remove(status, &["completedIndexes"])),
            some => status["completedIndexes"] = json!(some),
        }
        match &self.failed_indexes {
            Some(failed) => status["failedIndexes"] = json!(failed.to_string()),
            None => drop(meta::remove(status, &["failedIndexes"])),
        }
    }

    /// Writes the final condition; gives the events that tell of it.
    fn finish(&self, status: &mut Value, ending: &Ending) -> Vec<Action> {
        let type_ = if ending.succeeded { "Complete" } else { "Failed" };
        set_condition(status, type_, "True", &ending.reason, &ending.message, self.world.now);
        if !ending.succeeded {
            let reason = FAILURES.iter().find(|reason| **reason == ending.reason).copied().unwrap_or("Failed");
            let message = ending.message.clone();
            return vec![Action::Event { regarding: self.job.clone(), type_: "Warning", reason, message }];
        }
        status["completionTime"] = json!(stamp(self.world.now));
        let mut events = Vec::new();
        let surplus = completions(self.job).is_some_and(|c| int_at(status, &["succeeded"]).unwrap_or_default() > c);
        if surplus {
            let message = "Too many succeeded pods running after completion count reached".to_owned();
            let reason = "TooManySucceededPods";
            events.push(Action::Event { regarding: self.job.clone(), type_: "Warning", reason, message });
        }
        events.push(event(self.job, "Completed", "Job completed".to_owned()));
        events
    }
}

/// The reasons with which a job fails.
const FAILURES: [&str; 5] =
    ["BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes"];
