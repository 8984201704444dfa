//! Which verb a request on a custom resource means.

use http::Method;

use crate::apiserver::registry::Resource;
use crate::apiserver::request::RequestInfo;
use crate::object::Status;

/// What becomes of a request.
pub enum Routed {
    /// It is answered by this verb.
    Verb(&'static str),
    /// There is no such path.
    NoPage,
}

/// The verb of a request on a custom resource.
///
/// # Errors
///
/// 400 where a name is missing, 404 for an unknown subresource, 405 for what is not served, or not any more.
pub fn verb_of(method: &Method, info: &RequestInfo, resource: &Resource) -> Result<Routed, Status> {
    let in_namespace = !info.namespace.is_empty();
    let across = matches!(info.verb.as_str(), "list" | "watch");
    let kind = &resource.kind;
    if in_namespace != kind.namespaced && !(kind.namespaced && across) {
        return Ok(Routed::NoPage);
    }
    if !info.subresource.is_empty() {
        if kind.subresource(&info.subresource).is_none() || !info.rest.is_empty() {
            return Err(Status::not_found(&kind.group, &kind.plural, &info.name));
        }
        return match method.as_str() {
            "GET" => Ok(Routed::Verb("get")),
            "PUT" => Ok(Routed::Verb("update")),
            "PATCH" => Ok(Routed::Verb("patch")),
            _ => Err(not_supported(resource, &info.verb)),
        };
    }
    let verb = match (method.as_str(), info.verb.as_str()) {
        ("GET" | "HEAD", "watch") => "watch",
        ("GET" | "HEAD", "list") => "list",
        ("GET" | "HEAD", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", "deletecollection") => "deletecollection",
        ("DELETE", _) => "delete",
        _ => return Err(not_supported(resource, &info.verb)),
    };
    if matches!(verb, "update" | "patch") && info.name.is_empty() {
        return Err(Status::bad_request("name must be provided"));
    }
    if verb == "create" && resource.strategy.is_terminating() {
        let mut status = not_supported(resource, verb);
        status.message = format!("{verb} not allowed while custom resource definition is terminating");
        return Err(status);
    }
    Ok(Routed::Verb(verb))
}

fn not_supported(resource: &Resource, verb: &str) -> Status {
    let kind = &resource.kind;
    let message = format!("{verb} is not supported on resources of kind \"{}\"", kind.group_resource());
    Status::failure(405, "MethodNotAllowed", message).with_details(crate::object::status::Details {
        group: kind.group.clone(),
        kind: kind.plural.clone(),
        ..Default::default()
    })
}
