//! What an object takes of a resource quota, and which scopes it falls under.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::quantity::{self, Format, Quantity};
use crate::object::{Map, Value, meta};

/// Amounts by the names that quotas use.
pub type Usage = BTreeMap<String, Quantity>;

/// Core resources that a quota counts under their bare name.
const COUNTED: [&str; 6] =
    ["configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// Compute resources whose requests a quota also knows under their bare name.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

fn one() -> Quantity {
    count(1)
}

fn count(n: usize) -> Quantity {
    Quantity::from_i64(i64::try_from(n).unwrap_or(i64::MAX), Format::DecimalSI)
}

fn add(usage: &mut Usage, name: &str, amount: &Quantity) {
    match usage.get_mut(name) {
        Some(sum) => sum.add(amount),
        None => drop(usage.insert(name.to_owned(), amount.clone())),
    }
}

/// The name under which a quota counts the objects of a resource, such as `count/deployments.apps`.
pub fn count_name(group: &str, plural: &str) -> String {
    if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") }
}

/// What one object of a resource takes.
pub fn of(group: &str, plural: &str, object: &Value, now: DateTime<Utc>) -> Usage {
    let mut usage = Usage::from([(count_name(group, plural), one())]);
    if !group.is_empty() {
        return usage;
    }
    if COUNTED.contains(&plural) {
        usage.insert(plural.to_owned(), one());
    }
    match plural {
        "pods" if counts(object, now) => of_pod(object, &mut usage),
        "services" => of_service(object, &mut usage),
        "persistentvolumeclaims" => of_claim(object, &mut usage),
        _ => {}
    }
    usage
}

/// Whether a pod still takes something: not once it has ended, or should long be gone.
fn counts(pod: &Value, now: DateTime<Utc>) -> bool {
    let grace = int_at(pod, &["metadata", "deletionGracePeriodSeconds"]).map(TimeDelta::seconds);
    let deleted = meta::deletion_timestamp(pod).and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let overdue = deleted.zip(grace).is_some_and(|(deleted, grace)| now > deleted.to_utc() + grace);
    !matches!(str_at(pod, &["status", "phase"]), "Succeeded" | "Failed") && !overdue
}

fn of_pod(pod: &Value, usage: &mut Usage) {
    usage.insert("pods".into(), one());
    for (name, amount) in pod_resources(pod, "requests") {
        if COMPUTE.contains(&name.as_str()) || name.starts_with("hugepages-") {
            add(usage, &name, &amount);
            add(usage, &format!("requests.{name}"), &amount);
        } else if name.contains('/') && !name.contains("kubernetes.io/") {
            add(usage, &format!("requests.{name}"), &amount);
        }
    }
    for (name, amount) in pod_resources(pod, "limits") {
        if COMPUTE.contains(&name.as_str()) {
            add(usage, &format!("limits.{name}"), &amount);
        }
    }
}

fn amounts(map: Option<&Map<String, Value>>) -> Usage {
    let parsed = map.into_iter().flatten().filter_map(|(name, value)| {
        let amount = quantity::from_value(value).ok()?;
        Some((name.clone(), amount))
    });
    parsed.collect()
}

fn raise(usage: &mut Usage, other: &Usage) {
    for (name, amount) in other {
        if usage.get(name).is_none_or(|present| *present < *amount) {
            usage.insert(name.clone(), amount.clone());
        }
    }
}

/// The `requests` or `limits` of a whole pod: its containers and sidecars together or the largest moment of its start,
/// whichever is more; with overhead; the pod's own amounts win.
fn pod_resources(pod: &Value, field: &str) -> Usage {
    let of = |container: &Value| amounts(meta::map_at(container, &["resources", field]));
    let mut total = Usage::new();
    for container in list_at(pod, &["spec", "containers"]) {
        of(container).iter().for_each(|(name, amount)| add(&mut total, name, amount));
    }
    let (mut sidecars, mut start) = (Usage::new(), Usage::new());
    for container in list_at(pod, &["spec", "initContainers"]) {
        let mut moment = of(container);
        if str_at(container, &["restartPolicy"]) == "Always" {
            moment.iter().for_each(|(name, amount)| {
                add(&mut sidecars, name, amount);
                add(&mut total, name, amount);
            });
            moment = sidecars.clone();
        } else {
            sidecars.iter().for_each(|(name, amount)| add(&mut moment, name, amount));
        }
        raise(&mut start, &moment);
    }
    raise(&mut total, &start);
    for (name, amount) in amounts(meta::map_at(pod, &["spec", "resources", field])) {
        total.insert(name, amount);
    }
    for (name, amount) in amounts(meta::map_at(pod, &["spec", "overhead"])) {
        // Without a limit there is nothing to which the overhead would add.
        if field == "requests" || total.contains_key(&name) {
            add(&mut total, &name, &amount);
        }
    }
    total
}

fn of_service(service: &Value, usage: &mut Usage) {
    let ports = list_at(service, &["spec", "ports"]);
    let allocated = ports.iter().filter(|port| int_at(port, &["nodePort"]).is_some_and(|n| n != 0)).count();
    let (balancers, node_ports) = match str_at(service, &["spec", "type"]) {
        "NodePort" => (0, ports.len()),
        "LoadBalancer" => match get(service, &["spec", "allocateLoadBalancerNodePorts"]) {
            Some(Value::Bool(false)) => (1, allocated),
            _ => (1, ports.len()),
        },
        _ => (0, 0),
    };
    usage.insert("services.loadbalancers".into(), count(balancers));
    usage.insert("services.nodeports".into(), count(node_ports));
}

fn of_claim(claim: &Value, usage: &mut Usage) {
    let annotated = meta::annotation(claim, "volume.beta.kubernetes.io/storage-class");
    let class = annotated.unwrap_or_else(|| str_at(claim, &["spec", "storageClassName"]));
    let of_class = |name: &str| format!("{class}.storageclass.storage.k8s.io/{name}");
    if !class.is_empty() {
        usage.insert(of_class("persistentvolumeclaims"), one());
    }
    let at = |path: &[&str]| get(claim, path).and_then(|value| quantity::from_value(value).ok());
    // While a claim grows, what has been set aside for it counts if it is more.
    let asked = at(&["spec", "resources", "requests", "storage"]);
    let Some(storage) = asked.max(at(&["status", "allocatedResources", "storage"])) else { return };
    if !class.is_empty() {
        usage.insert(of_class("requests.storage"), storage.clone());
    }
    usage.insert("requests.storage".into(), storage);
}

/// Whether an object of a core resource falls under every scope of a quota. Only pods and claims fall under any.
pub fn in_scopes(quota: &Value, plural: &str, object: &Value) -> bool {
    let simple = list_at(quota, &["spec", "scopes"]).iter().filter_map(Value::as_str);
    let selected = list_at(quota, &["spec", "scopeSelector", "matchExpressions"]).iter().map(|expression| {
        let (scope, operator) = (str_at(expression, &["scopeName"]), str_at(expression, &["operator"]));
        (scope, operator, list_at(expression, &["values"]))
    });
    let mut scopes = simple.map(|scope| (scope, "Exists", &[][..])).chain(selected);
    scopes.all(|(scope, operator, values)| match (scope, plural) {
        ("VolumeAttributesClass", "persistentvolumeclaims") => {
            by_value(str_at(object, &["spec", "volumeAttributesClassName"]), operator, values)
        }
        (_, "pods") => pod_in_scope(object, scope, operator, values),
        _ => false,
    })
}

fn by_value(value: &str, operator: &str, values: &[Value]) -> bool {
    let listed = values.iter().any(|candidate| candidate == value);
    match operator {
        "In" => !value.is_empty() && listed,
        "NotIn" => !listed,
        "Exists" => !value.is_empty(),
        "DoesNotExist" => value.is_empty(),
        _ => false,
    }
}

fn pod_in_scope(pod: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let bounded = int_at(pod, &["spec", "activeDeadlineSeconds"]).is_some_and(|seconds| seconds >= 0);
    match scope {
        "Terminating" => bounded,
        "NotTerminating" => !bounded,
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        "PriorityClass" => by_value(str_at(pod, &["spec", "priorityClassName"]), operator, values),
        _ => false,
    }
}

fn is_best_effort(pod: &Value) -> bool {
    match str_at(pod, &["status", "qosClass"]) {
        "" => ["requests", "limits"].into_iter().all(|field| {
            let asked = pod_resources(pod, field);
            ["cpu", "memory"].into_iter().all(|name| asked.get(name).is_none_or(Quantity::is_zero))
        }),
        class => class == "BestEffort",
    }
}

/// Whether an affinity of the pod names namespaces or a selector of them.
fn crosses_namespaces(pod: &Value) -> bool {
    let crosses = |term: &Value| {
        !list_at(term, &["namespaces"]).is_empty()
            || get(term, &["namespaceSelector"]).is_some_and(|selector| !selector.is_null())
    };
    ["podAffinity", "podAntiAffinity"].into_iter().any(|which| {
        let affinity = |field: &str| list_at(pod, &["spec", "affinity", which, field]);
        affinity("requiredDuringSchedulingIgnoredDuringExecution").iter().any(crosses)
            || affinity("preferredDuringSchedulingIgnoredDuringExecution")
                .iter()
                .filter_map(|weighted| get(weighted, &["podAffinityTerm"]))
                .any(crosses)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(usage: &Usage, name: &str) -> String {
        usage.get(name).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn a_pod_takes_the_most_that_it_ever_needs() {
        let pod = json!({"spec": {
            "containers": [{"resources": {"requests": {"cpu": "100m", "example.com/gpu": "1"}}},
                {"resources": {"requests": {"cpu": "200m"}, "limits": {"memory": "1Gi"}}}],
            "initContainers": [{"resources": {"requests": {"cpu": "50m"}}, "restartPolicy": "Always"},
                {"resources": {"requests": {"cpu": "1"}}}],
            "overhead": {"cpu": "10m", "memory": "1Mi"}}});
        let usage = of("", "pods", &pod, Utc::now());
        assert_eq!((text(&usage, "cpu").as_str(), text(&usage, "requests.cpu").as_str()), ("1060m", "1060m"));
        assert_eq!((text(&usage, "limits.memory").as_str(), text(&usage, "limits.cpu").as_str()), ("1025Mi", ""));
        assert_eq!((text(&usage, "requests.example.com/gpu").as_str(), text(&usage, "pods").as_str()), ("1", "1"));
        let ended = of("", "pods", &json!({"status": {"phase": "Failed"}}), Utc::now());
        assert_eq!(ended.keys().collect::<Vec<_>>(), ["count/pods"]);
    }

    #[test]
    fn services_and_claims_take_ports_and_storage() {
        let service = json!({"spec": {"type": "LoadBalancer", "ports": [{"nodePort": 30000}, {}],
            "allocateLoadBalancerNodePorts": false}});
        let usage = of("", "services", &service, Utc::now());
        assert_eq!(
            (text(&usage, "services.loadbalancers"), text(&usage, "services.nodeports")),
            ("1".into(), "1".into())
        );
        let claim = json!({"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}});
        let usage = of("", "persistentvolumeclaims", &claim, Utc::now());
        assert_eq!(text(&usage, "fast.storageclass.storage.k8s.io/requests.storage"), "2Gi");
        assert_eq!(text(&of("apps", "deployments", &json!({}), Utc::now()), "count/deployments.apps"), "1");
    }

    #[test]
    fn scopes_sort_pods() {
        let pod = json!({"spec": {"activeDeadlineSeconds": 5, "priorityClassName": "high", "containers": []}});
        let within = |spec: Value| in_scopes(&json!({"spec": spec}), "pods", &pod);
        assert!(within(json!({"scopes": ["Terminating", "BestEffort"]})));
        assert!(!within(json!({"scopes": ["NotBestEffort"]})));
        let class = |operator: &str| {
            json!({"scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": operator, "values": ["high"]}]}})
        };
        assert!(within(class("In")) && !within(class("NotIn")));
        assert!(!in_scopes(&json!({"spec": {"scopes": ["BestEffort"]}}), "services", &json!({})));
    }
}
