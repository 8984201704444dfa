//! `annotate`: annotations of objects.

use clap::Parser;

use super::args::{DryRun, Pairs};
use super::change::{self, Changer, ChosenArgs, TellArgs};
use super::context::Context;
use super::error::{Error, Result};
use super::label::list;
use super::verb::Run;
use crate::object::{Value, meta};
use crate::patch::apply::PatchType;
use crate::patch::json_merge;
use crate::resource::Target;

/// The annotation that tells the cause of a rollout's revision; it may always be overwritten.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// Set (KEY=VALUE) and remove (KEY-) annotations of objects.
#[derive(Parser)]
pub struct AnnotateArgs {
    /// Types and names, then changes: TYPE NAME… KEY=VALUE… KEY-…
    #[arg(value_name = "TYPE[/NAME]")]
    words: Vec<String>,
    #[command(flatten)]
    chosen: ChosenArgs,
    #[command(flatten)]
    tell: TellArgs,
    /// Print the annotations
    #[arg(long)]
    list: bool,
    /// Let annotations take other values
    #[arg(long)]
    overwrite: bool,
    /// Change the object only in this version
    #[arg(long, value_name = "VERSION", default_value = "")]
    resource_version: String,
}

impl Run for AnnotateArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.tell.dry_run.mode(cx)?;
        let (resources, pairs) = change::resources_and_pairs(&self.words, "annotation")?;
        let changes = Pairs::parse(&pairs, "annotation")?;
        self.check(&resources, &changes, dry_run)?;
        let printer = self.tell.output.printer(&format!("annotated{}", dry_run.suffix()))?;
        let found = self.chosen.find(cx, &resources).await?;
        if !found.single && !self.resource_version.is_empty() {
            return Err(Error::new("--resource-version may only be used with a single resource"));
        }
        let changer = Changer::new(cx, &self.tell.manager("kubectl-annotate"), dry_run);
        let single = found.single;
        change::each(found, async |target| {
            let object = self.change(&changer, target, &changes).await?;
            if self.list { list(cx, &object, "annotations", single) } else { printer.print(cx, &object) }
        })
        .await
    }
}

impl AnnotateArgs {
    fn check(&self, resources: &[String], changes: &Pairs, dry_run: DryRun) -> Result<()> {
        if self.list && !self.tell.output.format().is_empty() {
            return Err(Error::new("--list and --output may not be specified together"));
        }
        self.chosen.check(resources, dry_run, "rsrc")?;
        if changes.set.is_empty() && changes.removed.is_empty() && !self.list {
            return Err(Error::new("at least one annotation update is required"));
        }
        let both: Vec<&str> = changes
            .removed
            .iter()
            .filter(|key| changes.set.iter().any(|(set, _)| set == *key))
            .map(String::as_str)
            .collect();
        if !both.is_empty() {
            return Err(Error::new(format!(
                "can not both modify and remove the following annotation(s) in the same command: {}",
                both.join(", ")
            )));
        }
        Ok(())
    }

    async fn change(&self, changer: &Changer<'_>, target: Target, changes: &Pairs) -> Result<Value> {
        let mut object = target.object.clone();
        let stays = changer.dry_run == DryRun::Client || self.chosen.local || self.list;
        if !stays && !self.resource_version.is_empty() {
            meta::remove(&mut object, &["metadata", "resourceVersion"]);
        }
        let before = object.clone();
        self.apply(&mut object, changes)?;
        if stays {
            return Ok(object);
        }
        changer.patch_with(&target, PatchType::Merge, &json_merge::two_way(&before, &object)).await
    }

    fn apply(&self, object: &mut Value, changes: &Pairs) -> Result<()> {
        if !self.overwrite {
            let taken: Vec<String> = changes
                .set
                .iter()
                .filter(|(key, _)| key != CHANGE_CAUSE)
                .filter_map(|(key, value)| {
                    let current = meta::annotation(object, key).filter(|current| current != value)?;
                    Some(format!("'{key}' already has a value ({current})"))
                })
                .collect();
            if !taken.is_empty() {
                let taken = taken.join("; ");
                return Err(Error::new(format!(
                    "--overwrite is false but found the following declared annotation(s): {taken}"
                )));
            }
        }
        let annotations = meta::map_mut(object, &["metadata", "annotations"]);
        annotations.extend(changes.set.iter().map(|(key, value)| (key.clone(), value.clone().into())));
        annotations.retain(|key, _| !changes.removed.contains(key));
        if annotations.is_empty() {
            meta::remove(object, &["metadata", "annotations"]);
        }
        if !self.resource_version.is_empty() {
            meta::set(object, &["metadata", "resourceVersion"], self.resource_version.clone());
        }
        Ok(())
    }
}
