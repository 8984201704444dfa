//! `NodeRestriction`: what nodes may write.

use std::collections::BTreeSet;

use super::{Attributes, Operation, references};
use crate::apiserver::auth::node;
use crate::apiserver::core::Core;
use crate::object::{Status, Value, go, meta};

const MIRROR: &str = "kubernetes.io/config.mirror";

/// Labels under `kubernetes.io` and `k8s.io` that nodes set themselves.
const OWN_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "beta.kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/arch",
];

/// Domains in which nodes set any label.
const OWN_DOMAINS: &[&str] = &["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Checks a write of a node; other users are none of its business.
pub fn check(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    let Some(node) = node::identity(&attributes.user).map(str::to_owned) else { return Ok(()) };
    if node.is_empty() {
        let user = go::quote(&attributes.user.name);
        let why = format!("could not determine node from user {user}");
        return Err(attributes.forbidden(&why));
    }
    let writer = Writer { core, attributes, node: &node, quoted: go::quote(&node) };
    writer.check()
}

struct Writer<'a> {
    core: &'a Core,
    attributes: &'a Attributes,
    node: &'a str,
    quoted: String,
}

impl Writer<'_> {
    fn check(&self) -> Result<(), Status> {
        let a = self.attributes;
        match (a.resource.group(), a.resource.plural(), a.subresource.as_str()) {
            ("", "pods", "") => self.pod(),
            ("", "pods", "status") => self.pod_status(),
            ("", "pods", "eviction") => self.eviction(),
            ("", "pods", other) => self.refuse(format!(
                "unexpected pod subresource {}, only 'status' and 'eviction' are allowed",
                go::quote(other)
            )),
            ("", "nodes", _) => self.node_object(),
            ("", "persistentvolumeclaims", "status") => self.claim_status(),
            ("", "persistentvolumeclaims", _) => {
                let why = "may only update PVC status";
                self.refuse(why.into())
            }
            ("", "serviceaccounts", "token") => self.token(),
            ("coordination.k8s.io", "leases", _) => self.lease(),
            ("storage.k8s.io", "csinodes", _) => {
                self.own_name("can only access CSINode with the same name as the requesting node")
            }
            ("resource.k8s.io", "resourceslices", _) => self.slice(),
            _ => Ok(()),
        }
    }

    fn refuse(&self, why: String) -> Result<(), Status> {
        Err(self.attributes.forbidden(&why))
    }

    fn object(&self) -> &Value {
        self.attributes.object.as_ref().unwrap_or(&Value::Null)
    }

    fn old(&self) -> &Value {
        self.attributes.old.as_ref().unwrap_or(&Value::Null)
    }

    /// The name of the object, which for a creation stands in the object.
    fn name(&self) -> &str {
        if self.attributes.operation == Operation::Create && !meta::name(self.object()).is_empty() {
            return meta::name(self.object());
        }
        &self.attributes.name
    }

    fn own_name(&self, why: &str) -> Result<(), Status> {
        if self.name() == self.node { Ok(()) } else { self.refuse(why.to_owned()) }
    }

    fn stored_pod(&self, name: &str) -> Result<Value, Status> {
        let entry = self.core.store.get(&format!("/registry/pods/{}/{name}", self.attributes.namespace));
        entry.map(|entry| entry.object("v1", "Pod")).ok_or_else(|| Status::not_found("", "pods", name))
    }

    fn pod(&self) -> Result<(), Status> {
        let node = &self.quoted;
        match self.attributes.operation {
            Operation::Create => self.mirror_pod(self.object()),
            Operation::Delete => {
                let Ok(pod) = self.stored_pod(&self.attributes.name) else { return Ok(()) };
                if meta::str_at(&pod, &["spec", "nodeName"]) == self.node {
                    return Ok(());
                }
                self.refuse(format!("node {node} can only delete pods with spec.nodeName set to itself"))
            }
            other => self.refuse(format!(
                "unexpected operation {}, node {node} can only create and delete mirror pods",
                go::quote(other.as_str())
            )),
        }
    }

    fn mirror_pod(&self, pod: &Value) -> Result<(), Status> {
        let node = &self.quoted;
        if meta::annotation(pod, MIRROR).is_none() {
            return self.refuse(format!(
                "pod does not have {} annotation, node {node} can only create mirror pods",
                go::quote(MIRROR)
            ));
        }
        if meta::str_at(pod, &["spec", "nodeName"]) != self.node {
            return self.refuse(format!("node {node} can only create pods with spec.nodeName set to itself"));
        }
        self.mirror_owner(pod)?;
        if !meta::str_at(pod, &["spec", "serviceAccountName"]).is_empty() {
            return self.refuse(format!("node {node} can not create pods that reference a service account"));
        }
        for (refers, what) in [
            (references::secrets(pod), "secrets"),
            (references::config_maps(pod), "configmaps"),
            (references::trust_bundles(pod), "clustertrustbundles"),
            (references::claims(pod), "persistentvolumeclaims"),
        ] {
            if refers {
                return self.refuse(format!("node {node} can not create pods that reference {what}"));
            }
        }
        Ok(())
    }

    fn mirror_owner(&self, pod: &Value) -> Result<(), Status> {
        let node = &self.quoted;
        let owners = meta::owner_references(pod);
        if owners.len() > 1 {
            return self
                .refuse(format!("node {node} can only create pods with a single owner reference set to itself"));
        }
        let Some(owner) = owners.first() else { return Ok(()) };
        let text = |name| meta::str_at(owner, &[name]);
        if text("apiVersion") != "v1" || text("kind") != "Node" || text("name") != self.node {
            return self.refuse(format!("node {node} can only create pods with an owner reference set to itself"));
        }
        if !meta::bool_at(owner, &["controller"]) {
            let why = format!("node {node} can only create pods with a controller owner reference set to itself");
            return self.refuse(why);
        }
        if meta::bool_at(owner, &["blockOwnerDeletion"]) {
            return self.refuse(format!("node {node} must not set blockOwnerDeletion on an owner reference"));
        }
        let Some(entry) = self.core.store.get(&format!("/registry/minions/{}", self.node)) else {
            return Err(Status::not_found("", "nodes", self.node));
        };
        let stored = entry.object("v1", "Node");
        if text("uid") != meta::uid(&stored) {
            let why = format!("node {} UID mismatch: expected {} got {}", self.node, text("uid"), meta::uid(&stored));
            return self.refuse(why);
        }
        Ok(())
    }

    fn pod_status(&self) -> Result<(), Status> {
        let node = &self.quoted;
        if self.attributes.operation != Operation::Update {
            return self.refuse(format!("unexpected operation {}", go::quote(self.attributes.operation.as_str())));
        }
        if meta::str_at(self.old(), &["spec", "nodeName"]) != self.node {
            let why = format!("node {node} can only update pod status for pods with spec.nodeName set to itself");
            return self.refuse(why);
        }
        let same = |path: &[&str]| meta::get(self.old(), path) == meta::get(self.object(), path);
        if !same(&["metadata", "labels"]) {
            return self.refuse(format!("node {node} cannot update labels through pod status"));
        }
        if !same(&["status", "resourceClaimStatuses"]) {
            return self.refuse(format!("node {node} cannot update resource claim statues"));
        }
        Ok(())
    }

    fn eviction(&self) -> Result<(), Status> {
        let pod = self.stored_pod(&self.attributes.name)?;
        if meta::str_at(&pod, &["spec", "nodeName"]) == self.node {
            return Ok(());
        }
        self.refuse(format!("node {} can only evict pods with spec.nodeName set to itself", self.node))
    }

    fn node_object(&self) -> Result<(), Status> {
        let (node, name) = (&self.quoted, self.name());
        if name != self.node {
            return self.refuse(format!("node {node} is not allowed to modify node {}", go::quote(name)));
        }
        let labels = |object| meta::labels(object).map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<BTreeSet<_>>();
        let (new, old) = (labels(self.object()), labels(self.old()));
        let changed: BTreeSet<&str> = new.symmetric_difference(&old).map(|(key, _)| key.as_str()).collect();
        let forbidden: Vec<&str> = changed.into_iter().filter(|key| is_forbidden(key)).collect();
        match self.attributes.operation {
            Operation::Create if !forbidden.is_empty() => {
                let list = forbidden.join(", ");
                self.refuse(format!("node {node} is not allowed to set the following labels: {list}"))
            }
            Operation::Update
                if meta::list_at(self.object(), &["spec", "taints"])
                    != meta::list_at(self.old(), &["spec", "taints"]) =>
            {
                self.refuse(format!("node {node} is not allowed to modify taints"))
            }
            Operation::Update if !forbidden.is_empty() => {
                self.refuse(format!("is not allowed to modify labels: {}", forbidden.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn claim_status(&self) -> Result<(), Status> {
        let strip = |object: &Value| {
            let mut object = object.clone();
            for name in ["capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"] {
                meta::remove(&mut object, &["status", name]);
            }
            for name in ["resourceVersion", "managedFields"] {
                meta::remove(&mut object, &["metadata", name]);
            }
            object
        };
        if strip(self.object()) == strip(self.old()) {
            return Ok(());
        }
        self.refuse(format!(
            "node {} is not allowed to update fields other than status.capacity and status.conditions",
            self.quoted
        ))
    }

    fn token(&self) -> Result<(), Status> {
        let bound = meta::get(self.object(), &["spec", "boundObjectRef"]).unwrap_or(&Value::Null);
        let text = |name| meta::str_at(bound, &[name]);
        if text("apiVersion") != "v1" || text("kind") != "Pod" || text("name").is_empty() {
            return self.refuse("node requested token not bound to a pod".into());
        }
        if text("uid").is_empty() {
            return self.refuse("node requested token with a pod binding without a uid".into());
        }
        let pod = self.stored_pod(text("name"))?;
        if meta::uid(&pod) != text("uid") {
            return self.refuse(format!(
                "the UID in the bound object reference ({}) does not match the UID in record. The object might have \
                 been deleted and then recreated",
                text("uid")
            ));
        }
        if meta::str_at(&pod, &["spec", "nodeName"]) != self.node {
            return self.refuse("node requested token bound to a pod scheduled on a different node".into());
        }
        Ok(())
    }

    fn lease(&self) -> Result<(), Status> {
        if self.attributes.namespace != "kube-node-lease" {
            return self.refuse("can only access leases in the \"kube-node-lease\" system namespace".into());
        }
        self.own_name("can only access node lease with the same name as the requesting node")
    }

    fn slice(&self) -> Result<(), Status> {
        let (object, verb) = match self.attributes.operation {
            Operation::Create => (self.object(), "create"),
            Operation::Delete => (self.old(), "delete"),
            _ => return Ok(()),
        };
        if object.is_null() || meta::str_at(object, &["spec", "nodeName"]) == self.node {
            return Ok(());
        }
        self.refuse(format!("can only {verb} ResourceSlice with the same NodeName as the requesting node"))
    }
}

/// Whether nodes may not touch a label.
fn is_forbidden(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let under = |parent: &str| domain == parent || domain.ends_with(&format!(".{parent}"));
    if under("node-restriction.kubernetes.io") {
        return true;
    }
    (under("kubernetes.io") || under("k8s.io"))
        && !OWN_LABELS.contains(&key)
        && !OWN_DOMAINS.iter().any(|own| under(own))
}

#[cfg(test)]
mod tests {
    #[test]
    fn nodes_keep_to_their_labels() {
        for (key, forbidden) in [
            ("node-role.kubernetes.io/master", true),
            ("kubernetes.io/os", false),
            ("my.example.com/x", false),
            ("x.node-restriction.kubernetes.io/a", true),
            ("custom.kubelet.kubernetes.io/a", false),
            ("a.k8s.io/b", true),
        ] {
            assert_eq!(super::is_forbidden(key), forbidden, "{key}");
        }
    }
}
