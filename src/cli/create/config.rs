//! `create configmap` and `create secret`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Parser;
use serde_json::{Map, Value, json};

use super::generated::{GeneratedArgs, Making};
use super::key_pair;
use super::sources::{SourceArgs, read_file};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::cli::verb::{Group, Run, Verb};
use crate::object::go::quote;
use crate::object::hash::content_hash;
use crate::object::{json as go, names};

/// The kinds of secrets.
pub const SECRETS: &[Verb] = &[
    Verb::of::<DockerRegistryArgs>("docker-registry", Group::Basic),
    Verb::of::<TlsArgs>("tls", Group::Basic),
    Verb::of::<GenericArgs>("generic", Group::Basic),
];

/// Create a secret.
#[derive(Parser)]
pub struct SecretArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Create a config map from files and literals.
#[derive(Parser)]
pub struct ConfigMapArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// Append a hash of the content to the name
    #[arg(long)]
    append_hash: bool,
}

impl Run for ConfigMapArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        self.sources.check()?;
        let (mut data, mut binary) = (Map::new(), Map::new());
        self.sources.read(cx, "config", &mut |key, value| {
            let wrong = names::is_config_map_key(key);
            if !wrong.is_empty() {
                let text = format!("{} is not a valid key name for a ConfigMap: {}", quote(key), wrong.join(","));
                return Err(Error::new(text));
            }
            for (name, taken) in [("Data", &data), ("BinaryData", &binary)] {
                if taken.contains_key(key) {
                    return Err(Error::new(format!(
                        "cannot add key {}, another key by that name already exists in {name} for ConfigMap {}",
                        quote(key),
                        quote(&making.name)
                    )));
                }
            }
            match String::from_utf8(value) {
                Ok(text) => data.insert(key.to_owned(), text.into()),
                Err(error) => binary.insert(key.to_owned(), BASE64.encode(error.as_bytes()).into()),
            };
            Ok(())
        })?;
        let mut object = making.object("v1", "ConfigMap")?;
        if self.append_hash {
            let mut content = json!({"kind": "ConfigMap", "name": making.name, "data": data});
            if !binary.is_empty() {
                content["binaryData"] = Value::Object(binary.clone());
            }
            object["metadata"]["name"] = format!("{}-{}", making.name, content_hash(&go::to_compact(&content))).into();
        }
        object["data"] = data.into();
        object["binaryData"] = binary.into();
        making.finish(object, "failed to create configmap: ").await
    }
}

/// The data of a secret in the making.
#[derive(Default)]
struct SecretData(Map<String, Value>);

impl SecretData {
    fn add(&mut self, key: &str, value: &[u8]) -> Result<()> {
        let wrong = names::is_config_map_key(key);
        if !wrong.is_empty() {
            return Err(Error::new(format!("{} is not valid key name for a Secret {}", quote(key), wrong.join(";"))));
        }
        if self.0.contains_key(key) {
            return Err(Error::new(format!("cannot add key {key}, another key by that name already exists")));
        }
        self.0.insert(key.to_owned(), BASE64.encode(value).into());
        Ok(())
    }

    async fn finish(self, making: &Making<'_>, type_: &str, append_hash: bool) -> Result<()> {
        let mut object = making.object("v1", "Secret")?;
        if append_hash {
            let content = json!({"kind": "Secret", "type": type_, "name": making.name, "data": self.0});
            object["metadata"]["name"] = format!("{}-{}", making.name, content_hash(&go::to_compact(&content))).into();
        }
        object["type"] = type_.into();
        object["data"] = self.0.into();
        making.finish(object, "failed to create secret ").await
    }
}

/// Create a secret from files and literals.
#[derive(Parser)]
pub struct GenericArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// The secret's type
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    type_: String,
    /// Append a hash of the content to the name
    #[arg(long)]
    append_hash: bool,
}

impl Run for GenericArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        self.sources.check()?;
        let mut data = SecretData::default();
        self.sources.read(cx, "secret", &mut |key, value| data.add(key, &value))?;
        data.finish(&making, &self.type_, self.append_hash).await
    }
}

/// Create a secret from a certificate and its key.
#[derive(Parser)]
pub struct TlsArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// File with the certificate, in PEM
    #[arg(long, value_name = "FILE", default_value = "")]
    cert: String,
    /// File with its private key, in PEM
    #[arg(long, value_name = "FILE", default_value = "")]
    key: String,
    /// Append a hash of the content to the name
    #[arg(long)]
    append_hash: bool,
}

impl Run for TlsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        if self.key.is_empty() || self.cert.is_empty() {
            return Err(Error::new("key and cert must be specified"));
        }
        let read = |file: &str| {
            let failed =
                |error| Error::new(format!("Cannot read file {file}, {}", path_error("open", file, &error).text()));
            std::fs::read(file).map_err(failed)
        };
        let (certificate, key) = (read(&self.cert)?, read(&self.key)?);
        key_pair::check(&certificate, &key).map_err(Error::new)?;
        let mut data = SecretData::default();
        data.add("tls.crt", &certificate)?;
        data.add("tls.key", &key)?;
        data.finish(&making, "kubernetes.io/tls", self.append_hash).await
    }
}

/// Create a secret for an image registry.
#[derive(Parser)]
pub struct DockerRegistryArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// User name at the registry
    #[arg(long, value_name = "NAME", default_value = "")]
    docker_username: String,
    /// Password at the registry
    #[arg(long, value_name = "PASSWORD", default_value = "")]
    docker_password: String,
    /// Email address at the registry
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    docker_email: String,
    /// The registry
    #[arg(long, value_name = "SERVER", default_value = "https://index.docker.io/v1/")]
    docker_server: String,
    /// File with the configuration, or KEY=FILE; may be repeated
    #[arg(long, value_name = "[KEY=]FILE", value_delimiter = ',')]
    from_file: Vec<String>,
    /// Append a hash of the content to the name
    #[arg(long)]
    append_hash: bool,
}

const DOCKER_CONFIG: &str = ".dockerconfigjson";

impl DockerRegistryArgs {
    fn check(&self) -> Result<()> {
        let given = [&self.docker_username, &self.docker_password, &self.docker_server];
        if self.from_file.is_empty() && given.iter().any(|text| text.is_empty()) {
            return Err(Error::new(
                "either --from-file or the combination of --docker-username, --docker-password and --docker-server is \
                 required",
            ));
        }
        Ok(())
    }

    /// The configuration as Go writes its struct.
    fn configuration(&self) -> String {
        let auth = BASE64.encode(format!("{}:{}", self.docker_username, self.docker_password));
        let fields = [
            ("username", self.docker_username.as_str()),
            ("password", &self.docker_password),
            ("email", &self.docker_email),
            ("auth", &auth),
        ];
        let quoted = |text: &str| go::to_compact(&text.into());
        let fields = fields.iter().filter(|(_, value)| !value.is_empty());
        let entry: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{}", quoted(value))).collect();
        format!("{{\"auths\":{{{}:{{{}}}}}}}", quoted(&self.docker_server), entry.join(","))
    }
}

impl Run for DockerRegistryArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        self.check()?;
        let mut data = SecretData::default();
        for source in &self.from_file {
            let source = if source.contains('=') { source.clone() } else { format!("{DOCKER_CONFIG}={source}") };
            read_file(&source, &mut |key, value| data.add(key, &value))?;
        }
        if self.from_file.is_empty() {
            data.add(DOCKER_CONFIG, self.configuration().as_bytes())?;
        }
        data.finish(&making, "kubernetes.io/dockerconfigjson", self.append_hash).await
    }
}
