//! What every namespace is given: the service account `default` and the config map with the cluster's root certificate;
//! and the accounts of the controllers.

use serde_json::json;

use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::str_at;
use crate::object::{Value, meta};

fn namespaces() -> Resource {
    Resource::new("", "v1", "namespaces")
}

/// The key of the namespace that a change lies in.
fn namespace_of(_: &Cache, change: &Change<'_>) -> Vec<Key> {
    vec![Key::cluster(meta::namespace(change.object()))]
}

/// The namespace of that key, unless it is going away.
fn living_namespace(world: &World<'_>, key: &Key) -> Option<std::sync::Arc<Value>> {
    world.cache.get(&namespaces(), key).filter(|namespace| str_at(namespace, &["status", "phase"]) != "Terminating")
}

/// Makes the service account `default` in every namespace.
#[derive(Default)]
pub struct ServiceAccounts;

fn service_accounts() -> Resource {
    Resource::new("", "v1", "serviceaccounts")
}

impl Controller for ServiceAccounts {
    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(namespaces()), Watch { resource: service_accounts(), keys: namespace_of }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let account = Key { namespace: key.name.clone(), name: "default".into() };
        if living_namespace(world, key).is_none() || world.cache.get(&service_accounts(), &account).is_some() {
            return Vec::new();
        }
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": account.name, "namespace": account.namespace}});
        vec![Action::Create { resource: service_accounts(), object }]
    }
}

/// The accounts of the controllers that [`super::housekeeping`] runs.
pub const OF_HOUSEKEEPING: &[&str] = &[
    "clusterrole-aggregation-controller",
    "generic-garbage-collector",
    "namespace-controller",
    "pv-protection-controller",
    "pvc-protection-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
];

/// The accounts of all other controllers of kube-controller-manager.
pub const OF_WORKLOADS: &[&str] = &[
    "attachdetach-controller",
    "certificate-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "horizontal-pod-autoscaler",
    "job-controller",
    "legacy-service-account-token-cleaner",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "service-cidrs-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// Makes the service accounts in `kube-system` that controllers act under (`--use-service-account-credentials`), which
/// the bootstrap roles are bound to.
pub struct ControllerAccounts {
    /// The names.
    pub names: &'static [&'static str],
}

impl Controller for ControllerAccounts {
    fn name(&self) -> &'static str {
        "controller-accounts"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_system: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| {
            let system = change.new.filter(|namespace| meta::name(namespace) == "kube-system");
            system.map(Key::of).into_iter().collect()
        };
        vec![Watch { resource: namespaces(), keys: of_system }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        if living_namespace(world, key).is_none() {
            return Vec::new();
        }
        let is_missing = |name: &&&str| {
            let account = Key { namespace: key.name.clone(), name: (**name).to_string() };
            world.cache.get(&service_accounts(), &account).is_none()
        };
        let create = |name: &&str| Action::Create {
            resource: service_accounts(),
            object: json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": name, "namespace": key.name}}),
        };
        self.names.iter().filter(is_missing).map(create).collect()
    }
}

/// Keeps the config map `kube-root-ca.crt` in every namespace.
pub struct RootCertificates {
    /// The certificate of the cluster's authority, PEM.
    pub certificate: String,
}

fn config_maps() -> Resource {
    Resource::new("", "v1", "configmaps")
}

/// The name under which pods find the certificate.
const CONFIG_MAP: &str = "kube-root-ca.crt";

/// The note that Kubernetes puts on it; programs show it, so it is kept word for word.
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
    endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
    distributions of Kubernetes clusters.";

impl Controller for RootCertificates {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_map: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| match meta::name(change.object()) {
            CONFIG_MAP => namespace_of(cache, change),
            _ => Vec::new(),
        };
        vec![Watch::own(namespaces()), Watch { resource: config_maps(), keys: of_map }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        if living_namespace(world, key).is_none() {
            return Vec::new();
        }
        let data = json!({"ca.crt": self.certificate});
        let found = world.cache.get(&config_maps(), &Key { namespace: key.name.clone(), name: CONFIG_MAP.into() });
        match found {
            None => {
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": CONFIG_MAP, "namespace": key.name,
                        "annotations": {"kubernetes.io/description": DESCRIPTION}},
                    "data": data});
                vec![Action::Create { resource: config_maps(), object }]
            }
            Some(map) if map["data"] != data => {
                let mut object = map.as_ref().clone();
                object["data"] = data;
                meta::set(&mut object, &["metadata", "annotations", "kubernetes.io/description"], DESCRIPTION);
                vec![Action::Update { resource: config_maps(), subresource: None, object }]
            }
            Some(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    #[test]
    fn a_changed_root_certificate_is_put_back() {
        let cache = Cache::default();
        let world = World { cache: &cache, now: Utc::now() };
        cache.put(&namespaces(), Arc::new(json!({"metadata": {"name": "n", "resourceVersion": "1"}})));
        let controller = RootCertificates { certificate: "PEM".into() };
        let Action::Create { mut object, .. } = controller.reconcile(&world, &Key::cluster("n")).remove(0) else {
            panic!("made where it is missing");
        };
        object["metadata"]["resourceVersion"] = json!("2");
        cache.put(&config_maps(), Arc::new(object.clone()));
        assert_eq!(controller.reconcile(&world, &Key::cluster("n")), vec![]);
        object["data"] = json!({"ca.crt": "other"});
        object["metadata"]["resourceVersion"] = json!("3");
        cache.put(&config_maps(), Arc::new(object));
        assert!(matches!(controller.reconcile(&world, &Key::cluster("n"))[..], [Action::Update { .. }]));
    }
}
