//! The parts of a running cluster besides the API server: controllers, scheduler, simulated nodes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::oneshot;

use crate::client::transport::SharedTransport;
use crate::controllers::runtime::{Controller, Manager, Options, Resource};
use crate::controllers::{self, Settings};
use crate::kinds::Kinds;
use crate::nodes::kubelet::Kubelet;
use crate::nodes::lease::NodeLeases;
use crate::nodes::register::register;
use crate::nodes::scheduler::Scheduler;

/// Which controllers run in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControllerSet {
    /// All of them, with scheduler and simulated nodes.
    #[default]
    All,
    /// Housekeeping only: namespaces, accounts, garbage collection, volumes, aggregated roles.
    Core,
    /// None: nothing changes but by requests.
    None,
}

impl FromStr for ControllerSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "core" => Ok(Self::Core),
            "none" => Ok(Self::None),
            other => Err(format!("{other:?} is none of all, core, none")),
        }
    }
}

impl fmt::Display for ControllerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Core => "core",
            Self::None => "none",
        })
    }
}

/// The controllers of a cluster, not running yet.
pub fn manager(transport: SharedTransport, set: ControllerSet, nodes: u8, settings: &Settings) -> Arc<Manager> {
    let mut parts: Vec<Box<dyn Controller>> = Vec::new();
    if set != ControllerSet::None {
        parts.extend(controllers::housekeeping(settings));
    }
    if set == ControllerSet::All {
        parts.extend(controllers::workloads(settings));
        parts.push(Box::new(Scheduler));
        if nodes > 0 {
            parts.push(Box::new(Kubelet));
            parts.push(Box::new(NodeLeases));
        }
    }
    Arc::new(Manager::new(transport, parts, &Options { resources: stored_resources() }))
}

/// Every built-in resource that is stored, once each.
fn stored_resources() -> Vec<Resource> {
    let mut resources: Vec<Resource> = Vec::new();
    for kind in Kinds::builtin().rows().iter().filter(|kind| kind.has_verb("list") && kind.has_verb("watch")) {
        let seen = |other: &String| resources.iter().any(|r| format!("{}/{}", r.group_version(), r.resource) == *other);
        if !kind.same_storage_as.iter().any(seen) {
            resources.push(kind.gvr());
        }
    }
    resources
}

/// Starts the parts: makes the simulated nodes where the cluster is new, then runs the controllers until the future is
/// dropped. `ready` is told when they have seen everything.
pub async fn run(manager: Arc<Manager>, transport: SharedTransport, nodes: u8, ready: oneshot::Sender<()>) {
    // The server refuses a node only while it is not ready; what is missing is made with the next start.
    let _ = register(transport, nodes, Utc::now()).await;
    manager.run(ready).await;
}

/// Waits until the controllers have nothing to do now or within `horizon`, at most `limit`. `written` tells whether
/// anything has been written since they began: what they have listed is then not all there is.
pub async fn settle(manager: &Manager, written: impl Fn() -> bool, horizon: Duration, limit: Duration) {
    /// How long all must be quiet: time for a change to reach the caches.
    const QUIET: Duration = Duration::from_millis(20);
    let start = tokio::time::Instant::now();
    let mut quiet_since = None;
    while start.elapsed() < limit {
        quiet_since = match manager.is_idle(horizon) {
            true if !written() => return,
            true => quiet_since.or_else(|| Some(tokio::time::Instant::now())),
            false => None,
        };
        if quiet_since.is_some_and(|since| since.elapsed() >= QUIET) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
