//! `LimitRanger`: defaults and bounds of resources in a namespace.

use serde_json::json;

use super::resources::{self, Amounts};
use super::{Attributes, Operation};
use crate::apiserver::core::Core;
use crate::object::quantity::Quantity;
use crate::object::{Status, Value, meta};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

fn ranges(core: &Core, namespace: &str) -> Vec<Value> {
    let entries = core.store.list(&format!("/registry/limitranges/{namespace}/"), None).entries;
    entries.iter().map(|entry| entry.object("v1", "LimitRange")).collect()
}

/// The limits of one type in a range.
fn limits<'a>(range: &'a Value, of: &'a str) -> impl Iterator<Item = &'a Value> {
    meta::list_at(range, &["spec", "limits"]).iter().filter(move |limit| meta::str_at(limit, &["type"]) == of)
}

/// Fills in default requests and limits of a new pod's containers.
pub fn admit(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if attributes.operation != Operation::Create || !attributes.is_for("", "pods", "") {
        return Ok(());
    }
    let Some(pod) = &mut attributes.object else { return Ok(()) };
    for range in ranges(core, &attributes.namespace) {
        let (mut requests, mut defaults) = (Amounts::new(), Amounts::new());
        for limit in limits(&range, "Container") {
            requests.extend(resources::list(limit, &["defaultRequest"]));
            defaults.extend(resources::list(limit, &["default"]));
        }
        fill(pod, &requests, &defaults);
    }
    Ok(())
}

fn fill(pod: &mut Value, requests: &Amounts, defaults: &Amounts) {
    let mut notes = Vec::new();
    for (field, what) in [("containers", "container"), ("initContainers", "init container")] {
        let spec = meta::map_mut(pod, &["spec"]);
        for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
            let name = meta::str_at(container, &["name"]).to_owned();
            for (kind, amounts, word) in [("requests", requests, "request"), ("limits", defaults, "limit")] {
                let set = fill_list(container, kind, amounts);
                if !set.is_empty() {
                    notes.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        meta::set(pod, &["metadata", "annotations", ANNOTATION], note);
    }
}

fn fill_list<'a>(container: &mut Value, kind: &str, amounts: &'a Amounts) -> Vec<&'a str> {
    let mut set = Vec::new();
    for (name, amount) in amounts {
        if meta::get(container, &["resources", kind, name]).is_none() {
            meta::set(container, &["resources", kind, name], json!(amount.to_string()));
            set.push(name.as_str());
        }
    }
    set
}

/// Holds pods and claims against the bounds.
pub fn validate(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    let (create, update) = (attributes.operation == Operation::Create, attributes.operation == Operation::Update);
    let pod = (create && attributes.is_for("", "pods", "")) || (update && attributes.is_for("", "pods", "resize"));
    let claim = (create || update) && attributes.is_for("", "persistentvolumeclaims", "");
    if !pod && !claim {
        return Ok(());
    }
    let Some(object) = &attributes.object else { return Ok(()) };
    if update && meta::deletion_timestamp(object).is_some() {
        return Ok(());
    }
    for range in ranges(core, &attributes.namespace) {
        let mut problems = Vec::new();
        if pod {
            check_pod(&range, object, &mut problems);
        } else {
            check_claim(&range, object, &mut problems);
        }
        let mut unique: Vec<String> = Vec::new();
        problems.into_iter().for_each(|problem| {
            if !unique.contains(&problem) {
                unique.push(problem);
            }
        });
        match unique.as_slice() {
            [] => {}
            [one] => return Err(attributes.forbidden(one)),
            many => return Err(attributes.forbidden(&format!("[{}]", many.join(", ")))),
        }
    }
    Ok(())
}

fn check_pod(range: &Value, pod: &Value, problems: &mut Vec<String>) {
    for limit in meta::list_at(range, &["spec", "limits"]) {
        match meta::str_at(limit, &["type"]) {
            "Container" => {
                for field in ["containers", "initContainers"] {
                    for container in meta::list_at(pod, &["spec", field]) {
                        let requests = resources::list(container, &["resources", "requests"]);
                        let limits = resources::list(container, &["resources", "limits"]);
                        check(limit, "Container", &requests, &limits, problems);
                    }
                }
            }
            "Pod" => {
                let (requests, limits) = (resources::of_pod(pod, "requests"), resources::of_pod(pod, "limits"));
                check(limit, "Pod", &requests, &limits, problems);
            }
            _ => {}
        }
    }
}

fn check_claim(range: &Value, claim: &Value, problems: &mut Vec<String>) {
    let requests = resources::list(claim, &["spec", "resources", "requests"]);
    for limit in limits(range, "PersistentVolumeClaim") {
        for (name, bound) in resources::list(limit, &["min"]) {
            problems.extend(minimum("PersistentVolumeClaim", &name, &bound, &requests, &Amounts::new()));
        }
        for (name, bound) in resources::list(limit, &["max"]) {
            let start = format!("maximum {name} usage per PersistentVolumeClaim is {bound}");
            match requests.get(&name) {
                None => problems.push(format!("{start}.  No request is specified")),
                Some(request) if *request > bound => problems.push(format!("{start}, but request is {request}")),
                Some(_) => {}
            }
        }
    }
}

fn check(limit: &Value, of: &str, requests: &Amounts, limits: &Amounts, problems: &mut Vec<String>) {
    for (name, bound) in resources::list(limit, &["min"]) {
        problems.extend(minimum(of, &name, &bound, requests, limits));
    }
    for (name, bound) in resources::list(limit, &["max"]) {
        let start = format!("maximum {name} usage per {of} is {bound}");
        match (limits.get(&name), requests.get(&name)) {
            (None, _) => problems.push(format!("{start}.  No limit is specified")),
            (Some(limit), _) if *limit > bound => problems.push(format!("{start}, but limit is {limit}")),
            (_, Some(request)) if *request > bound => problems.push(format!("{start}, but request is {request}")),
            _ => {}
        }
    }
    for (name, bound) in resources::list(limit, &["maxLimitRequestRatio"]) {
        problems.extend(ratio(of, &name, &bound, requests.get(&name), limits.get(&name)));
    }
}

fn minimum(of: &str, name: &str, bound: &Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let start = format!("minimum {name} usage per {of} is {bound}");
    match (requests.get(name), limits.get(name)) {
        (None, _) => Some(format!("{start}.  No request is specified")),
        (Some(request), _) if request < bound => Some(format!("{start}, but request is {request}")),
        (_, Some(limit)) if limit < bound => Some(format!("{start}, but limit is {limit}")),
        _ => None,
    }
}

fn ratio(
    of: &str,
    name: &str,
    bound: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let start = format!("{name} max limit to request ratio per {of} is {bound}, but");
    let Some(request) = request.filter(|request| !request.is_zero()) else {
        return Some(format!("{start} no request is specified or request is 0"));
    };
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
        return Some(format!("{start} no limit is specified or limit is 0"));
    };
    let provided = limit.as_f64() / request.as_f64();
    (provided > bound.as_f64()).then(|| format!("{start} provided ratio is {provided:.6}"))
}
