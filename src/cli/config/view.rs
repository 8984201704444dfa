//! `config view`: the merged kubeconfig.

use std::path::Path;

use base64::Engine as _;
use clap::Parser;

use crate::cli::args::OutputArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::cli::verb::Run;
use crate::kubeconfig::Config;

/// Print the merged kubeconfig, without its secrets.
#[derive(Parser)]
pub struct ViewArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Put the contents of the files that it names in their place
    #[arg(long)]
    flatten: bool,
    /// Merge all files; false needs --kubeconfig
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    merge: Option<bool>,
    /// Only what the current context needs
    #[arg(long)]
    minify: bool,
    /// With secrets and raw data
    #[arg(long)]
    raw: bool,
}

impl Run for ViewArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("unexpected arguments: {}", super::go_slice(&self.words))));
        }
        let mut output = self.output.clone();
        output.output.get_or_insert_with(|| "yaml".into());
        let printer = output.printer("")?;
        if self.merge == Some(false) && cx.sources().explicit.is_none() {
            return Err(Error::new("if merge==false a precise file must be specified"));
        }
        let mut config = super::starting(cx)?;
        if self.minify {
            config = minified(config, cx.globals.context.as_deref().unwrap_or_default())?;
        }
        if self.flatten {
            flatten(&mut config)?;
        } else if !self.raw {
            config = config.redacted();
        }
        match output.format() {
            // The order of the fields is the file's own.
            "json" => cx.line(config.to_json()),
            _ => printer.print(cx, &config.to_value()),
        }
    }
}

/// Only what the context of that name needs, or the current one.
fn minified(mut config: Config, context: &str) -> Result<Config> {
    if !context.is_empty() {
        context.clone_into(&mut config.current_context);
    }
    let name = config.current_context.clone();
    if name.is_empty() {
        return Err(Error::new("current-context must exist in order to minify"));
    }
    let missing = |what: &str, name: &str| Error::new(format!("cannot locate {what} {name}"));
    let minified = config.minified(&name).ok_or_else(|| missing("context", &name))?;
    for context in minified.contexts.values() {
        if !context.cluster.is_empty() && minified.clusters.is_empty() {
            return Err(missing("cluster", &context.cluster));
        }
        if !context.user.is_empty() && minified.users.is_empty() {
            return Err(missing("user", &context.user));
        }
    }
    Ok(minified)
}

/// Puts the contents of files in the place of their names.
fn flatten(config: &mut Config) -> Result<()> {
    for user in config.users.values_mut() {
        let origin = user.origin.clone();
        put_content(&mut user.client_certificate, &mut user.client_certificate_data, origin.as_deref())?;
        put_content(&mut user.client_key, &mut user.client_key_data, origin.as_deref())?;
    }
    for cluster in config.clusters.values_mut() {
        let origin = cluster.origin.clone();
        put_content(&mut cluster.certificate_authority, &mut cluster.certificate_authority_data, origin.as_deref())?;
    }
    Ok(())
}

fn put_content(path: &mut String, content: &mut String, origin: Option<&Path>) -> Result<()> {
    if path.is_empty() {
        return Ok(());
    }
    if !content.is_empty() {
        return Err(Error::new("cannot have values for both path and contents"));
    }
    let file = crate::kubeconfig::resolved(path, origin);
    let bytes = std::fs::read(&file).map_err(|error| path_error("open", &file, &error))?;
    *content = base64::engine::general_purpose::STANDARD.encode(bytes);
    path.clear();
    Ok(())
}
