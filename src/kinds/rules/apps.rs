//! The apps group, and replication controllers, which follow the same rules.

use serde_json::json;

use super::pod::{convert_spec_in, validate_template, warnings as pod_warnings};
use super::value::Fields;
use super::{GENERIC, GarbageCollection, MetaCheck, Rules, StatusSplit, check, internal, storage};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, intstr, meta, names};

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const NO_MATCH: &str = "`selector` does not match template `labels`";

const WORKLOAD: Rules = Rules {
    group: "apps",
    convert: |object| convert_spec_in(object, &["spec", "template", "spec"]),
    warnings: template_warnings,
    status: StatusSplit::Status,
    generation: true,
    ..GENERIC
};

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "Deployment",
        warnings: named_warnings,
        prepare_update: |new, old, _| {
            // Annotations are copied to replica sets, and so are a part of what is desired.
            let annotations = |object: &Value| meta::map_at(object, &["metadata", "annotations"]).cloned();
            if annotations(new).unwrap_or_default() != annotations(old).unwrap_or_default() {
                meta::set(new, &["metadata", "generation"], meta::generation(old) + 1);
            }
        },
        validate_create: |object| deployment(object, None),
        validate_update: |new, old| {
            let mut errors = deployment(new, Some(old));
            selector_kept(&mut errors, new, old);
            errors
        },
        validate_status_update: |new, old| {
            let fields = [
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
            ];
            let limits = [
                ("updatedReplicas", "replicas"),
                ("readyReplicas", "replicas"),
                ("availableReplicas", "replicas"),
                ("availableReplicas", "readyReplicas"),
            ];
            counts(new, Some(old), &fields, &limits)
        },
        ..WORKLOAD
    },
    Rules {
        kind: "ReplicaSet",
        warnings: named_warnings,
        validate_create: |object| replica_set(object, None),
        validate_update: |new, old| {
            let mut errors = replica_set(new, Some(old));
            selector_kept(&mut errors, new, old);
            errors
        },
        validate_status_update: |new, _| replicas_status(new),
        ..WORKLOAD
    },
    Rules {
        kind: "DaemonSet",
        field_annotations: &[TEMPLATE_GENERATION],
        convert: |set| {
            convert_spec_in(set, &["spec", "template", "spec"]);
            // The annotation is a field of the internal version, where it is 0 until the set is prepared.
            if set.at("metadata").at("annotations").opt_text(TEMPLATE_GENERATION).is_none() {
                template_generation(set, 0);
            }
        },
        prepare_create: |set, _| {
            let generation = stated_generation(set).filter(|generation| *generation >= 1);
            template_generation(set, generation.unwrap_or(1));
        },
        prepare_update: |new, old, _| {
            let before = stated_generation(old);
            let changed = new.at("spec").at("template") != old.at("spec").at("template");
            if let Some(before) = before {
                template_generation(new, before + i64::from(changed));
            }
        },
        validate_create: |object| daemon_set(object, None),
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            selector_kept(&mut errors, new, old);
            errors.extend(daemon_set(new, Some(old)));
            errors
        },
        ..WORKLOAD
    },
    Rules {
        kind: "StatefulSet",
        warnings: stateful_set_warnings,
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        convert: |set| {
            convert_spec_in(set, &["spec", "template", "spec"]);
            let templates = set.get_mut("spec").and_then(|spec| spec.get_mut("volumeClaimTemplates"));
            for claim in templates.and_then(Value::as_array_mut).into_iter().flatten() {
                meta::set(claim, &["apiVersion"], "v1");
                meta::set(claim, &["kind"], "PersistentVolumeClaim");
            }
        },
        validate_create: |object| stateful_set(object, None),
        validate_update: stateful_set_update,
        validate_status_update: |new, old| {
            let fields = [
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ];
            let limits = [
                ("readyReplicas", "replicas"),
                ("currentReplicas", "replicas"),
                ("updatedReplicas", "replicas"),
                ("availableReplicas", "replicas"),
                ("availableReplicas", "readyReplicas"),
            ];
            counts(new, Some(old), &fields, &limits)
        },
        ..WORKLOAD
    },
    Rules {
        group: "apps",
        kind: "ControllerRevision",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        validate_create: revision,
        validate_update: |new, old| {
            let mut errors = revision(new);
            check::immutable(&mut errors, &Path::new("data"), new.at("data"), old.at("data"));
            errors
        },
        ..GENERIC
    },
    Rules {
        group: "",
        kind: "ReplicationController",
        warnings: named_warnings,
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        validate_create: |object| controller(object, None),
        validate_update: |new, old| {
            let mut errors = controller(new, Some(old));
            errors.extend(controller(new, Some(old)));
            errors
        },
        validate_status_update: |new, _| replicas_status(new),
        garbage_collection: GarbageCollection::OrphanDependents,
        ..WORKLOAD
    },
];

