//! What a file of preferences holds (`kubectl.config.k8s.io`, versions `v1beta1` and `v1alpha1`).

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kubeconfig::PluginPolicy;
use crate::manifest;
use crate::object::meta::str_at;

const GROUP: &str = "kubectl.config.k8s.io";

/// Preferences, in the form of `v1beta1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preference {
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_version: String,
    /// Other defaults for the flags of commands.
    pub defaults: Option<Vec<Defaults>>,
    /// Other words for commands.
    pub aliases: Option<Vec<Alias>>,
    /// Which programs may supply credentials: `AllowAll`, `DenyAll` or `Allowlist`; empty for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credential_plugin_policy: String,
    /// The programs that `Allowlist` allows.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub credential_plugin_allowlist: Option<Vec<Allowed>>,
}

/// Other defaults for the flags of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Defaults {
    /// The command's words.
    pub command: String,
    /// Flags and their values.
    pub options: Option<Vec<Flag>>,
}

/// Another word for a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alias {
    /// The word.
    pub name: String,
    /// The words of the command that it stands for.
    pub command: String,
    /// Words that go before the user's.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub prepend_args: Option<Vec<String>>,
    /// Words that go behind the user's.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub append_args: Option<Vec<String>>,
    /// Flags and their values.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub options: Option<Vec<Flag>>,
}

/// A flag by its long name, and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flag {
    /// The name without dashes.
    pub name: String,
    /// The value.
    pub default: String,
}

/// A program that may supply credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allowed {
    /// An older word for `command`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its name or path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn none_or_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

/// Preferences as they were read.
#[derive(Debug)]
pub struct Loaded {
    /// What they say.
    pub preference: Preference,
    /// What strict reading objects to.
    pub strict: Vec<String>,
}

/// The first document of a file that holds preferences; nothing for an empty file.
///
/// # Errors
/// A file with documents, none of which holds preferences.
pub fn decode(bytes: &[u8], file: &Path) -> Result<Option<Loaded>, String> {
    let mut tried = false;
    for piece in manifest::split(bytes) {
        let piece = piece.map_err(|error| error.to_string())?;
        if piece.text.trim_ascii().is_empty() {
            continue;
        }
        tried = true;
        if let Some(loaded) = manifest::yaml_to_value(piece.text, false).ok().and_then(of_value) {
            return Ok(Some(loaded));
        }
    }
    if tried {
        return Err(format!("no valid preferences found in {}, use --v=5 to see details", file.display()));
    }
    Ok(None)
}

/// One document, if it holds preferences of a known version.
fn of_value(mut value: Value) -> Option<Loaded> {
    let version = str_at(&value, &["apiVersion"]).strip_prefix(GROUP)?.strip_prefix('/')?.to_owned();
    if str_at(&value, &["kind"]) != "Preference" {
        return None;
    }
    let strict = match version.as_str() {
        "v1beta1" => unknown_fields(&value, &BETA),
        "v1alpha1" => {
            let strict = unknown_fields(&value, &ALPHA);
            to_beta(&mut value);
            strict
        }
        _ => return None,
    };
    let mut preference: Preference = serde_json::from_value(value).ok()?;
    for entry in preference.credential_plugin_allowlist.iter_mut().flatten() {
        if !entry.name.is_empty() && !entry.command.is_empty() && entry.name != entry.command {
            return None;
        }
        let name = std::mem::take(&mut entry.name);
        if entry.command.is_empty() {
            entry.command = name;
        }
    }
    Some(Loaded { preference, strict })
}

/// Moves what the older version calls otherwise.
fn to_beta(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else { return };
    fields.remove("defaults");
    if let Some(overrides) = fields.remove("overrides") {
        fields.insert("defaults".into(), overrides);
    }
    for list in ["defaults", "aliases"] {
        for item in fields.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(item) = item.as_object_mut() else { continue };
            item.remove("options");
            if let Some(flags) = item.remove("flags") {
                item.insert("options".into(), flags);
            }
        }
    }
}

