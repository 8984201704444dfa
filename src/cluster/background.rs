//! Clusters in the background: starting, finding and stopping the process that serves one.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::data_folder::Holder;
use super::{ClusterError, DataFolder};

/// How long a cluster may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts a cluster's process (`PROGRAM cluster run …`) and waits until it serves. Gives the process that serves it,
/// and whether it was running already.
///
/// # Errors
/// [`ClusterError::NotStarted`] with the end of its log, [`ClusterError::File`].
pub fn start(program: &Path, folder: &DataFolder, arguments: &[String]) -> Result<(Holder, bool), ClusterError> {
    if let Some(holder) = folder.holder() {
        return match holder.server {
            Some(_) => Ok((holder, true)),
            None => Err(ClusterError::InUse {
                name: folder.name().to_owned(),
                pid: holder.pid,
                path: folder.path().to_owned(),
            }),
        };
    }
    super::data_folder::create_private_dir(folder.path())?;
    // A kubeconfig of an earlier process must not be taken for the new one's.
    match std::fs::remove_file(folder.kubeconfig()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(ClusterError::file("removing", folder.kubeconfig())(e));
        }
        _ => {}
    }
    let mut child = spawn(program, folder, arguments)?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(holder) = folder.holder().filter(|holder| holder.server.is_some()) {
            return Ok((holder, false));
        }
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    // It has ended, or is of no use: what it said tells why.
    let _ = child.kill();
    let _ = child.wait();
    Err(ClusterError::NotStarted { name: folder.name().to_owned(), why: last_lines(folder) })
}

fn spawn(program: &Path, folder: &DataFolder, arguments: &[String]) -> Result<std::process::Child, ClusterError> {
    let log = folder.log();
    let open = OpenOptions::new().create(true).append(true).open(&log).map_err(ClusterError::file("opening", &log))?;
    let errors = open.try_clone().map_err(ClusterError::file("opening", &log))?;
    let mut command = Command::new(program);
    command.args(["cluster", "run", "--data-dir"]).arg(folder.path()).args(arguments);
    command.stdin(Stdio::null()).stdout(open).stderr(errors);
    // Its own process group: Ctrl-C in the terminal is not for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(ClusterError::file("starting", program))
}

fn last_lines(folder: &DataFolder) -> String {
    let text = std::fs::read_to_string(folder.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(3);
    match lines[from..].join("; ") {
        none if none.is_empty() => format!("it said nothing within {} seconds", PATIENCE.as_secs()),
        said => said,
    }
}

/// Stops the process that serves a cluster and waits until its folder is free. False when none was running.
///
/// # Errors
/// [`ClusterError::InUse`] when it does not end in time.
pub fn stop(folder: &DataFolder) -> Result<bool, ClusterError> {
    let Some(holder) = folder.holder() else { return Ok(false) };
    terminate(holder.pid);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if folder.holder().is_none() {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Err(ClusterError::InUse { name: folder.name().to_owned(), pid: holder.pid, path: folder.path().to_owned() })
}

#[cfg(unix)]
fn terminate(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: sends a signal by number; touches no memory. The pid stands in a lock that its process holds now.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

#[cfg(not(unix))]
fn terminate(pid: u32) {
    // Windows has no signal to ask with; the store survives a sudden end at any moment.
    let _ = Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).status();
}

/// Deletes what a cluster holds; with `keep_identity` its certificates stay, so that kubeconfigs go on working.
///
/// # Errors
/// [`ClusterError::InUse`] while a process serves it, [`ClusterError::File`].
pub fn wipe(folder: &DataFolder, keep_identity: bool) -> Result<(), ClusterError> {
    if !folder.exists() {
        return Err(ClusterError::Unknown(folder.name().to_owned()));
    }
    let lock = folder.lock()?;
    if keep_identity {
        for ending in ["", "-wal", "-shm"] {
            let path = folder.path().join(format!("store.db{ending}"));
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ClusterError::file("removing", path)(e));
                }
                _ => {}
            }
        }
    } else {
        std::fs::remove_dir_all(folder.path()).map_err(ClusterError::file("removing", folder.path()))?;
    }
    drop(lock);
    Ok(())
}
