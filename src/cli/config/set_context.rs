//! `config set-context`.

use clap::Parser;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::object::go::quote;

/// Set a context of the kubeconfig, or some of its fields.
///
/// The flags --cluster, --user and --namespace say what is set.
#[derive(Parser)]
pub struct SetContextArgs {
    /// The context
    #[arg(value_name = "NAME")]
    words: Vec<String>,
    /// The current context
    #[arg(long)]
    current: bool,
}

impl Run for SetContextArgs {
    async fn run(mut self, cx: &Context) -> Result<()> {
        if self.words.len() > 1 {
            return Err(super::misused(cx, format!("Unexpected args: {}", super::go_slice(&self.words))));
        }
        let mut name = self.words.pop().unwrap_or_default();
        match (name.is_empty(), self.current) {
            (true, false) => return Err(Error::new("you must specify a non-empty context name or --current")),
            (false, true) => return Err(Error::new("you cannot specify both a context name and --current")),
            _ => {}
        }
        let mut config = super::starting(cx)?;
        if self.current {
            if config.current_context.is_empty() {
                return Err(Error::new("no current context is set"));
            }
            name.clone_from(&config.current_context);
        }
        let existed = config.contexts.contains_key(&name);
        let context = config.contexts.entry(name.clone()).or_default();
        let globals = &cx.globals;
        for (field, value) in [
            (&mut context.cluster, &globals.cluster),
            (&mut context.user, &globals.user),
            (&mut context.namespace, &globals.namespace),
        ] {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        super::save(cx, &config, true)?;
        cx.line(format!("Context {} {}.", quote(&name), if existed { "modified" } else { "created" }))
    }
}
