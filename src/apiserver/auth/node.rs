//! The node authorizer: nodes read what the pods on them need, and write about themselves.

use std::sync::OnceLock;

use crate::apiserver::store::Store;
use crate::object::{Value, meta};

use super::rule::Rule;
use super::{Attributes, Decision, UserInfo};

/// The group of all nodes.
const NODES: &str = "system:nodes";
/// The beginning of the names of nodes as users.
const PREFIX: &str = "system:node:";

/// The node that a user is; the empty name for a node that cannot be told.
pub fn identity(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix(PREFIX)?;
    user.in_group(NODES).then_some(name)
}

/// The rules of nodes that do not depend on the object: those of the default role `system:node`.
fn fixed_rules() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        let objects = crate::apiserver::bootstrap::objects();
        let role = objects.iter().find(|o| meta::kind(o) == "ClusterRole" && meta::name(o) == "system:node");
        role.map(Rule::list).unwrap_or_default()
    })
}

fn allow() -> Decision {
    Decision { allowed: true, reason: String::new() }
}

fn deny(reason: impl Into<String>) -> Decision {
    Decision { allowed: false, reason: reason.into() }
}

/// Decides about a request of a node; nothing to say about other users.
pub fn decide(store: &Store, user: &UserInfo, attributes: &Attributes) -> Decision {
    let Some(node) = identity(user) else { return Decision::default() };
    if node.is_empty() {
        return deny(format!("unknown node for user {}", crate::object::go::quote(&user.name)));
    }
    let request = NodeRequest { store, node, attributes };
    match (attributes.group.as_str(), attributes.resource.as_str()) {
        ("", "secrets" | "configmaps") => request.read_namespaced(),
        ("", "persistentvolumeclaims") if attributes.subresource == "status" => match attributes.verb.as_str() {
            "update" | "patch" => request.related(),
            _ => deny("can only get/update/patch this type"),
        },
        ("", "persistentvolumeclaims" | "persistentvolumes")
        | ("resource.k8s.io", "resourceclaims")
        | ("storage.k8s.io", "volumeattachments") => request.get(),
        ("", "serviceaccounts") => request.create_token(),
        ("coordination.k8s.io", "leases") => request.lease(),
        ("storage.k8s.io", "csinodes") => request.csi_node(),
        ("resource.k8s.io", "resourceslices") => request.resource_slice(),
        ("", "nodes") => request.node_object(),
        ("", "pods") => request.pod(),
        _ if fixed_rules().iter().any(|rule| rule.allows(attributes)) => allow(),
        _ => Decision::default(),
    }
}

struct NodeRequest<'a> {
    store: &'a Store,
    node: &'a str,
    attributes: &'a Attributes,
}

