//! `apply view-last-applied` and `apply set-last-applied`.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::args::{DryRun, DryRunArgs, FileArgs, OutputArgs};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::json::{to_compact, to_indented};
use crate::object::meta;
use crate::patch::apply as merge;
use crate::resource::{Plan, Selection};

/// Print manifests as they were last applied.
#[derive(Parser)]
pub struct ViewArgs {
    /// Types and names: TYPE NAME…, TYPE/NAME…, TYPE with --all or -l
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Every object of the types in the namespace
    #[arg(long)]
    all: bool,
    /// yaml or json
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: String,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
}

impl Run for ViewArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            all: self.all,
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        let plan = cx.plan(&selection).await?;
        let found = targets::fetch(cx, &selection, plan).await?;
        Error::many(found.errors)?;
        if !matches!(self.output.as_str(), "yaml" | "json") {
            return Err(cx.usage(format!(
                "Unexpected -o output mode: {}, the flag 'output' must be one of yaml|json",
                self.output
            )));
        }
        for target in &found.targets {
            let read = merge::last_applied(&target.object).map_err(|error| Error::new(error.to_string()))?;
            match read {
                None => {}
                Some(manifest) if self.output == "json" => cx.line(to_indented(&manifest, "  "))?,
                Some(manifest) => cx.out(&crate::manifest::to_yaml(&manifest))?,
            }
        }
        Ok(())
    }
}

/// Take manifests as what was last applied, without changing anything else.
#[derive(Parser)]
pub struct SetArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Also where nothing was applied yet
    #[arg(long)]
    create_annotation: bool,
}

impl Run for SetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("configured{}", dry_run.suffix()))?;
        let selection = cx.selection(Vec::new(), self.files.options())?;
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        let found = targets::of_documents(cx, &selection, documents, false).await;
        Error::many(found.errors)?;
        let mut changes = Vec::new();
        for target in found.targets {
            let wanted = to_compact(&target.object);
            let live = targets::get(cx.client()?, &target, "", "application/json", &[]).await?;
            match merge::last_applied_text(&live) {
                None if !self.create_annotation => {
                    return Err(Error::new(format!(
                        "no last-applied-configuration annotation found on resource: {}, to create the annotation, run \
                         the command with --create-annotation",
                        target.name
                    )));
                }
                Some(text) if merge::decodes_to(text, &target.object) => {
                    cx.line(format!("set-last-applied {}: no changes required.", target.name))?;
                }
                _ => changes.push((target, live, wanted)),
            }
        }
        for (target, live, wanted) in changes {
            let object = match dry_run {
                DryRun::Client => live,
                _ => {
                    let patch: Value = json!({"metadata": {"annotations": {meta::LAST_APPLIED: wanted}}});
                    let request = Request::patch(target.path(""), "application/merge-patch+json", patch.to_string());
                    cx.json(target.about(request).query_some("dryRun", dry_run.parameter())).await?
                }
            };
            printer.print(cx, &object)?;
        }
        Ok(())
    }
}
