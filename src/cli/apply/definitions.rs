//! Definitions of kinds and objects of those kinds in one run: the objects wait until the server knows their kind.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::client::Request;
use crate::object::{GroupVersionKind, Value, meta};
use crate::resource::{self, Document};

/// How long a new definition may take to be served.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

type Read = std::result::Result<Document, resource::Error>;

/// The documents of a run in two parts.
#[derive(Default)]
pub struct Parts {
    /// What can be applied at once.
    pub first: Vec<Read>,
    /// Objects of the kinds that the first part defines.
    pub later: Vec<Read>,
    /// The names of their definitions.
    pub definitions: BTreeSet<String>,
}

/// Puts the objects whose kind other documents define behind those.
pub fn split(documents: Vec<Read>) -> Parts {
    let defined: Vec<(GroupVersionKind, String)> =
        documents.iter().flatten().flat_map(|document| objects(&document.value)).flat_map(kinds_of).collect();
    let mut parts = Parts::default();
    for document in documents {
        let needed = document.as_ref().ok().and_then(|document| {
            objects(&document.value).into_iter().find_map(|object| {
                let kind = meta::gvk(object);
                defined.iter().find(|(defined, _)| *defined == kind).map(|(_, name)| name.clone())
            })
        });
        match needed {
            Some(definition) => {
                parts.definitions.insert(definition);
                parts.later.push(document);
            }
            None => parts.first.push(document),
        }
    }
    parts
}

/// The object itself, or the items of a list.
fn objects(value: &Value) -> Vec<&Value> {
    match value.get("items").and_then(Value::as_array) {
        Some(items) if meta::kind(value).ends_with("List") => items.iter().collect(),
        _ => vec![value],
    }
}

/// The kinds that a definition defines, with the definition's name.
fn kinds_of(object: &Value) -> Vec<(GroupVersionKind, String)> {
    if meta::kind(object) != "CustomResourceDefinition"
        || !meta::api_version(object).starts_with("apiextensions.k8s.io/")
    {
        return Vec::new();
    }
    let (group, kind) = (meta::str_at(object, &["spec", "group"]), meta::str_at(object, &["spec", "names", "kind"]));
    let kind_in = |version: &Value| GroupVersionKind::new(group, meta::str_at(version, &["name"]), kind);
    let versions = meta::list_at(object, &["spec", "versions"]);
    versions.iter().map(|version| (kind_in(version), meta::name(object).to_owned())).collect()
}

/// Waits until the definitions are established and the server tells of their kinds.
///
/// # Errors
/// A definition that is not there, or does not become established in time.
pub async fn established(cx: &Context, definitions: &BTreeSet<String>) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for name in definitions {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        while !is_established(&cx.json(Request::get(path.clone())).await?) {
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::new(format!(
                    "timed out waiting for customresourcedefinitions/{name} to be established"
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    cx.mapper()?.refresh().await.map(drop).map_err(|error| cx.explain(error))
}

fn is_established(definition: &Value) -> bool {
    meta::list_at(definition, &["status", "conditions"]).iter().any(|condition| {
        meta::str_at(condition, &["type"]) == "Established" && meta::str_at(condition, &["status"]) == "True"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_wait_for_the_definition_of_their_kind() {
        let read = |value: Value| Ok(Document { value, source: String::new(), line: 1, origin: None });
        let object = json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "a"}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.x.io"},
            "spec": {"group": "x.io", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}]},
        });
        let other = json!({"apiVersion": "x.io/v2", "kind": "Thing"});
        let parts = split(vec![
            read(object.clone()),
            read(definition),
            read(other),
            read(json!({
                "apiVersion": "v1", "kind": "List", "items": [object],
            })),
        ]);
        assert_eq!((parts.first.len(), parts.later.len()), (2, 2));
        assert_eq!(parts.definitions.into_iter().collect::<Vec<_>>(), ["things.x.io"]);
        assert!(is_established(&json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}})));
        assert!(!is_established(&json!({"status": {}})));
    }
}
