//! Why a request to the API failed.

use super::{Answer, TransportError};
use crate::object::Status;
use crate::object::go::quote;
use crate::object::status::Details;

/// Why a request to the API failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with a failure.
    #[error(transparent)]
    Status(Box<Status>),
    /// There was no answer.
    #[error("{method} \"{url}\"")]
    Transport {
        /// The method as Go's client names it: `Get`.
        method: String,
        /// The whole URL.
        url: String,
        /// What the transport said.
        #[source]
        source: TransportError,
    },
    /// The answer is not what it should be.
    #[error("{0}")]
    Decode(String),
    /// The request cannot be made.
    #[error("{0}")]
    Request(String),
}

impl Error {
    pub(super) fn transport(method: &http::Method, server: &str, path: &str, source: TransportError) -> Self {
        let method = method.as_str();
        let (first, rest) = method.split_at(1);
        Self::Transport { method: format!("{first}{}", rest.to_lowercase()), url: format!("{server}{path}"), source }
    }

    /// The server's answer, if there was one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether the server answered with that HTTP status.
    pub fn is_code(&self, code: u16) -> bool {
        self.status().is_some_and(|status| status.code == code)
    }
}

/// Which object a request is about, for answers that do not say themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Resource with its group.
    pub resource: String,
    /// Name, or empty.
    pub name: String,
}

/// Reasons and texts for answers that are no `Status` themselves.
const GENERIC: [(u16, &str, &str); 13] = [
    (409, "Conflict", "the server reported a conflict"),
    (404, "NotFound", "the server could not find the requested resource"),
    (400, "BadRequest", "the server rejected our request for an unknown reason"),
    (401, "Unauthorized", "the server has asked for the client to provide credentials"),
    (403, "Forbidden", ""),
    (406, "NotAcceptable", ""),
    (415, "UnsupportedMediaType", ""),
    (405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    (422, "Invalid", "the server rejected our request due to an error in our request"),
    (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    (
        504,
        "Timeout",
        "the server was unable to return a response in the time allotted, but may still be processing the request",
    ),
    (429, "TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    (413, "RequestEntityTooLarge", "limit is 3145728"),
];

/// The `Status` of a failed answer: its own, or one made up in the words of Go's client.
pub(super) fn status_of(answer: &Answer, method: &http::Method, about: &About) -> Status {
    let own = serde_json::from_slice(&answer.body).ok().and_then(|value| Status::from_value(&value));
    if let Some(mut status) = own.filter(|status| status.status != "Success") {
        if status.code == 0 {
            status.code = answer.status.as_u16();
        }
        return status;
    }
    let code = answer.status.as_u16();
    let body = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let verb = method.as_str();
    let (reason, mut message) = match GENERIC.iter().find(|(known, ..)| *known == code) {
        Some((_, reason, "")) => (*reason, body.clone()),
        Some((_, reason, message)) => (*reason, (*message).to_owned()),
        None if code >= 500 => (
            "InternalError",
            format!("an error on the server ({}) has prevented the request from succeeding", quote(&body)),
        ),
        None => ("", format!("the server responded with the status code {code} but did not return more information")),
    };
    if code == 403 && message.is_empty() {
        message = format!("the server does not allow access to the requested resource ({verb})");
    }
    let mut status = Status::failure(code, reason, message).with_details(Details {
        name: about.name.clone(),
        kind: about.resource.clone(),
        ..Details::default()
    });
    let subject = match (about.resource.is_empty(), about.name.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(" ({} {})", verb.to_lowercase(), about.resource),
        (false, false) => format!(" ({} {} {})", verb.to_lowercase(), about.resource, about.name),
    };
    status.message.push_str(&subject);
    status
}
