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
use crate::apiserver::store::{Entry, Page, StoreError};
use crate::apiserver::{respond, table};
use crate::object::{Status, Value};

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
    /// Objects in the resource's form, read already because a selector needed them.
    objects: Option<Vec<Value>>,
    revision: u64,
    continue_token: String,
    remaining: Option<usize>,
}

/// Answers a list.
///
/// # Errors
///
/// 400 and 422 for bad options, 410 for a state that is gone, 504 for one that does not come.
pub async fn list(request: &Request) -> Answer {
    if matches!(request.accepted.form, Form::Metadata(_)) {
        return Err(respond::is_a_list(request));
    }
    let options = ListOptions::of(request, false)?;
    let (page, from_start) = page(request, &options).await?;
    let found = select(request, &options, page, from_start);
    render(request, &found)
}

fn invalid_version(why: &str) -> Status {
    Status::bad_request(format!("invalid resource version: {why}"))
}

/// The entries from which the list is made, before selectors and limit; whether it is a first page.
async fn page(request: &Request, options: &ListOptions) -> Result<(Page, bool), Status> {
    let store = &request.core.store;
    let prefix = request.resource.namespace_prefix(request.namespace());
    if !options.continue_token.is_empty() {
        if !options.resource_version.is_empty() && options.resource_version != "0" {
            return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
        }
        let token = Continue::parse(&options.continue_token)?;
        let start = format!("{}{}", request.resource.prefix, token.start);
        if token.revision == 0 {
            return Ok((store.list(&prefix, Some(&start)), false));
        }
        return match store.list_at(&prefix, Some(&start), token.revision) {
            Ok(page) => Ok((page, false)),
            Err(StoreError::Compacted(_)) => Err(expired_continue(&token)),
            Err(error) => Err(store_failure(&error)),
        };
    }
    if options.resource_version.is_empty() {
        return Ok((store.list(&prefix, None), true));
    }
    let revision = options::parse_resource_version(&options.resource_version).map_err(|why| invalid_version(&why))?;
    if revision > store.revision() && !store.reached(revision, get::FRESHNESS_WAIT).await {
        return Err(get::too_large(revision, store.revision()));
    }
    // A limited list of a version that is not 0 means exactly that version, for the sake of old clients.
    let exact = options.resource_version_match == "Exact"
        || (options.resource_version_match.is_empty() && options.limit > 0 && revision > 0);
    if exact {
        return store.list_at(&prefix, None, revision).map(|page| (page, true)).map_err(|e| store_failure(&e));
    }
    Ok((store.list(&prefix, None), true))
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
fn select(request: &Request, options: &ListOptions, page: Page, _first: bool) -> Found {
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
        return Found { entries, objects: None, revision, continue_token, remaining };
    }
    let (mut entries, mut objects) = (Vec::new(), Vec::new());
    let mut continue_token = String::new();
    for entry in page.entries {
        let object = request.resource.shown(request.resource.stored_object(&entry));
        if !options.selects(&object) {
            continue;
        }
        if entries.len() == limit {
            continue_token = token_after(request, revision, entries.last());
            break;
        }
        entries.push(entry);
        objects.push(object);
    }
    Found { entries, objects: Some(objects), revision, continue_token, remaining: None }
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

fn objects(request: &Request, found: &Found) -> Vec<Value> {
    match &found.objects {
        Some(objects) => objects.clone(),
        None => {
            let resource = &request.resource;
            found.entries.iter().map(|entry| resource.shown(resource.stored_object(entry))).collect()
        }
    }
}

fn render(request: &Request, found: &Found) -> Answer {
    let (resource, accepted) = (&request.resource, &request.accepted);
    let list_meta = list_meta(found);
    match &accepted.form {
        Form::Table(version) => {
            let table = table::of_objects(request, version, &objects(request, found), &list_meta)?;
            Ok(respond::value(200, &table, accepted))
        }
        Form::Metadata(version) | Form::MetadataList(version) => {
            let items: Vec<Value> =
                objects(request, found).iter().map(|object| respond::metadata_only(object, version)).collect();
            let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": list_meta,
                "items": items,
            });
            Ok(respond::value(200, &list, accepted))
        }
        Form::Object if plain(request) => Ok(respond::bytes(200, "application/json", raw(request, found, &list_meta))),
        Form::Object => {
            let mut items = objects(request, found);
            let mut list_meta = list_meta;
            if resource.custom {
                // Lists of custom resources say that nothing follows.
                list_meta["continue"] = found.continue_token.as_str().into();
            } else {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    item.remove("apiVersion");
                    item.remove("kind");
                }
            }
            let list = json!({
                "kind": resource.kind.list_kind(),
                "apiVersion": resource.kind.api_version(),
                "metadata": list_meta,
                "items": items,
            });
            Ok(respond::value(200, &list, accepted))
        }
    }
}

/// Whether the stored texts are what the client gets. Those of custom resources may not fit their schema any more.
fn plain(request: &Request) -> bool {
    let (resource, accepted) = (&request.resource, &request.accepted);
    accepted.encoding == Encoding::Json && !accepted.pretty && resource.conversion.is_none() && !resource.custom
}

/// The list put together from the stored texts, which need no parsing.
fn raw(request: &Request, found: &Found, list_meta: &Value) -> Bytes {
    let kind = &request.resource.kind;
    let (api_version, name) = (kind.api_version(), &kind.kind);
    let size: usize = found.entries.iter().map(|entry| entry.json.len() + 64).sum();
    let mut out = Vec::with_capacity(size + 256);
    let head =
        format!("{{\"kind\":\"{name}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{list_meta},\"items\":[");
    out.extend_from_slice(head.as_bytes());
    for (i, entry) in found.entries.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&entry.json);
    }
    out.extend_from_slice(b"]}\n");
    Bytes::from(out)
}
