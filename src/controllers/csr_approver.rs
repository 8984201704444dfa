//! Approves the requests of kubelets for client certificates, where the one who asks may have such a certificate.

use serde_json::json;

use super::csr::{self, is_kubelet_client};
use super::pods;
use super::runtime::{Action, Controller, Key, Watch, World};
use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

/// The certificate approving controller.
#[derive(Default)]
pub struct CertificateApprover;

/// Who may create these subresources is approved: a node for itself first, then anyone for nodes.
const RECOGNIZED: [(&str, &str); 2] = [
    ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
    ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
];

impl Controller for CertificateApprover {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-approving"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(csr::requests())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(request) = world.cache.get(&csr::requests(), key) else { return Vec::new() };
        let decided = ["Approved", "Denied"].iter().any(|type_| pods::condition(&request, type_).is_some());
        if decided || !str_at(&request, &["status", "certificate"]).is_empty() {
            return Vec::new();
        }
        let Some(name) = is_kubelet_client(&request) else { return Vec::new() };
        let own = name == str_at(&request, &["spec", "username"]);
        let recognized = RECOGNIZED.iter().filter(|(subresource, _)| own || *subresource != "selfnodeclient");
        let choices =
            recognized.map(|(subresource, message)| (review(&request, subresource), approve(&request, message)));
        vec![Action::FirstAllowed(choices.collect())]
    }
}

/// The question whether the one who asked may create the subresource.
fn review(request: &Value, subresource: &str) -> Value {
    let mut spec = json!({
        "user": str_at(request, &["spec", "username"]),
        "groups": list_at(request, &["spec", "groups"]),
        "resourceAttributes": {"group": "certificates.k8s.io", "resource": "certificatesigningrequests",
            "verb": "create", "subresource": subresource},
    });
    for field in ["uid", "extra"] {
        if let Some(value) = get(request, &["spec", field]) {
            spec[field] = value.clone();
        }
    }
    json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec})
}

fn approve(request: &Value, message: &str) -> Action {
    let mut approved = request.clone();
    let mut conditions = list_at(request, &["status", "conditions"]).to_vec();
    conditions.push(json!({"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}));
    meta::set(&mut approved, &["status", "conditions"], conditions);
    Action::Update { resource: csr::requests(), subresource: Some("approval"), object: approved }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;
    use crate::controllers::csr::tests::request;
    use crate::controllers::runtime::Cache;

    fn asked(name: &str, user: &str, conditions: Value) -> Vec<String> {
        let signer = "kubernetes.io/kube-apiserver-client-kubelet";
        let mut object = request(signer, name, Some("system:nodes"), json!(["client auth", "digital signature"]));
        object["spec"]["username"] = json!(user);
        object["status"] = json!({"conditions": conditions});
        let cache = Cache::default();
        cache.put(&csr::requests(), Arc::new(object));
        let actions = CertificateApprover.reconcile(&World { cache: &cache, now: Utc::now() }, &Key::cluster("r"));
        let Some(Action::FirstAllowed(choices)) = actions.into_iter().next() else { return Vec::new() };
        let subresource = |review: &Value| str_at(review, &["spec", "resourceAttributes", "subresource"]).to_owned();
        choices.iter().map(|(review, _)| subresource(review)).collect()
    }

    #[test]
    fn nodes_are_asked_about_as_themselves_first() {
        assert_eq!(asked("system:node:a", "system:node:a", json!([])), ["selfnodeclient", "nodeclient"]);
        assert_eq!(asked("system:node:a", "bootstrap", json!([])), ["nodeclient"]);
        assert!(asked("alice", "alice", json!([])).is_empty());
        assert!(asked("system:node:a", "x", json!([{"type": "Denied", "status": "True"}])).is_empty());
    }
}