fn template_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    // Only a new generation is worth a warning.
    if old.is_some_and(|old| old.at("metadata").int("generation") == new.at("metadata").int("generation")) {
        return Vec::new();
    }
    let path = Path::new("spec").child("template");
    pod_warnings::template(&path, new.at("spec").at("template"))
}

/// Of kinds whose name stands in the host names of their pods.
fn named_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let name = pod_warnings::name_of_pods(new).filter(|_| old.is_none());
    name.into_iter().chain(template_warnings(new, old)).collect()
}

fn stateful_set_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut out = template_warnings(new, old);
    if new.at("spec").int("revisionHistoryLimit") < 0 {
        let message = "a negative value retains all historical revisions; a value >= 0 is recommended";
        out.push(format!("spec.revisionHistoryLimit: {message}"));
    }
    out
}

fn stated_generation(set: &Value) -> Option<i64> {
    set.at("metadata").at("annotations").opt_text(TEMPLATE_GENERATION)?.parse().ok()
}

fn template_generation(set: &mut Value, generation: i64) {
    meta::set(set, &["metadata", "annotations", TEMPLATE_GENERATION], generation.to_string());
}

/// The selector of a workload: present, well formed and, says the message, not empty.
fn selector(errors: &mut ErrorList, path: &Path, spec: &Value, empty: &str) {
    let path = path.child("selector");
    match spec.some("selector") {
        None => errors.push(Error::required(&path, "")),
        Some(selector) => {
            check::label_selector(errors, &path, selector);
            if check::selector_is_empty(selector) {
                errors.push(Error::invalid(&path, selector.clone(), empty));
            }
        }
    }
}

/// The template's labels must match the selector; false when the selector cannot be read.
fn template_matches(errors: &mut ErrorList, path: &Path, spec: &Value) -> bool {
    let Some(selector) = check::selector_of(spec.at("selector")) else { return false };
    let metadata = spec.at("template").at("metadata");
    if (spec.at("selector").is_null() || !check::selector_is_empty(spec.at("selector")))
        && !selector.matches(check::map_of(metadata, "labels"))
    {
        let path = path.child("template").child("metadata").child("labels");
        errors.push(Error::invalid(&path, metadata.at("labels").clone(), NO_MATCH));
    }
    true
}

fn selector_kept(errors: &mut ErrorList, new: &Value, old: &Value) {
    let path = Path::new("spec").child("selector");
    check::immutable(errors, &path, new.at("spec").at("selector"), old.at("spec").at("selector"));
}

fn old_template(old: Option<&Value>) -> Option<&Value> {
    old.map(|old| old.at("spec").at("template"))
}

/// The template of something that keeps its pods running.
fn running_template(errors: &mut ErrorList, path: &Path, spec: &Value, old: Option<&Value>, kind: &str) {
    let template = spec.at("template");
    let path = path.child("template");
    validate_template(errors, &path, template, old);
    let policy = template.at("spec").text("restartPolicy");
    check::one_of(errors, &path.child("spec").child("restartPolicy"), policy, &["Always"]);
    if template.at("spec").has("activeDeadlineSeconds") {
        let message = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(Error::forbidden(&path.child("spec").child("activeDeadlineSeconds"), message));
    }
}

/// An integer or a percentage that is not negative.
fn int_or_percent(errors: &mut ErrorList, path: &Path, value: &Value) {
    match value {
        Value::String(text) => {
            if !names::is_valid_percent(text).is_empty() {
                check::messages(errors, path, text.as_str(), names::is_valid_percent(text));
            }
        }
        number => check::non_negative(errors, path, number.as_i64().unwrap_or_default()),
    }
}

fn at_most_all(errors: &mut ErrorList, path: &Path, value: &Value) {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|n| n.parse::<i64>().ok());
    if percent.is_some_and(|percent| percent > 100) {
        errors.push(Error::invalid(path, value.clone(), "must not be greater than 100%"));
    }
}

/// What Go makes of an integer or a percentage when it only wants a number.
fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.strip_suffix('%').and_then(|n| n.parse().ok()).unwrap_or_default(),
        other => other.as_i64().unwrap_or_default(),
    }
}

