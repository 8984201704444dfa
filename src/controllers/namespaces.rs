//! Empties a namespace that is being deleted, then lets it go.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::json;

use super::pods::set_condition;
use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::list_at;
use crate::object::{Value, meta};

/// The finalizer in `spec.finalizers` that holds a namespace until it is empty.
const FINALIZER: &str = "kubernetes";

fn namespaces() -> Resource {
    Resource::new("", "v1", "namespaces")
}

/// The namespace controller.
#[derive(Default)]
pub struct Namespaces;

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(namespaces())]
    }

    /// Whatever goes away, or comes too late, in a namespace that is going away.
    fn keys_of_any(&self, cache: &Cache, _: &Resource, change: &Change<'_>) -> Vec<Key> {
        let key = Key::cluster(meta::namespace(change.object()));
        let dying = cache.get(&namespaces(), &key).is_some_and(|n| meta::deletion_timestamp(&n).is_some());
        if dying { vec![key] } else { Vec::new() }
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(namespace) = world.cache.get(&namespaces(), key) else { return Vec::new() };
        let finalizers = list_at(&namespace, &["spec", "finalizers"]);
        let held = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if meta::deletion_timestamp(&namespace).is_none() || !held {
            return Vec::new();
        }
        let content = content(world.cache, &key.name);
        if content.is_empty() {
            let mut object = namespace.as_ref().clone();
            let others: Vec<Value> = finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
            meta::set(&mut object, &["spec", "finalizers"], others);
            return vec![Action::Update { resource: namespaces(), subresource: Some("finalize"), object }];
        }
        let mut actions: Vec<Action> = content
            .iter()
            .filter(|(_, object)| meta::deletion_timestamp(object).is_none())
            .map(|(resource, object)| Action::delete(resource, object))
            .collect();
        if actions.is_empty() {
            actions.extend(report(world, &namespace, &content));
        }
        actions
    }
}

/// Everything in a namespace.
fn content(cache: &Cache, namespace: &str) -> Vec<(Resource, Arc<Value>)> {
    let mut resources = cache.resources();
    resources.sort();
    let objects = |resource: Resource| {
        let found = cache.list(&resource, Some(namespace));
        found.into_iter().map(move |object| (resource.clone(), object))
    };
    resources.into_iter().flat_map(objects).collect()
}

/// Says in the namespace's conditions what is still there.
fn report(world: &World<'_>, namespace: &Value, content: &[(Resource, Arc<Value>)]) -> Option<Action> {
    let now = world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
    for (resource, object) in content {
        *kinds.entry(format!("{}.{}", resource.resource, resource.group)).or_default() += 1;
        for finalizer in meta::finalizers(object) {
            *finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{kind} has {n} resource instances")).collect();
    let held: Vec<String> = finalizers.iter().map(|(name, n)| format!("{name} in {n} resource instances")).collect();
    let remaining = format!("Some resources are remaining: {}", kinds.join(", "));
    let finalizing = if held.is_empty() {
        ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
    } else {
        let text = format!("Some content in the namespace has finalizers remaining: {}", held.join(", "));
        ("True", "SomeFinalizersRemain", text)
    };
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned(),
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", remaining),
        ("NamespaceFinalizersRemaining", finalizing.0, finalizing.1, finalizing.2),
    ];
    let mut conditions = list_at(namespace, &["status", "conditions"]).to_vec();
    let mut changed = false;
    for (type_, status, reason, message) in rows {
        let condition = json!({"type": type_, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": now});
        changed |= set_condition(&mut conditions, condition);
    }
    let mut object = namespace.clone();
    meta::set(&mut object, &["status", "conditions"], conditions);
    changed.then(|| Action::update_status(&namespaces(), object))
}
