//! The paths of resources and what may be done there.

use serde_json::json;

use crate::kinds::{Kind, Schemas};
use crate::object::{GroupVersionKind, Map, Value};

use super::super::registry::Resource;
use super::schemas::{META, reference};

/// Parameters of lists and watches.
const LIST: [&str; 11] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
    "watch",
];
const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const PATCH: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE: [&str; 5] = [
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];
const DELETE_COLLECTION: [&str; 14] = [
    "continue",
    "dryRun",
    "fieldSelector",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "labelSelector",
    "limit",
    "orphanDependents",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
];

/// Kinds whose deletion answers with the object.
const DELETED_OBJECTS: &[(&str, &str)] = &[
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "PodTemplate"),
    ("", "ResourceQuota"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceClaim"),
    ("resource.k8s.io", "ResourceClaimTemplate"),
    ("resource.k8s.io", "ResourceSlice"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
];

/// Streams behind an object: subresource, kind of its options, parameters.
const CONNECT: &[(&str, &str, &[&str])] = &[
    ("attach", "AttachOptions", &["container", "stderr", "stdin", "stdout", "tty"]),
    ("exec", "ExecOptions", &["command", "container", "stderr", "stdin", "stdout", "tty"]),
    ("portforward", "PortForwardOptions", &["ports"]),
    ("proxy", "ProxyOptions", &["path"]),
];

/// Parameters of reading a log.
const LOG: [&str; 11] = [
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
    "pretty",
    "",
];

/// A word with a capital first letter.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A group in the names of operations: `RbacAuthorization`.
pub fn group_prefix(group: &str) -> String {
    if group.is_empty() {
        return "Core".into();
    }
    group.trim_end_matches(".k8s.io").split(['.', '-']).map(capital).collect()
}

/// The tag of a group version: `rbacAuthorization_v1`.
pub fn tag(group: &str, version: &str) -> String {
    let prefix = group_prefix(group);
    let mut letters = prefix.chars();
    let name: String = letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect());
    if version.is_empty() { name } else { format!("{name}_{version}") }
}

fn content(media_types: &[&str], schema: &Value) -> Value {
    Value::Object(media_types.iter().map(|name| ((*name).to_owned(), json!({"schema": schema}))).collect())
}

const OBJECT_TYPES: [&str; 3] = ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];
const WATCH_TYPES: [&str; 5] = [
    "application/json",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/yaml",
];
const CUSTOM_TYPES: [&str; 2] = ["application/json", "application/yaml"];

/// A path with one GET that is no resource; its answer is a type of the API machinery, or the version.
pub fn plain(path: &str, id: &str, tag: &str, type_: Option<&str>) -> Map<String, Value> {
    let (schema, types) = match type_ {
        Some(type_) => (reference(&format!("{META}{type_}")), OBJECT_TYPES.as_slice()),
        None => (reference("io.k8s.apimachinery.pkg.version.Info"), &["application/json"][..]),
    };
    one(path, id, tag, &content(types, &schema))
}

/// A path with one GET whose answer is a text.
pub fn text(path: &str, id: &str, tag: &str, media_type: &str) -> Map<String, Value> {
    one(path, id, tag, &content(&[media_type], &json!({"type": "string"})))
}

fn one(path: &str, id: &str, tag: &str, content: &Value) -> Map<String, Value> {
    let operation = json!({"get": {
        "tags": [tag],
        "operationId": id,
        "responses": {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}},
    }});
    Map::from_iter([(path.to_owned(), operation)])
}

fn parameter(name: &str) -> Value {
    let type_ = match name {
        "allowWatchBookmarks"
        | "force"
        | "orphanDependents"
        | "sendInitialEvents"
        | "watch"
        | "stderr"
        | "stdin"
        | "stdout"
        | "tty"
        | "follow"
        | "insecureSkipTLSVerifyBackend"
        | "previous"
        | "timestamps"
        | "ignoreStoreReadErrorWithClusterBreakingPotential" => "boolean",
        "limit" | "timeoutSeconds" | "gracePeriodSeconds" | "limitBytes" | "sinceSeconds" | "tailLines" | "ports" => {
            "integer"
        }
        _ => "string",
    };
    let schema = json!({"type": type_, "uniqueItems": true});
    match name {
        "name" | "namespace" | "path:" => {
            json!({"name": name.trim_end_matches(':'), "in": "path", "required": true, "schema": schema})
        }
        _ => json!({"name": name, "in": "query", "schema": schema}),
    }
}

fn parameters(names: &[&str]) -> Value {
    let mut names = names.to_vec();
    names.sort_unstable();
    Value::Array(names.into_iter().map(parameter).collect())
}

