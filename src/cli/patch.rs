//! `patch`: fields of objects by strategic merge, merge or JSON patch.

use clap::Parser;

use super::args::{DryRun, FileArgs};
use super::change::{self, Changer, TellArgs};
use super::context::Context;
use super::error::{Error, Result, path_error};
use super::targets;
use super::verb::Run;
use crate::kinds::Schemas;
use crate::manifest;
use crate::object::go::quote;
use crate::object::{Value, json, meta};
use crate::patch::apply::PatchType;
use crate::patch::{JsonPatch, PatchSchema, json_merge, strategic};
use crate::resource::Target;

/// Change fields of objects by a patch.
#[derive(Parser)]
pub struct PatchArgs {
    /// Types and names: TYPE NAME…, TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    tell: TellArgs,
    /// Patch what the files hold, without asking a server
    #[arg(long)]
    local: bool,
    /// The patch, JSON or YAML
    #[arg(short, long, default_value = "")]
    patch: String,
    /// File with the patch
    #[arg(long, value_name = "FILE", default_value = "")]
    patch_file: String,
    /// Patch this subresource
    #[arg(long, value_name = "NAME", default_value = "")]
    subresource: String,
    /// strategic, merge or json
    #[arg(long, value_name = "TYPE", default_value = "strategic")]
    r#type: String,
}

impl PatchArgs {
    fn check(&self, dry_run: DryRun) -> Result<PatchType> {
        if !self.patch.is_empty() && !self.patch_file.is_empty() {
            return Err(Error::new("cannot specify --patch and --patch-file together"));
        }
        if self.patch.is_empty() && self.patch_file.is_empty() {
            return Err(Error::new("must specify --patch or --patch-file containing the contents of the patch"));
        }
        if self.local && !self.words.is_empty() {
            return Err(Error::new("cannot specify --local and server resources"));
        }
        if self.local && dry_run == DryRun::Server {
            return Err(Error::new("cannot specify --local and --dry-run=server - did you mean --dry-run=client?"));
        }
        match self.r#type.to_lowercase().as_str() {
            "" | "strategic" => Ok(PatchType::Strategic),
            "merge" => Ok(PatchType::Merge),
            "json" => Ok(PatchType::Json),
            _ => Err(Error::new(format!("--type must be one of [json merge strategic], not {}", quote(&self.r#type)))),
        }
    }

    /// The patch as JSON; a text that begins as JSON is sent as it is.
    fn text(&self) -> Result<String> {
        let text = if self.patch_file.is_empty() {
            self.patch.clone()
        } else {
            let bytes = std::fs::read(&self.patch_file).map_err(|error| {
                let why = path_error("open", &self.patch_file, &error).text();
                Error::new(format!("unable to read patch file: {why}"))
            })?;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if text.trim_start().starts_with('{') {
            return Ok(text);
        }
        manifest::yaml_to_json(&text, false)
            .map_err(|error| Error::new(format!("unable to parse {}: {error}", quote(&self.patch))))
    }
}

fn operation(changed: bool) -> &'static str {
    if changed { "patched" } else { "patched (no change)" }
}

impl Run for PatchArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.tell.dry_run.mode(cx)?;
        let kind = self.check(dry_run)?;
        let patch = self.text()?;
        let mut selection = cx.selection(self.words.clone(), self.files.options())?;
        selection.subresource.clone_from(&self.subresource);
        let from_files = !self.files.is_empty();
        let found = if self.local {
            targets::local(cx, &selection).await?
        } else {
            let plan = cx.plan(&selection).await?;
            targets::fetch(cx, &selection, plan).await?
        };
        if found.targets.is_empty() && found.errors.is_empty() {
            return Err(Error::new("no objects passed to patch"));
        }
        let changer = Changer {
            subresource: self.subresource.clone(),
            ..Changer::new(cx, &self.tell.manager("kubectl-patch"), dry_run)
        };
        change::each(found, async |target| {
            let patched = if self.local || dry_run == DryRun::Client {
                apply(&target, kind, &patch)?
            } else {
                send(&changer, &target, kind, &patch).await?
            };
            // An object of a file is compared as the file has it, which the server's answer never equals.
            let changed = (from_files && !self.local && dry_run != DryRun::Client) || patched != target.object;
            self.tell.output.printer(operation(changed))?.print(cx, &patched)
        })
        .await
    }
}

async fn send(changer: &Changer<'_>, target: &Target, kind: PatchType, patch: &str) -> Result<Value> {
    changer.patch(target, kind, patch.to_owned()).await.map_err(|error| {
        if error.as_status().is_some_and(|status| status.code == 415) {
            let (media_type, gvk) = (kind.content_type(), target.kind.gvk());
            return Error::new(format!("{media_type} is not supported by {gvk}: {}", error.text()));
        }
        error
    })
}

/// The patch applied here.
fn apply(target: &Target, kind: PatchType, patch: &str) -> Result<Value> {
    let failed = |error: &dyn std::fmt::Display| Error::new(error.to_string());
    let mut object = target.object.clone();
    match kind {
        PatchType::Json => {
            let patch = JsonPatch::decode(patch).map_err(|error| failed(&error))?;
            patch.apply(&mut object).map_err(|error| {
                let text = error.to_string();
                match text.split_once("key:").filter(|_| text.contains("doc is missing key")) {
                    Some((_, key)) => {
                        Error::new(format!("Object to be patched is missing field ({})", key.trim_start()))
                    }
                    None => Error::new(text),
                }
            })?;
            Ok(object)
        }
        PatchType::Merge | PatchType::Apply => {
            let text = json_merge::apply_text(&json::to_compact(&object), patch).map_err(|error| failed(&error))?;
            serde_json::from_str(&text).map_err(|error| failed(&error))
        }
        PatchType::Strategic => {
            let gvk = meta::gvk(&object);
            let Some(schema) = PatchSchema::of_kind(Schemas::builtin(), &gvk) else {
                return Err(Error::new(format!(
                    "strategic merge patch is not supported for {gvk} locally, try --type merge"
                )));
            };
            let patch = crate::patch::decode(patch).map_err(|error| failed(&error))?;
            strategic::apply(object, patch, schema).map_err(|error| failed(&error))
        }
    }
}
