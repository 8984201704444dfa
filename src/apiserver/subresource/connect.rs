//! Connections to what runs on nodes: `log`, `exec`, `attach`, `portforward`, `proxy`.
//!
//! The API server checks the request and hands it to [`NodeConnections`], which whoever runs the nodes installs with
//! `Core::set_node_connections`.

use futures_util::future::BoxFuture;
use http::Response;

use crate::apiserver::auth;
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::service::Body;
use crate::apiserver::verbs::get;
use crate::object::{Status, Value, meta};

use super::log::PodLogOptions;
use super::pod;

/// The way to the kubelets.
pub trait NodeConnections: Send + Sync {
    /// Answers a request for a subresource of a pod that has a node. `container` is empty for `portforward`.
    fn connect<'a>(&'a self, request: &'a Request, pod: &'a Value, container: &'a str) -> BoxFuture<'a, Answer>;
}

/// Answers a request for a connection.
///
/// # Errors
///
/// 400 and 404 in the reference server's words, 501 where no node answers.
pub async fn answer(request: &Request) -> Answer {
    let subresource = request.info.subresource.as_str();
    if subresource == "log" {
        PodLogOptions::of(&request.query, &request.info.name)?;
    }
    if subresource == "proxy" {
        super::review::connection(request).await?;
        return super::proxy::answer(request);
    }
    if subresource != "log" {
        // A GET that becomes a stream of commands reads nothing: whoever may only read may not open it.
        let attributes =
            auth::Attributes { verb: "create".into(), ..auth::Attributes::of(&request.info, &request.query) };
        request.core.auth.authorize(&request.core, &request.user, &attributes)?;
        super::review::connection(request).await?;
    }
    let object = get::read(request)?;
    let container = match subresource {
        "portforward" => String::new(),
        _ => pod::container(request, &object)?,
    };
    let node = meta::str_at(&object, &["spec", "nodeName"]);
    if node.is_empty() {
        // A pod without a node has no log yet, and nothing to connect to.
        return match subresource {
            "log" => Ok(no_content()),
            _ => Err(Status::bad_request(format!("pod {} does not have a host assigned", meta::name(&object)))),
        };
    }
    if request.core.store.get(&format!("/registry/minions/{node}")).is_none() {
        return Err(Status::not_found("", "pods", node));
    }
    match request.core.node_connections() {
        Some(nodes) => nodes.connect(request, &object, &container).await,
        None => Err(Status::failure(501, "NotImplemented", format!("no kubelet answers on node {node}"))),
    }
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::Full(Default::default()));
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    response
}
