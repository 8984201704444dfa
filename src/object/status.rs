//! The API's `Status`: what a server answers when it has no object to answer with.

use crate::object::go;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::field::{self, ErrorList};
use super::{GroupKind, Value};

/// One cause in the details of a [`Status`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Machine-readable cause, such as `FieldValueInvalid`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Field path in the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// Which object a [`Status`] speaks of, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Name of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Group of `kind`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind, or resource where the API has it so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Uid of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The single causes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Seconds after which to try again, 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// `meta/v1.Status`, the error type of the API server and the error that clients receive.
///
/// `Display` is the message alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// `Success` or `Failure`.
    #[serde(default)]
    pub status: String,
    /// Text for people.
    #[serde(default)]
    pub message: String,
    /// Machine-readable reason, such as `NotFound`; empty when unknown.
    #[serde(default)]
    pub reason: String,
    /// Details, if any.
    #[serde(default)]
    pub details: Option<Box<Details>>,
    /// HTTP status code.
    #[serde(default)]
    pub code: u16,
    /// `metadata.continue`: the token with which an expired list goes on.
    #[serde(skip)]
    pub continue_token: String,
}

impl Status {
    /// A failure with a code, a reason and a message.
    pub fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { status: "Failure".into(), message: message.into(), reason: reason.into(), code, ..Self::default() }
    }

    /// The same with details.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// The details, made when missing.
    pub fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    fn about(self, group: &str, resource: &str, name: &str) -> Self {
        self.with_details(Details {
            name: name.into(),
            group: group.into(),
            kind: resource.into(),
            ..Details::default()
        })
    }

    /// 404: `deployments.apps "web" not found`.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::failure(404, "NotFound", format!("{} {} not found", qualified(group, resource), go::quote(name)))
            .about(group, resource, name)
    }

    /// 409: `deployments.apps "web" already exists`.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        Self::failure(
            409,
            "AlreadyExists",
            format!("{} {} already exists", qualified(group, resource), go::quote(name)),
        )
        .about(group, resource, name)
    }

    /// 409: the operation cannot be fulfilled.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::failure(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} {}: {why}", qualified(group, resource), go::quote(name)),
        )
        .about(group, resource, name)
    }

    /// 403: `pods "a" is forbidden: why`.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = match (resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{} is forbidden: {why}", qualified(group, resource)),
            (false, false) => format!("{} {} is forbidden: {why}", qualified(group, resource), go::quote(name)),
        };
        Self::failure(403, "Forbidden", message).about(group, resource, name)
    }

    /// 422: an object that validation refused; details carry one cause per failure.
    pub fn invalid(kind: &GroupKind, name: &str, errors: &ErrorList) -> Self {
        let causes = errors
            .iter()
            .map(|e| Cause { reason: e.kind.reason().into(), message: e.body(), field: e.field.to_string() })
            .collect();
        let mut message = format!("{kind} {} is invalid", go::quote(name));
        if !errors.is_empty() {
            message = format!("{message}: {}", field::aggregate(errors));
        }
        Self::failure(422, "Invalid", message).with_details(Details {
            name: name.into(),
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            causes,
            ..Details::default()
        })
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, "BadRequest", message)
    }

    /// 500, in the words of `NewInternalError`.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::failure(500, "InternalError", format!("Internal error occurred: {message}")).with_details(Details {
            causes: vec![Cause { message: message.to_string(), ..Cause::default() }],
            ..Details::default()
        })
    }

    /// The object as it goes over the wire.
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": self.status,
        });
        if !self.continue_token.is_empty() {
            value["metadata"]["continue"] = json!(self.continue_token);
        }
        if !self.message.is_empty() {
            value["message"] = json!(self.message);
        }
        if !self.reason.is_empty() {
            value["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            value["details"] = json!(details);
        }
        if self.code != 0 {
            value["code"] = json!(self.code);
        }
        value
    }

    /// Reads a `Status` object; `None` when `value` is something else.
    pub fn from_value(value: &Value) -> Option<Self> {
        if super::meta::kind(value) != "Status" {
            return None;
        }
        serde_json::from_value(value.clone()).ok()
    }
}

fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_wire_form() {
        let status = Status::not_found("apps", "deployments", "web");
        assert_eq!(status.to_string(), "deployments.apps \"web\" not found");
        assert_eq!(Status::from_value(&status.to_value()), Some(status));
    }
}
