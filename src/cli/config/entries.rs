//! The verbs of `config` that are about clusters and users.

use base64::Engine as _;
use clap::Parser;

use super::{exactly, file_name, help_and, load, save};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::cli::verb::Run;
use crate::kubeconfig::{AuthInfo, AuthProvider, Cluster, ExecConfig, ExecEnv};
use crate::object::field::quote;

/// List clusters.
#[derive(Parser)]
pub struct GetClustersArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for GetClustersArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let config = load(cx)?;
        cx.line("NAME")?;
        config.clusters.keys().try_for_each(|name| cx.line(name))
    }
}

/// List users.
#[derive(Parser)]
pub struct GetUsersArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for GetUsersArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let config = load(cx)?;
        cx.line("NAME")?;
        config.users.keys().try_for_each(|name| cx.line(name))
    }
}

/// Delete a cluster.
#[derive(Parser)]
pub struct DeleteClusterArgs {
    /// The cluster
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Run for DeleteClusterArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let mut config = load(cx)?;
        let [name] = self.names.as_slice() else {
            help_and(cx, "delete-cluster", String::new());
            return Ok(());
        };
        let file = file_name(cx);
        if config.clusters.remove(name).is_none() {
            return Err(Error::new(format!("cannot delete cluster {name}, not in {file}")));
        }
        save(cx, &config)?;
        cx.line(format!("deleted cluster {name} from {file}"))
    }
}

/// Delete a user.
#[derive(Parser)]
pub struct DeleteUserArgs {
    /// The user
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Run for DeleteUserArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let mut config = load(cx)?;
        let [name] = self.names.as_slice() else { return Err(cx.usage("user to delete is required")) };
        let file = file_name(cx);
        if config.users.remove(name).is_none() {
            return Err(Error::new(format!("cannot delete user {name}, not in {file}")));
        }
        save(cx, &config)?;
        cx.line(format!("deleted user {name} from {file}"))
    }
}

/// Make or change a cluster; --server, --certificate-authority and the like say how.
#[derive(Parser)]
pub struct SetClusterArgs {
    /// The cluster
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Put the certificate itself into the kubeconfig
    #[arg(long)]
    embed_certs: bool,
    /// URL of a proxy
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
}

/// The contents of a file as a kubeconfig keeps them.
fn embedded(file: &str) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|error| path_error("open", file, &error))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn absolute(file: &str) -> String {
    if file.is_empty() {
        return String::new();
    }
    std::path::absolute(file).map_or_else(|_| file.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// Fails when a file that is to be embedded is not there.
fn must_exist(flag: &str, file: &str) -> Result<()> {
    match std::fs::metadata(file) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::new(format!("could not stat {flag} file {file}: {}", path_error("stat", file, &error).text())))
        }
    }
}

impl SetClusterArgs {
    fn check(&self, cx: &Context) -> Result<()> {
        let authority = cx.globals.certificate_authority.as_deref().unwrap_or_default();
        if cx.globals.insecure_skip_tls_verify == Some(true) && !authority.is_empty() {
            return Err(Error::new("you cannot specify a certificate authority and insecure mode at the same time"));
        }
        if self.embed_certs {
            if authority.is_empty() {
                return Err(Error::new("you must specify a --certificate-authority to embed"));
            }
            must_exist("certificate-authority", authority)?;
        }
        Ok(())
    }

    fn change(&self, cx: &Context, cluster: &mut Cluster) -> Result<()> {
        let globals = &cx.globals;
        if let Some(server) = &globals.server {
            server.clone_into(&mut cluster.server);
            cluster.tls_server_name.clear();
        }
        if let Some(name) = &globals.tls_server_name {
            name.clone_into(&mut cluster.tls_server_name);
        }
        if let Some(insecure) = globals.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = insecure;
            if insecure {
                cluster.certificate_authority.clear();
                cluster.certificate_authority_data.clear();
            }
        }
        if let Some(authority) = &globals.certificate_authority {
            if self.embed_certs {
                cluster.certificate_authority_data = embedded(authority)?;
                cluster.certificate_authority.clear();
                cluster.insecure_skip_tls_verify = false;
            } else {
                cluster.certificate_authority = absolute(authority);
                if !authority.is_empty() {
                    cluster.insecure_skip_tls_verify = false;
                    cluster.certificate_authority_data.clear();
                }
            }
        }
        if let Some(proxy) = &self.proxy_url {
            proxy.clone_into(&mut cluster.proxy_url);
        }
        Ok(())
    }
}

impl Run for SetClusterArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [name] = exactly(cx, self.names.clone(), "set-cluster")?;
        if name.is_empty() {
            return Err(Error::new("you must specify a non-empty cluster name"));
        }
        self.check(cx)?;
        let mut config = load(cx)?;
        self.change(cx, config.clusters.entry(name.clone()).or_default())?;
        save(cx, &config)?;
        cx.line(format!("Cluster {} set.", quote(&name)))
    }
}

/// Make or change a user; --token, --client-certificate and the like say how.
#[derive(Parser)]
pub struct SetCredentialsArgs {
    /// The user
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Legacy authentication plugin
    #[arg(long, value_name = "NAME")]
    auth_provider: Option<String>,
    /// Its settings, KEY=VALUE; KEY- removes one
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    auth_provider_arg: Vec<String>,
    /// Put certificate and key themselves into the kubeconfig
    #[arg(long)]
    embed_certs: bool,
    /// Version of the exchange with the credential program
    #[arg(long, value_name = "VERSION")]
    exec_api_version: Option<String>,
    /// An argument of the credential program
    #[arg(long, value_name = "ARG", value_delimiter = ',')]
    exec_arg: Vec<String>,
    /// The credential program
    #[arg(long, value_name = "PROGRAM")]
    exec_command: Option<String>,
    /// A variable for the credential program, NAME=VALUE; NAME- removes one
    #[arg(long, value_name = "NAME=VALUE")]
    exec_env: Vec<String>,
    /// Never, IfAvailable or Always
    #[arg(long, value_name = "MODE")]
    exec_interactive_mode: Option<String>,
    /// Tell the credential program about the cluster
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exec_provide_cluster_info: Option<bool>,
}

