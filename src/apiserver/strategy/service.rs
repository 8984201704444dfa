//! Services: cluster addresses and node ports.

use std::net::Ipv4Addr;

use serde_json::json;

use crate::apiserver::store::{Encoded, Expect, Write};
use crate::object::field::{Error, Path};
use crate::object::{GroupKind, Status, Value, meta};

use super::{BuiltIn, Outcome, Resource, Scope, Strategy};

/// The rules of services.
pub struct ServiceStrategy(pub BuiltIn);

/// Addresses and node ports that a service holds.
#[derive(Default, PartialEq, Eq)]
struct Held {
    address: Option<Ipv4Addr>,
    ports: Vec<u16>,
}

impl Held {
    fn of(service: &Value) -> Self {
        let address = meta::str_at(service, &["spec", "clusterIP"]).parse().ok();
        let mut ports: Vec<u16> = meta::list_at(service, &["spec", "ports"])
            .iter()
            .filter_map(|port| meta::int_at(port, &["nodePort"]))
            .chain(meta::int_at(service, &["spec", "healthCheckNodePort"]))
            .filter_map(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        Self { address, ports }
    }
}

fn type_of(service: &Value) -> &str {
    meta::str_at(service, &["spec", "type"])
}

fn needs_address(service: &Value) -> bool {
    matches!(type_of(service), "" | "ClusterIP" | "NodePort" | "LoadBalancer")
        && meta::str_at(service, &["spec", "clusterIP"]) != "None"
}

/// Whether ports get node ports by themselves.
fn needs_ports(service: &Value) -> bool {
    match type_of(service) {
        "NodePort" => true,
        "LoadBalancer" => meta::get(service, &["spec", "allocateLoadBalancerNodePorts"]) != Some(&json!(false)),
        _ => false,
    }
}

fn invalid(service: &Value, error: Error) -> Status {
    Status::invalid(&service_kind(), meta::name(service), &vec![error])
}

fn service_kind() -> GroupKind {
    GroupKind { group: String::new(), kind: "Service".into() }
}

impl Strategy for ServiceStrategy {
    fn default(&self, resource: &Resource, object: &mut Value) {
        self.0.default(resource, object);
    }

    fn before_create(&self, scope: &Scope<'_>, object: &mut Value) -> Outcome {
        self.0.before_create(scope, object)
    }

    fn before_update(&self, scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        self.0.before_update(scope, object, old)
    }

    fn before_subresource_update(
        &self,
        scope: &Scope<'_>,
        subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        self.0.before_subresource_update(scope, subresource, object, old)
    }

    fn allocate(&self, scope: &Scope<'_>, object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        if let Some(old) = old {
            carry_over(object, old);
        }
        settle_families(object);
        let errors = crate::kinds::rules::service::addresses(object);
        if !errors.is_empty() {
            return Err(Status::invalid(&service_kind(), meta::name(object), &errors));
        }
        let held = old.map(Held::of).unwrap_or_default();
        let taken = take_address(scope, object, &held)?;
        take_ports(scope, object, &held).inspect_err(|_| {
            if let Some(address) = taken {
                scope.core.allocators.release_address(address);
            }
        })
    }

    fn settled(&self, scope: &Scope<'_>, object: Option<&Value>, old: Option<&Value>, written: bool) {
        let new = object.map(Held::of).unwrap_or_default();
        let old = old.map(Held::of).unwrap_or_default();
        // What is given back: after a write what the service no longer has, otherwise what it did not have before.
        let (from, keep) = if written { (&old, &new) } else { (&new, &old) };
        let allocators = &scope.core.allocators;
        if let Some(address) = from.address.filter(|address| keep.address != Some(*address)) {
            allocators.release_address(address);
        }
        from.ports.iter().filter(|port| !keep.ports.contains(port)).for_each(|port| allocators.release_port(*port));
    }

