//! Port forwarding: connections to ports of a pod as SPDY streams inside a websocket (`SPDY/3.1+portforward.k8s.io`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use super::spdy::{CANCEL, Decoder, Encoder, Frame, Headers};
use super::websocket::{Receiver, Sender};
use super::{Client, Error, Request};

/// The subprotocol.
const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";
/// Frames that may wait for a stream's reader.
const WAITING: usize = 64;

/// What comes on a stream.
enum Event {
    Data(Bytes),
    End,
}

type Streams = HashMap<u32, mpsc::Sender<Event>>;

struct Shared {
    streams: Mutex<Streams>,
    /// The number of the next stream, and of the next connection.
    next: Mutex<(u32, u32)>,
    frames: mpsc::Sender<Frame>,
    closed: watch::Sender<bool>,
}

impl Shared {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a pod's ports. Clones are handles of the same one.
#[derive(Clone)]
pub struct PodConnection(Arc<Shared>);

impl Client {
    /// Connects to a pod for port forwarding: `request` is a GET of `portforward`.
    ///
    /// # Errors
    /// The server could not be reached, or refused.
    pub async fn port_forward(&self, request: Request) -> Result<PodConnection, Error> {
        let (sender, receiver) = self.websocket(request, &[PROTOCOL]).await?.split();
        let (frames, queue) = mpsc::channel(WAITING);
        let (closed, _) = watch::channel(false);
        let shared = Arc::new(Shared { streams: Mutex::default(), next: Mutex::new((1, 0)), frames, closed });
        tokio::spawn(write(sender, queue, shared.closed.subscribe()));
        tokio::spawn(read(receiver, Arc::clone(&shared)));
        Ok(PodConnection(shared))
    }
}

async fn write(mut sender: Sender, mut queue: mpsc::Receiver<Frame>, mut closed: watch::Receiver<bool>) {
    let mut encoder = Encoder::default();
    loop {
        let frame = tokio::select! {
            frame = queue.recv() => frame,
            _ = closed.wait_for(|closed| *closed) => None,
        };
        let Some(frame) = frame else { break };
        let mut bytes = BytesMut::new();
        encoder.write(&frame, &mut bytes);
        if sender.send(bytes.freeze()).await.is_err() {
            break;
        }
    }
    sender.close().await;
}

async fn read(mut receiver: Receiver, shared: Arc<Shared>) {
    let mut decoder = Decoder::default();
    let mut closed = shared.closed.subscribe();
    loop {
        let bytes = tokio::select! {
            bytes = receiver.next() => bytes,
            _ = closed.wait_for(|closed| *closed) => Ok(None),
        };
        let Ok(Some(bytes)) = bytes else { break };
        decoder.feed(&bytes);
        loop {
            match decoder.read() {
                Ok(Some(frame)) => take(&shared, frame).await,
                Ok(None) => break,
                Err(_) => {
                    shared.closed.send_replace(true);
                    break;
                }
            }
        }
    }
    shared.closed.send_replace(true);
    shared.streams().clear();
}

async fn take(shared: &Shared, frame: Frame) {
    let (stream, event, ends) = match frame {
        Frame::Data { stream, bytes, fin } => (stream, Event::Data(bytes), fin),
        Frame::Reset { stream, .. } => (stream, Event::End, false),
        Frame::Ping(id) => {
            // A connection that is closed needs no answer.
            let _ = shared.frames.send(Frame::Ping(id)).await;
            return;
        }
        _ => return,
    };
    let Some(reader) = shared.streams().get(&stream).cloned() else { return };
    // A reader that has gone wants no more.
    let _ = reader.send(event).await;
    if ends {
        let _ = reader.send(Event::End).await;
    }
}

/// One stream of a connection.
struct Stream {
    id: u32,
    events: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
}

impl Stream {
    async fn open(shared: &Arc<Shared>, headers: Headers) -> Self {
        let id = {
            let mut next = shared.next.lock().unwrap_or_else(PoisonError::into_inner);
            let id = next.0;
            next.0 += 2;
            id
        };
        let (sender, events) = mpsc::channel(WAITING);
        shared.streams().insert(id, sender);
        let stream = Self { id, events, shared: Arc::clone(shared) };
        stream.send(Frame::Open { stream: id, headers, fin: false }).await;
        stream
    }

    async fn send(&self, frame: Frame) {
        // A closed connection is noticed by its readers.
        let _ = self.shared.frames.send(frame).await;
    }

    async fn data(&self, bytes: Bytes, fin: bool) {
        self.send(Frame::Data { stream: self.id, bytes, fin }).await;
    }

    /// All that comes.
    async fn all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Event::Data(bytes)) = self.events.recv().await {
            all.extend_from_slice(&bytes);
        }
        all
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.streams().remove(&self.id);
    }
}

impl PodConnection {
    /// Resolves when the connection to the pod is lost.
    pub async fn lost(&self) {
        let mut closed = self.0.closed.subscribe();
        // The sender lives as long as this.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Ends all streams.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Joins a local connection to a port of the pod until one side ends it. Gives what the pod's side says of a
    /// failure; empty when there was none.
    pub async fn join(&self, port: u16, local: impl AsyncRead + AsyncWrite + Unpin) -> String {
        let request = {
            let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.1 += 1;
            next.1 - 1
        };
        let headers = |kind: &str| {
            [("streamtype", kind.to_owned()), ("port", port.to_string()), ("requestid", request.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec()
        };
        let mut errors = Stream::open(&self.0, headers("error")).await;
        errors.data(Bytes::new(), true).await;
        let mut data = Stream::open(&self.0, headers("data")).await;
        copy(local, &mut data).await;
        data.send(Frame::Reset { stream: data.id, status: CANCEL }).await;
        String::from_utf8_lossy(&errors.all().await).into_owned()
    }
}

/// Copies in both directions until the pod's side ends, or the local one breaks.
async fn copy(local: impl AsyncRead + AsyncWrite + Unpin, data: &mut Stream) {
    let (mut reader, mut writer) = tokio::io::split(local);
    let mut buffer = vec![0; 32 << 10];
    let mut reads = true;
    loop {
        tokio::select! {
            event = data.events.recv() => match event {
                Some(Event::Data(bytes)) => {
                    if writer.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Event::End) | None => {
                    // What a client still wants to read is under way.
                    let _ = writer.shutdown().await;
                    return;
                }
            },
            read = reader.read(&mut buffer), if reads => match read {
                Ok(0) => {
                    reads = false;
                    data.data(Bytes::new(), true).await;
                }
                Ok(count) => {
                    data.data(Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default()), false).await;
                }
                Err(_) => return,
            },
        }
    }
}
