//! From stored definitions to the resources that are served: names, conditions, registration, the end.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::apiserver::core::{Core, timestamp};
use crate::apiserver::registry::Resource;
use crate::apiserver::store::{Encoded, Entry, Expect, Write};
use crate::kinds::columns::custom;
use crate::kinds::schema::Schema;
use crate::kinds::{Kind, Kinds, Schemas, Subresource};
use crate::object::go::quote;
use crate::object::{GroupVersionKind, Value, meta};
use crate::patch::ssa;

use super::check::{Approval, approval};
use super::definition::{CLEANUP, condition};
use super::props::Props;
use super::resource::{CustomStrategy, ScalePaths, ShownColumn};

/// Where definitions are kept.
pub const PREFIX: &str = "/registry/apiextensions.k8s.io/customresourcedefinitions/";

/// Verbs of custom resources, in the order of the reference server.
const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// What has been made of definitions, by name, with the revision it was made of.
#[derive(Default)]
pub struct Definitions {
    built: Mutex<HashMap<String, (u64, Vec<Resource>)>>,
}

/// Registers what the store holds, at the opening of a server.
pub fn restore(core: &Core) {
    rebuild(core);
}

/// Brings conditions and served resources up to date after a definition has changed.
pub async fn refresh(core: &Core) {
    // Every pass may free or take names; more passes than definitions change nothing.
    for _ in 0..=core.store.count(PREFIX) {
        let mut changed = false;
        for entry in core.store.list(PREFIX, None).entries {
            let crd = object(&entry);
            if let Some(new) = settled(core, &crd) {
                changed |= write(core, &entry, &crd, Some(new)).await;
            }
        }
        if !changed {
            break;
        }
    }
    rebuild(core);
    for entry in core.store.list(PREFIX, None).entries {
        let crd = object(&entry);
        if meta::deletion_timestamp(&crd).is_some() {
            clean_up(core, meta::name(&crd)).await;
        }
    }
    rebuild(core);
}

/// Goes on with the end of a definition after one of its objects has gone.
pub async fn finish(core: &Core, name: &str) {
    clean_up(core, name).await;
    rebuild(core);
}

fn object(entry: &Entry) -> Value {
    entry.object("apiextensions.k8s.io/v1", "CustomResourceDefinition")
}

/// Writes a new state of a definition, with the server as the owner of its status; nothing to remove it.
async fn write(core: &Core, entry: &Entry, old: &Value, new: Option<Value>) -> bool {
    let value = new.map(|new| Encoded::new(&owned(core, old, new)));
    let write = Write { key: entry.key.to_string(), expect: Expect::Revision(entry.revision), value };
    core.store.write(write).await.is_ok()
}

fn owned(core: &Core, old: &Value, new: Value) -> Value {
    let kind = GroupVersionKind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let empty = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"});
    ssa::update(
        Some(old),
        new,
        &ssa::Options {
            manager: "kube-apiserver",
            force: false,
            subresource: "status",
            kind: &kind,
            schema: Schemas::builtin().of_kind(&kind),
            empty: &empty,
            reset_fields: &[],
            empties: ssa::Empties::default(),
            versions: None,
            now: core.now(),
        },
    )
}

/// Sets a condition; the time of transition changes with the status only.
pub fn set_condition(
    crd: &mut Value,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: DateTime<Utc>,
) -> bool {
    let mut conditions = meta::list_at(crd, &["status", "conditions"]).to_vec();
    let new = condition(type_, status, reason, message, &timestamp(now));
    match conditions.iter_mut().find(|known| meta::str_at(known, &["type"]) == type_) {
        Some(known) => {
            let at = if meta::str_at(known, &["status"]) == status {
                known["lastTransitionTime"].clone()
            } else {
                json!(timestamp(now))
            };
            let mut new = new;
            new["lastTransitionTime"] = at;
            if *known == new {
                return false;
            }
            *known = new;
        }
        None => conditions.push(new),
    }
    meta::set(crd, &["status", "conditions"], conditions);
    true
}

/// Whether a condition is true.
pub fn is_true(crd: &Value, type_: &str) -> bool {
    meta::list_at(crd, &["status", "conditions"])
        .iter()
        .any(|c| meta::str_at(c, &["type"]) == type_ && meta::str_at(c, &["status"]) == "True")
}

