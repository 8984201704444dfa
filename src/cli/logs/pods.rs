//! Which pods and containers are meant.

use std::time::Duration;

use serde_json::Value;

use crate::cli::args::GoDuration;
use crate::cli::context::Context;
use crate::cli::create::workloads::go_type;
use crate::cli::error::{Error, Result};
use crate::client::ListOptions;
use crate::object::go::quote;
use crate::object::meta;
use crate::object::selector::format_struct;

const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The lists of containers, in the order in which messages name them, with what follows the names there.
const SHOWN: [(&str, &str); 3] =
    [("containers", ""), ("ephemeralContainers", " (ephem)"), ("initContainers", " (init)")];

fn names<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    meta::list_at(pod, &["spec", list]).iter().map(|container| meta::str_at(container, &["name"]))
}

/// The names of all containers, those of the start first.
pub fn all_containers(pod: &Value) -> Vec<String> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    lists.into_iter().flat_map(|list| names(pod, list)).map(str::to_owned).collect()
}

fn shown(pod: &Value) -> String {
    let all = SHOWN.iter().flat_map(|(list, mark)| names(pod, list).map(move |name| format!("{name}{mark}")));
    all.collect::<Vec<_>>().join(", ")
}

/// The container that is meant, by default the pod's own choice or its first, and what is to be said of that.
pub fn container(pod: &Value, wanted: &str, quiet: bool) -> Result<(String, Option<String>)> {
    let known = |name: &str| SHOWN.iter().any(|(list, _)| names(pod, list).any(|one| one == name));
    let pod_name = meta::name(pod);
    if !wanted.is_empty() {
        if known(wanted) {
            return Ok((wanted.to_owned(), None));
        }
        let all = shown(pod);
        return Err(Error::new(format!("container {wanted} is not valid for pod {pod_name} out of: {all}")));
    }
    let own = meta::annotation(pod, DEFAULT_CONTAINER).filter(|name| !name.is_empty());
    if let Some(name) = own.filter(|name| known(name)) {
        return Ok((name.to_owned(), None));
    }
    let mut note = own.map(|name| format!("Default container name {} not found in pod {pod_name}", quote(name)));
    let first = names(pod, "containers").next().unwrap_or_default().to_owned();
    if all_containers(pod).len() > 1 && !quiet {
        let defaulted = format!("Defaulted container {} out of: {}", quote(&first), shown(pod));
        note = Some(note.map_or_else(|| defaulted.clone(), |note| format!("{note}\n{defaulted}")));
    }
    Ok((first, note))
}

/// The selector of a workload's pods.
fn selector(object: &Value) -> Result<String> {
    let kind = meta::gvk(object);
    let own = meta::get(object, &["spec", "selector"]).cloned().unwrap_or_default();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Deployment") | ("batch", "Job") => {
            Ok(format_struct(&own))
        }
        ("", "Service") if own.as_object().is_none_or(serde_json::Map::is_empty) => {
            let name = meta::name(object);
            Err(Error::new(format!("invalid service '{name}': Service is defined without a selector")))
        }
        ("", "Service" | "ReplicationController") => Ok(format_struct(&serde_json::json!({"matchLabels": own}))),
        _ => Err(Error::new(format!("selector for {} not implemented", go_type(object)))),
    }
}

/// What makes one pod's log more telling than another's: smaller is more.
fn rank(pod: &Value) -> (bool, u8, bool, String, i64, String) {
    let phase = match meta::str_at(pod, &["status", "phase"]) {
        "Unknown" => 1,
        "Pending" => 2,
        _ => 0,
    };
    let ready = meta::list_at(pod, &["status", "conditions"]).iter().find(|condition| {
        meta::str_at(condition, &["type"]) == "Ready" && meta::str_at(condition, &["status"]) == "True"
    });
    let since = ready.map(|condition| meta::str_at(condition, &["lastTransitionTime"]).to_owned());
    let restarts = meta::list_at(pod, &["status", "containerStatuses"]).iter();
    let restarts = restarts.filter_map(|status| meta::int_at(status, &["restartCount"])).max().unwrap_or_default();
    let made = meta::str_at(pod, &["metadata", "creationTimestamp"]).to_owned();
    let unassigned = meta::str_at(pod, &["spec", "nodeName"]).is_empty();
    (unassigned, phase, since.is_none(), since.unwrap_or_default(), -restarts, made)
}

/// The pods of a workload, the most telling first; waits until there is one.
pub async fn of_workload(cx: &Context, object: &Value, patience: GoDuration) -> Result<Vec<Value>> {
    let selector = selector(object)
        .map_err(|error| Error::new(format!("cannot get the logs from {}: {}", go_type(object), error.text())))?;
    let mut pods = selected(cx, object, selector, patience).await?;
    pods.sort_by_key(rank);
    Ok(pods)
}

/// The pod of a workload that is most alive; waits until there is one.
pub async fn to_attach(cx: &Context, object: &Value, patience: GoDuration) -> Result<Value> {
    let selector = selector(object)
        .map_err(|error| Error::new(format!("cannot attach to {}: {}", go_type(object), error.text())))?;
    let pods = selected(cx, object, selector, patience).await?;
    let best = pods.into_iter().min_by_key(|pod| {
        let (unassigned, phase, not_ready, since, restarts, made) = rank(pod);
        let deleting = meta::deletion_timestamp(pod).is_some();
        (unassigned, phase, not_ready, deleting, since, std::cmp::Reverse(restarts), made)
    });
    best.ok_or_else(|| Error::new("timed out waiting for the condition"))
}

/// The pods of a workload; waits until there is one.
async fn selected(cx: &Context, object: &Value, selector: String, patience: GoDuration) -> Result<Vec<Value>> {
    let path = format!("/api/v1/namespaces/{}/pods", meta::namespace(object));
    let options = ListOptions { labels: selector, about: "pods".into(), ..ListOptions::default() };
    let wait = async {
        loop {
            let mut list = cx.client()?.list(&path, &options, "application/json").await?;
            let pods = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            if !pods.is_empty() {
                return Ok(pods);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let patience = patience.positive().unwrap_or_default();
    tokio::time::timeout(patience, wait)
        .await
        .unwrap_or_else(|_| Err(Error::new("timed out waiting for the condition")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_that_is_meant() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        let note = "Defaulted container \"a\" out of: a, b, i (init)".to_owned();
        assert_eq!(container(&pod, "", false).ok(), Some(("a".into(), Some(note))));
        assert_eq!(container(&pod, "i", false).ok(), Some(("i".into(), None)));
        let refused = container(&pod, "x", false).map_err(|error| error.text());
        assert_eq!(refused, Err("container x is not valid for pod p out of: a, b, i (init)".into()));
    }
}
