//! `authorizer`: what a user may do, asked from within an expression.

use std::fmt;
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The service account that is asked about, as namespace and name; else the user of the request.
    pub service_account: Option<(String, String)>,
    /// A path outside of resources.
    pub path: Option<String>,
    /// API group.
    pub group: String,
    /// Resource.
    pub resource: String,
    /// Subresource.
    pub subresource: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Selector of fields.
    pub field_selector: String,
    /// Selector of labels.
    pub label_selector: String,
    /// Verb.
    pub verb: String,
}

/// What the answer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why.
    pub reason: String,
    /// What went wrong while deciding; empty when nothing did.
    pub error: String,
}

/// Who answers.
pub trait Authorizer: Send + Sync {
    /// Decides about an access.
    fn decide(&self, access: &Access) -> Decision;
}

/// How far a question has come.
#[derive(Clone)]
pub enum Step {
    /// `authorizer`.
    Start,
    /// A path.
    Path,
    /// A group.
    Group,
    /// A resource.
    Resource,
    /// The answer.
    Decided(Decision),
}

/// A question in the making, or its answer.
#[derive(Clone)]
pub struct Authorization {
    /// Who is to answer.
    pub authorizer: Arc<dyn Authorizer>,
    /// What has been said so far.
    pub access: Access,
    /// How far it has come.
    pub step: Step,
}

impl Authorization {
    /// The start of all questions.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer, access: Access::default(), step: Step::Start }
    }

    /// What its type is called.
    pub fn type_name(&self) -> &'static str {
        match self.step {
            Step::Start => "kubernetes.authorization.Authorizer",
            Step::Path => "kubernetes.authorization.PathCheck",
            Step::Group => "kubernetes.authorization.GroupCheck",
            Step::Resource => "kubernetes.authorization.ResourceCheck",
            Step::Decided(_) => "kubernetes.authorization.Decision",
        }
    }

    /// The question with one more word said; `None` where that word has no place.
    pub fn with(&self, function: &str, text: &str) -> Option<Self> {
        let mut next = self.clone();
        let said = text.to_owned();
        match (&self.step, function) {
            (Step::Start, "path") => (next.access.path, next.step) = (Some(said), Step::Path),
            (Step::Start, "group") => (next.access.group, next.step) = (said, Step::Group),
            (Step::Group, "resource") => (next.access.resource, next.step) = (said, Step::Resource),
            (Step::Resource, "subresource") => next.access.subresource = said,
            (Step::Resource, "namespace") => next.access.namespace = said,
            (Step::Resource, "name") => next.access.name = said,
            (Step::Resource, "fieldSelector") => next.access.field_selector = said,
            (Step::Resource, "labelSelector") => next.access.label_selector = said,
            (Step::Resource | Step::Path, "check") => {
                next.access.verb = said;
                next.step = Step::Decided(self.authorizer.decide(&next.access));
            }
            _ => return None,
        }
        Some(next)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.type_name()).field("access", &self.access).finish_non_exhaustive()
    }
}
