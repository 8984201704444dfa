//! Requests as data; nothing here does I/O.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::error::{About, Error};
use crate::kinds::Kind;

/// What Go's `url.QueryEscape` leaves as it is, beside letters and digits; a space becomes `+`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
/// What stands in a path segment unescaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b':')
    .remove(b'=')
    .remove(b'@');

/// The path of a collection; an empty namespace, or a kind without namespaces, is the whole cluster.
pub fn collection_path(kind: &Kind, namespace: &str) -> String {
    let prefix = kind.group_version().url_prefix();
    if namespace.is_empty() || !kind.namespaced {
        return format!("{prefix}/{}", kind.plural);
    }
    format!("{prefix}/namespaces/{}/{}", segment(namespace), kind.plural)
}

/// The path of an object; `subresource` may be empty.
pub fn object_path(kind: &Kind, namespace: &str, name: &str, subresource: &str) -> String {
    let object = format!("{}/{}", collection_path(kind, namespace), segment(name));
    if subresource.is_empty() { object } else { format!("{object}/{subresource}") }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// What a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Label selector, or empty.
    pub labels: String,
    /// Field selector, or empty.
    pub fields: String,
    /// Objects per page, 0 for all at once.
    pub limit: i64,
    /// From which version on, or empty.
    pub resource_version: String,
    /// The resource as messages name it where the server does not say.
    pub about: String,
}

/// A request to the API, relative to the server.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    accept: String,
    content_type: &'static str,
    body: Bytes,
    about: About,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            accept: "application/json".into(),
            content_type: "application/json",
            body: Bytes::new(),
            about: About::default(),
        }
    }

    /// Reads.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Creates.
    pub fn post(path: impl Into<String>, object: &Value) -> Self {
        Self::new(Method::POST, path).json(object)
    }

    /// Replaces.
    pub fn put(path: impl Into<String>, object: &Value) -> Self {
        Self::new(Method::PUT, path).json(object)
    }

    /// Changes; `media_type` names the kind of patch.
    pub fn patch(path: impl Into<String>, media_type: &'static str, patch: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Method::PATCH, path);
        request.content_type = media_type;
        request.body = patch.into();
        request
    }

    /// Deletes; `options` are `DeleteOptions`.
    pub fn delete(path: impl Into<String>, options: &Value) -> Self {
        Self::new(Method::DELETE, path).json(options)
    }

    /// The request with an object as its body.
    #[must_use]
    pub fn json(mut self, object: &Value) -> Self {
        self.body = Bytes::from(object.to_string());
        self
    }

    /// The request with any body.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.content_type = content_type;
        self.body = body.into();
        self
    }

    /// The request with a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// The request with a query parameter, unless it is empty.
    #[must_use]
    pub fn query_some(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.query(name, value) }
    }

    /// The request with what a list is asked for.
    #[must_use]
    pub fn list_options(self, options: &ListOptions) -> Self {
        let limit = if options.limit > 0 { options.limit.to_string() } else { String::new() };
        self.query_some("labelSelector", &options.labels)
            .query_some("fieldSelector", &options.fields)
            .query_some("limit", &limit)
            .query_some("resourceVersion", &options.resource_version)
    }

    /// The request for another form of the answer.
    #[must_use]
    pub fn accept(mut self, accept: &str) -> Self {
        accept.clone_into(&mut self.accept);
        self
    }

    /// The request with the resource and name that messages speak of where the server does not say.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>, name: impl Into<String>) -> Self {
        self.about = About { resource: resource.into(), name: name.into() };
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Path and query; parameters sorted by name, as Go sends them.
    pub fn uri(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut query = self.query.clone();
        query.sort_by(|a, b| a.0.cmp(&b.0));
        let escape = |text: &str| utf8_percent_encode(text, QUERY).to_string().replace(' ', "+");
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let separator = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.path, pairs.join("&"))
    }

    /// The request for a transport.
    ///
    /// # Errors
    /// The path or a header holds what HTTP cannot carry.
    pub fn to_http(&self) -> Result<http::Request<Bytes>, Error> {
        let mut builder = http::Request::builder().method(self.method.clone()).uri(self.uri());
        builder = builder.header(http::header::ACCEPT, &self.accept);
        if !self.body.is_empty() {
            builder = builder.header(http::header::CONTENT_TYPE, self.content_type);
        }
        builder.body(self.body.clone()).map_err(|error| Error::Request(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::object::GroupVersionKind;

    #[test]
    fn paths_and_queries() {
        let kind = Kinds::builtin().by_gvk(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("built in");
        assert_eq!(object_path(kind, "n", "a b", "scale"), "/apis/apps/v1/namespaces/n/deployments/a%20b/scale");
        assert_eq!(collection_path(kind, ""), "/apis/apps/v1/deployments");
        let options = ListOptions { labels: "a in (b, c)".into(), limit: 500, ..ListOptions::default() };
        let request = Request::get("/api/v1/pods").list_options(&options);
        assert_eq!(request.uri(), "/api/v1/pods?labelSelector=a+in+%28b%2C+c%29&limit=500");
    }
}
