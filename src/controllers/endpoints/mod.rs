//! The addresses behind services: Endpoints, EndpointSlices, and slices that mirror Endpoints made by hand.

mod addresses;
mod mirroring;
mod slices;

use std::collections::BTreeMap;

use serde_json::json;

pub use self::mirroring::EndpointSliceMirroring;
pub use self::slices::EndpointSlices;
use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, str_at};
use crate::object::{Map, Value, meta};
use addresses::Address;

/// The label that tells who keeps an Endpoints object.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// The label of what belongs to a service without an address of its own.
const HEADLESS: &str = "service.kubernetes.io/headless";
/// The annotation for measuring latency, which is not copied from one object to another.
const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

fn services() -> Resource {
    Resource::new("", "v1", "services")
}

fn pods() -> Resource {
    Resource::new("", "v1", "pods")
}

fn endpoints() -> Resource {
    Resource::new("", "v1", "endpoints")
}

/// The selector of a service whose endpoints are found by it: any but `ExternalName` with a selector.
fn selector(service: &Value) -> Option<&Map<String, Value>> {
    let selector = meta::map_at(service, &["spec", "selector"]).filter(|selector| !selector.is_empty())?;
    (str_at(service, &["spec", "type"]) != "ExternalName").then_some(selector)
}

/// The services whose selector matches a changed pod, before or after.
fn services_of_pod(cache: &Cache, change: &Change<'_>) -> Vec<Key> {
    let services = cache.list(&services(), Some(meta::namespace(change.object())));
    let selects = |service: &Value| {
        selector(service).is_some_and(|selector| {
            change
                .both()
                .any(|pod| meta::texts(Some(selector)).all(|(key, value)| meta::label(pod, key) == Some(value)))
        })
    };
    services.iter().filter(|service| selects(service)).map(|service| Key::of(service)).collect()
}

/// An object that was taken away is made again.
fn only_deleted(_: &Cache, change: &Change<'_>) -> Vec<Key> {
    if change.new.is_none() { vec![Key::of(change.object())] } else { Vec::new() }
}

/// Labels of the service, with those that tell who keeps the object and whether the service is headless.
fn labels(service: &Value, own: &[(&str, &str)]) -> Map<String, Value> {
    let mut labels = meta::map_at(service, &["metadata", "labels"]).cloned().unwrap_or_default();
    labels.remove(HEADLESS);
    if matches!(str_at(service, &["spec", "clusterIP"]), "" | "None") {
        labels.insert(HEADLESS.into(), json!(""));
    }
    labels.extend(own.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    labels
}

/// The endpoints controller.
#[derive(Default)]
pub struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn event_source(&self) -> &'static str {
        "endpoint-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::own(services()),
            Watch { resource: pods(), keys: services_of_pod },
            Watch { resource: endpoints(), keys: only_deleted },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let present = world.cache.get(&endpoints(), key);
        let Some(service) = world.cache.get(&services(), key) else {
            return present.iter().map(|object| Action::delete(&endpoints(), object)).collect();
        };
        if selector(&service).is_none() {
            return Vec::new();
        }
        let subsets = subsets(&service, &addresses::of_service(world.cache, &service));
        let labels = labels(&service, &[(MANAGED_BY, "endpoint-controller")]);
        let mut object = match &present {
            Some(present) => present.as_ref().clone(),
            None => {
                json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": key.name, "namespace": key.namespace}})
            }
        };
        meta::set(&mut object, &["metadata", "labels"], labels);
        match subsets.is_empty() {
            true => drop(meta::remove(&mut object, &["subsets"])),
            false => meta::set(&mut object, &["subsets"], subsets),
        }
        match present {
            None => vec![Action::Create { resource: endpoints(), object }],
            Some(present) if *present != object => {
                vec![Action::Update { resource: endpoints(), subresource: None, object }]
            }
            Some(_) => Vec::new(),
        }
    }
}

/// The subsets of an Endpoints object: addresses with the same ports stand together, ready and not ready apart.
fn subsets(service: &Value, addresses: &[Address]) -> Vec<Value> {
    let anyway = meta::bool_at(service, &["spec", "publishNotReadyAddresses"]);
    let mut groups: BTreeMap<String, (Value, Vec<Value>, Vec<Value>)> = BTreeMap::new();
    for address in addresses.iter().filter(|address| anyway || !address.terminating) {
        let ports: Vec<Value> = address.ports.iter().map(without_empty_name).collect();
        let ports = Value::Array(ports);
        let group = groups.entry(ports.to_string()).or_insert_with(|| (ports, Vec::new(), Vec::new()));
        let mut entry = json!({"ip": address.ip, "targetRef": address.target});
        for (field, value) in [("hostname", &address.hostname), ("nodeName", &address.node)] {
            if let Some(value) = value {
                entry[field] = json!(value);
            }
        }
        if address.ready || anyway { group.1.push(entry) } else { group.2.push(entry) }
    }
    let subset = |(ports, ready, not_ready): (Value, Vec<Value>, Vec<Value>)| {
        let mut subset = Map::new();
        let parts =
            [("addresses", Value::Array(ready)), ("notReadyAddresses", Value::Array(not_ready)), ("ports", ports)];
        subset.extend(
            parts.into_iter().filter(|(_, list)| *list != json!([])).map(|(name, list)| (name.to_owned(), list)),
        );
        Value::Object(subset)
    };
    groups.into_values().map(subset).collect()
}

fn without_empty_name(port: &Value) -> Value {
    let mut port = port.clone();
    if get(&port, &["name"]).is_some_and(|name| name == "") {
        meta::remove(&mut port, &["name"]);
    }
    port
}

#[cfg(test)]
mod tests;
