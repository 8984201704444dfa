//! `taint`.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::args::{DryRun, DryRunArgs, OutputArgs, ValidateArgs};
use crate::cli::change::Changer;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::cli::{mutate, targets};
use crate::object::go::quote;
use crate::object::{meta, names};
use crate::patch::apply::PatchType;
use crate::resource::Selection;

/// Set taints of nodes.
#[derive(Parser)]
pub struct TaintArgs {
    /// node, names, then KEY=VALUE:EFFECT, KEY:EFFECT- or KEY-
    #[arg(value_name = "node NAME KEY=VALUE:EFFECT")]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    /// All nodes
    #[arg(long)]
    all: bool,
    /// Taints may change
    #[arg(long)]
    overwrite: bool,
    /// Only nodes whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME", default_value = "kubectl-taint")]
    field_manager: String,
}

/// A taint as typed; parts that were not given are empty.
#[derive(Clone, Debug, PartialEq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let invalid = || format!("invalid taint spec: {text}");
        let parts: Vec<&str> = text.split(':').collect();
        let (key, value, effect) = match parts.as_slice() {
            [key] => (*key, "", ""),
            [pair, effect] => {
                if !matches!(*effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
                    return Err(format!("invalid taint effect: {effect}, unsupported taint effect"));
                }
                match pair.split('=').collect::<Vec<_>>().as_slice() {
                    [key] => (*key, "", *effect),
                    [key, value] => (*key, *value, *effect),
                    _ => return Err(invalid()),
                }
            }
            _ => return Err(invalid()),
        };
        for wrong in [names::is_valid_label_value(value), names::is_qualified_name(key)] {
            if !wrong.is_empty() {
                return Err(format!("{}, {}", invalid(), wrong.join("; ")));
            }
        }
        Ok(Self { key: key.into(), value: value.into(), effect: effect.into() })
    }

    fn of(taint: &Value) -> Self {
        let part = |field: &str| meta::str_at(taint, &[field]).to_owned();
        Self { key: part("key"), value: part("value"), effect: part("effect") }
    }

    fn same(&self, other: &Self) -> bool {
        self.key == other.key && self.effect == other.effect
    }
}

/// The taints to add and those to remove.
#[derive(Default)]
struct Changes {
    add: Vec<Taint>,
    remove: Vec<Taint>,
}

impl Changes {
    fn parse(words: &[&String]) -> std::result::Result<Self, String> {
        let mut changes = Self::default();
        for word in words {
            if let Some(text) = word.strip_suffix('-') {
                changes.remove.push(Taint::parse(text)?);
                continue;
            }
            let taint = Taint::parse(word)?;
            if taint.effect.is_empty() {
                return Err(format!("invalid taint spec: {word}"));
            }
            if changes.add.iter().any(|known| known.same(&taint)) {
                let Taint { key, value, effect } = taint;
                return Err(format!(
                    "duplicated taints with the same key and effect: {{{key} {value} {effect} <nil>}}"
                ));
            }
            changes.add.push(taint);
        }
        Ok(changes)
    }

    fn check(&self) -> Result<()> {
        let mut both = Vec::new();
        for add in &self.add {
            for remove in self.remove.iter().filter(|remove| remove.key == add.key) {
                if remove.effect.is_empty() || remove.effect == add.effect {
                    both.push(format!("{}={}", remove.key, remove.effect));
                }
            }
        }
        if both.is_empty() {
            return Ok(());
        }
        let both = both.join(", ");
        Err(Error::new(format!("can not both modify and remove the following taint(s) in the same command: {both}")))
    }

