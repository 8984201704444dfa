//! `create service` and `create ingress`.

use std::sync::LazyLock;

use clap::Parser;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::generated::{GeneratedArgs, Making};
use super::policy::int_or_string;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::{Group, Run, Verb};
use crate::object::go::quote;
use crate::object::{intstr, names};

/// The types of services.
pub const SERVICES: &[Verb] = &[
    Verb::of::<ClusterIpArgs>("clusterip", Group::Basic),
    Verb::of::<NodePortArgs>("nodeport", Group::Basic),
    Verb::of::<LoadBalancerArgs>("loadbalancer", Group::Basic),
    Verb::of::<ExternalNameArgs>("externalname", Group::Basic),
];

/// Create a service.
#[derive(Parser)]
pub struct ServiceArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Flags of every type of service.
#[derive(clap::Args)]
struct PortArgs {
    /// Port, as PORT or PORT:TARGET; may be repeated
    #[arg(long, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    tcp: Vec<String>,
}

/// A port in Go's `ParsePort`: 16 bits, zero allowed.
fn port(text: &str) -> Result<u16> {
    let why = match text.parse::<u16>() {
        Ok(port) if !text.starts_with('+') => return Ok(port),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => "value out of range",
        _ => "invalid syntax",
    };
    Err(Error::new(format!("strconv.ParseUint: parsing {}: {why}", quote(text))))
}

/// The port and the target port of `PORT[:TARGET]`.
fn port_pair(text: &str) -> Result<(u16, Value)> {
    let mut parts = text.split(':');
    let number = port(parts.next().unwrap_or_default())?;
    let Some(target) = parts.next() else { return Ok((number, number.into())) };
    let wrong = match intstr::atoi(target) {
        Ok(number) => names::is_valid_port_num(number),
        Err(_) => names::is_valid_port_name(target),
    };
    if wrong.is_empty() { Ok((number, int_or_string(target))) } else { Err(Error::new(wrong.join(","))) }
}

impl PortArgs {
    fn ports(&self, node_port: i32) -> Result<Vec<Value>> {
        let port = |text: &String| {
            let (port, target) = port_pair(text)?;
            Ok(json!({"name": text.replace(':', "-"), "port": port, "targetPort": target, "protocol": "TCP",
                "nodePort": node_port}))
        };
        self.tcp.iter().map(port).collect()
    }

    fn check(&self) -> Result<()> {
        if self.tcp.is_empty() {
            return Err(Error::new("at least one tcp port specifier must be provided"));
        }
        Ok(())
    }
}

async fn finish(making: Making<'_>, type_: &str, ports: Vec<Value>, more: &[(&str, &str)]) -> Result<()> {
    let mut object = making.object("v1", "Service")?;
    let labels = json!({"app": making.name});
    object["metadata"]["labels"] = labels.clone();
    object["spec"] = json!({"type": type_, "selector": labels, "ports": ports});
    for (field, value) in more {
        object["spec"][*field] = (*value).into();
    }
    making.finish(object, &format!("failed to create {type_} service: ")).await
}

/// Create a service with an address inside the cluster.
#[derive(Parser)]
pub struct ClusterIpArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    ports: PortArgs,
    /// The address, or None for a service without one
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    clusterip: String,
}

impl Run for ClusterIpArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        if self.clusterip != "None" {
            self.ports.check()?;
        }
        finish(making, "ClusterIP", self.ports.ports(0)?, &[("clusterIP", &self.clusterip)]).await
    }
}

/// Create a service with a port on every node.
#[derive(Parser)]
pub struct NodePortArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    ports: PortArgs,
    /// The port on every node
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    node_port: i32,
}

impl Run for NodePortArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        self.ports.check()?;
        finish(making, "NodePort", self.ports.ports(self.node_port)?, &[]).await
    }
}

/// Create a service behind a load balancer.
#[derive(Parser)]
pub struct LoadBalancerArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    ports: PortArgs,
}

impl Run for LoadBalancerArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        self.ports.check()?;
        finish(making, "LoadBalancer", self.ports.ports(0)?, &[]).await
    }
}

/// Create a service that stands for a name outside.
#[derive(Parser)]
pub struct ExternalNameArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    ports: PortArgs,
    /// The name outside
    #[arg(long, value_name = "NAME", required = true)]
    external_name: String,
}

impl Run for ExternalNameArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        if !names::is_dns1123_subdomain(&self.external_name).is_empty() {
            return Err(Error::new(format!("invalid service external name {}", self.external_name)));
        }
        finish(making, "ExternalName", self.ports.ports(0)?, &[("externalName", &self.external_name)]).await
    }
}

