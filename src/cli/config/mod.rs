//! `config`: reading and changing kubeconfig files.

mod contexts;
mod entries;
mod names;
mod property;
mod set_cluster;
mod set_context;
mod set_credentials;
mod view;

use clap::Parser;

use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};
use super::help;
use super::verb::{self, Group, Verb};
use crate::kubeconfig::{self, Config};

/// `config`.
pub const VERB: Verb = Verb::family::<ConfigArgs>("config", Group::Settings, CHILDREN);

const CHILDREN: &[Verb] = &[
    Verb::of::<names::CurrentContextArgs>("current-context", Group::Settings),
    Verb::of::<entries::DeleteClusterArgs>("delete-cluster", Group::Settings).words(Words::Cluster),
    Verb::of::<entries::DeleteContextArgs>("delete-context", Group::Settings).words(Words::Context),
    Verb::of::<entries::DeleteUserArgs>("delete-user", Group::Settings).words(Words::User),
    Verb::of::<names::GetClustersArgs>("get-clusters", Group::Settings),
    Verb::of::<contexts::GetContextsArgs>("get-contexts", Group::Settings),
    Verb::of::<names::GetUsersArgs>("get-users", Group::Settings),
    Verb::of::<contexts::RenameContextArgs>("rename-context", Group::Settings).words(Words::Context),
    Verb::of::<property::SetArgs>("set", Group::Settings),
    Verb::of::<set_cluster::SetClusterArgs>("set-cluster", Group::Settings),
    Verb::of::<set_context::SetContextArgs>("set-context", Group::Settings).words(Words::Context),
    Verb::of::<set_credentials::SetCredentialsArgs>("set-credentials", Group::Settings),
    Verb::of::<property::UnsetArgs>("unset", Group::Settings),
    Verb::of::<contexts::UseContextArgs>("use-context", Group::Settings).aliases(&["use"]).words(Words::Context),
    Verb::of::<view::ViewArgs>("view", Group::Settings),
];

/// Read and change kubeconfig files.
#[derive(Parser)]
pub struct ConfigArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// The merged files with paths as they are written; a file of `--kubeconfig` that is not there yet is empty.
fn starting(cx: &Context) -> Result<Config> {
    Ok(cx.sources().starting()?)
}

/// Writes the files that differ from `config`.
fn save(cx: &Context, config: &Config, relative: bool) -> Result<()> {
    Ok(kubeconfig::modify(&cx.sources(), config, relative)?)
}

/// The file that messages name and that takes what is new.
fn file_name(cx: &Context) -> String {
    cx.sources().default_file().map(|file| file.display().to_string()).unwrap_or_default()
}

/// Prints the help of the sub-verb that runs.
fn print_help(cx: &Context) -> Result<()> {
    let name = cx.command_path.rsplit(' ').next().unwrap_or_default();
    match verb::find(CHILDREN, name) {
        Some(verb) => cx.out(&help::text(verb, &cx.command_path)),
        None => Ok(()),
    }
}

/// The misuse of a sub-verb: its help on standard output, then the error.
fn misused(cx: &Context, message: String) -> Error {
    match print_help(cx) {
        Ok(()) => Error::new(message),
        Err(error) => error,
    }
}

/// Words as Go prints a slice: `[a b]`.
fn go_slice(words: &[String]) -> String {
    format!("[{}]", words.join(" "))
}

/// Fails unless there are exactly `N` words.
fn exactly<const N: usize>(cx: &Context, words: Vec<String>) -> Result<[String; N]> {
    words.try_into().map_err(|words: Vec<String>| misused(cx, format!("Unexpected args: {}", go_slice(&words))))
}
