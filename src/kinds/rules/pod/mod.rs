//! Pods and pod templates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::value::Fields;
use super::{GENERIC, Rules, StatusSplit, Subresource, check, quantity};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, meta, names};

mod containers;
mod env;
mod projected;
mod resize;
pub mod resources;
pub mod scheduling;
pub mod security;
mod update;
pub mod volumes;
pub mod warnings;

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "Pod",
        update_meta: &[],
        convert: |pod| convert_spec_in(pod, &["spec"]),
        prepare_create: |pod, context| {
            let class = qos_class(pod.at("spec"));
            meta::set(pod, &["status"], json!({"phase": "Pending", "qosClass": class}));
            if !pod.at("spec").list("schedulingGates").is_empty() {
                let condition = json!({
                    "type": "PodScheduled",
                    "status": "False",
                    "lastProbeTime": null,
                    "lastTransitionTime": context.now.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                });
                meta::set(pod, &["status", "conditions"], vec![condition]);
            }
        },
        prepare_status_update: |new, old, _| {
            super::generic::copy(new, old, "spec");
            meta::remove(new, &["metadata", "ownerReferences"]);
            if let Some(owners) = old.at("metadata").some("ownerReferences") {
                meta::set(new, &["metadata", "ownerReferences"], owners.clone());
            }
        },
        validate_create: create,
        validate_update: update::pod,
        validate_status_update: update::status,
        warnings: warnings::pod,
        status: StatusSplit::Status,
        generation: true,
        graceful_deletion: Some(grace),
        subresources: &[
            Subresource { name: "resize", prepare: resize::prepare_resize, validate: resize::resize },
            Subresource {
                name: "ephemeralcontainers",
                prepare: resize::prepare_ephemeral,
                validate: resize::ephemeral,
            },
        ],
        ..GENERIC
    },
    Rules {
        kind: "PodTemplate",
        convert: |template| convert_spec_in(template, &["template", "spec"]),
        validate_create: |object| template_errors(object, None),
        validate_update: |new, old| template_errors(new, Some(old)),
        warnings: |new, _| warnings::template(&Path::new("template"), new.at("template")),
        generation: true,
        ..GENERIC
    },
];

/// What stored objects may keep although it would be refused today.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The spec is that of a pod rather than of a template.
    pub is_pod: bool,
    /// Values in affinity selectors that are no label values.
    pub any_selector_values: bool,
    /// Values in required node affinity that are no label values.
    pub any_affinity_values: bool,
    /// Selectors of spread constraints that are malformed.
    pub any_spread_selector: bool,
    /// Huge pages that are no multiple of their size.
    pub any_huge_pages: bool,
    /// A deletion cost that is no number.
    pub any_deletion_cost: bool,
}

impl Options {
    /// The options for a spec, given the one that stands in the store.
    pub fn of(is_pod: bool, old_spec: Option<&Value>, old_meta: Option<&Value>) -> Self {
        let mut options = Self { is_pod, ..Self::default() };
        if let Some(spec) = old_spec {
            let none = Self { is_pod, ..Self::default() };
            let fails = |test: &dyn Fn(&mut ErrorList)| {
                let mut errors = ErrorList::new();
                test(&mut errors);
                !errors.is_empty()
            };
            let path = Path::default();
            let affinity = spec.at("affinity");
            let node = json!({"nodeAffinity": affinity.at("nodeAffinity")});
            let pods = json!({
                "podAffinity": affinity.at("podAffinity"), "podAntiAffinity": affinity.at("podAntiAffinity"),
            });
            options.any_affinity_values = fails(&|errors| scheduling::affinity(errors, &path, &node, &none));
            options.any_selector_values = fails(&|errors| scheduling::affinity(errors, &path, &pods, &none));
            options.any_spread_selector = spec.list("topologySpreadConstraints").iter().any(|constraint| {
                fails(&|errors| check::label_selector(errors, &path, constraint.at("labelSelector")))
            });
        }
        options.any_deletion_cost = old_meta.is_some_and(|metadata| deletion_cost(metadata).is_err());
        options
    }
}

