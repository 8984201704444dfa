//! Jobs and cron jobs.

use std::collections::BTreeSet;

use serde_json::json;

use super::pod::{convert_spec_in, validate_template, warnings as pod_warnings};
use super::value::Fields;
use super::{GENERIC, GarbageCollection, MetaCheck, Rules, StatusSplit, check, cron, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, meta, zone};

const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";
const OLD_UID_LABEL: &str = "controller-uid";
const OLD_NAME_LABEL: &str = "job-name";

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        group: "batch",
        kind: "Job",
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        convert: |job| convert_spec_in(job, &["spec", "template", "spec"]),
        prepare_create: |job, _| generate_selector(job),
        validate_create: |job| job_errors(job, None),
        validate_update: job_update,
        validate_status_update: |new, _| {
            let mut errors = ErrorList::new();
            let path = Path::new("status");
            check::non_negative_fields(&mut errors, &path, new.at("status"), &["active", "succeeded", "failed"]);
            errors
        },
        warnings: job_warnings,
        status: StatusSplit::Status,
        generation: true,
        garbage_collection: GarbageCollection::OrphanDependents,
        ..GENERIC
    },
    Rules {
        group: "batch",
        kind: "CronJob",
        convert: |job| convert_spec_in(job, &["spec", "jobTemplate", "spec", "template", "spec"]),
        validate_create: |job| cron_job(job, None),
        validate_update: |new, old| cron_job(new, Some(old)),
        warnings: cron_warnings,
        status: StatusSplit::Status,
        generation: true,
        ..GENERIC
    },
];

/// A job whose selector nobody chose selects by its own uid.
fn generate_selector(job: &mut Value) {
    let spec = job.at("spec");
    if spec.flag("manualSelector") {
        return;
    }
    let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
    let labels = spec.at("template").at("metadata").at("labels").clone();
    for (key, value) in [(OLD_UID_LABEL, &uid), (OLD_NAME_LABEL, &name), (UID_LABEL, &uid), (NAME_LABEL, &name)] {
        // Labels that a user set are left alone, so that validation refuses what does not fit.
        if !labels.has(key) {
            meta::set(job, &["spec", "template", "metadata", "labels", key], value.as_str());
        }
    }
    // What a user wrote besides stays, for validation to refuse.
    if !job.at("spec").at("selector").at("matchLabels").has(UID_LABEL) {
        meta::set(job, &["spec", "selector", "matchLabels", UID_LABEL], uid);
    }
}

fn job_errors(job: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    generated_selector(&mut errors, job);
    let (path, spec) = (Path::new("spec"), job.at("spec"));
    whole_spec(&mut errors, &path, spec, old.map(|old| old.at("spec")));
    let completions = spec.opt_int("completions");
    let indexed = spec.text("completionMode") == "Indexed";
    let name = meta::name(job);
    if let Some(count) = completions.filter(|count| indexed && *count > 0 && !name.is_empty()) {
        let pod = format!("{name}-{}", count - 1);
        for message in crate::object::names::is_dns1123_label(&pod) {
            let message = format!("will not able to create pod with invalid DNS label: {pod}: {message}");
            errors.push(Error::invalid(&Path::new("metadata").child("name"), name, message));
        }
    }
    errors
}

fn generated_selector(errors: &mut ErrorList, job: &Value) {
    let spec = job.at("spec");
    if spec.flag("manualSelector") || !spec.has("selector") {
        return;
    }
    let (uid, name) = (meta::uid(job), meta::name(job));
    if uid.is_empty() {
        errors.push(Error::required(&Path::new("metadata").child("uid"), ""));
    }
    let labels = spec.at("template").at("metadata").at("labels");
    let path = Path::new("spec").child("template").child("metadata").child("labels");
    for (key, value) in [(OLD_UID_LABEL, uid), (OLD_NAME_LABEL, name), (UID_LABEL, uid), (NAME_LABEL, name)] {
        let message = format!("must be '{value}'");
        match labels.opt_text(key) {
            None => errors.push(Error::required(&path.key(key), message)),
            Some(found) if found != value => errors.push(Error::invalid(&path.key(key), labels.clone(), message)),
            Some(_) => {}
        }
    }
    let expected = json!({UID_LABEL: uid, NAME_LABEL: name, OLD_UID_LABEL: uid, OLD_NAME_LABEL: name});
    let selector = check::selector_of(spec.at("selector"));
    if selector.is_some_and(|selector| !selector.matches(expected.as_object())) {
        let path = Path::new("spec").child("selector");
        errors.push(Error::invalid(&path, spec.at("selector").clone(), "`selector` not auto-generated"));
    }
}

