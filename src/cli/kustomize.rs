//! `kustomize`: builds a kustomization and prints its objects.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::kustomize::{self, Built, LoadRestriction, Options, Reorder};
use crate::resource::build_kustomization;

/// Build a kustomization
///
/// DIR is a folder with a kustomization.yaml, or the URL of a git repository with such a folder; without it, the
/// current folder is built.
#[derive(Parser)]
pub struct KustomizeArgs {
    #[arg(value_name = "DIR")]
    words: Vec<String>,
    /// Write to this file; into a folder, one file for each object
    #[arg(short, long, value_name = "PATH")]
    output: Option<String>,
    /// LoadRestrictionsNone lets kustomizations read files outside of their folders
    #[arg(long, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    load_restrictor: String,
    /// Allow plugins; only built-in ones exist here
    #[arg(long)]
    enable_alpha_plugins: bool,
    /// Allow helm charts; they are not rendered here
    #[arg(long)]
    enable_helm: bool,
    /// The helm program
    #[arg(long, value_name = "PATH", default_value = "helm")]
    helm_command: String,
    /// API versions that charts are told of
    #[arg(long, value_name = "VERSION")]
    helm_api_versions: Vec<String>,
    /// Kubernetes version that charts are told of
    #[arg(long, value_name = "VERSION")]
    helm_kube_version: Option<String>,
    /// Let helm tell more
    #[arg(long)]
    helm_debug: bool,
    /// Variables for functions in containers
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Storage for functions in containers
    #[arg(long, value_name = "OPTIONS")]
    mount: Vec<String>,
    /// Give functions in containers a network
    #[arg(long)]
    network: bool,
    /// The network that functions in containers get
    #[arg(long, value_name = "NAME", default_value = "bridge")]
    network_name: String,
    /// Run functions in containers as the current user
    #[arg(long)]
    as_current_user: bool,
    /// Order of the objects: legacy or none
    #[arg(long, value_name = "ORDER", hide = true)]
    reorder: Option<String>,
    /// Label all objects as made by kustomize
    #[arg(long, hide = true)]
    enable_managedby_label: bool,
}

/// Variable that asks for the label of `--enable-managedby-label`.
const LABEL_VARIABLE: &str = "KUSTOMIZE_ENABLE_MANAGEDBY_LABEL";

impl KustomizeArgs {
    fn options(&self, cx: &Context) -> Result<Options> {
        let illegal = |flag: &str, value: &str, legal: &str| {
            Error::new(format!("illegal flag value --{flag} {value}; legal values: [{legal}]"))
        };
        let restriction = match self.load_restrictor.as_str() {
            "" | "LoadRestrictionsRootOnly" => LoadRestriction::RootOnly,
            "LoadRestrictionsNone" => LoadRestriction::None,
            other => {
                return Err(illegal("load-restrictor", other, "LoadRestrictionsRootOnly LoadRestrictionsNone"));
            }
        };
        let reorder = match self.reorder.as_deref() {
            None => None,
            Some("legacy") => Some(Reorder::Legacy),
            Some("none") => Some(Reorder::None),
            Some(other) => return Err(illegal("reorder", other, "legacy none")),
        };
        Ok(Options {
            restriction,
            reorder,
            managed_by_label: self.enable_managedby_label || cx.env.get(LABEL_VARIABLE) == Some("on"),
            helm: self.enable_helm || self.enable_alpha_plugins,
            helm_command: self.helm_command.clone(),
        })
    }

    /// Tells of flags that will go away.
    fn tell_old_flags(&self, cx: &Context) -> Result<()> {
        if self.reorder.is_some() {
            cx.err_line(
                "Flag --reorder has been deprecated, use the new 'sortOptions' field in kustomization.yaml instead.",
            )?;
        }
        if self.enable_managedby_label {
            cx.err_line(
                "Flag --enable-managedby-label has been deprecated, The flag `enable-managedby-label` has been \
                 deprecated. Use the `managedByLabel` option in the `buildMetadata` field instead.",
            )?;
        }
        Ok(())
    }
}

impl Run for KustomizeArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.tell_old_flags(cx)?;
        if self.words.len() > 1 {
            return Err(Error::new("specify one path to kustomization.yaml"));
        }
        let options = self.options(cx)?;
        let path = self.words.first().map_or(".", String::as_str);
        // A warning that cannot be written is no reason to stop.
        let built = build_kustomization(path, &options, &mut |warning| drop(cx.tell_warning(&warning)));
        let built = built.map_err(|error| cx.explain(error))?;
        let failed = |error: kustomize::Error| Error::new(error.to_string());
        match self.output.as_deref().filter(|output| !output.is_empty()).map(Path::new) {
            Some(folder) if folder.is_dir() => write_files(folder, &built),
            Some(file) => write(file, &kustomize::to_yaml(&built).map_err(failed)?),
            None => Ok(cx.streams.write_out(kustomize::to_yaml(&built).map_err(failed)?.as_bytes())?),
        }
    }
}

/// Writes each object into a file of its own; names begin with the namespace where there are several.
fn write_files(folder: &Path, built: &[Built]) -> Result<()> {
    let namespaces: BTreeSet<String> = built.iter().filter_map(Built::namespace).collect();
    for object in built {
        let name = match object.namespace().filter(|_| namespaces.len() > 1) {
            Some(namespace) => format!("{}_{}", namespace.to_lowercase(), object.file_name()),
            None => object.file_name(),
        };
        write(&folder.join(name), &object.yaml().map_err(|error| Error::new(error.to_string()))?)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Error::new(crate::client::path_error("open", path, &error)))
}