fn deployment(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), object.at("spec"));
    check::non_negative_fields(e, &path, spec, &["replicas"]);
    selector(e, &path, spec, "empty selector is invalid for deployment");
    if template_matches(e, &path, spec) {
        running_template(e, &path, spec, old_template(old), "ReplicaSet");
    } else {
        let text = spec.at("selector").clone();
        e.push(Error::invalid(&path.child("selector"), text, "invalid label selector"));
    }
    deployment_strategy(e, &path.child("strategy"), spec.at("strategy"));
    check::non_negative_fields(e, &path, spec, &["minReadySeconds", "revisionHistoryLimit"]);
    if let Some(deadline) = spec.opt_int("progressDeadlineSeconds") {
        let path = path.child("progressDeadlineSeconds");
        check::non_negative(e, &path, deadline);
        if deadline <= spec.int("minReadySeconds") {
            e.push(Error::invalid(&path, deadline, "must be greater than minReadySeconds"));
        }
    }
    errors
}

fn deployment_strategy(errors: &mut ErrorList, path: &Path, strategy: &Value) {
    let rolling = strategy.some("rollingUpdate");
    match (strategy.text("type"), rolling) {
        ("Recreate", Some(_)) => {
            let message = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(Error::forbidden(&path.child("rollingUpdate"), message));
        }
        ("RollingUpdate", None) => {
            errors.push(Error::required(&path.child("rollingUpdate"), "this should be defaulted and never be nil"));
        }
        ("RollingUpdate", Some(rolling)) => {
            let path = path.child("rollingUpdate");
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            let unavailable_path = path.child("maxUnavailable");
            int_or_percent(errors, &unavailable_path, unavailable);
            int_or_percent(errors, &path.child("maxSurge"), surge);
            if number(unavailable) == 0 && number(surge) == 0 {
                errors.push(Error::invalid(
                    &unavailable_path,
                    unavailable.clone(),
                    "may not be 0 when `maxSurge` is 0",
                ));
            }
            at_most_all(errors, &unavailable_path, unavailable);
        }
        ("Recreate", None) => {}
        _ => {
            let text = internal::show("apps.v1.DeploymentStrategy", strategy);
            let supported = "supported values: \"Recreate\", \"RollingUpdate\"";
            errors.push(check::shown(ErrorKind::NotSupported, path, text, supported));
        }
    }
}

fn replica_set(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), object.at("spec"));
    check::non_negative_fields(e, &path, spec, &["replicas", "minReadySeconds"]);
    selector(e, &path, spec, "empty selector is invalid for deployment");
    if template_matches(e, &path, spec) {
        running_template(e, &path, spec, old_template(old), "ReplicaSet");
    } else {
        let text = spec.at("selector").clone();
        e.push(Error::invalid(&path.child("selector"), text, "invalid label selector"));
    }
    errors
}

fn daemon_set(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), object.at("spec"));
    check::label_selector(e, &path.child("selector"), spec.at("selector"));
    let selector = spec.at("selector");
    let metadata = spec.at("template").at("metadata");
    match check::selector_of(selector) {
        Some(found) if !found.matches(check::map_of(metadata, "labels")) => {
            let path = path.child("template").child("metadata").child("labels");
            e.push(Error::invalid(&path, metadata.at("labels").clone(), NO_MATCH));
        }
        _ => {}
    }
    if selector.is_object() && check::selector_is_empty(selector) {
        let message = "empty selector is invalid for daemonset";
        e.push(Error::invalid(&path.child("selector"), selector.clone(), message));
    }
    let template = spec.at("template");
    let template_path = path.child("template");
    validate_template(e, &template_path, template, old_template(old));
    let policy = template.at("spec").text("restartPolicy");
    check::one_of(e, &template_path.child("spec").child("restartPolicy"), policy, &["Always"]);
    if template.at("spec").has("activeDeadlineSeconds") {
        let path = template_path.child("spec").child("activeDeadlineSeconds");
        e.push(Error::forbidden(&path, "activeDeadlineSeconds in DaemonSet is not Supported"));
    }
    check::non_negative_fields(e, &path, spec, &["minReadySeconds", "templateGeneration"]);
    daemon_strategy(e, &path.child("updateStrategy"), spec.at("updateStrategy"));
    check::non_negative_fields(e, &path, spec, &["revisionHistoryLimit"]);
    errors
}

