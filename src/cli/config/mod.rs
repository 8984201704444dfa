//! `config`: reading and changing kubeconfig files.

mod contexts;
mod entries;
mod property;
mod view;

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result};
use super::verb::{Group, Verb};
use crate::kubeconfig::{self, Config};

/// `config`.
pub const VERB: Verb = Verb::family::<ConfigArgs>("config", Group::Settings, CHILDREN);

const CHILDREN: &[Verb] = &[
    Verb::of::<contexts::CurrentArgs>("current-context", Group::Settings),
    Verb::of::<entries::DeleteClusterArgs>("delete-cluster", Group::Settings),
    Verb::of::<contexts::DeleteArgs>("delete-context", Group::Settings),
    Verb::of::<entries::DeleteUserArgs>("delete-user", Group::Settings),
    Verb::of::<entries::GetClustersArgs>("get-clusters", Group::Settings),
    Verb::of::<contexts::GetArgs>("get-contexts", Group::Settings),
    Verb::of::<entries::GetUsersArgs>("get-users", Group::Settings),
    Verb::of::<contexts::RenameArgs>("rename-context", Group::Settings),
    Verb::of::<property::SetArgs>("set", Group::Settings),
    Verb::of::<entries::SetClusterArgs>("set-cluster", Group::Settings),
    Verb::of::<contexts::SetArgs>("set-context", Group::Settings),
    Verb::of::<entries::SetCredentialsArgs>("set-credentials", Group::Settings),
    Verb::of::<property::UnsetArgs>("unset", Group::Settings),
    Verb::of::<contexts::UseArgs>("use-context", Group::Settings).aliases(&["use"]),
    Verb::of::<view::ViewArgs>("view", Group::Settings),
];

/// Read and change kubeconfig files.
#[derive(Parser)]
pub struct ConfigArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// The config as the files have it; a file that does not exist yet is empty.
fn load(cx: &Context) -> Result<Config> {
    let sources = cx.sources();
    if sources.explicit.as_ref().is_some_and(|file| !file.exists()) {
        return Ok(Config::default());
    }
    Ok(sources.load(false)?)
}

/// Writes what has changed.
fn save(cx: &Context, config: &Config) -> Result<()> {
    Ok(kubeconfig::modify(&cx.sources(), config, true)?)
}

/// The file that messages name.
fn file_name(cx: &Context) -> String {
    cx.sources().default_file().map(|file| file.display().to_string()).unwrap_or_default()
}

/// Exactly `N` words, else the verb's help and the words that were given.
fn exactly<const N: usize>(cx: &Context, words: Vec<String>, verb: &'static str) -> Result<[String; N]> {
    words.try_into().map_err(|words: Vec<String>| help_and(cx, verb, format!("Unexpected args: [{}]", words.join(" "))))
}

/// Prints the help of a verb; gives the error that follows it.
fn help_and(cx: &Context, verb: &str, message: String) -> Error {
    if let Some(verb) = super::verb::find(CHILDREN, verb)
        && let Err(error) = cx.out(&super::help::text(verb, &cx.command_path))
    {
        return error;
    }
    Error::new(message)
}
