//! The reviews: requests that ask who one is and what one may do, and store nothing.

use serde_json::{Map, json};

use crate::object::field::{Error, ErrorList, Path};
use crate::object::selector::FieldSelector;
use crate::object::{GroupKind, Status, Value, meta};

use super::{Attributes, UserInfo, node};
use crate::apiserver::admission::Operation;
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::timestamp;
use crate::apiserver::options::WriteOptions;
use crate::apiserver::verbs::create::check_namespace;
use crate::apiserver::{managed, respond};

const AUTHORIZATION: &str = "authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Makes the status of a review that has been validated.
type Review = fn(&Request, &mut Value) -> Result<(), Status>;

/// The review of a resource, if the resource is one.
fn review_of(group: &str, plural: &str) -> Option<Review> {
    let review: Review = match (group, plural) {
        (AUTHORIZATION, "selfsubjectaccessreviews") => self_access,
        (AUTHORIZATION, "subjectaccessreviews") => access,
        (AUTHORIZATION, "localsubjectaccessreviews") => local_access,
        (AUTHORIZATION, "selfsubjectrulesreviews") => rules,
        (AUTHENTICATION, "selfsubjectreviews") => who_am_i,
        (AUTHENTICATION, "tokenreviews") => token,
        _ => return None,
    };
    Some(review)
}

/// Whether a request is for a review.
pub fn serves(request: &Request) -> bool {
    review_of(request.resource.group(), request.resource.plural()).is_some()
}

/// Answers POST of a review.
///
/// # Errors
///
/// 400, 403, 422.
pub async fn create(request: &Request) -> Answer {
    let resource = &request.resource;
    let Some(review) = review_of(resource.group(), resource.plural()) else {
        return Err(respond::resource_not_found());
    };
    let options = WriteOptions::of(request, "CreateOptions")?;
    let decoded = resource.strategy.decode(resource, &request.body, request.body_encoding()?)?;
    options.report(request, decoded.strict)?;
    let mut object = decoded.object;
    check_namespace(request, &object)?;
    if resource.kind.namespaced {
        meta::set(&mut object, &["metadata", "namespace"], &*request.info.namespace);
    }
    managed::update(request, &mut object, None, &[], &managed::Writer::of(request, &options));
    let sent = json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": options.field_manager});
    let mut attributes = request.attributes(Operation::Create, Some(object), None, sent, options.dry_run);
    request.core.admission.admit(&request.core, &mut attributes).await?;
    let mut object = attributes.object.clone().unwrap_or_default();
    review(request, &mut object)?;
    let judged = request.core.admission.validate(&request.core, &mut attributes).await;
    request.warn_all(std::mem::take(&mut attributes.warnings));
    judged?;
    respond::object(request, 201, &object)
}

/// The refusal of a review; its kind is not named, for the internal object has none.
fn invalid(errors: &ErrorList) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    let kind = GroupKind { group: AUTHORIZATION.into(), kind: String::new() };
    Err(Status::invalid(&kind, "", errors))
}

fn attributes_of<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    meta::get(object, &["spec", name]).filter(|value| !value.is_null())
}

/// Metadata must be empty but for field ownership (and `but`). The message shows it in the order of the Go structure.
fn check_metadata(object: &Value, but: &str, why: &str, errors: &mut ErrorList) {
    let empty = Map::new();
    let metadata = meta::map_at(object, &["metadata"]).unwrap_or(&empty);
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if metadata.iter().all(|(name, value)| name == "managedFields" || name == but || is_empty(value)) {
        return;
    }
    let mut error = Error::invalid(&Path::new("metadata"), Value::Null, why);
    error.shown = Some(shown_metadata(metadata));
    errors.push(error);
}

/// The fields of metadata and of an entry of field ownership in the order in which Go declares them.
const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];
const MANAGED: &[&str] = &["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"];

fn in_order(map: &Map<String, Value>, order: &[&str], show: impl Fn(&str, &Value) -> String) -> String {
    let fields = order.iter().filter_map(|name| map.get(*name).map(|value| (name, value)));
    let texts: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{}", show(name, value))).collect();
    format!("{{{}}}", texts.join(","))
}

