//! Validation of definitions (`ValidateCustomResourceDefinition`).

use serde_json::json;

use crate::kinds::rules::{NameRule, object_meta};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::go::quote;
use crate::object::{Value, meta, names};

use super::props::Props;
use super::{register, schema_rules};

const IMMUTABLE: &str = "field is immutable";
/// Most selectable fields of a version.
const MAX_SELECTABLE: usize = 8;

/// Whether a definition in a group of the community has been approved of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nothing is said.
    Missing,
    /// What is said cannot be read.
    Invalid,
    /// It says that it has not been.
    Bypassed,
    /// It says where.
    Approved,
}

/// The approval of a definition in a protected group, with the text about it.
pub fn approval(crd: &Value) -> Option<(Approval, String)> {
    const ANNOTATION: &str = "api-approved.kubernetes.io";
    const SEE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    let group = meta::str_at(crd, &["spec", "group"]);
    let protected = ["k8s.io", "kubernetes.io"];
    if !protected.iter().any(|own| group.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))) {
        return None;
    }
    let said = meta::annotation(crd, ANNOTATION).unwrap_or_default();
    if said.is_empty() {
        let text = format!("protected groups must have approval annotation {}, {SEE}", quote(ANNOTATION));
        return Some((Approval::Missing, text));
    }
    if said.starts_with("unapproved") {
        return Some((Approval::Bypassed, format!("not approved: {}", quote(said))));
    }
    if url::Url::parse(said).is_ok_and(|url| url.has_host()) {
        return Some((Approval::Approved, format!("approved in {said}")));
    }
    let text = format!(
        "protected groups must have approval annotation {} with either a URL or a reason starting with \"unapproved\", \
         {SEE}",
        quote(ANNOTATION)
    );
    Some((Approval::Invalid, text))
}

fn check_approval(errors: &mut ErrorList, crd: &Value, old: Option<&Value>) {
    let Some((state, text)) = approval(crd) else { return };
    if old.is_some_and(|old| approval(old).is_some_and(|(before, _)| before == state)) {
        return;
    }
    let path = Path::new("metadata").child("annotations").key("api-approved.kubernetes.io");
    match state {
        Approval::Missing => errors.push(Error::required(&path, text)),
        Approval::Invalid => {
            let said = meta::annotation(crd, "api-approved.kubernetes.io").unwrap_or_default();
            errors.push(Error::invalid(&path, said, text));
        }
        Approval::Bypassed | Approval::Approved => {}
    }
}

/// Checks a new definition.
pub fn create(crd: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut all = ErrorList::new();
    object_meta::create(&mut all, crd, false, NameRule::DnsSubdomain);
    errors.append(&mut all);
    let required =
        format!("{}.{}", meta::str_at(crd, &["spec", "names", "plural"]), meta::str_at(crd, &["spec", "group"]));
    if meta::name(crd) != required {
        let path = Path::new("metadata").child("name");
        errors.push(Error::invalid(&path, meta::name(crd), "must be spec.names.plural+\".\"+spec.group"));
    }
    spec(&mut errors, crd, None);
    status(&mut errors, crd);
    stored_versions(&mut errors, crd);
    check_approval(&mut errors, crd, None);
    preserve(&mut errors, crd, None);
    errors
}

/// Checks the new state of a definition.
pub fn update(crd: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    object_meta::create(&mut errors, crd, false, NameRule::PathSegment);
    object_meta::update(&mut errors, crd, old);
    spec(&mut errors, crd, Some(old));
    let mut immutable = |fields: &[&str]| {
        let path: Vec<&str> = std::iter::once("spec").chain(fields.iter().copied()).collect();
        let (new, before) = (meta::str_at(crd, &path), meta::str_at(old, &path));
        if new != before {
            let at = path.iter().fold(Path::default(), |at, field| at.child(field));
            errors.push(Error::invalid(&at, new, IMMUTABLE));
        }
    };
    if register::is_true(old, "Established") {
        immutable(&["scope"]);
        immutable(&["names", "kind"]);
    }
    immutable(&["group"]);
    immutable(&["names", "plural"]);
    status(&mut errors, crd);
    stored_versions(&mut errors, crd);
    check_approval(&mut errors, crd, Some(old));
    preserve(&mut errors, crd, Some(old));
    errors
}

