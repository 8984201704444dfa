//! From a request to the verb that answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, header};

use crate::kinds::{Kind, Kinds};
use crate::object::duration::GoDuration;
use crate::object::{GroupVersionResource, Status, Value};

use super::auth::audit::Audited;
use super::auth::{self, UserInfo};
use super::context::{Answer, Request};
use super::core::Core;
use super::negotiate::{self, Accepted};
use super::query::Query;
use super::registry::Snapshot;
use super::request::RequestInfo;
use super::service::{Body, MAX_REQUEST_BYTES, Peer, TooLarge};
use super::{crd, discovery, health, respond, subresource, tokens, verbs};

/// Serves one request: authentication, limits, authorization, the answer.
pub async fn serve(core: &Arc<Core>, request: http::Request<Bytes>, peer: &Peer) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::parse(&parts.method, parts.uri.path(), &query);
    let accept = accept_header(&parts);
    let fallback = negotiate::accept(&accept, false).unwrap_or_default();
    let plain = Accepted { form: negotiate::Form::Object, ..fallback };
    let received = core.now();
    let mut response = match guarded(core, &parts, body, query.clone(), info.clone(), &accept, peer).await {
        Ok(response) => response,
        Err(status) => respond::status(&status, &plain),
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(http::HeaderValue::from_static("no-cache, private"));
    if let Some(log) = &core.audit {
        let uri = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let audited = Audited { received, uri, headers: &parts.headers, peer, info: &info, query: &query };
        log.write(core, &audited, response.status());
    }
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::Full(Bytes::new());
    }
    response
}

fn accept_header(parts: &http::request::Parts) -> String {
    let values: Vec<&str> = parts.headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    values.join(",")
}

/// Counts a request that is under way.
struct InFlight<'a>(&'a Core);

