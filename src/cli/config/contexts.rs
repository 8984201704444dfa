//! `config get-contexts`, `config use-context`, `config rename-context`.

use clap::Parser;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::object::go::quote;
use crate::output::tabwriter::TabWriter;

/// List contexts.
#[derive(Parser)]
pub struct GetContextsArgs {
    /// The contexts; all when none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// name prints the names only
    #[arg(short, long, value_name = "FORMAT", default_value = "")]
    output: String,
    /// No heading
    #[arg(long)]
    no_headers: bool,
}

/// Make a context the current one.
#[derive(Parser)]
pub struct UseContextArgs {
    /// The context
    #[arg(value_name = "NAME")]
    words: Vec<String>,
}

/// Give a context another name.
///
/// When it is the current context, the kubeconfig's current context follows.
#[derive(Parser)]
pub struct RenameContextArgs {
    /// The context's name, and its new one
    #[arg(value_name = "NAME")]
    words: Vec<String>,
}

impl Run for GetContextsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !matches!(self.output.as_str(), "" | "name") {
            return Err(Error::new(format!(
                "--output {} is not available in {}; resetting to default output format",
                self.output, cx.command_path
            )));
        }
        let names_only = self.output == "name";
        let config = super::starting(cx)?;
        let mut errors = Vec::new();
        let mut names = self.names;
        if names.is_empty() {
            names = config.contexts.keys().cloned().collect();
        }
        names.retain(|name| {
            let known = config.contexts.contains_key(name);
            if !known {
                errors.push(Error::new(format!("context {name} not found")));
            }
            known
        });
        names.sort();
        let mut table = TabWriter::for_tables();
        if !self.no_headers && !names_only {
            table.buffer().push_str("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
        }
        for name in &names {
            let Some(context) = config.contexts.get(name) else { continue };
            let line = if names_only {
                format!("{name}\n")
            } else {
                let mark = if config.current_context == *name { "*" } else { " " };
                format!("{mark}\t{name}\t{}\t{}\t{}\n", context.cluster, context.user, context.namespace)
            };
            table.buffer().push_str(&line);
        }
        let mut text = String::new();
        table.flush(&mut text);
        cx.out(&text)?;
        Error::many(errors)
    }
}

impl Run for UseContextArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [name] = super::exactly(cx, self.words)?;
        let mut config = super::starting(cx)?;
        if name.is_empty() {
            return Err(Error::new("empty context names are not allowed"));
        }
        if !config.contexts.contains_key(&name) {
            return Err(Error::new(format!("no context exists with the name: {}", quote(&name))));
        }
        config.current_context.clone_from(&name);
        super::save(cx, &config, true)?;
        cx.line(format!("Switched to context {}.", quote(&name)))
    }
}

impl Run for RenameContextArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [old, new] = super::exactly(cx, self.words)?;
        if new.is_empty() {
            return Err(Error::new("You must specify a new non-empty context name"));
        }
        let mut config = super::starting(cx)?;
        let file = super::file_name(cx);
        let (from, to) = (quote(&old), quote(&new));
        let Some(context) = config.contexts.get(&old).cloned() else {
            return Err(Error::new(format!("cannot rename the context {from}, it's not in {file}")));
        };
        if config.contexts.contains_key(&new) {
            return Err(Error::new(format!(
                "cannot rename the context {from}, the context {to} already exists in {file}"
            )));
        }
        config.contexts.remove(&old);
        config.contexts.insert(new.clone(), context);
        if config.current_context == old {
            config.current_context = new;
        }
        super::save(cx, &config, true)?;
        cx.line(format!("Context {from} renamed to {to}."))
    }
}
