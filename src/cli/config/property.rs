//! `config set` and `config unset`: one value of the kubeconfig by its path.
//!
//! A path is words joined by dots. The name of an entry may hold dots itself: it ends where a word is a field of the
//! entry (`clusters.10.0.0.1.server`).

use base64::Engine as _;
use clap::Parser;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::kubeconfig::{AuthInfo, Cluster, Config, Context as Entry, Preferences};
use crate::object::go::quote;

/// Set one value of the kubeconfig.
#[derive(Parser)]
pub struct SetArgs {
    /// The path, such as clusters.NAME.server, and the value
    #[arg(value_name = "PROPERTY")]
    words: Vec<String>,
    /// The value of a field of data is the data itself, not its base64 form
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    set_raw_bytes: Option<bool>,
}

/// Remove one value of the kubeconfig.
#[derive(Parser)]
pub struct UnsetArgs {
    /// The path, such as contexts.NAME.namespace
    #[arg(value_name = "PROPERTY")]
    words: Vec<String>,
}

impl Run for SetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [property, value] = super::exactly(cx, self.words)?;
        if value.is_empty() {
            return Err(Error::new("you cannot use set to unset a property"));
        }
        change(cx, &property, &Change::Set { value: &value, raw: self.set_raw_bytes == Some(true) })?;
        cx.line(format!("Property {} set.", quote(&property)))
    }
}

impl Run for UnsetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [property] = super::exactly(cx, self.words)?;
        change(cx, &property, &Change::Unset)?;
        cx.line(format!("Property {} unset.", quote(&property)))
    }
}

fn change(cx: &Context, property: &str, change: &Change<'_>) -> Result<()> {
    if property.is_empty() {
        return Err(Error::new("you must specify a property"));
    }
    let mut config = super::starting(cx)?;
    change.apply(&mut config, property)?;
    super::save(cx, &config, false)
}

/// What is done to a value.
enum Change<'a> {
    Set { value: &'a str, raw: bool },
    Unset,
}

/// A field, by what it can hold.
enum Slot<'a> {
    Text(&'a mut String),
    /// Bytes, kept as base64.
    Data(&'a mut String),
    Switch(&'a mut bool),
    /// Nothing that a text could set; it can only be cleared.
    Whole(Box<dyn FnOnce() + 'a>, &'static str),
}

/// A field that can only be cleared.
fn whole<'a, T: Default>(field: &'a mut T, refusal: &'static str) -> Slot<'a> {
    Slot::Whole(Box::new(move || *field = T::default()), refusal)
}

const MAP: &str = "can't set a map to a value: map[]";
const LIST: &str = "unrecognized slice type. string";
const OBJECT: &str = "can't set an object to a value";

/// What has named fields.
trait Fields: Default {
    /// Its name in errors.
    const TYPE: &'static str;
    /// The names of its fields.
    const NAMES: &'static [&'static str];
    /// The field of that name.
    fn slot(&mut self, name: &str) -> Option<Slot<'_>>;
}

impl Fields for Preferences {
    const TYPE: &'static str = "api.Preferences";
    const NAMES: &'static [&'static str] = &["colors", "extensions"];

    fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
        match name {
            "colors" => Some(Slot::Switch(&mut self.colors)),
            "extensions" => Some(whole(&mut self.extensions, MAP)),
            _ => None,
        }
    }
}

impl Fields for Cluster {
    const TYPE: &'static str = "api.Cluster";
    const NAMES: &'static [&'static str] = &[
        "server",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority",
        "certificate-authority-data",
        "proxy-url",
        "disable-compression",
        "extensions",
    ];

    fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
        Some(match name {
            "server" => Slot::Text(&mut self.server),
            "tls-server-name" => Slot::Text(&mut self.tls_server_name),
            "insecure-skip-tls-verify" => Slot::Switch(&mut self.insecure_skip_tls_verify),
            "certificate-authority" => Slot::Text(&mut self.certificate_authority),
            "certificate-authority-data" => Slot::Data(&mut self.certificate_authority_data),
            "proxy-url" => Slot::Text(&mut self.proxy_url),
            "disable-compression" => Slot::Switch(&mut self.disable_compression),
            "extensions" => whole(&mut self.extensions, MAP),
            _ => return None,
        })
    }
}

