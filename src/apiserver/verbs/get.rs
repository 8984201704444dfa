//! GET of one object.

use std::time::Duration;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::options;
use crate::apiserver::respond::{self, Shown};
use crate::object::{Status, Value};

/// How long a read waits for a resource version that is not there yet.
pub const FRESHNESS_WAIT: Duration = Duration::from_secs(3);

/// 504 for a resource version that did not come.
pub fn too_large(revision: u64, current: u64) -> Status {
    let mut status =
        Status::failure(504, "Timeout", format!("Timeout: Too large resource version: {revision}, current: {current}"));
    let details = status.details_mut();
    details.causes.push(crate::object::status::Cause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        field: String::new(),
    });
    details.retry_after_seconds = 1;
    status
}

/// Reads the object named in the path, in the resource's form.
///
/// # Errors
///
/// 404.
pub fn read(request: &Request) -> Result<Value, Status> {
    let entry = request.core.store.get(&request.key()).ok_or_else(|| request.not_found())?;
    Ok(request.resource.shown(request.resource.stored_object(&entry)))
}

/// Answers a GET.
///
/// # Errors
///
/// 404, 400 for a resource version that is no number.
pub async fn get(request: &Request) -> Answer {
    if let Some(version) = request.query.get("resourceVersion") {
        let revision = options::parse_resource_version(version).map_err(|why| Status::failure(500, "", why))?;
        let store = &request.core.store;
        if revision > store.revision() && !store.reached(revision, FRESHNESS_WAIT).await {
            return Err(too_large(revision, store.revision()));
        }
    }
    let entry = request.core.store.get(&request.key()).ok_or_else(|| request.not_found())?;
    respond::shown(request, 200, &Shown::Entry(entry))
}
