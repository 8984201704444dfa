//! `CertificateApproval`, `CertificateSigning`, `CertificateSubjectRestriction`.

use base64::Engine as _;

use super::{Attributes, Operation};
use crate::apiserver::auth;
use crate::apiserver::core::Core;
use crate::object::{Status, Value, go, meta};

const GROUP: &str = "certificates.k8s.io";
const RESOURCE: &str = "certificatesigningrequests";

/// Whether a user may do something for a signer, by name or by its domain.
fn may(core: &Core, attributes: &Attributes, verb: &str, signer: &str) -> bool {
    let domain = format!("{}/*", signer.split('/').next().unwrap_or_default());
    [signer, domain.as_str()].into_iter().any(|name| {
        let asked = auth::Attributes {
            verb: verb.into(),
            group: GROUP.into(),
            version: "*".into(),
            resource: "signers".into(),
            name: name.into(),
            resource_request: true,
            ..auth::Attributes::default()
        };
        core.auth.decide(core, &attributes.user, &asked).allowed
    })
}

fn signer(request: &Value) -> &str {
    meta::str_at(request, &["spec", "signerName"])
}

/// Who approves must be allowed to approve for that signer.
pub fn approval(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Update || !attributes.is_for(GROUP, RESOURCE, "approval") {
        return Ok(());
    }
    let Some(old) = &attributes.old else { return Ok(()) };
    if may(core, attributes, "approve", signer(old)) {
        return Ok(());
    }
    let why = format!("user not permitted to approve requests with signerName {}", go::quote(signer(old)));
    Err(attributes.forbidden(&why))
}

/// Who writes a certificate must be allowed to sign for that signer.
pub fn signing(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Update || !attributes.is_for(GROUP, RESOURCE, "status") {
        return Ok(());
    }
    let (Some(new), Some(old)) = (&attributes.object, &attributes.old) else { return Ok(()) };
    let part = |request: &Value, name| meta::get(request, &["status", name]).cloned();
    let signs = ["certificate", "conditions"].iter().any(|name| part(new, name) != part(old, name));
    if !signs || may(core, attributes, "sign", signer(old)) {
        return Ok(());
    }
    let why = format!("user not permitted to sign requests with signerName {}", go::quote(signer(old)));
    Err(attributes.forbidden(&why))
}

/// Nobody asks for a certificate of the group that may do everything.
pub fn subject(_: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for(GROUP, RESOURCE, "") {
        return Ok(());
    }
    let Some(request) = &attributes.object else { return Ok(()) };
    if signer(request) != "kubernetes.io/kube-apiserver-client" || !wants_masters(request) {
        return Ok(());
    }
    let why = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
    Err(attributes.forbidden(why))
}

fn wants_masters(request: &Value) -> bool {
    use x509_parser::prelude::FromDer as _;
    let text = meta::str_at(request, &["spec", "request"]);
    let Ok(pem) = base64::engine::general_purpose::STANDARD.decode(text) else { return false };
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&pem) else { return false };
    let parsed = x509_parser::certification_request::X509CertificationRequest::from_der(&pem.contents);
    parsed.is_ok_and(|(_, parsed)| {
        let subject = &parsed.certification_request_info.subject;
        subject.iter_organization().any(|organization| organization.as_str() == Ok(auth::MASTERS))
    })
}
