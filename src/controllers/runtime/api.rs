//! The requests that controllers make.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{Method, Request};

use super::{Key, Resource};
use crate::client::transport::SharedTransport;
use crate::client::{Body, TransportError};
use crate::object::{Status, Value};

/// Why a request of a controller failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused it.
    #[error(transparent)]
    Status(#[from] Status),
    /// There was no answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer was no JSON, or the request could not be built.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl ApiError {
    /// The HTTP code, 0 when there was no answer.
    pub fn code(&self) -> u16 {
        match self {
            Self::Status(status) => status.code,
            _ => 0,
        }
    }
}

/// Requests under one client name.
#[derive(Clone)]
pub struct Api {
    transport: SharedTransport,
    user_agent: String,
}

/// The path of a resource's collection, an object or a subresource.
pub(super) fn path(resource: &Resource, namespace: &str, name: &str, subresource: Option<&str>) -> String {
    let mut path = resource.group_version().url_prefix();
    if !namespace.is_empty() {
        path.push_str("/namespaces/");
        path.push_str(namespace);
    }
    path.push('/');
    path.push_str(&resource.resource);
    for part in [Some(name).filter(|name| !name.is_empty()), subresource].into_iter().flatten() {
        path.push('/');
        path.push_str(part);
    }
    path
}

impl Api {
    /// Requests through `transport` as the client `component` (which names the field manager).
    pub fn new(transport: SharedTransport, component: &str) -> Self {
        Self { transport, user_agent: format!("{component}/v1.36.2") }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Option<&Value>,
    ) -> Result<http::Response<Body>, ApiError> {
        let body = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Accept", "application/json")
            .header("User-Agent", &self.user_agent)
            .header("Content-Type", media_type)
            .body(body)
            .map_err(|e| ApiError::Unreadable(e.to_string()))?;
        let response = self.transport.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let answer = read(response.into_body()).await?;
        let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let fallback = || Status::failure(code, "", String::from_utf8_lossy(&answer));
        Err(Status::from_value(&value).unwrap_or_else(fallback).into())
    }

    /// Sends a request with a JSON body of the given media type and reads the JSON answer.
    ///
    /// # Errors
    /// [`ApiError`]; a failure's `Status` is in it.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let response = self.send(method, path, media_type, body).await?;
        let answer = read(response.into_body()).await?;
        serde_json::from_slice(&answer).map_err(|e| ApiError::Unreadable(e.to_string()))
    }

    /// Reads one object.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, resource: &Resource, key: &Key) -> Result<Value, ApiError> {
        self.call(Method::GET, &path(resource, &key.namespace, &key.name, None), "application/json", None).await
    }

    /// Lists a whole resource: its objects, with kind and apiVersion filled in, and the list's resourceVersion.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn list(&self, resource: &Resource) -> Result<(Vec<Value>, String), ApiError> {
        let mut list = self.call(Method::GET, &path(resource, "", "", None), "application/json", None).await?;
        let kind = list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).unwrap_or_default().to_owned();
        let api_version = list["apiVersion"].clone();
        let revision = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let Some(Value::Array(mut items)) = list.get_mut("items").map(Value::take) else {
            return Ok((Vec::new(), revision));
        };
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.entry("kind").or_insert_with(|| kind.clone().into());
            item.entry("apiVersion").or_insert_with(|| api_version.clone());
        }
        Ok((items, revision))
    }

    /// Watches a whole resource from a revision; gives the body with one JSON event a line.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn watch(&self, resource: &Resource, revision: &str) -> Result<Body, ApiError> {
        let path = path(resource, "", "", None);
        let path = format!("{path}?watch=true&allowWatchBookmarks=true&resourceVersion={revision}");
        Ok(self.send(Method::GET, &path, "application/json", None).await?.into_body())
    }
}

async fn read(mut body: Body) -> Result<Bytes, TransportError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}
