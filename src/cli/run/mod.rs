//! `run`: a pod from an image.

mod attach;

pub use attach::print_log;

use std::sync::{Arc, LazyLock};

use clap::Parser;
use regex::Regex;
use serde_json::{Value, json};

use crate::cli::args::{DryRun, DryRunArgs, GoDuration, OutputArgs, OverrideArgs, Pairs};
use crate::cli::attach::{Attachment, DETACH_KEYS};
use crate::cli::context::Context;
use crate::cli::create::generated::{builtin, save_typed_config};
use crate::cli::create::{WriteArgs, Writer};
use crate::cli::delete::{self, Deletion};
use crate::cli::error::{Error, Result};
use crate::cli::labels;
use crate::cli::verb::Run;
use crate::kinds::{Kind, decode};
use crate::object::go::quote;
use crate::object::{intstr, meta, names};
use crate::resource::Target;

/// Run an image as a pod.
#[derive(Parser)]
pub struct RunArgs {
    /// Name, and after -- the arguments
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    deletion: DeletionArgs,
    /// Annotation of the pod, as KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    /// The image
    #[arg(long, value_name = "IMAGE", required = true)]
    image: String,
    /// When the image is pulled: Always, IfNotPresent or Never
    #[arg(long, value_name = "POLICY", default_value = "")]
    image_pull_policy: String,
    /// Delete the pod when its attached container ends
    #[arg(long)]
    rm: bool,
    /// Environment variable, as NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Port that the container listens on
    #[arg(long, value_name = "PORT", default_value = "")]
    port: String,
    /// Labels of the pod, separated by commas
    #[arg(short = 'l', long, value_name = "LABELS", default_value = "")]
    labels: String,
    /// Keep the container's standard input open
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give the container a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// Attach to the container once it runs
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    attach: Option<bool>,
    /// Leave standard input open after the first attachment
    #[arg(long)]
    leave_stdin_open: bool,
    /// Restart policy: Always, OnFailure or Never
    #[arg(long, value_name = "POLICY", default_value = "Always")]
    restart: String,
    /// The arguments are the command itself
    #[arg(long)]
    command: bool,
    /// Create a service for the pod, too
    #[arg(long)]
    expose: bool,
    /// Say less
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Run the container privileged
    #[arg(long)]
    privileged: bool,
    /// Keys that end an attachment
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS)]
    detach_keys: String,
    /// How long to wait until the pod runs
    #[arg(long, value_name = "TIME", default_value = "1m0s")]
    pod_running_timeout: GoDuration,
}

/// Flags that concern the deletion of what `--rm` removes; only accepted.
#[derive(clap::Args)]
struct DeletionArgs {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_value = "background",
          default_missing_value = "background")]
    cascade: String,
    #[arg(long, hide = true)]
    force: bool,
    #[arg(long, hide = true, default_value_t = -1)]
    grace_period: i32,
    #[arg(long, hide = true, default_value = "0s")]
    timeout: GoDuration,
    #[arg(long, hide = true)]
    wait: bool,
    #[arg(short = 'f', long, hide = true)]
    filename: Vec<String>,
    #[arg(short = 'k', long, hide = true)]
    kustomize: Option<String>,
    #[arg(short = 'R', long, hide = true)]
    recursive: bool,
    #[arg(long, hide = true)]
    record: bool,
}

/// An image reference: registry and path, tag, digest.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let host = format!(r"(?:{label}(?:\.{label})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?");
    let part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    let tag = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    Regex::new(&format!("^(?:{host}/)?{part}(?:/{part})*(?::{tag})?(?:@{digest})?$")).ok()
});

/// Whether the text is an image reference.
pub fn is_image(text: &str) -> bool {
    REFERENCE.as_ref().is_some_and(|form| form.is_match(text))
}

impl RunArgs {
    fn attaches(&self) -> bool {
        self.attach.unwrap_or(self.stdin)
    }

