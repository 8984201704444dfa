//! Admission of what is sent to a subresource with objects of its own, such as `eviction`, and of connections.

use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation};
use crate::apiserver::context::Request;
use crate::apiserver::options::WriteOptions;
use crate::object::{Status, Value};

/// An object on its way through admission: first it may be changed, then it is judged.
pub struct Review<'a> {
    request: &'a Request,
    attributes: Attributes,
}

impl<'a> Review<'a> {
    /// Lets the plugins change an object that is created in the subresource.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub async fn of_creation(request: &'a Request, object: Value, options: &WriteOptions) -> Result<Self, Status> {
        let shown =
            json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": options.field_manager});
        let attributes = request.attributes(Operation::Create, Some(object), None, shown, options.dry_run);
        let mut review = Self { request, attributes };
        request.core.admission.admit(&request.core, &mut review.attributes).await?;
        Ok(review)
    }

    /// The object as the plugins left it.
    pub fn object(&self) -> Value {
        self.attributes.object.clone().unwrap_or_default()
    }

    /// Lets the plugins judge the object in its final form.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub async fn judge(mut self, object: &Value) -> Result<(), Status> {
        self.attributes.object = Some(object.clone());
        let outcome = self.request.core.admission.validate(&self.request.core, &mut self.attributes).await;
        self.request.warn_all(std::mem::take(&mut self.attributes.warnings));
        outcome
    }
}

/// Lets the plugins judge a connection; what they see of it are its options.
///
/// # Errors
///
/// The first refusal.
pub async fn connection(request: &Request) -> Result<(), Status> {
    let options = connect_options(request);
    let attributes = request.attributes(Operation::Connect, Some(options.clone()), None, Value::Null, false);
    let mut review = Review { request, attributes };
    request.core.admission.admit(&request.core, &mut review.attributes).await?;
    review.judge(&options).await
}

/// The options of a connection, as its query has them (`PodExecOptions` and its siblings).
fn connect_options(request: &Request) -> Value {
    let query = &request.query;
    let kind = match (request.info.subresource.as_str(), request.resource.plural()) {
        ("exec", _) => "PodExecOptions",
        ("attach", _) => "PodAttachOptions",
        ("portforward", _) => "PodPortForwardOptions",
        (_, "services") => "ServiceProxyOptions",
        (_, "nodes") => "NodeProxyOptions",
        _ => "PodProxyOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "v1"});
    match request.info.subresource.as_str() {
        "portforward" => {
            let ports: Vec<i64> =
                query.values("ports").flat_map(|list| list.split(',')).filter_map(|port| port.parse().ok()).collect();
            if !ports.is_empty() {
                options["ports"] = json!(ports);
            }
        }
        "proxy" => {
            let rest = &request.info.rest;
            if !rest.is_empty() {
                options["path"] = json!(format!("/{rest}"));
            }
        }
        _ => {
            for name in ["stdin", "stdout", "stderr", "tty"] {
                if query.flag(name) {
                    options[name] = json!(true);
                }
            }
            if let Some(container) = query.get("container").filter(|container| !container.is_empty()) {
                options["container"] = json!(container);
            }
            if kind == "PodExecOptions" {
                options["command"] = json!(query.values("command").collect::<Vec<_>>());
            }
        }
    }
    options
}
