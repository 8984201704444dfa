//! The client: a transport to a server, request building without I/O, discovery, watch streams.

pub mod transport;

pub use transport::{Body, Transport, TransportError};
