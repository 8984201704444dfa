//! What a server serves: aggregated discovery, with the classic form for servers that lack it, and its cache on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::{Answer, Client, Error, Request};
use crate::kinds::table::Group;
use crate::kinds::{Kind, Kinds, Subresource};
use crate::object::GroupVersion;
use crate::object::meta::{list_at, str_at};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// How long what a server serves is taken as known.
const KEPT: Duration = Duration::from_secs(6 * 3600);

/// What a server serves, as it told.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// The kinds.
    pub kinds: Kinds,
    /// The two documents, for the cache.
    pub documents: Value,
}

/// Asks a server which groups it serves, in one request.
///
/// The core group, which nobody can extend, is taken as that of this version. Servers without aggregated discovery are
/// asked for everything.
///
/// # Errors
/// As [`discover`].
pub async fn discover_groups(client: &Client) -> Result<Discovered, Error> {
    match client.call(Request::get("/apis").query("timeout", "32s").accept(AGGREGATED)).await {
        Ok(groups) => match aggregated(&groups) {
            Some(groups) => {
                let documents = json!([groups]);
                Ok(Discovered { kinds: read(&documents), documents })
            }
            None => discover(client).await,
        },
        // The core group's failure is the one that is told.
        Err(Error::Transport { method, url, source }) => {
            Err(Error::Transport { method, url: url.replacen("/apis?", "/api?", 1), source })
        }
        Err(_) => discover(client).await,
    }
}

/// Asks a server what it serves.
///
/// # Errors
/// The server cannot be reached or refuses.
pub async fn discover(client: &Client) -> Result<Discovered, Error> {
    let ask = |path: &str| client.call(Request::get(path).query("timeout", "32s").accept(AGGREGATED));
    let (core, groups) = futures_util::future::join(ask("/api"), ask("/apis")).await;
    // The core group's failure is the one that is told.
    let (core, groups) = (core?, groups?);
    let documents = match (aggregated(&core), aggregated(&groups)) {
        (Some(core), Some(groups)) => json!([core, groups]),
        _ => json!([classic(client, &core.json()?, &groups.json()?).await?]),
    };
    Ok(Discovered { kinds: read(&documents), documents })
}

fn aggregated(answer: &Answer) -> Option<Value> {
    answer.json().ok().filter(|list| str_at(list, &["kind"]) == "APIGroupDiscoveryList")
}

/// The aggregated form, put together from the classic one.
async fn classic(client: &Client, core: &Value, groups: &Value) -> Result<Value, Error> {
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    wanted.push((String::new(), list_at(core, &["versions"]).iter().map(text).collect()));
    for group in list_at(groups, &["groups"]) {
        let preferred = str_at(group, &["preferredVersion", "version"]).to_owned();
        let mut versions: Vec<String> =
            list_at(group, &["versions"]).iter().map(|version| str_at(version, &["version"]).to_owned()).collect();
        versions.sort_by_key(|version| *version != preferred);
        wanted.push((str_at(group, &["name"]).to_owned(), versions));
    }
    let fetch = |(group, versions): (String, Vec<String>)| async move {
        let group = group.as_str();
        let lists = versions.iter().map(|version| async move {
            let path = GroupVersion::new(group, version.as_str()).url_prefix();
            // A group whose own server is away must not hide the others.
            let list = client.json(Request::get(path)).await.unwrap_or_default();
            json!({"version": version, "resources": resources(group, version, &list)})
        });
        let versions = futures_util::future::join_all(lists).await;
        Ok::<Value, Error>(json!({"metadata": {"name": group}, "versions": versions}))
    };
    let items = try_join_all(wanted.into_iter().map(fetch)).await?;
    Ok(json!({"kind": "APIGroupDiscoveryList", "items": items}))
}

/// One `APIResourceList` as aggregated discovery has it.
fn resources(group: &str, version: &str, list: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let own = |resource: &Value, field: &str, default: &str| {
        let value = str_at(resource, &[field]);
        if value.is_empty() { default.to_owned() } else { value.to_owned() }
    };
    for resource in list_at(list, &["resources"]) {
        let kind = json!({
            "group": own(resource, "group", group),
            "version": own(resource, "version", version),
            "kind": str_at(resource, &["kind"]),
        });
        let name = str_at(resource, &["name"]);
        if let Some((parent, subresource)) = name.split_once('/') {
            if let Some(parent) = found.iter_mut().find(|known| str_at(known, &["resource"]) == parent) {
                let entry = json!({"subresource": subresource, "responseKind": kind, "verbs": resource["verbs"]});
                if let Some(list) = parent["subresources"].as_array_mut() {
                    list.push(entry);
                }
            }
            continue;
        }
        found.push(json!({
            "resource": name,
            "responseKind": kind,
            "scope": if resource["namespaced"] == json!(true) { "Namespaced" } else { "Cluster" },
            "singularResource": str_at(resource, &["singularName"]),
            "verbs": resource["verbs"],
            "shortNames": resource["shortNames"],
            "categories": resource["categories"],
            "subresources": [],
        }));
    }
    found
}

