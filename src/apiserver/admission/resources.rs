//! Sums of resources, as limit ranges and quotas count them.

use std::collections::BTreeMap;

use crate::object::quantity::{self, Quantity};
use crate::object::{Value, meta};

/// Amounts by resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// Reads a resource list; what is no quantity is left out.
pub fn list(value: &Value, path: &[&str]) -> Amounts {
    let entries = meta::map_at(value, path).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), quantity::from_value(value).ok()?))).collect()
}

/// Adds `other` to `sum`.
pub fn add(sum: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        match sum.get_mut(name) {
            Some(present) => present.add(amount),
            None => drop(sum.insert(name.clone(), amount.clone())),
        }
    }
}

fn max(sum: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if sum.get(name).is_none_or(|present| present < amount) {
            sum.insert(name.clone(), amount.clone());
        }
    }
}

/// What a pod requests or is limited to as a whole (`PodRequests`, `PodLimits`): `field` is `requests` or `limits`.
///
/// Containers add up; init containers run one after another beside the sidecars that started before them; what the pod
/// itself sets replaces the sums; overhead comes on top.
pub fn of_pod(pod: &Value, field: &str) -> Amounts {
    let mut sum = Amounts::new();
    for container in meta::list_at(pod, &["spec", "containers"]) {
        add(&mut sum, &list(container, &["resources", field]));
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in meta::list_at(pod, &["spec", "initContainers"]) {
        let mut own = list(container, &["resources", field]);
        if meta::str_at(container, &["restartPolicy"]) == "Always" {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        max(&mut peak, &own);
    }
    max(&mut sum, &peak);
    sum.extend(list(pod, &["spec", "resources", field]));
    let overhead = list(pod, &["spec", "overhead"]);
    if field == "requests" {
        add(&mut sum, &overhead);
    } else {
        let limited = overhead.into_iter().filter(|(name, _)| sum.get(name).is_some_and(|amount| !amount.is_zero()));
        let limited: Amounts = limited.collect();
        add(&mut sum, &limited);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_containers_count_as_their_peak() {
        let container = |cpu: &str| serde_json::json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = container("100m");
        sidecar["restartPolicy"] = "Always".into();
        let pod = serde_json::json!({"spec": {
            "containers": [container("200m"), container("100m")],
            "initContainers": [sidecar, container("1")],
            "overhead": {"cpu": "50m"},
        }});
        assert_eq!(of_pod(&pod, "requests").get("cpu").map(Quantity::milli_value), Some(1150));
    }
}
