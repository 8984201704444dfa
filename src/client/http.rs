//! The transport to a remote server: HTTPS through reqwest, with the credentials of a kubeconfig.

use std::error::Error as StdError;
use std::net::ToSocketAddrs;
use std::sync::OnceLock;

use base64::Engine as _;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::Body;
use super::tls;
use super::transport::{BoxFuture, Transport, TransportError, Upgrade};
use crate::kubeconfig::ClusterAccess;

/// A failure of the network in the words of Go's packages.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NetworkError(String);

/// Sends requests to a remote server.
pub struct HttpTransport {
    client: reqwest::Client,
    /// Speaks HTTP/1.1 alone, for only there can a connection switch to another protocol.
    upgrading: OnceLock<reqwest::Client>,
    user_agent: String,
    access: ClusterAccess,
    host: String,
}

impl HttpTransport {
    /// A transport for what a kubeconfig and flags say. `user_agent` goes with every request.
    ///
    /// # Errors
    /// Certificates or keys that cannot be used, a credential program that fails, a malformed proxy.
    pub fn new(access: ClusterAccess, user_agent: &str) -> Result<Self, TransportError> {
        let host = access.server.split_once("://").map_or("", |(_, host)| host);
        let host = host.split('/').next().unwrap_or_default().to_owned();
        let client = build(&access, user_agent, &host, false)?;
        let user_agent = user_agent.to_owned();
        Ok(Self { client, upgrading: OnceLock::new(), user_agent, access, host })
    }

    /// The client for requests that ask for another protocol.
    fn upgrading(&self) -> Result<&reqwest::Client, TransportError> {
        if let Some(client) = self.upgrading.get() {
            return Ok(client);
        }
        let client = build(&self.access, &self.user_agent, &self.host, true)?;
        Ok(self.upgrading.get_or_init(|| client))
    }

    /// The `Authorization` header, if any credential needs one.
    fn authorization(&self) -> Result<Option<String>, TransportError> {
        let credentials = &self.access.credentials;
        let from_file = credentials.token_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let token = from_file.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        if let Some(token) = token.or_else(|| credentials.token.clone()) {
            return Ok(Some(format!("Bearer {token}")));
        }
        if let Some((user, password)) = &credentials.basic {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            return Ok(Some(format!("Basic {encoded}")));
        }
        match &credentials.provider {
            Some(Ok(token)) => return Ok(Some(format!("Bearer {token}"))),
            Some(Err(why)) => return Err(TransportError::Broken(why.clone().into())),
            None => {}
        }
        let Some(exec) = &credentials.exec else { return Ok(None) };
        let credential = exec.credential(chrono::Utc::now()).map_err(|error| TransportError::Credentials(error.0))?;
        Ok(credential.token.map(|token| format!("Bearer {token}")))
    }

    fn headers(&self, headers: &mut http::HeaderMap) -> Result<(), TransportError> {
        let value = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| TransportError::Credentials("a credential holds what a header cannot carry".into()))
        };
        if let Some(authorization) = self.authorization()? {
            let mut authorization = value(&authorization)?;
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        let Some(who) = &self.access.impersonation else { return Ok(()) };
        headers.insert("impersonate-user", value(&who.user)?);
        if !who.uid.is_empty() {
            headers.insert("impersonate-uid", value(&who.uid)?);
        }
        for group in &who.groups {
            headers.append("impersonate-group", value(group)?);
        }
        for (key, values) in &who.extra {
            let name = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            let name = HeaderName::try_from(format!("impersonate-extra-{name}"))
                .map_err(|_| TransportError::Credentials(format!("invalid user-extra key {key}")))?;
            for extra in values {
                headers.append(name.clone(), value(extra)?);
            }
        }
        Ok(())
    }

    fn failure(&self, error: &reqwest::Error) -> TransportError {
        if error.is_timeout() && !error.is_connect() {
            return TransportError::Timeout { server: self.host.clone() };
        }
        let name = Some(&self.access.tls_server_name).filter(|name| !name.is_empty());
        let words = match cause::<rustls::Error>(error).zip(name) {
            Some((refusal, name)) => tls::go_words(refusal, name),
            None => go_words(error, &self.host),
        };
        TransportError::Connect { server: self.host.clone(), source: Box::new(NetworkError(words)) }
    }
}

