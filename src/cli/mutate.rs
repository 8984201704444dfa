//! Changes to objects of built-in kinds: what a change makes of an object, and the patch that tells the server.

use std::collections::BTreeSet;

use super::context::Context;
use super::create::workloads::go_type;
use super::error::{Error, Result};
use super::targets::{self, Found};
use crate::kinds::{Schemas, decode};
use crate::object::{Value, meta};
use crate::patch::{PatchSchema, strategic};
use crate::resource::{Selection, Target};

/// What `--local` says to objects that are named rather than in files.
pub const LOCAL: &str = "error: you must specify resources by --filename when --local is set.\nExample resource \
                     specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'";

/// Where the pods of a kind are described.
pub fn pod_spec_path(object: &Value) -> Result<&'static [&'static str]> {
    let kind = meta::gvk(object);
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => Ok(&["spec"]),
        ("", "ReplicationController")
        | ("apps", "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet")
        | ("batch", "Job") => Ok(&["spec", "template", "spec"]),
        ("batch", "CronJob") => Ok(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => Err(Error::new(format!("the object is not a pod or does not have a pod template: {}", go_type(object)))),
    }
}

/// The containers of a pod's specification whose names match, ordinary ones first: the lists' fields and positions.
pub fn containers(spec: &Value, pattern: &str) -> Vec<(&'static str, usize)> {
    let mut found = Vec::new();
    for list in ["containers", "initContainers"] {
        for (position, container) in meta::list_at(spec, &[list]).iter().enumerate() {
            if fits(meta::str_at(container, &["name"]), pattern) {
                found.push((list, position));
            }
        }
    }
    found
}

/// Whether a name matches a pattern with `*`, by kubectl's own rule: the parts are searched one after the other, and
/// only positions count.
fn fits(name: &str, pattern: &str) -> bool {
    if pattern == "*" || !pattern.contains('*') {
        return pattern == "*" || name == pattern;
    }
    let parts: Vec<&str> = pattern.split('*').collect();
    let mut position = 0;
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let next = name.get(position..).and_then(|rest| rest.find(part));
        match next {
            Some(next) if next >= position => {
                let last = index == parts.len() - 1;
                if (index == 0 && position != 0) || (last && name.len() != part.len() + next) {
                    return false;
                }
                position = next;
            }
            _ => return false,
        }
    }
    true
}

/// Changes an object of a built-in kind in place and gives the patch that says so; `None` when `change` says that
/// there is nothing to do.
///
/// # Errors
/// What `change` says, and objects that do not decode.
pub fn patch_of(object: &mut Value, change: impl FnOnce(&mut Value) -> Result<bool>) -> Result<Option<Value>> {
    let gvk = meta::gvk(object);
    let decoded = decode::decode(&gvk, std::mem::take(object)).map_err(|problem| Error::new(problem.to_string()))?;
    let before = decoded.object;
    *object = before.clone();
    if !change(object)? {
        return Ok(None);
    }
    decode::settle(object);
    let Some(schema) = PatchSchema::of_kind(Schemas::builtin(), &gvk) else {
        return Err(Error::new(format!(
            "no kind \"{}\" is registered for version \"{}\" in scheme \"k8s.io/kubectl/pkg/scheme/scheme.go:28\"",
            gvk.kind,
            gvk.api_version()
        )));
    };
    let patch = strategic::two_way(&before, object, schema, &[]);
    patch.map(Some).map_err(|error| Error::new(error.to_string()))
}

/// Whether a patch changes nothing.
pub fn is_empty(patch: &Value) -> bool {
    patch.as_object().is_some_and(serde_json::Map::is_empty)
}

/// The objects as the server has them, or as the files have them where `local`; any failure ends the search.
pub async fn find(cx: &Context, selection: Selection, local: bool) -> Result<Vec<Target>> {
    let Found { targets, errors, .. } = look(cx, selection, local).await?;
    Error::many(errors)?;
    Ok(targets)
}

/// The same, with the failures of what was not found.
pub async fn look(cx: &Context, selection: Selection, local: bool) -> Result<Found> {
    if local && !selection.args.is_empty() {
        return Err(Error::new(LOCAL));
    }
    if local {
        targets::local(cx, &Selection { labels: String::new(), ..selection }).await
    } else {
        targets::find(cx, &selection, true).await
    }
}

/// The values, sorted, each once.
pub fn sorted(values: &[String]) -> impl Iterator<Item = &String> {
    values.iter().collect::<BTreeSet<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_of_names() {
        for (name, pattern, expected) in
            [("web", "*", true), ("web", "web", true), ("web", "w*", true), ("web", "x*", false), ("web", "*b", true)]
        {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn patches_tell_the_change() {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]}}}});
        let patch = patch_of(&mut object, |object| {
            object["spec"]["template"]["spec"]["containers"][1]["image"] = "y".into();
            Ok(true)
        });
        let containers = json!([{"name": "b", "image": "y"}]);
        let patch = patch.expect("changes").expect("a patch");
        assert_eq!(patch["spec"]["template"]["spec"]["containers"], containers);
        let none = patch_of(&mut object, |_| Ok(true)).expect("no failure").expect("a patch");
        assert!(is_empty(&none), "{none}");
    }
}