/// One operation before it is written.
struct Operation<'a> {
    method: &'static str,
    action: &'static str,
    id: String,
    parameters: Vec<&'a str>,
    body: Option<Value>,
    codes: &'static [(&'static str, &'static str)],
    schema: Value,
    types: Vec<&'static str>,
    gvk: GroupVersionKind,
}

const OK: (&str, &str) = ("200", "OK");
const CREATED: (&str, &str) = ("201", "Created");
const ACCEPTED: (&str, &str) = ("202", "Accepted");

impl Operation<'_> {
    fn write(self, common: &[&str], tag: &str) -> (String, Value) {
        let mut responses = Map::new();
        for (code, text) in self.codes {
            let content = content(&self.types, &self.schema);
            responses.insert((*code).to_owned(), json!({"description": text, "content": content}));
        }
        responses.insert("401".into(), json!({"description": "Unauthorized"}));
        let own: Vec<&str> = self.parameters.iter().copied().filter(|name| !common.contains(name)).collect();
        let mut value = json!({
            "tags": [tag],
            "operationId": self.id,
            "responses": responses,
            "x-kubernetes-action": self.action,
            "x-kubernetes-group-version-kind":
                {"group": self.gvk.group, "version": self.gvk.version, "kind": self.gvk.kind},
        });
        if !own.is_empty() {
            value["parameters"] = parameters(&own);
        }
        if let Some(body) = self.body {
            value["requestBody"] = body;
        }
        (self.method.to_owned(), value)
    }
}

/// Writes the operations of a path; parameters that all have in common stand with the path.
fn insert(paths: &mut Map<String, Value>, path: String, base: &[&str], operations: Vec<Operation<'_>>, tag: &str) {
    let Some(first) = operations.first() else { return };
    let mut common: Vec<&str> = first.parameters.clone();
    common.retain(|name| operations.iter().all(|operation| operation.parameters.contains(name)));
    let mut all: Vec<&str> = base.to_vec();
    all.extend(common.iter().copied());
    let mut item: Map<String, Value> = operations.into_iter().map(|operation| operation.write(&common, tag)).collect();
    if !all.is_empty() {
        item.insert("parameters".into(), parameters(&all));
    }
    paths.insert(path, Value::Object(item));
}

/// What the operations of one resource have in common.
struct Maker<'a> {
    kind: &'a Kind,
    custom: bool,
    prefix: String,
    tag: String,
    object: Value,
    list: Value,
}

/// Adds the paths of a resource.
pub fn resource(paths: &mut Map<String, Value>, root: &str, resource: &Resource) {
    let kind = &resource.kind;
    let gvk = kind
        .response_kind
        .as_ref()
        .map_or_else(|| kind.gvk(), |shown| GroupVersionKind::new(&*shown.group, &*shown.version, &*shown.kind));
    let (object, list) = if resource.custom {
        (
            super::schemas::custom_name(&kind.group, &kind.version, &kind.kind),
            super::schemas::custom_name(&kind.group, &kind.version, &kind.list_kind()),
        )
    } else {
        let name = Schemas::builtin().name_of_kind(&gvk).unwrap_or_default().to_owned();
        (name.clone(), format!("{name}List"))
    };
    let version = capital(&kind.version);
    let maker = Maker {
        kind,
        custom: resource.custom,
        prefix: format!("{}{version}", group_prefix(&kind.group)),
        tag: tag(&kind.group, &kind.version),
        object: reference(&object),
        list: reference(&list),
    };
    let own = if kind.namespaced { format!("{root}/namespaces/{{namespace}}") } else { root.to_owned() };
    maker.collections(paths, root, &own);
    maker.item(paths, &own);
    maker.watches(paths, root);
    for subresource in &kind.subresources {
        maker.subresource(paths, &own, subresource);
    }
}

