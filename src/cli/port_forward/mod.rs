//! `port-forward`: local ports that lead to those of a pod.

mod listen;
mod ports;

use clap::Parser;
use serde_json::Value;

use super::args::GoDuration;
use super::context::Context;
use super::error::{Error, Result};
use super::remote;
use super::verb::Run;
use crate::client::Request;
use crate::client::forward::PodConnection;
use crate::object::meta;
use crate::resource::{FileOptions, Target};
use listen::{Listening, addresses};

/// Forward local ports to a pod.
#[derive(Parser)]
pub struct PortForwardArgs {
    /// TYPE/NAME, and ports as [LOCAL:]REMOTE
    #[arg(value_name = "TYPE/NAME [LOCAL:]REMOTE...")]
    words: Vec<String>,
    /// Addresses to listen on: IP addresses, or localhost
    #[arg(long, value_name = "ADDRESSES", default_value = "localhost", value_delimiter = ',')]
    address: Vec<String>,
    /// How long to wait for a pod
    #[arg(long, value_name = "TIME", default_value = "1m0s")]
    pod_running_timeout: GoDuration,
}

impl PortForwardArgs {
    /// The ports in the pod, by numbers.
    fn ports(&self, target: &Target, pod: &Value) -> Result<Vec<String>> {
        let words = self.words.get(1..).unwrap_or_default();
        if target.kind.kind == "Service" && target.kind.group.is_empty() {
            ports::check_udp(words, &target.object, true)?;
            return ports::through_service(words, &target.object, pod);
        }
        ports::check_udp(words, pod, false)?;
        ports::of_words(words, pod)
    }
}

/// Listens on all ports that can be had; fails when none can.
async fn listen(cx: &Context, wanted: &[listen::Address], ports: &[ports::Port]) -> Result<Vec<Listening>> {
    let mut all = Vec::new();
    for port in ports {
        match listen::on(cx, wanted, *port).await? {
            Ok(listening) => all.extend(listening),
            Err((local, why)) => cx.err_line(format!("Unable to listen on port {local}: {why}"))?,
        }
    }
    if all.is_empty() {
        let shown: Vec<String> = ports.iter().map(|port| format!("{{{} {}}}", port.local, port.remote)).collect();
        return Err(Error::new(format!("unable to listen on any of the requested ports: [{}]", shown.join(" "))));
    }
    Ok(all)
}

/// Serves connections until the one to the pod is lost.
async fn serve(cx: &Context, connection: &PodConnection, listening: Vec<Listening>) -> Result<()> {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let mut accepting: FuturesUnordered<_> = listening.into_iter().map(Listening::accept).collect();
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = connection.lost() => return Err(Error::new("lost connection to pod")),
            Some((listening, accepted)) = accepting.next() => {
                let port = listening.port;
                if let Ok(stream) = accepted {
                    cx.line(format!("Handling connection for {}", port.local))?;
                    cx.streams.flush()?;
                    open.push(async move { (port, connection.join(port.remote, stream).await) });
                }
                accepting.push(listening.accept());
            }
            Some((port, why)) = open.next() => if !why.is_empty() {
                let text = format!("an error occurred forwarding {} -> {}: {why}", port.local, port.remote);
                let text = format!("\"Unhandled Error\" err={}", crate::object::go::quote(&text));
                cx.log('E', "portforward.go:424", &text)?;
                connection.close();
            },
        }
    }
}

impl Run for PortForwardArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [word, _, ..] = self.words.as_slice() else {
            return Err(cx.usage("TYPE/NAME and list of ports are required for port-forward"));
        };
        if self.pod_running_timeout.0 <= 0 {
            return Err(cx.usage("--pod-running-timeout must be higher than zero"));
        }
        let several = "pod name or resource type/name must be specified";
        let target = remote::object(cx, vec![word.clone()], FileOptions::default(), several).await?;
        let pod = remote::pod_of(cx, &target, self.pod_running_timeout).await?;
        let words = self.ports(&target, &pod)?;
        let (namespace, name) = (meta::namespace(&pod), meta::name(&pod));
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let pod = cx.json(Request::get(&*path).on("pods", name)).await?;
        match meta::str_at(&pod, &["status", "phase"]) {
            "Running" => {}
            phase => {
                return Err(Error::new(format!(
                    "unable to forward port because pod is not running. Current status={phase}"
                )));
            }
        }
        let wanted = addresses(&self.address)?;
        let ports = ports::parse(&words)?;
        let request = Request::get(format!("{path}/portforward")).accept("*/*").on("pods", name);
        let connection = cx.client()?.port_forward(request).await;
        let connection = connection
            .map_err(|error| Error::new(format!("error upgrading connection: {}", Error::from(error).text())))?;
        let listening = listen(cx, &wanted, &ports).await?;
        cx.streams.flush()?;
        tokio::select! {
            outcome = serve(cx, &connection, listening) => outcome,
            // The user's own end of the session is no failure.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }
}
