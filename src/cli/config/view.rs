//! `config view`.

use std::path::Path;

use base64::Engine as _;
use clap::Parser;

use super::load;
use crate::cli::args::OutputArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::cli::verb::Run;
use crate::kubeconfig::Config;

/// Print the merged kubeconfig.
///
/// Secrets are left out unless --raw or --flatten is given.
#[derive(Parser)]
pub struct ViewArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Put the contents of files in place of their names
    #[arg(long)]
    flatten: bool,
    /// Merge all files
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    merge: Option<bool>,
    /// Only what the current context needs
    #[arg(long)]
    minify: bool,
    /// With secrets
    #[arg(long)]
    raw: bool,
}

impl Run for ViewArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("unexpected arguments: [{}]", self.words.join(" "))));
        }
        if self.merge == Some(false) && cx.sources().explicit.is_none() {
            return Err(Error::new("if merge==false a precise file must be specified"));
        }
        let mut output = self.output.clone();
        if output.format().is_empty() && output.template.is_none() {
            output.output = Some("yaml".into());
        }
        let printer = output.printer("")?;
        let mut config = load(cx)?;
        if self.minify {
            config = minified(config, cx.globals.context.as_deref().unwrap_or_default())?;
        }
        if self.flatten {
            flatten(&mut config)?;
        } else if !self.raw {
            config = config.redacted();
        }
        if output.format() == "json" {
            return cx.line(config.to_json());
        }
        printer.print(cx, &config.to_value())
    }
}

fn minified(mut config: Config, context: &str) -> Result<Config> {
    if !context.is_empty() {
        context.clone_into(&mut config.current_context);
    }
    let name = config.current_context.clone();
    if name.is_empty() {
        return Err(Error::new("current-context must exist in order to minify"));
    }
    let Some(chosen) = config.contexts.get(&name) else {
        return Err(Error::new(format!("cannot locate context {name}")));
    };
    if !chosen.cluster.is_empty() && !config.clusters.contains_key(&chosen.cluster) {
        return Err(Error::new(format!("cannot locate cluster {}", chosen.cluster)));
    }
    if !chosen.user.is_empty() && !config.users.contains_key(&chosen.user) {
        return Err(Error::new(format!("cannot locate user {}", chosen.user)));
    }
    Ok(config.minified(&name).unwrap_or_default())
}

/// Reads a file into its data field, unless there is data already.
fn inline(file: &mut String, data: &mut String, origin: Option<&Path>) -> Result<()> {
    if !data.is_empty() {
        file.clear();
        return Ok(());
    }
    if file.is_empty() {
        return Ok(());
    }
    let folder = origin.and_then(Path::parent).unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let path = std::path::absolute(folder.join(file.as_str())).unwrap_or_else(|_| folder.join(file.as_str()));
    let bytes = std::fs::read(&path).map_err(|error| path_error("open", &path, &error))?;
    *data = base64::engine::general_purpose::STANDARD.encode(bytes);
    file.clear();
    Ok(())
}

fn flatten(config: &mut Config) -> Result<()> {
    for user in config.users.values_mut() {
        let origin = user.origin.clone();
        inline(&mut user.client_certificate, &mut user.client_certificate_data, origin.as_deref())?;
        inline(&mut user.client_key, &mut user.client_key_data, origin.as_deref())?;
    }
    for cluster in config.clusters.values_mut() {
        let origin = cluster.origin.clone();
        inline(&mut cluster.certificate_authority, &mut cluster.certificate_authority_data, origin.as_deref())?;
    }
    Ok(())
}
