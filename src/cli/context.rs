//! What a verb has at hand: streams, environment, global flags, and the way to the server, built when first asked for.

use std::cell::{Cell, OnceCell};
use std::fmt::Display;
use std::path::Path;

use super::args::GlobalArgs;
use super::error::{Error, Result};
use super::streams::{Env, Streams};
use crate::kubeconfig::{self, AuthInfo, Cluster, ClusterAccess, Config, Overrides, Sources};

/// The name the program goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// As it stands in messages: `knarr`, `kubectl`, `kubectl knarr`.
    pub name: String,
    /// Whether every text must be kubectl's own.
    pub exact: bool,
}

impl Program {
    /// From the first argument of the process.
    pub fn named(argument: &str) -> Self {
        let file = Path::new(argument).file_stem().and_then(|stem| stem.to_str()).unwrap_or("knarr");
        match file {
            "kubectl" => Self { name: "kubectl".into(), exact: true },
            "kubectl-knarr" => Self { name: "kubectl knarr".into(), exact: false },
            _ => Self { name: "knarr".into(), exact: false },
        }
    }
}

/// The surroundings of one command.
pub struct Context {
    /// The program's name.
    pub program: Program,
    /// The verb as typed, such as `kubectl config view`.
    pub command_path: String,
    /// How many words stood before `--`, where there was one.
    pub dash_at: Option<usize>,
    /// The streams.
    pub streams: Streams,
    /// The environment.
    pub env: Env,
    /// The flags of every verb.
    pub globals: GlobalArgs,
    config: OnceCell<Config>,
    warnings: Cell<usize>,
}

impl Context {
    /// A context without flags.
    pub fn new(program: Program, streams: Streams, env: Env) -> Self {
        Self {
            command_path: program.name.clone(),
            program,
            dash_at: None,
            streams,
            env,
            globals: GlobalArgs::default(),
            config: OnceCell::new(),
            warnings: Cell::new(0),
        }
    }

    /// Writes to standard output as it is.
    pub fn out(&self, text: &str) -> Result<()> {
        Ok(self.streams.write_out(text.as_bytes())?)
    }

    /// Writes a line to standard output.
    pub fn line(&self, text: impl Display) -> Result<()> {
        self.out(&format!("{text}\n"))
    }

    /// Writes to standard error as it is.
    pub fn err(&self, text: &str) -> Result<()> {
        Ok(self.streams.write_err(text.as_bytes())?)
    }

    /// Writes a line to standard error.
    pub fn err_line(&self, text: impl Display) -> Result<()> {
        self.err(&format!("{text}\n"))
    }

    /// Writes a warning of the server's, and counts it.
    pub fn warning(&self, text: impl Display) -> Result<()> {
        self.warnings.set(self.warnings.get() + 1);
        self.err_line(format!("Warning: {text}"))
    }

    /// Fails under `--warnings-as-errors` when the server has warned.
    pub fn warnings_as_errors(&self) -> Result<()> {
        match self.warnings.get() {
            0 => Ok(()),
            _ if !self.globals.warnings_as_errors => Ok(()),
            1 => Err(Error::new("1 warning received")),
            count => Err(Error::new(format!("{count} warnings received"))),
        }
    }

    /// The misuse of this verb.
    pub fn usage(&self, message: impl Display) -> Error {
        Error::usage(&self.command_path, message)
    }

    /// The time now.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        chrono::Utc::now()
    }

    /// Where kubeconfigs come from.
    pub fn sources(&self) -> Sources {
        let flag = self.globals.kubeconfig.as_deref();
        Sources::new(flag, self.env.get("KUBECONFIG"), self.env.home().as_deref())
    }

    /// The merged kubeconfig, paths resolved.
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let loaded = self.sources().load(true)?;
        Ok(self.config.get_or_init(|| loaded))
    }

    /// What the flags say over the kubeconfig.
    pub fn overrides(&self) -> Result<Overrides> {
        let globals = &self.globals;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut extra = std::collections::BTreeMap::<String, Vec<String>>::new();
        for pair in &globals.as_user_extra {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::new(format!("invalid user-extra \"{pair}\", expected key=value")))?;
            extra.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        Ok(Overrides {
            context: globals.context.clone(),
            cluster_name: globals.cluster.clone(),
            user_name: globals.user.clone(),
            namespace: globals.namespace.clone(),
            cluster: Cluster {
                server: text(&globals.server),
                tls_server_name: text(&globals.tls_server_name),
                insecure_skip_tls_verify: globals.insecure_skip_tls_verify,
                certificate_authority: text(&globals.certificate_authority),
                disable_compression: globals.disable_compression,
                ..Cluster::default()
            },
            user: AuthInfo {
                client_certificate: text(&globals.client_certificate),
                client_key: text(&globals.client_key),
                token: text(&globals.token),
                impersonate: text(&globals.as_user),
                impersonate_uid: text(&globals.as_uid),
                impersonate_groups: globals.as_group.clone(),
                impersonate_extra: extra,
                username: text(&globals.username),
                password: text(&globals.password),
                ..AuthInfo::default()
            },
            timeout: globals.request_timeout.clone(),
        })
    }

    /// The namespace for requests that name none, and whether `--namespace` chose it.
    pub fn namespace(&self) -> Result<(String, bool)> {
        Ok(self.overrides()?.namespace(self.config()?)?)
    }

    /// What a connection to the chosen cluster needs.
    pub fn access(&self) -> Result<ClusterAccess> {
        let env = |name: &str| self.env.get(name).map(str::to_owned);
        Ok(self.overrides()?.access(self.config()?, &env)?)
    }
}

impl From<kubeconfig::Error> for Error {
    fn from(error: kubeconfig::Error) -> Self {
        match error {
            // kubectl gives its heading to several findings, or to a missing context.
            kubeconfig::Error::Invalid(mut findings)
                if findings.len() == 1 && !findings.iter().any(|text| text.starts_with("context was not found")) =>
            {
                Self::new(findings.pop().unwrap_or_default())
            }
            kubeconfig::Error::Invalid(findings) => Self::configuration(findings),
            kubeconfig::Error::Fact(text) => Self::new(text),
        }
    }
}
