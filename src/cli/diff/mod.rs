//! `diff`: what `apply` would change.

mod versions;

use std::collections::BTreeSet;

use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;

use super::apply::prune::{DEFAULTS, NAMESPACE_WARNING};
use super::args::{FileArgs, strip_managed_fields};
use super::context::Context;
use super::error::{Error, Result};
use super::targets::{self, PARALLEL};
use super::verb::Run;
use crate::client::{ListOptions, Request, collection_path};
use crate::kinds::Schemas;
use crate::manifest::to_yaml;
use crate::object::json::to_compact;
use crate::object::{GroupVersionKind, Value, meta};
use crate::patch::apply as merge;
use crate::resource::{Plan, Selection, Target};
use versions::{Version, Versions};

/// Show what apply would change.
///
/// Exits with 0 when nothing would change, with 1 when something would, and with more when it cannot tell.
/// KUBECTL_EXTERNAL_DIFF names another program to compare with; it gets two folders.
#[derive(Parser)]
pub struct DiffArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Accepted: objects are always worked on in parallel
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    concurrency: i32,
    /// Name under which the server keeps who manages which field
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// With --server-side, take fields from other managers
    #[arg(long)]
    force_conflicts: bool,
    /// Show objects that a prune would delete
    #[arg(long)]
    prune: bool,
    /// Kinds to prune: GROUP/VERSION/KIND, with core for the core group
    #[arg(long, value_name = "KIND")]
    prune_allowlist: Vec<String>,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Merge on the server
    #[arg(long)]
    server_side: bool,
    /// Show managedFields
    #[arg(long)]
    show_managed_fields: bool,
    /// Show the values of secrets
    #[arg(long)]
    show_secrets: bool,
}

impl Run for DiffArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let outcome = self.compare(cx).await;
        // One is for differences.
        if outcome.map_err(|error| error.with_code(2))? { Err(Error::silent(1)) } else { Ok(()) }
    }
}

