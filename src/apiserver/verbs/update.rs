//! PUT, and the common part of everything that changes an object that is there.

use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation};
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::store_failure;
use crate::apiserver::managed;
use crate::apiserver::options::WriteOptions;
use crate::apiserver::respond::{self, Shown};
use crate::apiserver::store::{Encoded, Entry, Expect, Write, WriteError};
use crate::apiserver::strategy::Scope;
use crate::kinds::decode::{Empty, put_back, take_out};
use crate::object::field::{Error, Path};
use crate::object::{GroupKind, Map, Status, Value, meta};

use super::create;

/// How often a change is tried again when another request was faster.
const ATTEMPTS: usize = 30;

/// What an update makes of an object.
pub struct Updated {
    /// The new state.
    pub object: Shown,
    /// Whether the object was made.
    pub created: bool,
}

/// Makes the new state of an object from the present one, both in the resource's form; nothing if there is none.
pub type Transform<'a> = &'a (dyn Fn(Option<&Value>) -> Result<Value, Status> + Send + Sync);

/// How a change is carried out.
pub struct Plan<'a> {
    /// Options of the request.
    pub options: &'a WriteOptions,
    /// `UpdateOptions` or `PatchOptions`.
    pub options_kind: &'static str,
    /// Subresource that is written, or empty.
    pub subresource: &'a str,
    /// Whether a missing object is created.
    pub create: bool,
    /// Whether field ownership has been dealt with by the transformation (apply does).
    pub owns_fields: bool,
    /// Whether a conflict is tried again even though the new state names a resource version: patches do not come from
    /// a read object.
    pub is_patch: bool,
}

/// Answers a PUT to an object or to a subresource that shows the whole object.
///
/// # Errors
///
/// As the steps do: 400, 403, 404, 409, 415, 422.
pub async fn update(request: &Request) -> Answer {
    let options = WriteOptions::of(request, "UpdateOptions")?;
    let encoding = request.body_encoding()?;
    let resource = &request.resource;
    let decoded = resource.strategy.decode(resource, &request.body, encoding)?;
    options.report(request, decoded.strict)?;
    let mut object = decoded.object;
    create::check_namespace(request, &object)?;
    require_name(request, &object)?;
    check_name(request, &mut object)?;
    resource.strategy.default(resource, &mut object);
    put_back(&mut object, &decoded.empties);
    let subresource = request.info.subresource.clone();
    let plan = Plan {
        options: &options,
        options_kind: "UpdateOptions",
        subresource: &subresource,
        create: subresource.is_empty() && resource.strategy.allow_create_on_update(),
        owns_fields: false,
        is_patch: false,
    };
    let updated = change(request, &plan, &|_| Ok(object.clone())).await?;
    respond::shown(request, if updated.created { 201 } else { 200 }, &updated.object)
}

/// Takes out of an object what [`put_back`] put in: it goes on as it will be stored.
pub fn take_empties(request: &Request, object: &mut Value) -> Vec<Empty> {
    if request.resource.custom { Vec::new() } else { take_out(object) }
}

/// An object that is put must have a name.
///
/// # Errors
///
/// 400.
pub fn require_name(request: &Request, object: &Value) -> Result<(), Status> {
    if !meta::name(object).is_empty() {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "the name of the object ({} based on URL) was undeterminable: name must be provided",
        request.info.name
    )))
}

/// The name in the object must be the one in the path; a missing one is filled in.
///
/// # Errors
///
/// 400.
pub fn check_name(request: &Request, object: &mut Value) -> Result<(), Status> {
    let name = meta::name(object);
    if name.is_empty() {
        meta::set(object, &["metadata", "name"], &*request.info.name);
    } else if name != request.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.info.name
        )));
    }
    Ok(())
}

/// Changes the object named in the path: reads it, transforms it, judges it, writes it, and starts again when another
/// request was faster.
///
/// # Errors
///
/// As the steps do.
pub async fn change(request: &Request, plan: &Plan<'_>, transform: Transform<'_>) -> Result<Updated, Status> {
    for _ in 0..ATTEMPTS {
        let Some(entry) = request.core.store.get(&request.key()) else {
            return missing(request, plan, transform).await;
        };
        if let Some(updated) = attempt(request, plan, transform, &entry).await? {
            return Ok(updated);
        }
    }
    Err(modified(request))
}

