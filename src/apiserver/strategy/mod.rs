//! What is done to objects of a kind on the way into the store.
//!
//! [`BuiltIn`] carries out the rules of [`crate::kinds::rules`]; kinds that need more than the object itself (service
//! addresses, for one) register a strategy of their own in [`of`], and custom resource definitions bring theirs.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::kinds::columns;
use crate::kinds::decode::Empty;
use crate::kinds::rules::{self, Context, GarbageCollection, Rules, StatusSplit};
use crate::object::{GroupKind, Status, Value};

use super::core::Core;
use super::decode::{self, Decoded};
use super::negotiate::Encoding;
use super::registry::Resource;
use super::store::{Entry, Write};

mod api_service;
mod namespace;
mod service;

/// What a strategy may know of the request.
pub struct Scope<'a> {
    /// The server.
    pub core: &'a Core,
    /// The resource through which the request came.
    pub resource: &'a Resource,
    /// Nothing is going to be stored.
    pub dry_run: bool,
    /// Empty lists and maps that the client sent and that are not a part of the object as it is stored.
    pub empties: &'a [Empty],
}

impl Scope<'_> {
    fn context(&self) -> Context<'_> {
        // As `--allow-privileged=true`.
        Context { now: self.core.now(), allow_privileged: true, empties: self.empties }
    }
}

/// The outcome of preparing and validating an object: warnings for the client.
pub type Outcome = Result<Vec<String>, Status>;

/// The rules of a kind. Objects are in the stored form unless a method says otherwise.
pub trait Strategy: Send + Sync {
    /// The rules of a built-in kind that this strategy builds on: they hold where it says nothing else.
    fn base(&self) -> Option<&BuiltIn> {
        None
    }

    /// Reads a body as an object in the resource's own form, with what strict decoding objects to.
    ///
    /// # Errors
    ///
    /// 400 for a body that is no such object.
    fn decode(&self, resource: &Resource, body: &Bytes, encoding: Encoding) -> Result<Decoded, Status> {
        decode::builtin(resource, body, encoding)
    }

    /// As [`Strategy::decode`], of a value that came out of a patch.
    ///
    /// # Errors
    ///
    /// 400 for a value that is no such object.
    fn decode_value(&self, resource: &Resource, value: Value) -> Result<Decoded, Status> {
        decode::builtin_value(resource, value)
    }

    /// Fills in defaults of an object in the resource's own form.
    fn default(&self, resource: &Resource, object: &mut Value) {
        if let Some(base) = self.base() {
            base.default(resource, object);
        }
    }

    /// Prepares and validates an object that is about to be created.
    ///
    /// # Errors
    ///
    /// What validation found.
    fn before_create(&self, scope: &Scope<'_>, object: &mut Value) -> Outcome {
        self.base().map_or(Ok(Vec::new()), |base| base.before_create(scope, object))
    }

    /// Prepares and validates the new state of an object.
    ///
    /// # Errors
    ///
    /// What validation found.
    fn before_update(&self, scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        self.base().map_or(Ok(Vec::new()), |base| base.before_update(scope, object, old))
    }

    /// The same for a write to a subresource that writes parts of the object: `status`, and others of the kind.
    ///
    /// # Errors
    ///
    /// What validation found.
    fn before_subresource_update(
        &self,
        scope: &Scope<'_>,
        subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        let base = self.base();
        base.map_or(Ok(Vec::new()), |base| base.before_subresource_update(scope, subresource, object, old))
    }

    /// Writes down who asks for a new object, for kinds that keep that.
    fn requested_by(&self, _object: &mut Value, _user: &super::auth::UserInfo) {}

    /// Settles what only the server can: addresses, ports. Comes after mutating admission, before
    /// [`Strategy::before_create`] and [`Strategy::before_update`] (`old` is there for updates).
    ///
    /// # Errors
    ///
    /// When something that the object asks for is not to be had.
    fn allocate(&self, _scope: &Scope<'_>, _object: &mut Value, _old: Option<&Value>) -> Result<(), Status> {
        Ok(())
    }

    /// Writes that belong into the same transaction as the write of `object`; nothing for `object` means that `old`
    /// is being deleted.
    fn companions(&self, _scope: &Scope<'_>, _object: Option<&Value>, _old: Option<&Value>) -> Vec<Write> {
        Vec::new()
    }

    /// Called when the write of `object` over `old` has been given up after [`Strategy::allocate`], or has been made.
    fn settled(&self, _scope: &Scope<'_>, _object: Option<&Value>, _old: Option<&Value>, _written: bool) {}

    /// Called when a write is durable, before the answer goes out.
    fn after_write<'a>(&'a self, _core: &'a Core, _written: &'a Entry) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether the conditions of a deletion are checked by the kind's own storage before the common rules see them.
    fn checks_deletion_first(&self) -> bool {
        false
    }

    /// Adds what else marks an object as being deleted, when it stays for now.
    fn marked(&self, _object: &mut Value) {}