impl Fields for AuthInfo {
    const TYPE: &'static str = "api.AuthInfo";
    const NAMES: &'static [&'static str] = &[
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "token",
        "tokenFile",
        "act-as",
        "act-as-uid",
        "act-as-groups",
        "act-as-user-extra",
        "username",
        "password",
        "auth-provider",
        "exec",
        "extensions",
    ];

    fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
        Some(match name {
            "client-certificate" => Slot::Text(&mut self.client_certificate),
            "client-certificate-data" => Slot::Data(&mut self.client_certificate_data),
            "client-key" => Slot::Text(&mut self.client_key),
            "client-key-data" => Slot::Data(&mut self.client_key_data),
            "token" => Slot::Text(&mut self.token),
            "tokenFile" => Slot::Text(&mut self.token_file),
            "act-as" => Slot::Text(&mut self.impersonate),
            "act-as-uid" => Slot::Text(&mut self.impersonate_uid),
            "act-as-groups" => whole(&mut self.impersonate_groups, LIST),
            "act-as-user-extra" => whole(&mut self.impersonate_extra, MAP),
            "username" => Slot::Text(&mut self.username),
            "password" => Slot::Text(&mut self.password),
            "auth-provider" => whole(&mut self.auth_provider, OBJECT),
            "exec" => whole(&mut self.exec, OBJECT),
            "extensions" => whole(&mut self.extensions, MAP),
            _ => return None,
        })
    }
}

impl Fields for Entry {
    const TYPE: &'static str = "api.Context";
    const NAMES: &'static [&'static str] = &["cluster", "user", "namespace", "extensions"];

    fn slot(&mut self, name: &str) -> Option<Slot<'_>> {
        Some(match name {
            "cluster" => Slot::Text(&mut self.cluster),
            "user" => Slot::Text(&mut self.user),
            "namespace" => Slot::Text(&mut self.namespace),
            "extensions" => whole(&mut self.extensions, MAP),
            _ => return None,
        })
    }
}

type Entries<T> = std::collections::BTreeMap<String, T>;

impl Change<'_> {
    fn apply(&self, config: &mut Config, property: &str) -> Result<()> {
        let parts: Vec<&str> = property.split('.').collect();
        let (first, rest) = parts.split_first().map_or(("", [].as_slice()), |(first, rest)| (*first, rest));
        match first {
            "clusters" => self.entry(&mut config.clusters, property, first, rest),
            "users" => self.entry(&mut config.users, property, first, rest),
            "contexts" => self.entry(&mut config.contexts, property, first, rest),
            "preferences" if rest.is_empty() => self.put(whole(&mut config.preferences, OBJECT)),
            "preferences" => self.field(&mut config.preferences, property, &[first], rest),
            "current-context" | "extensions" | "kind" | "apiVersion" if !rest.is_empty() => Err(no_field(property)),
            "current-context" => self.put(Slot::Text(&mut config.current_context)),
            "extensions" => self.put(whole(&mut config.extensions, MAP)),
            // Every file of this kind has the same type; what is set here is not kept.
            "kind" | "apiVersion" => Ok(()),
            _ => Err(unknown(property, &[], "api.Config")),
        }
    }

    /// An entry of a list of names, or a field of one.
    fn entry<T: Fields>(&self, entries: &mut Entries<T>, property: &str, list: &str, parts: &[&str]) -> Result<()> {
        if parts.is_empty() {
            return match self {
                Self::Unset => {
                    entries.clear();
                    Ok(())
                }
                Self::Set { .. } => Err(no_map(entries)),
            };
        }
        let field_at = parts.iter().skip(1).position(|part| T::NAMES.contains(part)).map_or(parts.len(), |at| at + 1);
        let (name, rest) = parts.split_at(field_at);
        let name = name.join(".");
        if rest.is_empty() {
            return match self {
                Self::Unset => {
                    entries.remove(&name);
                    Ok(())
                }
                Self::Set { .. } => Err(no_map(entries)),
            };
        }
        if matches!(self, Self::Unset) && !entries.contains_key(&name) {
            return Err(Error::new(format!("current map key `{name}` is invalid")));
        }
        let mut entry = entries.remove(&name).unwrap_or_default();
        self.field(&mut entry, property, &[list, &name], rest)?;
        entries.insert(name, entry);
        Ok(())
    }

    fn field<T: Fields>(&self, item: &mut T, property: &str, before: &[&str], parts: &[&str]) -> Result<()> {
        match parts {
            [name] => match item.slot(name) {
                Some(slot) => self.put(slot),
                None => Err(unknown(property, before, T::TYPE)),
            },
            _ => Err(no_field(property)),
        }
    }

    fn put(&self, slot: Slot<'_>) -> Result<()> {
        match (self, slot) {
            (Self::Unset, Slot::Text(field) | Slot::Data(field)) => field.clear(),
            (Self::Unset, Slot::Switch(field)) => *field = false,
            (Self::Unset, Slot::Whole(clear, _)) => clear(),
            (Self::Set { value, .. }, Slot::Text(field)) => (*value).clone_into(field),
            (Self::Set { value, raw: true }, Slot::Data(field)) => *field = encode(value.as_bytes()),
            (Self::Set { value, raw: false }, Slot::Data(field)) => *field = encode(&decode(value)?),
            (Self::Set { value, .. }, Slot::Switch(field)) => *field = parse_bool(value)?,
            (Self::Set { .. }, Slot::Whole(_, refusal)) => return Err(Error::new(refusal)),
        }
        Ok(())
    }
}

