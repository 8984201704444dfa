//! The strategy of custom resources: one per served version of a definition.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::apiserver::core::Core;
use crate::apiserver::decode::Decoded;
use crate::apiserver::negotiate::Encoding;
use crate::apiserver::registry::Resource;
use crate::apiserver::strategy::{Outcome, Scope, Strategy};
use crate::kinds::columns::custom::{self, CustomColumn};
use crate::kinds::rules::{NameRule, object_meta};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Status, Value, go, meta};
use crate::output::jsonpath::JsonPath;

use super::props::Props;
use super::{decode, lists, prune, rules, validate};

/// Where the scale of an object stands.
#[derive(Clone, Debug, Default)]
pub struct ScalePaths {
    /// Path of the wanted replicas, such as `.spec.replicas`.
    pub spec: String,
    /// Path of the present replicas.
    pub status: String,
    /// Path of the selector as text, or empty.
    pub selector: String,
}

/// A column with its path, parsed; a path that does not parse finds nothing.
pub(super) struct ShownColumn {
    column: CustomColumn,
    path: Option<JsonPath>,
}

impl ShownColumn {
    pub(super) fn new(column: CustomColumn) -> Self {
        let path = JsonPath::parse(&format!("{{{}}}", column.json_path)).ok();
        Self { column, path }
    }

    fn cell(&self, object: &Value, now: DateTime<Utc>) -> Value {
        let Some(path) = &self.path else { return Value::Null };
        let found = path.find(object, true).unwrap_or_default();
        let Some(first) = found.first().and_then(|found| found.first()) else { return Value::Null };
        let mut printed = String::new();
        first.write_text(&mut printed);
        custom::cell(&self.column, Some(custom::Found { value: first.to_value(), printed }), now)
    }
}

/// The rules of one version of a custom resource.
pub struct CustomStrategy {
    /// Schema of the version.
    pub(super) schema: Arc<Props>,
    /// The same as the definition writes it.
    pub(super) written: Value,
    /// Schema of the version in which objects are stored.
    pub(super) stored: Arc<Props>,
    /// Whether `status` is a subresource.
    pub(super) status: bool,
    /// Where the scale stands, if it is a subresource.
    pub(super) scale: Option<ScalePaths>,
    pub(super) columns: Vec<ShownColumn>,
    /// Selectable fields, without the leading dot.
    pub(super) selectable: Vec<String>,
    /// Name of the definition.
    pub(super) definition: String,
    /// Whether the definition is being deleted, so that nothing new may be made.
    pub(super) terminating: bool,
    /// What clients are told of the version's age.
    pub(super) deprecation: Option<String>,
}

impl CustomStrategy {
    fn type_meta(resource: &Resource, object: &Value) -> ErrorList {
        let mut errors = ErrorList::new();
        let (kind, api_version) = (&resource.kind.kind, resource.kind.api_version());
        if meta::kind(object) != kind {
            errors.push(Error::invalid(&Path::new("kind"), meta::kind(object), format!("must be {kind}")));
        }
        if meta::api_version(object) != api_version {
            let why = format!("must be {api_version}");
            errors.push(Error::invalid(&Path::new("apiVersion"), meta::api_version(object), why));
        }
        errors
    }

    fn refuse(resource: &Resource, object: &Value, errors: &ErrorList) -> Status {
        let mut kind = resource.kind.group_kind();
        meta::kind(object).clone_into(&mut kind.kind);
        Status::invalid(&kind, meta::name(object), errors)
    }

    fn scale_part(errors: &mut ErrorList, object: &Value, path: &str) {
        let at = Path::new(path);
        let parts: Vec<&str> = path.trim_start_matches('.').split('.').collect();
        match meta::get(object, &parts) {
            None => {}
            Some(Value::Number(number)) if number.is_i64() => {
                let replicas = number.as_i64().unwrap_or_default();
                if replicas < 0 {
                    errors.push(Error::invalid(&at, replicas, "should be a non-negative integer"));
                } else if replicas > i64::from(i32::MAX) {
                    errors.push(Error::invalid(&at, replicas, format!("should be less than or equal to {}", i32::MAX)));
                }
            }
            Some(other) => errors.push(Error::invalid(&at, 0, accessor_error(&parts, other, "int64"))),
        }
    }