impl DiffArgs {
    fn check(&self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("Unexpected args: [{}]", self.words.join(" "))));
        }
        if self.files.is_empty() {
            return Err(Error::new("must specify one of -f and -k"));
        }
        if self.force_conflicts && !self.server_side {
            return Err(Error::new("--force-conflicts only works with --server-side"));
        }
        Ok(())
    }

    /// Prints the differences; gives whether there are any.
    async fn compare(&self, cx: &Context) -> Result<bool> {
        self.check(cx)?;
        let pruned_kinds = self.pruned_kinds()?;
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            ..cx.selection(Vec::new(), self.files.options())?
        };
        let Plan::Documents { documents, .. } = cx.plan(&selection).await? else { return Ok(false) };
        let found = targets::of_documents(cx, &selection, documents, false).await;
        if let Some(first) = found.errors.into_iter().next() {
            return Err(first);
        }
        let mut versions = Versions::default();
        let mut seen = Vec::new();
        let mut namespaces = BTreeSet::new();
        let mut results = stream::iter(found.targets).map(|target| self.versions(cx, target)).buffered(PARALLEL);
        while let Some(result) = results.next().await {
            let (target, live, merged) = result?;
            if let Some(live) = &live {
                seen.push(meta::uid(live).to_owned());
                if meta::deletion_timestamp(live).is_some() {
                    cx.err_line(format!(
                        "Warning: Detected changes to resource {} which is currently being deleted.",
                        target.name
                    ))?;
                }
            }
            if target.kind.namespaced {
                namespaces.insert(target.namespace.clone());
            }
            let (live, merged) = self.shown(live, merged);
            let text = live.as_ref().map(to_yaml).unwrap_or_default();
            versions.insert(file_name(&target), Version::new(text), Version::new(to_yaml(&merged)));
        }
        drop(results);
        if self.prune {
            for object in self.pruned(cx, &pruned_kinds, &namespaces, &seen).await? {
                let place = format!("{}.{}", meta::namespace(&object), meta::name(&object));
                let name = format!("{}.{place}", prefix(&meta::gvk(&object)));
                versions.insert(name, Version::new(to_yaml(&object)), Version::default());
            }
        }
        versions.compare(cx)
    }

    /// The object as it is, if it is, and as it would be.
    async fn versions(&self, cx: &Context, target: Target) -> Result<(Target, Option<Value>, Value)> {
        let live = match targets::get(cx.client()?, &target, "", "application/json", &[]).await {
            Ok(live) => Some(live),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let merged = match &live {
            _ if self.server_side => self.merge_on_server(cx, &target).await.inspect_err(|error| {
                if error.is_reason("Conflict") {
                    let what = format!("({}: {})", target.kind.gvk(), target.name);
                    cx.log('W', "diff.go:693", &format!("Object {what} keeps changing, diffing without lock")).ok();
                }
            })?,
            Some(live) => self.merge(cx, &target, live).await?,
            None => {
                let request = target.about(Request::post(target.collection(), &target.object));
                cx.json(self.dry(request)).await?
            }
        };
        Ok((target, live, merged))
    }

    fn dry(&self, request: Request) -> Request {
        let default = if self.server_side { "kubectl" } else { "kubectl-client-side-apply" };
        request.query("dryRun", "All").query("fieldManager", self.field_manager.as_deref().unwrap_or(default))
    }

    async fn merge_on_server(&self, cx: &Context, target: &Target) -> Result<Value> {
        let patch = to_compact(&target.object);
        let request = target.about(Request::patch(target.path(""), "application/apply-patch+yaml", patch));
        let force = if self.force_conflicts { "true" } else { "false" };
        cx.json(self.dry(request).query("force", force)).await
    }

    /// The three-way merge; unlike `apply` it leaves the last-applied annotation as it is.
    async fn merge(&self, cx: &Context, target: &Target, live: &Value) -> Result<Value> {
        let failed = |error: crate::patch::PatchError| Error::new(error.to_string());
        // The form without the annotation has a map of annotations, though an empty one, as what was applied has.
        let modified = crate::patch::decode(&merge::last_applied_config(&target.object)).map_err(failed)?;
        let original = merge::last_applied(live).map_err(failed)?;
        let gvk = target.kind.gvk();
        let outcome = merge::three_way(&gvk, Schemas::builtin(), original.as_ref(), &modified, live, true);
        let outcome = outcome.map_err(failed)?;
        if outcome.is_empty {
            return Ok(live.clone());
        }
        let patch = Request::patch(target.path(""), outcome.patch_type.content_type(), outcome.text());
        cx.json(self.dry(target.about(patch))).await
    }

    /// The versions as they are shown: without managed fields and secrets.
    fn shown(&self, mut live: Option<Value>, mut merged: Value) -> (Option<Value>, Value) {
        if !self.show_managed_fields {
            live.as_mut().into_iter().chain([&mut merged]).for_each(strip_managed_fields);
        }
        let gvk = meta::gvk(&merged);
        if !self.show_secrets && gvk.version == "v1" && gvk.kind == "Secret" {
            mask(live.as_mut(), &mut merged);
        }
        (live, merged)
    }

    fn pruned_kinds(&self) -> Result<Vec<GroupVersionKind>> {
        if self.prune_allowlist.is_empty() {
            return Ok(DEFAULTS
                .iter()
                .map(|(group, version, kind)| GroupVersionKind::new(*group, *version, *kind))
                .collect());
        }
        let read = |text: &String| match text.split('/').collect::<Vec<_>>().as_slice() {
            ["core", version, kind] => Ok(GroupVersionKind::new("", *version, *kind)),
            [group, version, kind] => Ok(GroupVersionKind::new(*group, *version, *kind)),
            _ => {
                Err(Error::new(format!("invalid GroupVersionKind format: {text}, please follow <group/version/kind>")))
            }
        };
        self.prune_allowlist.iter().map(read).collect()
    }

    /// Objects that were applied once and are not in the files.
    async fn pruned(
        &self,
        cx: &Context,
        kinds: &[GroupVersionKind],
        namespaces: &BTreeSet<String>,
        seen: &[String],
    ) -> Result<Vec<Value>> {
        if self.prune_allowlist.is_empty() {
            cx.log('W', "prune.go:71", NAMESPACE_WARNING)?;
        }
        let labels = self.selector.clone().unwrap_or_default();
        let options = ListOptions { labels, ..ListOptions::default() };
        let cluster = BTreeSet::from([String::new()]);
        let mut found = Vec::new();
        for gvk in kinds {
            let Some(kind) = cx.mapper()?.kind(gvk).await.map_err(|error| cx.explain(error))? else { continue };
            for namespace in if kind.namespaced { namespaces } else { &cluster } {
                let path = collection_path(&kind, namespace);
                let mut list = cx.client()?.list(&path, &options, "application/json").await?;
                let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
                for mut object in items {
                    let applied = meta::annotation(&object, meta::LAST_APPLIED).is_some();
                    if applied && !seen.iter().any(|uid| uid == meta::uid(&object)) {
                        meta::set(&mut object, &["apiVersion"], kind.api_version());
                        meta::set(&mut object, &["kind"], kind.kind.clone());
                        found.push(object);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// `apps.v1.Deployment`, without a group `v1.Pod`.
fn prefix(gvk: &GroupVersionKind) -> String {
    let dot = if gvk.group.is_empty() { "" } else { "." };
    format!("{}{dot}{}.{}", gvk.group, gvk.version, gvk.kind)
}

fn file_name(target: &Target) -> String {
    format!("{}.{}.{}", prefix(&target.kind.gvk()), target.namespace, target.name)
}

/// Hides the values of a secret so that it still shows which of them change.
fn mask(live: Option<&mut Value>, merged: &mut Value) {
    let data = |object: &Value| object.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    let after = data(merged);
    let before = live.as_deref().map(data).unwrap_or_default();
    let hide = |object: &mut Value, other: &crate::object::Map<String, Value>, changed: &str| {
        for (key, value) in object.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten() {
            let differs = other.get(key).is_some_and(|other| other != value);
            *value = json!(if differs { changed } else { "***" });
        }
    };
    if let Some(live) = live {
        hide(live, &after, "*** (before)");
    }
    hide(merged, &before, "*** (after)");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_show_only_what_changes() {
        let mut live = json!({"data": {"same": "a", "changed": "b", "gone": "c"}});
        let mut merged = json!({"data": {"same": "a", "changed": "x", "new": "d"}});
        mask(Some(&mut live), &mut merged);
        assert_eq!(live, json!({"data": {"same": "***", "changed": "*** (before)", "gone": "***"}}));
        assert_eq!(merged, json!({"data": {"same": "***", "changed": "*** (after)", "new": "***"}}));
    }
}
