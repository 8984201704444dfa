//! `apply`: what files say, merged into what is there.

mod applyset;
mod client_side;
mod definitions;
mod edit_last_applied;
mod last_applied;
pub(super) mod prune;
mod server_side;
pub mod waves;

use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream;

use applyset::ApplySet;
use definitions::Parts;
use prune::Visited;
use waves::waves;

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, ValidateArgs};
use super::context::Context;
use super::create::Writer;
use super::delete::DeletionArgs;
use super::error::{Error, Result};
use super::place;
use super::progress::Progress;
use super::targets::{self, Found, PARALLEL};
use super::verb::{Group, Run, Verb};
use crate::object::{Value, meta};
use crate::patch::explain::Explanation;
use crate::resource::{Plan, Selection, Target};

/// `apply`.
pub const VERB: Verb = Verb::of::<ApplyArgs>("apply", Group::Advanced).children(CHILDREN);

/// One line per sub-verb.
const CHILDREN: &[Verb] = &[
    Verb::of::<edit_last_applied::EditArgs>("edit-last-applied", Group::Advanced),
    Verb::of::<last_applied::SetArgs>("set-last-applied", Group::Advanced),
    Verb::of::<last_applied::ViewArgs>("view-last-applied", Group::Advanced),
];

/// Bring objects to what files say.
///
/// Objects that do not exist are created. In those that do, only what the files say, or said when they were last
/// applied, is changed; what others set stays.
#[derive(Parser)]
pub struct ApplyArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    #[command(flatten)]
    how: DeletionArgs,
    /// With --prune, every object that was applied and is not in the files
    #[arg(long)]
    all: bool,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// With --server-side, take fields over from others
    #[arg(long)]
    force_conflicts: bool,
    /// Accepted, without effect: the merge keys of built-in kinds are known
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    openapi_patch: Option<bool>,
    /// Overwrite what others changed in fields that the files name
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true,
          action = clap::ArgAction::Set)]
    overwrite: bool,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Merge in the server
    #[arg(long)]
    server_side: bool,
    /// With --server-side, apply to this subresource
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// Wait until deleted objects are gone
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: Option<bool>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
    /// Delete what was applied before and is in the files no longer; with -l, --all or --applyset
    #[arg(long)]
    prune: bool,
    /// With --prune, the kinds to delete, each GROUP/VERSION/KIND
    #[arg(long, value_name = "KIND")]
    prune_allowlist: Vec<String>,
    /// With --prune, the object that keeps track of what was applied: [RESOURCE][.GROUP]/NAME, a Secret by default
    #[arg(long, value_name = "NAME")]
    applyset: Option<String>,
    /// With --dry-run, say for each field why it turns out as it does
    #[arg(long)]
    explain: bool,
}

/// What became of one object.
struct Applied {
    object: Value,
    operation: &'static str,
    /// Lines for standard error that come before the result.
    notes: Vec<String>,
    /// Why the merge turns out as it does, when asked for.
    explanation: Option<Explanation>,
}

/// What applying needs besides the object.
struct Applier<'a> {
    writer: Writer<'a>,
    args: &'a ApplyArgs,
    propagation: &'static str,
    program: String,
}

impl ApplyArgs {
    /// Whether the alpha flag is known: under the name kubectl the environment has to allow it.
    fn check_gate(&self, cx: &Context) -> Result<()> {
        let allowed = || cx.env.get("KUBECTL_APPLYSET").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if self.applyset.is_some() && cx.program.exact && !allowed() {
            let path = &cx.command_path;
            return Err(Error::new(format!("unknown flag: --applyset\nSee '{path} --help' for usage.")));
        }
        Ok(())
    }

