//! The seam of the API server: what calls it and what it gives back.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::auth::UserInfo;
use super::auth::audit::AuditLog;
use super::config::Config;
use super::core::Core;
use super::store::{Store, StoreError, WriteError};
use super::tokens::{KeyError, TokenSigner};

/// Who stands at the other end of a connection, as far as the transport knows.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's certificate chain (DER), leaf first, verified by the TLS layer against the client CA; empty when
    /// the client sent none.
    pub certificates: Arc<[rustls_pki_types::CertificateDer<'static>]>,
    /// Whom the certificate names; found out with the first request of the connection.
    pub(super) certified: Arc<OnceLock<Option<UserInfo>>>,
    /// Address of the client.
    pub address: Option<std::net::SocketAddr>,
    /// A call from inside this process, which needs no credentials: it acts as `kubernetes-admin` in `system:masters`.
    pub in_process: bool,
}

impl Peer {
    /// A client at `address` with a certificate chain that the TLS layer has verified, or none.
    pub fn remote(certificates: &[rustls_pki_types::CertificateDer<'_>], address: std::net::SocketAddr) -> Self {
        let certificates = certificates.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Self { certificates, address: Some(address), ..Self::default() }
    }

    /// The caller of the in-process transport.
    pub fn in_process() -> Self {
        Self { in_process: true, ..Self::default() }
    }
}

/// An answer's body: whole, or a stream that a watch or a log goes on writing.
pub enum Body {
    /// All there is.
    Full(Bytes),
    /// Chunks as they come; the end of the stream is the end of the body.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(http_body::Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => {
                stream.as_mut().poll_next(cx).map(|next| next.map(|b| Ok(http_body::Frame::data(b))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Full(bytes) => http_body::SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What is left of an HTTP connection after `101 Switching Protocols`.
pub type Connection = Box<dyn Duplex>;

type Switched = BoxFuture<'static, std::io::Result<Connection>>;

/// A request extension: the connection can be had once the answer 101 has been sent.
#[derive(Clone)]
pub struct Switchable(Arc<Mutex<Option<Switched>>>);

impl Switchable {
    /// `switched` resolves when the connection has been handed over.
    pub fn new(switched: impl Future<Output = std::io::Result<Connection>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(switched)))))
    }

    /// The connection to come; whoever asks first gets it.
    pub fn take(&self) -> Option<BoxFuture<'static, std::io::Result<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The largest request body that is read, in bytes (the limit of kube-apiserver).
pub const MAX_REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// A request extension: the body was larger than [`MAX_REQUEST_BYTES`] and is not there.
#[derive(Clone, Copy, Debug)]
pub struct TooLarge;

/// Why a server does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not open.
    #[error("the store of the API server does not open")]
    Store(#[from] StoreError),
    /// The first objects could not be written.
    #[error("the API server's own objects could not be written")]
    Bootstrap(#[source] WriteError),
    /// The key of the service accounts is not usable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The audit log cannot be written.
    #[error("the audit log {path} cannot be opened")]
    AuditLog {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// An API server. Clones are handles of the same one.
#[derive(Clone)]
pub struct Service {
    core: Arc<Core>,
}

impl Service {
    /// Opens the store and makes what a fresh server has; may block for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let store = Store::open(&config.storage)?;
        let tokens = TokenSigner::new(config.service_account_key.as_deref(), config.service_account_key_file.clone())?;
        let audit = config.audit_log.as_ref().map(|path| {
            let failed = |source| OpenError::AuditLog { path: path.display().to_string(), source };
            AuditLog::open(path).map_err(failed)
        });
        let core = Core::new(config, store, tokens, audit.transpose()?);
        super::bootstrap::restore_allocations(&core);
        super::crd::restore(&core);
        let writes = super::bootstrap::writes(&core, &core.registry.snapshot());
        if !writes.is_empty() {
            let failure = core.store.write_all_blocking(writes).into_iter().find_map(Result::err);
            if let Some(error) = failure {
                return Err(OpenError::Bootstrap(error));
            }
        }
        Ok(Self { core })
    }

    /// The server that a request came to.
    pub fn of(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// What requests share, for the parts of a cluster that live in the same process.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Serves one request.
    pub async fn call(&self, request: http::Request<Bytes>, peer: Peer) -> http::Response<Body> {
        super::route::serve(&self.core, request, &peer).await
    }

    /// Waits for writes under way and closes the store; later writes fail. Blocks.
    pub fn close(&self) {
        self.core.store.close();
    }
}
