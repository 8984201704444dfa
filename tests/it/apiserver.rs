//! The API server through `Service::call`, as the in-process transport uses it.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use knarr::apiserver::{Config, Peer, Service};
use serde_json::{Value, json};

/// A server in memory with a runtime to call it on.
struct Server {
    service: Service,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { service: Service::open(Config::default()).expect("the server opens"), runtime }
    }

    fn send(&self, method: &str, path: &str, content_type: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .header("user-agent", "test/1")
            .body(body)
            .expect("a request");
        self.runtime.block_on(async {
            let response = self.service.call(request, Peer::in_process()).await;
            let code = response.status().as_u16();
            let bytes = response.into_body().collect().await.expect("bodies never fail").to_bytes();
            let value =
                serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes).into_owned()));
            (code, value)
        })
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "application/json", &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, "application/json", body)
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn an_object_lives_through_all_verbs() {
    let server = Server::start();
    let (code, made) = server.post(MAPS, &json!({"metadata": {"name": "a"}, "data": {"x": "1"}}));
    assert_eq!((code, &made["kind"], &made["apiVersion"]), (201, &json!("ConfigMap"), &json!("v1")), "{made}");
    assert_eq!(server.post(MAPS, &json!({"metadata": {"name": "a"}})).0, 409);
    let path = format!("{MAPS}/a");
    assert_eq!(server.get(&path), (200, made.clone()));
    let mut changed = made.clone();
    changed["data"]["x"] = json!("2");
    let (code, updated) = server.send("PUT", &path, "application/json", &changed);
    assert_eq!(code, 200, "{updated}");
    assert_ne!(updated["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let (code, stale) = server.send("PUT", &path, "application/json", &changed);
    assert_eq!((code, &stale["reason"]), (409, &json!("Conflict")));
    let (code, patched) =
        server.send("PATCH", &path, "application/merge-patch+json", &json!({"data": {"x": null, "y": "3"}}));
    assert_eq!((code, &patched["data"]), (200, &json!({"y": "3"})));
    let (_, list) = server.get(MAPS);
    assert_eq!((&list["kind"], list["items"].as_array().map(Vec::len)), (&json!("ConfigMapList"), Some(1)));
    let (code, gone) = server.send("DELETE", &path, "application/json", &Value::Null);
    assert_eq!((code, &gone["status"]), (200, &json!("Success")));
    assert_eq!(server.get(&path).0, 404);
}

#[test]
fn a_watch_shows_what_happened_since_a_version() {
    let server = Server::start();
    let (_, list) = server.get(MAPS);
    let version = list["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    let (_, made) = server.post(MAPS, &json!({"metadata": {"name": "a", "labels": {"app": "web"}}}));
    let labels = json!({"metadata": {"labels": {"app": "db"}}});
    server.send("PATCH", &format!("{MAPS}/a"), "application/merge-patch+json", &labels);
    let query = format!("{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1");
    let kinds = |events: Value| -> Vec<String> {
        let text = match events {
            Value::String(text) => text,
            one => one.to_string(),
        };
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|event| event["type"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(kinds(server.get(&query).1), ["ADDED", "MODIFIED"]);
    assert_eq!(kinds(server.get(&format!("{query}&labelSelector=app%3Dweb")).1), ["ADDED", "DELETED"]);
    assert_eq!(kinds(server.get(&format!("{query}&labelSelector=app%3Ddb")).1), ["ADDED"]);
    let (_, old) = server.get(&format!("{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=1"));
    assert_eq!((&old["type"], &old["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert!(made["metadata"]["uid"].is_string());
}

#[test]
fn a_fresh_server_has_what_a_cluster_needs() {
    let server = Server::start();
    let (_, service) = server.get("/api/v1/namespaces/default/services/kubernetes");
    assert_eq!(service["spec"]["clusterIP"], "10.0.0.1", "{service}");
    let names = |path: &str| server.get(path).1["items"].as_array().map_or(0, Vec::len);
    assert_eq!(names("/api/v1/namespaces"), 4);
    assert!(names("/apis/rbac.authorization.k8s.io/v1/clusterroles") > 60);
    assert_eq!(server.get("/readyz"), (200, json!("ok")));
    assert_eq!(server.get("/version").1["major"], "1");
    assert_eq!(server.get("/apis/apps/v1").1["kind"], "APIResourceList");
    assert_eq!(server.get("/apis/nope.example.com/v1").0, 404);
}

#[test]
fn the_address_of_a_service_follows_its_type() {
    let server = Server::start();
    let services = "/api/v1/namespaces/default/services";
    let headless = json!({"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}});
    let (code, made) = server.post(services, &headless);
    assert_eq!((code, &made["spec"]["clusterIPs"]), (201, &json!(["None"])), "{made}");
    assert_eq!(made["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    let plain = json!({"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let (_, made) = server.post(services, &plain);
    let address = made["spec"]["clusterIP"].clone();
    let patch = |body: Value| server.send("PATCH", &format!("{services}/s"), "application/merge-patch+json", &body);
    let (code, outside) = patch(json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}));
    assert_eq!((code, outside["spec"].get("clusterIP")), (200, None), "{outside}");
    assert_eq!(outside["spec"].get("internalTrafficPolicy"), None);
    let (code, back) = patch(json!({"spec": {"type": "NodePort", "externalName": null}}));
    assert_eq!(code, 200, "{back}");
    assert!(back["spec"]["clusterIP"].is_string() && back["spec"]["ports"][0]["nodePort"].is_number(), "{back}");
    let other = json!({"metadata": {"name": "o"}, "spec": {"clusterIP": address, "ports": [{"port": 80}]}});
    let taken = back["spec"]["clusterIP"] == address;
    assert_eq!(server.post(services, &other).0, if taken { 422 } else { 201 }, "an address is given back");
}

#[test]
fn replicas_have_owners_through_scale() {
    let server = Server::start();
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    assert_eq!(server.post(deployments, &json!({"metadata": {"name": "d"}, "spec": spec})).0, 201);
    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 5}});
    let apply = |query: &str| {
        let path = format!("{deployments}/d/scale?fieldManager=me{query}");
        server.send("PATCH", &path, "application/apply-patch+yaml", &scale)
    };
    let (code, conflict) = apply("");
    assert_eq!((code, &conflict["details"]["causes"][0]["field"]), (409, &json!(".spec.replicas")), "{conflict}");
    let (code, scaled) = apply("&force=true");
    assert_eq!((code, &scaled["spec"]["replicas"]), (200, &json!(5)), "{scaled}");
    let (_, deployment) = server.get(&format!("{deployments}/d"));
    let entries = deployment["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let mine = entries.iter().find(|entry| entry["manager"] == "me").cloned().unwrap_or_default();
    assert_eq!(mine["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}), "{deployment}");
    let others = entries.iter().filter(|entry| entry["manager"] != "me");
    assert!(others.into_iter().all(|entry| entry["fieldsV1"]["f:spec"].get("f:replicas").is_none()), "{deployment}");
}

#[test]
fn policies_judge_what_goes_to_subresources() {
    let server = Server::start();
    let pods = "/api/v1/namespaces/default/pods";
    let account = json!({"metadata": {"name": "default"}});
    server.post("/api/v1/namespaces/default/serviceaccounts", &account);
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(server.post(pods, &pod).0, 201);
    let rule = |operation: &str, resources: &[&str]| json!({"operations": [operation], "apiGroups": [""], "apiVersions": ["v1"], "resources": resources});
    let rules =
        [rule("CREATE", &["pods/eviction", "pods/binding", "serviceaccounts/token"]), rule("CONNECT", &["pods/exec"])];
    let said = "request.operation + ' ' + request.kind.kind + ' ' + request.subResource + \
                (has(object.command) ? ' ' + object.command[0] : '')";
    let policy = json!({"metadata": {"name": "no"}, "spec": {"matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "messageExpression": said}]}});
    let group = "/apis/admissionregistration.k8s.io/v1";
    assert_eq!(server.post(&format!("{group}/validatingadmissionpolicies"), &policy).0, 201);
    let binding = json!({"metadata": {"name": "no"}, "spec": {"policyName": "no", "validationActions": ["Deny"]}});
    assert_eq!(server.post(&format!("{group}/validatingadmissionpolicybindings"), &binding).0, 201);
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let node = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"name": "n"}});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
    let cases = [
        (format!("{pods}/p/eviction"), eviction, "CREATE Eviction eviction"),
        (format!("{pods}/p/binding"), node, "CREATE Binding binding"),
        ("/api/v1/namespaces/default/serviceaccounts/default/token".into(), token, "CREATE TokenRequest token"),
        (format!("{pods}/p/exec?command=ls"), json!({}), "CONNECT PodExecOptions exec ls"),
    ];
    for (path, body, told) in cases {
        let (code, status) = server.post(&path, &body);
        let message = status["message"].as_str().unwrap_or_default();
        assert!(code == 422 && message.ends_with(&format!("denied request: {told}")), "{path}: {code} {status}");
    }
    assert_eq!(server.get(&format!("{pods}/p")).0, 200, "it has not been evicted");
}

#[test]
fn messages_show_empty_lists_that_were_sent() {
    let server = Server::start();
    let claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    let request = json!({"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}});
    let claim = json!({"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}});
    assert_eq!(server.post(claims, &claim).0, 201);
    let patch = json!({"spec": {"devices": {"requests": []}}});
    let (code, refused) = server.send("PATCH", &format!("{claims}/c"), "application/merge-patch+json", &patch);
    let shown = "spec: Invalid value: {\"Devices\":{\"Requests\":[],\"Constraints\":null,\"Config\":null}}";
    assert_eq!(code, 422);
    assert!(refused["message"].as_str().is_some_and(|message| message.contains(shown)), "{refused}");
}

#[test]
fn options_of_a_deletion_stand_in_the_body_or_in_the_query() {
    let server = Server::start();
    assert_eq!(server.post(MAPS, &json!({"metadata": {"name": "a"}})).0, 201);
    let path = format!("{MAPS}/a?dryRun=All");
    let (code, refused) = server.send("DELETE", &path, "application/json", &json!([]));
    assert_eq!(code, 400, "{refused}");
    assert_eq!(server.send("DELETE", &path, "application/json", &Value::Null).0, 200);
    assert_eq!(server.get(&format!("{MAPS}/a")).0, 200);
    assert_eq!(server.send("DELETE", &path, "application/json", &json!({"gracePeriodSeconds": 0})).0, 200);
    assert_eq!(server.get(&format!("{MAPS}/a")).0, 404, "a body is all there is of the options");
}
