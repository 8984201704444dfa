//! What every controller runs on: a cache filled by list and watch, a queue of keys, actions, retries and a clock.
//!
//! * [`Controller`] says what it watches and gives for one key the [`Action`]s that bring the observed state nearer to
//!   the desired one. It does no I/O and needs no runtime to be tested.
//! * [`Cache`] holds every object of the cluster. What a controller writes is in the cache before its next turn, so no
//!   controller ever acts twice on a state that it has changed already.
//! * [`Manager`] runs controllers against a transport until it is told to stop.

mod action;
mod api;
mod cache;
mod events;
mod informer;
mod manager;
mod queue;

pub use action::{Action, PatchType};
pub use api::{Api, ApiError};
pub use cache::{Cache, Change, Key, Resource};
pub use manager::{Manager, Options};

use chrono::{DateTime, Utc};

use crate::object::Value;

/// What a controller sees of the cluster when it reconciles.
pub struct World<'a> {
    /// Every object of the cluster.
    pub cache: &'a Cache,
    /// The time of this turn.
    pub now: DateTime<Utc>,
}

/// One kind of objects that a controller watches, and which keys a change of such an object touches.
pub struct Watch {
    /// The resource.
    pub resource: Resource,
    /// The keys to reconcile after a change.
    pub keys: fn(&Cache, &Change<'_>) -> Vec<Key>,
}

impl Watch {
    /// Reconciles the changed object itself.
    pub fn own(resource: Resource) -> Self {
        Self { resource, keys: |_, change| vec![Key::of(change.object())] }
    }

    /// Reconciles the controllers (owner references with `controller: true`) of the changed object, of any kind.
    pub fn controllers_of(resource: Resource) -> Self {
        Self { resource, keys: |_, change| change.both().filter_map(Key::of_controller).collect() }
    }
}

/// A control loop: level-triggered, restartable, without memory of its own.
pub trait Controller: Send + Sync + 'static {
    /// Name in logs and events, as Kubernetes' controller of that task is called.
    fn name(&self) -> &'static str;

    /// What to watch. Keys of several resources may mix where only one of them can exist under a key.
    fn watches(&self) -> Vec<Watch>;

    /// Whether changes of any resource concern it (garbage collection, namespaces); `keys_of_any` says which keys.
    fn keys_of_any(&self, _cache: &Cache, _resource: &Resource, _change: &Change<'_>) -> Vec<Key> {
        Vec::new()
    }

    /// How many keys may be reconciled at once; one key never is twice.
    fn workers(&self) -> usize {
        2
    }

    /// The client name under which it writes, which becomes the field manager.
    fn component(&self) -> &'static str {
        "kube-controller-manager"
    }

    /// The source that its events name.
    fn event_source(&self) -> &'static str {
        self.component()
    }

    /// The `action` of an event of that reason, for programs that write `events.k8s.io`; `None` for those that write the
    /// older form with a source.
    fn event_action(&self, _reason: &str) -> Option<&'static str> {
        None
    }

    /// Whether a turn goes on when an object could not be created: its status tells what there is all the same.
    fn goes_on_after_failed_creates(&self) -> bool {
        false
    }

    /// What else to do after an action failed, such as telling people by an event or a condition. The turn is tried
    /// again in any case.
    fn on_failure(&self, _world: &World<'_>, _key: &Key, _failed: &Action, _error: &ApiError) -> Vec<Action> {
        Vec::new()
    }

    /// What to do for `key` now. Actions run in order; the first that fails ends the turn, which is tried again later.
    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action>;
}

/// A fresh object of a kind, owned (with `controller: true`) by `owner`.
pub fn owner_reference(owner: &Value) -> Value {
    use crate::object::meta;
    serde_json::json!({
        "apiVersion": meta::api_version(owner),
        "kind": meta::kind(owner),
        "name": meta::name(owner),
        "uid": meta::uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
