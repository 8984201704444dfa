//! The user's editor on a temporary file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::object::go::quote;

/// The editor's command line, without the file.
pub struct Editor {
    words: Vec<String>,
    /// Whether the last word is a line for the shell before it.
    shell: bool,
}

impl Editor {
    /// From `KUBE_EDITOR`, else `EDITOR`, else the system's usual one.
    pub fn of(cx: &Context) -> Self {
        let usual = if cfg!(windows) { "notepad" } else { "vi" };
        let editor = cx.env.non_empty("KUBE_EDITOR").or_else(|| cx.env.non_empty("EDITOR")).unwrap_or(usual);
        if !editor.contains(['"', '\'', '\\']) || !editor.contains(' ') {
            let words = editor.split(' ').map(str::to_owned).collect();
            return Self { words, shell: false };
        }
        let (shell, flag) = match cx.env.non_empty("SHELL") {
            Some(shell) => (shell, "-c"),
            None if cfg!(windows) => ("cmd", "/C"),
            None => ("/bin/bash", "-c"),
        };
        Self { words: vec![shell.to_owned(), flag.to_owned(), editor.to_owned()], shell: true }
    }

    /// Lets the user edit a new file; gives its path and what is in it then.
    pub fn edit(&self, cx: &Context, ending: &str, text: &str) -> Result<(PathBuf, String)> {
        let path = temporary(cx, ending, text)?;
        cx.streams.flush()?;
        self.launch(cx, &path)?;
        let bytes = std::fs::read(&path).map_err(|error| path_error("open", &path, &error))?;
        Ok((path, String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn launch(&self, cx: &Context, file: &Path) -> Result<()> {
        let whole = quote(&self.words.join(" "));
        let Some((program, rest)) = self.words.split_first() else { return Ok(()) };
        let missing = || Error::new(format!("unable to launch the editor {whole}"));
        let failed = || Error::new(format!("there was a problem with the editor {whole}"));
        let found = cx.env.find_program(program);
        let is_path = program.contains(std::path::MAIN_SEPARATOR);
        let program = found.ok_or_else(|| if is_path { failed() } else { missing() })?;
        let mut command = Command::new(program);
        match rest.split_last() {
            Some((line, flags)) if self.shell => {
                command.args(flags).arg(format!("{line} {}", quote(&file.to_string_lossy())));
            }
            _ => {
                command.args(rest).arg(file);
            }
        }
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(failed()),
        }
    }
}

/// A file of a new name that only its owner may read.
fn temporary(cx: &Context, ending: &str, text: &str) -> Result<PathBuf> {
    use std::hash::{BuildHasher, Hasher};
    let program = cx.program.name.replace(' ', "-");
    loop {
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish() % 4_000_000_000;
        let path = std::env::temp_dir().join(format!("{program}-edit-{random}{ending}"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        match options.open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| path_error("write", &path, &error))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(path_error("open", &path, &error)),
        }
    }
}
