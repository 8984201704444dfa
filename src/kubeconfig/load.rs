//! Which files there are, reading and merging them.

use std::path::{Path, PathBuf};

use super::model::Config;
use super::{Error, path_error};
use crate::manifest;

/// Where kubeconfigs come from, in order of precedence.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that `--kubeconfig` names; it alone counts then, and must exist.
    pub explicit: Option<PathBuf>,
    /// The files of `KUBECONFIG`, or the one in the home folder.
    pub files: Vec<PathBuf>,
    /// Whether [`Sources::files`] came from `KUBECONFIG`.
    pub from_environment: bool,
}

impl Sources {
    /// The sources by flag, variable and home folder.
    pub fn new(flag: Option<&str>, variable: Option<&str>, home: Option<&Path>) -> Self {
        let explicit = flag.filter(|file| !file.is_empty()).map(PathBuf::from);
        let mut files: Vec<PathBuf> = Vec::new();
        let variable = variable.filter(|list| !list.is_empty());
        match variable {
            Some(list) => {
                for file in std::env::split_paths(list).filter(|file| !file.as_os_str().is_empty()) {
                    if !files.contains(&file) {
                        files.push(file);
                    }
                }
            }
            None => files.extend(home.map(|home| home.join(".kube").join("config"))),
        }
        Self { explicit, files, from_environment: variable.is_some() }
    }

    /// The files to read, first winning.
    pub fn precedence(&self) -> &[PathBuf] {
        self.explicit.as_ref().map_or(self.files.as_slice(), std::slice::from_ref)
    }

    /// The file that takes what has no file yet: the explicit one, else the first that exists, else the last.
    pub fn default_file(&self) -> Option<&Path> {
        let files = self.precedence();
        files.iter().find(|file| file.exists()).or(files.last()).map(PathBuf::as_path)
    }

    /// What a change starts from: the merged files, their paths as written; an explicit file may be missing.
    ///
    /// # Errors
    /// A file cannot be read or understood.
    pub fn starting(&self) -> Result<Config, Error> {
        match self.load(false) {
            Err(_) if self.explicit.as_ref().is_some_and(|file| !file.exists()) => Ok(Config::default()),
            loaded => loaded,
        }
    }

    /// Reads and merges the files; relative paths in them become absolute when `resolve` is set.
    ///
    /// # Errors
    /// The explicit file is missing, or a file cannot be read or understood.
    pub fn load(&self, resolve: bool) -> Result<Config, Error> {
        if let Some(file) = &self.explicit
            && let Err(error) = std::fs::metadata(file)
            && error.kind() == std::io::ErrorKind::NotFound
        {
            return Err(Error::Fact(path_error("stat", file, &error)));
        }
        let mut merged = Config::default();
        let mut failures = Vec::new();
        for file in self.precedence() {
            match load_file(file) {
                Ok(Some(config)) => merge(&mut merged, config),
                Ok(None) => {}
                Err(error) => failures.push(format!("error loading config file \"{}\": {error}", file.display())),
            }
        }
        if resolve {
            resolve_paths(&mut merged);
        }
        match failures.len() {
            0 => Ok(merged),
            1 => Err(Error::Fact(failures.swap_remove(0))),
            _ => Err(Error::Fact(format!("[{}]", failures.join(", ")))),
        }
    }

    /// The files that are listed but do not exist, where none of them does.
    pub fn all_missing(&self) -> Option<Vec<&Path>> {
        (self.explicit.is_none() && self.from_environment && !self.files.iter().any(|file| file.exists()))
            .then(|| self.files.iter().map(PathBuf::as_path).collect())
    }
}

/// Reads one file; `None` when there is none.
///
/// # Errors
/// It cannot be read or understood.
pub fn load_file(file: &Path) -> Result<Option<Config>, Error> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::Fact(path_error("open", file, &error))),
    };
    let mut config = parse(&text)?;
    let origin = Some(file.to_owned());
    config.clusters.values_mut().for_each(|item| item.origin.clone_from(&origin));
    config.users.values_mut().for_each(|item| item.origin.clone_from(&origin));
    config.contexts.values_mut().for_each(|item| item.origin.clone_from(&origin));
    Ok(Some(config))
}

