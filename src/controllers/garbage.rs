//! Garbage collection: objects whose owners are gone go too, and owners wait for theirs where they were asked to.
//!
//! Every key is the uid of an object; which object that is, and who depends on it, the cache's indices say.

use std::sync::Arc;

use serde_json::json;

use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::kinds::Kinds;
use crate::object::meta::{bool_at, list_at, str_at};
use crate::object::{GroupVersion, Value, meta};

/// The owner goes after those that depend on it.
const FOREGROUND: &str = "foregroundDeletion";
/// Those that depend on the owner stay.
const ORPHAN: &str = "orphan";

/// The garbage collector.
#[derive(Default)]
pub struct GarbageCollector;

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn workers(&self) -> usize {
        4
    }

    fn watches(&self) -> Vec<Watch> {
        Vec::new()
    }

    fn keys_of_any(&self, cache: &Cache, _: &Resource, change: &Change<'_>) -> Vec<Key> {
        let object = change.object();
        let mut uids = Vec::new();
        let waits =
            |object: &Value| meta::deletion_timestamp(object).is_some() && meta::finalizers(object).next().is_some();
        match change.new {
            None => {
                uids.push(meta::uid(object).to_owned());
                // An owner that waits for this one may go now.
                let owners = meta::owner_references(object).iter().map(|owner| str_at(owner, &["uid"]));
                uids.extend(owners.filter(|uid| cache.find(uid).is_some_and(|(_, o)| waits(&o))).map(str::to_owned));
            }
            Some(new) if !meta::owner_references(new).is_empty() || waits(new) => uids.push(meta::uid(new).to_owned()),
            Some(_) => {}
        }
        // A dependent that was let go, or no longer blocks, frees its former owner.
        if let (Some(old), Some(new)) = (change.old, change.new) {
            let former =
                meta::owner_references(old).iter().filter(|owner| !meta::owner_references(new).contains(owner));
            uids.extend(former.map(|owner| str_at(owner, &["uid"]).to_owned()));
        }
        uids.into_iter().map(Key::cluster).collect()
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let uid = key.name.as_str();
        match world.cache.find(uid) {
            None => {
                let dependents = world.cache.dependents(uid);
                dependents.iter().flat_map(|(resource, object)| judge(world, resource, object, Some(uid))).collect()
            }
            Some((resource, object)) => {
                let mut actions = finalize(world, &resource, &object);
                if actions.is_empty() {
                    actions.extend(judge(world, &resource, &object, None));
                }
                actions
            }
        }
    }
}

fn has_finalizer(object: &Value, name: &str) -> bool {
    meta::finalizers(object).any(|finalizer| finalizer == name)
}

fn waits_for_dependents(object: &Value) -> bool {
    meta::deletion_timestamp(object).is_some() && has_finalizer(object, FOREGROUND)
}

/// Does what the two finalizers of deletion stand for.
fn finalize(world: &World<'_>, resource: &Resource, object: &Value) -> Vec<Action> {
    if meta::deletion_timestamp(object).is_none() {
        return Vec::new();
    }
    let uid = meta::uid(object);
    let dependents = world.cache.dependents(uid);
    if has_finalizer(object, ORPHAN) {
        let mut actions: Vec<Action> = dependents.iter().map(|(r, d)| without_owners(r, d, &[uid])).collect();
        actions.push(without_finalizer(resource, object, ORPHAN));
        return actions;
    }
    if !has_finalizer(object, FOREGROUND) {
        return Vec::new();
    }
    let blocks = |dependent: &Value| {
        let mut own = meta::owner_references(dependent).iter().filter(|owner| str_at(owner, &["uid"]) == uid);
        own.any(|owner| bool_at(owner, &["blockOwnerDeletion"]))
    };
    if dependents.iter().any(|(_, dependent)| blocks(dependent)) {
        return dependents.iter().flat_map(|(r, d)| judge(world, r, d, None)).collect();
    }
    vec![without_finalizer(resource, object, FOREGROUND)]
}

