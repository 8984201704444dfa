//! The same streams over SPDY/3.1, bare for older clients and inside a websocket for port forwarding.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use super::{Ends, PORT_FORWARD, Refusal, STREAM_PROTOCOL, with_task};
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::service::{Body, Connection};
use crate::apiserver::websocket::{self, Accepted};
use crate::client::remote::Output;
use crate::client::spdy::{CANCEL, Decoder, Encoder, Frame, Headers, header};
use crate::object::Status;

/// The protocols of remote commands that differ in nothing that matters here, best first.
const COMMAND_PROTOCOLS: [&str; 3] = ["v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io"];

/// The bytes of frames.
fn bytes_of(encoder: &mut Encoder, frames: &[Frame]) -> Bytes {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| encoder.write(frame, &mut bytes));
    bytes.freeze()
}

/// The protocol that both sides know, from the client's list.
fn negotiate(request: &Request, known: &[&'static str]) -> Result<&'static str, Status> {
    let offered = request.headers.get_all(STREAM_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<&str> = offered.flat_map(|value| value.split(',')).map(str::trim).collect();
    let chosen = known.iter().find(|one| offered.contains(one) || offered.is_empty());
    chosen.copied().ok_or_else(|| {
        let message = format!("unable to negotiate protocol: client supports {offered:?}, server accepts {known:?}");
        Status::failure(403, "Forbidden", message)
    })
}

/// The answer that switches to SPDY, and the connection to come.
fn switch(
    request: &Request,
    known: &[&'static str],
) -> Result<(Response<Body>, impl Future<Output = Option<Connection>> + Send + 'static), Status> {
    let protocol = negotiate(request, known)?;
    let (mut response, switched) = websocket::switch(request, "SPDY/3.1")?;
    response.headers_mut().insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    Ok((response, async move { switched.await.ok() }))
}

/// The streams of port forwarding, of which each pair is refused.
struct Forwarder {
    refusal: Refusal,
    /// Streams by request: the one for errors, the one for data.
    pairs: HashMap<String, (Option<u32>, Option<u32>)>,
}

impl Forwarder {
    fn new(refusal: Refusal) -> Self {
        Self { refusal, pairs: HashMap::new() }
    }

    /// What is to be said to a frame.
    fn answer(&mut self, frame: &Frame) -> Vec<Frame> {
        match frame {
            Frame::Open { stream, headers, .. } => self.open(*stream, headers),
            Frame::Ping(id) => vec![Frame::Ping(*id)],
            _ => Vec::new(),
        }
    }

    fn open(&mut self, stream: u32, headers: &Headers) -> Vec<Frame> {
        let pair = self.pairs.entry(header(headers, "requestid").to_owned()).or_default();
        match header(headers, "streamtype") {
            "error" => pair.0 = Some(stream),
            "data" => pair.1 = Some(stream),
            _ => return vec![Frame::Reset { stream, status: CANCEL }],
        }
        let mut frames = vec![Frame::Reply { stream, headers: Vec::new() }];
        if let (Some(error), Some(data)) = *pair {
            self.pairs.remove(header(headers, "requestid"));
            let text = self.refusal.text(header(headers, "port"));
            frames.push(Frame::Data { stream: error, bytes: text.into(), fin: true });
            frames.push(Frame::Data { stream: data, bytes: Bytes::new(), fin: true });
        }
        frames
    }
}

/// Answers `portforward` inside a websocket.
pub fn tunnel(accepted: Accepted, refusal: Refusal) -> Response<Body> {
    let (response, socket) = accepted.socket();
    let task = async move {
        let Some(mut socket) = socket.await else { return };
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut forwarder = Forwarder::new(refusal);
        while let Some(Ok(message)) = socket.next().await {
            let Message::Binary(bytes) = message else { continue };
            decoder.feed(&bytes);
            loop {
                let frame = match decoder.read() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(_) => return,
                };
                let answer = bytes_of(&mut encoder, &forwarder.answer(&frame));
                if !answer.is_empty() && socket.send(Message::Binary(answer)).await.is_err() {
                    return;
                }
            }
        }
    };
    with_task(response, task)
}

/// Reads the next frame of a connection; `None` at its end.
async fn next_frame(reader: &mut (impl AsyncReadExt + Unpin), decoder: &mut Decoder) -> Option<Frame> {
    let mut buffer = [0; 16 << 10];
    loop {
        match decoder.read() {
            Ok(Some(frame)) => return Some(frame),
            Ok(None) => {}
            Err(_) => return None,
        }
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => decoder.feed(buffer.get(..count)?),
        }
    }
}

/// Answers `portforward` over a bare connection.
pub fn forward(request: &Request, refusal: Refusal) -> Answer {
    let (response, connection) = switch(request, &[PORT_FORWARD])?;
    let task = async move {
        let Some(mut connection) = connection.await else { return };
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut forwarder = Forwarder::new(refusal);
        while let Some(frame) = next_frame(&mut connection, &mut decoder).await {
            let answer = bytes_of(&mut encoder, &forwarder.answer(&frame));
            if connection.write_all(&answer).await.is_err() || connection.flush().await.is_err() {
                return;
            }
        }
    };
    Ok(with_task(response, task))
}

/// The streams of a command by what they carry.
#[derive(Default)]
struct Streams {
    error: Option<u32>,
    stdin: Option<u32>,
    stdout: Option<u32>,
    stderr: Option<u32>,
    resize: Option<u32>,
}

impl Streams {
    fn place(&mut self, kind: &str) -> Option<&mut Option<u32>> {
        Some(match kind {
            "error" => &mut self.error,
            "stdin" => &mut self.stdin,
            "stdout" => &mut self.stdout,
            "stderr" => &mut self.stderr,
            "resize" => &mut self.resize,
            _ => return None,
        })
    }

    /// Whether the client has opened all that it announced.
    fn are_complete(&self, ends: &Ends) -> bool {
        let wanted = &ends.wanted;
        self.error.is_some()
            && (!wanted.stdin || self.stdin.is_some())
            && (!wanted.stdout || self.stdout.is_some())
            && (!wanted.stderr || self.stderr.is_some())
            && (!wanted.tty || self.resize.is_some())
    }
}

/// Answers `exec` or `attach` over a bare connection.
pub fn command(request: &Request, ends: Ends) -> Answer {
    let (response, connection) = switch(request, &COMMAND_PROTOCOLS)?;
    let task = async move {
        if let Some(connection) = connection.await {
            serve(connection, ends).await;
        }
    };
    Ok(with_task(response, task))
}

async fn serve(connection: Connection, mut ends: Ends) {
    let (mut reader, mut writer) = tokio::io::split(connection);
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let mut streams = Streams::default();
    while !streams.are_complete(&ends) {
        let Some(frame) = next_frame(&mut reader, &mut decoder).await else { return };
        let Frame::Open { stream, headers, fin } = frame else { continue };
        let answer = match streams.place(header(&headers, "streamtype")) {
            Some(place) => {
                *place = Some(stream);
                Frame::Reply { stream, headers: Vec::new() }
            }
            None => Frame::Reset { stream, status: CANCEL },
        };
        if fin && streams.stdin == Some(stream) {
            ends.input = None;
        }
        if writer.write_all(&bytes_of(&mut encoder, &[answer])).await.is_err() {
            return;
        }
    }
    let Ends { mut input, mut output, process, .. } = ends;
    let stdin = streams.stdin;
    let gone = async move {
        while let Some(frame) = next_frame(&mut reader, &mut decoder).await {
            match frame {
                Frame::Data { stream, bytes, fin } if Some(stream) == stdin => {
                    if let Some(input) = input.as_ref().filter(|_| !bytes.is_empty()) {
                        // A command that reads no more lets the rest go.
                        let _ = input.send(bytes).await;
                    }
                    if fin {
                        input = None;
                    }
                }
                _ => {}
            }
        }
    };
    let work = async move {
        let write = async {
            while let Some(output) = output.recv().await {
                let (stream, bytes) = match output {
                    Output::Stdout(bytes) => (streams.stdout, bytes),
                    Output::Stderr(bytes) => (streams.stderr, bytes),
                    Output::Ended(_) => continue,
                };
                let Some(stream) = stream else { continue };
                let frame = Frame::Data { stream, bytes, fin: false };
                if writer.write_all(&bytes_of(&mut encoder, &[frame])).await.is_err() {
                    break;
                }
            }
            (writer, encoder)
        };
        let (outcome, (mut writer, mut encoder)) = futures_util::future::join(process, write).await;
        let end = |stream: Option<u32>| stream.map(|stream| Frame::Data { stream, bytes: Bytes::new(), fin: true });
        let mut frames: Vec<Frame> = [streams.stdout, streams.stderr].into_iter().filter_map(end).collect();
        frames.extend(streams.error.map(|stream| Frame::Data {
            stream,
            bytes: super::status_bytes(&outcome).into(),
            fin: true,
        }));
        // The client may have gone.
        let _ = writer.write_all(&bytes_of(&mut encoder, &frames)).await;
        let _ = writer.flush().await;
        // It closes the connection when it has read all.
        std::future::pending::<()>().await;
    };
    futures_util::future::select(Box::pin(work), Box::pin(gone)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_of_a_request_are_refused() {
        let mut forwarder = Forwarder::new(Refusal { pod: "web".into(), node: "node-1".into() });
        let open = |stream: u32, kind: &str| Frame::Open {
            stream,
            headers: [("streamtype", kind), ("port", "80"), ("requestid", "0")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            fin: kind == "error",
        };
        assert_eq!(forwarder.answer(&open(1, "error")), [Frame::Reply { stream: 1, headers: Vec::new() }]);
        let frames = forwarder.answer(&open(3, "data"));
        let [
            Frame::Reply { stream: 3, .. },
            Frame::Data { stream: 1, bytes, fin: true },
            Frame::Data { stream: 3, .. },
        ] = frames.as_slice()
        else {
            panic!("a reply and two ends: {frames:?}")
        };
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains("forwarding port 80 to pod web") && text.contains("connection refused"), "{text}");
    }
}
