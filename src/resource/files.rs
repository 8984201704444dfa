//! Files, folders, standard input and URLs as texts.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::{Document, Error, Outside, build_kustomization, documents};
use crate::kustomize;

/// What `-f`, `-R` and `-k` name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Files, folders, URLs, or `-`.
    pub filenames: Vec<String>,
    /// A folder with a kustomization.
    pub kustomize: String,
    /// Whether folders are read with those in them.
    pub recursive: bool,
}

/// Files in folders count when they end so.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
const ATTEMPTS: usize = 3;

/// Where texts come from, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdin,
    Url(String),
    File(PathBuf),
    /// A folder with a kustomization.
    Kustomization(String),
}

/// What files amount to.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub sources: Vec<Source>,
    /// Whether there is one file that is no folder.
    pub single: bool,
}

impl FileOptions {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.filenames.is_empty() && self.kustomize.is_empty()
    }

    /// Finds the files; all failures at once.
    pub(super) fn sources(&self) -> Result<Sources, Error> {
        let (mut sources, mut errors) = (Vec::new(), Vec::new());
        let mut stream = false;
        let mut folder = false;
        if !self.kustomize.is_empty() && !self.filenames.is_empty() {
            return Err(Error::fact("only one of -f or -k can be specified"));
        }
        if !self.kustomize.is_empty() && self.recursive {
            return Err(Error::fact("the -k flag can't be used with -f or -R"));
        }
        if !self.kustomize.is_empty() {
            return Ok(Sources { sources: vec![Source::Kustomization(self.kustomize.clone())], single: false });
        }
        for name in &self.filenames {
            if name == "-" {
                if stream {
                    errors.push(Error::fact("standard input cannot be used for multiple arguments"));
                }
                stream = true;
                sources.push(Source::Stdin);
            } else if name.starts_with("http://") || name.starts_with("https://") {
                match url::Url::parse(name) {
                    Ok(_) => sources.push(Source::Url(name.clone())),
                    Err(error) => {
                        errors.push(Error::fact(format!("the URL passed to filename \"{name}\" is not valid: {error}")))
                    }
                }
            } else {
                let before = sources.len();
                match self.expand(name) {
                    Ok(files) => sources.extend(files.into_iter().map(Source::File)),
                    Err(error) => errors.push(error),
                }
                folder |= sources.len() - before > 1;
            }
        }
        Error::all(errors)?;
        if sources.is_empty() && !self.filenames.is_empty() {
            let names = self.filenames.join(" ");
            return Err(Error::fact(format!(
                "error reading [{names}]: recognized file extensions are [.json .yaml .yml]"
            )));
        }
        let single = !stream && !folder && sources.len() == 1;
        Ok(Sources { sources, single })
    }

    /// A file, the files of a folder, or the files that a pattern matches.
    fn expand(&self, name: &str) -> Result<Vec<PathBuf>, Error> {
        let path = Path::new(name);
        let missing = || Error::fact(format!("the path \"{name}\" does not exist"));
        if let Err(error) = std::fs::metadata(path) {
            if error.kind() != std::io::ErrorKind::NotFound {
                let why = crate::client::path_error("stat", path, &error);
                return Err(Error::fact(format!("the path \"{name}\" cannot be accessed: {why}")));
            }
            let matches = matching(path);
            if matches.is_empty() {
                return Err(missing());
            }
            let mut files = Vec::new();
            for path in matches {
                self.walk(&path, true, &mut files)?;
            }
            return Ok(files);
        }
        let mut files = Vec::new();
        self.walk(path, true, &mut files)?;
        Ok(files)
    }

    /// Adds a file, or those in a folder, in the order of their names.
    fn walk(&self, path: &Path, top: bool, files: &mut Vec<PathBuf>) -> Result<(), Error> {
        let failed = |call: &str, error: &std::io::Error| {
            Error::fact(format!(
                "error reading \"{}\": {}",
                path.display(),
                crate::client::path_error(call, path, error)
            ))
        };
        let metadata = std::fs::metadata(path).map_err(|error| failed("lstat", &error))?;
        if !metadata.is_dir() {
            let known =
                path.extension().and_then(|extension| extension.to_str()).is_some_and(|e| EXTENSIONS.contains(&e));
            if top || known {
                files.push(path.to_owned());
            }
            return Ok(());
        }
        if !top && !self.recursive {
            return Ok(());
        }
        let entries = std::fs::read_dir(path).map_err(|error| failed("open", &error))?;
        let mut names: Vec<PathBuf> =
            entries.filter_map(Result::ok).map(|entry| joined(path, &entry.file_name())).collect();
        names.sort();
        for name in names {
            self.walk(&name, false, files)?;
        }
        Ok(())
    }
}