fn shown_metadata(metadata: &Map<String, Value>) -> String {
    let compact = crate::object::json::to_compact;
    in_order(metadata, METADATA, |name, value| match value {
        Value::Array(entries) if name == "managedFields" => {
            let texts: Vec<String> = entries
                .iter()
                .filter_map(Value::as_object)
                .map(|entry| in_order(entry, MANAGED, |_, value| compact(value)))
                .collect();
            format!("[{}]", texts.join(","))
        }
        _ => compact(value),
    })
}

/// Paths and verbs of `nonResourceAttributes` as messages show them.
fn shown_path(value: &Value) -> String {
    let text = |field| crate::object::json::to_compact(&meta::str_at(value, &[field]).into());
    format!("{{\"Path\":{},\"Verb\":{}}}", text("path"), text("verb"))
}

/// `ValidateSubjectAccessReviewSpec` and, for `own`, `ValidateSelfSubjectAccessReviewSpec`.
fn check_spec(object: &Value, own: bool, errors: &mut ErrorList) {
    let spec = Path::new("spec");
    let resource = attributes_of(object, "resourceAttributes");
    let path = attributes_of(object, "nonResourceAttributes");
    match (resource, path) {
        (Some(_), Some(path)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            let mut error = Error::invalid(&spec.child("nonResourceAttributes"), Value::Null, why);
            error.shown = Some(shown_path(path));
            errors.push(error);
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.push(Error::invalid(&spec.child("resourceAttributes"), Value::Null, why));
        }
        _ => {}
    }
    let user = meta::str_at(object, &["spec", "user"]);
    if !own && user.is_empty() && meta::list_at(object, &["spec", "groups"]).is_empty() {
        errors.push(Error::invalid(&spec.child("user"), "", "at least one of user or group must be specified"));
    }
    if let Some(resource) = resource {
        for name in ["fieldSelector", "labelSelector"] {
            if let Some(selector) = resource.get(name).filter(|selector| !selector.is_null()) {
                check_selector(selector, &spec.child("resourceAttributes").child(name), errors);
            }
        }
    }
}

fn check_selector(selector: &Value, path: &Path, errors: &mut ErrorList) {
    let raw = meta::str_at(selector, &["rawSelector"]);
    let requirements = meta::list_at(selector, &["requirements"]);
    if !raw.is_empty() && !requirements.is_empty() {
        errors.push(Error::invalid(
            &path.child("rawSelector"),
            raw,
            "may not specified at the same time as requirements",
        ));
    }
    if raw.is_empty() && requirements.is_empty() {
        let why = format!("when {path} is specified, requirements or rawSelector is required");
        errors.push(Error::required(&path.child("requirements"), why));
    }
    for (at, requirement) in requirements.iter().enumerate() {
        let path = path.child("requirements").index(at);
        if meta::str_at(requirement, &["key"]).is_empty() {
            errors.push(Error::required(&path.child("key"), "must be specified"));
        }
        let values = meta::list_at(requirement, &["values"]);
        match meta::str_at(requirement, &["operator"]) {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(Error::required(&path.child("values"), why));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(Error::forbidden(&path.child("values"), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.push(Error::invalid(&path.child("operator"), other, "not a valid selector operator"));
            }
        }
    }
}

/// What the spec of an access review asks.
fn asked(object: &Value) -> Attributes {
    if let Some(resource) = attributes_of(object, "resourceAttributes") {
        let text = |field| meta::str_at(resource, &[field]).to_owned();
        let raw = meta::str_at(resource, &["fieldSelector", "rawSelector"]);
        return Attributes {
            verb: text("verb"),
            group: text("group"),
            version: text("version"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
            path: String::new(),
            resource_request: true,
            fields: selector_of(resource).or_else(|| FieldSelector::parse(raw).ok()).unwrap_or_default(),
        };
    }
    let path = attributes_of(object, "nonResourceAttributes").unwrap_or(&Value::Null);
    let text = |field| meta::str_at(path, &[field]).to_owned();
    Attributes { verb: text("verb"), path: text("path"), ..Attributes::default() }
}

/// The single-valued requirements of a field selector in parts.
fn selector_of(resource: &Value) -> Option<FieldSelector> {
    let requirements = meta::list_at(resource, &["fieldSelector", "requirements"]);
    requirements.iter().find_map(|requirement| {
        let [value] = meta::list_at(requirement, &["values"]) else { return None };
        let key = meta::str_at(requirement, &["key"]);
        (meta::str_at(requirement, &["operator"]) == "In")
            .then(|| FieldSelector::equals(key, value.as_str().unwrap_or_default()))
    })
}

fn subject(object: &Value) -> UserInfo {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let text = |field| meta::str_at(object, &["spec", field]).to_owned();
    let extra = meta::map_at(object, &["spec", "extra"]).into_iter().flatten();
    UserInfo {
        name: text("user"),
        uid: text("uid"),
        groups: meta::get(object, &["spec", "groups"]).map(texts).unwrap_or_default(),
        extra: extra.map(|(key, values)| (key.to_lowercase(), texts(values))).collect(),
    }
}

fn decide(request: &Request, object: &mut Value, user: &UserInfo) {
    let decision = request.core.auth.decide(&request.core, user, &asked(object));
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = decision.reason.into();
    }
    meta::set(object, &["status"], status);
}

fn self_access(request: &Request, object: &mut Value) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    check_spec(object, true, &mut errors);
    check_metadata(object, "", "must be empty", &mut errors);
    invalid(&errors)?;
    decide(request, object, &request.user);
    Ok(())
}

