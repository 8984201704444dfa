//! `edit`: objects in the user's editor.
//!
//! What the server finds invalid, and what cannot be read, comes back into the editor with the reasons at its top;
//! what is not saved stays in the file.

pub(super) mod editor;
pub(super) mod text;

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::args::{DryRun, FileArgs, OutputArgs, Printer, ValidateArgs, strip_managed_fields, unknown_format};
use super::context::Context;
use super::create::{Writer, save_config};
use super::error::{Error, Result};
use super::targets::{self, Found};
use super::verb::Run;
use crate::client::Request;
use crate::kinds::Schemas;
use crate::manifest;
use crate::object::go::quote;
use crate::object::{Value, json, meta};
use crate::patch::apply::PatchType;
use crate::patch::{PatchError, PatchSchema, Precondition, json_merge, strategic};
use crate::resource::{Selection, Target, documents};
use editor::Editor;
use text::Reason;

/// Edit objects of the server in an editor.
///
/// KUBE_EDITOR or EDITOR names the editor.
#[derive(Parser)]
pub struct EditArgs {
    /// Types and names: TYPE NAME…, TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME", default_value = "kubectl-edit")]
    field_manager: String,
    /// Print the patch that is sent
    #[arg(long)]
    output_patch: bool,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
    /// Keep the object as it is then in its last-applied annotation
    #[arg(long)]
    save_config: bool,
    /// Edit this subresource
    #[arg(long, value_name = "NAME", default_value = "")]
    subresource: String,
    /// Ends lines as Windows does
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    windows_line_endings: Option<bool>,
}

/// What must stay as it is.
const KEPT: [Precondition<'static>; 4] = [
    Precondition::Key("apiVersion"),
    Precondition::Key("kind"),
    Precondition::MetadataKey("name"),
    Precondition::Key("managedFields"),
];

impl Run for EditArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let selection = Selection {
            types_mean_all: true,
            subresource: self.subresource.clone(),
            ..cx.selection(self.words.clone(), self.files.options())?
        };
        let plan = cx.plan(&selection).await?;
        let validation = self.validate.directive()?;
        let Found { targets, errors, .. } = targets::fetch(cx, &selection, plan).await?;
        Error::many(errors)?;
        if targets.is_empty() {
            return Err(Error::new("edit cancelled, no objects found"));
        }
        let writer = Writer { cx, manager: self.field_manager.clone(), validation, dry_run: DryRun::None };
        let settings = Settings {
            output: self.output,
            windows_line_endings: self.windows_line_endings,
            save_config: self.save_config,
            outcome: Outcome::Patch { output_patch: self.output_patch },
        };
        Session { settings, cx, writer, selection, targets }.run().await
    }
}

/// What becomes of edited objects.
pub enum Outcome {
    /// What was changed is sent as a patch.
    Patch {
        /// Whether the patch is printed.
        output_patch: bool,
    },
    /// They are created.
    Create,
}

/// How objects are edited.
pub struct Settings {
    /// How they are shown in the editor and printed in the end.
    pub output: OutputArgs,
    /// Whether lines end as on Windows; the system's way where it is not said.
    pub windows_line_endings: Option<bool>,
    /// Keep the object in its last-applied annotation.
    pub save_config: bool,
    /// What becomes of them.
    pub outcome: Outcome,
}

/// One session in the editor, with as many passes as it takes.
pub struct Session<'a> {
    /// How.
    pub settings: Settings,
    /// The surroundings.
    pub cx: &'a Context,
    /// How the results are written.
    pub writer: Writer<'a>,
    /// What the objects were found by.
    pub selection: Selection,
    /// The objects.
    pub targets: Vec<Target>,
}

impl Session<'_> {
    /// Lets the user edit until all is saved, or nothing is to be.
    ///
    /// # Errors
    /// The editor cannot be run, or the server refuses what cannot be edited away.
    pub async fn run(self) -> Result<()> {
        let cx = self.cx;
        let mut pass = Pass::default();
        loop {
            match self.pass(pass).await {
                Ok(Some(next)) => pass = next,
                Ok(None) => return Ok(()),
                Err((error, file)) => {
                    if let Some(file) = file.filter(|file| file.exists()) {
                        let file = quote(&file.to_string_lossy());
                        cx.err_line(format!("A copy of your changes has been stored to {file}"))?;
                    }
                    return Err(error);
                }
            }
        }
    }
}

/// What one pass of the editor leaves to the next.
#[derive(Default)]
struct Pass {
    reasons: Vec<Reason>,
    /// The text so far, when it has to be edited again.
    edited: Option<String>,
    file: Option<PathBuf>,
}

