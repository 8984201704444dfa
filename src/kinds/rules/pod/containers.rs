//! Containers: ports, mounts, probes, life cycle.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Options, Spec, env, resources, security};
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, names};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

/// Fields that an ephemeral container may have.
const EPHEMERAL_FIELDS: &[&str] = &[
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "envFrom",
    "env",
    "volumeMounts",
    "volumeDevices",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
];

/// All containers of a pod spec.
pub fn all(errors: &mut ErrorList, path: &Path, spec: &Spec<'_>) {
    regular(errors, &path.child("containers"), spec);
    init(errors, &path.child("initContainers"), spec);
    ephemeral(errors, &path.child("ephemeralContainers"), spec);
}

fn regular(errors: &mut ErrorList, path: &Path, spec: &Spec<'_>) {
    let containers = spec.value.list("containers");
    if containers.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let path = path.index(i);
        common(errors, &path, container, spec);
        if !seen.insert(container.text("name")) {
            errors.push(Error::duplicate(&path.child("name"), container.text("name")));
        }
        health(errors, &path, container, spec);
        restart_policy(errors, &path, container);
    }
    host_port_conflicts(errors, path, containers.iter());
}

/// Life cycle and probes.
fn health(errors: &mut ErrorList, path: &Path, container: &Value, spec: &Spec<'_>) {
    if let Some(lifecycle) = container.some("lifecycle") {
        let path = path.child("lifecycle");
        for hook in ["postStart", "preStop"] {
            if let Some(handler) = lifecycle.some(hook) {
                handlers(errors, &path.child(hook), handler, spec.grace);
            }
        }
        if let Some(signal) = lifecycle.opt_text("stopSignal") {
            security::stop_signal(errors, &path.child("stopSignal"), signal, spec.value);
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.some(field) {
            probe(errors, &path.child(field), found, field, spec);
        }
    }
}

fn probe(errors: &mut ErrorList, path: &Path, probe: &Value, field: &str, spec: &Spec<'_>) {
    handlers(errors, path, probe, spec.grace);
    let counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    check::non_negative_fields(errors, path, probe, &counts);
    let grace = probe.opt_int("terminationGracePeriodSeconds");
    let grace_path = path.child("terminationGracePeriodSeconds");
    if let Some(grace) = grace.filter(|grace| *grace <= 0) {
        errors.push(Error::invalid(&grace_path, grace, "must be greater than 0"));
    }
    match (field, grace) {
        ("readinessProbe", Some(grace)) => {
            errors.push(Error::invalid(&grace_path, grace, "must not be set for readinessProbes"));
        }
        ("readinessProbe", None) => {}
        _ if probe.int("successThreshold") != 1 => {
            errors.push(Error::invalid(&path.child("successThreshold"), probe.int("successThreshold"), "must be 1"));
        }
        _ => {}
    }
}

fn handlers(errors: &mut ErrorList, path: &Path, handler: &Value, grace: Option<i64>) {
    let mut count = 0;
    for field in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = handler.some(field) else { continue };
        let path = path.child(field);
        if count > 0 {
            errors.push(Error::forbidden(&path, "may not specify more than 1 handler type"));
            continue;
        }
        count += 1;
        match field {
            "exec" if action.list("command").is_empty() => errors.push(Error::required(&path.child("command"), "")),
            "exec" => {}
            "httpGet" => http_get(errors, &path, action),
            "sleep" => sleep(errors, &path, action, grace),
            _ => check::port_or_name(errors, &path.child("port"), action.at("port")),
        }
    }
    if count == 0 {
        errors.push(Error::required(path, "must specify a handler type"));
    }
}

fn http_get(errors: &mut ErrorList, path: &Path, action: &Value) {
    check::required_fields(errors, path, action, &["path"]);
    check::port_or_name(errors, &path.child("port"), action.at("port"));
    check::one_of(errors, &path.child("scheme"), action.text("scheme"), &["HTTP", "HTTPS"]);
    for header in action.list("httpHeaders") {
        let name = header.text("name");
        check::messages(errors, &path.child("httpHeaders"), name, names::is_http_header_name(name));
    }
}

fn sleep(errors: &mut ErrorList, path: &Path, action: &Value, grace: Option<i64>) {
    let seconds = action.int("seconds");
    if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
        let message = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.push(Error::invalid(path, seconds, message));
    }
}

