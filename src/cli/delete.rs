//! `delete`: by names, files or selectors; waits until the objects are gone.

use std::time::Duration;

use clap::{Args, Parser};
use serde_json::json;

use super::args::{DryRun, DryRunArgs, FileArgs, GoDuration};
use super::context::Context;
use super::error::{Error, Result};
use super::targets;
use super::verb::Run;
use super::wait::{self, Limit};
use crate::client::Request;
use crate::object::meta;
use crate::resource::{Plan, Selection, Target};

/// Delete objects by names, files or selectors.
#[derive(Parser)]
pub struct DeleteArgs {
    /// Types and names: TYPE NAME…, TYPE/NAME…, TYPE with --all or -l
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    how: DeletionArgs,
    /// Every object of the types in the namespace
    #[arg(long)]
    all: bool,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Only objects whose fields match
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Do not mind objects that do not exist; the default with --all
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_not_found: Option<bool>,
    /// Ask before deleting
    #[arg(short, long)]
    interactive: bool,
    /// Signal immediate shutdown: the same as --grace-period=1
    #[arg(long)]
    now: bool,
    /// name prints the names only
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Delete this path of the server
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Wait until the objects are gone
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true,
          action = clap::ArgAction::Set)]
    wait: bool,
}

/// How objects are deleted.
#[derive(Args, Clone, Debug, Default)]
pub struct DeletionArgs {
    /// What becomes of dependents: background, foreground or orphan
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "background",
          default_missing_value = "background")]
    pub cascade: String,
    /// Delete at once, without grace
    #[arg(long)]
    pub force: bool,
    /// Seconds that the object has to end; -1 leaves it to the object
    #[arg(long, value_name = "SECONDS", default_value_t = -1)]
    pub grace_period: i32,
    /// How long to wait; 0 for as long as it takes
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub timeout: GoDuration,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation: &'static str,
    /// Seconds, negative for the object's own.
    pub grace_period: i32,
    /// Whether to wait.
    pub wait: bool,
    /// How long, `None` for as long as it takes.
    pub timeout: Option<Duration>,
    /// How far to go.
    pub dry_run: DryRun,
    /// Whether only names are printed.
    pub names: bool,
    /// Whether nothing is printed.
    pub quiet: bool,
    /// Whether missing objects are no failure.
    pub ignore_not_found: bool,
}

impl DeletionArgs {
    /// The propagation policy; old spellings are warned of.
    pub fn propagation(&self, cx: &Context) -> Result<&'static str> {
        let old = |name: &str| {
            cx.err_line(format!(
                "warning: --cascade={} is deprecated (boolean value) and can be replaced with --cascade={name}.",
                self.cascade
            ))
        };
        match self.cascade.as_str() {
            "background" => Ok("Background"),
            "foreground" => Ok("Foreground"),
            "orphan" => Ok("Orphan"),
            "1" | "t" | "T" | "TRUE" | "true" | "True" => old("background").map(|()| "Background"),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => old("orphan").map(|()| "Orphan"),
            other => Err(Error::new(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            ))),
        }
    }
}

impl DeleteArgs {
    fn deletion(&self, cx: &Context) -> Result<Deletion> {
        let propagation = self.how.propagation(cx)?;
        let mut deletion = Deletion {
            propagation,
            grace_period: self.how.grace_period,
            wait: self.wait,
            timeout: self.how.timeout.positive(),
            dry_run: DryRun::None,
            names: self.output.as_deref() == Some("name"),
            quiet: false,
            ignore_not_found: self.ignore_not_found.unwrap_or(self.all || self.selector.is_some()),
        };
        if self.now {
            if self.how.grace_period != -1 {
                return Err(Error::new("--now and --grace-period cannot be specified together"));
            }
            deletion.grace_period = 1;
        }
        if deletion.grace_period == 0 && !self.how.force {
            // Zero would not wait for the object's end; one second is as near as waiting allows.
            deletion.grace_period = 1;
        }
        if self.how.force && deletion.grace_period < 0 {
            deletion.grace_period = 0;
        }
        deletion.dry_run = self.dry_run.mode(cx)?;
        Ok(deletion)
    }

    fn check_raw(&self, path: &str) -> Result<()> {
        if self.interactive {
            return Err(Error::new("--interactive can not be used with --raw"));
        }
        if self.files.filename.len() > 1 {
            return Err(Error::new("--raw can only use a single local file or stdin"));
        }
        if self.files.filename.iter().any(|file| file.starts_with("http://") || file.starts_with("https://")) {
            return Err(Error::new("--raw cannot read from a url"));
        }
        if self.files.recursive {
            return Err(Error::new("--raw and --recursive are mutually exclusive"));
        }
        if self.output.as_ref().is_some_and(|output| !output.is_empty()) {
            return Err(Error::new("--raw and --output are mutually exclusive"));
        }
        super::create::check_path(path)
    }

