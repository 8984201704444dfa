//! What may change of a pod.

use serde_json::json;

use super::{Options, annotations, annotations_and_spec, scheduling};
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, internal, object_meta};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta, names};

use crate::kinds::rules::NameRule;

/// The annotation of pods that a node has from a file.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be \
    set to 1 if it was previously negative)";

fn options(old: &Value) -> Options {
    Options::of(true, Some(old.at("spec")), Some(old.at("metadata")))
}

/// `ValidatePodUpdate`.
pub fn pod(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let options = options(old);
    object_meta::update(&mut errors, new, old);
    object_meta::standard_finalizers(&mut errors, new);
    object_meta::create(&mut errors, new, true, NameRule::DnsSubdomain);
    object_meta::standard_finalizers(&mut errors, new);
    annotations_and_spec(&mut errors, new, &options);
    annotation_updates(&mut errors, new, old, &options);
    let path = Path::new("spec");
    let (new_spec, old_spec) = (new.at("spec"), old.at("spec"));
    for list in ["containers", "initContainers"] {
        let path = path.child(list);
        let containers = new_spec.list(list);
        if containers.len() != old_spec.list(list).len() {
            errors.push(Error::forbidden(&path, "pod updates may not add or remove containers"));
            return errors;
        }
        for (i, container) in containers.iter().enumerate() {
            check::required(&mut errors, &path.index(i).child("image"), container.text("image"));
            super::containers::image_spaces(&mut errors, &path.index(i), container);
        }
    }
    if !active_deadline(&mut errors, &path.child("activeDeadlineSeconds"), new_spec, old_spec) {
        return errors;
    }
    added_tolerations(&mut errors, &path.child("tolerations"), new_spec, old_spec);
    deleted_gates(&mut errors, &path.child("schedulingGates"), new_spec, old_spec);
    if new_spec == old_spec {
        return errors;
    }
    let mut munged = munge(new_spec, old_spec);
    if !old_spec.list("schedulingGates").is_empty() {
        gated(&mut errors, &path, &mut munged, old_spec);
    }
    if munged != *old_spec {
        let diff = internal::diff("core.v1.PodSpec", old_spec, &munged);
        let message = format!("pod updates may not change fields other than {UPDATABLE}\n{diff}");
        errors.push(Error::forbidden(&path, message));
    }
    errors
}

/// Whether checking goes on.
fn active_deadline(errors: &mut ErrorList, path: &Path, new: &Value, old: &Value) -> bool {
    let field = "activeDeadlineSeconds";
    match (new.opt_int(field), old.opt_int(field)) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            let message = names::inclusive_range_error(0, i64::from(i32::MAX));
            errors.push(Error::invalid(path, seconds, message));
            false
        }
        (Some(seconds), Some(before)) if before < seconds => {
            errors.push(Error::invalid(path, seconds, "must be less than or equal to previous value"));
            false
        }
        (None, Some(_)) => {
            errors.push(Error::invalid(path, Value::Null, "must not update from a positive integer to nil value"));
            true
        }
        _ => true,
    }
}

fn added_tolerations(errors: &mut ErrorList, path: &Path, new: &Value, old: &Value) {
    let bare = |toleration: &Value| {
        let mut copy = toleration.clone();
        meta::remove(&mut copy, &["tolerationSeconds"]);
        copy
    };
    let kept: Vec<Value> = new.list("tolerations").iter().map(bare).collect();
    if old.list("tolerations").iter().any(|toleration| !kept.contains(&bare(toleration))) {
        let message = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(Error::forbidden(path, message));
        return;
    }
    scheduling::tolerations(errors, path, new);
}

fn deleted_gates(errors: &mut ErrorList, path: &Path, new: &Value, old: &Value) {
    let known: Vec<&str> = old.list("schedulingGates").iter().map(|gate| gate.text("name")).collect();
    for (i, gate) in new.list("schedulingGates").iter().enumerate() {
        let name = gate.text("name");
        if !known.contains(&name) {
            let message = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(Error::forbidden(&path.index(i).child("name"), message));
        }
    }
}

