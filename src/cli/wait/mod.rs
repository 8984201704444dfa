//! `wait`: until objects are created, deleted, or in a certain state.

mod condition;
mod until;

use std::time::Duration;

use clap::Parser;
use tokio::time::Instant;

use super::args::{OutputArgs, Printer};
use super::context::Context;
use super::error::{Error, Result};
use super::mutate::LOCAL;
use super::targets;
use super::verb::Run;
use crate::object::duration::GoDuration;
use crate::resource::{FileOptions, Plan, Query, Selection, Target};
use condition::Condition;
pub use until::{Limit, Sight, follow, gone};

/// Pause between two looks for objects that are not there yet.
const CREATION_PAUSE: Duration = Duration::from_millis(500);

/// Wait until objects are created, deleted, or in a certain state.
///
/// --for=condition=Ready waits until the condition of that type in the object's status is true, or has the value after
/// a second equals sign; letters' case does not matter. --for=jsonpath='{.status.phase}'=Running waits until a field
/// has a value, without the value until it has any. --for=create and --for=delete wait until the object is there or
/// gone. Several --for are waited for one after the other, create first.
#[derive(Parser)]
pub struct WaitArgs {
    /// Types and names: TYPE/NAME…, TYPE NAME…, TYPE with -l or --all
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    /// Every object of the types in the namespace
    #[arg(long)]
    all: bool,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects whose fields match
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    field_selector: String,
    /// Files, folders or URLs that name the objects; - reads standard input
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    filename: Vec<String>,
    /// What to wait for: create, delete, condition=TYPE[=VALUE], jsonpath={EXPRESSION}[=VALUE]; may be repeated
    #[arg(long = "for", value_name = "STATE")]
    states: Vec<String>,
    /// Take the objects from files only
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Read folders with all folders in them
    #[arg(short = 'R', long, default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    recursive: bool,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// How long to wait; 0 looks once, less than 0 waits for a week
    #[arg(long, value_name = "TIME", default_value = "30s")]
    timeout: GoDuration,
}

/// Where objects come from; each is looked at when its turn has come.
enum Step {
    Named(Box<Target>),
    Query(Box<Query>),
}

impl WaitArgs {
    fn selection(&self, cx: &Context) -> Result<Selection> {
        if self.local && !self.resources.is_empty() {
            return Err(Error::new(LOCAL));
        }
        let files =
            FileOptions { filenames: self.filename.clone(), kustomize: String::new(), recursive: self.recursive };
        Ok(Selection {
            labels: self.selector.clone(),
            fields: self.field_selector.clone(),
            all: self.all,
            all_namespaces: self.all_namespaces,
            ..cx.selection(self.resources.clone(), files)?
        })
    }
}

impl Run for WaitArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let printer = self.output.printer("condition met")?;
        cx.client()?;
        let conditions = Condition::all(&self.states)?;
        let selection = self.selection(cx)?;
        let plan = cx.plan(&selection).await?;
        let (steps, errors) = steps(cx, &selection, plan).await;
        let limit = Limit::of(self.timeout);
        let mut wait = Wait { cx, conditions, limit, printer, visited: 0, errors };
        if wait.conditions.iter().any(Condition::is_create) {
            wait.for_creation(&steps).await?;
        }
        for step in steps {
            wait.take(step).await;
        }
        wait.end()
    }
}

async fn steps(cx: &Context, selection: &Selection, plan: Plan) -> (Vec<Step>, Vec<Error>) {
    let named = |targets: Vec<Target>| targets.into_iter().map(|target| Step::Named(Box::new(target))).collect();
    match plan {
        Plan::Names { targets, .. } => (named(targets), Vec::new()),
        Plan::Documents { documents, .. } => {
            let found = targets::of_documents(cx, selection, documents, false).await;
            (named(found.targets), found.errors)
        }
        Plan::Queries(queries) => (queries.into_iter().map(|query| Step::Query(Box::new(query))).collect(), Vec::new()),
    }
}

impl Step {
    /// The objects as the server has them now.
    async fn fetch(&self, cx: &Context) -> Result<Vec<Target>> {
        const JSON: &str = "application/json";
        match self {
            Self::Named(target) => {
                let object = targets::get(cx.client()?, target, "", JSON, &[]).await?;
                let mut target = (**target).clone();
                target.refresh(object);
                Ok(vec![target])
            }
            Self::Query(query) => {
                let mut list = query.list(cx.client()?, targets::PAGE, JSON, false).await?;
                Ok(targets::of_list(query, &mut list))
            }
        }
    }
}

/// One run of the command.
struct Wait<'a> {
    cx: &'a Context,
    conditions: Vec<Condition>,
    limit: Limit,
    printer: Printer,
    visited: usize,
    errors: Vec<Error>,
}

impl Wait<'_> {
    fn for_delete(&self) -> bool {
        self.conditions.iter().any(Condition::is_delete)
    }

    /// Looks again and again until one of the objects is there. That a single one is missing is no failure; that
    /// several are is one, as with kubectl.
    async fn for_creation(&mut self, steps: &[Step]) -> Result<()> {
        Error::many(std::mem::take(&mut self.errors))?;
        let end = self.limit.deadline();
        loop {
            let (mut there, mut errors) = (false, Vec::new());
            for step in steps {
                match step.fetch(self.cx).await {
                    Ok(found) => there |= !found.is_empty(),
                    Err(error) => errors.push(error),
                }
            }
            match Error::many(errors) {
                Ok(()) if there => return Ok(()),
                Ok(()) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
            if Instant::now() + CREATION_PAUSE > end {
                tokio::time::sleep_until(end).await;
                return Err(Error::new("timed out waiting for the condition"));
            }
            tokio::time::sleep(CREATION_PAUSE).await;
        }
    }

    async fn take(&mut self, step: Step) {
        let targets = match step.fetch(self.cx).await {
            Ok(targets) => targets,
            Err(error) => return self.errors.push(error),
        };
        for target in targets {
            self.visited += 1;
            if let Err(error) = self.visit(target).await {
                self.errors.push(error);
            }
        }
    }

    /// Waits for all conditions of one object, and tells of each.
    async fn visit(&self, target: Target) -> Result<()> {
        for condition in &self.conditions {
            let object = match condition {
                Condition::Create => target.object.clone(),
                Condition::Delete => until::gone(self.cx, &target, "", self.limit).await?,
                Condition::State(state) => until::in_state(self.cx, &target, state, self.limit).await?,
            };
            self.printer.print(self.cx, &object)?;
            self.cx.streams.flush()?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        let deleted = self.for_delete();
        if deleted {
            self.errors.retain(|error| !error.is_not_found());
        }
        Error::many(self.errors)?;
        if self.visited == 0 && !deleted {
            return Err(Error::new("no matching resources found"));
        }
        Ok(())
    }
}
