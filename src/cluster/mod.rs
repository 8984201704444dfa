//! Embedded clusters: in-process transport, HTTPS listener, data folder, certificates, life cycle.

pub mod access;
pub mod background;
pub mod certs;
mod connections;
pub mod data_folder;
pub mod embedded;
pub mod error;
pub mod listen;
pub mod local;
pub mod parts;
pub mod run;
mod streams;

pub use crate::apiserver::AuthorizationMode;
pub use data_folder::DataFolder;
pub use embedded::Embedded;
pub use error::ClusterError;
pub use parts::ControllerSet;
pub use run::RunOptions;