    fn companions(&self, scope: &Scope<'_>, object: Option<&Value>, old: Option<&Value>) -> Vec<Write> {
        let new = object.map(Held::of).unwrap_or_default().address;
        let before = old.map(Held::of).unwrap_or_default().address;
        if new == before {
            return Vec::new();
        }
        let key = |address: Ipv4Addr| format!("/registry/ipaddresses/{address}");
        let mut writes = Vec::new();
        if let Some(address) = before.filter(|address| scope.core.store.get(&key(*address)).is_some()) {
            writes.push(Write { key: key(address), expect: Expect::Any, value: None });
        }
        if let (Some(address), Some(service)) = (new, object) {
            let value = Some(Encoded::new(&ip_address(scope, address, service)));
            writes.push(Write { key: key(address), expect: Expect::Any, value });
        }
        writes
    }

    fn allow_create_on_update(&self) -> bool {
        self.0.allow_create_on_update()
    }

    fn allow_unconditional_update(&self) -> bool {
        self.0.allow_unconditional_update()
    }

    fn has_generation(&self) -> bool {
        self.0.has_generation()
    }

    fn reset_fields(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        self.0.reset_fields(subresource)
    }
}

/// The object that stands for an address in use.
fn ip_address(scope: &Scope<'_>, address: Ipv4Addr, service: &Value) -> Value {
    json!({
        "metadata": {
            "name": address.to_string(),
            "uid": scope.core.new_uid(),
            "creationTimestamp": crate::apiserver::core::timestamp(scope.core.now()),
            "generation": 1,
            "labels": {
                "ipaddress.kubernetes.io/ip-family": "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {
            "group": "",
            "resource": "services",
            "namespace": meta::namespace(service),
            "name": meta::name(service),
        }},
    })
}

/// `patchAllocatedValues`: an update that does not speak of allocated values keeps them.
fn carry_over(object: &mut Value, old: &Value) {
    if needs_address(old) && needs_address(object) {
        if meta::str_at(object, &["spec", "clusterIP"]).is_empty() {
            meta::set(object, &["spec", "clusterIP"], meta::str_at(old, &["spec", "clusterIP"]));
        }
        if meta::list_at(object, &["spec", "clusterIPs"]).is_empty()
            && meta::str_at(object, &["spec", "clusterIP"]) == meta::str_at(old, &["spec", "clusterIP"])
            && let Some(addresses) = meta::get(old, &["spec", "clusterIPs"])
        {
            meta::set(object, &["spec", "clusterIPs"], addresses.clone());
        }
    }
    follow_address(object, old);
    if needs_ports(old) && needs_ports(object) {
        let old_ports = meta::list_at(old, &["spec", "ports"]).to_vec();
        let key = |port: &Value| (port.get("port").cloned(), meta::str_at(port, &["protocol"]).to_owned());
        if let Some(Value::Array(ports)) = meta::map_mut(object, &["spec"]).get_mut("ports") {
            for port in ports.iter_mut().filter(|port| meta::int_at(port, &["nodePort"]).unwrap_or_default() == 0) {
                let same = old_ports.iter().find(|old| key(old) == key(port));
                if let Some(number) = same.and_then(|old| old.get("nodePort")) {
                    meta::set(port, &["nodePort"], number.clone());
                }
            }
        }
    }
    if meta::int_at(object, &["spec", "healthCheckNodePort"]).unwrap_or_default() == 0
        && wants_health_port(old)
        && wants_health_port(object)
        && let Some(port) = meta::get(old, &["spec", "healthCheckNodePort"])
    {
        meta::set(object, &["spec", "healthCheckNodePort"], port.clone());
    }
    drop_unwanted(object, old);
}

/// The list of addresses follows the single one when only that was changed (`normalizeClusterIPs`).
fn follow_address(object: &mut Value, old: &Value) {
    let address = meta::str_at(object, &["spec", "clusterIP"]).to_owned();
    let before = meta::str_at(old, &["spec", "clusterIP"]);
    let list = |service: &Value| meta::list_at(service, &["spec", "clusterIPs"]).to_vec();
    if address == before || list(object) != list(old) {
        return;
    }
    if address.is_empty() {
        meta::remove(object, &["spec", "clusterIPs"]);
    } else {
        meta::set(object, &["spec", "clusterIPs"], json!([address]));
    }
}