fn daemon_strategy(errors: &mut ErrorList, path: &Path, strategy: &Value) {
    match (strategy.text("type"), strategy.some("rollingUpdate")) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.push(Error::required(&path.child("rollingUpdate"), "")),
        ("RollingUpdate", Some(rolling)) => {
            let path = path.child("rollingUpdate");
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            for (field, value) in [("maxUnavailable", unavailable), ("maxSurge", surge)] {
                int_or_percent(errors, &path.child(field), value);
                at_most_all(errors, &path.child(field), value);
            }
            match (number(unavailable), number(surge)) {
                (0, 0) => {
                    errors.push(Error::required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"));
                }
                (unavailable, surge) if unavailable != 0 && surge != 0 => {
                    let message = "may not be set when maxUnavailable is non-zero";
                    errors.push(Error::invalid(&path.child("maxSurge"), rolling.at("maxSurge").clone(), message));
                }
                _ => {}
            }
        }
        _ => {
            let text = internal::show("apps.v1.DaemonSetUpdateStrategy", strategy);
            let supported = "supported values: \"RollingUpdate\", \"OnDelete\"";
            errors.push(check::shown(ErrorKind::NotSupported, path, text, supported));
        }
    }
}

fn stateful_set(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), object.at("spec"));
    match spec.text("podManagementPolicy") {
        "" => e.push(Error::required(&path.child("podManagementPolicy"), "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let message = "must be 'OrderedReady' or 'Parallel'";
            e.push(Error::invalid(&path.child("podManagementPolicy"), other, message));
        }
    }
    stateful_strategy(e, &path.child("updateStrategy"), spec.at("updateStrategy"));
    retention(e, &path.child("persistentVolumeClaimRetentionPolicy"), spec);
    check::non_negative_fields(e, &path, spec, &["replicas", "minReadySeconds"]);
    check::non_negative_fields(e, &path.child("ordinals"), spec.at("ordinals"), &["start"]);
    let service = spec.text("serviceName");
    let kept = old.is_some_and(|old| old.at("spec").text("serviceName") == service);
    if !service.is_empty() && !kept {
        check::dns_label(e, &path.child("serviceName"), service);
    }
    selector(e, &path, spec, "empty selector is invalid for statefulset");
    for (i, claim) in spec.list("volumeClaimTemplates").iter().enumerate() {
        let path = path.child("volumeClaimTemplates").index(i).child("spec");
        let before = old
            .and_then(|old| old.at("spec").list("volumeClaimTemplates").get(i))
            .map_or(&Value::Null, |c| c.at("spec"));
        storage::claim_spec(e, &path, claim.at("spec"), before);
    }
    if !template_matches(e, &path, spec) {
        let text = spec.at("selector").clone();
        e.push(Error::invalid(&path.child("selector"), text, ""));
    } else {
        stateful_template(e, &path.child("template"), spec, old);
    }
    let pod = spec.at("template").at("spec");
    let pod_path = path.child("template").child("spec");
    check::one_of(e, &pod_path.child("restartPolicy"), pod.text("restartPolicy"), &["Always"]);
    if pod.has("activeDeadlineSeconds") {
        let path = pod_path.child("activeDeadlineSeconds");
        e.push(Error::forbidden(&path, "activeDeadlineSeconds in StatefulSet is not Supported"));
    }
    errors
}

