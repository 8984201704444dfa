//! What a pod has to say when a quota limits it.

use crate::object::{Value, meta};

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
