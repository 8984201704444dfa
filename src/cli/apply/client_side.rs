//! The three-way merge of last-applied, manifest and live object.

use std::time::Duration;

use super::{Applied, Applier};
use crate::cli::args::DryRun;
use crate::cli::delete::{self, Deletion};
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::cli::wait::{self, Limit};
use crate::client::Request;
use crate::kinds::Schemas;
use crate::object::json::to_compact;
use crate::object::{GroupVersionKind, Value, meta};
use crate::patch::apply as merge;
use crate::patch::explain::{self, Explanation};
use crate::resource::Target;

/// How often a merge is tried while others change the object.
const ATTEMPTS: usize = 5;

/// The outcome of patching.
struct Patched {
    object: Value,
    /// What was sent.
    patch: String,
    /// Why it turns out as it does.
    explanation: Option<Explanation>,
}

impl Applier<'_> {
    /// Creates or merges one object.
    pub(super) async fn on_client(&self, mut target: Target) -> Result<Applied> {
        let client = self.writer.cx.client()?;
        let modified = merge::with_last_applied(&target.object);
        let live = match targets::get(client, &target, "", "application/json", &[]).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() || self.is_offline(&error) => {
                return self.create(target, modified).await;
            }
            Err(error) => {
                let doing = format!("retrieving current configuration of:\n{}\nfrom server for:", target.describe());
                return Err(error.when(&doing, &target.source));
            }
        };
        let mut notes = Vec::new();
        if meta::annotation(&live, meta::LAST_APPLIED).is_none() {
            notes.push(format!(
                "Warning: resource {}/{} is missing the {} annotation which is required by {program} apply. {program} \
                 apply should only be used on resources created declaratively by either {program} create --save-config \
                 or {program} apply. The missing annotation will be patched automatically.",
                target.kind.plural,
                target.name,
                meta::LAST_APPLIED,
                program = self.program,
            ));
        }
        let mut sent = String::new();
        let patched = self.patch(&target, &modified, live.clone(), &mut sent).await.map_err(|error| {
            let about = Target { object: live, ..target.clone() };
            error.when(&format!("applying patch:\n{sent}\nto:\n{}\nfor:", about.describe()), &target.source)
        })?;
        target.refresh(patched.object);
        self.warn_if_deleting(&target.object, &mut notes);
        let operation = if patched.patch == "{}" { "unchanged" } else { "configured" };
        Ok(Applied { object: target.object, operation, notes, explanation: patched.explanation })
    }

    /// Whether a dry run in the client goes on as if nothing were there, because nobody answers.
    fn is_offline(&self, error: &Error) -> bool {
        self.writer.dry_run == DryRun::Client && self.writer.cx.is_offline() && error.is_request()
    }

    async fn create(&self, mut target: Target, modified: Value) -> Result<Applied> {
        target.object = modified;
        prune_nulls(&mut target.object);
        if self.writer.dry_run != DryRun::Client {
            let created = self.writer.create(&target).await.map_err(|error| error.when("creating", &target.source))?;
            target.refresh(created);
        }
        Ok(Applied { object: target.object, operation: "created", notes: Vec::new(), explanation: None })
    }

    /// Merges; again from what is there then when others were quicker, by deleting when forced.
    async fn patch(&self, target: &Target, modified: &Value, live: Value, sent: &mut String) -> Result<Patched> {
        let mut current = live.clone();
        let mut attempt = 0;
        let error = loop {
            let error = match self.patch_once(target, modified, current, sent).await {
                Ok(patched) => return Ok(patched),
                Err(error) => error,
            };
            attempt += 1;
            if !error.is_reason("Conflict") || attempt > ATTEMPTS {
                break error;
            }
            if attempt > 1 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            current = targets::get(self.writer.cx.client()?, target, "", "application/json", &[]).await?;
        };
        if self.args.how.force && (error.is_reason("Conflict") || error.is_reason("Invalid")) {
            return self.recreate(target, modified, &live).await;
        }
        Err(error.when("patching", &target.source))
    }

    async fn patch_once(&self, target: &Target, modified: &Value, live: Value, sent: &mut String) -> Result<Patched> {
        let (gvk, schemas) = (target.kind.gvk(), Schemas::builtin());
        let original = merge::last_applied(&live).map_err(|error| Error::new(error.to_string()))?;
        let computed = merge::three_way(&gvk, schemas, original.as_ref(), modified, &live, self.args.overwrite);
        let outcome = computed.map_err(|error| {
            let text = |value: Option<&Value>| value.map(to_compact).unwrap_or_default();
            Error::new(format!(
                "creating patch with:\noriginal:\n{}\nmodified:\n{}\ncurrent:\n{}\nfor: {error}",
                text(original.as_ref()),
                to_compact(modified),
                to_compact(&live)
            ))
        })?;
        if outcome.is_empty {
            return Ok(Patched { object: live, patch: "{}".into(), explanation: None });
        }
        let explanation = self.explain(&gvk, original.as_ref(), &target.object, &live, &outcome)?;
        let patch = outcome.text();
        patch.clone_into(sent);
        if self.writer.dry_run == DryRun::Client {
            let object = merge::apply(&gvk, schemas, live, &outcome)
                .map_err(|error| Error::new(format!("applying patch locally: {error}")))?;
            return Ok(Patched { object, patch, explanation });
        }
        let media_type = outcome.patch_type.content_type();
        let request = target.about(Request::patch(target.path(""), media_type, patch.clone()));
        let object = self.writer.cx.json(self.writer.parameters(request)).await?;
        Ok(Patched { object, patch, explanation })
    }

    /// Why the merge turns out as it does, when asked for.
    fn explain(
        &self,
        gvk: &GroupVersionKind,
        original: Option<&Value>,
        manifest: &Value,
        live: &Value,
        outcome: &merge::PatchOutcome,
    ) -> Result<Option<Explanation>> {
        if !self.args.explain {
            return Ok(None);
        }
        let explained = explain::explain(gvk, Schemas::builtin(), original, manifest, live, outcome);
        explained.map(Some).map_err(|error| Error::new(format!("explaining patch: {error}")))
    }

    /// Deletes the object and creates it anew; what was there comes back when that fails.
    async fn recreate(&self, target: &Target, modified: &Value, live: &Value) -> Result<Patched> {
        let cx = self.writer.cx;
        let how = Deletion {
            propagation: self.propagation,
            grace_period: self.args.how.grace_period.max(0),
            wait: true,
            timeout: None,
            dry_run: DryRun::None,
            names: false,
            quiet: true,
            ignore_not_found: false,
        };
        delete::delete_one(cx, target, &how).await?;
        wait::gone(cx, target, "", Limit::forever(self.args.how.timeout.positive())).await?;
        let renewed = Target { object: modified.clone(), ..target.clone() };
        let error = match self.writer.create(&renewed).await {
            Ok(object) => return Ok(Patched { object, patch: to_compact(modified), explanation: None }),
            Err(error) => error,
        };
        let mut former = Target { object: live.clone(), ..target.clone() };
        meta::remove(&mut former.object, &["metadata", "resourceVersion"]);
        meta::remove(&mut former.object, &["metadata", "uid"]);
        match self.writer.create(&former).await {
            Ok(_) => Err(error),
            Err(second) => Err(Error::new(format!(
                "An error occurred force-replacing the existing object with the newly provided one:\n\n{}.\n\n\
                 Additionally, an error occurred attempting to restore the original object:\n\n{}",
                error.text(),
                second.text()
            ))),
        }
    }
}

/// Takes fields that are `null` out of maps, as they cannot be created.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}
