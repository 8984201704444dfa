//! What the scheduler looks at: nodes with their pods, namespaces, and the volumes of the pod in question.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::volumes::Volumes;
use super::{is_waiting, nodes, pods};
use crate::controllers::runtime::{Cache, Resource};
use crate::object::meta::str_at;
use crate::object::{Value, meta};

/// A node with the pods on it, and those for which room was made there.
#[derive(Clone)]
pub(super) struct Host {
    pub node: Arc<Value>,
    pub pods: Vec<Arc<Value>>,
}

/// One attempt to find a node for a pod.
pub(super) struct Attempt<'a> {
    pub pod: &'a Value,
    pub namespaces: Vec<Arc<Value>>,
    pub volumes: Volumes,
}

impl<'a> Attempt<'a> {
    /// # Errors
    /// Why a claim of the pod keeps it from every node.
    pub fn of(cache: &Cache, pod: &'a Value) -> Result<Self, String> {
        let namespaces = cache.list(&Resource::new("", "v1", "namespaces"), None);
        Ok(Self { pod, namespaces, volumes: Volumes::of(cache, pod)? })
    }
}

/// `spec.priority`, 0 when absent.
pub(super) fn priority(pod: &Value) -> i64 {
    meta::int_at(pod, &["spec", "priority"]).unwrap_or_default()
}

/// The nodes as a pod finds them: with the pods that run there, and those at least as important that were promised room.
pub(super) fn hosts(cache: &Cache, pod: &Value) -> Vec<Host> {
    let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for other in cache.list(&pods(), None) {
        if matches!(str_at(&other, &["status", "phase"]), "Succeeded" | "Failed") {
            continue;
        }
        let mut node = str_at(&other, &["spec", "nodeName"]);
        let rivals = meta::uid(&other) != meta::uid(pod) && priority(&other) >= priority(pod);
        if node.is_empty() && rivals && is_waiting(&other) {
            node = str_at(&other, &["status", "nominatedNodeName"]);
        }
        if !node.is_empty() {
            by_node.entry(node.to_owned()).or_default().push(other);
        }
    }
    let host = |node: Arc<Value>| Host { pods: by_node.remove(meta::name(&node)).unwrap_or_default(), node };
    cache.list(&nodes(), None).into_iter().map(host).collect()
}
