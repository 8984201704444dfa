//! The lock that kubectl and its relatives take on kubeconfig files while they change them: a file `<file>.lock`.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Error, path_error};

/// How long another command may take with a file before its lock counts as a failure.
const PATIENCE: Duration = Duration::from_millis(500);

/// Locks on files, released on drop.
pub struct Locks(Vec<PathBuf>);

impl Locks {
    /// Locks files, always in the same order, so that two commands never wait for each other.
    ///
    /// # Errors
    /// A lock that somebody holds, or that cannot be made.
    pub fn take(files: &[PathBuf]) -> Result<Self, Error> {
        let mut files = files.to_vec();
        files.sort();
        files.dedup();
        let mut locks = Self(Vec::new());
        for file in files {
            locks.0.push(lock(&file)?);
        }
        Ok(locks)
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        for lock in &self.0 {
            // Nobody else removes it, and if somebody did, it is released all the same.
            std::fs::remove_file(lock).ok();
        }
    }
}

fn lock(file: &Path) -> Result<PathBuf, Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| Error::Fact(path_error("mkdir", folder, &error)))?;
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => return Ok(lock),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(Error::Fact(path_error("open", &lock, &error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_holder() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let file = folder.path().join("config");
        let held = Locks::take(&[file.clone(), file.clone()]).expect("free");
        let refusal = Locks::take(std::slice::from_ref(&file)).err().expect("held").to_string();
        assert!(refusal.ends_with("config.lock: file exists"), "{refusal}");
        drop(held);
        assert!(Locks::take(&[file]).is_ok());
    }
}