/// The kinds that aggregated documents name.
fn read(documents: &Value) -> Kinds {
    let (mut groups, mut rows) = (Vec::new(), Vec::new());
    for item in documents.as_array().into_iter().flatten().flat_map(|list| list_at(list, &["items"])) {
        let group = str_at(item, &["metadata", "name"]);
        let versions = list_at(item, &["versions"]);
        let names: Vec<String> = versions.iter().map(|version| str_at(version, &["version"]).to_owned()).collect();
        let preferred = names.first().cloned().unwrap_or_default();
        for version in versions {
            let name = str_at(version, &["version"]);
            for resource in list_at(version, &["resources"]) {
                rows.push(Arc::new(row(group, name, name == preferred, resource)));
            }
        }
        groups.push(Group { group: group.to_owned(), versions: names, preferred });
    }
    if !groups.iter().any(|group| group.group.is_empty()) {
        let builtin = Kinds::builtin();
        groups.splice(0..0, builtin.groups().iter().filter(|group| group.group.is_empty()).cloned());
        rows.splice(0..0, builtin.rows().iter().filter(|kind| kind.group.is_empty()).cloned());
    }
    Kinds::new(groups, rows)
}

fn row(group: &str, version: &str, preferred: bool, resource: &Value) -> Kind {
    let texts = |field: &str| -> Vec<String> {
        list_at(resource, &[field]).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let kind = str_at(resource, &["responseKind", "kind"]).to_owned();
    let singular = match str_at(resource, &["singularResource"]) {
        "" => kind.to_lowercase(),
        name => name.to_owned(),
    };
    let subresource = |entry: &Value| {
        let own = |field: &str| Some(str_at(entry, &["responseKind", field]).to_owned());
        Subresource {
            name: str_at(entry, &["subresource"]).to_owned(),
            kind: str_at(entry, &["responseKind", "kind"]).to_owned(),
            group: own("group").filter(|other| other != group),
            version: own("version").filter(|other| other != version),
            verbs: list_at(entry, &["verbs"]).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        }
    };
    Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        preferred,
        kind,
        plural: str_at(resource, &["resource"]).to_owned(),
        singular,
        short_names: texts("shortNames"),
        namespaced: str_at(resource, &["scope"]) == "Namespaced",
        verbs: texts("verbs"),
        categories: texts("categories"),
        subresources: list_at(resource, &["subresources"]).iter().map(subresource).collect(),
        ..Kind::default()
    }
}

/// What servers serve, kept in a folder: `<cache>/discovery/<host_port>/knarr.json`.
#[derive(Clone, Debug)]
pub struct Cache {
    file: PathBuf,
}

impl Cache {
    /// The cache for a server below a folder such as `~/.kube/cache`.
    pub fn new(folder: &Path, server: &str) -> Self {
        let host = server.split_once("://").map_or(server, |(_, host)| host);
        let safe: String =
            host.chars().map(|c| if c.is_ascii_alphanumeric() || "-._/".contains(c) { c } else { '_' }).collect();
        // No host name leaves the folder.
        let safe = safe.replace("..", "_");
        Self { file: folder.join("discovery").join(safe).join("knarr.json") }
    }

    /// What is kept, unless it is too old or unreadable.
    pub fn load(&self, now: SystemTime) -> Option<Kinds> {
        let changed = std::fs::metadata(&self.file).ok()?.modified().ok()?;
        if now.duration_since(changed).unwrap_or_default() > KEPT {
            return None;
        }
        let documents: Value = serde_json::from_slice(&std::fs::read(&self.file).ok()?).ok()?;
        let kinds = read(documents.as_array().filter(|lists| !lists.is_empty()).map(|_| &documents)?);
        (!kinds.rows().is_empty()).then_some(kinds)
    }

    /// Keeps what a server said. A cache that cannot be written is none.
    pub fn store(&self, discovered: &Discovered) {
        let Some(folder) = self.file.parent() else { return };
        let temporary = folder.join(format!(".knarr.{}.tmp", std::process::id()));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&temporary, discovered.documents.to_string()))
            .and_then(|()| std::fs::rename(&temporary, &self.file));
        if written.is_err() {
            std::fs::remove_file(&temporary).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_gives_back_what_it_was_given() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let cache = Cache::new(folder.path(), "https://host:6443/prefix");
        let now = SystemTime::now();
        assert!(cache.load(now).is_none());
        let list = json!({"resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true, "singularName": "pod", "verbs": ["get"], "shortNames": ["po"]},
            {"name": "pods/status", "kind": "Pod", "namespaced": true, "verbs": ["get"]},
        ]});
        let version = json!({"version": "v1", "resources": resources("", "v1", &list)});
        let documents = json!([{"items": [{"metadata": {"name": ""}, "versions": [version]}]}]);
        cache.store(&Discovered { kinds: Kinds::default(), documents });
        let kinds = cache.load(now).expect("just stored");
        let pods = kinds.rows().first().expect("pods");
        assert_eq!((pods.plural.as_str(), pods.short_names.join(",").as_str()), ("pods", "po"));
        assert!(pods.subresource("status").is_some());
        assert!(cache.load(now + KEPT + Duration::from_secs(60)).is_none());
    }
}
