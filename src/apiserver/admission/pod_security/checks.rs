//! The checks of the pod security standards, by level and by the minor version since which they hold.

use std::collections::BTreeSet;

use crate::object::{Value, meta};

use super::Level;

/// What a check found: the short reason and the details.
pub type Finding = Option<(String, String)>;

type Check = fn(&Value) -> Finding;

/// A check in its forms over time.
struct Row {
    /// The restricted check that takes the place of this one, with the version since which it does.
    replaced_since: Option<u32>,
    level: Level,
    /// Since which minor version of Kubernetes 1 each form holds, ascending.
    forms: &'static [(u32, Check)],
}

/// All checks: those of the baseline first, each level in the order of their ids.
const ROWS: &[Row] = &[
    baseline(None, &[(0, app_armor)]),
    baseline(Some(22), &[(0, capabilities)]),
    baseline(None, &[(0, host_namespaces)]),
    baseline(Some(0), &[(0, host_path)]),
    baseline(None, &[(0, host_ports)]),
    baseline(None, &[(34, host_probes)]),
    baseline(None, &[(0, privileged)]),
    baseline(Some(35), &[(0, proc_mount), (35, proc_mount_unless_user_namespace)]),
    baseline(None, &[(0, se_linux), (31, se_linux_with_engine)]),
    baseline(Some(19), &[(0, seccomp_annotations), (19, seccomp)]),
    baseline(None, &[(0, sysctls), (27, sysctls_27), (29, sysctls_29), (32, sysctls_32)]),
    baseline(None, &[(0, host_process)]),
    restricted(&[(8, escalation), (25, escalation_unless_windows)]),
    restricted(&[(22, drop_all), (25, drop_all_unless_windows)]),
    restricted(&[(35, proc_mount)]),
    restricted(&[(0, volume_types)]),
    restricted(&[(0, non_root), (35, non_root_unless_user_namespace)]),
    restricted(&[(23, run_as_user), (35, run_as_user_unless_user_namespace)]),
    restricted(&[(19, seccomp_set), (25, seccomp_set_unless_windows)]),
];

const fn baseline(replaced_since: Option<u32>, forms: &'static [(u32, Check)]) -> Row {
    Row { replaced_since, level: Level::Baseline, forms }
}

const fn restricted(forms: &'static [(u32, Check)]) -> Row {
    Row { replaced_since: None, level: Level::Restricted, forms }
}

/// Holds a pod (or a pod template) against a level as it was at a minor version.
pub fn evaluate(level: Level, minor: u32, pod: &Value) -> Vec<(String, String)> {
    let applies = |row: &&Row| match level {
        Level::Privileged => false,
        Level::Baseline => row.level == Level::Baseline,
        Level::Restricted => row.replaced_since.is_none_or(|since| minor < since),
    };
    let form = |row: &Row| row.forms.iter().rev().find(|(since, _)| *since <= minor).map(|(_, check)| *check);
    ROWS.iter().filter(applies).filter_map(form).filter_map(|check| check(pod)).collect()
}

fn spec(pod: &Value) -> &Value {
    pod.get("spec").unwrap_or(&Value::Null)
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|field| meta::list_at(spec(pod), &[field]))
}

fn name(item: &Value) -> &str {
    meta::str_at(item, &["name"])
}

fn context<'a>(item: &'a Value, path: &[&str]) -> Option<&'a Value> {
    meta::get(item.get("securityContext")?, path).filter(|value| !value.is_null())
}

fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    items.join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

fn named(bad: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", bad.len()), quoted(bad))
}

/// The pod and containers whose security context `is_bad` objects to, as `pod and container "a"`.
fn setters(pod: &Value, is_bad: impl Fn(&Value) -> bool) -> Option<String> {
    let mut setters = Vec::new();
    if is_bad(spec(pod)) {
        setters.push("pod".to_owned());
    }
    let bad: Vec<&str> = containers(pod).filter(|container| is_bad(container)).map(name).collect();
    if !bad.is_empty() {
        setters.push(named(&bad));
    }
    (!setters.is_empty()).then(|| setters.join(" and "))
}

/// The values at `path` of the security contexts of pod and containers.
fn values<'a>(pod: &'a Value, path: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    std::iter::once(spec(pod))
        .chain(containers(pod))
        .filter_map(move |item| context(item, path))
        .filter_map(Value::as_str)
}

fn found(reason: &str, detail: String) -> Finding {
    Some((reason.to_owned(), detail))
}

fn is_windows(pod: &Value) -> bool {
    meta::str_at(pod, &["spec", "os", "name"]) == "windows"
}

