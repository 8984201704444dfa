//! Pod disruption budgets: how many of the selected pods may go away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::pods;
use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, int_at, str_at};
use crate::object::selector::LabelSelector;
use crate::object::{GroupVersion, Map, Value, intstr, meta};

/// How long an eviction may take until the pod counts as healthy again.
const EVICTION_TIME: TimeDelta = TimeDelta::minutes(2);

/// The disruption controller.
#[derive(Default)]
pub struct Disruptions;

fn budgets() -> Resource {
    Resource::new("policy", "v1", "poddisruptionbudgets")
}

fn pod_resource() -> Resource {
    Resource::new("", "v1", "pods")
}

/// The resources of controllers that say how many pods they want: kind, group and plural.
const SCALED: [(&str, &str, &str); 4] = [
    ("Deployment", "apps", "deployments"),
    ("ReplicaSet", "apps", "replicasets"),
    ("StatefulSet", "apps", "statefulsets"),
    ("ReplicationController", "", "replicationcontrollers"),
];

fn selector(budget: &Value) -> Option<LabelSelector> {
    LabelSelector::from_struct(get(budget, &["spec", "selector"]).filter(|s| !s.is_null())?).ok()
}

impl Controller for Disruptions {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn event_source(&self) -> &'static str {
        "controllermanager"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_pod: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| {
            let all = cache.list(&budgets(), Some(meta::namespace(change.object())));
            let selects = |budget: &&Arc<Value>| {
                selector(budget).is_some_and(|selector| change.both().any(|pod| selector.matches_object(pod)))
            };
            all.iter().filter(selects).map(|budget| Key::of(budget)).collect()
        };
        // How many pods are expected depends on the scale of their controllers.
        let of_owner: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| {
            let scale = |object: &Value| int_at(object, &["spec", "replicas"]);
            match (change.old, change.new) {
                (Some(old), Some(new)) if scale(old) == scale(new) => Vec::new(),
                _ => {
                    cache.list(&budgets(), Some(meta::namespace(change.object()))).iter().map(|b| Key::of(b)).collect()
                }
            }
        };
        let mut watches = vec![Watch::own(budgets()), Watch { resource: pod_resource(), keys: of_pod }];
        watches.extend(
            SCALED.map(|(_, group, plural)| Watch { resource: Resource::new(group, "v1", plural), keys: of_owner }),
        );
        watches
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        match world.cache.get(&budgets(), key) {
            Some(budget) => sync(world, &budget),
            None => Vec::new(),
        }
    }
}

/// How many pods there should be, and how many have to be healthy.
struct Goal {
    expected: i64,
    healthy: i64,
    /// Pods without a controller, which make a share of the whole meaningless.
    unmanaged: bool,
}

fn sync(world: &World<'_>, budget: &Value) -> Vec<Action> {
    let selector = selector(budget);
    let mut selected = world.cache.list(&pod_resource(), Some(meta::namespace(budget)));
    selected.retain(|pod| selector.as_ref().is_some_and(|selector| selector.matches_object(pod)));
    let warn = |type_, reason, message| Action::Event { regarding: budget.clone(), type_, reason, message };
    let mut actions = Vec::new();
    if selected.is_empty() {
        actions.push(warn("Normal", "NoPods", "No matching pods found".to_owned()));
    }
    let goal = match goal(world, budget, &selected) {
        Ok(goal) => goal,
        Err(error) => {
            let message = format!("Failed to calculate the number of expected pods: {error}");
            actions.push(warn("Warning", "CalculateExpectedPodCountFailed", message));
            actions.extend(fail(world, budget, &error));
            return actions;
        }
    };
    if goal.unmanaged {
        let text = selector.map(|_| crate::object::selector::format_struct(&budget["spec"]["selector"]));
        let message = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status \
             of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods \
             please set \".spec.minAvailable\" field of the PDB to an integer value.",
            text.unwrap_or_default()
        );
        actions.push(warn("Warning", "UnmanagedPods", message));
    }
    let (evicted, wake) = evicted(budget, &selected, world.now);
    for pod in selected.iter().filter(|pod| meta::deletion_timestamp(pod).is_none()) {
        let name = meta::name(pod);
        if get(budget, &["status", "disruptedPods", name]).is_some() && !evicted.contains_key(name) {
            let budget = format!("{}/{}", meta::namespace(budget), meta::name(budget));
            let message = format!("Pod was expected by PDB {budget} to be deleted but it wasn't");
            let regarding = pod.as_ref().clone();
            actions.push(Action::Event { regarding, type_: "Warning", reason: "NotDeleted", message });
        }
    }
    let healthy = selected.iter().filter(|pod| {
        meta::deletion_timestamp(pod).is_none() && pods::is_ready(pod) && !evicted.contains_key(meta::name(pod))
    });
    let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
    let allowed = if goal.expected <= 0 { 0 } else { (healthy - goal.healthy).max(0) };
    let mut status = json!({"currentHealthy": healthy, "desiredHealthy": goal.healthy, "expectedPods": goal.expected,
        "disruptionsAllowed": allowed, "observedGeneration": meta::generation(budget)});
    if !evicted.is_empty() {
        status["disruptedPods"] = Value::Object(evicted);
    }
    let (yes, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    status["conditions"] = conditions(world, budget, yes, reason, "", meta::generation(budget));
    actions.extend(write(budget, status));
    actions.extend(wake.map(Action::RequeueAfter));
    actions
}

