//! `rollout history`.

use clap::Parser;

use super::WhichArgs;
use super::revisions::{self, CHANGE_CAUSE, Wish, Workload};
use crate::cli::args::OutputArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::describe;
use crate::object::meta;
use crate::output::tabwriter::TabWriter;

/// Show the revisions of a workload.
#[derive(Parser)]
pub struct HistoryArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Show this revision's pods in full
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    revision: i64,
}

const WISH: Wish = Wish { what: "history", who: "history viewer" };

impl HistoryArgs {
    fn not_found() -> Error {
        Error::new("unable to find the specified revision")
    }

    /// The revisions in words.
    fn text(&self, cx: &Context, workload: &Workload) -> Result<String> {
        if workload.revisions.is_empty() {
            return Ok("No rollout history found.".into());
        }
        if self.revision > 0 {
            let revision = workload.revisions.iter().rfind(|revision| revision.number == self.revision);
            let revision = revision.ok_or_else(Self::not_found)?;
            let mut template = revision.template();
            if meta::kind(&workload.object) == "Deployment" && !revision.cause().is_empty() {
                meta::set(&mut template, &["metadata", "annotations", CHANGE_CAUSE], revision.cause());
            }
            return Ok(describe::pod_template(&template, &describe::Settings::new(cx.now())));
        }
        let mut writer = TabWriter::for_describe();
        writer.buffer().push_str("REVISION\tCHANGE-CAUSE\n");
        for revision in &workload.revisions {
            let cause = if revision.cause().is_empty() { "<none>" } else { revision.cause() };
            writer.buffer().push_str(&format!("{}\t{cause}\n", revision.number));
        }
        let mut text = String::new();
        writer.flush(&mut text);
        Ok(text)
    }
}

impl Run for HistoryArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.which.check()?;
        if self.revision < 0 {
            return Err(Error::new(format!("revision must be a positive integer: {}", self.revision)));
        }
        let found = self.which.find(cx).await?;
        let mut errors = found.errors;
        let printer = self.output.printer("")?;
        for target in &found.targets {
            let told = async {
                revisions::check(&target.kind.group_kind(), &WISH)?;
                let workload = revisions::of(cx, target).await?;
                if self.output.format().is_empty() {
                    let text = self.text(cx, &workload)?;
                    let which =
                        if self.revision > 0 { format!("with revision #{}", self.revision) } else { String::new() };
                    return self.output.printer(&format!("{which}\n{text}"))?.print(cx, &target.object);
                }
                let wanted = |number: i64| self.revision == 0 || number == self.revision;
                let mut printed = 0;
                for revision in workload.revisions.iter().filter(|revision| wanted(revision.number)) {
                    printer.print_typed(cx, &revision.object)?;
                    printed += 1;
                }
                if printed == 0 && self.revision > 0 { Err(Self::not_found()) } else { Ok(()) }
            };
            errors.extend(told.await.err());
        }
        Error::many(errors)
    }
}
