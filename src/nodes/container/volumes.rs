//! The files of a container: what every image has, and its volumes.

use super::files::{Entry, Files, Mount, Scratch};
use super::{Surroundings, env, fields};
use crate::object::{Value, meta};

/// Folders that are in every image.
const FOLDERS: [&str; 12] =
    ["/bin", "/dev", "/etc", "/home", "/opt", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var"];
/// Who may read a file of a volume that says nothing else.
const MODE: i64 = 0o644;

/// A file of a volume: its path in the volume, its bytes, its mode.
type VolumeFile = (String, Vec<u8>, i64);

/// All files of a container.
pub fn files(pod: &Value, container: &Value, around: &Surroundings, hostname: &str, scratch: Scratch) -> Files {
    let read_only = meta::bool_at(container, &["securityContext", "readOnlyRootFilesystem"]);
    let mut files = Files::new(meta::str_at(container, &["name"]), read_only, scratch);
    for folder in FOLDERS {
        files.add(folder, Entry::Folder);
    }
    for name in crate::nodes::shell::command_names() {
        files.add(&format!("/bin/{name}"), Entry::file(b"a command of a simulated container\n".to_vec(), 0o755));
    }
    for (path, text) in system_files(pod, around, hostname) {
        files.add(path, Entry::file(text.into_bytes(), MODE));
    }
    let message = match meta::str_at(container, &["terminationMessagePath"]) {
        "" => "/dev/termination-log",
        path => path,
    };
    files.add(message, Entry::file(Vec::new(), 0o666));
    let volumes = meta::list_at(pod, &["spec", "volumes"]);
    for mount in meta::list_at(container, &["volumeMounts"]) {
        let name = meta::str_at(mount, &["name"]);
        if let Some(volume) = volumes.iter().find(|volume| meta::str_at(volume, &["name"]) == name) {
            add_mount(&mut files, pod, container, mount, volume, around);
        }
    }
    files
}

/// Files that a kubelet and a container runtime write.
fn system_files(pod: &Value, around: &Surroundings, hostname: &str) -> Vec<(&'static str, String)> {
    let resolv = resolv_conf(pod, around);
    vec![
        ("/etc/hosts", hosts(pod, hostname)),
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/resolv.conf", resolv),
        ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n".into()),
        ("/etc/group", "root:x:0:\nnobody:x:65534:\n".into()),
    ]
}

fn hosts(pod: &Value, hostname: &str) -> String {
    let mut text =
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                    fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
            .to_owned();
    let address = meta::str_at(pod, &["status", "podIP"]);
    let subdomain = meta::str_at(pod, &["spec", "subdomain"]);
    if subdomain.is_empty() {
        text.push_str(&format!("{address}\t{hostname}\n"));
    } else {
        let namespace = meta::namespace(pod);
        text.push_str(&format!("{address}\t{hostname}.{subdomain}.{namespace}.svc.cluster.local\t{hostname}\n"));
    }
    let aliases = meta::list_at(pod, &["spec", "hostAliases"]);
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let names: Vec<&str> = meta::list_at(alias, &["hostnames"]).iter().filter_map(Value::as_str).collect();
        text.push_str(&format!("{}\t{}\n", meta::str_at(alias, &["ip"]), names.join("\t")));
    }
    text
}