impl Pass {
    fn fails(&mut self, head: String, causes: Vec<String>) {
        self.reasons.push(Reason { head, causes });
    }
}

/// A failure, and the file that keeps what was edited.
type Failed = (Error, Option<PathBuf>);

impl Session<'_> {
    /// One pass; gives the next one when it is needed.
    async fn pass(&self, before: Pass) -> Result<Option<Pass>, Failed> {
        let cx = self.cx;
        let original = self.original().map_err(|error| (error, before.file.clone()))?;
        let body = before.edited.as_deref().map_or_else(|| original.clone(), text::without_comments);
        let heading = if self.is_json() { String::new() } else { text::heading(&before.reasons) };
        let ending = if self.is_json() { ".json" } else { ".yaml" };
        let edited = Editor::of(cx).edit(cx, ending, &self.lines(&format!("{heading}{body}")));
        let (file, edited) = edited.map_err(|error| (error, before.file.clone()))?;
        let with = |error: Error| (error, Some(file.clone()));
        if before.edited.is_some_and(|before| text::meaning(&before) == text::meaning(&edited)) {
            return Err(with(Error::new("Edit cancelled, no valid changes were saved.")));
        }
        if let Some(former) = &before.file {
            std::fs::remove_file(former).ok();
        }
        let mut next = Pass { file: Some(file.clone()), edited: Some(edited.clone()), ..Pass::default() };
        if let Err(why) = readable(&edited) {
            let name = self.first_name();
            let cause = format!("<nil>: Invalid value: {}: {why}", quote("The edited file failed validation"));
            next.fails(format!("{name} was not valid"), vec![cause]);
            cx.err_line(format!("error: {name} is invalid")).map_err(with)?;
            return Ok(Some(next));
        }
        let cancelled = match (text::meaning(&original) == text::meaning(&edited), text::says_something(&edited)) {
            (true, _) => Some("Edit cancelled, no changes made."),
            (false, false) => Some("Edit cancelled, saved file was empty."),
            (false, true) => None,
        };
        if let Some(why) = cancelled {
            std::fs::remove_file(&file).ok();
            cx.err_line(why).map_err(with)?;
            return Ok(None);
        }
        match self.read(&edited).await {
            Ok(updated) => self.save(updated, next).await,
            Err(error) => {
                next.fails(format!("The edited file had a syntax error: {}", error.text()), Vec::new());
                Ok(Some(next))
            }
        }
    }

    fn is_json(&self) -> bool {
        self.settings.output.format() == "json"
    }

    /// The objects as they are edited: without managed fields, several as a list.
    fn original(&self) -> Result<String> {
        let mut objects: Vec<Value> = self.targets.iter().map(|target| target.object.clone()).collect();
        objects.iter_mut().for_each(strip_managed_fields);
        let object = match objects.len() {
            1 => objects.swap_remove(0),
            _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}),
        };
        match self.settings.output.format() {
            "" | "yaml" => Ok(manifest::to_yaml(&object)),
            "json" => Ok(format!("{}\n", json::to_indented(&object, "    "))),
            "kyaml" => Ok(manifest::to_kyaml(&object)),
            other => Err(unknown_format(other, &["json", "kyaml", "yaml"])),
        }
    }

    fn lines(&self, text: &str) -> String {
        if self.settings.windows_line_endings.unwrap_or(cfg!(windows)) {
            return text.replace('\n', "\r\n");
        }
        text.to_owned()
    }

    fn first_name(&self) -> String {
        self.targets.first().map(named).unwrap_or_default()
    }

    /// The objects of the edited text.
    async fn read(&self, edited: &str) -> Result<Vec<Target>> {
        let mut updated = Vec::new();
        for document in documents(edited.as_bytes(), "edited-file") {
            let document = document.map_err(|error| self.cx.explain(error))?;
            for target in self.cx.mapper()?.targets(&document).await {
                updated.push(target.map_err(|error| self.cx.explain(error))?);
            }
        }
        Ok(updated)
    }

    /// Sends every changed object; gives the next pass when some of them are invalid.
    async fn save(&self, updated: Vec<Target>, mut next: Pass) -> Result<Option<Pass>, Failed> {
        let file = next.file.clone().unwrap_or_default();
        let with = |error: Error| (error, Some(file.clone()));
        let selection = Selection { enforce_namespace: true, ..self.selection.clone() };
        let (mut missing, mut refused) = (false, false);
        for mut target in updated {
            selection.settle_namespace(&mut target).map_err(|error| with(self.cx.explain(error)))?;
            if self.settings.save_config {
                save_config(&mut target.object, true);
            }
            match self.save_one(&target).await {
                Ok((object, operation)) => {
                    self.printer(operation).and_then(|printer| printer.print(self.cx, &object)).map_err(with)?;
                }
                // What is created is not sent a second time.
                Err(error) if matches!(self.settings.outcome, Outcome::Create) => return Err(with(error)),
                Err(error) if error.as_status().is_none() && !error.is_request() => return Err(with(error)),
                Err(error) => {
                    let name = named(&target);
                    let told = if error.is_reason("Invalid") {
                        next.fails(format!("{name} was not valid"), causes(&error));
                        format!("error: {name} is invalid")
                    } else if error.is_not_found() {
                        missing = true;
                        format!("error: {name} could not be found on the server")
                    } else {
                        refused = true;
                        format!("error: {name} could not be patched: {}", error.text())
                    };
                    self.cx.err_line(told).map_err(with)?;
                }
            }
        }
        let file = file.to_string_lossy().into_owned();
        if refused {
            let program = &self.cx.program.name;
            let told = self.cx.err_line(format!("You can run `{program} replace -f {file}` to try this update again."));
            return Err((told.err().unwrap_or_else(|| Error::silent(1)), None));
        }
        if missing {
            let told = format!("The edits you made on deleted resources have been saved to {}", quote(&file));
            return Err((self.cx.err_line(told).err().unwrap_or_else(|| Error::silent(1)), None));
        }
        if next.reasons.is_empty() {
            std::fs::remove_file(&file).ok();
            return Ok(None);
        }
        Ok(Some(next))
    }

    fn printer(&self, operation: &str) -> Result<Printer> {
        self.settings.output.printer(operation)
    }

    /// Sends what was changed of one object; gives the object then, and what was done.
    async fn save_one(&self, edited: &Target) -> Result<(Value, &'static str)> {
        let Outcome::Patch { output_patch } = self.settings.outcome else {
            return Ok((self.writer.create(edited).await?, "created"));
        };
        let uid = meta::uid(&edited.object);
        let Some(original) = self.targets.iter().find(|target| meta::uid(&target.object) == uid) else {
            return Err(Error::new(format!("no original object found for {}", edited.printed())));
        };
        let mut before = original.object.clone();
        let mut after = edited.object.clone();
        strip_managed_fields(&mut before);
        strip_managed_fields(&mut after);
        if before == after {
            return Ok((after, "skipped"));
        }
        let (kind, patch) = patch(edited, &before, &after)?;
        let patch = json::to_compact(&patch);
        if output_patch {
            self.cx.line(format!("Patch: {patch}"))?;
        }
        let request = Request::patch(edited.path(&self.selection.subresource), kind.content_type(), patch);
        let object = self.cx.json(self.writer.parameters(edited.about(request))).await?;
        Ok((object, "edited"))
    }
}

