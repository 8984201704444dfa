//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

pub use super::store::Storage;

/// Settings of a [`super::Service`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where objects are kept.
    pub storage: Storage,
    /// Addresses of services, such as `10.0.0.0/16`; the first one is the API server's own.
    pub service_cluster_ip_range: String,
    /// First and last node port.
    pub service_node_port_range: (u16, u16),
    /// The authority that client certificates are signed by (PEM); published in `extension-apiserver-authentication`.
    pub client_ca: Option<String>,
    /// The authority that signs the server's own certificate (PEM), for pods and for signing requests.
    pub cluster_ca: Option<SigningAuthority>,
    /// Bearer tokens that never expire.
    pub static_tokens: Vec<StaticToken>,
    /// Whether requests without credentials are served as `system:anonymous`.
    pub anonymous: bool,
    /// Who decides what a user may do.
    pub authorization: AuthorizationMode,
    /// File to which one line per request is written.
    pub audit_log: Option<PathBuf>,
    /// Private key (PEM, PKCS #8) that signs service account tokens; a fresh one when absent.
    pub service_account_key: Option<String>,
    /// File in which a key that had to be made is kept; without one a fresh key is good until the server ends.
    pub service_account_key_file: Option<PathBuf>,
    /// Issuer in service account tokens.
    pub service_account_issuer: String,
    /// Address under which the API server is reached.
    pub advertise_address: IpAddr,
    /// Port under which the API server is reached.
    pub port: u16,
    /// Requests under way at once, not counting watches, before others are told to come back.
    pub max_requests_inflight: usize,
    /// How long a request that is no watch and no connection may take.
    pub request_timeout: Duration,
}

/// A certificate authority with its key.
#[derive(Clone, Debug)]
pub struct SigningAuthority {
    /// The certificate (PEM).
    pub certificate: String,
    /// The private key (PEM, PKCS #8).
    pub key: String,
}

/// A line of a token file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticToken {
    /// The bearer token.
    pub token: String,
    /// User name.
    pub user: String,
    /// User id.
    pub uid: String,
    /// Groups besides `system:authenticated`.
    pub groups: Vec<String>,
}

/// Which authorizers are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// Node, then role-based access control.
    #[default]
    NodeRbac,
    /// Everything is allowed.
    AlwaysAllow,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            service_cluster_ip_range: "10.0.0.0/16".into(),
            service_node_port_range: (30000, 32767),
            client_ca: None,
            cluster_ca: None,
            static_tokens: Vec::new(),
            anonymous: true,
            authorization: AuthorizationMode::NodeRbac,
            audit_log: None,
            service_account_key: None,
            service_account_key_file: None,
            service_account_issuer: "https://kubernetes.default.svc.cluster.local".into(),
            advertise_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 6443,
            max_requests_inflight: 400,
            request_timeout: Duration::from_secs(60),
        }
    }
}
