//! How others reach a cluster: its kubeconfig.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ClusterError;
use super::certs::Pair;
use super::data_folder::replace_private;
use crate::manifest;
use crate::object::Value;

/// What a kubeconfig of a cluster holds.
pub struct Access<'a> {
    /// Name of cluster, context and user.
    pub name: &'a str,
    /// URL of the API server.
    pub server: &'a str,
    /// Certificate of the cluster's authority, PEM.
    pub authority: &'a str,
    /// The administrator's certificate and key.
    pub administrator: &'a Pair,
}

impl Access<'_> {
    /// The kubeconfig as a value.
    pub fn to_value(&self) -> Value {
        let user = format!("{}-admin", self.name);
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{"name": self.name, "cluster": {
                "server": self.server,
                "certificate-authority-data": STANDARD.encode(self.authority),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate-data": STANDARD.encode(&self.administrator.certificate),
                "client-key-data": STANDARD.encode(&self.administrator.key),
            }}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
            "current-context": self.name,
        })
    }

    /// Writes the kubeconfig, whole or not at all.
    ///
    /// # Errors
    /// [`ClusterError::File`].
    pub fn write(&self, path: &Path) -> Result<(), ClusterError> {
        replace_private(path, manifest::to_yaml(&self.to_value()).as_bytes())
    }
}
