//! What pods get on their way: a priority, tolerations, what their runtime class asks for.

use std::sync::Arc;

use serde_json::json;

use super::{Attributes, Operation};
use crate::apiserver::core::Core;
use crate::apiserver::store::Entry;
use crate::object::{Status, Value, meta};

/// Priority classes that the server makes itself.
const SYSTEM_CLASSES: &[&str] = &["system-node-critical", "system-cluster-critical"];
const CLASSES: &str = "/registry/priorityclasses/";

fn value_of(class: &Value) -> i64 {
    meta::int_at(class, &["value"]).unwrap_or_default()
}

fn default_class(core: &Core) -> Option<Arc<Entry>> {
    let classes = core.store.list(CLASSES, None).entries.into_iter();
    classes.filter(|class| meta::bool_at(class.kept(), &["globalDefault"])).min_by_key(|class| value_of(class.kept()))
}

/// `Priority`: the number that a pod's class stands for; classes of the system stay.
pub fn priority(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.is_for("scheduling.k8s.io", "priorityclasses", "") {
        let system = SYSTEM_CLASSES.contains(&attributes.name.as_str());
        if attributes.operation == Operation::Delete && system {
            return Err(attributes.forbidden("this is a system priority class and cannot be deleted"));
        }
        return Ok(());
    }
    if !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(mut pod) = attributes.object.take() else { return Ok(()) };
    let outcome = match attributes.operation {
        Operation::Create => set_priority(core, &mut pod),
        Operation::Update => {
            keep_priority(&mut pod, attributes.old.as_ref());
            Ok(())
        }
        _ => Ok(()),
    };
    attributes.object = Some(pod);
    outcome.map_err(|why| attributes.forbidden(&why))
}

fn set_priority(core: &Core, pod: &mut Value) -> Result<(), String> {
    let name = meta::str_at(pod, &["spec", "priorityClassName"]).to_owned();
    let class = if name.is_empty() {
        default_class(core)
    } else {
        let entry = core.store.get(&format!("{CLASSES}{name}"));
        let entry = entry.ok_or_else(|| format!("no PriorityClass with name {name} was found"))?;
        Some(entry)
    };
    let class = class.as_ref().map(|class| class.kept());
    let value = class.map(value_of).unwrap_or_default();
    let policy = class.map(|class| meta::str_at(class, &["preemptionPolicy"])).filter(|p| !p.is_empty());
    let policy = policy.unwrap_or("PreemptLowerPriority").to_owned();
    if let Some(given) = meta::int_at(pod, &["spec", "priority"]).filter(|given| *given != value) {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name"
        ));
    }
    let given = meta::str_at(pod, &["spec", "preemptionPolicy"]).to_owned();
    if !given.is_empty() && given != policy {
        return Err(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        ));
    }
    if let Some(class) = class.filter(|_| name.is_empty()) {
        meta::set(pod, &["spec", "priorityClassName"], meta::name(class));
    }
    meta::set(pod, &["spec", "priority"], value);
    meta::set(pod, &["spec", "preemptionPolicy"], policy);
    Ok(())
}

fn keep_priority(pod: &mut Value, old: Option<&Value>) {
    for field in ["priority", "preemptionPolicy"] {
        let kept = old.and_then(|old| meta::get(old, &["spec", field])).cloned();
        if let (None, Some(kept)) = (meta::get(pod, &["spec", field]), kept) {
            meta::set(pod, &["spec", field], kept);
        }
    }
}

/// `Priority`: at most one class is the default.
pub fn single_default_class(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
    if !writes || !attributes.is_for("scheduling.k8s.io", "priorityclasses", "") {
        return Ok(());
    }
    let Some(class) = attributes.object.as_ref().filter(|class| meta::bool_at(class, &["globalDefault"])) else {
        return Ok(());
    };
    match default_class(core) {
        Some(other) if meta::name(other.kept()) != meta::name(class) => {
            let name = meta::name(other.kept());
            let why = format!("PriorityClass {name} is already marked as default. Only one default can exist");
            Err(attributes.forbidden(&why))
        }
        _ => Ok(()),
    }
}

