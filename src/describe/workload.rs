//! Deployments, replica sets, replication controllers, daemon sets, stateful sets.

use super::related::Request;
use super::text::{self, present};
use super::{Describer, Error, Subject, Writer, events, pod};
use crate::kinds::columns::text::{labels, quantity, selector_or_none, storage_class};
use crate::object::selector::{LabelSelector, SelectorError};
use crate::object::{Map, Status, Value, go, intstr, meta};

pub(super) const TABLE: &[Describer] = &[
    Describer::new("", "ReplicationController", replication_controller).reads(|object| vec![pods(object)]),
    Describer::new("apps", "DaemonSet", daemon_set).reads(|object| vec![pods(object)]),
    Describer::new("apps", "Deployment", deployment).reads(|object| vec![replica_sets(object)]),
    Describer::new("apps", "ReplicaSet", replica_set).reads(|object| vec![pods(object)]),
    Describer::new("apps", "StatefulSet", stateful_set).reads(|object| vec![pods(object)]),
];

/// The label of the hash that tells the replica sets of a deployment apart.
const TEMPLATE_HASH: &str = "pod-template-hash";

fn number(object: &Value, path: &[&str]) -> i64 {
    meta::int_at(object, path).unwrap_or_default()
}

/// The label selector of a workload as it goes into a request; replication controllers have a plain map.
fn selector_text(object: &Value) -> String {
    match meta::kind(object) {
        "ReplicationController" => {
            let pairs = meta::texts(meta::map_at(object, &["spec", "selector"]));
            pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        }
        _ => selector(object).map(|selector| selector.to_string()).unwrap_or_default(),
    }
}

fn pods(object: &Value) -> Request {
    Request::list("", "v1", "pods", meta::namespace(object)).labelled(selector_text(object))
}

fn replica_sets(object: &Value) -> Request {
    Request::list("apps", "v1", "replicasets", meta::namespace(object)).labelled(selector_text(object))
}

fn selector(object: &Value) -> Result<LabelSelector, SelectorError> {
    LabelSelector::from_struct(meta::get(object, &["spec", "selector"]).unwrap_or(&Value::Null))
}

/// The selector as text, or the refusal of an invalid one.
fn valid_selector(object: &Value) -> Result<String, Error> {
    selector(object).map(|selector| selector.to_string()).map_err(|error| Error::Malformed(error.to_string()))
}

/// How many pods of a workload are in each phase, in words.
fn pod_phases(subject: &Subject<'_>) -> Result<String, Status> {
    let uid = meta::uid(subject.object);
    let owned = |pod: &&Value| meta::controller_of(pod).is_some_and(|owner| meta::str_at(owner, &["uid"]) == uid);
    let listed = subject.related.list(&pods(subject.object))?;
    let count = |phase: &str| {
        listed.iter().filter(owned).filter(|pod| meta::str_at(pod, &["status", "phase"]) == phase).count()
    };
    Ok(format!(
        "{} Running / {} Waiting / {} Succeeded / {} Failed",
        count("Running"),
        count("Pending"),
        count("Succeeded"),
        count("Failed")
    ))
}

fn name(w: &mut Writer, object: &Value) {
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
}

fn labels_and_annotations(w: &mut Writer, object: &Value) {
    text::labels(w, object);
    text::object_annotations(w, object);
}

fn template(w: &mut Writer, subject: &Subject<'_>) {
    pod::template(w, present(subject.object, &["spec", "template"]), subject.settings);
}

fn replication_controller(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let phases = pod_phases(subject)?;
    name(w, object);
    w.field(0, "Selector", labels(meta::map_at(object, &["spec", "selector"])));
    labels_and_annotations(w, object);
    current_and_desired(w, object);
    w.field(0, "Pods Status", phases);
    template(w, subject);
    text::reason_conditions(w, object);
    events::describe(subject, w);
    Ok(())
}