/// What a dependent's owners are.
#[derive(Default)]
struct Owners<'a> {
    /// There, and staying.
    solid: Vec<&'a Value>,
    /// Gone.
    dangling: Vec<&'a Value>,
    /// Waiting for their dependents to go first.
    waiting: Vec<&'a Value>,
}

/// Deletes a dependent all of whose owners are gone or wait for it; lets go of such owners when another one stays.
///
/// `deleted` is an owner that was seen to go. Others that the cache does not know are looked for on the server before
/// anything is deleted, for the cache may see a dependent before its owner.
fn judge(world: &World<'_>, resource: &Resource, object: &Value, deleted: Option<&str>) -> Vec<Action> {
    let being_deleted = meta::deletion_timestamp(object).is_some();
    if meta::owner_references(object).is_empty() || being_deleted && !waits_for_dependents(object) {
        return Vec::new();
    }
    let owners = classify(world, object);
    if !owners.solid.is_empty() {
        let lost: Vec<&str> =
            owners.dangling.iter().chain(&owners.waiting).map(|owner| str_at(owner, &["uid"])).collect();
        let mut actions = guards(world, object, &owners.dangling, deleted);
        if lost.is_empty() {
            return Vec::new();
        }
        actions.push(without_owners(resource, object, &lost));
        return actions;
    }
    if being_deleted {
        return Vec::new();
    }
    let mut actions = guards(world, object, &owners.dangling, deleted);
    let has_dependents = !world.cache.dependents(meta::uid(object)).is_empty();
    let policy = match () {
        () if !owners.waiting.is_empty() && has_dependents => "Foreground",
        () if has_finalizer(object, ORPHAN) => "Orphan",
        () if has_finalizer(object, FOREGROUND) => "Foreground",
        () => "Background",
    };
    actions.push(Action::Delete {
        resource: resource.clone(),
        namespace: meta::namespace(object).to_owned(),
        name: meta::name(object).to_owned(),
        options: json!({"preconditions": {"uid": meta::uid(object)}, "propagationPolicy": policy}),
    });
    actions
}

fn classify<'a>(world: &World<'_>, object: &'a Value) -> Owners<'a> {
    let mut owners = Owners::default();
    for reference in meta::owner_references(object) {
        let found = world.cache.find(str_at(reference, &["uid"])).map(|(_, owner)| owner);
        match found.filter(|owner| is_the_owner(owner, reference, object)) {
            None => owners.dangling.push(reference),
            Some(owner) if waits_for_dependents(&owner) => owners.waiting.push(reference),
            Some(_) => owners.solid.push(reference),
        }
    }
    owners
}

/// An owner lives in the namespace of its dependent or in none.
fn is_the_owner(owner: &Arc<Value>, reference: &Value, dependent: &Value) -> bool {
    let namespace = meta::namespace(owner);
    meta::name(owner) == str_at(reference, &["name"])
        && (namespace.is_empty() || namespace == meta::namespace(dependent))
}

fn guards(world: &World<'_>, object: &Value, dangling: &[&Value], deleted: Option<&str>) -> Vec<Action> {
    let unseen = dangling.iter().filter(|owner| Some(str_at(owner, &["uid"])) != deleted);
    unseen
        .filter_map(|owner| {
            let (resource, namespaced) = resource_of(world.cache, owner)?;
            Some(Action::RequireAbsent {
                resource,
                namespace: if namespaced { meta::namespace(object).to_owned() } else { String::new() },
                name: str_at(owner, &["name"]).to_owned(),
                uid: str_at(owner, &["uid"]).to_owned(),
            })
        })
        .collect()
}

