//! `version`: of the program and of the server.

use clap::Parser;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::client::Request;
use crate::kinds;
use crate::kustomize;
use crate::object::go::quote;

/// Print the version of the client and of the server.
#[derive(Parser)]
pub struct VersionArgs {
    /// Show the client's version only; no server is asked
    #[arg(long)]
    client: bool,
    /// json or yaml
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    #[arg(hide = true)]
    words: Vec<String>,
}

/// The client's version: the Kubernetes version whose behaviour it has.
fn client_version() -> Value {
    const FIELDS: [&str; 8] =
        ["buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "major", "minor"];
    let mut version: serde_json::Map<String, Value> =
        FIELDS.into_iter().map(|field| (field.to_owned(), json!(kinds::version::field(field)))).collect();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    version.insert("platform".into(), json!(format!("{os}/{arch}")));
    Value::Object(version)
}

impl Run for VersionArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !self.client && !self.words.is_empty() {
            return Err(Error::new(format!("extra arguments: [{}]", self.words.join(" "))));
        }
        let output = self.output.as_deref().unwrap_or_default();
        if !matches!(output, "" | "yaml" | "json") {
            return Err(Error::new("--output must be 'yaml' or 'json'"));
        }
        let (server, failure) = match self.client {
            true => (None, None),
            false => match cx.json(Request::get("/version").query("timeout", "32s")).await {
                Ok(version) => (Some(version), None),
                Err(error) => (None, Some(error)),
            },
        };
        let skew = server.as_ref().map_or(Ok(None), |server| skew(&client_version(), server));
        match output {
            "" => {
                let client = kinds::version::field("gitVersion");
                cx.line(format!("Client Version: {client}\nKustomize Version: {}", kustomize::VERSION))?;
                if let Some(server) = &server {
                    cx.line(format!("Server Version: {}", server["gitVersion"].as_str().unwrap_or_default()))?;
                }
            }
            format => {
                let mut all = json!({"clientVersion": client_version(), "kustomizeVersion": kustomize::VERSION});
                if let Some(server) = server {
                    all["serverVersion"] = server;
                }
                match format {
                    "json" => cx.line(crate::object::json::to_indented(&all, "  "))?,
                    _ => cx.line(crate::manifest::to_yaml(&all))?,
                }
            }
        }
        if let Some(warning) = skew? {
            if cx.globals.warnings_as_errors {
                return Err(Error::new(warning));
            }
            cx.err_line(format!("Warning: {warning}"))?;
        }
        failure.map_or(Ok(()), Err)
    }
}

/// How many minor versions client and server may be apart.
const SKEW: u32 = 1;

/// Major and minor of a version such as `v1.36.0`.
fn release(of: &str, version: &Value) -> Result<(u32, u32)> {
    let text = version["gitVersion"].as_str().unwrap_or_default();
    let mut parts = text.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(_)) => Ok((major, minor)),
        _ => Err(Error::new(format!("{of} version error: could not parse {} as version", quote(text)))),
    }
}

/// What is to be said of versions that are too far apart.
fn skew(client: &Value, server: &Value) -> Result<Option<String>> {
    let (client, server) = (release("client", client)?, release("server", server)?);
    if client.0 == server.0 && client.1.abs_diff(server.1) <= SKEW {
        return Ok(None);
    }
    Ok(Some(format!(
        "version difference between client ({}.{}) and server ({}.{}) exceeds the supported minor version skew of +/-{SKEW}",
        client.0, client.1, server.0, server.1
    )))
}

/// Fails unless the server is of the very version of the client, for `--match-server-version`.
///
/// # Errors
/// Another version, or a server that does not tell.
pub async fn check_match(cx: &Context) -> Result<()> {
    let server = cx
        .json(Request::get("/version").query("timeout", "32s"))
        .await
        .map_err(|error| error.map_message(|why| format!("couldn't read version from server: {why}")))?;
    let client = client_version();
    if ["gitVersion", "gitCommit", "gitTreeState"].iter().all(|field| server[field] == client[field]) {
        return Ok(());
    }
    let (server, client) = (go_syntax(&server), go_syntax(&client));
    Err(Error::new(format!("server version (&{server}) differs from client version ({client})")))
}

/// A version as Go's `%#v` shows the struct.
fn go_syntax(version: &Value) -> String {
    const FIELDS: [(&str, &str); 13] = [
        ("Major", "major"),
        ("Minor", "minor"),
        ("EmulationMajor", "emulationMajor"),
        ("EmulationMinor", "emulationMinor"),
        ("MinCompatibilityMajor", "minCompatibilityMajor"),
        ("MinCompatibilityMinor", "minCompatibilityMinor"),
        ("GitVersion", "gitVersion"),
        ("GitCommit", "gitCommit"),
        ("GitTreeState", "gitTreeState"),
        ("BuildDate", "buildDate"),
        ("GoVersion", "goVersion"),
        ("Compiler", "compiler"),
        ("Platform", "platform"),
    ];
    let field = |(name, field): (&str, &str)| format!("{name}:{}", quote(version[field].as_str().unwrap_or_default()));
    format!("version.Info{{{}}}", FIELDS.map(field).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scripted::{Scripted, kubectl};

    fn server(version: &str) -> std::sync::Arc<Scripted> {
        Scripted::new(&[("GET /version", json!({"gitVersion": version, "major": "1"}))])
    }

    #[test]
    fn versions_too_far_apart_are_warned_of() {
        let told = |version: &str, line: &str| kubectl(&server(version), line);
        assert!(told("v1.35.2", "version").ends_with("Server Version: v1.35.2\n[0]"));
        let why = "version difference between client (1.36) and server (1.30) exceeds the supported minor version skew \
                   of +/-1";
        assert!(told("v1.30.1", "version").ends_with(&format!("Server Version: v1.30.1\nWarning: {why}\n[0]")));
        assert!(told("v1.30.1", "version --warnings-as-errors").ends_with(&format!("error: {why}\n[1]")));
    }

    #[test]
    fn another_version_does_not_match() {
        let told = kubectl(&server("v1.30.1"), "get pods --match-server-version");
        assert!(told.starts_with("error: server version (&version.Info{Major:\"1\", Minor:\"\", "), "{told}");
        assert!(told.contains("GitVersion:\"v1.30.1\""), "{told}");
        assert!(told.contains(") differs from client version (version.Info{Major:\"1\", Minor:\"36\", "), "{told}");
    }
}
