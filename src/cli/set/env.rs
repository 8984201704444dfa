//! `set env`.

use std::collections::BTreeMap;

use clap::Parser;
use serde_json::{Value, json};

use super::references::{self, Store};
use super::{ALL_OR_SELECTOR, LOCAL_OR_SERVER, Manner, SelectorFlag, SetArgs, container_mut, plan};
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::mutate::{containers, pod_spec_path};
use crate::cli::verb::Run;
use crate::object::go::quote;
use crate::object::{meta, names};
use crate::resource::Target;

/// Set the environment of containers.
#[derive(Parser)]
pub struct EnvArgs {
    /// Types and names, then NAME=VALUE, NAME- to remove, - to read standard input
    #[arg(value_name = "TYPE[/NAME] NAME=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
    #[command(flatten)]
    selector: SelectorFlag,
    /// Names of the containers; * stands for any letters
    #[arg(short = 'c', long, value_name = "NAME", default_value = "*")]
    containers: String,
    /// Config map or secret whose keys become variables
    #[arg(long, value_name = "TYPE/NAME", default_value = "")]
    from: String,
    /// What the names begin with
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Variable, as NAME=VALUE; may be repeated
    #[arg(short = 'e', long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Only these keys of --from
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    keys: Vec<String>,
    /// Print the environment
    #[arg(long)]
    list: bool,
    /// With --list, print the values that variables refer to
    #[arg(long)]
    resolve: bool,
    /// Variables may change their values
    #[arg(long, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    overwrite: bool,
}

/// What is to be set and what is to be removed.
#[derive(Default)]
struct Wanted {
    set: Vec<Value>,
    removed: Vec<String>,
}

/// Parts the words into resources and what is said of variables.
fn split(words: &[String]) -> Result<(&[String], &[String])> {
    let says = |word: &String| word.find('=').is_some_and(|at| at > 0) || word.ends_with('-');
    let first = words.iter().position(says).unwrap_or(words.len());
    let (resources, variables) = words.split_at(first);
    if variables.iter().all(says) {
        return Ok((resources, variables));
    }
    let all = words.join(" ");
    Err(Error::new(format!("all resources must be specified before environment changes: {all}")))
}

impl Wanted {
    fn parse(cx: &Context, words: &[String]) -> Result<Self> {
        let mut wanted = Self::default();
        let mut named = Vec::new();
        for word in words {
            if word == "-" {
                wanted.read(&String::from_utf8_lossy(&cx.streams.read_all()?));
            } else if let Some((name, value)) = word.split_once('=') {
                let wrong = names::is_env_var_name(name);
                if !wrong.is_empty() {
                    let text = format!("{} is not a valid key name: {}", quote(name), wrong.join(";"));
                    return Err(Error::new(text));
                }
                named.push(name);
                wanted.set.push(json!({"name": name, "value": value}));
            } else if let Some(name) = word.strip_suffix('-') {
                wanted.removed.push(name.to_owned());
            } else {
                return Err(Error::new(format!("unknown environment variable: {word}")));
            }
        }
        if wanted.removed.iter().any(|name| named.contains(&name.as_str())) {
            return Err(Error::new("can not both modify and remove the same environment variable in the same command"));
        }
        Ok(wanted)
    }

    /// Takes the variables of a text, one a line; what follows # counts for nothing.
    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((name, value)) = line.split_once('=') {
                self.set.push(json!({"name": name, "value": value}));
            }
        }
    }

    /// The variables of a container after the change.
    fn applied(&self, existing: &[Value]) -> Vec<Value> {
        let name = |variable: &Value| meta::str_at(variable, &["name"]).to_owned();
        let mut covered = self.removed.clone();
        let mut all = Vec::new();
        for variable in existing.iter().filter(|variable| !self.removed.contains(&name(variable))) {
            let known = name(variable);
            if covered.contains(&known) {
                continue;
            }
            match self.set.iter().find(|new| name(new) == known) {
                Some(new) => {
                    covered.push(known);
                    all.push(new.clone());
                }
                None => all.push(variable.clone()),
            }
        }
        for variable in &self.set {
            if !covered.contains(&name(variable)) {
                covered.push(name(variable));
                all.push(variable.clone());
            }
        }
        all
    }

    /// Fails where a variable would get another value.
    fn check_overwrite(&self, existing: &[Value]) -> Result<()> {
        for new in &self.set {
            let (name, value) = (meta::str_at(new, &["name"]), meta::str_at(new, &["value"]));
            let current = existing.iter().find(|variable| meta::str_at(variable, &["name"]) == name);
            if let Some(old) = current.map(|variable| meta::str_at(variable, &["value"])).filter(|old| *old != value) {
                let text = format!("'{name}' already has a value ({old}), and --overwrite is false");
                return Err(Error::new(text));
            }
        }
        Ok(())
    }
}

/// A key as the name of a variable.
fn variable_name(key: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_uppercase() } else { '_' };
    key.chars().map(letter).collect()
}

impl EnvArgs {
    fn check(&self, resources: &[String], dry_run: DryRun) -> Result<()> {
        let wrong = if self.common.local && dry_run == DryRun::Server {
            LOCAL_OR_SERVER
        } else if self.common.files.filename.is_empty() && resources.is_empty() {
            "one or more resources must be specified as <resource> <name> or <resource>/<name>"
        } else if self.list && !self.common.output.format().is_empty() {
            "--list and --output may not be specified together"
        } else if !self.keys.is_empty() && self.from.is_empty() {
            "when specifying --keys, a configmap or secret must be provided with --from"
        } else {
            return Ok(());
        };
        Err(Error::new(wrong))
    }

