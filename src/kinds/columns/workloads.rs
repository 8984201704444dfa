//! Rows of the groups apps and batch.

use serde_json::json;

use super::{Row, RowOf, text};
use crate::object::selector::LabelSelector;
use crate::object::{GroupVersion, Value, meta};

pub(super) const ROWS: &[RowOf] = &[
    ("apps", "ControllerRevision", controller_revision),
    ("apps", "DaemonSet", daemon_set),
    ("apps", "Deployment", deployment),
    ("apps", "ReplicaSet", replica_set),
    ("apps", "StatefulSet", stateful_set),
    ("batch", "CronJob", cron_job),
    ("batch", "Job", job),
];

fn controller_revision(row: &Row<'_>) -> Vec<Value> {
    let controller = meta::controller_of(row.object).map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let version = GroupVersion::parse(meta::api_version(owner)).unwrap_or_default();
            let kind = version.with_kind(meta::kind(owner)).group_kind().to_string().to_lowercase();
            format!("{kind}/{}", meta::str_at(owner, &["name"]))
        },
    );
    vec![row.name(), json!(controller), json!(row.int(&["revision"])), row.age()]
}

/// Containers, images and selector, the wide columns of most workloads.
fn wide(row: &Row<'_>, pod_spec: &[&str], selector: &[&str]) -> Vec<Value> {
    let (names, images) = text::containers(row.get(pod_spec));
    vec![json!(names), json!(images), json!(text::selector_or_none(row.get(selector)))]
}

fn with(mut cells: Vec<Value>, more: Vec<Value>) -> Vec<Value> {
    cells.extend(more);
    cells
}

fn daemon_set(row: &Row<'_>) -> Vec<Value> {
    let status = |field: &str| json!(row.int(&["status", field]));
    let node_selector = meta::map_at(row.object, &["spec", "template", "spec", "nodeSelector"]);
    let cells = vec![
        row.name(),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        json!(text::labels(node_selector)),
        row.age(),
    ];
    with(cells, wide(row, &["spec", "template", "spec"], &["spec", "selector"]))
}

fn deployment(row: &Row<'_>) -> Vec<Value> {
    let ready = format!("{}/{}", row.int(&["status", "readyReplicas"]), row.int(&["spec", "replicas"]));
    let (names, images) = text::containers(row.get(&["spec", "template", "spec"]));
    // Unlike elsewhere the selector stands bare here, without `<none>`.
    let selector = LabelSelector::from_struct(row.get(&["spec", "selector"]).unwrap_or(&Value::Null));
    let selector = selector.map_or_else(|_| "<invalid>".to_owned(), |selector| selector.to_string());
    vec![
        row.name(),
        json!(ready),
        json!(row.int(&["status", "updatedReplicas"])),
        json!(row.int(&["status", "availableReplicas"])),
        row.age(),
        json!(names),
        json!(images),
        json!(selector),
    ]
}

fn replica_set(row: &Row<'_>) -> Vec<Value> {
    let cells = vec![
        row.name(),
        json!(row.int(&["spec", "replicas"])),
        json!(row.int(&["status", "replicas"])),
        json!(row.int(&["status", "readyReplicas"])),
        row.age(),
    ];
    with(cells, wide(row, &["spec", "template", "spec"], &["spec", "selector"]))
}

fn stateful_set(row: &Row<'_>) -> Vec<Value> {
    let ready = format!("{}/{}", row.int(&["status", "readyReplicas"]), row.int(&["spec", "replicas"]));
    let (names, images) = text::containers(row.get(&["spec", "template", "spec"]));
    vec![row.name(), json!(ready), row.age(), json!(names), json!(images)]
}

fn cron_job(row: &Row<'_>) -> Vec<Value> {
    let last = match row.get(&["status", "lastScheduleTime"]) {
        None => "<none>".to_owned(),
        Some(_) => row.since(&["status", "lastScheduleTime"]),
    };
    let suspend = match row.get(&["spec", "suspend"]).and_then(Value::as_bool) {
        None => "<unset>",
        Some(true) => "True",
        Some(false) => "False",
    };
    let cells = vec![
        row.name(),
        json!(row.text(&["spec", "schedule"])),
        json!(row.text_or(&["spec", "timeZone"], "<none>")),
        json!(suspend),
        json!(row.list(&["status", "active"]).len()),
        json!(last),
        row.age(),
    ];
    let job = ["spec", "jobTemplate", "spec"];
    with(cells, wide(row, &[&job[..], &["template", "spec"]].concat(), &[&job[..], &["selector"]].concat()))
}

fn job_completions(row: &Row<'_>) -> String {
    let succeeded = row.int(&["status", "succeeded"]);
    if let Some(completions) = meta::int_at(row.object, &["spec", "completions"]) {
        return format!("{succeeded}/{completions}");
    }
    match row.int(&["spec", "parallelism"]) {
        parallelism if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        _ => format!("{succeeded}/1"),
    }
}

fn job_status(row: &Row<'_>) -> &'static str {
    let conditions = row.list(&["status", "conditions"]);
    let has = |type_: &str| {
        let found = conditions.iter().find(|c| meta::str_at(c, &["type"]) == type_);
        found.is_some_and(|c| meta::str_at(c, &["status"]) == "True")
    };
    match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if row.deleted() => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn job(row: &Row<'_>) -> Vec<Value> {
    let start = text::parse_time(row.text(&["status", "startTime"]));
    let end = text::parse_time(row.text(&["status", "completionTime"])).unwrap_or(row.now);
    let duration = start.map(|start| text::human(end - start)).unwrap_or_default();
    let cells = vec![row.name(), json!(job_status(row)), json!(job_completions(row)), json!(duration), row.age()];
    with(cells, wide(row, &["spec", "template", "spec"], &["spec", "selector"]))
}