/// The spec of a job: its own fields, then the selector that must match the template.
fn whole_spec(errors: &mut ErrorList, path: &Path, spec: &Value, old: Option<&Value>) {
    job_spec(errors, path, spec, old);
    match spec.some("selector") {
        None => errors.push(Error::required(&path.child("selector"), "")),
        Some(selector) => check::label_selector(errors, &path.child("selector"), selector),
    }
    let metadata = spec.at("template").at("metadata");
    let selector = check::selector_of(spec.at("selector"));
    if selector.is_some_and(|selector| !selector.matches(check::map_of(metadata, "labels"))) {
        let path = path.child("template").child("metadata").child("labels");
        let message = "`selector` does not match template `labels`";
        errors.push(Error::invalid(&path, metadata.at("labels").clone(), message));
    }
}

fn job_spec(errors: &mut ErrorList, path: &Path, spec: &Value, old: Option<&Value>) {
    let counts = ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"];
    check::non_negative_fields(errors, path, spec, &counts);
    check::non_negative_fields(errors, path, spec, &["backoffLimitPerIndex"]);
    if let Some(limit) = spec.opt_int("maxFailedIndexes") {
        check::non_negative(errors, &path.child("maxFailedIndexes"), limit);
    }
    if let Some(manager) = spec.opt_text("managedBy") {
        managed_by(errors, &path.child("managedBy"), manager);
    }
    completion(errors, path, spec);
    if let Some(policy) = spec.some("podFailurePolicy") {
        failure_policy(errors, &path.child("podFailurePolicy"), spec, policy);
    }
    if let Some(policy) = spec.some("successPolicy") {
        success_policy(errors, &path.child("successPolicy"), spec, policy);
    }
    replacement_policy(errors, &path.child("podReplacementPolicy"), spec);
    let template = spec.at("template");
    validate_template(errors, &path.child("template"), template, old.map(|old| old.at("template")));
    // A policy that is no policy at all has been refused with the template.
    let policy = template.at("spec").text("restartPolicy");
    let policy_path = path.child("template").child("spec").child("restartPolicy");
    match policy {
        "" | "Always" => errors.push(Error::required(&policy_path, "valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" | "Never" => {}
        other => check::one_of(errors, &policy_path, other, &["OnFailure", "Never"]),
    }
    if spec.has("podFailurePolicy") && policy != "Never" {
        let message = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(Error::invalid(&policy_path, policy, message));
    }
}

fn managed_by(errors: &mut ErrorList, path: &Path, manager: &str) {
    if !manager.contains('/') || manager.split('/').count() != 2 {
        let message = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.push(Error::invalid(path, manager, message));
    } else if let Some((domain, _)) = manager.split_once('/') {
        check::messages(errors, path, manager, crate::object::names::is_dns1123_subdomain(domain));
    }
    if manager.len() > 63 {
        errors.push(Error::too_long(path, 63));
    }
}

fn completion(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let mode = spec.opt_text("completionMode");
    if let Some(mode) = mode {
        check::one_of(errors, &path.child("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    let indexed = mode == Some("Indexed");
    let completions = spec.opt_int("completions");
    let parallelism = spec.int("parallelism");
    if indexed {
        if completions.is_none() {
            let message = "when completion mode is Indexed";
            errors.push(Error::required(&path.child("completions"), message));
        }
        if spec.has("parallelism") && parallelism > 100_000 {
            let message = "must be less than or equal to 100000 when completion mode is Indexed";
            errors.push(Error::invalid(&path.child("parallelism"), parallelism, message));
        }
        if let (Some(completions), Some(failed)) = (completions, spec.opt_int("maxFailedIndexes")) {
            let path = path.child("maxFailedIndexes");
            if failed > completions {
                errors.push(Error::invalid(&path, failed, "must be less than or equal to completions"));
            }
            if failed > 100_000 {
                let message = "must be less than or equal to 100000";
                errors.push(Error::invalid(&path, failed, message));
            }
        }
    }
    for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
        if let Some(value) = spec.opt_int(field).filter(|_| !indexed) {
            errors.push(Error::invalid(&path.child(field), value, "requires indexed completion mode"));
        }
    }
    if spec.has("maxFailedIndexes") && !spec.has("backoffLimitPerIndex") {
        let message = "when maxFailedIndexes is specified";
        errors.push(Error::required(&path.child("backoffLimitPerIndex"), message));
    }
}

fn failure_policy(errors: &mut ErrorList, path: &Path, spec: &Value, policy: &Value) {
    let path = path.child("rules");
    let rules = policy.list("rules");
    if rules.len() > 20 {
        errors.push(Error::too_many(&path, rules.len(), 20));
    }
    let containers: BTreeSet<&str> = ["containers", "initContainers"]
        .iter()
        .flat_map(|list| spec.at("template").at("spec").list(list))
        .map(|container| container.text("name"))
        .collect();
    for (i, rule) in rules.iter().enumerate() {
        failure_rule(errors, &path.index(i), spec, rule, &containers);
    }
}

fn failure_rule(errors: &mut ErrorList, path: &Path, spec: &Value, rule: &Value, containers: &BTreeSet<&str>) {
    let action = rule.text("action");
    let action_path = path.child("action");
    match action {
        "" => {
            let values = "valid values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\"";
            errors.push(Error::required(&action_path, values));
        }
        "FailIndex" if !spec.has("backoffLimitPerIndex") => {
            errors.push(Error::invalid(&action_path, action, "requires the backoffLimitPerIndex to be set"));
        }
        other => check::one_of(errors, &action_path, other, &["Count", "FailIndex", "FailJob", "Ignore"]),
    }
    let (codes, conditions) = (rule.some("onExitCodes"), rule.list("onPodConditions"));
    if let Some(codes) = codes {
        exit_codes(errors, &path.child("onExitCodes"), codes, containers);
    }
    let conditions_path = path.child("onPodConditions");
    if conditions.len() > 20 {
        errors.push(Error::too_many(&conditions_path, conditions.len(), 20));
    }
    for (i, condition) in conditions.iter().enumerate() {
        let path = conditions_path.index(i);
        check::qualified_name(errors, &path.child("type"), condition.text("type"));
        let status = condition.text("status");
        let statuses = ["False", "True", "Unknown"];
        if status.is_empty() {
            let values = "valid values: \"False\", \"True\", \"Unknown\"";
            errors.push(Error::required(&path.child("status"), values));
        } else {
            check::one_of(errors, &path.child("status"), status, &statuses);
        }
    }
    match (codes.is_some(), conditions.is_empty()) {
        (true, false) => {
            let message = "specifying both OnExitCodes and OnPodConditions is not supported";
            errors.push(omitted(path, message));
        }
        (false, true) => {
            let message = "specifying one of OnExitCodes and OnPodConditions is required";
            errors.push(omitted(path, message));
        }
        _ => {}
    }
}

/// `Invalid value` without showing it.
fn omitted(path: &Path, message: &str) -> Error {
    Error::without_value(ErrorKind::Invalid, path, message)
}

fn exit_codes(errors: &mut ErrorList, path: &Path, codes: &Value, containers: &BTreeSet<&str>) {
    let operator = codes.text("operator");
    if operator.is_empty() {
        errors.push(Error::required(&path.child("operator"), "valid values: \"In\", \"NotIn\""));
    } else {
        check::one_of(errors, &path.child("operator"), operator, &["In", "NotIn"]);
    }
    if let Some(name) = codes.opt_text("containerName").filter(|name| !containers.contains(name)) {
        let message = "must be one of the container or initContainer names in the pod template";
        errors.push(Error::invalid(&path.child("containerName"), name, message));
    }
    let path = path.child("values");
    let values = codes.list("values");
    if values.is_empty() {
        errors.push(Error::invalid(&path, json!(values), "at least one value is required"));
    } else if values.len() > 255 {
        errors.push(Error::too_many(&path, values.len(), 255));
    }
    let numbers: Vec<i64> = values.iter().map(|value| value.as_i64().unwrap_or_default()).collect();
    let mut seen = BTreeSet::new();
    for (i, number) in numbers.iter().enumerate() {
        if operator == "In" && *number == 0 {
            let message = "must not be 0 for the In operator";
            errors.push(Error::invalid(&path.index(i), *number, message));
        }
        if !seen.insert(number) {
            errors.push(Error::duplicate(&path.index(i), *number));
        }
    }
    if numbers.windows(2).any(|pair| matches!(pair, [a, b] if a > b)) {
        errors.push(Error::invalid(&path, json!(values), "must be ordered"));
    }
}

fn success_policy(errors: &mut ErrorList, path: &Path, spec: &Value, policy: &Value) {
    if spec.text("completionMode") != "Indexed" {
        let text = internal::show("batch.v1.SuccessPolicy", policy);
        errors.push(check::shown(ErrorKind::Invalid, path, text, "requires indexed completion mode"));
        return;
    }
    let rules = policy.list("rules");
    let path = path.child("rules");
    if rules.is_empty() {
        errors.push(Error::required(&path, "at least one rules must be specified when the successPolicy is specified"));
    }
    if rules.len() > 20 {
        errors.push(Error::too_many(&path, rules.len(), 20));
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = path.index(i);
        if let Some(count) = rule.opt_int("succeededCount") {
            let path = path.child("succeededCount");
            check::non_negative(errors, &path, count);
            let completions = spec.int("completions");
            if count > completions {
                let message =
                    format!("must be less than or equal to {completions} (the number of specified completions)");
                errors.push(Error::invalid(&path, count, message));
            }
        }
        if !rule.has("succeededCount") && !rule.has("succeededIndexes") {
            errors.push(Error::required(&path, "at least one of succeededCount or succeededIndexes must be specified"));
        }
    }
}

fn replacement_policy(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let Some(policy) = spec.opt_text("podReplacementPolicy") else { return };
    if spec.has("podFailurePolicy") {
        check::one_of(errors, path, policy, &["Failed"]);
    } else {
        check::one_of(errors, path, policy, &["Failed", "TerminatingOrFailed"]);
    }
}

fn job_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = job_errors(new, Some(old));
    let (path, now, before) = (Path::new("spec"), new.at("spec"), old.at("spec"));
    whole_spec(&mut errors, &path, now, Some(before));
    let e = &mut errors;
    let elastic = now.text("completionMode") == "Indexed"
        && now.has("completions")
        && now.opt_int("completions") == now.opt_int("parallelism")
        && before.opt_int("completions") == before.opt_int("parallelism");
    if !elastic {
        check::immutable(e, &path.child("completions"), now.at("completions"), before.at("completions"));
    }
    check::immutable(e, &path.child("selector"), now.at("selector"), before.at("selector"));
    template_kept(e, &path.child("template"), now, before, old);
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        let (now, before) = (now.at(field), before.at(field));
        if now != before {
            let text = match field {
                "podFailurePolicy" => internal::show("batch.v1.PodFailurePolicy", now),
                "successPolicy" => internal::show("batch.v1.SuccessPolicy", now),
                _ => crate::object::field::show(now),
            };
            let text = if now.is_null() { "null".to_owned() } else { text };
            e.push(check::shown(ErrorKind::Invalid, &path.child(field), text, check::IMMUTABLE));
        }
    }
    errors
}

/// The template stays, but for scheduling directives of a job that is suspended and has not started.
fn template_kept(errors: &mut ErrorList, path: &Path, now: &Value, before: &Value, old: &Value) {
    let mut template = now.at("template").clone();
    let suspended = before.flag("suspend") && !old.at("status").has("startTime");
    if suspended {
        let fields = [
            &["metadata", "annotations"][..],
            &["metadata", "labels"],
            &["spec", "nodeSelector"],
            &["spec", "tolerations"],
            &["spec", "affinity"],
            &["spec", "schedulingGates"],
        ];
        for field in fields {
            match meta::get(before.at("template"), field) {
                Some(value) => meta::set(&mut template, field, value.clone()),
                None => drop(meta::remove(&mut template, field)),
            }
        }
    }
    if template != *before.at("template") {
        let text = internal::show("core.v1.PodTemplateSpec", now.at("template"));
        errors.push(check::shown(ErrorKind::Invalid, path, text, check::IMMUTABLE));
    }
}

fn job_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut out = Vec::new();
    let (path, spec) = (Path::new("spec"), new.at("spec"));
    if old.is_none() {
        out.extend(pod_warnings::name_of_pods(new));
        if spec.int("completions") > 100_000
            && spec.int("parallelism") > 10_000
            && spec.text("completionMode") == "Indexed"
        {
            out.push("In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail".to_owned());
        }
    }
    let generation = |object: &Value| object.at("metadata").int("generation");
    if old.is_none_or(|old| generation(old) != generation(new)) {
        out.extend(pod_warnings::template(&path.child("template"), spec.at("template")));
    }
    out
}

fn cron_job(job: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let name = meta::name(job);
    if name.len() > 52 && old.is_none() {
        e.push(Error::invalid(&Path::new("metadata").child("name"), name, "must be no more than 52 characters"));
    }
    let (path, spec) = (Path::new("spec"), job.at("spec"));
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        e.push(Error::required(&path.child("schedule"), ""));
    } else {
        let lax = old.is_some_and(|old| old.at("spec").text("schedule").contains("TZ"));
        schedule_format(e, &path.child("schedule"), schedule, spec, lax);
    }
    check::non_negative_fields(e, &path, spec, &["startingDeadlineSeconds"]);
    if let Some(zone) = spec.opt_text("timeZone") {
        time_zone(e, &path.child("timeZone"), zone, old);
    }
    let policies = ["Allow", "Forbid", "Replace"];
    check::required_one_of(e, &path.child("concurrencyPolicy"), spec.text("concurrencyPolicy"), &policies);
    job_template(e, &path.child("jobTemplate"), spec.at("jobTemplate"), old);
    check::non_negative_fields(e, &path, spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"]);
    errors
}

fn schedule_format(errors: &mut ErrorList, path: &Path, schedule: &str, spec: &Value, lax: bool) {
    if let Err(message) = cron::parse(schedule) {
        errors.push(Error::invalid(path, schedule, message));
    }
    let zoned = schedule.contains("TZ");
    if zoned && lax && spec.has("timeZone") {
        let message = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
        errors.push(Error::invalid(path, schedule, message));
    } else if zoned && !lax {
        let message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(Error::invalid(path, schedule, message));
    }
}

fn time_zone(errors: &mut ErrorList, path: &Path, zone: &str, old: Option<&Value>) {
    if old.is_some_and(|old| old.at("spec").opt_text("timeZone") == Some(zone)) {
        return;
    }
    if zone.is_empty() {
        errors.push(Error::invalid(path, zone, "timeZone must be nil or non-empty string"));
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        let message = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.push(Error::invalid(path, zone, message));
    }
    // Go's library knows the zone `Local`, in just this spelling.
    if !zone::is_known(zone) && zone != "Local" {
        errors.push(Error::invalid(path, zone, format!("unknown time zone {zone}")));
    }
}

fn job_template(errors: &mut ErrorList, path: &Path, template: &Value, old: Option<&Value>) {
    let (path, spec) = (path.child("spec"), template.at("spec"));
    job_spec(errors, &path, spec, old.map(|old| old.at("spec").at("jobTemplate").at("spec")));
    if let Some(selector) = spec.some("selector") {
        errors.push(Error::invalid(&path.child("selector"), selector.clone(), "`selector` will be auto-generated"));
    }
    if spec.flag("manualSelector") {
        errors.push(Error::not_supported(&path.child("manualSelector"), true, &["nil", "false"]));
    }
}

fn cron_warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut out: Vec<String> = pod_warnings::name_of_pods(new).filter(|_| old.is_none()).into_iter().collect();
    let generation = |object: &Value| object.at("metadata").int("generation");
    if old.is_none_or(|old| generation(old) != generation(new)) {
        let path = Path::new("spec").child("jobTemplate").child("spec").child("template");
        let template = new.at("spec").at("jobTemplate").at("spec").at("template");
        out.extend(pod_warnings::template(&path, template));
    }
    if new.at("spec").text("schedule").contains("TZ") {
        out.push("CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details".to_owned());
    }
    out
}