/// A pod spec with what its parts need to know of the whole.
pub struct Spec<'a> {
    /// The spec.
    pub value: &'a Value,
    /// Valid volumes by name.
    pub volumes: BTreeMap<&'a str, &'a Value>,
    /// Names of resource claims.
    pub claims: BTreeSet<&'a str>,
    /// Grace period in seconds.
    pub grace: Option<i64>,
    /// Whether the pod uses the host's user namespace.
    pub host_users: bool,
    /// Validation options.
    pub options: &'a Options,
}

/// The conversion of a pod spec through the internal version: both names of the service account are one field there.
pub fn convert_spec(spec: &mut Value) {
    let name = match spec.text("serviceAccountName") {
        "" => spec.text("serviceAccount").to_owned(),
        name => name.to_owned(),
    };
    if !name.is_empty() {
        for field in ["serviceAccountName", "serviceAccount"] {
            meta::set(spec, &[field], name.as_str());
        }
    }
    if spec.is_object() && !spec.has("securityContext") {
        meta::set(spec, &["securityContext"], json!({}));
    }
}

/// [`convert_spec`] of the spec at a path, where there is one.
pub fn convert_spec_in(object: &mut Value, path: &[&str]) {
    let found = path.iter().try_fold(object, |value, key| value.get_mut(*key));
    if let Some(spec @ Value::Object(_)) = found {
        convert_spec(spec);
    }
}

/// Seconds of grace that deletion leaves a pod (`CheckGracefulDelete`).
fn grace(pod: &Value, asked: Option<i64>) -> i64 {
    let spec = pod.at("spec");
    let seconds = asked.or_else(|| spec.opt_int("terminationGracePeriodSeconds")).unwrap_or_default();
    let finished = matches!(pod.at("status").text("phase"), "Failed" | "Succeeded");
    if spec.text("nodeName").is_empty() || finished {
        return 0;
    }
    if seconds < 0 { 1 } else { seconds }
}