/// The fields of a version: path with `[]` for items, and the names there.
type Known = [(&'static str, &'static [&'static str])];

const BETA: [(&str, &[&str]); 6] = [
    ("", &["kind", "apiVersion", "defaults", "aliases", "credentialPluginPolicy", "credentialPluginAllowlist"]),
    ("defaults[]", &["command", "options"]),
    ("aliases[]", &["name", "command", "prependArgs", "appendArgs", "options"]),
    ("defaults[].options[]", &["name", "default"]),
    ("aliases[].options[]", &["name", "default"]),
    ("credentialPluginAllowlist[]", &["name", "command"]),
];

const ALPHA: [(&str, &[&str]); 5] = [
    ("", &["kind", "apiVersion", "overrides", "aliases"]),
    ("overrides[]", &["command", "flags"]),
    ("aliases[]", &["name", "command", "prependArgs", "appendArgs", "flags"]),
    ("overrides[].flags[]", &["name", "default"]),
    ("aliases[].flags[]", &["name", "default"]),
];

fn unknown_fields(value: &Value, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    look(value, "", "", known, &mut found);
    found
}

fn look(value: &Value, path: &str, place: &str, known: &Known, found: &mut Vec<String>) {
    let within = |path: &str, key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => {
            let Some((_, names)) = known.iter().find(|(of, _)| *of == place) else { return };
            for (key, value) in fields {
                if names.contains(&key.as_str()) {
                    look(value, &within(path, key), &within(place, key), known, found);
                } else {
                    found.push(format!("unknown field \"{}\"", within(path, key)));
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                look(item, &format!("{path}[{i}]"), &format!("{place}[]"), known, found);
            }
        }
        _ => {}
    }
}

impl Preference {
    /// Preferences without content.
    pub fn new() -> Self {
        Self { kind: "Preference".into(), api_version: format!("{GROUP}/v1beta1"), ..Self::default() }
    }

    /// Those that `kuberc view` offers to begin with: apply on the server's side, and ask before deletions.
    pub fn recommended() -> Self {
        let one = |command: &str, flag: &str| Defaults {
            command: command.into(),
            options: Some(vec![Flag { name: flag.into(), default: "true".into() }]),
        };
        Self { defaults: Some(vec![one("apply", "server-side"), one("delete", "interactive")]), ..Self::new() }
    }

    /// As a value, its fields by name.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Which programs may supply credentials.
    pub fn plugin_policy(&self) -> PluginPolicy {
        PluginPolicy {
            policy: self.credential_plugin_policy.clone(),
            allowlist: self
                .credential_plugin_allowlist
                .as_ref()
                .map(|list| list.iter().map(|entry| entry.command.clone()).collect()),
        }
    }

    /// Checks names of aliases and flags, and the policy.
    ///
    /// # Errors
    /// The first finding, in kubectl's words.
    pub fn validate(&self) -> Result<(), String> {
        let flags = |flags: &Option<Vec<Flag>>| {
            let dashed = flags.iter().flatten().find(|flag| flag.name.starts_with('-'));
            dashed.map_or(Ok(()), |flag| Err(format!("flag name {} should be in long form without dashes", flag.name)))
        };
        let mut seen = Vec::new();
        for alias in self.aliases.iter().flatten() {
            if alias.name.is_empty() || !alias.name.chars().all(|c| c.is_ascii_alphabetic()) {
                return Err("invalid alias name, can only include alphabetical characters".into());
            }
            flags(&alias.options)?;
            if seen.contains(&&alias.name) {
                return Err(format!("duplicate alias name {}", alias.name));
            }
            seen.push(&alias.name);
        }
        self.defaults.iter().flatten().try_for_each(|defaults| flags(&defaults.options))?;
        self.plugin_policy().validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<Option<Loaded>, String> {
        decode(text.as_bytes(), Path::new("f"))
    }

    #[test]
    fn versions_and_unknown_fields() {
        let alpha = "apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\noverrides:\n- command: get\n  \
                     flags: [{name: output, default: wide, odd: 1}]\n";
        let loaded = decoded(&format!("---\nkind: Other\n---\n{alpha}")).expect("readable").expect("preferences");
        let flag = Flag { name: "output".into(), default: "wide".into() };
        assert_eq!(
            loaded.preference.defaults,
            Some(vec![Defaults { command: "get".into(), options: Some(vec![flag]) }])
        );
        assert_eq!(loaded.strict, ["unknown field \"overrides[0].flags[0].odd\""]);
        assert!(decoded("\n").expect("empty").is_none());
        let refusal = decoded("apiVersion: v1\nkind: Preference").expect_err("another group");
        assert_eq!(refusal, "no valid preferences found in f, use --v=5 to see details");
    }

    #[test]
    fn contradictions_are_told() {
        let check = |yaml: &str| {
            let text = format!("apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n{yaml}");
            decoded(&text).expect("readable").expect("preferences").preference.validate()
        };
        assert_eq!(
            check("aliases: [{name: a-b}]"),
            Err("invalid alias name, can only include alphabetical characters".into())
        );
        assert_eq!(check("aliases: [{name: a}, {name: a}]"), Err("duplicate alias name a".into()));
        assert_eq!(
            check("defaults: [{command: get, options: [{name: -o}]}]"),
            Err("flag name -o should be in long form without dashes".into())
        );
        assert_eq!(
            check("credentialPluginPolicy: Allowlist"),
            Err("credential plugin policy set to \"Allowlist\", but allowlist is unspecified".into())
        );
        assert_eq!(check("aliases: [{name: getn, command: get}]"), Ok(()));
    }
}
