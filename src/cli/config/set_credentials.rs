//! `config set-credentials`.

use base64::Engine as _;
use clap::Parser;

use crate::cli::args::{GlobalArgs, Pairs};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, go_io_error};
use crate::cli::verb::Run;
use crate::kubeconfig::{AuthInfo, AuthProvider, ExecConfig, ExecEnv};
use crate::object::go::quote;

/// Set a user of the kubeconfig, or some of its fields.
///
/// The flags --client-certificate, --client-key, --token, --username and --password say what is set; a token and a
/// password exclude each other.
#[derive(Parser)]
pub struct SetCredentialsArgs {
    /// The user
    #[arg(value_name = "NAME")]
    words: Vec<String>,
    /// Legacy authentication plugin
    #[arg(long, value_name = "NAME")]
    auth_provider: Option<String>,
    /// Setting of the legacy authentication plugin; KEY- removes it
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    auth_provider_arg: Vec<String>,
    /// Keep the contents of certificate and key, not the names of their files
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    embed_certs: Option<bool>,
    /// Version of the exchange with the credential program
    #[arg(long, value_name = "VERSION")]
    exec_api_version: Option<String>,
    /// Arguments of the credential program
    #[arg(long, value_name = "ARGUMENT", value_delimiter = ',')]
    exec_arg: Vec<String>,
    /// Program that supplies credentials
    #[arg(long, value_name = "PROGRAM")]
    exec_command: Option<String>,
    /// Variable of the credential program; KEY- removes it
    #[arg(long, value_name = "KEY=VALUE")]
    exec_env: Vec<String>,
    /// Whether the credential program may ask the user: Never, IfAvailable or Always
    #[arg(long, value_name = "MODE")]
    exec_interactive_mode: Option<String>,
    /// Tell the credential program about the cluster
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exec_provide_cluster_info: Option<bool>,
}

/// Fails when a file that is to be embedded is not there.
pub(super) fn stat(what: &str, file: &str) -> Result<()> {
    match std::fs::metadata(file) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::new(format!("could not stat {what} file {file}: stat {file}: {}", go_io_error(&error))))
        }
    }
}

/// The content of a file for a field of data.
pub(super) fn embedded(file: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(std::fs::read(file).unwrap_or_default())
}

/// The path from the root on.
pub(super) fn absolute(file: &str) -> String {
    crate::kubeconfig::resolved(file, Some(std::path::Path::new("./config"))).to_string_lossy().into_owned()
}

impl SetCredentialsArgs {
    fn check(&self, name: &str, globals: &GlobalArgs) -> Result<()> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        if name.is_empty() {
            return Err(Error::new("you must specify a non-empty user name"));
        }
        let basic = !text(&globals.username).is_empty() || !text(&globals.password).is_empty();
        if basic && !text(&globals.token).is_empty() {
            return Err(Error::new(
                "you cannot specify more than one authentication method at the same time: --token, \
                 --username/--password",
            ));
        }
        if self.embed_certs == Some(true) {
            let files =
                [("client-certificate", text(&globals.client_certificate)), ("client-key", text(&globals.client_key))];
            if files.iter().all(|(_, file)| file.is_empty()) {
                return Err(Error::new("you must specify a --client-certificate or --client-key to embed"));
            }
            for (what, file) in files.iter().filter(|(_, file)| !file.is_empty()) {
                stat(what, file)?;
            }
        }
        match self.exec_interactive_mode.as_deref() {
            None | Some("IfAvailable" | "Always" | "Never") => Ok(()),
            Some(_) => Err(Error::new("invalid interactive mode type, can be only IfAvailable, Never, Always")),
        }
    }

    fn change_certificate(&self, file: Option<&String>, path: &mut String, data: &mut String) {
        let Some(file) = file else { return };
        if self.embed_certs == Some(true) {
            *data = embedded(file);
            path.clear();
        } else {
            *path = absolute(file);
            data.clear();
        }
    }

    fn change(&self, user: &mut AuthInfo, globals: &GlobalArgs, provider: &Pairs, env: &Pairs) {
        let certificate = globals.client_certificate.as_ref();
        self.change_certificate(certificate, &mut user.client_certificate, &mut user.client_certificate_data);
        self.change_certificate(globals.client_key.as_ref(), &mut user.client_key, &mut user.client_key_data);
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
            value.as_ref().is_some_and(|value| !value.is_empty())
        };
        let token = set(&mut user.token, &globals.token);
        let basic = set(&mut user.username, &globals.username) | set(&mut user.password, &globals.password);
        self.change_provider(user, provider);
        self.change_exec(user, env);
        if basic && !token {
            user.token.clear();
        }
        if token && !basic {
            user.username.clear();
            user.password.clear();
        }
    }

    fn change_provider(&self, user: &mut AuthInfo, pairs: &Pairs) {
        if let Some(name) = &self.auth_provider
            && user.auth_provider.as_ref().is_none_or(|provider| provider.name != *name)
        {
            user.auth_provider = Some(AuthProvider { name: name.clone(), ..AuthProvider::default() });
        }
        let Some(provider) = &mut user.auth_provider else { return };
        let config = provider.config.get_or_insert_default();
        config.retain(|key, _| !pairs.removed.contains(key));
        config.extend(pairs.set.iter().cloned());
    }

    /// Changes the credential program; without one, there is nothing to change.
    fn change_exec(&self, user: &mut AuthInfo, env: &Pairs) {
        if let Some(command) = &self.exec_command {
            let exec = user.exec.get_or_insert_default();
            exec.command.clone_from(command);
            exec.args = None;
        }
        let Some(exec) = &mut user.exec else { return };
        let ExecConfig { args, api_version, interactive_mode, provide_cluster_info, .. } = &mut *exec;
        if let Some(version) = &self.exec_api_version {
            api_version.clone_from(version);
        }
        if !self.exec_arg.is_empty() {
            *args = Some(self.exec_arg.clone());
        }
        if let Some(mode) = &self.exec_interactive_mode {
            interactive_mode.clone_from(mode);
        }
        if let Some(provide) = self.exec_provide_cluster_info {
            *provide_cluster_info = provide;
        }
        if self.exec_env.is_empty() {
            return;
        }
        let variables = exec.env.get_or_insert_default();
        variables.retain(|variable| !env.removed.contains(&variable.name));
        for (name, value) in &env.set {
            match variables.iter_mut().find(|variable| variable.name == *name) {
                Some(variable) => variable.value.clone_from(value),
                None => variables.push(ExecEnv { name: name.clone(), value: value.clone() }),
            }
        }
    }
}

impl Run for SetCredentialsArgs {
    async fn run(mut self, cx: &Context) -> Result<()> {
        let words = std::mem::take(&mut self.words);
        let [name] = words.as_slice() else {
            return Err(super::misused(cx, format!("unexpected args: {}", super::go_slice(&words))));
        };
        let misused = |error: Error| super::misused(cx, error.text());
        let provider = Pairs::parse(&self.auth_provider_arg, "auth-provider-arg").map_err(misused)?;
        let env = Pairs::parse(&self.exec_env, "exec-env").map_err(misused)?;
        self.check(name, &cx.globals)?;
        let mut config = super::starting(cx)?;
        self.change(config.users.entry(name.clone()).or_default(), &cx.globals, &provider, &env);
        super::save(cx, &config, true)?;
        cx.line(format!("User {} set.", quote(name)))
    }
}
