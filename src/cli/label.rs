//! `label`: labels of objects.

use clap::Parser;

use super::args::{DryRun, Pairs};
use super::change::{self, Changer, ChosenArgs, TellArgs};
use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::object::go::quote;
use crate::object::{Value, meta, names};
use crate::patch::apply::PatchType;
use crate::patch::json_merge;
use crate::resource::Target;

/// Set (KEY=VALUE) and remove (KEY-) labels of objects.
#[derive(Parser)]
pub struct LabelArgs {
    /// Types and names, then changes: TYPE NAME… KEY=VALUE… KEY-…
    #[arg(value_name = "TYPE[/NAME]")]
    words: Vec<String>,
    #[command(flatten)]
    chosen: ChosenArgs,
    #[command(flatten)]
    tell: TellArgs,
    /// Print the labels
    #[arg(long)]
    list: bool,
    /// Let labels take other values
    #[arg(long)]
    overwrite: bool,
    /// Change the object only in this version
    #[arg(long, value_name = "VERSION", default_value = "")]
    resource_version: String,
}

/// Reads the changes: unlike other pairs, a value holds no `=` and must be one of a label.
fn parse(pairs: &[String]) -> Result<Pairs> {
    let mut changes = Pairs::default();
    for pair in pairs {
        match pair.split('=').collect::<Vec<_>>().as_slice() {
            [key, value] => {
                let wrong = names::is_valid_label_value(value);
                if !wrong.is_empty() {
                    return Err(Error::new(format!("invalid label value: {}: {}", quote(pair), wrong.join(";"))));
                }
                changes.set.retain(|(known, _)| known != key);
                changes.set.push(((*key).to_owned(), (*value).to_owned()));
            }
            [_] => match pair.strip_suffix('-') {
                Some(key) => changes.removed.push(key.to_owned()),
                None => return Err(Error::new(format!("unknown label spec: {pair}"))),
            },
            _ => return Err(Error::new(format!("invalid label spec: {pair}"))),
        }
    }
    if changes.removed.iter().any(|key| changes.set.iter().any(|(set, _)| set == key)) {
        return Err(Error::new("can not both modify and remove a label in the same command"));
    }
    Ok(changes)
}

impl Run for LabelArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.tell.dry_run.mode(cx)?;
        let (resources, pairs) = change::resources_and_pairs(&self.words, "label")?;
        let changes = parse(&pairs)?;
        self.check(&resources, &changes, dry_run)?;
        let found = self.chosen.find(cx, &resources).await?;
        if !found.single && !self.resource_version.is_empty() {
            return Err(Error::new("--resource-version may only be used with a single resource"));
        }
        let changer = Changer::new(cx, &self.tell.manager("kubectl-label"), dry_run);
        let single = found.single;
        change::each(found, async |target| self.change(&changer, target, &changes, single).await).await
    }
}

impl LabelArgs {
    fn check(&self, resources: &[String], changes: &Pairs, dry_run: DryRun) -> Result<()> {
        if self.list && !self.tell.output.format().is_empty() {
            return Err(Error::new("--list and --output may not be specified together"));
        }
        self.chosen.check(resources, dry_run, "pod")?;
        if changes.set.is_empty() && changes.removed.is_empty() && !self.list {
            return Err(Error::new("at least one label update is required"));
        }
        Ok(())
    }

    async fn change(&self, changer: &Changer<'_>, target: Target, changes: &Pairs, single: bool) -> Result<()> {
        let cx = changer.cx;
        let mut object = target.object.clone();
        if !self.resource_version.is_empty() {
            meta::remove(&mut object, &["metadata", "resourceVersion"]);
        }
        let before = object.clone();
        let sends = changer.dry_run != DryRun::Client && !self.chosen.local && !self.list;
        if sends {
            for key in changes.removed.iter().filter(|key| meta::label(&object, key).is_none()) {
                cx.line(format!("label {} not found.", quote(key)))?;
            }
        }
        let (added, removed) = self.apply(&mut object, changes)?;
        if sends && added + removed > 0 {
            changer.patch_with(&target, PatchType::Merge, &json_merge::two_way(&before, &object)).await?;
        }
        if self.list {
            return list(cx, &object, "labels", single);
        }
        let operation = match (added > 0, removed > 0) {
            (true, true) => "modified",
            (true, false) => "labeled",
            (false, true) => "unlabeled",
            (false, false) => "not labeled",
        };
        let printer = self.tell.output.printer(&format!("{operation}{}", changer.dry_run.suffix()))?;
        printer.print(cx, &object)
    }

    /// Changes the labels; gives how many were set and how many removed.
    fn apply(&self, object: &mut Value, changes: &Pairs) -> Result<(usize, usize)> {
        if !self.overwrite {
            let taken = changes.set.iter().filter_map(|(key, value)| {
                let current = meta::label(object, key).filter(|current| current != value)?;
                Some(Error::new(format!("'{key}' already has a value ({current}), and --overwrite is false")))
            });
            Error::many(taken.collect())?;
        }
        let labels = meta::map_mut(object, &["metadata", "labels"]);
        let mut added = 0;
        for (key, value) in &changes.set {
            if labels.get(key).and_then(Value::as_str) != Some(value) {
                labels.insert(key.clone(), value.clone().into());
                added += 1;
            }
        }
        let removed = changes.removed.iter().filter(|key| labels.remove(key.as_str()).is_some()).count();
        if labels.is_empty() {
            meta::remove(object, &["metadata", "labels"]);
        }
        if !self.resource_version.is_empty() {
            meta::set(object, &["metadata", "resourceVersion"], self.resource_version.clone());
        }
        Ok((added, removed))
    }
}

/// Prints labels or annotations, under a heading where there are several objects.
pub fn list(cx: &Context, object: &Value, what: &str, single: bool) -> Result<()> {
    let indent = if single { "" } else { " " };
    if !single {
        let gvk = meta::gvk(object);
        cx.line(format!("Listing {what} for {}.{}/{}:", gvk.kind, gvk.group, meta::name(object)))?;
    }
    let pairs = meta::texts(meta::map_at(object, &["metadata", what]));
    pairs.into_iter().try_for_each(|(key, value)| cx.line(format!("{indent}{key}={value}")))
}
