//! Controllers: one file each, level-triggered, clients of the API like any other.
//!
//! A controller is a pure function from the cached state, a key and the time to [`runtime::Action`]s
//! (see [`runtime::Controller`]); the runtime lists, watches, queues, writes and retries.

pub mod accounts;
pub mod deployment;
pub mod endpoints;
pub mod garbage;
pub mod namespaces;
pub mod pods;
pub mod replicaset;
pub mod runtime;
