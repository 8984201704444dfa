//! `cluster-info dump`: the state of a cluster, for diagnosis.

use std::path::Path;

use clap::Parser;

use crate::cli::args::{OutputArgs, Printer};
use crate::cli::context::Context;
use crate::cli::error::{Result, path_error};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::Value;
use crate::object::meta::{self, list_at};

/// What is dumped of a namespace: the file, and the list's place in the API.
const LISTS: [(&str, &str, &str); 7] = [
    ("events", "/api/v1", "events"),
    ("replication-controllers", "/api/v1", "replicationcontrollers"),
    ("services", "/api/v1", "services"),
    ("daemonsets", "/apis/apps/v1", "daemonsets"),
    ("deployments", "/apis/apps/v1", "deployments"),
    ("replicasets", "/apis/apps/v1", "replicasets"),
    ("pods", "/api/v1", "pods"),
];

/// Dump nodes, events, workloads and logs of the pods.
///
/// Without flags, of the current namespace and of kube-system, to standard output.
#[derive(Parser)]
pub struct DumpArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Write a file for each list and each pod's logs below this folder
    #[arg(long, value_name = "DIR", default_value = "")]
    output_directory: String,
    /// Namespaces to dump
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Dump all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Accepted, without effect: logs are asked for by pod
    #[arg(long, hide = true)]
    pod_running_timeout: Option<String>,
}

impl DumpArgs {
    fn is_folder(&self) -> bool {
        !matches!(self.output_directory.as_str(), "" | "-")
    }

    /// Writes to standard output, or to a file that only its owner may read: logs may hold credentials.
    fn write(&self, cx: &Context, file: &str, text: &str) -> Result<()> {
        if !self.is_folder() {
            cx.out(text)?;
            // What is read next may take long, and whoever reads this may have had enough.
            return Ok(cx.streams.flush()?);
        }
        let path = Path::new(&self.output_directory).join(file);
        let folder = path.parent().unwrap_or(Path::new("."));
        private_folder(folder).map_err(|error| path_error("mkdir", folder, &error))?;
        private_file(&path, text).map_err(|error| path_error("open", &path, &error))
    }

    async fn namespaces(&self, cx: &Context) -> Result<Vec<String>> {
        if self.all_namespaces {
            let list = cx.json(Request::get("/api/v1/namespaces")).await?;
            return Ok(list_at(&list, &["items"]).iter().map(|object| meta::name(object).to_owned()).collect());
        }
        if !self.namespaces.is_empty() {
            return Ok(self.namespaces.clone());
        }
        Ok(vec!["kube-system".to_owned(), cx.namespace()?.0])
    }

    async fn namespace(&self, cx: &Context, printer: &Printer, ending: &str, namespace: &str) -> Result<()> {
        let within = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
        let mut pods = Value::Null;
        for (file, prefix, plural) in LISTS {
            let list = cx.json(Request::get(format!("{prefix}{within}/{plural}"))).await?;
            self.write(cx, &format!("{namespace}/{file}{ending}"), &text_of(printer, &list)?)?;
            pods = list;
        }
        for pod in list_at(&pods, &["items"]) {
            let logs = logs(cx, meta::namespace(pod), pod).await?;
            self.write(cx, &format!("{namespace}/{}/logs.txt", meta::name(pod)), &logs)?;
        }
        Ok(())
    }
}

/// An object as a typed client prints it.
fn text_of(printer: &Printer, object: &Value) -> Result<String> {
    let mut text = String::new();
    printer.append_typed(object, &mut text)?;
    Ok(text)
}

/// The logs of all containers of a pod; what cannot be read says why in its place.
async fn logs(cx: &Context, namespace: &str, pod: &Value) -> Result<String> {
    let name = meta::name(pod);
    let mut text = String::new();
    for field in ["initContainers", "containers"] {
        for container in list_at(pod, &["spec", field]) {
            let container = meta::str_at(container, &["name"]);
            let of = format!("logs for container {container} of pod {namespace}/{name} ====\n");
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log");
            let read = match cx.call(Request::get(path).query("container", container)).await {
                Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
                Err(error) => format!("Request log error: {}\n", error.text()),
            };
            text.push_str(&format!("==== START {of}{read}==== END {of}"));
        }
    }
    Ok(text)
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

impl Run for DumpArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let output = match self.output.format() {
            "" => OutputArgs { output: Some("json".into()), ..self.output.clone() },
            _ => self.output.clone(),
        };
        let printer = output.printer("")?;
        let ending = match output.format() {
            "json" => ".json",
            "yaml" => ".yaml",
            _ => ".txt",
        };
        let nodes = cx.json(Request::get("/api/v1/nodes")).await?;
        self.write(cx, &format!("nodes{ending}"), &text_of(&printer, &nodes)?)?;
        for namespace in self.namespaces(cx).await? {
            self.namespace(cx, &printer, ending, &namespace).await?;
        }
        if self.is_folder() {
            cx.line(format!("Cluster info dumped to {}", self.output_directory))?;
        }
        Ok(())
    }
}
