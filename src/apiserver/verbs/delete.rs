//! DELETE of one object and of a collection.

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use crate::apiserver::admission::{Attributes, Operation};
use crate::apiserver::context::{Answer, Request};
use crate::apiserver::core::{store_failure, timestamp};
use crate::apiserver::options::{DeleteOptions, ListOptions};
use crate::apiserver::respond;
use crate::apiserver::store::{Encoded, Entry, Expect, Write, WriteError};
use crate::kinds::rules::GarbageCollection;
use crate::object::{Status, Value, meta};

/// The finalizer of foreground deletion.
const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of orphaning.
const ORPHAN: &str = "orphan";
/// How often a deletion is tried again when another request was faster.
const ATTEMPTS: usize = 30;

/// Resources whose deletion answers with the object even when it is gone at once.
const RETURN_OBJECT: &[(&str, &str)] = &[
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "pods"),
    ("", "podtemplates"),
    ("", "resourcequotas"),
    ("", "serviceaccounts"),
    ("", "services"),
    ("resource.k8s.io", "deviceclasses"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "resourceclaimtemplates"),
    ("resource.k8s.io", "resourceslices"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "storageclasses"),
    ("storage.k8s.io", "volumeattachments"),
    ("storage.k8s.io", "volumeattributesclasses"),
];

/// What became of a deletion.
pub struct Deleted {
    /// The object as it was last, in the resource's form.
    pub object: Value,
    /// Whether it is gone.
    pub gone: bool,
}

/// Answers a DELETE of one object.
///
/// # Errors
///
/// 400, 403, 404, 409, 422.
pub async fn delete(request: &Request) -> Answer {
    let options = DeleteOptions::of(request)?;
    let deleted = delete_named(request, &request.info.name, &options).await?;
    let (group, plural) = (request.resource.group(), request.resource.plural());
    if !deleted.gone {
        let code = if options.orphan_dependents == Some(false) { 202 } else { 200 };
        return respond::object(request, code, &deleted.object);
    }
    if RETURN_OBJECT.contains(&(group, plural)) {
        return respond::object(request, 200, &deleted.object);
    }
    let mut details = json!({"name": request.info.name, "kind": plural, "uid": meta::uid(&deleted.object)});
    if !group.is_empty() {
        details["group"] = group.into();
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(respond::success(request, 200, &status))
}

/// Answers a DELETE of a collection with the objects as they were listed.
///
/// # Errors
///
/// 400, 403, 422.
pub async fn delete_collection(request: &Request) -> Answer {
    let options = DeleteOptions::of(request)?;
    let selection = ListOptions::of(request, false)?;
    let page = request.core.store.list(&request.resource.namespace_prefix(request.namespace()), None);
    let resource = &request.resource;
    let mut items = Vec::new();
    for entry in page.entries {
        let object = resource.shown(resource.stored_object(&entry));
        if !selection.selects(&object) {
            continue;
        }
        match delete_named(request, meta::name(&object), &options).await {
            Ok(_) => items.push(object),
            Err(status) if status.reason == "NotFound" => {}
            Err(status) => return Err(status),
        }
    }
    if !resource.custom {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("apiVersion");
            item.remove("kind");
        }
    }
    let mut list = json!({
        "kind": resource.kind.list_kind(),
        "apiVersion": resource.kind.api_version(),
        "metadata": {"resourceVersion": page.revision.to_string()},
        "items": items,
    });
    if resource.custom {
        list["metadata"]["continue"] = "".into();
    }
    Ok(respond::success(request, 200, &list))
}

/// Deletes the object of that name in the request's namespace.
///
/// # Errors
///
/// 403, 404, 409.
pub async fn delete_named(request: &Request, name: &str, options: &DeleteOptions) -> Result<Deleted, Status> {
    let core = &request.core;
    let mut attributes = request.attributes(Operation::Delete, None, None, options.value.clone(), options.dry_run);
    name.clone_into(&mut attributes.name);
    core.admission.admit(core, &mut attributes).await?;
    remove(request, name, options, Some(attributes)).await
}

/// As [`delete_named`], for a request that admission has judged already.
///
/// # Errors
///
/// As [`delete_named`].
pub async fn delete_admitted(request: &Request, name: &str, options: &DeleteOptions) -> Result<Deleted, Status> {
    remove(request, name, options, None).await
}

