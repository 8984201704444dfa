//! `replace`: objects of files take the place of those that exist.

use std::time::Duration;

use clap::Parser;

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, ValidateArgs};
use super::context::Context;
use super::create::{self, WriteArgs, Writer, save_config};
use super::delete::{self, Deletion, DeletionArgs};
use super::error::{Error, Result};
use super::place;
use super::targets;
use super::verb::Run;
use super::wait::{self, Limit};
use crate::object::Value;
use crate::resource::{Plan, Selection, Target};

/// Replace objects by those of files.
///
/// Fails where there is nothing to replace. With --force, what exists is deleted first.
#[derive(Parser)]
pub struct ReplaceArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    how: DeletionArgs,
    /// Put the file to this path of the server
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// Replace this subresource instead of the object
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// Wait until deleted objects are gone
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: Option<bool>,
}

impl ReplaceArgs {
    fn check(&self, dry_run: DryRun) -> Result<()> {
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
        if self.how.grace_period >= 0 && !self.how.force {
            return Err(Error::new("--grace-period must have --force specified"));
        }
        if self.how.timeout.0 != 0 && !self.how.force {
            return Err(Error::new("--timeout must have --force specified"));
        }
        if self.how.force && dry_run != DryRun::None {
            return Err(Error::new("--dry-run can not be used when --force is set"));
        }
        if let Some(path) = &self.raw {
            if self.files.filename.len() != 1 {
                return Err(Error::new("--raw can only use a single local file or stdin"));
            }
            if !self.output.format().is_empty() {
                return Err(Error::new("--raw and --output are mutually exclusive"));
            }
            create::check_path(path)?;
        }
        Ok(())
    }
}

impl Run for ReplaceArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let validation = self.validate.directive()?;
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("replaced{}", dry_run.suffix()))?;
        let propagation = self.how.propagation(cx)?;
        self.check(dry_run)?;
        if let Some(path) = &self.raw {
            return create::raw(cx, http::Method::PUT, path, &self.files.filename[0]).await;
        }
        let subresource = self.subresource.clone().unwrap_or_default();
        let selection =
            Selection { subresource: subresource.clone(), ..cx.selection(Vec::new(), self.files.options())? };
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(()) };
        let mut found = targets::of_documents(cx, &selection, documents, validation != "Ignore").await;
        place::check_all(cx, &mut found, validation);
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-replace".into());
        let writer = Writer { cx, manager, validation, dry_run };
        let (mut errors, mut unread) = (Vec::new(), found.errors);
        if self.how.force {
            Error::many(std::mem::take(&mut unread))?;
            self.clear(cx, &found.targets, propagation).await?;
        }
        let mut count = 0;
        for target in found.targets {
            match self.write(&writer, target, &subresource).await {
                Ok(object) => {
                    count += 1;
                    printer.print(cx, &object)?;
                }
                Err(error) => errors.push(error),
            }
        }
        if count == 0 && errors.is_empty() && self.how.force {
            return Err(Error::new("no objects passed to replace"));
        }
        Error::visited(errors, unread)
    }
}

impl ReplaceArgs {
    async fn write(&self, writer: &Writer<'_>, mut target: Target, subresource: &str) -> Result<Value> {
        save_config(&mut target.object, self.write.save_config);
        if self.how.force {
            return writer.create(&target).await;
        }
        if writer.dry_run == DryRun::Client {
            return Ok(target.object);
        }
        let replaced = writer.replace(&target, subresource).await;
        replaced.map_err(|error| place::placed(error.when("replacing", &target.source), &target))
    }

    /// Deletes what is to be replaced and waits until it is gone.
    async fn clear(&self, cx: &Context, targets: &[Target], propagation: &'static str) -> Result<()> {
        let timeout = self.how.timeout.positive();
        let grace_period = if self.how.force && self.how.grace_period < 0 { 0 } else { self.how.grace_period };
        let how = Deletion {
            propagation,
            grace_period: if grace_period == 0 { 1 } else { grace_period },
            wait: true,
            timeout,
            dry_run: DryRun::None,
            names: self.output.format() == "name",
            quiet: false,
            ignore_not_found: true,
        };
        delete::delete(cx, targets.to_vec(), Vec::new(), &how).await?;
        let limit = Limit::forever(Some(timeout.unwrap_or(Duration::from_secs(300))));
        for target in targets {
            wait::gone(cx, target, "", limit).await?;
        }
        Ok(())
    }
}
