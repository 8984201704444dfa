//! `binding`, `eviction` and the connections to a pod's containers.

use std::sync::Arc;

use serde_json::json;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::{store_failure, timestamp};
use crate::apiserver::options::{DeleteOptions, WriteOptions};
use crate::apiserver::store::{Encoded, Entry, Expect, Write, WriteError};
use crate::apiserver::verbs::{delete, get};
use crate::apiserver::{decode, respond};
use crate::object::field::{self, Error, ErrorList, Path};
use crate::object::selector::LabelSelector;
use crate::object::status::Cause;
use crate::object::{GroupVersionKind, Status, Value, meta};

use super::review::Review;

/// How often a write is tried again when another request was faster.
const ATTEMPTS: usize = 20;

/// The status of a subresource that made something.
fn created(request: &Request) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::success(request, 201, &status))
}

/// Writes a new state of an entry; `false` when another request was faster.
async fn store(request: &Request, entry: &Entry, object: &Value) -> Result<bool, Status> {
    let write = Write {
        key: entry.key.to_string(),
        expect: Expect::Revision(entry.revision),
        value: Some(Encoded::new(object)),
    };
    match request.core.store.write(write).await {
        Ok(_) => Ok(true),
        Err(WriteError::Conflict(_)) => Ok(false),
        Err(WriteError::Store(error)) => Err(store_failure(&error)),
    }
}

/// Answers POST of a binding, to the pod's subresource or to the collection of bindings: the pod gets its node.
///
/// # Errors
///
/// 400, 404, 409, 422.
pub async fn bind(request: &Request) -> Answer {
    let options = WriteOptions::of(request, "CreateOptions")?;
    let kind = GroupVersionKind::new("", "v1", "Binding");
    let decoded = decode::of_kind(&kind, &request.body, request.body_encoding()?)?;
    options.report(request, decoded.strict)?;
    let review = Review::of_creation(request, decoded.object, &options).await?;
    let binding = review.object();
    let name = meta::name(&binding).to_owned();
    if !request.info.name.is_empty() && name != request.info.name {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    check_target(&binding)?;
    review.judge(&binding).await?;
    let node = meta::str_at(&binding, &["target", "name"]).to_owned();
    for _ in 0..ATTEMPTS {
        let key = format!("/registry/pods/{}/{name}", request.info.namespace);
        let Some(entry) = request.core.store.get(&key) else { return Err(Status::not_found("", "pods", &name)) };
        let mut pod = entry.object("v1", "Pod");
        check_bindable(&pod, &binding)?;
        assign(request, &mut pod, &binding, &node);
        if options.dry_run || store(request, &entry, &pod).await? {
            return created(request);
        }
    }
    Err(Status::conflict("", "pods/binding", &name, "the pod was changed by another request"))
}

/// A binding leads to a node; the findings come as an error of the server's own, as from the reference server.
fn check_target(binding: &Value) -> Result<(), Status> {
    let target = Path::new("target");
    let kind = meta::str_at(binding, &["target", "kind"]);
    let mut errors = ErrorList::new();
    if !matches!(kind, "" | "Node") {
        errors.push(Error::not_supported(&target.child("kind"), kind, &["Node", "<empty>"]));
    }
    if meta::str_at(binding, &["target", "name"]).is_empty() {
        errors.push(Error::required(&target.child("name"), ""));
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::failure(500, "", field::aggregate(&errors))) }
}

fn check_bindable(pod: &Value, binding: &Value) -> Result<(), Status> {
    let name = meta::name(pod);
    let refuse = |why: String| Err(Status::conflict("", "pods/binding", name, &why));
    if meta::deletion_timestamp(pod).is_some() {
        return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let node = meta::str_at(pod, &["spec", "nodeName"]);
    if !node.is_empty() {
        return refuse(format!("pod {name} is already assigned to node {}", crate::object::go::quote(node)));
    }
    let uid = meta::uid(binding);
    if !uid.is_empty() && uid != meta::uid(pod) {
        return refuse(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(pod)
        ));
    }
    if !meta::list_at(pod, &["spec", "schedulingGates"]).is_empty() {
        return refuse(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    Ok(())
}

fn assign(request: &Request, pod: &mut Value, binding: &Value, node: &str) {
    meta::set(pod, &["spec", "nodeName"], node);
    for (key, value) in meta::annotations(binding) {
        meta::set(pod, &["metadata", "annotations", key], value);
    }
    meta::remove(pod, &["status", "nominatedNodeName"]);
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": timestamp(request.core.now()),
    });
    let mut conditions: Vec<Value> = meta::list_at(pod, &["status", "conditions"])
        .iter()
        .filter(|condition| meta::str_at(condition, &["type"]) != "PodScheduled")
        .cloned()
        .collect();
    conditions.push(condition);
    meta::set(pod, &["status", "conditions"], conditions);
}

