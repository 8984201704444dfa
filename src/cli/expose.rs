//! `expose`: a service for what runs already.

use std::collections::BTreeMap;

use clap::Parser;
use serde_json::{Value, json};

use super::args::{DryRun, DryRunArgs, FileArgs, OutputArgs, OverrideArgs};
use super::context::Context;
use super::create::generated::{builtin, save_typed_config};
use super::create::policy::int_or_string;
use super::create::{WriteArgs, Writer};
use super::error::{Error, Result};
use super::verb::Run;
use super::{labels, targets};
use crate::kinds::decode;
use crate::object::go::quote;
use crate::object::{intstr, meta};

/// Create a service for a pod, a service, or something that keeps pods.
#[derive(Parser)]
pub struct ExposeArgs {
    /// Type and name
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    service: ServiceFlags,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    record: bool,
}

/// What the service is to be.
#[derive(clap::Args, Clone)]
struct ServiceFlags {
    /// Protocol: TCP, UDP or SCTP
    #[arg(long, value_name = "PROTOCOL", default_value = "")]
    protocol: String,
    /// Port of the service; several are separated by commas
    #[arg(long, value_name = "PORT", default_value = "")]
    port: String,
    /// ClusterIP, NodePort, LoadBalancer or ExternalName
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    type_: String,
    /// Address of the load balancer
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    load_balancer_ip: String,
    /// Labels of the pods
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// Labels of the service
    #[arg(short = 'l', long, value_name = "LABELS", default_value = "")]
    labels: String,
    /// Name or number of the container's port
    #[arg(long, value_name = "PORT", default_value = "")]
    target_port: String,
    /// Address outside the cluster
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    external_ip: String,
    /// Name of the service
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// None or ClientIP
    #[arg(long, value_name = "AFFINITY", default_value = "")]
    session_affinity: String,
    /// Address inside the cluster, or None
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    cluster_ip: String,
}

/// Kinds that can be exposed, with where their pods' labels and containers stand.
struct Source<'a> {
    kind: &'a str,
    group: &'a str,
    selector: &'a [&'a str],
    pod_spec: &'a [&'a str],
}

const MATCH_LABELS: &[&str] = &["spec", "selector", "matchLabels"];
const TEMPLATE_SPEC: &[&str] = &["spec", "template", "spec"];
const SOURCES: [Source<'static>; 5] = [
    Source { kind: "ReplicationController", group: "", selector: &["spec", "selector"], pod_spec: TEMPLATE_SPEC },
    Source { kind: "Service", group: "", selector: &["spec", "selector"], pod_spec: &[] },
    Source { kind: "Pod", group: "", selector: &["metadata", "labels"], pod_spec: &["spec"] },
    Source { kind: "Deployment", group: "apps", selector: MATCH_LABELS, pod_spec: TEMPLATE_SPEC },
    Source { kind: "ReplicaSet", group: "apps", selector: MATCH_LABELS, pod_spec: TEMPLATE_SPEC },
];

/// Labels in the form of flags: `a=b,c=d`.
fn joined<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

impl Source<'_> {
    fn of(object: &Value) -> Result<&'static Source<'static>> {
        let found = meta::gvk(object).group_kind();
        SOURCES
            .iter()
            .find(|source| source.kind == found.kind && source.group == found.group)
            .ok_or_else(|| Error::new(format!("cannot expose a {found}")))
    }

    /// The labels that select its pods.
    fn selector(&self, object: &Value) -> Result<String> {
        let labels = meta::map_at(object, self.selector);
        let none = labels.is_none_or(serde_json::Map::is_empty);
        match self.kind {
            "Pod" if none => return Err(Error::new("the pod has no labels and cannot be exposed")),
            "Service" if labels.is_none() => return Err(Error::new("the service has no pod selector set")),
            "Deployment" | "ReplicaSet" if none => {
                let kind = self.kind.to_lowercase();
                return Err(Error::new(format!("invalid {kind}: no selectors, therefore cannot be exposed")));
            }
            _ => {}
        }
        let expressions = meta::list_at(object, &["spec", "selector", "matchExpressions"]);
        if self.selector == MATCH_LABELS && !expressions.is_empty() {
            let shown: Vec<String> = expressions.iter().map(shown_expression).collect();
            return Err(Error::new(format!(
                "couldn't convert expressions - \"[{}]\" to map-based selector format",
                shown.join(" ")
            )));
        }
        Ok(joined(meta::texts(labels)))
    }

    /// Port numbers with their protocols, in the order in which they are declared.
    fn ports(&self, object: &Value) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let mut add = |port: &Value, field: &str| {
            let number = meta::int_at(port, &[field]).unwrap_or_default().to_string();
            let protocol = match meta::str_at(port, &["protocol"]) {
                "" => "TCP",
                protocol => protocol,
            };
            match found.iter_mut().find(|(known, _)| *known == number) {
                Some((_, protocols)) if protocols.iter().any(|known| known == protocol) => {}
                Some((_, protocols)) => protocols.push(protocol.to_owned()),
                None => found.push((number, vec![protocol.to_owned()])),
            }
        };
        if self.pod_spec.is_empty() {
            meta::list_at(object, &["spec", "ports"]).iter().for_each(|port| add(port, "port"));
        } else if let Some(spec) = meta::get(object, self.pod_spec) {
            let containers = meta::list_at(spec, &["containers"]).iter();
            containers.flat_map(|one| meta::list_at(one, &["ports"])).for_each(|port| add(port, "containerPort"));
        }
        found
    }
}

