//! POST to a collection.

use serde_json::json;

use crate::apiserver::admission::Operation;
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::{store_failure, timestamp};
use crate::apiserver::managed;
use crate::apiserver::options::WriteOptions;
use crate::apiserver::respond::{self, Shown};
use crate::apiserver::store::{Encoded, Expect, Write, WriteError};
use crate::apiserver::strategy::Scope;
use crate::kinds::decode::put_back;
use crate::object::field::{Error, Path};
use crate::object::{Map, Status, Value, meta};

use super::update;

/// Names longer than this are cut before five characters are put behind them.
const MAX_GENERATED_BASE: usize = 58;

/// How often a generated name that is taken is made anew.
const GENERATE_ATTEMPTS: usize = 8;

/// Answers a create.
///
/// # Errors
///
/// As the steps do: 400, 403, 404, 409, 415, 422.
pub async fn create(request: &Request) -> Answer {
    let options = WriteOptions::of(request, "CreateOptions")?;
    let encoding = request.body_encoding()?;
    let resource = &request.resource;
    let decoded = resource.strategy.decode(resource, &request.body, encoding)?;
    options.report(request, decoded.strict)?;
    let mut object = decoded.object;
    check_namespace(request, &object)?;
    resource.strategy.default(resource, &mut object);
    put_back(&mut object, &decoded.empties);
    let created = create_object(request, object, &options, false).await?;
    respond::shown(request, 201, &created)
}