/// Answers POST of an eviction: the pod is deleted if its disruption budget allows that.
///
/// # Errors
///
/// 400, 404, 429, 500.
pub async fn evict(request: &Request) -> Answer {
    let options = WriteOptions::of(request, "CreateOptions")?;
    let parsed = decode::parse(&request.body, request.body_encoding()?)
        .map_err(|why| decode::unrecognized("Eviction", &why, &request.body))?;
    let mut eviction = parsed.value;
    for (field, default) in [("apiVersion", "policy/v1"), ("kind", "Eviction")] {
        if meta::str_at(&eviction, &[field]).is_empty() {
            meta::set(&mut eviction, &[field], default);
        }
    }
    let review = Review::of_creation(request, eviction, &options).await?;
    let eviction = review.object();
    if meta::name(&eviction) != request.info.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let mut delete_options = DeleteOptions::of_value(eviction.get("deleteOptions").cloned().unwrap_or(json!({})))?;
    delete_options.dry_run |= options.dry_run;
    review.judge(&eviction).await?;
    let pod = get::read(request)?;
    if !may_go_freely(&pod) {
        spend_budget(request, &pod, delete_options.dry_run).await?;
    }
    if !delete_options.dry_run {
        mark_evicted(request).await?;
    }
    delete::delete_admitted(request, &request.info.name, &delete_options).await?;
    created(request)
}

/// The pod's status says why it goes, for whoever looks at it until it has gone.
async fn mark_evicted(request: &Request) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let Some(entry) = request.core.store.get(&request.key()) else { return Err(request.not_found()) };
        let mut pod = entry.object("v1", "Pod");
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": timestamp(request.core.now()),
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        });
        let mut conditions: Vec<Value> = meta::list_at(&pod, &["status", "conditions"])
            .iter()
            .filter(|condition| meta::str_at(condition, &["type"]) != "DisruptionTarget")
            .cloned()
            .collect();
        conditions.push(condition);
        meta::set(&mut pod, &["status", "conditions"], conditions);
        if store(request, &entry, &pod).await? {
            return Ok(());
        }
    }
    Err(Status::conflict("", "pods", &request.info.name, "the pod was changed by another request"))
}

/// Pods that ended, that wait, or that are on their way out already do not count.
fn may_go_freely(pod: &Value) -> bool {
    matches!(meta::str_at(pod, &["status", "phase"]), "Succeeded" | "Failed" | "Pending")
        || meta::deletion_timestamp(pod).is_some()
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = meta::list_at(pod, &["status", "conditions"]).iter();
    conditions.any(|c| meta::str_at(c, &["type"]) == "Ready" && meta::str_at(c, &["status"]) == "True")
}

fn refusal(retry: u32, cause: String) -> Status {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut status = Status::failure(429, "TooManyRequests", message);
    let details = status.details_mut();
    details.retry_after_seconds = retry;
    details.causes.push(Cause { reason: "DisruptionBudget".into(), message: cause, field: String::new() });
    status
}

/// Finds the pod's disruption budget and takes one disruption from it.
async fn spend_budget(request: &Request, pod: &Value, dry_run: bool) -> Result<(), Status> {
    let prefix = format!("/registry/poddisruptionbudgets/{}/", request.info.namespace);
    for _ in 0..ATTEMPTS {
        let found: Vec<(Arc<Entry>, Value)> = request
            .core
            .store
            .list(&prefix, None)
            .entries
            .into_iter()
            .map(|entry| (entry.clone(), entry.object("policy/v1", "PodDisruptionBudget")))
            .filter(|(_, budget)| {
                let selector = budget.get("spec").and_then(|spec| spec.get("selector")).unwrap_or(&Value::Null);
                LabelSelector::from_struct(selector).is_ok_and(|selector| selector.matches_object(pod))
            })
            .collect();
        let (entry, mut budget) = match found.as_slice() {
            [] => return Ok(()),
            [(entry, budget)] => (entry.clone(), budget.clone()),
            _ => {
                let why =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(Status::failure(500, "", why));
            }
        };
        if unhealthy_may_go(&budget, pod) {
            return Ok(());
        }
        take_one(request, pod, &mut budget)?;
        if dry_run || store(request, &entry, &budget).await? {
            return Ok(());
        }
    }
    Err(refusal(10, "The disruption budget is being changed by other requests.".into()))
}