fn access(request: &Request, object: &mut Value) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    check_spec(object, false, &mut errors);
    check_metadata(object, "", "must be empty", &mut errors);
    invalid(&errors)?;
    let user = subject(object);
    decide(request, object, &user);
    Ok(())
}

fn local_access(request: &Request, object: &mut Value) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    check_spec(object, false, &mut errors);
    check_metadata(object, "namespace", "must be empty except for namespace", &mut errors);
    let spec = Path::new("spec");
    if let Some(resource) = attributes_of(object, "resourceAttributes") {
        let namespace = meta::str_at(resource, &["namespace"]);
        if namespace != meta::namespace(object) {
            let path = spec.child("resourceAttributes").child("namespace");
            errors.push(Error::invalid(&path, namespace, "must match metadata.namespace"));
        }
    }
    if let Some(path) = attributes_of(object, "nonResourceAttributes") {
        let why = "disallowed on this kind of request";
        let mut error = Error::invalid(&spec.child("nonResourceAttributes"), Value::Null, why);
        error.shown = Some(shown_path(path));
        errors.push(error);
    }
    invalid(&errors)?;
    let user = subject(object);
    decide(request, object, &user);
    Ok(())
}

fn rules(request: &Request, object: &mut Value) -> Result<(), Status> {
    let namespace = meta::str_at(object, &["spec", "namespace"]).to_owned();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let core = &request.core;
    let (rules, mut problems) = core.auth.rbac().rules_for(&core.store, &request.user, &namespace);
    let mut status = json!({"resourceRules": [], "nonResourceRules": [], "incomplete": false});
    for rule in rules {
        let (resources, urls) = rule.reviewed();
        let parts = [("resourceRules", resources), ("nonResourceRules", urls)];
        for (name, part) in parts.into_iter().filter_map(|(name, part)| part.map(|part| (name, part))) {
            if let Some(list) = status[name].as_array_mut() {
                list.push(part);
            }
        }
    }
    if node::identity(&request.user).is_some() {
        problems.insert(0, "node authorizer does not support user rule resolution".into());
        status["incomplete"] = true.into();
    }
    match problems.as_slice() {
        [] => {}
        [one] => status["evaluationError"] = one.as_str().into(),
        many => status["evaluationError"] = format!("[{}]", many.join(", ")).into(),
    }
    meta::set(object, &["spec"], json!({}));
    meta::set(object, &["metadata"], json!({}));
    meta::set(object, &["status"], status);
    Ok(())
}

fn who_am_i(request: &Request, object: &mut Value) -> Result<(), Status> {
    let now = timestamp(request.core.now());
    meta::set(object, &["metadata"], json!({"creationTimestamp": now}));
    meta::set(object, &["status"], json!({"userInfo": request.user.to_value()}));
    Ok(())
}

fn token(request: &Request, object: &mut Value) -> Result<(), Status> {
    let token = meta::str_at(object, &["spec", "token"]);
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let listed = meta::list_at(object, &["spec", "audiences"]);
    let audiences: Vec<String> = listed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let status = match request.core.auth.review_token(&request.core, token, &audiences) {
        Ok((user, audiences)) => {
            json!({"authenticated": true, "user": user.to_value(), "audiences": audiences})
        }
        Err(why) => json!({"user": {}, "error": why}),
    };
    meta::set(object, &["status"], status);
    Ok(())
}
