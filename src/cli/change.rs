//! What the verbs that change existing objects share: which objects, and how a change is sent and told.

use clap::Args;

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs};
use super::context::Context;
use super::error::{Error, Result};
use super::targets::{self, Found};
use crate::client::Request;
use crate::object::{Value, json};
use crate::patch::apply::PatchType;
use crate::resource::{Selection, Target};

/// Which objects a verb changes.
#[derive(Args, Clone, Debug, Default)]
pub struct ChosenArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Every object of the types in the namespace
    #[arg(long)]
    pub all: bool,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only objects whose fields match
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub field_selector: String,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    pub selector: String,
    /// Change what the files hold, without asking a server
    #[arg(long)]
    pub local: bool,
}

impl ChosenArgs {
    /// Refuses flags that contradict each other, and a selection of nothing; `file` is the example file that the verb's
    /// messages name.
    ///
    /// # Errors
    /// kubectl's text of what is wrong.
    pub fn check(&self, resources: &[String], dry_run: DryRun, file: &str) -> Result<()> {
        if self.all && !self.selector.is_empty() {
            return Err(Error::new("cannot set --all and --selector at the same time"));
        }
        if self.all && !self.field_selector.is_empty() {
            return Err(Error::new("cannot set --all and --field-selector at the same time"));
        }
        if self.local {
            if dry_run == DryRun::Server {
                return Err(Error::new("cannot specify --local and --dry-run=server - did you mean --dry-run=client?"));
            }
            if !resources.is_empty() {
                return Err(Error::new(format!(
                    "can only use local files by -f {file}.yaml or --filename={file}.json when --local=true is set"
                )));
            }
            if self.files.is_empty() {
                return Err(Error::new(format!(
                    "one or more files must be specified as -f {file}.yaml or --filename={file}.json"
                )));
            }
        } else if resources.is_empty() && self.files.is_empty() {
            return Err(Error::new(
                "one or more resources must be specified as <resource> <name> or <resource>/<name>",
            ));
        }
        Ok(())
    }

    /// The selection of these words.
    pub fn selection(&self, cx: &Context, words: &[String]) -> Result<Selection> {
        let mut selection = Selection {
            labels: self.selector.clone(),
            fields: self.field_selector.clone(),
            all: self.all,
            all_namespaces: self.all_namespaces,
            ..cx.selection(words.to_vec(), self.files.options())?
        };
        selection.enforce_namespace &= !self.all_namespaces;
        Ok(selection)
    }

    /// The objects: as the server has them, or with `--local` as the files have them.
    pub async fn find(&self, cx: &Context, words: &[String]) -> Result<Found> {
        let selection = self.selection(cx, words)?;
        if self.local {
            let selection = Selection { labels: String::new(), fields: String::new(), all: false, ..selection };
            return targets::local(cx, &selection).await;
        }
        let plan = cx.plan(&selection).await?;
        targets::fetch(cx, &selection, plan).await
    }
}

/// How changes are sent.
pub struct Changer<'a> {
    /// The surroundings.
    pub cx: &'a Context,
    /// Under which name the server keeps who manages which field.
    pub manager: String,
    /// How far to go.
    pub dry_run: DryRun,
    /// The subresource, or empty.
    pub subresource: String,
    /// `Strict`, `Warn` or `Ignore`, or empty for the server's own way with unknown fields.
    pub validation: &'static str,
}

impl<'a> Changer<'a> {
    /// For whole objects.
    pub fn new(cx: &'a Context, manager: &str, dry_run: DryRun) -> Self {
        Self { cx, manager: manager.to_owned(), dry_run, subresource: String::new(), validation: "" }
    }

    /// Sends a patch; gives what the server made of the object.
    pub async fn patch(&self, target: &Target, kind: PatchType, patch: String) -> Result<Value> {
        let request = Request::patch(target.path(&self.subresource), kind.content_type(), patch);
        let request = target.about(request).query_some("dryRun", self.dry_run.parameter());
        let request = request.query_some("fieldManager", &self.manager);
        self.cx.json(request.query_some("fieldValidation", self.validation)).await
    }

    /// Sends a patch made of values.
    pub async fn patch_with(&self, target: &Target, kind: PatchType, patch: &Value) -> Result<Value> {
        self.patch(target, kind, json::to_compact(patch)).await
    }
}

/// Goes through the objects in order; what fails does not stop the rest.
pub async fn each(found: Found, mut change: impl AsyncFnMut(Target) -> Result<()>) -> Result<()> {
    let Found { targets, mut errors, .. } = found;
    for target in targets {
        if let Err(error) = change(target).await {
            errors.push(error);
        }
    }
    Error::many(errors)
}

/// Parts `TYPE NAME… KEY=VALUE KEY-…` into resources and pairs; `what` the pairs are stands in the error.
pub fn resources_and_pairs(words: &[String], what: &str) -> Result<(Vec<String>, Vec<String>)> {
    let is_pair =
        |word: &&String| word.find('=').is_some_and(|at| at > 0) || (word.ends_with('-') && word.as_str() != "-");
    let first = words.iter().position(|word| is_pair(&word)).unwrap_or(words.len());
    let (resources, pairs) = words.split_at(first);
    match pairs.iter().find(|word| !is_pair(word)) {
        Some(late) => Err(Error::new(format!("all resources must be specified before {what} changes: {late}"))),
        None => Ok((resources.to_vec(), pairs.to_vec())),
    }
}

/// The flags that every verb of changes has besides.
#[derive(Args, Clone, Debug, Default)]
pub struct TellArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    pub record: bool,
}

impl TellArgs {
    /// The field manager, by default `kubectl-VERB`.
    pub fn manager(&self, default: &str) -> String {
        self.field_manager.clone().unwrap_or_else(|| default.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_stand_before_pairs() {
        let part = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            resources_and_pairs(&words, "label").map_err(|error| error.text())
        };
        let (resources, pairs) = part("cm a b x=1 y-").expect("well formed");
        assert_eq!((resources.join(" "), pairs.join(" ")), ("cm a b".to_owned(), "x=1 y-".to_owned()));
        assert_eq!(part("cm x=1 b"), Err("all resources must be specified before label changes: b".into()));
    }
}
