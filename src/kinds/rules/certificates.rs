//! Rules of certificate signing requests.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::value::Fields;
use super::{Context, GENERIC, MetaCheck, NameRule, Rules, Subresource, check};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::go::quote;
use crate::object::{Value, meta, names};

const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const NO_REQUEST: &str = "PEM block type must be CERTIFICATE REQUEST";
/// Longest name of a signer: a domain and a name, each with its limit.
const SIGNER_LIMIT: usize = 253 + 1 + 253 + 63;
/// Conditions that stay once they are there.
const LASTING: [&str; 3] = ["Approved", "Denied", "Failed"];

/// Usages that a certificate may be asked for.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The rows of this file.
pub const RULES: &[Rules] = &[Rules {
    group: "certificates.k8s.io",
    kind: "CertificateSigningRequest",
    name: NameRule::PathSegment,
    update_meta: &[MetaCheck::Create, MetaCheck::Update],
    prepare_create: |request, _| drop(meta::remove(request, &["status"])),
    prepare_update: keep_spec_and_status,
    prepare_status_update: keep_spec,
    subresources: &[Subresource {
        name: "approval",
        prepare: keep_spec,
        validate: |new, old| update(new, old, Endpoint::Approval),
    }],
    requester: |request, user| {
        for field in ["username", "uid", "groups", "extra"] {
            match user.get(field) {
                Some(value) => meta::set(request, &["spec", field], value.clone()),
                None => drop(meta::remove(request, &["spec", field])),
            }
        }
    },
    validate_create: |request| signing_request(request, None),
    validate_update: |new, old| update(new, old, Endpoint::Main),
    validate_status_update: |new, old| update(new, old, Endpoint::Status),
    ..GENERIC
}];

/// Which endpoint an update came through: each may set other parts of the status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Neither approval nor certificate.
    Main,
    /// The certificate.
    Status,
    /// The conditions `Approved` and `Denied`.
    Approval,
}

fn keep_spec(new: &mut Value, old: &Value, context: &Context) {
    super::generic::copy(new, old, "spec");
    date_conditions(new, old, context);
}

/// Conditions without times get them: a transition is as old as the condition's state.
fn date_conditions(new: &mut Value, old: &Value, context: &Context) {
    let now = context.now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let before = old.at("status").list("conditions");
    let conditions = new.get_mut("status").and_then(|status| status.get_mut("conditions"));
    for condition in conditions.and_then(Value::as_array_mut).into_iter().flatten() {
        let same = before
            .iter()
            .find(|old| old.text("type") == condition.text("type") && old.text("status") == condition.text("status"));
        let since = same.map(|old| old.text("lastTransitionTime")).filter(|time| !time.is_empty()).unwrap_or(&now);
        for (field, time) in [("lastUpdateTime", now.as_str()), ("lastTransitionTime", since)] {
            if !condition.has(field) {
                meta::set(condition, &[field], time);
            }
        }
    }
}

fn keep_spec_and_status(new: &mut Value, old: &Value, context: &Context) {
    keep_spec(new, old, context);
    super::generic::copy(new, old, "status");
}

/// What an old object has wrong already, and a new one may keep.
#[derive(Default)]
struct Tolerated {
    legacy_signer: bool,
    unknown_usages: bool,
    duplicate_usages: bool,
    approved_and_denied: bool,
    duplicate_conditions: bool,
    empty_conditions: bool,
}

fn condition_types(request: &Value) -> Vec<&str> {
    request.at("status").list("conditions").iter().map(|condition| condition.text("type")).collect()
}

fn has_duplicates(texts: &[&str]) -> bool {
    texts.iter().collect::<BTreeSet<_>>().len() < texts.len()
}

fn tolerated(old: Option<&Value>) -> Tolerated {
    let Some(old) = old else { return Tolerated::default() };
    let usages = old.at("spec").texts("usages");
    let types = condition_types(old);
    Tolerated {
        legacy_signer: old.at("spec").text("signerName") == LEGACY_SIGNER,
        unknown_usages: usages.iter().any(|usage| !USAGES.contains(usage)),
        duplicate_usages: has_duplicates(&usages),
        approved_and_denied: types.contains(&"Approved") && types.contains(&"Denied"),
        duplicate_conditions: has_duplicates(&types),
        empty_conditions: types.contains(&""),
    }
}

fn signing_request(request: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let tolerated = tolerated(old);
    let spec = request.at("spec");
    let path = Path::new("spec");
    if let Some(wrong) = request_error(spec.text("request")) {
        errors.push(Error::invalid(&path.child("request"), spec.at("request").clone(), wrong));
    }
    let usages = spec.texts("usages");
    let at = path.child("usages");
    if usages.is_empty() {
        errors.push(Error::required(&at, ""));
    }
    if !tolerated.unknown_usages {
        for (i, usage) in usages.iter().enumerate() {
            check::one_of(&mut errors, &at.index(i), usage, &USAGES);
        }
    }
    if !tolerated.duplicate_usages {
        let mut seen = BTreeSet::new();
        for (i, usage) in usages.iter().enumerate().filter(|(_, usage)| !seen.insert(**usage)) {
            errors.push(Error::duplicate(&at.index(i), *usage));
        }
    }
    let signer = spec.text("signerName");
    let at = path.child("signerName");
    if signer == LEGACY_SIGNER && !tolerated.legacy_signer {
        errors.push(Error::invalid(&at, signer, "the legacy signerName is not allowed via this API version"));
    } else {
        signer_name(&mut errors, &at, signer);
    }
    if let Some(seconds) = spec.opt_int("expirationSeconds").filter(|seconds| *seconds < 600) {
        let message = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(Error::invalid(&path.child("expirationSeconds"), seconds, message));
    }
    conditions(&mut errors, request, &tolerated);
    let certificate = request.at("status").text("certificate");
    let untouched = old.is_some_and(|old| old.at("status").text("certificate") == certificate);
    if let Some(wrong) = certificate_error(certificate).filter(|_| !untouched) {
        let path = Path::new("status").child("certificate");
        errors.push(Error::invalid(&path, "<certificate data>", wrong));
    }
    errors
}

