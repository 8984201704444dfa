//! The replica sets of a deployment: which is the new one, making it, numbering revisions.

use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::json;

use super::{deployments, event, is_recreate, max_surge, replica_sets, replicas, without_hash};
use crate::controllers::pods;
use crate::controllers::runtime::{Action, World, owner_reference};
use crate::kinds::go_dump;
use crate::object::meta::{get, int_at};
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

/// The label that tells the sets of a deployment apart.
pub(super) const HASH_LABEL: &str = "pod-template-hash";
/// The number of a rollout.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of a deployment that its sets do not take over.
const NOT_COPIED: [&str; 6] =
    [meta::LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED, MAX_REPLICAS, "deprecated.deployment.rollback.to"];

/// The sets of a deployment as this turn leaves them.
pub(super) struct Sets {
    /// The set of the current template.
    pub new: Option<Value>,
    /// The others, oldest first.
    pub old: Vec<Value>,
    /// Sets without a controller that the selector matches.
    orphans: Vec<Arc<Value>>,
}

impl Sets {
    pub fn of(world: &World<'_>, deployment: &Value) -> Self {
        let selector = get(deployment, &["spec", "selector"]).and_then(|s| LabelSelector::from_struct(s).ok());
        let mut owned = Vec::new();
        let mut orphans = Vec::new();
        for set in world.cache.list(&replica_sets(), Some(meta::namespace(deployment))) {
            match meta::controller_of(&set) {
                Some(owner) if owner["uid"] == deployment["metadata"]["uid"] => owned.push(set.as_ref().clone()),
                None if selector.as_ref().is_some_and(|s| !s.is_everything() && s.matches_object(&set)) => {
                    orphans.push(set)
                }
                _ => {}
            }
        }
        owned.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| meta::name(a).cmp(meta::name(b))));
        let template = without_hash(&deployment["spec"]["template"]);
        let new = owned.iter().position(|set| without_hash(&set["spec"]["template"]) == template);
        let new = new.map(|at| owned.remove(at));
        Self { new, old: owned, orphans }
    }

    /// All sets, the new one last.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(&self.new)
    }

    /// How many pods all sets together ask for.
    pub fn total(&self) -> i64 {
        self.all().map(replicas).sum()
    }

    /// Takes over the sets without a controller.
    pub fn adopt(&self, deployment: &Value) -> Vec<Action> {
        let adopt = |set: &Arc<Value>| {
            let mut owners = meta::owner_references(set).to_vec();
            owners.push(owner_reference(deployment));
            Action::merge(&replica_sets(), set, json!({"metadata": {"uid": meta::uid(set), "ownerReferences": owners}}))
        };
        self.orphans.iter().filter(|set| meta::deletion_timestamp(set).is_none()).map(adopt).collect()
    }

    /// Whether a set was sized for another number of replicas than the deployment asks for now.
    pub fn needs_scaling(&self, deployment: &Value) -> bool {
        let wanted = replicas(deployment).to_string();
        let active = self.all().filter(|set| replicas(set) > 0);
        active.filter_map(|set| meta::annotation(set, DESIRED)).any(|desired| desired != wanted)
    }

    /// Brings the new set's annotations and the deployment's revision up to date; makes the set when there is none
    /// and `create` says so (a `Recreate` deployment waits for the old pods to go).
    pub fn prepare_new(&self, world: &World<'_>, deployment: &Value, create: bool) -> Vec<Action> {
        match &self.new {
            Some(new) => self.update_new(world, deployment, new),
            None if create => self.create_new(world, deployment),
            None => Vec::new(),
        }
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(revision).max().unwrap_or_default() + 1
    }

    fn update_new(&self, world: &World<'_>, deployment: &Value, new: &Value) -> Vec<Action> {
        let mut set = new.clone();
        annotate(&mut set, deployment, self.next_revision(), true);
        match get(deployment, &["spec", "minReadySeconds"]) {
            Some(seconds) => meta::set(&mut set, &["spec", "minReadySeconds"], seconds.clone()),
            None => drop(meta::remove(&mut set, &["spec", "minReadySeconds"])),
        }
        if set != *new {
            return vec![Action::Update { resource: replica_sets(), subresource: None, object: set }];
        }
        let mut noted = deployment.clone();
        number(&mut noted, new);
        if pods::condition(deployment, "Progressing").is_none() {
            let message = format!("Found new replica set \"{}\"", meta::name(new));
            super::status::progressing(world, &mut noted, "FoundNewReplicaSet", message);
        }
        write_if_changed(deployment, noted).into_iter().collect()
    }

    /// Makes the set of the current template, sized as the strategy allows.
    pub fn create_new(&self, world: &World<'_>, deployment: &Value) -> Vec<Action> {
        let template = without_hash(&deployment["spec"]["template"]);
        let collisions = int_at(deployment, &["status", "collisionCount"]);
        let hash = go_dump::pod_template_hash(&template, collisions.and_then(|c| i32::try_from(c).ok()));
        let name = format!("{}-{hash}", meta::name(deployment));
        let key =
            crate::controllers::runtime::Key { namespace: meta::namespace(deployment).into(), name: name.clone() };
        if world.cache.get(&replica_sets(), &key).is_some() {
            // Another set has the name: the next hash counts the collision in.
            let mut collided = deployment.clone();
            meta::set(&mut collided, &["status", "collisionCount"], collisions.unwrap_or_default() + 1);
            return vec![Action::update_status(&deployments(), collided)];
        }
        let size = self.size_of_new(deployment, 0);
        let mut set = self.new_set(deployment, template, &name, &hash);
        set["spec"]["replicas"] = json!(size);
        annotate(&mut set, deployment, self.next_revision(), false);
        let mut actions = vec![Action::Create { resource: replica_sets(), object: set.clone() }];
        if size > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {size}");
            actions.push(event(deployment, "ScalingReplicaSet", message));
        }
        let mut noted = deployment.clone();
        number(&mut noted, &set);
        let message = format!("Created new replica set \"{name}\"");
        super::status::progressing(world, &mut noted, "NewReplicaSetCreated", message);
        actions.extend(write_if_changed(deployment, noted));
        actions
    }

    fn new_set(&self, deployment: &Value, mut template: Value, name: &str, hash: &str) -> Value {
        meta::set(&mut template, &["metadata", "labels", HASH_LABEL], hash);
        let mut selector = deployment["spec"]["selector"].clone();
        meta::set(&mut selector, &["matchLabels", HASH_LABEL], hash);
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta::namespace(deployment),
                "labels": template["metadata"]["labels"],
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {"selector": selector, "template": template},
        });
        if let Some(seconds) = get(deployment, &["spec", "minReadySeconds"]) {
            set["spec"]["minReadySeconds"] = seconds.clone();
        }
        set
    }

    /// How large the new set may be now (`NewRSNewReplicas`), given its present size.
    pub fn size_of_new(&self, deployment: &Value, present: i64) -> i64 {
        if is_recreate(deployment) {
            return replicas(deployment);
        }
        let most = replicas(deployment) + max_surge(deployment);
        let room = most - self.total();
        if room <= 0 { present } else { present + room.min(replicas(deployment) - present) }
    }
}

