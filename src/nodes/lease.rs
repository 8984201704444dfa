//! Keeps the leases of simulated nodes fresh, by which clients tell that a node's kubelet lives.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;

use crate::controllers::pods::time_at;
use crate::controllers::runtime::{Action, Controller, Key, Resource, Watch, World};
use crate::object::meta;
use crate::object::meta::{int_at, str_at};

/// The namespace of the leases of nodes.
const NAMESPACE: &str = "kube-node-lease";

/// Renews the leases that the simulated nodes were registered with: each once in three quarters of its duration, so that
/// it never ends while little is written. A server that runs for one command renews nothing.
#[derive(Default)]
pub struct NodeLeases;

fn leases() -> Resource {
    Resource::new("coordination.k8s.io", "v1", "leases")
}

fn nodes() -> Resource {
    Resource::new("", "v1", "nodes")
}

impl Controller for NodeLeases {
    fn name(&self) -> &'static str {
        "kubelet-lease"
    }

    fn component(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch { resource: leases(), keys: |_, change| own(change.object()).into_iter().collect() }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(lease) = world.cache.get(&leases(), key).filter(|lease| own(lease).is_some()) else {
            return Vec::new();
        };
        if world.cache.get(&nodes(), &Key::cluster(key.name.as_str())).is_none() {
            return Vec::new();
        }
        let period = TimeDelta::seconds(int_at(&lease, &["spec", "leaseDurationSeconds"]).unwrap_or(40) * 3 / 4);
        let renewed = time_at(&lease, &["spec", "renewTime"]);
        let seen = world.cache.seen_since(&leases(), key);
        let due = renewed.max(seen).map_or(world.now, |time| time + period);
        if let Some(left) = (due - world.now).to_std().ok().filter(|left| !left.is_zero()) {
            return vec![Action::RequeueAfter(left.max(Duration::from_millis(100)))];
        }
        let time = world.now.to_rfc3339_opts(SecondsFormat::Micros, true);
        let patch = json!({"metadata": {"uid": meta::uid(&lease)}, "spec": {"renewTime": time}});
        vec![Action::merge(&leases(), &lease, patch)]
    }
}

/// The key of a lease that a node holds of itself.
fn own(lease: &crate::object::Value) -> Option<Key> {
    let holds = str_at(lease, &["spec", "holderIdentity"]) == meta::name(lease);
    (meta::namespace(lease) == NAMESPACE && holds).then(|| Key::of(lease))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;
    use crate::controllers::runtime::Cache;

    #[test]
    fn leases_are_renewed_before_they_end() {
        let cache = Cache::default();
        let start = Utc::now();
        let lease = json!({"metadata": {"name": "node-1", "namespace": NAMESPACE, "uid": "L", "resourceVersion": "1"},
            "spec": {"holderIdentity": "node-1", "leaseDurationSeconds": 40, "renewTime": "2020-01-01T00:00:00Z"}});
        cache.put(&leases(), Arc::new(lease));
        let key = Key { namespace: NAMESPACE.into(), name: "node-1".into() };
        let turn =
            |seconds| NodeLeases.reconcile(&World { cache: &cache, now: start + TimeDelta::seconds(seconds) }, &key);
        assert_eq!(turn(31), [], "its node is gone");
        let node = json!({"metadata": {"name": "node-1", "uid": "N", "resourceVersion": "2"}});
        cache.put(&nodes(), Arc::new(node));
        assert!(matches!(turn(20)[..], [Action::RequeueAfter(_)]));
        assert!(matches!(turn(31)[..], [Action::Patch { .. }]));
    }
}