fn write(budget: &Value, status: Value) -> Option<Action> {
    (get(budget, &["status"]) != Some(&status)).then(|| {
        let mut reported = budget.clone();
        reported["status"] = status;
        Action::update_status(&budgets(), reported)
    })
}

/// Nothing may be disrupted while it is unknown how many pods there should be.
fn fail(world: &World<'_>, budget: &Value, error: &str) -> Option<Action> {
    let mut status = get(budget, &["status"]).cloned().unwrap_or_else(|| json!({}));
    status["disruptionsAllowed"] = json!(0);
    let observed = int_at(&status, &["observedGeneration"]).unwrap_or_default();
    status["conditions"] = conditions(world, budget, "False", "SyncFailed", error, observed);
    write(budget, status)
}

fn conditions(world: &World<'_>, budget: &Value, yes: &str, reason: &str, message: &str, generation: i64) -> Value {
    let mut conditions = meta::list_at(budget, &["status", "conditions"]).to_vec();
    let mut condition = json!({"type": "DisruptionAllowed", "status": yes, "reason": reason, "message": message,
        "lastTransitionTime": world.now.to_rfc3339_opts(SecondsFormat::Secs, true)});
    if generation > 0 {
        condition["observedGeneration"] = json!(generation);
    }
    match conditions.iter_mut().find(|c| c["type"] == condition["type"]) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
    Value::Array(conditions)
}

fn goal(world: &World<'_>, budget: &Value, selected: &[Arc<Value>]) -> Result<Goal, String> {
    let part = |field: &str| get(budget, &["spec", field]).filter(|value| !value.is_null());
    let count = i64::try_from(selected.len()).unwrap_or(i64::MAX);
    let scaled = |value: &Value, total: i64| intstr::scaled(value, total, true).map_err(|error| error.to_string());
    let unmanaged = selected.iter().any(|pod| meta::controller_of(pod).is_none());
    if let Some(most) = part("maxUnavailable") {
        let expected = expected_scale(world, selected)?;
        return Ok(Goal { expected, healthy: (expected - scaled(most, expected)?).max(0), unmanaged });
    }
    match part("minAvailable") {
        Some(least) if least.is_i64() => Ok(Goal { expected: count, healthy: scaled(least, count)?, unmanaged: false }),
        Some(least) => {
            let expected = expected_scale(world, selected)?;
            Ok(Goal { expected, healthy: scaled(least, expected)?, unmanaged })
        }
        None => Ok(Goal { expected: 0, healthy: 0, unmanaged: false }),
    }
}

/// How many pods the controllers of the selected pods want together.
fn expected_scale(world: &World<'_>, selected: &[Arc<Value>]) -> Result<i64, String> {
    let mut scales: BTreeMap<String, i64> = BTreeMap::new();
    for pod in selected {
        let Some(owner) = meta::controller_of(pod) else { continue };
        let (uid, scale) = scale_of(world, pod, owner)?;
        scales.insert(uid, scale);
    }
    Ok(scales.values().sum())
}

fn scale_of(world: &World<'_>, pod: &Value, owner: &Value) -> Result<(String, i64), String> {
    let group = GroupVersion::parse(str_at(owner, &["apiVersion"])).map(|gv| gv.group).unwrap_or_default();
    let kind = meta::kind(owner);
    let Some((_, _, plural)) = SCALED.iter().find(|(k, g, _)| *k == kind && *g == group) else {
        return scale_of_other(world, pod, owner, &group);
    };
    let found = by_owner(world, pod, owner, &group, plural);
    let Some(controller) = found else { return Err(format!("found no controllers for pod \"{}\"", meta::name(pod))) };
    // The scale of a deployment counts, not those of its sets.
    let above = meta::controller_of(&controller).filter(|above| meta::kind(above) == "Deployment");
    let deployment = above.and_then(|above| by_owner(world, pod, above, "apps", "deployments"));
    let scaled = deployment.unwrap_or(controller);
    Ok((meta::uid(&scaled).to_owned(), int_at(&scaled, &["spec", "replicas"]).unwrap_or(1)))
}

fn by_owner(world: &World<'_>, pod: &Value, owner: &Value, group: &str, plural: &str) -> Option<Arc<Value>> {
    let key = Key { namespace: meta::namespace(pod).to_owned(), name: str_at(owner, &["name"]).to_owned() };
    let found = world.cache.get(&Resource::new(group, "v1", plural), &key)?;
    (meta::uid(&found) == str_at(owner, &["uid"])).then_some(found)
}

