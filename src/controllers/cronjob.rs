//! Cron jobs: a job at each scheduled time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::job::{finished, jobs};
use super::pods;
use super::runtime::{Action, ApiError, Cache, Change, Controller, Key, Resource, Watch, World, owner_reference};
use crate::kinds::rules::cron::{self, Schedule};
use crate::object::meta::{bool_at, get, int_at, list_at, str_at};
use crate::object::zone::Zone;
use crate::object::{Map, Value, meta};

/// The annotation with the time for which a job was made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// More missed times than this make a warning.
const MANY_MISSED: i64 = 100;

/// The cron job controller.
#[derive(Default)]
pub struct CronJobs;

fn cron_jobs() -> Resource {
    Resource::new("batch", "v1", "cronjobs")
}

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob"
    }

    fn event_source(&self) -> &'static str {
        "cronjob-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_job: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| {
            let of_cron = |job: &&Value| meta::controller_of(job).is_some_and(|owner| meta::kind(owner) == "CronJob");
            change.both().filter(of_cron).filter_map(Key::of_controller).collect()
        };
        vec![Watch::own(cron_jobs()), Watch { resource: jobs(), keys: of_job }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        match world.cache.get(&cron_jobs(), key) {
            Some(cron) => Turn::of(world, &cron).run(),
            None => Vec::new(),
        }
    }

    fn on_failure(&self, world: &World<'_>, key: &Key, failed: &Action, error: &ApiError) -> Vec<Action> {
        match (world.cache.get(&cron_jobs(), key), failed) {
            (Some(cron), Action::Create { .. }) => {
                vec![event(&cron, "Warning", "FailedCreate", format!("Error creating job: {error}"))]
            }
            _ => Vec::new(),
        }
    }
}

fn event(cron: &Value, type_: &'static str, reason: &'static str, message: String) -> Action {
    Action::Event { regarding: cron.clone(), type_, reason, message }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

struct Turn<'a> {
    world: &'a World<'a>,
    cron: &'a Value,
    /// The jobs of the cron job.
    jobs: Vec<Arc<Value>>,
    active: Vec<Value>,
    status: Map<String, Value>,
    actions: Vec<Action>,
}

impl<'a> Turn<'a> {
    fn of(world: &'a World<'a>, cron: &'a Value) -> Self {
        let mut jobs = world.cache.owned_by(&jobs(), meta::uid(cron));
        jobs.retain(|job| meta::controller_of(job).is_some_and(|owner| str_at(owner, &["uid"]) == meta::uid(cron)));
        let status = meta::map_at(cron, &["status"]).cloned().unwrap_or_default();
        let active = list_at(cron, &["status", "active"]).to_vec();
        Self { world, cron, jobs, active, status, actions: Vec::new() }
    }

    fn run(mut self) -> Vec<Action> {
        self.look_after_active();
        if meta::deletion_timestamp(self.cron).is_none() && !bool_at(self.cron, &["spec", "suspend"]) {
            self.schedule();
        }
        self.clean_up();
        self.write_status();
        self.actions
    }

    fn tell(&mut self, type_: &'static str, reason: &'static str, message: String) {
        self.actions.push(event(self.cron, type_, reason, message));
    }

    fn is_active(&self, job: &Value) -> bool {
        self.active.iter().any(|reference| str_at(reference, &["uid"]) == meta::uid(job))
    }

