//! The seam between everything that speaks to an API server and the way the bytes get there.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A response body: chunks as they arrive. Watches and logs never end by themselves.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What is left of an HTTP connection after `101 Switching Protocols`.
pub type Connection = Box<dyn Duplex>;

/// The answer to a request for another protocol.
pub enum Upgrade {
    /// The server has switched: the head of its answer, and the connection.
    Switched(http::Response<()>, Connection),
    /// The server has answered as to any other request.
    Refused(http::Response<Body>),
}

/// Sends one request to an API server and gives back its answer.
///
/// A request's URI is a path with a query, relative to the server (`/api/v1/pods?limit=500`); the transport adds
/// scheme, host, credentials and compression. Any HTTP status is an `Ok` answer.
pub trait Transport: Send + Sync {
    /// Sends `request`; resolves when the head of the answer is there.
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>>;

    /// Sends a request that asks for another protocol (`Connection: Upgrade`). A transport that cannot switch sends it
    /// like any other.
    fn upgrade(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<Upgrade, TransportError>> {
        Box::pin(async move { Ok(Upgrade::Refused(self.send(request).await?)) })
    }
}

/// A transport shared by the parts of a program.
pub type SharedTransport = Arc<dyn Transport>;

/// Why a request got no answer, or an answer broke off.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The server could not be reached.
    #[error("could not connect to {server}")]
    Connect {
        /// Host and port.
        server: String,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer within the time allowed.
    #[error("no answer from {server} within the time allowed")]
    Timeout {
        /// Host and port.
        server: String,
    },
    /// The connection broke while a body was read or written.
    #[error("the connection broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Credentials could not be had.
    #[error("getting credentials: {0}")]
    Credentials(String),
}
