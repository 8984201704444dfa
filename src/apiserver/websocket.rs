//! Websockets on the server's side: the handshake, and sockets once the connection has switched.

use futures_util::future::BoxFuture;
use http::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, Response, StatusCode};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::object::Status;
use crate::object::go::quote;

use super::context::Request;
use super::service::{Body, Connection};

/// A websocket of a client.
pub type Socket = WebSocketStream<Connection>;

/// A subprotocol that is no protocol but carries a bearer token, for browsers cannot set headers.
pub const BEARER_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// An accepted handshake.
pub struct Accepted {
    /// The answer 101, to be sent before [`Accepted::socket`] can resolve.
    pub response: Response<Body>,
    /// The chosen subprotocol, or the empty text.
    pub protocol: String,
    switched: BoxFuture<'static, std::io::Result<Connection>>,
}

impl Accepted {
    /// Parts the answer from the socket to come; `None` when the connection broke before it switched.
    pub fn socket(self) -> (Response<Body>, impl Future<Output = Option<Socket>> + Send + 'static) {
        let switched = self.switched;
        let socket = async move {
            let connection = switched.await.ok()?;
            Some(WebSocketStream::from_raw_socket(connection, Role::Server, None).await)
        };
        (self.response, socket)
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The message that ends a websocket well; clients take one without a code for a failure.
pub fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))
}

/// Whether a request asks for that protocol instead of HTTP.
pub fn asks_for(headers: &HeaderMap, protocol: &str) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, protocol)
}

/// Whether a request asks for a websocket.
pub fn is_requested(headers: &HeaderMap) -> bool {
    asks_for(headers, "websocket")
}

/// The subprotocols that the client offers, best first, without those that carry a token.
pub fn offered(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let parts = values.flat_map(|value| value.split(',')).map(str::trim);
    parts.filter(|part| !part.is_empty() && !part.starts_with(BEARER_PREFIX)).collect()
}

/// The first of the offered subprotocols that is supported. A client that offers none gets the protocol named by the
/// empty text, if there is one.
///
/// # Errors
///
/// 403, as the reference server answers a handshake that finds no common protocol.
pub fn choose<'a>(offered: &[&'a str], supported: &[&str]) -> Result<&'a str, Status> {
    if offered.is_empty() && supported.contains(&"") {
        return Ok("");
    }
    offered.iter().find(|one| supported.contains(one)).copied().ok_or_else(|| {
        let list = |names: &[&str]| names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(" ");
        let (wanted, known) = (list(offered), list(supported));
        Status::failure(
            403,
            "Forbidden",
            format!("requested protocol(s) are not supported: [{wanted}]; supports [{known}]"),
        )
    })
}

/// Accepts a websocket with a protocol that was chosen before; the empty text for none.
///
/// # Errors
///
/// 400 when the handshake is incomplete, or the connection cannot switch (HTTP/2).
pub fn accept(request: &Request, protocol: &str) -> Result<Accepted, Status> {
    let Some(key) = request.headers.get(SEC_WEBSOCKET_KEY) else {
        return Err(Status::bad_request("missing or bad WebSocket-Key"));
    };
    let accept = derive_accept_key(key.as_bytes());
    let (mut response, switched) = switch(request, "websocket")?;
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Status::bad_request("bad Sec-WebSocket-Protocol"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, value(&accept)?);
    if !protocol.is_empty() {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value(protocol)?);
    }
    Ok(Accepted { response, protocol: protocol.to_owned(), switched })
}

/// The answer 101 and the connection to come.
///
/// # Errors
///
/// 400 when the connection cannot switch.
pub fn switch(
    request: &Request,
    protocol: &'static str,
) -> Result<(Response<Body>, BoxFuture<'static, std::io::Result<Connection>>), Status> {
    let switched = request.switchable.as_ref().and_then(super::service::Switchable::take);
    let switched = switched.ok_or_else(|| Status::bad_request("Upgrade request required"))?;
    let mut response = Response::new(Body::Full(Default::default()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    Ok((response, switched))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn handshakes_are_recognized() {
        assert!(is_requested(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!is_requested(&headers(&[("upgrade", "websocket")])));
        assert!(asks_for(&headers(&[("connection", "upgrade"), ("upgrade", "SPDY/3.1")]), "spdy/3.1"));
    }

    #[test]
    fn the_first_common_protocol_is_chosen() {
        let sent = headers(&[("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.eA, b , a")]);
        assert_eq!(offered(&sent), ["b", "a"]);
        assert_eq!(choose(&["b", "a"], &["a", "b"]).ok(), Some("b"));
        assert_eq!(choose(&[], &["a", ""]).ok(), Some(""));
        let refused = choose(&["x"], &["a", ""]).err().map(|status| status.message);
        assert_eq!(refused.as_deref(), Some("requested protocol(s) are not supported: [\"x\"]; supports [\"a\" \"\"]"));
    }
}