/// `KEY=VALUE` pairs, and keys to remove.
type Pairs = (Vec<(String, String)>, Vec<String>);

fn pairs(texts: &[String], flag: &str) -> Result<Pairs> {
    let (mut new, mut gone, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    for text in texts {
        match (text.split_once('='), text.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => new.push((key.to_owned(), value.to_owned())),
            (None, Some(key)) if !key.is_empty() => gone.push(key.to_owned()),
            _ => invalid.push(text.as_str()),
        }
    }
    if invalid.is_empty() {
        return Ok((new, gone));
    }
    Err(Error::new(format!("invalid {flag} format: {}", invalid.join(", "))))
}

impl SetCredentialsArgs {
    fn check(&self, cx: &Context) -> Result<()> {
        let set = |flag: &Option<String>| flag.as_ref().is_some_and(|value| !value.is_empty());
        let globals = &cx.globals;
        if set(&globals.token) && (set(&globals.username) || set(&globals.password)) {
            return Err(Error::new(
                "you cannot specify more than one authentication method at the same time: --token, --username/--password",
            ));
        }
        if self.embed_certs {
            if !set(&globals.client_certificate) && !set(&globals.client_key) {
                return Err(Error::new("you must specify a --client-certificate or --client-key to embed"));
            }
            let files = [("client-certificate", &globals.client_certificate), ("client-key", &globals.client_key)];
            for (flag, file) in files {
                if let Some(file) = file.as_deref().filter(|file| !file.is_empty()) {
                    must_exist(flag, file)?;
                }
            }
        }
        if let Some(mode) = &self.exec_interactive_mode
            && !matches!(mode.as_str(), "IfAvailable" | "Always" | "Never")
        {
            return Err(Error::new("invalid interactive mode type, can be only IfAvailable, Never, Always"));
        }
        Ok(())
    }

    fn change(&self, cx: &Context, user: &mut AuthInfo) -> Result<()> {
        let globals = &cx.globals;
        let files = [
            (&globals.client_certificate, &mut user.client_certificate, &mut user.client_certificate_data),
            (&globals.client_key, &mut user.client_key, &mut user.client_key_data),
        ];
        for (given, file, data) in files {
            let Some(given) = given else { continue };
            if self.embed_certs {
                *data = embedded(given)?;
                file.clear();
            } else {
                *file = absolute(given);
                if !given.is_empty() {
                    data.clear();
                }
            }
        }
        for (given, field) in [
            (&globals.token, &mut user.token),
            (&globals.username, &mut user.username),
            (&globals.password, &mut user.password),
        ] {
            if let Some(given) = given {
                given.clone_into(field);
            }
        }
        let given = |flag: &Option<String>| flag.as_ref().is_some_and(|value| !value.is_empty());
        let (token, basic) = (given(&globals.token), given(&globals.username) || given(&globals.password));
        if token && !basic {
            user.username.clear();
            user.password.clear();
        }
        if basic && !token {
            user.token.clear();
        }
        self.change_provider(user)?;
        self.change_exec(user)
    }

    fn change_provider(&self, user: &mut AuthInfo) -> Result<()> {
        let (new, gone) = pairs(&self.auth_provider_arg, "auth-provider-arg")?;
        if let Some(name) = &self.auth_provider
            && user.auth_provider.as_ref().is_none_or(|provider| provider.name != *name)
        {
            user.auth_provider = Some(AuthProvider { name: name.clone(), config: None });
        }
        if let Some(provider) = &mut user.auth_provider {
            let config = provider.config.get_or_insert_default();
            config.retain(|key, _| !gone.contains(key));
            config.extend(new);
        }
        Ok(())
    }

    fn change_exec(&self, user: &mut AuthInfo) -> Result<()> {
        let (new, gone) = pairs(&self.exec_env, "exec-env")?;
        if let Some(command) = &self.exec_command {
            let exec = user.exec.get_or_insert_with(ExecConfig::default);
            command.clone_into(&mut exec.command);
            exec.args = None;
        }
        let Some(exec) = &mut user.exec else { return Ok(()) };
        if let Some(version) = &self.exec_api_version {
            version.clone_into(&mut exec.api_version);
        }
        if !self.exec_arg.is_empty() {
            exec.args = Some(self.exec_arg.clone());
        }
        if let Some(mode) = &self.exec_interactive_mode {
            mode.clone_into(&mut exec.interactive_mode);
        }
        if let Some(provide) = self.exec_provide_cluster_info {
            exec.provide_cluster_info = provide;
        }
        if new.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let env = exec.env.get_or_insert_default();
        env.retain(|variable| !gone.contains(&variable.name));
        for (name, value) in new {
            match env.iter_mut().find(|variable| variable.name == name) {
                Some(variable) => variable.value = value,
                None => env.push(ExecEnv { name, value }),
            }
        }
        Ok(())
    }
}

impl Run for SetCredentialsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [name] = self.names.as_slice() else {
            return Err(help_and(cx, "set-credentials", format!("unexpected args: [{}]", self.names.join(" "))));
        };
        if name.is_empty() {
            return Err(Error::new("you must specify a non-empty user name"));
        }
        self.check(cx)?;
        let mut config = load(cx)?;
        self.change(cx, config.users.entry(name.clone()).or_default())?;
        save(cx, &config)?;
        cx.line(format!("User {} set.", quote(name)))
    }
}