/// `configmaps "one"`, as messages name an object.
fn named(target: &Target) -> String {
    format!("{} {}", target.kind.group_resource(), quote(&target.name))
}

fn causes(error: &Error) -> Vec<String> {
    let details = error.as_status().and_then(|status| status.details.as_ref());
    let causes = details.map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

/// The patch between two states, strategic where the kind is built in.
fn patch(target: &Target, before: &Value, after: &Value) -> Result<(PatchType, Value)> {
    const CHANGED: &str = "At least one of apiVersion, kind and name was changed";
    match PatchSchema::of_kind(Schemas::builtin(), &target.kind.gvk()) {
        Some(schema) => match strategic::two_way(before, after, schema, &KEPT) {
            Ok(patch) => Ok((PatchType::Strategic, patch)),
            Err(PatchError::Precondition(_)) => Err(Error::new(CHANGED)),
            Err(error) => Err(Error::new(error.to_string())),
        },
        None => {
            let patch = json_merge::two_way(before, after);
            let metadata = patch.get("metadata");
            let touched =
                patch.get("apiVersion").or(patch.get("kind")).or(metadata.and_then(|fields| fields.get("name")));
            if touched.is_some() { Err(Error::new(CHANGED)) } else { Ok((PatchType::Merge, patch)) }
        }
    }
}

/// Whether the text is YAML or JSON of objects that say what they are.
fn readable(edited: &str) -> Result<(), String> {
    let value = manifest::yaml_to_value(edited, false).map_err(|error| error.to_string())?;
    let Some(object) = value.as_object() else { return Err("invalid object to validate".into()) };
    let missing = ["apiVersion", "kind"].into_iter().filter(|field| !object.contains_key(*field));
    let missing: Vec<String> = missing.map(|field| format!("{field} not set")).collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}