fn no_field(property: &str) -> Error {
    Error::new(format!("unable to parse one or more field values of {property}"))
}

fn unknown(property: &str, before: &[&str], type_: &str) -> Error {
    let before: Vec<String> = before.iter().map(|step| format!("{{{step}}}")).collect();
    Error::new(format!("unable to parse {property} after [{}] at {type_}", before.join(" ")))
}

fn no_map<T>(entries: &Entries<T>) -> Error {
    let names: Vec<&str> = entries.keys().map(String::as_str).collect();
    Error::new(format!("can't set a map to a value: map[{}]", names.join(" ")))
}

fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>> {
    use base64::DecodeError;
    let text: String = text.chars().filter(|letter| !matches!(letter, '\r' | '\n')).collect();
    base64::engine::general_purpose::STANDARD.decode(&text).map_err(|error| {
        let at = match error {
            DecodeError::InvalidByte(at, _) => at,
            // Go names the start of the group that is not whole.
            _ => text.len() - text.len() % 4,
        };
        Error::new(format!("error decoding input value: illegal base64 data at input byte {at}"))
    })
}

fn parse_bool(text: &str) -> Result<bool> {
    crate::cli::pflag::parse_bool(text)
        .ok_or_else(|| Error::new(format!("strconv.ParseBool: parsing {}: invalid syntax", quote(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(config: &mut Config, property: &str, value: &str) -> Result<(), String> {
        Change::Set { value, raw: false }.apply(config, property).map_err(|error| error.text())
    }

    #[test]
    fn names_may_hold_dots() {
        let mut config = Config::default();
        assert_eq!(set(&mut config, "clusters.10.0.0.1.server", "https://k"), Ok(()));
        assert_eq!(config.clusters["10.0.0.1"].server, "https://k");
        assert_eq!(set(&mut config, "users.a@b.c.client-key-data", "aGk="), Ok(()));
        assert_eq!(config.users["a@b.c"].client_key_data, "aGk=");
        assert!(Change::Unset.apply(&mut config, "clusters.10.0.0.1").is_ok());
        assert!(config.clusters.is_empty());
    }

    #[test]
    fn refusals() {
        let mut config = Config::default();
        let mut refusal = |property: &str, value: &str| set(&mut config, property, value).unwrap_err();
        assert_eq!(refusal("foo.bar", "x"), "unable to parse foo.bar after [] at api.Config");
        assert_eq!(refusal("clusters.a", "x"), "can't set a map to a value: map[]");
        assert_eq!(
            refusal("clusters.a.certificate-authority-data", "ab$d"),
            "error decoding input value: illegal base64 data at input byte 2"
        );
        assert_eq!(
            refusal("clusters.a.certificate-authority-data", "abc"),
            "error decoding input value: illegal base64 data at input byte 0"
        );
        assert_eq!(
            refusal("clusters.a.insecure-skip-tls-verify", "maybe"),
            "strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(
            refusal("users.a.exec.command", "x"),
            "unable to parse one or more field values of users.a.exec.command"
        );
        let unset = Change::Unset.apply(&mut config, "contexts.nope.namespace").unwrap_err();
        assert_eq!(unset.text(), "current map key `nope` is invalid");
    }
}
