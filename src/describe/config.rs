//! Config maps, secrets, service accounts, namespaces, quotas, limit ranges, priority classes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::network::dated_conditions;
use super::related::Request;
use super::text::{self, present};
use super::{Describer, Error, Subject, Writer, events};
use crate::kinds::columns::text::{labels, quantity};
use crate::object::quantity::{self as quantities, Quantity};
use crate::object::{Value, meta};

pub(super) const TABLE: &[Describer] = &[
    Describer::new("", "ConfigMap", config_map),
    Describer::new("", "LimitRange", limit_range).eventless(),
    Describer::new("", "Namespace", namespace).reads(|object| vec![quotas(object), limits(object)]).eventless(),
    Describer::new("", "ResourceQuota", resource_quota).eventless(),
    Describer::new("", "Secret", secret).eventless(),
    Describer::new("", "ServiceAccount", service_account),
    Describer::new("scheduling.k8s.io", "PriorityClass", priority_class),
];

fn heading(w: &mut Writer, object: &Value) {
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    text::labels(w, object);
    text::object_annotations(w, object);
}

/// The bytes that a base64 text stands for; none for a malformed one.
fn decoded(value: &Value) -> Vec<u8> {
    value.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default()
}

fn config_map(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object);
    w.line(0, "\nData\n====");
    for (key, value) in meta::texts(meta::map_at(object, &["data"])) {
        w.line(0, format_args!("{key}:\n----"));
        w.line(0, value);
        w.line(0, "");
    }
    w.line(0, "\nBinaryData\n====");
    for (key, value) in meta::map_at(object, &["binaryData"]).into_iter().flatten() {
        w.line(0, format_args!("{key}: {} bytes", decoded(value).len()));
    }
    w.line(0, "");
    events::describe(subject, w);
    Ok(())
}

fn secret(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object);
    let type_ = meta::str_at(object, &["type"]);
    w.line(0, format_args!("\nType:\t{type_}"));
    w.line(0, "\nData\n====");
    for (key, value) in meta::map_at(object, &["data"]).into_iter().flatten() {
        let bytes = decoded(value);
        if key == "token" && type_ == "kubernetes.io/service-account-token" {
            w.field(0, key, String::from_utf8_lossy(&bytes));
        } else {
            w.field(0, key, format_args!("{} bytes", bytes.len()));
        }
    }
    Ok(())
}

fn service_account(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    heading(w, object);
    let title = "Image pull secrets:";
    let secrets = meta::list_at(object, &["imagePullSecrets"]);
    if secrets.is_empty() {
        w.line(0, format_args!("{title}\t<none>"));
    }
    for (number, secret) in secrets.iter().enumerate() {
        let blank = " ".repeat(title.len());
        let shown = if number == 0 { title } else { &blank };
        w.line(0, format_args!("{shown}\t{}", meta::str_at(secret, &["name"])));
    }
    events::describe(subject, w);
    Ok(())
}

fn priority_class(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Value", meta::int_at(object, &["value"]).unwrap_or_default());
    w.field(0, "GlobalDefault", meta::bool_at(object, &["globalDefault"]));
    w.field(0, "PreemptionPolicy", meta::str_at(object, &["preemptionPolicy"]));
    w.field(0, "Description", meta::str_at(object, &["description"]));
    w.field(0, "Annotations", labels(meta::map_at(object, &["metadata", "annotations"])));
    events::describe(subject, w);
    Ok(())
}

fn quotas(namespace: &Value) -> Request {
    Request::list("", "v1", "resourcequotas", meta::name(namespace))
}

fn limits(namespace: &Value) -> Request {
    Request::list("", "v1", "limitranges", meta::name(namespace))
}

fn namespace(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.field(0, "Status", meta::str_at(object, &["status", "phase"]));
    let conditions = meta::list_at(object, &["status", "conditions"]);
    if !conditions.is_empty() {
        dated_conditions(w, conditions, subject.settings);
    }
    // A server that does not know these resources is no error: their parts are left out.
    part_of_namespace(subject, w, &quotas(object), quotas_of_namespace)?;
    part_of_namespace(subject, w, &limits(object), limits_of_namespace)
}

