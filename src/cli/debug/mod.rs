//! `debug`: a container beside those of a pod, a changed copy of a pod, or a pod on a node, to look into things.

mod custom;
mod make;
mod profile;
mod session;

use std::collections::BTreeMap;

use clap::Parser;

use super::args::StringMap;
use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};
use super::run::is_image;
use super::targets;
use super::verb::{Group, Run, Verb};
use crate::object::go::quote;
use crate::object::{Value, meta};
use crate::resource::{FileOptions, Plan, Target};
use make::Making;
use profile::Profile;

/// `debug`.
pub const VERB: Verb = Verb::of::<DebugArgs>("debug", Group::Troubleshooting).words(Words::Resources(&[]));

/// Look into pods and nodes with a container made for it.
///
/// A pod gets an ephemeral container beside those it has; with --copy-to it stays as it is, and a copy gets the
/// container or the changes. For a node a pod is made that runs there.
#[derive(Parser)]
pub struct DebugArgs {
    /// Pods, or TYPE/NAME of pods and nodes; after -- the command
    #[arg(value_name = "POD|TYPE/NAME")]
    words: Vec<String>,
    /// What stands after -- are arguments, not the command
    #[arg(long)]
    arguments_only: bool,
    /// Attach to the container once it runs; the default with -i
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    attach: Option<bool>,
    /// Name of the container
    #[arg(short, long, value_name = "NAME", default_value = "")]
    container: String,
    /// Make a copy of the pod under this name
    #[arg(long, value_name = "NAME", default_value = "")]
    copy_to: String,
    /// File with parts of a container that change what the profile makes
    #[arg(long, value_name = "FILE", default_value = "")]
    custom: String,
    /// Environment variables, as NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<StringMap>,
    /// Files that name the object
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    filename: Vec<String>,
    /// Image of the container
    #[arg(long, value_name = "IMAGE", default_value = "")]
    image: String,
    /// When the image is pulled: Always, IfNotPresent or Never
    #[arg(long, value_name = "POLICY", default_value = "")]
    image_pull_policy: String,
    #[command(flatten)]
    keep: KeepArgs,
    /// What the container may do: general, baseline, restricted, netadmin or sysadmin
    #[arg(id = "debug-profile", long = "profile", value_name = "NAME", default_value = "general")]
    profile: String,
    /// Say less
    #[arg(short, long)]
    quiet: bool,
    /// With --copy-to: delete the original
    #[arg(long)]
    replace: bool,
    /// With --copy-to: run the copy on the same node
    #[arg(long)]
    same_node: bool,
    /// With --copy-to: images of containers, as NAME=IMAGE; * for all
    #[arg(long, value_name = "NAME=IMAGE")]
    set_image: Vec<StringMap>,
    /// With --copy-to: the containers see each other's processes
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    share_processes: Option<bool>,
    /// Keep the container's standard input open
    #[arg(short = 'i', long)]
    stdin: bool,
    /// The container whose processes an ephemeral container sees
    #[arg(long, value_name = "NAME", default_value = "")]
    target: String,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
}

/// What a copy keeps of its pod.
#[derive(clap::Args, Clone, Debug, Default)]
struct KeepArgs {
    /// With --copy-to: keep the annotations
    #[arg(long)]
    keep_annotations: bool,
    /// With --copy-to: keep the init containers
    #[arg(long, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    keep_init_containers: bool,
    /// With --copy-to: keep the labels
    #[arg(long)]
    keep_labels: bool,
    /// With --copy-to: keep the liveness probes
    #[arg(long)]
    keep_liveness: bool,
    /// With --copy-to: keep the readiness probes
    #[arg(long)]
    keep_readiness: bool,
    /// With --copy-to: keep the startup probes
    #[arg(long)]
    keep_startup: bool,
}

/// All pairs of a flag that may be repeated.
fn pairs(maps: &[StringMap]) -> BTreeMap<String, String> {
    maps.iter().flat_map(|map| map.0.clone()).collect()
}

impl DebugArgs {
    /// The words before `--`, and those after it.
    fn split(&self, cx: &Context) -> (&[String], &[String]) {
        match cx.dash_at {
            Some(at) if at < self.words.len() => self.words.split_at(at),
            _ => (&self.words, &[]),
        }
    }

    fn attaches(&self) -> bool {
        self.attach.unwrap_or(self.stdin)
    }

