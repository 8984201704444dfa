//! What can go wrong with an embedded cluster.

use std::path::PathBuf;

/// Failures of starting, finding or serving an embedded cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or folder of the cluster could not be read or written.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried: `reading`, `writing`, `creating`, …
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds the data folder.
    #[error("cluster {name:?} is in use by process {pid} ({})", path.display())]
    InUse {
        /// Name of the cluster.
        name: String,
        /// Process id of the holder.
        pid: u32,
        /// The data folder.
        path: PathBuf,
    },
    /// A name that cannot be a folder's name.
    #[error("{0:?} is not a name for a cluster: use lower-case letters, digits and dashes")]
    Name(String),
    /// There is no cluster of that name.
    #[error("there is no cluster {0:?}")]
    Unknown(String),
    /// No folder for application data is known on this machine.
    #[error("no folder for clusters is known: set KNARR_DATA_DIR or HOME")]
    NoHome,
    /// A certificate could not be made or read.
    #[error("making certificates")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address could not be listened on.
    #[error("listening on {address}")]
    Listen {
        /// Host and port.
        address: String,
        /// What the network said.
        #[source]
        source: std::io::Error,
    },
    /// The API server could not be opened.
    #[error("opening the API server")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The background process did not come up.
    #[error("cluster {name:?} did not start: {why}")]
    NotStarted {
        /// Name of the cluster.
        name: String,
        /// The last lines of its log, or what happened to the process.
        why: String,
    },
}

impl ClusterError {
    /// A closure that wraps an I/O error with what was tried on which file.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// A closure that wraps a failure to make or read a certificate.
    pub fn certificates(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Certificates(source.into())
    }
}
