//! `drain`.

use std::time::Duration;

use clap::Parser;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::cordon::{NodeArgs, check_pod_selector, cordon};
use super::pods::Rules;
use crate::cli::args::{DryRun, GoDuration, OutputArgs};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::go::quote;
use crate::object::meta;

/// Cordon nodes and move their pods elsewhere.
#[derive(Parser)]
pub struct DrainArgs {
    #[command(flatten)]
    nodes: NodeArgs,
    /// Pods that nothing would bring back may go
    #[arg(long)]
    force: bool,
    /// Leave the pods of daemon sets alone
    #[arg(long)]
    ignore_daemonsets: bool,
    /// Data that pods keep on the node may go
    #[arg(long)]
    delete_emptydir_data: bool,
    /// Seconds that pods get to end; negative for their own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// How long to wait; 0 for ever
    #[arg(long, value_name = "TIME", default_value = "0s")]
    timeout: GoDuration,
    /// Only pods whose labels match
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pod_selector: String,
    /// Delete pods instead of evicting them; passes over disruption budgets
    #[arg(long)]
    disable_eviction: bool,
    /// Do not wait for pods that have been ending for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    skip_wait_for_delete_timeout: i64,
    /// Pods to ask for at a time; 0 for all at once
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    chunk_size: i64,
}

const RETRY: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_secs(1);

fn path_of(pod: &Value) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", meta::namespace(pod), meta::name(pod))
}

/// A drain on its way.
struct Drain<'a> {
    cx: &'a Context,
    args: &'a DrainArgs,
    rules: Rules,
    dry_run: DryRun,
}

