//! Warnings on pods and templates (`GetWarningsForPod`, `GetWarningsForPodTemplate`).

use std::collections::{BTreeMap, BTreeSet};

use crate::kinds::rules::quantity;
use crate::kinds::rules::value::Fields;
use crate::object::Value;
use crate::object::field::Path;
use crate::object::go::quote;

/// Warnings of a pod.
pub fn pod(new: &Value, old: Option<&Value>) -> Vec<String> {
    // Only a change of the spec is worth a warning.
    if old.is_some_and(|old| old.at("metadata").int("generation") >= new.at("metadata").int("generation")) {
        return Vec::new();
    }
    template(&Path::default(), new)
}

/// Warnings of a pod template.
pub fn template(path: &Path, new: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let spec = new.at("spec");
    let path = path.child("spec");
    deprecated_labels(&mut out, &path, spec);
    host_aliases(&mut out, &path, spec);
    volumes(&mut out, &path, spec);
    for (container, path) in super::security::visit(spec, &path) {
        container_warnings(&mut out, &path, container);
    }
    for (i, secret) in spec.list("imagePullSecrets").iter().enumerate() {
        if secret.text("name").is_empty() {
            let path = path.child("imagePullSecrets").index(i).child("name");
            out.push(format!("{path}: invalid empty name {}", quote("")));
        }
    }
    if spec.text("serviceAccount") != spec.text("serviceAccountName") {
        out.push(format!("{}: deprecated: use serviceAccountName instead", path.child("serviceAccount")));
    }
    selectors(&mut out, &path, spec);
    out.extend(ports(&path, spec));
    out
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
    for (i, constraint) in spec.list("topologySpreadConstraints").iter().enumerate() {
        let key = constraint.text("topologyKey");
        let at = path.child("topologySpreadConstraints").index(i);
        if let Some(message) = deprecated_label(key) {
            out.push(format!("{}: {key} is {message}", at.child("topologyKey")));
        }
        if !constraint.has("labelSelector") {
            let path = at.child("labelSelector");
            out.push(format!("{path}: a null labelSelector results in matching no pod"));
        }
    }
}

fn host_aliases(out: &mut Vec<String>, path: &Path, spec: &Value) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, alias) in spec.list("hostAliases").iter().enumerate() {
        let ip = alias.text("ip");
        if let Some(first) = seen.insert(ip, i) {
            seen.insert(ip, first);
            let path = path.child("hostAliases");
            out.push(format!(
                "{}: duplicate ip {} with {}",
                path.index(i).child("ip"),
                quote(ip),
                path.index(first).child("ip")
            ));
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
        if volume.has("projected") && volume.at("projected").list("sources").is_empty() {
            out.push(format!("volume {} (Projected) has no sources provided", quote(volume.text("name"))));
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
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, variable) in container.list("env").iter().enumerate() {
        let name = variable.text("name");
        if seen.contains_key(name) {
            let refers = variable.text("value").contains(&format!("$({name})"));
            if !refers {
                let path = path.child("env").index(i);
                let message = "hides previous definition of";
                out.push(format!("{path}: {message} {}, which may be dropped when using apply", quote(name)));
            }
        } else {
            seen.insert(name, i);
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
                out.push(format!("{path}: a null labelSelector results in matching no pod"));
            }
        }
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (i, term) in affinity.list(preferred).iter().enumerate() {
            if !term.at("podAffinityTerm").has("labelSelector") {
                let path = base.child(preferred).index(i).child("podAffinityTerm").child("labelSelector");
                out.push(format!("{path}: a null labelSelector results in matching no pod"));
            }
        }
    }
}

/// One port with its place.
struct Port<'a> {
    value: &'a Value,
    path: Path,
}

/// Ports that stand twice in the pod: within one container, and across containers that run together.
fn ports(path: &Path, spec: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut before: Vec<Port<'_>> = Vec::new();
    for list in ["initContainers", "containers"] {
        for (i, container) in spec.list(list).iter().enumerate() {
            let base = path.child(list).index(i).child("ports");
            let own: Vec<Port<'_>> = container
                .list("ports")
                .iter()
                .enumerate()
                .map(|(j, value)| Port { value, path: base.index(j) })
                .collect();
            for (j, port) in own.iter().enumerate() {
                let earlier = own.iter().take(j).chain(&before);
                duplicates(&mut out, port, earlier);
            }
            before.extend(own);
        }
    }
    out
}

fn duplicates<'a>(out: &mut Vec<String>, port: &Port<'_>, earlier: impl Iterator<Item = &'a Port<'a>>) {
    let same = |other: &Value, fields: &[&str]| fields.iter().all(|field| other.at(field) == port.value.at(field));
    let mut seen = BTreeSet::new();
    for other in earlier {
        let name = port.value.text("name");
        let number = ["containerPort", "protocol", "hostPort", "hostIP"];
        if same(other.value, &number) && seen.insert("definition") {
            out.push(format!("{}: duplicate port definition with {}", port.path, other.path));
        }
        if !name.is_empty() && same(other.value, &["name"]) && seen.insert("name") {
            let (at, first) = (&port.path, &other.path);
            let use_ = "services and probes that select ports by name will use";
            out.push(format!("{at}: duplicate port name {} with {first}, {use_} {first}", quote(name)));
        }
    }
}