/// The restart policy of one container and its rules.
fn restart_policy(errors: &mut ErrorList, path: &Path, container: &Value) {
    let rules = container.list("restartPolicyRules");
    let at = path.child("restartPolicy");
    match container.opt_text("restartPolicy") {
        Some(policy) => check::one_of(errors, &at, policy, &["Always", "Never", "OnFailure"]),
        None if !rules.is_empty() => {
            errors.push(Error::required(&at, "must specify restartPolicy when restart rules are used"));
        }
        None => {}
    }
    let rules_path = path.child("restartPolicyRules");
    if rules.len() > 20 {
        errors.push(Error::too_many(&rules_path, rules.len(), 20));
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = rules_path.index(i);
        check::one_of(errors, &path.child("action"), rule.text("action"), &["Restart", "RestartAllContainers"]);
        let Some(codes) = rule.some("exitCodes") else {
            errors.push(Error::required(&path.child("exitCodes"), "must be specified"));
            continue;
        };
        let path = path.child("exitCodes");
        check::one_of(errors, &path.child("operator"), codes.text("operator"), &["In", "NotIn"]);
        let values = codes.list("values").len();
        if values > 255 {
            errors.push(Error::too_many(&path.child("values"), values, 255));
        }
    }
}

fn init(errors: &mut ErrorList, path: &Path, spec: &Spec<'_>) {
    let mut seen: BTreeSet<&str> = spec.value.list("containers").iter().map(|c| c.text("name")).collect();
    for (i, container) in spec.value.list("initContainers").iter().enumerate() {
        let at = path.index(i);
        common(errors, &at, container, spec);
        restart_policy(errors, &at, container);
        let name = container.text("name");
        if !seen.insert(name) && !name.is_empty() {
            errors.push(Error::duplicate(&at.child("name"), name));
        }
        host_port_conflicts(errors, path, std::iter::once(container));
        if container.text("restartPolicy") == "Always" {
            health(errors, &at, container, spec);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.has(field) {
                    let message = "may not be set for init containers without restartPolicy=Always";
                    errors.push(Error::forbidden(&at.child(field), message));
                }
            }
            let policies = container.list("resizePolicy");
            if !policies.is_empty() {
                let text = internal::show_list("core.v1.ContainerResizePolicy", policies);
                let path = at.child("resizePolicy");
                errors.push(check::shown(ErrorKind::Invalid, &path, text, "must not be set for init containers"));
            }
        }
    }
}

fn ephemeral(errors: &mut ErrorList, path: &Path, spec: &Spec<'_>) {
    let names_of = |list: &str| spec.value.list(list).iter().map(|c| c.text("name")).collect::<Vec<_>>();
    let others: BTreeSet<&str> = names_of("containers").into_iter().chain(names_of("initContainers")).collect();
    let mut seen = others.clone();
    for (i, container) in spec.value.list("ephemeralContainers").iter().enumerate() {
        let path = path.index(i);
        common(errors, &path, container, spec);
        image_spaces(errors, &path, container);
        let (name, target) = (container.text("name"), container.text("targetContainerName"));
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        if !target.is_empty() && !others.contains(target) {
            errors.push(Error::not_found(&path.child("targetContainerName"), target));
        }
        for field in internal::fields_of("core.v1.EphemeralContainer") {
            let allowed = EPHEMERAL_FIELDS.contains(&field) || field == "targetContainerName";
            if !allowed && container.some(field).is_some_and(|value| *value != json!({})) {
                errors.push(Error::forbidden(&path.child(field), "cannot be set for an Ephemeral Container"));
            }
        }
        for (j, mount) in container.list("volumeMounts").iter().enumerate() {
            for field in ["subPath", "subPathExpr"] {
                if !mount.text(field).is_empty() {
                    let path = path.child("volumeMounts").index(j).child(field);
                    errors.push(Error::forbidden(&path, "cannot be set for an Ephemeral Container"));
                }
            }
        }
    }
}

/// Images of pods, unlike those of templates, may not be padded.
pub fn image_spaces(errors: &mut ErrorList, path: &Path, container: &Value) {
    let image = container.text("image");
    if image.trim() != image {
        errors.push(Error::invalid(&path.child("image"), image, "must not have leading or trailing whitespace"));
    }
}