fn shown_expression(expression: &Value) -> String {
    let values: Vec<&str> = meta::list_at(expression, &["values"]).iter().filter_map(Value::as_str).collect();
    let (key, operator) = (meta::str_at(expression, &["key"]), meta::str_at(expression, &["operator"]));
    format!("{{Key:{key} Operator:{operator} Values:[{}]}}", values.join(" "))
}

impl ServiceFlags {
    /// Fills what the flags leave open from the object that is exposed.
    fn complete(&mut self, object: &Value) -> Result<BTreeMap<String, Vec<String>>> {
        let source = Source::of(object)?;
        if self.selector.is_empty() {
            self.selector = source.selector(object).map_err(|error| {
                Error::new(format!(
                    "couldn't retrieve selectors via --selector flag or introspection: {}",
                    error.text()
                ))
            })?;
        }
        let ports = source.ports(object);
        if self.port.is_empty() {
            if ports.is_empty() && self.cluster_ip != "None" {
                return Err(Error::new("couldn't find port via --port flag or introspection"));
            }
            self.port = ports.iter().map(|(port, _)| port.as_str()).collect::<Vec<_>>().join(",");
        }
        if self.labels.is_empty() {
            self.labels = joined(meta::labels(object));
        }
        Ok(ports.into_iter().collect())
    }

    fn service_ports(&self, protocols: &BTreeMap<String, Vec<String>>) -> Result<Vec<Value>> {
        let mut ports = Vec::new();
        let texts: Vec<&str> = self.port.split(',').filter(|_| !self.port.is_empty()).collect();
        for (position, text) in texts.iter().enumerate() {
            let failed = |why| Error::new(format!("strconv.Atoi: parsing {}: {why}", quote(text)));
            let number = intstr::atoi(text).map_err(failed)?;
            let target = if self.target_port.is_empty() { number.into() } else { int_or_string(&self.target_port) };
            let name = if texts.len() > 1 { format!("port-{}", position + 1) } else { String::new() };
            let known = protocols.get(*text).map(Vec::as_slice).unwrap_or_default();
            let mut add = |name: String, protocol: &str| {
                ports.push(json!({"name": name, "port": number, "targetPort": target, "protocol": protocol}));
            };
            match (self.protocol.as_str(), known) {
                ("", []) => add(name, "TCP"),
                ("", [only]) => add(name, only),
                ("", several) => {
                    for protocol in several {
                        add(format!("port-{}-{}", position + 1, protocol.to_lowercase()), protocol);
                    }
                }
                (protocol, _) => add(name, protocol),
            }
        }
        Ok(ports)
    }

    fn service(&self, default_name: &str, protocols: &BTreeMap<String, Vec<String>>) -> Result<Value> {
        if self.selector.is_empty() {
            return Err(Error::new("selector must be specified"));
        }
        let selector = labels::parse(&self.selector)?;
        let labels = if self.labels.is_empty() { Default::default() } else { labels::parse(&self.labels)? };
        let name = if self.name.is_empty() { default_name } else { &self.name };
        if name.is_empty() {
            return Err(Error::new("name must be specified"));
        }
        let ports = self.service_ports(protocols)?;
        if !matches!(self.session_affinity.as_str(), "" | "None" | "ClientIP") {
            return Err(Error::new(format!("unknown session affinity: {}", self.session_affinity)));
        }
        let mut spec = json!({"selector": selector, "ports": ports, "type": self.type_, "clusterIP": self.cluster_ip,
            "sessionAffinity": self.session_affinity});
        if !self.external_ip.is_empty() {
            spec["externalIPs"] = json!([self.external_ip]);
        }
        if self.type_ == "LoadBalancer" {
            spec["loadBalancerIP"] = self.load_balancer_ip.clone().into();
        }
        Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels}, "spec": spec}))
    }
}

impl Run for ExposeArgs {
    async fn run(mut self, cx: &Context) -> Result<()> {
        const LABEL: usize = 63;
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("exposed{}", dry_run.suffix()))?;
        let selection = cx.selection(self.resources.clone(), self.files.options())?;
        let found = targets::find(cx, &selection, false).await?;
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-expose".into());
        let writer = Writer { cx, manager, validation: "", dry_run };
        let (namespace, enforced) = cx.namespace()?;
        let mut errors = found.errors;
        for target in found.targets {
            let made = self.service.complete(&target.object).and_then(|protocols| {
                let name: String = target.name.chars().take(LABEL).collect();
                let mut service = self.service.service(&name, &protocols)?;
                decode::settle(&mut service);
                self.overrides.apply(service)
            });
            let mut service = match made {
                Ok(service) => service,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            if dry_run == DryRun::Client {
                if enforced {
                    meta::set(&mut service, &["metadata", "namespace"], namespace.clone());
                }
                printer.print_typed(cx, &service)?;
                continue;
            }
            if self.write.save_config || meta::annotation(&service, meta::LAST_APPLIED).is_some() {
                save_typed_config(&mut service);
            }
            match writer.post(builtin("v1", "Service")?, &namespace, &service).await {
                Ok(service) => printer.print_typed(cx, &service)?,
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)
    }
}
