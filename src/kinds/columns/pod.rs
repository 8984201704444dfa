//! The row of a pod: its readiness and the one word that sums up its state.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Needed, Row, RowOf, text};
use crate::object::{Value, meta};

pub(super) const ROWS: &[RowOf] = &[("", "Pod", row)];

const ALL: Needed = Needed::ALL;
const TERMINATED: Needed = Needed::only(&[("exitCode", ALL), ("finishedAt", ALL), ("reason", ALL), ("signal", ALL)]);
/// `running` is asked for its presence alone, but an empty one is no less there.
const STATE: Needed = Needed::only(&[("running", ALL), ("terminated", TERMINATED), ("waiting", ALL)]);
const CONTAINER_STATUS: Needed = Needed::only(&[
    ("lastState", STATE),
    ("name", ALL),
    ("ready", ALL),
    ("restartCount", ALL),
    ("started", ALL),
    ("state", STATE),
]);

/// The fields that rows are made of.
pub(super) const NEEDED: Needed = Needed::only(&[
    ("metadata", Needed::only(&[("creationTimestamp", ALL), ("deletionTimestamp", ALL), ("name", ALL)])),
    (
        "spec",
        Needed::only(&[
            ("containers", Needed::only(&[("name", ALL)])),
            ("initContainers", Needed::only(&[("name", ALL), ("restartPolicy", ALL)])),
            ("nodeName", ALL),
            ("readinessGates", ALL),
        ]),
    ),
    (
        "status",
        Needed::only(&[
            ("conditions", Needed::only(&[("reason", ALL), ("status", ALL), ("type", ALL)])),
            ("containerStatuses", CONTAINER_STATUS),
            ("initContainerStatuses", CONTAINER_STATUS),
            ("nominatedNodeName", ALL),
            ("phase", ALL),
            ("podIPs", ALL),
            ("reason", ALL),
        ]),
    ),
]);

/// What the containers' states add up to.
struct Summary {
    reason: String,
    restarts: i64,
    last_restart: Option<DateTime<Utc>>,
    ready: usize,
    total: usize,
}

impl Summary {
    /// Adds the restarts of one container.
    fn count_restarts(&mut self, status: &Value) {
        self.restarts += meta::int_at(status, &["restartCount"]).unwrap_or_default();
        self.last_restart = self.last_restart.max(last_termination(status));
    }
}

fn last_termination(status: &Value) -> Option<DateTime<Utc>> {
    text::parse_time(meta::str_at(status, &["lastState", "terminated", "finishedAt"]))
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = meta::list_at(object, &["status", "conditions"]);
    conditions.iter().find(|c| meta::str_at(c, &["type"]) == type_)
}

fn condition_is_true(object: &Value, type_: &str) -> bool {
    condition(object, type_).is_some_and(|c| meta::str_at(c, &["status"]) == "True")
}

/// `Reason`, `Signal:N` or `ExitCode:N` of a terminated state.
fn ending(terminated: &Value) -> String {
    let reason = meta::str_at(terminated, &["reason"]);
    let signal = meta::int_at(terminated, &["signal"]).unwrap_or_default();
    match (reason.is_empty(), signal) {
        (false, _) => reason.to_owned(),
        (true, 0) => format!("ExitCode:{}", exit_code(terminated)),
        (true, signal) => format!("Signal:{signal}"),
    }
}

fn exit_code(terminated: &Value) -> i64 {
    meta::int_at(terminated, &["exitCode"]).unwrap_or_default()
}

fn state<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    meta::get(status, &["state", name]).filter(|s| !s.is_null())
}

/// Names of the init containers that keep running beside the others.
fn sidecars(pod: &Value) -> Vec<&str> {
    let init = meta::list_at(pod, &["spec", "initContainers"]).iter();
    init.filter(|c| meta::str_at(c, &["restartPolicy"]) == "Always").map(|c| meta::str_at(c, &["name"])).collect()
}

