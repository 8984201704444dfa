//! Resource quotas: what the objects of a namespace take, counted anew from the cache.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::kinds::rules::usage::{self, Usage};
use crate::object::meta::get;
use crate::object::quantity::{Format, Quantity};
use crate::object::{Value, meta};

/// The resource quota controller.
#[derive(Default)]
pub struct Quotas;

fn quotas() -> Resource {
    Resource::new("", "v1", "resourcequotas")
}

/// How often everything is counted anew, whatever happens.
const RECOUNT: Duration = Duration::from_secs(300);

/// How soon a new count is looked at once more: an object that the API server has counted already may still have been
/// on its way to the cache.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Whether an update lets an object take more or less than before.
fn varies(resource: &Resource, old: &Value, new: &Value) -> bool {
    if !resource.group.is_empty() {
        return false;
    }
    let differs = |path: &[&str]| get(old, path) != get(new, path);
    match resource.resource.as_str() {
        "pods" => {
            let counts = |pod: &Value| super::pods::is_active(pod) || super::pods::is_terminating(pod);
            counts(old) != counts(new) || differs(&["spec", "containers"]) || differs(&["status", "phase"])
        }
        "services" => differs(&["spec", "type"]) || differs(&["spec", "ports"]),
        "persistentvolumeclaims" => {
            differs(&["spec", "resources"])
                || differs(&["spec", "volumeAttributesClassName"])
                || differs(&["status", "currentVolumeAttributesClassName"])
        }
        _ => false,
    }
}

impl Controller for Quotas {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn watches(&self) -> Vec<Watch> {
        // What the API server takes at each write is not counted anew at once: the object may still be on its way.
        let unknown: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| {
            let hard = |quota: &Value, side: &str| get(quota, &[side, "hard"]).cloned();
            let news = change.new.filter(|quota| change.old.is_none() || hard(quota, "spec") != hard(quota, "status"));
            news.map(Key::of).into_iter().collect()
        };
        vec![Watch { resource: quotas(), keys: unknown }]
    }

    fn keys_of_any(&self, cache: &Cache, resource: &Resource, change: &Change<'_>) -> Vec<Key> {
        let namespace = meta::namespace(change.object());
        let matters = match (change.old, change.new) {
            (Some(old), Some(new)) => varies(resource, old, new),
            (Some(_), None) => true,
            _ => false,
        };
        if namespace.is_empty() || !matters {
            return Vec::new();
        }
        cache.list(&quotas(), Some(namespace)).iter().map(|quota| Key::of(quota)).collect()
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(quota) = world.cache.get(&quotas(), key) else { return Vec::new() };
        let hard = get(&quota, &["spec", "hard"]).cloned().unwrap_or_else(|| json!({}));
        let used = used(world, &quota);
        let status = json!({"hard": hard, "used": used});
        if quota.get("status") == Some(&status) {
            return vec![Action::RequeueAfter(RECOUNT)];
        }
        let mut reported = quota.as_ref().clone();
        reported["status"] = status;
        vec![Action::update_status(&quotas(), reported), Action::RequeueAfter(SECOND_LOOK)]
    }
}

/// The group and plural of the resource whose objects an entry of a quota speaks of.
fn subject(name: &str) -> (String, String) {
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
        return (group.to_owned(), plural.to_owned());
    }
    let plural = match name {
        "configmaps" | "replicationcontrollers" | "resourcequotas" | "secrets" => name,
        "services" | "services.loadbalancers" | "services.nodeports" => "services",
        "persistentvolumeclaims" | "requests.storage" => "persistentvolumeclaims",
        _ if name.contains(".storageclass.storage.k8s.io/") => "persistentvolumeclaims",
        _ => "pods",
    };
    (String::new(), plural.to_owned())
}

/// What the entries of a quota come to, as texts.
fn used(world: &World<'_>, quota: &Value) -> BTreeMap<String, String> {
    let mut sums = Usage::new();
    let mut subjects: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for name in meta::map_at(quota, &["spec", "hard"]).into_iter().flatten().map(|(name, _)| name) {
        subjects.entry(subject(name)).or_default().push(name.clone());
        sums.insert(name.clone(), Quantity::from_i64(0, Format::DecimalSI));
    }
    let known = world.cache.resources();
    for ((group, plural), names) in &subjects {
        let Some(resource) = known.iter().find(|r| r.group == *group && r.resource == *plural) else { continue };
        let objects = world.cache.list(resource, Some(meta::namespace(quota)));
        for object in objects.iter().filter(|object| usage::in_scopes(quota, plural, object)) {
            let taken = usage::of(group, plural, object, world.now);
            for name in names {
                if let (Some(sum), Some(amount)) = (sums.get_mut(name), taken.get(name)) {
                    sum.add(amount);
                }
            }
        }
    }
    sums.into_iter().map(|(name, amount)| (name, amount.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    #[test]
    fn objects_are_summed_up_and_then_left_alone() {
        let cache = Cache::default();
        let mut quota = json!({"metadata": {"name": "q", "namespace": "n", "uid": "Q", "resourceVersion": "1"},
            "spec": {"hard": {"pods": "2", "requests.cpu": "1", "count/deployments.apps": "1"}}});
        cache.put(&quotas(), Arc::new(quota.clone()));
        for name in ["a", "b"] {
            let pod = json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "2"},
                "spec": {"containers": [{"resources": {"requests": {"cpu": "250m"}}}]}});
            cache.put(&Resource::new("", "v1", "pods"), Arc::new(pod));
        }
        let world = World { cache: &cache, now: Utc::now() };
        let key = Key { namespace: "n".into(), name: "q".into() };
        let actions = Quotas.reconcile(&world, &key);
        let Some(Action::Update { object, .. }) = actions.first() else { panic!("{actions:?}") };
        let expected = json!({"pods": "2", "requests.cpu": "500m", "count/deployments.apps": "0"});
        assert_eq!(object["status"]["used"], expected);
        quota["status"] = object["status"].clone();
        quota["metadata"]["resourceVersion"] = json!("9");
        cache.put(&quotas(), Arc::new(quota));
        assert_eq!(Quotas.reconcile(&world, &key), vec![Action::RequeueAfter(RECOUNT)]);
    }
}