    fn check(&self, cx: &Context, deletion: &Deletion) -> Result<()> {
        if let Some(output) = self.output.as_deref().filter(|output| !matches!(*output, "" | "name")) {
            return Err(Error::new(format!("unexpected -o output mode: {output}. We only support '-o name'")));
        }
        if self.all && self.selector.as_ref().is_some_and(|selector| !selector.is_empty()) {
            return Err(Error::new("cannot set --all and --selector at the same time"));
        }
        if self.all && self.field_selector.as_ref().is_some_and(|selector| !selector.is_empty()) {
            return Err(Error::new("cannot set --all and --field-selector at the same time"));
        }
        if self.how.force && deletion.grace_period > 0 {
            return Err(Error::new("--force and --grace-period greater than 0 cannot be specified together"));
        }
        if self.how.force {
            cx.err_line(
                "Warning: Immediate deletion does not wait for confirmation that the running resource has been \
                 terminated. The resource may continue to run on the cluster indefinitely.",
            )?;
        }
        self.raw.as_ref().map_or(Ok(()), |path| self.check_raw(path))
    }
}

impl Run for DeleteArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let deletion = self.deletion(cx)?;
        if let Some(path) = &self.raw {
            self.check(cx, &deletion)?;
            let file = self.files.filename.first().map_or("", String::as_str);
            return super::create::raw(cx, http::Method::DELETE, path, file).await;
        }
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            fields: self.field_selector.clone().unwrap_or_default(),
            all: self.all,
            all_namespaces: self.all_namespaces,
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        let plan = cx.plan(&selection).await?;
        self.check(cx, &deletion)?;
        let (targets, errors) = targets_of(cx, &selection, plan).await?;
        if self.interactive {
            if targets.is_empty() {
                Error::many(errors)?;
                return cx.line("No resources found");
            }
            if !confirmed(cx, &targets)? {
                return cx.line("deletion is cancelled");
            }
        }
        delete(cx, targets, errors, &deletion).await
    }
}

/// The objects that a plan means; named ones are not fetched.
async fn targets_of(cx: &Context, selection: &Selection, plan: Plan) -> Result<(Vec<Target>, Vec<Error>)> {
    match plan {
        Plan::Names { targets, .. } => Ok((targets, Vec::new())),
        Plan::Documents { documents, .. } => {
            let found = targets::of_documents(cx, selection, documents, false).await;
            Ok((found.targets, found.errors))
        }
        Plan::Queries(_) => {
            let found = targets::fetch(cx, selection, plan).await?;
            Ok((found.targets, found.errors))
        }
    }
}

fn confirmed(cx: &Context, targets: &[Target]) -> Result<bool> {
    cx.line(format!("You are about to delete the following {} resource(s):", targets.len()))?;
    for target in targets {
        cx.line(target.printed())?;
    }
    cx.out("Do you want to continue? (y/N): ")?;
    cx.streams.flush()?;
    let answer = cx.streams.read_line()?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}

/// Deletes objects in order, then waits until all are gone.
pub async fn delete(cx: &Context, targets: Vec<Target>, mut errors: Vec<Error>, how: &Deletion) -> Result<()> {
    let mut deleted = Vec::new();
    let mut found = 0;
    for target in targets {
        found += 1;
        if how.dry_run == DryRun::Client {
            tell(cx, &target, how)?;
            continue;
        }
        match delete_one(cx, &target, how).await {
            Ok(uid) => {
                tell(cx, &target, how)?;
                deleted.push((target, uid));
            }
            Err(error) if how.ignore_not_found && error.is_not_found() => {}
            Err(error) => errors.push(error.when("deleting", &target.source)),
        }
    }
    if found == 0 && errors.is_empty() {
        return cx.line("No resources found");
    }
    // What a failure leaves behind is not waited for.
    Error::many(errors)?;
    if !how.wait || how.dry_run != DryRun::None {
        return Ok(());
    }
    cx.streams.flush()?;
    let limit = Limit::forever(how.timeout);
    for (target, uid) in &deleted {
        match wait::gone(cx, target, uid, limit).await {
            Ok(_) => {}
            // Who may not look cannot wait.
            Err(error) if error.is_reason("Forbidden") || error.is_reason("MethodNotAllowed") => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Asks for one deletion; gives the uid of what is to go, or an empty text.
pub async fn delete_one(cx: &Context, target: &Target, how: &Deletion) -> Result<String> {
    let mut options = json!({"propagationPolicy": how.propagation});
    if how.grace_period >= 0 {
        options["gracePeriodSeconds"] = json!(how.grace_period);
    }
    if how.dry_run == DryRun::Server {
        options["dryRun"] = json!(["All"]);
    }
    if target.name.is_empty() {
        return Err(Error::new("resource name may not be empty"));
    }
    let answer = cx.json(target.about(Request::delete(target.path(""), &options))).await?;
    let uid =
        if meta::kind(&answer) == "Status" { meta::str_at(&answer, &["details", "uid"]) } else { meta::uid(&answer) };
    Ok(uid.to_owned())
}

fn tell(cx: &Context, target: &Target, how: &Deletion) -> Result<()> {
    if how.quiet {
        return Ok(());
    }
    if how.names {
        return cx.line(target.printed());
    }
    let forced = if how.grace_period == 0 { "force " } else { "" };
    let place = if target.kind.namespaced { format!(" from {} namespace", target.namespace) } else { String::new() };
    let name = crate::object::go::quote(&target.name);
    cx.line(format!("{} {name} {forced}deleted{place}{}", target.kind.printed_name(), how.dry_run.suffix()))
}
