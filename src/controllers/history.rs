//! Controller revisions: the templates that a daemon set or stateful set had, numbered.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::pods::{self, Claim};
use super::runtime::{Action, Key, Resource, World, owner_reference};
use crate::object::meta::{get, int_at};
use crate::object::selector::LabelSelector;
use crate::object::{Map, Value, meta};

/// apps/v1 controller revisions.
pub(super) fn revisions() -> Resource {
    Resource::new("apps", "v1", "controllerrevisions")
}

/// The label of pods (and of daemon sets' revisions) that names their revision.
pub(super) const HASH_LABEL: &str = "controller-revision-hash";

/// The revisions of one owner.
pub(super) struct History {
    /// By number, oldest first.
    pub list: Vec<Arc<Value>>,
}

/// The revision of an owner's present template.
pub(super) struct Present {
    pub revision: Value,
    /// The writes that make or renumber it.
    pub changes: Vec<Action>,
    /// Another revision has the name that this one should get, so the owner's `status.collisionCount` has to grow.
    pub collides: bool,
}

fn number(revision: &Value) -> i64 {
    int_at(revision, &["revision"]).unwrap_or_default()
}

/// What a revision keeps of its owner: a patch that puts the template back.
pub(super) fn data_of(owner: &Value) -> Value {
    let mut template = get(owner, &["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

/// The template that a revision keeps.
pub(super) fn template_of(revision: &Value) -> Value {
    let mut template = get(revision, &["data", "spec", "template"]).cloned().unwrap_or_default();
    meta::remove(&mut template, &["$patch"]);
    template
}

impl History {
    /// The revisions of an owner, with the writes that take over those without one.
    pub fn of(world: &World<'_>, owner: &Value, selector: &LabelSelector) -> (Self, Vec<Action>) {
        let Claim { owned: mut list, changes } = pods::claim_of(world, &revisions(), owner, selector);
        list.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| meta::name(a).cmp(meta::name(b))));
        (Self { list }, changes)
    }

    /// The revision of the owner's present template: found, given the highest number again, or made with `hash` in its
    /// name and under `label`.
    pub fn present(&self, world: &World<'_>, owner: &Value, hash: &str, label: &str) -> Present {
        let data = data_of(owner);
        let next = self.list.last().map_or(1, |newest| number(newest) + 1);
        let newest = self.list.len().saturating_sub(1);
        match self.list.iter().rposition(|revision| revision["data"] == data) {
            Some(at) if at == newest => {
                Present { revision: self.list[at].as_ref().clone(), changes: Vec::new(), collides: false }
            }
            Some(at) => {
                let mut revision = self.list[at].as_ref().clone();
                let change = Action::merge(
                    &revisions(),
                    &revision,
                    json!({"metadata": {"uid": meta::uid(&revision)}, "revision": next}),
                );
                revision["revision"] = json!(next);
                Present { revision, changes: vec![change], collides: false }
            }
            None => {
                let revision = new(owner, data, hash, label, next);
                let collides = world.cache.get(&revisions(), &Key::of(&revision)).is_some();
                let create = Action::Create { resource: revisions(), object: revision.clone() };
                Present { revision, changes: vec![create], collides }
            }
        }
    }

    /// Deletes the oldest revisions that nothing uses (`live`: names), but for as many as the owner wants to keep.
    pub fn clean_up(&self, owner: &Value, live: &HashSet<String>) -> Vec<Action> {
        let keep = int_at(owner, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
        let unused: Vec<&Arc<Value>> = self.list.iter().filter(|r| !live.contains(meta::name(r))).collect();
        let surplus = unused.len().saturating_sub(usize::try_from(keep).unwrap_or_default());
        unused.into_iter().take(surplus).map(|revision| Action::delete(&revisions(), revision)).collect()
    }
}

fn new(owner: &Value, data: Value, hash: &str, label: &str, number: i64) -> Value {
    let mut labels = meta::map_at(owner, &["spec", "template", "metadata", "labels"]).cloned().unwrap_or_default();
    labels.insert(label.to_owned(), json!(hash));
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(format!("{}-{hash}", meta::name(owner))));
    metadata.insert("namespace".into(), json!(meta::namespace(owner)));
    metadata.insert("labels".into(), Value::Object(labels));
    if let Some(annotations) = get(owner, &["metadata", "annotations"]) {
        metadata.insert("annotations".into(), annotations.clone());
    }
    metadata.insert("ownerReferences".into(), json!([owner_reference(owner)]));
    json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "data": data,
        "revision": number})
}
