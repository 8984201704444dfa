//! Admission webhooks: other servers that change or judge what is about to be written, asked over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{BoxFuture, join_all};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use super::policy::{matcher, variables};
use super::{Attributes, Operation, Plugin};
use crate::apiserver::core::Core;
use crate::apiserver::mirror::Mirror;
use crate::apiserver::store::Entry;
use crate::object::{Status, Value, go, meta};
use crate::patch::json_patch::JsonPatch;

/// Seconds for which a webhook is waited for when it does not say.
const TIMEOUT: i64 = 10;
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 3 * 1024 * 1024;

fn parse(entry: &Entry) -> Value {
    entry.object("admissionregistration.k8s.io/v1", "")
}

/// The webhooks of all configurations, in the order of the names of these.
fn webhooks(core: &Core, configurations: &Mirror<Value>) -> Vec<Value> {
    let items = configurations.items(&core.store);
    items.values().flat_map(|configuration| meta::list_at(configuration, &["webhooks"]).to_vec()).collect()
}

/// `MutatingAdmissionWebhook`.
pub struct MutatingWebhooks(Mirror<Value>);

impl Default for MutatingWebhooks {
    fn default() -> Self {
        Self(Mirror::new(&["/registry/mutatingwebhookconfigurations/"], parse))
    }
}

impl Plugin for MutatingWebhooks {
    fn name(&self) -> &'static str {
        "MutatingAdmissionWebhook"
    }

    fn admit<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if matcher::is_exempt(attributes) {
                return Ok(());
            }
            let mut again = Vec::new();
            for webhook in webhooks(core, &self.0) {
                if mutate(core, attributes, &webhook).await?
                    && meta::str_at(&webhook, &["reinvocationPolicy"]) == "IfNeeded"
                {
                    again.push((webhook, attributes.object.clone()));
                }
            }
            for (webhook, left) in again {
                if attributes.object != left {
                    mutate(core, attributes, &webhook).await?;
                }
            }
            Ok(())
        })
    }
}

/// `ValidatingAdmissionWebhook`.
pub struct ValidatingWebhooks(Mirror<Value>);

impl Default for ValidatingWebhooks {
    fn default() -> Self {
        Self(Mirror::new(&["/registry/validatingwebhookconfigurations/"], parse))
    }
}

impl Plugin for ValidatingWebhooks {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionWebhook"
    }

    fn validate<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if matcher::is_exempt(attributes) {
                return Ok(());
            }
            let webhooks = webhooks(core, &self.0);
            let answers = join_all(webhooks.iter().map(|webhook| ask(core, attributes, webhook))).await;
            for (webhook, answer) in webhooks.iter().zip(answers) {
                let Some(response) = answer? else { continue };
                take_notes(attributes, webhook, &response);
                check_allowed(webhook, &response)?;
            }
            Ok(())
        })
    }
}