/// Checks the new status of a definition.
pub fn status_update(crd: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    object_meta::create(&mut errors, crd, false, NameRule::PathSegment);
    object_meta::update(&mut errors, crd, old);
    status(&mut errors, crd);
    errors
}

fn preserve(errors: &mut ErrorList, crd: &Value, old: Option<&Value>) {
    let set = |crd: &Value| meta::bool_at(crd, &["spec", "preserveUnknownFields"]);
    if set(crd) && !old.is_some_and(set) {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(Error::invalid(&Path::new("spec").child("preserveUnknownFields"), true, why));
    }
}

fn status(errors: &mut ErrorList, crd: &Value) {
    if let Some(accepted) = meta::get(crd, &["status", "acceptedNames"]) {
        check_names(errors, accepted, &Path::new("status").child("acceptedNames"));
    }
}

fn stored_versions(errors: &mut ErrorList, crd: &Value) {
    let path = Path::new("status").child("storedVersions");
    let stored = meta::list_at(crd, &["status", "storedVersions"]);
    if stored.is_empty() {
        errors.push(Error::invalid(&path, Value::Null, "must have at least one stored version"));
        return;
    }
    let mut left: Vec<(usize, &str)> =
        stored.iter().enumerate().map(|(at, name)| (at, name.as_str().unwrap_or_default())).collect();
    for version in meta::list_at(crd, &["spec", "versions"]) {
        let name = meta::str_at(version, &["name"]);
        let known = left.iter().any(|(_, stored)| *stored == name);
        if meta::bool_at(version, &["storage"]) && !known {
            errors.push(Error::invalid(&path, stored.to_vec(), format!("must have the storage version {name}")));
        }
        left.retain(|(_, stored)| *stored != name);
    }
    for (at, name) in left {
        let why = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions \
             until a storage migration ensures no data remains persisted in {name} and removes {name} from \
             status.storedVersions"
        );
        errors.push(Error::invalid(&path.index(at), name, why));
    }
}

/// Which field of versions stands in the definition's own place because it is the same in all of them.
struct Hoisted<'a> {
    versions: &'a [Value],
}

impl Hoisted<'_> {
    fn is(&self, field: &str) -> bool {
        let Some(first) = self.versions.first() else { return false };
        self.versions.iter().all(|version| version.get(field) == first.get(field))
    }
}

/// The versions as messages show them: what is the same in all has gone to the definition itself.
fn shown_versions(versions: &[Value]) -> Value {
    let hoisted = Hoisted { versions };
    let own = |version: &Value, field: &str| {
        if hoisted.is(field) { Value::Null } else { version.get(field).cloned().unwrap_or_default() }
    };
    let shown = versions.iter().map(|version| {
        let mut text = String::new();
        let fields: [(&str, Value); 9] = [
            ("Name", version["name"].clone()),
            ("Served", json!(meta::bool_at(version, &["served"]))),
            ("Storage", json!(meta::bool_at(version, &["storage"]))),
            ("Deprecated", json!(meta::bool_at(version, &["deprecated"]))),
            ("DeprecationWarning", version.get("deprecationWarning").cloned().unwrap_or_default()),
            ("Schema", own(version, "schema")),
            ("Subresources", own(version, "subresources")),
            ("AdditionalPrinterColumns", own(version, "additionalPrinterColumns")),
            ("SelectableFields", own(version, "selectableFields")),
        ];
        for (name, value) in fields {
            text.push_str(if text.is_empty() { "{" } else { "," });
            text.push_str(&format!("{}:{}", quote(name), crate::object::json::to_compact(&value)));
        }
        text + "}"
    });
    Value::String(format!("[{}]", shown.collect::<Vec<_>>().join(",")))
}

fn versions_error(path: &Path, versions: &[Value], why: &str) -> Error {
    let mut error = Error::invalid(&path.child("versions"), Value::Null, why);
    error.shown = shown_versions(versions).as_str().map(str::to_owned);
    error
}

fn joined(problems: &[String]) -> String {
    problems.join(",")
}