/// What happens to a change of an object that is not there.
async fn missing(request: &Request, plan: &Plan<'_>, transform: Transform<'_>) -> Result<Updated, Status> {
    if !plan.create {
        return Err(request.not_found());
    }
    let mut object = transform(None)?;
    if !meta::uid(&object).is_empty() && !plan.owns_fields {
        let why = format!("Precondition failed: UID in precondition: {}, UID in object meta: ", meta::uid(&object));
        return Err(Status::conflict(request.resource.group(), request.resource.plural(), &request.info.name, &why));
    }
    if !plan.owns_fields && !matches!(meta::resource_version(&object), "" | "0") {
        return Err(request.not_found());
    }
    meta::remove(&mut object, &["metadata", "resourceVersion"]);
    let object = create::create_object(request, object, plan.options, plan.owns_fields).await?;
    Ok(Updated { object, created: true })
}

/// 409 for a change of something else than what is there now.
pub fn modified(request: &Request) -> Status {
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Status::conflict(request.resource.group(), request.resource.plural(), &request.info.name, why)
}

async fn attempt(
    request: &Request,
    plan: &Plan<'_>,
    transform: Transform<'_>,
    entry: &Entry,
) -> Result<Option<Updated>, Status> {
    let (core, resource) = (&request.core, &request.resource);
    let old_stored = resource.stored_object(entry);
    let old = resource.shown(old_stored.clone());
    let mut new = transform(Some(&old))?;
    let empties = take_empties(request, &mut new);
    check_preconditions(request, plan, &mut new, &old)?;
    keep_metadata(request, &mut new, &old);
    if !plan.owns_fields {
        let writer = managed::Writer::of(request, plan.options);
        managed::update(request, &mut new, Some(&old), &empties, &writer);
    }
    let mut attributes = request.attributes(
        Operation::Update,
        Some(resource.to_stored(new)),
        Some(old_stored.clone()),
        json!({"kind": plan.options_kind, "apiVersion": "meta.k8s.io/v1", "fieldManager": plan.options.field_manager}),
        plan.options.dry_run,
    );
    core.admission.admit(core, &mut attributes).await?;
    let mut object = attributes.object.take().unwrap_or_default();
    let scope = Scope { empties: &empties, ..request.scope(plan.options.dry_run) };
    if plan.subresource.is_empty() {
        resource.strategy.allocate(&scope, &mut object, Some(&old_stored))?;
    }
    let outcome = finish(request, plan, &scope, &mut object, &old_stored, &mut attributes, entry).await;
    let written = matches!(&outcome, Ok(Some(_)) if !plan.options.dry_run);
    if plan.subresource.is_empty() {
        resource.strategy.settled(&scope, Some(&object), Some(&old_stored), written);
    }
    outcome
}

