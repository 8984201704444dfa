//! What may stand where on a command line, and how it is found out.

use super::directive::Directive;
use crate::cli::api_resources;
use crate::cli::context::Context;
use crate::cli::targets;
use crate::client::Request;
use crate::object::{Value, meta};
use crate::resource::{FileOptions, Plan, Selection};

/// What the words of a verb are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// Not known: the shell offers files.
    #[default]
    Any,
    /// One of these words, once.
    Fixed(&'static [&'static str]),
    /// A type and names, or `TYPE/NAME…`; only these types where some are given.
    Resources(&'static [&'static str]),
    /// The same with one name.
    Resource(&'static [&'static str]),
    /// The name of one object of this type.
    Name(&'static str),
    /// A pod, or something that has pods as `TYPE/NAME`.
    Pod,
    /// The same, and then one of its containers.
    PodContainer,
    /// A pod or service, and then its ports.
    Ports,
    /// A context of the kubeconfig.
    Context,
    /// A cluster of the kubeconfig.
    Cluster,
    /// A user of the kubeconfig.
    User,
}

const WITH_PODS: [&str; 8] =
    ["daemonsets", "deployments", "pods", "jobs", "replicasets", "replicationcontrollers", "services", "statefulsets"];

/// Candidates and what the shell is to do with them.
pub type Answer = (Vec<String>, Directive);

fn starting(candidates: impl IntoIterator<Item = String>, typed: &str) -> Vec<String> {
    candidates.into_iter().filter(|word| word.starts_with(typed)).collect()
}

impl Words {
    /// The candidates for `typed` after the words `before`.
    pub async fn candidates(self, cx: &Context, before: &[String], typed: &str) -> Answer {
        let none = (Vec::new(), Directive::NO_FILES);
        let first = before.is_empty();
        match self {
            Self::Any => (Vec::new(), Directive::DEFAULT),
            Self::Fixed(words) if first => {
                (starting(words.iter().map(ToString::to_string), typed), Directive::NO_FILES)
            }
            Self::Resources(types) => resources(cx, types, true, before, typed).await,
            Self::Resource(types) => resources(cx, types, false, before, typed).await,
            Self::Name(kind) if first => (names(cx, kind, typed).await, Directive::NO_FILES),
            Self::Pod | Self::PodContainer | Self::Ports if first => pods(cx, typed).await,
            Self::PodContainer => match before {
                [pod] => (containers(cx, pod, typed).await, Directive::NO_FILES),
                _ => none,
            },
            Self::Ports => match before {
                [target] => (ports(cx, target, typed).await, Directive::NO_FILES),
                _ => none,
            },
            Self::Context | Self::Cluster | Self::User if first => {
                (starting(entries(cx, self), typed), Directive::NO_FILES)
            }
            _ => none,
        }
    }
}