/// The path of a file in a folder, without the parts that lead nowhere (Go's `filepath.Join`).
fn joined(folder: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.components().chain([Component::Normal(name)]) {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => drop(path.pop()),
            Component::ParentDir if path.has_root() => {}
            part => path.push(part),
        }
    }
    path
}

/// The files whose last part matches a pattern with `*`, `?` or `[…]`.
fn matching(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    if !name.contains(['*', '?', '[']) {
        return Vec::new();
    }
    let pattern: String = name
        .chars()
        .map(|letter| match letter {
            '*' => "[^/]*".to_owned(),
            '?' => "[^/]".to_owned(),
            '[' | ']' | '-' | '^' => letter.to_string(),
            other => regex::escape(&other.to_string()),
        })
        .collect();
    let Ok(pattern) = regex::Regex::new(&format!("^{pattern}$")) else { return Vec::new() };
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| pattern.is_match(name)))
        .map(|entry| joined(parent, &entry.file_name()))
        .collect();
    found.sort();
    found
}

impl Source {
    /// Name as messages show it.
    fn name(&self) -> String {
        match self {
            Self::Stdin => "STDIN".into(),
            Self::Url(name) | Self::Kustomization(name) => name.clone(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// Reads the documents.
    pub(super) async fn read(&self, outside: &Outside<'_>) -> Vec<Result<Document, Error>> {
        let text = match self {
            Self::Stdin => (outside.stdin)().map_err(|error| Error::fact(format!("error parsing STDIN: {error}"))),
            Self::Url(url) => read_url(url).await,
            Self::Kustomization(path) => build_text(path, outside),
            Self::File(path) => {
                std::fs::read(path).map_err(|error| Error::fact(crate::client::path_error("open", path, &error)))
            }
        };
        match text {
            Ok(text) => documents(&text, &self.name()),
            Err(error) => vec![Err(error)],
        }
    }
}

/// The objects of a kustomization as one text.
fn build_text(path: &str, outside: &Outside<'_>) -> Result<Vec<u8>, Error> {
    let options = kustomize::Options::default();
    let built = build_kustomization(path, &options, &mut |warning| (outside.warn)(&warning))?;
    kustomize::to_yaml(&built).map(String::into_bytes).map_err(|error| Error::fact(error.to_string()))
}

/// Fetches a URL; a failing server is asked three times.
///
/// # Errors
/// It cannot be reached, or does not answer with success.
pub async fn read_url(url: &str) -> Result<Vec<u8>, Error> {
    let mut last = Error::fact(format!("unable to read URL \"{url}\""));
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        match crate::client::fetch_url(url).await {
            Err(error) => last = error.into(),
            Ok((status, body)) if status.is_success() => return Ok(body.to_vec()),
            Ok((status, _)) => {
                let code = status.as_u16();
                last =
                    Error::fact(format!("unable to read URL \"{url}\", server reported {status}, status code={code}"));
                if !status.is_server_error() {
                    break;
                }
            }
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_clean() {
        let name = |folder: &str| joined(Path::new(folder), OsStr::new("a.yaml")).display().to_string();
        assert_eq!(
            [".", "./x", "x//y/./", "x/../y", "../x", "/.."].map(name),
            ["a.yaml", "x/a.yaml", "x/y/a.yaml", "y/a.yaml", "../x/a.yaml", "/a.yaml"]
        );
    }

    #[test]
    fn folders_give_their_manifests_in_order() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        for name in ["b.yaml", "a.json", "c.txt", "d/e.yml"] {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("below the folder")).expect("a folder");
            std::fs::write(file, "").expect("a file");
        }
        let names = |recursive: bool, of: &Path| {
            let filenames = vec![of.to_string_lossy().into_owned()];
            let sources = FileOptions { filenames, recursive, ..FileOptions::default() }.sources().expect("readable");
            let name = |source: &Source| match source {
                Source::File(path) => path.strip_prefix(folder.path()).expect("below").to_string_lossy().into_owned(),
                _ => String::new(),
            };
            sources.sources.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(names(false, folder.path()), ["a.json", "b.yaml"]);
        assert_eq!(names(true, folder.path()), ["a.json", "b.yaml", "d/e.yml"]);
        assert_eq!(names(false, &folder.path().join("*.txt")), ["c.txt"]);
    }
}
