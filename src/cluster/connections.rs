//! Connections to the pods of simulated nodes: their logs. Nothing runs in their containers, so nothing can be executed,
//! attached to or reached.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::respond;
use crate::apiserver::subresource::connect::NodeConnections;
use crate::apiserver::subresource::log::PodLogOptions;
use crate::nodes::logs::{self, LogOptions};
use crate::object::{Status, Value, go::quote, meta};

/// The kubelets of the simulated nodes, as the API server reaches them.
pub struct SimulatedNodes;

impl NodeConnections for SimulatedNodes {
    fn connect<'a>(&'a self, request: &'a Request, pod: &'a Value, container: &'a str) -> BoxFuture<'a, Answer> {
        Box::pin(std::future::ready(answer(request, pod, container)))
    }
}

fn answer(request: &Request, pod: &Value, container: &str) -> Answer {
    if request.info.subresource == "log" {
        let options = PodLogOptions::of(&request.query, meta::name(pod))?;
        return log(pod, container, &options, request.core.now()).map(|text| respond::text(200, text));
    }
    let what = request.info.subresource.as_str();
    let node = meta::str_at(pod, &["spec", "nodeName"]);
    let message = format!(
        "node {} is simulated: nothing runs in pod {}, so {what} has nothing to connect to",
        quote(node),
        quote(meta::name(pod))
    );
    Err(Status::failure(501, "NotImplemented", message))
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|list| meta::list_at(pod, &["status", list]))
        .find(|status| meta::str_at(status, &["name"]) == container)
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
        let why = match reason {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => "trying and failing to pull image",
            "" => "ContainerCreating",
            other => other,
        };
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
        let waiting = pod(&json!({"waiting": {"reason": "ImagePullBackOff"}}));
        let message = |pod: &Value, options| log(pod, "c", &options, now()).err().map(|s| s.message);
        let expected = "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image";
        assert_eq!(message(&waiting, PodLogOptions::default()).as_deref(), Some(expected));
        let previous = PodLogOptions { previous: true, ..PodLogOptions::default() };
        let expected = "previous terminated container \"c\" in pod \"p\" not found";
        assert_eq!(message(&waiting, previous).as_deref(), Some(expected));
    }
}
