//! Options in query parameters and bodies, with their validation.

use bytes::Bytes;

use crate::object::field::{Error, ErrorList, Path};
use crate::object::selector::{FieldSelector, LabelSelector};
use crate::object::{GroupKind, Status, Value, go, meta};

use super::context::Request;
use super::query::Query;

fn invalid(kind: &str, errors: &ErrorList) -> Status {
    Status::invalid(&GroupKind { group: "meta.k8s.io".into(), kind: kind.into() }, "", errors)
}

/// How strictly bodies are held against their schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    /// Unknown and duplicate fields pass silently.
    Ignore,
    /// They pass with a warning.
    Warn,
    /// They are refused.
    Strict,
}

/// Options of create, update and patch.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who owns the fields that are written.
    pub field_manager: String,
    /// How strict to be.
    pub field_validation: FieldValidation,
    /// Whether apply takes fields over.
    pub force: bool,
}

impl WriteOptions {
    /// Reads and validates the options of a request; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    ///
    /// # Errors
    ///
    /// 422 in the reference server's words.
    pub fn of(request: &Request, kind: &str) -> Result<Self, Status> {
        let query = &request.query;
        let mut errors = ErrorList::new();
        let manager = query.get("fieldManager").unwrap_or_default();
        check_manager(manager, &mut errors);
        let dry_run = check_dry_run(&query.values("dryRun").map(str::to_owned).collect::<Vec<_>>(), &mut errors);
        let field_validation = match query.get("fieldValidation").unwrap_or_default() {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                errors.push(Error::not_supported(&Path::new("fieldValidation"), other, &supported));
                FieldValidation::Warn
            }
        };
        let options = Self { dry_run, field_manager: manager.to_owned(), field_validation, force: query.flag("force") };
        if kind == "PatchOptions" {
            options.check_apply(request, &mut errors);
        }
        if errors.is_empty() { Ok(options) } else { Err(invalid(kind, &errors)) }
    }

    /// `force` and `fieldManager` follow whether the patch is an apply patch.
    fn check_apply(&self, request: &Request, errors: &mut ErrorList) {
        let apply = super::verbs::patch::is_apply(request);
        if apply && self.field_manager.is_empty() {
            errors.insert(0, Error::required(&Path::new("fieldManager"), "is required for apply patch"));
        }
        if !apply && request.query.has("force") {
            errors.insert(0, Error::forbidden(&Path::new("force"), "may not be specified for non-apply patch"));
        }
    }

    /// Who owns the fields: the one named, else the beginning of the user agent.
    pub fn manager(&self, request: &Request) -> String {
        if !self.field_manager.is_empty() {
            return self.field_manager.clone();
        }
        let agent = request.header(&http::header::USER_AGENT);
        agent.split('/').next().unwrap_or_default().chars().take(128).collect()
    }

    /// Passes what strict decoding found on, as the options say.
    ///
    /// # Errors
    ///
    /// 400 under `Strict`.
    pub fn report(&self, request: &Request, strict: Vec<String>) -> Result<(), Status> {
        if strict.is_empty() {
            return Ok(());
        }
        match self.field_validation {
            FieldValidation::Ignore => {}
            FieldValidation::Warn => warn(request, &strict),
            FieldValidation::Strict => {
                let gvk = request.resource.kind.gvk();
                let why = format!("strict decoding error: {}", strict.join(", "));
                return Err(super::decode::refused(&gvk, &gvk.kind, &why));
            }
        }
        Ok(())
    }
}

/// One warning for each problem; the YAML reader lists several in one text.
fn warn(request: &Request, strict: &[String]) {
    for text in strict {
        match text.strip_prefix("yaml: unmarshal errors:\n") {
            Some(lines) => lines.lines().for_each(|line| request.warn(line.trim())),
            None => request.warn(text),
        }
    }
}

fn check_manager(manager: &str, errors: &mut ErrorList) {
    let path = Path::new("fieldManager");
    if manager.len() > 128 {
        errors.push(Error::too_long(&path, 128));
    }
    for (at, c) in manager.char_indices().filter(|(_, c)| c.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        errors.push(Error::invalid(&path, manager, why));
    }
}

fn check_dry_run(values: &[String], errors: &mut ErrorList) -> bool {
    let values: Vec<&str> = values.iter().map(String::as_str).filter(|value| !value.is_empty()).collect();
    if values.iter().any(|value| *value != "All") {
        let shown: Vec<Value> = values.iter().map(|value| Value::from(*value)).collect();
        errors.push(Error::not_supported(&Path::new("dryRun"), shown, &["All"]));
    }
    !values.is_empty()
}