/// Names that other definitions of the group have taken.
fn taken(core: &Core, crd: &Value) -> (HashSet<String>, HashSet<String>) {
    let (mut resources, mut kinds) = (HashSet::new(), HashSet::new());
    for entry in core.store.list(PREFIX, None).entries {
        let other = object(&entry);
        if meta::str_at(&other, &["spec", "group"]) != meta::str_at(crd, &["spec", "group"]) {
            continue;
        }
        let text = |field: &str| meta::str_at(&other, &["status", "acceptedNames", field]).to_owned();
        resources.extend([text("plural"), text("singular")]);
        let short = meta::list_at(&other, &["status", "acceptedNames", "shortNames"]).iter();
        resources.extend(short.filter_map(Value::as_str).map(str::to_owned));
        kinds.extend([text("kind"), text("listKind")]);
    }
    (resources, kinds)
}

/// Which names are granted, and what stands in the way of the last that is not.
fn accept(core: &Core, crd: &Value) -> (Value, Option<(&'static str, String)>) {
    let (resources, kinds) = taken(core, crd);
    let wanted = meta::get(crd, &["spec", "names"]).cloned().unwrap_or_default();
    let accepted = meta::get(crd, &["status", "acceptedNames"]).cloned().unwrap_or_default();
    let mut names = accepted.clone();
    let mut conflict = None;
    let mut single = |names: &mut Value, field: &str, used: &HashSet<String>, reason: &'static str| {
        let want = meta::str_at(&wanted, &[field]);
        if want != meta::str_at(&accepted, &[field]) && used.contains(want) {
            conflict = Some((reason, format!("{} is already in use", quote(want))));
        } else {
            meta::set(names, &[field], want);
        }
    };
    single(&mut names, "plural", &resources, "PluralConflict");
    single(&mut names, "singular", &resources, "SingularConflict");
    single(&mut names, "kind", &kinds, "KindConflict");
    single(&mut names, "listKind", &kinds, "ListKindConflict");
    let own = meta::list_at(&accepted, &["shortNames"]);
    let short = meta::list_at(&wanted, &["shortNames"]);
    let clashes: Vec<String> = short
        .iter()
        .filter(|name| !own.contains(name))
        .filter_map(Value::as_str)
        .filter(|name| resources.contains(*name))
        .map(|name| format!("{} is already in use", quote(name)))
        .collect();
    let set_list = |names: &mut Value, field: &str| match meta::get(&wanted, &[field]) {
        Some(list) => meta::set(names, &[field], list.clone()),
        None => drop(meta::remove(names, &[field])),
    };
    match clashes.as_slice() {
        [] => set_list(&mut names, "shortNames"),
        // Conflicts of the kinds are found later, and hide this one.
        _ if conflict.as_ref().is_some_and(|(reason, _)| reason.contains("Kind")) => {}
        [one] => conflict = Some(("ShortNamesConflict", one.clone())),
        many => conflict = Some(("ShortNamesConflict", format!("[{}]", many.join(", ")))),
    }
    set_list(&mut names, "categories");
    (names, conflict)
}

/// The definition with its names and conditions as they should be, if they are not.
fn settled(core: &Core, crd: &Value) -> Option<Value> {
    let now = core.now();
    let mut new = crd.clone();
    if meta::get(crd, &["spec", "names"]) != meta::get(crd, &["status", "acceptedNames"])
        || !is_true(crd, "Established")
    {
        let (names, conflict) = accept(core, crd);
        meta::set(&mut new, &["status", "acceptedNames"], names);
        match &conflict {
            None => {
                set_condition(&mut new, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now);
                if !is_true(&new, "Established") {
                    let message = "the initial names have been accepted";
                    set_condition(&mut new, "Established", "True", "InitialNamesAccepted", message, now);
                }
            }
            Some((reason, message)) => {
                set_condition(&mut new, "NamesAccepted", "False", reason, message, now);
                if !is_true(&new, "Established") {
                    set_condition(&mut new, "Established", "False", "NotAccepted", "not all names are accepted", now);
                }
            }
        }
    }
    const CONFORMANT: &str = "KubernetesAPIApprovalPolicyConformant";
    match approval(crd) {
        Some((Approval::Approved, text)) => {
            set_condition(&mut new, CONFORMANT, "True", "ApprovedAnnotation", &text, now);
        }
        Some((Approval::Bypassed, text)) => {
            set_condition(&mut new, CONFORMANT, "False", "UnapprovedAnnotation", &text, now);
        }
        Some((Approval::Missing, text)) => {
            set_condition(&mut new, CONFORMANT, "False", "MissingAnnotation", &text, now);
        }
        Some((Approval::Invalid, text)) => {
            set_condition(&mut new, CONFORMANT, "False", "InvalidAnnotation", &text, now);
        }
        None => {}
    }
    (new != *crd).then_some(new)
}