/// Pods with a user namespace of their own are root only inside.
fn has_user_namespace(pod: &Value) -> bool {
    meta::get(pod, &["spec", "hostUsers"]).and_then(Value::as_bool) == Some(false)
}

fn app_armor(pod: &Value) -> Finding {
    const PATH: &[&str] = &["appArmorProfile", "type"];
    let is_bad = |kind: &str| !matches!(kind, "RuntimeDefault" | "Localhost");
    let bad_profile = |item: &Value| {
        context(item, &["appArmorProfile"]).is_some()
            && is_bad(context(item, PATH).and_then(Value::as_str).unwrap_or_default())
    };
    let mut bad: Vec<String> =
        values(pod, PATH).filter(|kind| is_bad(kind)).map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect();
    let mut annotations: Vec<String> = meta::annotations(pod)
        .filter(|(key, value)| {
            key.starts_with("container.apparmor.security.beta.kubernetes.io/")
                && !(value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/"))
        })
        .map(|(key, value)| format!("{key}={}", crate::object::go::quote(value)))
        .collect();
    annotations.sort();
    let mut who: Vec<String> = setters(pod, bad_profile).into_iter().collect();
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
        bad.extend(annotations);
    }
    if who.is_empty() {
        return None;
    }
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", bad.len());
    found(reason, format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(bad)))
}

fn added<'a>(container: &'a Value, allowed: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let list = context(container, &["capabilities", "add"]).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).filter(move |capability| !allowed.contains(capability))
}

/// Containers that add capabilities beyond `allowed`, and those capabilities.
fn adding<'a>(pod: &'a Value, allowed: &'a [&'a str]) -> Option<String> {
    let bad: Vec<&str> = containers(pod).filter(|c| added(c, allowed).next().is_some()).map(name).collect();
    let capabilities: BTreeSet<&str> = containers(pod).flat_map(|container| added(container, allowed)).collect();
    let detail =
        || format!("{} must not include {} in securityContext.capabilities.add", named(&bad), quoted(&capabilities));
    (!bad.is_empty()).then(detail)
}

fn capabilities(pod: &Value) -> Finding {
    const ALLOWED: &[&str] = &[
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    found("non-default capabilities", adding(pod, ALLOWED)?)
}

fn host_namespaces(pod: &Value) -> Finding {
    let fields = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| meta::bool_at(spec(pod), &[field]));
    let set: Vec<String> = fields.map(|field| format!("{field}=true")).collect();
    if set.is_empty() { None } else { found("host namespaces", set.join(", ")) }
}

fn host_path(pod: &Value) -> Finding {
    let volumes = meta::list_at(spec(pod), &["volumes"]).iter();
    let bad: Vec<&str> = volumes.filter(|v| v.get("hostPath").is_some_and(|v| !v.is_null())).map(name).collect();
    if bad.is_empty() {
        return None;
    }
    found("hostPath volumes", format!("{} {}", plural("volume", "volumes", bad.len()), quoted(&bad)))
}

fn host_ports(pod: &Value) -> Finding {
    let ports = |container: &Value| -> Vec<String> {
        let ports = meta::list_at(container, &["ports"]).iter().filter_map(|port| meta::int_at(port, &["hostPort"]));
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect()
    };
    let bad: Vec<&str> = containers(pod).filter(|container| !ports(container).is_empty()).map(name).collect();
    let used: BTreeSet<String> = containers(pod).flat_map(ports).collect();
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "{} {} {} {}",
        named(&bad),
        plural("uses", "use", bad.len()),
        plural("hostPort", "hostPorts", used.len()),
        used.into_iter().collect::<Vec<_>>().join(", ")
    );
    found("hostPort", detail)
}