    /// Adds the variables that the keys of a config map or secret become.
    async fn take(&self, cx: &Context, wanted: &mut Wanted) -> Result<()> {
        let from = vec![self.from.clone()];
        for target in self.common.find(cx, &from, &self.selector.selector).await? {
            let reference = match (meta::api_version(&target.object), meta::kind(&target.object)) {
                ("v1", "Secret") => "secretKeyRef",
                ("v1", "ConfigMap") => "configMapKeyRef",
                _ => return Err(Error::new("unsupported resource specified in --from")),
            };
            for key in meta::map_at(&target.object, &["data"]).into_iter().flat_map(|data| data.keys()) {
                if self.keys.is_empty() || self.keys.contains(key) {
                    let variable = variable_name(key);
                    if variable != *key {
                        cx.err_line(format!("Warning: key {key} transferred to {variable}"))?;
                    }
                    let from = json!({reference: {"name": target.name, "key": key}});
                    wanted.set.push(json!({"name": variable, "valueFrom": from}));
                }
            }
        }
        Ok(())
    }

    /// Prints the environment of the containers of an object.
    async fn tell(&self, cx: &Context, target: &Target) -> Result<()> {
        let spec = meta::get(&target.object, pod_spec_path(&target.object)?).cloned().unwrap_or_default();
        for (list, position) in containers(&spec, &self.containers) {
            let container = &spec[list][position];
            let (kind, name) = (meta::kind(&target.object), meta::str_at(container, &["name"]));
            cx.line(format!("# {kind} {}, container {name}", target.name))?;
            let (mut store, mut failed) = (Store::default(), BTreeMap::<String, Vec<&str>>::new());
            for variable in meta::list_at(container, &["env"]) {
                let name = meta::str_at(variable, &["name"]);
                let Some(from) = variable.get("valueFrom") else {
                    cx.line(format!("{name}={}", meta::str_at(variable, &["value"])))?;
                    continue;
                };
                if self.resolve {
                    match store.value(cx, from, &target.object, container).await {
                        Ok(value) => {
                            cx.line(format!("{name}={value}"))?;
                            continue;
                        }
                        Err(error) => failed.entry(error.text()).or_default().push(name),
                    }
                }
                cx.line(format!("# {name} from {}", references::text(from)))?;
            }
            let mut lines: Vec<String> = failed
                .into_iter()
                .map(|(why, mut names)| {
                    names.sort_unstable();
                    format!("error retrieving reference for {}: {why}", names.join(", "))
                })
                .collect();
            lines.sort();
            lines.iter().try_for_each(|line| cx.err_line(line))?;
        }
        Ok(())
    }
}

impl Run for EnvArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.common.all && !self.selector.selector.is_empty() {
            return Err(Error::new(ALL_OR_SELECTOR));
        }
        let (resources, variables) = split(&self.words)?;
        let setting = self.common.begin(cx, "env updated")?;
        self.check(resources, setting.dry_run())?;
        let words: Vec<String> = self.env.iter().chain(variables).cloned().collect();
        let mut wanted = Wanted::parse(cx, &words)?;
        if !self.from.is_empty() {
            self.take(cx, &mut wanted).await?;
        }
        for variable in &mut wanted.set {
            let name = format!("{}{}", self.prefix, meta::str_at(variable, &["name"]));
            variable["name"] = name.into();
        }
        let resources = if self.common.local { &[] } else { resources };
        let targets = self.common.find(cx, resources, &self.selector.selector).await?;
        let mut missing = Vec::new();
        let planned = plan(targets, |object| {
            let path = pod_spec_path(object)?;
            let spec = meta::get(object, path).cloned().unwrap_or_default();
            let found = containers(&spec, &self.containers);
            if found.is_empty() {
                missing.push(format!(
                    "Warning: {}/{} does not have any containers matching {}",
                    meta::kind(object),
                    meta::name(object),
                    quote(&self.containers)
                ));
            }
            for (list, position) in found {
                let Some(container) = container_mut(object, path, list, position) else { continue };
                let existing = meta::list_at(container, &["env"]).to_vec();
                if !self.overwrite {
                    wanted.check_overwrite(&existing)?;
                }
                container["env"] = wanted.applied(&existing).into();
            }
            Ok(true)
        });
        missing.iter().try_for_each(|line| cx.err_line(line))?;
        if self.list {
            for planned in &planned {
                self.tell(cx, &planned.target).await?;
            }
            return Ok(());
        }
        let manner = Manner { failure: "failed to patch env update to pod template: ", send_empty: false };
        setting.finish(planned, &manner, Vec::new()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_in_place_and_added_at_the_end() {
        let wanted = Wanted {
            set: vec![json!({"name": "B", "value": "2"}), json!({"name": "D", "value": "4"})],
            removed: vec!["A".into()],
        };
        let existing = [("A", "0"), ("B", "0"), ("C", "3")].map(|(name, value)| json!({"name": name, "value": value}));
        let names: Vec<String> = wanted
            .applied(&existing)
            .iter()
            .map(|one| format!("{}{}", meta::str_at(one, &["name"]), meta::str_at(one, &["value"])))
            .collect();
        assert_eq!(names, ["B2", "C3", "D4"]);
        assert_eq!(variable_name("app.size"), "APP_SIZE");
    }
}
