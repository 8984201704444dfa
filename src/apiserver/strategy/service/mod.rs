//! Services: cluster addresses and node ports.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use crate::apiserver::store::{Encoded, Expect, Write};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{GroupKind, Status, Value, meta, names};

use super::{BuiltIn, Scope, Strategy};

mod families;
mod ports;

/// The rules of services.
pub struct ServiceStrategy(pub BuiltIn);

/// Addresses and node ports that a service holds.
#[derive(Default)]
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

fn invalid(service: &Value, errors: ErrorList) -> Status {
    let kind = GroupKind { group: String::new(), kind: "Service".into() };
    Status::invalid(&kind, meta::name(service), &errors)
}

impl Strategy for ServiceStrategy {
    fn base(&self) -> Option<&BuiltIn> {
        Some(&self.0)
    }

    fn allocate(&self, scope: &Scope<'_>, object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        if let Some(old) = old {
            families::keep_addresses(object, old);
            ports::keep(object, old);
        }
        families::normalize(object, old);
        families::settle(object, old).map_err(|errors| invalid(object, errors))?;
        let taken = take_address(scope, object, old)?;
        ports::take(scope, object, old).inspect_err(|_| {
            if let Some(address) = taken {
                scope.core.allocators.release_address(address);
            }
        })
    }

    /// A policy for traffic inside the cluster says nothing of names outside, and is not shown there.
    fn read_back(&self, object: &mut Value) {
        if type_of(object) == "ExternalName" {
            meta::remove(object, &["spec", "internalTrafficPolicy"]);
        }
    }

    fn reads_back(&self) -> bool {
        true
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

/// Gives a service an address: the one that it asks for, or a free one.
fn take_address(scope: &Scope<'_>, object: &mut Value, old: Option<&Value>) -> Result<Option<Ipv4Addr>, Status> {
    let needs = families::has_address(object) && meta::str_at(object, &["spec", "clusterIP"]) != "None";
    // An address that is there stays; validation tells who asks for another.
    if !needs || old.is_some_and(families::has_address) {
        return Ok(None);
    }
    let asked = meta::str_at(object, &["spec", "clusterIP"]).to_owned();
    let allocators = &scope.core.allocators;
    let address = if asked.is_empty() {
        let seed = u64::from_le_bytes(scope.core.random_bytes());
        let why = format!("failed to allocate a serviceIP for Service {:?}: range is full", meta::name(object));
        allocators.free_address(seed).ok_or_else(|| Status::internal(&why))?
    } else {
        named_address(scope, object, &asked)?
    };
    let shown = if asked.is_empty() { address.to_string() } else { asked };
    meta::set(object, &["spec", "clusterIP"], shown.as_str());
    meta::set(object, &["spec", "clusterIPs"], json!([shown]));
    Ok(Some(address))
}

fn named_address(scope: &Scope<'_>, object: &Value, asked: &str) -> Result<Ipv4Addr, Status> {
    let path = Path::new("spec").child("clusterIPs");
    let refuse = |why: &str| {
        let why = format!("failed to allocate IP {asked}: {why}");
        invalid(object, vec![Error::invalid(&path, json!([asked]), why)])
    };
    let allocators = &scope.core.allocators;
    let outside = "the provided network does not match the current range";
    let address = match names::parse_ip_sloppy(asked) {
        Some(IpAddr::V4(address)) if allocators.range.contains(address) => address,
        _ => return Err(refuse(outside)),
    };
    if allocators.take_address(address) { Ok(address) } else { Err(refuse("provided IP is already allocated")) }
}
