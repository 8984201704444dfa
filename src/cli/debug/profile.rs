//! Profiles: what a debugging container may do, as steps over its pod.

use serde_json::json;

use super::{KeepArgs, LISTS, container_mut};
use crate::cli::error::{Error, Result};
use crate::object::{Value, meta};

/// A profile by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Legacy,
    General,
    Baseline,
    Restricted,
    Netadmin,
    Sysadmin,
}

/// How something is debugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// By an ephemeral container.
    Ephemeral,
    /// By a copy of the pod.
    Copy,
    /// By a pod on the node.
    Node,
}

/// One change to the pod or to its debugging container.
#[derive(Clone, Copy)]
enum Step {
    /// The node's file system under `/host`.
    MountRoot,
    /// The node's network, processes and IPC.
    HostNamespaces,
    /// No security context for the container.
    ClearSecurity,
    /// Labels of the pod go, whatever is to be kept.
    DropLabels,
    /// What is not to be kept goes.
    Prune,
    /// The containers see each other's processes, unless it is said otherwise.
    ShareProcesses,
    /// These capabilities are added.
    Capabilities(&'static [&'static str]),
    /// Full privileges.
    Privileged,
    /// What the restricted pod security standard wants.
    Restrict,
}

use Step::{
    Capabilities, ClearSecurity, DropLabels, HostNamespaces, MountRoot, Privileged, Prune, Restrict, ShareProcesses,
};

const TRACING: Step = Capabilities(&["SYS_PTRACE"]);
const NETWORK: Step = Capabilities(&["NET_ADMIN", "NET_RAW"]);

impl Profile {
    /// The profile of that name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "legacy" => Ok(Self::Legacy),
            "general" => Ok(Self::General),
            "baseline" => Ok(Self::Baseline),
            "restricted" => Ok(Self::Restricted),
            "netadmin" => Ok(Self::Netadmin),
            "sysadmin" => Ok(Self::Sysadmin),
            other => Err(Error::new(format!("unknown profile: {other}"))),
        }
    }

    fn steps(self, style: Style) -> &'static [Step] {
        match (self, style) {
            (Self::Legacy, Style::Ephemeral) => &[],
            (Self::Legacy, Style::Copy) => &[DropLabels],
            (Self::Legacy, Style::Node) => &[MountRoot, HostNamespaces],
            (Self::General, Style::Ephemeral) => &[TRACING],
            (Self::General, Style::Copy) => &[Prune, TRACING, ShareProcesses],
            (Self::General, Style::Node) => &[MountRoot, ClearSecurity, HostNamespaces],
            (Self::Baseline, Style::Copy) => &[ClearSecurity, Prune, ShareProcesses],
            (Self::Baseline, _) => &[ClearSecurity],
            (Self::Restricted, Style::Copy) => &[ClearSecurity, Restrict, Prune, ShareProcesses],
            (Self::Restricted, _) => &[ClearSecurity, Restrict],
            (Self::Netadmin, Style::Ephemeral) => &[NETWORK],
            (Self::Netadmin, Style::Copy) => &[NETWORK, Prune, ShareProcesses],
            (Self::Netadmin, Style::Node) => &[NETWORK, HostNamespaces],
            (Self::Sysadmin, Style::Ephemeral) => &[Privileged],
            (Self::Sysadmin, Style::Copy) => &[Privileged, Prune, ShareProcesses],
            (Self::Sysadmin, Style::Node) => &[Privileged, HostNamespaces, MountRoot],
        }
    }

    /// Changes the pod and its container of that name.
    pub fn apply(self, style: Style, pod: &mut Value, name: &str, keep: &KeepArgs) {
        for step in self.steps(style) {
            step.apply(pod, name, keep);
        }
    }
}

fn push(object: &mut Value, path: &[&str], item: Value) {
    let mut items = meta::list_at(object, path).to_vec();
    items.push(item);
    meta::set(object, path, items);
}

