//! `rollout`: how a workload's pods are replaced.

mod change;
mod history;
mod revisions;
mod status;
mod undo;

use clap::Parser;

use super::args::FileArgs;
use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};
use super::targets::{self, Found};
use super::verb::{Group, Verb};
use crate::resource::Selection;

/// `rollout`.
pub const VERB: Verb = Verb::family::<RolloutFamily>("rollout", Group::Deploy, CHILDREN);

const ALL: Words = Words::Resources(&["deployment", "daemonset", "statefulset"]);
const DEPLOYMENTS: Words = Words::Resources(&["deployment"]);

const CHILDREN: &[Verb] = &[
    Verb::of::<history::HistoryArgs>("history", Group::Deploy).words(ALL),
    Verb::of::<change::PauseArgs>("pause", Group::Deploy).words(DEPLOYMENTS),
    Verb::of::<change::ResumeArgs>("resume", Group::Deploy).words(DEPLOYMENTS),
    Verb::of::<undo::UndoArgs>("undo", Group::Deploy).words(ALL),
    Verb::of::<status::StatusArgs>("status", Group::Deploy).words(ALL),
    Verb::of::<change::RestartArgs>("restart", Group::Deploy).words(ALL),
];

/// See and steer how pods are replaced.
#[derive(Parser)]
pub struct RolloutFamily {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Which objects a command below `rollout` is about.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WhichArgs {
    /// Types and names
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
}

impl WhichArgs {
    fn check(&self) -> Result<()> {
        if self.resources.is_empty() && self.files.is_empty() {
            return Err(Error::new("required resource not specified"));
        }
        Ok(())
    }

    async fn find(&self, cx: &Context) -> Result<Found> {
        let selection = Selection {
            labels: self.selector.clone(),
            types_mean_all: true,
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        targets::find(cx, &selection, true).await
    }
}

/// Says that nothing was found.
fn tell_none(cx: &Context) -> Result<()> {
    let (namespace, _) = cx.namespace()?;
    cx.err_line(format!("No resources found in {namespace} namespace."))
}
