//! What pods ask for and what nodes have, as integers: milli-units for cpu, whole units for the rest.

use std::collections::BTreeMap;

use crate::object::meta::{list_at, map_at, str_at};
use crate::object::{Value, quantity};

/// Amounts by resource name.
pub(super) type Amounts = BTreeMap<String, i64>;

/// Requests that a container without any is counted with when nodes are ranked (cpu in milli-units, memory in bytes).
pub(super) const USUAL: [(&str, i64); 2] = [("cpu", 100), ("memory", 200 * 1024 * 1024)];

fn amount(name: &str, value: &Value) -> i64 {
    let Ok(quantity) = quantity::from_value(value) else { return 0 };
    if name == "cpu" { quantity.milli_value() } else { quantity.value() }
}

/// The amounts of a map of quantities.
pub(super) fn amounts(object: &Value, path: &[&str]) -> Amounts {
    map_at(object, path).into_iter().flatten().map(|(name, value)| (name.clone(), amount(name, value))).collect()
}

fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = total.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

fn at_least(total: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let most = total.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

/// What a pod asks for: its containers and sidecars together, or its hungriest init container with the sidecars before
/// it if that is more, and its overhead (`resourcehelper.PodRequests`). `usual` stands for containers that ask nothing.
pub(super) fn requests(pod: &Value, usual: &[(&str, i64)]) -> Amounts {
    let of = |container: &Value| {
        let mut asked = amounts(container, &["resources", "requests"]);
        for (name, amount) in usual {
            asked.entry((*name).to_owned()).or_insert(*amount);
        }
        asked
    };
    let mut total = Amounts::new();
    for container in list_at(pod, &["spec", "containers"]) {
        add(&mut total, &of(container));
    }
    let mut sidecars = Amounts::new();
    let mut initial = Amounts::new();
    for container in list_at(pod, &["spec", "initContainers"]) {
        let mut asked = of(container);
        if str_at(container, &["restartPolicy"]) == "Always" {
            add(&mut total, &asked);
            add(&mut sidecars, &asked);
            asked = sidecars.clone();
        } else {
            add(&mut asked, &sidecars);
        }
        at_least(&mut initial, &asked);
    }
    at_least(&mut total, &initial);
    for (name, amount) in amounts(pod, &["spec", "resources", "requests"]) {
        total.insert(name, amount);
    }
    add(&mut total, &amounts(pod, &["spec", "overhead"]));
    total
}

/// What the pods of a node ask for together.
pub(super) fn used<'a>(pods: impl Iterator<Item = &'a Value>, usual: &[(&str, i64)]) -> Amounts {
    let mut total = Amounts::new();
    for pod in pods {
        add(&mut total, &requests(pod, usual));
    }
    total
}
