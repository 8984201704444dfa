//! Server-side apply and the ownership of fields, as structured-merge-diff v6 and the API server's field manager do it.
//!
//! [`apply`] merges a configuration, [`update`] keeps the books for every other write; both return the object with its
//! `metadata.managedFields`. All functions are pure: the schema, the time and the conversion between versions come in
//! through [`Options`].
//!
//! Objects are expected as the server holds them: decoded, with the empty structs that Go prints, defaults filled in.
//! What [`apply`] returns is the bare merge: defaults for what was just added come after it, so that nobody owns them.

mod atomics;
mod codec;
mod compare;
mod conflict;
mod last_applied;
mod managed;
mod merge;
pub mod scale;
mod set;
mod typed;
mod updater;
mod upgrade;
mod validate;
mod value;
mod walk;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

pub use atomics::atomics;
pub use codec::ParseError;
pub use conflict::Error;
pub use managed::{DecodeError, Managed, ManagerId, Operation, Owned};
pub use set::{FieldPath, FieldSet, Filter, PathElement, Pattern};
pub use updater::Conflict;
pub use upgrade::{upgrade_managed_fields, upgrade_patch};

use crate::kinds::SchemaNode;
use crate::kinds::decode::{Empty, put_back};
use crate::object::{GroupVersionKind, Value, meta};
use typed::Type;
use updater::{Typed, Updater};
use validate::validate;

/// Most entries of updates that an object keeps; older ones are folded into `ancient-changes`.
const MAX_UPDATE_MANAGERS: usize = 10;

/// The manager to whom fields are ascribed that were set before ownership was tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Converts objects between the versions of their kind.
pub trait Versions {
    /// The object in another version, and that version's schema. `None` when the version is not served: fields owned
    /// in it are owned no longer.
    fn convert(&self, object: &Value, api_version: &str) -> Option<(Value, Option<SchemaNode<'_>>)>;
}

/// Empty lists and maps that stand in the Go objects of an update although they are not printed. Go compares lists of
/// its own types as a whole, and an empty map is something else than none there: an atomic list which differs in that
/// alone has changed.
#[derive(Clone, Copy, Default)]
pub struct Empties<'a> {
    /// Those of the live object; an object that was stored has none.
    pub live: &'a [Empty],
    /// Those of the new object.
    pub new: &'a [Empty],
}

impl Empties<'_> {
    /// Both objects with the containers in their places.
    fn put_back(&self, live: &Value, new: &Value) -> Option<(Value, Value)> {
        if self.live.is_empty() && self.new.is_empty() {
            return None;
        }
        let (mut live, mut new) = (live.clone(), new.clone());
        put_back(&mut live, self.live);
        put_back(&mut new, self.new);
        Some((live, new))
    }
}

/// One write request.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Field manager; empty counts as `unknown`.
    pub manager: &'a str,
    /// Whether an apply takes fields from others.
    pub force: bool,
    /// Subresource that is written, empty for the object itself.
    pub subresource: &'a str,
    /// The version of the endpoint, and the kind.
    pub kind: &'a GroupVersionKind,
    /// The kind's schema; `None` deduces types from values, as for custom resources without one.
    pub schema: Option<SchemaNode<'a>>,
    /// An object of the kind in which nothing is set, as Go prints its zero value: creation is compared with it. For
    /// custom resources that is `apiVersion` and `kind` alone.
    pub empty: &'a Value,
    /// Which fields count for the endpoint, by version: `status` does not for the main endpoint of a kind with a
    /// status subresource.
    pub reset_fields: &'a [(String, Filter)],
    /// Empty containers that Go holds in the objects of an update without printing them.
    pub empties: Empties<'a>,
    /// Conversion to other versions; without it, fields owned in other versions are owned no longer.
    pub versions: Option<&'a dyn Versions>,
    /// The time of the request.
    pub now: DateTime<Utc>,
}

impl<'a> Options<'a> {
    fn api_version(&self) -> String {
        self.kind.api_version()
    }

    fn id(&self, manager: &str, operation: Operation) -> ManagerId {
        let manager = if manager.is_empty() { "unknown" } else { manager };
        ManagerId::new(manager, operation, &self.api_version(), self.subresource)
    }