    fn scale_status(&self, errors: &mut ErrorList, object: &Value) {
        let Some(scale) = &self.scale else { return };
        Self::scale_part(errors, object, &scale.status);
        if scale.selector.is_empty() {
            return;
        }
        let parts: Vec<&str> = scale.selector.trim_start_matches('.').split('.').collect();
        if let Some(other) = meta::get(object, &parts).filter(|value| !value.is_string()) {
            errors.push(Error::invalid(&Path::new(&scale.selector), "", accessor_error(&parts, other, "string")));
        }
    }

    fn scale_spec(&self, errors: &mut ErrorList, object: &Value) {
        if let Some(scale) = &self.scale {
            Self::scale_part(errors, object, &scale.spec);
        }
    }

    /// What comes after the schema: sets and maps, and the rules.
    fn invariants(&self, errors: &mut ErrorList, object: &Value, old: Option<&Value>) -> Vec<String> {
        let root = Path::default();
        let mut before = ErrorList::new();
        if let Some(old) = old {
            lists::check(&mut before, &root, old, &self.schema);
        }
        if before.is_empty() {
            lists::check(errors, &root, object, &self.schema);
        }
        let blocking = |error: &Error| {
            use ErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
            matches!(error.kind, NotSupported | Required | TooLong | TooMany | TypeInvalid)
        };
        if !self.schema.any(&|schema| !schema.validations.is_empty()) {
            return Vec::new();
        }
        if errors.iter().any(blocking) {
            let why = "some validation rules were not checked because the object was invalid; correct the existing \
                       errors to complete validation";
            errors.push(Error::invalid(&root, Value::Null, why));
            return Vec::new();
        }
        rules::check(errors, &root, object, old, &self.schema)
    }

    fn keep_unless_changed(object: &mut Value, old: &Value) {
        let changed = content(object) != content(old);
        let generation = meta::generation(old);
        if changed || generation > 0 {
            meta::set(object, &["metadata", "generation"], if changed { generation + 1 } else { generation });
        }
    }

    fn settle(&self, object: &mut Value) {
        if !Arc::ptr_eq(&self.schema, &self.stored) {
            prune::prune(object, &self.stored);
        }
    }
}

/// What `unstructured.NestedInt64` and its kin say of a value of another type.
fn accessor_error(parts: &[&str], found: &Value, wanted: &str) -> String {
    let type_ = match found {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = go::text(found);
    format!(".{} accessor error: {shown} is of the type {type_}, expected {wanted}", parts.join("."))
}

/// What counts for the generation.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    object.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata").collect()
}

/// Warnings about finalizers that are new.
fn finalizer_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let known: Vec<&str> = old.into_iter().flat_map(meta::finalizers).collect();
    let mut added: Vec<&str> = meta::finalizers(object).filter(|name| !known.contains(name)).collect();
    added.sort_unstable();
    added.dedup();
    let mut warnings = Vec::new();
    for name in added {
        let shown = crate::object::go::quote(name);
        let problems = crate::object::names::is_qualified_name(name);
        warnings.extend(problems.into_iter().map(|problem| format!("metadata.finalizers: {shown}: {problem}")));
        if !name.contains('/') && !matches!(name, "orphan" | "foregroundDeletion" | "kubernetes") {
            let path = if name.contains('.') { " including a path (/)" } else { "" };
            warnings.push(format!(
                "metadata.finalizers: {shown}: prefer a domain-qualified finalizer name{path} to avoid accidental \
                 conflicts with other finalizer writers"
            ));
        }
    }
    warnings
}

impl Strategy for CustomStrategy {
    fn decode(&self, resource: &Resource, body: &Bytes, encoding: Encoding) -> Result<Decoded, Status> {
        decode::body(resource, &self.schema, body, encoding)
    }

    fn decode_value(&self, resource: &Resource, value: Value) -> Result<Decoded, Status> {
        decode::value(resource, &self.schema, value)
    }

    fn default(&self, _resource: &Resource, object: &mut Value) {
        prune::default(object, &self.schema);
    }

    fn read_back(&self, object: &mut Value) {
        prune::prune(object, &self.stored);
        prune::default(object, &self.stored);
    }