/// Removes the objects of a definition that is being deleted, then the definition.
async fn clean_up(core: &Core, name: &str) {
    const ATTEMPTS: usize = 5;
    for _ in 0..ATTEMPTS {
        let Some(entry) = core.store.get(&format!("{PREFIX}{name}")) else { return };
        let crd = object(&entry);
        let mine = meta::finalizers(&crd).any(|finalizer| finalizer == CLEANUP);
        if meta::deletion_timestamp(&crd).is_none() || !mine {
            return;
        }
        let mut new = crd.clone();
        let (group, plural) =
            (meta::str_at(&crd, &["spec", "group"]), meta::str_at(&crd, &["spec", "names", "plural"]));
        let established = is_true(&crd, "Established");
        let (reason, message) = if !established {
            ("NeverEstablished", "resource was never established")
        } else if remove_objects(core, &format!("/registry/{group}/{plural}/")).await == 0 {
            ("InstanceDeletionCompleted", "removed all instances")
        } else {
            let message = "CustomResource deletion is in progress";
            if !set_condition(&mut new, "Terminating", "True", "InstanceDeletionInProgress", message, core.now())
                || write(core, &entry, &crd, Some(new)).await
            {
                return;
            }
            continue;
        };
        set_condition(&mut new, "Terminating", "False", reason, message, core.now());
        let rest: Vec<String> = meta::finalizers(&crd).filter(|f| *f != CLEANUP).map(str::to_owned).collect();
        let new = if rest.is_empty() {
            None
        } else {
            meta::set(&mut new, &["metadata", "finalizers"], rest);
            Some(new)
        };
        if write(core, &entry, &crd, new).await {
            return;
        }
    }
}

/// Deletes the objects under a prefix, marking those with finalizers; gives back how many stay.
async fn remove_objects(core: &Core, prefix: &str) -> usize {
    let now = timestamp(core.now());
    let writes: Vec<Write> = core
        .store
        .list(prefix, None)
        .entries
        .iter()
        .filter_map(|entry| {
            let mut object = entry.object("", "");
            let stays = meta::finalizers(&object).next().is_some();
            if stays && meta::deletion_timestamp(&object).is_some() {
                return None;
            }
            meta::set(&mut object, &["metadata", "deletionTimestamp"], &*now);
            meta::set(&mut object, &["metadata", "deletionGracePeriodSeconds"], 0);
            let generation = meta::generation(&object) + 1;
            meta::set(&mut object, &["metadata", "generation"], generation);
            let value = stays.then(|| Encoded::new(&object));
            Some(Write { key: entry.key.to_string(), expect: Expect::Revision(entry.revision), value })
        })
        .collect();
    for write in writes {
        // A change in between shows in the count, and leads to another attempt.
        drop(core.store.write(write).await);
    }
    core.store.count(prefix)
}

/// Registers the resources of all established definitions.
fn rebuild(core: &Core) {
    let mut built = core.definitions.built.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = std::mem::take(&mut *built);
    let mut all: Vec<Resource> = Vec::new();
    for entry in core.store.list(PREFIX, None).entries {
        let (revision, resources) = match known.remove(&*entry.key) {
            Some((revision, resources)) if revision == entry.revision => (revision, resources),
            _ => (entry.revision, resources_of(&object(&entry))),
        };
        all.extend(resources.iter().cloned());
        built.insert(entry.key.to_string(), (revision, resources));
    }
    all.sort_by(|a, b| {
        a.kind
            .group
            .cmp(&b.kind.group)
            .then_with(|| compare_versions(&a.kind.version, &b.kind.version))
            .then_with(|| a.kind.plural.cmp(&b.kind.plural))
    });
    core.registry.set_custom(&all);
}

