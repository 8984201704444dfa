//! Certificate signing requests with what stands in the request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::text;
use super::{Describer, Error, Subject, Writer, events};
use crate::kinds::columns::signing_request_status;
use crate::kinds::columns::text::{human, labels};
use crate::object::meta;

pub(super) const TABLE: &[Describer] =
    &[Describer::new("certificates.k8s.io", "CertificateSigningRequest", signing_request)];

/// Attributes of a subject: title and object identifier.
const SUBJECT: [(&str, &str); 7] = [
    ("Organization", "2.5.4.10"),
    ("Organizational Unit", "2.5.4.11"),
    ("Country", "2.5.4.6"),
    ("Locality", "2.5.4.7"),
    ("Province", "2.5.4.8"),
    ("StreetAddress", "2.5.4.9"),
    ("PostalCode", "2.5.4.17"),
];

/// Alternative names by form, in the order in which they are shown.
#[derive(Default)]
struct AlternativeNames {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<String>,
}

fn attribute(name: &X509Name<'_>, identifier: &str) -> Vec<String> {
    let all = name.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == identifier);
    all.filter_map(|attribute| attribute.as_str().ok()).map(str::to_owned).collect()
}

fn alternative_names(request: &X509CertificationRequest<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(found) = extension else { continue };
        for name in &found.general_names {
            match name {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => names.email.push((*name).to_owned()),
                GeneralName::URI(name) => names.uri.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.ip.extend(ip_text(bytes)),
                _ => {}
            }
        }
    }
    names
}

fn ip_text(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(v6).to_string())
}

fn list(w: &mut Writer, title: &str, values: &[String]) {
    if !values.is_empty() {
        w.line(0, format_args!("\t{title}:\t{}", values.join("\n\t\t")));
    }
}

/// The bytes of the PEM block in a request's `spec.request`.
fn request_bytes(encoded: &str) -> Result<Vec<u8>, Error> {
    let wrong = || Error::Malformed("Error parsing CSR: PEM block type must be CERTIFICATE REQUEST".to_owned());
    let pem = STANDARD.decode(encoded).map_err(|_| wrong())?;
    let (_, block) = x509_parser::pem::parse_x509_pem(&pem).map_err(|_| wrong())?;
    if block.label == "CERTIFICATE REQUEST" { Ok(block.contents) } else { Err(wrong()) }
}

fn signing_request(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    let spec = |field: &str| meta::str_at(object, &["spec", field]);
    let bytes = request_bytes(spec("request"))?;
    let (_, request) = X509CertificationRequest::from_der(&bytes)
        .map_err(|error| Error::Malformed(format!("Error parsing CSR: {error}")))?;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Labels", labels(meta::map_at(object, &["metadata", "labels"])));
    w.field(0, "Annotations", labels(meta::map_at(object, &["metadata", "annotations"])));
    w.field(0, "CreationTimestamp", text::time(object, &["metadata", "creationTimestamp"], subject.settings));
    w.field(0, "Requesting User", spec("username"));
    if !spec("signerName").is_empty() {
        w.field(0, "Signer", spec("signerName"));
    }
    let seconds = meta::int_at(object, &["spec", "expirationSeconds"]);
    if let Some(duration) = seconds.and_then(chrono::Duration::try_seconds) {
        w.field(0, "Requested Duration", human(duration));
    }
    w.field(0, "Status", signing_request_status(object));
    w.line(0, "Subject:");
    let name = &request.certification_request_info.subject;
    let last = |identifier: &str| attribute(name, identifier).pop().unwrap_or_default();
    w.line(0, format_args!("\tCommon Name:\t{}", last("2.5.4.3")));
    w.line(0, format_args!("\tSerial Number:\t{}", last("2.5.4.5")));
    for (title, identifier) in SUBJECT {
        list(w, title, &attribute(name, identifier));
    }
    let names = alternative_names(&request);
    if [&names.dns, &names.email, &names.ip, &names.uri].iter().any(|list| !list.is_empty()) {
        w.line(0, "Subject Alternative Names:");
        list(w, "DNS Names", &names.dns);
        list(w, "Email Addresses", &names.email);
        list(w, "URIs", &names.uri);
        list(w, "IP Addresses", &names.ip);
    }
    events::describe(subject, w);
    Ok(())
}