/// Reads a kubeconfig's text; an empty text is an empty config.
///
/// # Errors
/// Malformed YAML, another kind of object, a field of the wrong type.
pub fn parse(text: &[u8]) -> Result<Config, Error> {
    if text.is_empty() {
        return Ok(Config::default());
    }
    let value = manifest::yaml_to_value(text, false).map_err(|error| Error::Fact(error.to_string()))?;
    let (kind, version) = (crate::object::meta::kind(&value), crate::object::meta::api_version(&value));
    if !matches!((kind, version), ("" | "Config", "" | "v1")) {
        let version = if version.is_empty() { "v1" } else { version };
        let kind = if kind.is_empty() { "Config" } else { kind };
        return Err(Error::Fact(format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \
             \"k8s.io/client-go/tools/clientcmd/api/latest/latest.go:50\""
        )));
    }
    if value.is_null() {
        return Ok(Config::default());
    }
    Config::from_value(value).map_err(Error::Fact)
}

/// Adds what `later` has and `merged` has not.
fn merge(merged: &mut Config, later: Config) {
    for (name, item) in later.clusters {
        merged.clusters.entry(name).or_insert(item);
    }
    for (name, item) in later.users {
        merged.users.entry(name).or_insert(item);
    }
    for (name, item) in later.contexts {
        merged.contexts.entry(name).or_insert(item);
    }
    if merged.current_context.is_empty() {
        merged.current_context = later.current_context;
    }
    merged.preferences.colors |= later.preferences.colors;
    if merged.preferences.extensions.is_empty() {
        merged.preferences.extensions = later.preferences.extensions;
    }
    for extension in later.extensions {
        if !merged.extensions.iter().any(|known| known.name == extension.name) {
            merged.extensions.push(extension);
        }
    }
}

fn resolve_paths(config: &mut Config) {
    for cluster in config.clusters.values_mut() {
        let origin = cluster.origin.clone();
        resolve(cluster.files(), origin.as_deref());
    }
    for user in config.users.values_mut() {
        let origin = user.origin.clone();
        resolve(user.files(), origin.as_deref());
    }
}

/// Makes relative paths absolute against the folder of `origin`.
pub(super) fn resolve(files: Vec<&mut String>, origin: Option<&Path>) {
    for file in files.into_iter().filter(|file| !file.is_empty()) {
        *file = resolved(file, origin).to_string_lossy().into_owned();
    }
}

/// A path of the file `origin`, absolute; without an origin, or when there is no working folder, as it is.
pub fn resolved(path: &str, origin: Option<&Path>) -> PathBuf {
    let path = Path::new(path);
    let folder = origin.and_then(Path::parent).filter(|_| path.is_relative());
    let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    match folder.map(std::path::absolute) {
        Some(Ok(folder)) => clean(&folder.join(path)),
        _ => path.to_owned(),
    }
}

/// The path without `.` and `..`, by text alone, as Go's `filepath.Clean`.
pub(super) fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_wins() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("a scratch file");
            file
        };
        let one = write("one", "current-context: a\nclusters: [{name: k, cluster: {server: one}}]\n");
        let two = write(
            "two",
            "current-context: b\nclusters: [{name: k, cluster: {server: two, certificate-authority: ../ca}}, {name: l, \
             cluster: {server: two, certificate-authority: ca}}]\n",
        );
        let sources = Sources { files: vec![one, folder.path().join("missing"), two], ..Sources::default() };
        let config = sources.load(true).expect("readable");
        assert_eq!(config.current_context, "a");
        assert_eq!(config.clusters["k"].server, "one");
        assert_eq!(config.clusters["l"].certificate_authority, folder.path().join("ca").to_string_lossy());
    }

    #[test]
    fn malformed_files_are_refused_in_gos_words() {
        let refusal = |text: &str| parse(text.as_bytes()).expect_err("malformed").to_string();
        assert_eq!(
            refusal("apiVersion: v1\nkind: Config\nclusters: [\n"),
            "yaml: line 3: did not find expected node content"
        );
        assert!(refusal("apiVersion: v1\nkind: Pod\n").starts_with("no kind \"Pod\" is registered for version \"v1\""));
    }
}
