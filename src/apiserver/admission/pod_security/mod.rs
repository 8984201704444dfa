//! `PodSecurity`: the pod security standards that the labels of a namespace ask for.

use std::collections::{BTreeMap, HashSet};

use crate::kinds::Kinds;
use crate::object::field::{self, Error, ErrorList, Path};
use crate::object::{GroupKind, Status, Value, go, meta};

use super::{Attributes, Operation};
use crate::apiserver::core::Core;

mod checks;

/// The newest minor version of which the standards are known.
const LATEST: u32 = 36;
/// Pods of a namespace that are checked at most when its labels change.
const MAX_PODS: usize = 3000;

/// How much pods may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Everything.
    Privileged,
    /// No known escalation of privileges.
    Baseline,
    /// Hardened.
    Restricted,
}

/// A level as it was at a version; none for the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standard {
    level: Level,
    minor: Option<u32>,
}

impl Standard {
    fn evaluate(self, pod: &Value) -> Vec<(String, String)> {
        checks::evaluate(self.level, self.minor.unwrap_or(LATEST).min(LATEST), pod)
    }
}

impl std::fmt::Display for Standard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.minor {
            None => write!(f, "{level}:latest"),
            Some(minor) => write!(f, "{level}:v1.{minor}"),
        }
    }
}

/// What a namespace asks for.
struct Policy {
    enforce: Standard,
    audit: Standard,
    warn: Standard,
}

fn parse_level(text: &str) -> Option<Level> {
    match text {
        "privileged" => Some(Level::Privileged),
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        _ => None,
    }
}

fn parse_version(text: &str) -> Option<Option<u32>> {
    if text == "latest" {
        return Some(None);
    }
    let minor = text.strip_prefix("v1.")?;
    let plain = minor == "0" || !minor.starts_with('0');
    (plain && minor.bytes().all(|b| b.is_ascii_digit())).then(|| minor.parse().ok()).flatten().map(Some)
}

impl Policy {
    /// Reads the labels; what is wrong counts as the strictest for enforcement and as nothing for the rest.
    fn of(namespace: &Value) -> (Self, ErrorList) {
        let mut errors = ErrorList::new();
        let mut read = |mode: &str, otherwise: Standard| {
            let mut standard = otherwise;
            let key = |suffix: &str| format!("pod-security.kubernetes.io/{mode}{suffix}");
            let path = |key: &str| Path::new("metadata").child("labels").key(key);
            if let Some(text) = meta::label(namespace, &key("")) {
                match parse_level(text) {
                    Some(level) => standard.level = level,
                    None => {
                        let why = "must be one of privileged, baseline, restricted";
                        errors.push(Error::invalid(&path(&key("")), text, why));
                        standard.level = if mode == "enforce" { Level::Restricted } else { Level::Privileged };
                    }
                }
            }
            if let Some(text) = meta::label(namespace, &key("-version")) {
                match parse_version(text) {
                    Some(minor) => standard.minor = minor,
                    None => {
                        errors.push(Error::invalid(&path(&key("-version")), text, "must be \"latest\" or \"v1.x\""));
                        standard.minor = None;
                    }
                }
            }
            standard
        };
        let none = Standard { level: Level::Privileged, minor: None };
        let enforce = read("enforce", none);
        let audit = read("audit", none);
        let mut warn = read("warn", none);
        // Where nothing is said of warnings, they follow what is enforced, or controllers would hide the refusals.
        let label = |suffix: &str| meta::label(namespace, &format!("pod-security.kubernetes.io/{suffix}"));
        let enforced = label("enforce").and_then(parse_level);
        if let (None, Some(level)) = (label("warn"), enforced.filter(|level| *level > warn.level)) {
            warn.level = level;
            if label("warn-version").is_none() {
                warn.minor = enforce.minor;
            }
        }
        (Self { enforce, audit, warn }, errors)
    }
}

/// Judges namespaces, pods and what makes pods.
pub fn validate(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if !matches!(attributes.operation, Operation::Create | Operation::Update) {
        return Ok(());
    }
    match (attributes.resource.group(), attributes.resource.plural()) {
        ("", "namespaces") => validate_namespace(core, attributes),
        ("", "pods") => validate_pod(core, attributes),
        (group, plural) => match template_path(group, plural) {
            Some(path) if attributes.subresource.is_empty() => validate_template(core, attributes, path),
            _ => Ok(()),
        },
    }
}

/// Where a kind keeps the template of its pods.
fn template_path(group: &str, plural: &str) -> Option<&'static [&'static str]> {
    match (group, plural) {
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
        | ("batch", "jobs")
        | ("", "replicationcontrollers") => Some(&["spec", "template"]),
        ("batch", "cronjobs") => Some(&["spec", "jobTemplate", "spec", "template"]),
        ("", "podtemplates") => Some(&["template"]),
        _ => None,
    }
}

fn validate_namespace(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    let Some(namespace) = attributes.object.as_ref().filter(|_| attributes.subresource.is_empty()) else {
        return Ok(());
    };
    let (new, errors) = Policy::of(namespace);
    let Some(old) = attributes.old.as_ref() else {
        return refuse_labels(namespace, &errors);
    };
    let (old, old_errors) = Policy::of(old);
    if errors != old_errors {
        refuse_labels(namespace, &errors)?;
    }
    let eased = new.enforce.minor == old.enforce.minor && new.enforce.level <= old.enforce.level;
    if new.enforce == old.enforce || new.enforce.level == Level::Privileged || eased {
        return Ok(());
    }
    let warnings = check_pods(core, meta::name(namespace), new.enforce);
    attributes.warnings.extend(warnings);
    Ok(())
}

