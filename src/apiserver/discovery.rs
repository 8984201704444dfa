//! Discovery: groups, versions and resources, in the classic and the aggregated form.

use http::{HeaderValue, Response, header};
use serde_json::json;

use crate::kinds::table::Group;
use crate::kinds::{self, Kind, Kinds};
use crate::object::{Status, Value, json as go_json};

use super::negotiate::{self, Accepted};
use super::respond;
use super::service::Body;

/// The `APIVersions` at `/api`.
pub fn versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

fn group_value(group: &Group) -> Value {
    let version = |version: &str| json!({"groupVersion": format!("{}/{version}", group.group), "version": version});
    json!({
        "name": group.group,
        "versions": group.versions.iter().map(|v| version(v)).collect::<Vec<_>>(),
        "preferredVersion": version(&group.preferred),
    })
}

/// The `APIGroupList` at `/apis`.
pub fn groups(kinds: &Kinds) -> Value {
    let groups: Vec<Value> = kinds.groups().iter().filter(|group| !group.group.is_empty()).map(group_value).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// The `APIGroup` at `/apis/GROUP`.
pub fn group(kinds: &Kinds, name: &str) -> Option<Value> {
    let mut value = kinds.groups().iter().find(|group| group.group == name && !name.is_empty()).map(group_value)?;
    value["kind"] = "APIGroup".into();
    value["apiVersion"] = "v1".into();
    Some(value)
}

/// The `APIResourceList` at `/api/v1` and `/apis/GROUP/VERSION`.
pub fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    kinds.groups().iter().find(|g| g.group == group && g.versions.iter().any(|v| v == version))?;
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let rows = kinds.rows().iter().filter(|kind| kind.group == group && kind.version == version);
    let resources: Vec<Value> = rows.flat_map(|kind| classic_rows(kind)).collect();
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    // The list of the core group, which is older than its kind, does not say its version.
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    Some(list)
}

fn classic_rows(kind: &Kind) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut row = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if let Some(shown) = &kind.response_kind {
        if shown.group != kind.group {
            row["group"] = shown.group.as_str().into();
        }
        if shown.version != kind.version || shown.group != kind.group {
            row["version"] = shown.version.as_str().into();
        }
    }
    if !kind.short_names.is_empty() {
        row["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        row["categories"] = json!(kind.categories);
    }
    if !kind.storage_version_hash.is_empty() {
        row["storageVersionHash"] = kind.storage_version_hash.as_str().into();
    }
    rows.push(row);
    for subresource in &kind.subresources {
        let mut row = json!({
            "name": format!("{}/{}", kind.plural, subresource.name),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": subresource.kind,
            "verbs": subresource.verbs,
        });
        if let Some(group) = &subresource.group {
            row["group"] = group.as_str().into();
        }
        if let Some(version) = &subresource.version {
            row["version"] = version.as_str().into();
        }
        rows.push(row);
    }
    rows
}

/// The aggregated form: every resource of the core group, or of all others.
pub fn aggregated(kinds: &Kinds, core: bool, api_version: &str) -> Value {
    let groups = kinds.groups().iter().filter(|group| group.group.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|group| {
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|version| {
                    let rows = kinds.rows().iter().filter(|k| k.group == group.group && &k.version == version);
                    let mut value = json!({"version": version, "freshness": "Current"});
                    let rows: Vec<Value> = rows.map(|kind| aggregated_row(kind)).collect();
                    if !rows.is_empty() {
                        value["resources"] = Value::Array(rows);
                    }
                    value
                })
                .collect();
            let metadata = if core { json!({}) } else { json!({"name": group.group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{api_version}"),
        "metadata": {},
        "items": items,
    })
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

fn aggregated_row(kind: &Kind) -> Value {
    // The reference server leaves group and version of built-in kinds empty where they are the resource's own.
    let own = |name: &str, custom: bool| if custom { name.to_owned() } else { String::new() };
    let custom = !Kinds::builtin().groups().iter().any(|group| group.group == kind.group);
    let shown = match &kind.response_kind {
        Some(shown) => response_kind(&shown.group, &shown.version, &shown.kind),
        None => response_kind(&own(&kind.group, custom), &own(&kind.version, custom), &kind.kind),
    };
    let mut row = json!({
        "resource": kind.plural,
        "responseKind": shown,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        row["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        row["categories"] = json!(kind.categories);
    }
    if !kind.subresources.is_empty() {
        let rows: Vec<Value> = kind
            .subresources
            .iter()
            .map(|sub| {
                let group = sub.group.clone().unwrap_or_else(|| own(&kind.group, custom));
                let version = sub.version.clone().unwrap_or_else(|| own(&kind.version, custom));
                json!({
                    "subresource": sub.name,
                    "responseKind": response_kind(&group, &version, &sub.kind),
                    "verbs": sub.verbs,
                })
            })
            .collect();
        row["subresources"] = Value::Array(rows);
    }
    row
}

/// Answers `/api` and `/apis`, where clients may ask for the aggregated form.
///
/// # Errors
///
/// 406.
pub fn root(
    kinds: &Kinds,
    core: bool,
    address: &str,
    accept: &str,
    if_none_match: &str,
) -> Result<Response<Body>, Status> {
    for clause in negotiate::clauses(accept) {
        let version = clause.parameter("v");
        let wanted = clause.media_type == "application/json"
            && clause.parameter("g") == "apidiscovery.k8s.io"
            && clause.parameter("as") == "APIGroupDiscoveryList"
            && matches!(version, "v2" | "v2beta1");
        if wanted {
            return Ok(aggregated_answer(kinds, core, version, if_none_match));
        }
        if clause.parameters.is_empty() {
            break;
        }
    }
    let accepted = negotiate::accept(accept, false)?;
    let value = if core { versions(address) } else { groups(kinds) };
    Ok(respond::value(200, &value, &accepted))
}

fn aggregated_answer(kinds: &Kinds, core: bool, version: &str, if_none_match: &str) -> Response<Body> {
    let text = go_json::to_compact(&aggregated(kinds, core, version)) + "\n";
    let digest = ring::digest::digest(&ring::digest::SHA512, text.as_bytes());
    let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let tag = format!("\"{hash}\"");
    let mut response = if if_none_match.split(',').any(|known| known.trim() == tag) {
        let mut response = Response::new(Body::Full(Default::default()));
        *response.status_mut() = http::StatusCode::NOT_MODIFIED;
        response
    } else {
        let media_type = match version {
            "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        };
        respond::bytes(200, media_type, text)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
    response
}

/// What the server says about its version.
pub fn version(accepted: &Accepted) -> Response<Body> {
    respond::value(200, &Value::Object(kinds::version::info().clone()), &Accepted { pretty: true, ..accepted.clone() })
}
