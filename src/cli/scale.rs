//! `scale`: how many replicas a workload has.

use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::args::{DryRun, DryRunArgs, FileArgs, GoDuration, OutputArgs};
use super::context::Context;
use super::error::{Error, Result};
use super::targets;
use super::verb::Run;
use crate::client::Request;
use crate::object::meta;
use crate::resource::{Selection, Target};

/// Set the number of replicas of a workload.
#[derive(Parser)]
pub struct ScaleArgs {
    /// Types and names: TYPE NAME…, TYPE/NAME…, TYPE with --all or -l
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Every object of the types in the namespace
    #[arg(long)]
    all: bool,
    /// Only where there are this many now; -1 for any
    #[arg(long, value_name = "COUNT", default_value_t = -1)]
    current_replicas: i32,
    // The full stop belongs to the text that completions show.
    #[arg(long, value_name = "COUNT", required = true, help = "The new desired number of replicas. Required.")]
    replicas: i32,
    /// Only where the object has this version
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// How long to wait until the replicas are there; 0 does not wait
    #[arg(long, value_name = "TIME", default_value = "0s")]
    timeout: GoDuration,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
}

impl ScaleArgs {
    fn check(&self) -> Result<()> {
        if self.replicas < 0 {
            return Err(Error::new(
                "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
            ));
        }
        if self.current_replicas < -1 {
            return Err(Error::new("The --current-replicas must specify an integer of -1 or greater"));
        }
        Ok(())
    }

    fn version(&self) -> &str {
        self.resource_version.as_deref().unwrap_or_default()
    }
}

impl Run for ScaleArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("scaled{}", dry_run.suffix()))?;
        self.check()?;
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            types_mean_all: self.all,
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        let plan = cx.plan(&selection).await?;
        let found = targets::fetch(cx, &selection, plan).await?;
        if !self.version().is_empty() && found.targets.len() > 1 {
            return Err(Error::new("cannot use --resource-version with multiple resources"));
        }
        if found.targets.is_empty() {
            Error::many(found.errors)?;
            return Err(Error::new("no objects passed to scale"));
        }
        for mut target in found.targets {
            let replicas = match dry_run {
                DryRun::Client => self.replicas.into(),
                _ => self.scale(cx, &target, dry_run).await?,
            };
            if matches!(target.kind.group.as_str(), "" | "apps") {
                meta::set(&mut target.object, &["spec", "replicas"], replicas);
            }
            printer.print(cx, &target.object)?;
        }
        Error::many(found.errors)
    }
}

/// A request for the scale of an object; kinds without one are told as kubectl does.
async fn scale_of(cx: &Context, target: &Target) -> Result<Value> {
    cx.json(target.about(Request::get(target.path("scale")))).await
}

impl ScaleArgs {
    /// Sets the replicas, again while others interfere; gives what the server made of it.
    async fn scale(&self, cx: &Context, target: &Target, dry_run: DryRun) -> Result<i64> {
        const PATIENCE: Duration = Duration::from_secs(300);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let scaled = loop {
            match self.scale_once(cx, target, dry_run).await {
                Err(error) if error.is_reason("Conflict") && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                outcome => break outcome?,
            }
        };
        if let Some(timeout) = self.timeout.positive().filter(|_| dry_run == DryRun::None) {
            let wait = tokio::time::timeout(timeout, self.settled(cx, target));
            wait.await.map_err(|_| {
                Error::new(format!("timed out waiting for {} to be synced", crate::object::go::quote(&target.name)))
            })??;
        }
        Ok(meta::int_at(&scaled, &["spec", "replicas"]).unwrap_or_default())
    }

    async fn scale_once(&self, cx: &Context, target: &Target, dry_run: DryRun) -> Result<Value> {
        let path = target.path("scale");
        let finish = |request: Request| target.about(request).query_some("dryRun", dry_run.parameter());
        if self.current_replicas == -1 && self.version().is_empty() {
            let patch = json!({"spec": {"replicas": self.replicas}}).to_string();
            return cx.json(finish(Request::patch(path, "application/merge-patch+json", patch))).await;
        }
        let mut scale = scale_of(cx, target).await?;
        let now = meta::int_at(&scale, &["spec", "replicas"]).unwrap_or_default();
        if self.current_replicas != -1 && now != i64::from(self.current_replicas) {
            return Err(Error::new(format!("Expected replicas to be {}, was {now}", self.current_replicas)));
        }
        let version = meta::resource_version(&scale);
        if !self.version().is_empty() && version != self.version() {
            return Err(Error::new(format!("Expected resource version to be {}, was {version}", self.version())));
        }
        meta::set(&mut scale, &["spec", "replicas"], self.replicas);
        cx.json(finish(Request::put(path, &scale))).await
    }

    /// Waits until the replicas are there, or somebody wants another number.
    async fn settled(&self, cx: &Context, target: &Target) -> Result<()> {
        loop {
            let scale = scale_of(cx, target).await?;
            let number = |path: &[&str]| meta::int_at(&scale, path).unwrap_or_default();
            let (wanted, there) = (number(&["spec", "replicas"]), number(&["status", "replicas"]));
            if wanted != i64::from(self.replicas) || wanted == there {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