/// The names of contexts, clusters or users.
pub fn entries(cx: &Context, what: Words) -> Vec<String> {
    let Ok(config) = cx.config() else { return Vec::new() };
    match what {
        Words::Context => config.contexts.keys().cloned().collect(),
        Words::Cluster => config.clusters.keys().cloned().collect(),
        Words::User => config.users.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The objects that the arguments name; none where anything fails, for nobody could be told.
async fn objects(cx: &Context, args: Vec<String>) -> Vec<Value> {
    let Ok(selection) = cx.selection(args, FileOptions::default()) else { return Vec::new() };
    let selection = Selection { types_mean_all: true, ..selection };
    let Ok(plan) = cx.plan(&selection).await else { return Vec::new() };
    let found = match plan {
        Plan::Documents { .. } => return Vec::new(),
        plan => targets::fetch(cx, &selection, plan).await,
    };
    found.map(|found| found.targets.into_iter().map(|target| target.object).collect()).unwrap_or_default()
}

/// The names of all objects of a type.
pub async fn names(cx: &Context, kind: &str, typed: &str) -> Vec<String> {
    let found = objects(cx, vec![kind.to_owned()]).await;
    starting(found.iter().map(|object| meta::name(object).to_owned()), typed)
}

/// The types that the server can read, after what stands before the last comma.
async fn types(cx: &Context, typed: &str) -> Vec<String> {
    let Ok(mapper) = cx.mapper() else { return Vec::new() };
    let kinds = match mapper.kinds().await {
        Ok(kinds) => api_resources::preferred(&kinds),
        Err(error) => {
            cx.explain(error);
            return Vec::new();
        }
    };
    let (before, last) = typed.rfind(',').map_or(("", typed), |at| typed.split_at(at + 1));
    let readable = kinds.iter().filter(|kind| kind.has_verb("get")).map(|kind| kind.group_resource());
    starting(readable, last).into_iter().map(|word| format!("{before}{word}")).collect()
}

async fn allowed_types(cx: &Context, allowed: &[&str], typed: &str) -> Vec<String> {
    match allowed {
        [] => types(cx, typed).await,
        allowed => starting(allowed.iter().map(ToString::to_string), typed),
    }
}

async fn resources(cx: &Context, allowed: &[&str], repeat: bool, before: &[String], typed: &str) -> Answer {
    let quiet = Directive::NO_FILES;
    if let Some(kind) = before.first().filter(|word| !word.contains('/')) {
        if !repeat && before.len() > 1 {
            return (Vec::new(), quiet);
        }
        let mut found = names(cx, kind, typed).await;
        found.retain(|name| !before[1..].contains(name));
        return (found, quiet);
    }
    match typed.split_once('/') {
        None if before.is_empty() => (allowed_types(cx, allowed, typed).await, quiet),
        None if repeat => {
            let found = allowed_types(cx, allowed, typed).await;
            (found.into_iter().map(|word| format!("{word}/")).collect(), quiet | Directive::NO_SPACE)
        }
        Some((kind, typed)) if repeat || before.is_empty() => {
            let found = names(cx, kind, typed).await.into_iter().map(|name| format!("{kind}/{name}"));
            (found.filter(|word| !before.contains(word)).collect(), quiet)
        }
        _ => (Vec::new(), quiet),
    }
}

async fn pods(cx: &Context, typed: &str) -> Answer {
    if let Some((kind, typed)) = typed.split_once('/') {
        let found = names(cx, kind, typed).await.into_iter().map(|name| format!("{kind}/{name}")).collect();
        return (found, Directive::NO_FILES);
    }
    let mut found = names(cx, "pod", typed).await;
    let mut directive = Directive::NO_FILES;
    if found.is_empty() {
        directive = directive | Directive::NO_SPACE;
    }
    found.extend(WITH_PODS.iter().filter(|kind| kind.starts_with(typed)).map(|kind| format!("{kind}/")));
    (found, directive)
}

/// The pod that `NAME` or `TYPE/NAME` means.
async fn pod_of(cx: &Context, word: &str) -> Option<Value> {
    let args = match word.contains('/') {
        true => vec![word.to_owned()],
        false => vec!["pod".to_owned(), word.to_owned()],
    };
    let object = objects(cx, args).await.into_iter().next()?;
    if meta::kind(&object) == "Pod" {
        return Some(object);
    }
    let selector = &object["spec"]["selector"];
    let labels = selector.get("matchLabels").unwrap_or(selector).as_object()?;
    let labels: Vec<String> =
        labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    let path = format!("/api/v1/namespaces/{}/pods", meta::namespace(&object));
    let list = cx.json(Request::get(path).query("labelSelector", labels.join(","))).await.ok()?;
    list["items"].as_array()?.first().cloned()
}

fn each<'a>(pod: &'a Value, lists: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    lists.iter().filter_map(|list| pod["spec"][list].as_array()).flatten()
}

/// The containers of a pod.
pub async fn containers(cx: &Context, pod: &str, typed: &str) -> Vec<String> {
    let Some(pod) = pod_of(cx, pod).await else { return Vec::new() };
    let names = each(&pod, &["initContainers", "containers"]).filter_map(|container| container["name"].as_str());
    starting(names.map(str::to_owned), typed)
}

/// `LOCAL:REMOTE` for each port of a pod or service; the local one as typed so far.
async fn ports(cx: &Context, target: &str, typed: &str) -> Vec<String> {
    let local = typed.split(':').next().unwrap_or_default();
    let found: Vec<i64> = match target.split_once('/') {
        Some(("service" | "services" | "svc", name)) => {
            let found = objects(cx, vec!["service".into(), name.to_owned()]).await;
            let ports = |service: &Value| service["spec"]["ports"].as_array().cloned().unwrap_or_default();
            found.iter().flat_map(ports).filter_map(|port| port["port"].as_i64()).collect()
        }
        _ => {
            let Some(pod) = pod_of(cx, target).await else { return Vec::new() };
            let ports = each(&pod, &["containers"]).filter_map(|container| container["ports"].as_array()).flatten();
            ports.filter_map(|port| port["containerPort"].as_i64()).collect()
        }
    };
    let word = |port: i64| if local.is_empty() { format!("{port}:{port}") } else { format!("{local}:{port}") };
    starting(found.into_iter().map(word), typed)
}
