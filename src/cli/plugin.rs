//! Programs named `kubectl-…` or `knarr-…` on PATH as verbs, and `plugin list`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result};
use super::help::is_verb;
use super::streams::is_executable;
use super::verb::{Group, Run, Verb};

/// What the names of plugins begin with.
pub const PREFIXES: [&str; 2] = ["kubectl", "knarr"];

/// `plugin`.
pub const VERB: Verb =
    Verb::family::<PluginArgs>("plugin", Group::Other, &[Verb::of::<ListArgs>("list", Group::Other)]);

/// Work with plugins: programs on PATH whose names begin with the program's.
#[derive(Parser)]
pub struct PluginArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// List the plugins on PATH.
#[derive(Parser)]
pub struct ListArgs {
    /// Show names without folders
    #[arg(long)]
    name_only: bool,
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Runs the plugin that the words name, the longest name first, using at least `min` words for it; comes back when
/// there is none.
pub fn run(cx: &Context, words: &[String], min: usize) -> Result<()> {
    let names: Vec<String> = words.iter().take_while(|w| !w.starts_with('-')).map(|w| w.replace('-', "_")).collect();
    if names.is_empty() {
        let first = words.first().map_or("", String::as_str);
        if matches!(words.iter().find(|word| !word.starts_with('-')).map(String::as_str), Some("help" | "__complete")) {
            return Ok(());
        }
        return Err(Error::plain(format!("Error: flags cannot be placed before plugin name: {first}")));
    }
    for length in (min..=names.len()).rev() {
        let name = names[..length].join("-");
        let found = PREFIXES.iter().find_map(|prefix| cx.env.find_program(&format!("{prefix}-{name}")));
        if let Some(program) = found {
            return Err(execute(cx, &program, &words[length..]));
        }
    }
    Ok(())
}

/// Becomes the program; what comes back is why it could not, or its exit code.
fn execute(cx: &Context, program: &Path, words: &[String]) -> Error {
    if let Err(error) = cx.streams.flush() {
        return error.into();
    }
    let mut command = std::process::Command::new(program);
    command.args(words).env_clear().envs(cx.env.iter());
    if let Ok(own) = std::env::current_exe() {
        command.env("KUBECTL_PATH", own);
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Error::plain(format!("Error: {}", super::error::go_io_error(&error)))
    }
    #[cfg(not(unix))]
    match command.status() {
        Ok(status) => Error::silent(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => Error::plain(format!("Error: {error}")),
    }
}

/// Everything in a folder of PATH whose name is a plugin's, sorted by name.
fn plugins_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_plugin = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(&format!("{prefix}-")));
    let mut files: Vec<PathBuf> = entries
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_plugin))
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
        .collect();
    files.sort();
    files
}

/// The files of all plugins on PATH, folder after folder.
fn files(cx: &Context) -> Vec<PathBuf> {
    let mut folders = BTreeSet::new();
    let path = cx.env.os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(path)
        .filter(|folder| !folder.as_os_str().is_empty())
        .filter(move |folder| folders.insert(folder.clone()));
    folders.flat_map(|folder| plugins_in(&folder)).collect()
}

/// The words that name each plugin: `kubectl-foo_bar-baz` is `foo-bar baz`.
pub fn names(cx: &Context) -> Vec<Vec<String>> {
    let words = |file: &PathBuf| {
        let name = file.file_name()?.to_str()?;
        Some(name.split('-').skip(1).map(|word| word.replace('_', "-")).collect())
    };
    files(cx).iter().filter_map(words).collect()
}

impl Run for ListArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let files = files(cx);
        if files.is_empty() {
            return Err(Error::new(format!("unable to find any {} plugins in your PATH", cx.program.name)));
        }
        cx.line("The following compatible plugins are available:\n")?;
        let mut warnings = 0;
        let mut seen: Vec<(String, PathBuf)> = Vec::new();
        for file in files {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if self.name_only {
                cx.line(&name)?;
            } else {
                cx.line(file.display())?;
            }
            for warning in warnings_of(cx, &file, &name, &seen) {
                cx.err_line(format!("  - {warning}"))?;
                warnings += 1;
            }
            seen.push((name, file));
        }
        match warnings {
            0 => Ok(()),
            1 => Err(Error::new("one plugin warning was found")),
            count => Err(Error::new(format!("{count} plugin warnings were found"))),
        }
    }
}

fn warnings_of(cx: &Context, file: &Path, name: &str, seen: &[(String, PathBuf)]) -> Vec<String> {
    let mut warnings = Vec::new();
    let program = &cx.program.name;
    let words: Vec<&str> = name.split('-').skip(1).collect();
    if is_verb(&words) {
        warnings.push(format!("warning: {name} overwrites existing command: \"{program} {}\"", words.join(" ")));
    }
    if !is_executable(file) {
        warnings
            .push(format!("warning: {} identified as a {program} plugin, but it is not executable", file.display()));
    }
    if let Some((_, first)) = seen.iter().find(|(known, _)| known == name) {
        warnings.push(format!(
            "warning: {} is overshadowed by a similarly named plugin: {}",
            file.display(),
            first.display()
        ));
    }
    warnings
}