/// Lets a webhook change the object; whether it was asked.
async fn mutate(core: &Core, attributes: &mut Attributes, webhook: &Value) -> Result<bool, Status> {
    let Some(response) = ask(core, attributes, webhook).await? else { return Ok(false) };
    take_notes(attributes, webhook, &response);
    check_allowed(webhook, &response)?;
    let patch = meta::str_at(&response, &["patch"]);
    if patch.is_empty() {
        return Ok(true);
    }
    let broken = |why: String| {
        let name = go::quote(meta::str_at(webhook, &["name"]));
        Status::internal(format!(
            "failed calling webhook {name}: received undecodable patch in webhook response: {why}"
        ))
    };
    let bytes = STANDARD.decode(patch).map_err(|e| broken(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|e| broken(e.to_string()))?;
    let patch = JsonPatch::decode(&text).map_err(Status::internal)?;
    let mut object = variables::shown(attributes, attributes.object.as_ref());
    patch.apply(&mut object).map_err(Status::internal)?;
    let resource = attributes.resource.clone();
    if meta::kind(&object) == resource.kind.kind {
        object = resource.strategy.decode_value(&resource, object)?.object;
        resource.strategy.default(&resource, &mut object);
        object = resource.to_stored(object);
    }
    attributes.object = Some(object);
    Ok(true)
}

/// Warnings and annotations of an answer.
fn take_notes(attributes: &mut Attributes, webhook: &Value, response: &Value) {
    let warnings = meta::list_at(response, &["warnings"]).iter().filter_map(Value::as_str);
    attributes.warnings.extend(warnings.map(str::to_owned));
    let name = meta::str_at(webhook, &["name"]);
    for (key, value) in meta::texts(meta::map_at(response, &["auditAnnotations"])) {
        attributes.audit.push((format!("{name}/{key}"), value.to_owned()));
    }
}

fn check_allowed(webhook: &Value, response: &Value) -> Result<(), Status> {
    if meta::bool_at(response, &["allowed"]) {
        return Ok(());
    }
    let denied = format!("admission webhook {} denied the request", go::quote(meta::str_at(webhook, &["name"])));
    let text = |field| meta::str_at(response, &["status", field]);
    let message = match (text("message"), text("reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = meta::int_at(response, &["status", "code"]).and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    let mut status = Status::failure(code, text("reason"), message);
    let sent = response.get("status").cloned().unwrap_or_default();
    status.details = Status::from_value(&with_kind(sent)).and_then(|sent| sent.details);
    Err(status)
}

fn with_kind(mut status: Value) -> Value {
    meta::set(&mut status, &["kind"], "Status");
    status
}

/// Asks a webhook, if the request is any of its business, and gives back its response.
async fn ask(core: &Core, attributes: &Attributes, webhook: &Value) -> Result<Option<Value>, Status> {
    let constraints = json!({
        "resourceRules": webhook.get("rules").cloned().unwrap_or_default(),
        "namespaceSelector": webhook.get("namespaceSelector").cloned().unwrap_or_default(),
        "objectSelector": webhook.get("objectSelector").cloned().unwrap_or_default(),
        "matchPolicy": webhook.get("matchPolicy").cloned().unwrap_or_default(),
    });
    let named = meta::list_at(webhook, &["rules"]).is_empty();
    if named || !matcher::matches(core, attributes, Some(&constraints)).map_err(Status::internal)? {
        return Ok(None);
    }
    let ignores = meta::str_at(webhook, &["failurePolicy"]) == "Ignore";
    let name = go::quote(meta::str_at(webhook, &["name"]));
    if !meta::list_at(webhook, &["matchConditions"]).is_empty() {
        match variables::conditions_hold(webhook, &variables::of(core, attributes)) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) if ignores => return Ok(None),
            Err(why) => return Err(attributes.forbidden(&why)),
        }
    }
    if attributes.dry_run && !matches!(meta::str_at(webhook, &["sideEffects"]), "None" | "NoneOnDryRun") {
        return Err(Status::bad_request(format!("admission webhook {name} does not support dry run")));
    }
    match call(core, attributes, webhook).await {
        Ok(response) => Ok(Some(response)),
        Err(_) if ignores => Ok(None),
        Err(why) => Err(Status::internal(format!("failed calling webhook {name}: {why}"))),
    }
}

/// Where a webhook is reached: its URL, and the address of its service.
struct Target {
    url: String,
    resolved: Option<(String, std::net::SocketAddr)>,
}

fn target(core: &Core, webhook: &Value, seconds: i64) -> Result<Target, String> {
    let client = webhook.get("clientConfig").unwrap_or(&Value::Null);
    let url = meta::str_at(client, &["url"]);
    if !url.is_empty() {
        let mark = if url.contains('?') { '&' } else { '?' };
        return Ok(Target { url: format!("{url}{mark}timeout={seconds}s"), resolved: None });
    }
    let text = |field| meta::str_at(client, &["service", field]);
    let (namespace, name) = (text("namespace"), text("name"));
    let port = meta::int_at(client, &["service", "port"]).unwrap_or(443);
    let host = format!("{name}.{namespace}.svc");
    let path = text("path");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("https://{host}:{port}{slash}{path}?timeout={seconds}s");
    let Some(entry) = core.store.get(&format!("/registry/services/specs/{namespace}/{name}")) else {
        return Err(format!("failed to call webhook: Post {}: service {} not found", go::quote(&url), go::quote(name)));
    };
    let service = entry.object("v1", "Service");
    let address = meta::str_at(&service, &["spec", "clusterIP"]).parse().ok();
    let port = u16::try_from(port).unwrap_or(443);
    Ok(Target { url, resolved: address.map(|address| (host, std::net::SocketAddr::new(address, port))) })
}

fn client(webhook: &Value, target: &Target, timeout: Duration) -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    let bundle = STANDARD.decode(meta::str_at(webhook, &["clientConfig", "caBundle"])).unwrap_or_default();
    for certificate in CertificateDer::pem_slice_iter(&bundle).flatten() {
        roots.add(certificate).map_err(|e| e.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .timeout(timeout)
        .user_agent("kube-apiserver-admission")
        .redirect(reqwest::redirect::Policy::none());
    if let Some((host, address)) = &target.resolved {
        builder = builder.resolve(host, *address);
    }
    builder.build().map_err(|e| e.to_string())
}

/// What went wrong, in Go's words where they are known.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded".to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

async fn call(core: &Core, attributes: &Attributes, webhook: &Value) -> Result<Value, String> {
    let seconds = meta::int_at(webhook, &["timeoutSeconds"]).unwrap_or(TIMEOUT).clamp(1, 30);
    let target = target(core, webhook, seconds)?;
    let versions = meta::list_at(webhook, &["admissionReviewVersions"]).iter().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| matches!(*version, "v1" | "v1beta1")).unwrap_or("v1");
    let uid = core.new_uid();
    let mut request = variables::request(attributes);
    request["uid"] = uid.as_str().into();
    let object = if attributes.operation == Operation::Delete { None } else { attributes.object.as_ref() };
    request["object"] = variables::shown(attributes, object);
    request["oldObject"] = variables::shown(attributes, attributes.old.as_ref());
    let review =
        json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": request});
    let client = client(webhook, &target, Duration::from_secs(u64::try_from(seconds).unwrap_or(10)))?;
    let post = client
        .post(&target.url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, "application/json, */*")
        .body(review.to_string());
    let failed =
        |e: reqwest::Error| format!("failed to call webhook: Post {}: {}", go::quote(&target.url), in_words(&e));
    let answer = post.send().await.map_err(failed)?;
    let code = answer.status();
    let body = answer.bytes().await.map_err(failed)?;
    if !code.is_success() {
        return Err(match code.as_u16() {
            404 => "failed to call webhook: the server could not find the requested resource".to_owned(),
            _ => format!(
                "failed to call webhook: an error on the server ({}) has prevented the request from succeeding",
                go::quote(String::from_utf8_lossy(&body).trim())
            ),
        });
    }
    if body.len() > MAX_ANSWER {
        return Err("received invalid webhook response: the answer is too large".to_owned());
    }
    let review: Value = serde_json::from_slice(&body).map_err(|e| format!("failed to call webhook: {e}"))?;
    check_review(&review, version, &uid)
}

/// The response in a review, which must be to this request and in the version that was sent.
fn check_review(review: &Value, version: &str, uid: &str) -> Result<Value, String> {
    let invalid = |why: String| Err(format!("received invalid webhook response: {why}"));
    let response = review.get("response").filter(|response| !response.is_null()).cloned();
    let Some(response) = response else { return invalid("webhook response was absent".into()) };
    if version == "v1" {
        let got = meta::str_at(&response, &["uid"]);
        if got != uid {
            return invalid(format!("expected response.uid={}, got {}", go::quote(uid), go::quote(got)));
        }
        let (api_version, kind) = (meta::api_version(review), meta::kind(review));
        if api_version != "admission.k8s.io/v1" || kind != "AdmissionReview" {
            let gv = crate::object::GroupVersion::parse(api_version).unwrap_or_default();
            return invalid(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {}/{}, Kind={kind}",
                gv.group, gv.version
            ));
        }
        let (patch, patch_type) = (meta::str_at(&response, &["patch"]), meta::str_at(&response, &["patchType"]));
        if !patch.is_empty() && patch_type.is_empty() {
            return invalid("webhook returned response.patch but not response.patchType".into());
        }
        if !patch_type.is_empty() && patch_type != "JSONPatch" {
            return invalid(format!("webhook returned invalid response.patchType of {}", go::quote(patch_type)));
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_held_against_the_request() {
        let review = |uid: &str| json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": uid, "allowed": true}});
        assert!(check_review(&review("a"), "v1", "a").is_ok());
        assert_eq!(
            check_review(&review("b"), "v1", "a"),
            Err("received invalid webhook response: expected response.uid=\"a\", got \"b\"".into())
        );
    }

    #[test]
    fn refusals_carry_what_the_webhook_says() {
        let webhook = json!({"name": "w.example.com"});
        let status = check_allowed(
            &webhook,
            &json!({"allowed": false, "status": {"message": "no", "code": 403, "reason": "Forbidden"}}),
        );
        let status = status.expect_err("a refusal");
        assert_eq!(
            (status.code, status.message.as_str()),
            (403, "admission webhook \"w.example.com\" denied the request: no")
        );
        let status = check_allowed(&webhook, &json!({"allowed": false})).expect_err("a refusal");
        assert_eq!(status.message, "admission webhook \"w.example.com\" denied the request without explanation");
        assert_eq!(status.code, 400);
    }
}
