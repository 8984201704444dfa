//! Websockets over a transport: the handshake and the messages.

use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL};
use http::header::{SEC_WEBSOCKET_VERSION, UPGRADE};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{self, Message};

use super::transport::{Connection, Upgrade};
use super::{Answer, Client, Error, Request, TransportError, collect, error};
use crate::object::go::quote;

/// A websocket whose messages go in both directions.
pub struct Socket {
    stream: WebSocketStream<Connection>,
    /// The subprotocol that the server chose, or the empty text.
    pub protocol: String,
}

/// The half of a websocket that sends.
pub struct Sender(futures_util::stream::SplitSink<WebSocketStream<Connection>, Message>);

/// The half of a websocket that receives.
pub struct Receiver(futures_util::stream::SplitStream<WebSocketStream<Connection>>);

/// Why a websocket broke.
#[derive(Debug, thiserror::Error)]
#[error("the connection broke: {0}")]
pub struct Broken(#[from] tungstenite::Error);

impl Client {
    /// Opens a websocket with the first of `protocols` that the server takes.
    ///
    /// # Errors
    /// The server could not be reached, or did not switch.
    pub async fn websocket(&self, request: Request, protocols: &[&str]) -> Result<Socket, Error> {
        let (method, path, about) = (request.method().clone(), request.uri(), request.about().clone());
        let key = generate_key();
        let mut request = request.to_http()?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| Error::Request(error.to_string()));
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, value(&key)?);
        if !protocols.is_empty() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value(&protocols.join(", "))?);
        }
        let failed = |source| Error::transport(&method, self.server(), &path, source);
        match self.transport().upgrade(request).await.map_err(failed)? {
            Upgrade::Switched(head, connection) => {
                self.keep_warnings(head.headers());
                let text = |name| head.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                if text(SEC_WEBSOCKET_ACCEPT) != derive_accept_key(key.as_bytes()) {
                    return Err(Error::Request("the server's answer to the websocket handshake is wrong".into()));
                }
                let protocol = text(SEC_WEBSOCKET_PROTOCOL).to_owned();
                if !protocols.is_empty() && !protocols.contains(&protocol.as_str()) {
                    let expected: Vec<String> = protocols.iter().map(|one| quote(one)).collect();
                    let why =
                        format!("invalid protocol, expected one of [{}], got {}", expected.join(" "), quote(&protocol));
                    return Err(Error::Request(why));
                }
                let stream = WebSocketStream::from_raw_socket(connection, Role::Client, None).await;
                Ok(Socket { stream, protocol })
            }
            Upgrade::Refused(answer) => {
                let (head, body) = answer.into_parts();
                let body = collect(body).await.map_err(failed)?;
                let answer = Answer { status: head.status, headers: head.headers, body };
                Err(refusal(&answer, &method, &about))
            }
        }
    }
}

/// The server's own words where it has any, for they say more than that it did not switch.
fn refusal(answer: &Answer, method: &http::Method, about: &error::About) -> Error {
    let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let is_status = serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok();
    if is_status || text.is_empty() || answer.status.is_success() {
        return Error::Status(Box::new(error::status_of(answer, method, about)));
    }
    Error::Request(format!("unable to upgrade connection: {text}"))
}

impl Socket {
    /// The two halves, which may be used at the same time.
    pub fn split(self) -> (Sender, Receiver) {
        let (sender, receiver) = self.stream.split();
        (Sender(sender), Receiver(receiver))
    }
}

impl Sender {
    /// Sends a binary message.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, bytes: impl Into<bytes::Bytes>) -> Result<(), Broken> {
        Ok(self.0.send(Message::Binary(bytes.into())).await?)
    }

    /// Says that this end is done.
    pub async fn close(&mut self) {
        // The other end may have gone first.
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = self.0.send(Message::Close(Some(goodbye))).await;
        let _ = self.0.close().await;
    }
}

impl Receiver {
    /// The next message, text or binary; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, Broken> {
        loop {
            return match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
                Some(Ok(Message::Text(text))) => Ok(Some(bytes::Bytes::from(text))),
                Some(Ok(Message::Close(_))) | None => Ok(None),
                Some(Ok(_)) => continue,
                Some(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => Ok(None),
                Some(Err(error)) => Err(error.into()),
            };
        }
    }
}

impl From<Broken> for TransportError {
    fn from(broken: Broken) -> Self {
        Self::Broken(Box::new(broken))
    }
}
