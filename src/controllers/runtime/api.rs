//! The requests that controllers make, under the name of their program.

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Method};

use super::{Key, Resource};
pub use crate::client::Error as ApiError;
use crate::client::transport::{BoxFuture, SharedTransport};
use crate::client::{Body, Client, Request, Transport, TransportError, Watch};
use crate::kinds::Kinds;
use crate::object::Value;
use crate::object::partial::Part;

/// Requests under one client name.
pub struct Api {
    client: Client,
}

/// Names the client in every request, from which the server takes the field manager.
struct Named {
    transport: SharedTransport,
    user_agent: HeaderValue,
}

impl Transport for Named {
    fn send(&self, mut request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        self.transport.send(request)
    }
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

/// Whether this is a built-in resource whose objects are in namespaces.
fn is_namespaced(resource: &Resource) -> bool {
    Kinds::builtin().by_gvr(resource).is_some_and(|kind| kind.namespaced)
}

impl Api {
    /// Requests through `transport` as the client `component`.
    pub fn new(transport: SharedTransport, component: &'static str) -> Self {
        let user_agent = HeaderValue::from_static(component);
        Self { client: Client::new(std::sync::Arc::new(Named { transport, user_agent }), "https://kubernetes.default") }
    }

    /// Sends a request with a JSON body of the given media type and reads the JSON answer.
    ///
    /// # Errors
    /// [`ApiError`]; a failure's `Status` is in it.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let body = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
        self.client.json(Request::new(method, path).body(media_type, body)).await
    }

    /// Reads one object.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, resource: &Resource, key: &Key) -> Result<Value, ApiError> {
        self.client.json(Request::get(path(resource, &key.namespace, &key.name, None))).await
    }

    /// Lists a whole resource: its objects, with kind and apiVersion filled in, and the list's resourceVersion. Objects
    /// in namespaces come without `managedFields`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn list(&self, resource: &Resource) -> Result<(Vec<Value>, String), ApiError> {
        let answer = self.client.call(Request::get(path(resource, "", "", None))).await?;
        let mut list = match is_namespaced(resource) {
            true => Part::List.read(&answer.body).map_err(|error| ApiError::Decode(error.to_string()))?,
            false => answer.json()?,
        };
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

    /// Watches a whole resource from a revision, as [`Api::list`] shows it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn watch(&self, resource: &Resource, revision: &str) -> Result<Watch, ApiError> {
        let request = Request::get(path(resource, "", "", None))
            .query("watch", "true")
            .query("allowWatchBookmarks", "true")
            .query("resourceVersion", revision);
        let watch = self.client.watch(request).await?;
        Ok(if is_namespaced(resource) { watch.without_managed_fields() } else { watch })
    }
}