/// What holds for containers of every sort.
fn common(errors: &mut ErrorList, path: &Path, container: &Value, spec: &Spec<'_>) {
    let name = container.text("name");
    if name.is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    } else {
        check::dns_label(errors, &path.child("name"), name);
    }
    check::required_fields(errors, path, container, &["image"]);
    let policies = ["File", "FallbackToLogsOnError"];
    let policy = container.text("terminationMessagePolicy");
    check::required_one_of(errors, &path.child("terminationMessagePolicy"), policy, &policies);
    ports(errors, &path.child("ports"), container);
    env::variables(errors, &path.child("env"), container);
    env::from_sources(errors, &path.child("envFrom"), container);
    mounts(errors, &path.child("volumeMounts"), container, spec);
    devices(errors, &path.child("volumeDevices"), container, spec);
    pull_policy(errors, &path.child("imagePullPolicy"), container.text("imagePullPolicy"));
    let requirements = container.at("resources");
    let resource_path = path.child("resources");
    resources::requirements(
        errors,
        &resource_path,
        requirements,
        resources::container_name,
        &spec.claims,
        spec.options,
    );
    resize_policies(errors, &path.child("resizePolicy"), container, spec.value);
    if let Some(context) = container.some("securityContext") {
        security::container(errors, &path.child("securityContext"), context, spec.host_users);
    }
}

/// A pull policy must be given and known.
pub fn pull_policy(errors: &mut ErrorList, path: &Path, policy: &str) {
    check::required_one_of(errors, path, policy, PULL_POLICIES);
}

fn resize_policies(errors: &mut ErrorList, path: &Path, container: &Value, spec: &Value) {
    let mut seen = BTreeSet::new();
    for (i, policy) in container.list("resizePolicy").iter().enumerate() {
        let (resource, restart) = (policy.text("resourceName"), policy.text("restartPolicy"));
        if !seen.insert(resource) {
            errors.push(Error::duplicate(&path.index(i), resource));
        }
        check::required_one_of(errors, path, resource, &["cpu", "memory"]);
        check::required_one_of(errors, path, restart, &["NotRequired", "RestartContainer"]);
        if spec.text("restartPolicy") == "Never" && restart != "NotRequired" {
            errors.push(Error::invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
        }
    }
}

fn ports(errors: &mut ErrorList, path: &Path, container: &Value) {
    let mut seen = BTreeSet::new();
    for (i, port) in container.list("ports").iter().enumerate() {
        let path = path.index(i);
        let name = port.text("name");
        if !name.is_empty() {
            let messages = names::is_valid_port_name(name);
            if messages.is_empty() && !seen.insert(name) {
                errors.push(Error::duplicate(&path.child("name"), name));
            }
            check::messages(errors, &path.child("name"), name, messages);
        }
        match port.int("containerPort") {
            0 => errors.push(Error::required(&path.child("containerPort"), "")),
            number => check::port_number(errors, &path.child("containerPort"), number),
        }
        if port.int("hostPort") != 0 {
            check::port_number(errors, &path.child("hostPort"), port.int("hostPort"));
        }
        check::required_one_of(errors, &path.child("protocol"), port.text("protocol"), PROTOCOLS);
    }
}

fn host_port_conflicts<'a>(errors: &mut ErrorList, path: &Path, containers: impl Iterator<Item = &'a Value>) {
    let mut seen = BTreeSet::new();
    for (i, container) in containers.enumerate() {
        for (j, port) in container.list("ports").iter().enumerate() {
            let number = port.int("hostPort");
            if number == 0 {
                continue;
            }
            let key = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if !seen.insert(key.clone()) {
                errors.push(Error::duplicate(&path.index(i).child("ports").index(j).child("hostPort"), key));
            }
        }
    }
}

