//! Registers the simulated nodes of a new cluster.

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;
use serde_json::json;

use crate::client::transport::SharedTransport;
use crate::controllers::runtime::{Api, ApiError, Key, Resource};
use crate::object::Value;

/// What every simulated node can give.
const CAPACITY: [(&str, &str); 6] = [
    ("cpu", "4"),
    ("memory", "8Gi"),
    ("pods", "110"),
    ("ephemeral-storage", "100Gi"),
    ("hugepages-1Gi", "0"),
    ("hugepages-2Mi", "0"),
];

/// Conditions of a healthy node: type, status, reason, message.
const CONDITIONS: [(&str, &str, &str, &str); 4] = [
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];

/// The name of the simulated node with number `number` (from 1).
pub fn name(number: u8) -> String {
    format!("node-{number}")
}

/// Registers `node-1` … `node-COUNT` where that has not been done yet.
///
/// A node's lease stays behind when the node is deleted, so it tells that the node was registered before: a node that
/// somebody deleted does not come back with the next start.
///
/// # Errors
/// [`ApiError`] when the server refuses one of the objects.
pub async fn register(transport: SharedTransport, count: u8, now: DateTime<Utc>) -> Result<(), ApiError> {
    let api = Api::new(transport, "kubelet");
    let leases = Resource::new("coordination.k8s.io", "v1", "leases");
    for number in 1..=count {
        let key = Key { namespace: "kube-node-lease".into(), name: name(number) };
        match api.get(&leases, &key).await {
            Err(e) if e.is_code(404) => {}
            answer => {
                answer?;
                continue;
            }
        }
        post(&api, "/api/v1/nodes", &node(number)).await?;
        let status = format!("/api/v1/nodes/{}/status", name(number));
        let patch = json!({"status": status_of(number, now)});
        api.call(Method::PATCH, &status, "application/merge-patch+json", Some(&patch)).await?;
        post(&api, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", &lease(number, now)).await?;
    }
    Ok(())
}

/// Creates an object; that it is there already is fine.
async fn post(api: &Api, path: &str, object: &Value) -> Result<(), ApiError> {
    match api.call(Method::POST, path, "application/json", Some(object)).await {
        Err(e) if e.is_code(409) => Ok(()),
        answer => answer.map(drop),
    }
}

fn node(number: u8) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name(number),
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name(number),
                "kubernetes.io/os": "linux",
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {},
    })
}

fn status_of(number: u8, now: DateTime<Utc>) -> Value {
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let resources: serde_json::Map<String, Value> =
        CAPACITY.iter().map(|(name, amount)| ((*name).to_owned(), json!(amount))).collect();
    let conditions: Vec<Value> = CONDITIONS
        .iter()
        .map(|(type_, status, reason, message)| {
            json!({"type": type_, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": time, "lastTransitionTime": time})
        })
        .collect();
    json!({
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": address(number)},
            {"type": "InternalDNS", "address": "localhost"},
            {"type": "Hostname", "address": name(number)},
        ],
        "conditions": conditions,
        "nodeInfo": {
            "machineID": format!("m{number}"), "systemUUID": format!("s{number}"), "bootID": format!("b{number}"),
            "kernelVersion": "6.1.0", "osImage": "Debian GNU/Linux 12 (bookworm)",
            "containerRuntimeVersion": "containerd://2.1.0", "kubeletVersion": "v1.36.2", "kubeProxyVersion": "",
            "operatingSystem": "linux", "architecture": "amd64",
        },
    })
}

/// The node's address, in a range that no machine on loopback uses.
fn address(number: u8) -> String {
    format!("172.20.0.{}", 10u16 + u16::from(number))
}

fn lease(number: u8, now: DateTime<Utc>) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name(number), "namespace": "kube-node-lease"},
        "spec": {
            "holderIdentity": name(number),
            "leaseDurationSeconds": 40,
            "renewTime": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        },
    })
}
