//! From credentials to a user: client certificates, bearer tokens, or nobody in particular.

use std::collections::BTreeMap;

use base64::Engine as _;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::object::Status;

use super::{ANONYMOUS, AUTHENTICATED, Auth, MASTERS, UNAUTHENTICATED, UserInfo};
use crate::apiserver::core::Core;
use crate::apiserver::service::Peer;
use crate::apiserver::websocket::{self, BEARER_PREFIX};

/// The extra fact that names the credential with which a user came.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// 401.
pub fn unauthorized() -> Status {
    Status::failure(401, "Unauthorized", "Unauthorized")
}

impl Auth {
    /// Finds out who sends a request, impersonation included.
    ///
    /// # Errors
    ///
    /// 401 for credentials that are not valid, 403 for impersonation that is not allowed.
    pub fn authenticate(&self, core: &Core, headers: &HeaderMap, peer: &Peer) -> Result<UserInfo, Status> {
        let user = self.requestor(core, headers, peer)?;
        match super::impersonate::Wanted::of(headers)? {
            Some(wanted) => wanted.check(core, &user),
            None => Ok(user),
        }
    }

    /// Finds out who sends a request, impersonation apart.
    ///
    /// # Errors
    ///
    /// 401 for credentials that are not valid.
    pub fn requestor(&self, core: &Core, headers: &HeaderMap, peer: &Peer) -> Result<UserInfo, Status> {
        if peer.in_process {
            return Ok(user("kubernetes-admin", "", &[MASTERS]));
        }
        let certified = || peer.certificates.first().and_then(|certificate| of_certificate(certificate));
        if let Some(user) = peer.certified.get_or_init(certified) {
            return Ok(user.clone());
        }
        if let Some(token) = bearer(headers) {
            return self.of_token(core, token).ok_or_else(unauthorized);
        }
        if let Some(token) = websocket_token(headers) {
            return token.and_then(|token| self.of_token(core, &token)).ok_or_else(unauthorized);
        }
        if !self.anonymous {
            return Err(unauthorized());
        }
        let groups = vec![UNAUTHENTICATED.to_owned()];
        Ok(UserInfo { name: ANONYMOUS.into(), groups, ..UserInfo::default() })
    }

    fn of_token(&self, core: &Core, token: &str) -> Option<UserInfo> {
        self.review_token(core, token, &[]).ok().map(|(user, _)| user)
    }

    /// Finds out whose token this is, for `audiences` or, when there are none, for the API server; gives the user and the
    /// audiences for which the token holds.
    ///
    /// # Errors
    ///
    /// The text of the refusal.
    pub fn review_token(
        &self,
        core: &Core,
        token: &str,
        audiences: &[String],
    ) -> Result<(UserInfo, Vec<String>), String> {
        let own = core.config.service_account_issuer.clone();
        let holds = audiences.is_empty() || audiences.contains(&own);
        if let Some(user) = self.of_static_token(token).filter(|_| holds) {
            return Ok((user, vec![own]));
        }
        match self.service_accounts.verify(core, token, audiences) {
            Ok(Some(verified)) => Ok(verified),
            Ok(None) => Err("invalid bearer token".to_owned()),
            Err(why) => Err(format!("[invalid bearer token, {why}]")),
        }
    }

    fn of_static_token(&self, token: &str) -> Option<UserInfo> {
        let row = self.tokens.iter().find(|row| row.token == token)?;
        let groups: Vec<&str> = row.groups.iter().map(String::as_str).collect();
        Some(user(&row.user, &row.uid, &groups))
    }
}

/// A known user, who is in the group of all known ones.
pub fn user(name: &str, uid: &str, groups: &[&str]) -> UserInfo {
    let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    if !groups.iter().any(|group| group == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    UserInfo { name: name.into(), uid: uid.into(), groups, extra: BTreeMap::new() }
}

/// The token that a websocket's client, such as a browser, hides among its subprotocols; `Some(None)` for one that is
/// not usable, or is offered without a real subprotocol.
fn websocket_token(headers: &HeaderMap) -> Option<Option<String>> {
    if !websocket::is_requested(headers) {
        return None;
    }
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut tokens =
        values.flat_map(|value| value.split(',')).filter_map(|part| part.trim().strip_prefix(BEARER_PREFIX));
    let encoded = tokens.next()?;
    if tokens.next().is_some() || websocket::offered(headers).is_empty() {
        return Some(None);
    }
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).ok();
    Some(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
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
    let name = subject.iter_common_name().next()?.as_str().ok().filter(|name| !name.is_empty())?;
    let groups: Vec<&str> = subject.iter_organization().filter_map(|o| o.as_str().ok()).collect();
    let mut user = user(name, "", &groups);
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    user.extra.insert(CREDENTIAL_ID.into(), vec![format!("X509SHA256={hex}")]);
    Some(user)
}
