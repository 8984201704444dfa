//! `rollout status`.

use clap::Parser;
use serde_json::Value;

use super::{WhichArgs, tell_none};
use crate::cli::args::GoDuration;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::EventKind;
use crate::object::go::quote;
use crate::object::meta;
use crate::resource::{Query, Target};

/// Show how far the replacement of pods is, until it is done.
#[derive(Parser)]
pub struct StatusArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Wait until it is done
    #[arg(short = 'w', long, default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    watch: bool,
    /// The revision that must be the one being rolled out
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    revision: i64,
    /// How long to wait; 0 for ever
    #[arg(long, value_name = "TIME", default_value = "0s")]
    timeout: GoDuration,
}

/// What is to be said, and whether the roll-out is done.
type Progress = (String, bool);

const REVISION: &str = "deployment.kubernetes.io/revision";

fn number(object: &Value, path: &[&str]) -> i64 {
    meta::int_at(object, path).unwrap_or_default()
}

fn observed(object: &Value) -> bool {
    meta::generation(object) <= number(object, &["status", "observedGeneration"])
}

fn deployment(object: &Value, revision: i64) -> Result<Progress> {
    let name = quote(meta::name(object));
    if revision > 0 {
        let running = meta::annotation(object, REVISION).map_or(Ok(0), str::parse::<i64>);
        let running = running
            .map_err(|_| Error::new(format!("cannot get the revision of deployment {name}: invalid annotation")))?;
        if running != revision {
            return Err(Error::new(format!(
                "desired revision ({revision}) is different from the running revision ({running})"
            )));
        }
    }
    if !observed(object) {
        return Ok(("Waiting for deployment spec update to be observed...\n".into(), false));
    }
    let late = meta::list_at(object, &["status", "conditions"]).iter().any(|condition| {
        meta::str_at(condition, &["type"]) == "Progressing"
            && meta::str_at(condition, &["reason"]) == "ProgressDeadlineExceeded"
    });
    if late {
        return Err(Error::new(format!("deployment {name} exceeded its progress deadline")));
    }
    let status = |field| number(object, &["status", field]);
    let (all, updated, available) = (status("replicas"), status("updatedReplicas"), status("availableReplicas"));
    let waiting = format!("Waiting for deployment {name} rollout to finish: ");
    if let Some(wanted) = meta::int_at(object, &["spec", "replicas"]).filter(|wanted| updated < *wanted) {
        return Ok((format!("{waiting}{updated} out of {wanted} new replicas have been updated...\n"), false));
    }
    if all > updated {
        let old = all - updated;
        return Ok((format!("{waiting}{old} old replicas are pending termination...\n"), false));
    }
    if available < updated {
        return Ok((format!("{waiting}{available} of {updated} updated replicas are available...\n"), false));
    }
    Ok((format!("deployment {name} successfully rolled out\n"), true))
}

fn rolling_update(object: &Value) -> Result<()> {
    match meta::str_at(object, &["spec", "updateStrategy", "type"]) {
        "RollingUpdate" => Ok(()),
        _ => Err(Error::new("rollout status is only available for RollingUpdate strategy type")),
    }
}

fn daemon_set(object: &Value) -> Result<Progress> {
    rolling_update(object)?;
    if !observed(object) {
        return Ok(("Waiting for daemon set spec update to be observed...\n".into(), false));
    }
    let name = quote(meta::name(object));
    let status = |field| number(object, &["status", field]);
    let wanted = status("desiredNumberScheduled");
    let (updated, available) = (status("updatedNumberScheduled"), status("numberAvailable"));
    let waiting = format!("Waiting for daemon set {name} rollout to finish: ");
    if updated < wanted {
        return Ok((format!("{waiting}{updated} out of {wanted} new pods have been updated...\n"), false));
    }
    if available < wanted {
        return Ok((format!("{waiting}{available} of {wanted} updated pods are available...\n"), false));
    }
    Ok((format!("daemon set {name} successfully rolled out\n"), true))
}

