//! Legacy authentication plugins: of those, client-go knows `oidc` only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::model::AuthProvider;
use crate::object::{Value, meta};

const GCP: &str = "The gcp auth plugin has been removed.\n\
    Please use the \"gke-gcloud-auth-plugin\" kubectl/client-go credential plugin instead.\n\
    See https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke for further details";
const AZURE: &str = "The azure auth plugin has been removed.\n\
    Please use the https://github.com/Azure/kubelogin kubectl/client-go credential plugin instead.\n\
    See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins for further details";

/// The id token of a provider's settings; within, why there is none that could be used.
///
/// # Errors
/// An unknown provider, or settings that lack what every use needs, in client-go's words.
pub fn token(provider: &AuthProvider, now: DateTime<Utc>) -> Result<Result<String, String>, String> {
    match provider.name.as_str() {
        "oidc" => {}
        "gcp" => return Err(GCP.to_owned()),
        "azure" => return Err(AZURE.to_owned()),
        other => return Err(format!("no Auth Provider found for name \"{other}\"")),
    }
    let setting = |name: &str| provider.config.as_ref().and_then(|config| config.get(name)).map_or("", String::as_str);
    for required in ["idp-issuer-url", "client-id"] {
        if setting(required).is_empty() {
            return Err(format!("Must provide {required}"));
        }
    }
    let token = setting("id-token");
    if !token.is_empty() {
        match expired(token, now) {
            Ok(false) => return Ok(Ok(token.to_owned())),
            Ok(true) => {}
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Err(if setting("refresh-token").is_empty() {
        "No valid id-token, and cannot refresh without refresh-token".to_owned()
    } else {
        "the id-token has expired: this program does not use the refresh-token; log in anew, or use an exec credential \
         plugin"
            .to_owned()
    }))
}

/// Whether a JSON web token's time is over, a few seconds early so that it lasts for the request.
fn expired(token: &str, now: DateTime<Utc>) -> Result<bool, String> {
    const EARLY: i64 = 10;
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err("ID Token is not a valid JWT".to_owned());
    };
    let bytes = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).map_err(|error| error.to_string())?;
    let claims: Value = serde_json::from_slice(&bytes).map_err(|error| format!("parsing claims: {error}"))?;
    Ok(meta::int_at(&claims, &["exp"]).unwrap_or_default() < now.timestamp() + EARLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(settings: &[(&str, &str)]) -> AuthProvider {
        let config = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        AuthProvider { name: "oidc".into(), config: Some(config) }
    }

    #[test]
    fn a_token_is_used_until_it_expires() {
        let now = DateTime::from_timestamp(1_000, 0).expect("a time");
        let token_until = |exp: i64| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")));
        let (fresh, old) = (token_until(2_000), token_until(999));
        let base = [("idp-issuer-url", "https://x"), ("client-id", "a")];
        let with = |more: (&'static str, &str)| {
            let settings: Vec<(&str, &str)> = base.iter().copied().chain([more]).collect();
            token(&provider(&settings), now)
        };
        assert_eq!(with(("id-token", &fresh)), Ok(Ok(fresh.clone())));
        let none = "No valid id-token, and cannot refresh without refresh-token".to_owned();
        assert_eq!(with(("id-token", &old)), Ok(Err(none)));
        assert_eq!(token(&provider(&base[..1]), now), Err("Must provide client-id".to_owned()));
        let other = AuthProvider { name: "other".into(), config: None };
        assert_eq!(token(&other, now), Err("no Auth Provider found for name \"other\"".to_owned()));
    }
}
