//! Subresources that are not simply a part of the object.

use std::sync::Arc;

use super::context::{Answer, Request};
use super::request::RequestInfo;
use super::{respond, verbs};

pub mod connect;
pub mod log;
pub mod pod;
mod proxy;
mod review;
mod scale;
mod token;

/// Whether a request may go on for as long as it likes.
pub fn is_long(info: &RequestInfo) -> bool {
    matches!(info.subresource.as_str(), "log" | "exec" | "attach" | "portforward" | "proxy")
}

/// Whether a subresource has a file of its own here; all others read and write the object itself.
pub fn is_own(request: &Request) -> bool {
    !request.info.subresource.is_empty()
}

/// Answers a request for a subresource.
///
/// # Errors
///
/// As the subresource does.
pub async fn answer(request: &Arc<Request>, verb: &'static str) -> Answer {
    match request.info.subresource.as_str() {
        "log" | "exec" | "attach" | "portforward" | "proxy" => connect::answer(request).await,
        "binding" => pod::bind(request).await,
        "eviction" => pod::evict(request).await,
        "token" => token::create(request).await,
        "scale" => scale::answer(request, verb).await,
        _ => whole_object(request, verb).await,
    }
}

async fn whole_object(request: &Request, verb: &'static str) -> Answer {
    match verb {
        "get" => verbs::get::get(request).await,
        "update" => verbs::update::update(request).await,
        "patch" => verbs::patch::patch(request).await,
        _ => Err(respond::method_not_allowed()),
    }
}
