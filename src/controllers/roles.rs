//! Aggregated cluster roles: the rules of those that their selectors name.

use std::sync::Arc;

use serde_json::json;

use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::list_at;
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

fn roles() -> Resource {
    Resource::new("rbac.authorization.k8s.io", "v1", "clusterroles")
}

/// The cluster role aggregation controller.
#[derive(Default)]
pub struct ClusterRoleAggregation;

impl Controller for ClusterRoleAggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation"
    }

    fn component(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        // Any role may be part of any aggregated one.
        let aggregated: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, _| {
            let roles = cache.list(&roles(), None);
            roles.iter().filter(|role| is_aggregated(role)).map(|role| Key::of(role)).collect()
        };
        vec![Watch { resource: roles(), keys: aggregated }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(role) = world.cache.get(&roles(), key).filter(|role| is_aggregated(role)) else { return Vec::new() };
        let rules = rules(&role, &world.cache.list(&roles(), None));
        if list_at(&role, &["rules"]) == rules.as_slice() {
            return Vec::new();
        }
        vec![Action::merge(&roles(), &role, json!({"metadata": {"uid": meta::uid(&role)}, "rules": rules}))]
    }
}

fn is_aggregated(role: &Value) -> bool {
    meta::get(role, &["aggregationRule"]).is_some_and(|rule| !rule.is_null())
}

/// The rules of all roles that a selector names, in the order of selectors and names, each rule once.
fn rules(role: &Value, all: &[Arc<Value>]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for selector in list_at(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let Ok(selector) = LabelSelector::from_struct(selector) else { continue };
        let parts = all.iter().filter(|part| meta::name(part) != meta::name(role) && selector.matches_object(part));
        for rule in parts.flat_map(|part| list_at(part, &["rules"])) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn rules_are_gathered_and_then_left_alone() {
        let cache = Cache::default();
        let rule = |resource: &str| json!({"apiGroups": [""], "resources": [resource], "verbs": ["get"]});
        let part = |name: &str| json!({"metadata": {"name": name, "resourceVersion": "1", "labels": {"to": "all"}}, "rules": [rule(name)]});
        let mut all = json!({"metadata": {"name": "all", "resourceVersion": "1"}, "rules": [rule("old")],
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]}});
        for role in [part("b"), part("a"), all.clone()] {
            cache.put(&roles(), Arc::new(role));
        }
        let world = World { cache: &cache, now: Utc::now() };
        let actions = ClusterRoleAggregation.reconcile(&world, &Key::cluster("all"));
        let [Action::Patch { patch, .. }] = &actions[..] else { panic!("one patch: {actions:?}") };
        assert_eq!(patch["rules"], json!([rule("a"), rule("b")]));
        all["rules"] = patch["rules"].clone();
        all["metadata"]["resourceVersion"] = json!("2");
        cache.put(&roles(), Arc::new(all));
        assert_eq!(ClusterRoleAggregation.reconcile(&world, &Key::cluster("all")), vec![]);
    }
}
