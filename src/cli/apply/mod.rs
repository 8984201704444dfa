//! `apply`: what files say, merged into what is there.

mod client_side;
mod last_applied;
mod server_side;

use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream;

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, ValidateArgs};
use super::context::Context;
use super::create::Writer;
use super::delete::DeletionArgs;
use super::error::{Error, Result};
use super::targets::{self, PARALLEL};
use super::verb::{Group, Run, Verb};
use crate::object::{Value, meta};
use crate::resource::{Plan, Selection, Target};

/// `apply`.
pub const VERB: Verb = Verb::of::<ApplyArgs>("apply", Group::Advanced).children(CHILDREN);

/// One line per sub-verb.
const CHILDREN: &[Verb] = &[
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
}

/// What became of one object.
struct Applied {
    object: Value,
    operation: &'static str,
    /// Lines for standard error that come before the result.
    notes: Vec<String>,
}

/// What applying needs besides the object.
struct Applier<'a> {
    writer: Writer<'a>,
    args: &'a ApplyArgs,
    propagation: &'static str,
    program: String,
}

/// Kinds that others may need: nothing runs beside them.
const FIRST: [(&str, &str); 12] = [
    ("", "Namespace"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "ServiceAccount"),
    ("", "PersistentVolume"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
];

impl ApplyArgs {
    fn check(&self, cx: &Context, dry_run: DryRun) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("Unexpected args: [{}]", self.words.join(" "))));
        }
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
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
            (self.subresource.is_some() && !self.server_side, "--subresource can only be specified for --server-side"),
        ];
        match refusals.into_iter().find(|(refused, _)| *refused) {
            Some((_, why)) => Err(Error::new(why)),
            None => Ok(()),
        }
    }

    fn manager(&self) -> String {
        let default = if self.server_side { "kubectl" } else { "kubectl-client-side-apply" };
        self.field_manager.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Whether the objects are printed together at the end.
    fn prints_objects(&self) -> bool {
        !matches!(self.output.format(), "" | "name")
    }
}

impl Run for ApplyArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.dry_run.mode(cx)?;
        if !self.words.is_empty() || self.files.is_empty() {
            return self.check(cx, dry_run);
        }
        let propagation = self.how.propagation(cx)?;
        let validation = self.validate.directive()?;
        self.check(cx, dry_run)?;
        self.output.printer("")?;
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            ..cx.selection(Vec::new(), self.files.options())?
        };
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        let found = targets::of_documents(cx, &selection, documents, validation != "Ignore").await;
        let mut errors = found.errors;
        if found.targets.is_empty() && errors.is_empty() {
            return Err(Error::new("no objects passed to apply"));
        }
        let writer = Writer { cx, manager: self.manager(), validation, dry_run };
        let applier = Applier { writer, args: &self, propagation, program: cx.program.name.clone() };
        let mut objects = Vec::new();
        for wave in waves(found.targets) {
            let mut results = stream::iter(wave).map(|target| applier.apply(target)).buffered(PARALLEL);
            while let Some(result) = results.next().await {
                match result {
                    Ok(applied) => objects.push(self.tell(cx, applied, dry_run)?),
                    Err(error) => errors.push(error),
                }
            }
        }
        Error::many(errors)?;
        if self.prints_objects() {
            let printer = self.output.printer("")?;
            let object = match objects.len() {
                1 => objects.swap_remove(0),
                _ => serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}),
            };
            printer.print(cx, &object)?;
        }
        Ok(())
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
        }
        Ok(applied.object)
    }
}

/// Runs of objects that do not mind each other, in order.
fn waves(targets: Vec<Target>) -> Vec<Vec<Target>> {
    let mut waves: Vec<Vec<Target>> = Vec::new();
    let mut open = false;
    for target in targets {
        let alone = FIRST.iter().any(|(group, kind)| target.kind.group == *group && target.kind.kind == *kind);
        let same = |other: &Target| {
            other.kind.gvr() == target.kind.gvr() && other.namespace == target.namespace && other.name == target.name
        };
        match waves.last_mut() {
            Some(wave) if open && !alone && !wave.iter().any(same) => wave.push(target),
            _ => waves.push(vec![target]),
        }
        open = !alone;
    }
    waves
}

impl Applier<'_> {
    async fn apply(&self, target: Target) -> Result<Applied> {
        let generate = meta::generate_name(&target.object);
        if target.name.is_empty() && !generate.is_empty() {
            return Err(Error::new(format!("from {generate}: cannot use generate name with apply")));
        }
        let applied =
            if self.args.server_side { self.on_server(target).await? } else { self.on_client(target).await? };
        Ok(applied)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::object::GroupVersionKind;

    #[test]
    fn namespaces_run_alone_and_objects_never_twice_at_once() {
        let target = |kind: &str, name: &str| {
            let kind = Kinds::builtin().by_gvk(&GroupVersionKind::new("", "v1", kind)).expect("built in");
            Target::named(std::sync::Arc::clone(kind), "n", name)
        };
        let targets = vec![
            target("ConfigMap", "a"),
            target("ConfigMap", "b"),
            target("Namespace", "n"),
            target("ConfigMap", "a"),
            target("ConfigMap", "a"),
        ];
        let sizes: Vec<usize> = waves(targets).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }
}
