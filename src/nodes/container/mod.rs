//! What a process in a container of a simulated node would see: its environment and its files, made from the API's
//! objects as a kubelet makes them. Nothing runs there but what [`super::shell`] plays.

mod env;
mod fields;
pub mod files;
mod surroundings;
mod volumes;

use chrono::{DateTime, Utc};

use crate::client::{Client, Error};
use crate::object::{Value, meta};

pub use files::{Files, Scratch};
pub use surroundings::Surroundings;

/// A container of a simulated node, as a process in it sees it.
pub struct Container {
    /// The container's name.
    pub name: String,
    /// The name of its pod.
    pub pod: String,
    /// The node it is on.
    pub node: String,
    /// Its host name.
    pub hostname: String,
    /// Environment variables in order; the last of a name counts.
    pub env: Vec<(String, String)>,
    /// User and group ids.
    pub user: (i64, i64),
    /// The folder in which commands begin.
    pub folder: String,
    /// What the container runs: its command and arguments; empty when only the image says.
    pub command: Vec<String>,
    /// The image.
    pub image: String,
    /// Files.
    pub files: Files,
}

/// The lists of a pod's containers.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The description of a container in a pod.
pub fn spec<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = LISTS.into_iter().flat_map(|list| meta::list_at(pod, &["spec", list]));
    all.find(|container| meta::str_at(container, &["name"]) == name)
}

/// The status of a container in a pod.
pub fn status<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|list| meta::list_at(pod, &["status", list]))
        .find(|status| meta::str_at(status, &["name"]) == name)
}

/// When a container began to run, if it runs.
pub fn running_since(pod: &Value, name: &str) -> Option<DateTime<Utc>> {
    let status = status(pod, name)?;
    meta::str_at(status, &["state", "running", "startedAt"]).parse().ok()
}

impl Container {
    /// Asks the API for what belongs to the container and puts it together.
    ///
    /// # Errors
    /// The API does not answer. Objects that are not there only leave a gap.
    pub async fn gather(client: &Client, pod: &Value, name: &str, scratch: Scratch) -> Result<Self, Error> {
        let spec = spec(pod, name).cloned().unwrap_or_default();
        let around = Surroundings::gather(client, pod, &spec).await?;
        Ok(Self::new(pod, &spec, &around, scratch))
    }

    /// The container from objects.
    pub fn new(pod: &Value, spec: &Value, around: &Surroundings, scratch: Scratch) -> Self {
        let hostname = hostname(pod);
        let id = |field: &str| {
            let of = |object: &Value| meta::int_at(object, &["securityContext", field]);
            of(spec).or_else(|| pod.get("spec").and_then(of)).unwrap_or_default()
        };
        let words = |field: &str| meta::list_at(spec, &[field]).iter().filter_map(Value::as_str).map(str::to_owned);
        let env = env::of(pod, spec, around, &hostname);
        let command = words("command").chain(words("args")).map(|word| env::expand(&word, &env)).collect();
        let folder = match meta::str_at(spec, &["workingDir"]) {
            "" => "/".to_owned(),
            folder => folder.to_owned(),
        };
        Self {
            name: meta::str_at(spec, &["name"]).to_owned(),
            pod: meta::name(pod).to_owned(),
            node: meta::str_at(pod, &["spec", "nodeName"]).to_owned(),
            files: volumes::files(pod, spec, around, &hostname, scratch),
            image: meta::str_at(spec, &["image"]).to_owned(),
            user: (id("runAsUser"), id("runAsGroup")),
            hostname,
            env,
            folder,
            command,
        }
    }
}

/// The host name of a pod's containers.
fn hostname(pod: &Value) -> String {
    let node = meta::str_at(pod, &["spec", "nodeName"]);
    match meta::str_at(pod, &["spec", "hostname"]) {
        _ if meta::bool_at(pod, &["spec", "hostNetwork"]) => node.to_owned(),
        "" => meta::name(pod).to_owned(),
        own => own.to_owned(),
    }
}

#[cfg(test)]
mod tests;
