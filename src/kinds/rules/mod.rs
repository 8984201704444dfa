//! What the API server does with an object of a kind before it stores it: defaults, preparation, validation, warnings.
//!
//! One [`Rules`] row per kind, assembled from one file per API group; [`of`] finds it, and kinds without a row get the
//! generic rules ([`GENERIC`]). All functions are pure: objects are plain values in their versioned form, the present
//! time comes in through [`Context`].
//!
//! Defaults go by Go type rather than by kind: see [`defaults`].
//!
//! The order of the real server is kept by [`Rules::before_create`] and [`Rules::before_update`] (`rest.BeforeCreate`,
//! `rest.BeforeUpdate`): prepare, validate metadata and object, warn, canonicalize.

use std::collections::HashMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};

use crate::kinds::decode::Empty;
use crate::object::field::ErrorList;
use crate::object::{GroupKind, Value};

mod access;
mod admission;
mod apps;
mod autoscaling;
mod batch;
pub mod certificates;
mod check;
mod cluster;
mod core;
pub mod cron;
pub mod defaults;
mod flowcontrol;
mod generic;
mod internal;
mod networking;
pub mod object_meta;
pub mod pod;
pub mod quantity;
mod resource;
pub mod service;
mod storage;
mod storage_class;
pub mod usage;
pub mod value;

pub use defaults::default_object;
pub use generic::Outcome;

/// What a rule may know of the world outside the object.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The present time.
    pub now: DateTime<Utc>,
    /// Whether containers may be privileged (`--allow-privileged`).
    pub allow_privileged: bool,
    /// Empty lists and maps that the client sent; messages show them.
    pub empties: &'a [Empty],
}

/// The detail of errors that [`Context::allow_privileged`] takes back.
pub(crate) const DISALLOWED: &str = "disallowed by cluster policy";

/// One of the two checks of `metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaCheck {
    /// `ValidateObjectMeta` with the kind's name rule.
    Create,
    /// `ValidateObjectMetaUpdate`.
    Update,
}

/// Which names objects of a kind may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// A path segment: not `.` or `..`, without `/` and `%`.
    PathSegment,
    /// RFC 1123 subdomain, at most 253 characters.
    DnsSubdomain,
    /// RFC 1123 label, at most 63 characters.
    DnsLabel,
    /// RFC 1035 label, at most 63 characters.
    Dns1035Label,
    /// A rule of the kind's own validation; nothing is checked in its stead.
    Own,
}

/// What happens to dependents when a delete request does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarbageCollection {
    /// Dependents are deleted in the background.
    DeleteDependents,
    /// Dependents are orphaned.
    OrphanDependents,
    /// The kind has no dependents and takes no part in garbage collection.
    Unsupported,
}

/// Which part of an object each endpoint may write, for kinds with a `status` subresource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSplit {
    /// One endpoint writes all.
    None,
    /// Creation and the main endpoint leave `status` alone, the status endpoint writes nothing but `status` (and
    /// metadata as far as `prepare_status_update` leaves it).
    Status,
}