async fn finish(
    request: &Request,
    plan: &Plan<'_>,
    scope: &Scope<'_>,
    object: &mut Value,
    old: &Value,
    attributes: &mut Attributes,
    entry: &Entry,
) -> Result<Option<Updated>, Status> {
    let (core, resource) = (&request.core, &request.resource);
    let strategy = &resource.strategy;
    let warnings = match plan.subresource {
        "" => strategy.before_update(scope, object, old)?,
        subresource => strategy.before_subresource_update(scope, subresource, object, old)?,
    };
    request.warn_all(warnings);
    attributes.object = Some(std::mem::take(object));
    let judged = core.admission.validate(core, attributes).await;
    *object = attributes.object.take().unwrap_or_default();
    request.warn_all(std::mem::take(&mut attributes.warnings));
    judged?;
    let unchanged = same_but_time(object, old);
    let goes = meta::deletion_timestamp(object).is_some()
        && meta::finalizers(object).next().is_none()
        && meta::int_at(object, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default() == 0
        && strategy.may_finalize(object);
    if goes {
        return remove(request, plan, object, old, entry).await;
    }
    if unchanged || plan.options.dry_run {
        let shown = if unchanged { old.clone() } else { object.clone() };
        return Ok(Some(Updated { object: Shown::Object(resource.shown(shown)), created: false }));
    }
    let expect = Expect::Revision(entry.revision);
    let mut writes = vec![Write { key: entry.key.to_string(), expect, value: Some(Encoded::new(object)) }];
    writes.extend(strategy.companions(scope, Some(object), Some(old)));
    match core.store.write_all(writes).await.into_iter().next() {
        Some(Ok(entry)) => {
            strategy.after_write(core, &entry).await;
            Ok(Some(Updated { object: Shown::Entry(entry), created: false }))
        }
        Some(Err(WriteError::Conflict(_))) => Ok(None),
        Some(Err(WriteError::Store(error))) => Err(store_failure(&error)),
        None => Err(Status::internal("the store gave no answer")),
    }
}

/// The last finalizer has gone: the object goes with this write. The answer shows it under its last version.
async fn remove(
    request: &Request,
    plan: &Plan<'_>,
    object: &Value,
    old: &Value,
    entry: &Entry,
) -> Result<Option<Updated>, Status> {
    let (core, resource) = (&request.core, &request.resource);
    let shown = Updated { object: Shown::Object(resource.shown(object.clone())), created: false };
    if plan.options.dry_run {
        return Ok(Some(shown));
    }
    let mut writes = vec![Write { key: entry.key.to_string(), expect: Expect::Revision(entry.revision), value: None }];
    writes.extend(resource.strategy.companions(&request.scope(false), None, Some(old)));
    match core.store.write_all(writes).await.into_iter().next() {
        Some(Ok(_)) => {
            resource.strategy.deleted(core, old).await;
            Ok(Some(shown))
        }
        Some(Err(WriteError::Conflict(_))) => Ok(None),
        Some(Err(WriteError::Store(error))) => Err(store_failure(&error)),
        None => Err(Status::internal("the store gave no answer")),
    }
}

/// Whether an object is what it was, apart from the times of field ownership.
fn same_but_time(object: &Value, old: &Value) -> bool {
    if object == old {
        return true;
    }
    let strip = |value: &Value| {
        let mut value = value.clone();
        if let Some(Value::Array(entries)) = meta::map_mut(&mut value, &["metadata"]).get_mut("managedFields") {
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("time");
            }
        }
        value
    };
    meta::get(object, &["metadata", "managedFields"]).is_some() && strip(object) == strip(old)
}

/// Uid and resource version in the new state are what the client expects to change.
fn check_preconditions(request: &Request, plan: &Plan<'_>, new: &mut Value, old: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    let (group, plural, name) = (resource.group(), resource.plural(), request.info.name.as_str());
    let uid = meta::uid(new);
    if !plan.is_patch && !uid.is_empty() && uid != meta::uid(old) {
        let (key, version) = (request.key(), if plan.owns_fields { "0" } else { meta::resource_version(old) });
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: {version}, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(old)
        );
        return Err(Status::conflict(group, plural, name, &why));
    }
    let version = meta::resource_version(new);
    if matches!(version, "" | "0") {
        if !plan.is_patch && !resource.strategy.allow_unconditional_update() {
            let path = Path::new("metadata").child("resourceVersion");
            let error = Error::invalid(&path, 0, "must be specified for an update");
            let kind = GroupKind { group: group.into(), kind: plural.into() };
            return Err(Status::invalid(&kind, name, &vec![error]));
        }
    } else if version != meta::resource_version(old) {
        if let Err(why) = crate::apiserver::options::parse_resource_version(version) {
            return Err(Status::failure(500, "", why.replace("resourceVersion: ", "metadata.resourceVersion: ")));
        }
        return Err(modified(request));
    }
    meta::set(new, &["metadata", "resourceVersion"], meta::resource_version(old));
    Ok(())
}

/// `rest.BeforeUpdate`: metadata that an update leaves alone.
fn keep_metadata(request: &Request, new: &mut Value, old: &Value) {
    let kept: Vec<(&str, Option<Value>)> =
        ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"]
            .into_iter()
            .map(|field| (field, meta::get(old, &["metadata", field]).cloned()))
            // That nobody marks an object as deleted by an update is for validation to say.
            .filter(|(field, value)| *field != "deletionTimestamp" || value.is_some() || request.resource.custom)
            .collect();
    let old_uid = meta::uid(old).to_owned();
    let metadata: &mut Map<String, Value> = meta::map_mut(new, &["metadata"]);
    metadata.remove("selfLink");
    if metadata.get("uid").and_then(Value::as_str).unwrap_or_default().is_empty() {
        metadata.insert("uid".into(), old_uid.into());
    }
    for (field, value) in kept {
        match value {
            Some(value) => drop(metadata.insert(field.into(), value)),
            None => drop(metadata.remove(field)),
        }
    }
    if request.resource.kind.namespaced {
        metadata.entry("namespace").or_insert_with(|| request.info.namespace.as_str().into());
    } else {
        metadata.remove("namespace");
    }
}
