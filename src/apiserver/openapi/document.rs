//! One OpenAPI v3 document.

use std::collections::BTreeSet;

use serde_json::json;

use crate::kinds::{Kinds, version};
use crate::object::{Map, Value};

use super::super::registry::{Resource, Snapshot};
use super::{operations, schemas};

/// Whether a group is one of the server's own.
pub fn is_builtin_group(group: &str) -> bool {
    Kinds::builtin().groups().iter().any(|known| known.group == group)
}

/// The document at a path below `/openapi/v3/`, such as `apis/apps/v1`.
pub fn of(snapshot: &Snapshot, name: &str) -> Option<Value> {
    let parts: Vec<&str> = name.split('/').collect();
    let paths = match parts.as_slice() {
        ["api"] => operations::plain("/api/", "getCoreAPIVersions", "core", Some("APIVersions")),
        ["apis"] => operations::plain("/apis/", "getAPIVersions", "apis", Some("APIGroupList")),
        ["version"] => operations::plain("/version/", "getCodeVersion", "version", None),
        [".well-known", "openid-configuration"] => operations::text(
            "/.well-known/openid-configuration/",
            "getServiceAccountIssuerOpenIDConfiguration",
            "WellKnown",
            "application/json",
        ),
        ["openid", "v1", "jwks"] => operations::text(
            "/openid/v1/jwks/",
            "getServiceAccountIssuerOpenIDKeyset",
            "openid",
            "application/jwk-set+json",
        ),
        ["apis", group] if is_builtin_group(group) && !group.is_empty() => {
            let id = format!("get{}APIGroup", operations::group_prefix(group));
            operations::plain(&format!("/apis/{group}/"), &id, &operations::tag(group, ""), Some("APIGroup"))
        }
        ["api", version] => group_version(snapshot, "", version)?,
        ["apis", group, version] => group_version(snapshot, group, version)?,
        _ => return None,
    };
    let custom: Vec<&Resource> = match parts.as_slice() {
        ["apis", group, version] => resources(snapshot, group, version).filter(|resource| resource.custom).collect(),
        _ => Vec::new(),
    };
    Some(assemble(snapshot, paths, &custom, &parts))
}

/// Whether a document tells of custom resources.
pub fn has_custom(snapshot: &Snapshot, name: &str) -> bool {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["apis", group, version] => resources(snapshot, group, version).any(|resource| resource.custom),
        _ => false,
    }
}

fn resources<'a>(snapshot: &'a Snapshot, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Resource> {
    let rows = snapshot.kinds.rows().iter().filter(move |kind| kind.group == group && kind.version == version);
    rows.filter_map(|kind| snapshot.by_gvr(&kind.gvr()).map(AsRef::as_ref))
}

fn group_version(snapshot: &Snapshot, group: &str, version: &str) -> Option<Map<String, Value>> {
    let known = snapshot.kinds.groups().iter().find(|g| g.group == group)?;
    known.versions.iter().find(|known| *known == version)?;
    let builtin = is_builtin_group(group);
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let mut paths = Map::new();
    if builtin {
        let id = format!("get{}{}APIResources", operations::group_prefix(group), operations::capital(version));
        paths = operations::plain(&format!("{root}/"), &id, &operations::tag(group, version), Some("APIResourceList"));
    }
    for resource in resources(snapshot, group, version) {
        operations::resource(&mut paths, &root, resource);
    }
    Some(paths)
}

/// The whole document: paths, and every schema that they lead to.
fn assemble(snapshot: &Snapshot, paths: Map<String, Value>, custom: &[&Resource], parts: &[&str]) -> Value {
    // Documents of custom resources are made by another builder, which has a version of its own.
    let (title, shown) = match custom.is_empty() {
        true => ("Kubernetes", format!("{}.{}", version::field("major"), version::field("minor"))),
        false => ("Kubernetes CRD Swagger", "v0.1.0".to_owned()),
    };
    let mut wanted = BTreeSet::new();
    let paths = Value::Object(paths);
    schemas::references(&paths, &mut wanted);
    let components = schemas::closure(snapshot, wanted, custom, parts);
    let mut all = Map::new();
    if !components.is_empty() {
        all.insert("schemas".into(), Value::Object(components));
    }
    let own = if custom.is_empty() {
        json!({"BearerToken": {
            "type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header",
        }})
    } else {
        Value::Null
    };
    if !own.is_null() {
        all.insert("securitySchemes".into(), own);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": title, "version": shown},
        "paths": paths,
        "components": all,
    })
}
