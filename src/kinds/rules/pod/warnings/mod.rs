//! Warnings on pods and templates (`GetWarningsForPod`, `GetWarningsForPodTemplate`).

use std::collections::BTreeSet;

use super::{APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD};
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, quantity};
use crate::object::field::Path;
use crate::object::go::quote;
use crate::object::{Value, names};

mod paths;
mod ports;

const NO_SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// Annotations that mean nothing any more.
const DEPRECATED_ANNOTATIONS: &[(&str, &str)] = &[
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];

/// Warnings of a new pod. Updates of pods come from machines, and get none.
pub fn pod(new: &Value, old: Option<&Value>) -> Vec<String> {
    if old.is_some() {
        return Vec::new();
    }
    let messages = names::is_dns1123_label(new.at("metadata").text("name"));
    let mut out = Vec::new();
    if !messages.is_empty() {
        out.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label \
             is recommended: [{}]",
            messages.join(" ")
        ));
    }
    out.extend(of_spec(&Path::default(), new, false));
    out
}

/// Names of workloads become parts of the names of their pods, which should be host names.
pub fn name_of_pods(object: &Value) -> Option<String> {
    let messages = names::is_dns1123_label(object.at("metadata").text("name"));
    (!messages.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS \
             label is recommended: [{}]",
            messages.join(" ")
        )
    })
}

/// Warnings of a pod template.
pub fn template(path: &Path, new: &Value) -> Vec<String> {
    of_spec(path, new, true)
}

fn of_spec(path: &Path, new: &Value, is_template: bool) -> Vec<String> {
    let mut out = Vec::new();
    let spec = new.at("spec");
    let annotations = new.at("metadata").at("annotations");
    let annotations_path = path.child("metadata").child("annotations");
    let path = path.child("spec");
    deprecated_labels(&mut out, &path, spec);
    for (key, message) in DEPRECATED_ANNOTATIONS.iter().filter(|(key, _)| annotations.has(key)) {
        out.push(format!("{}: {message}", annotations_path.key(key)));
    }
    volumes(&mut out, &path, spec);
    paths::warnings(&mut out, spec);
    repeated(&mut out, &path, spec, ("hostAliases", "ip"));
    repeated(&mut out, &path, spec, ("imagePullSecrets", "name"));
    for (i, secret) in spec.list("imagePullSecrets").iter().enumerate() {
        if secret.text("name").is_empty() {
            let path = path.child("imagePullSecrets").index(i).child("name");
            out.push(format!("{path}: invalid empty name {}", quote("")));
        }
    }
    for (name, amount) in quantity::list(spec.at("overhead")) {
        if matches!(name.as_str(), "memory" | "ephemeral-storage") {
            fractional(&mut out, &path.child("overhead"), &name, &amount);
        }
    }
    let context = spec.at("securityContext");
    if !context.has("seccompProfile") && annotations.has(SECCOMP_POD) {
        out.push(format!("{}: {NO_SECCOMP}", annotations_path.key(SECCOMP_POD)));
    }
    for (container, path) in super::security::visit(spec, &path) {
        let own = container.at("securityContext");
        let key = format!("{SECCOMP_CONTAINER}{}", container.text("name"));
        if !own.has("seccompProfile") && annotations.has(&key) {
            out.push(format!("{}: {NO_SECCOMP}", annotations_path.key(&key)));
        }
        let key = format!("{APP_ARMOR}{}", container.text("name"));
        let has_profile = context.has("appArmorProfile") || own.has("appArmorProfile");
        if is_template && !has_profile && annotations.has(&key) {
            let message = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            out.push(format!("{}: {message}", annotations_path.key(&key)));
        }
        container_warnings(&mut out, &path, container);
    }
    ports::warnings(&mut out, &path, spec);
    // A pod itself has 1 there by now.
    if is_template && spec.opt_int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let path = path.child("terminationGracePeriodSeconds");
        out.push(format!("{path}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    selectors(&mut out, &path, spec);
    for (i, server) in spec.at("dnsConfig").texts("nameservers").iter().enumerate() {
        out.extend(check::ip_warning(&path.child("dnsConfig").child("nameservers").index(i), server));
    }
    for (i, alias) in spec.list("hostAliases").iter().enumerate() {
        out.extend(check::ip_warning(&path.child("hostAliases").index(i).child("ip"), alias.text("ip")));
    }
    out
}

/// Entries of a list that repeat the field of an earlier one.
fn repeated(out: &mut Vec<String>, path: &Path, spec: &Value, (list, field): (&str, &str)) {
    let mut seen = BTreeSet::new();
    for (i, entry) in spec.list(list).iter().enumerate() {
        if !seen.insert(entry.text(field)) {
            let path = path.child(list).index(i).child(field);
            out.push(format!("{path}: duplicate {field} {}", quote(entry.text(field))));
        }
    }
}

const NODE_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
];

/// What replaces a deprecated label of nodes.
fn deprecated_label(key: &str) -> Option<&'static str> {
    NODE_LABELS.iter().find(|(label, _)| *label == key).map(|(_, message)| *message)
}

