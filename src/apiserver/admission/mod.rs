//! Admission: plugins that may change or refuse what is about to be written.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::object::{Status, Value};

use super::auth::UserInfo;
use super::core::Core;
use super::registry::Resource;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A new state of an object.
    Update,
    /// An object goes.
    Delete,
    /// A connection to a subresource such as `exec`.
    Connect,
}

impl Operation {
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// One request as admission sees it.
pub struct Attributes {
    /// What it does.
    pub operation: Operation,
    /// The resource through which it came.
    pub resource: Arc<Resource>,
    /// Subresource, or empty.
    pub subresource: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// Name; empty for creations with `generateName`.
    pub name: String,
    /// The new object, in the stored form; of subresources such as `scale` and `binding` the object sent there.
    pub object: Option<Value>,
    /// The present object.
    pub old: Option<Value>,
    /// The options of the request (`CreateOptions`, `UpdateOptions`, `DeleteOptions`).
    pub options: Value,
    /// Who asks.
    pub user: UserInfo,
    /// Nothing is going to be stored.
    pub dry_run: bool,
    /// Warnings for the client, in the order in which plugins add them.
    pub warnings: Vec<String>,
    /// Annotations for the audit log.
    pub audit: Vec<(String, String)>,
}

impl Attributes {
    /// The refusal `pods "a" is forbidden: why`.
    pub fn forbidden(&self, why: &str) -> Status {
        let name = match &self.object {
            Some(object) if self.name.is_empty() => crate::object::meta::name(object),
            _ => self.name.as_str(),
        };
        Status::forbidden(self.resource.group(), self.resource.plural(), name, why)
    }

    /// Whether this is a request for objects of that group and resource themselves, or for that subresource.
    pub fn is_for(&self, group: &str, resource: &str, subresource: &str) -> bool {
        self.resource.group() == group && self.resource.plural() == resource && self.subresource == subresource
    }
}

/// One admission plugin.
pub trait Plugin: Send + Sync {
    /// Its name, such as `LimitRanger`.
    fn name(&self) -> &'static str;

    /// May change the object; comes first, plugin after plugin.
    fn admit<'a>(&'a self, _core: &'a Core, _attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Looks at the object in its final form and may refuse it.
    fn validate<'a>(&'a self, _core: &'a Core, _attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Plugins in the order in which they are asked.
#[derive(Default)]
pub struct Chain {
    plugins: Vec<Box<dyn Plugin>>,
}

impl Chain {
    /// A chain of plugins.
    pub fn new(plugins: Vec<Box<dyn Plugin>>) -> Self {
        Self { plugins }
    }

    /// Lets every plugin change the object.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub async fn admit(&self, core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
        for plugin in &self.plugins {
            plugin.admit(core, attributes).await?;
        }
        Ok(())
    }

    /// Lets every plugin judge the object.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub async fn validate(&self, core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
        for plugin in &self.plugins {
            plugin.validate(core, attributes).await?;
        }
        Ok(())
    }
}

mod certificates;
mod lifecycle;
mod limit_ranger;
mod node_restriction;
mod pod_security;
mod pods;
pub mod policy;
mod quota;
mod references;
mod resources;
mod service_account;
mod simple;
mod storage;
mod webhook;

/// The plugins of a server with default flags, in the reference server's order.
pub fn default_chain() -> Chain {
    use simple::{Simple, nothing};
    let simple = |name, admit, validate| -> Box<dyn Plugin> { Box::new(Simple { name, admit, validate }) };
    Chain::new(vec![
        Box::new(lifecycle::NamespaceLifecycle),
        simple("LimitRanger", limit_ranger::admit, limit_ranger::validate),
        simple("ServiceAccount", service_account::admit, nothing),
        simple("NodeRestriction", node_restriction::check, nothing),
        simple("TaintNodesByCondition", pods::taint_new_node, nothing),
        simple("PodSecurity", nothing, pod_security::validate),
        simple("Priority", pods::priority, pods::single_default_class),
        simple("DefaultTolerationSeconds", pods::tolerations, nothing),
        simple("DefaultStorageClass", storage::default_storage_class, nothing),
        simple("StorageObjectInUseProtection", storage::protect, nothing),
        simple("PersistentVolumeClaimResize", nothing, storage::resize),
        simple("RuntimeClass", pods::runtime_class, pods::runtime_class_overhead),
        simple("CertificateApproval", nothing, certificates::approval),
        simple("CertificateSigning", nothing, certificates::signing),
        simple("CertificateSubjectRestriction", nothing, certificates::subject),
        simple("DefaultIngressClass", storage::default_ingress_class, nothing),
        Box::new(policy::MutatingPolicies::default()),
        Box::new(webhook::MutatingWebhooks::default()),
        Box::new(policy::ValidatingPolicies::default()),
        Box::new(webhook::ValidatingWebhooks::default()),
        Box::new(quota::ResourceQuota),
        Box::new(super::auth::escalation::EscalationCheck),
    ])
}
