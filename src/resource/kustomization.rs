//! Kustomizations read from disk, from URLs and from git repositories.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Error;
use crate::client::{self, path_error};
use crate::kustomize::{self, Built, FileSystem, Options, Repository, Warning};

/// Builds the kustomization of a folder or repository; `warn` is told what a user should know besides.
///
/// # Errors
/// It cannot be read or built.
pub fn build_kustomization(path: &str, options: &Options, warn: &mut dyn FnMut(Warning)) -> Result<Vec<Built>, Error> {
    let disk = Disk::default();
    kustomize::build(&disk, path, options, warn).map_err(|error| Error::fact(error.to_string()))
}

/// Files on this machine, and copies of repositories that last as long as this value.
#[derive(Default)]
struct Disk {
    copies: RefCell<Vec<PathBuf>>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        for copy in self.copies.borrow().iter() {
            // A copy that stays behind hurts nobody.
            std::fs::remove_dir_all(copy).ok();
        }
    }
}

/// Follows a path part by part; the first fault is told as Go's `filepath.EvalSymlinks` does.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    let whole = std::path::absolute(path).map_err(|error| error.to_string())?;
    let cleaned: PathBuf = whole.components().fold(PathBuf::new(), |mut cleaned, part| {
        if part == Component::ParentDir {
            cleaned.pop();
        } else {
            cleaned.push(part);
        }
        cleaned
    });
    let mut real = PathBuf::new();
    for part in cleaned.components() {
        if real.parent().is_some() && !real.is_dir() {
            return Err("not a directory".to_owned());
        }
        real.push(part);
        if let Err(error) = std::fs::symlink_metadata(&real) {
            return Err(path_error("lstat", &real, &error));
        }
        real = std::fs::canonicalize(&real).map_err(|error| path_error("lstat", &real, &error))?;
    }
    Ok(real)
}

impl FileSystem for Disk {
    fn resolve(&self, path: &str) -> Result<String, String> {
        resolve(Path::new(path)).map(|path| path.to_string_lossy().into_owned())
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = Path::new(path);
        std::fs::read(path).map_err(|error| {
            let call = if path.is_dir() { "read" } else { "open" };
            path_error(call, path, &error)
        })
    }

    fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        // A build is a plain call within a command's own runtime, which cannot wait for a second one on its thread.
        let fetch = || -> Result<(u16, Vec<u8>), String> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            let (status, body) = runtime.block_on(client::fetch_url(url)).map_err(|error| with_causes(&error))?;
            Ok((status.as_u16(), body.to_vec()))
        };
        let joined = std::thread::scope(|scope| scope.spawn(fetch).join());
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn clone_repository(&self, repository: &Repository) -> Result<String, String> {
        let program = find_git()?;
        let folder = new_folder()?;
        self.copies.borrow_mut().push(folder.clone());
        let reference = if repository.reference.is_empty() { "HEAD" } else { &repository.reference };
        let mut steps = vec![
            vec!["init"],
            vec!["remote", "add", "origin", &repository.url],
            vec!["fetch", "--depth=1", &repository.url, reference],
            vec!["checkout", "FETCH_HEAD"],
        ];
        if repository.submodules {
            steps.push(vec!["submodule", "update", "--init", "--recursive"]);
        }
        for step in steps {
            run_git(&program, &step, &folder, repository.timeout)?;
        }
        Ok(folder.to_string_lossy().into_owned())
    }
}

/// A failure and what caused it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    // That there was no connection is this program's own remark.
    let told = causes.map(ToString::to_string).filter(|cause| !cause.starts_with("could not connect to "));
    told.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn find_git() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("git"))
        .find(|program| program.is_file())
        .ok_or_else(|| "no 'git' program on path: exec: \"git\": executable file not found in $PATH".to_owned())
}

/// A new folder for temporary files that nobody else reads.
fn new_folder() -> Result<PathBuf, String> {
    use std::os::unix::fs::DirBuilderExt as _;
    let parent = std::env::temp_dir();
    for attempt in 0..1000_u32 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let folder = parent.join(format!("kustomize-{}{:09}{attempt}", std::process::id(), now.subsec_nanos()));
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return resolve(&folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(path_error("mkdir", &folder, &error)),
        }
    }
    Err(format!("mkdir {}: file exists", parent.join("kustomize-*").display()))
}

fn run_git(program: &Path, arguments: &[&str], folder: &Path, timeout: Duration) -> Result<(), String> {
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    let failed = |output: &str, why: &str| format!("failed to run '{shown}': {output}: {why}");
    let log = folder.with_extension("log");
    let output = std::fs::File::create(&log).map_err(|error| path_error("open", &log, &error))?;
    let again = output.try_clone().map_err(|error| path_error("open", &log, &error))?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(again);
    let mut child = command.spawn().map_err(|error| failed("", &error.to_string()))?;
    let begin = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if begin.elapsed() > timeout => {
                child.kill().ok();
                child.wait().ok();
                break Err(format!("hit {}s timeout running '{shown}'", timeout.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => break Err(failed("", &error.to_string())),
        }
    };
    let text = std::fs::read(&log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    std::fs::remove_file(&log).ok();
    match status? {
        status if status.success() => Ok(()),
        status => Err(failed(&text, &status.to_string().replace("exit status: ", "exit status "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_first_missing_part() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = resolve(folder.path()).expect("it exists");
        std::fs::write(root.join("file"), "").expect("writable");
        std::os::unix::fs::symlink("file", root.join("link")).expect("a link");
        let fault =
            |name: &str| resolve(&root.join(name)).map_err(|error| error.replace(&*root.to_string_lossy(), "R"));
        assert_eq!(fault("a/b"), Err("lstat R/a: no such file or directory".into()));
        assert_eq!(fault("file/b"), Err("not a directory".into()));
        assert_eq!(fault("a/../link"), Ok(root.join("file")));
    }
}