fn mounts(errors: &mut ErrorList, path: &Path, container: &Value, spec: &Spec<'_>) {
    let devices: BTreeMap<&str, &str> =
        container.list("volumeDevices").iter().map(|d| (d.text("name"), d.text("devicePath"))).collect();
    let mut points = BTreeSet::new();
    for (i, mount) in container.list("volumeMounts").iter().enumerate() {
        let at = path.index(i);
        let (name, point) = (mount.text("name"), mount.text("mountPath"));
        let (name_path, point_path) = (at.child("name"), at.child("mountPath"));
        check::required(errors, &name_path, name);
        let volume = spec.volumes.get(name);
        if volume.is_none() {
            errors.push(Error::not_found(&name_path, name));
        }
        check::required(errors, &point_path, point);
        if !points.insert(point) {
            errors.push(Error::invalid(&point_path, point, "must be unique"));
        }
        if devices.contains_key(name) {
            errors.push(Error::invalid(&name_path, name, "must not already exist in volumeDevices"));
        }
        if devices.values().any(|device| *device == point) {
            errors.push(Error::invalid(&point_path, point, "must not already exist as a path in volumeDevices"));
        }
        let (sub, expr) = (mount.text("subPath"), mount.text("subPathExpr"));
        if !sub.is_empty() {
            check::local_path(errors, &path.child("subPath"), sub);
        }
        if !expr.is_empty() {
            if !sub.is_empty() {
                let message = "subPathExpr and subPath are mutually exclusive";
                errors.push(Error::invalid(&at.child("subPathExpr"), expr, message));
            }
            check::local_path(errors, &path.child("subPathExpr"), expr);
        }
        propagation(errors, path, mount, container);
    }
}

fn propagation(errors: &mut ErrorList, path: &Path, mount: &Value, container: &Value) {
    let mode = mount.opt_text("mountPropagation");
    if let Some(mode) = mode {
        let path = path.child("mountPropagation");
        check::one_of(errors, &path, mode, &["Bidirectional", "HostToContainer", "None"]);
        if mode == "Bidirectional" && !container.at("securityContext").flag("privileged") {
            let message = "Bidirectional mount propagation is available only to privileged containers";
            errors.push(Error::forbidden(&path, message));
        }
    }
    let path = path.child("recursiveReadOnly");
    match mount.opt_text("recursiveReadOnly") {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.flag("readOnly") {
                errors.push(Error::forbidden(&path, "may only be specified when readOnly is true"));
            }
            if mode.is_some_and(|mode| mode != "None") {
                let message = "may only be specified when mountPropagation is None or not specified";
                errors.push(Error::forbidden(&path, message));
            }
        }
        Some(other) => check::one_of(errors, &path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn devices(errors: &mut ErrorList, path: &Path, container: &Value, spec: &Spec<'_>) {
    let mounts: BTreeMap<&str, &str> =
        container.list("volumeMounts").iter().map(|m| (m.text("name"), m.text("mountPath"))).collect();
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in container.list("volumeDevices").iter().enumerate() {
        let at = path.index(i);
        let (name, target) = (device.text("name"), device.text("devicePath"));
        let (name_path, target_path) = (at.child("name"), at.child("devicePath"));
        check::required(errors, &name_path, name);
        if !name.is_empty() && !names.insert(name) {
            errors.push(Error::invalid(&name_path, name, "must be unique"));
        }
        match spec.volumes.get(name) {
            None => errors.push(Error::not_found(&name_path, name)),
            Some(volume) if volume.has("persistentVolumeClaim") || volume.has("ephemeral") => {}
            Some(_) => {
                let message = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(Error::invalid(&name_path, name, message));
            }
        }
        check::required(errors, &target_path, target);
        if paths.contains(target) {
            errors.push(Error::invalid(&target_path, target, "must be unique"));
        }
        if target.split('/').any(|part| part == "..") {
            errors.push(Error::invalid(&target_path, target, "can not contain backsteps ('..')"));
        } else {
            paths.insert(target);
        }
        if mounts.contains_key(name) {
            errors.push(Error::invalid(&name_path, name, "must not already exist in volumeMounts"));
        }
        if mounts.values().any(|mount| *mount == target) {
            errors.push(Error::invalid(&target_path, target, "must not already exist as a path in volumeMounts"));
        }
    }
}

/// On the host's network a port of the host, where given, is the container's.
pub fn host_network_ports(errors: &mut ErrorList, path: &Path, spec: &Value, options: &Options) {
    if !spec.flag("hostNetwork") {
        return;
    }
    for (i, container) in spec.list("containers").iter().enumerate() {
        for (j, port) in container.list("ports").iter().enumerate() {
            let host = port.int("hostPort");
            if (options.is_pod || host != 0) && host != port.int("containerPort") {
                let path = path.child("containers").index(i).child("ports").index(j).child("hostPort");
                errors.push(Error::invalid(&path, host, "must match `containerPort` when `hostNetwork` is true"));
            }
        }
    }
}