    /// What must be right before anything is asked of a server.
    fn check(&self, cx: &Context, images: &BTreeMap<String, String>) -> Result<()> {
        let (names, command) = self.split(cx);
        let refused = |text: &str| Err(Error::new(text));
        if self.attach == Some(true) && self.image.is_empty() && self.container.is_empty() {
            return refused("you must specify --container or create a new container using --image in order to attach.");
        }
        if self.copy_to.is_empty() {
            self.check_without_copy(images)?;
        } else if self.image.is_empty() && images.is_empty() && command.is_empty() {
            return refused("you must specify --image, --set-image or command arguments.");
        } else if !command.is_empty() && self.container.is_empty() && self.image.is_empty() {
            return refused("you must specify an existing container or a new image when specifying args.");
        }
        if !self.image.is_empty() && !is_image(&self.image) {
            return Err(Error::new(format!("invalid image name {}: invalid reference format", quote(&self.image))));
        }
        if names.is_empty() && self.filename.is_empty() {
            return refused("NAME or filename is required for debug");
        }
        if !matches!(self.image_pull_policy.as_str(), "" | "Always" | "IfNotPresent" | "Never") {
            return Err(Error::new(format!("invalid image pull policy: {}", self.image_pull_policy)));
        }
        if let Some((name, image)) = images.iter().find(|(_, image)| !is_image(image)) {
            let (image, name) = (quote(image), quote(name));
            let why = "invalid reference format";
            return Err(Error::new(format!("invalid image name {image} for container {name}: {why}")));
        }
        if !self.target.is_empty() {
            if !self.copy_to.is_empty() {
                return refused("--target is incompatible with --copy-to. Use --share-processes instead.");
            }
            if !self.quiet {
                cx.line(format!(
                    "Targeting container {}. If you don't see processes from this container it may be because the \
                     container runtime doesn't support this feature.",
                    quote(&self.target)
                ))?;
            }
        }
        if self.tty && !self.stdin {
            return refused("-i/--stdin is required for containers with -t/--tty=true");
        }
        Ok(())
    }

    fn check_without_copy(&self, images: &BTreeMap<String, String>) -> Result<()> {
        let only_with_copy =
            [(self.replace, "--replace"), (self.same_node, "--same-node"), (!images.is_empty(), "--set-image")];
        if let Some((_, flag)) = only_with_copy.iter().find(|(given, _)| *given) {
            return Err(Error::new(format!("{flag} may only be used with --copy-to.")));
        }
        if self.image.is_empty() {
            return Err(Error::new("you must specify --image when not using --copy-to."));
        }
        Ok(())
    }

    async fn targets(&self, cx: &Context, names: &[String]) -> Result<(Vec<Target>, bool)> {
        let typed = |name: &String| if name.contains('/') { name.clone() } else { format!("pods/{name}") };
        let files = FileOptions { filenames: self.filename.clone(), ..FileOptions::default() };
        let selection = cx.selection(names.iter().map(typed).collect(), files)?;
        match cx.plan(&selection).await? {
            Plan::Documents { documents, .. } => {
                let found = targets::of_documents(cx, &selection, documents, false).await;
                Error::many(found.errors)?;
                Ok((found.targets, false))
            }
            Plan::Names { targets, .. } => Ok((targets, true)),
            Plan::Queries(_) => Ok((Vec::new(), false)),
        }
    }
}

impl Run for DebugArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let images = pairs(&self.set_image);
        let (namespace, _) = cx.namespace()?;
        let profile = Profile::named(&self.profile)?;
        let custom = custom::read(&self.custom)?;
        cx.client()?;
        self.check(cx, &images)?;
        if let Some(custom) = &custom {
            custom::check(custom)?;
        }
        if profile == Profile::Legacy {
            cx.err_line(
                "--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other \
                 profile, for example \"--profile=general\".",
            )?;
        }
        let (names, command) = self.split(cx);
        let making = Making { cx, args: &self, command, env: pairs(&self.env), images, profile, custom, namespace };
        let (targets, by_name) = self.targets(cx, names).await?;
        for target in targets {
            let object = match by_name {
                true => targets::get(cx.client()?, &target, "", "application/json", &[]).await?,
                false => target.object.clone(),
            };
            let kind = target.kind.gvk();
            let (pod, container) = match (kind.group.as_str(), kind.kind.as_str()) {
                ("", "Node") => making.on_node(&object).await?,
                ("", "Pod") if self.copy_to.is_empty() => making.beside(object).await?,
                ("", "Pod") => making.copy(&object).await?,
                _ => return Err(Error::new(format!("{} not supported by debug", quote(&kind.to_string())))),
            };
            if self.attaches() && !container.is_empty() {
                session::open(cx, &self, &pod, &container).await?;
            }
        }
        Ok(())
    }
}

/// The containers of a pod with the fields they stand in: init containers, containers, ephemeral ones.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The container of that name in the first of the lists that has it.
fn container_mut<'a>(pod: &'a mut Value, lists: &[&str], name: &str) -> Option<&'a mut Value> {
    let at = lists.iter().find_map(|list| {
        let items = meta::list_at(pod, &["spec", list]);
        items.iter().position(|item| meta::str_at(item, &["name"]) == name).map(|at| (*list, at))
    });
    let (list, at) = at?;
    pod.get_mut("spec")?.get_mut(list)?.get_mut(at)
}
