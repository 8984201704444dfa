//! `config delete-cluster`, `config delete-context`, `config delete-user`.

use clap::Parser;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::kubeconfig::Config;

/// Delete a cluster from the kubeconfig.
#[derive(Parser)]
pub struct DeleteClusterArgs {
    /// The cluster
    #[arg(value_name = "NAME")]
    words: Vec<String>,
}

/// Delete a context from the kubeconfig.
#[derive(Parser)]
pub struct DeleteContextArgs {
    /// The context
    #[arg(value_name = "NAME")]
    words: Vec<String>,
}

/// Delete a user from the kubeconfig.
#[derive(Parser)]
pub struct DeleteUserArgs {
    /// The user
    #[arg(value_name = "NAME")]
    words: Vec<String>,
}

/// Takes an entry out by `remove`, which says whether there was one, and writes the files.
fn delete(cx: &Context, what: &str, name: &str, remove: impl Fn(&mut Config) -> bool) -> Result<()> {
    let mut config = super::starting(cx)?;
    let file = super::file_name(cx);
    if !remove(&mut config) {
        return Err(Error::new(format!("cannot delete {what} {name}, not in {file}")));
    }
    if what == "context" && config.current_context == name {
        let program = &cx.program.name;
        cx.err_line(format!(
            "warning: this removed your active context, use \"{program} config use-context\" to select a different one"
        ))?;
    }
    super::save(cx, &config, true)?;
    cx.line(format!("deleted {what} {name} from {file}"))
}

impl Run for DeleteClusterArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        super::starting(cx)?;
        let [name] = self.words.as_slice() else { return super::print_help(cx) };
        delete(cx, "cluster", name, |config| config.clusters.remove(name).is_some())
    }
}

impl Run for DeleteContextArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        super::starting(cx)?;
        let [name] = self.words.as_slice() else { return super::print_help(cx) };
        delete(cx, "context", name, |config| config.contexts.remove(name).is_some())
    }
}

impl Run for DeleteUserArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        super::starting(cx)?;
        let [name] = self.words.as_slice() else { return Err(cx.usage("user to delete is required")) };
        delete(cx, "user", name, |config| config.users.remove(name).is_some())
    }
}