/// The resource of an owner reference's kind, and whether it is namespaced.
fn resource_of(cache: &Cache, reference: &Value) -> Option<(Resource, bool)> {
    let gvk = meta::gvk(reference);
    if let Some(kind) = Kinds::builtin().by_gvk(&gvk) {
        return Some((kind.gvr(), kind.namespaced));
    }
    let definitions = cache.list(&Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"), None);
    let definition = definitions
        .iter()
        .find(|d| str_at(d, &["spec", "group"]) == gvk.group && str_at(d, &["spec", "names", "kind"]) == gvk.kind)?;
    let resource =
        GroupVersion::new(gvk.group, gvk.version).with_resource(str_at(definition, &["spec", "names", "plural"]));
    Some((resource, str_at(definition, &["spec", "scope"]) == "Namespaced"))
}

fn without_owners(resource: &Resource, object: &Value, uids: &[&str]) -> Action {
    let owners = list_at(object, &["metadata", "ownerReferences"]).iter();
    let kept: Vec<&Value> = owners.filter(|owner| !uids.contains(&str_at(owner, &["uid"]))).collect();
    let kept = if kept.is_empty() { Value::Null } else { json!(kept) };
    Action::merge(resource, object, json!({"metadata": {"uid": meta::uid(object), "ownerReferences": kept}}))
}

fn without_finalizer(resource: &Resource, object: &Value, name: &str) -> Action {
    let kept: Vec<&str> = meta::finalizers(object).filter(|finalizer| *finalizer != name).collect();
    // The resourceVersion keeps a finalizer that somebody else adds meanwhile.
    let metadata =
        json!({"uid": meta::uid(object), "resourceVersion": meta::resource_version(object), "finalizers": kept});
    Action::merge(resource, object, json!({"metadata": metadata}))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn object(uid: &str, owner: Option<&str>, extra: Value) -> Arc<Value> {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": uid, "namespace": "n", "uid": uid, "resourceVersion": "1"}});
        if let Some(owner) = owner {
            object["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": owner, "blockOwnerDeletion": true}]);
        }
        if let (Some(metadata), Value::Object(extra)) = (object["metadata"].as_object_mut(), extra) {
            metadata.extend(extra);
        }
        Arc::new(object)
    }

    fn turn(objects: Vec<Arc<Value>>, uid: &str) -> Vec<Action> {
        let cache = Cache::default();
        for object in objects {
            cache.put(&Resource::new("", "v1", "configmaps"), object);
        }
        GarbageCollector.reconcile(&World { cache: &cache, now: Utc::now() }, &Key::cluster(uid))
    }

    #[test]
    fn dependents_of_what_is_gone_go_too() {
        assert!(matches!(turn(vec![object("child", Some("gone"), json!({}))], "gone")[..], [Action::Delete { .. }]));
    }

    #[test]
    fn an_owner_that_was_not_seen_yet_is_looked_for_first() {
        let actions = turn(vec![object("child", Some("unseen"), json!({}))], "child");
        assert!(matches!(actions[..], [Action::RequireAbsent { .. }, Action::Delete { .. }]));
    }

    #[test]
    fn dependents_of_what_is_there_stay() {
        assert_eq!(
            turn(vec![object("owner", None, json!({})), object("child", Some("owner"), json!({}))], "child"),
            vec![]
        );
    }

    #[test]
    fn orphans_are_let_go_before_their_owner() {
        let owner =
            object("owner", None, json!({"deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["orphan"]}));
        let actions = turn(vec![owner, object("child", Some("owner"), json!({}))], "owner");
        let [Action::Patch { name, patch, .. }, Action::Patch { name: last, .. }] = &actions[..] else {
            panic!("two patches: {actions:?}");
        };
        assert_eq!((name.as_str(), last.as_str()), ("child", "owner"));
        assert_eq!(patch["metadata"]["ownerReferences"], Value::Null);
    }

    #[test]
    fn a_foreground_owner_waits_for_its_dependents() {
        let dying = json!({"deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]});
        let owner = object("owner", None, dying);
        let waiting = turn(vec![owner.clone(), object("child", Some("owner"), json!({}))], "owner");
        assert!(matches!(waiting[..], [Action::Delete { .. }]));
        assert!(matches!(turn(vec![owner], "owner")[..], [Action::Patch { .. }]));
    }
}