/// The quality of service class of a pod spec.
pub fn qos_class(spec: &Value) -> &'static str {
    let mut guaranteed = true;
    let (mut requests, mut limits) = (quantity::Resources::new(), quantity::Resources::new());
    let counted = |list: quantity::Resources| {
        list.into_iter().filter(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && !amount.is_zero())
    };
    let whole = spec
        .some("resources")
        .filter(|resources| !resources.entries("requests").is_empty() || !resources.entries("limits").is_empty());
    let all: Vec<&Value> = match whole {
        Some(resources) => vec![resources],
        None => ["containers", "initContainers"]
            .iter()
            .flat_map(|list| spec.list(list))
            .map(|container| container.at("resources"))
            .collect(),
    };
    for resources in all {
        for (name, amount) in counted(quantity::list(resources.at("requests"))) {
            requests.entry(name).and_modify(|sum| sum.add(&amount)).or_insert(amount);
        }
        let own: Vec<_> = counted(quantity::list(resources.at("limits"))).collect();
        guaranteed &= own.len() == 2;
        for (name, amount) in own {
            limits.entry(name).and_modify(|sum| sum.add(&amount)).or_insert(amount);
        }
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if guaranteed && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn create(pod: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let options = Options::of(true, None, None);
    annotations_and_spec(&mut errors, pod, &options);
    let path = Path::new("spec");
    let spec = pod.at("spec");
    if !spec.list("ephemeralContainers").is_empty() {
        errors.push(Error::forbidden(&path.child("ephemeralContainers"), "cannot be set on create"));
    }
    if !spec.text("nodeName").is_empty() && !spec.list("schedulingGates").is_empty() {
        let message = "cannot be set until all schedulingGates have been cleared";
        errors.push(Error::forbidden(&path.child("nodeName"), message));
    }
    security::annotations_match(&mut errors, &path, pod.at("metadata"), spec);
    errors
}

/// `validatePodMetadataAndSpec` after the metadata.
fn annotations_and_spec(errors: &mut ErrorList, pod: &Value, options: &Options) {
    let (metadata, spec) = (pod.at("metadata"), pod.at("spec"));
    annotations(errors, &Path::new("metadata").child("annotations"), metadata, spec, options);
    let path = Path::new("spec");
    validate_spec(errors, &path, spec, metadata.text("name"), options);
    if spec.text("serviceAccountName").is_empty() {
        for (i, volume) in spec.list("volumes").iter().enumerate() {
            for (j, source) in volume.at("projected").list("sources").iter().enumerate() {
                if source.has("serviceAccountToken") {
                    let path = path.child("volumes").index(i).child("projected").child("sources").index(j);
                    let message = "must not be specified when serviceAccountName is not set";
                    errors.push(Error::forbidden(&path.child("serviceAccountToken"), message));
                }
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in spec.list(list).iter().enumerate() {
            containers::image_spaces(errors, &path.child(list).index(i), container);
        }
    }
}

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

fn deletion_cost(metadata: &Value) -> Result<(), ()> {
    let Some(text) = metadata.at("annotations").opt_text(DELETION_COST) else { return Ok(()) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let spelled = !digits.is_empty() && (digits == "0" || !digits.starts_with('0')) && !text.starts_with('+');
    if spelled && text.parse::<i32>().is_ok() { Ok(()) } else { Err(()) }
}

/// Annotations that mean something to pods.
fn annotations(errors: &mut ErrorList, path: &Path, metadata: &Value, spec: &Value, options: &Options) {
    const MIRROR: &str = "kubernetes.io/config.mirror";
    let found = metadata.at("annotations");
    if let Some(mirror) = found.opt_text(MIRROR).filter(|_| spec.text("nodeName").is_empty()) {
        let message = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(Error::invalid(&path.key(MIRROR), mirror, message));
    }
    if !options.any_deletion_cost && deletion_cost(metadata).is_err() {
        let cost = found.text(DELETION_COST);
        errors.push(Error::invalid(&path.key(DELETION_COST), cost, "must be a 32bit integer"));
    }
    let entries = metadata.text_entries("annotations");
    for (key, profile) in &entries {
        if *key == SECCOMP_POD || key.starts_with(SECCOMP_CONTAINER) {
            match profile.strip_prefix("localhost/") {
                Some(file) => check::local_path(errors, &path.child(key), file),
                None if matches!(*profile, "runtime/default" | "docker/default" | "unconfined") => {}
                None => errors.push(Error::invalid(&path.child(key), *profile, "must be a valid seccomp profile")),
            }
        }
    }
    for (key, profile) in &entries {
        let Some(container) = key.strip_prefix(APP_ARMOR) else { continue };
        if !security::visit(spec, path).iter().any(|(found, _)| found.text("name") == container) {
            errors.push(Error::invalid(&path.key(key), container, "container not found"));
        }
        if !matches!(*profile, "" | "runtime/default" | "unconfined") && !profile.starts_with("localhost/") {
            let message = format!("invalid AppArmor profile name: \"{profile}\"");
            errors.push(Error::invalid(&path.key(key), *profile, message));
        }
    }
}

/// `ValidatePodSpec`; `pod` is the name of the pod, empty for templates.
pub fn validate_spec(errors: &mut ErrorList, path: &Path, spec: &Value, pod: &str, options: &Options) {
    let grace = spec.opt_int("terminationGracePeriodSeconds");
    if grace.is_none() {
        errors.push(Error::required(&path.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volumes::volumes(errors, &path.child("volumes"), spec, pod, options);
    let claims = spec.list("resourceClaims").iter().map(|c| c.text("name")).filter(|n| !n.is_empty()).collect();
    resource_claims(errors, &path.child("resourceClaims"), spec);
    let host_users = spec.opt_bool("hostUsers") != Some(false);
    let whole = Spec { value: spec, volumes, claims, grace, host_users, options };
    containers::all(errors, path, &whole);
    resources::pod_level(errors, &path.child("resources"), spec, &whole.claims, options);
    containers::host_network_ports(errors, path, spec, options);
    check::required_one_of(
        errors,
        &path.child("restartPolicy"),
        spec.text("restartPolicy"),
        &["Always", "OnFailure", "Never"],
    );
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    check::required_one_of(errors, &path.child("dnsPolicy"), spec.text("dnsPolicy"), &policies);
    check::labels(errors, &path.child("nodeSelector"), spec, "nodeSelector");
    security::pod(errors, &path.child("securityContext"), spec);
    scheduling::affinity(errors, &path.child("affinity"), spec.at("affinity"), options);
    dns_config(errors, &path.child("dnsConfig"), spec);
    for (i, gate) in spec.list("readinessGates").iter().enumerate() {
        let path = path.child("readinessGates").index(i).child("conditionType");
        check::qualified_name(errors, &path, gate.text("conditionType"));
    }
    scheduling_gates(errors, &path.child("schedulingGates"), spec);
    scheduling::spread(errors, &path.child("topologySpreadConstraints"), spec, options);
    security::host_processes(errors, path, spec);
    security::host_users(errors, path, spec);
    names_and_times(errors, path, spec);
    security::operating_system(errors, path, spec);
}

fn names_and_times(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let subdomain: fn(&str) -> Vec<String> = names::is_dns1123_subdomain;
    let named = |errors: &mut ErrorList, field: &str, rule: fn(&str) -> Vec<String>| {
        let name = spec.text(field);
        if !name.is_empty() {
            check::messages(errors, &path.child(field), name, rule(name));
        }
    };
    named(errors, "serviceAccountName", subdomain);
    named(errors, "nodeName", subdomain);
    if let Some(seconds) = spec.opt_int("activeDeadlineSeconds") {
        check::in_range(errors, &path.child("activeDeadlineSeconds"), seconds, 1, i64::from(i32::MAX));
    }
    named(errors, "hostname", names::is_dns1123_label);
    named(errors, "subdomain", names::is_dns1123_label);
    if let Some(name) = spec.opt_text("hostnameOverride") {
        hostname_override(errors, &path.child("hostnameOverride"), name, spec);
    }
    scheduling::tolerations(errors, &path.child("tolerations"), spec);
    for (i, alias) in spec.list("hostAliases").iter().enumerate() {
        let path = path.child("hostAliases").index(i);
        check::ip(errors, &path.child("ip"), alias.text("ip"));
        for (j, name) in alias.texts("hostnames").iter().enumerate() {
            check::dns_subdomain(errors, &path.child("hostnames").index(j), name);
        }
    }
    named(errors, "priorityClassName", subdomain);
    if let Some(name) = spec.opt_text("runtimeClassName") {
        check::dns_subdomain(errors, &path.child("runtimeClassName"), name);
    }
    if let Some(policy) = spec.opt_text("preemptionPolicy") {
        let path = path.child("preemptionPolicy");
        check::required_one_of(errors, &path, policy, &["PreemptLowerPriority", "Never"]);
    }
    if spec.has("overhead") {
        let limits = json!({"limits": spec.at("overhead")});
        let options = Options::default();
        let path = path.child("overhead");
        resources::requirements(errors, &path, &limits, resources::container_name, &BTreeSet::new(), &options);
    }
}

fn hostname_override(errors: &mut ErrorList, path: &Path, name: &str, spec: &Value) {
    if name.len() > 64 {
        errors.push(Error::too_long(path, 64));
    }
    check::dns_subdomain(errors, path, name);
    if spec.flag("hostNetwork") {
        errors.push(Error::invalid(path, name, "may not be specified when hostNetwork is true"));
    }
    if spec.flag("setHostnameAsFQDN") {
        errors.push(Error::invalid(path, name, "may not be specified when setHostnameAsFQDN is true"));
    }
}

fn resource_claims(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let mut seen = BTreeSet::new();
    for (i, claim) in spec.list("resourceClaims").iter().enumerate() {
        let path = path.index(i);
        let name = claim.text("name");
        if name.is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        } else if seen.insert(name) {
            check::dns_label(errors, &path.child("name"), name);
        } else {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        let message = match (claim.has("resourceClaimName"), claim.has("resourceClaimTemplateName")) {
            (true, true) => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            (false, false) => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !message.is_empty() {
            let text = super::internal::show("core.v1.PodResourceClaim", claim);
            errors.push(check::shown(ErrorKind::Invalid, &path, text, message));
        }
        for field in ["resourceClaimName", "resourceClaimTemplateName"] {
            if let Some(name) = claim.opt_text(field) {
                check::dns_subdomain(errors, &path.child(field), name);
            }
        }
    }
}

fn scheduling_gates(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let mut seen = BTreeSet::new();
    for (i, gate) in spec.list("schedulingGates").iter().enumerate() {
        check::qualified_name(errors, &path.index(i), gate.text("name"));
        if !seen.insert(gate.text("name")) {
            errors.push(Error::duplicate(&path.index(i), gate.text("name")));
        }
    }
}

fn dns_config(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let config = spec.at("dnsConfig");
    let servers = config.texts("nameservers");
    if spec.text("dnsPolicy") == "None" {
        if config.is_null() {
            errors.push(Error::required(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
            return;
        }
        if servers.is_empty() {
            let message = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(Error::required(&path.child("nameservers"), message));
            return;
        }
    }
    if servers.len() > 3 {
        errors.push(Error::invalid(
            &path.child("nameservers"),
            json!(servers),
            "must not have more than 3 nameservers",
        ));
    }
    for (i, server) in servers.iter().enumerate() {
        check::ip(errors, &path.child("nameservers").index(i), server);
    }
    let searches = config.texts("searches");
    let searches_path = path.child("searches");
    if searches.len() > 32 {
        errors.push(Error::invalid(&searches_path, json!(searches), "must not have more than 32 search paths"));
    }
    if searches.join(" ").len() > 2048 {
        let message = "must not have more than 2048 characters (including spaces) in the search list";
        errors.push(Error::invalid(&searches_path, json!(searches), message));
    }
    for (i, search) in searches.iter().enumerate().filter(|(_, search)| **search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        let messages = names::is_dns1123_subdomain_with_underscore(search);
        check::messages(errors, &searches_path.index(i), search, messages);
    }
    for (i, option) in config.list("options").iter().enumerate() {
        if option.text("name").is_empty() {
            errors.push(Error::required(&path.child("options").index(i), "must not be empty"));
        }
    }
}

fn template_errors(object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let old = old.map(|old| old.at("template"));
    validate_template(&mut errors, &Path::new("template"), object.at("template"), old);
    errors
}

/// `ValidatePodTemplateSpec`.
pub fn validate_template(errors: &mut ErrorList, path: &Path, template: &Value, old: Option<&Value>) {
    let options = Options::of(false, old.map(|old| old.at("spec")), old.map(|old| old.at("metadata")));
    let (metadata, spec) = (template.at("metadata"), template.at("spec"));
    template_meta(errors, path, template, &options);
    let spec_path = path.child("spec");
    validate_spec(errors, &spec_path, spec, "", &options);
    security::annotations_match(errors, &spec_path, metadata, spec);
    if !spec.list("ephemeralContainers").is_empty() {
        let message = "ephemeral containers not allowed in pod template";
        errors.push(Error::forbidden(&spec_path.child("ephemeralContainers"), message));
    }
}

fn template_meta(errors: &mut ErrorList, path: &Path, template: &Value, options: &Options) {
    let (metadata, spec) = (template.at("metadata"), template.at("spec"));
    check::labels(errors, &path.child("labels"), metadata, "labels");
    check::annotations(errors, &path.child("annotations"), metadata);
    annotations(errors, &path.child("annotations"), metadata, spec, options);
}
