//! Which pods of a node have to go before it is drained.

use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::client::{ListOptions, Request};
use crate::object::{meta, time};

/// What may be done to pods.
pub struct Rules {
    /// Pods that nothing would bring back may go.
    pub force: bool,
    /// Pods of daemon sets may stay.
    pub ignore_daemon_sets: bool,
    /// Data in the pods' own folders may go.
    pub delete_local_data: bool,
    /// Labels of the pods.
    pub selector: String,
    /// Pods per page of the list.
    pub chunk_size: i64,
    /// Pods that have been ending for so many seconds are left alone; 0 for none.
    pub skip_after: i64,
}

/// What is to happen to a pod, and what is to be said of it.
enum Fate {
    Go,
    GoWith(String),
    Stay,
    StayWith(String),
    Refused(String),
}

/// The pods of a node that have to go, and what is to be said of pods.
#[derive(Default)]
pub struct Pods {
    /// Those that have to go.
    pub going: Vec<Value>,
    /// Messages with the pods that they are about, in the order of first use.
    pub warnings: Vec<(String, Vec<String>)>,
}

impl Pods {
    /// All warnings as one text.
    pub fn warning(&self) -> String {
        let one = |(message, pods): &(String, Vec<String>)| format!("{message}: {}", pods.join(", "));
        self.warnings.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn note(notes: &mut Vec<(String, Vec<String>)>, message: String, pod: String) {
    match notes.iter_mut().find(|(known, _)| *known == message) {
        Some((_, pods)) => pods.push(pod),
        None => notes.push((message, vec![pod])),
    }
}

impl Rules {
    /// Whether a pod has been ending for so long that nobody waits for it any more.
    pub fn skips(&self, cx: &Context, pod: &Value) -> bool {
        let since = meta::deletion_timestamp(pod).and_then(|text| time::parse(text).ok());
        self.skip_after > 0 && since.is_some_and(|since| time::since(since, cx.now()).as_secs() > self.skip_after)
    }

    /// The pods of a node that have to go.
    ///
    /// # Errors
    /// Pods that may not go, or the list cannot be read.
    pub async fn pods(&self, cx: &Context, node: &str) -> Result<Pods> {
        let options = ListOptions {
            labels: self.selector.clone(),
            fields: format!("spec.nodeName={node}"),
            limit: self.chunk_size,
            about: "pods".into(),
            ..ListOptions::default()
        };
        let list = cx.client()?.list("/api/v1/pods", &options, "application/json").await?;
        let (mut pods, mut refused) = (Pods::default(), Vec::new());
        for pod in meta::list_at(&list, &["items"]) {
            let name = format!("{}/{}", meta::namespace(pod), meta::name(pod));
            match self.fate(cx, pod).await {
                Fate::Go => pods.going.push(pod.clone()),
                Fate::GoWith(message) => {
                    pods.going.push(pod.clone());
                    note(&mut pods.warnings, message, name);
                }
                Fate::Stay => {}
                Fate::StayWith(message) => note(&mut pods.warnings, message, name),
                Fate::Refused(message) => note(&mut refused, message, name),
            }
        }
        let refusal = |(message, pods): (String, Vec<String>)| {
            // Among the failures of nodes kubectl prints these without a heading, also a single one.
            Error::plain(format!("cannot delete {message}: {}", pods.join(", ")))
        };
        Error::many(refused.into_iter().map(refusal).collect())?;
        Ok(pods)
    }

    async fn fate(&self, cx: &Context, pod: &Value) -> Fate {
        if self.skips(cx, pod) {
            return Fate::Stay;
        }
        let finished = matches!(meta::str_at(pod, &["status", "phase"]), "Succeeded" | "Failed");
        let owner = meta::controller_of(pod);
        let mut last = Fate::Go;
        let of_daemon_set = owner.is_some_and(|owner| {
            meta::str_at(owner, &["kind"]) == "DaemonSet" && meta::str_at(owner, &["apiVersion"]) == "apps/v1"
        });
        if of_daemon_set && !finished {
            let name = owner.map(|owner| meta::str_at(owner, &["name"])).unwrap_or_default();
            let path = format!("/apis/apps/v1/namespaces/{}/daemonsets/{name}", meta::namespace(pod));
            match cx.json(Request::get(path).on("daemonsets.apps", name)).await {
                Err(error) if error.is_not_found() && self.force => last = Fate::GoWith(error.text()),
                Err(error) => return Fate::Refused(error.text()),
                Ok(_) if self.ignore_daemon_sets => return Fate::StayWith("ignoring DaemonSet-managed Pods".into()),
                Ok(_) => {
                    return Fate::Refused("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".into());
                }
            }
        }
        if meta::annotation(pod, "kubernetes.io/config.mirror").is_some() {
            return Fate::Stay;
        }
        let local = meta::list_at(pod, &["spec", "volumes"]).iter().any(|volume| volume.get("emptyDir").is_some());
        if local && !finished {
            if !self.delete_local_data {
                return Fate::Refused("Pods with local storage (use --delete-emptydir-data to override)".into());
            }
            last = Fate::GoWith("deleting Pods with local storage".into());
        }
        match (finished || owner.is_some(), self.force) {
            (true, _) => last,
            (false, true) => Fate::GoWith("deleting Pods that declare no controller".into()),
            (false, false) => Fate::Refused("Pods that declare no controller (use --force to override)".into()),
        }
    }
}
