//! `scale`: the number of replicas of whatever has one.

use std::sync::Arc;

use serde_json::json;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::managed::{self, ScaleOwners, Writer};
use crate::apiserver::options::WriteOptions;
use crate::apiserver::verbs::patch::{Patch, bare, patch_type, refused_patch};
use crate::apiserver::verbs::update::{self, Plan};
use crate::apiserver::verbs::{apply, get};
use crate::apiserver::{decode, respond};
use crate::object::field::{Error, Path};
use crate::object::selector::LabelSelector;
use crate::object::{GroupKind, GroupVersionKind, Status, Value, meta};
use crate::patch::apply::PatchType;

/// Answers a request for `scale`.
///
/// # Errors
///
/// 400, 404, 409, 422.
pub async fn answer(request: &Arc<Request>, verb: &'static str) -> Answer {
    match verb {
        "get" => respond::object(request, 200, &read(request, &get::read(request)?)?),
        "update" => put(request).await,
        _ => patch(request).await,
    }
}

fn kind() -> GroupVersionKind {
    GroupVersionKind::new("autoscaling", "v1", "Scale")
}

/// The fields of a path such as `.spec.replicas`.
fn fields(path: &str) -> Vec<&str> {
    path.trim_start_matches('.').split('.').collect()
}

/// Where the wanted replicas stand.
fn replicas_path(request: &Request) -> Vec<&str> {
    request.resource.strategy.scale_paths().map_or_else(|| vec!["spec", "replicas"], |paths| fields(&paths.spec))
}

/// The scale of a custom resource, whose replicas must be there when it is read.
fn read(request: &Request, object: &Value) -> Result<Value, Status> {
    if let Some(paths) = request.resource.strategy.scale_paths()
        && meta::get(object, &fields(&paths.spec)).is_none()
    {
        let why = format!("the spec replicas field {} does not exist", crate::object::go::quote(&paths.spec));
        return Err(Status::internal(why));
    }
    Ok(of_object(request, object))
}

/// The scale of an object.
pub fn of_object(request: &Request, object: &Value) -> Value {
    let custom = request.resource.strategy.scale_paths();
    let status_path = custom.map_or_else(|| vec!["status", "replicas"], |paths| fields(&paths.status));
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta::get(object, &["metadata", field]) {
            metadata[field] = value.clone();
        }
    }
    let mut spec = json!({});
    let replicas = meta::int_at(object, &replicas_path(request)).unwrap_or_default();
    if replicas != 0 {
        spec["replicas"] = replicas.into();
    }
    let mut status = json!({"replicas": meta::int_at(object, &status_path).unwrap_or_default()});
    let selector = match custom {
        Some(paths) if paths.selector.is_empty() => String::new(),
        Some(paths) => meta::str_at(object, &fields(&paths.selector)).to_owned(),
        None => selector_text(object),
    };
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}

/// The selector of an object: a structure, or a plain map as replication controllers have it.
fn selector_text(object: &Value) -> String {
    let Some(selector) = meta::get(object, &["spec", "selector"]) else { return String::new() };
    let structured = selector.get("matchLabels").is_some_and(Value::is_object)
        || selector.get("matchExpressions").is_some_and(Value::is_array);
    let selector = match (structured, selector.as_object()) {
        (false, Some(map)) => LabelSelector::from_set(map),
        _ => LabelSelector::from_struct(selector).unwrap_or_default(),
    };
    selector.to_string()
}

async fn put(request: &Arc<Request>) -> Answer {
    let options = WriteOptions::of(request, "UpdateOptions")?;
    let decoded = decode::of_kind(&kind(), &request.body, request.body_encoding()?)?;
    options.report(request, decoded.strict)?;
    let scale = decoded.object;
    update::require_name(request, &scale)?;
    let writer = Writer::of(request, &options);
    change(request, &options, "UpdateOptions", &|request, live| {
        Ok(managed::update_scale(request, scale.clone(), live, &writer))
    })
    .await
}

async fn patch(request: &Arc<Request>) -> Answer {
    let patch_type = patch_type(request)?;
    let options = WriteOptions::of(request, "PatchOptions")?;
    if patch_type == PatchType::Apply {
        return apply_config(request, &options).await;
    }
    let patch = Patch::parse(request, patch_type)?;
    let writer = Writer::of(request, &options);
    change(request, &options, "PatchOptions", &|request, live| {
        let mut bare_live = live.clone();
        meta::remove(&mut bare_live, &["metadata", "managedFields"]);
        let patched = patch.apply_as(request, &bare_live, &kind())?;
        let decoded = decode::value_of_kind(&kind(), patched)
            .map_err(|status| refused_patch(&patch.shown(&bare_live), bare(&status.message)))?;
        Ok(managed::update_scale(request, decoded.object, live, &writer))
    })
    .await
}

/// Server-side apply of a scale: replicas have owners like every other field.
async fn apply_config(request: &Arc<Request>, options: &WriteOptions) -> Answer {
    let config = apply::read_config(request, options)?;
    let writer = Writer::of(request, options);
    change(request, options, "PatchOptions", &|request, live| {
        apply::check_config(request, &config)?;
        let applied = managed::apply_scale(request, live, &config, &writer, options.force)?;
        let decoded = decode::value_of_kind(&kind(), applied)?;
        options.report(request, decoded.strict)?;
        Ok(decoded.object)
    })
    .await
}

/// Makes the new scale of the present one, both with the owners of the replicas.
type NewScale<'a> = &'a (dyn Fn(&Request, &Value) -> Result<Value, Status> + Send + Sync);

async fn change(request: &Request, options: &WriteOptions, options_kind: &'static str, new: NewScale<'_>) -> Answer {
    let plan = Plan {
        options,
        options_kind,
        subresource: "scale",
        create: false,
        owns_fields: true,
        is_patch: options_kind == "PatchOptions",
    };
    let updated = update::change(request, &plan, &|old| {
        let old = old.ok_or_else(|| request.not_found())?;
        let owners = ScaleOwners::of(request, old);
        let mut live = of_object(request, old);
        owners.show(&mut live);
        let scale = new(request, &live)?;
        validate(request, &scale)?;
        let mut object = old.clone();
        let replicas = meta::int_at(&scale, &["spec", "replicas"]).unwrap_or_default();
        meta::set(&mut object, &replicas_path(request), replicas);
        meta::set(&mut object, &["metadata", "resourceVersion"], meta::resource_version(&scale));
        let uid = meta::uid(&scale);
        if !uid.is_empty() {
            meta::set(&mut object, &["metadata", "uid"], uid);
        }
        owners.store(&scale, &mut object);
        Ok(object)
    })
    .await?;
    respond::object(request, 200, &of_object(request, &updated.object.into_object(request)))
}

fn validate(request: &Request, scale: &Value) -> Result<(), Status> {
    // Replicas of custom resources are judged with the object that they belong to.
    let custom = request.resource.strategy.scale_paths().is_some();
    let name = meta::name(scale);
    if !name.is_empty() && name != request.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.info.name
        )));
    }
    let replicas = meta::int_at(scale, &["spec", "replicas"]).unwrap_or_default();
    if replicas >= 0 || custom {
        return Ok(());
    }
    let path = Path::new("spec").child("replicas");
    let error = Error::invalid(&path, replicas, "must be greater than or equal to 0");
    let kind = GroupKind { group: "autoscaling".into(), kind: "Scale".into() };
    Err(Status::invalid(&kind, name, &vec![error]))
}
