//! `rollout pause`, `rollout resume`, `rollout restart`.

use clap::Parser;
use serde_json::Value;

use super::{WhichArgs, tell_none};
use crate::cli::args::{DryRun, OutputArgs};
use crate::cli::change::Changer;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::mutate;
use crate::cli::verb::Run;
use crate::object::go::quote;
use crate::object::meta;
use crate::patch::apply::PatchType;
use crate::resource::Target;

/// Flags of the three.
#[derive(clap::Args)]
struct ChangeArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME", default_value = "kubectl-rollout")]
    field_manager: String,
}

/// Stop the replacement of a deployment's pods for a while.
#[derive(Parser)]
pub struct PauseArgs {
    #[command(flatten)]
    common: ChangeArgs,
}

/// Go on with the replacement of a deployment's pods.
#[derive(Parser)]
pub struct ResumeArgs {
    #[command(flatten)]
    common: ChangeArgs,
}

/// Replace the pods of a workload with new ones.
#[derive(Parser)]
pub struct RestartArgs {
    #[command(flatten)]
    common: ChangeArgs,
}

/// What a command does to an object.
struct Change<'a> {
    done: &'a str,
    /// What is said of an empty patch: a result, or a failure that the object's name precedes.
    nothing: Nothing,
    apply: &'a dyn Fn(&mut Value) -> Result<()>,
}

enum Nothing {
    Told(&'static str),
    Failed,
}

impl ChangeArgs {
    async fn run(&self, cx: &Context, change: Change<'_>) -> Result<()> {
        self.which.check()?;
        let found = self.which.find(cx).await?;
        let mut errors = found.errors;
        if found.targets.is_empty() && errors.is_empty() {
            return tell_none(cx);
        }
        let changer = Changer::new(cx, &self.field_manager, DryRun::None);
        for target in found.targets {
            if let Err(error) = self.one(&changer, &change, target).await {
                errors.push(error);
            }
        }
        Error::many(errors)
    }

    async fn one(&self, changer: &Changer<'_>, change: &Change<'_>, mut target: Target) -> Result<()> {
        let cx = changer.cx;
        let patch = mutate::patch_of(&mut target.object, |object| (change.apply)(object).map(|()| true));
        let patch = patch.map_err(|error| {
            let resource = target.kind.group_resource();
            Error::new(format!("error: {resource} {} {}", quote(&target.name), error.text()))
        })?;
        let patch = patch.unwrap_or_default();
        if mutate::is_empty(&patch) {
            return match change.nothing {
                Nothing::Told(text) => self.output.printer(text)?.print_typed(cx, &target.object),
                Nothing::Failed => Err(Error::new(format!(
                    "failed to create patch for {}: if restart has already been triggered within the past second, \
                     please wait before attempting to trigger another",
                    target.name
                ))),
            };
        }
        let patched = changer.patch_with(&target, PatchType::Strategic, &patch).await;
        let object = patched.map_err(|error| Error::new(format!("failed to patch: {}", error.text())))?;
        self.output.printer(change.done)?.print_typed(cx, &object)
    }
}

fn is_apps(object: &Value, kinds: &[&str]) -> bool {
    let kind = meta::gvk(object);
    kind.group == "apps" && kinds.contains(&kind.kind.as_str())
}

fn set_paused(object: &mut Value, paused: bool) -> Result<()> {
    let (unsupported, already) = if paused {
        ("pausing is not supported", "is already paused")
    } else {
        ("resuming is not supported", "is not paused")
    };
    if !is_apps(object, &["Deployment"]) {
        return Err(Error::new(unsupported));
    }
    if meta::bool_at(object, &["spec", "paused"]) == paused {
        return Err(Error::new(already));
    }
    meta::set(object, &["spec", "paused"], paused);
    Ok(())
}

fn restart(object: &mut Value, now: &str) -> Result<()> {
    if !is_apps(object, &["Deployment", "DaemonSet", "StatefulSet"]) {
        return Err(Error::new("restarting is not supported"));
    }
    if meta::bool_at(object, &["spec", "paused"]) {
        return Err(Error::new("can't restart paused deployment (run rollout resume first)"));
    }
    let path = ["spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"];
    meta::set(object, &path, now);
    Ok(())
}

impl Run for PauseArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let apply = |object: &mut Value| set_paused(object, true);
        let change = Change { done: "paused", nothing: Nothing::Told("already paused"), apply: &apply };
        self.common.run(cx, change).await
    }
}

impl Run for ResumeArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let apply = |object: &mut Value| set_paused(object, false);
        let change = Change { done: "resumed", nothing: Nothing::Told("already resumed"), apply: &apply };
        self.common.run(cx, change).await
    }
}

impl Run for RestartArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let now = cx.now().with_timezone(&chrono::Local).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let apply = |object: &mut Value| restart(object, &now);
        self.common.run(cx, Change { done: "restarted", nothing: Nothing::Failed, apply: &apply }).await
    }
}