    /// What must be right before anything else is looked at.
    fn check(&self, cx: &Context, dry_run: DryRun) -> Result<()> {
        if self.words.is_empty() || cx.dash_at == Some(0) {
            return Err(cx.usage("NAME is required for run"));
        }
        if self.pod_running_timeout.0 <= 0 {
            return Err(cx.usage("--pod-running-timeout must be higher than zero"));
        }
        if self.image.is_empty() {
            return Err(Error::new("--image is required"));
        }
        if !is_image(&self.image) {
            return Err(Error::new(format!("Invalid image name {}: invalid reference format", quote(&self.image))));
        }
        if self.tty && !self.stdin {
            return Err(cx.usage("-i/--stdin is required for containers with -t/--tty=true"));
        }
        if self.expose && self.port.is_empty() {
            return Err(cx.usage("--port must be set when exposing a service"));
        }
        if !matches!(self.restart.as_str(), "" | "Always" | "OnFailure" | "Never") {
            return Err(cx.usage(format!("invalid restart policy: {}", self.restart)));
        }
        if !self.attaches() && self.rm {
            return Err(cx.usage("--rm should only be used for attached containers"));
        }
        if self.attaches() && dry_run != DryRun::None {
            return Err(cx.usage(
                "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
            ));
        }
        if !matches!(self.image_pull_policy.as_str(), "" | "Always" | "IfNotPresent" | "Never") {
            return Err(cx.usage(format!("invalid image pull policy: {}", self.image_pull_policy)));
        }
        Ok(())
    }

    fn env_vars(&self) -> Result<Vec<Value>> {
        let invalid = |text: &str| Error::new(format!("invalid env: {text}"));
        let variable = |text: &String| {
            let (name, value) = text.split_once('=').ok_or_else(|| invalid(text))?;
            if names::is_env_var_name(name).is_empty() {
                Ok(json!({"name": name, "value": value}))
            } else {
                Err(invalid(text))
            }
        };
        self.env.iter().map(variable).collect()
    }

    fn labels(&self, name: &str) -> Result<Value> {
        if self.labels.is_empty() { Ok(json!({"run": name})) } else { Ok(labels::parse(&self.labels)?.into()) }
    }

    fn port(&self) -> Result<i64> {
        let failed = |why| Error::new(format!("strconv.Atoi: parsing {}: {why}", quote(&self.port)));
        intstr::atoi(&self.port).map_err(failed)
    }

    fn pod(&self, name: &str) -> Result<Value> {
        let env = self.env_vars()?;
        let annotations = Pairs::parse(&self.annotations, "annotations")?;
        if !annotations.removed.is_empty() {
            let removed: Vec<String> = annotations.removed.iter().map(|key| format!("{key}-")).collect();
            return Err(Error::new(format!("invalid annotations format: {}", removed.join(", "))));
        }
        let labels = self.labels(name)?;
        let mut container = json!({"name": name, "image": self.image, "env": env, "stdin": self.stdin,
            "stdinOnce": self.stdin && !self.leave_stdin_open, "tty": self.tty,
            "imagePullPolicy": self.image_pull_policy});
        if self.privileged {
            container["securityContext"] = json!({"privileged": true});
        }
        let arguments = self.words.get(1..).unwrap_or_default();
        if !arguments.is_empty() {
            container[if self.command { "command" } else { "args" }] = json!(arguments);
        }
        if !self.port.is_empty() {
            container["ports"] = json!([{"containerPort": self.port()?}]);
        }
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": self.restart()}});
        for (key, value) in annotations.set {
            meta::set(&mut pod, &["metadata", "annotations", &key], value);
        }
        Ok(pod)
    }

    fn service(&self, name: &str) -> Result<Value> {
        let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
            "selector": self.labels(name)?,
            "ports": [{"port": self.port()?, "protocol": "TCP", "targetPort": self.port()?}],
        }});
        if !self.labels.is_empty() {
            service["metadata"]["labels"] = self.labels(name)?;
        }
        Ok(service)
    }

    /// Creates a generated object as far as the flags want it.
    async fn make(&self, writer: &Writer<'_>, object: Value, overrides: bool) -> Result<Value> {
        let cx = writer.cx;
        let kind = served(cx, &object).await?;
        let mut object = if overrides { self.overrides.apply(object)? } else { object };
        decode::settle(&mut object);
        let (namespace, enforced) = cx.namespace()?;
        if writer.dry_run == DryRun::Client {
            if enforced {
                meta::set(&mut object, &["metadata", "namespace"], namespace);
            }
            return Ok(object);
        }
        if self.write.save_config || meta::annotation(&object, meta::LAST_APPLIED).is_some() {
            save_typed_config(&mut object);
        }
        writer.post(&kind, &namespace, &object).await
    }
}

