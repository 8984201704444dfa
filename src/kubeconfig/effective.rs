//! From a config and flags to what a connection needs: server, trust, credentials, impersonation, namespace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;

use super::auth_provider;
use super::exec::ExecPlugin;
use super::model::{AuthInfo, Cluster, Config, Context};
use super::policy::PluginPolicy;
use super::{Error, path_error};

/// What flags say about the connection; it goes over the config.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`.
    pub cluster_name: Option<String>,
    /// `--user`.
    pub user_name: Option<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--server`, `--certificate-authority`, `--tls-server-name`, `--insecure-skip-tls-verify`, …
    pub cluster: Cluster,
    /// `--token`, `--client-certificate`, `--as`, …
    pub user: AuthInfo,
    /// `--request-timeout` as typed.
    pub timeout: String,
    /// Which programs may supply credentials.
    pub plugins: PluginPolicy,
}

/// Whom to act as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// User.
    pub user: String,
    /// Uid, or empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Further attributes.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The proof of who the user is; what is there is used, certificates beside the rest.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Client certificate chain and key, PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
    /// Bearer token.
    pub token: Option<String>,
    /// File that the token is read from; it goes over [`Credentials::token`] when it can be read.
    pub token_file: Option<PathBuf>,
    /// User and password.
    pub basic: Option<(String, String)>,
    /// Program that supplies a token or a certificate.
    pub exec: Option<ExecPlugin>,
    /// What a legacy plugin supplies: an id token, or why there is none.
    pub provider: Option<Result<String, String>>,
}

/// All that a connection needs.
#[derive(Clone, Debug, Default)]
pub struct ClusterAccess {
    /// URL of the server, with scheme, without a slash at its end.
    pub server: String,
    /// Certificates to trust, PEM; `None` for the system's.
    pub authorities: Option<Vec<u8>>,
    /// Whether the server's certificate is not checked.
    pub insecure: bool,
    /// Name that the server's certificate must bear, or empty.
    pub tls_server_name: String,
    /// URL of a proxy, or empty for the environment's.
    pub proxy: String,
    /// Whether to ask for uncompressed answers.
    pub disable_compression: bool,
    /// Time for one request.
    pub timeout: Option<Duration>,
    /// Credentials.
    pub credentials: Credentials,
    /// Whom to act as.
    pub impersonation: Option<Impersonation>,
}

/// Where a server is looked for when nothing says otherwise.
const DEFAULT_SERVER: &str = "http://localhost:8080";
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn data(text: &str, what: &str) -> Result<Vec<u8>, Error> {
    base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .map_err(|error| Error::Fact(format!("illegal base64 data in {what}: {error}")))
}

fn read(file: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| Error::Fact(path_error("open", Path::new(file), &error)))
}

/// What `over` sets goes over `under`.
fn put<T: Default + PartialEq + Clone>(under: &mut T, over: &T) {
    if *over != T::default() {
        under.clone_from(over);
    }
}

macro_rules! overlay {
    ($under:expr, $over:expr, $($field:ident),+) => {
        $(put(&mut $under.$field, &$over.$field);)+
    };
}

impl Overrides {
    fn context_name<'a>(&'a self, config: &'a Config) -> (&'a str, bool) {
        self.context.as_deref().filter(|name| !name.is_empty()).map_or((&config.current_context, false), |n| (n, true))
    }

    fn merged_context(&self, config: &Config) -> Result<Context, Error> {
        let (name, required) = self.context_name(config);
        let mut context = match config.contexts.get(name) {
            Some(context) => context.clone(),
            None if required => return Err(Error::Fact(format!("context \"{name}\" does not exist"))),
            None => Context::default(),
        };
        let over = Context {
            cluster: self.cluster_name.clone().unwrap_or_default(),
            user: self.user_name.clone().unwrap_or_default(),
            namespace: self.namespace.clone().unwrap_or_default(),
            ..Context::default()
        };
        overlay!(context, over, cluster, user, namespace);
        Ok(context)
    }

    fn user_name(&self, config: &Config) -> (String, bool) {
        match self.user_name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => (name.to_owned(), true),
            None => (self.merged_context(config).unwrap_or_default().user, false),
        }
    }

    fn merged_user(&self, config: &Config) -> Result<AuthInfo, Error> {
        let (name, required) = self.user_name(config);
        let mut user = match config.users.get(&name) {
            Some(user) => user.clone(),
            None if required => return Err(Error::Fact(format!("auth info \"{name}\" does not exist"))),
            None => AuthInfo::default(),
        };
        let over = &self.user;
        if !over.client_key.is_empty() {
            user.client_key_data.clear();
        }
        if !over.client_certificate.is_empty() {
            user.client_certificate_data.clear();
        }
        overlay!(user, over, client_certificate, client_key, token, impersonate, impersonate_uid);
        overlay!(user, over, impersonate_groups, impersonate_extra, username, password);
        if !over.token.is_empty() {
            user.token_file.clear();
        }
        Ok(user)
    }

    fn cluster_name(&self, config: &Config) -> (String, bool) {
        match self.cluster_name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => (name.to_owned(), true),
            None => (self.merged_context(config).unwrap_or_default().cluster, false),
        }
    }

    fn merged_cluster(&self, config: &Config) -> Result<Cluster, Error> {
        let (name, required) = self.cluster_name(config);
        let mut cluster = match config.clusters.get(&name) {
            Some(cluster) => cluster.clone(),
            None if required => return Err(Error::Fact(format!("cluster \"{name}\" does not exist"))),
            None => Cluster::default(),
        };
        if cluster.server.is_empty() {
            DEFAULT_SERVER.clone_into(&mut cluster.server);
        }
        let over = &self.cluster;
        overlay!(cluster, over, server, tls_server_name, proxy_url, disable_compression);
        if over.insecure_skip_tls_verify || !over.certificate_authority.is_empty() {
            cluster.insecure_skip_tls_verify = over.insecure_skip_tls_verify;
            cluster.certificate_authority.clone_from(&over.certificate_authority);
            cluster.certificate_authority_data.clear();
        }
        if !over.tls_server_name.is_empty() || !over.server.is_empty() {
            cluster.tls_server_name.clone_from(&over.tls_server_name);
        }
        Ok(cluster)
    }

    /// Checks that the chosen parts fit together, finding as much as can be found.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn confirm_usable(&self, config: &Config) -> Result<(), Error> {
        let mut findings = Vec::new();
        let (context, _) = self.context_name(config);
        if !context.is_empty() && !config.contexts.contains_key(context) {
            findings.push(format!("context was not found for specified context: {context}"));
        }
        let (user, _) = self.user_name(config);
        check_user(&user, &self.merged_user(config).unwrap_or_default(), &mut findings);
        let (name, _) = self.cluster_name(config);
        check_cluster(&name, &self.merged_cluster(config).unwrap_or_default(), &mut findings);
        if findings.is_empty() { Ok(()) } else { Err(Error::Invalid(findings)) }
    }

    /// The namespace for requests that name none, and whether a flag chose it.
    ///
    /// # Errors
    /// The chosen context does not exist or is unusable.
    pub fn namespace(&self, config: &Config) -> Result<(String, bool), Error> {
        if let Some(namespace) = self.namespace.as_ref().filter(|name| !name.is_empty()) {
            return Ok((namespace.clone(), true));
        }
        self.confirm_usable(config)?;
        let namespace = self.merged_context(config)?.namespace;
        if namespace.is_empty() {
            return Ok((in_cluster_namespace().unwrap_or_else(|| "default".into()), false));
        }
        Ok((namespace, false))
    }

    /// Everything a connection needs. `env` looks up environment variables.
    ///
    /// # Errors
    /// Names that do not exist, parts that contradict each other, files that cannot be read.
    pub fn access(&self, config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<ClusterAccess, Error> {
        let user = self.merged_user(config)?;
        self.merged_context(config)?;
        let mut cluster = match self.merged_cluster(config) {
            // The finding that names the server says more than the missing entry.
            Err(_) => return self.confirm_usable(config).map(|()| ClusterAccess::default()),
            Ok(cluster) => cluster,
        };
        self.confirm_usable(config)?;
        if cluster.server == DEFAULT_SERVER && config.is_empty() {
            if let Some(access) = self.in_cluster(env)? {
                return Ok(access);
            }
            if let Some(server) = env("KUBERNETES_MASTER").filter(|server| !server.is_empty()) {
                cluster.server = server;
            }
        }
        let mut access = ClusterAccess {
            server: with_scheme(&cluster.server, &cluster, &user),
            insecure: cluster.insecure_skip_tls_verify,
            tls_server_name: cluster.tls_server_name.clone(),
            proxy: cluster.proxy_url.clone(),
            disable_compression: cluster.disable_compression,
            timeout: parse_timeout(&self.timeout)?,
            impersonation: impersonation(&user),
            ..ClusterAccess::default()
        };
        // Credentials never travel in the clear.
        if access.server.starts_with("https://") {
            access.authorities = pem(&cluster.certificate_authority_data, &cluster.certificate_authority)?;
            access.credentials = credentials(&user, &cluster)?;
            let plugins = self.plugins.clone();
            access.credentials.exec = access.credentials.exec.take().map(|exec| exec.under(plugins));
        }
        Ok(access)
    }

    /// The pod's own service account, where this runs in a pod.
    fn in_cluster(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<ClusterAccess>, Error> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let (Some(host), Some(port)) = (get("KUBERNETES_SERVICE_HOST"), get("KUBERNETES_SERVICE_PORT")) else {
            return Ok(None);
        };
        let token_file = Path::new(SERVICE_ACCOUNT).join("token");
        let Ok(token) = std::fs::read_to_string(&token_file) else { return Ok(None) };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(Some(ClusterAccess {
            server: format!("https://{host}:{port}"),
            authorities: std::fs::read(Path::new(SERVICE_ACCOUNT).join("ca.crt")).ok(),
            timeout: parse_timeout(&self.timeout)?,
            credentials: Credentials {
                token: Some(token.trim().to_owned()),
                token_file: Some(token_file),
                ..Credentials::default()
            },
            impersonation: impersonation(&self.user),
            ..ClusterAccess::default()
        }))
    }
}

/// The namespace of the pod that this runs in.
pub fn in_cluster_namespace() -> Option<String> {
    let text = std::fs::read_to_string(Path::new(SERVICE_ACCOUNT).join("namespace")).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A server without a scheme speaks HTTPS where anything hints at it, as client-go decides.
fn with_scheme(server: &str, cluster: &Cluster, user: &AuthInfo) -> String {
    let server = server.trim_end_matches('/');
    if server.contains("://") {
        return server.to_owned();
    }
    let secure = !cluster.certificate_authority.is_empty()
        || !cluster.certificate_authority_data.is_empty()
        || cluster.insecure_skip_tls_verify
        || !user.client_certificate.is_empty()
        || !user.client_certificate_data.is_empty();
    format!("{}://{server}", if secure { "https" } else { "http" })
}

/// `--request-timeout`: whole seconds, or a duration with a unit; 0 is none.
fn parse_timeout(text: &str) -> Result<Option<Duration>, Error> {
    let refused = || {
        Error::Fact(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a \
             corresponding time unit (e.g. 1s | 2m | 3h)"
                .into(),
        )
    };
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Some(Duration::from_secs(seconds)));
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
    let number: f64 = text[..unit_at].parse().map_err(|_| refused())?;
    let unit = match &text[unit_at..] {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(refused()),
    };
    Duration::try_from_secs_f64(number * unit).map(Some).map_err(|_| refused())
}

fn impersonation(user: &AuthInfo) -> Option<Impersonation> {
    (!user.impersonate.is_empty()).then(|| Impersonation {
        user: user.impersonate.clone(),
        uid: user.impersonate_uid.clone(),
        groups: user.impersonate_groups.clone(),
        extra: user.impersonate_extra.clone(),
    })
}

fn pem(in_line: &str, file: &str) -> Result<Option<Vec<u8>>, Error> {
    match (in_line.is_empty(), file.is_empty()) {
        (false, _) => data(in_line, "a certificate or key").map(Some),
        (true, false) => read(file).map(Some),
        (true, true) => Ok(None),
    }
}

fn credentials(user: &AuthInfo, cluster: &Cluster) -> Result<Credentials, Error> {
    let certificate = pem(&user.client_certificate_data, &user.client_certificate)?;
    let key = pem(&user.client_key_data, &user.client_key)?;
    let mut token = Some(user.token.clone()).filter(|token| !token.is_empty());
    if token.is_none() && !user.token_file.is_empty() {
        token = Some(String::from_utf8_lossy(&read(&user.token_file)?).trim().to_owned());
    }
    Ok(Credentials {
        certificate: certificate.zip(key),
        token,
        token_file: (!user.token_file.is_empty()).then(|| PathBuf::from(&user.token_file)),
        basic: (!user.username.is_empty() || !user.password.is_empty())
            .then(|| (user.username.clone(), user.password.clone())),
        exec: user.exec.clone().map(|config| ExecPlugin::new(config, cluster.clone())),
        provider: match &user.auth_provider {
            Some(provider) => Some(auth_provider::token(provider, chrono::Utc::now()).map_err(Error::Fact)?),
            None => None,
        },
    })
}

fn check_cluster(name: &str, cluster: &Cluster, findings: &mut Vec<String>) {
    if cluster.server.is_empty() {
        findings.push(if name.is_empty() {
            "default cluster has no server defined".into()
        } else {
            format!("no server found for cluster \"{name}\"")
        });
    }
    if !cluster.certificate_authority.is_empty() && !cluster.certificate_authority_data.is_empty() {
        findings.push(format!(
            "certificate-authority-data and certificate-authority are both specified for {name}. \
             certificate-authority-data will override."
        ));
    }
    readable("certificate-authority", &cluster.certificate_authority, name, findings);
}

fn readable(what: &str, file: &str, whose: &str, findings: &mut Vec<String>) {
    if file.is_empty() {
        return;
    }
    if let Err(error) = std::fs::File::open(file) {
        let why = path_error("open", Path::new(file), &error);
        findings.push(format!("unable to read {what} {file} for {whose} due to {why}"));
    }
}

fn check_user(name: &str, user: &AuthInfo, findings: &mut Vec<String>) {
    let mut methods = Vec::new();
    if !user.token.is_empty() {
        methods.push("token");
    }
    if !user.username.is_empty() || !user.password.is_empty() {
        methods.push("basicAuth");
    }
    if !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty() {
        if !user.client_certificate.is_empty() && !user.client_certificate_data.is_empty() {
            findings.push(format!(
                "client-cert-data and client-cert are both specified for {name}. client-cert-data will override."
            ));
        }
        if !user.client_key.is_empty() && !user.client_key_data.is_empty() {
            findings.push(format!(
                "client-key-data and client-key are both specified for {name}; client-key-data will override"
            ));
        }
        if user.client_key.is_empty() && user.client_key_data.is_empty() {
            findings.push(format!(
                "client-key-data or client-key must be specified for {name} to use the clientCert authentication method."
            ));
        }
        readable("client-cert", &user.client_certificate, name, findings);
        readable("client-key", &user.client_key, name, findings);
    }
    if let Some(exec) = &user.exec {
        let needs = |what: &str| format!("{what} must be specified for {name} to use exec authentication plugin");
        if exec.command.is_empty() {
            findings.push(needs("command"));
        }
        if exec.api_version.is_empty() {
            findings.push(needs("apiVersion"));
        }
        match exec.interactive_mode.as_str() {
            "" => findings.push(needs("interactiveMode")),
            "Never" | "IfAvailable" | "Always" => {}
            other => findings.push(format!("invalid interactiveMode for {name}: \"{other}\"")),
        }
    }
    let more =
        !user.impersonate_uid.is_empty() || !user.impersonate_groups.is_empty() || !user.impersonate_extra.is_empty();
    if more && user.impersonate.is_empty() {
        findings.push(format!("requesting uid, groups or user-extra for {name} without impersonating a user"));
    }
    if methods.len() > 1 {
        findings.push(format!(
            "more than one authentication method found for {name}; found [{}], only one is allowed",
            methods.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        super::super::parse(
            b"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: team}}]\nclusters: [{name: k, cluster: {server: 'https://k:6443/'}}]\nusers: [{name: u, user: {token: t}}]\n",
        )
        .expect("well formed")
    }

    #[test]
    fn flags_go_over_the_context() {
        let config = config();
        let overrides = Overrides { timeout: "5s".into(), ..Overrides::default() };
        let access = overrides.access(&config, &|_| None).expect("usable");
        assert_eq!((access.server.as_str(), access.timeout), ("https://k:6443", Some(Duration::from_secs(5))));
        assert_eq!(access.credentials.token.as_deref(), Some("t"));
        assert_eq!(overrides.namespace(&config), Ok(("team".into(), false)));
        let overrides = Overrides { namespace: Some("m".into()), ..Overrides::default() };
        assert_eq!(overrides.namespace(&config), Ok(("m".into(), true)));
        let overrides = Overrides { context: Some("x".into()), ..Overrides::default() };
        assert_eq!(
            overrides.namespace(&config),
            Err(Error::Invalid(vec!["context was not found for specified context: x".into()]))
        );
        let overrides = Overrides { user_name: Some("x".into()), ..Overrides::default() };
        assert_eq!(
            overrides.access(&config, &|_| None).err(),
            Some(Error::Fact("auth info \"x\" does not exist".into()))
        );
    }

    #[test]
    fn without_a_config_the_local_port_is_tried() {
        let access = Overrides::default().access(&Config::default(), &|_| None).expect("the default");
        assert_eq!(access.server, "http://localhost:8080");
    }
}
