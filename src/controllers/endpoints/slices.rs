//! EndpointSlices of services with a selector.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::addresses::{self, Address};
use super::{labels, pods, selector, services, services_of_pod};
use crate::controllers::pods::suffix;
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World, owner_reference};
use crate::object::meta::str_at;
use crate::object::{Map, Value, meta};

/// The label that names the service of a slice.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that tells who keeps a slice.
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// How many endpoints a slice holds at most (`--max-endpoints-per-slice`).
pub(super) const PER_SLICE: usize = 100;

pub(super) fn slices() -> Resource {
    Resource::new("discovery.k8s.io", "v1", "endpointslices")
}

/// The service or Endpoints that a slice of `manager` belongs to.
pub(super) fn of_slice(change: &Change<'_>, manager: &str) -> Vec<Key> {
    let own = |slice: &&Value| meta::label(slice, MANAGED_BY) == Some(manager);
    let key = |slice: &Value| {
        let name = meta::label(slice, SERVICE_NAME)?.to_owned();
        Some(Key { namespace: meta::namespace(slice).to_owned(), name })
    };
    change.both().filter(own).filter_map(key).collect()
}

/// The EndpointSlice controller.
#[derive(Default)]
pub struct EndpointSlices;

impl Controller for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpointslice"
    }

    fn event_source(&self) -> &'static str {
        "endpoint-slice-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let slice: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| of_slice(change, MANAGER);
        vec![
            Watch::own(services()),
            Watch { resource: pods(), keys: services_of_pod },
            Watch { resource: slices(), keys: slice },
        ]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let service = world.cache.get(&services(), key);
        let Some(service) = service.filter(|service| selector(service).is_some()) else {
            // Those of a service that is gone go with it, as its dependents.
            return Vec::new();
        };
        let wanted = wanted(&service, &addresses::of_service(world.cache, &service));
        let labels = labels(&service, &[(MANAGED_BY, MANAGER), (SERVICE_NAME, &key.name)]);
        settle(world, &service, &labels, wanted, MANAGER)
    }
}

/// What one slice is to hold.
pub(super) struct Content {
    pub address_type: &'static str,
    pub endpoints: Value,
    pub ports: Value,
}

/// Ports and the endpoints that serve them.
type PortGroup<'a> = (&'a [Value], Vec<Value>);

fn wanted(service: &Value, addresses: &[Address]) -> Vec<Content> {
    let anyway = meta::bool_at(service, &["spec", "publishNotReadyAddresses"]);
    let mut groups: BTreeMap<(&str, String), PortGroup<'_>> = BTreeMap::new();
    for address in addresses {
        let type_ = if address.ip.contains(':') { "IPv6" } else { "IPv4" };
        let ports = json!(address.ports).to_string();
        groups.entry((type_, ports)).or_insert_with(|| (&address.ports, Vec::new())).1.push(endpoint(address, anyway));
    }
    if groups.is_empty() {
        // A service without endpoints has a slice that says so.
        return vec![Content { address_type: "IPv4", endpoints: Value::Null, ports: Value::Null }];
    }
    let mut contents = Vec::new();
    for ((type_, _), (ports, endpoints)) in groups {
        for part in endpoints.chunks(PER_SLICE) {
            let address_type = if type_ == "IPv6" { "IPv6" } else { "IPv4" };
            contents.push(Content { address_type, endpoints: json!(part), ports: json!(ports) });
        }
    }
    contents
}

fn endpoint(address: &Address, anyway: bool) -> Value {
    let mut endpoint = json!({
        "addresses": [address.ip],
        "conditions": {
            "ready": anyway || address.ready && !address.terminating,
            "serving": address.ready,
            "terminating": address.terminating,
        },
        "targetRef": address.target,
    });
    for (field, value) in [("hostname", &address.hostname), ("nodeName", &address.node), ("zone", &address.zone)] {
        if let Some(value) = value {
            endpoint[field] = json!(value);
        }
    }
    endpoint
}

/// Brings the slices of an owner to what is wanted: present ones are reused in order, further ones made, others deleted.
pub(super) fn settle(
    world: &World<'_>,
    owner: &Value,
    labels: &Map<String, Value>,
    wanted: Vec<Content>,
    manager: &str,
) -> Vec<Action> {
    let name = meta::name(owner);
    let of_owner = |slice: &Arc<Value>| {
        meta::label(slice, SERVICE_NAME) == Some(name) && meta::label(slice, MANAGED_BY) == Some(manager)
    };
    let present = world.cache.list(&slices(), Some(meta::namespace(owner)));
    let mut present: Vec<Arc<Value>> = present.into_iter().filter(of_owner).collect();
    let mut actions = Vec::new();
    let nanos = world.now.timestamp_nanos_opt().unwrap_or_default();
    for (number, content) in wanted.into_iter().enumerate() {
        let reusable = present.iter().position(|slice| str_at(slice, &["addressType"]) == content.address_type);
        match reusable.map(|at| present.remove(at)) {
            Some(slice) => {
                let mut object = slice.as_ref().clone();
                fill(&mut object, labels, content);
                if object != *slice {
                    actions.push(Action::Update { resource: slices(), subresource: None, object });
                }
            }
            None => {
                let seed = format!("{}/{nanos}/{number}", meta::uid(owner));
                let mut object = json!({
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": content.address_type,
                    "metadata": {
                        "name": format!("{name}-{}", suffix(&seed)),
                        "generateName": format!("{name}-"),
                        "namespace": meta::namespace(owner),
                        "ownerReferences": [owner_reference(owner)],
                    },
                });
                fill(&mut object, labels, content);
                actions.push(Action::Create { resource: slices(), object });
            }
        }
    }
    actions.extend(present.iter().map(|slice| Action::delete(&slices(), slice)));
    actions
}

fn fill(slice: &mut Value, labels: &Map<String, Value>, content: Content) {
    meta::set(slice, &["metadata", "labels"], labels.clone());
    slice["endpoints"] = content.endpoints;
    slice["ports"] = content.ports;
}
