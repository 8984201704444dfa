//! OpenAPI: `/openapi/v3` with a document for each group version, and `/openapi/v2`.
//!
//! Documents are made from the table of kinds and the schema of their fields. They are kept as text until the set of
//! resources changes; those of built-in resources for good.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::object::{Value, json as go_json};

use super::context::Answer;
use super::negotiate;
use super::query::Query;
use super::registry::Snapshot;
use super::respond;
use super::service::Body;

mod document;
mod operations;
mod protobuf;
mod schemas;
mod swagger;

/// Paths outside of group versions that have documents.
const OTHERS: [&str; 5] = ["api", "apis", "version", ".well-known/openid-configuration", "openid/v1/jwks"];

/// One document, with the hash under which clients keep it.
struct Document {
    json: Bytes,
    hash: String,
}

/// The documents of one set of resources.
#[derive(Default)]
pub struct Documents {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    of: Option<Arc<Snapshot>>,
    documents: BTreeMap<String, Arc<Document>>,
    index: Option<Arc<Document>>,
    swagger: Option<Arc<Document>>,
}

fn hash(text: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA512, text);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Document {
    fn new(value: &Value) -> Arc<Self> {
        let json = Bytes::from(go_json::to_compact(value));
        let hash = hash(&json);
        Arc::new(Self { json, hash })
    }

    /// The document again; few ask for it, and its tree takes many times the room of its text.
    fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }
}

/// All paths that have documents.
fn names(snapshot: &Snapshot) -> Vec<String> {
    let mut names: Vec<String> = OTHERS.iter().map(|name| (*name).to_owned()).collect();
    for group in snapshot.kinds.groups() {
        let custom = !document::is_builtin_group(&group.group);
        let root = if group.group.is_empty() { "api".to_owned() } else { format!("apis/{}", group.group) };
        if !group.group.is_empty() && !custom {
            names.push(root.clone());
        }
        names.extend(group.versions.iter().map(|version| format!("{root}/{version}")));
    }
    names.sort();
    names
}

impl Documents {
    fn with<T>(&self, snapshot: &Arc<Snapshot>, run: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, snapshot)) {
            let mut documents = std::mem::take(&mut state.documents);
            let former = state.of.take();
            let changes = |name: &str| {
                let custom = |of: &Snapshot| document::has_custom(of, name);
                former.as_deref().is_some_and(custom) || custom(snapshot)
            };
            documents.retain(|name, _| !changes(name));
            *state = State { of: Some(snapshot.clone()), documents, ..State::default() };
        }
        run(&mut state)
    }

    fn document(state: &mut State, snapshot: &Snapshot, name: &str) -> Option<Arc<Document>> {
        if let Some(known) = state.documents.get(name) {
            return Some(known.clone());
        }
        let made = Document::new(&document::of(snapshot, name)?);
        state.documents.insert(name.to_owned(), made.clone());
        Some(made)
    }

    fn get(&self, snapshot: &Arc<Snapshot>, name: &str) -> Option<Arc<Document>> {
        self.with(snapshot, |state| Self::document(state, snapshot, name))
    }

    fn index(&self, snapshot: &Arc<Snapshot>) -> Arc<Document> {
        self.with(snapshot, |state| {
            if let Some(index) = &state.index {
                return index.clone();
            }
            let mut paths = serde_json::Map::new();
            for name in names(snapshot) {
                let Some(document) = Self::document(state, snapshot, &name) else { continue };
                let url = format!("/openapi/v3/{name}?hash={}", document.hash);
                paths.insert(name, json!({"serverRelativeURL": url}));
            }
            let index = Document::new(&json!({"paths": paths}));
            state.index = Some(index.clone());
            index
        })
    }

    fn swagger(&self, snapshot: &Arc<Snapshot>) -> Arc<Document> {
        self.with(snapshot, |state| {
            if let Some(swagger) = &state.swagger {
                return swagger.clone();
            }
            let names = names(snapshot);
            let all: Vec<Arc<Document>> =
                names.iter().filter_map(|name| Self::document(state, snapshot, name)).collect();
            let swagger = Document::new(&swagger::of(all.iter().map(|document| document.value())));
            state.swagger = Some(swagger.clone());
            swagger
        })
    }
}

