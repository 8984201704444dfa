//! Keys and values from literals, files, folders and environment files.

use std::path::Path;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result, go_io_error, path_error};
use crate::object::go::quote;
use crate::object::names;

/// `--from-file`, `--from-literal`, `--from-env-file`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SourceArgs {
    /// File, folder, or KEY=FILE; may be repeated
    #[arg(long, value_name = "[KEY=]FILE", value_delimiter = ',')]
    from_file: Vec<String>,
    /// KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,
    /// File with a KEY=VALUE on each line; may be repeated
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    from_env_file: Vec<String>,
}

/// Takes one key and its value.
type Add<'a> = dyn FnMut(&str, Vec<u8>) -> Result<()> + 'a;

impl SourceArgs {
    /// Fails where sources do not go together.
    pub fn check(&self) -> Result<()> {
        let others = !self.from_file.is_empty() || !self.from_literal.is_empty();
        if others && !self.from_env_file.is_empty() {
            return Err(Error::new("from-env-file cannot be combined with from-file or from-literal"));
        }
        Ok(())
    }

    /// Gives every key and value to `add`, files before literals; `what` they are for stands in errors.
    pub fn read(&self, cx: &Context, what: &str, add: &mut Add<'_>) -> Result<()> {
        for source in &self.from_file {
            read_file(source, add)?;
        }
        for source in &self.from_literal {
            let invalid = || Error::new(format!("invalid literal source {source}, expected key=value"));
            let (key, value) = source.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(invalid)?;
            add(key, value.as_bytes().to_vec())?;
        }
        for file in &self.from_env_file {
            if metadata(file)?.is_dir() {
                return Err(Error::new(format!("env {what} file cannot be a directory")));
            }
            read_env_file(cx, file, add)?;
        }
        Ok(())
    }
}

fn metadata(file: &str) -> Result<std::fs::Metadata> {
    std::fs::metadata(file).map_err(|error| Error::new(format!("error reading {file}: {}", go_io_error(&error))))
}

/// The last part of a path as Go's `path.Base` gives it.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or(path),
    }
}

/// The key and the file of `[KEY=]FILE`.
fn split_source(source: &str) -> Result<(&str, &str)> {
    let wrong = match source.matches('=').count() {
        0 => return Ok((base(source), source)),
        1 => match source.split_once('=').unwrap_or_default() {
            ("", file) => format!("key name for file path {file} missing"),
            (key, "") => format!("file path for key name {key} missing"),
            parts => return Ok(parts),
        },
        _ => "key names or file paths cannot contain '='".to_owned(),
    };
    Err(Error::new(wrong))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| path_error("open", path, &error))
}

/// One file, or every regular file of a folder under its own name.
pub fn read_file(source: &str, add: &mut Add<'_>) -> Result<()> {
    let (key, file) = split_source(source)?;
    if !metadata(file)?.is_dir() {
        return add(key, read_bytes(Path::new(file))?);
    }
    if source.contains('=') {
        return Err(Error::new("cannot give a key name for a directory path"));
    }
    let listing = std::fs::read_dir(file).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries =
        listing.map_err(|error| Error::new(format!("error listing files in {file}: {}", go_io_error(&error))))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            add(&entry.file_name().to_string_lossy(), read_bytes(&entry.path())?)?;
        }
    }
    Ok(())
}

/// A line of an environment file: nothing for empty lines and comments; a key alone takes its value from the
/// environment.
fn env_line(cx: &Context, line: &[u8], file: &str, number: usize) -> Result<Option<(String, String)>> {
    let Ok(text) = std::str::from_utf8(line) else {
        let bytes: Vec<String> = line.iter().map(u8::to_string).collect();
        let bytes = bytes.join(" ");
        return Err(Error::new(format!("env file {file} contains invalid utf8 bytes at line {number}: [{bytes}]")));
    };
    let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
    let text = text.trim_start();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    let wrong = names::is_env_var_name(key);
    if !wrong.is_empty() {
        return Err(Error::new(format!("{} is not a valid key name: {}", quote(key), wrong.join(";"))));
    }
    let value = value.unwrap_or_else(|| cx.env.get(key).unwrap_or_default());
    Ok(Some((key.to_owned(), value.to_owned())))
}

/// The keys and values of an environment file, in order.
///
/// # Errors
/// A file that cannot be read, and keys that cannot be names of variables.
pub fn read_env_file(cx: &Context, file: &str, add: &mut Add<'_>) -> Result<()> {
    let content = read_bytes(Path::new(file))?;
    for (position, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some((key, value)) = env_line(cx, line, file, position + 1)? {
            add(&key, value.into_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_keys_and_files() {
        let split = |source| split_source(source).map_err(|error| error.text());
        assert_eq!(split("dir/a.txt"), Ok(("a.txt", "dir/a.txt")));
        assert_eq!(split("k=dir/a.txt"), Ok(("k", "dir/a.txt")));
        assert_eq!(split("=a"), Err("key name for file path a missing".into()));
        assert_eq!(split("a="), Err("file path for key name a missing".into()));
        assert_eq!(split("a=b=c"), Err("key names or file paths cannot contain '='".into()));
    }
}
