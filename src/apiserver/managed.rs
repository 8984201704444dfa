//! Field ownership of every write.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::kinds::decode::Empty;
use crate::kinds::{SchemaNode, Schemas};
use crate::object::{GroupVersion, GroupVersionKind, Status, Value, meta};
use crate::patch::ssa::{self, Empties, FieldPath, Filter, Managed, Versions};

use super::context::Request;
use super::registry::{Resource, Snapshot};

/// Who writes.
pub struct Writer {
    /// Field manager.
    pub manager: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// The time of the write.
    pub now: DateTime<Utc>,
}

impl Writer {
    /// The writer of a request.
    pub fn of(request: &Request, options: &super::options::WriteOptions) -> Self {
        Self {
            manager: options.manager(request),
            subresource: request.info.subresource.clone(),
            now: request.core.now(),
        }
    }
}

/// Conversion between the served versions of a kind.
struct Converter<'a> {
    snapshot: &'a Snapshot,
    resource: &'a Resource,
}

impl Converter<'_> {
    fn resource(&self, api_version: &str) -> Option<&Resource> {
        let gv = GroupVersion::parse(api_version)?;
        self.snapshot.by_gvk(&gv.with_kind(&*self.resource.kind.kind)).map(AsRef::as_ref)
    }
}

impl Versions for Converter<'_> {
    fn convert(&self, object: &Value, api_version: &str) -> Option<(Value, Option<SchemaNode<'_>>)> {
        let from = self.resource(meta::api_version(object))?;
        let to = self.resource(api_version)?;
        Some((to.shown(from.to_stored(object.clone())), to.schema()))
    }
}

/// The fields that do not count at an endpoint, in the resource's own version.
fn reset_fields(request: &Request, subresource: &str) -> Vec<(String, Filter)> {
    let paths = request.resource.strategy.reset_fields(subresource);
    if paths.is_empty() {
        return Vec::new();
    }
    let versions = request
        .snapshot
        .resources()
        .filter(|other| other.kind.kind == request.resource.kind.kind && other.prefix == request.resource.prefix);
    versions.map(|other| (other.kind.api_version(), Filter::excluding(paths))).collect()
}

/// An object in which nothing is set. Those of built-in kinds are made once.
fn empty(resource: &Resource) -> Arc<Value> {
    static EMPTY: RwLock<BTreeMap<GroupVersionKind, Arc<Value>>> = RwLock::new(BTreeMap::new());
    let gvk = resource.kind.gvk();
    let bare = json!({"apiVersion": gvk.api_version(), "kind": gvk.kind});
    if resource.custom {
        return Arc::new(bare);
    }
    if let Some(known) = EMPTY.read().unwrap_or_else(PoisonError::into_inner).get(&gvk) {
        return known.clone();
    }
    let made = resource.strategy.decode_value(resource, bare.clone()).map_or(bare, |decoded| decoded.object);
    let made = Arc::new(made);
    EMPTY.write().unwrap_or_else(PoisonError::into_inner).insert(gvk, made.clone());
    made
}

fn with_options<T>(
    request: &Request,
    writer: &Writer,
    force: bool,
    empties: Empties<'_>,
    run: impl FnOnce(&ssa::Options<'_>) -> T,
) -> T {
    let resource = &request.resource;
    let kind: GroupVersionKind = resource.kind.gvk();
    let empty = empty(resource);
    let reset = reset_fields(request, &writer.subresource);
    let converter = Converter { snapshot: &request.snapshot, resource };
    run(&ssa::Options {
        manager: &writer.manager,
        force,
        subresource: &writer.subresource,
        kind: &kind,
        schema: resource.schema(),
        empty: &empty,
        reset_fields: &reset,
        empties,
        versions: Some(&converter),
        now: writer.now,
    })
}

/// Brings `metadata.managedFields` of `object` up to date after an update by `writer`; both objects are in the
/// resource's form, and `empties` are the empty containers that the new one was sent with.
pub fn update(request: &Request, object: &mut Value, old: Option<&Value>, empties: &[Empty], writer: &Writer) {
    let new = std::mem::take(object);
    let empties = Empties { live: &[], new: empties };
    *object = with_options(request, writer, false, empties, |options| ssa::update(old, new, options));
}

/// Applies a configuration to the live object, or to nothing; all in the resource's form.
///
/// # Errors
///
/// 400, 409 and 500 in the reference server's words.
pub fn apply(
    request: &Request,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> Result<Value, Status> {
    with_options(request, writer, force, Empties::default(), |options| ssa::apply(live, config, options))
        .map_err(|e| e.to_status())
}

/// The replicas of a request's resource in its versions.
struct ReplicasOf<'a>(&'a Request);

impl ssa::scale::Replicas for ReplicasOf<'_> {
    fn path(&self, api_version: &str) -> Option<Option<FieldPath>> {
        let converter = Converter { snapshot: &self.0.snapshot, resource: &self.0.resource };
        let resource = converter.resource(api_version)?;
        if !resource.custom {
            return Some(Some(FieldPath::of_fields(&["spec", "replicas"])));
        }
        let fields = |path: &str| -> FieldPath {
            FieldPath::of_fields(&path.trim_start_matches('.').split('.').collect::<Vec<_>>())
        };
        Some(resource.strategy.scale_paths().map(|paths| fields(&paths.spec)))
    }
}

/// Owners of the scale of an object and the object's own.
pub struct ScaleOwners<'a> {
    request: &'a Request,
    parent: Managed,
}

impl<'a> ScaleOwners<'a> {
    /// The owners of an object; those that cannot be read count as none.
    pub fn of(request: &'a Request, object: &Value) -> Self {
        Self { request, parent: Managed::of_object(object).unwrap_or_default() }
    }

    /// Writes the owners of the replicas into the scale.
    pub fn show(&self, scale: &mut Value) {
        ssa::scale::to_scale(&self.parent, &ReplicasOf(self.request)).store(scale);
    }

    /// Writes the owners of the scale into the object.
    pub fn store(&self, scale: &Value, object: &mut Value) {
        let owners = Managed::of_object(scale).unwrap_or_default();
        let api_version = self.request.resource.kind.api_version();
        ssa::scale::to_parent(&self.parent, &owners, &api_version, &ReplicasOf(self.request)).store(object);
    }
}

/// Runs with the options for writing the scale of an object.
fn with_scale<T>(request: &Request, writer: &Writer, force: bool, run: impl FnOnce(&ssa::Options<'_>) -> T) -> T {
    let kind = GroupVersionKind::new("autoscaling", "v1", "Scale");
    let empty = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {}, "spec": {}, "status": {}});
    run(&ssa::Options {
        manager: &writer.manager,
        force,
        subresource: &writer.subresource,
        kind: &kind,
        schema: Schemas::builtin().of_kind(&kind),
        empty: &empty,
        reset_fields: &[(kind.api_version(), Filter::excluding(&[&["status"]]))],
        empties: Empties::default(),
        versions: None,
        now: request.core.now(),
    })
}

/// As [`update`], of a scale.
pub fn update_scale(request: &Request, scale: Value, old: &Value, writer: &Writer) -> Value {
    with_scale(request, writer, false, |options| ssa::update(Some(old), scale, options))
}

/// As [`apply`], to a scale.
///
/// # Errors
///
/// As [`apply`].
pub fn apply_scale(
    request: &Request,
    old: &Value,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> Result<Value, Status> {
    with_scale(request, writer, force, |options| ssa::apply(Some(old), config, options)).map_err(|e| e.to_status())
}
