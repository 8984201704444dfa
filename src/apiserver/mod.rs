//! The API server: an HTTP service from request to response over a durable store.

pub mod service;

pub use service::{Body, Peer};