fn stateful_set(object: &Value) -> Result<Progress> {
    rolling_update(object)?;
    let status = |field| number(object, &["status", field]);
    if status("observedGeneration") == 0 || !observed(object) {
        return Ok(("Waiting for statefulset spec update to be observed...\n".into(), false));
    }
    let wanted = meta::int_at(object, &["spec", "replicas"]);
    let missing = wanted.map(|wanted| wanted - status("readyReplicas")).filter(|missing| *missing > 0);
    if let Some(missing) = missing {
        return Ok((format!("Waiting for {missing} pods to be ready...\n"), false));
    }
    let updated = status("updatedReplicas");
    if meta::get(object, &["spec", "updateStrategy", "rollingUpdate"]).is_some_and(|part| !part.is_null()) {
        let partition = meta::int_at(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
        if let (Some(wanted), Some(partition)) = (wanted, partition)
            && updated < wanted - partition
        {
            let part = wanted - partition;
            return Ok((
                format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {part} new pods have been updated...\n"
                ),
                false,
            ));
        }
        return Ok((format!("partitioned roll out complete: {updated} new pods have been updated...\n"), true));
    }
    let revision = |field| meta::str_at(object, &["status", field]);
    let (next, current) = (revision("updateRevision"), revision("currentRevision"));
    if next != current {
        return Ok((
            format!("waiting for statefulset rolling update to complete {updated} pods at revision {next}...\n"),
            false,
        ));
    }
    let replicas = status("currentReplicas");
    Ok((format!("statefulset rolling update complete {replicas} pods at revision {current}...\n"), true))
}

/// How far the roll-out of an object is.
fn progress(object: &Value, target: &Target, revision: i64) -> Result<Progress> {
    match (target.kind.group.as_str(), target.kind.kind.as_str()) {
        ("apps", "Deployment") => deployment(object, revision),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "StatefulSet") => stateful_set(object),
        _ => Err(Error::new(format!("no status viewer has been implemented for {}", target.kind.group_kind()))),
    }
}

impl StatusArgs {
    /// Tells the state of the object; whether there is nothing to wait for.
    fn tell(&self, cx: &Context, object: &Value, target: &Target) -> Result<bool> {
        let (text, done) = progress(object, target, self.revision)?;
        cx.out(&text)?;
        cx.streams.flush()?;
        Ok(done || !self.watch)
    }

    async fn follow(&self, cx: &Context, target: &Target) -> Result<()> {
        if !matches!(
            (target.kind.group.as_str(), target.kind.kind.as_str()),
            ("apps", "Deployment" | "DaemonSet" | "StatefulSet")
        ) {
            return progress(&target.object, target, 0).map(drop);
        }
        let client = cx.client()?;
        let query = Query::of_target(target);
        loop {
            let list = query.list(client, 0, "application/json", false).await?;
            for object in meta::list_at(&list, &["items"]) {
                if self.tell(cx, object, target)? {
                    return Ok(());
                }
            }
            let mut watch = client.watch(query.watch(meta::resource_version(&list))).await?;
            while let Some(event) = watch.next().await? {
                match event.kind {
                    EventKind::Added | EventKind::Modified if self.tell(cx, &event.object, target)? => return Ok(()),
                    EventKind::Deleted => return Err(Error::new("object has been deleted")),
                    _ => {}
                }
            }
        }
    }
}

impl Run for StatusArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.which.check()?;
        if self.revision < 0 {
            return Err(Error::new(format!("revision must be a positive integer: {}", self.revision)));
        }
        let found = self.which.find(cx).await?;
        let mut errors = found.errors;
        if found.targets.is_empty() && errors.is_empty() {
            return tell_none(cx);
        }
        for target in &found.targets {
            let outcome = match self.timeout.positive() {
                None => self.follow(cx, target).await,
                Some(limit) => tokio::time::timeout(limit, self.follow(cx, target))
                    .await
                    .unwrap_or_else(|_| Err(Error::new("timed out waiting for the condition"))),
            };
            errors.extend(outcome.err());
        }
        Error::many(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_goes_through_its_stages() {
        let state = |status: Value| {
            let object =
                json!({"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 3}, "status": status});
            deployment(&object, 0).map_err(|error| error.text())
        };
        let waiting =
            |text: &str| Ok((format!("Waiting for deployment \"web\" rollout to finish: {text}...\n"), false));
        assert_eq!(
            state(json!({"observedGeneration": 1})),
            Ok(("Waiting for deployment spec update to be observed...\n".into(), false))
        );
        assert_eq!(
            state(json!({"observedGeneration": 2, "updatedReplicas": 1})),
            waiting("1 out of 3 new replicas have been updated")
        );
        assert_eq!(
            state(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 4})),
            waiting("1 old replicas are pending termination")
        );
        let done = json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3});
        assert_eq!(state(done), Ok(("deployment \"web\" successfully rolled out\n".into(), true)));
        let late = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]});
        assert_eq!(state(late), Err("deployment \"web\" exceeded its progress deadline".into()));
    }
}
