//! `cluster`: embedded clusters, in the foreground and in the background.

mod background;
mod run;

use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use super::context::Context;
use super::error::{Error, Result};
use super::verb::{Group, Verb};
use crate::cluster::data_folder::DEFAULT_NAME;
use crate::cluster::{ClusterError, DataFolder};

/// `cluster` and the verbs below it.
pub const VERB: Verb = Verb::family::<ClusterArgs>(
    "cluster",
    Group::Cluster,
    &[
        Verb::of::<background::StartArgs>("start", Group::Cluster),
        Verb::of::<background::StopArgs>("stop", Group::Cluster),
        Verb::of::<background::StatusArgs>("status", Group::Cluster),
        Verb::of::<background::ListArgs>("list", Group::Cluster).aliases(&["ls"]),
        Verb::of::<run::RunArgs>("run", Group::Cluster),
        Verb::of::<background::LogsArgs>("logs", Group::Cluster),
        Verb::of::<background::ResetArgs>("reset", Group::Cluster),
        Verb::of::<background::DeleteArgs>("delete", Group::Cluster).aliases(&["rm"]),
    ],
);

/// Run Kubernetes API servers that live in this program.
#[derive(Parser)]
pub struct ClusterArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Which cluster.
#[derive(Args, Clone, Debug)]
struct NameArgs {
    /// Name of the cluster
    #[arg(value_name = "NAME", default_value = DEFAULT_NAME)]
    name: String,
}

impl NameArgs {
    fn folder(&self, cx: &Context) -> Result<DataFolder> {
        Ok(DataFolder::named(&self.name, root(cx).as_deref())?)
    }

    /// The folder of a cluster that there is.
    fn existing(&self, cx: &Context) -> Result<DataFolder> {
        let folder = self.folder(cx)?;
        if folder.exists() { Ok(folder) } else { Err(ClusterError::Unknown(self.name.clone()).into()) }
    }
}

/// The folder of all clusters when the environment names one.
pub(super) fn root(cx: &Context) -> Option<PathBuf> {
    cx.env.non_empty("KNARR_DATA_DIR").map(|folder| Path::new(folder).join("clusters"))
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        let hint = match &error {
            ClusterError::InUse { name, .. } => Some(format!("stop it with `knarr cluster stop {name}`, or wait")),
            ClusterError::Unknown(_) => Some("`knarr cluster list` shows those there are".to_owned()),
            ClusterError::NotStarted { name, .. } => Some(format!("`knarr cluster logs {name}` shows more")),
            _ => None,
        };
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        let own = Self::new(text);
        match hint {
            Some(hint) => own.with_hint(hint),
            None => own,
        }
    }
}
