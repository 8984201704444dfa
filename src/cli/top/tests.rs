//! Tables of measurements as a metrics server gives them.

use serde_json::{Value, json};

use crate::testing::scripted::{Scripted, kubectl};

const PODS: &str = "GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods";

fn groups() -> (&'static str, Value) {
    let versions = json!([{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]);
    ("GET /apis", json!({"kind": "APIGroupList", "groups": [{"name": "metrics.k8s.io", "versions": versions}]}))
}

fn usage(cpu: &str, memory: &str) -> Value {
    json!({"cpu": cpu, "memory": memory})
}

fn pod(namespace: &str, name: &str, containers: &[(&str, &str, &str)]) -> Value {
    let containers: Vec<Value> =
        containers.iter().map(|(name, cpu, memory)| json!({"name": name, "usage": usage(cpu, memory)})).collect();
    json!({"metadata": {"name": name, "namespace": namespace}, "containers": containers})
}

fn pods() -> Value {
    json!({"items": [
        pod("default", "web", &[("app", "1500001n", "20Mi"), ("side", "10m", "1Gi")]),
        pod("default", "api", &[("main", "1", "3Mi")]),
    ]})
}

#[test]
fn without_the_api_there_is_nothing_to_show() {
    let script = Scripted::new(&[("GET /apis", json!({"groups": []}))]);
    assert_eq!(kubectl(&script, "top pod"), "error: Metrics API not available\n[1]");
    assert_eq!(kubectl(&script, "top node a b").lines().next(), Some("error: node [NAME | -l label]"));
    assert_eq!(kubectl(&script, "top no --sort-by=x"), "error: --sort-by accepts only cpu or memory\n[1]");
}

#[test]
fn pods_and_their_sum() {
    let script = Scripted::new(&[groups(), (PODS, pods())]);
    let told = kubectl(&script, "top pod --sum");
    let expected = "NAME   CPU(cores)   MEMORY(bytes)   \n\
                    api    1000m        3Mi             \n\
                    web    12m          1044Mi          \n       \
                    ________     ________        \n       \
                    1012m        1047Mi          \n[0]";
    assert_eq!(told, expected);
    let told = kubectl(&script, "top pods --sort-by=memory --no-headers");
    assert_eq!(told, "web   12m     1044Mi   \napi   1000m   3Mi      \n[0]");
}

#[test]
fn containers_have_lines_of_their_own() {
    let script = Scripted::new(&[groups(), ("GET /apis/metrics.k8s.io/v1beta1/pods", pods())]);
    let told = kubectl(&script, "top po -A --containers --sort-by=cpu");
    let expected = "NAMESPACE   POD   NAME   CPU(cores)   MEMORY(bytes)   \n\
                    default     api   main   1000m        3Mi             \n\
                    default     web   side   10m          1024Mi          \n\
                    default     web   app    2m           20Mi            \n[0]";
    assert_eq!(told, expected);
}

#[test]
fn no_measurements_are_explained() {
    let young = |created: String| {
        json!({"items": [{"metadata": {"name": "a", "namespace": "default",
        "creationTimestamp": created}}]})
    };
    let now = crate::object::time::format(chrono::Utc::now());
    let pods = "GET /api/v1/namespaces/default/pods";
    let told =
        |list: Value| kubectl(&Scripted::new(&[groups(), (PODS, json!({"items": []})), (pods, list)]), "top pod");
    assert_eq!(told(json!({"items": []})), "No resources found in default namespace.\n[0]");
    assert_eq!(told(young(now)), "error: metrics not available yet\n[1]");
    let old = told(young("2020-01-01T00:00:00Z".into()));
    assert!(old.starts_with("error: Metrics not available for pod default/a, age: "), "{old}");
}

#[test]
fn nodes_show_shares_of_what_they_have() {
    let node = |name: &str, swap: Option<i64>| {
        json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "2", "memory": "1Gi"},
            "capacity": {"cpu": "4", "memory": "2Gi"}, "nodeInfo": {"swap": {"capacity": swap}}}})
    };
    let nodes = json!({"items": [node("a", Some(1 << 30)), node("b", None), node("c", None)]});
    let measured =
        |name: &str| json!({"metadata": {"name": name}, "usage": {"cpu": "500m", "memory": "256Mi", "swap": "128Mi"}});
    let metrics = json!({"items": [measured("b"), measured("a")]});
    let script =
        Scripted::new(&[groups(), ("GET /apis/metrics.k8s.io/v1beta1/nodes", metrics), ("GET /api/v1/nodes", nodes)]);
    let told = kubectl(&script, "top node -l x=y --show-swap");
    let expected = "NAME   CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)   SWAP(bytes)   SWAP(%)     \n\
                    a      500m         25%         256Mi           25%         128Mi         12%         \n\
                    b      500m         25%         256Mi           25%         <unknown>     <unknown>   \n\
                    c      <unknown>    <unknown>   <unknown>       <unknown>   <unknown>     <unknown>   \n[0]";
    assert_eq!(told, expected);
    assert!(script.asked().contains(&"GET /apis/metrics.k8s.io/v1beta1/nodes?labelSelector=x%3Dy".to_owned()));
    let told = kubectl(&script, "top node --show-capacity --no-headers");
    assert!(told.starts_with("a     500m        12%         256Mi       12%"), "{told}");
}
