//! One request on a resource, with all that its verb needs.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderMap;

use crate::object::{Status, Value};

use super::admission::{Attributes, Operation};
use super::auth::UserInfo;
use super::core::Core;
use super::negotiate::{self, Accepted, Encoding};
use super::query::Query;
use super::registry::{Resource, Snapshot};
use super::request::RequestInfo;
use super::service::{Body, Switchable};
use super::strategy::Scope;

/// The answer to a request.
pub type Answer = Result<http::Response<Body>, Status>;

/// A request on a resource.
pub struct Request {
    /// The server.
    pub core: Arc<Core>,
    /// The resources as of the request's beginning.
    pub snapshot: Arc<Snapshot>,
    /// The resource.
    pub resource: Arc<Resource>,
    /// Path and verb.
    pub info: RequestInfo,
    /// Method.
    pub method: http::Method,
    /// Query parameters.
    pub query: Query,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Who asks.
    pub user: UserInfo,
    /// How to answer.
    pub accepted: Accepted,
    /// The connection, where it can switch to another protocol.
    pub switchable: Option<Switchable>,
    warnings: Mutex<Vec<String>>,
}

impl Request {
    /// A request; the warnings are empty.
    #[expect(clippy::too_many_arguments, reason = "one for each field")]
    pub fn new(
        core: Arc<Core>,
        snapshot: Arc<Snapshot>,
        resource: Arc<Resource>,
        info: RequestInfo,
        parts: &http::request::Parts,
        query: Query,
        body: Bytes,
        user: UserInfo,
        accepted: Accepted,
    ) -> Self {
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        let switchable = parts.extensions.get::<Switchable>().cloned();
        let warnings = Mutex::default();
        Self { core, snapshot, resource, info, method, query, headers, body, user, accepted, switchable, warnings }
    }

    /// A header's text, or the empty one.
    pub fn header(&self, name: &http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// How the body is written.
    ///
    /// # Errors
    ///
    /// 415.
    pub fn body_encoding(&self) -> Result<Encoding, Status> {
        negotiate::body_encoding(self.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()))
    }

    /// Adds a warning for the client; the same text is sent once.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// Adds warnings for the client.
    pub fn warn_all(&self, texts: Vec<String>) {
        texts.into_iter().for_each(|text| self.warn(text));
    }

    /// Takes the warnings out.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The namespace of objects: empty for kinds without namespaces.
    pub fn namespace(&self) -> &str {
        if self.resource.kind.namespaced { &self.info.namespace } else { "" }
    }

    /// The key of the object named in the path.
    pub fn key(&self) -> String {
        self.resource.key(self.namespace(), &self.info.name)
    }

    /// 404 for the object named in the path.
    pub fn not_found(&self) -> Status {
        Status::not_found(self.resource.group(), self.resource.plural(), &self.info.name)
    }

    /// What strategies get to see of the request.
    pub fn scope(&self, dry_run: bool) -> Scope<'_> {
        Scope { core: &self.core, resource: &self.resource, dry_run, empties: &[] }
    }

    /// What admission gets to see of the request.
    pub fn attributes(
        &self,
        operation: Operation,
        object: Option<Value>,
        old: Option<Value>,
        options: Value,
        dry_run: bool,
    ) -> Attributes {
        Attributes {
            operation,
            resource: self.resource.clone(),
            subresource: self.info.subresource.clone(),
            namespace: if self.info.resource == "namespaces" {
                self.info.name.clone()
            } else {
                self.namespace().into()
            },
            name: self.info.name.clone(),
            object,
            old,
            options,
            user: self.user.clone(),
            dry_run,
            warnings: Vec::new(),
            audit: Vec::new(),
        }
    }
}
