//! What a kubeconfig holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kubeconfig with its lists as maps by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Deprecated; kept as it was.
    pub preferences: Preferences,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Users by name.
    pub users: BTreeMap<String, AuthInfo>,
    /// Contexts by name.
    pub contexts: BTreeMap<String, Context>,
    /// Name of the current context, or empty.
    pub current_context: String,
    /// What other tools keep here.
    pub extensions: Vec<NamedExtension>,
}

/// Deprecated settings, kept as they were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Whether to use colours.
    #[serde(skip_serializing_if = "is_false")]
    pub colors: bool,
    /// What other tools keep here.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub extensions: Vec<NamedExtension>,
}

/// A value that another tool keeps in a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamedExtension {
    /// Its name.
    pub name: String,
    /// The value, untouched.
    pub extension: Value,
}

/// How to reach a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Cluster {
    /// URL of the API server.
    pub server: String,
    /// Name that the server's certificate must bear.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tls_server_name: String,
    /// Whether the server's certificate is not checked.
    #[serde(skip_serializing_if = "is_false")]
    pub insecure_skip_tls_verify: bool,
    /// File of the certificate authority.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub certificate_authority: String,
    /// The certificate authority itself, PEM in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub certificate_authority_data: String,
    /// URL of a proxy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub proxy_url: String,
    /// Whether to ask for uncompressed answers.
    #[serde(skip_serializing_if = "is_false")]
    pub disable_compression: bool,
    /// What other tools keep here.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub extensions: Vec<NamedExtension>,
    /// The file it was read from.
    #[serde(skip)]
    pub origin: Option<PathBuf>,
}

/// Who the user is, and the proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct AuthInfo {
    /// File of the client certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_certificate: String,
    /// The client certificate itself, PEM in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_certificate_data: String,
    /// File of its key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_key: String,
    /// The key itself, PEM in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_key_data: String,
    /// Bearer token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// File with a bearer token.
    #[serde(rename = "tokenFile", skip_serializing_if = "String::is_empty")]
    pub token_file: String,
    /// User to act as.
    #[serde(rename = "as", skip_serializing_if = "String::is_empty")]
    pub impersonate: String,
    /// Uid to act with.
    #[serde(rename = "as-uid", skip_serializing_if = "String::is_empty")]
    pub impersonate_uid: String,
    /// Groups to act with.
    #[serde(rename = "as-groups", skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub impersonate_groups: Vec<String>,
    /// Further attributes to act with.
    #[serde(rename = "as-user-extra", skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub impersonate_extra: BTreeMap<String, Vec<String>>,
    /// User name for basic authentication.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Password for basic authentication.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// Legacy authentication plugin; kept, not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_provider: Option<AuthProvider>,
    /// Program that supplies credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecConfig>,
    /// What other tools keep here.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub extensions: Vec<NamedExtension>,
    /// The file it was read from.
    #[serde(skip)]
    pub origin: Option<PathBuf>,
}

/// Settings of a legacy authentication plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthProvider {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub config: Option<BTreeMap<String, String>>,
}

/// A program that supplies credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExecConfig {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Option<Vec<String>>,
    /// Variables added to its environment.
    pub env: Option<Vec<ExecEnv>>,
    /// Version of the exchange, such as `client.authentication.k8s.io/v1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// How to get the program where it is missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub install_hint: String,
    /// Whether the program is told about the cluster.
    pub provide_cluster_info: bool,
    /// `Never`, `IfAvailable` or `Always`: whether the program reads standard input.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interactive_mode: String,
}

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecEnv {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A cluster, a user and a namespace under one name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the user.
    pub user: String,
    /// Namespace for requests that name none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What other tools keep here.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub extensions: Vec<NamedExtension>,
    /// The file it was read from.
    #[serde(skip)]
    pub origin: Option<PathBuf>,
}

/// The file's own form, in the order of Go's struct.
#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(default, rename = "apiVersion", skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(default, skip_serializing_if = "is_default", deserialize_with = "nullable")]
    preferences: Preferences,
    #[serde(default)]
    clusters: Option<Vec<NamedCluster>>,
    #[serde(default)]
    users: Option<Vec<NamedUser>>,
    #[serde(default)]
    contexts: Option<Vec<NamedContext>>,
    #[serde(default, rename = "current-context", deserialize_with = "nullable")]
    current_context: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    extensions: Vec<NamedExtension>,
}

#[derive(Serialize, Deserialize)]
struct NamedCluster {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    cluster: Cluster,
}

#[derive(Serialize, Deserialize)]
struct NamedUser {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    user: AuthInfo,
}