fn host_probes(pod: &Value) -> Finding {
    const HANDLERS: &[&[&str]] = &[
        &["livenessProbe"],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    let hosts = |container: &Value| -> BTreeSet<String> {
        let handlers = HANDLERS.iter().filter_map(|path| meta::get(container, path));
        handlers
            .flat_map(|handler| ["httpGet", "tcpSocket"].map(|kind| meta::str_at(handler, &[kind, "host"])))
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let bad: BTreeSet<&str> = containers(pod).filter(|container| !hosts(container).is_empty()).map(name).collect();
    let used: BTreeSet<String> = containers(pod).flat_map(hosts).collect();
    if bad.is_empty() {
        return None;
    }
    let bad: Vec<&str> = bad.into_iter().collect();
    let detail = format!(
        "{} {} {} {}",
        named(&bad),
        plural("uses", "use", bad.len()),
        plural("probe or lifecycle host", "probe or lifecycle hosts", used.len()),
        quoted(used)
    );
    found("probe or lifecycle host", detail)
}

fn is_true(item: &Value, path: &[&str]) -> bool {
    context(item, path).and_then(Value::as_bool) == Some(true)
}

fn privileged(pod: &Value) -> Finding {
    let bad: Vec<&str> = containers(pod).filter(|container| is_true(container, &["privileged"])).map(name).collect();
    if bad.is_empty() {
        return None;
    }
    found("privileged", format!("{} must not set securityContext.privileged=true", named(&bad)))
}

fn proc_mount(pod: &Value) -> Finding {
    let of = |container: &Value| {
        let mount = context(container, &["procMount"]).and_then(Value::as_str);
        mount.filter(|mount| *mount != "Default").map(str::to_owned)
    };
    let bad: Vec<&str> = containers(pod).filter(|container| of(container).is_some()).map(name).collect();
    let mounts: BTreeSet<String> = containers(pod).filter_map(of).collect();
    if bad.is_empty() {
        return None;
    }
    found("procMount", format!("{} must not set securityContext.procMount to {}", named(&bad), quoted(mounts)))
}

fn proc_mount_unless_user_namespace(pod: &Value) -> Finding {
    if has_user_namespace(pod) { None } else { proc_mount(pod) }
}

fn se_linux(pod: &Value) -> Finding {
    se_linux_types(pod, &["", "container_t", "container_init_t", "container_kvm_t"])
}

fn se_linux_with_engine(pod: &Value) -> Finding {
    se_linux_types(pod, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
}

fn se_linux_types(pod: &Value, allowed: &[&str]) -> Finding {
    let part = |item: &Value, name: &str| {
        context(item, &["seLinuxOptions", name]).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let bad_type = |item: &Value| !allowed.contains(&part(item, "type").as_str());
    let sets = |item: &Value, name| !part(item, name).is_empty();
    let who = setters(pod, |item| bad_type(item) || sets(item, "user") || sets(item, "role"))?;
    let all = || std::iter::once(spec(pod)).chain(containers(pod));
    let types: BTreeSet<String> = all().filter(|item| bad_type(item)).map(|item| part(item, "type")).collect();
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
    }
    for name in ["user", "role"] {
        if all().any(|item| sets(item, name)) {
            what.push(format!("{name} may not be set"));
        }
    }
    found("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", what.join("; ")))
}

fn seccomp_annotations(pod: &Value) -> Finding {
    let mut keys = vec!["seccomp.security.alpha.kubernetes.io/pod".to_owned()];
    keys.extend(containers(pod).map(|c| format!("container.seccomp.security.alpha.kubernetes.io/{}", name(c))));
    let fine = |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let bad: BTreeSet<String> = keys
        .into_iter()
        .filter_map(|key| {
            let value = meta::annotation(pod, &key).filter(|value| !fine(value))?;
            Some(format!("{key}={}", crate::object::go::quote(value)))
        })
        .collect();
    if bad.is_empty() {
        return None;
    }
    let count = bad.len();
    let list = bad.into_iter().collect::<Vec<_>>().join(", ");
    found("seccompProfile", format!("forbidden {} {list}", plural("annotation", "annotations", count)))
}

const SECCOMP: &[&str] = &["seccompProfile", "type"];

fn good_seccomp(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

fn has_seccomp(item: &Value) -> bool {
    context(item, &["seccompProfile"]).is_some()
}

fn has_bad_seccomp(item: &Value) -> bool {
    has_seccomp(item) && !good_seccomp(context(item, SECCOMP).and_then(Value::as_str).unwrap_or_default())
}

fn seccomp(pod: &Value) -> Finding {
    let who = setters(pod, has_bad_seccomp)?;
    let bad: BTreeSet<&str> = values(pod, SECCOMP).filter(|kind| !good_seccomp(kind)).collect();
    found("seccompProfile", format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(bad)))
}

fn seccomp_set(pod: &Value) -> Finding {
    if let Some(finding) = seccomp(pod) {
        return Some(finding);
    }
    if has_seccomp(spec(pod)) {
        return None;
    }
    let bad: Vec<&str> = containers(pod).filter(|container| !has_seccomp(container)).map(name).collect();
    if bad.is_empty() {
        return None;
    }
    let what = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    found("seccompProfile", format!("pod or {} {what}", named(&bad)))
}

fn seccomp_set_unless_windows(pod: &Value) -> Finding {
    if is_windows(pod) { None } else { seccomp_set(pod) }
}

/// The sysctls that are safe, in the order in which they came to be.
const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

fn sysctls_of(pod: &Value, allowed: usize) -> Finding {
    let list = context(spec(pod), &["sysctls"]).and_then(Value::as_array).into_iter().flatten();
    let bad: Vec<&str> =
        list.map(name).filter(|name| !SYSCTLS.iter().take(allowed).any(|known| known == name)).collect();
    if bad.is_empty() { None } else { found("forbidden sysctls", bad.join(", ")) }
}

fn sysctls(pod: &Value) -> Finding {
    sysctls_of(pod, 5)
}

fn sysctls_27(pod: &Value) -> Finding {
    sysctls_of(pod, 6)
}

fn sysctls_29(pod: &Value) -> Finding {
    sysctls_of(pod, 10)
}

fn sysctls_32(pod: &Value) -> Finding {
    sysctls_of(pod, 12)
}

fn host_process(pod: &Value) -> Finding {
    let who = setters(pod, |item| is_true(item, &["windowsOptions", "hostProcess"]))?;
    found("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
}

fn escalation(pod: &Value) -> Finding {
    let open =
        |container: &&Value| context(container, &["allowPrivilegeEscalation"]).and_then(Value::as_bool) != Some(false);
    let bad: Vec<&str> = containers(pod).filter(open).map(name).collect();
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false", named(&bad));
    found("allowPrivilegeEscalation != false", detail)
}

fn escalation_unless_windows(pod: &Value) -> Finding {
    if is_windows(pod) { None } else { escalation(pod) }
}

fn drop_all(pod: &Value) -> Finding {
    let drops = |container: &Value| {
        let dropped = context(container, &["capabilities", "drop"]).and_then(Value::as_array);
        dropped.is_some_and(|dropped| dropped.iter().any(|capability| capability.as_str() == Some("ALL")))
    };
    let keeping: Vec<&str> = containers(pod).filter(|container| !drops(container)).map(name).collect();
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeping)));
    }
    details.extend(adding(pod, &["NET_BIND_SERVICE"]));
    if details.is_empty() { None } else { found("unrestricted capabilities", details.join("; ")) }
}