/// `dropTypeDependentFields`: a service that turns into another type loses what only its old type has.
fn drop_unwanted(object: &mut Value, old: &Value) {
    if needs_address(old) && !needs_address(object) && type_of(object) == "ExternalName" {
        for field in ["clusterIP", "clusterIPs"] {
            if meta::get(object, &["spec", field]) == meta::get(old, &["spec", field]) {
                meta::remove(object, &["spec", field]);
            }
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            meta::remove(object, &["spec", field]);
        }
        if meta::get(object, &["spec", "internalTrafficPolicy"]) == meta::get(old, &["spec", "internalTrafficPolicy"]) {
            meta::remove(object, &["spec", "internalTrafficPolicy"]);
        }
    }
    let external = |service: &Value| matches!(type_of(service), "NodePort" | "LoadBalancer");
    let policy = |service: &Value| meta::get(service, &["spec", "externalTrafficPolicy"]).cloned();
    if external(old) && !external(object) && policy(object) == policy(old) {
        meta::remove(object, &["spec", "externalTrafficPolicy"]);
    }
    if needs_ports(old) && !needs_ports(object) {
        let old_ports = meta::list_at(old, &["spec", "ports"]).to_vec();
        if let Some(Value::Array(ports)) = meta::map_mut(object, &["spec"]).get_mut("ports") {
            for (port, old) in ports.iter_mut().zip(&old_ports) {
                if port.get("nodePort") == old.get("nodePort") {
                    meta::remove(port, &["nodePort"]);
                }
            }
        }
    }
    if wants_health_port(old)
        && !wants_health_port(object)
        && meta::get(object, &["spec", "healthCheckNodePort"]) == meta::get(old, &["spec", "healthCheckNodePort"])
    {
        meta::remove(object, &["spec", "healthCheckNodePort"]);
    }
}

fn wants_health_port(service: &Value) -> bool {
    type_of(service) == "LoadBalancer" && meta::str_at(service, &["spec", "externalTrafficPolicy"]) == "Local"
}

/// The cluster has one family of addresses, IPv4.
fn settle_families(object: &mut Value) {
    if type_of(object) == "ExternalName" {
        return;
    }
    let headless = meta::str_at(object, &["spec", "clusterIP"]) == "None";
    let spec = meta::map_mut(object, &["spec"]);
    let selectorless = spec.get("selector").and_then(Value::as_object).is_none_or(|selector| selector.is_empty());
    let policy = if headless && selectorless { "RequireDualStack" } else { "SingleStack" };
    spec.entry("ipFamilyPolicy").or_insert_with(|| policy.into());
    let families = if headless && selectorless { json!(["IPv4", "IPv6"]) } else { json!(["IPv4"]) };
    spec.entry("ipFamilies").or_insert(families);
}

fn take_address(scope: &Scope<'_>, object: &mut Value, held: &Held) -> Result<Option<Ipv4Addr>, Status> {
    let first = meta::list_at(object, &["spec", "clusterIPs"]).first().and_then(Value::as_str).map(str::to_owned);
    let asked = meta::str_at(object, &["spec", "clusterIP"]).to_owned();
    if asked == "None" {
        meta::map_mut(object, &["spec"]).entry("clusterIPs").or_insert_with(|| json!(["None"]));
        return Ok(None);
    }
    if !needs_address(object) {
        return Ok(None);
    }
    let allocators = &scope.core.allocators;
    let asked = if asked.is_empty() { first.unwrap_or_default() } else { asked };
    if asked.is_empty() {
        let seed = u64::from_le_bytes(scope.core.random_bytes());
        let Some(address) = allocators.free_address(seed) else {
            return Err(Status::internal("failed to allocate a serviceIP: range is full"));
        };
        set_address(object, &address.to_string());
        return Ok(Some(address));
    }
    let Ok(address) = asked.parse::<Ipv4Addr>() else { return Ok(None) };
    if held.address == Some(address) {
        set_address(object, &asked);
        return Ok(None);
    }
    let path = Path::new("spec").child("clusterIPs");
    let refuse = |why: String| invalid(object, Error::invalid(&path, json!([asked]), why));
    if !allocators.range.contains(address) {
        return Err(refuse(format!(
            "failed to allocate IP {address}: the provided network does not match the current range"
        )));
    }
    if !allocators.take_address(address) {
        return Err(refuse(format!("failed to allocate IP {address}: provided IP is already allocated")));
    }
    set_address(object, &asked);
    Ok(Some(address))
}

