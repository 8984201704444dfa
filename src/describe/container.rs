//! Containers of pods and pod templates: state, resources, probes, environment, mounts.

use super::resources::{HUGE_PAGES, field_value};
use super::text::{self, or, present};
use super::{Settings, Writer};
use crate::kinds::columns::text::quantity;
use crate::object::{GroupVersion, Value, go, intstr, meta};

/// The containers under one heading.
#[derive(Clone, Copy)]
pub(super) struct Containers<'a> {
    /// Heading, such as `Init Containers`.
    pub label: &'a str,
    /// The containers.
    pub list: &'a [Value],
    /// Their statuses; empty in a template.
    pub statuses: &'a [Value],
    /// The pod from which field references are resolved; none in a template.
    pub pod: Option<&'a Value>,
    /// Indentation of a template.
    pub space: &'a str,
}

/// Writes containers.
pub(super) fn describe(w: &mut Writer, containers: Containers<'_>, settings: &Settings) {
    let Containers { label, list, statuses, pod, space } = containers;
    w.line(0, format_args!("{space}{label}:{}", if list.is_empty() { " <none>" } else { "" }));
    for container in list {
        let name = meta::str_at(container, &["name"]);
        let status = statuses.iter().rfind(|status| meta::str_at(status, &["name"]) == name);
        basics(w, container, status, space);
        command(w, "Command", meta::list_at(container, &["command"]));
        command(w, "Args", meta::list_at(container, &["args"]));
        if let Some(status) = status {
            state(w, status, settings);
        }
        if let Some(resources) = present(container, &["resources"]) {
            amounts(w, resources, 2);
        }
        for (title, field) in
            [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
        {
            if let Some(found) = present(container, &[field]) {
                w.field(2, title, probe(found));
            }
        }
        environment_sources(w, container);
        environment(w, container, pod);
        mounts(w, container);
    }
}

fn basics(w: &mut Writer, container: &Value, status: Option<&Value>, space: &str) {
    let indent = if space.is_empty() { "" } else { " " };
    w.line(1, format_args!("{indent}{}:", meta::str_at(container, &["name"])));
    if let Some(status) = status {
        w.field(2, "Container ID", meta::str_at(status, &["containerID"]));
    }
    w.field(2, "Image", meta::str_at(container, &["image"]));
    if let Some(status) = status {
        w.field(2, "Image ID", meta::str_at(status, &["imageID"]));
    }
    let list = meta::list_at(container, &["ports"]);
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let shown = ports(list, field);
        let plural = if shown.contains(',') { "s" } else { "" };
        w.line(2, format_args!("{title}{plural}:\t{}", or(&shown, "<none>")));
    }
    if let Some(profile) = present(container, &["securityContext", "seccompProfile"]) {
        seccomp(w, profile, 2, 3);
    }
}

/// The seccomp profile of a pod or container.
pub(super) fn seccomp(w: &mut Writer, profile: &Value, level: usize, inner: usize) {
    let type_ = meta::str_at(profile, &["type"]);
    w.field(level, "SeccompProfile", type_);
    if type_ == "Localhost" {
        w.field(inner, "LocalhostProfile", meta::str_at(profile, &["localhostProfile"]));
    }
}

fn ports(list: &[Value], field: &str) -> String {
    let port = |port: &Value| {
        let number = meta::int_at(port, &[field]).unwrap_or_default();
        let text = format!("{number}/{}", meta::str_at(port, &["protocol"]));
        match meta::str_at(port, &["name"]) {
            "" => text,
            name => format!("{text} ({name})"),
        }
    };
    list.iter().map(port).collect::<Vec<_>>().join(", ")
}

fn command(w: &mut Writer, title: &str, words: &[Value]) {
    if words.is_empty() {
        return;
    }
    w.line(2, format_args!("{title}:"));
    for line in words.iter().filter_map(Value::as_str).flat_map(|word| word.split('\n')) {
        w.line(3, line);
    }
}

/// Limits and requests, each under its heading.
pub(super) fn amounts(w: &mut Writer, resources: &Value, level: usize) {
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let Some(map) = meta::map_at(resources, &[field]).filter(|map| !map.is_empty()) else { continue };
        w.line(level, format_args!("{title}:"));
        for (name, amount) in map {
            w.field(level + 1, name, quantity(Some(amount)));
        }
    }
}