/// The new spec with everything that may change put back.
fn munge(new: &Value, old: &Value) -> Value {
    let mut munged = new.clone();
    for list in ["containers", "initContainers"] {
        if let Some(Value::Array(containers)) = munged.get_mut(list) {
            for (container, before) in containers.iter_mut().zip(old.list(list)) {
                meta::set(container, &["image"], before.at("image").clone());
            }
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        put_back(&mut munged, old, field);
    }
    let grace = "terminationGracePeriodSeconds";
    if old.int(grace) < 0 && munged.opt_int(grace) == Some(1) {
        put_back(&mut munged, old, grace);
    }
    munged
}

fn put_back(value: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(before) => meta::set(value, &[field], before.clone()),
        None => drop(meta::remove(value, &[field])),
    }
}

/// A pod that waits at a gate may narrow down where it runs.
fn gated(errors: &mut ErrorList, path: &Path, munged: &mut Value, old: &Value) {
    if munged.at("nodeSelector") != old.at("nodeSelector") {
        let kept = old.entries("nodeSelector").iter().all(|(key, value)| munged.at("nodeSelector").at(key) == *value);
        if !kept {
            let shown = munged.at("nodeSelector").clone();
            let message = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.push(Error::invalid(&path.child("nodeSelector"), shown, message));
        }
        put_back(munged, old, "nodeSelector");
    }
    let (new_node, old_node) =
        (munged.at("affinity").at("nodeAffinity").clone(), old.at("affinity").at("nodeAffinity").clone());
    if new_node == old_node {
        return;
    }
    node_affinity(errors, &path.child("affinity").child("nodeAffinity"), &new_node, &old_node);
    let mut affinity = munged.at("affinity").clone();
    meta::remove(&mut affinity, &["nodeAffinity"]);
    if old_node.is_object() {
        meta::set(&mut affinity, &["nodeAffinity"], old_node);
    }
    if affinity == json!({}) && !old.has("affinity") {
        meta::remove(munged, &["affinity"]);
    } else {
        meta::set(munged, &["affinity"], affinity);
    }
}

fn node_affinity(errors: &mut ErrorList, path: &Path, new: &Value, old: &Value) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let path = path.child(REQUIRED).child("nodeSelectorTerms");
    let (new_terms, old_terms) =
        (new.at(REQUIRED).list("nodeSelectorTerms"), old.at(REQUIRED).list("nodeSelectorTerms"));
    if !old_terms.is_empty() && old_terms.len() != new_terms.len() {
        let text = internal::show_list("core.v1.NodeSelectorTerm", new_terms);
        let message = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(check::shown(crate::object::field::ErrorKind::Invalid, &path, text, message));
        return;
    }
    let only_additions = |new: &Value, old: &Value| {
        let starts = |field: &str| new.list(field).starts_with(old.list(field));
        let empty = |term: &Value| term.list("matchExpressions").is_empty() && term.list("matchFields").is_empty();
        (!empty(old) || empty(new)) && starts("matchExpressions") && starts("matchFields")
    };
    for (i, (new_term, old_term)) in new_terms.iter().zip(old_terms).enumerate() {
        if !only_additions(new_term, old_term) {
            let text = internal::show("core.v1.NodeSelectorTerm", new_term);
            let message = "only additions are allowed (no mutations or deletions)";
            errors.push(check::shown(crate::object::field::ErrorKind::Invalid, &path.index(i), text, message));
        }
    }
}