    async fn check(&self, cx: &Context, dry_run: DryRun, set: Option<&ApplySet>) -> Result<()> {
        let refusals = [
            (self.force_conflicts && !self.server_side, "--force-conflicts only works with --server-side"),
            (
                dry_run == DryRun::Client && self.server_side,
                "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
            ),
            (self.server_side && self.how.force, "--force cannot be used with --server-side"),
            (dry_run == DryRun::Server && self.how.force, "--dry-run=server cannot be used with --force"),
            (
                self.all && self.selector.as_ref().is_some_and(|selector| !selector.is_empty()),
                "cannot set --all and --selector at the same time",
            ),
        ];
        first_of(&refusals)?;
        if let Some(set) = set {
            if !self.prune {
                return Err(Error::new("--applyset requires --prune"));
            }
            set.check(cx).await?;
        }
        let has_set = set.is_some();
        let selects = self.selector.as_ref().is_some_and(|selector| !selector.is_empty());
        first_of(&[
            (self.prune && self.how.force, "--force cannot be used with --prune"),
            (self.prune && has_set && self.all, "--all is incompatible with --applyset"),
            (self.prune && has_set && selects, "--selector is incompatible with --applyset"),
            (
                self.prune && has_set && !self.prune_allowlist.is_empty(),
                "--prune-allowlist is incompatible with --applyset",
            ),
            (
                self.prune && !has_set && !self.all && !selects,
                "all resources selected for prune without explicitly passing --all. To prune all resources, pass the \
                 --all flag. If you did not mean to prune all resources, specify a label selector",
            ),
            (
                self.prune && !has_set && self.server_side,
                "--prune is in alpha and doesn't currently work on objects created by server-side apply",
            ),
            (self.subresource.is_some() && !self.server_side, "--subresource can only be specified for --server-side"),
            (self.explain && dry_run == DryRun::None, "--explain only works with --dry-run"),
        ])
    }

    fn manager(&self) -> String {
        let default = if self.server_side { server_side::MANAGER } else { "kubectl-client-side-apply" };
        self.field_manager.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Whether the objects are printed together at the end.
    fn prints_objects(&self) -> bool {
        !matches!(self.output.format(), "" | "name")
    }
}

/// The first refusal that holds.
fn first_of(refusals: &[(bool, &'static str)]) -> Result<()> {
    match refusals.iter().find(|(refused, _)| *refused) {
        Some((_, why)) => Err(Error::new(*why)),
        None => Ok(()),
    }
}

impl Run for ApplyArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.check_gate(cx)?;
        if !self.words.is_empty() {
            return Err(cx.usage(format!("Unexpected args: [{}]", self.words.join(" "))));
        }
        let dry_run = self.dry_run.mode(cx)?;
        let propagation = self.how.propagation(cx)?;
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
        let validation = self.validate.directive()?;
        let mut set = match self.applyset.as_deref().filter(|word| !word.is_empty()) {
            Some(word) => Some(ApplySet::parse(cx, word).await?),
            None => None,
        };
        let allowed = if self.prune { prune::allowed(cx, &self.prune_allowlist).await? } else { Vec::new() };
        self.check(cx, dry_run, set.as_ref()).await?;
        self.output.printer("")?;
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            ..cx.selection(Vec::new(), self.files.options())?
        };
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        // kubectl wants a second run for objects whose kind the first one defines.
        let parts = if cx.program.exact || dry_run != DryRun::None || set.is_some() {
            Parts { first: documents, ..Parts::default() }
        } else {
            definitions::split(documents)
        };
        let read = async |documents| {
            let mut found = targets::of_documents(cx, &selection, documents, validation != "Ignore").await;
            place::check_all(cx, &mut found, validation);
            found
        };
        let mut found = read(parts.first).await;
        if found.targets.is_empty() && found.errors.is_empty() {
            return Err(Error::new("no objects passed to apply"));
        }
        let mut visited = Visited::default();
        if selection.enforce_namespace {
            visited.namespaces.insert(selection.namespace.clone());
        }
        let writer = Writer { cx, manager: self.manager(), validation, dry_run };
        if let Some(set) = &mut set {
            set.label(&mut found.targets)?;
            set.before(&writer, &found.targets).await?;
        }
        let applier = Applier { writer, args: &self, propagation, program: cx.program.name.clone() };
        let (mut objects, mut errors) = applier.apply_all(found, &mut visited).await?;
        if !parts.later.is_empty() {
            match definitions::established(cx, &parts.definitions).await {
                Ok(()) => {
                    let (more, failures) = applier.apply_all(read(parts.later).await, &mut visited).await?;
                    objects.extend(more);
                    errors.extend(failures);
                }
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)?;
        self.print_all(cx, objects)?;
        if !self.prune {
            return Ok(());
        }
        let how = prune::deletion(&self, propagation, dry_run);
        match &set {
            Some(set) => set.prune(&applier.writer, &self, &visited, &how).await,
            None => prune::prune(cx, &self, allowed, &visited, &how).await,
        }
    }
}

impl ApplyArgs {
    /// Tells what became of an object, unless objects are printed at the end; gives the object.
    fn tell(&self, cx: &Context, applied: Applied, dry_run: DryRun) -> Result<Value> {
        for note in &applied.notes {
            cx.err_line(note)?;
        }
        if !self.prints_objects() {
            let printer = self.output.printer(&format!("{}{}", applied.operation, dry_run.suffix()))?;
            printer.print(cx, &applied.object)?;
            if let Some(explanation) = &applied.explanation {
                cx.out(&explanation.to_string())?;
            }
        }
        Ok(applied.object)
    }