fn current_and_desired(w: &mut Writer, object: &Value) {
    let (current, desired) = (number(object, &["status", "replicas"]), number(object, &["spec", "replicas"]));
    w.field(0, "Replicas", format_args!("{current} current / {desired} desired"));
}

fn replica_set(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    valid_selector(object)?;
    name(w, object);
    w.field(0, "Selector", selector_or_none(present(object, &["spec", "selector"])));
    labels_and_annotations(w, object);
    text::controlled_by(w, object);
    current_and_desired(w, object);
    match pod_phases(subject) {
        Ok(phases) => w.field(0, "Pods Status", phases),
        Err(status) => w.field(0, "Pods Status", format_args!("error in fetching pods: {status}")),
    }
    template(w, subject);
    text::reason_conditions(w, object);
    events::describe(subject, w);
    Ok(())
}

fn daemon_set(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let selector = valid_selector(object)?;
    let phases = pod_phases(subject)?;
    name(w, object);
    w.field(0, "Selector", selector);
    w.field(0, "Node-Selector", labels(meta::map_at(object, &["spec", "template", "spec", "nodeSelector"])));
    labels_and_annotations(w, object);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        w.line(0, format_args!("{title}: {}", number(object, &["status", field])));
    }
    w.field(0, "Pods Status", phases);
    template(w, subject);
    events::describe(subject, w);
    Ok(())
}

fn stateful_set(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let selector = valid_selector(object)?;
    let phases = pod_phases(subject)?;
    name(w, object);
    w.field(0, "CreationTimestamp", text::time(object, &["metadata", "creationTimestamp"], subject.settings));
    w.field(0, "Selector", selector);
    labels_and_annotations(w, object);
    let (desired, total) = (number(object, &["spec", "replicas"]), number(object, &["status", "replicas"]));
    w.field(0, "Replicas", format_args!("{desired} desired | {total} total"));
    w.field(0, "Update Strategy", meta::str_at(object, &["spec", "updateStrategy", "type"]));
    let rolling = ["spec", "updateStrategy", "rollingUpdate"];
    if let Some(partition) = present(object, &[&rolling[..], &["partition"]].concat()) {
        w.field(1, "Partition", partition);
        if let Some(unavailable) = present(object, &[&rolling[..], &["maxUnavailable"]].concat()) {
            w.field(1, "MaxUnavailable", intstr::to_text(unavailable));
        }
    }
    w.field(0, "Pods Status", phases);
    template(w, subject);
    claim_templates(w, meta::list_at(object, &["spec", "volumeClaimTemplates"]));
    events::describe(subject, w);
    Ok(())
}

fn claim_templates(w: &mut Writer, templates: &[Value]) {
    if templates.is_empty() {
        w.field(0, "Volume Claims", "<none>");
        return;
    }
    w.line(0, "Volume Claims:");
    for claim in templates {
        w.field(1, "Name", meta::name(claim));
        w.field(1, "StorageClass", storage_class(claim));
        text::map_lines(w, "  ", "Labels", meta::map_at(claim, &["metadata", "labels"]));
        text::map_lines(w, "  ", "Annotations", meta::map_at(claim, &["metadata", "annotations"]));
        let capacity = present(claim, &["spec", "resources", "requests", "storage"]);
        w.field(1, "Capacity", capacity.map_or_else(|| "<default>".to_owned(), |c| quantity(Some(c))));
        w.field(1, "Access Modes", go::list_text(meta::list_at(claim, &["spec", "accessModes"])));
    }
}