fn label(errors: &mut ErrorList, path: &Path, text: &str) {
    let problems = names::is_dns1035_label(text);
    if !problems.is_empty() {
        errors.push(Error::invalid(path, text, joined(&problems)));
    }
}

fn spec(errors: &mut ErrorList, crd: &Value, old: Option<&Value>) {
    let path = Path::new("spec");
    let group = meta::str_at(crd, &["spec", "group"]);
    let versions = meta::list_at(crd, &["spec", "versions"]);
    let hoisted = Hoisted { versions };
    check_group(errors, &path, group);
    check_enum(errors, &path.child("scope"), meta::str_at(crd, &["spec", "scope"]), &["Cluster", "Namespaced"]);
    let schema_of = |version: &Value| meta::get(version, &["schema", "openAPIV3Schema"]).is_some();
    if old.is_none_or(|old| meta::list_at(old, &["spec", "versions"]).iter().all(schema_of)) {
        for (at, _) in versions.iter().enumerate().filter(|(_, version)| !schema_of(version)) {
            let at = path.child("versions").index(at).child("schema").child("openAPIV3Schema");
            errors.push(Error::required(&at, ""));
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut unique = true;
    for (at, version) in versions.iter().enumerate() {
        let name = meta::str_at(version, &["name"]);
        unique &= !seen.contains(&name);
        seen.push(name);
        let at = path.child("versions").index(at);
        label(errors, &at.child("name"), name);
        check_version(errors, version, &at, &hoisted, old);
    }
    if !unique {
        errors.push(versions_error(&path, versions, "must contain unique version names"));
    }
    if versions.iter().filter(|version| meta::bool_at(version, &["storage"])).count() != 1 {
        errors.push(versions_error(&path, versions, "must have exactly one version marked as storage version"));
    }
    if let Some(first) = versions.first() {
        label(errors, &path.child("version"), meta::str_at(first, &["name"]));
    }
    let wanted = meta::get(crd, &["spec", "names"]).cloned().unwrap_or_default();
    let at = path.child("names");
    for field in ["plural", "singular", "kind", "listKind"] {
        if meta::str_at(&wanted, &[field]).is_empty() {
            errors.push(Error::required(&at.child(field), ""));
        }
    }
    check_names(errors, &wanted, &at);
    if let Some(first) = versions.first() {
        check_common(errors, first, &path, &hoisted, versions, old);
    }
    check_conversion(errors, crd, &path.child("conversion"));
}

fn check_group(errors: &mut ErrorList, path: &Path, group: &str) {
    let at = path.child("group");
    let problems = names::is_dns1123_subdomain(group);
    if group.is_empty() {
        errors.push(Error::required(&at, ""));
    } else if !problems.is_empty() {
        errors.push(Error::invalid(&at, group, joined(&problems)));
    } else if !group.contains('.') {
        errors.push(Error::invalid(&at, group, "should be a domain with at least one dot"));
    }
}

fn check_enum(errors: &mut ErrorList, path: &Path, value: &str, accepted: &[&str]) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else if !accepted.contains(&value) {
        errors.push(Error::not_supported(path, value, accepted));
    }
}

/// What stands in a version itself: all that is not the same in every version.
fn check_version(errors: &mut ErrorList, version: &Value, path: &Path, hoisted: &Hoisted<'_>, old: Option<&Value>) {
    deprecation(errors, version, path);
    let has_status = meta::get(version, &["subresources", "status"]).is_some();
    if !hoisted.is("schema") {
        schema_rules::check(errors, version.get("schema"), has_status, &path.child("schema"), old);
    }
    if !hoisted.is("subresources") {
        subresources(errors, version, &path.child("subresources"));
    }
    if !hoisted.is("additionalPrinterColumns") {
        columns(errors, version, &path.child("additionalPrinterColumns"));
    }
    if !hoisted.is("selectableFields") {
        selectable(errors, version, &path.child("selectableFields"));
    }
}

/// What is the same in every version.
fn check_common(
    errors: &mut ErrorList,
    first: &Value,
    path: &Path,
    hoisted: &Hoisted<'_>,
    versions: &[Value],
    old: Option<&Value>,
) {
    if hoisted.is("schema") {
        let has_status = versions.iter().any(|version| meta::get(version, &["subresources", "status"]).is_some());
        schema_rules::check(errors, first.get("schema"), has_status, &path.child("validation"), old);
    }
    if hoisted.is("subresources") {
        subresources(errors, first, &path.child("subresources"));
    }
    if hoisted.is("additionalPrinterColumns") {
        columns(errors, first, &path.child("additionalPrinterColumns"));
    }
    if hoisted.is("selectableFields") {
        selectable(errors, first, &path.child("selectableFields"));
    }
}

fn deprecation(errors: &mut ErrorList, version: &Value, path: &Path) {
    const MAX: usize = 256;
    let Some(warning) = meta::get(version, &["deprecationWarning"]).and_then(Value::as_str) else { return };
    let mut problems = Vec::new();
    if meta::bool_at(version, &["deprecated"]) {
        if warning.len() > MAX {
            problems.push("must be <= 256 characters long".to_owned());
        }
        if warning.is_empty() {
            problems.push("must not be an empty string".to_owned());
        }
        let odd = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
        if let Some((at, _)) = warning.char_indices().find(|(_, c)| odd(*c)) {
            problems.push(format!(
                "must only contain printable UTF-8 characters; non-printable character found at index {at}"
            ));
        }
    } else {
        problems.push("can only be set for deprecated versions".to_owned());
    }
    let at = path.child("deprecationWarning");
    errors.extend(problems.into_iter().map(|problem| Error::invalid(&at, warning, problem)));
}

fn check_names(errors: &mut ErrorList, wanted: &Value, path: &Path) {
    let text = |field: &str| meta::str_at(wanted, &[field]);
    for field in ["plural", "singular"] {
        if !text(field).is_empty() {
            label(errors, &path.child(field), text(field));
        }
    }
    for field in ["kind", "listKind"] {
        let problems = names::is_dns1035_label(&text(field).to_lowercase());
        if !text(field).is_empty() && !problems.is_empty() {
            let why = format!("may have mixed case, but should otherwise match: {}", joined(&problems));
            errors.push(Error::invalid(&path.child(field), text(field), why));
        }
    }
    let list = |errors: &mut ErrorList, field: &str| {
        for (at, name) in meta::list_at(wanted, &[field]).iter().enumerate() {
            label(errors, &path.child(field).index(at), name.as_str().unwrap_or_default());
        }
    };
    list(errors, "shortNames");
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        errors.push(Error::invalid(&path.child("listKind"), text("listKind"), "kind and listKind may not be the same"));
    }
    list(errors, "categories");
}

