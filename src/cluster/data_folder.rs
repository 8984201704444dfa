//! The folder in which an embedded cluster keeps everything, and the lock that lets one process use it at a time.
//!
//! ```text
//! NAME/
//!   lock         held (flock) while a process serves the folder; says which one and how to reach it
//!   store.db     the object store
//!   pki/         certificate authority, server and administrator certificates, service account key
//!   kubeconfig   how to reach it, once it listens
//!   server.log   what a background process printed
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClusterError;

/// The name of the cluster that `--embedded` and `cluster start` use when none is given.
pub const DEFAULT_NAME: &str = "default";

/// The place of one cluster's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder {
    name: String,
    path: PathBuf,
}

/// What the holder of the lock tells the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// URL on which it listens; absent for a process that serves only itself.
    pub server: Option<String>,
}

/// The lock on a data folder; released when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl DataFolder {
    /// The folder of the cluster `name` under the folder of all clusters.
    ///
    /// # Errors
    /// [`ClusterError::Name`] for a name that is no DNS label, [`ClusterError::NoHome`] when no folder is known.
    pub fn named(name: &str, root: Option<&Path>) -> Result<Self, ClusterError> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(valid) || name.starts_with('-') {
            return Err(ClusterError::Name(name.to_owned()));
        }
        let root = match root {
            Some(root) => root.to_owned(),
            None => default_root().ok_or(ClusterError::NoHome)?,
        };
        Ok(Self { name: name.to_owned(), path: root.join(name) })
    }

    /// Any folder, as `cluster run --data-dir` takes it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().map_or_else(|| DEFAULT_NAME.to_owned(), |n| n.to_string_lossy().into_owned());
        Self { name, path }
    }

    /// The names of the clusters under `root`, sorted.
    ///
    /// # Errors
    /// [`ClusterError::File`] when the folder is there but cannot be read.
    pub fn list(root: Option<&Path>) -> Result<Vec<Self>, ClusterError> {
        let Some(root) = root.map(Path::to_owned).or_else(default_root) else { return Ok(Vec::new()) };
        let entries = match std::fs::read_dir(&root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(ClusterError::file("reading", &root))?,
        };
        let mut folders: Vec<Self> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Self::named(&name, Some(&root)).ok())
            .filter(|folder| folder.path.join("lock").exists())
            .collect();
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(folders)
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the object store.
    pub fn store(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The folder of keys and certificates.
    pub fn pki(&self) -> PathBuf {
        self.path.join("pki")
    }

    /// The kubeconfig that reaches the cluster while it listens.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// What a background process prints.
    pub fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// Whether there is such a cluster.
    pub fn exists(&self) -> bool {
        self.path.join("lock").exists()
    }

    /// Makes the folder (private to its owner) and takes its lock.
    ///
    /// # Errors
    /// [`ClusterError::InUse`] when another process holds it, [`ClusterError::File`].
    pub fn lock(&self) -> Result<Lock, ClusterError> {
        create_private_dir(&self.path)?;
        create_private_dir(&self.pki())?;
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(ClusterError::file("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = self.holder().map_or(0, |holder| holder.pid);
                return Err(ClusterError::InUse { name: self.name.clone(), pid, path: self.path.clone() });
            }
            Err(TryLockError::Error(e)) => return Err(ClusterError::file("locking", path)(e)),
        }
        let mut lock = Lock { file, path };
        lock.announce(&Holder { pid: std::process::id(), server: None })?;
        Ok(lock)
    }

    /// Who serves the folder now; `None` when nobody does.
    pub fn holder(&self) -> Option<Holder> {
        let mut file = File::open(self.path.join("lock")).ok()?;
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Lock {
    /// Tells the others who holds the lock and where it listens.
    ///
    /// # Errors
    /// [`ClusterError::File`].
    pub fn announce(&mut self, holder: &Holder) -> Result<(), ClusterError> {
        let text = serde_json::to_vec(holder).unwrap_or_default();
        let mut write = || {
            self.file.rewind()?;
            self.file.set_len(0)?;
            self.file.write_all(&text)
        };
        write().map_err(ClusterError::file("writing", &self.path))
    }
}

/// Where clusters live: `KNARR_DATA_DIR` is read by the caller; else the user's data folder.
fn default_root() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("knarr").join("clusters"))
}

/// Makes a folder, and its parents, that only its owner may enter.
///
/// # Errors
/// [`ClusterError::File`].
pub fn create_private_dir(path: &Path) -> Result<(), ClusterError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(ClusterError::file("creating", path))
}

/// Writes a file that only its owner may read, whole or not at all (written beside, then renamed).
///
/// # Errors
/// [`ClusterError::File`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ClusterError> {
    write_beside(path, bytes, true)
}

/// As [`write_private`], without waiting for the disk: for what every start writes anew.
///
/// # Errors
/// [`ClusterError::File`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), ClusterError> {
    write_beside(path, bytes, false)
}

fn write_beside(path: &Path, bytes: &[u8], durable: bool) -> Result<(), ClusterError> {
    let beside = path.with_extension(format!("tmp{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        std::fs::rename(&beside, path)
    };
    write().map_err(ClusterError::file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::named("practice", Some(root.path())).expect("a good name");
        assert!(!folder.exists());
        let mut lock = folder.lock().expect("free");
        let held = Holder { pid: std::process::id(), server: Some("https://127.0.0.1:1".into()) };
        lock.announce(&held).expect("written");
        assert_eq!(folder.holder(), Some(held));
        assert!(matches!(folder.lock(), Err(ClusterError::InUse { pid, .. }) if pid == std::process::id()));
        drop(lock);
        assert_eq!(folder.holder(), None);
        assert_eq!(DataFolder::list(Some(root.path())).expect("readable"), vec![folder]);
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        for name in ["", "..", "a/b", "A", "-a"] {
            assert!(matches!(DataFolder::named(name, None), Err(ClusterError::Name(_))), "{name}");
        }
    }
}
