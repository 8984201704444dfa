//! Where files of a build come from: what a path may mean, and which files may be read.

use super::Error;
use super::repository::Repository;
use crate::object::go;

/// Files as a build reads them. Errors are texts of Go's `os` and `net/http` packages.
pub trait FileSystem {
    /// The absolute path behind a path, links followed (`filepath.Abs`, `filepath.EvalSymlinks`).
    ///
    /// # Errors
    /// A part does not exist: `lstat /a/b: no such file or directory`.
    fn resolve(&self, path: &str) -> Result<String, String>;

    /// Whether there is a folder.
    fn is_dir(&self, path: &str) -> bool;

    /// What a file holds.
    ///
    /// # Errors
    /// It cannot be read: `open /a: permission denied`.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// What a URL answers: the status and the body.
    ///
    /// # Errors
    /// Nobody answers: `Get "http://…": dial tcp …`.
    fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>), String>;

    /// Copies a git repository into a new folder, and gives its path.
    ///
    /// # Errors
    /// It cannot be had.
    fn clone_repository(&self, repository: &Repository) -> Result<String, String>;
}

/// Which files a kustomization may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestriction {
    /// Those in its folder and below.
    #[default]
    RootOnly,
    /// All.
    None,
}

/// Reads files for the kustomization of one folder.
#[derive(Clone)]
pub(super) struct Loader<'a> {
    files: &'a dyn FileSystem,
    root: String,
    restriction: LoadRestriction,
    /// The repository that the folder was copied from, and where the copy is.
    repository: Option<(Repository, String)>,
    /// Who led here, nearest first: folder and repository.
    referrers: Vec<(String, Option<(Repository, String)>)>,
}

/// Whether a path is the URL of a file.
fn is_url(path: &str) -> bool {
    url::Url::parse(path).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Whether `path` is the folder `root` or below it.
fn is_within(path: &str, root: &str) -> bool {
    root == "/" || path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

/// The path of a name in a folder, without `.` and `..` (`filepath.Join`).
pub(super) fn join(folder: &str, name: &str) -> String {
    let whole = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    go::clean_path(&whole)
}

/// The folder of a path and the name of its file, empty for a folder.
fn folder_and_file(files: &dyn FileSystem, path: &str) -> Result<(String, String), Error> {
    let real = files.resolve(path).map_err(|why| Error::fact(format!("evalsymlink failure on '{path}' : {why}")))?;
    if files.is_dir(&real) {
        return Ok((real, String::new()));
    }
    let (folder, name) = real.rsplit_once('/').unwrap_or(("", real.as_str()));
    Ok((if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }, name.to_owned()))
}

fn confirm_folder(files: &dyn FileSystem, path: &str) -> Result<String, Error> {
    let confirm = || {
        if path.is_empty() {
            return Err(Error::fact("directory path cannot be empty"));
        }
        let (folder, file) = folder_and_file(files, path).map_err(|error| error.within("not a valid directory"))?;
        if file.is_empty() { Ok(folder) } else { Err(Error::fact(format!("'{path}': file is not directory"))) }
    };
    confirm().map_err(|error| error.within("must build at directory"))
}

impl<'a> Loader<'a> {
    /// A loader for what a user named: a folder or a repository.
    pub fn new(files: &'a dyn FileSystem, target: &str, restriction: LoadRestriction) -> Result<Self, Error> {
        if let Ok(repository) = Repository::parse(target) {
            return Self::at_copy(files, repository, Vec::new());
        }
        let root = confirm_folder(files, target)?;
        Ok(Self { files, root, restriction, repository: None, referrers: Vec::new() })
    }

    fn at_copy(
        files: &'a dyn FileSystem,
        repository: Repository,
        referrers: Vec<(String, Option<(Repository, String)>)>,
    ) -> Result<Self, Error> {
        let copy = files.clone_repository(&repository).map_err(Error::Fact)?;
        let within = join(&copy, &repository.path);
        let (root, file) = folder_and_file(files, &within)?;
        if !file.is_empty() {
            return Err(Error::fact(format!("'{within}' refers to file '{file}'; expecting directory")));
        }
        if !is_within(&root, &copy) {
            return Err(Error::fact(format!("\"{within}\" refers to directory outside of repo \"{copy}\"")));
        }
        let restriction = LoadRestriction::RootOnly;
        Ok(Self { files, root, restriction, repository: Some((repository, copy)), referrers })
    }

    /// The folder.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// A loader for another folder or repository that this kustomization names.
    pub fn descend(&self, path: &str) -> Result<Self, Error> {
        if path.is_empty() {
            return Err(Error::fact("new root cannot be empty"));
        }
        let mut referrers = vec![(self.root.clone(), self.repository.clone())];
        referrers.extend(self.referrers.iter().cloned());
        if let Ok(repository) = Repository::parse(path) {
            for (known, _) in referrers.iter().filter_map(|(_, repository)| repository.as_ref()) {
                if known.raw.starts_with(&repository.raw) {
                    return Err(Error::fact(format!(
                        "cycle detected: URI '{}' referenced by previous URI '{}'",
                        repository.raw, known.raw
                    )));
                }
            }
            return Self::at_copy(self.files, repository, referrers);
        }
        if path.starts_with('/') {
            return Err(Error::fact(format!("new root '{path}' cannot be absolute")));
        }
        let root = confirm_folder(self.files, &join(&self.root, path))?;
        if let Some((_, copy)) = referrers.iter().find_map(|(_, repository)| repository.as_ref())
            && !is_within(&root, copy)
        {
            return Err(Error::fact(format!(
                "security; bases in kustomizations found in cloned git repos must be within the repo, but base '{root}' \
                 is outside '{copy}'"
            )));
        }
        if let Some((visited, _)) = referrers.iter().find(|(visited, _)| is_within(visited, &root)) {
            return Err(Error::fact(format!(
                "cycle detected: candidate root '{root}' contains visited root '{visited}'"
            )));
        }
        Ok(Self { files: self.files, root, restriction: self.restriction, repository: None, referrers })
    }

    /// What a file holds; relative paths begin in the folder.
    pub fn load(&self, path: &str) -> Result<Vec<u8>, Error> {
        if is_url(path) {
            return self.load_url(path);
        }
        let mut path = if path.starts_with('/') { path.to_owned() } else { join(&self.root, path) };
        if self.restriction == LoadRestriction::RootOnly {
            let (folder, file) = folder_and_file(self.files, &path)?;
            if file.is_empty() {
                return Err(Error::fact(format!("'{path}' must resolve to a file")));
            }
            if !is_within(&folder, &self.root) {
                return Err(Error::fact(format!("security; file '{path}' is not in or below '{}'", self.root)));
            }
            path = join(&folder, &file);
        }
        self.files.read(&path).map_err(Error::Fact)
    }

    fn load_url(&self, url: &str) -> Result<Vec<u8>, Error> {
        let (status, body) = self.files.fetch(url).map_err(Error::Fact)?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        if Repository::parse(url).is_ok() {
            return Err(Error::fact("URL is a git repository"));
        }
        let reason = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
        Err(Error::Http(format!("HTTP Error: status code {status} ({})", reason.unwrap_or_default())))
    }
}
