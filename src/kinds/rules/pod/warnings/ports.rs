//! Ports of containers that are given twice, within one container or across those of a pod.

use std::collections::BTreeMap;

use crate::kinds::rules::pod::security::visit;
use crate::kinds::rules::value::Fields;
use crate::object::Value;
use crate::object::field::Path;
use crate::object::go::quote;

/// One port with its place.
struct Port<'a> {
    value: &'a Value,
    path: Path,
}

impl Port<'_> {
    /// As Go prints the struct.
    fn shown(&self) -> String {
        let value = self.value;
        format!(
            "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
            value.text("name"),
            value.int("hostPort"),
            value.int("containerPort"),
            value.text("protocol"),
            value.text("hostIP")
        )
    }
}

/// Warnings of all ports of a pod spec.
pub fn warnings(out: &mut Vec<String>, path: &Path, spec: &Value) {
    let mut ports: Vec<Port<'_>> = Vec::new();
    for (container, path) in visit(spec, path) {
        let own = container.list("ports").iter().enumerate();
        ports.extend(own.map(|(i, value)| Port { value, path: path.child("ports").index(i) }));
    }
    for (i, port) in ports.iter().enumerate() {
        if !port.value.text("hostIP").is_empty() && port.value.int("hostPort") == 0 {
            out.push(format!("{}: hostIP set without hostPort: {}", port.path, port.shown()));
        }
        let same = |other: &&Port<'_>| {
            other.value.int("containerPort") == port.value.int("containerPort")
                && other.value.text("protocol") == port.value.text("protocol")
        };
        let found = ports.iter().take(i).filter(same).filter_map(|other| {
            clash(port.value, other.value).map(|what| format!("{}: {what} with {}", port.path, other.path))
        });
        out.extend(found);
    }
    let mut names: BTreeMap<&str, &Path> = BTreeMap::new();
    for port in &ports {
        let name = port.value.text("name");
        if name.is_empty() {
            continue;
        }
        match names.get(name) {
            None => drop(names.insert(name, &port.path)),
            Some(first) => out.push(format!(
                "{}: duplicate port name {} with {first}, services and probes that select ports by name will use {first}",
                port.path,
                quote(name)
            )),
        }
    }
}

/// How two definitions of one container port stand to each other.
fn clash(one: &Value, other: &Value) -> Option<&'static str> {
    let (ports, addresses) = ((one.int("hostPort"), other.int("hostPort")), (one.text("hostIP"), other.text("hostIP")));
    if ports.0 == ports.1 && addresses.0 == addresses.1 {
        Some("duplicate port definition")
    } else if ports.0 == 0 || ports.1 == 0 {
        Some("overlapping port definition")
    } else if ports.0 == ports.1 && addresses.0.is_empty() != addresses.1.is_empty() {
        Some("dangerously ambiguous port definition")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_compared_over_all_containers() {
        let spec = json!({
            "containers": [
                {"ports": [{"containerPort": 80, "protocol": "TCP", "name": "a", "hostIP": "1.1.1.1"}]},
                {"ports": [{"containerPort": 80, "protocol": "TCP", "name": "a", "hostPort": 8080}]},
            ],
        });
        let mut out = Vec::new();
        warnings(&mut out, &Path::new("spec"), &spec);
        let expected = [
            "spec.containers[0].ports[0]: hostIP set without hostPort: {Name:a HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.1.1.1}",
            "spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]",
            "spec.containers[1].ports[0]: duplicate port name \"a\" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]",
        ];
        assert_eq!(out, expected);
    }
}
