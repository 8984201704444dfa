//! Who sends a request, and whether they may.

use std::collections::BTreeMap;

use http::HeaderMap;

use crate::object::Status;

use super::config::{AuthorizationMode, Config, StaticToken};
use super::core::Core;
use super::service::Peer;

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
/// The group of everyone who is known.
pub const AUTHENTICATED: &str = "system:authenticated";

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
}

impl Attributes {
    /// The attributes of a request.
    pub fn of(info: &super::request::RequestInfo) -> Self {
        Self {
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
}

/// The authenticators and authorizers of a server.
pub struct Auth {
    tokens: Vec<StaticToken>,
    anonymous: bool,
    mode: AuthorizationMode,
}

impl Auth {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        Self { tokens: config.static_tokens.clone(), anonymous: config.anonymous, mode: config.authorization }
    }

    /// Finds out who sends a request, impersonation included.
    ///
    /// # Errors
    ///
    /// 401 for credentials that are not valid, 403 for impersonation that is not allowed.
    pub fn authenticate(&self, core: &Core, headers: &HeaderMap, peer: &Peer) -> Result<UserInfo, Status> {
        let _ = core;
        if peer.in_process {
            return Ok(user("kubernetes-admin", "", &[MASTERS]));
        }
        if let Some(token) = bearer(headers) {
            return self.token(token).ok_or_else(unauthorized);
        }
        if let Some(user) = peer.certificates.first().and_then(|certificate| of_certificate(certificate)) {
            return Ok(user);
        }
        if !self.anonymous {
            return Err(unauthorized());
        }
        Ok(UserInfo {
            name: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
            ..UserInfo::default()
        })
    }

    fn token(&self, token: &str) -> Option<UserInfo> {
        let row = self.tokens.iter().find(|row| row.token == token)?;
        let groups: Vec<&str> = row.groups.iter().map(String::as_str).collect();
        Some(user(&row.user, &row.uid, &groups))
    }

    /// Decides whether a user may do something.
    ///
    /// # Errors
    ///
    /// 403 with the reference server's text.
    pub fn authorize(&self, core: &Core, user: &UserInfo, attributes: &Attributes) -> Result<(), Status> {
        let _ = core;
        if self.mode == AuthorizationMode::AlwaysAllow || user.in_group(MASTERS) {
            return Ok(());
        }
        Err(forbidden(user, attributes))
    }
}

fn user(name: &str, uid: &str, groups: &[&str]) -> UserInfo {
    let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    groups.push(AUTHENTICATED.to_owned());
    UserInfo { name: name.into(), uid: uid.into(), groups, extra: BTreeMap::new() }
}

fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Common name and organizations of a verified client certificate.
fn of_certificate(der: &[u8]) -> Option<UserInfo> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let groups: Vec<&str> = subject.iter_organization().filter_map(|o| o.as_str().ok()).collect();
    Some(user(name, "", &groups))
}

/// The refusal of an authorizer.
fn forbidden(user: &UserInfo, attributes: &Attributes) -> Status {
    let quote = crate::object::field::quote;
    if attributes.resource.is_empty() {
        let why = format!("User {} cannot {} path {}", quote(&user.name), attributes.verb, quote(&attributes.path));
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
        "User {} cannot {} resource {} in API group {} {place}",
        quote(&user.name),
        attributes.verb,
        quote(&resource),
        quote(&attributes.group),
    );
    Status::forbidden(&attributes.group, &attributes.resource, &attributes.name, &why)
}