fn part_of_namespace(
    subject: &Subject<'_>,
    w: &mut Writer,
    request: &Request,
    part: fn(&mut Writer, &[Value]),
) -> Result<(), Error> {
    match subject.related.list(request) {
        Ok(items) => {
            w.line(0, "");
            part(w, items);
        }
        Err(status) if status.reason == "NotFound" => {}
        Err(status) => return Err(status.into()),
    }
    Ok(())
}

/// What a scope of a quota means.
fn scope_help(scope: &str) -> Option<&'static str> {
    Some(match scope {
        "Terminating" => {
            "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being \
             actively terminated by the system."
        }
        "NotTerminating" => {
            "Matches all pods that do not have an active deadline. These pods usually include long running pods whose \
             container command is not expected to terminate."
        }
        "BestEffort" => {
            "Matches all pods that do not have resource requirements set. These pods have a best effort quality of \
             service."
        }
        "NotBestEffort" => {
            "Matches all pods that have at least one resource requirement set. These pods have a burstable or \
             guaranteed quality of service."
        }
        _ => return None,
    })
}

fn scopes(w: &mut Writer, quota: &Value, level: usize, bullet: &str) {
    let mut scopes = text::texts(quota, &["spec", "scopes"]);
    if scopes.is_empty() {
        return;
    }
    scopes.sort_unstable();
    w.field(level, "Scopes", scopes.join(", "));
    for help in scopes.into_iter().filter_map(scope_help) {
        w.line(level, format_args!("{bullet} {help}"));
    }
}

fn quotas_of_namespace(w: &mut Writer, quotas: &[Value]) {
    if quotas.is_empty() {
        return w.line(0, "No resource quota.");
    }
    let mut sorted: Vec<&Value> = quotas.iter().collect();
    sorted.sort_by_key(|quota| meta::name(quota));
    w.line(0, "Resource Quotas");
    for quota in sorted {
        w.field(1, "Name", meta::name(quota));
        scopes(w, quota, 1, "*");
        w.line(1, "Resource\tUsed\tHard");
        w.line(1, "--------\t---\t---");
        for (resource, hard) in meta::map_at(quota, &["status", "hard"]).into_iter().flatten() {
            let used = quantity(present(quota, &["status", "used", resource]));
            w.line(1, format_args!("{resource}\t{used}\t{}", quantity(Some(hard))));
        }
    }
}

fn resource_quota(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    scopes(w, object, 0, " *");
    w.line(0, "Resource\tUsed\tHard");
    w.line(0, "--------\t----\t----");
    for (resource, hard) in meta::map_at(object, &["status", "hard"]).into_iter().flatten() {
        let used = used_like(present(object, &["status", "used", resource]), hard);
        w.line(0, format_args!("{resource}\t{used}\t{}", quantity(Some(hard))));
    }
    Ok(())
}

/// What is used, in the format of what may be used.
fn used_like(used: Option<&Value>, hard: &Value) -> String {
    let parsed = |value: &Value| quantities::from_value(value).ok();
    match (used.and_then(parsed), parsed(hard)) {
        (Some(amount), Some(limit)) if amount.format() != limit.format() => {
            Quantity::from_i64(amount.value(), limit.format()).to_string()
        }
        _ => quantity(used),
    }
}

fn limits_of_namespace(w: &mut Writer, ranges: &[Value]) {
    if ranges.is_empty() {
        return w.line(0, "No LimitRange resource.");
    }
    w.line(0, "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    w.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    for range in ranges {
        limit_rows(w, range, " ");
    }
}

fn limit_range(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    w.field(0, "Name", meta::name(subject.object));
    w.field(0, "Namespace", meta::namespace(subject.object));
    w.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    w.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    limit_rows(w, subject.object, "");
    Ok(())
}

fn limit_rows(w: &mut Writer, range: &Value, prefix: &str) {
    const FIELDS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for item in meta::list_at(range, &["spec", "limits"]) {
        let maps = FIELDS.iter().filter_map(|field| meta::map_at(item, &[field]));
        let mut resources: Vec<&String> = maps.flat_map(serde_json::Map::keys).collect();
        resources.sort_unstable();
        resources.dedup();
        for resource in resources {
            let value = |field: &&str| {
                present(item, &[field, resource]).map_or_else(|| "-".to_owned(), |value| quantity(Some(value)))
            };
            let values: Vec<String> = FIELDS.iter().map(value).collect();
            w.line(0, format_args!("{prefix}{}\t{resource}\t{}", meta::str_at(item, &["type"]), values.join("\t")));
        }
    }
}