fn state(w: &mut Writer, status: &Value, settings: &Settings) {
    one_state(w, "State", present(status, &["state"]), settings);
    if present(status, &["lastState", "terminated"]).is_some() {
        one_state(w, "Last State", present(status, &["lastState"]), settings);
    }
    w.field(2, "Ready", text::flag(meta::bool_at(status, &["ready"])));
    w.field(2, "Restart Count", meta::int_at(status, &["restartCount"]).unwrap_or_default());
}

fn one_state(w: &mut Writer, title: &str, state: Option<&Value>, settings: &Settings) {
    let of = |kind: &str| state.and_then(|state| present(state, &[kind]));
    let optional = |w: &mut Writer, title: &str, text: &str| {
        if !text.is_empty() {
            w.field(3, title, text);
        }
    };
    if let Some(running) = of("running") {
        w.field(2, title, "Running");
        w.field(3, "Started", text::time(running, &["startedAt"], settings));
    } else if let Some(waiting) = of("waiting") {
        w.field(2, title, "Waiting");
        optional(w, "Reason", meta::str_at(waiting, &["reason"]));
    } else if let Some(terminated) = of("terminated") {
        w.field(2, title, "Terminated");
        optional(w, "Reason", meta::str_at(terminated, &["reason"]));
        optional(w, "Message", meta::str_at(terminated, &["message"]));
        w.field(3, "Exit Code", meta::int_at(terminated, &["exitCode"]).unwrap_or_default());
        if let Some(signal) = meta::int_at(terminated, &["signal"]).filter(|signal| *signal > 0) {
            w.field(3, "Signal", signal);
        }
        w.field(3, "Started", text::time(terminated, &["startedAt"], settings));
        w.field(3, "Finished", text::time(terminated, &["finishedAt"], settings));
    } else {
        w.field(2, title, "Waiting");
    }
}

/// A probe on one line.
pub(super) fn probe(probe: &Value) -> String {
    let number = |name: &str| meta::int_at(probe, &[name]).unwrap_or_default();
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    );
    let port = |source: &Value| present(source, &["port"]).map_or_else(|| "0".to_owned(), intstr::to_text);
    let action = if let Some(exec) = present(probe, &["exec"]) {
        format!("exec {}", go::list_text(meta::list_at(exec, &["command"])))
    } else if let Some(get) = present(probe, &["httpGet"]) {
        format!("http-get {}", url(get, &port(get)))
    } else if let Some(socket) = present(probe, &["tcpSocket"]) {
        format!("tcp-socket {}:{}", meta::str_at(socket, &["host"]), port(socket))
    } else if let Some(grpc) = present(probe, &["grpc"]) {
        format!("grpc <pod>:{} {}", port(grpc), meta::str_at(grpc, &["service"]))
    } else {
        "unknown".to_owned()
    };
    format!("{action} {attributes}")
}

/// The URL of an HTTP probe as Go's `url.URL` writes it.
fn url(get: &Value, port: &str) -> String {
    let host = meta::str_at(get, &["host"]);
    let host = if port.is_empty() {
        host.to_owned()
    } else if host.contains(':') || host.contains('%') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let path = meta::str_at(get, &["path"]);
    let scheme = meta::str_at(get, &["scheme"]).to_lowercase();
    let colon = if scheme.is_empty() { "" } else { ":" };
    let slash = if path.is_empty() || path.starts_with('/') || host.is_empty() { "" } else { "/" };
    format!("{scheme}{colon}//{host}{slash}{}", escaped_path(path))
}

/// Escapes what Go escapes in the path of a URL.
fn escaped_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // A path that Go would accept as already escaped keeps these characters.
    if path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*[]".contains(&b)) {
        return path.to_owned();
    }
    out
}

