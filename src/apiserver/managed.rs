//! Field ownership of every write.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::kinds::SchemaNode;
use crate::object::{GroupVersion, GroupVersionKind, Status, Value, meta};
use crate::patch::ssa::{self, Filter, Versions};

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

/// An object in which nothing is set.
fn empty(resource: &Resource) -> Value {
    let bare = json!({"apiVersion": resource.kind.api_version(), "kind": resource.kind.kind});
    if resource.custom {
        return bare;
    }
    resource.strategy.decode_value(resource, bare.clone()).map_or(bare, |decoded| decoded.object)
}

fn with_options<T>(request: &Request, writer: &Writer, force: bool, run: impl FnOnce(&ssa::Options<'_>) -> T) -> T {
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
        versions: Some(&converter),
        now: writer.now,
    })
}

/// Brings `metadata.managedFields` of `object` up to date after an update by `writer`; both objects are in the
/// resource's form.
pub fn update(request: &Request, object: &mut Value, old: Option<&Value>, writer: &Writer) {
    let new = std::mem::take(object);
    *object = with_options(request, writer, false, |options| ssa::update(old, new, options));
    if writer.subresource == "scale" {
        forget_times_of_scale(object);
    }
}

/// Ownership through `scale` is kept without a time, and so stands before other updates.
fn forget_times_of_scale(object: &mut Value) {
    let metadata = meta::map_mut(object, &["metadata"]);
    let Some(Value::Array(entries)) = metadata.get_mut("managedFields") else { return };
    for entry in entries.iter_mut().filter(|entry| meta::str_at(entry, &["subresource"]) == "scale") {
        meta::remove(entry, &["time"]);
    }
    let order = |entry: &Value| (meta::str_at(entry, &["operation"]) != "Apply", meta::get(entry, &["time"]).is_some());
    entries.sort_by_key(order);
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
    with_options(request, writer, force, |options| ssa::apply(live, config, options)).map_err(|e| e.to_status())
}
