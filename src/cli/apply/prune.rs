//! `apply --prune`: deletes what was applied before and is in the files no longer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ApplyArgs;
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::delete::{self, Deletion};
use crate::cli::error::{Error, Result};
use crate::cli::targets::{self, PAGE};
use crate::client;
use crate::kinds::Kind;
use crate::object::{GroupVersionKind, meta};
use crate::resource::{Query, Target};

/// The kinds that are pruned when none are named: group, version, kind.
pub(in crate::cli) const DEFAULTS: [(&str, &str, &str); 16] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Endpoints"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "Pod"),
    ("", "v1", "ReplicationController"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("batch", "v1", "Job"),
    ("batch", "v1", "CronJob"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("apps", "v1", "StatefulSet"),
    ("", "v1", "Namespace"),
    ("", "v1", "PersistentVolume"),
];

/// What kubectl says of kinds without namespaces when one is named.
pub(in crate::cli) const NAMESPACE_WARNING: &str = "Deprecated: kubectl apply will no longer prune non-namespaced resources by default \
                                 when used with the --namespace flag in a future release. To preserve the current \
                                 behaviour, list the resources you want to target explicitly in the \
                                 --prune-allowlist flag.";

/// What was applied: nothing of it is pruned.
#[derive(Debug, Default)]
pub(super) struct Visited {
    /// The uids of objects.
    pub uids: BTreeSet<String>,
    /// The namespaces of objects, and that of `--namespace`.
    pub namespaces: BTreeSet<String>,
}

/// How a pruner deletes.
pub(super) fn deletion(args: &ApplyArgs, propagation: &'static str, dry_run: DryRun) -> Deletion {
    Deletion {
        propagation,
        grace_period: args.how.grace_period,
        wait: false,
        timeout: None,
        dry_run,
        names: false,
        quiet: true,
        ignore_not_found: false,
    }
}

/// The kinds of `--prune-allowlist`, each `GROUP/VERSION/KIND` with `core` for the core group.
///
/// # Errors
/// Another form, or a kind that the server does not have.
pub(super) async fn allowed(cx: &Context, words: &[String]) -> Result<Vec<Arc<Kind>>> {
    let mut kinds = Vec::new();
    for word in words {
        let parts: Vec<&str> = word.split('/').collect();
        let [group, version, kind] = parts.as_slice() else {
            return Err(Error::new(format!(
                "invalid GroupVersionKind format: {word}, please follow <group/version/kind>"
            )));
        };
        let group = if *group == "core" { "" } else { group };
        kinds.push(mapping(cx, group, version, kind).await?);
    }
    Ok(kinds)
}

async fn mapping(cx: &Context, group: &str, version: &str, kind: &str) -> Result<Arc<Kind>> {
    let gvk = GroupVersionKind::new(group, version, kind);
    let found = cx.mapper()?.kind(&gvk).await.map_err(|error| cx.explain(error))?;
    found.ok_or_else(|| Error::new(format!("no matches for kind \"{kind}\" in version \"{}\"", gvk.group_version())))
}

/// The kinds to prune, those with namespaces first.
async fn kinds_to_prune(cx: &Context, allowed: Vec<Arc<Kind>>) -> Result<Vec<Arc<Kind>>> {
    let mut kinds = allowed;
    if kinds.is_empty() {
        cx.log('W', "prune.go:71", NAMESPACE_WARNING)?;
        for (group, version, kind) in DEFAULTS {
            let found = mapping(cx, group, version, kind).await;
            kinds.push(found.map_err(|error| {
                Error::new(format!(
                    "error retrieving RESTMappings to prune: invalid resource {group}/{version}, Kind={kind}, \
                     Namespaced={}: {}",
                    !matches!(kind, "Namespace" | "PersistentVolume"),
                    error.text()
                ))
            })?);
        }
    }
    kinds.sort_by_key(|kind| !kind.namespaced);
    Ok(kinds)
}

/// Deletes the objects of the kinds that match the selector, that were applied once, and that are not among `visited`.
///
/// # Errors
/// The first list or deletion that fails.
pub(super) async fn prune(
    cx: &Context,
    args: &ApplyArgs,
    allowed: Vec<Arc<Kind>>,
    visited: &Visited,
    how: &Deletion,
) -> Result<()> {
    let kinds = kinds_to_prune(cx, allowed).await?;
    let labels = args.selector.clone().unwrap_or_default();
    let query = |kind: &Arc<Kind>, namespace: &str| Query {
        kind: Arc::clone(kind),
        namespace: namespace.to_owned(),
        labels: labels.clone(),
        fields: String::new(),
    };
    let within = |namespace: &String| {
        kinds.iter().filter(|kind| kind.namespaced).map(|kind| query(kind, namespace)).collect::<Vec<_>>()
    };
    let mut queries: Vec<Query> = visited.namespaces.iter().flat_map(within).collect();
    queries.extend(kinds.iter().filter(|kind| !kind.namespaced).map(|kind| query(kind, "")));
    let lists = list(cx, &queries).await?;
    let printer = args.output.printer(&format!("pruned{}", how.dry_run.suffix()))?;
    for (query, found) in queries.iter().zip(lists) {
        let failed = |error: Error| {
            let scope = if query.kind.namespaced { "namespaced" } else { "nonNamespaced" };
            let kind = gvk_text(&query.kind);
            Error::new(format!("error pruning {scope} object {kind}: {}", error.text()))
        };
        for target in found.map_err(failed)? {
            let applied = meta::annotation(&target.object, meta::LAST_APPLIED).is_some();
            if !applied || visited.uids.contains(meta::uid(&target.object)) {
                continue;
            }
            if how.dry_run != DryRun::Client {
                delete::delete_one(cx, &target, how).await.map_err(failed)?;
            }
            printer.print(cx, &target.object)?;
        }
    }
    Ok(())
}

/// The objects of every query, each in its place.
///
/// # Errors
/// There is no way to the server.
pub(super) async fn list(cx: &Context, queries: &[Query]) -> Result<Vec<Result<Vec<Target>>>> {
    let lists = targets::list_all(cx.client()?, queries, PAGE, "application/json", false).await;
    let objects = |(query, list): (&Query, std::result::Result<_, client::Error>)| match list {
        Ok(mut list) => Ok(targets::of_list(query, &mut list)),
        Err(error) => Err(error.into()),
    };
    Ok(queries.iter().zip(lists).map(objects).collect())
}

/// `apps/v1, Kind=Deployment`, as Go prints a group, version and kind.
pub(super) fn gvk_text(kind: &Kind) -> String {
    format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind)
}
