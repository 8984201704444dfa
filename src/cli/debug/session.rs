//! What follows when a debugging container is to be attached to: waiting until it runs, and its streams.

use super::DebugArgs;
use crate::cli::attach::Attachment;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::wait::{Sight, follow};
use crate::client::Request;
use crate::object::{Status, Value, meta};
use crate::resource::Target;

/// The statuses of a container of whatever sort.
fn status_of<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = lists.iter().flat_map(|list| meta::list_at(pod, &["status", list]));
    statuses.find(|status| meta::str_at(status, &["name"]) == name)
}

/// Waits until the container runs or has ended; gives the pod.
async fn running(cx: &Context, args: &DebugArgs, pod: &Value, container: &str) -> Result<Value> {
    let kind = cx.mapper()?.resource("pods").await.map_err(|error| cx.explain(error))?;
    let target = Target::named(kind, meta::namespace(pod), meta::name(pod));
    let mut last = Value::Null;
    let see = |sight: Sight<'_>| {
        let pod = match sight {
            Sight::There(pod) => pod,
            Sight::Missing => return Ok(false),
            Sight::Gone => return Err(Error::status(Status::not_found("", "pods", ""))),
        };
        let Some(status) = status_of(pod, container) else { return Ok(false) };
        let state = |name: &str| meta::get(status, &["state", name]).is_some_and(|state| !state.is_null());
        if state("running") || state("terminated") {
            last = pod.clone();
            return Ok(true);
        }
        let message = meta::str_at(status, &["state", "waiting", "message"]);
        if !args.quiet && !message.is_empty() {
            cx.err_line(format!("Warning: container {container}: {message}"))?;
        }
        Ok(false)
    };
    follow(cx, &target, see).await?;
    Ok(last)
}

/// Opens a session with the container. One that has ended, or to which nobody can attach, has its log shown.
pub async fn open(cx: &Context, args: &DebugArgs, pod: &Value, container: &str) -> Result<()> {
    cx.streams.flush()?;
    let pod = running(cx, args, pod, container).await?;
    let status = status_of(&pod, container);
    if status.is_some_and(|status| meta::get(status, &["state", "terminated"]).is_some_and(|state| !state.is_null())) {
        return logs(cx, &pod, container).await;
    }
    let attachment = Attachment {
        container: container.to_owned(),
        stdin: args.stdin,
        tty: args.tty,
        quiet: args.quiet,
        detach_keys: String::new(),
        command: format!("{} attach", cx.program.name),
    };
    let Err(error) = attachment.run(cx, &pod).await else { return Ok(()) };
    let name = meta::name(&pod);
    cx.err_line(format!("warning: couldn't attach to pod/{name}, falling back to streaming logs: {}", error.text()))?;
    logs(cx, &pod, container).await
}

async fn logs(cx: &Context, pod: &Value, container: &str) -> Result<()> {
    use futures_util::StreamExt;
    let path = format!("/api/v1/namespaces/{}/pods/{}/log", meta::namespace(pod), meta::name(pod));
    let request = Request::get(path).query("container", container).on("pods", meta::name(pod));
    let answer = cx.client()?.send(request).await?;
    let mut body = answer.into_body();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Error::new(error.to_string()))?;
        cx.out(&String::from_utf8_lossy(&chunk))?;
        cx.streams.flush()?;
    }
    Ok(())
}
