//! `config set` and `config unset`: one field by its path.

use base64::Engine as _;
use clap::Parser;
use serde_json::{Map, Value, json};

use super::{exactly, load};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::kubeconfig::{self, Config};
use crate::object::field::quote;

/// Set one field of the kubeconfig, such as contexts.dev.namespace.
#[derive(Parser)]
pub struct SetArgs {
    /// The field's path and its value
    #[arg(value_name = "PATH VALUE")]
    words: Vec<String>,
    /// Take the value of a certificate or key as it is, not as base64
    #[arg(long)]
    set_raw_bytes: bool,
}

/// Remove one field of the kubeconfig, or a whole entry.
#[derive(Parser)]
pub struct UnsetArgs {
    /// The field's path
    #[arg(value_name = "PATH")]
    words: Vec<String>,
}

/// How a field's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Flag,
    Bytes,
    Map,
}

const CLUSTER: &[(&str, Type)] = &[
    ("server", Type::Text),
    ("tls-server-name", Type::Text),
    ("insecure-skip-tls-verify", Type::Flag),
    ("certificate-authority", Type::Text),
    ("certificate-authority-data", Type::Bytes),
    ("proxy-url", Type::Text),
    ("disable-compression", Type::Flag),
];
const USER: &[(&str, Type)] = &[
    ("client-certificate", Type::Text),
    ("client-certificate-data", Type::Bytes),
    ("client-key", Type::Text),
    ("client-key-data", Type::Bytes),
    ("token", Type::Text),
    ("tokenFile", Type::Text),
    ("as", Type::Text),
    ("as-uid", Type::Text),
    ("username", Type::Text),
    ("password", Type::Text),
    ("auth-provider", Type::Map),
    ("exec", Type::Map),
];
const EXEC: &[(&str, Type)] = &[
    ("command", Type::Text),
    ("apiVersion", Type::Text),
    ("installHint", Type::Text),
    ("provideClusterInfo", Type::Flag),
    ("interactiveMode", Type::Text),
];
const CONTEXT: &[(&str, Type)] = &[("cluster", Type::Text), ("user", Type::Text), ("namespace", Type::Text)];
/// The maps of a config: name in paths, name of the entry in the file, fields.
type Section = (&'static str, &'static str, &'static [(&'static str, Type)]);
const SECTIONS: [Section; 3] =
    [("clusters", "cluster", CLUSTER), ("users", "user", USER), ("contexts", "context", CONTEXT)];

/// A path, resolved.
#[derive(Debug)]
struct Place {
    /// Keys from the top, sections as maps by name.
    keys: Vec<String>,
    kind: Type,
}

impl Place {
    fn parse(path: &str) -> Result<Self> {
        let unknown = || Error::new(format!("unable to parse {path}"));
        let parts: Vec<&str> = path.split('.').collect();
        let (first, rest) = parts.split_first().ok_or_else(unknown)?;
        if rest.is_empty() && *first == "current-context" {
            return Ok(Self { keys: vec![(*first).to_owned()], kind: Type::Text });
        }
        if *first == "preferences" && rest == ["colors"] {
            return Ok(Self { keys: vec!["preferences".into(), "colors".into()], kind: Type::Flag });
        }
        let Some((section, _, fields)) = SECTIONS.iter().find(|(section, ..)| section == first) else {
            return Err(unknown());
        };
        let mut keys = vec![(*section).to_owned()];
        if rest.is_empty() {
            return Ok(Self { keys, kind: Type::Map });
        }
        // A name may hold dots; it ends before the first part that is a field.
        let is_field = |part: &&str| fields.iter().any(|(field, _)| field == part);
        let end = rest.iter().skip(1).position(is_field).map_or(rest.len(), |at| at + 1);
        keys.push(rest[..end].join("."));
        let Some((field, below)) = rest[end..].split_first() else { return Ok(Self { keys, kind: Type::Map }) };
        let kind = fields.iter().find(|(name, _)| name == field).map_or(Type::Map, |(_, kind)| *kind);
        keys.push((*field).to_owned());
        match (kind, below) {
            (kind, []) => Ok(Self { keys, kind }),
            (Type::Map, [inner]) if *field == "exec" => {
                let (name, kind) = EXEC.iter().find(|(name, _)| name == inner).ok_or_else(unknown)?;
                keys.push((*name).to_owned());
                Ok(Self { keys, kind: *kind })
            }
            (Type::Map, ["config", key @ ..]) if *field == "auth-provider" => {
                keys.extend(["config".to_owned(), key.join(".")]);
                Ok(Self { keys, kind: Type::Text })
            }
            (Type::Map, ["name"]) if *field == "auth-provider" => {
                keys.push("name".into());
                Ok(Self { keys, kind: Type::Text })
            }
            _ => Err(unknown()),
        }
    }
}

