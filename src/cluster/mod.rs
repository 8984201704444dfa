//! Embedded clusters: in-process transport, HTTPS listener, data folder, certificates, life cycle.

pub mod certs;
pub mod data_folder;
pub mod error;

pub use data_folder::DataFolder;
pub use error::ClusterError;