fn drop_all_unless_windows(pod: &Value) -> Finding {
    if is_windows(pod) { None } else { drop_all(pod) }
}

fn volume_types(pod: &Value) -> Finding {
    const ALLOWED: &[&str] = &[
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let source = |volume: &Value| -> Option<String> {
        let fields = volume.as_object().into_iter().flatten();
        let set: Vec<&String> =
            fields.filter(|(name, v)| *name != "name" && !v.is_null()).map(|(name, _)| name).collect();
        if set.iter().any(|kind| ALLOWED.contains(&kind.as_str())) {
            return None;
        }
        Some(set.first().map_or_else(|| "unknown".to_owned(), |kind| (*kind).clone()))
    };
    let volumes = meta::list_at(spec(pod), &["volumes"]);
    let bad: Vec<&str> = volumes.iter().filter(|volume| source(volume).is_some()).map(name).collect();
    let kinds: BTreeSet<String> = volumes.iter().filter_map(source).collect();
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", bad.len()),
        quoted(&bad),
        plural("uses", "use", bad.len()),
        plural("restricted volume type", "restricted volume types", kinds.len()),
        quoted(kinds)
    );
    found("restricted volume types", detail)
}

fn non_root(pod: &Value) -> Finding {
    const REASON: &str = "runAsNonRoot != true";
    let of = |item: &Value| context(item, &["runAsNonRoot"]).and_then(Value::as_bool);
    if let Some(who) = setters(pod, |item| of(item) == Some(false)) {
        return found(REASON, format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if of(spec(pod)) == Some(true) {
        return None;
    }
    let bad: Vec<&str> = containers(pod).filter(|container| of(container).is_none()).map(name).collect();
    if bad.is_empty() {
        return None;
    }
    found(REASON, format!("pod or {} must set securityContext.runAsNonRoot=true", named(&bad)))
}

fn non_root_unless_user_namespace(pod: &Value) -> Finding {
    if has_user_namespace(pod) { None } else { non_root(pod) }
}

fn run_as_user(pod: &Value) -> Finding {
    let who = setters(pod, |item| context(item, &["runAsUser"]).and_then(Value::as_i64) == Some(0))?;
    found("runAsUser=0", format!("{who} must not set runAsUser=0"))
}

fn run_as_user_unless_user_namespace(pod: &Value) -> Finding {
    if has_user_namespace(pod) { None } else { run_as_user(pod) }
}
