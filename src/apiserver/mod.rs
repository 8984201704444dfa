//! The API server: an HTTP service from request to response over a durable store.
//!
//! | module | holds |
//! |---|---|
//! | [`service`] | the seam: `Service::open`, `Service::call` |
//! | [`route`] | from a request to its verb |
//! | [`auth`], [`admission`] | who may do what, and what may be written |
//! | [`verbs`], [`subresource`] | one file per verb, one per family of subresources |
//! | [`strategy`] | what is special about a kind |
//! | [`registry`] | the resources served now |
//! | [`store`] | the log of all objects |

pub mod admission;
mod allocate;
pub mod auth;
mod bootstrap;
mod chunks;
pub mod config;
pub mod context;
pub mod convert;
pub mod core;
pub mod crd;
pub mod decode;
pub mod discovery;
pub mod fields;
mod health;
pub mod managed;
pub mod mirror;
pub mod negotiate;
mod openapi;
pub mod options;
pub mod protobuf;
pub mod query;
pub mod registry;
pub mod request;
pub mod respond;
pub mod route;
pub mod scheme;
pub mod service;
pub mod store;
pub mod strategy;
pub mod subresource;
pub mod table;
pub mod tokens;
pub mod verbs;
pub mod websocket;

pub use config::{AuthorizationMode, Config, SigningAuthority, StaticToken, Storage};
pub use service::{Body, OpenError, Peer, Service};