    /// Brings the list of active jobs up to date.
    fn look_after_active(&mut self) {
        for job in self.jobs.clone() {
            match (self.is_active(&job), finished(&job)) {
                (false, None) if meta::annotation(&job, SCHEDULED).is_some() => self.active.push(reference(&job)),
                (false, None) => {
                    let message =
                        format!("Saw a job that the controller did not create or forgot: {}", meta::name(&job));
                    self.tell("Warning", "UnexpectedJob", message);
                }
                (true, Some(condition)) => {
                    let condition = str_at(condition, &["type"]).to_owned();
                    self.active.retain(|reference| str_at(reference, &["uid"]) != meta::uid(&job));
                    let message = format!("Saw completed job: {}, condition: {condition}", meta::name(&job));
                    self.tell("Normal", "SawCompletedJob", message);
                }
                _ => {}
            }
            self.note_success(&job);
        }
        let (here, missing): (Vec<Value>, Vec<Value>) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|reference| self.jobs.iter().any(|job| str_at(reference, &["uid"]) == meta::uid(job)));
        self.active = here;
        for reference in missing {
            let message = format!("Active job went missing: {}", str_at(&reference, &["name"]));
            self.tell("Normal", "MissingJob", message);
        }
    }

    fn note_success(&mut self, job: &Value) {
        if finished(job).is_none_or(|condition| str_at(condition, &["type"]) != "Complete") {
            return;
        }
        let Some(at) = pods::time_at(job, &["status", "completionTime"]) else { return };
        let before = self.status.get("lastSuccessfulTime").and_then(|time| pods::time_at(time, &[]));
        if before.is_none_or(|before| at > before) {
            self.status.insert("lastSuccessfulTime".into(), json!(stamp(at)));
        }
    }

    /// Makes the job of the last scheduled time, if it is not made yet, and comes back at the next.
    fn schedule(&mut self) {
        let zone_name = str_at(self.cron, &["spec", "timeZone"]);
        let zone = if zone_name.is_empty() { "UTC" } else { zone_name };
        let Some(zone) = Zone::named(zone) else {
            let quoted = crate::object::go::quote(zone_name);
            let message = format!("invalid timeZone: {quoted}: unknown time zone {zone_name}");
            return self.tell("Warning", "UnknownTimeZone", message);
        };
        let text = str_at(self.cron, &["spec", "schedule"]);
        let schedule = match cron::parse(text) {
            Ok(schedule) => schedule,
            Err(error) => {
                let quoted = crate::object::go::quote(text);
                return self.tell(
                    "Warning",
                    "UnparseableSchedule",
                    format!("unparseable schedule: {quoted} : {error}"),
                );
            }
        };
        if let Some(due) = self.last_due(&schedule, &zone) {
            self.start(due, &zone);
        }
        if let Some(next) = schedule.next(self.world.now, &zone) {
            let wait = (next - self.world.now).to_std().unwrap_or_default();
            // Surely not before that time.
            self.actions.push(Action::RequeueAfter(wait + Duration::from_millis(100)));
        }
    }

    fn starting_deadline(&self) -> Option<TimeDelta> {
        int_at(self.cron, &["spec", "startingDeadlineSeconds"]).map(TimeDelta::seconds)
    }

    /// The last scheduled time up to now for which there was no job yet.
    fn last_due(&mut self, schedule: &Schedule, zone: &Zone) -> Option<DateTime<Utc>> {
        let now = self.world.now;
        let mut earliest = pods::time_at(self.cron, &["status", "lastScheduleTime"])
            .or_else(|| pods::time_at(self.cron, &["metadata", "creationTimestamp"]))?;
        if let Some(deadline) = self.starting_deadline() {
            earliest = earliest.max(now - deadline);
        }
        let first = schedule.next(earliest, zone).filter(|first| *first <= now)?;
        let Some(second) = schedule.next(first, zone).filter(|second| *second <= now) else { return Some(first) };
        let period = (second - first).num_seconds().max(1);
        let missed = (now - first).num_seconds() / period + 1;
        if missed > MANY_MISSED {
            let message =
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.tell("Warning", "TooManyMissedTimes", message.to_owned());
        }
        let mut last = first;
        let mut from = first + TimeDelta::seconds((missed - 2).max(0) * period);
        while let Some(due) = schedule.next(from, zone).filter(|due| *due <= now) {
            (last, from) = (due, due);
        }
        Some(last)
    }

    fn start(&mut self, due: DateTime<Utc>, zone: &Zone) {
        if self.starting_deadline().is_some_and(|deadline| due + deadline < self.world.now) {
            let time = due.format("%a, %d %b %Y %H:%M:%S %z");
            return self.tell("Warning", "MissSchedule", format!("Missed scheduled time to start a job: {time}"));
        }
        let name = format!("{}-{}", meta::name(self.cron), due.timestamp() / 60);
        let made = self.active.iter().any(|reference| str_at(reference, &["name"]) == name);
        if made || pods::time_at(self.cron, &["status", "lastScheduleTime"]) == Some(due) {
            return;
        }
        match str_at(self.cron, &["spec", "concurrencyPolicy"]) {
            "Forbid" if !self.active.is_empty() => {
                let why = "Not starting job because prior execution is running and concurrency policy is Forbid";
                return self.tell("Normal", "JobAlreadyActive", why.to_owned());
            }
            "Replace" => {
                for reference in std::mem::take(&mut self.active) {
                    if let Some(job) = self.jobs.iter().find(|job| meta::uid(job) == str_at(&reference, &["uid"])) {
                        let delete = self.delete(job);
                        self.actions.extend(delete);
                    }
                }
            }
            _ => {}
        }
        let local = zone.at(due).to_rfc3339_opts(SecondsFormat::Secs, true);
        self.actions.push(Action::Create { resource: jobs(), object: job(self.cron, &name, &local) });
        self.tell("Normal", "SuccessfulCreate", format!("Created job {name}"));
        self.status.insert("lastScheduleTime".into(), json!(stamp(due)));
    }

    fn delete(&self, job: &Value) -> [Action; 2] {
        let options = json!({"propagationPolicy": "Background", "preconditions": {"uid": meta::uid(job)}});
        let delete = Action::Delete {
            resource: jobs(),
            namespace: meta::namespace(job).to_owned(),
            name: meta::name(job).to_owned(),
            options,
        };
        [delete, event(self.cron, "Normal", "SuccessfulDelete", format!("Deleted job {}", meta::name(job)))]
    }

    /// Deletes the oldest ended jobs beyond the history limits.
    fn clean_up(&mut self) {
        for (limit, ending) in [("failedJobsHistoryLimit", "Failed"), ("successfulJobsHistoryLimit", "Complete")] {
            let Some(limit) = int_at(self.cron, &["spec", limit]) else { continue };
            let mut ended: Vec<Arc<Value>> = self.jobs.clone();
            ended.retain(|job| finished(job).is_some_and(|condition| str_at(condition, &["type"]) == ending));
            ended.sort_by_key(|job| (str_at(job, &["status", "startTime"]).to_owned(), meta::name(job).to_owned()));
            let surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
            for job in ended.iter().take(surplus).filter(|job| meta::deletion_timestamp(job).is_none()) {
                let delete = self.delete(job);
                self.actions.extend(delete);
            }
        }
    }

    /// Last, so that a job that could not be made leaves no trace.
    fn write_status(&mut self) {
        let active = std::mem::take(&mut self.active);
        match active.is_empty() {
            true => drop(self.status.remove("active")),
            false => drop(self.status.insert("active".into(), Value::Array(active))),
        }
        let status = Value::Object(std::mem::take(&mut self.status));
        if get(self.cron, &["status"]).is_some_and(|before| *before != status) {
            let mut reported = self.cron.clone();
            reported["status"] = status;
            self.actions.push(Action::update_status(&cron_jobs(), reported));
        }
    }
}

