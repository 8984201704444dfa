//! What a verb has at hand: streams, environment, global flags, and the way to the server, built when first asked for.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::GlobalArgs;
use super::error::{Error, Result};
use super::streams::{Env, Streams};
use crate::client::{Answer, Cache, Client, HttpTransport, Request, SharedTransport, TransportError, Verbose};
use crate::cluster::{DataFolder, Embedded};
use crate::kubeconfig::{self, AuthInfo, Cluster, ClusterAccess, Config, Overrides, PluginPolicy, Sources};
use crate::kustomize::Warning;
use crate::object::Value;
use crate::resource::{FileOptions, Mapper, Outside, Plan, Selection};

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
    /// Which programs may supply credentials.
    pub plugins: PluginPolicy,
    config: OnceCell<Config>,
    client: OnceCell<Arc<Client>>,
    mapper: OnceCell<Mapper>,
    warnings: Cell<usize>,
    offline: Cell<bool>,
    opened: RefCell<Option<Embedded>>,
}

/// How many simulated nodes an embedded cluster has.
const EMBEDDED_NODES: u8 = 2;
/// What messages name as the server of an embedded cluster.
const EMBEDDED_SERVER: &str = "https://embedded";
/// Where commands look for a server that nothing names, as kubectl does.
const NO_SERVER: &str = "http://localhost:8080";

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
            plugins: PluginPolicy::default(),
            config: OnceCell::new(),
            client: OnceCell::new(),
            mapper: OnceCell::new(),
            warnings: Cell::new(0),
            offline: Cell::new(false),
            opened: RefCell::new(None),
        }
    }

    /// Sends requests through a transport of the caller's instead of the one that the kubeconfig says; `server` is
    /// the URL that messages name. Does nothing once there is a client.
    pub fn use_transport(&self, transport: SharedTransport, server: &str) {
        self.client.set(Arc::new(Client::new(transport, server))).ok();
    }

    /// Writes to standard output as it is.
    pub fn out(&self, text: &str) -> Result<()> {
        self.tell_warnings()?;
        Ok(self.streams.write_out(text.as_bytes())?)
    }

    /// Writes a line to standard output.
    pub fn line(&self, text: impl Display) -> Result<()> {
        self.out(&format!("{text}\n"))
    }

    /// Writes to standard error as it is.
    pub fn err(&self, text: &str) -> Result<()> {
        self.tell_warnings()?;
        Ok(self.streams.write_err(text.as_bytes())?)
    }

    /// Writes a line to standard error.
    pub fn err_line(&self, text: impl Display) -> Result<()> {
        self.err(&format!("{text}\n"))
    }

    /// Writes the server's warnings that came since the last line, and counts them.
    pub fn tell_warnings(&self) -> Result<()> {
        let Some(client) = self.client.get() else { return Ok(()) };
        for text in client.take_warnings() {
            self.warnings.set(self.warnings.get() + 1);
            self.streams.write_err(format!("Warning: {text}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Writes a line of the kind that kubectl's log writes: level, date and time, process, source.
    pub fn log(&self, level: char, source: &str, text: &str) -> Result<()> {
        let now = chrono::Local::now().format("%m%d %H:%M:%S%.6f");
        self.err_line(format!("{level}{now} {:>7} {source}] {text}", std::process::id()))
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
        let loaded = match self.embedded_folder()? {
            None => self.sources().load(true)?,
            Some(None) => Config::default(),
            Some(Some(folder)) => kubeconfig::load_file(&folder.kubeconfig())?.unwrap_or_default(),
        };
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
                insecure_skip_tls_verify: globals.insecure_skip_tls_verify.unwrap_or_default(),
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
            plugins: self.plugins.clone(),
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

    /// The ways out for a command that found no server because nothing names one.
    pub(super) fn where_to_go(&self, error: &Error) -> Option<&'static str> {
        let unnamed = || self.access().is_ok_and(|access| access.server == NO_SERVER);
        let lost = error.is_request() && self.embedded().is_none() && unnamed();
        lost.then_some(
            "no kubeconfig names a server: give one with --kubeconfig or KUBECONFIG, or use --embedded for a cluster \
             inside this command",
        )
    }

    /// Whether an embedded cluster is asked for, and which.
    pub fn embedded(&self) -> Option<&str> {
        self.globals.embedded.as_deref().or_else(|| self.env.non_empty("KNARR_EMBEDDED"))
    }

    /// The data folder of the embedded cluster that is asked for; `None` within for one that keeps nothing.
    fn embedded_folder(&self) -> Result<Option<Option<DataFolder>>> {
        match self.embedded() {
            None => Ok(None),
            Some("memory") => Ok(Some(None)),
            Some(name) => Ok(Some(Some(DataFolder::named(name, super::cluster::root(self).as_deref())?))),
        }
    }

    /// Opens the embedded cluster in this process, or says that a background process serves it.
    fn open_embedded(&self) -> Result<Option<SharedTransport>> {
        let Some(folder) = self.embedded_folder()? else { return Ok(None) };
        if folder.as_ref().and_then(DataFolder::holder).is_some_and(|holder| holder.server.is_some()) {
            return Ok(None);
        }
        let opened = Embedded::open(folder.as_ref(), EMBEDDED_NODES)?;
        let transport = opened.transport();
        self.opened.replace(Some(opened));
        Ok(Some(transport))
    }

    /// Lets the controllers of an embedded cluster settle and closes it.
    pub async fn close(&self) {
        let opened = self.opened.take();
        if let Some(opened) = opened {
            opened.close().await;
        }
    }

    /// The way to the server, and the URL that messages name.
    fn connect(&self) -> Result<(SharedTransport, String)> {
        if let Some(transport) = self.open_embedded()? {
            return Ok((transport, EMBEDDED_SERVER.to_owned()));
        }
        let access = self.access()?;
        let server = access.server.clone();
        let agent = format!("{}/v1.36 (knarr {})", self.program.name, env!("CARGO_PKG_VERSION"));
        let transport = HttpTransport::new(access, &agent).map_err(|error| match error {
            TransportError::Credentials(why) => Error::new(why),
            other => Error::new(other.to_string()),
        })?;
        Ok((Arc::new(transport), server))
    }

    /// The client for the chosen server.
    pub fn client(&self) -> Result<&Arc<Client>> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let (mut transport, server) = self.connect()?;
        if self.globals.verbosity >= 6 {
            let sink = Arc::new(|line: &str| {
                use std::io::Write;
                writeln!(std::io::stderr(), "{line}").ok();
            });
            transport = Arc::new(Verbose::new(transport, server.clone(), self.globals.verbosity, sink));
        }
        Ok(self.client.get_or_init(|| Arc::new(Client::new(transport, server))))
    }

    /// The folder of caches.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let flag = self.globals.cache_dir.as_ref().map(PathBuf::from);
        let variable = || self.env.non_empty("KUBECACHEDIR").map(PathBuf::from);
        flag.or_else(variable).or_else(|| self.env.home().map(|home| home.join(".kube").join("cache")))
    }

    /// Finds kinds.
    pub fn mapper(&self) -> Result<&Mapper> {
        if let Some(mapper) = self.mapper.get() {
            return Ok(mapper);
        }
        let client = Arc::clone(self.client()?);
        let cache = self.cache_folder().filter(|_| self.embedded().is_none());
        let cache = cache.map(|folder| Cache::new(&folder, client.server()));
        let mapper = Mapper::new(client, cache);
        let mapper = if self.is_offline() { mapper.offline() } else { mapper };
        Ok(self.mapper.get_or_init(|| mapper))
    }

    /// Takes the built-in kinds as known, and does without a server that is not there. kubectl never does.
    pub fn set_offline(&self) {
        self.offline.set(!self.program.exact);
    }

    /// Whether the command does without a server that is not there.
    pub fn is_offline(&self) -> bool {
        self.offline.get()
    }

    /// Sends a request and reads the whole answer.
    pub async fn call(&self, request: Request) -> Result<Answer> {
        Ok(self.client()?.call(request).await?)
    }

    /// Sends a request and reads a JSON answer.
    pub async fn json(&self, request: Request) -> Result<Value> {
        Ok(self.client()?.json(request).await?)
    }

    /// A selection in the namespace of the command; objects of files must be in it when a flag chose it.
    pub fn selection(&self, args: Vec<String>, files: FileOptions) -> Result<Selection> {
        let (namespace, explicit) = self.namespace()?;
        let program = self.program.name.clone();
        Ok(Selection { args, files, namespace, enforce_namespace: explicit, program, ..Selection::default() })
    }

    /// What a selection amounts to.
    pub async fn plan(&self, selection: &Selection) -> Result<Plan> {
        // A warning that cannot be written is no reason to stop.
        let warn = |warning: &Warning| drop(self.tell_warning(warning));
        let outside = Outside { stdin: &|| self.streams.read_all(), warn: &warn };
        selection.plan(self.mapper()?, &outside).await.map_err(|error| self.explain(error))
    }

    /// Writes what a kustomization warns of.
    pub fn tell_warning(&self, warning: &Warning) -> Result<()> {
        if warning.logged { self.log('I', "log.go:245", &warning.text) } else { self.err_line(&warning.text) }
    }

    /// A failure of the resource layer; where nobody answered, kubectl logs each look-up before its error.
    pub fn explain(&self, error: crate::resource::Error) -> Error {
        use crate::resource;
        match error {
            resource::Error::Discovery { source, lookups } => {
                let error = Error::from(source);
                if self.program.exact && error.is_request() {
                    let cause = format!("couldn't get current server API group list: {}", error.text());
                    let line = format!("\"Unhandled Error\" err={}", crate::object::go::quote(&cause));
                    for _ in 0..lookups {
                        self.log('E', "memcache.go:265", &line).ok();
                    }
                }
                error
            }
            resource::Error::Many(errors) => {
                let errors = errors.into_iter().map(|error| self.explain(error)).collect();
                Error::many(errors).err().unwrap_or_else(|| Error::silent(1))
            }
            resource::Error::Fact(text) => Error::new(text),
            resource::Error::Client(error) => error.into(),
        }
    }
}

impl From<crate::client::Error> for Error {
    fn from(error: crate::client::Error) -> Self {
        use crate::client;
        match error {
            client::Error::Status(status) => Self::status(*status),
            client::Error::Transport { method, url, source } => {
                let cause = match source {
                    TransportError::Connect { source, .. } => source.to_string(),
                    TransportError::Timeout { .. } => {
                        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)".into()
                    }
                    TransportError::Credentials(why) => format!("getting credentials: {why}"),
                    TransportError::Broken(source) => source.to_string(),
                };
                Self::request(method, url, cause)
            }
            client::Error::Decode(text) | client::Error::Request(text) => Self::new(text),
        }
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
