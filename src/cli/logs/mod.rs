//! `logs`: what containers have written.

pub mod pods;

use std::future::Future;

use clap::Parser;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde_json::Value;

use super::args::GoDuration;
use super::context::Context;
use super::error::{Error, Result};
use super::targets;
use super::verb::Run;
use crate::client::Request;
use crate::object::go::quote;
use crate::object::{meta, time};
use crate::resource::{Selection, Target};

/// Show what containers have written.
#[derive(Parser)]
pub struct LogsArgs {
    /// Pod or TYPE/NAME, then the container
    #[arg(value_name = "POD|TYPE/NAME [CONTAINER]")]
    words: Vec<String>,
    /// Logs of all pods; each line tells its source
    #[arg(long)]
    all_pods: bool,
    /// Logs of all containers
    #[arg(long)]
    all_containers: bool,
    /// Go on as more is written
    #[arg(short = 'f', long)]
    follow: bool,
    /// Begin each line with its time
    #[arg(long)]
    timestamps: bool,
    /// Most bytes to show
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    limit_bytes: i64,
    /// Logs of the container's last run
    #[arg(short = 'p', long)]
    previous: bool,
    /// Most lines to show; -1 for all, which is the default without a selector
    #[arg(long, value_name = "COUNT")]
    tail: Option<i64>,
    /// Go on when a log cannot be read
    #[arg(long)]
    ignore_errors: bool,
    /// Only what is newer than this time (RFC 3339)
    #[arg(long, value_name = "TIME", default_value = "")]
    since_time: String,
    /// Only what is newer than this long ago
    #[arg(long, value_name = "TIME", default_value = "0s")]
    since: GoDuration,
    /// The container
    #[arg(short = 'c', long, value_name = "NAME")]
    container: Option<String>,
    /// Let the server trust any node
    #[arg(long)]
    insecure_skip_tls_verify_backend: bool,
    /// Most logs to follow at once
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    max_log_requests: i32,
    /// Begin each line with its pod and container
    #[arg(long)]
    prefix: bool,
    /// Only pods whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// How long to wait for a pod
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pod_running_timeout: GoDuration,
}

const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument \
                     for the logs command";
/// Lines of each pod when a selector chooses several.
const SELECTOR_TAIL: i64 = 10;

/// The log of one container.
struct Source {
    pod: String,
    namespace: String,
    container: String,
}

impl LogsArgs {
    fn check(&self, cx: &Context) -> Result<()> {
        match self.words.len() {
            0 if self.selector.is_empty() => return Err(cx.usage(USAGE)),
            0 | 2 => {}
            1 if self.selector.is_empty() => {}
            1 => return Err(cx.usage("only a selector (-l) or a POD name is allowed")),
            _ => return Err(cx.usage(USAGE)),
        }
        if self.pod_running_timeout.0 <= 0 {
            return Err(Error::new("--pod-running-timeout must be higher than zero"));
        }
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        let wrong = if !self.since_time.is_empty() && self.since.0 != 0 {
            "at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned()
        } else if let Some(container) = self.container().filter(|name| self.all_containers && !name.is_empty()) {
            format!("--all-containers=true should not be specified with container name {container}")
        } else if self.container.is_some() && self.words.len() == 2 {
            "only one of -c or an inline [CONTAINER] arg is allowed".to_owned()
        } else if self.limit_bytes < 0 {
            "--limit-bytes must be greater than 0".to_owned()
        } else if self.since.0 < 0 {
            "--since must be greater than 0".to_owned()
        } else if self.tail.is_some_and(|lines| lines < -1) {
            "--tail must be greater than or equal to -1".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(wrong))
    }

