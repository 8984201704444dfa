//! Secrets of the type `kubernetes.io/service-account-token`: filled with a token of their account, and gone with it.

use serde_json::json;

use super::runtime::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::object::meta::{get, str_at};
use crate::object::{Value, meta};

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// These tokens do not expire; the longest time that can be asked for stands for that.
const LONGEST: i64 = 1 << 32;

/// The token controller.
pub struct Tokens {
    /// The certificate of the cluster's authority, PEM.
    pub certificate: String,
}

fn secrets() -> Resource {
    Resource::new("", "v1", "secrets")
}

fn accounts() -> Resource {
    Resource::new("", "v1", "serviceaccounts")
}

fn of_account(cache: &Cache, change: &Change<'_>) -> Vec<Key> {
    let account = change.object();
    let all = cache.list(&secrets(), Some(meta::namespace(account)));
    let names = |secret: &Value| {
        str_at(secret, &["type"]) == TYPE && meta::annotation(secret, ACCOUNT) == Some(meta::name(account))
    };
    all.iter().filter(|secret| names(secret)).map(|secret| Key::of(secret)).collect()
}

impl Controller for Tokens {
    fn name(&self) -> &'static str {
        "serviceaccount-token"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(secrets()), Watch { resource: accounts(), keys: of_account }]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(secret) = world.cache.get(&secrets(), key) else { return Vec::new() };
        let name = meta::annotation(&secret, ACCOUNT).unwrap_or_default();
        if str_at(&secret, &["type"]) != TYPE || name.is_empty() || meta::deletion_timestamp(&secret).is_some() {
            return Vec::new();
        }
        let account_key = Key { namespace: key.namespace.clone(), name: name.to_owned() };
        let uid = meta::annotation(&secret, ACCOUNT_UID).unwrap_or_default();
        match world.cache.get(&accounts(), &account_key) {
            Some(account) if uid.is_empty() || uid == meta::uid(&account) => self.fill(&secret, &account),
            _ => vec![Action::delete(&secrets(), &secret)],
        }
    }
}

impl Tokens {
    fn fill(&self, secret: &Value, account: &Value) -> Vec<Action> {
        let certificate = encode(&self.certificate);
        let namespace = encode(meta::namespace(secret));
        let has = |field: &str, wanted: &str| str_at(secret, &["data", field]) == wanted;
        let has_token = get(secret, &["data", "token"]).is_some();
        let has_uid = meta::annotation(secret, ACCOUNT_UID).is_some();
        if has("ca.crt", &certificate) && has("namespace", &namespace) && has_token && has_uid {
            return Vec::new();
        }
        let patch = json!({
            "metadata": {"uid": meta::uid(secret), "annotations": {ACCOUNT_UID: meta::uid(account)}},
            "data": {"ca.crt": certificate, "namespace": namespace},
        });
        if has_token {
            return vec![Action::merge(&secrets(), secret, patch)];
        }
        let bound = json!({"kind": "Secret", "apiVersion": "v1", "name": meta::name(secret), "uid": meta::uid(secret)});
        vec![Action::StoreToken {
            account: Key::of(account),
            request: json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"expirationSeconds": LONGEST, "boundObjectRef": bound}}),
            secret: Key::of(secret),
            patch,
        }]
    }
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    #[test]
    fn secrets_are_filled_for_accounts_that_are_there() {
        let cache = Cache::default();
        let mut secret = json!({"type": TYPE, "metadata": {"name": "s", "namespace": "n", "uid": "S",
            "resourceVersion": "1", "annotations": {ACCOUNT: "bot"}}});
        let account = json!({"metadata": {"name": "bot", "namespace": "n", "uid": "B", "resourceVersion": "2"}});
        cache.put(&secrets(), Arc::new(secret.clone()));
        cache.put(&accounts(), Arc::new(account.clone()));
        let (world, key) = (World { cache: &cache, now: Utc::now() }, Key { namespace: "n".into(), name: "s".into() });
        let controller = Tokens { certificate: "PEM".into() };
        assert!(matches!(controller.reconcile(&world, &key)[..], [Action::StoreToken { .. }]));
        secret["data"] = json!({"ca.crt": encode("PEM"), "namespace": encode("n"), "token": "x"});
        secret["metadata"]["annotations"][ACCOUNT_UID] = json!("B");
        secret["metadata"]["resourceVersion"] = json!("3");
        cache.put(&secrets(), Arc::new(secret));
        assert_eq!(controller.reconcile(&world, &key), vec![]);
        cache.remove(&accounts(), &Key::of(&account), 0);
        assert!(matches!(&controller.reconcile(&world, &key)[..], [Action::Delete { name, .. }] if name == "s"));
    }
}
