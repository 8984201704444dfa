//! `set`: single features of existing objects.

mod env;
mod image;
mod references;
mod resources;
mod selector;
mod service_account;
mod subject;

use clap::Parser;

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, Printer};
use super::change::Changer;
use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};
use super::mutate;
use super::targets::Found;
use super::verb::{Group, Verb};
use crate::object::Value;
use crate::patch::apply::PatchType;
use crate::resource::{Selection, Target};

/// `set`.
pub const VERB: Verb = Verb::family::<SetFamily>("set", Group::Basic, CHILDREN);

const CHILDREN: &[Verb] = &[
    Verb::of::<image::ImageArgs>("image", Group::Basic).words(Words::Resources(&[])),
    Verb::of::<resources::ResourcesArgs>("resources", Group::Basic).words(Words::Resources(&[])),
    Verb::of::<selector::SelectorArgs>("selector", Group::Basic).words(Words::Resources(&[])),
    Verb::of::<subject::SubjectArgs>("subject", Group::Basic).words(Words::Resources(&[])),
    Verb::of::<service_account::ServiceAccountArgs>("serviceaccount", Group::Basic)
        .aliases(&["sa"])
        .words(Words::Resources(&[])),
    Verb::of::<env::EnvArgs>("env", Group::Basic).words(Words::Resources(&[])),
];

/// Set single features of objects.
#[derive(Parser)]
pub struct SetFamily {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Flags of every command below `set`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SetArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Every object of the types in the namespace
    #[arg(long)]
    all: bool,
    /// Change what the files hold, without asking a server
    #[arg(long)]
    local: bool,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME", default_value = "kubectl-set")]
    field_manager: String,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
}

/// `-l` of the commands that have it.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SelectorFlag {
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
}

/// A command below `set` on its way.
struct Setting<'a> {
    cx: &'a Context,
    changer: Changer<'a>,
    printer: Printer,
    local: bool,
}

const ALL_OR_SELECTOR: &str = "cannot set --all and --selector at the same time";
const LOCAL_OR_SERVER: &str = "cannot specify --local and --dry-run=server - did you mean --dry-run=client?";

impl SetArgs {
    /// Starts; `done` is what was done when all goes well, such as `image updated`.
    fn begin<'a>(&self, cx: &'a Context, done: &str) -> Result<Setting<'a>> {
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("{done}{}", dry_run.suffix()))?;
        let changer = Changer::new(cx, &self.field_manager, dry_run);
        Ok(Setting { cx, changer, printer, local: self.local })
    }

    /// The objects that the words and flags name.
    async fn find(&self, cx: &Context, words: &[String], selector: &str) -> Result<Vec<Target>> {
        mutate::find(cx, self.selection(cx, words, selector)?, self.local).await
    }

    fn selection(&self, cx: &Context, words: &[String], selector: &str) -> Result<Selection> {
        Ok(Selection {
            labels: selector.to_owned(),
            types_mean_all: self.all,
            ..cx.selection(words.to_vec(), self.files.options())?
        })
    }

    /// The same, with the failures of what was not found.
    async fn look(&self, cx: &Context, words: &[String], selector: &str) -> Result<Found> {
        mutate::look(cx, self.selection(cx, words, selector)?, self.local).await
    }
}

/// An object with what is to happen to it.
struct Planned {
    target: Target,
    patch: Result<Value>,
}

/// How the failures of a command read, and whether an empty patch is sent all the same.
struct Manner {
    failure: &'static str,
    send_empty: bool,
}

/// Works out the patches of all objects; those that `change` leaves alone are left out.
fn plan(targets: Vec<Target>, mut change: impl FnMut(&mut Value) -> Result<bool>) -> Vec<Planned> {
    let planned = |mut target: Target| match mutate::patch_of(&mut target.object, &mut change) {
        Ok(None) => None,
        Ok(Some(patch)) => Some(Planned { target, patch: Ok(patch) }),
        Err(error) => Some(Planned { target, patch: Err(error) }),
    };
    targets.into_iter().filter_map(planned).collect()
}

impl Setting<'_> {
    fn dry_run(&self) -> DryRun {
        self.changer.dry_run
    }

    /// Sends the patches and prints the outcomes; the failures join `errors`.
    async fn finish(&self, planned: Vec<Planned>, manner: &Manner, mut errors: Vec<Error>) -> Result<()> {
        for Planned { target, patch } in planned {
            let patch = match patch {
                Ok(patch) => patch,
                Err(error) => {
                    let name = format!("{}/{}", target.kind.plural, target.name);
                    errors.push(Error::new(format!("error: {name} {}\n", error.text())));
                    continue;
                }
            };
            if mutate::is_empty(&patch) && !manner.send_empty {
                continue;
            }
            if self.local || self.dry_run() == DryRun::Client {
                self.printer.print_typed(self.cx, &target.object)?;
                continue;
            }
            match self.changer.patch_with(&target, PatchType::Strategic, &patch).await {
                Ok(object) => self.printer.print_typed(self.cx, &object)?,
                Err(error) => errors.push(Error::new(format!("{}{}", manner.failure, error.text()))),
            }
        }
        Error::many(errors)
    }
}

/// One container of an object.
fn container_mut<'a>(object: &'a mut Value, path: &[&str], list: &str, position: usize) -> Option<&'a mut Value> {
    let spec = path.iter().try_fold(object, |inner, key| inner.get_mut(*key))?;
    spec.get_mut(list)?.get_mut(position)
}