    /// Prints all objects, when a format asks for objects.
    fn print_all(&self, cx: &Context, mut objects: Vec<Value>) -> Result<()> {
        if !self.prints_objects() {
            return Ok(());
        }
        let object = match objects.len() {
            0 => return Ok(()),
            1 => objects.swap_remove(0),
            _ => {
                let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects});
                return self.output.printer("")?.print_typed(cx, &list);
            }
        };
        self.output.printer("")?.print(cx, &object)
    }
}

impl Applier<'_> {
    /// Applies objects in waves, telling of each in the order of the files; gives them, and the failures.
    async fn apply_all(&self, found: Found, visited: &mut Visited) -> Result<(Vec<Value>, Vec<Error>)> {
        let cx = self.writer.cx;
        let mut objects = Vec::new();
        // kubectl tells what it could not read as one error beside those of applying.
        let mut errors = match cx.program.exact {
            true => Error::many(found.errors).err().into_iter().collect(),
            false => found.errors,
        };
        let namespaced = found.targets.iter().filter(|target| target.kind.namespaced);
        visited.namespaces.extend(namespaced.map(|target| target.namespace.clone()));
        let progress = Progress::new(cx, found.targets.len());
        for wave in waves(found.targets) {
            let mut results = stream::iter(wave).map(|target| self.apply(target)).buffered(PARALLEL);
            while let Some(result) = results.next().await {
                progress.step();
                match result {
                    Ok(applied) => {
                        visited.uids.insert(meta::uid(&applied.object).to_owned());
                        objects.push(progress.aside(|| self.args.tell(cx, applied, self.writer.dry_run))?);
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        drop(progress);
        Ok((objects, errors))
    }

    async fn apply(&self, target: Target) -> Result<Applied> {
        let generate = meta::generate_name(&target.object);
        if target.name.is_empty() && !generate.is_empty() {
            return Err(Error::new(format!("from {generate}: cannot use generate name with apply")));
        }
        let written = target.clone();
        let applied = if self.args.server_side { self.on_server(target).await } else { self.on_client(target).await };
        applied.map_err(|error| place::placed(error, &written))
    }

    /// What is said when the object is on its way out.
    fn warn_if_deleting(&self, object: &Value, notes: &mut Vec<String>) {
        if meta::deletion_timestamp(object).is_some() {
            notes.push(format!(
                "Warning: Detected changes to resource {} which is currently being deleted.",
                meta::name(object)
            ));
        }
    }
}
