//! Who sends a request, and whether they may.
//!
//! | module | holds |
//! |---|---|
//! | [`audit`] | the audit log |
//! | [`authenticate`] | certificates, bearer tokens, anonymous |
//! | [`impersonate`] | the `Impersonate-*` headers |
//! | [`rbac`], [`rule`], [`node`] | the authorizers |
//! | [`escalation`] | nobody gives away what they do not have |
//! | [`reviews`] | access reviews, token reviews, self reviews |

use std::collections::BTreeMap;

use crate::object::selector::FieldSelector;
use crate::object::{Status, Value, go};

use super::config::{AuthorizationMode, Config, StaticToken};
use super::core::Core;
use super::query::Query;

pub mod audit;
pub mod authenticate;
pub mod escalation;
mod impersonate;
pub mod node;
pub mod rbac;
pub mod reviews;
pub mod rule;
mod service_accounts;

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
/// The group of everyone who is known.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everyone else.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user without credentials.
pub const ANONYMOUS: &str = "system:anonymous";

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Name.
    pub name: String,
    /// Uid, or empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Further facts.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// Whether the user is a member of `group`.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }

    /// The user as `UserInfo` of the authentication API.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::Map::new();
        let mut put = |name: &str, item: Value, empty: bool| {
            if !empty {
                value.insert(name.into(), item);
            }
        };
        put("username", self.name.as_str().into(), self.name.is_empty());
        put("uid", self.uid.as_str().into(), self.uid.is_empty());
        put("groups", self.groups.clone().into(), self.groups.is_empty());
        put("extra", serde_json::json!(self.extra), self.extra.is_empty());
        Value::Object(value)
    }
}

/// What a user wants to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Verb.
    pub verb: String,
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource; empty for paths that are no resource.
    pub resource: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// Name, or empty.
    pub name: String,
    /// The path, for paths that are no resource.
    pub path: String,
    /// Whether this is about a resource and not about a path.
    pub resource_request: bool,
    /// The field selector of a list, watch or deletion of a collection.
    pub fields: FieldSelector,
}

impl Attributes {
    /// The attributes of a request.
    pub fn of(info: &super::request::RequestInfo, query: &Query) -> Self {
        let selects = matches!(info.verb.as_str(), "list" | "watch" | "deletecollection");
        let fields = query.get("fieldSelector").filter(|_| selects).and_then(|text| FieldSelector::parse(text).ok());
        Self {
            resource_request: info.is_resource,
            fields: fields.unwrap_or_default(),
            verb: info.verb.clone(),
            group: info.group.clone(),
            version: info.version.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            path: if info.is_resource { String::new() } else { info.path.clone() },
        }
    }

    /// Whether this is about a resource and not about a path.
    pub fn is_resource(&self) -> bool {
        self.resource_request
    }

    /// Whether the field selector demands that a field has a value.
    pub fn field_is(&self, field: &str, value: &str) -> bool {
        self.fields.exact(field) == Some(value)
    }
}

/// What an authorizer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Why, or why not; may be empty.
    pub reason: String,
}

/// The authenticators and authorizers of a server.
pub struct Auth {
    tokens: Vec<StaticToken>,
    anonymous: bool,
    mode: AuthorizationMode,
    rbac: rbac::Rbac,
    service_accounts: service_accounts::ServiceAccounts,
}

impl Auth {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        Self {
            tokens: config.static_tokens.clone(),
            anonymous: config.anonymous,
            mode: config.authorization,
            rbac: rbac::Rbac::default(),
            service_accounts: service_accounts::ServiceAccounts::default(),
        }
    }

    /// Asks the authorizers in turn: the group of masters, nodes, roles.
    pub fn decide(&self, core: &Core, user: &UserInfo, attributes: &Attributes) -> Decision {
        if self.mode == AuthorizationMode::AlwaysAllow || user.in_group(MASTERS) {
            return Decision { allowed: true, reason: String::new() };
        }
        let node = node::decide(&core.store, user, attributes);
        if node.allowed {
            return node;
        }
        let mut rbac = self.rbac.decide(&core.store, user, attributes);
        if !rbac.allowed && !node.reason.is_empty() {
            let reasons: Vec<&str> =
                [node.reason.as_str(), rbac.reason.as_str()].into_iter().filter(|r| !r.is_empty()).collect();
            rbac.reason = reasons.join("\n");
        }
        rbac
    }

    /// Decides whether a user may do something.
    ///
    /// # Errors
    ///
    /// 403 with the reference server's text.
    pub fn authorize(&self, core: &Core, user: &UserInfo, attributes: &Attributes) -> Result<(), Status> {
        let decision = self.decide(core, user, attributes);
        if decision.allowed { Ok(()) } else { Err(forbidden(user, attributes, &decision.reason)) }
    }

    /// The rules of stored roles.
    pub fn rbac(&self) -> &rbac::Rbac {
        &self.rbac
    }
}

/// The refusal of an authorizer.
fn forbidden(user: &UserInfo, attributes: &Attributes, reason: &str) -> Status {
    let quote = go::quote;
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    if !attributes.is_resource() {
        let path = quote(&attributes.path);
        let why = format!("User {} cannot {} path {path}{reason}", quote(&user.name), attributes.verb);
        return Status::forbidden("", "", "", &why);
    }
    let resource = match attributes.subresource.as_str() {
        "" => attributes.resource.clone(),
        subresource => format!("{}/{subresource}", attributes.resource),
    };
    let place = match attributes.namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", quote(namespace)),
    };
    let why = format!(
        "User {} cannot {} resource {} in API group {} {place}{reason}",
        quote(&user.name),
        attributes.verb,
        quote(&resource),
        quote(&attributes.group),
    );
    Status::forbidden(&attributes.group, &attributes.resource, &attributes.name, &why)
}
