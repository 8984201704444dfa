//! The two versions of every object as files of two folders, compared here or by a program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Local, Utc};

use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::object::diff;

/// The live and the merged version of objects, by the name of their file.
#[derive(Default)]
pub struct Versions {
    files: BTreeMap<String, (Version, Version)>,
}

/// One version: its text, or no file.
#[derive(Clone, Debug, Default)]
pub struct Version {
    text: Option<String>,
    written: DateTime<Utc>,
}

impl Version {
    /// A file written now.
    pub fn new(text: String) -> Self {
        Self { text: Some(text), written: Utc::now() }
    }

    /// The time as `diff` shows it; a missing file is from the epoch.
    fn time(&self) -> String {
        self.written.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S%.9f %z").to_string()
    }

    fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// A name that no folder has yet.
fn folder_name(prefix: &str) -> PathBuf {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    std::env::temp_dir().join(format!("{prefix}-{}", random % 4_000_000_000))
}

impl Versions {
    /// Adds an object.
    pub fn insert(&mut self, name: String, live: Version, merged: Version) {
        self.files.insert(name, (live, merged));
    }

    /// Prints the differences with the program of the environment, or here; gives whether there were any.
    pub fn compare(&self, cx: &Context) -> Result<bool> {
        match cx.env.non_empty("KUBECTL_EXTERNAL_DIFF") {
            Some(program) => self.compare_with(cx, program),
            None => self.compare_here(cx),
        }
    }

    fn compare_here(&self, cx: &Context) -> Result<bool> {
        let (live, merged) = (folder_name("LIVE"), folder_name("MERGED"));
        let mut differ = false;
        for (name, (old, new)) in &self.files {
            let hunks = diff::hunks(old.text(), new.text());
            if hunks.is_empty() {
                continue;
            }
            differ = true;
            let (from, to) = (live.join(name), merged.join(name));
            cx.out(&format!(
                "diff -u -N {from} {to}\n--- {from}\t{}\n+++ {to}\t{}\n{hunks}",
                old.time(),
                new.time(),
                from = from.display(),
                to = to.display()
            ))?;
        }
        Ok(differ)
    }

    fn compare_with(&self, cx: &Context, command: &str) -> Result<bool> {
        let (live, merged) = (folder_name("LIVE"), folder_name("MERGED"));
        let written = self.write(&live, &merged);
        let outcome = written.and_then(|()| run(cx, command, &live, &merged));
        // The folders are nobody's concern any more, whatever came of them.
        std::fs::remove_dir_all(&live).ok();
        std::fs::remove_dir_all(&merged).ok();
        outcome
    }

    fn write(&self, live: &Path, merged: &Path) -> Result<()> {
        for folder in [live, merged] {
            create_folder(folder).map_err(|error| path_error("mkdir", folder, &error))?;
        }
        for (name, (old, new)) in &self.files {
            for (folder, version) in [(live, old), (merged, new)] {
                let Some(text) = &version.text else { continue };
                let file = folder.join(name);
                std::fs::write(&file, text).map_err(|error| path_error("open", &file, &error))?;
            }
        }
        Ok(())
    }
}

/// A folder that only its owner may look into: objects can hold secrets.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Runs the program; of its arguments only plain flags are taken.
fn run(cx: &Context, command: &str, live: &Path, merged: &Path) -> Result<bool> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let plain =
        |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '='));
    let failed = |why: String| Error::new(format!("failed to run {}: {why}", crate::object::go::quote(program)));
    let Some(file) = cx.env.find_program(program) else {
        return Err(failed("executable file not found in $PATH".into()));
    };
    cx.streams.flush()?;
    // The folders come first, as with kubectl.
    let mut command = Command::new(file);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, program);
    let status = command.arg(live).arg(merged).args(words.filter(plain)).status();
    let status = status.map_err(|error| failed(crate::cli::error::go_io_error(&error)))?;
    match status.code() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(code) => Err(failed(format!("exit status {code}"))),
        None => Err(failed("signal: killed".into())),
    }
}
