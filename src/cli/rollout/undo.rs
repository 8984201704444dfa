//! `rollout undo`.

use clap::Parser;
use serde_json::{Map, Value, json};

use super::WhichArgs;
use super::revisions::{self, Revision, Wish, Workload};
use crate::cli::args::{DryRun, DryRunArgs, OutputArgs};
use crate::cli::change::Changer;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::describe;
use crate::object::go::quote;
use crate::object::meta;
use crate::patch::apply::PatchType;
use crate::resource::Target;

/// Go back to an earlier revision.
#[derive(Parser)]
pub struct UndoArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// The revision to go back to; 0 for the one before
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    to_revision: i64,
}

const WISH: Wish = Wish { what: "rollbacker", who: "rollbacker" };
const HASH: &str = "pod-template-hash";

/// Annotations of a deployment that an earlier revision does not bring back.
const KEPT: [&str; 6] = [
    meta::LAST_APPLIED,
    revisions::REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

fn not_found(revision: i64) -> Error {
    Error::new(format!("unable to find specified revision {revision} in history"))
}

/// A template without the label that tells the pods of one replica set from others.
fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    meta::remove(&mut template, &["metadata", "labels", HASH]);
    if meta::map_at(&template, &["metadata", "labels"]).is_some_and(Map::is_empty) {
        meta::remove(&mut template, &["metadata", "labels"]);
    }
    template
}

fn is_deployment(workload: &Workload) -> bool {
    meta::kind(&workload.object) == "Deployment"
}

impl UndoArgs {
    /// The revision to go back to.
    fn wanted<'a>(&self, workload: &'a Workload) -> Result<&'a Revision> {
        let revisions = &workload.revisions;
        if self.to_revision > 0 {
            let found = revisions.iter().find(|revision| revision.number == self.to_revision);
            return found.ok_or_else(|| not_found(self.to_revision));
        }
        revisions.len().checked_sub(2).and_then(|before_last| revisions.get(before_last)).ok_or_else(|| {
            if is_deployment(workload) {
                let name = quote(meta::name(&workload.object));
                Error::new(format!("no rollout history found for deployment {name}"))
            } else {
                Error::new("no last revision to roll back to")
            }
        })
    }

    /// Whether the workload is as it was then.
    fn is_current(workload: &Workload, revision: &Revision) -> bool {
        let now = meta::get(&workload.object, &["spec", "template"]).cloned().unwrap_or_default();
        if is_deployment(workload) {
            return without_hash(&revision.template()) == without_hash(&now);
        }
        let mut patch = json!({"spec": {"template": now}});
        patch["spec"]["template"]["$patch"] = "replace".into();
        revision.keeper.get("data") == Some(&patch)
    }

    /// The patch that brings the revision back.
    fn patch(workload: &Workload, revision: &Revision) -> (PatchType, Value) {
        if !is_deployment(workload) {
            return (PatchType::Strategic, revision.keeper.get("data").cloned().unwrap_or_default());
        }
        let mut annotations = Map::new();
        for (key, value) in meta::annotations(&workload.object).filter(|(key, _)| KEPT.contains(key)) {
            annotations.insert(key.to_owned(), value.into());
        }
        for (key, value) in meta::annotations(&revision.keeper).filter(|(key, _)| !KEPT.contains(key)) {
            annotations.insert(key.to_owned(), value.into());
        }
        let mut template = revision.template();
        meta::remove(&mut template, &["metadata", "labels", HASH]);
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": annotations},
        ]);
        (PatchType::Json, patch)
    }

    /// Goes back; gives what was done.
    async fn undo(&self, changer: &Changer<'_>, target: &Target) -> Result<String> {
        let cx = changer.cx;
        revisions::check(&target.kind.group_kind(), &WISH)?;
        if self.to_revision < 0 {
            return Err(not_found(self.to_revision));
        }
        let workload = revisions::of(cx, target).await?;
        let revision = self.wanted(&workload)?;
        if changer.dry_run == DryRun::Client {
            return Ok(describe::pod_template(&revision.template(), &describe::Settings::new(cx.now())));
        }
        if is_deployment(&workload) && meta::bool_at(&workload.object, &["spec", "paused"]) {
            return Err(Error::new(
                "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
            ));
        }
        if Self::is_current(&workload, revision) {
            let number = self.to_revision;
            return Ok(format!("skipped rollback (current template already matches revision {number})"));
        }
        let (kind, patch) = Self::patch(&workload, revision);
        let failed =
            |error: Error| Error::new(format!("failed restoring revision {}: {}", self.to_revision, error.text()));
        changer.patch_with(target, kind, &patch).await.map_err(failed)?;
        Ok("rolled back".into())
    }
}

impl Run for UndoArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.which.check()?;
        let dry_run = self.dry_run.mode(cx)?;
        let found = self.which.find(cx).await?;
        let mut errors = found.errors;
        let changer = Changer::new(cx, "", dry_run);
        for target in &found.targets {
            if meta::annotation(&target.object, meta::LAST_APPLIED).is_some() {
                cx.err_line(format!(
                    "Warning: resource {}/{} was previously managed with 'kubectl apply'. Rolling back will not update \
                     the {} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. \
                     Consider using '{} apply' with your previous configuration file instead.",
                    target.kind.plural,
                    target.name,
                    meta::LAST_APPLIED,
                    cx.program.name
                ))?;
            }
            match self.undo(&changer, target).await {
                Ok(done) => {
                    let done = format!("{done}{}", dry_run.suffix());
                    self.output.printer(&done)?.print_typed(cx, &target.object)?;
                }
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)
    }
}
