//! `apply --server-side`: the server merges. What client-side apply left behind is handed over to the new manager.

use serde_json::json;

use super::{Applied, Applier};
use crate::cli::create::Writer;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::client::Request;
use crate::kinds::Schemas;
use crate::object::json::to_compact;
use crate::object::{Value, meta};
use crate::patch::PatchSchema;
use crate::patch::explain::{self, Explanation};
use crate::patch::ssa::{FieldPath, FieldSet, upgrade_patch};
use crate::resource::Target;

const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// The default manager; for it alone the last-applied annotation is kept up.
pub(super) const MANAGER: &str = "kubectl";
/// The manager that keeps the last-applied annotation from being dropped.
const LAST_APPLIED_MANAGER: &str = "kubectl-last-applied";
/// How often a migration is tried while others change the object.
const ATTEMPTS: usize = 5;

impl Applier<'_> {
    /// Sends the manifest as it is; afterwards hands over what client-side apply managed.
    pub(super) async fn on_server(&self, mut target: Target) -> Result<Applied> {
        if target.name.is_empty() {
            return Err(Error::new("resource name may not be empty"));
        }
        let manifest = to_compact(&target.object);
        let before = if self.args.explain { self.before(&target).await? } else { None };
        let manifest_object = target.object.clone();
        let object = self.send(&target, &manifest).await.map_err(explained)?;
        target.refresh(object);
        let explanation = before.map(|live| self.explain_merge(&target, &manifest_object, &live));
        let mut notes = Vec::new();
        self.migrate(&mut target, &manifest, &mut notes).await;
        self.warn_if_deleting(&target.object, &mut notes);
        Ok(Applied { object: target.object, operation: "serverside-applied", notes, explanation })
    }

    /// The object as it is, if it is there.
    async fn before(&self, target: &Target) -> Result<Option<Value>> {
        match targets::get(self.writer.cx.client()?, target, "", "application/json", &[]).await {
            Err(error) if error.is_not_found() => Ok(None),
            live => live.map(Some),
        }
    }

    /// How the object changes, by what this manager had applied before.
    fn explain_merge(&self, target: &Target, manifest: &Value, live: &Value) -> Explanation {
        let entries = meta::list_at(live, &["metadata", "managedFields"]).iter();
        let own = entries.filter(|entry| {
            meta::str_at(entry, &["operation"]) == "Apply" && meta::str_at(entry, &["manager"]) == self.writer.manager
        });
        let sets = own.filter_map(|entry| FieldSet::from_value(entry.get("fieldsV1")?).ok());
        let set = sets.fold(FieldSet::default(), |all, set| all.union(&set));
        let schema = PatchSchema::of_kind(Schemas::builtin(), &target.kind.gvk());
        explain::explain_result(schema, explain::owned(live, &set).as_ref(), manifest, live, &target.object)
    }

    async fn send(&self, target: &Target, manifest: &str) -> Result<Value> {
        let path = target.path(self.args.subresource.as_deref().unwrap_or_default());
        let request = Request::patch(path, APPLY_PATCH, manifest.to_owned());
        let request = self.writer.parameters(target.about(request));
        let force = if self.args.force_conflicts { "true" } else { "false" };
        self.writer.cx.json(request.query("force", force)).await
    }

    /// What fails here is tried again by the next apply, so it is only warned of.
    async fn migrate(&self, target: &mut Target, manifest: &str, notes: &mut Vec<String>) {
        let failed = |what: &str, error: &Error| {
            format!(
                "Warning: {what}. This is non-fatal and will be retried next time you apply. Error: {}",
                error.text()
            )
        };
        if let Err(error) = self.keep_last_applied(target).await {
            let what = "failed to migrate kubectl.kubernetes.io/last-applied-configuration for Server-Side Apply";
            notes.push(failed(what, &error));
            return;
        }
        match self.hand_over(target).await {
            Ok(false) => {}
            Ok(true) => match self.send(target, manifest).await {
                Ok(object) => target.refresh(object),
                Err(error) => {
                    let what = "failed to re-apply configuration after performing Server-Side Apply migration";
                    notes.push(failed(what, &error));
                }
            },
            Err(error) => {
                let what = "server rejected managed fields migration to Server-Side Apply";
                notes.push(failed(what, &error));
            }
        }
    }

    /// Gives the annotation a manager of its own, so that applying without it does not remove it.
    async fn keep_last_applied(&self, target: &mut Target) -> Result<()> {
        if self.writer.manager != MANAGER || !owners(&target.object, "Apply").is_empty() {
            return Ok(());
        }
        let Some(text) = meta::annotation(&target.object, meta::LAST_APPLIED) else { return Ok(()) };
        let mut object = json!({
            "apiVersion": target.kind.api_version(),
            "kind": target.kind.kind,
            "metadata": {"name": target.name, "annotations": {meta::LAST_APPLIED: text}},
        });
        if target.kind.namespaced {
            meta::set(&mut object, &["metadata", "namespace"], target.namespace.as_str());
        }
        let writer = Writer { manager: LAST_APPLIED_MANAGER.into(), ..self.writer.clone() };
        let request = Request::patch(self.path(target), APPLY_PATCH, to_compact(&object));
        let object = writer.cx.json(writer.parameters(target.about(request))).await?;
        target.refresh(object);
        Ok(())
    }

    fn path(&self, target: &Target) -> String {
        target.path(self.args.subresource.as_deref().unwrap_or_default())
    }

    /// Makes the fields of client-side apply's managers those of this manager; says whether there were any.
    async fn hand_over(&self, target: &mut Target) -> Result<bool> {
        let managers = owners(&target.object, "Update");
        let from: Vec<&str> = managers.iter().map(String::as_str).collect();
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let patch = upgrade_patch(&target.object, &from, &self.writer.manager, "");
            let Some(patch) = patch.map_err(|error| Error::new(error.to_string()))? else { return Ok(false) };
            let request = Request::patch(self.path(target), "application/json-patch+json", to_compact(&patch));
            match self.writer.cx.json(self.writer.parameters(target.about(request))).await {
                Ok(object) => {
                    target.refresh(object);
                    return Ok(true);
                }
                Err(error) if error.is_reason("Conflict") => failure = Some(error),
                Err(error) => return Err(error),
            }
            let live = targets::get(self.writer.cx.client()?, target, "", "application/json", &[]).await?;
            target.refresh(live);
        }
        failure.map_or(Ok(false), Err)
    }
}

