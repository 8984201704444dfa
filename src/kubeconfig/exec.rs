//! Programs that supply credentials (`client.authentication.k8s.io`).

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::model::{Cluster, ExecConfig};
use super::policy::PluginPolicy;
use crate::object::meta::str_at;

/// What a program supplied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecCredential {
    /// Bearer token.
    pub token: Option<String>,
    /// Client certificate chain and key, PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
    /// When it ends, RFC 3339; `None` holds as long as the process.
    pub expires: Option<chrono::DateTime<chrono::Utc>>,
}

/// Why a program supplied nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("getting credentials: {0}")]
pub struct ExecError(pub String);

/// A credential program with what it last supplied.
#[derive(Clone, Debug)]
pub struct ExecPlugin {
    config: ExecConfig,
    cluster: Cluster,
    policy: PluginPolicy,
    last: Arc<Mutex<Option<ExecCredential>>>,
}

impl ExecPlugin {
    /// A program for a cluster.
    pub fn new(config: ExecConfig, cluster: Cluster) -> Self {
        Self { config, cluster, policy: PluginPolicy::default(), last: Arc::default() }
    }

    /// The same program under a policy of which ones may run.
    #[must_use]
    pub fn under(mut self, policy: PluginPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The credential: the last one until it expires, else a new one.
    ///
    /// # Errors
    /// The program cannot be run, fails, or answers something else than a credential.
    pub fn credential(&self, now: chrono::DateTime<chrono::Utc>) -> Result<ExecCredential, ExecError> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(credential) = last.as_ref()
            && credential.expires.is_none_or(|at| at > now)
        {
            return Ok(credential.clone());
        }
        let fresh = self.run()?;
        *last = Some(fresh.clone());
        Ok(fresh)
    }