fn deployment(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let selector = valid_selector(object)?;
    name(w, object);
    w.field(0, "CreationTimestamp", text::time(object, &["metadata", "creationTimestamp"], subject.settings));
    labels_and_annotations(w, object);
    w.field(0, "Selector", selector);
    let status = |field: &str| number(object, &["status", field]);
    w.field(
        0,
        "Replicas",
        format_args!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            number(object, &["spec", "replicas"]),
            status("updatedReplicas"),
            status("replicas"),
            status("availableReplicas"),
            status("unavailableReplicas")
        ),
    );
    w.field(0, "StrategyType", meta::str_at(object, &["spec", "strategy", "type"]));
    w.field(0, "MinReadySeconds", number(object, &["spec", "minReadySeconds"]));
    if let Some(rolling) = present(object, &["spec", "strategy", "rollingUpdate"]) {
        let part = |field: &str| present(rolling, &[field]).map_or_else(|| "<nil>".to_owned(), intstr::to_text);
        let (unavailable, surge) = (part("maxUnavailable"), part("maxSurge"));
        w.field(0, "RollingUpdateStrategy", format_args!("{unavailable} max unavailable, {surge} max surge"));
    }
    template(w, subject);
    text::reason_conditions(w, object);
    if let Ok(sets) = subject.related.list(&replica_sets(object)) {
        let (old, new) = old_and_new(object, sets);
        if !old.is_empty() || new.is_some() {
            w.field(0, "OldReplicaSets", created(&old));
            w.field(0, "NewReplicaSet", created(new.as_slice()));
        }
    }
    events::describe(subject, w);
    Ok(())
}

/// The replica sets of a deployment, oldest first, and among them the one that has its present template.
fn old_and_new<'a>(deployment: &Value, sets: &'a [Value]) -> (Vec<&'a Value>, Option<&'a Value>) {
    let uid = meta::uid(deployment);
    let owned = |set: &&Value| meta::controller_of(set).is_some_and(|owner| meta::str_at(owner, &["uid"]) == uid);
    let mut sets: Vec<&Value> = sets.iter().filter(owned).collect();
    sets.sort_by_key(|set| (meta::str_at(set, &["metadata", "creationTimestamp"]), meta::name(set)));
    let wanted = comparable(meta::get(deployment, &["spec", "template"]));
    let new = sets.iter().copied().find(|set| comparable(meta::get(set, &["spec", "template"])) == wanted);
    if let Some(new) = new {
        sets.retain(|set| meta::uid(set) != meta::uid(new));
    }
    (sets, new)
}

/// A template without its hash and without what is empty, since Go tells absent from empty no more than null.
fn comparable(template: Option<&Value>) -> Value {
    let mut template = template.cloned().unwrap_or_default();
    meta::remove(&mut template, &["metadata", "labels", TEMPLATE_HASH]);
    without_empty(template)
}

fn without_empty(value: Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !empty(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn created(sets: &[&Value]) -> String {
    let texts = sets.iter().map(|set| {
        let (created, wanted) = (number(set, &["status", "replicas"]), number(set, &["spec", "replicas"]));
        format!("{} ({created}/{wanted} replicas created)", meta::name(set))
    });
    text::or(&texts.collect::<Vec<_>>().join(", "), "<none>").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_replica_set_with_the_present_template_is_the_new_one() {
        let set = |name: &str, image: &str, at: &str| {
            json!({
                "metadata": {"name": name, "uid": name, "creationTimestamp": at,
                    "ownerReferences": [{"controller": true, "uid": "d"}]},
                "spec": {"replicas": 2, "template": {
                    "metadata": {"labels": {"app": "a", "pod-template-hash": name}},
                    "spec": {"containers": [{"image": image}]}}},
                "status": {"replicas": 1},
            })
        };
        let deployment = json!({
            "metadata": {"uid": "d"},
            "spec": {"template": {
                "metadata": {"creationTimestamp": null, "labels": {"app": "a"}},
                "spec": {"containers": [{"image": "b", "resources": {}}]}}},
        });
        let sets = [set("y", "b", "2026-01-03T00:00:00Z"), set("x", "a", "2026-01-02T00:00:00Z")];
        let (old, new) = old_and_new(&deployment, &sets);
        assert_eq!(created(&old), "x (1/2 replicas created)");
        assert_eq!(new.map(meta::name), Some("y"));
    }
}