/// A pod that is not ready may go when the budget says so, or when it is met without the pod.
fn unhealthy_may_go(budget: &Value, pod: &Value) -> bool {
    if is_ready(pod) {
        return false;
    }
    let number = |name| meta::int_at(budget, &["status", name]).unwrap_or_default();
    match meta::str_at(budget, &["spec", "unhealthyPodEvictionPolicy"]) {
        "AlwaysAllow" => true,
        _ => number("currentHealthy") >= number("desiredHealthy") && number("desiredHealthy") > 0,
    }
}

fn take_one(request: &Request, pod: &Value, budget: &mut Value) -> Result<(), Status> {
    let name = meta::name(budget).to_owned();
    let number = |budget: &Value, name| meta::int_at(budget, &["status", name]).unwrap_or_default();
    if number(budget, "observedGeneration") < meta::generation(budget) {
        return Err(refusal(10, format!("The disruption budget {name} is still being processed by the server.")));
    }
    let allowed = number(budget, "disruptionsAllowed");
    if allowed < 0 {
        let status = Status::forbidden("policy", "poddisruptionbudget", &name, "pdb disruptions allowed is negative");
        return Err(status);
    }
    if allowed == 0 {
        let mut cause = format!("The disruption budget {name} does not allow evicting pods currently");
        let (needs, has) = (number(budget, "desiredHealthy"), number(budget, "currentHealthy"));
        if meta::list_at(budget, &["status", "conditions"]).iter().any(|c| meta::str_at(c, &["reason"]) == "SyncFailed")
        {
            cause = format!("{cause} because it failed sync");
        } else if meta::list_at(budget, &["status", "conditions"]).is_empty() || needs == 0 {
        } else if needs > has {
            cause = format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently");
        }
        return Err(refusal(0, cause));
    }
    meta::set(budget, &["status", "disruptionsAllowed"], allowed - 1);
    meta::set(budget, &["status", "disruptedPods", meta::name(pod)], timestamp(request.core.now()));
    if allowed == 1 {
        insufficient(request, budget);
    }
    Ok(())
}

/// The condition of a budget that allows nothing any more.
fn insufficient(request: &Request, budget: &mut Value) {
    let now = timestamp(request.core.now());
    let condition = json!({
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "InsufficientPods",
        "message": "",
        "lastTransitionTime": now,
        "observedGeneration": meta::int_at(budget, &["status", "observedGeneration"]).unwrap_or_default(),
    });
    let mut conditions: Vec<Value> = meta::list_at(budget, &["status", "conditions"])
        .iter()
        .filter(|condition| meta::str_at(condition, &["type"]) != "DisruptionAllowed")
        .cloned()
        .collect();
    conditions.push(condition);
    meta::set(budget, &["status", "conditions"], conditions);
}

/// The container that a request to a pod is about.
///
/// # Errors
///
/// 400 when it must be named, or is not there.
pub fn container(request: &Request, pod: &Value) -> Result<String, Status> {
    let names =
        |field| meta::list_at(pod, &["spec", field]).iter().map(|c| meta::str_at(c, &["name"])).collect::<Vec<_>>();
    let (init, main, ephemeral) = (names("initContainers"), names("containers"), names("ephemeralContainers"));
    let pod_name = meta::name(pod);
    let default = meta::annotation(pod, "kubectl.kubernetes.io/default-container").unwrap_or_default();
    match request.query.get("container") {
        Some(name) if [&init, &main, &ephemeral].iter().any(|names| names.contains(&name)) => Ok(name.to_owned()),
        Some(name) => Err(Status::bad_request(format!("container {name} is not valid for pod {pod_name}"))),
        None => match main.as_slice() {
            [] => Err(Status::bad_request(format!("a container name must be specified for pod {pod_name}"))),
            [only] => Ok((*only).to_owned()),
            _ if main.contains(&default) => Ok(default.to_owned()),
            _ => {
                let mut all = init;
                all.extend(&main);
                all.extend(&ephemeral);
                Err(Status::bad_request(format!(
                    "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                    all.join(" ")
                )))
            }
        },
    }
}
