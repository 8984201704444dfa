//! The channel protocols over websockets: each message begins with the number of its channel.

use base64::Engine as _;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::{Ends, Refusal, with_task};
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::websocket::{self, Socket};
use crate::client::remote::{CLOSE, ERROR, Outcome, Output, STDERR, STDIN, STDOUT};
use crate::object::Status;

/// A channel protocol.
#[derive(Clone, Copy, Debug)]
struct Protocol {
    name: &'static str,
    /// Whether a channel can be closed by itself.
    closes: bool,
    /// Whether messages are text: the channel's number as a digit and base64.
    text: bool,
    /// Whether the outcome is a `Status` rather than plain text.
    status: bool,
}

const PROTOCOLS: [Protocol; 6] = [
    Protocol { name: "v5.channel.k8s.io", closes: true, text: false, status: true },
    Protocol { name: "v4.channel.k8s.io", closes: false, text: false, status: true },
    Protocol { name: "v4.base64.channel.k8s.io", closes: false, text: true, status: true },
    Protocol { name: "channel.k8s.io", closes: false, text: false, status: false },
    Protocol { name: "base64.channel.k8s.io", closes: false, text: true, status: false },
    Protocol { name: "", closes: false, text: false, status: false },
];

impl Protocol {
    fn choose(request: &Request) -> Result<Self, Status> {
        let names = PROTOCOLS.map(|protocol| protocol.name);
        let chosen = websocket::choose(&websocket::offered(&request.headers), &names)?;
        // Chosen from the table's own names.
        Ok(PROTOCOLS.into_iter().find(|protocol| protocol.name == chosen).unwrap_or(PROTOCOLS[5]))
    }

    fn message(self, channel: u8, bytes: &[u8]) -> Message {
        if self.text {
            let packed = base64::engine::general_purpose::STANDARD.encode(bytes);
            return Message::text(format!("{channel}{packed}"));
        }
        Message::binary([&[channel], bytes].concat())
    }

    /// Channel and bytes of a message; `None` for what is none of the protocol's.
    fn read(self, message: Message) -> Option<(u8, Bytes)> {
        let mut bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            _ => return None,
        };
        if bytes.is_empty() {
            return None;
        }
        let channel = bytes.split_to(1)[0];
        if !self.text {
            return Some((channel, bytes));
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(&bytes).ok()?;
        Some((channel.checked_sub(b'0')?, bytes.into()))
    }

    fn outcome(self, outcome: &Outcome) -> Vec<u8> {
        match outcome {
            _ if self.status => super::status_bytes(outcome),
            Outcome::Exited(0) => Vec::new(),
            Outcome::Exited(code) => format!("command terminated with non-zero exit code: exit status {code}").into(),
            Outcome::Failed(why) => why.clone().into_bytes(),
        }
    }
}

/// Answers `exec` or `attach`.
pub fn command(request: &Request, ends: Ends) -> Answer {
    let protocol = Protocol::choose(request)?;
    let (response, socket) = websocket::accept(request, protocol.name)?.socket();
    let task = async move {
        if let Some(socket) = socket.await {
            serve(socket, protocol, ends).await;
        }
    };
    Ok(with_task(response, task))
}

async fn serve(socket: Socket, protocol: Protocol, ends: Ends) {
    let (mut sink, mut incoming) = socket.split();
    let Ends { mut input, mut output, process, wanted } = ends;
    let gone = async move {
        while let Some(Ok(message)) = incoming.next().await {
            match protocol.read(message) {
                Some((STDIN, bytes)) if !bytes.is_empty() => {
                    if let Some(input) = &input {
                        // A command that reads no more lets the rest go.
                        let _ = input.send(bytes).await;
                    }
                }
                Some((CLOSE, bytes)) if protocol.closes && bytes.first() == Some(&STDIN) => input = None,
                _ => {}
            }
        }
    };
    let work = async move {
        let write = async {
            while let Some(output) = output.recv().await {
                let message = match output {
                    Output::Stdout(bytes) if wanted.stdout => protocol.message(STDOUT, &bytes),
                    Output::Stderr(bytes) if wanted.stderr => protocol.message(STDERR, &bytes),
                    _ => continue,
                };
                if sink.send(message).await.is_err() {
                    break;
                }
            }
        };
        let (outcome, ()) = futures_util::future::join(process, write).await;
        // The client may have gone.
        let _ = sink.send(protocol.message(ERROR, &protocol.outcome(&outcome))).await;
        let _ = sink.send(websocket::goodbye()).await;
        let _ = sink.close().await;
    };
    // A client that goes takes its command with it.
    futures_util::future::select(Box::pin(work), Box::pin(gone)).await;
}

/// Answers `portforward` with two channels for each port: each begins with the port's number, and the second one says
/// why nothing comes.
pub fn forward(request: &Request, refusal: &Refusal) -> Answer {
    let lists = request.query.values("ports").chain(request.query.values("port"));
    let ports: Vec<u16> = lists.flat_map(|list| list.split(',')).filter_map(|port| port.trim().parse().ok()).collect();
    if ports.is_empty() {
        return Err(Status::bad_request("query parameter \"port\" is required"));
    }
    let protocol = Protocol::choose(request)?;
    let (response, socket) = websocket::accept(request, protocol.name)?.socket();
    let mut messages = Vec::new();
    for (position, port) in ports.iter().take(64).enumerate() {
        let first = u8::try_from(2 * position).unwrap_or_default();
        for channel in [first, first + 1] {
            messages.push(protocol.message(channel, &port.to_le_bytes()));
        }
        messages.push(protocol.message(first + 1, refusal.text(&port.to_string()).as_bytes()));
    }
    let task = async move {
        let Some(mut socket) = socket.await else { return };
        for message in messages {
            if socket.send(message).await.is_err() {
                return;
            }
        }
        // The client may have gone.
        let _ = socket.send(websocket::goodbye()).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    Ok(with_task(response, task))
}