/// `DefaultTolerationSeconds`: pods stay for five minutes on a node that is not ready or not to be reached.
pub fn tolerations(_: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
    if !writes || !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(pod) = &mut attributes.object else { return Ok(()) };
    let mut tolerations = meta::list_at(pod, &["spec", "tolerations"]).to_vec();
    let before = tolerations.len();
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().take(before).any(|toleration| {
            matches!(meta::str_at(toleration, &["effect"]), "" | "NoExecute")
                && matches!(meta::str_at(toleration, &["key"]), key if key.is_empty() || key == taint)
        });
        if !tolerated {
            tolerations
                .push(json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    if tolerations.len() > before {
        meta::set(pod, &["spec", "tolerations"], tolerations);
    }
    Ok(())
}

/// `RuntimeClass`: overhead and scheduling of the class that a pod names.
pub fn runtime_class(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(mut pod) = attributes.object.take() else { return Ok(()) };
    let outcome = set_runtime_class(core, &mut pod);
    attributes.object = Some(pod);
    outcome.map_err(|why| attributes.forbidden(&why))
}

const OTHER_OVERHEAD: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

/// The runtime class that a pod names, if it names one.
fn class_of(core: &Core, pod: &Value) -> Result<Option<Value>, String> {
    let name = meta::str_at(pod, &["spec", "runtimeClassName"]);
    if name.is_empty() {
        return Ok(None);
    }
    let quoted = crate::object::go::quote(name);
    let entry = core.store.get(&format!("/registry/runtimeclasses/{name}"));
    let entry = entry.ok_or_else(|| format!("pod rejected: RuntimeClass {quoted} not found"))?;
    Ok(Some(entry.object("node.k8s.io/v1", "RuntimeClass")))
}

/// `RuntimeClass`: the overhead of a pod is that of its class.
pub fn runtime_class_overhead(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(pod) = &attributes.object else { return Ok(()) };
    let judged = class_of(core, pod).and_then(|class| {
        let fixed = class.as_ref().and_then(|class| meta::get(class, &["overhead", "podFixed"]));
        match (fixed, meta::get(pod, &["spec", "overhead"])) {
            (Some(fixed), given) if given != Some(fixed) => Err(OTHER_OVERHEAD.to_owned()),
            (None, Some(_)) => {
                Err("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned())
            }
            _ => Ok(()),
        }
    });
    judged.map_err(|why| attributes.forbidden(&why))
}

fn set_runtime_class(core: &Core, pod: &mut Value) -> Result<(), String> {
    let Some(class) = class_of(core, pod)? else { return Ok(()) };
    if let Some(fixed) = meta::get(&class, &["overhead", "podFixed"]) {
        if meta::get(pod, &["spec", "overhead"]).is_some_and(|given| given != fixed) {
            return Err(OTHER_OVERHEAD.into());
        }
        meta::set(pod, &["spec", "overhead"], fixed.clone());
    }
    for (key, value) in meta::texts(meta::map_at(&class, &["scheduling", "nodeSelector"])) {
        let present = meta::str_at(pod, &["spec", "nodeSelector", key]).to_owned();
        if !present.is_empty() && present != value {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}, pod.spec.nodeSelector[{key}] = \
                 {present}"
            ));
        }
        meta::set(pod, &["spec", "nodeSelector", key], value);
    }
    let mut tolerations = meta::list_at(pod, &["spec", "tolerations"]).to_vec();
    let before = tolerations.len();
    for toleration in meta::list_at(&class, &["scheduling", "tolerations"]) {
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    if tolerations.len() > before {
        meta::set(pod, &["spec", "tolerations"], tolerations);
    }
    Ok(())
}

/// `TaintNodesByCondition`: new nodes take no pods before they are ready.
pub fn taint_new_node(_: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    const KEY: &str = "node.kubernetes.io/not-ready";
    if attributes.operation != Operation::Create || !attributes.is_for("", "nodes", "") {
        return Ok(());
    }
    let Some(node) = &mut attributes.object else { return Ok(()) };
    let mut taints = meta::list_at(node, &["spec", "taints"]).to_vec();
    let is_there =
        |taint: &Value| meta::str_at(taint, &["key"]) == KEY && meta::str_at(taint, &["effect"]) == "NoSchedule";
    if !taints.iter().any(is_there) {
        taints.push(json!({"key": KEY, "effect": "NoSchedule"}));
        meta::set(node, &["spec", "taints"], taints);
    }
    Ok(())
}