impl<'a> Maker<'a> {
    fn scope(&self) -> &'static str {
        if self.kind.namespaced { "Namespaced" } else { "" }
    }

    fn base(&self, named: bool) -> Vec<&'static str> {
        let mut base = vec!["pretty"];
        if self.kind.namespaced {
            base.push("namespace");
        }
        if named {
            base.push("name");
        }
        base
    }

    fn types(&self, watch: bool) -> Vec<&'static str> {
        match (self.custom, watch) {
            (true, _) => CUSTOM_TYPES.to_vec(),
            (false, true) => WATCH_TYPES.to_vec(),
            (false, false) => OBJECT_TYPES.to_vec(),
        }
    }

    fn operation(&self, method: &'static str, action: &'static str, id: String) -> Operation<'a> {
        Operation {
            method,
            action,
            id,
            parameters: Vec::new(),
            body: None,
            codes: &[OK],
            schema: self.object.clone(),
            types: self.types(false),
            gvk: self.kind.gvk(),
        }
    }

    fn body(&self, schema: &Value) -> Option<Value> {
        let types: &[&str] = if self.custom { &CUSTOM_TYPES } else { &["*/*"] };
        Some(json!({"content": content(types, schema), "required": true}))
    }

    fn delete_body(&self) -> Option<Value> {
        let types: &[&str] = if self.custom { &CUSTOM_TYPES } else { &["*/*"] };
        Some(json!({"content": content(types, &reference(&format!("{META}DeleteOptions")))}))
    }

    fn patch_body(&self) -> Option<Value> {
        let mut types =
            vec!["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
        if !self.custom {
            types.push("application/strategic-merge-patch+json");
        }
        Some(json!({"content": content(&types, &reference(&format!("{META}Patch"))), "required": true}))
    }

    fn list_operation(&self, id: String) -> Operation<'a> {
        Operation {
            parameters: LIST.to_vec(),
            schema: self.list.clone(),
            types: self.types(true),
            ..self.operation("get", "list", id)
        }
    }

    fn collections(&self, paths: &mut Map<String, Value>, root: &str, own: &str) {
        let (prefix, kind) = (&self.prefix, &self.kind.kind);
        let scope = self.scope();
        if self.kind.namespaced && self.kind.has_verb("list") {
            let id = format!("list{prefix}{kind}ForAllNamespaces");
            let all = vec![self.list_operation(id)];
            insert(paths, format!("{root}/{}", self.kind.plural), &["pretty"], all, &self.tag);
        }
        let mut operations = Vec::new();
        if self.kind.has_verb("list") {
            operations.push(self.list_operation(format!("list{prefix}{scope}{kind}")));
        }
        if self.kind.has_verb("create") {
            operations.push(Operation {
                parameters: WRITE.to_vec(),
                body: self.body(&self.object),
                codes: &[OK, CREATED, ACCEPTED],
                ..self.operation("post", "post", format!("create{prefix}{scope}{kind}"))
            });
        }
        if self.kind.has_verb("deletecollection") {
            operations.push(Operation {
                parameters: DELETE_COLLECTION.to_vec(),
                body: self.delete_body(),
                schema: reference(&format!("{META}Status")),
                ..self.operation("delete", "deletecollection", format!("delete{prefix}Collection{scope}{kind}"))
            });
        }
        insert(paths, format!("{own}/{}", self.kind.plural), &self.base(false), operations, &self.tag);
    }

    fn item(&self, paths: &mut Map<String, Value>, own: &str) {
        let mut operations = self.changes("", &self.object, &self.kind.gvk(), &self.kind.verbs);
        if self.kind.has_verb("delete") {
            let object = DELETED_OBJECTS.contains(&(self.kind.group.as_str(), self.kind.kind.as_str()));
            let schema = if object { self.object.clone() } else { reference(&format!("{META}Status")) };
            let id = format!("delete{}{}{}", self.prefix, self.scope(), self.kind.kind);
            operations.push(Operation {
                parameters: DELETE.to_vec(),
                body: self.delete_body(),
                codes: &[OK, ACCEPTED],
                schema,
                ..self.operation("delete", "delete", id)
            });
        }
        insert(paths, format!("{own}/{}/{{name}}", self.kind.plural), &self.base(true), operations, &self.tag);
    }

    /// Reading, replacing and patching of an object or a part of it.
    fn changes(&self, suffix: &str, schema: &Value, gvk: &GroupVersionKind, verbs: &[String]) -> Vec<Operation<'a>> {
        let has = |verb: &str| verbs.iter().any(|known| known == verb);
        let id = |verb: &str| format!("{verb}{}{}{}{suffix}", self.prefix, self.scope(), self.kind.kind);
        let of = |method, action, id| Operation {
            schema: schema.clone(),
            gvk: gvk.clone(),
            ..self.operation(method, action, id)
        };
        let mut operations = Vec::new();
        if has("get") {
            let mut get = of("get", "get", id("read"));
            if self.custom {
                get.parameters.push("resourceVersion");
            }
            operations.push(get);
        }
        if has("update") {
            operations.push(Operation {
                parameters: WRITE.to_vec(),
                body: self.body(schema),
                codes: &[OK, CREATED],
                ..of("put", "put", id("replace"))
            });
        }
        if has("create") && !suffix.is_empty() {
            operations.push(Operation {
                parameters: WRITE.to_vec(),
                body: self.body(schema),
                codes: &[OK, CREATED, ACCEPTED],
                ..of("post", "post", id("create"))
            });
        }
        if has("patch") {
            let codes: &'static [(&str, &str)] = if self.custom { &[OK] } else { &[OK, CREATED] };
            operations.push(Operation {
                parameters: PATCH.to_vec(),
                body: self.patch_body(),
                codes,
                ..of("patch", "patch", id("patch"))
            });
        }
        operations
    }

    fn watches(&self, paths: &mut Map<String, Value>, root: &str) {
        if !self.kind.has_verb("watch") || self.custom {
            return;
        }
        let (prefix, kind, plural) = (&self.prefix, &self.kind.kind, &self.kind.plural);
        let mut add = |path: String, base: &[&str], action: &'static str, id: String| {
            let operation = Operation {
                parameters: LIST.to_vec(),
                schema: reference(&format!("{META}WatchEvent")),
                types: self.types(true),
                ..self.operation("get", action, id)
            };
            insert(paths, path, base, vec![operation], &self.tag);
        };
        if self.kind.namespaced {
            let id = format!("watch{prefix}{kind}ListForAllNamespaces");
            add(format!("{root}/watch/{plural}"), &["pretty"], "watchlist", id);
        }
        let scope = self.scope();
        let own = if self.kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let list = format!("{root}/watch{own}/{plural}");
        add(list.clone(), &self.base(false), "watchlist", format!("watch{prefix}{scope}{kind}List"));
        add(format!("{list}/{{name}}"), &self.base(true), "watch", format!("watch{prefix}{scope}{kind}"));
    }

    fn subresource(&self, paths: &mut Map<String, Value>, own: &str, subresource: &crate::kinds::Subresource) {
        let path = format!("{own}/{}/{{name}}/{}", self.kind.plural, subresource.name);
        if let Some((_, options, names)) = CONNECT.iter().find(|(name, _, _)| *name == subresource.name) {
            self.connect(paths, &path, subresource, options, names);
            return;
        }
        let group = subresource.group.clone().unwrap_or_else(|| self.kind.group.clone());
        let version = subresource.version.clone().unwrap_or_else(|| self.kind.version.clone());
        let gvk = GroupVersionKind::new(group, version, &*subresource.kind);
        let own_kind = gvk == self.kind.gvk();
        let schema = match Schemas::builtin().name_of_kind(&gvk) {
            Some(name) if !own_kind => reference(name),
            _ => self.object.clone(),
        };
        let suffix = capital(&subresource.name);
        let mut operations = self.changes(&suffix, &schema, &gvk, &subresource.verbs);
        if subresource.name == "log" {
            for operation in &mut operations {
                operation.schema = json!({"type": "string"});
                operation.types.insert(0, "text/plain");
                operation.parameters = LOG.iter().copied().filter(|name| !matches!(*name, "" | "pretty")).collect();
            }
        }
        insert(paths, path, &self.base(true), operations, &self.tag);
    }

    fn connect(
        &self,
        paths: &mut Map<String, Value>,
        path: &str,
        subresource: &crate::kinds::Subresource,
        options: &str,
        names: &[&'a str],
    ) {
        const METHODS: [(&str, &str); 7] = [
            ("get", "Get"),
            ("put", "Put"),
            ("post", "Post"),
            ("delete", "Delete"),
            ("options", "Options"),
            ("head", "Head"),
            ("patch", "Patch"),
        ];
        let proxy = subresource.name == "proxy";
        let (scope, kind) = (self.scope(), &self.kind.kind);
        let suffix = capital(&subresource.name);
        let ends: &[(&str, &str)] = if proxy { &[("", ""), ("/{path}", "WithPath")] } else { &[("", "")] };
        for (end, word) in ends {
            let operations = METHODS
                .iter()
                .filter(|(method, _)| proxy || matches!(*method, "get" | "post"))
                .map(|(method, name)| Operation {
                    parameters: names.to_vec(),
                    schema: json!({"type": "string"}),
                    types: vec!["*/*"],
                    gvk: GroupVersionKind::new(&*self.kind.group, &*self.kind.version, format!("{kind}{options}")),
                    ..self.operation(
                        method,
                        "connect",
                        format!("connect{}{name}{scope}{kind}{suffix}{word}", self.prefix),
                    )
                })
                .collect();
            let mut base = self.base(true);
            base.retain(|name| *name != "pretty");
            if !end.is_empty() {
                base.push("path:");
            }
            insert(paths, format!("{path}{end}"), &base, operations, &self.tag);
        }
    }
}
