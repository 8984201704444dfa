//! What an object uses of a quota.

use crate::object::quantity::{Format, Quantity};
use crate::object::{Value, meta};

use super::super::Attributes;
use super::super::resources::{self, Amounts};

/// Resources that are counted under a name of their own besides `count/…`.
const COUNTED: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// `n` objects.
pub fn count(n: i64) -> Quantity {
    Quantity::from_i64(n, Format::DecimalSI)
}

/// What an object uses.
pub fn of(attributes: &Attributes, object: &Value) -> Amounts {
    let (group, plural) = (attributes.resource.group(), attributes.resource.plural());
    let name = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let mut used = Amounts::from([(format!("count/{name}"), count(1))]);
    let own = group.is_empty() && COUNTED.contains(&plural);
    let ended = plural == "pods" && has_ended(object);
    if own && !ended {
        used.insert(plural.to_owned(), count(1));
    }
    match (group, plural) {
        ("", "pods") if !ended => compute(object, &mut used),
        ("", "services") => service(object, &mut used),
        ("", "persistentvolumeclaims") => claim(object, &mut used),
        _ => {}
    }
    used
}

/// Pods that have ended use nothing but their place among the objects.
fn has_ended(pod: &Value) -> bool {
    matches!(meta::str_at(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

fn compute(pod: &Value, used: &mut Amounts) {
    for (name, amount) in resources::of_pod(pod, "requests") {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(name.clone(), amount.clone());
        }
        if name.starts_with("hugepages-") {
            used.insert(name.clone(), amount.clone());
        }
        used.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in resources::of_pod(pod, "limits") {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(format!("limits.{name}"), amount);
        }
    }
}

fn service(service: &Value, used: &mut Amounts) {
    let ports = meta::list_at(service, &["spec", "ports"]).iter();
    let total = i64::try_from(ports.clone().count()).unwrap_or(i64::MAX);
    let (mut nodes, mut balancers) = (0, 0);
    match meta::str_at(service, &["spec", "type"]) {
        "NodePort" => nodes = total,
        "LoadBalancer" => {
            let allocates = meta::get(service, &["spec", "allocateLoadBalancerNodePorts"]).and_then(Value::as_bool);
            let given = ports.filter(|port| meta::int_at(port, &["nodePort"]).unwrap_or_default() != 0).count();
            nodes = if allocates == Some(false) { i64::try_from(given).unwrap_or(i64::MAX) } else { total };
            balancers = 1;
        }
        _ => {}
    }
    used.insert("services.nodeports".into(), count(nodes));
    used.insert("services.loadbalancers".into(), count(balancers));
}

fn claim(claim: &Value, used: &mut Amounts) {
    let annotated = meta::annotation(claim, "volume.beta.kubernetes.io/storage-class");
    let class = annotated.unwrap_or_else(|| meta::str_at(claim, &["spec", "storageClassName"]));
    let storage = resources::list(claim, &["spec", "resources", "requests"]).remove("storage");
    let mut put = |prefix: String| {
        used.insert(format!("{prefix}persistentvolumeclaims"), count(1));
        if let Some(storage) = &storage {
            used.insert(format!("{prefix}requests.storage"), storage.clone());
        }
    };
    put(String::new());
    if !class.is_empty() {
        put(format!("{class}.storageclass.storage.k8s.io/"));
    }
}

/// The names of compute resources that every container must set when the quota limits them, and the containers that do
/// not.
pub fn missing(pod: &Value, limited: &[String]) -> Vec<(String, Vec<String>)> {
    const REQUIRED: &[&str] = &["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];
    let wanted = limited.iter().filter(|name| REQUIRED.contains(&name.as_str()));
    let lacks = |container: &Value, name: &str| {
        let (kind, resource) = name.split_once('.').unwrap_or(("requests", name));
        meta::get(container, &["resources", kind, resource]).is_none()
    };
    wanted
        .filter_map(|name| {
            let (kind, resource) = name.split_once('.').unwrap_or(("requests", name));
            if meta::get(pod, &["spec", "resources", kind, resource]).is_some() {
                return None;
            }
            let containers =
                ["containers", "initContainers"].iter().flat_map(|field| meta::list_at(pod, &["spec", field]));
            let mut names: Vec<String> = containers
                .filter(|container| lacks(container, name))
                .map(|container| meta::str_at(container, &["name"]).to_owned())
                .collect();
            names.sort();
            names.dedup();
            (!names.is_empty()).then(|| (name.clone(), names))
        })
        .collect()
}