/// Form of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Protobuf,
}

const PROTOBUF_V3: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
];

/// The first is what kubectl asks for.
const PROTOBUF_V2: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

fn form(accept: &str, protobuf: &[&str]) -> Option<Form> {
    let clauses = negotiate::clauses(accept);
    if accept.trim().is_empty() {
        return Some(Form::Json);
    }
    clauses.iter().find_map(|clause| match clause.media_type.as_str() {
        "application/json" | "*/*" | "application/*" => Some(Form::Json),
        other if protobuf.contains(&other) => Some(Form::Protobuf),
        _ => None,
    })
}

/// Answers a request below `/openapi`.
///
/// # Errors
///
/// None at present; the type is that of all answers.
pub fn answer(
    documents: &Documents,
    snapshot: &Arc<Snapshot>,
    segments: &[&str],
    path: &str,
    query: &Query,
    accept: &str,
    known: &str,
) -> Answer {
    if path.ends_with('/') {
        return Ok(empty(StatusCode::NOT_FOUND));
    }
    match segments {
        ["v2"] => Ok(swagger_answer(documents, snapshot, accept, known)),
        ["v3"] => {
            let index = documents.index(snapshot);
            let mut response = respond::bytes(200, "text/plain; charset=utf-8", index.json.clone());
            set_tag(&mut response, &index.hash);
            Ok(response)
        }
        ["v3", rest @ ..] => Ok(document_answer(documents, snapshot, &rest.join("/"), query, accept, known)),
        _ => Ok(respond::page_not_found()),
    }
}

fn set_tag(response: &mut Response<Body>, hash: &str) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Full(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn matches(known: &str, hash: &str) -> bool {
    known.split(',').any(|tag| tag.trim().trim_start_matches("W/").trim_matches('"') == hash)
}

fn swagger_answer(documents: &Documents, snapshot: &Arc<Snapshot>, accept: &str, known: &str) -> Response<Body> {
    let Some(form) = form(accept, &PROTOBUF_V2) else { return empty(StatusCode::NOT_ACCEPTABLE) };
    let swagger = documents.swagger(snapshot);
    let mut response = match form {
        _ if matches(known, &swagger.hash) => empty(StatusCode::NOT_MODIFIED),
        Form::Json => respond::bytes(200, "application/json", swagger.json.clone()),
        Form::Protobuf => respond::bytes(200, PROTOBUF_V2[1], protobuf::swagger(&swagger.value())),
    };
    set_tag(&mut response, &swagger.hash);
    response
}

fn document_answer(
    documents: &Documents,
    snapshot: &Arc<Snapshot>,
    name: &str,
    query: &Query,
    accept: &str,
    known: &str,
) -> Response<Body> {
    let Some(document) = documents.get(snapshot, name) else { return empty(StatusCode::NOT_FOUND) };
    let Some(form) = form(accept, &PROTOBUF_V3) else { return empty(StatusCode::NOT_ACCEPTABLE) };
    let asked = query.get("hash").unwrap_or_default();
    if !asked.is_empty() && asked != document.hash {
        let mut response = empty(StatusCode::MOVED_PERMANENTLY);
        if let Ok(url) = HeaderValue::from_str(&format!("/openapi/v3/{name}?hash={}", document.hash)) {
            response.headers_mut().insert(header::LOCATION, url);
        }
        return response;
    }
    let mut response = if matches(known, &document.hash) {
        empty(StatusCode::NOT_MODIFIED)
    } else {
        match form {
            Form::Json => respond::bytes(200, "application/json", document.json.clone()),
            Form::Protobuf => respond::bytes(200, PROTOBUF_V3[1], protobuf::document(&document.value())),
        }
    };
    set_tag(&mut response, &document.hash);
    if !asked.is_empty() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    }
    response
}