fn annotation_updates(errors: &mut ErrorList, new: &Value, old: &Value, options: &Options) {
    const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
    let path = Path::new("metadata").child("annotations");
    let (now, before) = (new.at("metadata").at("annotations"), old.at("metadata").at("annotations"));
    let guarded = |key: &str| {
        if key == MIRROR {
            Some("mirror pod annotation")
        } else {
            key.starts_with(APP_ARMOR).then_some("AppArmor annotations")
        }
    };
    for (key, value) in old.at("metadata").text_entries("annotations") {
        if let Some(what) = guarded(key).filter(|_| now.opt_text(key) != Some(value)) {
            errors.push(Error::forbidden(&path.key(key), format!("may not remove or update {what}")));
        }
    }
    for (key, _) in new.at("metadata").text_entries("annotations") {
        if let Some(what) = guarded(key).filter(|_| !before.has(key)) {
            errors.push(Error::forbidden(&path.key(key), format!("may not add {what}")));
        }
    }
    annotations(errors, &path, new.at("metadata"), new.at("spec"), options);
}

/// `ValidatePodStatusUpdate` after the metadata.
pub fn status(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    annotation_updates(&mut errors, new, old, &options(old));
    let (now, before) = (new.at("status"), old.at("status"));
    for (i, condition) in now.list("conditions").iter().enumerate() {
        let type_ = condition.text("type");
        if !matches!(type_, "PodScheduled" | "Ready" | "Initialized") {
            let path = Path::new("metadata").child("conditions").index(i).child("Type");
            check::qualified_name(&mut errors, &path, type_);
        }
    }
    let path = Path::new("status");
    let nominated = now.text("nominatedNodeName");
    if nominated != before.text("nominatedNodeName") && !nominated.is_empty() {
        check::dns_subdomain(&mut errors, &path.child("nominatedNodeName"), nominated);
    }
    if now.text("qosClass") != before.text("qosClass") {
        errors.push(Error::invalid(&path.child("qosClass"), now.text("qosClass"), check::IMMUTABLE));
    }
    let policy = old.at("spec").text("restartPolicy");
    for (list, policy) in
        [("containerStatuses", policy), ("initContainerStatuses", policy), ("ephemeralContainerStatuses", "Never")]
    {
        transitions(&mut errors, &path.child(list), now.list(list), before.list(list), policy, old.at("spec"));
    }
    addresses(&mut errors, &path, now);
    errors
}

/// A container that ended for good does not come back.
fn transitions(errors: &mut ErrorList, path: &Path, new: &[Value], old: &[Value], policy: &str, spec: &Value) {
    if policy == "Always" {
        return;
    }
    for (i, before) in old.iter().enumerate() {
        let Some(ended) = before.at("state").some("terminated") else { continue };
        let name = before.text("name");
        let restarts = |list: &str| {
            spec.list(list)
                .iter()
                .any(|c| c.text("name") == name && matches!(c.text("restartPolicy"), "Always" | "OnFailure"))
        };
        let failed = ended.int("exitCode") != 0 && policy == "OnFailure";
        if failed || restarts("initContainers") || restarts("containers") {
            continue;
        }
        let returned = new.iter().any(|now| now.text("name") == name && !now.at("state").has("terminated"));
        if returned {
            let message = "may not be transitioned to non-terminated state";
            errors.push(Error::forbidden(&path.index(i).child("state"), message));
        }
    }
}

fn addresses(errors: &mut ErrorList, path: &Path, status: &Value) {
    for field in ["podIPs", "hostIPs"] {
        let path = path.child(field);
        let list = status.list(field);
        for (i, address) in list.iter().enumerate() {
            check::ip(errors, &path.index(i), address.text("ip"));
        }
        let six = list.iter().filter(|address| address.text("ip").contains(':')).count();
        if list.len() > 2 || (list.len() == 2 && six != 1) {
            let text = internal::show_list(if field == "podIPs" { "core.v1.PodIP" } else { "core.v1.HostIP" }, list);
            let message = "may specify no more than one IP for each IP family";
            errors.push(check::shown(crate::object::field::ErrorKind::Invalid, &path, text, message));
        }
    }
}
