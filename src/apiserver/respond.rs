//! Answers: objects, lists, tables, statuses and texts as bytes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::kinds::rules;
use crate::manifest;
use crate::object::{Status, Value, json as go_json, meta};

use super::context::{Answer, Request};
use super::negotiate::{Accepted, Encoding, Form};
use super::service::Body;
use super::store::Entry;
use super::table;

/// A whole answer of a media type.
pub fn bytes(code: u16, media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Full(body.into()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Plain text.
pub fn text(code: u16, text: impl Into<String>) -> Response<Body> {
    let mut response = bytes(code, "text/plain; charset=utf-8", text.into());
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// What a mux says of a path that it does not know.
pub fn page_not_found() -> Response<Body> {
    text(404, "404 page not found\n")
}

/// A value as JSON or YAML.
pub fn value(code: u16, value: &Value, accepted: &Accepted) -> Response<Body> {
    match accepted.encoding {
        Encoding::Yaml => bytes(code, "application/yaml", manifest::to_yaml(value)),
        Encoding::Json if accepted.pretty => bytes(code, "application/json", go_json::to_indented(value, "  ") + "\n"),
        // Clients of protobuf read JSON as well.
        Encoding::Json | Encoding::Protobuf => bytes(code, "application/json", go_json::to_compact(value) + "\n"),
    }
}

/// A failure.
pub fn status(status: &Status, accepted: &Accepted) -> Response<Body> {
    let mut response = value(status.code, &status.to_value(), accepted);
    if let Some(seconds) = status.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// 404 for a path below a known group.
pub fn resource_not_found() -> Status {
    let message = "the server could not find the requested resource";
    Status::failure(404, "NotFound", message).with_details(Default::default())
}

/// 405.
pub fn method_not_allowed() -> Status {
    let message = "the server does not allow this method on the requested resource";
    Status::failure(405, "MethodNotAllowed", message).with_details(Default::default())
}

/// Adds `Warning` headers.
pub fn add_warnings(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
}

/// The metadata of an object alone.
pub fn metadata_only(object: &Value, version: &str) -> Value {
    let mut partial = json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    });
    for annotation in rules::of(&meta::gvk(object).group_kind()).field_annotations {
        meta::remove(&mut partial, &["metadata", "annotations", annotation]);
        if meta::map_at(&partial, &["metadata", "annotations"]).is_some_and(serde_json::Map::is_empty) {
            meta::remove(&mut partial, &["metadata", "annotations"]);
        }
    }
    partial
}

/// Appends the metadata alone of a stored object as JSON.
pub fn write_metadata(out: &mut Vec<u8>, request: &Request, entry: &Entry, version: &str) {
    let resource = &request.resource;
    let unchanged = resource.shows_stored_text() && rules::of(&resource.kind.group_kind()).field_annotations.is_empty();
    if let (true, Some(metadata)) = (unchanged, entry.metadata_text()) {
        let head =
            format!("{{\"apiVersion\":\"meta.k8s.io/{version}\",\"kind\":\"PartialObjectMetadata\",\"metadata\":");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(metadata.as_bytes());
        out.push(b'}');
        return;
    }
    let object = resource.shown(resource.stored_object(entry));
    out.extend_from_slice(go_json::to_compact(&metadata_only(&object, version)).as_bytes());
}

/// The Go name of a resource's internal type, as 406 messages show it.
fn internal_name(request: &Request) -> String {
    if request.resource.custom {
        return "*unstructured.Unstructured".to_owned();
    }
    let stored = &request.resource.stored;
    format!("*{}.{}", super::scheme::internal_package(stored), stored.kind)
}

/// An object in the form that the client asked for. `object` is in the form of the resource, or is the kind of a
/// subresource.
pub fn object(request: &Request, code: u16, object: &Value) -> Answer {
    let accepted = &request.accepted;
    match &accepted.form {
        Form::Object => Ok(value(code, object, accepted)),
        Form::Metadata(version) => Ok(value(code, &metadata_only(object, version), accepted)),
        Form::MetadataList(_) => Err(Status::failure(
            406,
            "NotAcceptable",
            format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list ({})",
                internal_name(request)
            ),
        )),
        Form::Table(version) => {
            let table = table::of_objects(
                request,
                version,
                std::slice::from_ref(object),
                &json!({
                    "resourceVersion": meta::resource_version(object)
                }),
            )?;
            Ok(value(code, &table, accepted))
        }
    }
}

/// What an answer shows of a stored object.
pub enum Shown {
    /// The object in the resource's form.
    Object(Value),
    /// As it is stored.
    Entry(Arc<Entry>),
}

impl Shown {
    /// The object in the resource's form.
    pub fn into_object(self, request: &Request) -> Value {
        match self {
            Self::Object(object) => object,
            Self::Entry(entry) => read(request, &entry),
        }
    }
}

fn read(request: &Request, entry: &Entry) -> Value {
    request.resource.shown(request.resource.stored_object(entry))
}

/// As [`object`]; the text of what is stored is sent as it is where the form allows it.
///
/// # Errors
///
/// As [`object`].
pub fn shown(request: &Request, code: u16, shown: &Shown) -> Answer {
    let (accepted, resource) = (&request.accepted, &request.resource);
    let entry = match shown {
        Shown::Object(object) => return self::object(request, code, object),
        Shown::Entry(entry) => entry,
    };
    let compact = accepted.encoding != Encoding::Yaml && !accepted.pretty;
    if !compact || accepted.form != Form::Object || !resource.shows_stored_text() {
        return object(request, code, &read(request, entry));
    }
    let head = format!("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",", resource.kind.kind, resource.kind.api_version());
    let rest = entry.json.get(1..).unwrap_or_default();
    let mut text = Vec::with_capacity(head.len() + rest.len() + 1);
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(rest);
    text.push(b'\n');
    Ok(bytes(code, "application/json", text))
}

/// A status that is an answer to a request that succeeded; no form but the object's own exists of it.
pub fn success(request: &Request, code: u16, status: &Value) -> Response<Body> {
    value(code, status, &request.accepted)
}

/// The refusal of `PartialObjectMetadata` for a list.
pub fn is_a_list(request: &Request) -> Status {
    Status::failure(
        406,
        "NotAcceptable",
        format!(
            "you requested PartialObjectMetadata, but the requested object is a list ({}List)",
            internal_name(request)
        ),
    )
}
