//! `version`: of the program and of the server.

use clap::Parser;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::client::Request;
use crate::kinds::Kinds;
use crate::kustomize;

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
    let server = Kinds::version_info();
    let mut version: serde_json::Map<String, Value> = FIELDS
        .into_iter()
        .map(|field| (field.to_owned(), server.get(field).cloned().unwrap_or_else(|| json!(""))))
        .collect();
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
        if !self.words.is_empty() {
            return Err(Error::new(format!("extra arguments: [{}]", self.words.join(" "))));
        }
        let output = self.output.as_deref().unwrap_or_default();
        if !matches!(output, "" | "yaml" | "json") {
            return Err(Error::new("--output must be 'yaml' or 'json'"));
        }
        let client = client_version();
        let (server, failure) = match self.client {
            true => (None, None),
            false => match cx.json(Request::get("/version").query("timeout", "32s")).await {
                Ok(version) => (Some(version), None),
                Err(error) => (None, Some(error)),
            },
        };
        match output {
            "" => {
                let text = |version: &Value| version["gitVersion"].as_str().unwrap_or_default().to_owned();
                cx.line(format!("Client Version: {}\nKustomize Version: {}", text(&client), kustomize::VERSION))?;
                if let Some(server) = &server {
                    cx.line(format!("Server Version: {}", text(server)))?;
                }
            }
            format => {
                let mut all = json!({"clientVersion": client, "kustomizeVersion": kustomize::VERSION});
                if let Some(server) = server {
                    all["serverVersion"] = server;
                }
                match format {
                    "json" => cx.line(crate::object::json::to_indented(&all, "  "))?,
                    _ => cx.line(crate::manifest::to_yaml(&all))?,
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}