fn simple_path(errors: &mut ErrorList, path: &Path, text: &str) -> bool {
    let fits = text.starts_with('.');
    if !fits {
        errors.push(Error::invalid(path, text, "must be a simple json path starting with ."));
    }
    fits
}

fn subresources(errors: &mut ErrorList, version: &Value, path: &Path) {
    let Some(scale) = meta::get(version, &["subresources", "scale"]) else { return };
    for (field, root) in [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")] {
        let at = path.child(&format!("scale.{field}"));
        let text = meta::str_at(scale, &[field]);
        if text.is_empty() {
            errors.push(Error::required(&at, ""));
        } else if simple_path(errors, &at, text) && !text.starts_with(root) {
            let root = root.trim_end_matches('.');
            errors.push(Error::invalid(&at, text, format!("should be a json path under {root}")));
        }
    }
    let selector = meta::str_at(scale, &["labelSelectorPath"]);
    let at = path.child("scale.labelSelectorPath");
    let below = [".spec.", ".status."].iter().any(|root| selector.starts_with(root));
    if !selector.is_empty() && simple_path(errors, &at, selector) && !below {
        errors.push(Error::invalid(&at, selector, "should be a json path under either .spec or .status"));
    }
}

fn columns(errors: &mut ErrorList, version: &Value, path: &Path) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 9] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password", ""];
    for (at, column) in meta::list_at(version, &["additionalPrinterColumns"]).iter().enumerate() {
        let path = path.index(at);
        let text = |field: &str| meta::str_at(column, &[field]);
        if text("name").is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        }
        let why = format!("must be one of {}", TYPES.join(","));
        if text("type").is_empty() {
            errors.push(Error::required(&path.child("type"), why));
        } else if !TYPES.contains(&text("type")) {
            errors.push(Error::invalid(&path.child("type"), text("type"), why));
        }
        if !FORMATS.contains(&text("format")) {
            let why = format!("must be one of {}", FORMATS[..8].join(","));
            errors.push(Error::invalid(&path.child("format"), text("format"), why));
        }
        if text("jsonPath").is_empty() {
            errors.push(Error::required(&path.child("JSONPath"), ""));
        } else {
            simple_path(errors, &path.child("JSONPath"), text("jsonPath"));
        }
    }
}

