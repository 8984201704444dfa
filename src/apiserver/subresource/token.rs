//! `serviceaccounts/token`: signed tokens.

use chrono::Duration;
use serde_json::json;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::timestamp;
use crate::apiserver::options::WriteOptions;
use crate::apiserver::verbs::get;
use crate::apiserver::{decode, respond};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{GroupKind, GroupVersionKind, Status, Value, meta};

use super::review::Review;

/// Seconds for which a token is good when the request does not say.
const DEFAULT_SECONDS: i64 = 3600;

/// Kinds that a token can be bound to, with their resource.
const BINDABLE: &[(&str, &str)] = &[("Pod", "pods"), ("Secret", "secrets"), ("Node", "nodes")];

fn invalid(name: &str, errors: &ErrorList) -> Status {
    let kind = GroupKind { group: "authentication.k8s.io".into(), kind: "TokenRequest".into() };
    Status::invalid(&kind, name, errors)
}

/// Answers POST of a token request.
///
/// # Errors
///
/// 400, 404, 409, 422.
pub async fn create(request: &Request) -> Answer {
    let options = WriteOptions::of(request, "CreateOptions")?;
    let kind = GroupVersionKind::new("authentication.k8s.io", "v1", "TokenRequest");
    let decoded = decode::of_kind(&kind, &request.body, request.body_encoding()?)?;
    options.report(request, decoded.strict)?;
    let review = Review::of_creation(request, decoded.object, &options).await?;
    let asked = review.object();
    let account = get::read(request)?;
    check_name(request, &asked)?;
    let seconds = meta::int_at(&asked, &["spec", "expirationSeconds"]).unwrap_or(DEFAULT_SECONDS);
    check_seconds(&asked, seconds)?;
    let issuer = request.core.config.service_account_issuer.clone();
    let mut audiences: Vec<Value> = meta::list_at(&asked, &["spec", "audiences"]).to_vec();
    if audiences.is_empty() {
        audiences.push(json!(issuer));
    }
    let now = request.core.now();
    review.judge(&complete(&asked, &account, &audiences, seconds, &timestamp(now))).await?;
    let bound = meta::get(&asked, &["spec", "boundObjectRef"]).filter(|bound| !bound.is_null());
    let bound_claim = bound.map(|bound| bound_object(request, bound)).transpose()?;
    let claims = claims(request, &account, &issuer, &audiences, seconds, bound_claim.as_ref());
    let token = request.core.tokens.token(&claims);
    let token = token.ok_or_else(|| Status::internal("the token could not be signed"))?;
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": meta::name(&account),
            "namespace": meta::namespace(&account),
            "uid": meta::uid(&account),
            "creationTimestamp": timestamp(now),
        },
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": bound.cloned().unwrap_or_default(),
        },
        "status": {"token": token, "expirationTimestamp": timestamp(now + Duration::seconds(seconds))},
    });
    respond::object(request, 201, &answer)
}

/// A token request with what the server fills in, as admission judges it.
fn complete(asked: &Value, account: &Value, audiences: &[Value], seconds: i64, now: &str) -> Value {
    let mut complete = asked.clone();
    meta::set(&mut complete, &["metadata", "name"], meta::name(account));
    meta::set(&mut complete, &["metadata", "namespace"], meta::namespace(account));
    meta::set(&mut complete, &["metadata", "creationTimestamp"], now);
    meta::set(&mut complete, &["spec", "audiences"], audiences.to_vec());
    meta::set(&mut complete, &["spec", "expirationSeconds"], seconds);
    meta::set(&mut complete, &["status"], json!({"token": "", "expirationTimestamp": null}));
    complete
}

fn check_name(request: &Request, asked: &Value) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    let metadata = Path::new("metadata");
    for (field, own, what) in [
        ("name", &request.info.name, "must match the service account name if specified"),
        ("namespace", &request.info.namespace, "must match the service account namespace if specified"),
    ] {
        let given = meta::str_at(asked, &["metadata", field]);
        if !given.is_empty() && given != own {
            errors.push(Error::invalid(&metadata.child(field), given, what));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(invalid(&request.info.name, &errors)) }
}

fn check_seconds(asked: &Value, seconds: i64) -> Result<(), Status> {
    let path = Path::new("spec").child("expirationSeconds");
    let why = if seconds < 600 {
        "may not specify a duration less than 10 minutes"
    } else if seconds > 1 << 32 {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    Err(invalid(meta::name(asked), &vec![Error::invalid(&path, seconds, why)]))
}

/// The claim of the object that a token is bound to: its kind in lower case, its name and its uid.
fn bound_object(request: &Request, bound: &Value) -> Result<(String, Value), Status> {
    let kind = meta::kind(bound);
    let api_version = meta::api_version(bound);
    let row = BINDABLE.iter().find(|(known, _)| *known == kind && api_version == "v1");
    let Some((_, plural)) = row else {
        return Err(Status::bad_request(format!(
            "cannot bind token to object of type {}",
            crate::object::GroupVersion::parse(api_version).unwrap_or_default().with_kind(kind)
        )));
    };
    let name = meta::str_at(bound, &["name"]);
    let resource = crate::apiserver::route::find(&request.snapshot, "", "v1", plural)?;
    let entry = request.core.store.get(&resource.key(&request.info.namespace, name));
    let object = entry.map(|entry| entry.object("v1", kind)).ok_or_else(|| Status::not_found("", plural, name))?;
    let uid = meta::str_at(bound, &["uid"]);
    if !uid.is_empty() && uid != meta::uid(&object) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been \
             deleted and then recreated"
        );
        return Err(Status::conflict("", plural, name, &why));
    }
    Ok((kind.to_lowercase(), json!({"name": name, "uid": meta::uid(&object)})))
}

fn claims(
    request: &Request,
    account: &Value,
    issuer: &str,
    audiences: &[Value],
    seconds: i64,
    bound: Option<&(String, Value)>,
) -> Value {
    let now = request.core.now().timestamp();
    let (namespace, name) = (meta::namespace(account), meta::name(account));
    let mut own = json!({
        "namespace": namespace,
        "serviceaccount": {"name": name, "uid": meta::uid(account)},
    });
    if let Some((kind, object)) = bound {
        own[kind] = object.clone();
        if let Some(node) = node_of(request, kind, object) {
            own["node"] = node;
        }
    }
    json!({
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "nbf": now,
        "iss": issuer,
        "jti": request.core.new_uid(),
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": own,
    })
}

/// The node of the pod that a token is bound to, which the token tells as well.
fn node_of(request: &Request, kind: &str, object: &Value) -> Option<Value> {
    if kind != "pod" {
        return None;
    }
    let store = &request.core.store;
    let pod = store.get(&format!("/registry/pods/{}/{}", request.info.namespace, meta::str_at(object, &["name"])))?;
    let name = meta::str_at(&pod.object("v1", "Pod"), &["spec", "nodeName"]).to_owned();
    if name.is_empty() {
        return None;
    }
    match store.get(&format!("/registry/minions/{name}")) {
        Some(node) => Some(json!({"name": name, "uid": meta::uid(&node.object("v1", "Node"))})),
        None => Some(json!({"name": name})),
    }
}
