//! The files of a container: what came with image and volumes, and over it what its commands have written.
//!
//! What is written lives in memory with the pod; volumes that several containers mount are shared between them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much the containers of one pod may write, in bytes.
const ROOM: usize = 16 << 20;
/// How many files and folders the containers of one pod may make.
const MANY: usize = 10_000;

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its content.
        bytes: Arc<Vec<u8>>,
        /// Its permissions.
        mode: i64,
    },
}

impl Entry {
    /// A file.
    pub fn file(bytes: Vec<u8>, mode: i64) -> Self {
        Self::File { bytes: Arc::new(bytes), mode }
    }
}

/// Why a file cannot be had, in the system's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("No such file or directory")]
    Missing,
    /// A file was wanted.
    #[error("Is a directory")]
    IsFolder,
    /// A folder was wanted.
    #[error("Not a directory")]
    NotFolder,
    /// It cannot be changed.
    #[error("Read-only file system")]
    ReadOnly,
    /// It is there already.
    #[error("File exists")]
    Exists,
    /// A folder holds something.
    #[error("Directory not empty")]
    NotEmpty,
    /// Too much was written.
    #[error("No space left on device")]
    Full,
}

/// A place where a volume is seen.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The folder or file in the container.
    pub path: String,
    /// The volume.
    pub volume: String,
    /// The part of the volume, or empty for all of it.
    pub inside: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

/// What the containers of a pod have written, by file system and path; `None` where something was removed.
#[derive(Clone, Debug, Default)]
pub struct Scratch(Arc<Mutex<Written>>);

type Written = BTreeMap<(String, String), Option<Entry>>;