impl Drain<'_> {
    fn delete_options(&self) -> Value {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if self.args.grace_period >= 0 {
            options["gracePeriodSeconds"] = self.args.grace_period.into();
        }
        if self.dry_run == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        options
    }

    fn tell(&self, pod: &Value, done: &str) -> Result<()> {
        let printer = OutputArgs::default().printer(&format!("{done}{}", self.dry_run.suffix()))?;
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": meta::name(pod)}});
        printer.print(self.cx, &object)?;
        Ok(self.cx.streams.flush()?)
    }

    /// Waits until the pod is gone.
    async fn gone(&self, pod: &Value) -> Result<()> {
        loop {
            let request = Request::get(path_of(pod)).on("pods", meta::name(pod));
            match self.cx.json(request).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
                Ok(now) if meta::uid(&now) != meta::uid(pod) => return Ok(()),
                Ok(now) if self.rules.skips(self.cx, &now) => {
                    let seconds = self.rules.skip_after;
                    let name = quote(meta::name(pod));
                    return self
                        .cx
                        .line(format!("pod {name} has DeletionTimestamp older than {seconds} seconds, skipping"));
                }
                Ok(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn evict(&self, pod: &Value) -> Result<()> {
        let (name, namespace) = (meta::name(pod), meta::namespace(pod));
        let mut eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace}});
        let options = self.delete_options();
        eviction["deleteOptions"] = options;
        loop {
            self.cx.line(format!("evicting pod {namespace}/{name}{}", self.dry_run.suffix()))?;
            self.cx.streams.flush()?;
            let request = Request::post(format!("{}/eviction", path_of(pod)), &eviction).on("pods", name);
            match self.cx.json(request).await {
                Ok(_) => break,
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.is_reason("TooManyRequests") => {
                    self.cx.err_line(format!(
                        "error when evicting pods/{} -n {} (will retry after 5s): {}",
                        quote(name),
                        quote(namespace),
                        error.text()
                    ))?;
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    let (name, namespace) = (quote(name), quote(namespace));
                    return Err(Error::new(format!(
                        "error when evicting pods/{name} -n {namespace}: {}",
                        error.text()
                    )));
                }
            }
        }
        if self.dry_run == DryRun::Server {
            return Ok(());
        }
        self.gone(pod).await.map_err(|error| {
            let (name, namespace) = (quote(name), quote(namespace));
            Error::new(format!(
                "error when waiting for pod {name} in namespace {namespace} to terminate: {}",
                error.text()
            ))
        })?;
        self.tell(pod, "evicted")
    }

    async fn evict_all(&self, pods: &[Value]) -> Result<()> {
        let limited = |pod| async move {
            let Some(limit) = self.args.timeout.positive() else { return self.evict(pod).await };
            let timeout = tokio::time::timeout(limit, self.evict(pod));
            timeout.await.unwrap_or_else(|_| {
                let (name, namespace) = (quote(meta::name(pod)), quote(meta::namespace(pod)));
                Err(Error::new(format!(
                    "error when evicting pods/{name} -n {namespace}: global timeout reached: {}",
                    self.args.timeout
                )))
            })
        };
        let outcomes = join_all(pods.iter().map(limited)).await;
        let failures = outcomes.into_iter().filter_map(Result::err).map(|error| Error::plain(error.text()));
        Error::many(failures.collect())
    }

    async fn delete_all(&self, pods: &[Value]) -> Result<()> {
        for pod in pods {
            let request = Request::delete(path_of(pod), &self.delete_options()).on("pods", meta::name(pod));
            match self.cx.json(request).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        let wait = async {
            for pod in pods {
                self.gone(pod).await?;
                self.tell(pod, "deleted")?;
            }
            Ok(())
        };
        match self.args.timeout.positive() {
            None => wait.await,
            Some(limit) => {
                tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| Err(Error::new("context deadline exceeded")))
            }
        }
    }

    async fn node(&self, name: &str) -> Result<()> {
        let pods = self.rules.pods(self.cx, name).await?;
        let warning = pods.warning();
        if !warning.is_empty() {
            self.cx.err_line(format!("Warning: {warning}"))?;
        }
        if self.dry_run == DryRun::Client {
            for pod in &pods.going {
                let (namespace, name) = (meta::namespace(pod), meta::name(pod));
                self.cx.line(format!("evicting pod {namespace}/{name} (dry run)"))?;
            }
            return Ok(());
        }
        let outcome = if self.args.disable_eviction {
            self.delete_all(&pods.going).await
        } else {
            self.evict_all(&pods.going).await
        };
        let Err(error) = outcome else { return Ok(()) };
        match self.rules.pods(self.cx, name).await {
            Ok(left) if !left.going.is_empty() => {
                let (name, why) = (quote(name), error.text());
                self.cx.err_line(format!("There are pending pods in node {name} when an error occurred: {why}"))?;
                left.going.iter().try_for_each(|pod| self.cx.err_line(format!("pod/{}", meta::name(pod))))?;
            }
            Ok(_) => {}
            Err(again) => self.cx.err(&format!(
                "Following errors occurred while getting the list of pods to delete:\n{}",
                again.text()
            ))?,
        }
        Err(error)
    }
}

impl Run for DrainArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.nodes.dry_run.mode(cx)?;
        check_pod_selector(&self.pod_selector)?;
        let mut nodes = self.nodes.find(cx, "drain NODE").await?;
        cordon(cx, &mut nodes, dry_run, true).await?;
        let rules = Rules {
            force: self.force,
            ignore_daemon_sets: self.ignore_daemonsets,
            delete_local_data: self.delete_emptydir_data,
            selector: self.pod_selector.clone(),
            chunk_size: self.chunk_size,
            skip_after: self.skip_wait_for_delete_timeout,
        };
        let drain = Drain { cx, args: &self, rules, dry_run };
        let (mut pending, mut errors) = (Vec::new(), Vec::new());
        for node in &nodes {
            match drain.node(&node.name).await {
                Ok(()) => {
                    let printer = OutputArgs::default().printer(&format!("drained{}", dry_run.suffix()))?;
                    printer.print(cx, &node.object)?;
                }
                Err(error) => {
                    cx.err_line(format!(
                        "error: unable to drain node {} due to error: {}, continuing command...",
                        quote(&node.name),
                        error.text()
                    ))?;
                    pending.push(format!(" {}", node.name));
                    errors.push(error);
                }
            }
        }
        if !pending.is_empty() {
            cx.err_line("There are pending nodes to be drained:")?;
            pending.iter().try_for_each(|line| cx.err_line(line))?;
        }
        Error::many(errors)
    }
}
