//! `set resources`.

use clap::Parser;

use super::{ALL_OR_SELECTOR, LOCAL_OR_SERVER, Manner, SelectorFlag, SetArgs, container_mut, plan};
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::create::policy::resource_list;
use crate::cli::error::{Error, Result};
use crate::cli::mutate::{containers, pod_spec_path};
use crate::cli::verb::Run;
use crate::object::{Value, meta};

/// Set what containers request and may use at most.
#[derive(Parser)]
pub struct ResourcesArgs {
    /// Types and names
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
    #[command(flatten)]
    selector: SelectorFlag,
    /// Names of the containers; * stands for any letters
    #[arg(short = 'c', long, value_name = "NAME", default_value = "*")]
    containers: String,
    /// What they may use at most: RESOURCE=QUANTITY, separated by commas
    #[arg(long, value_name = "LIST", default_value = "")]
    limits: String,
    /// What they request: RESOURCE=QUANTITY, separated by commas
    #[arg(long, value_name = "LIST", default_value = "")]
    requests: String,
}

impl Run for ResourcesArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let setting = self.common.begin(cx, "resource requirements updated")?;
        let targets = self.common.find(cx, &self.resources, &self.selector.selector).await?;
        if self.common.local && setting.dry_run() == DryRun::Server {
            return Err(Error::new(LOCAL_OR_SERVER));
        }
        if self.common.all && !self.selector.selector.is_empty() {
            return Err(Error::new(ALL_OR_SELECTOR));
        }
        if self.limits.is_empty() && self.requests.is_empty() {
            return Err(Error::new(
                "you must specify an update to requests or limits (in the form of --requests/--limits)",
            ));
        }
        let lists = [("limits", resource_list(&self.limits)?), ("requests", resource_list(&self.requests)?)];
        let mut errors = Vec::new();
        let planned = plan(targets, |object| {
            let path = pod_spec_path(object)?;
            let spec = meta::get(object, path).cloned().unwrap_or_default();
            let found = containers(&spec, &self.containers);
            if found.is_empty() {
                let text = format!("error: unable to find container named {}", self.containers);
                errors.push(Error::new(text));
                return Ok(false);
            }
            for (list, position) in found {
                let Some(container) = container_mut(object, path, list, position) else { continue };
                for (field, amounts) in &lists {
                    for (name, amount) in amounts.iter().filter_map(Value::as_object).flatten() {
                        meta::set(container, &["resources", field, name], amount.clone());
                    }
                }
            }
            Ok(true)
        });
        let manner = Manner { failure: "failed to patch resources update to pod template ", send_empty: false };
        setting.finish(planned, &manner, errors).await
    }
}