    /// Forgets the credential, which the server has refused.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn info(&self, interactive: bool) -> Value {
        let mut spec = json!({"interactive": interactive});
        if self.config.provide_cluster_info {
            let cluster = &self.cluster;
            let mut info = json!({"server": cluster.server});
            let texts = [
                ("tls-server-name", &cluster.tls_server_name),
                ("certificate-authority-data", &cluster.certificate_authority_data),
                ("proxy-url", &cluster.proxy_url),
            ];
            for (key, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
                info[key] = json!(value);
            }
            if cluster.insecure_skip_tls_verify {
                info["insecure-skip-tls-verify"] = json!(true);
            }
            let config = cluster.extensions.iter().find(|e| e.name == "client.authentication.k8s.io/exec");
            info["config"] = config.map_or(Value::Null, |extension| extension.extension.clone());
            spec["cluster"] = info;
        }
        json!({"kind": "ExecCredential", "apiVersion": self.config.api_version, "spec": spec})
    }

    fn run(&self) -> Result<ExecCredential, ExecError> {
        use std::io::IsTerminal;
        let config = &self.config;
        let terminal = std::io::stdin().is_terminal();
        let interactive = match config.interactive_mode.as_str() {
            "Never" => false,
            "Always" if !terminal => {
                return Err(ExecError(
                    "exec plugin cannot support interactive mode: standard input is not a terminal".into(),
                ));
            }
            _ => terminal,
        };
        let program = self.policy.permitted(&config.command).map_err(ExecError)?;
        let mut command = Command::new(program);
        command
            .args(config.args.iter().flatten())
            .envs(config.env.iter().flatten().map(|variable| (&variable.name, &variable.value)))
            .env("KUBERNETES_EXEC_INFO", self.info(interactive).to_string())
            .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
            .stderr(Stdio::inherit());
        let output = command.output().map_err(|error| self.not_run(&error))?;
        if !output.status.success() {
            let code = output.status.code().unwrap_or(-1);
            return Err(ExecError(
                self.hinted(format!("exec: executable {} failed with exit code {code}", config.command)),
            ));
        }
        self.read(&output.stdout)
    }

    fn not_run(&self, error: &std::io::Error) -> ExecError {
        let command = &self.config.command;
        if error.kind() == std::io::ErrorKind::NotFound {
            return ExecError(self.hinted(format!("exec: executable {command} not found")));
        }
        ExecError(self.hinted(format!("exec: {error}")))
    }

    fn hinted(&self, message: String) -> String {
        if self.config.install_hint.is_empty() {
            return message;
        }
        format!(
            "{message}\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n\n\
             To learn more about this feature, consult the documentation available at:\n      \
             https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins\n\n{}",
            self.config.install_hint
        )
    }

    fn read(&self, output: &[u8]) -> Result<ExecCredential, ExecError> {
        let value: Value =
            serde_json::from_slice(output).map_err(|error| ExecError(format!("decoding stdout: {error}")))?;
        let version = str_at(&value, &["apiVersion"]);
        if version != self.config.api_version {
            return Err(ExecError(format!(
                "exec plugin is configured to use API version {}, plugin returned version {version}",
                self.config.api_version
            )));
        }
        if value.get("status").is_none_or(Value::is_null) {
            return Err(ExecError("exec plugin didn't return a status field".into()));
        }
        let field = |name: &str| Some(str_at(&value, &["status", name])).filter(|text| !text.is_empty());
        let (certificate, key) = (field("clientCertificateData"), field("clientKeyData"));
        if certificate.is_some() != key.is_some() {
            return Err(ExecError("exec plugin returned only certificate or key, not both".into()));
        }
        let token = field("token").map(str::to_owned);
        if token.is_none() && certificate.is_none() {
            return Err(ExecError("exec plugin didn't return a token or cert/key pair".into()));
        }
        let expires = match field("expirationTimestamp") {
            None => None,
            Some(text) => Some(
                chrono::DateTime::parse_from_rfc3339(text)
                    .map_err(|error| ExecError(format!("decoding stdout: expirationTimestamp: {error}")))?
                    .to_utc(),
            ),
        };
        let pair = certificate.zip(key).map(|(cert, key)| (cert.as_bytes().to_vec(), key.as_bytes().to_vec()));
        Ok(ExecCredential { token, certificate: pair, expires })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn plugin(script: &str) -> ExecPlugin {
        let config = ExecConfig {
            command: "/bin/sh".into(),
            args: Some(vec!["-c".into(), script.into()]),
            api_version: "client.authentication.k8s.io/v1".into(),
            interactive_mode: "Never".into(),
            ..ExecConfig::default()
        };
        ExecPlugin::new(config, Cluster::default())
    }

    #[test]
    fn credentials_are_kept_until_they_expire() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let count = folder.path().join("count");
        let script = format!(
            "echo x >> {}; echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
             \"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"2030-01-01T00:00:00Z\"}}}}'",
            count.display()
        );
        let plugin = plugin(&script);
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
        let runs = || std::fs::read_to_string(&count).map_or(0, |text| text.lines().count());
        for (now, expected) in [("2029-01-01T00:00:00Z", 1), ("2029-02-01T00:00:00Z", 1), ("2030-02-01T00:00:00Z", 2)] {
            assert_eq!(plugin.credential(at(now)).map(|c| c.token), Ok(Some("t".into())));
            assert_eq!(runs(), expected, "{now}");
        }
    }

    #[test]
    fn a_policy_forbids_programs() {
        let under = |policy: &str, allowed: &[&str]| {
            let allowlist = (!allowed.is_empty()).then(|| allowed.iter().map(ToString::to_string).collect());
            let policy = PluginPolicy { policy: policy.into(), allowlist };
            plugin("exit 3").under(policy).credential(chrono::Utc::now()).map_err(|error| error.0)
        };
        let ran = Err("exec: executable /bin/sh failed with exit code 3".to_owned());
        assert_eq!(under("AllowAll", &[]), ran);
        assert_eq!(under("Allowlist", &["/bin/sh"]), ran);
        assert_eq!(under("DenyAll", &[]), Err("plugin \"/bin/sh\" not allowed: policy set to \"DenyAll\"".into()));
        let refused = "plugin path \"/bin/sh\" is not permitted by the credential plugin allowlist";
        assert_eq!(under("Allowlist", &["other"]), Err(refused.into()));
    }

    #[test]
    fn a_failing_program_is_named() {
        let error = plugin("exit 3").credential(chrono::Utc::now()).expect_err("it fails");
        assert_eq!(error.to_string(), "getting credentials: exec: executable /bin/sh failed with exit code 3");
    }
}
