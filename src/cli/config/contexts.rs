//! The verbs of `config` that are about contexts.

use clap::Parser;

use super::{exactly, file_name, help_and, load, save};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::object::field::quote;
use crate::output::tabwriter;

/// Print the name of the current context.
#[derive(Parser)]
pub struct CurrentArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for CurrentArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let config = load(cx)?;
        if config.current_context.is_empty() {
            return Err(Error::new("current-context is not set"));
        }
        cx.line(config.current_context)
    }
}

/// List contexts.
#[derive(Parser)]
pub struct GetArgs {
    /// Only these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// No heading
    #[arg(long)]
    no_headers: bool,
    /// name prints names only
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

impl Run for GetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let names_only = match self.output.as_deref().unwrap_or_default() {
            "" => false,
            "name" => true,
            other => {
                return Err(Error::new(format!(
                    "--output {other} is not available in kubectl config get-contexts; resetting to default output format"
                )));
            }
        };
        let config = load(cx)?;
        let mut errors = Vec::new();
        let mut names: Vec<&String> = Vec::new();
        if self.names.is_empty() {
            names.extend(config.contexts.keys());
        }
        for name in &self.names {
            match config.contexts.get_key_value(name) {
                Some((name, _)) => names.push(name),
                None => errors.push(Error::new(format!("context {name} not found"))),
            }
        }
        names.sort();
        let mut text = String::new();
        if !self.no_headers && !names_only {
            text.push_str("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
        }
        for name in names {
            if names_only {
                text.push_str(&format!("{name}\n"));
            } else if let Some(context) = config.contexts.get(name) {
                let mark = if *name == config.current_context { "*" } else { " " };
                let (cluster, user, namespace) = (&context.cluster, &context.user, &context.namespace);
                text.push_str(&format!("{mark}\t{name}\t{cluster}\t{user}\t{namespace}\n"));
            }
        }
        cx.out(&tabwriter::align(&text))?;
        Error::many(errors)
    }
}

/// Make a context the current one.
#[derive(Parser)]
pub struct UseArgs {
    /// The context
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Run for UseArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [name] = exactly(cx, self.names, "use-context")?;
        let mut config = load(cx)?;
        if name.is_empty() {
            return Err(Error::new("empty context names are not allowed"));
        }
        if !config.contexts.contains_key(&name) {
            return Err(Error::new(format!("no context exists with the name: {}", quote(&name))));
        }
        config.current_context.clone_from(&name);
        save(cx, &config)?;
        cx.line(format!("Switched to context {}.", quote(&name)))
    }
}

/// Give a context another name.
#[derive(Parser)]
pub struct RenameArgs {
    /// The old name and the new one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Run for RenameArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [old, new] = exactly(cx, self.names, "rename-context")?;
        if new.is_empty() {
            return Err(Error::new("You must specify a new non-empty context name"));
        }
        let mut config = load(cx)?;
        let file = file_name(cx);
        if !config.contexts.contains_key(&old) {
            return Err(Error::new(format!("cannot rename the context {}, it's not in {file}", quote(&old))));
        }
        if config.contexts.contains_key(&new) {
            let (old, new) = (quote(&old), quote(&new));
            return Err(Error::new(format!(
                "cannot rename the context {old}, the context {new} already exists in {file}"
            )));
        }
        if let Some(context) = config.contexts.remove(&old) {
            config.contexts.insert(new.clone(), context);
        }
        if config.current_context == old {
            config.current_context.clone_from(&new);
        }
        save(cx, &config)?;
        cx.line(format!("Context {} renamed to {}.", quote(&old), quote(&new)))
    }
}

/// Delete a context.
#[derive(Parser)]
pub struct DeleteArgs {
    /// The context
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Run for DeleteArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let mut config = load(cx)?;
        let [name] = self.names.as_slice() else {
            help_and(cx, "delete-context", String::new());
            return Ok(());
        };
        let file = file_name(cx);
        if config.contexts.remove(name).is_none() {
            return Err(Error::new(format!("cannot delete context {name}, not in {file}")));
        }
        if config.current_context == *name {
            cx.err_line(format!(
                "warning: this removed your active context, use \"{} config use-context\" to select a different one",
                cx.program.name
            ))?;
        }
        save(cx, &config)?;
        cx.line(format!("deleted context {name} from {file}"))
    }
}

/// Make or change a context; --cluster, --user and --namespace say how.
#[derive(Parser)]
pub struct SetArgs {
    /// The context
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Change the current context
    #[arg(long)]
    current: bool,
}

impl Run for SetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.names.len() > 1 {
            return Err(help_and(cx, "set-context", format!("Unexpected args: [{}]", self.names.join(" "))));
        }
        let name = self.names.first().cloned().unwrap_or_default();
        if name.is_empty() && !self.current {
            return Err(Error::new("you must specify a non-empty context name or --current"));
        }
        if !name.is_empty() && self.current {
            return Err(Error::new("you cannot specify both a context name and --current"));
        }
        let mut config = load(cx)?;
        let name = if self.current { config.current_context.clone() } else { name };
        if name.is_empty() {
            return Err(Error::new("no current context is set"));
        }
        let known = config.contexts.contains_key(&name);
        let context = config.contexts.entry(name.clone()).or_default();
        let globals = &cx.globals;
        for (field, value) in [
            (&mut context.cluster, &globals.cluster),
            (&mut context.user, &globals.user),
            (&mut context.namespace, &globals.namespace),
        ] {
            if let Some(value) = value {
                value.clone_into(field);
            }
        }
        save(cx, &config)?;
        cx.line(format!("Context {} {}.", quote(&name), if known { "modified" } else { "created" }))
    }
}