fn environment_sources(w: &mut Writer, container: &Value) {
    let sources = meta::list_at(container, &["envFrom"]);
    if sources.is_empty() {
        return;
    }
    w.line(2, "Environment Variables from:");
    for source in sources {
        let (from, reference) = [("ConfigMap", "configMapRef"), ("Secret", "secretRef")]
            .into_iter()
            .find_map(|(from, field)| Some((from, present(source, &[field])?)))
            .unwrap_or(("", &Value::Null));
        let prefix = match meta::str_at(source, &["prefix"]) {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = meta::bool_at(reference, &["optional"]);
        w.line(3, format_args!("{}\t{from}{prefix}\tOptional: {optional}", meta::str_at(reference, &["name"])));
    }
}

fn environment(w: &mut Writer, container: &Value, pod: Option<&Value>) {
    let variables = meta::list_at(container, &["env"]);
    w.line(2, format_args!("Environment:{}", if variables.is_empty() { "\t<none>" } else { "" }));
    for variable in variables {
        let name = meta::str_at(variable, &["name"]);
        match present(variable, &["valueFrom"]) {
            None => {
                for (number, line) in meta::str_at(variable, &["value"]).split('\n').enumerate() {
                    let title = if number == 0 { format!("{name}:") } else { String::new() };
                    w.line(3, format_args!("{title}\t{line}"));
                }
            }
            Some(source) => variable_from(w, name, source, container, pod),
        }
    }
}

fn variable_from(w: &mut Writer, name: &str, source: &Value, container: &Value, pod: Option<&Value>) {
    let key = |reference: &Value, of: &str| {
        let part = |field: &str| meta::str_at(reference, &[field]);
        let optional = meta::bool_at(reference, &["optional"]);
        format!("<set to the key '{}' {of} '{}'>\tOptional: {optional}", part("key"), part("name"))
    };
    if let Some(reference) = present(source, &["fieldRef"]) {
        let (version, path) = (meta::api_version(reference), meta::str_at(reference, &["fieldPath"]));
        let value = pod.map(|pod| pod_field(pod, version, path)).unwrap_or_default();
        w.field(3, name, format_args!("{value} ({version}:{path})"));
    } else if let Some(reference) = present(source, &["resourceFieldRef"]) {
        let resource = meta::str_at(reference, &["resource"]);
        let value = match field_value(container, resource, meta::str_at(reference, &["divisor"])) {
            Some(0) if matches!(resource, "limits.cpu" | "limits.memory") => "node allocatable".to_owned(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        w.field(3, name, format_args!("{value} ({resource})"));
    } else if let Some(reference) = present(source, &["secretKeyRef"]) {
        w.field(3, name, key(reference, "in secret"));
    } else if let Some(reference) = present(source, &["configMapKeyRef"]) {
        w.field(3, name, key(reference, "of config map"));
    }
}

/// The fields of a pod that can be named without asking the server: its name and its namespace.
fn pod_field<'a>(pod: &'a Value, version: &str, path: &str) -> &'a str {
    match path {
        _ if GroupVersion::parse(version).is_none() => "",
        "metadata.name" => meta::name(pod),
        "metadata.namespace" => meta::namespace(pod),
        _ => "",
    }
}

fn mounts(w: &mut Writer, container: &Value) {
    let mut mounts: Vec<&Value> = meta::list_at(container, &["volumeMounts"]).iter().collect();
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    w.line(2, format_args!("Mounts:{none}"));
    mounts.sort_by_key(|mount| meta::str_at(mount, &["mountPath"]));
    for mount in mounts {
        let part = |field: &str| meta::str_at(mount, &[field]);
        let mut flags = if meta::bool_at(mount, &["readOnly"]) { "ro" } else { "rw" }.to_owned();
        if !part("subPath").is_empty() {
            flags = format!("{flags},path={}", go::quote(part("subPath")));
        }
        w.line(3, format_args!("{} from {} ({flags})", part("mountPath"), part("name")));
    }
    let mut devices: Vec<&Value> = meta::list_at(container, &["volumeDevices"]).iter().collect();
    if devices.is_empty() {
        return;
    }
    w.line(2, format_args!("Devices:{none}"));
    devices.sort_by_key(|device| meta::str_at(device, &["devicePath"]));
    for device in devices {
        let part = |field: &str| meta::str_at(device, &[field]);
        w.line(3, format_args!("{} from {}", part("devicePath"), part("name")));
    }
}

/// Whether a resource name is one of huge pages.
pub(super) fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn probes_stand_on_one_line() {
        let get = json!({"httpGet": {"scheme": "HTTPS", "port": "web", "path": "healthz?a=b c"}, "timeoutSeconds": 1});
        assert_eq!(
            probe(&get),
            "http-get https://:web/healthz%3Fa=b%20c delay=0s timeout=1s period=0s #success=0 #failure=0"
        );
        let grpc = json!({"grpc": {"port": 9, "service": "s"}});
        assert!(probe(&grpc).starts_with("grpc <pod>:9 s delay=0s"));
    }
}
