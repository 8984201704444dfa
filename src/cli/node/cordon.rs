//! `cordon` and `uncordon`.

use clap::Parser;
use serde_json::json;

use crate::cli::args::{DryRun, DryRunArgs, OutputArgs};
use crate::cli::change::Changer;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::cli::verb::Run;
use crate::object::go::quote;
use crate::object::meta;
use crate::patch::apply::PatchType;
use crate::resource::{Selection, Target};

/// Which nodes.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct NodeArgs {
    /// Names of nodes
    #[arg(value_name = "NODE")]
    pub names: Vec<String>,
    /// Only nodes whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
}

/// Keep new pods off nodes.
#[derive(Parser)]
pub struct CordonArgs {
    #[command(flatten)]
    nodes: NodeArgs,
}

/// Let new pods onto nodes.
#[derive(Parser)]
pub struct UncordonArgs {
    #[command(flatten)]
    nodes: NodeArgs,
}

impl NodeArgs {
    /// The nodes that names or labels choose; `usage` is how the verb is used.
    pub async fn find(&self, cx: &Context, usage: &str) -> Result<Vec<Target>> {
        let selector = self.selector.clone().unwrap_or_default();
        if self.names.is_empty() && self.selector.is_none() {
            return Err(cx.usage(format!("USAGE: {usage} [flags]")));
        }
        if !self.names.is_empty() && !selector.is_empty() {
            return Err(cx.usage("error: cannot specify both a node name and a --selector option"));
        }
        let named = |name: &String| if name.contains('/') { name.clone() } else { format!("nodes/{name}") };
        let mut args: Vec<String> = self.names.iter().map(named).collect();
        if args.is_empty() {
            args.push("nodes".to_owned());
        }
        let selection = Selection { labels: selector, ..cx.selection(args, Default::default())? };
        let found = targets::find(cx, &selection, true).await?;
        if let Some(first) = found.errors.into_iter().next() {
            return Err(first);
        }
        match found.targets.iter().map(|target| target.kind.gvr()).find(|kind| kind.resource != "nodes") {
            Some(other) => {
                let other = quote(&other.to_string());
                Err(Error::new(format!("error: expected resource of type node, got {other}")))
            }
            None => Ok(found.targets),
        }
    }
}

/// Cordons or uncordons nodes; what fails is told and does not stop the rest.
pub async fn cordon(cx: &Context, nodes: &mut [Target], dry_run: DryRun, wanted: bool) -> Result<()> {
    let (verb, done) = if wanted { ("cordon", "cordoned") } else { ("uncordon", "uncordoned") };
    let changer = Changer::new(cx, "", dry_run);
    for node in nodes {
        let path = ["spec", "unschedulable"];
        let already = meta::bool_at(&node.object, &path) == wanted;
        if !already && dry_run != DryRun::Client {
            let value = if wanted { json!(true) } else { json!(null) };
            let patch = json!({"spec": {"unschedulable": value}});
            match changer.patch_with(node, PatchType::Strategic, &patch).await {
                Ok(_) => meta::set(&mut node.object, &path, wanted),
                Err(error) => {
                    let name = quote(&node.name);
                    cx.err_line(format!("error: unable to {verb} node {name}: {}", error.text()))?;
                    continue;
                }
            }
        }
        let already = if already { "already " } else { "" };
        let printer = OutputArgs::default().printer(&format!("{already}{done}{}", dry_run.suffix()))?;
        printer.print(cx, &node.object)?;
    }
    Ok(())
}

impl Run for CordonArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let mut nodes = self.nodes.find(cx, "cordon NODE").await?;
        let dry_run = self.nodes.dry_run.mode(cx)?;
        cordon(cx, &mut nodes, dry_run, true).await
    }
}

impl Run for UncordonArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let mut nodes = self.nodes.find(cx, "uncordon NODE").await?;
        let dry_run = self.nodes.dry_run.mode(cx)?;
        cordon(cx, &mut nodes, dry_run, false).await
    }
}

/// Fails where a label selector for pods is none.
pub fn check_pod_selector(selector: &str) -> Result<()> {
    crate::object::selector::LabelSelector::parse(selector)
        .map(drop)
        .map_err(|_| Error::new("--pod-selector=<pod_selector> must be a valid label selector"))
}