/// Create an ingress.
#[derive(Parser)]
pub struct IngressArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Ingress class
    #[arg(long, value_name = "NAME", default_value = "")]
    class: String,
    /// Rule, as HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path ending in * is a prefix; may be repeated
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// Where everything else goes, as SERVICE:PORT
    #[arg(long, value_name = "SERVICE:PORT", default_value = "")]
    default_backend: String,
    /// Annotation, as KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<String>,
}

static RULE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[0-9A-Za-z_*.-]*/.*=[0-9A-Za-z_-]+:[0-9A-Za-z_-]+").ok());

fn backend(service: &str) -> Value {
    let (name, port) = service.split_once(':').unwrap_or((service, ""));
    let port = port.split(':').next().unwrap_or_default();
    let port = match int_or_string(port) {
        Value::String(name) => json!({"name": name}),
        number => json!({"number": number}),
    };
    json!({"service": {"name": name, "port": port}})
}

impl IngressArgs {
    fn check(&self) -> Result<()> {
        if self.default_backend.is_empty() && self.rule.is_empty() {
            return Err(Error::new(
                "not enough information provided: every ingress has to either specify a default-backend (which catches \
                 all traffic) or a list of rules (which catch specific paths)",
            ));
        }
        let fits = |rule: &str| RULE.as_ref().is_some_and(|form| form.is_match(rule));
        if let Some(rule) = self.rule.iter().find(|rule| !fits(rule)) {
            return Err(Error::new(format!(
                "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            )));
        }
        if let Some(wrong) = self.annotation.iter().find(|annotation| !annotation.contains('=')) {
            return Err(Error::new(format!("annotation {wrong} is invalid and should be in format key=[value]")));
        }
        if !self.default_backend.is_empty() && self.default_backend.matches(':').count() != 1 {
            return Err(Error::new("default-backend should be in format servicename:serviceport"));
        }
        Ok(())
    }

    /// Hosts by the secret that holds their certificate; each host counts once.
    fn tls(&self) -> Vec<Value> {
        let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
        let mut seen = Vec::new();
        for rule in &self.rule {
            let parts: Vec<&str> = rule.split(',').collect();
            let [path, tls] = parts.as_slice() else { continue };
            let host = path.split('/').next().unwrap_or_default();
            if seen.contains(&host) {
                continue;
            }
            seen.push(host);
            let secret = tls.split('=').nth(1).unwrap_or_default();
            if let Some((_, hosts)) = entries.iter_mut().find(|(name, _)| name == secret) {
                hosts.push(host);
            } else if !host.is_empty() || !secret.is_empty() {
                let hosts = if host.is_empty() { Vec::new() } else { vec![host] };
                entries.push((secret.to_owned(), hosts));
            }
        }
        entries.into_iter().map(|(secret, hosts)| json!({"hosts": hosts, "secretName": secret})).collect()
    }

    /// Paths by host.
    fn rules(&self) -> Vec<Value> {
        let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
        for rule in &self.rule {
            let rule = rule.split(',').next().unwrap_or_default();
            let (host, rest) = rule.split_once('/').unwrap_or((rule, ""));
            let mut parts = rest.split('=');
            let path = format!("/{}", parts.next().unwrap_or_default());
            let (path, type_) = path.strip_suffix('*').map_or((path.as_str(), "Exact"), |prefix| (prefix, "Prefix"));
            let path = json!({"path": path, "pathType": type_, "backend": backend(parts.next().unwrap_or_default())});
            match hosts.iter_mut().find(|(name, _)| *name == host) {
                Some((_, paths)) => paths.push(path),
                None => hosts.push((host, vec![path])),
            }
        }
        hosts.into_iter().map(|(host, paths)| json!({"host": host, "http": {"paths": paths}})).collect()
    }
}

impl Run for IngressArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        self.check()?;
        let mut object = making.object("networking.k8s.io/v1", "Ingress")?;
        let annotations = self.annotation.iter().filter_map(|pair| pair.split_once('='));
        let annotations: Map<String, Value> = annotations.map(|(key, value)| (key.to_owned(), value.into())).collect();
        object["metadata"]["annotations"] = annotations.into();
        object["spec"] = json!({"tls": self.tls(), "rules": self.rules()});
        if !self.class.is_empty() {
            object["spec"]["ingressClassName"] = self.class.clone().into();
        }
        if !self.default_backend.is_empty() {
            object["spec"]["defaultBackend"] = backend(&self.default_backend);
        }
        making.finish(object, "failed to create ingress: ").await
    }
}
