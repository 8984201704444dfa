//! Horizontal pod autoscalers. No metrics API is served here, so they keep their targets within the limits and say in
//! their conditions that they can do no more, as they do in any cluster without a metrics server.

use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use super::pods;
use super::runtime::{Action, Cache, Change, Controller, Key, PatchType, Resource, Watch, World};
use crate::kinds::Kinds;
use crate::object::go::quote;
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{GroupVersion, Value, meta};

/// How often an autoscaler looks at its target.
const PERIOD: Duration = Duration::from_secs(15);

/// The autoscaler controller.
#[derive(Default)]
pub struct PodAutoscalers;

fn autoscalers() -> Resource {
    Resource::new("autoscaling", "v2", "horizontalpodautoscalers")
}

/// Built-in kinds with a scale: kind, group and plural.
const SCALED: [(&str, &str, &str); 4] = [
    ("Deployment", "apps", "deployments"),
    ("ReplicaSet", "apps", "replicasets"),
    ("StatefulSet", "apps", "statefulsets"),
    ("ReplicationController", "", "replicationcontrollers"),
];

impl Controller for PodAutoscalers {
    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn event_source(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn watches(&self) -> Vec<Watch> {
        let of_target: fn(&Cache, &Change<'_>) -> Vec<Key> = |cache, change| {
            let target = change.object();
            let all = cache.list(&autoscalers(), Some(meta::namespace(target)));
            let scales = |autoscaler: &Value| {
                let reference = &autoscaler["spec"]["scaleTargetRef"];
                meta::kind(reference) == meta::kind(target) && str_at(reference, &["name"]) == meta::name(target)
            };
            all.iter().filter(|autoscaler| scales(autoscaler)).map(|autoscaler| Key::of(autoscaler)).collect()
        };
        // What this controller writes into the status is no reason to look again before the period is over.
        let own: fn(&Cache, &Change<'_>) -> Vec<Key> = |_, change| match (change.old, change.new) {
            (Some(old), Some(new)) if old.get("spec") == new.get("spec") => Vec::new(),
            _ => vec![Key::of(change.object())],
        };
        let mut watches = vec![Watch { resource: autoscalers(), keys: own }];
        watches.extend(
            SCALED.map(|(_, group, plural)| Watch { resource: Resource::new(group, "v1", plural), keys: of_target }),
        );
        watches
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(autoscaler) = world.cache.get(&autoscalers(), key) else { return Vec::new() };
        if meta::deletion_timestamp(&autoscaler).is_some() {
            return Vec::new();
        }
        let mut turn = Turn { world, autoscaler: &autoscaler, conditions: Vec::new(), actions: Vec::new() };
        turn.conditions = list_at(&autoscaler, &["status", "conditions"]).to_vec();
        turn.run();
        turn.actions
    }
}

/// The scale of a target as its object shows it.
struct Scale {
    resource: Resource,
    replicas: i64,
    has_selector: bool,
}

struct Turn<'a> {
    world: &'a World<'a>,
    autoscaler: &'a Value,
    conditions: Vec<Value>,
    actions: Vec<Action>,
}