    fn updater<'b>(&self, api_version: &'b str, whole: Option<(&'b Typed<'b>, &'b Typed<'b>)>) -> Updater<'b>
    where
        'a: 'b,
    {
        Updater { api_version, reset_fields: self.reset_fields, versions: self.versions, whole }
    }

    /// Checks an object against the schema.
    fn typed<'b>(&self, object: &'b Value, allow_duplicates: bool, what: Cow<'_, str>) -> Result<Typed<'b>, Error>
    where
        'a: 'b,
    {
        let ty = Type::of_object(self.schema);
        validate(object, ty, allow_duplicates).map_err(|why| Error::Typed(format!("{what}: {why}")))?;
        Ok(Typed { value: Cow::Borrowed(object), ty })
    }
}

/// Applies `config` to the live object, or creates it; returns the merged object with its `managedFields`.
///
/// When nothing changes but ownership, the result is the live object with new `managedFields`, and the applier's entry
/// keeps its time, or has none.
///
/// # Errors
///
/// [`Error::Conflicts`] when others own what would change, unless forced; objects that do not fit the schema; a
/// configuration of another kind or with `managedFields`.
pub fn apply(live: Option<&Value>, config: &Value, options: &Options<'_>) -> Result<Value, Error> {
    let live = live.unwrap_or(options.empty);
    let managed = Managed::of_object(live)?;
    let kind = meta::gvk(config);
    if kind != *options.kind {
        return Err(Error::BadRequest(format!("invalid object type: {}", shown(&kind))));
    }
    let live = without_managed_fields(live);
    let managed = if managed.owners.is_empty() {
        track_update(options.empty, &live, managed, BEFORE_FIRST_APPLY, options)?
    } else {
        managed
    };
    let (mut object, managed) = match apply_tracked(&live, config, managed.clone(), options, options.force) {
        Err(Error::Conflicts(conflicts)) if options.manager == "kubectl" => {
            let own = last_applied::takeable(&live, Type::of_object(options.schema), &options.api_version());
            let Some(own) = own else { return Err(Error::Conflicts(conflicts)) };
            let others: Vec<_> = conflicts.into_iter().filter(|conflict| !own.has(&conflict.path)).collect();
            if !others.is_empty() {
                return Err(Error::Conflicts(others));
            }
            apply_tracked(&live, config, managed, options, true)?
        }
        outcome => outcome?,
    };
    if options.manager == "kubectl" {
        last_applied::refresh(&mut object, config);
    }
    managed.store(&mut object);
    Ok(object)
}

fn apply_tracked(
    live: &Value,
    config: &Value,
    managed: Managed,
    options: &Options<'_>,
    force: bool,
) -> Result<(Value, Managed), Error> {
    if meta::get(config, &["metadata", "managedFields"]).is_some_and(Value::is_array) {
        return Err(Error::BadRequest("metadata.managedFields must be nil".into()));
    }
    let named = named(config);
    let typed_config = options.typed(config, false, format!("failed to create typed patch object ({named})").into())?;
    let what = || format!("failed to create typed live object ({})", self::named(live));
    let typed_live = options.typed(live, true, what().into())?;
    let id = options.id(options.manager, Operation::Apply);
    let api_version = options.api_version();
    let updater = options.updater(&api_version, None);
    let Managed { owners, times } = managed;
    let (object, owners) = updater.apply(&typed_live, &typed_config, owners, &id, force).map_err(Error::Conflicts)?;
    let mut managed = Managed { owners, times };
    strip(&mut managed, &id);
    match object {
        None => Ok((live.clone(), managed)),
        Some(object @ Value::Object(_)) => {
            managed.touch(id, options.now);
            Ok((object, managed))
        }
        Some(_) => Err(Error::Typed(format!(
            "failed to convert new typed object ({named}) to object: failed to convert value to unstructured for type \
             <nil>"
        ))),
    }
}

/// Keeps the books for a write that is no apply: `new` is the whole object to be stored, whose `managedFields` may set
/// ownership anew; the result is `new` with the `managedFields` to store.
///
/// Never fails: when the books cannot be kept, the old ones stay.
pub fn update(old: Option<&Value>, new: Value, options: &Options<'_>) -> Value {
    let mut object = new;
    if keep_books(old, &mut object, options).is_err()
        && let Some(entries) = old.and_then(|old| meta::get(old, &["metadata", "managedFields"]))
    {
        meta::set(&mut object, &["metadata", "managedFields"], entries.clone());
    }
    object
}

/// As [`update`], with the reason when the books cannot be kept.
///
/// # Errors
///
/// Objects that do not fit the schema.
pub fn try_update(old: Option<&Value>, new: &Value, options: &Options<'_>) -> Result<Value, Error> {
    let mut object = new.clone();
    keep_books(old, &mut object, options).map(|()| object)
}

