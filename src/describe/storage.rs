//! Persistent volumes, claims, storage classes and their like.

use super::related::Request;
use super::text::{self, present};
use super::{Describer, Error, Subject, Writer, events, volume};
use crate::kinds::columns::is_default_class;
use crate::kinds::columns::text::{access_modes, labels, quantity, storage_class};
use crate::object::{Value, go, meta};

pub(super) const TABLE: &[Describer] = &[
    Describer::new("", "PersistentVolume", persistent_volume),
    Describer::new("", "PersistentVolumeClaim", persistent_volume_claim).reads(|claim| vec![pods(claim)]),
    Describer::new("storage.k8s.io", "CSINode", csi_node),
    Describer::new("storage.k8s.io", "StorageClass", class),
    Describer::new("storage.k8s.io", "VolumeAttributesClass", attributes_class),
];

fn pods(claim: &Value) -> Request {
    Request::list("", "v1", "pods", meta::namespace(claim))
}

fn status(w: &mut Writer, subject: &Subject<'_>) {
    if meta::deletion_timestamp(subject.object).is_some() {
        let since = text::since(subject.object, &["metadata", "deletionTimestamp"], subject.settings.now);
        w.field(0, "Status", format_args!("Terminating (lasts {since})"));
    } else {
        w.field(0, "Status", meta::str_at(subject.object, &["status", "phase"]));
    }
}

fn persistent_volume(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.field(0, "Finalizers", go::list_text(meta::list_at(object, &["metadata", "finalizers"])));
    w.field(0, "StorageClass", storage_class(object));
    status(w, subject);
    let claim = present(object, &["spec", "claimRef"])
        .map(|claim| format!("{}/{}", meta::str_at(claim, &["namespace"]), meta::str_at(claim, &["name"])));
    w.field(0, "Claim", claim.unwrap_or_default());
    w.field(0, "Reclaim Policy", meta::str_at(object, &["spec", "persistentVolumeReclaimPolicy"]));
    w.field(0, "Access Modes", access_modes(meta::list_at(object, &["spec", "accessModes"])));
    if present(object, &["spec", "volumeMode"]).is_some() {
        w.field(0, "VolumeMode", meta::str_at(object, &["spec", "volumeMode"]));
    }
    w.field(0, "Capacity", quantity(present(object, &["spec", "capacity", "storage"])));
    node_affinity(w, present(object, &["spec", "nodeAffinity", "required"]));
    w.field(0, "Message", meta::str_at(object, &["status", "message"]));
    w.line(0, "Source:");
    volume::persistent(w, present(object, &["spec"]).unwrap_or(&Value::Null));
    events::describe(subject, w);
    Ok(())
}

fn node_affinity(w: &mut Writer, required: Option<&Value>) {
    let Some(required) = required else { return w.field(0, "Node Affinity", "<none>") };
    w.field(0, "Node Affinity", "");
    let terms = meta::list_at(required, &["nodeSelectorTerms"]);
    if terms.is_empty() {
        return w.field(1, "Required Terms", "<none>");
    }
    w.field(1, "Required Terms", "");
    for (number, term) in terms.iter().enumerate() {
        let requirements = meta::list_at(term, &["matchExpressions"]);
        let lines = requirements.iter().map(|r| requirement(r, &meta::str_at(r, &["operator"]).to_lowercase()));
        indented_lines(w, 2, &format!("Term {number}"), lines);
    }
}

fn requirement(requirement: &Value, operator: &str) -> String {
    let values = text::texts(requirement, &["values"]);
    let key = meta::str_at(requirement, &["key"]);
    if values.is_empty() { format!("{key} {operator}") } else { format!("{key} {operator} [{}]", values.join(", ")) }
}

/// A title, then one line each, indented and below the tab.
fn indented_lines(w: &mut Writer, level: usize, title: &str, lines: impl Iterator<Item = String>) {
    w.put(level, format_args!("{title}:\t"));
    let mut any = false;
    for line in lines {
        if any {
            w.put(level, "\t");
        }
        any = true;
        w.raw(format_args!("{line}\n"));
    }
    if !any {
        w.raw("<none>\n");
    }
}

/// The pods that use a claim: by name, or as its owners.
fn users<'a>(claim: &Value, pods: &'a [Value]) -> Vec<&'a str> {
    let mounts = |pod: &Value| {
        let volumes = meta::list_at(pod, &["spec", "volumes"]).iter();
        volumes.filter(|v| meta::str_at(v, &["persistentVolumeClaim", "claimName"]) == meta::name(claim)).count()
    };
    let owners: Vec<&str> = meta::owner_references(claim)
        .iter()
        .filter(|owner| meta::kind(owner) == "Pod")
        .map(|owner| meta::str_at(owner, &["uid"]))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for pod in pods {
        let times = match mounts(pod) {
            0 => usize::from(owners.contains(&meta::uid(pod))),
            times => times,
        };
        names.extend(std::iter::repeat_n(meta::name(pod), times));
    }
    names.sort_unstable();
    names
}