impl Turn<'_> {
    fn run(&mut self) {
        self.actions.push(Action::RequeueAfter(PERIOD));
        let scale = match self.scale() {
            Ok(scale) => scale,
            Err(error) => {
                self.tell("Warning", "FailedGetScale", error.clone());
                let message = format!("the HPA controller was unable to get the target's current scale: {error}");
                self.condition("AbleToScale", "False", "FailedGetScale", &message);
                return self.write(None, None);
            }
        };
        let message = "the HPA controller was able to get the target's current scale";
        self.condition("AbleToScale", "True", "SucceededGetScale", message);
        let least = int_at(self.autoscaler, &["spec", "minReplicas"]).unwrap_or(1);
        let most = int_at(self.autoscaler, &["spec", "maxReplicas"]).unwrap_or(1);
        let (wanted, why) = match scale.replicas {
            0 if least != 0 => {
                let message = "scaling is disabled since the replica count of the target is zero";
                self.condition("ScalingActive", "False", "ScalingDisabled", message);
                return self.write(Some(scale.replicas), Some(0));
            }
            replicas if replicas > most => (most, "Current number of replicas above Spec.MaxReplicas"),
            replicas if replicas < least => (least, "Current number of replicas below Spec.MinReplicas"),
            _ => {
                self.fail_for_want_of_metrics(&scale);
                return self.write(Some(scale.replicas), None);
            }
        };
        self.rescale(&scale, wanted);
        self.tell("Normal", "SuccessfulRescale", format!("New size: {wanted}; reason: {why}"));
        let message = format!("the HPA controller was able to update the target scale to {wanted}");
        self.condition("AbleToScale", "True", "SucceededRescale", &message);
        self.write(Some(scale.replicas), Some(wanted));
    }

    fn tell(&mut self, type_: &'static str, reason: &'static str, message: String) {
        self.actions.push(Action::Event { regarding: self.autoscaler.clone(), type_, reason, message });
    }

    fn condition(&mut self, type_: &str, yes: &str, reason: &str, message: &str) {
        let time = self.world.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let condition = json!({"type": type_, "status": yes, "reason": reason, "message": message,
            "lastTransitionTime": time});
        pods::set_condition(&mut self.conditions, condition);
    }

    fn scale(&self) -> Result<Scale, String> {
        let reference = get(self.autoscaler, &["spec", "scaleTargetRef"]).cloned().unwrap_or_default();
        let (kind, name) = (meta::kind(&reference), str_at(&reference, &["name"]));
        let group = GroupVersion::parse(str_at(&reference, &["apiVersion"])).map(|gv| gv.group).unwrap_or_default();
        let row = SCALED.iter().find(|(k, g, _)| *k == kind && *g == group);
        let Some((_, group, plural)) = row else {
            let known = Kinds::builtin().rows().iter().any(|row| row.kind == kind && row.group == group);
            return Err(match known {
                true => "the server could not find the requested resource".to_owned(),
                false => format!("no matches for kind {} in group {}", quote(kind), quote(&group)),
            });
        };
        let resource = Resource::new(*group, "v1", *plural);
        let key = Key { namespace: meta::namespace(self.autoscaler).to_owned(), name: name.to_owned() };
        let qualified = if group.is_empty() { (*plural).to_owned() } else { format!("{plural}.{group}") };
        let target = self.world.cache.get(&resource, &key).ok_or(format!("{qualified} \"{name}\" not found"))?;
        Ok(Scale {
            resource,
            replicas: int_at(&target, &["spec", "replicas"]).unwrap_or(1),
            has_selector: get(&target, &["spec", "selector"]).is_some(),
        })
    }

    fn rescale(&mut self, scale: &Scale, wanted: i64) {
        self.actions.push(Action::Patch {
            resource: scale.resource.clone(),
            namespace: meta::namespace(self.autoscaler).to_owned(),
            name: str_at(self.autoscaler, &["spec", "scaleTargetRef", "name"]).to_owned(),
            subresource: Some("scale"),
            patch_type: PatchType::Merge,
            patch: json!({"spec": {"replicas": wanted}}),
        });
    }

    fn fail_for_want_of_metrics(&mut self, scale: &Scale) {
        if !scale.has_selector {
            let message = "the HPA target's scale is missing a selector";
            self.tell("Warning", "SelectorRequired", "selector is required".to_owned());
            self.condition("ScalingActive", "False", "InvalidSelector", message);
            return self.tell("Warning", "FailedComputeMetricsReplicas", "selector is required".to_owned());
        }
        let metrics = list_at(self.autoscaler, &["spec", "metrics"]);
        let missing: Vec<Missing> = metrics.iter().map(|metric| Missing::of(self.autoscaler, metric)).collect();
        for metric in &missing {
            self.tell("Warning", metric.reason, metric.error.clone());
        }
        let Some(first) = missing.first() else { return };
        let message = format!("the HPA was unable to compute the replica count: {}", first.error);
        self.condition("ScalingActive", "False", first.reason, &message);
        let count = missing.len();
        let first = format!("failed to get {} metric value: {}", first.what, first.error);
        let error = format!("invalid metrics ({count} invalid out of {count}), first error is: {first}");
        self.tell("Warning", "FailedComputeMetricsReplicas", error);
    }

    fn write(&mut self, current: Option<i64>, wanted: Option<i64>) {
        let mut status = get(self.autoscaler, &["status"]).cloned().unwrap_or_else(|| json!({}));
        status["conditions"] = json!(self.conditions);
        if let Some(current) = current {
            status["currentReplicas"] = json!(current);
        }
        if let Some(wanted) = wanted {
            status["desiredReplicas"] = json!(wanted);
            if self.actions.iter().any(|action| matches!(action, Action::Patch { .. })) {
                status["lastScaleTime"] = json!(self.world.now.to_rfc3339_opts(SecondsFormat::Secs, true));
            }
        }
        if self.autoscaler.get("status") != Some(&status) {
            let mut reported = self.autoscaler.clone();
            reported["status"] = status;
            self.actions.push(Action::update_status(&autoscalers(), reported));
        }
    }
}

