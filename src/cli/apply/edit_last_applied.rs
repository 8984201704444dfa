//! `apply edit-last-applied`: what was last applied, in the user's editor.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::args::{FileArgs, OutputArgs};
use crate::cli::context::Context;
use crate::cli::edit::editor::Editor;
use crate::cli::edit::text::without_comments;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::cli::verb::Run;
use crate::client::Request;
use crate::manifest;
use crate::object::json::{to_compact, to_indented};
use crate::object::meta;
use crate::patch::apply as merge;
use crate::resource::{Selection, documents};

const HEADING: &str = "# Please edit the 'last-applied-configuration' annotations below.\n# Lines beginning with a \
                       '#' will be ignored, and an empty file will abort the edit.\n#\n";
const NONE: &str = "no last-applied-configuration annotation found on resources, to create the annotation, use command \
                    `kubectl apply set-last-applied --create-annotation`";

/// Edit what was last applied, without changing anything else.
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
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME", default_value = "kubectl-client-side-apply")]
    field_manager: String,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
    /// Accepted, without effect: the server checks what it is sent
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_value = "strict",
          default_missing_value = "strict")]
    validate: String,
    /// Lines of the edited file end as on Windows
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    windows_line_endings: Option<bool>,
}

impl EditArgs {
    /// The manifests as they were last applied; several as one list.
    async fn original(&self, cx: &Context) -> Result<Value> {
        let selection = Selection { types_mean_all: true, ..cx.selection(self.words.clone(), self.files.options())? };
        let plan = cx.plan(&selection).await?;
        let found = targets::fetch(cx, &selection, plan).await?;
        Error::many(found.errors)?;
        let mut manifests = Vec::new();
        for target in &found.targets {
            manifests.extend(merge::last_applied(&target.object).map_err(|error| Error::new(error.to_string()))?);
        }
        match manifests.len() {
            0 => Err(Error::new(NONE)),
            1 => Ok(manifests.swap_remove(0)),
            _ => Ok(json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": manifests})),
        }
    }
}

impl Run for EditArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let printer = self.output.printer("edited")?;
        let original = self.original(cx).await?;
        let is_json = self.output.format() == "json";
        let (text, heading, ending) = match is_json {
            true => (format!("{}\n", to_indented(&original, "    ")), "", ".json"),
            false => (manifest::to_yaml(&original), HEADING, ".yaml"),
        };
        let mut shown = format!("{heading}{text}");
        if self.windows_line_endings.unwrap_or(cfg!(windows)) {
            shown = shown.replace('\n', "\r\n");
        }
        let (file, edited) = Editor::of(cx).edit(cx, ending, &shown)?;
        let edited = without_comments(&edited.replace("\r\n", "\n"));
        if edited.trim().is_empty() || edited.trim() == text.trim() {
            std::fs::remove_file(&file).ok();
            let why = if edited.trim().is_empty() { "saved file was empty" } else { "no changes made" };
            return cx.err_line(format!("Edit cancelled, {why}."));
        }
        let saved = self.save(cx, &printer, &edited).await;
        match &saved {
            Ok(()) => drop(std::fs::remove_file(&file)),
            Err(_) => {
                let file = crate::object::go::quote(&file.to_string_lossy());
                cx.err_line(format!("A copy of your changes has been stored to {file}"))?;
            }
        }
        saved
    }
}

impl EditArgs {
    async fn save(&self, cx: &Context, printer: &crate::cli::args::Printer, edited: &str) -> Result<()> {
        let selection = cx.selection(Vec::new(), self.files.options())?;
        let documents = documents(edited.as_bytes(), "edited-file");
        let found = targets::of_documents(cx, &selection, documents, false).await;
        Error::many(found.errors)?;
        for target in found.targets {
            let patch = json!({"metadata": {"annotations": {meta::LAST_APPLIED: to_compact(&target.object)}}});
            let request = Request::patch(target.path(""), "application/merge-patch+json", patch.to_string());
            let object = cx.json(target.about(request).query("fieldManager", self.field_manager.as_str())).await?;
            printer.print(cx, &object)?;
        }
        Ok(())
    }
}