    fn container(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str).or(self.container.as_deref())
    }

    /// The objects whose logs are wanted.
    async fn find(&self, cx: &Context) -> Result<Vec<Target>> {
        let args = match self.words.first() {
            Some(word) if word.contains('/') => vec![word.clone()],
            Some(word) => vec!["pods".to_owned(), word.clone()],
            None => vec!["pods".to_owned()],
        };
        let selection = Selection { labels: self.selector.clone(), ..cx.selection(args, Default::default())? };
        let found = targets::find(cx, &selection, true).await?;
        let (namespace, _) = cx.namespace()?;
        if let Some(error) = found.errors.into_iter().next() {
            if error.is_not_found() {
                let (text, namespace) = (error.text(), quote(&namespace));
                return Err(Error::new(format!("error from server (NotFound): {text} in namespace {namespace}")));
            }
            return Err(error);
        }
        if self.selector.is_empty() && found.targets.len() != 1 {
            return Err(Error::new("expected a resource"));
        }
        if found.targets.is_empty() {
            cx.err_line(format!("No resources found in {namespace} namespace."))?;
        }
        Ok(found.targets)
    }

    /// The logs of a pod.
    fn of_pod(&self, cx: &Context, pod: &Value, all_pods: bool) -> Result<Vec<Source>> {
        let names = if self.all_containers {
            pods::all_containers(pod)
        } else {
            let (name, note) = pods::container(pod, self.container().unwrap_or_default(), all_pods)?;
            note.map_or(Ok(()), |note| cx.err_line(note))?;
            vec![name]
        };
        let source = |container: String| Source {
            pod: meta::name(pod).to_owned(),
            namespace: meta::namespace(pod).to_owned(),
            container,
        };
        Ok(names.into_iter().map(source).collect())
    }

    async fn sources(&self, cx: &Context, found: &[Target]) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for target in found {
            if target.kind.kind == "Pod" && target.kind.group.is_empty() {
                sources.extend(self.of_pod(cx, &target.object, self.all_pods)?);
                continue;
            }
            let all = pods::of_workload(cx, &target.object, self.pod_running_timeout).await?;
            let several = all.len() > 1;
            for (position, pod) in all.iter().enumerate() {
                if position > 0 && !self.all_pods {
                    break;
                }
                if several && !self.all_pods {
                    cx.err_line(format!("Found {} pods, using pod/{}", all.len(), meta::name(pod)))?;
                }
                sources.extend(self.of_pod(cx, pod, self.all_pods)?);
            }
        }
        Ok(sources)
    }

    fn request(&self, source: &Source) -> Request {
        let path = format!("/api/v1/namespaces/{}/pods/{}/log", source.namespace, source.pod);
        let mut request = Request::get(path).accept("application/json, */*").on("pods", &source.pod);
        let flags = [
            ("follow", self.follow),
            ("insecureSkipTLSVerifyBackend", self.insecure_skip_tls_verify_backend),
            ("previous", self.previous),
            ("timestamps", self.timestamps),
        ];
        request = request.query("container", &*source.container);
        for (name, _) in flags.into_iter().filter(|(_, on)| *on) {
            request = request.query(name, "true");
        }
        if self.limit_bytes != 0 {
            request = request.query("limitBytes", self.limit_bytes.to_string());
        }
        if self.since.0 != 0 {
            let seconds = (self.since.0 + 500_000_000).div_euclid(1_000_000_000);
            request = request.query("sinceSeconds", seconds.to_string());
        }
        let tail = match self.tail {
            None if !self.selector.is_empty() => SELECTOR_TAIL,
            tail => tail.unwrap_or(-1),
        };
        if tail != -1 {
            request = request.query("tailLines", tail.to_string());
        }
        request.query_some("sinceTime", &self.since_time)
    }

    /// Copies one log to standard output.
    async fn copy(&self, cx: &Context, source: &Source) -> Result<()> {
        let client = cx.client()?;
        let answer = client.send(self.request(source)).await?;
        if !answer.status().is_success() {
            // Asked once more for the refusal in the server's words.
            return cx.call(self.request(source)).await.map(drop);
        }
        let prefix = match self.prefix || self.all_pods {
            true => format!("[pod/{}/{}] ", source.pod, source.container),
            false => String::new(),
        };
        let mut body = answer.into_body();
        let mut waiting = Vec::new();
        let print = |line: &[u8]| -> Result<()> {
            cx.streams.write_out(prefix.as_bytes())?;
            Ok(cx.streams.write_out(line)?)
        };
        while let Some(chunk) = body.next().await {
            waiting.extend_from_slice(&chunk.map_err(|error| Error::new(error.to_string()))?);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                print(&line)?;
            }
            cx.streams.flush()?;
        }
        if waiting.is_empty() { Ok(()) } else { print(&waiting) }
    }

    /// The same, but a failure is told and passed over where the user wants that.
    async fn copy_or_tell(&self, cx: &Context, source: &Source) -> Result<()> {
        match self.copy(cx, source).await {
            Err(error) if self.ignore_errors => cx.line(format!("error: {}", error.text())),
            outcome => outcome,
        }
    }
}

/// Whether all of them succeed, one after the other.
async fn in_turn(copies: Vec<impl Future<Output = Result<()>>>) -> Result<()> {
    for copy in copies {
        copy.await?;
    }
    Ok(())
}

impl Run for LogsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.check(cx)?;
        if !self.since_time.is_empty() {
            time::parse(&self.since_time).map_err(|error| Error::new(error.to_string()))?;
        }
        let found = self.find(cx).await?;
        self.check_values()?;
        let sources = self.sources(cx, &found).await?;
        let limit = usize::try_from(self.max_log_requests).unwrap_or_default();
        if self.follow && sources.len() > 1 && sources.len() > limit {
            return Err(Error::new(format!(
                "you are attempting to follow {} log streams, but maximum allowed concurrency is {limit}, use \
                 --max-log-requests to increase the limit",
                sources.len()
            )));
        }
        let copies: Vec<_> = sources.iter().map(|source| self.copy_or_tell(cx, source)).collect();
        if self.follow { try_join_all(copies).await.map(drop) } else { in_turn(copies).await }
    }
}
