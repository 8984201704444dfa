//! `config current-context`, `config get-clusters`, `config get-users`.

use clap::Parser;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;

/// Print the name of the current context.
#[derive(Parser)]
pub struct CurrentContextArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// List the clusters of the kubeconfig.
#[derive(Parser)]
pub struct GetClustersArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// List the users of the kubeconfig.
#[derive(Parser)]
pub struct GetUsersArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for CurrentContextArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let config = super::starting(cx)?;
        if config.current_context.is_empty() {
            return Err(Error::new("current-context is not set"));
        }
        cx.line(config.current_context)
    }
}

fn list<T>(cx: &Context, names: impl Iterator<Item = T>) -> Result<()>
where
    T: std::fmt::Display,
{
    cx.line("NAME")?;
    names.into_iter().try_for_each(|name| cx.line(name))
}

impl Run for GetClustersArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        list(cx, super::starting(cx)?.clusters.keys())
    }
}

impl Run for GetUsersArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        list(cx, super::starting(cx)?.users.keys())
    }
}
