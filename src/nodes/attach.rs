//! What attaching to a container of a simulated node shows: its command, played from the beginning for whoever attaches.
//! When it ends and nothing would start it again, the pod ends with it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::container::Container;
use super::shell::{Io, Shell, is_known};
use crate::client::{Client, Error, Request};
use crate::object::{Value, meta, time};

/// How often a pod is looked at that shows nothing.
const LOOK: Duration = Duration::from_secs(1);
/// Images whose own command is a shell.
const SHELL_IMAGES: [&str; 9] =
    ["alpine", "bash", "busybox", "centos", "debian", "fedora", "netshoot", "toolbox", "ubuntu"];

/// Whether an image by itself runs a shell.
fn is_shell_image(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    SHELL_IMAGES.contains(&name)
}

/// What a container runs that can be played.
fn command(container: &Container, has_input: bool) -> Option<Vec<String>> {
    match container.command.first() {
        Some(first) => is_known(first).then(|| container.command.clone()),
        None => (has_input && is_shell_image(&container.image)).then(|| vec!["sh".to_owned()]),
    }
}

/// Attaches to a container until its command ends, the pod goes, or whoever attached does. Gives the exit code.
///
/// # Errors
/// The API does not answer.
pub async fn attach(client: &Client, pod: &Value, container: Container, io: &mut Io) -> Result<u8, Error> {
    let Some(command) = command(&container, io.input.is_there()) else {
        tokio::select! {
            () = ended(client, pod) => {}
            () = io.input.gone(), if io.input.is_there() => {}
        }
        return Ok(0);
    };
    let name = container.name.clone();
    let code = Shell::new(container).run(command, io).await;
    let for_good = match meta::str_at(pod, &["spec", "restartPolicy"]) {
        "Never" => true,
        "OnFailure" => code == 0,
        _ => false,
    };
    let of_pod = meta::list_at(pod, &["spec", "containers"]).iter().any(|one| meta::str_at(one, &["name"]) == name);
    if for_good || !of_pod {
        report(client, pod, &name, code).await?;
    }
    Ok(code)
}

/// Resolves when the pod has ended or gone.
async fn ended(client: &Client, pod: &Value) {
    loop {
        tokio::time::sleep(LOOK).await;
        match client.json(Request::get(path(pod, ""))).await {
            Ok(now) if meta::uid(&now) == meta::uid(pod) => {
                if matches!(meta::str_at(&now, &["status", "phase"]), "Succeeded" | "Failed") {
                    return;
                }
            }
            _ => return,
        }
    }
}

fn path(pod: &Value, subresource: &str) -> String {
    format!("/api/v1/namespaces/{}/pods/{}{subresource}", meta::namespace(pod), meta::name(pod))
}

/// Tells the API that a container's command has ended.
async fn report(client: &Client, pod: &Value, container: &str, code: u8) -> Result<(), Error> {
    let now = client.json(Request::get(path(pod, ""))).await;
    let Ok(now) = now else { return Ok(()) };
    if meta::uid(&now) != meta::uid(pod) {
        return Ok(());
    }
    let status = terminated(&now, container, code, Utc::now());
    let patch = json!({"metadata": {"uid": meta::uid(pod)}, "status": status}).to_string();
    let request = Request::patch(path(pod, "/status"), "application/merge-patch+json", patch);
    match client.call(request).await {
        // A pod that went meanwhile needs no status.
        Ok(_) | Err(Error::Status(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The changes of a pod's status once a container has ended.
fn terminated(pod: &Value, container: &str, code: u8, now: DateTime<Utc>) -> Value {
    let finished = time::format(now);
    let mut changes = json!({});
    for list in ["containerStatuses", "ephemeralContainerStatuses"] {
        let mut statuses = meta::list_at(pod, &["status", list]).to_vec();
        let Some(status) = statuses.iter_mut().find(|status| meta::str_at(status, &["name"]) == container) else {
            continue;
        };
        let id = status.get("containerID").cloned().unwrap_or_default();
        let started = meta::str_at(status, &["state", "running", "startedAt"]).to_owned();
        let reason = if code == 0 { "Completed" } else { "Error" };
        status["state"] = json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": started,
            "finishedAt": finished, "containerID": id}});
        status["ready"] = json!(false);
        status["started"] = json!(false);
        changes[list] = Value::Array(statuses);
    }
    let Some(statuses) = changes.get("containerStatuses").and_then(Value::as_array) else { return changes };
    let codes: Vec<Option<i64>> =
        statuses.iter().map(|status| meta::int_at(status, &["state", "terminated", "exitCode"])).collect();
    if codes.iter().any(Option::is_none) {
        return changes;
    }
    let succeeded = codes.iter().all(|code| *code == Some(0));
    let (phase, reason) = if succeeded { ("Succeeded", "PodCompleted") } else { ("Failed", "PodFailed") };
    let conditions = meta::list_at(pod, &["status", "conditions"]).iter().cloned();
    let conditions: Vec<Value> = conditions.map(|condition| ended_condition(condition, reason, &finished)).collect();
    changes["phase"] = json!(phase);
    changes["conditions"] = Value::Array(conditions);
    changes
}

fn ended_condition(mut condition: Value, reason: &str, now: &str) -> Value {
    match meta::str_at(&condition, &["type"]) {
        "Ready" | "ContainersReady" | "PodReadyToStartContainers" => {
            if meta::str_at(&condition, &["status"]) != "False" {
                condition["lastTransitionTime"] = json!(now);
            }
            condition["status"] = json!("False");
            if meta::str_at(&condition, &["type"]) != "PodReadyToStartContainers" {
                condition["reason"] = json!(reason);
            }
        }
        "Initialized" if reason == "PodCompleted" => condition["reason"] = json!(reason),
        _ => {}
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_a_shell() {
        assert!(is_shell_image("busybox") && is_shell_image("docker.io/library/alpine:3.20@sha256:00"));
        assert!(!is_shell_image("nginx:1.27"));
    }

    #[test]
    fn a_pod_ends_with_its_last_container() {
        let running = |name: &str| json!({"name": name, "state": {"running": {"startedAt": "2024-05-01T00:00:00Z"}}});
        let mut pod = json!({"status": {"containerStatuses": [running("a"), running("b")],
            "conditions": [{"type": "Ready", "status": "True"}]}});
        let changes = terminated(&pod, "a", 0, Utc::now());
        assert_eq!(changes["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
        assert_eq!(changes.get("phase"), None);
        pod["status"]["containerStatuses"] = changes["containerStatuses"].clone();
        let changes = terminated(&pod, "b", 3, Utc::now());
        assert_eq!((&changes["phase"], &changes["conditions"][0]["reason"]), (&json!("Failed"), &json!("PodFailed")));
    }
}
