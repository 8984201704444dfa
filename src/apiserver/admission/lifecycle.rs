//! `NamespaceLifecycle`: nothing is made in namespaces that are missing or going.

use futures_util::future::BoxFuture;

use crate::object::status::Cause;
use crate::object::{Status, meta};

use super::{Attributes, Operation, Plugin};
use crate::apiserver::core::Core;

/// Namespaces that cannot be deleted.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// The plugin.
pub struct NamespaceLifecycle;

impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn admit<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(check(core, attributes)))
    }
}

fn check(core: &Core, attributes: &Attributes) -> Result<(), Status> {
    let namespaces = attributes.is_for("", "namespaces", "");
    if attributes.operation == Operation::Delete && namespaces && IMMORTAL.contains(&attributes.name.as_str()) {
        return Err(attributes.forbidden("this namespace may not be deleted"));
    }
    if attributes.operation != Operation::Create || namespaces || attributes.namespace.is_empty() {
        return Ok(());
    }
    let reviews = attributes.is_for("authorization.k8s.io", "localsubjectaccessreviews", "");
    if reviews {
        return Ok(());
    }
    let namespace = &attributes.namespace;
    let Some(entry) = core.store.get(&format!("/registry/namespaces/{namespace}")) else {
        return Err(Status::not_found("", "namespaces", namespace));
    };
    let object = entry.kept();
    if meta::str_at(object, &["status", "phase"]) != "Terminating" && meta::deletion_timestamp(object).is_none() {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = attributes.forbidden(&why);
    status.details_mut().causes.push(Cause {
        reason: "NamespaceTerminating".into(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".into(),
    });
    Err(status)
}
