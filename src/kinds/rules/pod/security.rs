//! Security contexts.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use regex::Regex;

use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{DISALLOWED, check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, names};

const PROFILE_TYPES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const WINDOWS: &str = "cannot be set for a windows pod";

fn user_and_group(errors: &mut ErrorList, path: &Path, context: &Value) {
    if let Some(user) = context.opt_int("runAsUser") {
        check::messages(errors, &path.child("runAsUser"), user, names::is_valid_user_id(user));
    }
    if let Some(group) = context.opt_int("runAsGroup") {
        check::messages(errors, &path.child("runAsGroup"), group, names::is_valid_group_id(group));
    }
}

/// The security context of a pod spec.
pub fn pod(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let Some(context) = spec.some("securityContext") else { return };
    if let Some(group) = context.opt_int("fsGroup") {
        check::messages(errors, &path.child("fsGroup"), group, names::is_valid_group_id(group));
    }
    user_and_group(errors, path, context);
    for (i, group) in context.list("supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or_default();
        let path = path.child("supplementalGroups").index(i);
        check::messages(errors, &path, group, names::is_valid_group_id(group));
    }
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        let message = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(Error::invalid(&path.child("shareProcessNamespace"), true, message));
    }
    sysctls(errors, &path.child("sysctls"), context, spec);
    let enums: [(&str, &[&str]); 1] = [("fsGroupChangePolicy", &["Always", "OnRootMismatch"])];
    for (field, supported) in enums {
        optional_one_of(errors, path, context, field, supported);
    }
    seccomp(errors, &path.child("seccompProfile"), context);
    windows_options(errors, &path.child("windowsOptions"), context);
    app_armor(errors, &path.child("appArmorProfile"), context);
    optional_one_of(errors, path, context, "supplementalGroupsPolicy", &["Merge", "Strict"]);
    optional_one_of(errors, path, context, "seLinuxChangePolicy", &["MountOption", "Recursive"]);
}

fn optional_one_of(errors: &mut ErrorList, path: &Path, value: &Value, field: &str, supported: &[&str]) {
    if let Some(found) = value.opt_text(field) {
        check::one_of(errors, &path.child(field), found, supported);
    }
}

fn sysctls(errors: &mut ErrorList, path: &Path, context: &Value, spec: &Value) {
    static FORMAT: OnceLock<Option<Regex>> = OnceLock::new();
    let format = FORMAT.get_or_init(|| Regex::new(SYSCTL).ok());
    let mut seen = BTreeSet::new();
    for (i, sysctl) in context.list("sysctls").iter().enumerate() {
        let path = path.index(i).child("name");
        let name = sysctl.text("name");
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if name.len() > 253 || !format.as_ref().is_some_and(|format| format.is_match(name)) {
            let message = format!("must have at most 253 characters and match regex {SYSCTL}");
            errors.push(Error::invalid(&path, name, message));
        } else if seen.contains(name) {
            errors.push(Error::duplicate(&path, name));
        }
        let dotted = name.replace('/', ".");
        if spec.flag("hostNetwork") && dotted.starts_with("net.") {
            errors.push(Error::invalid(&path, name, "may not be specified when 'hostNetwork' is true"));
        } else if spec.flag("hostIPC") && is_ipc_sysctl(&dotted) {
            errors.push(Error::invalid(&path, name, "may not be specified when 'hostIPC' is true"));
        }
        seen.insert(name);
    }
}

fn is_ipc_sysctl(name: &str) -> bool {
    name == "kernel.sem" || ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| name.starts_with(prefix))
}

fn seccomp(errors: &mut ErrorList, path: &Path, context: &Value) {
    let Some(profile) = context.some("seccompProfile") else { return };
    let type_ = profile.text("type");
    if type_.is_empty() {
        errors.push(Error::required(&path.child("type"), "type is required when seccompProfile is set"));
    } else {
        check::one_of(errors, &path.child("type"), type_, PROFILE_TYPES);
    }
    let local = path.child("localhostProfile");
    match (type_, profile.opt_text("localhostProfile")) {
        ("Localhost", None) => {
            errors.push(Error::required(&local, "must be set when seccomp type is Localhost"));
        }
        ("Localhost", Some(file)) => check::local_path(errors, &local, file),
        (_, Some(_)) => {
            let text = internal::show("core.v1.SeccompProfile", profile);
            let message = "can only be set when seccomp type is Localhost";
            errors.push(check::shown(ErrorKind::Invalid, &local, text, message));
        }
        (_, None) => {}
    }
}