fn reference(job: &Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "name": meta::name(job), "namespace": meta::namespace(job),
        "uid": meta::uid(job), "resourceVersion": meta::resource_version(job)})
}

fn job(cron: &Value, name: &str, scheduled: &str) -> Value {
    let template = get(cron, &["spec", "jobTemplate"]).cloned().unwrap_or_default();
    let mut metadata = Map::new();
    for field in ["labels", "annotations"] {
        if let Some(value) = get(&template, &["metadata", field]) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    metadata.insert("name".into(), json!(name));
    metadata.insert("namespace".into(), json!(meta::namespace(cron)));
    metadata.insert("ownerReferences".into(), json!([owner_reference(cron)]));
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]});
    meta::set(&mut job, &["metadata", "annotations", SCHEDULED], scheduled);
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
    }

    fn cron_job(spec: Value, status: Value) -> Value {
        let mut cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "n",
            "uid": "C", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:10Z"},
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {}}}, "status": status});
        if let Value::Object(spec) = spec {
            cron["spec"].as_object_mut().expect("spec").extend(spec);
        }
        cron
    }

    fn owned(name: &str, conditions: Value) -> Value {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "n", "uid": name,
            "resourceVersion": "2", "annotations": {SCHEDULED: "x"},
            "ownerReferences": [{"kind": "CronJob", "name": "c", "uid": "C", "controller": true}]},
            "status": {"conditions": conditions, "startTime": name}})
    }

    fn turn(cron: Value, owned: &[Value], now: &str) -> Vec<Action> {
        let cache = Cache::default();
        cache.put(&cron_jobs(), Arc::new(cron));
        owned.iter().for_each(|job| drop(cache.put(&jobs(), Arc::new(job.clone()))));
        let world = World { cache: &cache, now: at(now) };
        CronJobs.reconcile(&world, &Key { namespace: "n".into(), name: "c".into() })
    }

    fn reasons(actions: &[Action]) -> Vec<&str> {
        let told = actions.iter().filter_map(|action| match action {
            Action::Event { reason, .. } => Some(*reason),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn one_job_is_made_for_the_last_time_that_is_over() {
        let actions = turn(cron_job(json!({}), json!({})), &[], "2026-01-01T00:35:00Z");
        let Some(Action::Create { object, .. }) = actions.first() else { panic!("{actions:?}") };
        assert_eq!(meta::name(object), format!("c-{}", at("2026-01-01T00:30:00Z").timestamp() / 60));
        assert_eq!(meta::annotation(object, SCHEDULED), Some("2026-01-01T00:30:00Z"));
        assert!(actions.contains(&Action::RequeueAfter(Duration::from_millis(300_100))));
        let done = json!({"lastScheduleTime": "2026-01-01T00:30:00Z"});
        let actions = turn(cron_job(json!({}), done), &[], "2026-01-01T00:35:00Z");
        assert!(matches!(actions[..], [Action::RequeueAfter(_)]));
    }

    #[test]
    fn policies_hold_for_jobs_that_still_run() {
        let running = [owned("old", json!([]))];
        let forbid =
            turn(cron_job(json!({"concurrencyPolicy": "Forbid"}), json!({})), &running, "2026-01-01T00:10:00Z");
        assert_eq!(reasons(&forbid), ["JobAlreadyActive"]);
        let replace =
            turn(cron_job(json!({"concurrencyPolicy": "Replace"}), json!({})), &running, "2026-01-01T00:10:00Z");
        assert_eq!(reasons(&replace), ["SuccessfulDelete", "SuccessfulCreate"]);
        let late = json!({"startingDeadlineSeconds": 20});
        assert!(
            !turn(cron_job(late, json!({})), &[], "2026-01-01T00:15:00Z")
                .iter()
                .any(|action| matches!(action, Action::Create { .. }))
        );
    }

    #[test]
    fn ended_jobs_beyond_the_limit_go_oldest_first() {
        let complete = json!([{"type": "Complete", "status": "True"}]);
        let jobs = [owned("b", complete.clone()), owned("a", complete.clone()), owned("c", complete)];
        let spec = json!({"suspend": true, "successfulJobsHistoryLimit": 2});
        let actions = turn(cron_job(spec, json!({})), &jobs, "2026-01-01T00:10:00Z");
        assert!(matches!(&actions[..], [Action::Delete { name, .. }, Action::Event { .. }] if name == "a"));
    }
}