/// A client with the credentials of TLS, for HTTP/1.1 alone or for the best that both sides speak.
fn build(
    access: &ClusterAccess,
    user_agent: &str,
    host: &str,
    http1_only: bool,
) -> Result<reqwest::Client, TransportError> {
    let refused = |error: String| TransportError::Credentials(error);
    let mut certificate = access.credentials.certificate.clone();
    if let Some(exec) = &access.credentials.exec {
        let credential = exec.credential(chrono::Utc::now()).map_err(|error| refused(error.0))?;
        certificate = credential.certificate.or(certificate);
    }
    // Needed even for plain HTTP, where no TLS configuration of ours is given; one that stands already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::limited(10))
        .http2_adaptive_window(true);
    let secure = access.server.starts_with("https://");
    let config = if secure { tls::config(access, certificate) } else { tls::unused() };
    let mut config = config.map_err(refused)?;
    if http1_only {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        builder = builder.http1_only();
    }
    builder = builder.tls_backend_preconfigured(config);
    if access.disable_compression {
        builder = builder.no_gzip();
    }
    if !access.proxy.is_empty() {
        let proxy = reqwest::Proxy::all(&access.proxy).map_err(|error| refused(error.to_string()))?;
        builder = builder.proxy(proxy);
    } else if is_loopback(host) {
        // As in Go, no proxy stands between a program and its own machine.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| refused(chain(&error)))
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            self.headers(&mut head.headers)?;
            let url = format!("{}{}", self.access.server, head.uri);
            let mut builder = self.client.request(head.method, url).headers(head.headers).body(body);
            if let Some(timeout) = self.access.timeout {
                // Go's client counts the reading of the body too, however long a stream is meant to last.
                builder = builder.timeout(timeout);
            }
            let answer = builder.send().await.map_err(|error| self.failure(&error))?;
            if answer.status() == http::StatusCode::UNAUTHORIZED
                && let Some(exec) = &self.access.credentials.exec
            {
                exec.forget();
            }
            Ok(into_response(answer, &self.host))
        })
    }

    fn upgrade(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<Upgrade, TransportError>> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            self.headers(&mut head.headers)?;
            let url = format!("{}{}", self.access.server, head.uri);
            let request = self.upgrading()?.request(head.method, url).headers(head.headers).body(body);
            let answer = request.send().await.map_err(|error| self.failure(&error))?;
            if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Upgrade::Refused(into_response(answer, &self.host)));
            }
            let mut head = http::Response::new(());
            *head.status_mut() = answer.status();
            *head.headers_mut() = answer.headers().clone();
            let connection = answer.upgrade().await.map_err(|error| TransportError::Broken(Box::new(error)))?;
            Ok(Upgrade::Switched(head, Box::new(connection)))
        })
    }
}

fn into_response(answer: reqwest::Response, server: &str) -> http::Response<Body> {
    let (head, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
    let server = server.to_owned();
    let stream = http_body_util::BodyStream::new(body).filter_map(move |frame| {
        std::future::ready(match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) if error.is_timeout() => Some(Err(TransportError::Timeout { server: server.clone() })),
            Err(error) => Some(Err(TransportError::Broken(Box::new(error)))),
        })
    });
    http::Response::from_parts(head, Box::pin(stream) as Body)
}

/// Fetches any URL without credentials; gives status and body.
///
/// # Errors
/// The network's failure, as Go's client tells it.
pub async fn fetch_url(url: &str) -> Result<(http::StatusCode, Bytes), super::Error> {
    let access = ClusterAccess::default();
    let host = url.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned();
    let failed = |why: String| super::Error::Transport {
        method: "Get".into(),
        url: url.to_owned(),
        source: TransportError::Connect { server: host.clone(), source: Box::new(NetworkError(why)) },
    };
    let told = |error: reqwest::Error| failed(go_words(&error, &host));
    let config = if url.starts_with("https://") { tls::config(&access, None) } else { tls::unused() };
    let client = reqwest::Client::builder().tls_backend_preconfigured(config.map_err(failed)?).build().map_err(told)?;
    let answer = client.get(url).send().await.map_err(told)?;
    let status = answer.status();
    Ok((status, answer.bytes().await.map_err(told)?))
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "[::1]"
}

/// All texts of an error and its sources.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The nearest cause of a type.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An I/O error may wrap another error that its `source` skips.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(found) = cause::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What Go's network packages say of the same failure.
fn go_words(error: &reqwest::Error, host: &str) -> String {
    if let Some(error) = cause::<rustls::Error>(error) {
        return tls::go_words(error, host);
    }
    if error.is_timeout() {
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".into();
    }
    let text = chain(error);
    if text.contains("dns error") {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        return format!("dial tcp: lookup {name}: no such host");
    }
    let Some(io) = cause::<std::io::Error>(error) else {
        return if text.contains("connection closed before") { "EOF".into() } else { text };
    };
    let os = match io.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused",
        std::io::ErrorKind::TimedOut => "connect: connection timed out",
        std::io::ErrorKind::NetworkUnreachable => "connect: network is unreachable",
        std::io::ErrorKind::HostUnreachable => "connect: no route to host",
        std::io::ErrorKind::ConnectionReset => "read: connection reset by peer",
        std::io::ErrorKind::UnexpectedEof => return "EOF".into(),
        _ => return text,
    };
    format!("dial tcp {}: {os}", address(host))
}

/// The address that a host and port stand for.
fn address(host: &str) -> String {
    let with_port = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:443")
    };
    let resolved = with_port.to_socket_addrs().ok().and_then(|addresses| {
        let addresses: Vec<_> = addresses.collect();
        addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied()
    });
    resolved.map_or(with_port, |address| address.to_string())
}