impl Scratch {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of a container.
#[derive(Clone, Debug)]
pub struct Files {
    base: BTreeMap<String, Entry>,
    mounts: Vec<Mount>,
    own: String,
    read_only: bool,
    scratch: Scratch,
}

/// A path without `.`, `..` and double slashes; relative ones begin at `folder`.
pub fn absolute(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let begin = if path.starts_with('/') { "" } else { folder };
    for part in begin.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

impl Files {
    /// No files but the root folder.
    pub fn new(container: &str, read_only: bool, scratch: Scratch) -> Self {
        let base = BTreeMap::from([("/".to_owned(), Entry::Folder)]);
        Self { base, mounts: Vec::new(), own: format!("container/{container}"), read_only, scratch }
    }

    /// Adds what image or volume bring, with the folders above it.
    pub fn add(&mut self, path: &str, entry: Entry) {
        let path = absolute("/", path);
        let mut above = parent(&path);
        while above != "/" {
            self.base.entry(above.to_owned()).or_insert(Entry::Folder);
            above = parent(above);
        }
        self.base.insert(path, entry);
    }

    /// Adds a place where a volume is seen.
    pub fn mount(&mut self, mount: Mount) {
        self.mounts.push(mount);
    }

    /// Where which volumes are seen, and whether they cannot be written.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.mounts.iter().map(|mount| (mount.path.as_str(), mount.volume.as_str(), mount.read_only))
    }

    fn mount_of(&self, path: &str) -> Option<&Mount> {
        let within = |mount: &&Mount| {
            path.strip_prefix(mount.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.mounts.iter().filter(within).max_by_key(|mount| mount.path.len())
    }

    /// File system and path in it.
    fn locate(&self, path: &str) -> (String, String) {
        match self.mount_of(path) {
            None => (self.own.clone(), path.to_owned()),
            Some(mount) => {
                let rest = path.strip_prefix(mount.path.as_str()).unwrap_or_default();
                (format!("volume/{}", mount.volume), absolute("/", &format!("{}/{rest}", mount.inside)))
            }
        }
    }

    fn is_read_only(&self, path: &str) -> bool {
        self.mount_of(path).map_or(self.read_only, |mount| mount.read_only)
    }

    /// What is at an absolute path.
    pub fn get(&self, path: &str) -> Option<Entry> {
        match self.scratch.lock().get(&self.locate(path)) {
            Some(written) => written.clone(),
            None => self.base.get(path).cloned(),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// It is not there, or a folder.
    pub fn read(&self, path: &str) -> Result<Arc<Vec<u8>>, FileError> {
        match self.get(path) {
            Some(Entry::File { bytes, .. }) => Ok(bytes),
            Some(Entry::Folder) => Err(FileError::IsFolder),
            None => Err(FileError::Missing),
        }
    }

    /// What a folder holds, sorted by name.
    ///
    /// # Errors
    /// It is not there, or a file.
    pub fn list(&self, path: &str) -> Result<BTreeMap<String, Entry>, FileError> {
        match self.get(path) {
            Some(Entry::Folder) => {}
            Some(Entry::File { .. }) => return Err(FileError::NotFolder),
            None => return Err(FileError::Missing),
        }
        let child = |key: &str, above: &str| -> Option<String> {
            let rest = key.strip_prefix(above)?.strip_prefix(if above == "/" { "" } else { "/" })?;
            (!rest.is_empty() && !rest.contains('/')).then(|| rest.to_owned())
        };
        let of_base = self.base.iter().filter_map(|(key, entry)| Some((child(key, path)?, entry.clone())));
        let mut found: BTreeMap<String, Entry> = of_base.collect();
        let (space, above) = self.locate(path);
        for ((_, key), entry) in self.scratch.lock().iter().filter(|((known, _), _)| *known == space) {
            let Some(name) = child(key, &above) else { continue };
            match entry {
                Some(entry) => found.insert(name, entry.clone()),
                None => found.remove(&name),
            };
        }
        Ok(found)
    }

    fn put(&self, path: &str, entry: Option<Entry>) -> Result<(), FileError> {
        if self.is_read_only(path) {
            return Err(FileError::ReadOnly);
        }
        match self.get(parent(path)) {
            Some(Entry::Folder) => {}
            Some(Entry::File { .. }) => return Err(FileError::NotFolder),
            None => return Err(FileError::Missing),
        }
        let size = |entry: &Option<Entry>| match entry {
            Some(Entry::File { bytes, .. }) => bytes.len(),
            _ => 0,
        };
        let place = self.locate(path);
        let mut written = self.scratch.lock();
        let used: usize = written.iter().filter(|(key, _)| **key != place).map(|(_, entry)| size(entry)).sum();
        if used + size(&entry) > ROOM || written.len() >= MANY {
            return Err(FileError::Full);
        }
        written.insert(place, entry);
        Ok(())
    }

    /// Writes a file, whether it is there or not.
    ///
    /// # Errors
    /// There is no folder for it, it is a folder, or it may not be written.
    pub fn write(&self, path: &str, bytes: Vec<u8>, mode: i64) -> Result<(), FileError> {
        match self.get(path) {
            Some(Entry::Folder) => Err(FileError::IsFolder),
            _ => self.put(path, Some(Entry::file(bytes, mode))),
        }
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// There is none to hold it, something has its name, or it may not be made.
    pub fn make_folder(&self, path: &str) -> Result<(), FileError> {
        if self.get(path).is_some() { Err(FileError::Exists) } else { self.put(path, Some(Entry::Folder)) }
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// A file is in the way, or it may not be made.
    pub fn make_folders(&self, path: &str) -> Result<(), FileError> {
        match self.get(path) {
            Some(Entry::Folder) => Ok(()),
            Some(Entry::File { .. }) => Err(FileError::NotFolder),
            None => {
                self.make_folders(parent(path))?;
                self.make_folder(path)
            }
        }
    }

    /// Removes a file or an empty folder.
    ///
    /// # Errors
    /// It is not there, holds something, or may not be removed.
    pub fn remove(&self, path: &str) -> Result<(), FileError> {
        match self.get(path) {
            None => Err(FileError::Missing),
            Some(Entry::Folder) if !self.list(path)?.is_empty() => Err(FileError::NotEmpty),
            Some(_) => self.put(path, None),
        }
    }
}