fn deprecated_labels(out: &mut Vec<String>, path: &Path, spec: &Value) {
    for (key, _) in spec.entries("nodeSelector") {
        if let Some(message) = deprecated_label(key) {
            out.push(format!("{}: {message}", path.child("nodeSelector").key(key)));
        }
    }
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let terms = spec.at("affinity").at("nodeAffinity").at(required).list("nodeSelectorTerms");
    let base = path.child("affinity").child("nodeAffinity").child(required).child("nodeSelectorTerms");
    for (i, term) in terms.iter().enumerate() {
        for (j, expression) in term.list("matchExpressions").iter().enumerate() {
            let key = expression.text("key");
            if let Some(message) = deprecated_label(key) {
                let path = base.index(i).child("matchExpressions").index(j).child("key");
                out.push(format!("{path}: {key} is {message}"));
            }
        }
    }
    preferred_terms(out, path, spec);
    for (i, constraint) in spec.list("topologySpreadConstraints").iter().enumerate() {
        let key = constraint.text("topologyKey");
        let at = path.child("topologySpreadConstraints").index(i);
        if let Some(message) = deprecated_label(key) {
            out.push(format!("{}: {key} is {message}", at.child("topologyKey")));
        }
        if !constraint.has("labelSelector") {
            let path = at.child("labelSelector");
            out.push(format!("{path}: {NO_SELECTOR}"));
        }
    }
}

/// Preferred terms also tell of values that no label can have.
fn preferred_terms(out: &mut Vec<String>, path: &Path, spec: &Value) {
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let base = path.child("affinity").child("nodeAffinity").child(preferred);
    for (i, term) in spec.at("affinity").at("nodeAffinity").list(preferred).iter().enumerate() {
        let base = base.index(i).child("preference").child("matchExpressions");
        for (j, expression) in term.at("preference").list("matchExpressions").iter().enumerate() {
            let key = expression.text("key");
            if let Some(message) = deprecated_label(key) {
                out.push(format!("{}: {key} is {message}", base.index(j).child("key")));
            }
            for (k, value) in expression.texts("values").iter().enumerate() {
                let path = base.index(j).child("values").index(k);
                let messages = names::is_valid_label_value(value);
                out.extend(messages.iter().map(|message| format!("{path}: {value} is invalid, {message}")));
            }
        }
    }
}

fn volumes(out: &mut Vec<String>, path: &Path, spec: &Value) {
    let removed = [
        ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
        ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
        ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
        ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
        ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
        ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
        ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
        ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
    ];
    for (i, volume) in spec.list("volumes").iter().enumerate() {
        for (field, message) in removed {
            if volume.has(field) {
                out.push(format!("{}: {message}", path.child("volumes").index(i).child(field)));
            }
        }
        let claim = volume.at("ephemeral").at("volumeClaimTemplate");
        if claim.is_object() {
            let at = path.child("volumes").index(i).child("ephemeral").child("volumeClaimTemplate").child("spec");
            storage(out, &at, claim.at("spec"));
        }
    }
}

/// Warnings of a claim's spec.
pub fn storage(out: &mut Vec<String>, path: &Path, spec: &Value) {
    let amount = quantity::of(spec.at("resources").at("requests").at("storage"));
    fractional(out, &path.child("resources").child("requests"), "storage", &amount);
}

fn fractional(out: &mut Vec<String>, path: &Path, name: &str, amount: &crate::object::quantity::Quantity) {
    if amount.milli_value() % 1000 != 0 {
        let path = path.key(name);
        out.push(format!(
            "{path}: fractional byte value {} is invalid, must be an integer",
            quote(&amount.to_string())
        ));
    }
}

fn container_warnings(out: &mut Vec<String>, path: &Path, container: &Value) {
    for list in ["limits", "requests"] {
        for (name, amount) in quantity::list(container.at("resources").at(list)) {
            if matches!(name.as_str(), "memory" | "ephemeral-storage") {
                fractional(out, &path.child("resources").child(list), &name, &amount);
            }
        }
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (i, variable) in container.list("env").iter().enumerate() {
        let name = variable.text("name");
        if seen.contains(name) {
            // A value that is built from the one before does not hide it.
            let reference = format!("$({name})");
            let value = variable.text("value");
            let refers = !variable.has("valueFrom") && value != reference && value.contains(&reference);
            if !refers {
                let path = path.child("env").index(i);
                let message = "hides previous definition of";
                out.push(format!("{path}: {message} {}, which may be dropped when using apply", quote(name)));
            }
        } else {
            seen.insert(name);
        }
    }
}

fn selectors(out: &mut Vec<String>, path: &Path, spec: &Value) {
    for field in ["podAffinity", "podAntiAffinity"] {
        let affinity = spec.at("affinity").at(field);
        let base = path.child("affinity").child(field);
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        for (i, term) in affinity.list(required).iter().enumerate() {
            if !term.has("labelSelector") {
                let path = base.child(required).index(i).child("labelSelector");
                out.push(format!("{path}: {NO_SELECTOR}"));
            }
        }
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (i, term) in affinity.list(preferred).iter().enumerate() {
            if !term.at("podAffinityTerm").has("labelSelector") {
                let path = base.child(preferred).index(i).child("podAffinityTerm").child("labelSelector");
                out.push(format!("{path}: {NO_SELECTOR}"));
            }
        }
    }
}