/// Goes through the init containers; true when the pod is still initializing.
///
/// The restarts of sidecars are counted apart into `of_sidecars`, since only they count once the pod runs.
fn initialize(pod: &Value, sidecars: &[&str], all: &mut Summary, of_sidecars: &mut Summary) -> bool {
    let wanted = meta::list_at(pod, &["spec", "initContainers"]).len();
    for (index, status) in meta::list_at(pod, &["status", "initContainerStatuses"]).iter().enumerate() {
        let sidecar = sidecars.contains(&meta::str_at(status, &["name"]));
        all.count_restarts(status);
        if sidecar {
            of_sidecars.count_restarts(status);
        }
        let terminated = state(status, "terminated");
        if terminated.is_some_and(|t| exit_code(t) == 0) {
            continue;
        }
        if sidecar && meta::bool_at(status, &["started"]) {
            all.ready += usize::from(meta::bool_at(status, &["ready"]));
            continue;
        }
        let waiting = state(status, "waiting").map(|w| meta::str_at(w, &["reason"])).unwrap_or_default();
        all.reason = match (terminated, waiting) {
            (Some(terminated), _) => format!("Init:{}", ending(terminated)),
            (None, "" | "PodInitializing") => format!("Init:{index}/{wanted}"),
            (None, reason) => format!("Init:{reason}"),
        };
        return true;
    }
    false
}

/// Goes through the containers, last one first, so that the first one's reason wins.
fn run(pod: &Value, summary: &mut Summary) {
    let mut running = false;
    let mut error = String::new();
    for status in meta::list_at(pod, &["status", "containerStatuses"]).iter().rev() {
        summary.count_restarts(status);
        let waiting = state(status, "waiting").map(|w| meta::str_at(w, &["reason"])).unwrap_or_default();
        if !waiting.is_empty() {
            summary.reason = waiting.to_owned();
        } else if let Some(terminated) = state(status, "terminated") {
            summary.reason = ending(terminated);
            if exit_code(terminated) != 0 {
                error.clone_from(&summary.reason);
            }
        } else if meta::bool_at(status, &["ready"]) && state(status, "running").is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        if running && condition_is_true(pod, "Ready") {
            summary.reason = "Running".to_owned();
        } else if !error.is_empty() {
            summary.reason = error;
        } else if running {
            summary.reason = "NotReady".to_owned();
        }
    }
}

fn summarize(pod: &Value) -> Summary {
    let phase = meta::str_at(pod, &["status", "phase"]);
    let status_reason = meta::str_at(pod, &["status", "reason"]);
    let gated = meta::list_at(pod, &["status", "conditions"])
        .iter()
        .any(|c| meta::str_at(c, &["type"]) == "PodScheduled" && meta::str_at(c, &["reason"]) == "SchedulingGated");
    let reason = match (gated, status_reason) {
        (true, _) => "SchedulingGated",
        (false, "") => phase,
        (false, reason) => reason,
    };
    let sidecars = sidecars(pod);
    let total = meta::list_at(pod, &["spec", "containers"]).len() + sidecars.len();
    let new = || Summary { reason: reason.to_owned(), restarts: 0, last_restart: None, ready: 0, total };
    let (mut summary, mut of_sidecars) = (new(), new());
    let initializing = initialize(pod, &sidecars, &mut summary, &mut of_sidecars);
    if !initializing || condition_is_true(pod, "Initialized") {
        summary.restarts = of_sidecars.restarts;
        summary.last_restart = of_sidecars.last_restart;
        run(pod, &mut summary);
    }
    if meta::deletion_timestamp(pod).is_some() {
        if status_reason == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if !matches!(phase, "Failed" | "Succeeded") {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

fn readiness_gates(pod: &Value) -> String {
    let gates = meta::list_at(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates.iter().filter(|gate| condition_is_true(pod, meta::str_at(gate, &["conditionType"]))).count();
    format!("{met}/{}", gates.len())
}

fn row(row: &Row<'_>) -> Vec<Value> {
    let pod = row.object;
    let summary = summarize(pod);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, text::human(row.now - last))
        }
        _ => summary.restarts.to_string(),
    };
    let ip = row.list(&["status", "podIPs"]).first().map(|ip| meta::str_at(ip, &["ip"])).unwrap_or_default();
    vec![
        row.name(),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(restarts),
        row.age(),
        json!(text::or_none(ip.to_owned())),
        json!(text::or_none(row.text(&["spec", "nodeName"]).to_owned())),
        json!(text::or_none(row.text(&["status", "nominatedNodeName"]).to_owned())),
        json!(readiness_gates(pod)),
    ]
}

/// The row condition of a pod that ended.
pub(super) fn row_conditions(pod: &Value) -> Vec<Value> {
    let (reason, message) = match meta::str_at(pod, &["status", "phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return Vec::new(),
    };
    vec![json!({"type": "Completed", "status": "True", "reason": reason, "message": message})]
}