/// Why a metric could not be had.
struct Missing {
    reason: &'static str,
    /// What was looked for, in the words of the summary.
    what: String,
    error: String,
}

impl Missing {
    fn of(autoscaler: &Value, metric: &Value) -> Self {
        const RESOURCES: &str = "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get \
             pods.metrics.k8s.io)";
        const CUSTOM: &str =
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
        let resource = |field: &str| {
            let name = str_at(metric, &[field, "name"]).to_owned();
            let by_share = str_at(metric, &[field, "target", "type"]) == "Utilization";
            let measure = if by_share { "utilization" } else { "usage" };
            (format!("failed to get {name} {measure}: unable to get metrics for resource {name}: {RESOURCES}"), name)
        };
        let named = |field: &str| str_at(metric, &[field, "metric", "name"]).to_owned();
        match str_at(metric, &["type"]) {
            "ContainerResource" => {
                let (error, name) = resource("containerResource");
                Self { reason: "FailedGetContainerResourceMetric", what: format!("{name} container"), error }
            }
            "Pods" => {
                let error = format!("unable to get metric {}: {CUSTOM}", named("pods"));
                Self { reason: "FailedGetPodsMetric", what: "pods".into(), error }
            }
            "Object" => {
                let described = &metric["object"]["describedObject"];
                let (kind, name) = (meta::kind(described), str_at(described, &["name"]));
                let namespace = meta::namespace(autoscaler);
                let error = format!("unable to get metric {}: {kind} on {namespace} {name}/{CUSTOM}", named("object"));
                Self { reason: "FailedGetObjectMetric", what: "object".into(), error }
            }
            "External" => {
                let (name, namespace) = (named("external"), meta::namespace(autoscaler));
                let selector = get(metric, &["external", "metric", "selector"]);
                let selector = selector.map_or_else(|| "nil".to_owned(), crate::object::selector::format_struct);
                let error = format!(
                    "unable to get external metric {namespace}/{name}/{selector}: unable to fetch metrics from external \
                     metrics API: no external metrics API (external.metrics.k8s.io) registered"
                );
                Self { reason: "FailedGetExternalMetric", what: format!("{name} external"), error }
            }
            _ => {
                let (error, name) = resource("resource");
                Self { reason: "FailedGetResourceMetric", what: format!("{name} resource"), error }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::Utc;

    use super::*;

    fn turn(replicas: i64) -> Vec<Action> {
        let cache = Cache::default();
        let autoscaler = json!({"metadata": {"name": "web", "namespace": "n", "uid": "A", "resourceVersion": "1"},
            "spec": {"minReplicas": 2, "maxReplicas": 4, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50}}}],
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let target = json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "n", "uid": "D",
            "resourceVersion": "2"}, "spec": {"replicas": replicas, "selector": {}}, "status": {"replicas": replicas}});
        cache.put(&autoscalers(), Arc::new(autoscaler));
        cache.put(&Resource::new("apps", "v1", "deployments"), Arc::new(target));
        let world = World { cache: &cache, now: Utc::now() };
        PodAutoscalers.reconcile(&world, &Key { namespace: "n".into(), name: "web".into() })
    }

    fn wanted(actions: &[Action]) -> Option<&Value> {
        actions.iter().find_map(|action| match action {
            Action::Patch { patch, .. } => Some(&patch["spec"]["replicas"]),
            _ => None,
        })
    }

    #[test]
    fn targets_are_kept_within_the_limits() {
        assert_eq!(wanted(&turn(1)), Some(&json!(2)));
        assert_eq!(wanted(&turn(9)), Some(&json!(4)));
        assert_eq!((wanted(&turn(3)), wanted(&turn(0))), (None, None));
    }

    #[test]
    fn conditions_tell_that_there_are_no_metrics() {
        let actions = turn(3);
        let Some(Action::Update { object, .. }) = actions.last() else { panic!("{actions:?}") };
        let condition = &object["status"]["conditions"][1];
        assert_eq!(
            (&condition["type"], &condition["reason"]),
            (&json!("ScalingActive"), &json!("FailedGetResourceMetric"))
        );
        assert_eq!(object["status"]["currentReplicas"], 3);
    }
}