fn persistent_volume_claim(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let used_by = users(object, subject.related.list(&pods(object))?);
    claim(w, object, Some(subject));
    text::lines_below(w, "", "Used By", used_by);
    let conditions = meta::list_at(object, &["status", "conditions"]);
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage");
        w.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    }
    for c in conditions {
        let part = |field: &str| meta::str_at(c, &[field]);
        let probe = text::time(c, &["lastProbeTime"], subject.settings);
        let transition = text::time(c, &["lastTransitionTime"], subject.settings);
        let (type_, status, reason, message) = (part("type"), part("status"), part("reason"), part("message"));
        w.line(1, format_args!("{type_} \t{status} \t{probe} \t{transition} \t{reason} \t{message}"));
    }
    events::describe(subject, w);
    Ok(())
}

/// Writes a claim; a template of one (without `subject`) has no name and no status.
pub(super) fn claim(w: &mut Writer, claim: &Value, subject: Option<&Subject<'_>>) {
    if subject.is_some() {
        w.field(0, "Name", meta::name(claim));
        w.field(0, "Namespace", meta::namespace(claim));
    }
    w.field(0, "StorageClass", storage_class(claim));
    if let Some(subject) = subject {
        status(w, subject);
    }
    let volume = meta::str_at(claim, &["spec", "volumeName"]);
    w.field(0, "Volume", volume);
    text::labels(w, claim);
    text::object_annotations(w, claim);
    if subject.is_some() {
        w.field(0, "Finalizers", go::list_text(meta::list_at(claim, &["metadata", "finalizers"])));
    }
    let bound = !volume.is_empty();
    let capacity = bound.then(|| quantity(present(claim, &["status", "capacity", "storage"])));
    let modes = bound.then(|| access_modes(meta::list_at(claim, &["status", "accessModes"])));
    w.field(0, "Capacity", capacity.unwrap_or_default());
    w.field(0, "Access Modes", modes.unwrap_or_default());
    if present(claim, &["spec", "volumeMode"]).is_some() {
        w.field(0, "VolumeMode", meta::str_at(claim, &["spec", "volumeMode"]));
    }
    if let Some(source) = present(claim, &["spec", "dataSource"]) {
        w.line(0, "DataSource:");
        if present(source, &["apiGroup"]).is_some() {
            w.field(1, "APIGroup", meta::str_at(source, &["apiGroup"]));
        }
        w.field(1, "Kind", meta::kind(source));
        w.field(1, "Name", meta::str_at(source, &["name"]));
    }
}

fn class(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let text_of = |field: &str| meta::str_at(object, &[field]);
    w.field(0, "Name", meta::name(object));
    w.field(0, "IsDefaultClass", if is_default_class(object) { "Yes" } else { "No" });
    w.field(0, "Annotations", labels(meta::map_at(object, &["metadata", "annotations"])));
    w.field(0, "Provisioner", text_of("provisioner"));
    w.field(0, "Parameters", labels(meta::map_at(object, &["parameters"])));
    w.field(0, "AllowVolumeExpansion", text::optional_flag(present(object, &["allowVolumeExpansion"])));
    let options = text::texts(object, &["mountOptions"]);
    if options.is_empty() {
        w.field(0, "MountOptions", "<none>");
    } else {
        w.line(0, "MountOptions:");
        options.iter().for_each(|option| w.line(1, option));
    }
    for (title, field) in [("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")] {
        if present(object, &[field]).is_some() {
            w.field(0, title, text_of(field));
        }
    }
    if present(object, &["allowedTopologies"]).is_some() {
        let terms = meta::list_at(object, &["allowedTopologies"]);
        w.field(0, "AllowedTopologies", if terms.is_empty() { "<none>" } else { "" });
        for (number, term) in terms.iter().enumerate() {
            let requirements = meta::list_at(term, &["matchLabelExpressions"]);
            indented_lines(w, 1, &format!("Term {number}"), requirements.iter().map(|r| requirement(r, "in")));
        }
    }
    events::describe(subject, w);
    Ok(())
}

fn attributes_class(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Annotations", labels(meta::map_at(object, &["metadata", "annotations"])));
    w.field(0, "DriverName", meta::str_at(object, &["driverName"]));
    w.field(0, "Parameters", labels(meta::map_at(object, &["parameters"])));
    events::describe(subject, w);
    Ok(())
}

fn csi_node(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.field(0, "CreationTimestamp", text::time(object, &["metadata", "creationTimestamp"], subject.settings));
    w.line(0, "Spec:");
    if present(object, &["spec", "drivers"]).is_some() {
        w.line(1, "Drivers:");
    }
    for driver in meta::list_at(object, &["spec", "drivers"]) {
        w.line(2, format_args!("{}:", meta::str_at(driver, &["name"])));
        w.field(3, "Node ID", meta::str_at(driver, &["nodeID"]));
        if let Some(count) = present(driver, &["allocatable", "count"]) {
            w.line(3, "Allocatables:");
            w.field(4, "Count", count);
        }
        if present(driver, &["topologyKeys"]).is_some() {
            w.field(3, "Topology Keys", go::list_text(meta::list_at(driver, &["topologyKeys"])));
        }
    }
    events::describe(subject, w);
    Ok(())
}
