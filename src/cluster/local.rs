//! The in-process transport: the very same request bytes to the very same service as the HTTPS listener, without a
//! socket between them.

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::apiserver::service::{Connection, Switchable};
use crate::apiserver::{self, Peer, Service};
use crate::client::transport::{BoxFuture, Upgrade};
use crate::client::{Body, Transport, TransportError};

/// Bytes that may be under way in each direction of a connection that has switched protocols.
const PIPE: usize = 64 << 10;

/// Calls an API server of this process as `kubernetes-admin`.
#[derive(Clone)]
pub struct LocalTransport {
    service: Service,
}

impl LocalTransport {
    /// A transport to `service`.
    pub fn new(service: Service) -> Self {
        Self { service }
    }
}

impl Transport for LocalTransport {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        Box::pin(async move { Ok(self.service.call(request, Peer::in_process()).await.map(into_client_body)) })
    }

    fn upgrade(&self, mut request: http::Request<Bytes>) -> BoxFuture<'_, Result<Upgrade, TransportError>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            request.extensions_mut().insert(Switchable::new(async move { Ok(Box::new(theirs) as Connection) }));
            let answer = self.service.call(request, Peer::in_process()).await.map(into_client_body);
            if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Upgrade::Refused(answer));
            }
            Ok(Upgrade::Switched(answer.map(drop), Box::new(ours)))
        })
    }
}

fn into_client_body(body: apiserver::Body) -> Body {
    match body {
        apiserver::Body::Full(bytes) => Box::pin(stream::once(async move { Ok(bytes) })),
        apiserver::Body::Stream(chunks) => Box::pin(chunks.map(Ok)),
    }
}
