//! `cluster-info`: where the cluster's services are.

mod dump;

use clap::Parser;

use super::context::Context;
use super::error::Result;
use super::verb::{Group, Run, Verb};
use crate::client::{ListOptions, Request};
use crate::object::Value;
use crate::object::meta::{self, list_at, str_at};

/// `cluster-info`.
pub const VERB: Verb = Verb::of::<ClusterInfoArgs>("cluster-info", Group::Cluster).children(CHILDREN);

/// One line per sub-verb.
const CHILDREN: &[Verb] = &[Verb::of::<dump::DumpArgs>("dump", Group::Cluster)];

/// Print the addresses of the control plane and of cluster services.
#[derive(Parser)]
pub struct ClusterInfoArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Where a service is reached: by its load balancer, else through the server.
fn link(server: &str, service: &Value) -> String {
    let ports = list_at(service, &["spec", "ports"]);
    if let Some(ingress) = list_at(service, &["status", "loadBalancer", "ingress"]).first() {
        let host = match str_at(ingress, &["ip"]) {
            "" => str_at(ingress, &["hostname"]),
            ip => ip,
        };
        let port = |port: &Value| format!("http://{host}:{} ", meta::int_at(port, &["port"]).unwrap_or_default());
        return ports.iter().map(port).collect();
    }
    let mut name = meta::name(service).to_owned();
    if let Some(port) = ports.first() {
        let port_name = str_at(port, &["name"]);
        let secure = port_name == "https" || meta::int_at(port, &["port"]) == Some(443);
        name = match (secure, port_name) {
            (true, port) => format!("https:{name}:{port}"),
            (false, "") => name,
            (false, port) => format!("{name}:{port}"),
        };
    }
    format!("{server}/api/v1/namespaces/{}/services/{name}/proxy", meta::namespace(service))
}

impl Run for ClusterInfoArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let client = cx.client()?;
        let namespace = if cx.globals.namespace.is_some() { cx.namespace()?.0 } else { "kube-system".to_owned() };
        cx.mapper()?.resource("services").await.map_err(|error| cx.explain(error))?;
        let options = ListOptions { labels: "kubernetes.io/cluster-service=true".into(), ..ListOptions::default() };
        let path = format!("/api/v1/namespaces/{namespace}/services");
        let list = cx.json(Request::get(path).list_options(&options)).await?;
        let server = client.server();
        cx.line(format!("Kubernetes control plane is running at {server}"))?;
        for service in list_at(&list, &["items"]) {
            let name = meta::label(service, "kubernetes.io/name").unwrap_or_else(|| meta::name(service));
            cx.line(format!("{name} is running at {}", link(server, service)))?;
        }
        let program = &cx.program.name;
        cx.line(format!("\nTo further debug and diagnose cluster problems, use '{program} cluster-info dump'."))
    }
}