/// The managers that own the last-applied annotation by `operation`, sorted.
fn owners(object: &Value, operation: &str) -> Vec<String> {
    let path = FieldPath::of_fields(&["metadata", "annotations", meta::LAST_APPLIED]);
    let owns = |entry: &&Value| {
        meta::str_at(entry, &["operation"]) == operation
            && FieldSet::from_value(entry.get("fieldsV1").unwrap_or(&Value::Null)).is_ok_and(|set| set.has(&path))
    };
    let entries = meta::list_at(object, &["metadata", "managedFields"]);
    let mut names: Vec<String> =
        entries.iter().filter(owns).map(|entry| meta::str_at(entry, &["manager"]).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// A failed apply with what helps against it.
fn explained(error: Error) -> Error {
    if error.as_status().is_some_and(|status| status.code == 415) {
        return Error::new(format!("Server-side apply not available on the server: ({})", error.text()));
    }
    if error.is_reason("Conflict") { conflict(&error) } else { error }
}

/// The ways out of a conflict, in kubectl's words.
fn conflict(error: &Error) -> Error {
    Error::new(format!(
        "{}\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve \
         this warning:\n* If you intend to manage all of these fields, please re-run the apply\n  command with the \
         `--force-conflicts` flag.\n* If you do not intend to manage all of the fields, please edit your\n  manifest \
         to remove references to the fields that should keep their\n  current managers.\n* You may co-own fields by \
         updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other \
         manager(s)\n  stop managing the field (remove it from their configuration).\nSee \
         https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
        error.text()
    ))
}
