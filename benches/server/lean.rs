//! A client that costs little: requests are bytes made beforehand, answers are looked at only as far as needed. What is
//! measured is then the server, also when both share their processors.

use std::sync::Arc;

use memchr::memmem;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Outcome;
use knarr::kubeconfig::ClusterAccess;

/// How the administrator reaches a server: its address and what TLS needs.
pub struct Endpoint {
    authority: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Endpoint {
    /// The endpoint that `access` describes.
    pub fn new(access: &ClusterAccess) -> Outcome<Self> {
        let authority = access.server.trim_start_matches("https://").to_owned();
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.to_owned())?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(
            CertificateDer::pem_slice_iter(access.authorities.as_deref().unwrap_or_default()).filter_map(Result::ok),
        );
        let (chain, key) = access.credentials.certificate.as_ref().ok_or("the kubeconfig has no certificate")?;
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
        Ok(Self { authority, name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// A connection of its own, HTTP/1.1.
    pub async fn connect(&self) -> Outcome<Connection> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        Ok(Connection { stream, host: self.authority.clone(), received: Vec::with_capacity(8192) })
    }
}

/// One connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    host: String,
    received: Vec<u8>,
}

impl Connection {
    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Outcome<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }

    /// Reads the head of an answer; gives back the length of its body, if it has one that is told.
    async fn head(&mut self, expected: &str) -> Outcome<Option<usize>> {
        let end = loop {
            if let Some(at) = memmem::find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.receive().await?;
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = std::str::from_utf8(&head)?;
        if head.split(' ').nth(1) != Some(expected) {
            return Err(format!("the server answered {head}").into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        Ok(length.map(str::parse).transpose()?)
    }

    /// Creates an object; the answer is read and let go.
    pub async fn create(&mut self, path: &str, body: &str) -> Outcome<()> {
        self.send("POST", path, "content-type: application/json\r\naccept: application/json\r\n", body).await?;
        let length = self.head("201").await?.ok_or("an answer without a length")?;
        while self.received.len() < length {
            self.receive().await?;
        }
        self.received.clear();
        Ok(())
    }

    /// Begins a watch from `version` on.
    pub async fn watch(&mut self, path: &str, version: &str) -> Outcome<()> {
        let path = format!("{path}?watch=true&resourceVersion={version}");
        self.send("GET", &path, "accept: application/json\r\n", "").await?;
        self.head("200").await.map(drop)
    }

    /// Reads events of a watch until `count` objects have been added.
    pub async fn added(&mut self, count: usize) -> Outcome<()> {
        const ADDED: &[u8] = b"{\"type\":\"ADDED\"";
        let mut seen = 0;
        loop {
            let mut end = 0;
            for at in memmem::find_iter(&self.received, ADDED) {
                seen += 1;
                end = at + ADDED.len();
            }
            // What may be the beginning of an event stays.
            let kept = self.received.len().saturating_sub(ADDED.len() - 1).max(end);
            self.received.drain(..kept);
            if seen >= count {
                return Ok(());
            }
            self.receive().await?;
        }
    }
}
