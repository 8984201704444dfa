//! `kuberc set`.

use clap::Parser;

use super::preference::{Alias, Allowed, Defaults, Flag, Preference};
use super::{required_file, save};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, go_io_error};
use crate::cli::verb::Run;
use crate::manifest;
use crate::object::go::quote;

const DEFAULTS: &str = "defaults";
const ALIASES: &str = "aliases";
const CREDENTIAL_PLUGIN: &str = "credentialplugin";

/// Change the file of your preferences.
#[derive(Parser)]
pub struct SetArgs {
    /// What to set: defaults, aliases or credentialplugin
    #[arg(long, required = true, value_name = "SECTION")]
    section: String,
    /// The command, such as get or "set env"
    #[arg(long, value_name = "COMMAND", default_value = "")]
    command: String,
    /// The alias
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// A flag with its value; may be repeated
    #[arg(long, value_name = "FLAG=VALUE")]
    option: Vec<String>,
    /// A word that the alias puts before yours; may be repeated
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    prependarg: Vec<String>,
    /// A word that the alias puts behind yours; may be repeated
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    appendarg: Vec<String>,
    /// Which programs may supply credentials: AllowAll, DenyAll or Allowlist
    #[arg(long, value_name = "POLICY", default_value = "")]
    policy: String,
    /// A program that Allowlist allows: command=PROGRAM; may be repeated
    #[arg(long, value_name = "FIELD=VALUE")]
    allowlist_entry: Vec<String>,
    /// Replace what is there
    #[arg(long)]
    overwrite: bool,
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for SetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let (file, _) = required_file(cx)?;
        self.validate()?;
        let mut preference = match std::fs::read(&file) {
            Ok(bytes) if bytes.is_empty() => Preference::new(),
            Ok(bytes) => {
                let value = manifest::yaml_to_value(&bytes, false).map_err(|error| error.to_string());
                let read = value.and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()));
                read.map_err(|why| Error::new(format!("error parsing kuberc file: {why}")))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Preference::new(),
            Err(error) => {
                let why = go_io_error(&error);
                return Err(Error::new(format!("error reading kuberc file: open {}: {why}", file.display())));
            }
        };
        let options = self.options()?;
        match self.section.as_str() {
            DEFAULTS => self.set_defaults(&mut preference, options)?,
            ALIASES => self.set_alias(&mut preference, options)?,
            _ => self.set_policy(&mut preference)?,
        }
        save(cx, &preference, &file)
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

impl SetArgs {
    fn validate(&self) -> Result<()> {
        let fail = |text: String| Err(Error::new(text));
        let section = self.section.as_str();
        if ![DEFAULTS, ALIASES, CREDENTIAL_PLUGIN].contains(&section) {
            return fail(format!(
                "--section must be \"{DEFAULTS}\", \"{ALIASES}\", or \"{CREDENTIAL_PLUGIN}\", got: {section}"
            ));
        }
        if section == ALIASES && self.name.is_empty() {
            return fail(format!("--name is required when --section={ALIASES}"));
        }
        if section == DEFAULTS && !self.name.is_empty() {
            return fail(format!("--name should not be specified when --section={DEFAULTS}"));
        }
        if section == DEFAULTS && !(self.prependarg.is_empty() && self.appendarg.is_empty()) {
            return fail(format!("--prependarg and --appendarg are only valid for --section={ALIASES}"));
        }
        if section != CREDENTIAL_PLUGIN {
            if self.command.is_empty() {
                return fail(format!("--command is required when --section={ALIASES} or --section={DEFAULTS}"));
            }
            return Ok(());
        }
        let both = format!("--section={CREDENTIAL_PLUGIN} and --policy=Allowlist");
        match self.policy.as_str() {
            "" => fail(format!("--policy is required when --section={CREDENTIAL_PLUGIN}")),
            "AllowAll" | "DenyAll" if !self.allowlist_entry.is_empty() => {
                fail(format!("--allowlist-entry may only be used when {both}"))
            }
            "Allowlist" if self.allowlist_entry.is_empty() => {
                fail(format!("--allowlist-entry is required when {both}"))
            }
            "AllowAll" | "DenyAll" | "Allowlist" => Ok(()),
            other => fail(format!(" --policy must be  \"AllowAll\", \"DenyAll\", or \"Allowlist\", got: {other}")),
        }
    }

    fn options(&self) -> Result<Vec<Flag>> {
        let flag = |option: &String| {
            let (name, default) = option
                .split_once('=')
                .ok_or_else(|| Error::new(format!("invalid option format {}, expected flag=value", quote(option))))?;
            Ok(Flag { name: name.trim_start_matches('-').to_owned(), default: default.to_owned() })
        };
        self.option.iter().map(flag).collect()
    }

    fn set_defaults(&self, preference: &mut Preference, options: Vec<Flag>) -> Result<()> {
        let all = preference.defaults.get_or_insert_default();
        let Some(found) = all.iter_mut().find(|defaults| defaults.command == self.command) else {
            all.push(Defaults { command: self.command.clone(), options: some(options) });
            return Ok(());
        };
        if !self.overwrite {
            let command = quote(&self.command);
            return Err(Error::new(format!(
                "defaults for command {command} already exist, use --overwrite to replace"
            )));
        }
        if !options.is_empty() {
            found.options = Some(options);
        }
        Ok(())
    }

    /// What is not given stays as the alias has it.
    fn set_alias(&self, preference: &mut Preference, options: Vec<Flag>) -> Result<()> {
        let all = preference.aliases.get_or_insert_default();
        let new = Alias {
            name: self.name.clone(),
            command: self.command.clone(),
            prepend_args: some(self.prependarg.clone()),
            append_args: some(self.appendarg.clone()),
            options: some(options),
        };
        let Some(found) = all.iter_mut().find(|alias| alias.name == self.name) else {
            all.push(new);
            return Ok(());
        };
        if !self.overwrite {
            let name = quote(&self.name);
            return Err(Error::new(format!("alias {name} already exists, use --overwrite to replace")));
        }
        let old = std::mem::take(found);
        *found = Alias {
            prepend_args: new.prepend_args.or(old.prepend_args),
            append_args: new.append_args.or(old.append_args),
            options: new.options.or(old.options),
            ..new
        };
        Ok(())
    }

    fn set_policy(&self, preference: &mut Preference) -> Result<()> {
        if self.policy == "Allowlist" {
            preference.credential_plugin_allowlist = Some(self.allowed()?);
        }
        preference.credential_plugin_policy.clone_from(&self.policy);
        Ok(())
    }

    fn allowed(&self) -> Result<Vec<Allowed>> {
        let (mut entries, mut refused) = (Vec::new(), Vec::new());
        for pair in self.allowlist_entry.iter().flat_map(|pairs| pairs.split(',')) {
            match pair.split_once('=') {
                None => refused.push(format!("improperly formatted allowlist entry: {}", quote(pair))),
                Some(("name", _)) => {
                    refused.push("allowlist entry field \"name\" is deprecated, use \"command\" instead".into());
                }
                Some(("command", value)) if value.trim().is_empty() => {
                    refused.push("empty value in allowlist entry for field \"command\"".into());
                }
                Some(("command", value)) => {
                    entries.push(Allowed { command: value.to_owned(), ..Allowed::default() });
                }
                Some((field, _)) => refused.push(format!("unrecognized allowlist entry field: {}", quote(field))),
            }
        }
        if refused.is_empty() {
            return Ok(entries);
        }
        let errors = refused.into_iter().map(Error::new).collect();
        Error::many(errors).map(|()| entries)
    }
}
