//! `create deployment`, `create job`, `create cronjob`.

use clap::Parser;
use serde_json::{Value, json};

use super::generated::GeneratedArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::cli::verb::Run;
use crate::kinds::go_types::go_struct;
use crate::object::{hash, meta};
use crate::resource::Selection;

/// Create a deployment.
#[derive(Parser)]
pub struct DeploymentArgs {
    /// Name, and after -- the command
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Image of a container; may be repeated
    #[arg(long, value_name = "IMAGE", value_delimiter = ',', required = true)]
    image: Vec<String>,
    /// Port that the first container listens on
    #[arg(long, value_name = "PORT", default_value_t = -1)]
    port: i32,
    /// Number of replicas
    #[arg(short = 'r', long, value_name = "COUNT", default_value_t = 1)]
    replicas: i32,
}

/// The command among the words: what follows the name.
fn command(words: &[String]) -> &[String] {
    words.get(1..).unwrap_or_default()
}

fn container(name: &str, image: &str, command: &[String]) -> Value {
    let mut container = json!({"name": name, "image": image});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    container
}

/// A container's name from its image: the last part of the path without tag and digest, made unique where letters
/// had to be replaced.
fn container_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    if !name.contains(['_', '.']) {
        return name.to_owned();
    }
    format!("{}-{}", name.replace(['_', '.'], "-"), random_suffix(5))
}

/// Letters and digits that make a name unique.
pub fn random_suffix(length: usize) -> String {
    let mut bytes = [0_u8; 64];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).ok();
    let mut random = bytes.iter().copied().cycle();
    hash::random_suffix(length, || random.next().unwrap_or_default())
}

impl Run for DeploymentArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        let command = command(&self.words);
        if self.image.len() > 1 && !command.is_empty() {
            return Err(Error::new("cannot specify multiple --image options and command"));
        }
        let labels = json!({"app": making.name});
        let mut containers: Vec<Value> =
            self.image.iter().map(|image| container(&container_name(image), image, command)).collect();
        if self.port >= 0
            && let Some(first) = containers.first_mut()
        {
            first["ports"] = json!([{"containerPort": self.port}]);
        }
        let mut object = making.object("apps/v1", "Deployment")?;
        object["metadata"]["labels"] = labels.clone();
        object["spec"] = json!({
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        });
        making.finish(object, "failed to create deployment: ").await
    }
}

/// Create a job, of an image or as a cron job would now.
#[derive(Parser)]
pub struct JobArgs {
    /// Name, and after -- the command
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Image of the container
    #[arg(long, value_name = "IMAGE", default_value = "")]
    image: String,
    /// The cron job to take the job from (cronjob/NAME)
    #[arg(long, value_name = "TYPE/NAME", default_value = "")]
    from: String,
}

impl Run for JobArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        if self.image.is_empty() == self.from.is_empty() {
            return Err(Error::new("either --image or --from must be specified"));
        }
        let command = command(&self.words);
        if !command.is_empty() && !self.from.is_empty() {
            return Err(Error::new("cannot specify --from and command"));
        }
        let mut object = making.object("batch/v1", "Job")?;
        if self.from.is_empty() {
            object["spec"] = json!({"template": {"spec": {
                "containers": [container(&making.name, &self.image, command)],
                "restartPolicy": "Never",
            }}});
        } else {
            self.take(cx, &mut object).await?;
        }
        making.finish(object, "failed to create job: ").await
    }
}

impl JobArgs {
    /// Takes the job from the cron job, which becomes its owner.
    async fn take(&self, cx: &Context, object: &mut Value) -> Result<()> {
        let (namespace, _) = cx.namespace()?;
        let selection = Selection { namespace, ..cx.selection(vec![self.from.clone()], Default::default())? };
        let plan = cx.plan(&selection).await?;
        let mut found = targets::fetch(cx, &selection, plan).await?;
        Error::many(found.errors)?;
        let (Some(target), true) = (found.targets.pop(), found.targets.is_empty()) else {
            return Err(Error::new("from must be an existing cronjob"));
        };
        let cron = target.object;
        if meta::api_version(&cron) != "batch/v1" || meta::kind(&cron) != "CronJob" {
            return Err(Error::new(format!("unknown object type {}", go_type(&cron))));
        }
        let template = &cron["spec"]["jobTemplate"];
        let mut annotations = json!({"cronjob.kubernetes.io/instantiate": "manual"});
        for (key, value) in meta::annotations(template) {
            annotations[key] = value.into();
        }
        object["metadata"]["annotations"] = annotations;
        if let Some(labels) = meta::get(template, &["metadata", "labels"]) {
            object["metadata"]["labels"] = labels.clone();
        }
        object["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob",
            "name": meta::name(&cron), "uid": meta::uid(&cron), "controller": true}]);
        object["spec"] = template["spec"].clone();
        Ok(())
    }
}

/// The pointer type that holds such an object in Go: `*v1.Deployment`.
pub fn go_type(object: &Value) -> String {
    let gvk = meta::gvk(object);
    let definition = crate::kinds::Schemas::builtin().name_of_kind(&gvk).and_then(go_struct);
    match definition {
        Some(found) => format!("*{}.{}", gvk.version, found.name()),
        None => "*unstructured.Unstructured".to_owned(),
    }
}

/// Create a cron job.
#[derive(Parser)]
pub struct CronJobArgs {
    /// Name, and after -- the command
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// Image of the container
    #[arg(long, value_name = "IMAGE", required = true)]
    image: String,
    /// When to run, in cron's form
    #[arg(long, value_name = "SCHEDULE", required = true)]
    schedule: String,
    /// Restart policy of the job's pods: OnFailure or Never
    #[arg(long, value_name = "POLICY", default_value = "")]
    restart: String,
}

impl Run for CronJobArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        let restart = if self.restart.is_empty() { "OnFailure" } else { &self.restart };
        let mut object = making.object("batch/v1", "CronJob")?;
        object["spec"] = json!({
            "schedule": self.schedule,
            "jobTemplate": {
                "metadata": {"name": making.name},
                "spec": {"template": {"spec": {
                    "containers": [container(&making.name, &self.image, command(&self.words))],
                    "restartPolicy": restart,
                }}},
            },
        });
        making.finish(object, "failed to create cronjob: ").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_after_images() {
        assert_eq!(container_name("registry.example.com:5000/team/busybox:1.36"), "busybox");
        assert_eq!(container_name("alpine@sha256:00"), "alpine");
        let made = container_name("my_app.v2:1");
        assert!(made.starts_with("my-app-v2-") && made.len() == "my-app-v2-".len() + 5, "{made}");
    }
}