/// The template together with the volumes that come from the claim templates.
fn stateful_template(errors: &mut ErrorList, path: &Path, spec: &Value, old: Option<&Value>) {
    let mut template = spec.at("template").clone();
    let own = template.at("spec").list("volumes").to_vec();
    let mut claims: Vec<Value> = Vec::new();
    for claim in spec.list("volumeClaimTemplates") {
        let name = claim.at("metadata").text("name");
        if !claims.iter().any(|known| known.text("name") == name) {
            claims.push(json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
        }
    }
    let replaced = |volume: &Value| claims.iter().any(|claim| claim.text("name") == volume.text("name"));
    let kept = own.into_iter().filter(|volume| !replaced(volume));
    let volumes: Vec<Value> = claims.iter().cloned().chain(kept).collect();
    if !volumes.is_empty() {
        meta::set(&mut template, &["spec", "volumes"], Value::Array(volumes));
    }
    validate_template(errors, path, &template, old_template(old));
}

fn stateful_strategy(errors: &mut ErrorList, path: &Path, strategy: &Value) {
    let rolling = strategy.some("rollingUpdate");
    match (strategy.text("type"), rolling) {
        ("", _) => errors.push(Error::required(path, "")),
        ("OnDelete", Some(rolling)) => {
            // The internal version has a number where the versioned one may leave it out.
            let mut rolling = rolling.clone();
            meta::map_mut(&mut rolling, &[]).entry("partition").or_insert(json!(0));
            let text = internal::show("apps.v1.RollingUpdateStatefulSetStrategy", &rolling);
            let message = "only allowed for updateStrategy 'RollingUpdate'";
            errors.push(check::shown(ErrorKind::Invalid, &path.child("rollingUpdate"), text, message));
        }
        ("RollingUpdate", Some(rolling)) => {
            let path = path.child("rollingUpdate");
            check::non_negative_fields(errors, &path, rolling, &["partition"]);
            if let Some(unavailable) = rolling.some("maxUnavailable") {
                let path = path.child("maxUnavailable");
                int_or_percent(errors, &path, unavailable);
                if intstr::scaled(unavailable, 1, true).unwrap_or_default() == 0 {
                    errors.push(Error::invalid(&path, unavailable.clone(), "cannot be 0"));
                }
                at_most_all(errors, &path, unavailable);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let text = internal::show("apps.v1.StatefulSetUpdateStrategy", strategy);
            let message = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(check::shown(ErrorKind::Invalid, path, text, message));
        }
    }
}

fn retention(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let Some(policy) = spec.some("persistentVolumeClaimRetentionPolicy") else { return };
    for field in ["whenDeleted", "whenScaled"] {
        check::one_of(errors, &path.child(field), policy.text(field), &["Retain", "Delete"]);
    }
}

fn stateful_set_update(new: &Value, old: &Value) -> ErrorList {
    const FREE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let mut errors = stateful_set(new, Some(old));
    let fixed = |object: &Value| {
        let mut spec = object.at("spec").clone();
        FREE.iter().for_each(|field| drop(meta::remove(&mut spec, &[field])));
        spec
    };
    if fixed(new) != fixed(old) {
        let message = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                       'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                       'minReadySeconds' are forbidden";
        errors.push(Error::forbidden(&Path::new("spec"), message));
    }
    errors
}

fn revision(revision: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if !revision.has("data") {
        errors.push(Error::required(&Path::new("data"), "data is mandatory"));
    }
    check::non_negative(&mut errors, &Path::new("revision"), revision.int("revision"));
    errors
}

fn controller(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), object.at("spec"));
    check::non_negative_fields(e, &path, spec, &["minReadySeconds"]);
    let selector = spec.text_entries("selector");
    if selector.is_empty() {
        e.push(Error::required(&path.child("selector"), ""));
    }
    check::non_negative_fields(e, &path, spec, &["replicas"]);
    if !spec.has("template") {
        e.push(Error::required(&path.child("template"), ""));
        return errors;
    }
    let metadata = spec.at("template").at("metadata");
    let labels = metadata.at("labels");
    if !selector.iter().all(|(key, value)| labels.opt_text(key) == Some(value)) {
        let path = path.child("template").child("metadata").child("labels");
        e.push(Error::invalid(&path, labels.clone(), NO_MATCH));
    }
    running_template(e, &path, spec, old_template(old), "ReplicationController");
    errors
}

fn replicas_status(new: &Value) -> ErrorList {
    let fields = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
    let limits = [
        ("fullyLabeledReplicas", "replicas"),
        ("readyReplicas", "replicas"),
        ("availableReplicas", "replicas"),
        ("availableReplicas", "readyReplicas"),
    ];
    counts(new, None, &fields, &limits)
}

/// Counts in a status: none negative, none greater than the one it is a part of.
fn counts(new: &Value, old: Option<&Value>, fields: &[&str], limits: &[(&str, &str)]) -> ErrorList {
    let mut errors = ErrorList::new();
    let (path, status) = (Path::new("status"), new.at("status"));
    check::non_negative_fields(&mut errors, &path, status, fields);
    for (part, whole) in limits {
        if status.int(part) > status.int(whole) {
            let whole = if *whole == "replicas" { "status.replicas" } else { whole };
            let message = format!("cannot be greater than {whole}");
            errors.push(Error::invalid(&path.child(part), status.int(part), message));
        }
    }
    let collisions = "collisionCount";
    let before = old.and_then(|old| old.at("status").opt_int(collisions));
    if before.is_some_and(|before| status.int(collisions) < before) {
        errors.push(Error::invalid(&path.child(collisions), status.int(collisions), "cannot be decremented"));
    }
    errors
}
