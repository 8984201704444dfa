//! The proxy's listener, and what it does with each request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{HOST, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::filter::Filter;
use super::{Body, files, plain, whole};
use crate::cli::error::{Error, Result, go_io_error};
use crate::client::transport::Duplex;
use crate::client::{SharedTransport, TransportError, Upgrade};

/// The largest request that is passed on, in bytes.
const MOST: usize = 64 << 20;
/// Headers that concern one connection only.
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where requests go.
pub struct Proxy {
    /// The way to the API server.
    pub transport: SharedTransport,
    /// What is passed on; everything without one.
    pub filter: Option<Filter>,
    /// The path of static files with a slash at its end, and their folder.
    pub www: Option<(String, PathBuf)>,
    /// The path of the API with a slash at its end.
    pub api: String,
}

/// A port or socket that is listened on.
pub enum Listener {
    /// A port.
    Tcp(TcpListener, SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener, String),
}

impl Listener {
    /// Listens on a port.
    ///
    /// # Errors
    /// There is no such port, or it cannot be had.
    pub async fn tcp(address: &str, port: i64) -> Result<Self> {
        let Ok(number) = u16::try_from(port) else {
            return Err(Error::new(format!("listen tcp: address {port}: invalid port")));
        };
        let ip: Option<IpAddr> = match address {
            "localhost" => "127.0.0.1".parse().ok(),
            "" => "0.0.0.0".parse().ok(),
            address => address.parse().ok(),
        };
        let ip = ip.ok_or_else(|| Error::new(format!("listen tcp: lookup {address}: no such host")))?;
        let wanted = SocketAddr::new(ip, number);
        let bound = TcpListener::bind(wanted).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let failed = |error| Error::new(format!("listen tcp {wanted}: bind: {}", go_io_error(&error)));
        bound.map(|(at, listener)| Self::Tcp(listener, at)).map_err(failed)
    }

    /// Listens on a Unix socket, which only its owner may use. One that is there already is replaced.
    ///
    /// # Errors
    /// It cannot be made.
    #[cfg(unix)]
    pub fn unix(path: &str) -> Result<Self> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        let failed = |error: std::io::Error| Error::new(format!("listen unix {path}: bind: {}", go_io_error(&error)));
        if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    /// Fails where there are no Unix sockets.
    #[cfg(not(unix))]
    pub fn unix(path: &str) -> Result<Self> {
        Err(Error::new(format!("listen unix {path}: this system has no Unix sockets")))
    }

    /// What is listened on, for the user.
    pub fn name(&self) -> String {
        match self {
            Self::Tcp(_, address) => address.to_string(),
            #[cfg(unix)]
            Self::Unix(_, path) => path.clone(),
        }
    }

    async fn accept(&self) -> std::io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                // Small answers must not wait for more to send.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        })
    }

    /// Serves for ever.
    pub async fn serve(self, proxy: Arc<Proxy>) {
        loop {
            let Ok(stream) = self.accept().await else {
                // Out of file descriptors, or a client that went away: wait a little and go on.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let proxy = Arc::clone(&proxy);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let proxy = Arc::clone(&proxy);
                    async move { Ok::<_, Infallible>(proxy.answer(request).await.map(into_frames)) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                // The client closed the connection, or spoke no HTTP: nobody is left to tell.
                let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            });
        }
    }
}

type Frames = StreamBody<
    std::pin::Pin<Box<dyn futures_util::Stream<Item = std::result::Result<Frame<Bytes>, TransportError>> + Send>>,
>;

fn into_frames(body: Body) -> Frames {
    StreamBody::new(Box::pin(body.map(|chunk| chunk.map(Frame::data))))
}

fn error(error: &dyn std::error::Error) -> Response<Body> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    plain(StatusCode::INTERNAL_SERVER_ERROR, &text)
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
        // The longer path is the more special one.
        let of_www = self.www.as_ref().filter(|(prefix, _)| path.starts_with(prefix.as_str()));
        let of_api = path.starts_with(&self.api);
        if let Some((prefix, folder)) = of_www.filter(|(prefix, _)| !of_api || prefix.len() >= self.api.len()) {
            let rest = path.get(prefix.len()..).unwrap_or_default();
            return files::serve(folder, rest);
        }
        let prefixes = self.www.iter().map(|(prefix, _)| prefix).chain([&self.api]);
        if !of_api && let Some(prefix) = prefixes.into_iter().find(|prefix| **prefix == format!("{path}/")) {
            let mut moved = whole(StatusCode::MOVED_PERMANENTLY, Bytes::new());
            if let Ok(value) = HeaderValue::from_str(prefix) {
                moved.headers_mut().insert(LOCATION, value);
            }
            return moved;
        }
        if !of_api {
            return plain(StatusCode::NOT_FOUND, "404 page not found");
        }
        self.to_api(request).await
    }

    /// The path at the API server: without the prefix, unless that is a part of the API's own paths.
    fn inner_path<'a>(&self, path: &'a str) -> std::borrow::Cow<'a, str> {
        if self.api.starts_with("/api") {
            return path.into();
        }
        match path.strip_prefix(self.api.as_str()) {
            Some(rest) if !rest.starts_with('/') => format!("/{rest}").into(),
            Some(rest) => rest.into(),
            None => path.into(),
        }
    }

    async fn to_api(&self, request: Request<Incoming>) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let path = self.inner_path(head.uri.path()).into_owned();
        let decoded = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let accepted = self.filter.as_ref().is_none_or(|filter| filter.accepts(head.method.as_str(), &decoded, host));
        if !accepted {
            return plain(StatusCode::FORBIDDEN, "Forbidden");
        }
        let target = match head.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        match target.parse::<Uri>() {
            Ok(uri) => head.uri = uri,
            Err(why) => return error(&why),
        }
        head.headers.remove(HOST);
        if head.headers.contains_key(http::header::UPGRADE) {
            return self.upgrade(Request::from_parts(head, body)).await;
        }
        remove_hop(&mut head.headers);
        let body = match collect(body).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"),
            Err(why) => return error(&why),
        };
        head.version = http::Version::default();
        head.extensions.clear();
        match self.transport.send(Request::from_parts(head, body)).await {
            Ok(mut answer) => {
                remove_hop(answer.headers_mut());
                answer
            }
            Err(why) => error(&why),
        }
    }

    /// Passes a request for another protocol on, and then the bytes of both sides.
    async fn upgrade(&self, mut request: Request<Incoming>) -> Response<Body> {
        let ours = hyper::upgrade::on(&mut request);
        let (mut head, _) = request.into_parts();
        head.extensions.clear();
        match self.transport.upgrade(Request::from_parts(head, Bytes::new())).await {
            Ok(Upgrade::Refused(mut answer)) => {
                remove_hop(answer.headers_mut());
                answer
            }
            Ok(Upgrade::Switched(head, mut theirs)) => {
                tokio::spawn(async move {
                    if let Ok(ours) = ours.await {
                        // Either side may go at any time.
                        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(ours), &mut theirs).await;
                    }
                });
                head.map(|()| Box::pin(futures_util::stream::empty()) as Body)
            }
            Err(why) => error(&why),
        }
    }
}

fn remove_hop(headers: &mut HeaderMap) {
    for name in HOP {
        headers.remove(HeaderName::from_static(name));
    }
}

/// The whole body, or `None` when it is larger than what is passed on.
async fn collect(mut body: Incoming) -> std::result::Result<Option<Bytes>, hyper::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > MOST {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}