/// Options of list and watch.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Label selector.
    pub labels: LabelSelector,
    /// Field selector.
    pub fields: FieldSelector,
    /// Page size, 0 for none.
    pub limit: usize,
    /// Continue token, or empty.
    pub continue_token: String,
    /// Resource version, or empty.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan`, or empty.
    pub resource_version_match: String,
    /// Whether bookmarks may be sent.
    pub bookmarks: bool,
    /// Whether a watch begins with what there is; absent for the old rules.
    pub send_initial_events: Option<bool>,
    /// Seconds after which a watch ends.
    pub timeout_seconds: Option<u64>,
}

impl ListOptions {
    /// Reads and validates the options of a list or a watch.
    ///
    /// # Errors
    ///
    /// 400 and 422 in the reference server's words.
    pub fn of(request: &Request, watch: bool) -> Result<Self, Status> {
        let query = &request.query;
        let mut options = Self::read(query)?;
        if options.fields.is_everything() && request.info.watch_path && !request.info.name.is_empty() {
            options.fields = FieldSelector::equals("metadata.name", &request.info.name);
        }
        super::fields::check(&request.resource, &options.fields)?;
        let errors = options.validate(watch);
        if errors.is_empty() { Ok(options) } else { Err(invalid("ListOptions", &errors)) }
    }

