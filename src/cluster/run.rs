//! A cluster that listens: `cluster run`, and the process behind `cluster start`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::access::Access;
use super::certs::{Authority, Pair};
use super::connections::simulated_nodes;
use super::data_folder::{Holder, Lock};
use super::listen::Listener;
use super::local::LocalTransport;
use super::parts::{self, ControllerSet};
use super::{ClusterError, DataFolder};
use crate::apiserver::{AuthorizationMode, Config, Service, SigningAuthority, StaticToken, Storage};
use crate::client::transport::SharedTransport;
use crate::controllers::Settings;

/// The user and group of a cluster's administrator, as kubeadm names them.
const ADMINISTRATOR: (&str, &str) = ("kubernetes-admin", "system:masters");

/// Settings of a cluster that listens.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where everything is kept; `None` keeps nothing.
    pub folder: Option<DataFolder>,
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on, 0 for any free one.
    pub port: u16,
    /// Address that the server tells others to use; the one it listens on when absent.
    pub advertise: Option<IpAddr>,
    /// File to which a kubeconfig is written once requests are served.
    pub kubeconfig: Option<PathBuf>,
    /// How many simulated nodes a new cluster has.
    pub nodes: u8,
    /// Which controllers run.
    pub controllers: ControllerSet,
    /// A CSV file of bearer tokens: token, user, uid, groups.
    pub token_auth_file: Option<PathBuf>,
    /// Addresses of services.
    pub service_cluster_ip_range: String,
    /// A further authority (PEM) whose client certificates are accepted.
    pub client_ca_file: Option<PathBuf>,
    /// Who decides what a user may do.
    pub authorization: AuthorizationMode,
    /// File to which one line per request is written.
    pub audit_log: Option<PathBuf>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            folder: None,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            advertise: None,
            kubeconfig: None,
            nodes: 2,
            controllers: ControllerSet::All,
            token_auth_file: None,
            service_cluster_ip_range: Config::default().service_cluster_ip_range,
            client_ca_file: None,
            authorization: AuthorizationMode::default(),
            audit_log: None,
        }
    }
}

/// Keys and certificates of a cluster that listens.
struct Identity {
    authority: Authority,
    server: Pair,
    administrator: Pair,
}

impl Identity {
    /// Reads what a data folder holds, or makes all anew; the server's certificate is always made for its address.
    fn load(options: &RunOptions) -> Result<Self, ClusterError> {
        let authority = match &options.folder {
            Some(folder) => Authority::load_or_generate(&folder.pki())?,
            None => Authority::generate()?,
        };
        let mut addresses = vec![options.bind, IpAddr::V4(Ipv4Addr::LOCALHOST)];
        addresses.extend(options.advertise);
        addresses.extend(first_address(&options.service_cluster_ip_range));
        let server = authority.issue_server(&addresses)?;
        let administrator = administrator(&authority, options.folder.as_ref())?;
        Ok(Self { authority, server, administrator })
    }
}

/// The administrator's certificate of a cluster, kept in its data folder.
fn administrator(authority: &Authority, folder: Option<&DataFolder>) -> Result<Pair, ClusterError> {
    let Some(folder) = folder else { return authority.issue_client(ADMINISTRATOR.0, ADMINISTRATOR.1) };
    if let Some(pair) = Pair::load(&folder.pki(), "admin")? {
        return Ok(pair);
    }
    let pair = authority.issue_client(ADMINISTRATOR.0, ADMINISTRATOR.1)?;
    pair.save(&folder.pki(), "admin")?;
    Ok(pair)
}

/// The first address of a range, which the service of the API server gets.
fn first_address(range: &str) -> Option<IpAddr> {
    match range.split('/').next()?.parse().ok()? {
        IpAddr::V4(base) => Some(IpAddr::V4(Ipv4Addr::from(u32::from(base).checked_add(1)?))),
        IpAddr::V6(base) => Some(IpAddr::V6(std::net::Ipv6Addr::from(u128::from(base).checked_add(1)?))),
    }
}

/// Runs a cluster until `stop` says so. Blocks the thread; has a runtime of its own with as many workers as there are
/// processors.
///
/// # Errors
/// [`ClusterError`] when it cannot start; once it serves it ends well.
pub fn run(options: &RunOptions, stop: watch::Receiver<bool>) -> Result<(), ClusterError> {
    let lock = options.folder.as_ref().map(DataFolder::lock).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| ClusterError::Listen { address: "the runtime".into(), source })?;
    let served = runtime.block_on(serve(options, lock, stop));
    runtime.shutdown_background();
    served
}

