//! EndpointSlices that mirror Endpoints which somebody made for a service without a selector.

use serde_json::json;

use super::slices::{Content, MANAGED_BY, PER_SLICE, SERVICE_NAME, of_slice, settle, slices};
use super::{HEADLESS, TRIGGER_TIME, endpoints, selector, services};
use crate::controllers::runtime::{Action, Cache, Change, Controller, Key, Watch, World};
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Map, Value, meta};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label that keeps Endpoints from being mirrored.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of Endpoints that elect a leader, which are not mirrored.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// The EndpointSlice mirroring controller.
#[derive(Default)]
pub struct EndpointSliceMirroring;

impl Controller for EndpointSliceMirroring {
    fn name(&self) -> &'static str {
        "endpointslicemirroring"
    }

    fn watches(&self) -> Vec<Watch> {
        let slice: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| of_slice(change, MANAGER);
        vec![Watch::own(endpoints()), Watch::own(services()), Watch { resource: slices(), keys: slice }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(object) = world.cache.get(&endpoints(), key) else { return Vec::new() };
        let service = world.cache.get(&services(), key);
        let mirrored = service.as_ref().is_some_and(|service| selector(service).is_none())
            && meta::label(&object, SKIP) != Some("true")
            && meta::annotation(&object, LEADER).is_none();
        let contents = if mirrored { contents(&object) } else { Vec::new() };
        let mut labels = meta::map_at(&object, &["metadata", "labels"]).cloned().unwrap_or_default();
        labels.remove(HEADLESS);
        labels.extend([(MANAGED_BY.to_owned(), json!(MANAGER)), (SERVICE_NAME.to_owned(), json!(key.name))]);
        let mut actions = settle(world, &object, &labels, contents, MANAGER);
        annotate(&mut actions, &object);
        actions
    }
}

/// A mirror carries the annotations of what it mirrors.
fn annotate(actions: &mut [Action], object: &Value) {
    let annotations: Map<String, Value> = meta::map_at(object, &["metadata", "annotations"])
        .into_iter()
        .flatten()
        .filter(|(key, _)| ![TRIGGER_TIME, meta::LAST_APPLIED].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if annotations.is_empty() {
        return;
    }
    for action in actions {
        if let Action::Create { object, .. } | Action::Update { object, .. } = action {
            meta::set(object, &["metadata", "annotations"], annotations.clone());
        }
    }
}

fn contents(object: &Value) -> Vec<Content> {
    let mut contents = Vec::new();
    for subset in list_at(object, &["subsets"]) {
        let ports: Vec<Value> = list_at(subset, &["ports"]).iter().map(port).collect();
        let ready = list_at(subset, &["addresses"]).iter().map(|address| (address, true));
        let all = ready.chain(list_at(subset, &["notReadyAddresses"]).iter().map(|address| (address, false)));
        let (six, four): (Vec<_>, Vec<_>) = all.partition(|(address, _)| str_at(address, &["ip"]).contains(':'));
        for (address_type, group) in [("IPv4", four), ("IPv6", six)] {
            for part in group.chunks(PER_SLICE) {
                let endpoints: Vec<Value> = part.iter().map(|(address, ready)| endpoint(address, *ready)).collect();
                contents.push(Content { address_type, endpoints: json!(endpoints), ports: json!(ports) });
            }
        }
    }
    contents
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = json!({"addresses": [str_at(address, &["ip"])], "conditions": {"ready": ready}});
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = get(address, &[field]) {
            endpoint[field] = value.clone();
        }
    }
    endpoint
}

fn port(port: &Value) -> Value {
    let mut port = port.clone();
    if get(&port, &["name"]).is_none() {
        port["name"] = json!("");
    }
    port
}