fn created(set: &Value) -> Option<chrono::DateTime<chrono::Utc>> {
    pods::time_at(set, &["metadata", "creationTimestamp"])
}

/// The revision of a set, 0 when it has none.
pub(super) fn revision(set: &Value) -> i64 {
    meta::annotation(set, REVISION).and_then(|r| r.parse().ok()).unwrap_or_default()
}

/// Gives the deployment the revision of its new set. It is written with the status, which counts as no new generation.
fn number(deployment: &mut Value, new: &Value) {
    if let Some(revision) = meta::annotation(new, REVISION).map(str::to_owned) {
        meta::set(deployment, &["metadata", "annotations", REVISION], revision);
    }
}

fn write_if_changed(deployment: &Value, noted: Value) -> Option<Action> {
    (noted != *deployment).then(|| Action::update_status(&deployments(), noted))
}

/// Copies the deployment's annotations to its new set and numbers the set; a number it had before goes into its
/// history.
fn annotate(set: &mut Value, deployment: &Value, next: i64, exists: bool) {
    let had = meta::annotation(set, REVISION).map(str::to_owned);
    let history = meta::annotation(set, REVISION_HISTORY).map(str::to_owned);
    for (key, value) in meta::annotations(deployment).filter(|(key, _)| !NOT_COPIED.contains(key)) {
        meta::set(set, &["metadata", "annotations", key], value);
    }
    let old = revision(set);
    if old < next {
        meta::set(set, &["metadata", "annotations", REVISION], next.to_string());
        if let Some(had) = had.filter(|_| exists) {
            let history = history.map_or_else(|| had.clone(), |history| format!("{history},{had}"));
            meta::set(set, &["metadata", "annotations", REVISION_HISTORY], history);
        }
    }
    if !exists {
        annotate_size(set, deployment);
    }
}

/// Notes on a set for which size of the deployment it was scaled.
pub(super) fn annotate_size(set: &mut Value, deployment: &Value) {
    let wanted = replicas(deployment);
    meta::set(set, &["metadata", "annotations", DESIRED], wanted.to_string());
    meta::set(set, &["metadata", "annotations", MAX_REPLICAS], (wanted + max_surge(deployment)).to_string());
}

/// The time as conditions hold it.
pub(super) fn stamp(world: &World<'_>) -> String {
    world.now.to_rfc3339_opts(SecondsFormat::Secs, true)
}