#[derive(Serialize, Deserialize)]
struct NamedContext {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    context: Context,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `null` reads as empty.
fn nullable<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn by_name<T>(list: &str, items: Option<Vec<(String, T)>>) -> Result<BTreeMap<String, T>, String> {
    let mut map = BTreeMap::new();
    for (name, item) in items.unwrap_or_default() {
        if map.contains_key(&name) {
            return Err(format!("error converting *[]{list} into *map: duplicate name \"{name}\" in list"));
        }
        map.insert(name, item);
    }
    Ok(map)
}

impl Config {
    /// Reads the file's form.
    ///
    /// # Errors
    /// A field of another type, or a name that occurs twice in a list.
    pub fn from_value(mut value: Value) -> Result<Self, String> {
        super::go_types::check(&mut value)?;
        let file: File = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let clusters = file.clusters.map(|list| list.into_iter().map(|item| (item.name, item.cluster)).collect());
        let users = file.users.map(|list| list.into_iter().map(|item| (item.name, item.user)).collect());
        let contexts = file.contexts.map(|list| list.into_iter().map(|item| (item.name, item.context)).collect());
        let mut config = Self {
            preferences: file.preferences,
            clusters: by_name("NamedCluster", clusters)?,
            users: by_name("NamedAuthInfo", users)?,
            contexts: by_name("NamedContext", contexts)?,
            current_context: file.current_context,
            extensions: file.extensions,
        };
        for exec in config.users.values_mut().filter_map(|user| user.exec.as_mut()) {
            // Versions before v1 knew no interactive modes.
            if exec.interactive_mode.is_empty() && exec.api_version == "client.authentication.k8s.io/v1beta1" {
                exec.interactive_mode = "IfAvailable".into();
            }
        }
        Ok(config)
    }

    fn to_file(&self) -> File {
        let some = |empty: bool| (!empty).then_some(());
        File {
            kind: "Config".into(),
            api_version: "v1".into(),
            preferences: self.preferences.clone(),
            clusters: some(self.clusters.is_empty()).map(|()| {
                let named = |(name, cluster): (&String, &Cluster)| NamedCluster {
                    name: name.clone(),
                    cluster: cluster.clone(),
                };
                self.clusters.iter().map(named).collect()
            }),
            users: some(self.users.is_empty()).map(|()| {
                let named = |(name, user): (&String, &AuthInfo)| NamedUser { name: name.clone(), user: user.clone() };
                self.users.iter().map(named).collect()
            }),
            contexts: some(self.contexts.is_empty()).map(|()| {
                let named = |(name, context): (&String, &Context)| NamedContext {
                    name: name.clone(),
                    context: context.clone(),
                };
                self.contexts.iter().map(named).collect()
            }),
            current_context: self.current_context.clone(),
            extensions: self.extensions.clone(),
        }
    }

    /// The file's form as a value, for YAML and templates.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self.to_file()).unwrap_or_default()
    }

    /// The file's form as JSON in the order of Go's struct, indented by four spaces as kubectl prints it.
    pub fn to_json(&self) -> String {
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        match self.to_file().serialize(&mut serializer) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only what the context of that name needs; `None` when there is no such context.
    #[must_use]
    pub fn minified(&self, context: &str) -> Option<Self> {
        let chosen = self.contexts.get(context)?;
        let only = |name: &String| BTreeMap::from([(name.clone(), ())]);
        let (cluster, user) = (only(&chosen.cluster), only(&chosen.user));
        Some(Self {
            clusters: self.clusters.iter().filter(|(name, _)| cluster.contains_key(*name)).map(owned).collect(),
            users: self.users.iter().filter(|(name, _)| user.contains_key(*name)).map(owned).collect(),
            contexts: BTreeMap::from([(context.to_owned(), chosen.clone())]),
            current_context: context.to_owned(),
            ..self.clone()
        })
    }

    /// The same with every secret replaced as kubectl shows it.
    #[must_use]
    pub fn redacted(&self) -> Self {
        const REDACTED: &str = "REDACTED";
        const DATA_OMITTED: &str = "DATA+OMITTED";
        let mask = |field: &mut String, with: &str| {
            if !field.is_empty() {
                with.clone_into(field);
            }
        };
        let mut config = self.clone();
        for user in config.users.values_mut() {
            mask(&mut user.token, REDACTED);
            mask(&mut user.password, REDACTED);
            mask(&mut user.client_key_data, DATA_OMITTED);
            mask(&mut user.client_certificate_data, DATA_OMITTED);
        }
        for cluster in config.clusters.values_mut() {
            mask(&mut cluster.certificate_authority_data, DATA_OMITTED);
        }
        config
    }
}

fn owned<T: Clone>((name, item): (&String, &T)) -> (String, T) {
    (name.clone(), item.clone())
}

impl Cluster {
    /// The fields that name files.
    pub fn files(&mut self) -> Vec<&mut String> {
        vec![&mut self.certificate_authority]
    }
}

impl AuthInfo {
    /// The fields that name files; a credential program counts when it is a path.
    pub fn files(&mut self) -> Vec<&mut String> {
        let mut files = vec![&mut self.client_certificate, &mut self.client_key, &mut self.token_file];
        if let Some(exec) = &mut self.exec
            && exec.command.contains(std::path::MAIN_SEPARATOR)
        {
            files.push(&mut exec.command);
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_become_maps_and_lists_again() {
        let value = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": "https://k"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "users": null,
        });
        let config = Config::from_value(value.clone()).expect("well formed");
        assert_eq!(config.clusters["k"].server, "https://k");
        assert_eq!(config.to_value(), value);
        assert!(config.minified("nope").is_none());
    }

    #[test]
    fn secrets_are_masked() {
        let user = json!({"name": "u", "user": {"token": "t", "client-key-data": "aw=="}});
        let config = Config::from_value(json!({"users": [user]})).expect("well formed").redacted();
        let user = &config.users["u"];
        assert_eq!((user.token.as_str(), user.client_key_data.as_str()), ("REDACTED", "DATA+OMITTED"));
    }
}
