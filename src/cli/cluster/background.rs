//! `cluster start`, `stop`, `status`, `list`, `logs`, `reset` and `delete`.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use clap::Parser;

use super::run::ServerArgs;
use super::{NameArgs, root};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::cluster::{DataFolder, background};
use crate::kubeconfig;
use crate::output::own_table;

/// Start a cluster in the background and make its context the current one.
#[derive(Parser)]
pub struct StartArgs {
    #[command(flatten)]
    which: NameArgs,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    server: ServerArgs,
}

impl Run for StartArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.folder(cx)?;
        let program = std::env::current_exe().map_err(|e| Error::caused("finding this program's own file", e))?;
        let mut arguments = self.server.to_arguments();
        arguments.push(format!("--port={}", self.port));
        let (holder, was_running) = background::start(&program, &folder, &arguments)?;
        let server = holder.server.unwrap_or_default();
        let name = folder.name();
        if was_running {
            cx.line(format!("cluster {name:?} is running already: {server} (process {})", holder.pid))?;
        } else {
            cx.line(format!("cluster {name:?} started: {server} (process {})", holder.pid))?;
        }
        let context = merge_into_kubeconfig(cx, &folder)?;
        cx.line(format!("current context is now {context:?}"))
    }
}

/// Takes the cluster's kubeconfig over into the user's, under the name `knarr-NAME`; gives the context's name.
fn merge_into_kubeconfig(cx: &Context, folder: &DataFolder) -> Result<String> {
    let name = context_name(folder);
    let own = kubeconfig::load_file(&folder.kubeconfig())?.unwrap_or_default();
    let sources = cx.sources();
    let mut config = sources.load(false)?;
    // New entries belong to the user's default file, not to the one that they were read from.
    if let Some(mut cluster) = own.clusters.into_values().next() {
        cluster.origin = None;
        config.clusters.insert(name.clone(), cluster);
    }
    if let Some(mut user) = own.users.into_values().next() {
        user.origin = None;
        config.users.insert(name.clone(), user);
    }
    let mut context = config.contexts.get(&name).cloned().unwrap_or_default();
    context.cluster.clone_from(&name);
    context.user.clone_from(&name);
    config.contexts.insert(name.clone(), context);
    config.current_context.clone_from(&name);
    kubeconfig::modify(&sources, &config, false)?;
    Ok(name)
}

/// Takes the cluster's entries out of the user's kubeconfig.
fn remove_from_kubeconfig(cx: &Context, folder: &DataFolder) -> Result<()> {
    let name = context_name(folder);
    let sources = cx.sources();
    let mut config = sources.load(false)?;
    config.clusters.remove(&name);
    config.users.remove(&name);
    config.contexts.remove(&name);
    if config.current_context == name {
        config.current_context.clear();
    }
    Ok(kubeconfig::modify(&sources, &config, false)?)
}

/// The name of cluster, user and context in the user's kubeconfig.
fn context_name(folder: &DataFolder) -> String {
    format!("knarr-{}", folder.name())
}

/// Stop a cluster that runs in the background; what it holds stays.
#[derive(Parser)]
pub struct StopArgs {
    #[command(flatten)]
    which: NameArgs,
}

impl Run for StopArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.existing(cx)?;
        let name = folder.name();
        match background::stop(&folder)? {
            true => cx.line(format!("cluster {name:?} stopped")),
            false => cx.line(format!("cluster {name:?} was not running")),
        }
    }
}

/// Show whether a cluster runs, and where; the exit code is 1 when it does not.
#[derive(Parser)]
pub struct StatusArgs {
    #[command(flatten)]
    which: NameArgs,
}

impl Run for StatusArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.existing(cx)?;
        cx.line(format!("name:   {}", folder.name()))?;
        cx.line(format!("folder: {}", folder.path().display()))?;
        let Some(holder) = folder.holder() else {
            cx.line("state:  stopped")?;
            return Err(Error::silent(1));
        };
        cx.line(format!("state:  running (process {})", holder.pid))?;
        cx.line(format!("server: {}", holder.server.as_deref().unwrap_or("none: it serves its own process only")))
    }
}

/// List the clusters on this machine.
#[derive(Parser)]
pub struct ListArgs {}

impl Run for ListArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folders = DataFolder::list(root(cx).as_deref())?;
        if folders.is_empty() {
            return cx.err_line("No clusters found.");
        }
        let row = |folder: &DataFolder| {
            let holder = folder.holder();
            let state = if holder.is_some() { "running" } else { "stopped" };
            let pid = holder.as_ref().map(|holder| holder.pid.to_string()).unwrap_or_default();
            let server = holder.and_then(|holder| holder.server).unwrap_or_default();
            vec![folder.name().to_owned(), state.to_owned(), pid, server]
        };
        let rows: Vec<Vec<String>> = folders.iter().map(row).collect();
        cx.out(&own_table::text(&["NAME", "STATE", "PID", "SERVER"], &rows))
    }
}

/// Print what the process of a cluster has said.
#[derive(Parser)]
pub struct LogsArgs {
    #[command(flatten)]
    which: NameArgs,
    /// Go on printing what it says
    #[arg(short, long)]
    follow: bool,
}

impl Run for LogsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.existing(cx)?;
        let path: PathBuf = folder.log();
        let mut file = match std::fs::File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(|e| Error::caused(format!("reading {}: {e}", path.display()), e))?,
        };
        let mut text = String::new();
        loop {
            text.clear();
            let read = file.read_to_string(&mut text);
            read.map_err(|e| Error::caused(format!("reading {}: {e}", path.display()), e))?;
            cx.out(&text)?;
            cx.streams.flush()?;
            if !self.follow {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            // A reset shortens the file: go on from its new end.
            let end = file.metadata().map(|m| m.len()).unwrap_or_default();
            let here = file.stream_position().unwrap_or_default();
            if end < here {
                file.seek(SeekFrom::Start(0)).map_err(|e| Error::caused("reading the log", e))?;
            }
        }
    }
}

/// Empty a cluster: back to what a new one holds. One that runs is started again.
#[derive(Parser)]
pub struct ResetArgs {
    #[command(flatten)]
    which: NameArgs,
}

impl Run for ResetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.existing(cx)?;
        let server = folder.holder().and_then(|holder| holder.server);
        background::stop(&folder)?;
        background::wipe(&folder, true)?;
        if let Some(port) = server.as_deref().and_then(|url| url.rsplit(':').next()) {
            let program = std::env::current_exe().map_err(|e| Error::caused("finding this program's own file", e))?;
            // The same port, so that kubeconfigs go on working.
            background::start(&program, &folder, &[format!("--port={port}")])?;
        }
        cx.line(format!("cluster {:?} is empty", folder.name()))
    }
}

/// Stop a cluster and delete everything that it holds.
#[derive(Parser)]
pub struct DeleteArgs {
    #[command(flatten)]
    which: NameArgs,
}

impl Run for DeleteArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let folder = self.which.existing(cx)?;
        background::stop(&folder)?;
        background::wipe(&folder, false)?;
        remove_from_kubeconfig(cx, &folder)?;
        cx.line(format!("cluster {:?} deleted", folder.name()))
    }
}