/// The config with its sections as maps by name.
fn to_tree(config: &Config) -> Value {
    let mut tree = config.to_value();
    for (section, entry, _) in SECTIONS {
        let list = tree.get_mut(section).map(Value::take).unwrap_or_default();
        let mut map = Map::new();
        for item in list.as_array().into_iter().flatten() {
            let name = item["name"].as_str().unwrap_or_default().to_owned();
            map.insert(name, item[entry].clone());
        }
        tree[section] = Value::Object(map);
    }
    tree
}

/// Back again; entries keep the files they came from.
fn from_tree(mut tree: Value, old: &Config) -> Result<Config> {
    for (section, entry, _) in SECTIONS {
        let map = tree.get_mut(section).map(Value::take).unwrap_or_default();
        let named = |(name, item): (&String, &Value)| json!({"name": name, entry: item});
        tree[section] = map.as_object().map(|map| map.iter().map(named).collect()).unwrap_or(Value::Null);
    }
    let mut config = Config::from_value(tree).map_err(Error::new)?;
    for (name, item) in &mut config.clusters {
        item.origin = old.clusters.get(name).and_then(|item| item.origin.clone());
    }
    for (name, item) in &mut config.users {
        item.origin = old.users.get(name).and_then(|item| item.origin.clone());
    }
    for (name, item) in &mut config.contexts {
        item.origin = old.contexts.get(name).and_then(|item| item.origin.clone());
    }
    Ok(config)
}

fn typed(kind: Type, text: &str, raw: bool) -> Result<Value> {
    match kind {
        Type::Text => Ok(json!(text)),
        Type::Bytes if raw => Ok(json!(base64::engine::general_purpose::STANDARD.encode(text))),
        Type::Bytes => match base64::engine::general_purpose::STANDARD.decode(text) {
            Ok(_) => Ok(json!(text)),
            Err(error) => Err(Error::new(format!("error decoding input value: {error}"))),
        },
        Type::Flag => match text {
            "true" | "True" | "TRUE" | "t" | "T" | "1" => Ok(json!(true)),
            "false" | "False" | "FALSE" | "f" | "F" | "0" => Ok(json!(false)),
            other => Err(Error::new(format!("strconv.ParseBool: parsing {}: invalid syntax", quote(other)))),
        },
        Type::Map => Err(Error::new("can't set a map to a value: map[]")),
    }
}

fn write(cx: &Context, tree: Value, old: &Config) -> Result<()> {
    let config = from_tree(tree, old)?;
    Ok(kubeconfig::modify(&cx.sources(), &config, false)?)
}

impl Run for SetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [path, text] = exactly(cx, self.words, "set")?;
        if text.is_empty() {
            return Err(Error::new("you cannot use set to unset a property"));
        }
        if path.is_empty() {
            return Err(Error::new("you must specify a property"));
        }
        let config = load(cx)?;
        let place = Place::parse(&path)?;
        let mut tree = to_tree(&config);
        let keys: Vec<&str> = place.keys.iter().map(String::as_str).collect();
        crate::object::meta::set(&mut tree, &keys, typed(place.kind, &text, self.set_raw_bytes)?);
        write(cx, tree, &config)?;
        cx.line(format!("Property {} set.", quote(&path)))
    }
}

impl Run for UnsetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [path] = exactly(cx, self.words, "unset")?;
        if path.is_empty() {
            return Err(Error::new("you must specify a property"));
        }
        let config = load(cx)?;
        let place = Place::parse(&path)?;
        let mut tree = to_tree(&config);
        let keys: Vec<&str> = place.keys.iter().map(String::as_str).collect();
        if let [section, name, _, ..] = keys.as_slice()
            && tree.get(*section).and_then(|entries| entries.get(*name)).is_none()
        {
            return Err(Error::new(format!("current map key `{name}` is invalid")));
        }
        crate::object::meta::remove(&mut tree, &keys);
        write(cx, tree, &config)?;
        cx.line(format!("Property {} unset.", quote(&path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_dots() {
        let keys = |path: &str| Place::parse(path).map(|place| place.keys).map_err(|error| error.text());
        assert_eq!(
            keys("clusters.10.0.0.1.insecure-skip-tls-verify"),
            Ok(vec!["clusters".into(), "10.0.0.1".into(), "insecure-skip-tls-verify".into()])
        );
        assert_eq!(keys("contexts.a.b"), Ok(vec!["contexts".into(), "a.b".into()]));
        assert!(keys("nosuch.a").is_err());
    }
}
