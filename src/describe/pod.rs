//! Pods and pod templates.

use super::container::{self, Containers};
use super::text::{self, present};
use super::{Describer, Error, Settings, Subject, Writer, events, resources, volume};
use crate::kinds::columns::text::selector_or_none;
use crate::object::{Value, meta};

pub(super) const TABLE: &[Describer] = &[Describer::new("", "Pod", describe)];

fn describe(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let (pod, settings) = (subject.object, subject.settings);
    heading(w, pod, settings);
    state(w, pod, settings);
    let empty: &[Value] = &[];
    for (label, field, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        let list = meta::list_at(pod, &["spec", field]);
        let statuses = meta::list_at(pod, &["status", statuses]);
        if list.is_empty() && label != "Containers" {
            continue;
        }
        let statuses = if list.is_empty() { empty } else { statuses };
        container::describe(w, Containers { label, list, statuses, pod: Some(pod), space: "" }, settings);
    }
    conditions(w, pod);
    let spec = present(pod, &["spec"]);
    volume::of_pod(w, spec, "");
    w.field(0, "QoS Class", resources::quality_of_service(pod));
    text::map_lines(w, "", "Node-Selectors", meta::map_at(pod, &["spec", "nodeSelector"]));
    text::tolerations(w, "Tolerations", meta::list_at(pod, &["spec", "tolerations"]));
    if let Some(spec) = spec {
        spread_constraints(w, spec, "");
        scheduling_group(w, spec, "");
    }
    events::describe(subject, w);
    Ok(())
}

fn heading(w: &mut Writer, pod: &Value, settings: &Settings) {
    let spec = |field: &str| meta::str_at(pod, &["spec", field]);
    w.field(0, "Name", meta::name(pod));
    w.field(0, "Namespace", meta::namespace(pod));
    if let Some(priority) = present(pod, &["spec", "priority"]) {
        w.field(0, "Priority", priority);
    }
    for (title, field) in [
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ] {
        if !spec(field).is_empty() {
            w.field(0, title, spec(field));
        }
    }
    match spec("nodeName") {
        "" => w.field(0, "Node", "<none>"),
        node => w.field(0, "Node", format_args!("{node}/{}", meta::str_at(pod, &["status", "hostIP"]))),
    }
    if present(pod, &["status", "startTime"]).is_some() {
        w.field(0, "Start Time", text::time(pod, &["status", "startTime"], settings));
    }
    text::labels(w, pod);
    text::object_annotations(w, pod);
}