/// The namespace in the object must be the one in the path.
///
/// # Errors
///
/// 400.
pub fn check_namespace(request: &Request, object: &Value) -> Result<(), Status> {
    let namespace = meta::namespace(object);
    if request.resource.kind.namespaced && !namespace.is_empty() && namespace != request.info.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Creates an object, decoded and defaulted, in the resource's form. `owned` says that field ownership has been dealt
/// with.
///
/// # Errors
///
/// 403, 404, 409, 422.
pub async fn create_object(
    request: &Request,
    object: Value,
    options: &WriteOptions,
    owned: bool,
) -> Result<Shown, Status> {
    if !meta::resource_version(&object).is_empty() && meta::resource_version(&object) != "0" {
        return Err(Status::failure(500, "", "resourceVersion should not be set on objects to be created"));
    }
    let generated = meta::name(&object).is_empty() && !meta::generate_name(&object).is_empty();
    if !generated {
        return create_once(request, object, options, owned).await;
    }
    let mut attempts = GENERATE_ATTEMPTS;
    loop {
        attempts -= 1;
        match create_once(request, object.clone(), options, owned).await {
            Err(status) if attempts > 0 && status.reason == "AlreadyExists" => {}
            Err(status) if status.reason == "AlreadyExists" => return Err(generate_conflict(status)),
            other => return other,
        }
    }
}

fn generate_conflict(mut status: Status) -> Status {
    status.message = format!("{}, the server was not able to generate a unique name for the object", status.message);
    status.details_mut().retry_after_seconds = 1;
    status
}

async fn create_once(
    request: &Request,
    mut object: Value,
    options: &WriteOptions,
    owned: bool,
) -> Result<Shown, Status> {
    let (core, resource) = (&request.core, &request.resource);
    let empties = update::take_empties(request, &mut object);
    fill_metadata(request, &mut object);
    resource.strategy.requested_by(&mut object, &request.user);
    if !owned {
        managed::update(request, &mut object, None, &[], &managed::Writer::of(request, options));
    }
    let stored = resource.to_stored(object);
    let admission_options = json!({
        "kind": "CreateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "fieldManager": options.field_manager,
    });
    let mut attributes = request.attributes(Operation::Create, Some(stored), None, admission_options, options.dry_run);
    core.admission.admit(core, &mut attributes).await?;
    let mut object = attributes.object.take().unwrap_or_default();
    require_name(request, &object)?;
    let scope = Scope { empties: &empties, ..request.scope(options.dry_run) };
    resource.strategy.allocate(&scope, &mut object, None)?;
    let outcome = finish(request, &scope, &mut object, &mut attributes, options).await;
    let written = outcome.is_ok() && !options.dry_run;
    resource.strategy.settled(&scope, Some(&object), None, written);
    outcome
}

/// Validation, admission's judgement and the write itself.
async fn finish(
    request: &Request,
    scope: &Scope<'_>,
    object: &mut Value,
    attributes: &mut crate::apiserver::admission::Attributes,
    options: &WriteOptions,
) -> Result<Shown, Status> {
    let (core, resource) = (&request.core, &request.resource);
    request.warn_all(resource.strategy.before_create(scope, object)?);
    if attributes.name.is_empty() {
        attributes.name = meta::name(object).to_owned();
    }
    attributes.object = Some(std::mem::take(object));
    let judged = core.admission.validate(core, attributes).await;
    *object = attributes.object.take().unwrap_or_default();
    request.warn_all(std::mem::take(&mut attributes.warnings));
    judged?;
    let key = resource.key(request.namespace(), meta::name(object));
    if options.dry_run {
        if let Some(existing) = core.store.get(&key) {
            return Err(already_exists(request, object, &existing.object("v1", "")));
        }
        meta::remove(object, &["metadata", "resourceVersion"]);
        return Ok(Shown::Object(resource.shown(object.clone())));
    }
    let mut writes = vec![Write { key, expect: Expect::Absent, value: Some(Encoded::new(object)) }];
    writes.extend(resource.strategy.companions(scope, Some(object), None));
    match core.store.write_all(writes).await.into_iter().next() {
        Some(Ok(entry)) => {
            resource.strategy.after_write(core, &entry).await;
            Ok(Shown::Entry(entry))
        }
        Some(Err(error)) => Err(conflict(request, object, &error)),
        None => Err(Status::internal("the store gave no answer")),
    }
}

fn conflict(request: &Request, object: &Value, error: &WriteError) -> Status {
    match error {
        WriteError::Conflict(existing) => {
            let existing = existing.as_ref().map(|entry| entry.object("v1", "")).unwrap_or_default();
            already_exists(request, object, &existing)
        }
        WriteError::Store(error) => store_failure(error),
    }
}

fn already_exists(request: &Request, object: &Value, existing: &Value) -> Status {
    let (group, plural) = (request.resource.group(), request.resource.plural());
    let mut status = Status::already_exists(group, plural, meta::name(object));
    if meta::deletion_timestamp(existing).is_some() {
        status.message = format!("object is being deleted: {}", status.message);
    }
    status
}

/// `rest.FillObjectMetaSystemFields` and what goes with it: what a client may not set on a new object.
fn fill_metadata(request: &Request, object: &mut Value) {
    let now = timestamp(request.core.now());
    let uid = request.core.new_uid();
    let namespace = request.namespace().to_owned();
    let suffix = request.core.name_suffix();
    let metadata = meta::map_mut(object, &["metadata"]);
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
        metadata.remove(field);
    }
    metadata.insert("creationTimestamp".into(), now.into());
    metadata.insert("uid".into(), uid.into());
    if request.resource.kind.namespaced {
        metadata.insert("namespace".into(), namespace.into());
    } else {
        metadata.remove("namespace");
    }
    generate_name(metadata, &suffix);
}

fn generate_name(metadata: &mut Map<String, Value>, suffix: &str) {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let base = text("generateName");
    if !text("name").is_empty() || base.is_empty() {
        return;
    }
    let cut = base.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MAX_GENERATED_BASE).last();
    let name = format!("{}{suffix}", &base[..cut.unwrap_or_default()]);
    metadata.insert("name".into(), name.into());
}

fn require_name(request: &Request, object: &Value) -> Result<(), Status> {
    if !meta::name(object).is_empty() {
        return Ok(());
    }
    let path = Path::new("metadata").child("name");
    let error = Error::required(&path, "name or generateName is required");
    Err(Status::invalid(&request.resource.kind.group_kind(), "", &vec![error]))
}