/// Replaces the `managedFields` of the object; on an error it has none.
fn keep_books(old: Option<&Value>, object: &mut Value, options: &Options<'_>) -> Result<(), Error> {
    let live = old.unwrap_or(options.empty);
    let managed = stated_or_live(live, object, options);
    meta::remove(object, &["metadata", "managedFields"]);
    // Tracking starts at creation or with the first apply.
    if !managed.owners.is_empty() || meta::uid(live).is_empty() {
        track_update(&without_managed_fields(live), object, managed, options.manager, options)?.store(object);
    }
    Ok(())
}

/// The owners that an update starts from: those that the request states, else those of the live object.
fn stated_or_live(live: &Value, new: &Value, options: &Options<'_>) -> Managed {
    let of_live = || Managed::of_object(live).unwrap_or_default();
    if !options.subresource.is_empty() {
        return of_live();
    }
    if is_reset(new) {
        return Managed::default();
    }
    Managed::of_object(new).ok().filter(|managed| !managed.owners.is_empty()).unwrap_or_else(of_live)
}

/// Whether the request resets ownership: an empty list, or a list of one empty entry.
fn is_reset(object: &Value) -> bool {
    match meta::get(object, &["metadata", "managedFields"]).and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(entry)]) => entry.values().all(|value| value.is_null() || value.as_str() == Some("")),
        _ => false,
    }
}

/// Ascribes to `manager` what differs between `live` and `new`.
fn track_update(
    live: &Value,
    new: &Value,
    managed: Managed,
    manager: &str,
    options: &Options<'_>,
) -> Result<Managed, Error> {
    let what =
        |which: &str, object: &Value| format!("failed to convert {which} object ({}) to smd typed", named(object));
    let typed_new = options.typed(new, true, what("new", new).into())?;
    let typed_live = options.typed(live, true, what("live", live).into())?;
    let api_version = options.api_version();
    let whole = options.empties.put_back(live, new);
    let whole = whole.as_ref().map(|(live, new)| (typed_live.of(live), typed_new.of(new)));
    let updater = options.updater(&api_version, whole.as_ref().map(|(live, new)| (live, new)));
    let Managed { owners, times } = managed;
    let (owners, own) = updater.update(&typed_live, &typed_new, owners);
    let mut managed = Managed { owners, times };
    if let Some(own) = own {
        let id = options.id(manager, Operation::Update);
        let changed = own.set.difference(stripped());
        if !changed.is_empty() {
            let set = match managed.owners.get(&id) {
                Some(previous) => changed.union(&previous.set),
                None => changed,
            };
            managed.owners.insert(id.clone(), own.with(set));
            managed.touch(id, options.now);
        }
    }
    managed.cap_updates(MAX_UPDATE_MANAGERS);
    Ok(managed)
}

/// Fields that nobody owns.
fn stripped() -> &'static FieldSet {
    static STRIPPED: OnceLock<FieldSet> = OnceLock::new();
    const METADATA: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    STRIPPED.get_or_init(|| {
        let top = [["apiVersion"], ["kind"], ["metadata"]].map(|path| FieldPath::of_fields(&path));
        FieldSet::of_paths(top.into_iter().chain(METADATA.map(|name| FieldPath::of_fields(&["metadata", name]))))
    })
}

fn strip(managed: &mut Managed, id: &ManagerId) {
    if let Some(owned) = managed.owners.get_mut(id) {
        owned.set = Arc::new(owned.set.difference(stripped()));
        if owned.set.is_empty() {
            managed.owners.remove(id);
        }
    }
}

fn without_managed_fields(object: &Value) -> Cow<'_, Value> {
    let (Some(fields), Some(_)) = (object.as_object(), meta::get(object, &["metadata", "managedFields"])) else {
        return Cow::Borrowed(object);
    };
    let without = |metadata: &Value| -> Value {
        let kept = metadata.as_object().into_iter().flatten().filter(|(name, _)| *name != "managedFields");
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let copied = |(name, value): (&String, &Value)| match name.as_str() {
        "metadata" => (name.clone(), without(value)),
        _ => (name.clone(), value.clone()),
    };
    Cow::Owned(fields.iter().map(copied).collect())
}

/// `namespace/name; group/version, Kind=kind`, as errors name an object.
fn named(object: &Value) -> String {
    format!("{}/{}; {}", meta::namespace(object), meta::name(object), shown(&meta::gvk(object)))
}

/// `apps/v1, Kind=Deployment`; `/v1, Kind=Pod`.
fn shown(kind: &GroupVersionKind) -> String {
    format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind)
}