fn state(w: &mut Writer, pod: &Value, settings: &Settings) {
    let status = |field: &str| meta::str_at(pod, &["status", field]);
    if meta::deletion_timestamp(pod).is_some() && !matches!(status("phase"), "Failed" | "Succeeded") {
        let since = text::since(pod, &["metadata", "deletionTimestamp"], settings.now);
        w.field(0, "Status", format_args!("Terminating (lasts {since})"));
        let grace = meta::int_at(pod, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default();
        w.field(0, "Termination Grace Period", format_args!("{grace}s"));
    } else {
        w.field(0, "Status", status("phase"));
    }
    for (title, field) in [("Reason", "reason"), ("Message", "message")] {
        if !status(field).is_empty() {
            w.field(0, title, status(field));
        }
    }
    if let Some(profile) = present(pod, &["spec", "securityContext", "seccompProfile"]) {
        container::seccomp(w, profile, 0, 0);
    }
    w.field(0, "IP", status("podIP"));
    let ips = meta::list_at(pod, &["status", "podIPs"]);
    if ips.is_empty() {
        w.field(0, "IPs", "<none>");
    } else {
        w.line(0, "IPs:");
        for ip in ips {
            w.field(1, "IP", meta::str_at(ip, &["ip"]));
        }
    }
    text::controlled_by(w, pod);
    if !status("nominatedNodeName").is_empty() {
        w.field(0, "NominatedNodeName", status("nominatedNodeName"));
    }
    if let Some(resources) = present(pod, &["spec", "resources"]) {
        w.line(0, "Resources:");
        container::amounts(w, resources, 1);
    }
}

fn conditions(w: &mut Writer, pod: &Value) {
    let conditions = meta::list_at(pod, &["status", "conditions"]);
    let gates = meta::list_at(pod, &["spec", "readinessGates"]);
    if !gates.is_empty() {
        w.line(0, "Readiness Gates:\n  Type\tStatus");
        for gate in gates {
            let type_ = meta::str_at(gate, &["conditionType"]);
            let found = conditions.iter().find(|c| meta::str_at(c, &["type"]) == type_);
            w.line(1, format_args!("{type_} \t{} ", found.map_or("<none>", |c| meta::str_at(c, &["status"]))));
        }
    }
    if !conditions.is_empty() {
        w.line(0, "Conditions:\n  Type\tStatus");
        for c in conditions {
            w.line(1, format_args!("{} \t{} ", meta::str_at(c, &["type"]), meta::str_at(c, &["status"])));
        }
    }
}

fn spread_constraints(w: &mut Writer, spec: &Value, space: &str) {
    let mut constraints: Vec<&Value> = meta::list_at(spec, &["topologySpreadConstraints"]).iter().collect();
    if constraints.is_empty() {
        return;
    }
    constraints.sort_by_key(|constraint| meta::str_at(constraint, &["topologyKey"]));
    let lines = constraints.into_iter().map(|constraint| {
        let part = |field: &str| meta::str_at(constraint, &[field]);
        let skew = meta::int_at(constraint, &["maxSkew"]).unwrap_or_default();
        let text = format!("{}:{} when max skew {skew} is exceeded", part("topologyKey"), part("whenUnsatisfiable"));
        match present(constraint, &["labelSelector"]) {
            Some(selector) => format!("{text} for selector {}", selector_or_none(Some(selector))),
            None => text,
        }
    });
    text::lines_below(w, space, "Topology Spread Constraints", lines);
}

fn scheduling_group(w: &mut Writer, spec: &Value, space: &str) {
    if let Some(group) = present(spec, &["schedulingGroup"]) {
        w.line(0, format_args!("{space}SchedulingGroup:"));
        w.field(1, "PodGroupName", meta::str_at(group, &["podGroupName"]));
    }
}

/// Writes the pod template of a workload.
pub(super) fn template(w: &mut Writer, template: Option<&Value>, settings: &Settings) {
    w.line(0, "Pod Template:");
    let Some(template) = template.filter(|t| !t.is_null()) else {
        w.put(1, "<unset>");
        return;
    };
    text::map_lines(w, "", "  Labels", meta::map_at(template, &["metadata", "labels"]));
    if let Some(map) = meta::map_at(template, &["metadata", "annotations"]).filter(|map| !map.is_empty()) {
        text::annotations(w, "  Annotations", Some(map));
    }
    let empty = Value::Null;
    let spec = present(template, &["spec"]).unwrap_or(&empty);
    let part = |field: &str| meta::str_at(spec, &[field]);
    if !part("serviceAccountName").is_empty() {
        w.field(1, "Service Account", part("serviceAccountName"));
    }
    for (label, field) in [("Init Containers", "initContainers"), ("Containers", "containers")] {
        let list = meta::list_at(spec, &[field]);
        if !list.is_empty() || label == "Containers" {
            container::describe(w, Containers { label, list, statuses: &[], pod: None, space: "  " }, settings);
        }
    }
    volume::of_pod(w, Some(spec), "  ");
    spread_constraints(w, spec, "  ");
    if !part("priorityClassName").is_empty() {
        w.field(1, "Priority Class Name", part("priorityClassName"));
    }
    text::map_lines(w, "", "  Node-Selectors", meta::map_at(spec, &["nodeSelector"]));
    text::tolerations(w, "  Tolerations", meta::list_at(spec, &["tolerations"]));
    scheduling_group(w, spec, "  ");
}