async fn serve(options: &RunOptions, lock: Option<Lock>, stop: watch::Receiver<bool>) -> Result<(), ClusterError> {
    let identity = Identity::load(options)?;
    let further = options.client_ca_file.as_ref().map(read).transpose()?;
    let mut authorities = vec![identity.authority.pair.certificate.as_str()];
    authorities.extend(further.as_deref());
    let listener = Listener::bind(SocketAddr::new(options.bind, options.port), &identity.server, &authorities).await?;
    let config = config(options, &identity.authority.pair, &authorities, listener.address())?;
    let service = open(config)?;
    let opened = service.core().store.revision();
    if options.nodes > 0 && options.controllers == ControllerSet::All {
        service.core().set_node_connections(simulated_nodes());
    }
    let transport: SharedTransport = Arc::new(LocalTransport::new(service.clone()));
    let settings = Settings {
        root_certificate: identity.authority.pair.certificate.clone(),
        root_key: identity.authority.pair.key.clone(),
    };
    let manager = parts::manager(transport.clone(), options.controllers, options.nodes, &settings);
    let (tell, ready) = oneshot::channel();
    let nodes = if options.controllers == ControllerSet::All { options.nodes } else { 0 };
    let running = tokio::spawn(parts::run(manager.clone(), transport, nodes, tell));
    let address = listener.address();
    let listening = tokio::spawn(listener.serve(service.clone(), stop));
    // Whoever waits for the kubeconfig finds accounts and nodes made.
    if ready.await.is_ok() {
        let written = || service.core().store.revision() != opened;
        parts::settle(&manager, written, std::time::Duration::ZERO, std::time::Duration::from_secs(5)).await;
    }
    let mut lock = lock;
    announce(options, &identity, address, lock.as_mut())?;
    // The listener's task ends only when told to stop.
    let _ = listening.await;
    running.abort();
    service.close();
    drop(lock);
    Ok(())
}

fn read(path: &PathBuf) -> Result<String, ClusterError> {
    std::fs::read_to_string(path).map_err(ClusterError::file("reading", path))
}

/// Opens an API server: on a thread of its own, for it waits for the disk, which a runtime's thread must not.
pub(super) fn open(config: Config) -> Result<Service, ClusterError> {
    let opened = std::thread::spawn(move || Service::open(config)).join();
    let opened = opened.map_err(|_| ClusterError::Open("the store's thread failed".into()))?;
    opened.map_err(|error| ClusterError::Open(error.into()))
}

fn config(
    options: &RunOptions,
    authority: &Pair,
    client_authorities: &[&str],
    address: SocketAddr,
) -> Result<Config, ClusterError> {
    let static_tokens = options.token_auth_file.as_ref().map(read).transpose()?.unwrap_or_default();
    Ok(Config {
        storage: storage(options.folder.as_ref()),
        service_cluster_ip_range: options.service_cluster_ip_range.clone(),
        client_ca: Some(client_authorities.concat()),
        cluster_ca: Some(SigningAuthority { certificate: authority.certificate.clone(), key: authority.key.clone() }),
        static_tokens: static_tokens.lines().filter_map(static_token).collect(),
        authorization: options.authorization,
        service_account_key_file: options.folder.as_ref().map(|folder| folder.pki().join("sa.key")),
        audit_log: options.audit_log.clone(),
        advertise_address: options.advertise.unwrap_or(address.ip()),
        port: address.port(),
        ..Config::default()
    })
}

pub(super) fn storage(folder: Option<&DataFolder>) -> Storage {
    folder.map_or(Storage::Memory, |folder| Storage::Sqlite(folder.store()))
}

/// A line of a token file: token, user, uid and, where there are any, groups in quotes.
fn static_token(line: &str) -> Option<StaticToken> {
    let mut fields = line.splitn(4, ',').map(|field| field.trim().to_owned());
    let (token, user, uid) = (fields.next()?, fields.next()?, fields.next()?);
    let groups = fields.next().unwrap_or_default();
    let groups = groups.trim_matches('"').split(',').map(str::trim).filter(|group| !group.is_empty());
    (!token.is_empty()).then(|| StaticToken { token, user, uid, groups: groups.map(str::to_owned).collect() })
}

/// Tells where the cluster is reached: in its lock, its data folder and the file that was asked for, the last.
fn announce(
    options: &RunOptions,
    identity: &Identity,
    address: SocketAddr,
    lock: Option<&mut Lock>,
) -> Result<(), ClusterError> {
    let server = format!("https://{address}");
    let name = options.folder.as_ref().map_or("knarr", DataFolder::name);
    let access = Access {
        name,
        server: &server,
        authority: &identity.authority.pair.certificate,
        administrator: &identity.administrator,
    };
    if let Some(folder) = &options.folder {
        access.write(&folder.kubeconfig())?;
    }
    if let Some(lock) = lock {
        lock.announce(&Holder { pid: std::process::id(), server: Some(server.clone()) })?;
    }
    options.kubeconfig.as_ref().map_or(Ok(()), |path| access.write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_files_are_read_as_kube_apiserver_does() {
        let token = static_token("secret,jane,42,\"dev,ops\"").expect("a token");
        assert_eq!((token.user.as_str(), token.groups), ("jane", vec!["dev".to_owned(), "ops".to_owned()]));
        assert_eq!(static_token(""), None);
        assert_eq!(first_address("10.0.0.0/16"), "10.0.0.1".parse().ok());
    }
}
