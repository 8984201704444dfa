//! What a request is about, read from its method and path (`RequestInfo` in k8s.io/apiserver).

use crate::object::GroupVersionResource;

/// Path and verb of a request, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether the path has the shape of a resource: `/api/v1/…` or `/apis/GROUP/VERSION/…`.
    pub is_resource: bool,
    /// The path without its query.
    pub path: String,
    /// Verb as authorization knows it: `get`, `list`, `watch`, `create`, …; the lower-case method for other paths.
    pub verb: String,
    /// API group, empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace, empty for none or all.
    pub namespace: String,
    /// Plural resource.
    pub resource: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Name of the object, or empty.
    pub name: String,
    /// What follows the subresource in the path, without a leading slash.
    pub rest: String,
    /// Whether the path is one of the old watch paths (`/api/v1/watch/pods`).
    pub watch_path: bool,
}

impl RequestInfo {
    /// Reads method, path and query.
    pub fn parse(method: &http::Method, path: &str, query: &super::query::Query) -> Self {
        let mut info = Self { path: path.to_owned(), verb: method.as_str().to_lowercase(), ..Self::default() };
        // As in Go, an escaped slash is a slash.
        let mut parts: Vec<String> = decode(path).trim_matches('/').split('/').map(str::to_owned).collect();
        let skip = match parts.first().map(String::as_str) {
            Some("api") if parts.len() > 2 => 2,
            Some("apis") if parts.len() > 3 => 3,
            _ => return info,
        };
        info.is_resource = true;
        if skip == 3 {
            info.group.clone_from(&parts[1]);
        }
        info.version.clone_from(&parts[skip - 1]);
        parts.drain(..skip);
        info.verb = verb_of(method).to_owned();
        if parts.first().is_some_and(|part| part == "watch") && parts.len() > 1 {
            info.watch_path = true;
            info.verb = "watch".into();
            parts.remove(0);
        }
        info.take_parts(parts);
        info.settle_verb(method, query);
        info
    }

    fn take_parts(&mut self, mut parts: Vec<String>) {
        if parts.first().is_some_and(|part| part == "namespaces") && parts.len() > 1 {
            self.namespace.clone_from(&parts[1]);
            let own = parts.get(2).is_some_and(|part| part == "status" || part == "finalize");
            if parts.len() > 2 && !own {
                parts.drain(..2);
            }
        }
        let mut parts = parts.into_iter();
        self.resource = parts.next().unwrap_or_default();
        self.name = parts.next().unwrap_or_default();
        self.subresource = parts.next().unwrap_or_default();
        self.rest = parts.collect::<Vec<_>>().join("/");
    }

    /// A GET of a collection is a list or a watch, a DELETE of one deletes a collection.
    fn settle_verb(&mut self, method: &http::Method, query: &super::query::Query) {
        if !self.name.is_empty() && !self.watch_path {
            return;
        }
        if *method == http::Method::GET || *method == http::Method::HEAD {
            let watch = self.watch_path || query.flag("watch");
            self.verb = if watch { "watch" } else { "list" }.into();
            if self.name.is_empty() {
                self.name = single_name(query.get("fieldSelector").unwrap_or_default());
            }
        } else if *method == http::Method::DELETE && self.name.is_empty() {
            self.verb = "deletecollection".into();
        }
    }

    /// Group, version and resource.
    pub fn gvr(&self) -> GroupVersionResource {
        GroupVersionResource::new(&*self.group, &*self.version, &*self.resource)
    }
}

/// The name that a field selector such as `metadata.name=web` demands, which authorization takes into account.
fn single_name(selector: &str) -> String {
    let name = selector.split(',').find_map(|part| {
        let rest = part.strip_prefix("metadata.name=")?;
        Some(rest.strip_prefix('=').unwrap_or(rest))
    });
    name.unwrap_or_default().to_owned()
}

fn decode(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn verb_of(method: &http::Method) -> &str {
    match method.as_str() {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::Query;
    use super::*;

    fn parse(method: &str, target: &str) -> (String, String, String, String, String, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = http::Method::from_bytes(method.as_bytes()).expect("a method");
        let i = RequestInfo::parse(&method, path, &Query::parse(query));
        (i.verb, i.group, i.namespace, i.resource, i.name, i.subresource)
    }

    fn expected(parts: [&str; 6]) -> (String, String, String, String, String, String) {
        let [a, b, c, d, e, f] = parts.map(str::to_owned);
        (a, b, c, d, e, f)
    }

    #[test]
    fn paths_are_taken_apart() {
        let cases = [
            ("GET", "/api/v1/namespaces", ["list", "", "", "namespaces", "", ""]),
            ("GET", "/api/v1/namespaces/a", ["get", "", "a", "namespaces", "a", ""]),
            ("PUT", "/api/v1/namespaces/a/finalize", ["update", "", "a", "namespaces", "a", "finalize"]),
            ("GET", "/api/v1/namespaces/a/pods?watch=1", ["watch", "", "a", "pods", "", ""]),
            ("GET", "/api/v1/watch/namespaces/a/pods/p", ["watch", "", "a", "pods", "p", ""]),
            (
                "DELETE",
                "/apis/apps/v1/namespaces/a/deployments",
                ["deletecollection", "apps", "a", "deployments", "", ""],
            ),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/a/deployments/d/scale",
                ["patch", "apps", "a", "deployments", "d", "scale"],
            ),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", ["list", "", "", "pods", "x", ""]),
            ("GET", "/version", ["get", "", "", "", "", ""]),
        ];
        for (method, target, parts) in cases {
            assert_eq!(parse(method, target), expected(parts), "{method} {target}");
        }
    }
}
