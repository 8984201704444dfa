//! The audit log: one line of JSON for each request, with its metadata (`audit.k8s.io/v1`, level `Metadata`).

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::apiserver::core::Core;
use crate::apiserver::query::Query;
use crate::apiserver::request::RequestInfo;
use crate::apiserver::service::Peer;
use crate::object::Value;

use super::Attributes;

/// A file to which events are appended.
pub struct AuditLog(Mutex<File>);

/// A request as the log tells of it.
pub struct Audited<'a> {
    /// When it came.
    pub received: DateTime<Utc>,
    /// Path and query.
    pub uri: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Who is at the other end.
    pub peer: &'a Peer,
    /// What it is about.
    pub info: &'a RequestInfo,
    /// Query parameters.
    pub query: &'a Query,
}

impl AuditLog {
    /// Opens the log, making the file if it is not there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        File::options().create(true).append(true).open(path).map(|file| Self(Mutex::new(file)))
    }

    /// Writes the event of a request that has been answered, or of which a stream has begun.
    pub fn write(&self, core: &Core, request: &Audited<'_>, code: StatusCode) {
        let mut line = event(core, request, code).to_string();
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the server; what is lost is a line of the log.
        let _ = file.write_all(line.as_bytes());
    }
}

fn event(core: &Core, request: &Audited<'_>, code: StatusCode) -> Value {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let stage = if request.info.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    let agent = request.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let mut event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": core.new_uid(),
        "stage": stage,
        "requestURI": request.uri,
        "verb": request.info.verb,
        "user": {},
        "sourceIPs": request.peer.address.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>(),
        "userAgent": agent.unwrap_or_default(),
        "responseStatus": {"metadata": {}, "code": code.as_u16()},
        "requestReceivedTimestamp": time(request.received),
        "stageTimestamp": time(core.now()),
    });
    if request.info.is_resource {
        event["objectRef"] = object_reference(request.info);
    }
    let Ok(requestor) = core.auth.requestor(core, request.headers, request.peer) else { return event };
    event["user"] = requestor.to_value();
    let Ok(user) = core.auth.authenticate(core, request.headers, request.peer) else { return event };
    if user != requestor {
        event["impersonatedUser"] = user.to_value();
    }
    let decision = core.auth.decide(core, &user, &Attributes::of(request.info, request.query));
    event["annotations"] = json!({
        "authorization.k8s.io/decision": if decision.allowed { "allow" } else { "forbid" },
        "authorization.k8s.io/reason": decision.reason,
    });
    event
}

fn object_reference(info: &RequestInfo) -> Value {
    let parts = [
        ("resource", &info.resource),
        ("namespace", &info.namespace),
        ("name", &info.name),
        ("apiGroup", &info.group),
        ("apiVersion", &info.version),
        ("subresource", &info.subresource),
    ];
    let set = parts.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(set.map(|(name, text)| (name.to_owned(), text.as_str().into())).collect())
}