fn refuse_labels(namespace: &Value, errors: &ErrorList) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    let kind = Kinds::builtin().rows().iter().find(|kind| kind.group.is_empty() && kind.plural == "namespaces");
    let kind = kind.map_or_else(|| GroupKind { group: String::new(), kind: "Namespace".into() }, |k| k.group_kind());
    Err(Status::invalid(&kind, meta::name(namespace), errors))
}

/// The warnings about pods that are there already.
fn check_pods(core: &Core, namespace: &str, standard: Standard) -> Vec<String> {
    let entries = core.store.list(&format!("/registry/pods/{namespace}/"), None).entries;
    let pods: Vec<Value> = entries.iter().map(|entry| entry.object("v1", "Pod")).collect();
    let mut controllers = HashSet::new();
    let (mut first, mut later): (Vec<&Value>, Vec<&Value>) = pods.iter().partition(|pod| {
        meta::controller_of(pod).is_none_or(|owner| controllers.insert(meta::str_at(owner, &["uid"]).to_owned()))
    });
    first.append(&mut later);
    let total = first.len();
    first.truncate(MAX_PODS);
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in &first {
        let reasons: Vec<String> = standard.evaluate(pod).into_iter().map(|(reason, _)| reason).collect();
        if !reasons.is_empty() {
            found.entry(reasons.join(", ")).or_default().push(meta::name(pod));
        }
    }
    let mut warnings = Vec::new();
    if first.len() < total {
        let checked = first.len();
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {checked} of {total} existing pods"
        ));
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {} violate the new PodSecurity enforce level \"{standard}\"",
            go::quote(namespace)
        ));
    }
    let mut lines: Vec<String> = found.into_iter().map(|(reasons, names)| of_pods(&reasons, &names)).collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

fn of_pods(reasons: &str, names: &[&str]) -> String {
    let first = names.iter().min().copied().unwrap_or_default();
    match names.len() {
        0 | 1 => format!("{first}: {reasons}"),
        2 => format!("{first} (and 1 other pod): {reasons}"),
        count => format!("{first} (and {} other pods): {reasons}", count - 1),
    }
}

fn policy_of(core: &Core, namespace: &str) -> Option<(Policy, ErrorList)> {
    let entry = core.store.get(&format!("/registry/namespaces/{namespace}"))?;
    Some(Policy::of(entry.kept()))
}

fn validate_pod(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    const IGNORED: &[&str] = &["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];
    if IGNORED.contains(&attributes.subresource.as_str()) {
        return Ok(());
    }
    let Some((policy, errors)) = policy_of(core, &attributes.namespace) else { return Ok(()) };
    let Some(pod) = attributes.object.take() else { return Ok(()) };
    let significant = attributes.old.as_ref().is_none_or(|old| changes_images(&pod, old));
    let outcome = if significant { judge(attributes, &policy, &errors, &pod, true) } else { Ok(()) };
    attributes.object = Some(pod);
    outcome
}

/// Whether an update brings another container or another image.
fn changes_images(pod: &Value, old: &Value) -> bool {
    let images = |pod: &Value, field| -> Vec<(String, String)> {
        let containers = meta::list_at(pod, &["spec", field]).iter();
        let text = |container: &Value, name| meta::str_at(container, &[name]).to_owned();
        containers.map(|container| (text(container, "name"), text(container, "image"))).collect()
    };
    ["containers", "initContainers", "ephemeralContainers"].iter().any(|field| images(pod, field) != images(old, field))
}

fn validate_template(core: &Core, attributes: &mut Attributes, path: &[&str]) -> Result<(), Status> {
    let Some((policy, errors)) = policy_of(core, &attributes.namespace) else { return Ok(()) };
    if policy.warn.level == Level::Privileged && policy.audit.level == Level::Privileged {
        return Ok(());
    }
    let template = attributes.object.as_ref().and_then(|object| meta::get(object, path)).cloned();
    match template {
        Some(template) => judge(attributes, &policy, &errors, &template, false),
        None => Ok(()),
    }
}

fn judge(
    attributes: &mut Attributes,
    policy: &Policy,
    errors: &ErrorList,
    pod: &Value,
    enforce: bool,
) -> Result<(), Status> {
    let details = |standard: Standard| {
        let found = standard.evaluate(pod);
        let texts: Vec<String> = found
            .iter()
            .map(|(reason, detail)| if detail.is_empty() { reason.clone() } else { format!("{reason} ({detail})") })
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let mut note = |key: &str, text: String| attributes.audit.push((format!("pod-security.kubernetes.io/{key}"), text));
    if !errors.is_empty() {
        note("error", format!("Failed to parse policy: {}", field::aggregate(errors)));
    }
    if let Some(found) = details(policy.audit) {
        note("audit-violations", format!("would violate PodSecurity \"{}\": {found}", policy.audit));
    }
    if enforce {
        note("enforce-policy", policy.enforce.to_string());
        if let Some(found) = details(policy.enforce) {
            let why = format!("violates PodSecurity \"{}\": {found}", policy.enforce);
            attributes.object = Some(pod.clone());
            return Err(attributes.forbidden(&why));
        }
    }
    if let Some(found) = details(policy.warn) {
        attributes.warnings.push(format!("would violate PodSecurity \"{}\": {found}", policy.warn));
    }
    Ok(())
}