fn resolv_conf(pod: &Value, around: &Surroundings) -> String {
    let own = |field: &str| -> Vec<String> {
        let list = meta::list_at(pod, &["spec", "dnsConfig", field]).iter();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let policy = meta::str_at(pod, &["spec", "dnsPolicy"]);
    let (mut servers, mut searches, mut options) = (own("nameservers"), own("searches"), Vec::new());
    if matches!(policy, "" | "ClusterFirst" | "ClusterFirstWithHostNet") {
        let namespace = meta::namespace(pod);
        servers.insert(0, cluster_dns(around));
        let cluster = [format!("{namespace}.svc.cluster.local"), "svc.cluster.local".into(), "cluster.local".into()];
        searches.splice(0..0, cluster);
        options.push("ndots:5".to_owned());
    }
    for option in meta::list_at(pod, &["spec", "dnsConfig", "options"]) {
        let name = meta::str_at(option, &["name"]);
        options.retain(|known| known.split(':').next() != Some(name));
        options.push(match meta::str_at(option, &["value"]) {
            "" => name.to_owned(),
            value => format!("{name}:{value}"),
        });
    }
    let mut text = String::new();
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    servers.iter().for_each(|server| text.push_str(&format!("nameserver {server}\n")));
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

/// The tenth address of the services' range, where a cluster's DNS is by custom.
fn cluster_dns(around: &Surroundings) -> String {
    let first = around.services.iter().find(|service| meta::name(service) == "kubernetes");
    let first = first.map(|service| meta::str_at(service, &["spec", "clusterIP"])).unwrap_or_default();
    let network = first.rsplit_once('.').map_or("10.96.0", |(network, _)| network);
    format!("{network}.10")
}

fn add_mount(files: &mut Files, pod: &Value, container: &Value, mount: &Value, volume: &Value, around: &Surroundings) {
    let path = meta::str_at(mount, &["mountPath"]).trim_end_matches('/');
    let name = meta::str_at(volume, &["name"]);
    let inside = match meta::str_at(mount, &["subPathExpr"]) {
        "" => meta::str_at(mount, &["subPath"]).to_owned(),
        expression => env::expand(expression, &env::of(pod, container, around, "")),
    };
    let content = content(pod, container, volume, around);
    let read_only = meta::bool_at(mount, &["readOnly"]) || content.is_some();
    files.mount(Mount { path: path.to_owned(), volume: name.to_owned(), inside: inside.clone(), read_only });
    let Some(content) = content else {
        files.add(path, Entry::Folder);
        return;
    };
    for (file, bytes, mode) in content {
        let entry = Entry::file(bytes, mode);
        if inside.is_empty() {
            files.add(&format!("{path}/{file}"), entry);
        } else if file == inside {
            files.add(path, entry);
        } else if let Some(rest) = file.strip_prefix(&format!("{inside}/")) {
            files.add(&format!("{path}/{rest}"), entry);
        }
    }
    if inside.is_empty() {
        files.add(path, Entry::Folder);
    }
}

/// The files of a volume that the API fills; `None` for one that containers fill.
fn content(pod: &Value, container: &Value, volume: &Value, around: &Surroundings) -> Option<Vec<VolumeFile>> {
    let mode = |source: &Value| meta::int_at(source, &["defaultMode"]).unwrap_or(MODE);
    if let Some(source) = volume.get("configMap") {
        return Some(of_config(source, meta::str_at(source, &["name"]), mode(source), around));
    }
    if let Some(source) = volume.get("secret") {
        return Some(of_secret(source, meta::str_at(source, &["secretName"]), mode(source), around));
    }
    if let Some(source) = volume.get("downwardAPI") {
        return Some(of_fields(source, pod, container, mode(source), around));
    }
    let projected = volume.get("projected")?;
    let mode = mode(projected);
    let mut all = Vec::new();
    for source in meta::list_at(projected, &["sources"]) {
        if let Some(source) = source.get("configMap") {
            all.extend(of_config(source, meta::str_at(source, &["name"]), mode, around));
        } else if let Some(source) = source.get("secret") {
            all.extend(of_secret(source, meta::str_at(source, &["name"]), mode, around));
        } else if let Some(source) = source.get("downwardAPI") {
            all.extend(of_fields(source, pod, container, mode, around));
        } else if let Some(source) = source.get("serviceAccountToken") {
            let token = around.tokens.get(meta::str_at(source, &["audience"])).cloned().unwrap_or_default();
            all.push((meta::str_at(source, &["path"]).to_owned(), token.into_bytes(), mode));
        }
    }
    Some(all)
}

/// The keys that a source wants, with their paths and modes: all, or the listed ones.
fn items(source: &Value, all: Vec<String>, mode: i64) -> Vec<(String, String, i64)> {
    let listed = meta::list_at(source, &["items"]);
    if listed.is_empty() {
        return all.into_iter().map(|key| (key.clone(), key, mode)).collect();
    }
    let item = |item: &Value| {
        let mode = meta::int_at(item, &["mode"]).unwrap_or(mode);
        (meta::str_at(item, &["key"]).to_owned(), meta::str_at(item, &["path"]).to_owned(), mode)
    };
    listed.iter().map(item).collect()
}

fn keys(object: &Value, field: &str) -> impl Iterator<Item = String> {
    meta::map_at(object, &[field]).into_iter().flat_map(|data| data.keys().cloned())
}

fn of_config(source: &Value, name: &str, mode: i64, around: &Surroundings) -> Vec<VolumeFile> {
    let Some(config) = around.config_maps.get(name) else { return Vec::new() };
    let all = keys(config, "data").chain(keys(config, "binaryData")).collect();
    let wanted = items(source, all, mode).into_iter();
    wanted.filter_map(|(key, path, mode)| Some((path, env::config_bytes(config, &key)?, mode))).collect()
}

fn of_secret(source: &Value, name: &str, mode: i64, around: &Surroundings) -> Vec<VolumeFile> {
    let Some(secret) = around.secrets.get(name) else { return Vec::new() };
    let wanted = items(source, keys(secret, "data").collect(), mode).into_iter();
    wanted.filter_map(|(key, path, mode)| Some((path, env::secret_bytes(secret, &key)?, mode))).collect()
}

fn of_fields(source: &Value, pod: &Value, container: &Value, mode: i64, around: &Surroundings) -> Vec<VolumeFile> {
    let file = |item: &Value| {
        let text = match (item.get("fieldRef"), item.get("resourceFieldRef")) {
            (Some(reference), _) => fields::field(pod, meta::str_at(reference, &["fieldPath"]))?,
            (None, Some(reference)) => {
                let of = super::spec(pod, meta::str_at(reference, &["containerName"])).unwrap_or(container);
                fields::amount(of, &around.node, reference)?
            }
            (None, None) => return None,
        };
        let mode = meta::int_at(item, &["mode"]).unwrap_or(mode);
        Some((meta::str_at(item, &["path"]).to_owned(), text.into_bytes(), mode))
    };
    meta::list_at(source, &["items"]).iter().filter_map(file).collect()
}
