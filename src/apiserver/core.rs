//! What all requests of one server share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, Weak};

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom, SystemRandom};

use crate::object::Status;

use super::admission::Chain;
use super::allocate::Allocators;
use super::config::Config;
use super::registry::Registry;
use super::store::{Store, StoreError, WriteError};
use super::subresource::connect::NodeConnections;

/// The shared parts of a server.
pub struct Core {
    /// Settings.
    pub config: Config,
    /// Objects.
    pub store: Store,
    /// Served resources.
    pub registry: Registry,
    /// What custom resource definitions have made.
    pub definitions: super::crd::Definitions,
    /// OpenAPI documents of the served resources.
    pub(super) documents: super::openapi::Documents,
    /// Admission plugins.
    pub admission: Chain,
    /// Who is who, and who may do what.
    pub auth: super::auth::Auth,
    /// Where requests are written down, if anywhere.
    pub audit: Option<super::auth::audit::AuditLog>,
    /// Service addresses and node ports in use.
    pub allocators: Allocators,
    /// Signs and verifies the tokens of service accounts.
    pub tokens: super::tokens::TokenSigner,
    /// Requests under way, not counting long ones.
    pub in_flight: AtomicUsize,
    nodes: OnceLock<Arc<dyn NodeConnections>>,
    this: Weak<Self>,
    random: SystemRandom,
}

impl Core {
    /// Puts the parts together.
    pub(super) fn new(
        config: Config,
        store: Store,
        tokens: super::tokens::TokenSigner,
        audit: Option<super::auth::audit::AuditLog>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            auth: super::auth::Auth::new(&config),
            allocators: Allocators::new(&config),
            admission: super::admission::default_chain(),
            registry: Registry::new(),
            definitions: super::crd::Definitions::default(),
            documents: super::openapi::Documents::default(),
            in_flight: AtomicUsize::new(0),
            nodes: OnceLock::new(),
            random: SystemRandom::new(),
            tokens,
            audit,
            config,
            store,
        })
    }

    /// Installs the way to the kubelets; the first one stays.
    pub fn set_node_connections(&self, nodes: Arc<dyn NodeConnections>) {
        // A second installation changes nothing.
        let _ = self.nodes.set(nodes);
    }

    /// The way to the kubelets, if there is one.
    pub fn node_connections(&self) -> Option<&Arc<dyn NodeConnections>> {
        self.nodes.get()
    }

    /// The same parts, for what may live longer than a borrow; nothing once the server is being taken down.
    pub fn shared(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    /// The present time.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Random bytes; zeros if the system has none, which it always has.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        if self.random.fill(&mut bytes).is_err() {
            bytes = [0; N];
        }
        bytes
    }

    /// A new random uid (RFC 4122, version 4).
    pub fn new_uid(&self) -> String {
        let mut b = self.random_bytes::<16>();
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let mut uid = String::with_capacity(36);
        for (at, byte) in b.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                uid.push('-');
            }
            uid.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]]);
        }
        uid
    }

    /// The five characters that are put behind `generateName`.
    pub fn name_suffix(&self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        self.random_bytes::<5>().iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
    }
}

/// A time as the API writes it: seconds, UTC.
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A failure of the store as an answer.
pub fn store_failure(error: &StoreError) -> Status {
    match error {
        StoreError::Compacted(_) => {
            Status::failure(410, "Expired", "The resourceVersion for the provided list is too old.")
        }
        other => Status::internal(describe(other)),
    }
}

/// A write's failure as an answer, for callers that cannot have provoked a conflict.
pub fn write_failure(error: &WriteError) -> Status {
    match error {
        WriteError::Conflict(_) => Status::internal("the object was changed by another request"),
        WriteError::Store(error) => store_failure(error),
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}