/// What is wrong with the request, which is PEM in base64.
fn request_error(encoded: &str) -> Option<String> {
    let pem = STANDARD.decode(encoded).unwrap_or_default();
    let Ok((_, block)) = x509_parser::pem::parse_x509_pem(&pem) else { return Some(NO_REQUEST.to_owned()) };
    if block.label != "CERTIFICATE REQUEST" {
        return Some(NO_REQUEST.to_owned());
    }
    X509CertificationRequest::from_der(&block.contents).err().map(|error| error.to_string())
}

/// What is wrong with an issued certificate chain, which is PEM in base64.
fn certificate_error(encoded: &str) -> Option<String> {
    if encoded.is_empty() {
        return None;
    }
    let pem = STANDARD.decode(encoded).unwrap_or_default();
    let mut blocks = 0;
    for block in x509_parser::pem::Pem::iter_from_buffer(&pem).flatten() {
        if block.label != "CERTIFICATE" {
            return Some(format!("only CERTIFICATE PEM blocks are allowed, found {}", quote(&block.label)));
        }
        if let Err(error) = block.parse_x509() {
            return Some(error.to_string());
        }
        blocks += 1;
    }
    (blocks == 0).then(|| "must contain at least one CERTIFICATE PEM block".to_owned())
}

/// A signer: a domain and a path of names below it (`ValidateSignerName`).
fn signer_name(errors: &mut ErrorList, path: &Path, name: &str) {
    if name.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let Some((domain, rest)) = name.split_once('/').filter(|(_, rest)| !rest.contains('/')) else {
        let message = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(Error::invalid(path, name, message));
        return;
    };
    for message in names::is_dns1123_subdomain(domain) {
        let message = format!("validating label {}: {message}", quote(domain));
        errors.push(Error::invalid(path, domain, message));
    }
    if domain.split('.').count() < 2 {
        let message = "should be a domain with at least two segments separated by dots";
        errors.push(Error::invalid(path, domain, message));
    }
    for label in domain.split('.') {
        for message in names::is_dns1123_label(label) {
            errors.push(Error::invalid(path, domain, format!("validating label {}: {message}", quote(label))));
        }
    }
    for message in names::is_dns1123_subdomain(rest) {
        errors.push(Error::invalid(path, rest, format!("validating label {}: {message}", quote(rest))));
    }
    if name.len() > SIGNER_LIMIT {
        errors.push(Error::too_long(path, SIGNER_LIMIT));
    }
}

fn conditions(errors: &mut ErrorList, request: &Value, tolerated: &Tolerated) {
    let path = Path::new("status").child("conditions");
    let (mut seen, mut approved, mut denied) = (BTreeSet::new(), false, false);
    for (i, condition) in request.at("status").list("conditions").iter().enumerate() {
        let at = path.index(i);
        let type_ = condition.text("type");
        if type_.is_empty() && !tolerated.empty_conditions {
            errors.push(Error::required(&at.child("type"), ""));
        }
        let allowed: &[&str] = if LASTING.contains(&type_) { &["True"] } else { &["False", "True", "Unknown"] };
        check::required_one_of(errors, &at.child("status"), condition.text("status"), allowed);
        approved |= type_ == "Approved";
        denied |= type_ == "Denied";
        if approved && denied && matches!(type_, "Approved" | "Denied") && !tolerated.approved_and_denied {
            let message = "Approved and Denied conditions are mutually exclusive";
            errors.push(Error::invalid(&path, type_, message));
        }
        if !seen.insert(type_) && !tolerated.duplicate_conditions {
            errors.push(Error::duplicate(&at.child("type"), type_));
        }
    }
}

fn of_type<'a>(request: &'a Value, type_: &str) -> Vec<&'a Value> {
    request.at("status").list("conditions").iter().filter(|c| c.text("type") == type_).collect()
}

/// An update through one of the endpoints.
pub fn update(new: &Value, old: &Value, endpoint: Endpoint) -> ErrorList {
    let mut errors = signing_request(new, Some(old));
    let path = Path::new("status").child("conditions");
    for type_ in LASTING {
        if of_type(new, type_).len() < of_type(old, type_).len() {
            let message = format!("updates may not remove a condition of type {}", quote(type_));
            errors.push(Error::forbidden(&path, message));
        }
    }
    for type_ in ["Approved", "Denied"].into_iter().filter(|_| endpoint != Endpoint::Approval) {
        let (before, after) = (of_type(old, type_), of_type(new, type_));
        if after.len() > before.len() {
            let message = format!("updates may not add a condition of type {}", quote(type_));
            errors.push(Error::forbidden(&path, message));
        } else if after.len() == before.len() && before != after {
            let message = format!("updates may not modify a condition of type {}", quote(type_));
            errors.push(Error::forbidden(&path, message));
        }
    }
    let (before, after) = (old.at("status").text("certificate"), new.at("status").text("certificate"));
    let path = Path::new("status").child("certificate");
    if before != after && endpoint != Endpoint::Status {
        errors.push(Error::forbidden(&path, "updates may not set certificate content"));
    } else if before != after && !before.is_empty() {
        errors.push(Error::forbidden(&path, "updates may not modify existing certificate content"));
    }
    errors
}