    /// Changes the taints of a node; gives what was done.
    fn apply(&self, node: &mut Value, overwrite: bool) -> Result<&'static str> {
        let old = meta::list_at(node, &["spec", "taints"]).to_vec();
        let present: Vec<Taint> = old.iter().map(Taint::of).collect();
        let taken: Vec<&str> =
            self.add.iter().filter(|add| present.iter().any(|old| old.same(add))).map(|add| add.key.as_str()).collect();
        if !overwrite && !taken.is_empty() {
            let (name, taken) = (meta::name(node), taken.join(","));
            return Err(Error::new(format!(
                "node {name} already has {taken} taint(s) with same effect(s) and --overwrite is false"
            )));
        }
        let new = |taint: &Taint| {
            let mut value = json!({"key": taint.key, "effect": taint.effect});
            if !taint.value.is_empty() {
                value["value"] = taint.value.clone().into();
            }
            value
        };
        let mut taints: Vec<Value> = self.add.iter().map(new).collect();
        let kept = old.iter().filter(|old| !self.add.iter().any(|add| add.same(&Taint::of(old))));
        taints.extend(kept.cloned());
        let added = taints.len() != old.len();
        let (mut errors, mut removed) = (Vec::new(), false);
        for gone in &self.remove {
            let before = taints.len();
            taints.retain(|taint| {
                let taint = Taint::of(taint);
                !(taint.key == gone.key && (gone.effect.is_empty() || taint.effect == gone.effect))
            });
            removed = taints.len() != before;
            if !removed {
                let shown =
                    if gone.effect.is_empty() { gone.key.clone() } else { format!("{}:{}", gone.key, gone.effect) };
                errors.push(Error::new(format!("taint {} not found", quote(&shown))));
            }
        }
        Error::many(errors)?;
        meta::set(node, &["spec", "taints"], taints);
        Ok(if (added && removed) || overwrite {
            "modified"
        } else if added {
            "tainted"
        } else {
            "untainted"
        })
    }
}

impl TaintArgs {
    /// Parts the words into resources and taints.
    fn split(&self) -> Result<(Vec<&String>, Vec<&String>)> {
        let (mut resources, mut taints) = (Vec::new(), Vec::new());
        for word in &self.words {
            if word.contains(['=', ':']) || word.ends_with('-') {
                taints.push(word);
            } else if taints.is_empty() {
                resources.push(word);
            } else {
                return Err(Error::new(format!("all resources must be specified before taint changes: {word}")));
            }
        }
        if resources.is_empty() {
            return Err(Error::new("one or more resources must be specified as <resource> <name>"));
        }
        if taints.is_empty() {
            return Err(Error::new("at least one taint update is required"));
        }
        Ok((resources, taints))
    }

    fn check(&self, resources: usize) -> Result<()> {
        if self.all && !self.selector.is_empty() {
            return Err(Error::new("setting 'all' parameter with a non empty selector is prohibited"));
        }
        if !self.all && self.selector.is_empty() && resources < 2 {
            return Err(Error::new("at least one resource name must be specified since 'all' parameter is not set"));
        }
        Ok(())
    }
}

impl Run for TaintArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.dry_run.mode(cx)?;
        let validation = self.validate.directive()?;
        let (resources, taints) = self.split()?;
        let changes = Changes::parse(&taints).map_err(|text| cx.usage(text))?;
        let type_ = resources.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let kind = cx.mapper()?.resource(&type_).await.map_err(|error| cx.explain(error))?;
        if kind.kind != "Node" {
            return Err(Error::new(format!("invalid resource type {type_}, only node types are supported")));
        }
        changes.check()?;
        self.check(resources.len())?;
        let mut args = vec!["node".to_owned()];
        if !self.all && self.selector.is_empty() {
            args.extend(resources.into_iter().skip(1).cloned());
        }
        let selection = Selection {
            labels: self.selector.clone(),
            types_mean_all: self.all,
            ..cx.selection(args, Default::default())?
        };
        let found = targets::find(cx, &selection, true).await?;
        let changer = Changer { validation, ..Changer::new(cx, &self.field_manager, dry_run) };
        let mut errors = found.errors;
        for mut target in found.targets {
            let mut done = "";
            let patch = mutate::patch_of(&mut target.object, |node| {
                done = changes.apply(node, self.overwrite)?;
                Ok(true)
            });
            let patch = match patch {
                Ok(patch) => patch.unwrap_or_default(),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            // kubectl leaves out here that it is a dry run.
            let printer = self.output.printer(done)?;
            if dry_run == DryRun::Client {
                printer.print(cx, &target.object)?;
                continue;
            }
            match changer.patch_with(&target, PatchType::Strategic, &patch).await {
                Ok(node) => printer.print_typed(cx, &node)?,
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_added_and_removed() {
        let words: Vec<String> = ["a=1:NoSchedule", "b-"].map(str::to_owned).to_vec();
        let changes = Changes::parse(&words.iter().collect::<Vec<_>>()).expect("well formed");
        let mut node = json!({"metadata": {"name": "n"}, "spec": {"taints": [
            {"key": "b", "effect": "NoExecute"}, {"key": "c", "effect": "NoExecute"}]}});
        assert_eq!(changes.apply(&mut node, false).ok(), Some("modified"));
        assert_eq!(
            node["spec"]["taints"],
            json!([{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "c", "effect": "NoExecute"}])
        );
        assert!(changes.apply(&mut node, false).is_err_and(|error| error.text().contains("already has a taint(s)")));
    }
}
