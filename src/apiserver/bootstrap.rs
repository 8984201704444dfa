//! The objects that a server makes by itself: namespaces, the `kubernetes` service, default roles, priority classes,
//! flow schemas, API services.

use std::collections::HashMap;

use serde_json::json;

use crate::kinds::Kinds;
use crate::object::{Value, meta};

use super::core::{Core, timestamp};
use super::registry::Snapshot;
use super::store::{Encoded, Expect, Write};

/// The objects, with marks for what only a running server knows: `<port>`, `<time>`, `<date>`, `<pem>`, and the
/// default service range and address.
const OBJECTS: &str = include_str!("data/bootstrap.json");

/// The service range in [`OBJECTS`].
const RANGE: &str = "10.0.0.0/16";
/// The first address of that range.
const FIRST: &str = "10.0.0.1";

/// The objects of a fresh server, with their marks.
pub(super) fn objects() -> Vec<Value> {
    serde_json::from_str(OBJECTS)
        .unwrap_or_else(|e| unreachable!("data/bootstrap.json is part of the program and well formed: {e}"))
}

/// Writes that make the objects which are missing; none when they have been made before.
///
/// As in the reference server, default roles come back at every start; of the others only what is essential does.
pub fn writes(core: &Core, snapshot: &Snapshot) -> Vec<Write> {
    let objects = objects();
    let marks = Marks::new(core);
    let mut writes = Vec::new();
    for mut object in objects {
        marks.fill(&mut object);
        let Some(resource) = snapshot.by_gvk(&meta::gvk(&object)) else { continue };
        let key = resource.key(meta::namespace(&object), meta::name(&object));
        if core.store.get(&key).is_some() {
            continue;
        }
        meta::set(&mut object, &["metadata", "uid"], core.new_uid());
        meta::set(&mut object, &["metadata", "creationTimestamp"], &*marks.now);
        if resource.strategy.has_generation() {
            meta::set(&mut object, &["metadata", "generation"], 1);
        }
        writes.push(Write { key, expect: Expect::Absent, value: Some(Encoded::new(&object)) });
    }
    writes
}

/// What stands for the marks.
struct Marks {
    now: String,
    texts: HashMap<&'static str, Value>,
}

impl Marks {
    fn new(core: &Core) -> Self {
        let now = core.now();
        let range = &core.config.service_cluster_ip_range;
        let texts = HashMap::from([
            ("<port>", json!(core.config.port)),
            ("<time>", json!(timestamp(now))),
            ("<date>", json!(now.format("%Y-%m-%d").to_string())),
            ("<pem>", json!(core.config.client_ca.clone().unwrap_or_default())),
            (RANGE, json!(range)),
            (FIRST, json!(core.allocators.range.at(1).to_string())),
        ]);
        Self { now: timestamp(now), texts }
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(known) = self.texts.get(text.as_str()) {
                    *value = known.clone();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.fill(item)),
            _ => {}
        }
    }
}

/// Marks the addresses and ports of stored services as used.
pub fn restore_allocations(core: &Core) {
    core.allocators.take_address(core.allocators.range.at(1));
    let Some(kind) = Kinds::builtin().rows().iter().find(|kind| kind.group.is_empty() && kind.plural == "services")
    else {
        return;
    };
    for entry in core.store.list(&super::convert::prefix(kind), None).entries {
        let service = entry.object("v1", "Service");
        if let Ok(address) = meta::str_at(&service, &["spec", "clusterIP"]).parse() {
            core.allocators.take_address(address);
        }
        let ports = meta::list_at(&service, &["spec", "ports"]).iter().filter_map(|p| meta::int_at(p, &["nodePort"]));
        for port in ports.chain(meta::int_at(&service, &["spec", "healthCheckNodePort"])) {
            if let Ok(port) = u16::try_from(port) {
                core.allocators.take_port(port);
            }
        }
    }
}
