//! Bearer tokens of service accounts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::apiserver::core::Core;
use crate::object::{Value, go, meta};

use super::UserInfo;
use super::authenticate::{CREDENTIAL_ID, user};

/// How long a token that was found good counts as such (kube-apiserver's cache of tokens).
const KEEP: Duration = Duration::from_secs(10);
/// How many such tokens are remembered.
const REMEMBERED: usize = 4096;

type Digest = Vec<u8>;

/// Who a token stands for, and for which of the audiences asked for.
pub type Verified = (UserInfo, Vec<String>);

/// Verifies tokens, remembering good ones for a short while.
#[derive(Default)]
pub struct ServiceAccounts {
    known: Mutex<HashMap<Digest, (Instant, Verified)>>,
}

impl ServiceAccounts {
    /// Whose token this is; nothing when it is none of this server's.
    ///
    /// # Errors
    ///
    /// Why a token of this server is not good.
    pub fn verify(&self, core: &Core, token: &str, audiences: &[String]) -> Result<Option<Verified>, String> {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        std::iter::once(token).chain(audiences.iter().map(String::as_str)).for_each(|part| {
            context.update(part.as_bytes());
            context.update(&[0]);
        });
        let digest = context.finish().as_ref().to_vec();
        let now = Instant::now();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, verified)) = known.get(&digest).filter(|(at, _)| now.duration_since(*at) < KEEP) {
                return Ok(Some(verified.clone()));
            }
        }
        let Some(verified) = verify(core, token, audiences)? else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, (at, _)| now.duration_since(*at) < KEEP);
        }
        if known.len() < REMEMBERED {
            known.insert(digest, (now, verified.clone()));
        }
        Ok(Some(verified))
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn verify(core: &Core, token: &str, wanted: &[String]) -> Result<Option<Verified>, String> {
    let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(None) };
    let Some((header, payload)) = signed.split_once('.') else { return Ok(None) };
    let (Some(header), Some(claims)) = (decoded(header), decoded(payload)) else { return Ok(None) };
    let issuer = core.config.service_account_issuer.as_str();
    if meta::str_at(&claims, &["iss"]) != issuer {
        return Ok(None);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if meta::str_at(&header, &["alg"]) != "RS256" || !core.tokens.verifies(signed.as_bytes(), &signature) {
        return Err("failed to verify signature".into());
    }
    let audiences = audiences(&claims, issuer, wanted)?;
    check_time(&claims, core.now().timestamp())?;
    let account = check_account(core, &claims)?;
    Ok(Some((account, audiences)))
}

/// The audiences of a token that were asked for; those of the API server when none were.
fn audiences(claims: &Value, issuer: &str, wanted: &[String]) -> Result<Vec<String>, String> {
    let own: Vec<String> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let default = [issuer.to_owned()];
    let wanted = if wanted.is_empty() { &default[..] } else { wanted };
    let both: Vec<String> = wanted.iter().filter(|audience| own.contains(audience)).cloned().collect();
    if !both.is_empty() {
        return Ok(both);
    }
    let list = |items: &[String]| items.iter().map(|item| go::quote(item)).collect::<Vec<_>>().join(" ");
    Err(format!("token audiences [{}] is invalid for the target audiences [{}]", list(&own), list(wanted)))
}

fn check_time(claims: &Value, now: i64) -> Result<(), String> {
    if meta::int_at(claims, &["nbf"]).is_some_and(|from| now < from) {
        return Err("service account token is not valid yet".into());
    }
    match meta::int_at(claims, &["exp"]) {
        Some(until) if now <= until => Ok(()),
        _ => Err("service account token has expired".into()),
    }
}

/// The account and what the token is bound to must still be there.
fn check_account(core: &Core, claims: &Value) -> Result<UserInfo, String> {
    const OWN: &str = "kubernetes.io";
    let text = |path: &[&str]| {
        let path: Vec<&str> = std::iter::once(OWN).chain(path.iter().copied()).collect();
        meta::str_at(claims, &path).to_owned()
    };
    let (namespace, name, uid) =
        (text(&["namespace"]), text(&["serviceaccount", "name"]), text(&["serviceaccount", "uid"]));
    let stored = |key: String| core.store.get(&key).map(|entry| entry.object("v1", ""));
    let account = stored(format!("/registry/serviceaccounts/{namespace}/{name}"))
        .ok_or_else(|| format!("serviceaccounts {} not found", go::quote(&name)))?;
    if meta::uid(&account) != uid {
        return Err("service account UID does not match token's claim".to_owned());
    }
    for (kind, what, prefix) in [
        ("pod", "Pod", format!("/registry/pods/{namespace}/")),
        ("secret", "Secret", format!("/registry/secrets/{namespace}/")),
        ("node", "Node", "/registry/minions/".to_owned()),
    ] {
        let (bound, bound_uid) = (text(&[kind, "name"]), text(&[kind, "uid"]));
        // The node of a token that is bound to a pod is a mere note.
        if bound.is_empty() || (kind == "node" && !text(&["pod", "name"]).is_empty()) {
            continue;
        }
        let object = stored(format!("{prefix}{bound}")).ok_or("service account token has been invalidated")?;
        if meta::uid(&object) != bound_uid {
            return Err(format!("{what} UID ({}) does not match claim ({bound_uid})", meta::uid(&object)));
        }
    }
    let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let mut account = user(&format!("system:serviceaccount:{namespace}:{name}"), &uid, &groups);
    let mut extra = |key: &str, value: String| {
        if !value.is_empty() {
            account.extra.insert(key.to_owned(), vec![value]);
        }
    };
    let id = meta::str_at(claims, &["jti"]);
    extra(CREDENTIAL_ID, if id.is_empty() { String::new() } else { format!("JTI={id}") });
    for (kind, part) in [("pod", "name"), ("pod", "uid"), ("node", "name"), ("node", "uid")] {
        extra(&format!("authentication.kubernetes.io/{kind}-{part}"), text(&[kind, part]));
    }
    Ok(account)
}