fn selectable(errors: &mut ErrorList, version: &Value, path: &Path) {
    let fields = meta::list_at(version, &["selectableFields"]);
    let Some(schema) = meta::get(version, &["schema", "openAPIV3Schema"]).and_then(Props::from_value) else { return };
    let mut known: Vec<&str> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let at = path.index(at).child("jsonPath");
        let text = meta::str_at(field, &["jsonPath"]);
        if text.is_empty() {
            errors.push(Error::required(&at, ""));
            continue;
        }
        match schema_rules::field_at(&schema, text, false) {
            Err(why) => {
                errors.push(Error::invalid(&at, text, format!("is an invalid path: {why}")));
                continue;
            }
            Ok(found) => {
                if text.trim_start_matches('.').split('.').next() == Some("metadata") {
                    errors.push(Error::invalid(&at, text, "must not point to fields in metadata"));
                }
                if !matches!(found.type_.as_str(), "string" | "boolean" | "integer") {
                    let why = "must point to a field of type string, boolean or integer. Enum string fields and strings \
                               with formats are allowed.";
                    errors.push(Error::invalid(&at, text, why));
                }
            }
        }
        if known.contains(&text) {
            errors.push(Error::duplicate(&at, text));
        } else {
            known.push(text);
        }
    }
    if known.len() > MAX_SELECTABLE {
        errors.push(Error::too_many(path, known.len(), MAX_SELECTABLE));
    }
}

fn check_conversion(errors: &mut ErrorList, crd: &Value, path: &Path) {
    let Some(conversion) = meta::get(crd, &["spec", "conversion"]) else { return };
    let strategy = meta::str_at(conversion, &["strategy"]);
    check_enum(errors, &path.child("strategy"), strategy, &["None", "Webhook"]);
    let config = meta::get(conversion, &["webhook", "clientConfig"]);
    let versions = meta::list_at(conversion, &["webhook", "conversionReviewVersions"]);
    let (config_path, versions_path) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if config.is_some() {
            errors.push(Error::forbidden(&config_path, why));
        }
        if !versions.is_empty() {
            errors.push(Error::forbidden(&versions_path, why));
        }
        return;
    }
    match config {
        None => errors.push(Error::required(&config_path, "required when strategy is set to Webhook")),
        Some(config) if config.get("url").is_some() == config.get("service").is_some() => {
            errors.push(Error::required(&config_path, "exactly one of url or service is required"));
        }
        Some(_) => {}
    }
    review_versions(errors, &versions_path, versions);
    // What no server of this kind can do is said when the definition is made, not when its objects are read.
    if errors.is_empty() {
        let why = "webhook conversion is not served here: use strategy None";
        errors.push(Error::invalid(&path.child("strategy"), strategy, why));
    }
}

fn review_versions(errors: &mut ErrorList, path: &Path, versions: &[Value]) {
    if versions.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        let name = version.as_str().unwrap_or_default();
        if seen.contains(&name) {
            errors.push(Error::invalid(&path.index(at), name, "duplicate version"));
            continue;
        }
        seen.push(name);
        let problems = names::is_dns1035_label(name).into_iter();
        errors.extend(problems.map(|problem| Error::invalid(&path.index(at), name, problem)));
    }
    if !seen.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
        errors.push(Error::invalid(path, versions.to_vec(), "must include at least one of v1, v1beta1"));
    }
}