fn app_armor(errors: &mut ErrorList, path: &Path, context: &Value) {
    let Some(profile) = context.some("appArmorProfile") else { return };
    let local = path.child("localhostProfile");
    match (profile.text("type"), profile.opt_text("localhostProfile")) {
        ("Localhost", None) => {
            errors.push(Error::required(&local, "must be set when AppArmor type is Localhost"));
        }
        ("Localhost", Some(name)) => {
            if name.trim() != name {
                errors.push(Error::invalid(&local, name, "must not be padded with whitespace"));
            } else if name.is_empty() {
                errors.push(Error::required(&local, "must be set when AppArmor type is Localhost"));
            }
            if name.len() > 4095 {
                errors.push(Error::too_long(&local, 4095));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            errors.push(Error::invalid(&local, name, "can only be set when AppArmor type is Localhost"));
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => {
            errors.push(Error::required(&path.child("type"), "type is required when appArmorProfile is set"));
        }
        (other, _) => check::one_of(errors, &path.child("type"), other, PROFILE_TYPES),
    }
}

/// The security context of a container.
pub fn container(errors: &mut ErrorList, path: &Path, context: &Value, host_users: bool) {
    let invalid = |errors: &mut ErrorList, message: &str| {
        let text = internal::show("core.v1.SecurityContext", context);
        errors.push(check::shown(ErrorKind::Invalid, path, text, message));
    };
    if context.flag("privileged") {
        errors.push(Error::forbidden(&path.child("privileged"), DISALLOWED));
    }
    user_and_group(errors, path, context);
    if let Some(mount) = context.opt_text("procMount") {
        check::one_of(errors, &path.child("procMount"), mount, &["Default", "Unmasked"]);
        if host_users && mount == "Unmasked" {
            let message = "`hostUsers` must be false to use `Unmasked`";
            errors.push(Error::invalid(&path.child("procMount"), mount, message));
        }
    }
    seccomp(errors, &path.child("seccompProfile"), context);
    if context.opt_bool("allowPrivilegeEscalation") == Some(false) {
        if context.flag("privileged") {
            invalid(errors, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        for _ in context.at("capabilities").texts("add").iter().filter(|name| **name == "CAP_SYS_ADMIN") {
            invalid(errors, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    windows_options(errors, &path.child("windowsOptions"), context);
    app_armor(errors, &path.child("appArmorProfile"), context);
}

fn windows_options(errors: &mut ErrorList, path: &Path, context: &Value) {
    let Some(options) = context.some("windowsOptions") else { return };
    if let Some(name) = options.opt_text("gmsaCredentialSpecName") {
        check::dns_subdomain(errors, &path.child("gmsaCredentialSpecName"), name);
    }
    if let Some(spec) = options.opt_text("gmsaCredentialSpec") {
        let path = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.push(Error::invalid(&path, spec, "gmsaCredentialSpec cannot be an empty string"));
        } else if spec.len() > 64 * 1024 {
            errors.push(Error::invalid(&path, spec, "gmsaCredentialSpec size must be under 64 KiB"));
        }
    }
    if let Some(user) = options.opt_text("runAsUserName") {
        windows_user(errors, &path.child("runAsUserName"), user);
    }
}

fn windows_user(errors: &mut ErrorList, path: &Path, whole: &str) {
    let mut wrong = |message: &str| errors.push(Error::invalid(path, whole, message));
    let parts: Vec<&str> = whole.split('\\').collect();
    if whole.is_empty() {
        return wrong("runAsUserName cannot be an empty string");
    }
    if whole.chars().any(|c| c.is_ascii_control()) {
        return wrong("runAsUserName cannot contain control characters");
    }
    let (domain, user) = match parts.as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return wrong("runAsUserName cannot contain more than one backslash"),
    };
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            wrong("runAsUserName's Domain length must be under 256 characters");
        }
        if !is_netbios(domain) && !is_dns_name(domain) {
            wrong("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        wrong("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        wrong("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        wrong("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        wrong("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
    }
}

fn is_netbios(domain: &str) -> bool {
    let length = domain.chars().count();
    (1..=15).contains(&length)
        && !domain.starts_with('.')
        && !domain.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|'])
}

fn is_dns_name(domain: &str) -> bool {
    domain.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Containers with their paths, in the order in which the server visits them.
pub fn visit<'a>(spec: &'a Value, path: &Path) -> Vec<(&'a Value, Path)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .flat_map(|list| {
            let path = path.child(list);
            spec.list(list).iter().enumerate().map(move |(i, container)| (container, path.index(i)))
        })
        .collect()
}

/// Windows host processes: all containers or none, and on the host's network.
pub fn host_processes(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let host_process = |context: &Value| context.at("windowsOptions").opt_bool("hostProcess");
    let of_pod = host_process(spec.at("securityContext"));
    let containers = visit(spec, path);
    let mut count = 0;
    for (container, path) in &containers {
        let own = host_process(container.at("securityContext"));
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let message = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            let path = path.child("securityContext").child("windowsOptions").child("hostProcess");
            errors.push(Error::invalid(&path, own, message));
        }
        count += usize::from(own.or(of_pod) == Some(true));
    }
    if count == 0 {
        return;
    }
    if count != containers.len() {
        let message = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(Error::invalid(path, "", message));
    }
    if !spec.flag("hostNetwork") {
        let message = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(Error::invalid(&path.child("hostNetwork"), false, message));
    }
}

/// A pod in its own user namespace shares no other namespace of the host.
pub fn host_users(errors: &mut ErrorList, path: &Path, spec: &Value) {
    if spec.opt_bool("hostUsers") != Some(false) {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "hostPID"), ("hostIPC", "hostIPC")] {
        if spec.flag(field) {
            errors.push(Error::forbidden(&path.child(shown), "when `hostUsers` is false"));
        }
    }
}

/// The operating system and what it rules out.
pub fn operating_system(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let Some(os) = spec.some("os") else { return };
    match os.text("name") {
        "" => errors.push(Error::required(&path.child("os").child("name"), "cannot be empty")),
        "linux" => linux(errors, path, spec),
        "windows" => windows(errors, path, spec),
        other => check::one_of(errors, &path.child("os"), other, &["linux", "windows"]),
    }
}

fn linux(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let message = "windows options cannot be set for a linux pod";
    let mut check = |context: &Value, path: &Path| {
        if context.has("windowsOptions") {
            errors.push(Error::forbidden(&path.child("securityContext").child("windowsOptions"), message));
        }
    };
    check(spec.at("securityContext"), path);
    for (container, path) in visit(spec, path) {
        check(container.at("securityContext"), &path);
    }
}

fn windows(errors: &mut ErrorList, path: &Path, spec: &Value) {
    let context = spec.at("securityContext");
    let context_path = path.child("securityContext");
    // Fields of the spec stand among those of the context, in the order in which the internal type has them.
    let fields = [
        (true, "appArmorProfile"),
        (true, "seLinuxOptions"),
        (false, "hostUsers"),
        (false, "hostPID"),
        (false, "hostIPC"),
        (true, "seccompProfile"),
        (true, "fsGroup"),
        (true, "fsGroupChangePolicy"),
        (true, "sysctls"),
        (false, "shareProcessNamespace"),
        (true, "runAsUser"),
        (true, "runAsGroup"),
        (true, "supplementalGroups"),
        (true, "supplementalGroupsPolicy"),
        (true, "seLinuxChangePolicy"),
    ];
    for (in_context, field) in fields {
        let (value, path) = if in_context { (context, &context_path) } else { (spec, path) };
        let set = match field {
            "hostPID" | "hostIPC" => value.flag(field),
            _ => value.has(field),
        };
        if set {
            errors.push(Error::forbidden(&path.child(field), WINDOWS));
        }
    }
    let of_container = [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ];
    for (container, path) in visit(spec, path) {
        for field in of_container.iter().filter(|field| container.at("securityContext").has(field)) {
            errors.push(Error::forbidden(&path.child("securityContext").child(field), WINDOWS));
        }
    }
}

/// The signal that stops a container; only for pods that say which operating system they need.
pub fn stop_signal(errors: &mut ErrorList, path: &Path, signal: &str, spec: &Value) {
    let os = spec.at("os").text("name");
    if os.is_empty() {
        errors.push(Error::forbidden(path, "may not be set for containers with empty `spec.os.name`"));
    } else if os == "windows" && !matches!(signal, "SIGTERM" | "SIGKILL") {
        check::one_of(errors, path, signal, &["SIGKILL", "SIGTERM"]);
    }
}

/// Annotations that came before the fields for AppArmor and seccomp must say the same as the fields.
pub fn annotations_match(errors: &mut ErrorList, path: &Path, metadata: &Value, spec: &Value) {
    let annotations = metadata.at("annotations");
    let whole = spec.at("securityContext");
    let seccomp = |errors: &mut ErrorList, path: &Path, key: &str, profile: &Value| {
        if let (Some(said), true) = (annotations.opt_text(key), profile.is_object()) {
            profile_matches(errors, &path.child("securityContext").child("seccompProfile"), said, profile, "seccomp");
        }
    };
    seccomp(errors, path, "seccomp.security.alpha.kubernetes.io/pod", whole.at("seccompProfile"));
    for (container, path) in visit(spec, path) {
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{}", container.text("name"));
        seccomp(errors, &path, &key, container.at("securityContext").at("seccompProfile"));
    }
    if spec.at("os").text("name") == "windows" {
        return;
    }
    for (container, path) in visit(spec, path) {
        let key = format!("container.apparmor.security.beta.kubernetes.io/{}", container.text("name"));
        let profile = container.at("securityContext").some("appArmorProfile").unwrap_or(whole.at("appArmorProfile"));
        if let (Some(said), true) = (annotations.opt_text(&key), profile.is_object()) {
            let path = path.child("securityContext").child("appArmorProfile");
            profile_matches(errors, &path, said, profile, "apparmor");
        }
    }
}

fn profile_matches(errors: &mut ErrorList, path: &Path, said: &str, profile: &Value, what: &str) {
    let same = match profile.text("type") {
        "Unconfined" => said == "unconfined",
        "RuntimeDefault" => said == "runtime/default" || (what == "seccomp" && said == "docker/default"),
        "Localhost" => match said.strip_prefix("localhost/") {
            None => false,
            Some(file) if profile.opt_text("localhostProfile") == Some(file) => true,
            Some(_) => {
                let message = format!("{what} profile in annotation and field must match");
                errors.push(Error::forbidden(&path.child("localhostProfile"), message));
                return;
            }
        },
        _ => true,
    };
    if !same {
        errors.push(Error::forbidden(&path.child("type"), format!("{what} type in annotation and field must match")));
    }
}