impl Step {
    fn apply(self, pod: &mut Value, name: &str, keep: &KeepArgs) {
        match self {
            MountRoot => {
                push(pod, &["spec", "volumes"], json!({"name": "host-root", "hostPath": {"path": "/"}}));
                if let Some(container) = container_mut(pod, &["containers"], name) {
                    push(container, &["volumeMounts"], json!({"mountPath": "/host", "name": "host-root"}));
                }
            }
            HostNamespaces => {
                for field in ["hostNetwork", "hostPID", "hostIPC"] {
                    meta::set(pod, &["spec", field], true);
                }
            }
            DropLabels => {
                meta::remove(pod, &["metadata", "labels"]);
            }
            Prune => prune(pod, keep),
            ShareProcesses => {
                if meta::get(pod, &["spec", "shareProcessNamespace"]).is_none_or(Value::is_null) {
                    meta::set(pod, &["spec", "shareProcessNamespace"], true);
                }
            }
            ClearSecurity | Capabilities(_) | Privileged | Restrict => {
                if let Some(container) = container_mut(pod, &LISTS, name) {
                    self.secure(container);
                }
            }
        }
    }

    /// Changes the container's security context.
    fn secure(self, container: &mut Value) {
        match self {
            ClearSecurity => {
                meta::remove(container, &["securityContext"]);
            }
            Capabilities(names) => {
                for name in names {
                    push(container, &["securityContext", "capabilities", "add"], (*name).into());
                }
            }
            Privileged => meta::set(container, &["securityContext", "privileged"], true),
            Restrict => {
                let context = [
                    ("runAsNonRoot", json!(true)),
                    ("capabilities", json!({"drop": ["ALL"]})),
                    ("allowPrivilegeEscalation", json!(false)),
                    ("seccompProfile", json!({"type": "RuntimeDefault"})),
                ];
                for (field, value) in context {
                    meta::set(container, &["securityContext", field], value);
                }
            }
            _ => {}
        }
    }
}

/// Removes from a copy what is not to be kept.
fn prune(pod: &mut Value, keep: &KeepArgs) {
    let parts: [(bool, &[&str]); 3] = [
        (keep.keep_labels, &["metadata", "labels"]),
        (keep.keep_annotations, &["metadata", "annotations"]),
        (keep.keep_init_containers, &["spec", "initContainers"]),
    ];
    for (_, path) in parts.iter().filter(|(kept, _)| !kept) {
        meta::remove(pod, path);
    }
    let probes = [
        (keep.keep_liveness, "livenessProbe"),
        (keep.keep_readiness, "readinessProbe"),
        (keep.keep_startup, "startupProbe"),
    ];
    let containers = pod.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        for (_, probe) in probes.iter().filter(|(kept, _)| !kept) {
            meta::remove(container, &[probe]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {
            "initContainers": [{"name": "init"}],
            "containers": [{"name": "app", "livenessProbe": {}, "securityContext": {"runAsUser": 1}}],
        }})
    }

    #[test]
    fn a_copy_loses_what_is_not_kept() {
        let mut copy = pod();
        let keep = KeepArgs { keep_init_containers: true, ..KeepArgs::default() };
        Profile::General.apply(Style::Copy, &mut copy, "app", &keep);
        assert_eq!(
            copy,
            json!({"metadata": {}, "spec": {
                "initContainers": [{"name": "init"}],
                "containers": [{"name": "app", "securityContext": {"runAsUser": 1,
                    "capabilities": {"add": ["SYS_PTRACE"]}}}],
                "shareProcessNamespace": true,
            }})
        );
    }

    #[test]
    fn profiles_set_the_security_of_the_container() {
        let security = |profile: Profile, style: Style| {
            let mut pod = pod();
            profile.apply(style, &mut pod, "app", &KeepArgs::default());
            pod["spec"]["containers"][0].get("securityContext").cloned().unwrap_or_default()
        };
        assert_eq!(security(Profile::Baseline, Style::Ephemeral), Value::Null);
        assert_eq!(security(Profile::Sysadmin, Style::Node)["privileged"], json!(true));
        assert_eq!(security(Profile::Netadmin, Style::Copy)["capabilities"]["add"], json!(["NET_ADMIN", "NET_RAW"]));
        let restricted = json!({"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            "allowPrivilegeEscalation": false, "seccompProfile": {"type": "RuntimeDefault"}});
        assert_eq!(security(Profile::Restricted, Style::Ephemeral), restricted);
    }

    #[test]
    fn a_pod_on_a_node_sees_the_node() {
        let mut made = pod();
        Profile::General.apply(Style::Node, &mut made, "app", &KeepArgs::default());
        assert_eq!(made["spec"]["hostPID"], json!(true));
        assert_eq!(made["spec"]["volumes"][0]["hostPath"]["path"], json!("/"));
        assert_eq!(made["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], json!("/host"));
    }
}
