//! `set selector`.

use clap::Parser;

use super::SetArgs;
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets::Found;
use crate::cli::verb::Run;
use crate::cli::{labels, mutate};
use crate::object::{Value, meta};
use crate::patch::apply::PatchType;

/// Set the selector of services.
#[derive(Parser)]
pub struct SelectorArgs {
    /// Types and names, then the selector
    #[arg(value_name = "TYPE[/NAME] SELECTOR")]
    words: Vec<String>,
    #[command(flatten)]
    common: SetArgs,
    /// Only where the object has this version
    #[arg(long, value_name = "VERSION", default_value = "")]
    resource_version: String,
}

/// The expressions as Go prints them.
fn shown(expressions: &[Value]) -> String {
    let one = |expression: &Value| {
        let values: Vec<&str> = meta::list_at(expression, &["values"]).iter().filter_map(Value::as_str).collect();
        let (key, operator) = (meta::str_at(expression, &["key"]), meta::str_at(expression, &["operator"]));
        format!("{{{key} {operator} [{}]}}", values.join(" "))
    };
    expressions.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn set(object: &mut Value, selector: &Value) -> Result<bool> {
    if meta::api_version(object) != "v1" || meta::kind(object) != "Service" {
        return Err(Error::new("setting a selector is only supported for Services"));
    }
    let expressions = meta::list_at(selector, &["matchExpressions"]);
    if !expressions.is_empty() {
        let text = format!("match expression [{}] not supported on this object", shown(expressions));
        return Err(Error::new(text));
    }
    let labels = meta::map_at(selector, &["matchLabels"]).cloned().unwrap_or_default();
    meta::set(object, &["spec", "selector"], labels);
    Ok(true)
}

impl Run for SelectorArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let setting = self.common.begin(cx, "selector updated")?;
        let Some((selector, resources)) = self.words.split_last() else {
            return Err(Error::new("one selector is required"));
        };
        let selector = labels::to_selector(selector)?;
        let Found { targets, mut errors, .. } = self.common.look(cx, resources, "").await?;
        for mut target in targets {
            let patch = mutate::patch_of(&mut target.object, |object| set(object, &selector));
            let mut patch = match patch {
                Ok(patch) => patch.unwrap_or_default(),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            if self.common.local || setting.dry_run() == DryRun::Client {
                setting.printer.print_typed(cx, &target.object)?;
                continue;
            }
            if !self.resource_version.is_empty() {
                meta::set(&mut patch, &["metadata", "resourceVersion"], self.resource_version.clone());
            }
            match setting.changer.patch_with(&target, PatchType::Strategic, &patch).await {
                Ok(object) => setting.printer.print_typed(cx, &object)?,
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)
    }
}