impl<'a> InFlight<'a> {
    fn enter(core: &'a Core) -> Result<Self, Status> {
        let before = core.in_flight.fetch_add(1, Ordering::Relaxed);
        let guard = Self(core);
        if before >= core.config.max_requests_inflight {
            let mut status = Status::failure(429, "TooManyRequests", "Too many requests, please try again later.");
            status.details_mut().retry_after_seconds = 1;
            return Err(status);
        }
        Ok(guard)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn guarded(
    core: &Arc<Core>,
    parts: &http::request::Parts,
    body: Bytes,
    query: Query,
    info: RequestInfo,
    accept: &str,
    peer: &Peer,
) -> Answer {
    let user = core.auth.authenticate(core, &parts.headers, peer)?;
    let long = info.verb == "watch" || subresource::is_long(&info);
    let _counted = if long || peer.in_process { None } else { Some(InFlight::enter(core)?) };
    core.auth.authorize(core, &user, &auth::Attributes::of(&info, &query))?;
    let snapshot = core.registry.snapshot();
    if parts.extensions.get::<TooLarge>().is_some() || body.len() > MAX_REQUEST_BYTES {
        return Err(too_large());
    }
    if !info.is_resource {
        return other_path(core, &snapshot, parts, &query, &info, accept);
    }
    let limit = if long { None } else { Some(time_limit(&query, core.config.request_timeout)?) };
    let answer = resource_path(core, snapshot, parts, body, query, info, accept, user);
    match limit {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(timed_out())),
    }
}

/// How long a request may take: what its `timeout` says, but no longer than the server's own limit.
fn time_limit(query: &Query, most: Duration) -> Result<Duration, Status> {
    let Some(text) = query.get("timeout") else { return Ok(most) };
    let wanted = GoDuration::parse(text)
        .map_err(|why| Status::bad_request(format!("invalid timeout specified in the request URL - {why}")))?;
    let wanted = u64::try_from(wanted.0).map(Duration::from_nanos).unwrap_or_default();
    Ok(if wanted.is_zero() || wanted > most { most } else { wanted })
}

/// 504 for a request that was not answered in time.
fn timed_out() -> Status {
    let message = "Timeout: request did not complete within the allotted timeout";
    Status::failure(504, "Timeout", message).with_details(Default::default())
}

fn too_large() -> Status {
    let message = format!("Request entity too large: limit is {MAX_REQUEST_BYTES}");
    Status::failure(413, "RequestEntityTooLarge", message)
}

/// Answers paths that are no resource: discovery, health, version.
fn other_path(
    core: &Core,
    snapshot: &Arc<Snapshot>,
    parts: &http::request::Parts,
    query: &Query,
    info: &RequestInfo,
    accept: &str,
) -> Answer {
    let segments: Vec<&str> = info.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let reads = parts.method == Method::GET;
    let header = |name| parts.headers.get(name).and_then(|v: &http::HeaderValue| v.to_str().ok()).unwrap_or_default();
    let address = format!("{}:{}", core.config.advertise_address, core.config.port);
    let kinds = &snapshot.kinds;
    let known = header(header::IF_NONE_MATCH);
    match segments.as_slice() {
        ["version"] if reads => Ok(discovery::version(&negotiate::accept(accept, false)?)),
        ["api"] if reads => discovery::root(kinds, true, &address, accept, known),
        ["apis"] => discovery::root(kinds, false, &address, accept, known),
        [".well-known", "openid-configuration"] if reads => {
            let keys = format!("https://{address}/openid/v1/jwks");
            document(
                &tokens::discovery_document(&core.config.service_account_issuer, &keys),
                "application/json",
                accept,
            )
        }
        ["openid", "v1", "jwks"] if reads => document(&core.tokens.key_set(), "application/jwk-set+json", accept),
        ["api", version] if reads => listed(discovery::resources(kinds, "", version), accept),
        ["api" | "version", ..] if !reads => Err(respond::method_not_allowed()),
        ["apis", group] if snapshot.has_group(group) => listed(discovery::group(kinds, group), accept),
        ["apis", group, version] if snapshot.has_group(group) => {
            if reads {
                listed(discovery::resources(kinds, group, version), accept)
            } else {
                Err(respond::method_not_allowed())
            }
        }
        ["openapi", rest @ ..] if reads => {
            super::openapi::answer(&core.documents, snapshot, rest, &info.path, query, accept, known)
        }
        [name @ ("healthz" | "livez" | "readyz"), check @ ..] => Ok(health::answer(name, &check.join("/"), query)),
        [] if reads => paths(snapshot, accept),
        _ => Ok(respond::page_not_found()),
    }
}

/// The paths at the root, as `kubectl get --raw /` shows them.
fn paths(snapshot: &Snapshot, accept: &str) -> Answer {
    let mut paths =
        vec!["/.well-known/openid-configuration".to_owned(), "/api".into(), "/api/v1".into(), "/apis".into()];
    for group in snapshot.kinds.groups().iter().filter(|group| !group.group.is_empty()) {
        paths.push(format!("/apis/{}", group.group));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{}/{version}", group.group)));
    }
    paths.extend(
        ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"]
            .map(String::from),
    );
    paths.sort_unstable();
    Ok(respond::value(
        200,
        &serde_json::json!({"paths": paths}),
        &Accepted { pretty: true, ..negotiate::accept(accept, false)? },
    ))
}

/// A document that exists as one media type only.
fn document(value: &Value, media_type: &'static str, accept: &str) -> Answer {
    let clauses = negotiate::clauses(accept);
    let takes = |clause: &negotiate::Clause| {
        matches!(clause.media_type.as_str(), "*/*" | "application/*" | "") || clause.media_type.as_str() == media_type
    };
    if !clauses.is_empty() && !clauses.iter().any(takes) {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {media_type}");
        return Err(Status::failure(406, "NotAcceptable", message).with_details(Default::default()));
    }
    let text = crate::object::json::to_compact(value);
    Ok(respond::bytes(200, media_type, text))
}

fn listed(found: Option<Value>, accept: &str) -> Answer {
    let value = found.ok_or_else(respond::resource_not_found)?;
    Ok(respond::value(200, &value, &negotiate::accept(accept, false)?))
}

#[expect(clippy::too_many_arguments, reason = "the parts of a request")]
async fn resource_path(
    core: &Arc<Core>,
    snapshot: Arc<Snapshot>,
    parts: &http::request::Parts,
    body: Bytes,
    query: Query,
    info: RequestInfo,
    accept: &str,
    user: UserInfo,
) -> Answer {
    let Some(resource) = snapshot.by_gvr(&info.gvr()).cloned() else {
        if info.group.is_empty() || Kinds::builtin().groups().iter().any(|group| group.group == info.group) {
            return Err(respond::resource_not_found());
        }
        return Ok(respond::page_not_found());
    };
    let verb = if resource.custom {
        match crd::route::verb_of(&parts.method, &info, &resource)? {
            crd::route::Routed::Verb(verb) => verb,
            crd::route::Routed::NoPage => return Ok(respond::page_not_found()),
        }
    } else {
        verb_of(&parts.method, &info, &resource.kind)?
    };
    let accepted = if subresource::is_long(&info) {
        Accepted::default()
    } else {
        negotiate::accept(accept, info.verb == "watch")?
    };
    let request = Request::new(core.clone(), snapshot, resource, info, parts, query, body, user, accepted);
    let request = Arc::new(request);
    if let Some((_, _, warning)) = DEPRECATED.iter().find(|(group, plural, _)| {
        *group == request.resource.group() && *plural == request.resource.plural() && !request.resource.custom
    }) {
        request.warn(*warning);
    }
    if let Some(warning) = request.resource.strategy.deprecation() {
        request.warn(warning);
    }
    let mut answer = match dispatch(&request, verb).await {
        Ok(response) => response,
        Err(status) => {
            let plain = Accepted { form: negotiate::Form::Object, ..request.accepted.clone() };
            respond::status(&status, &plain)
        }
    };
    respond::add_warnings(&mut answer, &request.take_warnings());
    Ok(answer)
}

/// Built-in resources whose use is discouraged, with what every answer says.
const DEPRECATED: &[(&str, &str, &str)] = &[
    ("", "componentstatuses", "v1 ComponentStatus is deprecated in v1.19+"),
    ("", "endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
];

async fn dispatch(request: &Arc<Request>, verb: &'static str) -> Answer {
    if subresource::is_own(request) {
        return subresource::answer(request, verb).await;
    }
    if request.resource.kind.group.is_empty() && request.resource.plural() == "bindings" {
        return subresource::pod::bind(request).await;
    }
    if auth::reviews::serves(request) {
        return auth::reviews::create(request).await;
    }
    match verb {
        "create" => verbs::create::create(request).await,
        "get" => verbs::get::get(request).await,
        "list" => verbs::list::list(request.clone()).await,
        "watch" => verbs::watch::watch(request.clone()).await,
        "update" => verbs::update::update(request).await,
        "patch" => verbs::patch::patch(request).await,
        "delete" => verbs::delete::delete(request).await,
        "deletecollection" => verbs::delete::delete_collection(request).await,
        _ => Err(respond::method_not_allowed()),
    }
}

/// Which verb a method means at a path, and whether the resource serves it there.
fn verb_of(method: &Method, info: &RequestInfo, kind: &Kind) -> Result<&'static str, Status> {
    let in_namespace = !info.namespace.is_empty() && info.resource != "namespaces";
    let collection = info.name.is_empty() || (info.watch_path || matches!(info.verb.as_str(), "list" | "watch"));
    let misplaced = in_namespace && !kind.namespaced;
    // Objects with a namespace have no path without it; their collection over all namespaces is only read.
    let homeless = kind.namespaced && !in_namespace;
    if misplaced || (homeless && !collection) || (info.watch_path && !info.subresource.is_empty()) {
        return Err(respond::resource_not_found());
    }
    if !info.subresource.is_empty() {
        return subresource_verb(method, info, kind);
    }
    let has = |verb| kind.has_verb(verb);
    let verb = match (method.as_str(), collection) {
        ("GET", true) if info.verb == "watch" && has("watch") => "watch",
        ("GET", true) if info.verb == "list" && has("list") => "list",
        ("POST", true) if has("create") && !homeless => "create",
        ("DELETE", true) if has("deletecollection") && !homeless => "deletecollection",
        ("GET", false) if has("get") => "get",
        ("PUT", false) if has("update") => "update",
        ("PATCH", false) if has("patch") => "patch",
        ("DELETE", false) if has("delete") => "delete",
        // A resource without objects of its own has no paths for them.
        (_, false) if !["get", "update", "patch", "delete"].iter().any(|verb| has(verb)) => {
            return Err(respond::resource_not_found());
        }
        _ => return Err(respond::method_not_allowed()),
    };
    Ok(verb)
}

fn subresource_verb(method: &Method, info: &RequestInfo, kind: &Kind) -> Result<&'static str, Status> {
    let Some(sub) = kind.subresource(&info.subresource) else { return Err(respond::resource_not_found()) };
    if !info.rest.is_empty() && info.subresource != "proxy" {
        return Err(respond::resource_not_found());
    }
    let verb = match method.as_str() {
        "GET" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => return Err(respond::method_not_allowed()),
    };
    if sub.verbs.iter().any(|v| v == verb) { Ok(verb) } else { Err(respond::method_not_allowed()) }
}

/// The resource of a group, version and plural in a snapshot, as an answer's failure if there is none.
///
/// # Errors
///
/// 404.
pub fn find(
    snapshot: &Snapshot,
    group: &str,
    version: &str,
    plural: &str,
) -> Result<Arc<super::registry::Resource>, Status> {
    snapshot.by_gvr(&GroupVersionResource::new(group, version, plural)).cloned().ok_or_else(respond::resource_not_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_may_ask_for_less_time() {
        let most = Duration::from_secs(60);
        let limit = |query: &str| time_limit(&Query::parse(query), most).map_err(|status| status.message);
        assert_eq!(limit(""), Ok(most));
        assert_eq!(limit("timeout=1500ms"), Ok(Duration::from_millis(1500)));
        for query in ["timeout=0s", "timeout=-1s", "timeout=2m"] {
            assert_eq!(limit(query), Ok(most), "{query}");
        }
        let expected = "invalid timeout specified in the request URL - time: missing unit in duration \"5\"";
        assert_eq!(limit("timeout=5"), Err(expected.to_owned()));
        assert_eq!((timed_out().code, timed_out().reason.as_str()), (504, "Timeout"));
    }
}
