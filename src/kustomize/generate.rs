//! Config maps and secrets made of literals, files and environment files, and the hashes of their contents.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::json;

use super::Error;
use super::decode::go_quoted;
use super::loader::Loader;
use super::model::{Generator, GeneratorOptions};
use super::node::{Node, Scalar, Tag};
use super::resource::{Behavior, Resource, text_node};
use crate::object::hash::content_hash;
use crate::object::{Value, json};

/// What a generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    ConfigMap,
    Secret,
}

impl Product {
    fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Adds the options that all generators share.
pub(super) fn with_common(generator: &Generator, common: Option<&GeneratorOptions>) -> Generator {
    let mut generator = generator.clone();
    if let Some(common) = common {
        let own = generator.options.get_or_insert_default();
        for (own, common) in [(&mut own.labels, &common.labels), (&mut own.annotations, &common.annotations)] {
            for (key, value) in common {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        own.disable_name_suffix_hash |= common.disable_name_suffix_hash;
        own.immutable |= common.immutable;
    }
    generator
}

/// Makes a config map or a secret.
///
/// # Errors
/// It has no name, a source cannot be read, or a key comes twice.
pub(super) fn generate(loader: &Loader<'_>, generator: &Generator, product: Product) -> Result<Resource, Error> {
    let mut node = Node::map();
    node.set("apiVersion", Node::text("v1"));
    node.set("kind", Node::text(product.kind()));
    if generator.name.is_empty() {
        return Err(Error::fact("a configmap must have a name"));
    }
    let mut meta = Node::map();
    meta.set("name", Node::text(generator.name.clone()));
    if !generator.namespace.is_empty() {
        meta.set("namespace", Node::text(generator.namespace.clone()));
    }
    if product == Product::Secret {
        let kind = if generator.type_.is_empty() { "Opaque" } else { &generator.type_ };
        node.set("type", Node::text(kind));
    }
    let data = data(loader, generator)?;
    match product {
        Product::ConfigMap => set_config_data(&mut node, &data),
        Product::Secret => {
            let encoded = data.iter().map(|(key, value)| (key.clone(), encoded(value))).collect();
            node.set("data", text_node(&encoded));
        }
    }
    let options = generator.options.clone().unwrap_or_default();
    for (field, map) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if !map.is_empty() {
            meta.set(field, text_node(map));
        }
    }
    if options.immutable {
        node.set("immutable", Node::Scalar(Scalar { text: "true".into(), tag: Tag::Bool, quoted: false }));
    }
    node.set("metadata", meta);
    let mut made = Resource::new(node);
    made.memory.generated = true;
    made.memory.needs_hash = !options.disable_name_suffix_hash;
    made.memory.behavior = Behavior::parse(&generator.behavior);
    Ok(made)
}

fn set_config_data(node: &mut Node, data: &BTreeMap<String, Vec<u8>>) {
    for (key, value) in data {
        let (field, text) = match std::str::from_utf8(value) {
            Ok(text) => ("data", text.to_owned()),
            Err(_) => ("binaryData", encoded(value)),
        };
        if let Some(map) = node.entry(field, Node::map) {
            map.set(key, Node::text(text));
        }
    }
}

/// Sets the data of a config map or secret that is merged with an older one; values are taken as they are.
pub(super) fn set_merged_data(node: &mut Node, field: &str, data: &BTreeMap<String, String>) {
    node.remove(field);
    if !data.is_empty() {
        node.set(field, text_node(data));
    }
}

/// Base64 in lines of 70 characters, as kustomize writes it.
fn encoded(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let lines = text.as_bytes().chunks(LINE).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    lines.collect()
}

fn data(loader: &Loader<'_>, generator: &Generator) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let pairs = pairs(loader, generator).map_err(|error| error.within("loading KV pairs"))?;
    let mut data = BTreeMap::new();
    for (key, value) in pairs {
        if data.contains_key(&key) {
            let name = &generator.name;
            return Err(Error::fact(format!("configmap {name} illegally repeats the key `{key}`")));
        }
        data.insert(key, value);
    }
    Ok(data)
}

fn pairs(loader: &Loader<'_>, generator: &Generator) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut pairs = Vec::new();
    let listed = |items: &[String]| format!("[{}]", items.join(" "));
    for path in &generator.envs {
        let lines = loader.load(path).and_then(|text| env_lines(&text));
        pairs.extend(lines.map_err(|error| error.within(format!("env source files: {}", listed(&generator.envs))))?);
    }
    for literal in &generator.literals {
        let pair = literal.split_once('=').filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = pair else {
            let fault = Error::fact(format!("invalid literal source {literal}, expected key=value"));
            return Err(fault.within(format!("literal sources {}", listed(&generator.literals))));
        };
        pairs.push((key.to_owned(), unquoted(value).as_bytes().to_vec()));
    }
    for source in &generator.files {
        let loaded = file_source(source).and_then(|(key, path)| Ok((key.to_owned(), loader.load(path)?)));
        pairs.push(loaded.map_err(|error| error.within(format!("file sources: {}", listed(&generator.files))))?);
    }
    Ok(pairs)
}

fn env_lines(text: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut pairs = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            let shown: Vec<String> = line.iter().map(u8::to_string).collect();
            let lossy = String::from_utf8_lossy(line);
            return Err(Error::fact(format!("line [{}] has invalid utf8 bytes : {lossy}", shown.join(" "))));
        };
        let line = if number == 0 { line.trim_start_matches('\u{feff}') } else { line }.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(pairs)
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

fn file_source(source: &str) -> Result<(&str, &str), Error> {
    let quoted = go_quoted(source);
    match source.split_once('=') {
        None => Ok((source.trim_end_matches('/').rsplit('/').next().unwrap_or(source), source)),
        Some((_, rest)) if rest.contains('=') => {
            Err(Error::fact(format!("source {quoted} key name or file path contains '='")))
        }
        Some(("", path)) => {
            Err(Error::fact(format!("missing key name for file path {} in source {quoted}", go_quoted(path))))
        }
        Some((key, "")) => {
            Err(Error::fact(format!("missing file path for key name {} in source {quoted}", go_quoted(key))))
        }
        Some(pair) => Ok(pair),
    }
}

/// The hash of an object's contents: ten letters and digits.
///
/// # Errors
/// A text does not fit its type.
pub(super) fn hash(object: &Node) -> Result<String, Error> {
    let value = |path: &[&str]| -> Result<Value, Error> {
        Ok(match object.at(path) {
            None => Value::String(String::new()),
            Some(Node::Scalar(scalar)) => Value::String(scalar.text.clone()),
            Some(node) => node.to_value()?,
        })
    };
    let kind = object.get("kind").map_or("", Node::scalar_text);
    // The name is looked up as one field `metadata/name`, which no object has.
    let mut covered = json!({"kind": kind, "name": "", "data": value(&["data"])?});
    let optional = match kind {
        "ConfigMap" => "binaryData",
        "Secret" => {
            covered["type"] = value(&["type"])?;
            "stringData"
        }
        _ => {
            covered = object.to_value()?;
            ""
        }
    };
    if let Some(more) = object.get(optional).filter(|node| !matches!(node, Node::Scalar(_))) {
        covered[optional] = more.to_value()?;
    }
    Ok(content_hash(&json::to_compact(&covered)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_key_and_file() {
        assert_eq!(file_source("a/b.txt").ok(), Some(("b.txt", "a/b.txt")));
        assert_eq!(file_source("k=a/b.txt").ok(), Some(("k", "a/b.txt")));
        let fault = |source: &str| file_source(source).map_err(|error| error.to_string()).err();
        assert_eq!(fault("=a"), Some("missing key name for file path \"a\" in source \"=a\"".into()));
        assert_eq!(fault("k="), Some("missing file path for key name \"k\" in source \"k=\"".into()));
        assert_eq!(fault("a=b=c"), Some("source \"a=b=c\" key name or file path contains '='".into()));
    }

    #[test]
    fn environment_files_have_comments_and_keys_without_value() {
        let pairs = env_lines("\u{feff}A=1\n# no\n\n  B=x=y\r\nC\n".as_bytes()).expect("readable");
        let texts: Vec<(&str, &[u8])> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        assert_eq!(texts, [("A", &b"1"[..]), ("B", b"x=y"), ("C", b"")]);
    }

    #[test]
    fn long_secrets_are_broken_into_lines() {
        assert_eq!(encoded(b"ab"), "YWI=");
        assert_eq!(encoded(&[b'a'; 60]).lines().map(str::len).collect::<Vec<_>>(), [70, 10]);
    }
}
