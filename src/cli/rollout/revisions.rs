//! The revisions of a workload: replica sets of deployments, controller revisions of daemon sets and stateful sets.

use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::client::{ListOptions, Request};
use crate::kinds::Schemas;
use crate::object::selector::{LabelSelector, format_struct};
use crate::object::{GroupKind, meta};
use crate::patch::{PatchSchema, strategic};
use crate::resource::Target;

/// The annotation that says which revision a replica set is.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation that says why there is a revision.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// One revision of a workload.
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// What keeps it: a replica set or a controller revision.
    pub keeper: Value,
    /// The object as it was then: the replica set itself, or the workload with the revision applied.
    pub object: Value,
}

impl Revision {
    /// The pod template of then.
    pub fn template(&self) -> Value {
        meta::get(&self.object, &["spec", "template"]).cloned().unwrap_or_default()
    }

    /// Why it came about, or empty.
    pub fn cause(&self) -> &str {
        meta::annotation(&self.keeper, CHANGE_CAUSE).unwrap_or_default()
    }
}

/// A workload with its revisions, by number.
pub struct Workload {
    /// The workload as it is now.
    pub object: Value,
    /// Its revisions.
    pub revisions: Vec<Revision>,
}

/// What a command wants of a workload, as its refusals say it.
pub struct Wish {
    /// `history`, in `error retrieving history for`.
    pub what: &'static str,
    /// `history viewer`, in `no history viewer has been implemented for`.
    pub who: &'static str,
}

/// Refuses kinds without revisions.
pub fn check(kind: &GroupKind, wish: &Wish) -> Result<()> {
    let known = match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment" | "DaemonSet" | "StatefulSet") => return Ok(()),
        ("", "Pod" | "ReplicationController") | ("apps", "ReplicaSet") | ("batch", "Job" | "CronJob") => true,
        _ => false,
    };
    let quoted = crate::object::go::quote(&kind.to_string());
    Err(Error::new(if known {
        format!("no {} has been implemented for {quoted}", wish.who)
    } else {
        let (group, kind) = (&kind.group, &kind.kind);
        format!("error retrieving {} for {quoted}, no visitor method exists for {{{group} {kind}}}", wish.what)
    }))
}

/// Reads a workload and its revisions.
pub async fn of(cx: &Context, target: &Target) -> Result<Workload> {
    let kind = target.kind.kind.as_str();
    let shown = match kind {
        "Deployment" => "deployment",
        "StatefulSet" => "Statefulset",
        other => other,
    };
    let failed = |error: Error| Error::new(format!("failed to retrieve {shown} {}: {}", target.name, error.text()));
    let object = cx.json(target.about(Request::get(target.path("")))).await.map_err(failed)?;
    let selector = meta::get(&object, &["spec", "selector"]).cloned().unwrap_or_default();
    LabelSelector::from_struct(&selector)
        .map_err(|error| Error::new(format!("failed to create selector for {kind} {}: {error}", target.name)))?;
    let (resource, item) = if kind == "Deployment" {
        ("replicasets", "ReplicaSet")
    } else {
        ("controllerrevisions", "ControllerRevision")
    };
    let path = format!("/apis/apps/v1/namespaces/{}/{resource}", target.namespace);
    let options = ListOptions { labels: format_struct(&selector), ..ListOptions::default() };
    let mut list = cx.client()?.list(&path, &options, "application/json").await?;
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let mut revisions = Vec::new();
    for mut keeper in items {
        if meta::controller_of(&keeper).is_none_or(|owner| meta::str_at(owner, &["uid"]) != meta::uid(&object)) {
            continue;
        }
        keeper["apiVersion"] = "apps/v1".into();
        keeper["kind"] = item.into();
        revisions.push(if kind == "Deployment" {
            let number = meta::annotation(&keeper, REVISION).unwrap_or("0");
            let Ok(number) = number.parse() else { continue };
            Revision { number, object: keeper.clone(), keeper }
        } else {
            let number = meta::int_at(&keeper, &["revision"]).unwrap_or_default();
            Revision { number, object: applied(&object, &keeper)?, keeper }
        });
    }
    revisions.sort_by_key(|revision| revision.number);
    Ok(Workload { object, revisions })
}

/// The workload as it was at a controller revision.
fn applied(object: &Value, keeper: &Value) -> Result<Value> {
    let Some(schema) = PatchSchema::of_kind(Schemas::builtin(), &meta::gvk(object)) else { return Ok(object.clone()) };
    let patch = keeper.get("data").cloned().unwrap_or_default();
    strategic::apply(object.clone(), patch, schema).map_err(|error| Error::new(error.to_string()))
}
