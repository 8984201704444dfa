//! `kuberc`: the file of a user's preferences, with other defaults for flags, aliases of commands, and the programs
//! that may supply credentials.
//!
//! The file is that of `--kuberc`, else of the variable `KUBERC`, else `~/.kube/kuberc`; `KUBERC=off` and
//! `KUBECTL_KUBERC=false` leave it aside.

mod preference;
mod rewrite;
mod set;
mod view;

use std::path::{Path, PathBuf};

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result, go_io_error};
use super::verb::{Group, Verb};
use preference::Loaded;
pub use preference::Preference;
pub use rewrite::{alias, defaults};

/// `kuberc`.
pub const VERB: Verb = Verb::family::<KubercArgs>(
    "kuberc",
    Group::Settings,
    &[Verb::of::<view::ViewArgs>("view", Group::Settings), Verb::of::<set::SetArgs>("set", Group::Settings)],
);

/// Read and change the file of your preferences.
#[derive(Parser)]
pub struct KubercArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// The file of preferences, and whether the user named it; nothing when preferences are off.
fn file(cx: &Context, flag: &str) -> Result<Option<(PathBuf, bool)>> {
    let variable = cx.env.non_empty("KUBERC");
    if variable == Some("off") {
        if flag.is_empty() {
            return Ok(None);
        }
        return Err(Error::new("disabling kuberc via KUBERC=off and passing kuberc flag are mutually exclusive"));
    }
    let own = cx.env.home().unwrap_or_default().join(".kube").join("kuberc");
    let named = if flag.is_empty() { variable } else { Some(flag) };
    Ok(Some(named.map_or((own, false), |named| (PathBuf::from(named), true))))
}

/// As [`file`], for the verbs that need one.
fn required_file(cx: &Context) -> Result<(PathBuf, bool)> {
    file(cx, cx.globals.kuberc.as_deref().unwrap_or_default())?
        .ok_or_else(|| Error::new("KUBERC is disabled via KUBERC=off environment variable"))
}

/// The value of `--kuberc` among words that nobody has parsed yet, or nothing.
fn flag_in(words: &[String]) -> Result<&str> {
    let missing = || Error::new("kuberc file is not found");
    for (at, word) in words.iter().enumerate() {
        if word == "--" {
            break;
        }
        if word == "--kuberc" {
            return words.get(at + 1).map(String::as_str).ok_or_else(missing);
        }
        if word.contains("--kuberc=") {
            return word.split('=').nth(1).filter(|file| !file.is_empty()).ok_or_else(missing);
        }
    }
    Ok("")
}

/// The preferences for a command line, if there are any.
///
/// # Errors
/// A file that the user named and that cannot be used, and preferences that contradict themselves.
pub fn load(cx: &Context, words: &[String]) -> Result<Option<Preference>> {
    let off = cx.env.get("KUBECTL_KUBERC").is_some_and(|value| value.eq_ignore_ascii_case("false"));
    if off || words.is_empty() {
        return Ok(None);
    }
    read(cx, words).map_err(refused)
}

fn read(cx: &Context, words: &[String]) -> Result<Option<Preference>> {
    let within = |error: Error| Error::new(format!("kuberc error {}", error.text()));
    let Some((path, named)) = file(cx, flag_in(words)?).map_err(within)? else { return Ok(None) };
    let found = match std::fs::read(&path) {
        Ok(bytes) => preference::decode(&bytes, &path),
        Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(format!("open {}: {}", path.display(), go_io_error(&error))),
    };
    let loaded = match found {
        Ok(loaded) => loaded,
        Err(why) if named => return Err(Error::new(format!("kuberc error kuberc: {why}"))),
        Err(why) => {
            cx.err(&format!("kuberc: no preferences loaded from {}: {why}", path.display()))?;
            return Ok(None);
        }
    };
    let Some(Loaded { preference, strict }) = loaded else { return Ok(None) };
    if !strict.is_empty() {
        let why = strict.join(", ");
        cx.err(&format!("kuberc: ignoring strict decoding error in {}: strict decoding error: {why}", path.display()))?;
    }
    preference.validate().map_err(Error::new)?;
    Ok(Some(preference))
}

/// A failure of preferences, before any command runs.
fn refused(error: Error) -> Error {
    Error::plain(format!("error occurred while applying preferences {}", error.text()))
}

/// Writes the file of preferences and says so.
fn save(cx: &Context, preference: &Preference, file: &Path) -> Result<()> {
    let failed = |what: String, error: &std::io::Error| Error::new(format!("{what}: {}", go_io_error(error)));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| {
        failed(format!("failed to create directory {}: mkdir {}", folder.display(), folder.display()), &error)
    })?;
    let text = crate::manifest::to_yaml(&preference.to_value());
    std::fs::write(file, text)
        .map_err(|error| failed(format!("failed to write kuberc file: open {}", file.display()), &error))?;
    cx.line(format!("Updated {}", file.display()))
}
