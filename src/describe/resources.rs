//! Sums of what pods request and may use, and the quality of service that follows from them.

use std::collections::BTreeMap;

use super::text::present;
use crate::object::quantity::Quantity;
use crate::object::{Value, meta};

/// Prefix of the names of huge pages.
pub(super) const HUGE_PAGES: &str = "hugepages-";

/// Amounts by resource name.
pub(super) type Amounts = BTreeMap<String, Quantity>;

fn amounts(object: &Value, path: &[&str]) -> Amounts {
    let entries = meta::map_at(object, path).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), crate::object::quantity::from_value(value).ok()?))).collect()
}

/// Adds amounts to others.
pub(super) fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match to.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => {
                to.insert(name.clone(), amount.clone());
            }
        }
    }
}

fn raise(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if to.get(name).is_none_or(|present| amount > present) {
            to.insert(name.clone(), amount.clone());
        }
    }
}

/// Which side of the resources is summed up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the pod asks for.
    Requests,
    /// What the pod may use at most.
    Limits,
}

impl Side {
    fn field(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// The amounts of one container; with `statuses`, what a resize in place has reached counts as well.
fn of_container(container: &Value, statuses: Option<&[&Value]>, side: Side, infeasible: bool) -> Amounts {
    let spec = amounts(container, &["resources", side.field()]);
    let name = meta::str_at(container, &["name"]);
    let status = statuses.and_then(|all| all.iter().rfind(|s| meta::str_at(s, &["name"]) == name));
    let Some(status) = status.filter(|s| present(s, &["resources"]).is_some()) else { return spec };
    let mut result = if infeasible { Amounts::new() } else { spec };
    raise(&mut result, &amounts(status, &["resources", side.field()]));
    if side == Side::Requests {
        raise(&mut result, &amounts(status, &["allocatedResources"]));
    }
    result
}

/// Whether a pod's resources of its own (not its containers') count for a resource.
fn on_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with(HUGE_PAGES)
}

/// What a whole pod requests or may use: containers add up, init containers set a minimum, sidecars among them add up
/// too (`PodRequests`, `PodLimits`).
pub(super) fn of_pod(pod: &Value, side: Side, use_status: bool) -> Amounts {
    let conditions = meta::list_at(pod, &["status", "conditions"]);
    let resize = conditions.iter().find(|c| meta::str_at(c, &["type"]) == "PodResizePending");
    let infeasible = resize.is_some_and(|c| meta::str_at(c, &["reason"]) == "Infeasible");
    let statuses: Vec<&Value> = ["containerStatuses", "initContainerStatuses"]
        .iter()
        .flat_map(|field| meta::list_at(pod, &["status", field]))
        .collect();
    let statuses = use_status.then_some(statuses.as_slice());
    let mut sum = Amounts::new();
    for container in meta::list_at(pod, &["spec", "containers"]) {
        add(&mut sum, &of_container(container, statuses, side, infeasible));
    }
    let (mut sidecars, mut minimum) = (Amounts::new(), Amounts::new());
    for container in meta::list_at(pod, &["spec", "initContainers"]) {
        if meta::str_at(container, &["restartPolicy"]) == "Always" {
            let own = of_container(container, statuses, side, infeasible);
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            raise(&mut minimum, &sidecars);
        } else {
            let mut own = of_container(container, None, side, infeasible);
            add(&mut own, &sidecars);
            raise(&mut minimum, &own);
        }
    }
    raise(&mut sum, &minimum);
    sum.extend(amounts(pod, &["spec", "resources", side.field()]).into_iter().filter(|(name, _)| on_pod_level(name)));
    let overhead = amounts(pod, &["spec", "overhead"]);
    match side {
        Side::Requests => add(&mut sum, &overhead),
        Side::Limits => {
            for (name, more) in &overhead {
                if let Some(limit) = sum.get_mut(name).filter(|limit| !limit.is_zero()) {
                    limit.add(more);
                }
            }
        }
    }
    sum
}

/// The quality of service of a pod: from its status, else reckoned from its resources.
pub(super) fn quality_of_service(pod: &Value) -> String {
    match meta::str_at(pod, &["status", "qosClass"]) {
        "" => computed_quality(pod).to_owned(),
        class => class.to_owned(),
    }
}

fn computed_quality(pod: &Value) -> &'static str {
    let counted = |list: Amounts| -> Amounts {
        list.into_iter().filter(|(name, amount)| matches!(&**name, "cpu" | "memory") && amount.sign() > 0).collect()
    };
    let owners: Vec<&Value> = match present(pod, &["spec", "resources"]) {
        Some(_) => meta::get(pod, &["spec"]).into_iter().collect(),
        None => ["containers", "initContainers"].iter().flat_map(|f| meta::list_at(pod, &["spec", f])).collect(),
    };
    let (mut requests, mut limits, mut guaranteed) = (Amounts::new(), Amounts::new(), true);
    for owner in owners {
        add(&mut requests, &counted(amounts(owner, &["resources", "requests"])));
        let own = counted(amounts(owner, &["resources", "limits"]));
        // At the level of the pod absent limits say nothing.
        let says_nothing =
            present(pod, &["spec", "resources"]).is_some() && present(owner, &["resources", "limits"]).is_none();
        guaranteed &= own.len() == 2 || says_nothing;
        add(&mut limits, &own);
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let covered = requests.iter().all(|(name, request)| limits.get(name) == Some(request));
    if guaranteed && covered && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

/// A container's resource in units of a divisor, rounded up, as a `resourceFieldRef` asks for it.
pub(super) fn field_value(container: &Value, resource: &str, divisor: &str) -> Option<i64> {
    let (side, name) = resource.split_once('.')?;
    if !matches!(side, "limits" | "requests")
        || !(matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with(HUGE_PAGES))
    {
        return None;
    }
    let divisor = Quantity::parse(divisor).ok().filter(|d| !d.is_zero());
    let divisor = divisor.or_else(|| Quantity::parse("1").ok())?;
    let amount = amounts(container, &["resources", side]).remove(name).unwrap_or_else(Quantity::zero);
    let (amount, divisor) =
        if name == "cpu" { (amount.milli_value(), divisor.milli_value()) } else { (amount.value(), divisor.value()) };
    Some((amount as f64 / divisor as f64).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cpu(amount: &str) -> Value {
        json!({"name": amount, "resources": {"requests": {"cpu": amount}, "limits": {"cpu": amount, "memory": "1Gi"}}})
    }

    #[test]
    fn init_containers_set_a_minimum_and_sidecars_add_up() {
        let mut sidecar = cpu("100m");
        sidecar["restartPolicy"] = json!("Always");
        let pod = json!({"spec": {
            "containers": [cpu("200m"), cpu("300m")],
            "initContainers": [sidecar, cpu("2")],
            "overhead": {"cpu": "10m"},
        }});
        assert_eq!(of_pod(&pod, Side::Requests, false)["cpu"].to_string(), "2110m");
        assert_eq!(computed_quality(&pod), "Burstable");
    }

    #[test]
    fn resource_fields_are_divided_and_rounded_up() {
        let container = cpu("250m");
        assert_eq!(field_value(&container, "limits.cpu", ""), Some(1));
        assert_eq!(field_value(&container, "limits.cpu", "1m"), Some(250));
        assert_eq!(field_value(&container, "limits.memory", "1Mi"), Some(1024));
        assert_eq!(field_value(&container, "requests.memory", "1Mi"), Some(0));
        assert_eq!(field_value(&container, "requests.gpu", "1"), None);
    }
}
