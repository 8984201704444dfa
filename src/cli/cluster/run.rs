//! `cluster run`: a cluster in the foreground, until SIGTERM or Ctrl-C.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser};
use tokio::sync::watch;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::cluster::run::run;
use crate::cluster::{AuthorizationMode, ControllerSet, DataFolder, RunOptions};

/// Run a cluster in the foreground and serve it on a port, for containers and tests.
///
/// `--kubeconfig FILE` is written last, once requests are served.
#[derive(Parser)]
pub struct RunArgs {
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 6443)]
    port: u16,
    /// Folder that keeps everything; without it nothing outlives the process
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Flags of the server, also taken by `cluster start`.
#[derive(Args, Clone, Debug)]
pub(super) struct ServerArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    bind_address: IpAddr,
    /// Address that the server names to others
    #[arg(long, value_name = "IP")]
    advertise_address: Option<IpAddr>,
    /// How many simulated nodes a new cluster has
    #[arg(long, default_value_t = 2)]
    nodes: u8,
    /// Which controllers run: all, core (housekeeping only), none
    #[arg(long, default_value = "all", value_name = "SET")]
    controllers: ControllerSet,
    /// CSV file of bearer tokens: token,user,uid,"group,group"
    #[arg(long, value_name = "FILE")]
    token_auth_file: Option<PathBuf>,
    /// Addresses of services
    #[arg(long, default_value = "10.0.0.0/16", value_name = "CIDR")]
    service_cluster_ip_range: String,
    /// A further authority (PEM) whose client certificates are accepted
    #[arg(long, value_name = "FILE")]
    client_ca_file: Option<PathBuf>,
    /// Who decides what a user may do: Node,RBAC or AlwaysAllow
    #[arg(long, default_value = "Node,RBAC", value_name = "MODES")]
    authorization_mode: String,
    /// Write one line per request to this file
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
}

impl ServerArgs {
    fn options(self) -> Result<RunOptions> {
        let authorization = match self.authorization_mode.as_str() {
            "Node,RBAC" | "RBAC,Node" | "RBAC" => AuthorizationMode::NodeRbac,
            "AlwaysAllow" => AuthorizationMode::AlwaysAllow,
            other => {
                return Err(Error::new(format!("--authorization-mode must be Node,RBAC or AlwaysAllow, not {other}")));
            }
        };
        Ok(RunOptions {
            bind: self.bind_address,
            advertise: self.advertise_address,
            nodes: self.nodes,
            controllers: self.controllers,
            token_auth_file: self.token_auth_file,
            service_cluster_ip_range: self.service_cluster_ip_range,
            client_ca_file: self.client_ca_file,
            authorization,
            audit_log: self.audit_log,
            ..RunOptions::default()
        })
    }

    /// The same flags for the process in the background.
    pub(super) fn to_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--bind-address={}", self.bind_address),
            format!("--nodes={}", self.nodes),
            format!("--controllers={}", self.controllers),
            format!("--service-cluster-ip-range={}", self.service_cluster_ip_range),
            format!("--authorization-mode={}", self.authorization_mode),
        ];
        arguments.extend(self.advertise_address.map(|address| format!("--advertise-address={address}")));
        let files = [
            ("token-auth-file", &self.token_auth_file),
            ("client-ca-file", &self.client_ca_file),
            ("audit-log", &self.audit_log),
        ];
        for (flag, file) in files {
            arguments.extend(file.as_ref().map(|file| format!("--{flag}={}", file.display())));
        }
        arguments
    }
}

impl Run for RunArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        // No server is asked here: `--kubeconfig` names the file to write once requests are served.
        let kubeconfig = cx.globals.kubeconfig.as_ref().map(PathBuf::from);
        let options = RunOptions {
            folder: self.data_dir.map(DataFolder::at),
            port: self.port,
            kubeconfig,
            ..self.server.options()?
        };
        let (tell, stop) = watch::channel(false);
        let served = tokio::task::spawn_blocking(move || run(&options, stop));
        tokio::pin!(served);
        let outcome = tokio::select! {
            outcome = &mut served => outcome,
            stopped = told_to_stop() => {
                stopped?;
                // The server may have ended by itself at this moment.
                let _ = tell.send(true);
                served.await
            }
        };
        outcome.map_err(|error| Error::new(format!("the server failed: {error}")))??;
        Ok(())
    }
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
