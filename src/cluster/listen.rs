//! The HTTPS listener: TLS with client certificates, HTTP/1.1 and HTTP/2, in front of the API server's service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::ClusterError;
use super::certs::Pair;
use crate::apiserver::service::{Connection, MAX_REQUEST_BYTES, Switchable, TooLarge};
use crate::apiserver::{Body, Peer, Service};

/// How long a client may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A bound listener that is not serving yet.
pub struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address` (port 0 picks a free one) and prepares TLS: the server shows `server`, clients may show a
    /// certificate of one of `client_authorities` (PEM).
    ///
    /// # Errors
    /// [`ClusterError::Listen`] when the address cannot be had, [`ClusterError::Certificates`].
    pub async fn bind(address: SocketAddr, server: &Pair, client_authorities: &[&str]) -> Result<Self, ClusterError> {
        let listen = |source| ClusterError::Listen { address: address.to_string(), source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let tls = TlsAcceptor::from(Arc::new(tls_config(server, client_authorities)?));
        Ok(Self { tcp, tls, address })
    }

    /// The address with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true. Connections still open then are closed: watches would hold them for ever, and
    /// nothing that was acknowledged is lost by it.
    pub async fn serve(self, service: Service, mut stop: watch::Receiver<bool>) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.tcp.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, address)) => {
                    let (tls, service) = (self.tls.clone(), service.clone());
                    connections.spawn(connection(stream, address, tls, service));
                }
                // Out of file descriptors, or a client that went away: wait a little and go on.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        connections.shutdown().await;
    }
}

fn tls_config(server: &Pair, client_authorities: &[&str]) -> Result<rustls::ServerConfig, ClusterError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    for pem in client_authorities {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(ClusterError::certificates)?).map_err(ClusterError::certificates)?;
        }
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(ClusterError::certificates)?;
    let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(ClusterError::certificates)?;
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(ClusterError::certificates)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClusterError::certificates)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(ClusterError::certificates)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn connection(stream: TcpStream, address: SocketAddr, tls: TlsAcceptor, service: Service) {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = Peer::remote(certificates, address);
    let handler = hyper::service::service_fn(move |request| {
        let (service, peer) = (service.clone(), peer.clone());
        async move { Ok::<_, std::convert::Infallible>(answer(service, peer, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(32));
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(1000);
    // The client closed the connection, or spoke no HTTP: nobody is left to tell.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), handler).await;
}

/// Collects the request's body up to the server's limit and calls the service.
async fn answer(service: Service, peer: Peer, mut request: http::Request<Incoming>) -> http::Response<Body> {
    let switched = request.headers().contains_key(http::header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    if let Some(switched) = switched {
        head.extensions.insert(Switchable::new(async move {
            let upgraded = switched.await.map_err(std::io::Error::other)?;
            Ok(Box::new(TokioIo::new(upgraded)) as Connection)
        }));
    }
    let body = match collect(body).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            head.extensions.insert(TooLarge);
            Bytes::new()
        }
        // Half a request must not be taken for a whole one.
        Err(_) => return bad_request(),
    };
    service.call(http::Request::from_parts(head, body), peer).await
}

/// The whole body, or `None` when it is larger than the server takes.
async fn collect(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > MAX_REQUEST_BYTES {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}

fn bad_request() -> http::Response<Body> {
    let mut response = http::Response::new(Body::Full(Bytes::from_static(b"400 Bad Request: the body broke off")));
    *response.status_mut() = http::StatusCode::BAD_REQUEST;
    response
}