impl NodeRequest<'_> {
    fn related(&self) -> Decision {
        if self.attributes.name.is_empty() {
            return deny("No Object name found");
        }
        if self.is_related() {
            return allow();
        }
        deny(format!("no relationship found between node '{}' and this object", self.node))
    }

    fn get(&self) -> Decision {
        if self.attributes.verb != "get" {
            return deny("can only get individual resources of this type");
        }
        if !self.attributes.subresource.is_empty() {
            return deny("cannot get subresource");
        }
        self.related()
    }

    fn read_namespaced(&self) -> Decision {
        let a = self.attributes;
        if !matches!(a.verb.as_str(), "get" | "list" | "watch") {
            return deny("can only read resources of this type");
        }
        if !a.subresource.is_empty() {
            return deny("cannot read subresource");
        }
        if a.namespace.is_empty() {
            return deny("can only read namespaced object of this type");
        }
        self.related()
    }

    fn create_token(&self) -> Decision {
        let a = self.attributes;
        if a.verb != "create" || a.name.is_empty() {
            return deny("can only create tokens for individual service accounts");
        }
        if a.subresource != "token" {
            return deny("can only create token subresource of serviceaccount");
        }
        self.related()
    }

    fn lease(&self) -> Decision {
        let a = self.attributes;
        if !matches!(a.verb.as_str(), "get" | "create" | "update" | "patch" | "delete") {
            return deny("can only get, create, update, patch, or delete a node lease");
        }
        if a.namespace != "kube-node-lease" {
            return deny("can only access leases in the \"kube-node-lease\" system namespace");
        }
        if a.verb != "create" && a.name != self.node {
            return deny("can only access node lease with the same name as the requesting node");
        }
        allow()
    }

    fn csi_node(&self) -> Decision {
        let a = self.attributes;
        if !matches!(a.verb.as_str(), "get" | "create" | "update" | "patch" | "delete") {
            return deny("can only get, create, update, patch, or delete a CSINode");
        }
        if !a.subresource.is_empty() {
            return deny("cannot authorize CSINode subresources");
        }
        if a.verb != "create" && a.name != self.node {
            return deny("can only access CSINode with the same name as the requesting node");
        }
        allow()
    }

    fn resource_slice(&self) -> Decision {
        let a = self.attributes;
        if !a.subresource.is_empty() {
            return deny("cannot authorize ResourceSlice subresources");
        }
        match a.verb.as_str() {
            "create" => allow(),
            "get" | "update" | "patch" | "delete" => self.related(),
            "watch" | "list" | "deletecollection" if a.field_is("nodeName", self.node) => allow(),
            "watch" | "list" | "deletecollection" => {
                deny("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => deny(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, \
                 delete, deletecollection",
            ),
        }
    }

    fn node_object(&self) -> Decision {
        let a = self.attributes;
        match (a.subresource.as_str(), a.verb.as_str()) {
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => allow(),
            ("", "get" | "list" | "watch") if a.name == self.node => allow(),
            ("", "get" | "list" | "watch") if a.name.is_empty() => {
                deny(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch") => {
                deny(format!("node '{}' cannot read '{}', only its own Node object", self.node, a.name))
            }
            _ => Decision::default(),
        }
    }

    fn pod(&self) -> Decision {
        let a = self.attributes;
        match (a.subresource.as_str(), a.verb.as_str()) {
            ("", "get") => self.get(),
            ("", "list" | "watch") if a.field_is("spec.nodeName", self.node) => allow(),
            ("", "list" | "watch") if !a.name.is_empty() => self.related(),
            ("", "list" | "watch") => deny("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => allow(),
            _ => Decision::default(),
        }
    }

    /// Whether the object has to do with a pod on the node, or with the node itself.
    fn is_related(&self) -> bool {
        let a = self.attributes;
        let (namespace, name) = (a.namespace.as_str(), a.name.as_str());
        let named = |key: String, path: &[&str]| {
            self.store.get(&key).is_some_and(|entry| meta::str_at(&entry.object("", ""), path) == self.node)
        };
        match a.resource.as_str() {
            "pods" => named(format!("/registry/pods/{namespace}/{name}"), &["spec", "nodeName"]),
            "resourceslices" => named(format!("/registry/resourceslices/{name}"), &["spec", "nodeName"]),
            "volumeattachments" => named(format!("/registry/volumeattachments/{name}"), &["spec", "nodeName"]),
            "persistentvolumes" => self.uses_volume(name),
            "secrets" if self.is_secret_of_volume(namespace, name) => true,
            resource => self.pods(namespace).iter().any(|pod| uses(pod, resource, name)),
        }
    }

    /// The pods of a namespace that are on the node, all of them for the empty namespace.
    fn pods(&self, namespace: &str) -> Vec<Value> {
        let prefix =
            if namespace.is_empty() { "/registry/pods/".to_owned() } else { format!("/registry/pods/{namespace}/") };
        let entries = self.store.list(&prefix, None).entries;
        let objects = entries.iter().map(|entry| entry.object("v1", "Pod"));
        objects.filter(|pod| meta::str_at(pod, &["spec", "nodeName"]) == self.node).collect()
    }

    /// Whether a pod on the node uses the claim that a volume is bound to.
    fn uses_volume(&self, name: &str) -> bool {
        let Some(entry) = self.store.get(&format!("/registry/persistentvolumes/{name}")) else { return false };
        let volume = entry.object("v1", "PersistentVolume");
        let claim = |field| meta::str_at(&volume, &["spec", "claimRef", field]).to_owned();
        let (namespace, name) = (claim("namespace"), claim("name"));
        !name.is_empty() && self.pods(&namespace).iter().any(|pod| uses(pod, "persistentvolumeclaims", &name))
    }

    /// Whether a secret belongs to a volume that a pod on the node uses.
    fn is_secret_of_volume(&self, namespace: &str, name: &str) -> bool {
        self.store.list("/registry/persistentvolumes/", None).entries.iter().any(|entry| {
            let volume = entry.object("v1", "PersistentVolume");
            let claim_namespace = meta::str_at(&volume, &["spec", "claimRef", "namespace"]);
            let spec = volume.get("spec").unwrap_or(&Value::Null);
            mentions_secret(spec, claim_namespace, namespace, name) && self.uses_volume(meta::name(&volume))
        })
    }
}

/// Whether the source of a volume names a secret, in `own` namespace where it names none.
fn mentions_secret(value: &Value, own: &str, namespace: &str, name: &str) -> bool {
    let Value::Object(map) = value else { return false };
    map.iter().any(|(field, value)| {
        let text = |field| meta::str_at(value, &[field]);
        if field == "secretRef" || field.ends_with("SecretRef") {
            let at = if text("namespace").is_empty() { own } else { text("namespace") };
            return text("name") == name && at == namespace;
        }
        if field == "secretName" {
            let at = map.get("secretNamespace").and_then(Value::as_str).filter(|at| !at.is_empty()).unwrap_or(own);
            return value.as_str() == Some(name) && at == namespace;
        }
        mentions_secret(value, own, namespace, name)
    })
}

/// Whether a pod needs an object of its namespace.
fn uses(pod: &Value, resource: &str, name: &str) -> bool {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    match resource {
        "serviceaccounts" => meta::str_at(spec, &["serviceAccountName"]) == name,
        "configmaps" => names(spec, &["configMap", "configMapRef", "configMapKeyRef"], "", name),
        "secrets" => {
            meta::list_at(spec, &["imagePullSecrets"]).iter().any(|secret| meta::str_at(secret, &["name"]) == name)
                || names(spec, &["secret", "secretRef", "secretKeyRef", "nodePublishSecretRef"], "secretName", name)
        }
        "persistentvolumeclaims" => meta::list_at(spec, &["volumes"]).iter().any(|volume| {
            let generated = format!("{}-{}", meta::name(pod), meta::str_at(volume, &["name"]));
            meta::str_at(volume, &["persistentVolumeClaim", "claimName"]) == name
                || (volume.get("ephemeral").is_some() && generated == name)
        }),
        "resourceclaims" => {
            let direct = meta::list_at(spec, &["resourceClaims"]).iter();
            let made = meta::list_at(pod, &["status", "resourceClaimStatuses"]).iter();
            direct.chain(made).any(|claim| meta::str_at(claim, &["resourceClaimName"]) == name)
        }
        _ => false,
    }
}

/// Whether a part of a pod has one of `fields` with the `name` (or, at any place, a field `direct`).
fn names(value: &Value, fields: &[&str], direct: &str, name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(field, value)| {
            let here = fields.contains(&field.as_str()) && meta::str_at(value, &["name"]) == name;
            here || (field == direct && value.as_str() == Some(name)) || names(value, fields, direct, name)
        }),
        Value::Array(items) => items.iter().any(|item| names(item, fields, direct, name)),
        _ => false,
    }
}
