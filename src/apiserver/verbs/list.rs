//! GET of a collection: selectors, pages, resource versions.

use std::sync::Arc;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use bytes::Bytes;
use serde_json::json;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::store_failure;
use crate::apiserver::negotiate::{Encoding, Form};
use crate::apiserver::options::{self, ListOptions};
use crate::apiserver::service::Body;
use crate::apiserver::store::{Entry, Page, StoreError};
use crate::apiserver::{chunks, respond, table};
use crate::object::{Status, Value, json as go_json};

use super::get;

/// Where a continued list goes on.
struct Continue {
    /// Revision of the first page; 0 for a list that goes on with what there is now.
    revision: u64,
    /// Key below the resource's prefix, after which to go on.
    start: String,
}

impl Continue {
    fn parse(token: &str) -> Result<Self, Status> {
        Self::read(token)
            .map_err(|why| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}")))
    }

    fn read(token: &str) -> Result<Self, String> {
        let bytes =
            TOKEN_ENCODING.decode(token).map_err(|e| format!("illegal base64 data at input byte {}", offset(&e)))?;
        let value = crate::manifest::json_to_value(&bytes).map_err(|e| e.to_string())?;
        let version = value.get("v").and_then(Value::as_str).unwrap_or_default();
        if version != "meta.k8s.io/v1" {
            let quoted = crate::object::go::quote(version);
            return Err(format!("server does not recognize this encoded version {quoted}"));
        }
        let revision = value.get("rv").and_then(Value::as_i64).unwrap_or_default();
        if revision == 0 {
            return Err(format!("incorrect encoded start resourceVersion (version {version})"));
        }
        let start = value.get("start").and_then(Value::as_str).unwrap_or_default();
        if start.is_empty() {
            return Err(format!("encoded start key empty (version {version})"));
        }
        Ok(Self { revision: u64::try_from(revision).unwrap_or_default(), start: start.trim_end_matches('\0').into() })
    }

    fn token(revision: u64, start: &str) -> String {
        let revision = i64::try_from(revision).ok().filter(|revision| *revision > 0).unwrap_or(-1);
        let value = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{start}\0")});
        TOKEN_ENCODING.encode(value.to_string())
    }
}

/// Go's decoder does not mind bits left over at the end.
const TOKEN_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

fn offset(error: &base64::DecodeError) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        base64::DecodeError::InvalidLength(length) => *length,
        base64::DecodeError::InvalidPadding => 0,
    }
}

/// The entries of a list and how it goes on.
struct Found {
    entries: Vec<Arc<Entry>>,
    revision: u64,
    continue_token: String,
    remaining: Option<usize>,
}

/// Answers a list.
///
/// # Errors
///
/// 400 and 422 for bad options, 410 for a state that is gone, 504 for one that does not come.
pub async fn list(request: Arc<Request>) -> Answer {
    if matches!(request.accepted.form, Form::Metadata(_)) {
        return Err(respond::is_a_list(&request));
    }
    let options = ListOptions::of(&request, false)?;
    let page = page(&request, &options).await?;
    let found = select(&request, &options, page);
    render(request, found)
}

fn invalid_version(why: &str) -> Status {
    Status::bad_request(format!("invalid resource version: {why}"))
}

/// The entries from which the list is made, before selectors and limit.
async fn page(request: &Request, options: &ListOptions) -> Result<Page, Status> {
    let store = &request.core.store;
    let prefix = request.resource.namespace_prefix(request.namespace());
    if !options.continue_token.is_empty() {
        if !options.resource_version.is_empty() && options.resource_version != "0" {
            return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
        }
        let token = Continue::parse(&options.continue_token)?;
        let start = format!("{}{}", request.resource.prefix, token.start);
        if token.revision == 0 {
            return Ok(store.list(&prefix, Some(&start)));
        }
        return match store.list_at(&prefix, Some(&start), token.revision) {
            Ok(page) => Ok(page),
            Err(StoreError::Compacted(_)) => Err(expired_continue(&token)),
            Err(error) => Err(store_failure(&error)),
        };
    }
    if options.resource_version.is_empty() {
        return Ok(store.list(&prefix, None));
    }
    let revision = options::parse_resource_version(&options.resource_version).map_err(|why| invalid_version(&why))?;
    if revision > store.revision() && !store.reached(revision, get::FRESHNESS_WAIT).await {
        return Err(get::too_large(revision, store.revision()));
    }
    // A limited list of a version that is not 0 means exactly that version, for the sake of old clients.
    let exact = options.resource_version_match == "Exact"
        || (options.resource_version_match.is_empty() && options.limit > 0 && revision > 0);
    if exact {
        return store.list_at(&prefix, None, revision).map_err(|e| store_failure(&e));
    }
    Ok(store.list(&prefix, None))
}

