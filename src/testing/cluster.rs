//! A cluster for tests and benches: a `cluster run` process over a data folder, and clients that reach it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::{Client, HttpTransport};
use crate::kubeconfig::{self, ClusterAccess, Overrides};

/// How long a server may take until it serves, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// A `cluster run` process on a free port of this machine; killed when dropped.
#[derive(Debug)]
pub struct TestCluster {
    child: Child,
    kubeconfig: PathBuf,
}

impl TestCluster {
    /// Starts `program cluster run` with everything under `folder` and waits until it serves. `flags` go to
    /// `cluster run` as they are; a `--data-dir` among them takes the place of `folder/data`.
    ///
    /// # Errors
    /// The process cannot be started, ends, or does not serve in time.
    pub fn start(program: &Path, folder: &Path, flags: &[&str]) -> io::Result<Self> {
        let kubeconfig = folder.join("kubeconfig");
        match std::fs::remove_file(&kubeconfig) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut command = Command::new(program);
        command.args(["cluster", "run", "--port=0"]).arg("--kubeconfig").arg(&kubeconfig).args(flags);
        if !flags.iter().any(|flag| flag.starts_with("--data-dir")) {
            command.arg("--data-dir").arg(folder.join("data"));
        }
        let child = command.env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut cluster = Self { child, kubeconfig };
        let start = Instant::now();
        while !cluster.kubeconfig.exists() {
            if let Some(status) = cluster.child.try_wait()? {
                return Err(io::Error::other(format!("the cluster ended at once: {status}")));
            }
            if start.elapsed() > PATIENCE {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(cluster)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the administrator reaches the server.
    ///
    /// # Errors
    /// The kubeconfig cannot be used.
    pub fn access(&self) -> io::Result<ClusterAccess> {
        let config = kubeconfig::load_file(&self.kubeconfig).map_err(io::Error::other)?.unwrap_or_default();
        Overrides::default().access(&config, &|_| None).map_err(io::Error::other)
    }

    /// The administrator's client over HTTPS, with connections of its own.
    ///
    /// # Errors
    /// The kubeconfig cannot be used.
    pub fn client(&self) -> io::Result<Client> {
        let access = self.access()?;
        let server = access.server.clone();
        let transport = HttpTransport::new(access, "knarr-test").map_err(io::Error::other)?;
        Ok(Client::new(Arc::new(transport), server))
    }

    /// Ends the process at once, as `kill -9` does.
    ///
    /// # Errors
    /// The process has ended before.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Ends the process by SIGTERM; gives its status.
    ///
    /// # Errors
    /// It cannot be told, or does not end in time.
    #[cfg(unix)]
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        let pid = libc::pid_t::try_from(self.child.id()).map_err(io::Error::other)?;
        // SAFETY: `kill` takes plain numbers; the child has not been waited for, so its id is still its own.
        if unsafe { libc::kill(pid, libc::SIGTERM) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
