//! Making what debugs: an ephemeral container, a copy of a pod, a pod on a node.

use std::collections::BTreeMap;

use serde_json::json;

use super::profile::{Profile, Style};
use super::{DebugArgs, LISTS, container_mut, custom};
use crate::cli::context::Context;
use crate::cli::create::workloads::random_suffix;
use crate::cli::error::{Error, Result};
use crate::cli::mutate;
use crate::client::Request;
use crate::kinds::decode;
use crate::object::go::quote;
use crate::object::{Value, json, meta};

/// What the flags say, and where the results go.
pub struct Making<'a> {
    pub cx: &'a Context,
    pub args: &'a DebugArgs,
    /// The words after `--`.
    pub command: &'a [String],
    pub env: BTreeMap<String, String>,
    /// Images of a copy's containers by name.
    pub images: BTreeMap<String, String>,
    pub profile: Profile,
    /// Parts of a container that come last.
    pub custom: Option<Value>,
    pub namespace: String,
}

const NON_ROOT: &str = "Warning: Non-root user is configured for the entire target Pod, and some capabilities granted \
                        by debug profile may not work. Please consider using \"--custom\" with a custom profile that \
                        specifies \"securityContext.runAsUser: 0\".";

fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

impl Making<'_> {
    fn env(&self) -> Value {
        self.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    }

    /// A new container with all that the flags say.
    fn container(&self, name: &str) -> Value {
        let args = self.args;
        let mut container = json!({
            "name": name, "image": args.image, "stdin": args.stdin, "tty": args.tty,
            "imagePullPolicy": args.image_pull_policy, "terminationMessagePolicy": "File",
        });
        if !self.env.is_empty() {
            container["env"] = self.env();
        }
        self.set_command(&mut container);
        container
    }

    fn set_command(&self, container: &mut Value) {
        if !self.command.is_empty() {
            container[if self.args.arguments_only { "args" } else { "command" }] = json!(self.command);
        }
    }

    /// The name that was given, or one that no container of the pod has.
    fn container_name(&self, pod: &Value) -> Result<String> {
        if !self.args.container.is_empty() {
            return Ok(self.args.container.clone());
        }
        let is_taken = |name: &str| {
            let known = LISTS.iter().flat_map(|list| meta::list_at(pod, &["spec", list]));
            known.into_iter().any(|container| meta::str_at(container, &["name"]) == name)
        };
        let mut name = format!("debugger-{}", random_suffix(5));
        while is_taken(&name) {
            name = format!("debugger-{}", random_suffix(5));
        }
        if !self.args.quiet {
            self.cx.line(format!("Defaulting debug container name to {name}."))?;
        }
        Ok(name)
    }

    fn customize(&self, pod: &mut Value, list: &str, name: &str) -> Result<()> {
        self.custom.as_ref().map_or(Ok(()), |part| custom::apply(pod, list, name, part))
    }

    /// Adds an ephemeral container to the pod; gives the pod and the container's name.
    pub async fn beside(&self, mut pod: Value) -> Result<(Value, String)> {
        let mut name = String::new();
        let patch = mutate::patch_of(&mut pod, |pod| {
            name = self.container_name(pod)?;
            let mut container = self.container(&name);
            container["targetContainerName"] = self.args.target.as_str().into();
            let mut all = meta::list_at(pod, &["spec", "ephemeralContainers"]).to_vec();
            all.push(container);
            meta::set(pod, &["spec", "ephemeralContainers"], all);
            self.profile.apply(Style::Ephemeral, pod, &name, &self.args.keep);
            self.customize(pod, "ephemeralContainers", &name)?;
            Ok(true)
        })?;
        let made = meta::list_at(&pod, &["spec", "ephemeralContainers"]).last();
        self.warn(made.unwrap_or(&Value::Null), &pod)?;
        let path = format!("{}/{}/ephemeralcontainers", pods(meta::namespace(&pod)), meta::name(&pod));
        let patch = json::to_compact(&patch.unwrap_or_default());
        let request = Request::patch(path, "application/strategic-merge-patch+json", patch);
        match self.cx.json(request.on("pods", meta::name(&pod))).await {
            Ok(patched) => Ok((patched, name)),
            // Of the missing subresource, not of a missing pod.
            Err(error)
                if error.as_status().is_some_and(|status| {
                    status.reason == "NotFound" && status.details.as_ref().is_none_or(|details| details.name.is_empty())
                }) =>
            {
                let why = quote(&error.text());
                Err(Error::new(format!(
                    "ephemeral containers are disabled for this cluster (error from server: {why})"
                )))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a pod on the node; gives the pod and its container's name.
    pub async fn on_node(&self, node: &Value) -> Result<(Value, String)> {
        let name = if self.args.container.is_empty() { "debugger" } else { &self.args.container };
        let node = meta::name(node);
        let pod_name = format!("node-debugger-{node}-{}", random_suffix(5));
        if !self.args.quiet {
            self.cx.line(format!("Creating debugging pod {pod_name} with container {name} on node {node}."))?;
        }
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod_name, "labels": {"app.kubernetes.io/managed-by": "kubectl-debug"}},
            "spec": {
                "containers": [self.container(name)], "nodeName": node, "restartPolicy": "Never",
                "tolerations": [{"operator": "Exists"}],
            },
        });
        self.profile.apply(Style::Node, &mut pod, name, &self.args.keep);
        self.customize(&mut pod, "containers", name)?;
        Ok((self.create(&self.namespace, pod).await?, name.to_owned()))
    }

    async fn create(&self, namespace: &str, mut pod: Value) -> Result<Value> {
        decode::settle(&mut pod);
        self.cx.json(Request::post(pods(namespace), &pod).on("pods", meta::name(&pod))).await
    }

    /// Runs a changed copy of the pod; gives the copy and the name of its debugging container, if it has one.
    pub async fn copy(&self, pod: &Value) -> Result<(Value, String)> {
        let (copy, name) = self.copy_of(pod)?;
        let debugger = meta::list_at(&copy, &["spec", "containers"]).iter();
        let debugger = debugger.into_iter().find(|container| meta::str_at(container, &["name"]) == name);
        self.warn(debugger.unwrap_or(&Value::Null), &copy)?;
        let created = self.create(meta::namespace(pod), copy).await?;
        if self.args.replace {
            let path = format!("{}/{}", pods(meta::namespace(pod)), meta::name(pod));
            let request = Request::delete(path, &json!({"gracePeriodSeconds": 0}));
            self.cx.call(request.on("pods", meta::name(pod))).await?;
        }
        Ok((created, name))
    }

    fn copy_of(&self, pod: &Value) -> Result<(Value, String)> {
        let args = self.args;
        let mut copy = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": args.copy_to, "namespace": meta::namespace(pod)}, "spec": pod["spec"]});
        for field in ["annotations", "labels"] {
            if let Some(kept) = meta::map_at(pod, &["metadata", field]) {
                copy["metadata"][field] = Value::Object(kept.clone());
            }
        }
        meta::remove(&mut copy, &["spec", "ephemeralContainers"]);
        if let Some(share) = args.share_processes {
            copy["spec"]["shareProcessNamespace"] = share.into();
        }
        if !args.same_node {
            meta::remove(&mut copy, &["spec", "nodeName"]);
        }
        self.set_images(&mut copy);
        let mut name = args.container.clone();
        if container_mut(&mut copy, &LISTS, &name).is_none() {
            if args.image.is_empty() {
                return match self.images.is_empty() {
                    false => Ok((copy, String::new())),
                    true => Err(Error::new("you must specify image when creating new container")),
                };
            }
            name = self.container_name(&copy)?;
            let mut containers = meta::list_at(&copy, &["spec", "containers"]).to_vec();
            containers.push(json!({"name": name, "terminationMessagePolicy": "File"}));
            meta::set(&mut copy, &["spec", "containers"], containers);
        }
        if let Some(container) = container_mut(&mut copy, &LISTS, &name) {
            self.change(container);
        }
        self.profile.apply(Style::Copy, &mut copy, &name, &args.keep);
        self.customize(&mut copy, "containers", &name)?;
        Ok((copy, name))
    }

    fn set_images(&self, copy: &mut Value) {
        let containers = copy.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let own = self.images.get(meta::str_at(container, &["name"]));
            if let Some(image) = own.or_else(|| self.images.get("*")).filter(|image| !image.is_empty()) {
                container["image"] = image.as_str().into();
            }
        }
    }

    /// Changes the copy's debugging container as the flags say.
    fn change(&self, container: &mut Value) {
        let args = self.args;
        if !self.command.is_empty() && !args.arguments_only {
            meta::remove(container, &["args"]);
        }
        self.set_command(container);
        if !self.env.is_empty() {
            container["env"] = self.env();
        }
        for (field, text) in [("image", &args.image), ("imagePullPolicy", &args.image_pull_policy)] {
            if !text.is_empty() {
                container[field] = text.as_str().into();
            }
        }
        container["stdin"] = args.stdin.into();
        container["tty"] = args.tty.into();
    }

    /// Warns where the pod's user has no use for what the profile grants.
    fn warn(&self, container: &Value, pod: &Value) -> Result<()> {
        let user = meta::int_at(pod, &["spec", "securityContext", "runAsUser"]).unwrap_or_default();
        let Some(security) = container.get("securityContext") else { return Ok(()) };
        let as_root = meta::int_at(security, &["runAsUser"]) == Some(0);
        let granted =
            meta::bool_at(security, &["privileged"]) || !meta::list_at(security, &["capabilities", "add"]).is_empty();
        if user == 0 || as_root || !granted {
            return Ok(());
        }
        self.cx.err_line(NON_ROOT)
    }
}