    /// Called when the deletion of an object is durable, before the answer goes out.
    fn deleted<'a>(&'a self, _core: &'a Core, _object: &'a Value) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether an object that is marked as deleted and has no finalizers left may go now.
    fn may_finalize(&self, _object: &Value) -> bool {
        true
    }

    /// Whether PUT of a missing object creates it.
    fn allow_create_on_update(&self) -> bool {
        self.base().is_some_and(Strategy::allow_create_on_update)
    }

    /// Whether PUT without a resource version overwrites.
    fn allow_unconditional_update(&self) -> bool {
        self.base().is_some_and(Strategy::allow_unconditional_update)
    }

    /// Seconds of grace for deleting an object, given what the request asks; absent where deletion is immediate.
    fn grace_period(&self, _object: &Value, _asked: Option<i64>) -> Option<i64> {
        None
    }

    /// Whether objects of the kind show the grace period of their deletion even though there is none.
    fn garbage_collection(&self) -> GarbageCollection {
        GarbageCollection::DeleteDependents
    }

    /// Whether the generation counts changes of the object.
    fn has_generation(&self) -> bool {
        self.base().is_some_and(Strategy::has_generation)
    }

    /// Fields that a write to the object (empty `subresource`) or to a subresource does not own.
    fn reset_fields(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        self.base().map_or(&[], |base| base.reset_fields(subresource))
    }

    /// The columns of the resource's table, as `columnDefinitions`.
    fn table_columns(&self, resource: &Resource) -> Vec<Value> {
        columns::of(&resource.kind.group_kind()).iter().map(columns::Column::to_value).collect()
    }

    /// The cells of an object, which is in the resource's form.
    fn table_cells(&self, resource: &Resource, object: &Value, now: DateTime<Utc>) -> Vec<Value> {
        columns::cells(&resource.kind.group_kind(), object, now)
    }

    /// Field labels beyond name and namespace that the resource itself defines.
    fn selectable_fields(&self, _resource: &Resource) -> Vec<String> {
        Vec::new()
    }

    /// Brings an object that was read from the store into the form that it has now.
    fn read_back(&self, _object: &mut Value) {}

    /// Whether [`Strategy::read_back`] may change anything.
    fn reads_back(&self) -> bool {
        false
    }

    /// Where the scale of an object stands, if not in the usual fields.
    fn scale_paths(&self) -> Option<&super::crd::ScalePaths> {
        None
    }

    /// The schema that OpenAPI documents show, where the resource brings its own.
    fn published_schema(&self) -> Option<Value> {
        None
    }

    /// What every answer says of the resource's age.
    fn deprecation(&self) -> Option<&str> {
        None
    }

    /// Whether the resource is about to go, so that nothing new may be made.
    fn is_terminating(&self) -> bool {
        false
    }
}

/// The rules of a built-in kind, carried out.
pub struct BuiltIn {
    kind: GroupKind,
    rules: &'static Rules,
    /// What follows a write.
    written: Option<Written>,
}

type Written = for<'a> fn(&'a Core, &'a Entry) -> BoxFuture<'a, ()>;

impl BuiltIn {
    /// The rules of a kind.
    pub fn new(kind: GroupKind) -> Self {
        Self { rules: rules::of(&kind), kind, written: None }
    }

    fn answer(&self, outcome: Result<Vec<String>, crate::object::field::ErrorList>, object: &Value) -> Outcome {
        outcome.map_err(|errors| Status::invalid(&self.kind, crate::object::meta::name(object), &errors))
    }
}

impl Strategy for BuiltIn {
    fn default(&self, _resource: &Resource, object: &mut Value) {
        rules::default_object(object);
    }

    fn before_create(&self, scope: &Scope<'_>, object: &mut Value) -> Outcome {
        let outcome = self.rules.before_create(object, &scope.context());
        // What is stored is read back with the defaults of its version, also of what preparation made.
        rules::default_object(object);
        self.answer(outcome, object)
    }

    fn before_update(&self, scope: &Scope<'_>, object: &mut Value, old: &Value) -> Outcome {
        let outcome = self.rules.before_update(object, old, &scope.context());
        rules::default_object(object);
        self.answer(outcome, object)
    }

    fn before_subresource_update(
        &self,
        scope: &Scope<'_>,
        subresource: &str,
        object: &mut Value,
        old: &Value,
    ) -> Outcome {
        let outcome = match subresource {
            "status" => self.rules.before_status_update(object, old, &scope.context()),
            other => self.rules.before_subresource_update(other, object, old, &scope.context()),
        };
        self.answer(outcome, object)
    }

    fn after_write<'a>(&'a self, core: &'a Core, written: &'a Entry) -> BoxFuture<'a, ()> {
        match self.written {
            Some(follow) => follow(core, written),
            None => Box::pin(std::future::ready(())),
        }
    }

    fn requested_by(&self, object: &mut Value, user: &super::auth::UserInfo) {
        (self.rules.requester)(object, &user.to_value());
    }

    fn allow_create_on_update(&self) -> bool {
        self.rules.allow_create_on_update
    }

    fn allow_unconditional_update(&self) -> bool {
        self.rules.allow_unconditional_update
    }

    fn grace_period(&self, object: &Value, asked: Option<i64>) -> Option<i64> {
        self.rules.graceful_deletion.map(|grace| grace(object, asked))
    }

    fn garbage_collection(&self) -> GarbageCollection {
        self.rules.garbage_collection
    }

    fn has_generation(&self) -> bool {
        self.rules.generation
    }

    fn reset_fields(&self, subresource: &str) -> &'static [&'static [&'static str]] {
        match (self.rules.status, subresource) {
            (StatusSplit::Status, "") => &[&["status"]],
            (StatusSplit::Status, "status") => &[&["spec"]],
            _ => &[],
        }
    }
}

/// The strategy of a built-in kind.
pub fn of(kind: &GroupKind) -> Arc<dyn Strategy> {
    let generic = BuiltIn::new(kind.clone());
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            Arc::new(super::crd::definition::DefinitionStrategy(generic))
        }
        ("apiregistration.k8s.io", "APIService") => Arc::new(BuiltIn { written: Some(api_service::settle), ..generic }),
        ("", "Namespace") => Arc::new(namespace::NamespaceStrategy(generic)),
        ("", "Service") => Arc::new(service::ServiceStrategy(generic)),
        _ => Arc::new(generic),
    }
}
