//! `top`: what nodes and pods use, as the metrics API (`metrics.k8s.io`) measures it.

mod node;
mod pod;
mod usage;

use clap::Parser;

use super::completion::Words;
use super::context::Context;
use super::error::{Error, Result};
use super::verb::{Group, Verb};
use crate::client::Request;
use crate::object::meta::{list_at, str_at};

/// `top`.
pub const VERB: Verb = Verb::family::<TopFamily>("top", Group::Cluster, CHILDREN).suggest_for(&["stats"]);

const CHILDREN: &[Verb] = &[
    Verb::of::<node::NodeArgs>("node", Group::Cluster).aliases(&["nodes", "no"]).words(Words::Name("node")),
    Verb::of::<pod::PodArgs>("pod", Group::Cluster).aliases(&["pods", "po"]).words(Words::Name("pod")),
];

/// Where measurements are found.
const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

/// Show what nodes and pods use of processors and memory.
///
/// The numbers come from the cluster's metrics server, which serves them for autoscaling.
#[derive(Parser)]
pub struct TopFamily {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Fails unless the server has the metrics API.
async fn check_available(cx: &Context) -> Result<()> {
    let groups = cx.json(Request::get("/apis")).await?;
    let is_served = |group| {
        let mut versions = list_at(group, &["versions"]).iter();
        str_at(group, &["name"]) == "metrics.k8s.io" && versions.any(|one| str_at(one, &["version"]) == "v1beta1")
    };
    if list_at(&groups, &["groups"]).iter().any(is_served) {
        return Ok(());
    }
    Err(Error::new("Metrics API not available"))
}

/// What a table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortBy {
    Name,
    Cpu,
    Memory,
}

impl SortBy {
    fn parse(text: &str) -> Result<Self> {
        match text {
            "" => Ok(Self::Name),
            "cpu" => Ok(Self::Cpu),
            "memory" => Ok(Self::Memory),
            _ => Err(Error::new("--sort-by accepts only cpu or memory")),
        }
    }
}

#[cfg(test)]
mod tests;