/// Deletes an object; admission judges it where there are attributes.
async fn remove(
    request: &Request,
    name: &str,
    options: &DeleteOptions,
    mut attributes: Option<Attributes>,
) -> Result<Deleted, Status> {
    let (core, resource) = (&request.core, &request.resource);
    for _ in 0..ATTEMPTS {
        let Some(entry) = core.store.get(&resource.key(request.namespace(), name)) else {
            return Err(Status::not_found(resource.group(), resource.plural(), name));
        };
        let object = resource.stored_object(&entry);
        check_preconditions(request, name, options, &object)?;
        if let Some(attributes) = &mut attributes {
            attributes.old = Some(object.clone());
            let judged = core.admission.validate(core, attributes).await;
            request.warn_all(std::mem::take(&mut attributes.warnings));
            judged?;
        }
        if let Some(deleted) = attempt(request, options, object, &entry).await? {
            return Ok(deleted);
        }
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(Status::conflict(resource.group(), resource.plural(), name, why))
}

/// The conditions in the options. Their conflicts name the kind, those of namespaces, which check first, the resource.
fn check_preconditions(request: &Request, name: &str, options: &DeleteOptions, object: &Value) -> Result<(), Status> {
    let kind = &request.resource.kind;
    let plain = request.resource.strategy.checks_deletion_first();
    let conflict = |what: &str, given: &str, found: &str, hint: &str| {
        if plain {
            let why = format!("Precondition failed: {what} in precondition: {given}, {what} in object meta: {found}");
            return Status::conflict(&kind.group, &kind.plural, name, &why);
        }
        let why = format!(
            "the {what} in the precondition ({given}) does not match the {what} in record ({found}). The object might \
             have been {hint}"
        );
        // The kind is that of the storage, which several groups may share.
        let stored = &request.resource.stored;
        Status::conflict(&stored.group, &stored.kind, name, &why)
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != meta::uid(object)) {
        return Err(conflict("UID", uid, meta::uid(object), "deleted and then recreated"));
    }
    let version = meta::resource_version(object);
    match options.resource_version.as_deref().filter(|expected| *expected != version) {
        Some(expected) => Err(conflict("ResourceVersion", expected, version, "modified")),
        None => Ok(()),
    }
}

/// What a deletion does to an object.
enum Step {
    /// Nothing: it is on its way already.
    Nothing,
    /// It is marked and stays.
    Mark(Value),
    /// It is marked and goes, so that watchers see both.
    MarkAndRemove(Value),
    /// It goes.
    Remove,
}

async fn attempt(
    request: &Request,
    options: &DeleteOptions,
    object: Value,
    entry: &Entry,
) -> Result<Option<Deleted>, Status> {
    let (core, resource) = (&request.core, &request.resource);
    let step = decide(request, options, &object);
    let key = entry.key.to_string();
    let write = |expect, value: Option<&Value>| Write { key: key.clone(), expect, value: value.map(Encoded::new) };
    let expect = Expect::Revision(entry.revision);
    let scope = request.scope(options.dry_run);
    let (mut writes, shown, gone) = match step {
        Step::Nothing => return Ok(Some(Deleted { object: resource.shown(object), gone: false })),
        Step::Mark(marked) => (vec![write(expect, Some(&marked))], marked, false),
        Step::MarkAndRemove(marked) => (vec![write(expect, Some(&marked)), write(Expect::Any, None)], marked, true),
        Step::Remove => (vec![write(expect, None)], object.clone(), true),
    };
    if options.dry_run {
        return Ok(Some(Deleted { object: resource.shown(shown), gone }));
    }
    // What goes at once is answered under the revision of its removal, which is the last write to it.
    let own = writes.iter().filter(|write| write.key == key).count();
    if gone {
        writes.extend(resource.strategy.companions(&scope, None, Some(&object)));
    }
    match core.store.write_all(writes).await.into_iter().take(own).last() {
        Some(Ok(last)) => {
            let mut shown = shown;
            meta::set(&mut shown, &["metadata", "resourceVersion"], last.revision.to_string());
            if gone {
                resource.strategy.settled(&scope, None, Some(&object), true);
                resource.strategy.deleted(core, &shown).await;
            } else {
                resource.strategy.after_write(core, &last).await;
            }
            Ok(Some(Deleted { object: resource.shown(shown), gone }))
        }
        Some(Err(WriteError::Conflict(_))) => Ok(None),
        Some(Err(WriteError::Store(error))) => Err(store_failure(&error)),
        None => Err(Status::internal("the store gave no answer")),
    }
}

/// `rest.BeforeDelete` and `updateForGracefulDeletionAndFinalizers`.
fn decide(request: &Request, options: &DeleteOptions, object: &Value) -> Step {
    let strategy = &request.resource.strategy;
    let now = request.core.now();
    let mut marked = object.clone();
    let graceful = match strategy.grace_period(object, options.grace_period_seconds) {
        None => false,
        Some(grace) => match mark_gracefully(&mut marked, object, options.grace_period_seconds, grace, now) {
            Graceful::Pending => return Step::Nothing,
            Graceful::Marked => true,
            Graceful::Force => false,
        },
    };
    set_finalizers(&mut marked, options, strategy.garbage_collection());
    let pending = meta::finalizers(&marked).next().is_some() || !strategy.may_finalize(&marked);
    if !graceful {
        if !pending {
            return Step::Remove;
        }
        mark(&mut marked, now);
        strategy.marked(&mut marked);
        return if marked == *object { Step::Nothing } else { Step::Mark(marked) };
    }
    let grace = meta::int_at(&marked, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default();
    if pending || grace > 0 { Step::Mark(marked) } else { Step::MarkAndRemove(marked) }
}

enum Graceful {
    Marked,
    Pending,
    Force,
}

fn mark_gracefully(marked: &mut Value, object: &Value, asked: Option<i64>, grace: i64, now: DateTime<Utc>) -> Graceful {
    if let Some(at) = meta::deletion_timestamp(object) {
        let Some(present) = meta::int_at(object, &["metadata", "deletionGracePeriodSeconds"]) else {
            return Graceful::Force;
        };
        let Some(period) = asked.filter(|period| *period < present) else { return Graceful::Pending };
        let at = DateTime::parse_from_rfc3339(at).map_or(now, |at| at.with_timezone(&Utc));
        set_deletion(marked, at - Duration::seconds(present) + Duration::seconds(period), period);
        return Graceful::Marked;
    }
    set_deletion(marked, now + Duration::seconds(grace.clamp(0, 1 << 40)), grace);
    bump_generation(marked);
    Graceful::Marked
}

fn set_deletion(object: &mut Value, at: DateTime<Utc>, grace: i64) {
    meta::set(object, &["metadata", "deletionTimestamp"], timestamp(at));
    meta::set(object, &["metadata", "deletionGracePeriodSeconds"], grace);
}

/// Controllers of an object that is being deleted should take note, so its generation grows.
fn bump_generation(object: &mut Value) {
    let generation = meta::generation(object);
    if generation > 0 {
        meta::set(object, &["metadata", "generation"], generation + 1);
    }
}

/// `markAsDeleting`.
fn mark(object: &mut Value, now: DateTime<Utc>) {
    if meta::deletion_timestamp(object).is_none() {
        bump_generation(object);
        meta::set(object, &["metadata", "deletionTimestamp"], timestamp(now));
    }
    meta::set(object, &["metadata", "deletionGracePeriodSeconds"], 0);
}

/// `deletionFinalizersForGarbageCollection`.
fn set_finalizers(object: &mut Value, options: &DeleteOptions, collection: GarbageCollection) {
    if collection == GarbageCollection::Unsupported {
        return;
    }
    let present: Vec<String> = meta::finalizers(object).map(str::to_owned).collect();
    let policy = match (options.orphan_dependents, options.propagation_policy.as_str()) {
        (Some(true), _) => "Orphan",
        (Some(false), _) => "Background",
        (None, "") if present.iter().any(|f| f == ORPHAN) => "Orphan",
        (None, "") if present.iter().any(|f| f == FOREGROUND) => "Foreground",
        (None, "") if collection == GarbageCollection::OrphanDependents => "Orphan",
        (None, policy) => policy,
    };
    let mut finalizers: Vec<String> = present.iter().filter(|f| *f != ORPHAN && *f != FOREGROUND).cloned().collect();
    match policy {
        "Orphan" => finalizers.push(ORPHAN.into()),
        "Foreground" => finalizers.push(FOREGROUND.into()),
        _ => {}
    }
    let same = finalizers.len() == present.len() && finalizers.iter().all(|f| present.contains(f));
    if same {
        return;
    }
    if finalizers.is_empty() {
        meta::remove(object, &["metadata", "finalizers"]);
    } else {
        meta::set(object, &["metadata", "finalizers"], finalizers);
    }
}
