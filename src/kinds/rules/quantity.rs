//! Resource lists and the names of resources.

use std::collections::BTreeMap;

use serde_json::json;

use super::value::Fields;
use crate::object::quantity::Quantity;
use crate::object::{Map, Value};

/// Quantities by resource name.
pub type Resources = BTreeMap<String, Quantity>;

/// The quantity in a value, zero when it is none.
pub fn of(value: &Value) -> Quantity {
    crate::object::quantity::from_value(value).unwrap_or_else(|_| Quantity::zero())
}

/// The quantities of a resource list, in key order.
pub fn list(value: &Value) -> Resources {
    value.as_object().into_iter().flatten().map(|(name, quantity)| (name.clone(), of(quantity))).collect()
}

/// Rounds the quantities of a resource list up to thousandths.
pub fn round_up(list: &mut Map<String, Value>) {
    for value in list.values_mut() {
        let quantity = of(value);
        let rounded = Quantity::from_milli(quantity.milli_value(), quantity.format());
        if quantity.milli_value() != i64::MAX && rounded != quantity {
            *value = json!(rounded.to_string());
        }
    }
}

/// Whether the name is that of a huge page size.
pub fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether a resource is in the default namespace: no prefix, or one of `kubernetes.io/`.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether requests of a resource may be lower than its limit.
pub fn overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Whether a resource may be given for a pod as a whole.
pub fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

fn add(into: &mut Resources, from: &Resources) {
    for (name, quantity) in from {
        into.entry(name.clone()).and_modify(|sum| sum.add(quantity)).or_insert_with(|| quantity.clone());
    }
}

fn raise(into: &mut Resources, from: &Resources) {
    for (name, quantity) in from {
        let found = into.entry(name.clone()).or_insert_with(|| quantity.clone());
        if *quantity > *found {
            *found = quantity.clone();
        }
    }
}

/// What all containers of a pod need together: `requests` or `limits`. Init containers run one by one beside the
/// sidecars started before them.
pub fn aggregate(spec: &Value, which: &str) -> Resources {
    let of_container = |container: &Value| list(container.at("resources").at(which));
    let mut total = Resources::new();
    for container in spec.list("containers") {
        add(&mut total, &of_container(container));
    }
    let (mut sidecars, mut peak) = (Resources::new(), Resources::new());
    for container in spec.list("initContainers") {
        let mut own = of_container(container);
        if container.text("restartPolicy") == "Always" {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        raise(&mut peak, &own);
    }
    raise(&mut total, &peak);
    total
}