/// 410 with a token that goes on with what there is now.
fn expired_continue(token: &Continue) -> Status {
    let mut status = Status::failure(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.continue_token = Continue::token(0, &token.start);
    status
}

/// Applies selectors and the limit.
fn select(request: &Request, options: &ListOptions, page: Page) -> Found {
    let unlimited =
        options.limit == 0 || (options.resource_version == "0" && options.resource_version_match.is_empty());
    let limit = if unlimited { usize::MAX } else { options.limit };
    let total = page.entries.len();
    let revision = page.revision;
    if options.selects_everything() {
        let mut entries = page.entries;
        entries.truncate(limit);
        let more = entries.len() < total;
        let continue_token = if more { token_after(request, revision, entries.last()) } else { String::new() };
        let remaining = more.then(|| total - entries.len());
        return Found { entries, revision, continue_token, remaining };
    }
    let fields = options.fields_needed();
    let mut entries = Vec::new();
    let mut continue_token = String::new();
    for entry in page.entries {
        if !options.selects(&request.resource.shown_part(&entry, fields)) {
            continue;
        }
        if entries.len() == limit {
            continue_token = token_after(request, revision, entries.last());
            break;
        }
        entries.push(entry);
    }
    Found { entries, revision, continue_token, remaining: None }
}

fn token_after(request: &Request, revision: u64, last: Option<&Arc<Entry>>) -> String {
    let key = last.map(|entry| &*entry.key).unwrap_or_default();
    Continue::token(revision, key.strip_prefix(request.resource.prefix.as_str()).unwrap_or(key))
}

fn list_meta(found: &Found) -> Value {
    let mut list_meta = json!({"resourceVersion": found.revision.to_string()});
    if !found.continue_token.is_empty() {
        list_meta["continue"] = found.continue_token.as_str().into();
    }
    if let Some(remaining) = found.remaining {
        list_meta["remainingItemCount"] = remaining.into();
    }
    list_meta
}

/// An entry as an object in the resource's form.
fn object(request: &Request, entry: &Entry) -> Value {
    request.resource.shown(request.resource.stored_object(entry))
}

fn render(request: Arc<Request>, found: Found) -> Answer {
    let list_meta = list_meta(&found);
    match request.accepted.form.clone() {
        Form::Table(version) => render_table(request, found, &version, &list_meta),
        Form::Metadata(version) | Form::MetadataList(version) => {
            Ok(render_metadata(request, found, &version, &list_meta))
        }
        Form::Object => Ok(render_objects(request, found, list_meta)),
    }
}

/// Whether the answer is compact JSON, which is sent piece by piece; other texts are made of the whole list.
fn in_pieces(request: &Request) -> bool {
    request.accepted.encoding != Encoding::Yaml && !request.accepted.pretty
}

fn streamed(body: Body) -> http::Response<Body> {
    let mut response = respond::bytes(200, "application/json", Bytes::new());
    *response.body_mut() = body;
    response
}

fn render_table(request: Arc<Request>, found: Found, version: &str, list_meta: &Value) -> Answer {
    if in_pieces(&request) && !table::is_sorted(&request) {
        let mut rows = table::Rows::of(request, version)?;
        let head = rows.head(list_meta);
        return Ok(streamed(chunks::list(head, found.entries, "]}\n", move |out, entry| rows.write(out, entry))));
    }
    let objects: Vec<Value> = found.entries.iter().map(|entry| object(&request, entry)).collect();
    let table = table::of_objects(&request, version, &objects, list_meta)?;
    Ok(respond::value(200, &table, &request.accepted))
}

fn render_metadata(request: Arc<Request>, found: Found, version: &str, list_meta: &Value) -> http::Response<Body> {
    let api_version = format!("meta.k8s.io/{version}");
    if in_pieces(&request) && !found.entries.is_empty() {
        let head = format!(
            "{{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"{api_version}\",\"metadata\":{list_meta},\"items\":["
        );
        let version = version.to_owned();
        let write =
            move |out: &mut Vec<u8>, entry: &Arc<Entry>| respond::write_metadata(out, &request, entry, &version);
        return streamed(chunks::list(head, found.entries, "]}\n", write));
    }
    let items: Vec<Value> =
        found.entries.iter().map(|entry| respond::metadata_only(&object(&request, entry), version)).collect();
    let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
    let list = json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": api_version,
        "metadata": list_meta,
        "items": items,
    });
    respond::value(200, &list, &request.accepted)
}

fn render_objects(request: Arc<Request>, found: Found, mut list_meta: Value) -> http::Response<Body> {
    let kind = &request.resource.kind;
    if request.resource.custom {
        // Lists of custom resources say that nothing follows.
        list_meta["continue"] = found.continue_token.as_str().into();
    }
    if in_pieces(&request) {
        let head = format!(
            "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{list_meta},\"items\":[",
            kind.list_kind(),
            kind.api_version()
        );
        return streamed(if request.resource.shows_stored_text() {
            chunks::list(head, found.entries, "]}\n", |out, entry| out.extend_from_slice(&entry.json))
        } else {
            let write = move |out: &mut Vec<u8>, entry: &Arc<Entry>| {
                out.extend_from_slice(go_json::to_compact(&item(&request, entry)).as_bytes());
            };
            chunks::list(head, found.entries, "]}\n", write)
        });
    }
    let items: Vec<Value> = found.entries.iter().map(|entry| item(&request, entry)).collect();
    let list = json!({
        "kind": kind.list_kind(),
        "apiVersion": kind.api_version(),
        "metadata": list_meta,
        "items": items,
    });
    respond::value(200, &list, &request.accepted)
}

/// An entry as an item of a list. Only those of custom resources tell their kind.
fn item(request: &Request, entry: &Entry) -> Value {
    let mut item = object(request, entry);
    if let (false, Some(fields)) = (request.resource.custom, item.as_object_mut()) {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    item
}