fn set_address(object: &mut Value, address: &str) {
    meta::set(object, &["spec", "clusterIP"], address);
    let spec = meta::map_mut(object, &["spec"]);
    if spec.get("clusterIPs").and_then(Value::as_array).is_none_or(|addresses| addresses.is_empty()) {
        spec.insert("clusterIPs".into(), json!([address]));
    }
}

fn take_ports(scope: &Scope<'_>, object: &mut Value, held: &Held) -> Result<(), Status> {
    if !needs_ports(object) {
        return Ok(());
    }
    let mut taken: Vec<u16> = Vec::new();
    let outcome = take_each_port(scope, object, held, &mut taken);
    if outcome.is_err() {
        taken.iter().for_each(|port| scope.core.allocators.release_port(*port));
    }
    outcome
}

fn take_each_port(scope: &Scope<'_>, object: &mut Value, held: &Held, taken: &mut Vec<u16>) -> Result<(), Status> {
    let allocators = &scope.core.allocators;
    let wanted: Vec<i64> = meta::list_at(object, &["spec", "ports"])
        .iter()
        .map(|port| meta::int_at(port, &["nodePort"]).unwrap_or_default())
        .collect();
    for (i, number) in wanted.iter().enumerate().filter(|(_, number)| **number != 0) {
        let path = Path::new("spec").child("ports").index(i).child("nodePort");
        let Some(port) = u16::try_from(*number).ok().filter(|port| allocators.in_port_range(*port)) else {
            let (first, last) = allocators.port_range();
            let why = format!("provided port is not in the valid range. The range of valid ports is {first}-{last}");
            return Err(invalid(object, Error::invalid(&path, *number, why)));
        };
        if held.ports.contains(&port) || taken.contains(&port) {
            continue;
        }
        if !allocators.take_port(port) {
            return Err(invalid(object, Error::invalid(&path, *number, "provided port is already allocated")));
        }
        taken.push(port);
    }
    // Ports of one number under several protocols share a node port.
    let mut shared: Vec<(Value, i64)> = Vec::new();
    let mut free = || -> Result<u16, Status> {
        let seed = u64::from_le_bytes(scope.core.random_bytes());
        let none = || Status::internal("failed to allocate a nodePort: range is full");
        let port = allocators.free_port(seed).ok_or_else(none)?;
        taken.push(port);
        Ok(port)
    };
    if let Some(Value::Array(ports)) = meta::map_mut(object, &["spec"]).get_mut("ports") {
        for port in ports {
            let number = port.get("port").cloned().unwrap_or_default();
            let known = shared.iter().find(|(port, _)| *port == number).map(|(_, node_port)| *node_port);
            let node_port = match meta::int_at(port, &["nodePort"]).unwrap_or_default() {
                0 => match known {
                    Some(node_port) => node_port,
                    None => i64::from(free()?),
                },
                node_port => node_port,
            };
            meta::set(port, &["nodePort"], node_port);
            shared.push((number, node_port));
        }
    }
    if wants_health_port(object) && meta::int_at(object, &["spec", "healthCheckNodePort"]).unwrap_or_default() == 0 {
        let port = free()?;
        meta::set(object, &["spec", "healthCheckNodePort"], port);
    }
    Ok(())
}