impl RunArgs {
    /// The restart policy of the pod.
    fn restart(&self) -> &str {
        match self.restart.as_str() {
            "" if self.stdin => "OnFailure",
            "" => "Always",
            policy => policy,
        }
    }

    /// Attaches to the new pod, and removes afterwards what was made where that is wanted.
    async fn attach(&self, writer: &Writer<'_>, pod: &Value) -> Result<()> {
        let cx = writer.cx;
        let name = meta::name(pod);
        let (mut made, mut failed) = (vec![pod.clone()], Ok(()));
        if self.expose {
            match self.make(writer, self.service(name)?, false).await {
                Ok(service) => made.push(service),
                Err(error) => failed = Err(error),
            }
        }
        let how = Attachment {
            container: String::new(),
            stdin: self.stdin,
            tty: self.tty,
            quiet: self.quiet,
            detach_keys: self.detach_keys.clone(),
            command: format!("{} attach", cx.program.name),
        };
        let patience = self.pod_running_timeout.positive().unwrap_or_default();
        let outcome = attach::run(cx, pod, &how, self.restart(), self.leave_stdin_open, patience).await;
        if self.rm {
            // As with kubectl, what cannot be removed is left there without a word.
            self.remove(cx, &made).await.ok();
        }
        outcome.and(failed)
    }

    async fn remove(&self, cx: &Context, made: &[Value]) -> Result<()> {
        let how = Deletion {
            propagation: "Background",
            grace_period: -1,
            wait: false,
            timeout: None,
            dry_run: DryRun::None,
            names: false,
            quiet: self.quiet,
            ignore_not_found: true,
        };
        for object in made {
            let kind = Arc::new(served(cx, object).await?);
            let target = Target::named(kind, meta::namespace(object), meta::name(object));
            delete::delete(cx, vec![target], Vec::new(), &how).await?;
        }
        Ok(())
    }
}

/// The row of a built-in object's kind. kubectl asks the server for it, also when nothing is sent.
pub async fn served(cx: &Context, object: &Value) -> Result<Kind> {
    let gvk = meta::gvk(object);
    match cx.mapper()?.kind(&gvk).await {
        Ok(Some(kind)) => return Ok(Kind::clone(&kind)),
        Err(error) if cx.program.exact => return Err(cx.explain(error)),
        _ => {}
    }
    builtin(meta::api_version(object), meta::kind(object)).cloned()
}

impl Run for RunArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let dry_run = self.dry_run.mode(cx)?;
        let printer = self.output.printer(&format!("created{}", dry_run.suffix()))?;
        self.check(cx, dry_run)?;
        let name = self.words.first().map(String::as_str).unwrap_or_default();
        let manager = self.write.field_manager.clone().unwrap_or_else(|| "kubectl-run".into());
        let writer = Writer { cx, manager, validation: "", dry_run };
        let pod = self.make(&writer, self.pod(name)?, true).await?;
        if self.attaches() {
            return self.attach(&writer, &pod).await;
        }
        let mut failed = Ok(());
        if self.expose {
            match self.make(&writer, self.service(name)?, false).await {
                Ok(service) => {
                    printer.print_typed(cx, &service)?;
                    if self.output.format() == "yaml" {
                        cx.line("---")?;
                    }
                }
                Err(error) => failed = Err(error),
            }
        }
        printer.print_typed(cx, &pod)?;
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references() {
        for good in ["nginx", "a.b:5000/team/x_y:1.0", "localhost/x@sha256:0123456789abcdef0123456789abcdef"] {
            assert!(is_image(good), "{good}");
        }
        for bad in ["", "bad image", "Nginx", "nginx:", "a//b", "nginx@sha256:12"] {
            assert!(!is_image(bad), "{bad}");
        }
    }
}
