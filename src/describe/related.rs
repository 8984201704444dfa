//! What a description needs beside the object itself: which requests to make, and their answers.

use std::collections::HashMap;

use crate::object::selector::escape_field_value;
use crate::object::{GroupVersionResource, Status, Value, meta};

/// One read request: an object by name, or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Request {
    /// Group, version and resource.
    pub resource: GroupVersionResource,
    /// Namespace; empty for cluster-scoped resources and for lists over all namespaces.
    pub namespace: String,
    /// Name of the single object; `None` for a list.
    pub name: Option<String>,
    /// Label selector of a list, empty for none.
    pub label_selector: String,
    /// Field selector of a list, empty for none.
    pub field_selector: String,
}

impl Request {
    /// A list of a resource in a namespace.
    pub fn list(group: &str, version: &str, resource: &str, namespace: &str) -> Self {
        Self {
            resource: GroupVersionResource::new(group, version, resource),
            namespace: namespace.to_owned(),
            ..Self::default()
        }
    }

    /// One object.
    pub fn get(group: &str, version: &str, resource: &str, namespace: &str, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::list(group, version, resource, namespace) }
    }

    /// The same list, restricted to labels.
    #[must_use]
    pub fn labelled(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = selector.into();
        self
    }

    /// The same list, restricted to fields.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = selector.into();
        self
    }
}

/// The answers to [`Request`]s.
///
/// Without an answer a list counts as empty and an object as not found, as in a cluster that holds nothing else.
#[derive(Debug, Default)]
pub struct Related {
    answers: HashMap<Request, Result<Vec<Value>, Status>>,
}

impl Related {
    /// No answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what a request brought: the items of a list, or one object.
    pub fn insert(&mut self, request: Request, answer: Result<Vec<Value>, Status>) {
        self.answers.insert(request, answer);
    }

    /// The items of a list.
    ///
    /// # Errors
    /// What the server answered instead.
    pub fn list(&self, request: &Request) -> Result<&[Value], Status> {
        match self.answers.get(request) {
            None => Ok(&[]),
            Some(Ok(items)) => Ok(items),
            Some(Err(status)) => Err(status.clone()),
        }
    }

    /// A single object.
    ///
    /// # Errors
    /// What the server answered instead.
    pub fn get(&self, request: &Request) -> Result<&Value, Status> {
        let missing = || {
            let name = request.name.as_deref().unwrap_or_default();
            Status::not_found(&request.resource.group, &request.resource.resource, name)
        };
        self.list(request)?.first().ok_or_else(missing)
    }
}

/// The request for the events about an object, told apart by `uid` (`searchEvents`).
///
/// An empty `kind` leaves the kind open.
pub(super) fn events(object: &Value, kind: &str, uid: &str) -> Request {
    let mut terms = Vec::new();
    if !kind.is_empty() {
        terms.push(("involvedObject.kind", kind));
    }
    terms.push(("involvedObject.name", meta::name(object)));
    terms.push(("involvedObject.namespace", meta::namespace(object)));
    if !uid.is_empty() {
        terms.push(("involvedObject.uid", uid));
    }
    let selector: Vec<String> =
        terms.into_iter().map(|(field, value)| format!("{field}={}", escape_field_value(value))).collect();
    Request::list("", "v1", "events", meta::namespace(object)).with_fields(selector.join(","))
}
