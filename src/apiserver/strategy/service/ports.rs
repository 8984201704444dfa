//! Node ports of services.

use super::{Held, invalid, type_of};
use crate::apiserver::allocate::Allocators;
use crate::apiserver::strategy::Scope;
use crate::object::field::{Error, Path};
use crate::object::{Status, Value, meta};

/// Whether ports get node ports by themselves.
pub fn given_by_itself(service: &Value) -> bool {
    match type_of(service) {
        "NodePort" => true,
        "LoadBalancer" => {
            meta::get(service, &["spec", "allocateLoadBalancerNodePorts"]).and_then(Value::as_bool) != Some(false)
        }
        _ => false,
    }
}

fn wants_health_port(service: &Value) -> bool {
    type_of(service) == "LoadBalancer" && meta::str_at(service, &["spec", "externalTrafficPolicy"]) == "Local"
}

fn node_port(port: &Value) -> i64 {
    meta::int_at(port, &["nodePort"]).unwrap_or_default()
}

fn health_port(service: &Value) -> i64 {
    meta::int_at(service, &["spec", "healthCheckNodePort"]).unwrap_or_default()
}

fn ports(service: &Value) -> &[Value] {
    meta::list_at(service, &["spec", "ports"])
}

fn set_node_port(service: &mut Value, index: usize, number: i64) {
    let ports = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    if let Some(port) = ports.and_then(|ports| ports.get_mut(index)) {
        meta::set(port, &["nodePort"], number);
    }
}

/// The part of `patchAllocatedValues` about ports: an update that does not speak of them keeps them, by port name.
pub fn keep(service: &mut Value, old: &Value) {
    if given_by_itself(old) && given_by_itself(service) {
        let now: Vec<i64> = ports(service).iter().map(node_port).collect();
        let used: Vec<i64> = ports(old).iter().map(node_port).filter(|port| now.contains(port)).collect();
        let missing: Vec<usize> = (0..now.len()).filter(|i| now.get(*i) == Some(&0)).collect();
        for i in missing {
            let name = ports(service).get(i).map(|port| meta::str_at(port, &["name"])).unwrap_or_default();
            let known = ports(old).iter().rev().find(|old| meta::str_at(old, &["name"]) == name).map(node_port);
            if let Some(number) = known.filter(|number| *number != 0 && !used.contains(number)) {
                set_node_port(service, i, number);
            }
        }
    }
    if wants_health_port(old) && wants_health_port(service) && health_port(service) == 0 && health_port(old) != 0 {
        meta::set(service, &["spec", "healthCheckNodePort"], health_port(old));
    }
}

/// Ports that were taken in one request.
struct Operation<'a> {
    allocators: &'a Allocators,
    scope: &'a Scope<'a>,
    taken: Vec<u16>,
}

impl Operation<'_> {
    fn take(&mut self, number: i64) -> Result<(), String> {
        let in_range = u16::try_from(number).ok().filter(|port| self.allocators.in_port_range(*port));
        let Some(port) = in_range else {
            let (first, last) = self.allocators.port_range();
            return Err(format!("provided port is not in the valid range. The range of valid ports is {first}-{last}"));
        };
        if !self.allocators.take_port(port) {
            return Err("provided port is already allocated".to_owned());
        }
        self.taken.push(port);
        Ok(())
    }

    fn take_at(&mut self, service: &Value, index: usize, number: i64) -> Result<(), Status> {
        let path = Path::new("spec").child("ports").index(index).child("nodePort");
        self.take(number).map_err(|why| invalid(service, vec![Error::invalid(&path, number, why)]))
    }

    fn free(&mut self, what: &str) -> Result<i64, Status> {
        let seed = u64::from_le_bytes(self.scope.core.random_bytes());
        let none = || Status::internal(format!("failed to allocate a {what}: range is full"));
        let port = self.allocators.free_port(seed).ok_or_else(none)?;
        self.taken.push(port);
        Ok(i64::from(port))
    }
}

/// Gives a service its node ports: those it asks for, and free ones where it asks for none.
///
/// # Errors
///
/// When a port is taken or out of range, or none is left.
pub fn take(scope: &Scope<'_>, service: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    let mut operation = Operation { allocators: &scope.core.allocators, scope, taken: Vec::new() };
    let outcome = take_all(&mut operation, service, old);
    if outcome.is_err() {
        operation.taken.iter().for_each(|port| scope.core.allocators.release_port(*port));
    }
    outcome
}

fn take_all(operation: &mut Operation<'_>, service: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    if matches!(type_of(service), "NodePort" | "LoadBalancer") {
        match old {
            None => initial(operation, service)?,
            Some(old) => changed(operation, service, &Held::of(old).ports)?,
        }
    }
    if wants_health_port(service) && !old.is_some_and(wants_health_port) {
        match health_port(service) {
            0 => {
                let port = operation.free("HealthCheck NodePort 0")?;
                meta::set(service, &["spec", "healthCheckNodePort"], port);
            }
            port => operation.take(port).map_err(|why| {
                Status::internal(format!("failed to allocate requested HealthCheck NodePort {port}: {why}"))
            })?,
        }
    }
    Ok(())
}

/// `initNodePorts`: ports of one number under several protocols share a node port.
fn initial(operation: &mut Operation<'_>, service: &mut Value) -> Result<(), Status> {
    let wanted: Vec<(i64, i64)> = ports(service)
        .iter()
        .map(|port| (meta::int_at(port, &["port"]).unwrap_or_default(), node_port(port)))
        .collect();
    let mut shared: Vec<(i64, i64)> = Vec::new();
    for (i, (port, number)) in wanted.iter().enumerate() {
        if *number == 0 && !given_by_itself(service) {
            continue;
        }
        let known = shared.iter().find(|(known, _)| known == port).map(|(_, number)| *number);
        match (known, *number) {
            (Some(known), 0) => set_node_port(service, i, known),
            (Some(known), number) if known != number => operation.take_at(service, i, number)?,
            (Some(_), _) => {}
            (None, _) => {
                let asked = wanted.iter().find(|(other, number)| other == port && *number != 0);
                let number = match asked {
                    Some((_, number)) => {
                        operation.take_at(service, i, *number)?;
                        *number
                    }
                    None => operation.free("nodePort")?,
                };
                set_node_port(service, i, number);
                shared.push((*port, number));
            }
        }
    }
    Ok(())
}

/// `updateNodePorts`.
fn changed(operation: &mut Operation<'_>, service: &mut Value, held: &[u16]) -> Result<(), Status> {
    let wanted: Vec<(String, i64)> =
        ports(service).iter().map(|port| (meta::str_at(port, &["protocol"]).to_owned(), node_port(port))).collect();
    let mut seen: Vec<(String, i64)> = Vec::new();
    for (i, (protocol, number)) in wanted.into_iter().enumerate() {
        if number == 0 && !given_by_itself(service) {
            continue;
        }
        let known = |port: &u16| i64::from(*port) == number;
        let number = match number {
            0 => {
                let number = operation.free("nodePort")?;
                set_node_port(service, i, number);
                number
            }
            number => {
                if !held.iter().any(known) && !operation.taken.iter().any(known) {
                    operation.take_at(service, i, number)?;
                }
                number
            }
        };
        if seen.contains(&(protocol.clone(), number)) {
            return Err(Status::failure(500, "", format!("duplicate nodePort: {{{protocol} {number}}}")));
        }
        seen.push((protocol, number));
    }
    Ok(())
}