    fn before_create(&self, scope: &Scope<'_>, object: &mut Value) -> Outcome {
        let resource = scope.resource;
        if self.status {
            meta::remove(object, &["status"]);
        }
        meta::set(object, &["metadata", "generation"], 1);
        let mut errors = Self::type_meta(resource, object);
        let root = Path::default();
        if errors.is_empty() {
            object_meta::create(&mut errors, object, resource.kind.namespaced, NameRule::DnsSubdomain);
            validate::validate(&mut errors, &root, object, None, &self.schema);
            self.scale_spec(&mut errors, object);
            self.scale_status(&mut errors, object);
        }
        let mut warnings = self.invariants(&mut errors, object, None);
        if !errors.is_empty() {
            return Err(Self::refuse(resource, object, &errors));
        }
        self.settle(object);
        warnings.extend(finalizer_warnings(object, None));
        Ok(warnings)
    }

    fn before_update(&self, scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        let resource = scope.resource;
        if self.status {
            match old.get("status") {
                Some(status) => meta::set(object, &["status"], status.clone()),
                None => drop(meta::remove(object, &["status"])),
            }
        }
        Self::keep_unless_changed(object, old);
        let mut errors = Self::type_meta(resource, object);
        if errors.is_empty() {
            object_meta::create(&mut errors, object, resource.kind.namespaced, NameRule::PathSegment);
            object_meta::update(&mut errors, object, old);
            validate::validate(&mut errors, &Path::default(), object, Some(old), &self.schema);
            self.scale_spec(&mut errors, object);
            self.scale_status(&mut errors, object);
        }
        let mut warnings = self.invariants(&mut errors, object, Some(old));
        if !errors.is_empty() {
            return Err(Self::refuse(resource, object, &errors));
        }
        self.settle(object);
        warnings.extend(finalizer_warnings(object, Some(old)));
        Ok(warnings)
    }

    fn before_subresource_update(
        &self,
        scope: &Scope<'_>,
        subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        if subresource != "status" {
            return self.before_update(scope, object, old);
        }
        // Only the status is taken, and of the metadata what shows who wrote it.
        let status = object.get("status").cloned();
        let fields = meta::get(object, &["metadata", "managedFields"]).cloned();
        *object = old.clone();
        match status {
            Some(status) => meta::set(object, &["status"], status),
            None => drop(meta::remove(object, &["status"])),
        }
        match fields {
            Some(fields) => meta::set(object, &["metadata", "managedFields"], fields),
            None => drop(meta::remove(object, &["metadata", "managedFields"])),
        }
        let mut errors = Self::type_meta(scope.resource, object);
        object_meta::update(&mut errors, object, old);
        if let (Some(status), Some(schema)) = (object.get("status"), self.schema.properties.get("status")) {
            validate::validate(&mut errors, &Path::new("status"), status, old.get("status"), schema);
        }
        self.scale_status(&mut errors, object);
        let warnings = self.invariants(&mut errors, object, Some(old));
        if !errors.is_empty() {
            return Err(Self::refuse(scope.resource, object, &errors));
        }
        self.settle(object);
        Ok(warnings)
    }

    fn has_generation(&self) -> bool {
        true
    }

    fn deleted<'a>(&'a self, core: &'a Core, _object: &'a Value) -> BoxFuture<'a, ()> {
        if !self.terminating {
            return Box::pin(std::future::ready(()));
        }
        Box::pin(super::register::finish(core, &self.definition))
    }

    fn reset_fields(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        match (self.status, subresource) {
            (true, "") => &[&["status"]],
            (true, "status") => &[&["spec"], &["metadata"]],
            _ => &[],
        }
    }

    fn table_columns(&self, _resource: &Resource) -> Vec<Value> {
        let own = self.columns.iter().map(|column| column.column.column.to_value());
        std::iter::once(custom::name_column().to_value()).chain(own).collect()
    }

    fn table_cells(&self, _resource: &Resource, object: &Value, now: DateTime<Utc>) -> Vec<Value> {
        let name = Value::from(meta::name(object));
        std::iter::once(name).chain(self.columns.iter().map(|column| column.cell(object, now))).collect()
    }

    fn selectable_fields(&self, _resource: &Resource) -> Vec<String> {
        self.selectable.clone()
    }

    fn scale_paths(&self) -> Option<&ScalePaths> {
        self.scale.as_ref()
    }

    fn published_schema(&self) -> Option<Value> {
        Some(self.written.clone())
    }

    fn deprecation(&self) -> Option<&str> {
        self.deprecation.as_deref()
    }

    fn is_terminating(&self) -> bool {
        self.terminating
    }
}
