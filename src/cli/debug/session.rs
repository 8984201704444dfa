//! What follows when a debugging container is to be attached to.

use super::DebugArgs;
use crate::cli::attach::Attachment;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::run::print_log;
use crate::cli::wait::{Sight, follow};
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

/// Attaches to the container once it runs; where it has ended, or nobody can attach, its log is printed.
pub async fn open(cx: &Context, args: &DebugArgs, pod: &Value, container: &str) -> Result<()> {
    cx.streams.flush()?;
    let pod = running(cx, args, pod, container).await?;
    let ended = status_of(&pod, container).and_then(|status| meta::get(status, &["state", "terminated"]));
    if ended.is_some_and(|state| !state.is_null()) {
        return print_log(cx, &pod, container).await;
    }
    let attachment = Attachment {
        container: container.to_owned(),
        stdin: args.stdin,
        tty: args.tty,
        quiet: args.quiet,
        command: format!("{} attach", cx.program.name),
        ..Attachment::default()
    };
    let Err(error) = attachment.run(cx, &pod).await else { return Ok(()) };
    let name = meta::name(&pod);
    cx.err_line(format!("warning: couldn't attach to pod/{name}, falling back to streaming logs: {}", error.text()))?;
    print_log(cx, &pod, container).await
}
