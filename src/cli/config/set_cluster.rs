//! `config set-cluster`.

use clap::Parser;

use super::set_credentials::{absolute, embedded, stat};
use crate::cli::args::GlobalArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::kubeconfig::Cluster;
use crate::object::go::quote;

/// Set a cluster of the kubeconfig, or some of its fields.
///
/// The flags --server, --tls-server-name, --insecure-skip-tls-verify and --certificate-authority say what is set.
#[derive(Parser)]
pub struct SetClusterArgs {
    /// The cluster
    #[arg(value_name = "NAME")]
    words: Vec<String>,
    /// Keep the content of the certificate authority's file, not its name
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    embed_certs: Option<bool>,
    /// Proxy for the cluster
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
}

impl SetClusterArgs {
    fn check(&self, name: &str, globals: &GlobalArgs) -> Result<()> {
        if name.is_empty() {
            return Err(Error::new("you must specify a non-empty cluster name"));
        }
        let authority = globals.certificate_authority.as_deref().unwrap_or_default();
        if globals.insecure_skip_tls_verify == Some(true) && !authority.is_empty() {
            return Err(Error::new("you cannot specify a certificate authority and insecure mode at the same time"));
        }
        if self.embed_certs == Some(true) {
            if authority.is_empty() {
                return Err(Error::new("you must specify a --certificate-authority to embed"));
            }
            stat("certificate-authority", authority)?;
        }
        Ok(())
    }

    fn change(&self, cluster: &mut Cluster, globals: &GlobalArgs) {
        if let Some(server) = &globals.server {
            cluster.server.clone_from(server);
            cluster.tls_server_name.clear();
        }
        if let Some(name) = &globals.tls_server_name {
            cluster.tls_server_name.clone_from(name);
        }
        if let Some(insecure) = globals.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = insecure;
            if insecure {
                cluster.certificate_authority.clear();
                cluster.certificate_authority_data.clear();
            }
        }
        if let Some(authority) = &globals.certificate_authority {
            cluster.insecure_skip_tls_verify = false;
            if self.embed_certs == Some(true) {
                cluster.certificate_authority_data = embedded(authority);
                cluster.certificate_authority.clear();
            } else {
                cluster.certificate_authority = absolute(authority);
                cluster.certificate_authority_data.clear();
            }
        }
        if let Some(proxy) = &self.proxy_url {
            cluster.proxy_url.clone_from(proxy);
        }
    }
}

impl Run for SetClusterArgs {
    async fn run(mut self, cx: &Context) -> Result<()> {
        let [name] = super::exactly(cx, std::mem::take(&mut self.words))?;
        self.check(&name, &cx.globals)?;
        let mut config = super::starting(cx)?;
        self.change(config.clusters.entry(name.clone()).or_default(), &cx.globals);
        super::save(cx, &config, true)?;
        cx.line(format!("Cluster {} set.", quote(&name)))
    }
}
