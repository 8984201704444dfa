//! `run --attach`: the new pod's streams, its exit code, and its removal.

use std::time::Duration;

use serde_json::Value;

use crate::cli::attach::Attachment;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::logs::pods;
use crate::cli::remote::has_ended;
use crate::cli::wait::{self, Sight};
use crate::client::{Request, collect};
use crate::kinds::Kinds;
use crate::object::{GroupVersionKind, Status, meta};
use crate::resource::Target;

/// How long the log that was written before the attachment may take.
const LOG: Duration = Duration::from_secs(5);

/// What a pod is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is ready, or has ended.
    Ready,
    /// It has ended.
    Completed,
    /// It has ended well.
    Succeeded,
}

impl State {
    fn holds(self, pod: &Value) -> bool {
        let phase = meta::str_at(pod, &["status", "phase"]);
        match self {
            Self::Ready => has_ended(pod).is_some() || (phase == "Running" && is_ready(pod)),
            Self::Completed => has_ended(pod).is_some(),
            Self::Succeeded => phase == "Succeeded",
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = meta::list_at(pod, &["status", "conditions"]).iter();
    conditions.any(|c| meta::str_at(c, &["type"]) == "Ready" && meta::str_at(c, &["status"]) == "True")
}

/// Watches a pod until it is in a state.
async fn wait_for(cx: &Context, pod: &Value, state: State, patience: Duration) -> Result<Value> {
    let gone = || Error::status(Status::not_found("", "pods", ""));
    let kind = Kinds::builtin().by_gvk(&GroupVersionKind::new("", "v1", "Pod")).cloned().ok_or_else(gone)?;
    let target = Target::named(kind, meta::namespace(pod), meta::name(pod));
    let mut last = Value::Null;
    let see = |sight: Sight<'_>| match sight {
        Sight::Missing | Sight::Gone => Err(gone()),
        Sight::There(pod) => {
            last = pod.clone();
            Ok(state.holds(pod))
        }
    };
    match tokio::time::timeout(patience, wait::follow(cx, &target, see)).await {
        Ok(done) => done.map(|()| last),
        Err(_) => Err(Error::new("timed out waiting for the condition")),
    }
}

/// Prints what a container has written so far.
pub async fn print_log(cx: &Context, pod: &Value, container: &str) -> Result<()> {
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log");
    let request = Request::get(path).accept("application/json, */*").query_some("container", container);
    let answer = cx.client()?.send(request.clone().on("pods", name)).await?;
    if !answer.status().is_success() {
        return cx.call(request.on("pods", name)).await.map(drop);
    }
    let text = collect(answer.into_body()).await.map_err(|error| Error::new(error.to_string()))?;
    cx.streams.write_out(&text)?;
    Ok(cx.streams.flush()?)
}

/// Attaches to a new pod once it is ready; what it wrote before is printed first. A pod that has ended already, or to
/// which nobody can attach, has its log printed.
async fn attach(cx: &Context, pod: &Value, how: &Attachment, patience: Duration) -> Result<()> {
    let pod = wait_for(cx, pod, State::Ready, patience).await?;
    let (container, note) = pods::container(&pod, &how.container, how.quiet)?;
    note.map_or(Ok(()), |note| cx.err_line(note))?;
    if has_ended(&pod).is_some() {
        return print_log(cx, &pod, &container).await;
    }
    let log = tokio::time::timeout(LOG, print_log(cx, &pod, &container)).await;
    let log = log.unwrap_or_else(|_| Err(Error::new("context deadline exceeded")));
    if let Err(error) = log {
        cx.err_line(format!("warning: couldn't fetch pre-attach logs: {}", error.text()))?;
    }
    let Err(error) = how.run(cx, &pod).await else { return Ok(()) };
    let name = meta::name(&pod);
    cx.err_line(format!("warning: couldn't attach to pod/{name}, falling back to streaming logs: {}", error.text()))?;
    print_log(cx, &pod, &container).await
}

/// Attaches to a new pod, and takes over its exit code where `restart` means that it has one.
pub async fn run(
    cx: &Context,
    pod: &Value,
    how: &Attachment,
    restart: &str,
    leave_open: bool,
    patience: Duration,
) -> Result<()> {
    attach(cx, pod, how, patience).await?;
    let state = match restart {
        _ if leave_open => return Ok(()),
        "Never" => State::Completed,
        "OnFailure" => State::Succeeded,
        _ => return Ok(()),
    };
    let pod = wait_for(cx, pod, state, patience).await?;
    let (namespace, name) = (meta::namespace(&pod), meta::name(&pod));
    if meta::str_at(&pod, &["status", "phase"]) == "Succeeded" {
        return Ok(());
    }
    let statuses = meta::list_at(&pod, &["status", "containerStatuses"]);
    let ended = statuses.first().and_then(|status| meta::get(status, &["state", "terminated"]));
    let code = ended.and_then(|ended| meta::int_at(ended, &["exitCode"])).unwrap_or_default();
    let Some(ended) = ended.filter(|_| code != 0) else {
        return Err(Error::new(format!("pod {namespace}/{name} failed with unknown exit code")));
    };
    let (reason, message) = (meta::str_at(ended, &["reason"]), meta::str_at(ended, &["message"]));
    let text = format!("pod {namespace}/{name} terminated ({reason})\n{message}");
    Err(Error::plain(text).with_code(u8::try_from(code).unwrap_or(1)))
}
