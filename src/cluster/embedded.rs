//! A cluster inside this process: no port, no daemon.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;

use super::certs::Authority;
use super::connections::simulated_nodes;
use super::data_folder::Lock;
use super::local::LocalTransport;
use super::parts::{self, ControllerSet};
use super::run::{open, storage};
use super::{ClusterError, DataFolder};
use crate::apiserver::{Config, Service, SigningAuthority};
use crate::client::transport::{BoxFuture, SharedTransport, Upgrade};
use crate::client::{Body, Transport, TransportError};
use crate::controllers::Settings;
use crate::controllers::runtime::Manager;

/// How far into the future the work of controllers still belongs to the command that caused it: a pod of a job takes a
/// second.
const HORIZON: Duration = Duration::from_secs(2);
/// How long a command waits for the controllers at most.
const SETTLE: Duration = Duration::from_secs(10);

/// Holds the first request back until the controllers have been through a new cluster.
struct Prepared {
    local: LocalTransport,
    manager: Arc<Manager>,
    prepared: OnceCell<()>,
}

impl Transport for Prepared {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        Box::pin(async move {
            self.prepared.get_or_init(|| parts::settle(&self.manager, || true, Duration::ZERO, SETTLE)).await;
            self.local.send(request).await
        })
    }

    fn upgrade(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<Upgrade, TransportError>> {
        Box::pin(async move {
            self.prepared.get_or_init(|| parts::settle(&self.manager, || true, Duration::ZERO, SETTLE)).await;
            self.local.upgrade(request).await
        })
    }
}

/// An open cluster of this process. Close it, so that controllers settle and the store is written.
pub struct Embedded {
    service: Service,
    manager: Arc<Manager>,
    running: JoinHandle<()>,
    ready: Option<oneshot::Receiver<()>>,
    /// Whether the cluster held nothing before.
    fresh: bool,
    /// The revision of the store after it was opened.
    opened: u64,
    _lock: Option<Lock>,
}

impl Embedded {
    /// Opens a cluster, from its data folder or (with `None`) empty in memory. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ClusterError::InUse`] when another process serves the folder, others when it cannot be read.
    pub fn open(folder: Option<&DataFolder>, nodes: u8) -> Result<Self, ClusterError> {
        let fresh = folder.is_none_or(|folder| !folder.store().exists());
        let lock = folder.map(DataFolder::lock).transpose()?;
        let authority = match folder {
            Some(folder) => Authority::load_or_generate(&folder.pki())?,
            None => Authority::generate()?,
        };
        let pair = authority.pair;
        let service = open(Config {
            storage: storage(folder),
            client_ca: Some(pair.certificate.clone()),
            cluster_ca: Some(SigningAuthority { certificate: pair.certificate.clone(), key: pair.key.clone() }),
            service_account_key_file: folder.map(|folder| folder.pki().join("sa.key")),
            ..Config::default()
        })?;
        let opened = service.core().store.revision();
        service.core().set_node_connections(simulated_nodes());
        let transport: SharedTransport = Arc::new(LocalTransport::new(service.clone()));
        let settings = Settings { root_certificate: pair.certificate, root_key: pair.key };
        let manager = parts::manager(transport.clone(), ControllerSet::All, nodes, &settings);
        let (tell, ready) = oneshot::channel();
        let running = tokio::spawn(parts::run(manager.clone(), transport, nodes, tell));
        Ok(Self { service, manager, running, ready: Some(ready), fresh, opened, _lock: lock })
    }

    /// The way to the API server. In a new cluster the first request waits for what every namespace is given, such as
    /// the service account that pods need.
    pub fn transport(&self) -> SharedTransport {
        let local = LocalTransport::new(self.service.clone());
        if !self.fresh {
            return Arc::new(local);
        }
        Arc::new(Prepared { local, manager: self.manager.clone(), prepared: OnceCell::new() })
    }

    /// Waits until the controllers have seen everything and have nothing to do.
    pub async fn settle(&mut self) {
        if let Some(ready) = self.ready.take() {
            // They end only with the process.
            let _ = tokio::time::timeout(SETTLE, ready).await;
        }
        parts::settle(&self.manager, || self.service.core().store.revision() != self.opened, HORIZON, SETTLE).await;
    }

    /// Lets the controllers settle, stops them and closes the store.
    pub async fn close(mut self) {
        self.settle().await;
        self.running.abort();
        self.service.close();
    }
}
