//! Kubeconfig files: loading, merging, editing, writing; credentials.
//!
//! The rules are those of kubectl: files of `KUBECONFIG` are merged with the first file winning, relative paths are
//! relative to the file that names them, flags go over contexts, and a change is written back to the file that it
//! came from.

mod auth_provider;
mod edit;
mod effective;
mod exec;
mod go_types;
mod load;
mod lock;
mod model;
mod policy;

pub use edit::{modify, write_file};
pub use effective::{ClusterAccess, Credentials, Impersonation, Overrides, in_cluster_namespace};
pub use exec::{ExecCredential, ExecError, ExecPlugin};
pub use load::{Sources, load_file, parse, resolved};
pub use model::{AuthInfo, AuthProvider, Cluster, Config, Context, ExecConfig, ExecEnv, NamedExtension, Preferences};
pub use policy::PluginPolicy;

/// Why a kubeconfig cannot be read, used or written. Texts are kubectl's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One fact, such as a missing file.
    #[error("{0}")]
    Fact(String),
    /// The configuration contradicts itself or names what is not there: one text per finding.
    #[error("invalid configuration: {}", .0.join(", "))]
    Invalid(Vec<String>),
}

/// The system's words for a failed call on a file, as Go prints them: `open FILE: no such file or directory`.
pub fn path_error(call: &str, path: &std::path::Path, error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let text: String = letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect());
    format!("{call} {}: {text}", path.display())
}