/// Custom resources may have a scale; other built-in controllers have none.
fn scale_of_other(world: &World<'_>, pod: &Value, owner: &Value, group: &str) -> Result<(String, i64), String> {
    let none = || format!("found no controllers for pod \"{}\"", meta::name(pod));
    let (resource, object) = world.cache.find(str_at(owner, &["uid"])).ok_or_else(none)?;
    let definitions = Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let name = format!("{}.{group}", resource.resource);
    let definition = world.cache.get(&definitions, &Key::cluster(name));
    let path = definition.as_ref().and_then(|definition| {
        let versions = meta::list_at(definition, &["spec", "versions"]);
        let version = versions.iter().find(|version| str_at(version, &["name"]) == resource.version)?;
        get(version, &["subresources", "scale", "specReplicasPath"]).and_then(Value::as_str)
    });
    let Some(path) = path else {
        let resource =
            if group.is_empty() { resource.resource.clone() } else { format!("{}.{group}", resource.resource) };
        return Err(format!("{resource} does not implement the scale subresource"));
    };
    let fields: Vec<&str> = path.split('.').filter(|field| !field.is_empty()).collect();
    Ok((meta::uid(&object).to_owned(), int_at(&object, &fields).unwrap_or_default()))
}

/// The pods whose eviction was allowed and is still to happen, and when to look again.
fn evicted(budget: &Value, selected: &[Arc<Value>], now: DateTime<Utc>) -> (Map<String, Value>, Option<Duration>) {
    let mut kept = Map::new();
    let mut wake: Option<Duration> = None;
    for (name, time) in meta::map_at(budget, &["status", "disruptedPods"]).into_iter().flatten() {
        let waits = selected.iter().any(|pod| meta::name(pod) == name && meta::deletion_timestamp(pod).is_none());
        let until = pods::time_at(time, &[]).map(|time| time + EVICTION_TIME - now);
        let Some(left) = until.and_then(|left| left.to_std().ok()).filter(|left| waits && !left.is_zero()) else {
            continue;
        };
        wake = Some(wake.map_or(left, |least| least.min(left)));
        kept.insert(name.clone(), time.clone());
    }
    (kept, wake)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ready: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "2",
            "labels": {"a": "b"}, "ownerReferences": [{"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": "r",
                "uid": "R", "controller": true}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn status(spec: Value, evicting: Value) -> Value {
        let cache = Cache::default();
        let mut budget = json!({"metadata": {"name": "p", "namespace": "n", "uid": "P", "resourceVersion": "1",
            "generation": 1}, "spec": spec, "status": {"disruptedPods": evicting}});
        budget["spec"]["selector"] = json!({"matchLabels": {"a": "b"}});
        let set = json!({"metadata": {"name": "r", "namespace": "n", "uid": "R", "resourceVersion": "3"},
            "spec": {"replicas": 4}});
        cache.put(&budgets(), Arc::new(budget));
        cache.put(&Resource::new("apps", "v1", "replicasets"), Arc::new(set));
        for pod in [pod("x", "True"), pod("y", "True"), pod("z", "True"), pod("w", "False")] {
            cache.put(&pod_resource(), Arc::new(pod));
        }
        let world = World { cache: &cache, now: Utc::now() };
        let actions = Disruptions.reconcile(&world, &Key { namespace: "n".into(), name: "p".into() });
        let written = actions.into_iter().find_map(|action| match action {
            Action::Update { object, .. } => Some(object["status"].clone()),
            _ => None,
        });
        written.expect("a status")
    }

    fn allowed(status: &Value) -> (i64, i64) {
        let at = |field: &str| int_at(status, &[field]).unwrap_or(-1);
        (at("desiredHealthy"), at("disruptionsAllowed"))
    }

    #[test]
    fn shares_are_those_of_the_scale() {
        assert_eq!(allowed(&status(json!({"minAvailable": 1}), json!({}))), (1, 2));
        assert_eq!(allowed(&status(json!({"minAvailable": "60%"}), json!({}))), (3, 0));
        assert_eq!(allowed(&status(json!({"maxUnavailable": "50%"}), json!({}))), (2, 1));
        assert_eq!(allowed(&status(json!({"maxUnavailable": 0}), json!({}))), (4, 0));
    }

    #[test]
    fn pods_under_eviction_are_not_counted_for_a_while() {
        let now = Utc::now();
        let evicting = status(json!({"minAvailable": 1}), json!({"x": now.to_rfc3339()}));
        assert_eq!((allowed(&evicting), evicting["disruptedPods"].get("x").is_some()), ((1, 1), true));
        let long_ago = status(json!({"minAvailable": 1}), json!({"x": "2020-01-01T00:00:00Z"}));
        assert_eq!((allowed(&long_ago), long_ago.get("disruptedPods")), ((1, 2), None));
    }
}
