//! Every object of the cluster as last seen, with the indices that controllers ask for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};

use crate::object::{GroupVersionResource, Value, meta};

/// The resource of an object: group, version and plural.
pub type Resource = GroupVersionResource;

/// Namespace and name of an object; the namespace is empty for cluster-scoped ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of an object.
    pub fn of(object: &Value) -> Self {
        Self { namespace: meta::namespace(object).to_owned(), name: meta::name(object).to_owned() }
    }

    /// The key of an object's controller, which lives in the same namespace.
    pub fn of_controller(object: &Value) -> Option<Self> {
        let owner = meta::controller_of(object)?;
        Some(Self { namespace: meta::namespace(object).to_owned(), name: meta::str_at(owner, &["name"]).to_owned() })
    }

    /// The key of an object in no namespace.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { namespace: String::new(), name: name.into() }
    }
}

/// What happened to an object: at least one side is there.
pub struct Change<'a> {
    /// Before, if it was known.
    pub old: Option<&'a Value>,
    /// After, unless it was deleted.
    pub new: Option<&'a Value>,
}

impl<'a> Change<'a> {
    /// The newest state known.
    pub fn object(&self) -> &'a Value {
        const NOTHING: &Value = &Value::Null;
        self.new.or(self.old).unwrap_or(NOTHING)
    }

    /// Both sides that are there.
    pub fn both(&self) -> impl Iterator<Item = &'a Value> {
        self.old.into_iter().chain(self.new)
    }
}

/// An object before and after a change; one side at least is there.
pub type Sides = (Option<Arc<Value>>, Option<Arc<Value>>);

/// A cached object with its revision as a number.
struct Entry {
    object: Arc<Value>,
    revision: u64,
    /// When this state came in.
    since: DateTime<Utc>,
}

#[derive(Default)]
struct Table {
    objects: BTreeMap<Key, Entry>,
    /// Revisions at which objects went away, so that an older echo does not bring them back.
    gone: HashMap<Key, u64>,
    /// Keys by the uid of an owner.
    by_owner: HashMap<String, HashSet<Key>>,
    /// Keys by their own uid.
    by_uid: HashMap<String, Key>,
}

impl Table {
    fn index(&mut self, key: &Key, object: &Value) {
        self.by_uid.insert(meta::uid(object).to_owned(), key.clone());
        for owner in meta::owner_references(object) {
            self.by_owner.entry(meta::str_at(owner, &["uid"]).to_owned()).or_default().insert(key.clone());
        }
    }

    fn unindex(&mut self, key: &Key, object: &Value) {
        self.by_uid.remove(meta::uid(object));
        for owner in meta::owner_references(object) {
            let uid = meta::str_at(owner, &["uid"]);
            if let Some(keys) = self.by_owner.get_mut(uid) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_owner.remove(uid);
                }
            }
        }
    }
}

/// All objects by resource.
///
/// Revisions are compared as numbers, which the embedded server guarantees (and Kubernetes since 1.35).
#[derive(Default)]
pub struct Cache {
    tables: RwLock<HashMap<Resource, Table>>,
}

impl Cache {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Resource, Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Resource, Table>> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object.
    pub fn get(&self, resource: &Resource, key: &Key) -> Option<Arc<Value>> {
        Some(self.read().get(resource)?.objects.get(key)?.object.clone())
    }

    /// Since when an object has been seen in its present state. After a restart that is the time of the first list.
    pub fn seen_since(&self, resource: &Resource, key: &Key) -> Option<DateTime<Utc>> {
        Some(self.read().get(resource)?.objects.get(key)?.since)
    }

