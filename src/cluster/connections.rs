//! Connections to the pods of simulated nodes: their logs, and what [`super::streams`] carries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::respond;
use crate::apiserver::subresource::connect::NodeConnections;
use crate::apiserver::subresource::log::PodLogOptions;
use crate::nodes::container::{Scratch, status as status_of};
use crate::nodes::logs::{self, LogOptions};
use crate::object::{Status, Value, go::quote, meta};

use super::streams;

/// How many pods' written files are kept before those of pods that have gone are let go.
const MANY: usize = 64;

/// The kubelets of the simulated nodes, as the API server reaches them.
#[derive(Default)]
pub struct SimulatedNodes {
    /// What commands have written, by the pod's uid.
    written: Mutex<HashMap<String, Scratch>>,
}

impl SimulatedNodes {
    /// The files that commands in a pod have written.
    fn scratch(&self, request: &Request, pod: &Value) -> Scratch {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= MANY && !written.contains_key(meta::uid(pod)) {
            let pods = request.core.store.list("/registry/pods/", None).entries;
            let there: Vec<String> =
                pods.iter().map(|entry| meta::uid(&entry.object("v1", "Pod")).to_owned()).collect();
            written.retain(|uid, _| there.contains(uid));
        }
        written.entry(meta::uid(pod).to_owned()).or_default().clone()
    }

    fn answer(&self, request: &Request, pod: &Value, container: &str) -> Answer {
        match request.info.subresource.as_str() {
            "log" => {
                let options = PodLogOptions::of(&request.query, meta::name(pod))?;
                let missing = image_is_missing(pod, container).filter(|_| !options.previous);
                if let Some(why) = missing {
                    request.warn(why);
                    return Ok(respond::text(200, ""));
                }
                log(pod, container, &options, request.core.now()).map(|text| respond::text(200, text))
            }
            "portforward" => streams::forward(request, pod),
            _ => streams::command(request, pod, container, self.scratch(request, pod)),
        }
    }
}

/// The connections to the simulated nodes, for a server to install.
pub fn simulated_nodes() -> Arc<dyn NodeConnections> {
    Arc::new(SimulatedNodes::default())
}

impl NodeConnections for SimulatedNodes {
    fn connect<'a>(&'a self, request: &'a Request, pod: &'a Value, container: &'a str) -> BoxFuture<'a, Answer> {
        Box::pin(std::future::ready(self.answer(request, pod, container)))
    }
}

/// Why a container whose image cannot be had has an empty log. A real kubelet refuses to show one; simulated nodes
/// answer every request for a log and say this in a warning.
fn image_is_missing(pod: &Value, container: &str) -> Option<String> {
    let status = status_of(pod, container)?;
    let reason = meta::str_at(status, &["state", "waiting", "reason"]);
    let (name, shown) = (quote(meta::name(pod)), quote(container));
    matches!(reason, "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName")
        .then(|| format!("container {shown} in pod {name} is waiting to start: trying and failing to pull image"))
}

/// When a container's run began, if it did.
fn started(state: Option<&Value>) -> Option<DateTime<Utc>> {
    let state = state?;
    ["running", "terminated"]
        .into_iter()
        .map(|kind| meta::str_at(state, &[kind, "startedAt"]))
        .find_map(|text| text.parse().ok())
}

/// What a container printed since it began, all at its beginning. A log that is followed ends there, too, for no more
/// will come.
///
/// # Errors
///
/// 400 for a container that has not run, in the kubelet's words.
fn log(pod: &Value, container: &str, options: &PodLogOptions, now: DateTime<Utc>) -> Result<String, Status> {
    let (name, shown) = (quote(meta::name(pod)), quote(container));
    let status = status_of(pod, container);
    let state = |field: &str| status.and_then(|status| status.get(field));
    if options.previous && started(state("lastState")).is_none() {
        let why = format!("previous terminated container {shown} in pod {name} not found");
        return Err(Status::bad_request(why));
    }
    let Some(begin) = started(state(if options.previous { "lastState" } else { "state" })) else {
        let reason = state("state").map(|state| meta::str_at(state, &["waiting", "reason"])).unwrap_or_default();
        let why = if reason.is_empty() { "ContainerCreating" } else { reason };
        return Err(Status::bad_request(format!("container {shown} in pod {name} is waiting to start: {why}")));
    };
    if options.since(now).is_some_and(|since| begin < since) {
        return Ok(String::new());
    }
    let count = |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok());
    let wanted = LogOptions {
        tail_lines: count(options.tail_lines),
        limit_bytes: count(options.limit_bytes),
        timestamps: options.timestamps,
    };
    Ok(logs::lines(container, &wanted, begin))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2024-05-01T12:00:00Z".parse().expect("a time")
    }

    fn pod(state: &Value) -> Value {
        json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "c", "state": state}]}})
    }

    #[test]
    fn containers_that_run_have_a_log() {
        let running = pod(&json!({"running": {"startedAt": "2024-05-01T11:59:00Z"}}));
        let text = log(&running, "c", &PodLogOptions::default(), now()).expect("a log");
        assert_eq!(text.lines().count(), 3);
        let recent = PodLogOptions { since_seconds: Some(5), ..PodLogOptions::default() };
        assert_eq!(log(&running, "c", &recent, now()).expect("a log"), "");
    }

    #[test]
    fn containers_that_did_not_run_say_why() {
        let missing = pod(&json!({"waiting": {"reason": "ImagePullBackOff"}}));
        let expected = "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image";
        assert_eq!(image_is_missing(&missing, "c").as_deref(), Some(expected));
        let waiting = pod(&json!({"waiting": {"reason": "PodInitializing"}}));
        let message = |pod: &Value, options| log(pod, "c", &options, now()).err().map(|s| s.message);
        let expected = "container \"c\" in pod \"p\" is waiting to start: PodInitializing";
        assert_eq!(message(&waiting, PodLogOptions::default()).as_deref(), Some(expected));
        let previous = PodLogOptions { previous: true, ..PodLogOptions::default() };
        let expected = "previous terminated container \"c\" in pod \"p\" not found";
        assert_eq!(message(&waiting, previous).as_deref(), Some(expected));
    }
}
