//! `set image`.

use clap::Parser;

use super::{LOCAL_OR_SERVER, Manner, SelectorFlag, SetArgs, plan};
use crate::cli::args::{DryRun, Pairs};
use crate::cli::change::resources_and_pairs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::mutate::{containers, pod_spec_path};
use crate::cli::verb::Run;
use crate::object::go::quote;
use crate::object::meta;

/// Set the images of containers.
#[derive(Parser)]
pub struct ImageArgs {
    /// Types and names, then CONTAINER=IMAGE pairs
    #[arg(value_name = "TYPE[/NAME] CONTAINER=IMAGE")]
    words: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
    #[command(flatten)]
    selector: SelectorFlag,
}

impl ImageArgs {
    fn check(&self, resources: &[String], images: &Pairs, dry_run: DryRun) -> Result<()> {
        let mut wrong = Vec::new();
        if self.common.all && !self.selector.selector.is_empty() {
            wrong.push(super::ALL_OR_SELECTOR);
        }
        if resources.is_empty() && self.common.files.is_empty() {
            wrong.push("one or more resources must be specified as <resource> <name> or <resource>/<name>");
        }
        if images.set.is_empty() {
            wrong.push("at least one image update is required");
        } else if images.set.len() > 1 && images.set.iter().any(|(name, _)| name == "*") {
            wrong.push(
                "all containers are already specified by *, but saw more than one container_name=container_image pairs",
            );
        }
        if self.common.local && dry_run == DryRun::Server {
            wrong.push(LOCAL_OR_SERVER);
        }
        Error::many(wrong.into_iter().map(Error::new).collect())
    }
}

impl Run for ImageArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let setting = self.common.begin(cx, "image updated")?;
        let (resources, pairs) = resources_and_pairs(&self.words, "image")?;
        let images = Pairs::parse(&pairs, "image")?;
        if let Some(key) = images.removed.first() {
            return Err(Error::new(format!("invalid image format: {key}-")));
        }
        let targets = self.common.find(cx, &resources, &self.selector.selector).await?;
        self.check(&resources, &images, setting.dry_run())?;
        let mut errors = Vec::new();
        let planned = plan(targets, |object| {
            let path = pod_spec_path(object)?;
            let spec = meta::get(object, path).cloned().unwrap_or_default();
            for (name, image) in &images.set {
                let found = containers(&spec, if name == "*" { "*" } else { name });
                if found.is_empty() {
                    errors.push(Error::new(format!("error: unable to find container named {}", quote(name))));
                }
                for (list, position) in found {
                    if let Some(container) = crate::cli::set::container_mut(object, path, list, position) {
                        container["image"] = image.clone().into();
                    }
                }
            }
            Ok(true)
        });
        let manner = Manner { failure: "failed to patch image update to pod template: ", send_empty: false };
        setting.finish(planned, &manner, errors).await
    }
}
