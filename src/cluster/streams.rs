//! Streams between a client and the containers of simulated nodes: `exec`, `attach` and `portforward`, over websockets
//! and over SPDY.

mod channels;
mod spdy;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use http::header::HeaderName;
use tokio::sync::mpsc;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::service::Body;
use crate::apiserver::{Service, websocket};
use crate::client::remote::{Outcome, Output};
use crate::client::{Client, remote};
use crate::nodes::attach::attach;
use crate::nodes::container::{Container, Scratch, running_since};
use crate::nodes::shell::{Input, Io, Shell, Sink};
use crate::object::{Status, Value, go::quote, meta};

use super::local::LocalTransport;

/// Messages that may wait in each direction.
const WAITING: usize = 16;
/// The header in which a SPDY client names the protocols that it knows.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
/// The protocol of port forwarding over SPDY.
const PORT_FORWARD: &str = "portforward.k8s.io";
/// The same inside a websocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// Which streams of a command are wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

/// What a connected client can do with a command: the ends of its streams.
struct Ends {
    /// To standard input; dropping it ends the input.
    input: Option<mpsc::Sender<Bytes>>,
    /// From standard output and error; ends with the command.
    output: mpsc::Receiver<Output>,
    /// Runs the command.
    process: BoxFuture<'static, Outcome>,
    wanted: Wanted,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, Status> {
        // Kubernetes writes the flags of these options as 1 or true.
        let flag = |name: &str| request.query.flag(name);
        let wanted = Self { stdin: flag("stdin"), stdout: flag("stdout"), stderr: flag("stderr"), tty: flag("tty") };
        if !wanted.stdin && !wanted.stdout && !wanted.stderr {
            return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        // A terminal has one stream.
        Ok(Self { stderr: wanted.stderr && !wanted.tty, ..wanted })
    }
}

/// A client of the server that a request came to, for what the node needs to know.
fn client(request: &Request) -> Client {
    Client::new(Arc::new(LocalTransport::new(Service::of(request.core.clone()))), "https://kubernetes.default.svc")
}

/// Answers `exec` and `attach`.
///
/// # Errors
///
/// 400 without the upgrade to another protocol, 403 without a common one.
pub fn command(request: &Request, pod: &Value, container: &str, scratch: Scratch) -> Answer {
    let over_spdy = websocket::asks_for(&request.headers, "SPDY/3.1");
    if !over_spdy && !websocket::is_requested(&request.headers) {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let wanted = Wanted::of(request)?;
    let ends = begin(request, pod, container, wanted, scratch);
    if over_spdy { spdy::command(request, ends) } else { channels::command(request, ends) }
}

/// Prepares the command; it runs once the client is connected.
fn begin(request: &Request, pod: &Value, container: &str, wanted: Wanted, scratch: Scratch) -> Ends {
    let (to_input, input) = mpsc::channel(WAITING);
    let (sender, output) = mpsc::channel(WAITING);
    let echo = (wanted.tty && wanted.stdin).then(|| sender.clone());
    let input = if wanted.stdin { Input::new(input, echo) } else { Input::default() };
    let mut io = Io { input, sink: Sink::Live { sender, terminal: wanted.tty } };
    let (client, pod, name) = (client(request), pod.clone(), container.to_owned());
    let is_exec = request.info.subresource == "exec";
    let command: Vec<String> = request.query.values("command").map(str::to_owned).collect();
    let process = Box::pin(async move {
        if running_since(&pod, &name).is_none() {
            let (pod, namespace) = (meta::name(&pod), meta::namespace(&pod));
            let why = match is_exec {
                true => format!("container not found ({})", quote(&name)),
                false => format!("container {name} not found in pod {pod}_{namespace}"),
            };
            return Outcome::Failed(format!("unable to upgrade connection: {why}"));
        }
        let ended = match Container::gather(&client, &pod, &name, scratch).await {
            Ok(container) if is_exec => Ok(Shell::new(container).run(command, &mut io).await),
            Ok(container) => attach(&client, &pod, container, &mut io).await,
            Err(error) => Err(error),
        };
        match ended {
            // Whoever is attached hears of the exit code from the pod's status.
            Ok(_) if !is_exec => Outcome::Exited(0),
            Ok(code) => Outcome::Exited(code),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    });
    Ends { input: wanted.stdin.then_some(to_input), output, process, wanted }
}

/// Answers `portforward`.
///
/// # Errors
///
/// 400 without the upgrade to another protocol, 403 without a common one.
pub fn forward(request: &Request, pod: &Value) -> Answer {
    let refusal = Refusal::of(pod);
    if websocket::asks_for(&request.headers, "SPDY/3.1") {
        return spdy::forward(request, refusal);
    }
    if !websocket::is_requested(&request.headers) {
        return Err(Status::bad_request("Upgrade request required"));
    }
    if websocket::offered(&request.headers).contains(&TUNNEL) {
        let accepted = websocket::accept(request, TUNNEL)?;
        return Ok(spdy::tunnel(accepted, refusal));
    }
    channels::forward(request, &refusal)
}

/// Why no port of a pod can be reached.
#[derive(Clone)]
struct Refusal {
    pod: String,
    node: String,
}

impl Refusal {
    fn of(pod: &Value) -> Self {
        Self { pod: meta::name(pod).to_owned(), node: meta::str_at(pod, &["spec", "nodeName"]).to_owned() }
    }

    fn text(&self, port: &str) -> String {
        let Self { pod, node } = self;
        format!(
            "error forwarding port {port} to pod {pod}: connect: connection refused: node {node} is simulated, and \
             nothing listens in its containers"
        )
    }
}

/// The `Status` of an outcome as bytes.
fn status_bytes(outcome: &Outcome) -> Vec<u8> {
    remote::status_of(outcome).to_string().into_bytes()
}

/// Puts an answer together with a task that goes on after it.
fn with_task(response: Response<Body>, task: impl Future<Output = ()> + Send + 'static) -> Response<Body> {
    tokio::spawn(task);
    response
}