/// The rules of one kind.
///
/// Rows are written as `Rules { kind: "Pod", …, ..GENERIC }`.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// API group, empty for core.
    pub group: &'static str,
    /// Kind; empty in [`GENERIC`].
    pub kind: &'static str,
    /// Allowed names.
    pub name: NameRule,
    /// The checks of metadata that the kind's `ValidateUpdate` does, in order; the registry has done both before.
    pub update_meta: &'static [MetaCheck],
    /// What conversion through the internal version and back changes.
    pub convert: fn(&mut Value),
    /// `PrepareForCreate`, after the generic part that [`Rules::status`] and [`Rules::generation`] stand for.
    pub prepare_create: fn(&mut Value, &Context),
    /// `PrepareForUpdate` of the new object given the old one, after the same generic part.
    pub prepare_update: fn(&mut Value, &Value, &Context),
    /// `PrepareForUpdate` of the status strategy.
    pub prepare_status_update: fn(&mut Value, &Value, &Context),
    /// `Validate`: the object's own fields; metadata is checked from [`Rules::name`].
    pub validate_create: fn(&Value) -> ErrorList,
    /// `ValidateUpdate` of the new object given the old one.
    pub validate_update: fn(&Value, &Value) -> ErrorList,
    /// `ValidateUpdate` of the status strategy.
    pub validate_status_update: fn(&Value, &Value) -> ErrorList,
    /// `WarningsOnCreate`, or `WarningsOnUpdate` when there is an old object.
    pub warnings: fn(&Value, Option<&Value>) -> Vec<String>,
    /// `Canonicalize`: normal form after validation.
    pub canonicalize: fn(&mut Value),
    /// How `status` is split off.
    pub status: StatusSplit,
    /// Whether `metadata.generation` is 1 at creation and grows with every change outside of metadata and status.
    pub generation: bool,
    /// Whether PUT of a missing object creates it.
    pub allow_create_on_update: bool,
    /// Whether PUT without a resource version overwrites.
    pub allow_unconditional_update: bool,
    /// `CheckGracefulDelete`: seconds of grace for an object, given what the request asks; absent where deletion is
    /// immediate.
    pub graceful_deletion: Option<fn(&Value, Option<i64>) -> i64>,
    /// Annotations that are fields of the internal version, and so no part of its metadata.
    pub field_annotations: &'static [&'static str],
    /// Subresources with rules of their own, besides `status`.
    pub subresources: &'static [Subresource],
    /// Writes down who asks for the object, as `UserInfo`.
    pub requester: fn(&mut Value, &Value),
    /// Default propagation of deletion.
    pub garbage_collection: GarbageCollection,
}

/// The rules of a subresource that writes a part of the object.
#[derive(Clone, Copy, Debug)]
pub struct Subresource {
    /// Name in the path.
    pub name: &'static str,
    /// `PrepareForUpdate`.
    pub prepare: fn(&mut Value, &Value, &Context),
    /// `ValidateUpdate`.
    pub validate: fn(&Value, &Value) -> ErrorList,
}

/// The rules of kinds without own rules: nothing is defaulted, only metadata is validated.
pub const GENERIC: Rules = Rules {
    group: "",
    kind: "",
    name: NameRule::DnsSubdomain,
    update_meta: &[MetaCheck::Update],
    convert: |_| (),
    prepare_create: |_, _| (),
    prepare_update: |_, _, _| (),
    prepare_status_update: |_, _, _| (),
    validate_create: |_| ErrorList::new(),
    validate_update: |_, _| ErrorList::new(),
    validate_status_update: |_, _| ErrorList::new(),
    warnings: |_, _| Vec::new(),
    canonicalize: |_| (),
    status: StatusSplit::None,
    generation: false,
    allow_create_on_update: false,
    allow_unconditional_update: true,
    graceful_deletion: None,
    field_annotations: &[],
    subresources: &[],
    requester: |_, _| (),
    garbage_collection: GarbageCollection::DeleteDependents,
};

/// The rows of every file, one slice per API group or family of kinds.
const TABLE: &[&[Rules]] = &[
    pod::RULES,
    resource::RULES,
    service::RULES,
    storage::RULES,
    core::RULES,
    apps::RULES,
    batch::RULES,
    access::RULES,
    admission::RULES,
    autoscaling::RULES,
    certificates::RULES,
    cluster::RULES,
    flowcontrol::RULES,
    networking::RULES,
    storage_class::RULES,
];

fn table() -> &'static HashMap<(&'static str, &'static str), &'static Rules> {
    static INDEX: OnceLock<HashMap<(&'static str, &'static str), &'static Rules>> = OnceLock::new();
    INDEX.get_or_init(|| TABLE.iter().copied().flatten().map(|row| ((row.group, row.kind), row)).collect())
}

/// The rules of a kind; [`GENERIC`] for kinds that have none of their own.
pub fn of(kind: &GroupKind) -> &'static Rules {
    static FALLBACK: Rules = GENERIC;
    table().get(&(kind.group.as_str(), kind.kind.as_str())).copied().unwrap_or(&FALLBACK)
}

#[cfg(test)]
mod tests;
