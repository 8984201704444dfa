//! What controllers want done.

use std::time::Duration;

use super::{Key, Resource};
use crate::object::Value;

/// The media type of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Strategic merge, built-in kinds only.
    Strategic,
}

impl PatchType {
    /// The `Content-Type` of the request.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }
}

/// One step towards the desired state.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object; its metadata says where. That it exists already is no failure.
    Create {
        /// The resource.
        resource: Resource,
        /// The object.
        object: Value,
    },
    /// Creates an object and, once that is done, tells of it: others that are created beside it may fail.
    CreateAndTell {
        /// The resource.
        resource: Resource,
        /// The object.
        object: Value,
        /// The event.
        event: Box<Action>,
    },
    /// Replaces an object or, with `subresource`, one side of it. Its resourceVersion guards against lost updates.
    Update {
        /// The resource.
        resource: Resource,
        /// `status`, `finalize`, …
        subresource: Option<&'static str>,
        /// The object.
        object: Value,
    },
    /// Patches an object. That it is gone is no failure.
    Patch {
        /// The resource.
        resource: Resource,
        /// Namespace, empty for cluster-scoped objects.
        namespace: String,
        /// Name.
        name: String,
        /// `status`, …
        subresource: Option<&'static str>,
        /// How to read `patch`.
        patch_type: PatchType,
        /// The patch.
        patch: Value,
    },
    /// Deletes an object. That it is gone is no failure.
    Delete {
        /// The resource.
        resource: Resource,
        /// Namespace, empty for cluster-scoped objects.
        namespace: String,
        /// Name.
        name: String,
        /// `DeleteOptions`: preconditions, propagation policy, grace period.
        options: Value,
    },
    /// Goes on only if there is no object of that name with that uid on the server: the cache may not have seen it yet.
    /// Otherwise the turn ends here, and well; another follows, for the cache is behind.
    RequireAbsent {
        /// The resource.
        resource: Resource,
        /// Namespace, empty for cluster-scoped objects.
        namespace: String,
        /// Name.
        name: String,
        /// The uid that must not be found.
        uid: String,
    },
    /// Posts to a subresource, such as a pod's `binding`.
    Post {
        /// The resource.
        resource: Resource,
        /// Namespace, empty for cluster-scoped objects.
        namespace: String,
        /// Name.
        name: String,
        /// The subresource.
        subresource: &'static str,
        /// What to post.
        object: Value,
    },
    /// Requests a token of a service account and writes it, with `patch` (a merge patch), into a secret.
    StoreToken {
        /// The service account.
        account: Key,
        /// The `TokenRequest`.
        request: Value,
        /// The secret.
        secret: Key,
        /// What else to change of the secret.
        patch: Value,
    },
    /// Asks access reviews one after another and does what goes with the first one that is allowed.
    FirstAllowed(Vec<(Value, Action)>),
    /// Records an event about an object; the same event again counts up.
    Event {
        /// The object that it is about.
        regarding: Value,
        /// `Normal` or `Warning`.
        type_: &'static str,
        /// CamelCase reason.
        reason: &'static str,
        /// Text for people.
        message: String,
    },
    /// Reconciles the key again after a while.
    RequeueAfter(Duration),
}

impl Action {
    /// Whether the action creates an object: neighbours of that sort are done side by side.
    pub fn is_create(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::CreateAndTell { .. })
    }

    /// The object that the action creates.
    pub fn created(&self) -> Option<&Value> {
        match self {
            Self::Create { object, .. } | Self::CreateAndTell { object, .. } => Some(object),
            _ => None,
        }
    }

    /// Creates a pod for `owner` and tells of it as Kubernetes' pod control does.
    pub fn create_pod(owner: &Value, pod: Value) -> Self {
        use crate::object::meta;
        let message = format!("Created pod: {}", meta::name(&pod));
        let event = Self::Event { regarding: owner.clone(), type_: "Normal", reason: "SuccessfulCreate", message };
        Self::CreateAndTell { resource: Resource::new("", "v1", "pods"), object: pod, event: Box::new(event) }
    }

    /// Replaces the status of `object`.
    pub fn update_status(resource: &Resource, object: Value) -> Self {
        Self::Update { resource: resource.clone(), subresource: Some("status"), object }
    }

    /// Changes `object` by a merge patch.
    pub fn merge(resource: &Resource, object: &Value, patch: Value) -> Self {
        Self::merge_at(resource, object, None, patch)
    }

    /// Changes the status of `object` by a merge patch, if it is still the one that was seen.
    pub fn merge_status(resource: &Resource, object: &Value, status: Value) -> Self {
        use crate::object::meta;
        let patch = serde_json::json!({"metadata": {"uid": meta::uid(object)}, "status": status});
        Self::merge_at(resource, object, Some("status"), patch)
    }

    /// Changes `object`, or what a subresource shows of it, by a merge patch.
    pub fn merge_at(resource: &Resource, object: &Value, subresource: Option<&'static str>, patch: Value) -> Self {
        use crate::object::meta;
        Self::Patch {
            resource: resource.clone(),
            namespace: meta::namespace(object).to_owned(),
            name: meta::name(object).to_owned(),
            subresource,
            patch_type: PatchType::Merge,
            patch,
        }
    }

    /// Deletes `object` if it is still the one that was seen.
    pub fn delete(resource: &Resource, object: &Value) -> Self {
        use crate::object::meta;
        Self::Delete {
            resource: resource.clone(),
            namespace: meta::namespace(object).to_owned(),
            name: meta::name(object).to_owned(),
            options: serde_json::json!({"preconditions": {"uid": meta::uid(object)}}),
        }
    }
}
