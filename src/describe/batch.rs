//! Jobs and cron jobs.

use super::text::{self, optional_number, present};
use super::{Describer, Error, Subject, Writer, events, pod};
use crate::kinds::columns::text as cells;
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

pub(super) const TABLE: &[Describer] =
    &[Describer::new("batch", "CronJob", cron_job), Describer::new("batch", "Job", job)];

/// How much of a list of indexes is shown at least.
const MAX_INDEXES: usize = 50;

fn selector(spec: &Value) -> String {
    match LabelSelector::from_struct(spec.get("selector").unwrap_or(&Value::Null)) {
        Ok(selector) => selector.to_string(),
        Err(error) => format!("Failed to get selector: {error}"),
    }
}

fn job(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let (object, settings) = (subject.object, subject.settings);
    let spec = |field: &str| present(object, &["spec", field]);
    let status = |field: &str| meta::int_at(object, &["status", field]).unwrap_or_default();
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    w.field(0, "Selector", present(object, &["spec"]).map(selector).unwrap_or_default());
    text::labels(w, object);
    text::object_annotations(w, object);
    text::controlled_by(w, object);
    if let Some(parallelism) = spec("parallelism") {
        w.field(0, "Parallelism", parallelism);
    }
    w.field(0, "Completions", optional_number(spec("completions")));
    let mode = spec("completionMode").and_then(Value::as_str);
    if let Some(mode) = mode {
        w.field(0, "Completion Mode", mode);
    }
    for (title, field) in [
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ] {
        if let Some(value) = spec(field) {
            w.field(0, title, value);
        }
    }
    times(w, subject);
    if let Some(seconds) = spec("activeDeadlineSeconds") {
        w.field(0, "Active Deadline Seconds", format_args!("{seconds}s"));
    }
    let ready = present(object, &["status", "ready"]).map(|ready| format!(" ({ready} Ready)")).unwrap_or_default();
    let (active, succeeded, failed) = (status("active"), status("succeeded"), status("failed"));
    w.field(0, "Pods Statuses", format_args!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"));
    if mode == Some("Indexed") {
        w.field(0, "Completed Indexes", shortened_indexes(meta::str_at(object, &["status", "completedIndexes"])));
    }
    pod::template(w, spec("template"), settings);
    events::describe(subject, w);
    Ok(())
}

fn times(w: &mut Writer, subject: &Subject<'_>) {
    let object = subject.object;
    let parsed = |field: &str| cells::parse_time(meta::str_at(object, &["status", field]));
    let (start, end) = (parsed("startTime"), parsed("completionTime"));
    if start.is_some() {
        w.field(0, "Start Time", text::time(object, &["status", "startTime"], subject.settings));
    }
    if end.is_some() {
        w.field(0, "Completed At", text::time(object, &["status", "completionTime"], subject.settings));
    }
    if let (Some(start), Some(end)) = (start, end) {
        w.field(0, "Duration", cells::human(end - start));
    }
}

/// The list cut at the first comma after enough of it.
fn shortened_indexes(indexes: &str) -> String {
    if indexes.is_empty() {
        return "<none>".to_owned();
    }
    match indexes.bytes().enumerate().skip(MAX_INDEXES).find(|(_, byte)| *byte == b',') {
        Some((at, _)) => format!("{}...", indexes.get(..=at).unwrap_or(indexes)),
        None => indexes.to_owned(),
    }
}

fn cron_job(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let (object, settings) = (subject.object, subject.settings);
    let spec = |field: &str| present(object, &["spec", field]);
    let text_of = |field: &str| meta::str_at(object, &["spec", field]);
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.field(0, "Schedule", text_of("schedule"));
    w.field(0, "Concurrency Policy", text_of("concurrencyPolicy"));
    w.field(0, "Suspend", text::optional_flag(spec("suspend")));
    w.field(0, "Time Zone", spec("timeZone").and_then(Value::as_str).unwrap_or("<unset>"));
    w.field(0, "Successful Job History Limit", optional_number(spec("successfulJobsHistoryLimit")));
    w.field(0, "Failed Job History Limit", optional_number(spec("failedJobsHistoryLimit")));
    let deadline = spec("startingDeadlineSeconds").map_or_else(|| "<unset>".to_owned(), |s| format!("{s}s"));
    w.field(0, "Starting Deadline Seconds", deadline);
    let empty = Value::Null;
    let job = present(object, &["spec", "jobTemplate", "spec"]).unwrap_or(&empty);
    let selector = present(job, &["selector"]).map_or_else(|| "<unset>".to_owned(), |_| selector(job));
    w.field(0, "Selector", selector);
    w.field(0, "Parallelism", optional_number(present(job, &["parallelism"])));
    w.field(0, "Completions", optional_number(present(job, &["completions"])));
    if let Some(seconds) = present(job, &["activeDeadlineSeconds"]) {
        w.field(0, "Active Deadline Seconds", format_args!("{seconds}s"));
    }
    pod::template(w, present(job, &["template"]), settings);
    match present(object, &["status", "lastScheduleTime"]) {
        Some(_) => w.field(0, "Last Schedule Time", text::time(object, &["status", "lastScheduleTime"], settings)),
        None => w.field(0, "Last Schedule Time", "<unset>"),
    }
    let active = meta::list_at(object, &["status", "active"]).iter().map(|job| meta::str_at(job, &["name"]));
    w.field(0, "Active Jobs", text::or(&active.collect::<Vec<_>>().join(", "), "<none>"));
    events::describe(subject, w);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::shortened_indexes;

    #[test]
    fn long_lists_of_indexes_end_at_a_comma() {
        let indexes: Vec<String> = (100..130).map(|index| index.to_string()).collect();
        let shown = shortened_indexes(&indexes.join(","));
        assert!(shown.ends_with("112,..."), "{shown}");
        assert_eq!(shortened_indexes(""), "<none>");
    }
}