    /// The objects of a resource, in one namespace or (with `None`) in all, in key order.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let tables = self.read();
        let Some(table) = tables.get(resource) else { return Vec::new() };
        let all = || table.objects.values().map(|entry| entry.object.clone());
        match namespace {
            None => all().collect(),
            Some(namespace) => {
                let first = Key { namespace: namespace.to_owned(), name: String::new() };
                let of_namespace = table.objects.range(first..).take_while(|(key, _)| key.namespace == namespace);
                of_namespace.map(|(_, entry)| entry.object.clone()).collect()
            }
        }
    }

    /// The object with that uid, of whatever resource.
    pub fn find(&self, uid: &str) -> Option<(Resource, Arc<Value>)> {
        let tables = self.read();
        let mut found = tables.iter().filter_map(|(resource, table)| {
            Some((resource.clone(), table.objects.get(table.by_uid.get(uid)?)?.object.clone()))
        });
        found.next()
    }

    /// The objects of a resource that name `uid` among their owners.
    pub fn owned_by(&self, resource: &Resource, uid: &str) -> Vec<Arc<Value>> {
        let tables = self.read();
        let Some(table) = tables.get(resource) else { return Vec::new() };
        let mut keys: Vec<&Key> = table.by_owner.get(uid).into_iter().flatten().collect();
        keys.sort();
        keys.into_iter().filter_map(|key| Some(table.objects.get(key)?.object.clone())).collect()
    }

    /// Every resource and key that names `uid` among its owners.
    pub fn dependents(&self, uid: &str) -> Vec<(Resource, Arc<Value>)> {
        let tables = self.read();
        let mut found = Vec::new();
        for (resource, table) in tables.iter() {
            for key in table.by_owner.get(uid).into_iter().flatten() {
                found.extend(table.objects.get(key).map(|entry| (resource.clone(), entry.object.clone())));
            }
        }
        found
    }

    /// The resources that have been listed.
    pub fn resources(&self) -> Vec<Resource> {
        self.read().keys().cloned().collect()
    }

    /// Whether the resource has been listed.
    pub fn knows(&self, resource: &Resource) -> bool {
        self.read().contains_key(resource)
    }

    /// Makes a resource known, so that [`Cache::knows`] holds though nothing is there yet.
    pub fn track(&self, resource: &Resource) {
        self.write().entry(resource.clone()).or_default();
    }

    /// Forgets a resource that is served no more; gives back what was there.
    pub fn forget(&self, resource: &Resource) -> Vec<Arc<Value>> {
        let table = self.write().remove(resource).unwrap_or_default();
        table.objects.into_values().map(|entry| entry.object).collect()
    }

    /// Takes over a newer state of an object. Gives back what was there before, or `None` when the cache is newer.
    pub fn put(&self, resource: &Resource, object: Arc<Value>) -> Option<Option<Arc<Value>>> {
        let (key, revision) = (Key::of(&object), revision(&object));
        let mut tables = self.write();
        let table = tables.entry(resource.clone()).or_default();
        let newest = table.objects.get(&key).map(|entry| entry.revision).max(table.gone.get(&key).copied());
        if newest.is_some_and(|newest| newest >= revision) {
            return None;
        }
        table.gone.remove(&key);
        table.index(&key, &object);
        let entry = Entry { object: object.clone(), revision, since: Utc::now() };
        let old = table.objects.insert(key.clone(), entry);
        let old = old.map(|entry| entry.object);
        if let Some(old) = &old {
            table.unindex(&key, old);
            table.index(&key, &object);
        }
        Some(old)
    }

    /// Removes an object that was deleted at `revision` (0 when unknown). Gives back what was there, if that was not
    /// newer.
    pub fn remove(&self, resource: &Resource, key: &Key, revision: u64) -> Option<Arc<Value>> {
        let mut tables = self.write();
        let table = tables.get_mut(resource)?;
        let known = table.objects.get(key)?.revision;
        if revision != 0 && known > revision {
            return None;
        }
        let entry = table.objects.remove(key)?;
        table.gone.insert(key.clone(), revision.max(known));
        table.unindex(key, &entry.object);
        Some(entry.object)
    }

    /// Replaces what is known of a resource by a full list; gives back the changes.
    pub fn replace(&self, resource: &Resource, objects: Vec<Value>) -> Vec<Sides> {
        self.track(resource);
        let listed: HashSet<Key> = objects.iter().map(Key::of).collect();
        let missing: Vec<Key> = {
            let tables = self.read();
            let known = tables.get(resource).into_iter().flat_map(|table| table.objects.keys());
            known.filter(|key| !listed.contains(*key)).cloned().collect()
        };
        let mut changes = Vec::new();
        for key in missing {
            changes.extend(self.remove(resource, &key, 0).map(|old| (Some(old), None)));
        }
        for object in objects {
            let object = Arc::new(object);
            changes.extend(self.put(resource, object.clone()).map(|old| (old, Some(object))));
        }
        changes
    }
}

/// Leaves out who owns which field, which is half of a small object and of use to controllers only in a few objects
/// of the whole cluster. An update without it keeps it.
pub(super) fn trim(object: &mut Value) {
    if !meta::namespace(object).is_empty() {
        meta::remove(object, &["metadata", "managedFields"]);
    }
}

/// The revision of an object as a number.
pub fn revision(object: &Value) -> u64 {
    meta::resource_version(object).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> Resource {
        Resource::new("", "v1", "pods")
    }

    fn pod(name: &str, revision: u64, owner: &str) -> Arc<Value> {
        Arc::new(json!({"metadata": {"name": name, "namespace": "n", "resourceVersion": revision.to_string(),
            "ownerReferences": [{"uid": owner, "name": "o", "controller": true}]}}))
    }

    #[test]
    fn an_older_echo_changes_nothing() {
        let cache = Cache::default();
        assert_eq!(cache.put(&pods(), pod("a", 5, "x")), Some(None));
        assert_eq!(cache.put(&pods(), pod("a", 4, "y")), None);
        assert_eq!(cache.owned_by(&pods(), "x").len(), 1);
        let key = Key { namespace: "n".into(), name: "a".into() };
        assert!(cache.remove(&pods(), &key, 7).is_some());
        assert_eq!(cache.put(&pods(), pod("a", 6, "x")), None, "a late event of a deleted object");
        assert_eq!(cache.put(&pods(), pod("a", 8, "x")), Some(None), "a new object of that name");
    }

    #[test]
    fn owners_and_namespaces_are_indexed() {
        let cache = Cache::default();
        cache.put(&pods(), pod("a", 1, "x"));
        cache.put(&pods(), pod("a", 2, "y"));
        assert!(cache.owned_by(&pods(), "x").is_empty());
        assert_eq!(cache.dependents("y").len(), 1);
        assert_eq!(cache.list(&pods(), Some("n")).len(), 1);
        assert!(cache.list(&pods(), Some("m")).is_empty());
        let changes = cache.replace(&pods(), vec![pod("b", 3, "y").as_ref().clone()]);
        assert_eq!(changes.len(), 2);
        assert_eq!(cache.list(&pods(), None).len(), 1);
    }
}
