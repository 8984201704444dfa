//! Objects out of texts: documents split, lists taken apart, what is no object refused.

use std::sync::LazyLock;

use regex::Regex;

use super::Error;
use super::node::Node;
use super::resource::Resource;
use crate::manifest;

/// The objects of a YAML or JSON text.
///
/// # Errors
/// The text is not YAML, or an object has no kind or no name.
pub(super) fn resources(text: &[u8]) -> Result<Vec<Resource>, Error> {
    Ok(unfold_lists(checked(documents(text)?)?)?.into_iter().map(Resource::new).collect())
}

/// The texts between the separators of a stream.
fn split(text: &str) -> Result<Vec<String>, Error> {
    static SEPARATOR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("\n---.*\n").ok());
    let mut parts = Vec::new();
    let mut from = 0;
    for found in SEPARATOR.iter().flat_map(|separator| separator.find_iter(text)) {
        let behind = found.as_str().get(4..).unwrap_or_default().trim();
        if !behind.is_empty() && !behind.starts_with('#') {
            return Err(Error::fact(format!("invalid document separator: {}", found.as_str().trim())));
        }
        parts.push(format!("{}\n", &text[from..found.start()]));
        from = found.end();
    }
    if !text.is_empty() {
        parts.push(text[from..].to_owned());
    }
    Ok(parts)
}

fn documents(text: &[u8]) -> Result<Vec<Node>, Error> {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    let parts = split(&text)?;
    let single = parts.len() == 1;
    let mut nodes = Vec::new();
    for part in parts {
        let raw = manifest::yaml_to_node(&part)
            .map_err(|error| Error::fact(format!("MalformedYAMLError: {}", error.newer_text())))?;
        let Some(mut node) = raw.map(Node::from_raw).transpose()?.filter(|node| !node.is_null()) else { continue };
        let kind = node.get("kind").map_or("", Node::scalar_text);
        let wraps = single && (kind == "ResourceList" || kind == "List");
        if wraps && (node.get("items").is_some() || node.get("functionConfig").is_some()) {
            if let Some(Node::List(items)) = node.remove("items") {
                nodes.extend(items);
            }
            continue;
        }
        nodes.push(node);
    }
    Ok(nodes)
}

/// Leaves out what is empty, and refuses what is no object.
fn checked(nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    let mut good = Vec::new();
    for node in nodes.into_iter().filter(|node| !node.is_empty()) {
        check(&node)?;
        good.push(node);
    }
    Ok(good)
}

/// Whether an object has kind and name.
///
/// # Errors
/// It has not.
pub(super) fn check(node: &Node) -> Result<(), Error> {
    let text = |path: &[&str]| node.at(path).filter(|node| !node.is_empty()).map(Node::scalar_text);
    let (api_version, kind) = (text(&["apiVersion"]), text(&["kind"]));
    let (name, namespace) = (text(&["metadata", "name"]), text(&["metadata", "namespace"]));
    let maps = ["labels", "annotations"].map(|field| node.at(&["metadata", field]).filter(|node| !node.is_empty()));
    if [api_version, kind, name, namespace].iter().all(Option::is_none) && maps.iter().all(Option::is_none) {
        return Err(Error::fact("missing Resource metadata"));
    }
    let (api_version, kind, name) = (api_version.unwrap_or(""), kind.unwrap_or(""), name.unwrap_or(""));
    let [labels, annotations] = maps.map(go_map);
    let shown =
        format!("{{{{{api_version} {kind}}} {{{{{name} {}}} {labels} {annotations}}}}}", namespace.unwrap_or(""));
    if kind.is_empty() {
        return Err(Error::fact(format!("missing kind in object {shown}")));
    }
    if !kind.ends_with("List") && name.is_empty() {
        return Err(Error::fact(format!("missing metadata.name in object {shown}")));
    }
    Ok(())
}

/// A map of texts as Go prints it.
fn go_map(node: Option<&Node>) -> String {
    let texts = super::resource::text_map(node);
    let pairs: Vec<String> = texts.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

/// Puts the items of a `FooList` in its place, at the end of the stream.
fn unfold_lists(nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    let mut found = Vec::new();
    let mut queue: std::collections::VecDeque<Node> = nodes.into();
    while let Some(mut node) = queue.pop_front() {
        let kind = node.get("kind").map_or("", Node::scalar_text).to_owned();
        if !kind.ends_with("List") || node.get("items").is_none() {
            found.push(node);
            continue;
        }
        match node.remove("items") {
            Some(Node::List(items)) => queue.extend(checked(items)?),
            Some(other) if !other.is_null() => {
                let found = if matches!(other, Node::Map(_)) { "map[string]interface {}" } else { "string" };
                return Err(Error::fact(format!("expected array in {kind}/items, but found {found}")));
            }
            _ => {}
        }
    }
    Ok(found)
}