    fn read(query: &Query) -> Result<Self, Status> {
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        let bad = |e: crate::object::selector::SelectorError| Status::bad_request(e.to_string());
        Ok(Self {
            labels: LabelSelector::parse(query.get("labelSelector").unwrap_or_default()).map_err(bad)?,
            fields: FieldSelector::parse(query.get("fieldSelector").unwrap_or_default()).map_err(bad)?,
            limit: usize::try_from(integer(query, "limit")?.unwrap_or_default()).unwrap_or_default(),
            continue_token: text("continue"),
            resource_version: text("resourceVersion"),
            resource_version_match: text("resourceVersionMatch"),
            bookmarks: query.flag("allowWatchBookmarks"),
            send_initial_events: query.has("sendInitialEvents").then(|| query.flag("sendInitialEvents")),
            timeout_seconds: integer(query, "timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()),
        })
    }

    /// `ValidateListOptions` with watch lists enabled.
    fn validate(&self, watch: bool) -> ErrorList {
        let mut errors = ErrorList::new();
        let (rv, rv_match) = (self.resource_version.as_str(), self.resource_version_match.as_str());
        let path = Path::new("resourceVersionMatch");
        if watch {
            self.validate_watch(&path, &mut errors);
            return errors;
        }
        if self.send_initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            errors.push(Error::forbidden(&Path::new("sendInitialEvents"), why));
        }
        if rv_match.is_empty() {
            return errors;
        }
        if rv.is_empty() {
            errors
                .push(Error::forbidden(&path, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if !self.continue_token.is_empty() {
            errors.push(Error::forbidden(&path, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(rv_match, "Exact" | "NotOlderThan") {
            errors.push(Error::not_supported(&path, rv_match, &["Exact", "NotOlderThan", ""]));
        }
        if rv_match == "Exact" && rv == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(Error::forbidden(&path, why));
        }
        errors
    }

    fn validate_watch(&self, path: &Path, errors: &mut ErrorList) {
        let rv_match = self.resource_version_match.as_str();
        let initial = Path::new("sendInitialEvents");
        if self.send_initial_events.is_some() {
            if rv_match.is_empty() {
                let why = "resourceVersionMatch is required when sendInitialEvents is set";
                errors.push(Error::required(path, why));
                return;
            }
        } else if !rv_match.is_empty() {
            errors.push(Error::forbidden(
                path,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
            return;
        } else {
            return;
        }
        if rv_match != "NotOlderThan" {
            errors.push(Error::not_supported(path, rv_match, &["NotOlderThan"]));
        }
        if !self.continue_token.is_empty() {
            errors.push(Error::forbidden(path, "resourceVersionMatch is forbidden when continue is provided"));
        }
        let _ = initial;
    }

    /// Whether an object in the resource's form is selected.
    pub fn selects(&self, object: &Value) -> bool {
        self.labels.matches(meta::map_at(object, &["metadata", "labels"]))
            && self.fields.matches_with(|name| super::fields::value(object, name))
    }

    /// The fields of an object that decide whether it is selected.
    pub fn fields_needed(&self) -> super::store::Fields {
        let in_metadata =
            self.fields.requirements().iter().all(|requirement| requirement.field.starts_with("metadata."));
        if in_metadata { super::store::Fields::Metadata } else { super::store::Fields::Unmanaged }
    }

    /// Whether everything is selected.
    pub fn selects_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }
}

fn integer(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    let Some(text) = query.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let quoted = crate::object::go::quote(text);
        Status::bad_request(format!("strconv.ParseInt: parsing {quoted}: invalid syntax"))
    })
}

/// A resource version as a number.
///
/// # Errors
///
/// The text with which the reference server refuses it.
pub fn parse_resource_version(text: &str) -> Result<u64, String> {
    if !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && let Ok(revision) = text.parse()
    {
        return Ok(revision);
    }
    let quoted = crate::object::go::quote(text);
    let why = if text.bytes().all(|b| b.is_ascii_digit()) { "value out of range" } else { "invalid syntax" };
    Err(format!("resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: {why}"))
}

/// Options of a deletion.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Seconds of grace asked for.
    pub grace_period_seconds: Option<i64>,
    /// `Orphan`, `Background`, `Foreground`, or empty.
    pub propagation_policy: String,
    /// The old boolean.
    pub orphan_dependents: Option<bool>,
    /// The uid that must be met.
    pub uid: Option<String>,
    /// The resource version that must be met.
    pub resource_version: Option<String>,
    /// The options as an object, for admission.
    pub value: Value,
}

impl DeleteOptions {
    /// Reads and validates the options in the body, or, without a body, in the query.
    ///
    /// # Errors
    ///
    /// 400 and 422 in the reference server's words.
    pub fn of(request: &Request) -> Result<Self, Status> {
        if !request.body.is_empty() {
            // Options in the body are all there are.
            return Self::of_value(Self::body_value(&request.body, request)?);
        }
        let mut dry_run_values: Vec<String> = request.query.values("dryRun").map(str::to_owned).collect();
        Self::checked(Self::query_value(&request.query)?, &mut dry_run_values)
    }

    /// Reads and validates options that stand in another object.
    ///
    /// # Errors
    ///
    /// 422 in the reference server's words.
    pub fn of_value(value: Value) -> Result<Self, Status> {
        Self::checked(value, &mut Vec::new())
    }

    fn checked(value: Value, dry_run_values: &mut Vec<String>) -> Result<Self, Status> {
        let texts = |name: &str| -> Vec<String> {
            meta::list_at(&value, &[name]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut errors = ErrorList::new();
        dry_run_values.extend(texts("dryRun"));
        let orphan_dependents = meta::get(&value, &["orphanDependents"]).and_then(Value::as_bool);
        let policy = meta::str_at(&value, &["propagationPolicy"]).to_owned();
        let path = Path::new("propagationPolicy");
        if orphan_dependents.is_some() && !policy.is_empty() {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(Error::invalid(&path, &*policy, why));
        }
        if !matches!(policy.as_str(), "" | "Foreground" | "Background" | "Orphan") {
            errors.push(Error::not_supported(&path, &*policy, &["Foreground", "Background", "Orphan", "nil"]));
        }
        let dry_run = check_dry_run(dry_run_values, &mut errors);
        if !errors.is_empty() {
            return Err(invalid("DeleteOptions", &errors));
        }
        let precondition =
            |name| meta::get(&value, &["preconditions", name]).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            dry_run,
            grace_period_seconds: meta::int_at(&value, &["gracePeriodSeconds"]),
            propagation_policy: policy,
            orphan_dependents,
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            value,
        })
    }

    fn query_value(query: &Query) -> Result<Value, Status> {
        let mut value = serde_json::json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        if let Some(seconds) = integer(query, "gracePeriodSeconds")? {
            value["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(policy) = query.get("propagationPolicy") {
            value["propagationPolicy"] = policy.into();
        }
        if query.has("orphanDependents") {
            value["orphanDependents"] = query.flag("orphanDependents").into();
        }
        Ok(value)
    }

    fn body_value(body: &Bytes, request: &Request) -> Result<Value, Status> {
        let parsed = super::decode::parse(body, request.body_encoding()?).map_err(Status::bad_request)?;
        super::decode::check_type_meta(&parsed.node).map_err(Status::bad_request)?;
        let kind = meta::kind(&parsed.value);
        if !kind.is_empty() && kind != "DeleteOptions" {
            let version = meta::api_version(&parsed.value);
            let scheme = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27";
            let (kind, version) = (go::quote(kind), go::quote(if version.is_empty() { "v1" } else { version }));
            return Err(Status::bad_request(format!(
                "no kind {kind} is registered for version {version} in scheme \"{scheme}\""
            )));
        }
        Ok(parsed.value)
    }
}