/// Versions, best first: stable ones, then betas, then alphas, higher numbers first, all others after them by name.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (parse_version(a), parse_version(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

fn parse_version(text: &str) -> Option<(u8, u64, u64)> {
    let rest = text.strip_prefix('v')?;
    let split = |text: &str, word: &str| -> Option<(u64, u64)> {
        let (major, minor) = text.split_once(word)?;
        Some((number(major)?, number(minor)?))
    };
    if let Some(major) = number(rest) {
        return Some((2, major, 0));
    }
    if let Some((major, minor)) = split(rest, "beta") {
        return Some((1, major, minor));
    }
    split(rest, "alpha").map(|(major, minor)| (0, major, minor))
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// The hash of the form in which objects are stored, as discovery shows it.
fn storage_hash(group: &str, version: &str, kind: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{group}/{version}/{kind}").as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest.as_ref().get(..8).unwrap_or_default())
}

/// The resources that a definition makes: one for each served version.
fn resources_of(crd: &Value) -> Vec<Resource> {
    if !is_true(crd, "Established") {
        return Vec::new();
    }
    let group = meta::str_at(crd, &["spec", "group"]);
    let plural = meta::str_at(crd, &["spec", "names", "plural"]);
    if Kinds::builtin().rows().iter().any(|row| row.group == group && row.plural == plural) {
        return Vec::new();
    }
    let versions = meta::list_at(crd, &["spec", "versions"]);
    let schema_of = |version: &Value| {
        meta::get(version, &["schema", "openAPIV3Schema"]).and_then(Props::from_value).map(Arc::new).unwrap_or_default()
    };
    let stored_version = versions.iter().find(|version| meta::bool_at(version, &["storage"]));
    let stored = stored_version.map(schema_of).unwrap_or_default();
    let served: Vec<&Value> = versions.iter().filter(|version| meta::bool_at(version, &["served"])).collect();
    served
        .iter()
        .map(|version| {
            let schema = if stored_version == Some(*version) { stored.clone() } else { schema_of(version) };
            let kind = Arc::new(kind_of(crd, version, stored_version));
            let strategy = strategy_of(crd, version, &served, schema.clone(), stored.clone());
            let schemas = Arc::new(schemas_of(&kind, version));
            Resource::custom(kind, schemas, Arc::new(strategy))
        })
        .collect()
}

fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    meta::list_at(value, path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn kind_of(crd: &Value, version: &Value, stored: Option<&Value>) -> Kind {
    let name = |field: &str| meta::str_at(crd, &["status", "acceptedNames", field]).to_owned();
    let (group, kind) = (meta::str_at(crd, &["spec", "group"]), name("kind"));
    let verbs = || ["get", "patch", "update"].map(String::from).to_vec();
    let mut subresources = Vec::new();
    if meta::get(version, &["subresources", "status"]).is_some() {
        subresources.push(Subresource {
            name: "status".into(),
            kind: kind.clone(),
            verbs: verbs(),
            ..Default::default()
        });
    }
    if meta::get(version, &["subresources", "scale"]).is_some() {
        subresources.push(Subresource {
            name: "scale".into(),
            kind: "Scale".into(),
            group: Some("autoscaling".into()),
            version: Some("v1".into()),
            verbs: verbs(),
        });
    }
    let stored = stored.map(|version| meta::str_at(version, &["name"])).unwrap_or_default();
    Kind {
        group: group.into(),
        version: meta::str_at(version, &["name"]).into(),
        plural: name("plural"),
        singular: name("singular"),
        list_kind: name("listKind"),
        short_names: texts(crd, &["status", "acceptedNames", "shortNames"]),
        categories: texts(crd, &["status", "acceptedNames", "categories"]),
        namespaced: meta::str_at(crd, &["spec", "scope"]) == "Namespaced",
        verbs: VERBS.map(String::from).to_vec(),
        storage_version_hash: storage_hash(group, stored, &kind),
        kind,
        subresources,
        ..Default::default()
    }
}

fn strategy_of(
    crd: &Value,
    version: &Value,
    served: &[&Value],
    schema: Arc<Props>,
    stored: Arc<Props>,
) -> CustomStrategy {
    let scale = meta::get(version, &["subresources", "scale"]).map(|scale| ScalePaths {
        spec: meta::str_at(scale, &["specReplicasPath"]).into(),
        status: meta::str_at(scale, &["statusReplicasPath"]).into(),
        selector: meta::str_at(scale, &["labelSelectorPath"]).into(),
    });
    let columns = custom::columns(meta::list_at(version, &["additionalPrinterColumns"]));
    let selectable = meta::list_at(version, &["selectableFields"]).iter();
    CustomStrategy {
        schema,
        written: meta::get(version, &["schema", "openAPIV3Schema"])
            .cloned()
            .unwrap_or_else(|| json!({"type": "object"})),
        stored,
        status: meta::get(version, &["subresources", "status"]).is_some(),
        scale,
        columns: columns.into_iter().map(ShownColumn::new).collect(),
        selectable: selectable.map(|f| meta::str_at(f, &["jsonPath"]).trim_start_matches('.').to_owned()).collect(),
        definition: meta::name(crd).to_owned(),
        terminating: is_true(crd, "Terminating"),
        deprecation: deprecation(crd, version, served),
    }
}

/// What clients of a deprecated version are told: the definition's own words, or to use the best version that is not.
fn deprecation(crd: &Value, version: &Value, served: &[&Value]) -> Option<String> {
    if !meta::bool_at(version, &["deprecated"]) {
        return None;
    }
    if let Some(warning) = meta::get(version, &["deprecationWarning"]).and_then(Value::as_str) {
        return Some(warning.to_owned());
    }
    let (group, kind) = (meta::str_at(crd, &["spec", "group"]), meta::str_at(crd, &["spec", "names", "kind"]));
    let name = meta::str_at(version, &["name"]);
    let mut better: Vec<&str> = served
        .iter()
        .filter(|other| !meta::bool_at(other, &["deprecated"]))
        .map(|other| meta::str_at(other, &["name"]))
        .filter(|other| compare_versions(other, name) == Ordering::Less)
        .collect();
    better.sort_by(|a, b| compare_versions(a, b));
    let mut text = format!("{group}/{name} {kind} is deprecated");
    if let Some(best) = better.first() {
        text.push_str(&format!("; use {group}/{best} {kind}"));
    }
    Some(text)
}

/// The set of definitions with the schema of a version, for ownership of fields: the metadata is that of all kinds.
fn schemas_of(kind: &Kind, version: &Value) -> Schemas {
    const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
    let text = |value: Value| Schema::deserialize_value(&value).unwrap_or_default();
    let mut root = meta::get(version, &["schema", "openAPIV3Schema"]).cloned().unwrap_or_default();
    if !root.is_object() {
        root = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    let mut properties = root.get("properties").cloned().unwrap_or_else(|| json!({}));
    properties["apiVersion"] = json!({"type": "string"});
    properties["kind"] = json!({"type": "string"});
    properties["metadata"] = json!({"$ref": format!("{META}ObjectMeta")});
    root["properties"] = properties;
    let gvk = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    root["x-kubernetes-group-version-kind"] = json!([gvk]);
    let mut definitions: BTreeMap<String, Schema> = BTreeMap::from([(kind.kind.clone(), text(root))]);
    for name in ["ObjectMeta", "OwnerReference", "ManagedFieldsEntry", "FieldsV1", "Time"] {
        let name = format!("{META}{name}");
        if let Some(node) = Schemas::builtin().definition(&name) {
            definitions.insert(name, node.schema().clone());
        }
    }
    Schemas::from_definitions(definitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_kubernetes_does() {
        let mut versions = vec!["foo1", "v1beta1", "v10", "v1alpha2", "v2", "v11beta2", "bar"];
        versions.sort_by(|a, b| compare_versions(a, b));
        assert_eq!(versions, ["v10", "v2", "v11beta2", "v1beta1", "v1alpha2", "bar", "foo1"]);
    }

    #[test]
    fn the_storage_hash_is_that_of_discovery() {
        assert_eq!(storage_hash("example.com", "v1", "Fox"), "eBR9mX1BEl0=");
    }
}
