//! The client: a transport to a server, request building without I/O, discovery, watch streams.

mod discovery;
mod error;
pub mod forward;
mod http;
mod mapper;
pub mod remote;
mod request;
pub mod spdy;
mod tls;
pub mod transport;
mod verbose;
mod watch;
pub mod websocket;

use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde_json::Value;

pub use crate::kubeconfig::path_error;
pub use discovery::{Cache, Discovered, discover, discover_groups};
pub use error::Error;
pub use http::{HttpTransport, fetch_url};
pub use mapper::{category, for_group_kind, for_kind, resource, split_argument};
pub use request::{ListOptions, Request, collection_path, object_path};
pub use transport::{Body, Connection, SharedTransport, Transport, TransportError, Upgrade};
pub use verbose::Verbose;
pub use watch::{Event, EventKind, Watch};

use crate::object::Status;

/// How often a request is sent again that the server was too busy for.
const RETRIES: u32 = 10;

/// Speaks to one API server through any transport.
pub struct Client {
    transport: SharedTransport,
    server: String,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    seen: Vec<String>,
    pending: Vec<String>,
}

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: ::http::StatusCode,
    /// Headers.
    pub headers: ::http::HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is something else.
    pub fn json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Decode(error.to_string()))
    }
}

impl Client {
    /// A client; `server` is the URL that error messages name.
    pub fn new(transport: SharedTransport, server: impl Into<String>) -> Self {
        Self { transport, server: server.into(), warnings: Mutex::default() }
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The transport itself, for what is not a plain request.
    pub fn transport(&self) -> &SharedTransport {
        &self.transport
    }

    /// The server's warnings that nobody has taken yet; each text comes once.
    pub fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut warnings.pending)
    }

    fn keep_warnings(&self, headers: &::http::HeaderMap) {
        for value in headers.get_all(::http::header::WARNING) {
            let Some(text) = value.to_str().ok().and_then(warning_text) else { continue };
            let mut warnings = self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !warnings.seen.contains(&text) {
                warnings.seen.push(text.clone());
                warnings.pending.push(text);
            }
        }
    }

    /// Sends a request; any HTTP status is an answer. A busy server (429, or 5xx with `Retry-After`) is asked again.
    ///
    /// # Errors
    /// The server could not be reached.
    pub async fn send(&self, request: Request) -> Result<::http::Response<Body>, Error> {
        let (method, path) = (request.method().clone(), request.uri());
        let mut attempts = 0;
        loop {
            let sent = self.transport.send(request.to_http()?).await;
            let answer = sent.map_err(|source| Error::transport(&method, &self.server, &path, source))?;
            self.keep_warnings(answer.headers());
            let Some(pause) = retry_after(&answer).filter(|_| attempts < RETRIES) else { return Ok(answer) };
            attempts += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// The server could not be reached, or answered with a failure.
    pub async fn call(&self, request: Request) -> Result<Answer, Error> {
        let (method, path) = (request.method().clone(), request.uri());
        let about = request.about().clone();
        let answer = self.send(request).await?;
        let (head, body) = answer.into_parts();
        let body = collect(body).await.map_err(|source| Error::transport(&method, &self.server, &path, source))?;
        let answer = Answer { status: head.status, headers: head.headers, body };
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(Error::Status(Box::new(error::status_of(&answer, &method, &about))))
    }

    /// Sends a request and reads a JSON answer.
    ///
    /// # Errors
    /// As [`Client::call`], or the answer is no JSON.
    pub async fn json(&self, request: Request) -> Result<Value, Error> {
        self.call(request).await?.json()
    }

    /// Lists all pages as one list object.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub async fn list(&self, path: &str, options: &ListOptions, accept: &str) -> Result<Value, Error> {
        let mut whole: Option<Value> = None;
        let mut next = String::new();
        loop {
            let request = Request::get(path).list_options(options).query_some("continue", &next).accept(accept);
            let request = request.on(&options.about, "");
            let mut page = self.json(request).await?;
            next = crate::object::meta::str_at(&page, &["metadata", "continue"]).to_owned();
            whole = Some(match whole {
                None => page,
                Some(mut list) => {
                    for field in ["items", "rows"] {
                        let more = page.get_mut(field).and_then(Value::as_array_mut).map(std::mem::take);
                        if let (Some(items), Some(more)) = (list.get_mut(field).and_then(Value::as_array_mut), more) {
                            items.extend(more);
                        }
                    }
                    list
                }
            });
            if next.is_empty() {
                let mut list = whole.unwrap_or_default();
                crate::object::meta::remove(&mut list, &["metadata", "continue"]);
                crate::object::meta::remove(&mut list, &["metadata", "remainingItemCount"]);
                return Ok(list);
            }
        }
    }

    /// Opens a watch.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn watch(&self, request: Request) -> Result<Watch, Error> {
        let (method, path) = (request.method().clone(), request.uri());
        let about = request.about().clone();
        let answer = self.send(request).await?;
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(Watch::new(body));
        }
        let body = collect(body).await.map_err(|source| Error::transport(&method, &self.server, &path, source))?;
        let answer = Answer { status: head.status, headers: head.headers, body };
        Err(Error::Status(Box::new(error::status_of(&answer, &method, &about))))
    }
}

/// Reads a body to its end.
///
/// # Errors
/// The connection broke.
pub async fn collect(mut body: Body) -> Result<Bytes, TransportError> {
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        // One chunk is the common case, and needs no copy.
        match first.take() {
            None if whole.is_empty() => first = Some(chunk),
            None => whole.extend_from_slice(&chunk),
            Some(before) => {
                whole.extend_from_slice(&before);
                whole.extend_from_slice(&chunk);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

fn retry_after(answer: &::http::Response<Body>) -> Option<Duration> {
    let busy = answer.status() == ::http::StatusCode::TOO_MANY_REQUESTS || answer.status().is_server_error();
    let seconds = answer.headers().get(::http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    busy.then(|| Duration::from_secs(seconds))
}

/// The text of a `Warning` header with code 299: `299 - "text"`.
fn warning_text(header: &str) -> Option<String> {
    let rest = header.strip_prefix("299 ")?;
    let (_, quoted) = rest.split_once(' ')?;
    let mut text = String::new();
    let mut letters = quoted.strip_prefix('"')?.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
}

/// The failure that a refused request amounts to, for those who hold a status themselves.
impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(warning_text(r#"299 - "a \"b\" c""#).as_deref(), Some(r#"a "b" c"#));
        assert_eq!(warning_text(r#"110 - "stale""#), None);
    }
}
