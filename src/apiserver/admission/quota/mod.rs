//! `ResourceQuota`: what is made in a namespace stays within its quotas.
//!
//! Usage is taken from the status of the quotas and written back there before the object is written, in one conditional
//! write for all quotas concerned, so that two requests never use the same rest. What a request uses up and then does
//! not need, because it fails, the controller of quotas gives back when it counts anew.

use futures_util::future::BoxFuture;

use crate::apiserver::core::{Core, store_failure};
use crate::apiserver::store::{Encoded, Entry, Expect, Write, WriteError};
use crate::kinds::rules::usage as taken;
use crate::object::quantity::Quantity;
use crate::object::{Status, Value, meta};

use super::resources::{self, Amounts};
use super::{Attributes, Operation, Plugin};

mod usage;

/// How often the usage is read again when another request was faster.
const ATTEMPTS: usize = 60;

/// The plugin.
pub struct ResourceQuota;

impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn validate<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(check(core, attributes))
    }
}

/// Whether a write can use more than before.
fn concerns(attributes: &Attributes) -> bool {
    if attributes.namespace.is_empty() || attributes.resource.plural() == "namespaces" {
        return false;
    }
    match (attributes.operation, attributes.subresource.as_str()) {
        (Operation::Create, "") => true,
        (Operation::Update, "") => {
            attributes.resource.group().is_empty()
                && matches!(attributes.resource.plural(), "services" | "persistentvolumeclaims")
        }
        (Operation::Update, "resize") => attributes.is_for("", "pods", "resize"),
        _ => false,
    }
}

async fn check(core: &Core, attributes: &mut Attributes) -> Result<(), Status> {
    if !concerns(attributes) {
        return Ok(());
    }
    let Some(object) = &attributes.object else { return Ok(()) };
    let (group, plural) = (attributes.resource.group(), attributes.resource.plural());
    let prefix = format!("/registry/resourcequotas/{}/", attributes.namespace);
    if core.store.count(&prefix) == 0 {
        return Ok(());
    }
    let used = taken::of(group, plural, object, core.now());
    let before = attributes.old.as_ref().map(|old| taken::of(group, plural, old, core.now())).unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let entries = core.store.list(&prefix, None).entries;
        if entries.is_empty() {
            return Ok(());
        }
        let mut writes = Vec::new();
        for entry in &entries {
            let quota = entry.object("v1", "ResourceQuota");
            writes.extend(charge(attributes, object, entry, quota, &used, &before)?);
        }
        if writes.is_empty() || attributes.dry_run {
            return Ok(());
        }
        let results = core.store.write_all(writes).await;
        match results.into_iter().find_map(Result::err) {
            None => return Ok(()),
            Some(WriteError::Conflict(_)) => {}
            Some(WriteError::Store(error)) => return Err(store_failure(&error)),
        }
    }
    Err(attributes.forbidden("status updates of the quota were conflicting; try again"))
}

fn names(amounts: &Amounts, of: &Amounts) -> String {
    let parts: Vec<String> =
        of.keys().map(|name| format!("{name}={}", amounts.get(name).cloned().unwrap_or_else(Quantity::zero))).collect();
    parts.join(",")
}

/// Takes from a quota what a request adds; the write that says so, if anything changes.
fn charge(
    attributes: &Attributes,
    object: &Value,
    entry: &Entry,
    mut quota: Value,
    used: &Amounts,
    before: &Amounts,
) -> Result<Option<Write>, Status> {
    let hard = resources::list(&quota, &["status", "hard"]);
    let present = resources::list(&quota, &["status", "used"]);
    let specified = resources::list(&quota, &["spec", "hard"]);
    let name = meta::name(&quota).to_owned();
    let pods = attributes.is_for("", "pods", "") || attributes.is_for("", "pods", "resize");
    let group = attributes.resource.group();
    let plural = if group.is_empty() { attributes.resource.plural() } else { "" };
    if !taken::in_scopes(&quota, plural, object) {
        return Ok(None);
    }
    let limited = if hard.is_empty() { &specified } else { &hard };
    if pods && attributes.operation == Operation::Create {
        let limited: Vec<String> = limited.keys().cloned().collect();
        let missing = usage::missing(object, &limited);
        if !missing.is_empty() {
            let parts: Vec<String> = missing
                .iter()
                .map(|(resource, containers)| format!("{resource} for: {}", containers.join(",")))
                .collect();
            let why = format!("failed quota: {name}: must specify {}", parts.join("; "));
            return Err(attributes.forbidden(&why));
        }
    }
    let mut added = Amounts::new();
    for (resource, amount) in used.iter().filter(|(resource, _)| limited.contains_key(*resource)) {
        let mut delta = amount.clone();
        if let Some(before) = before.get(resource) {
            delta.sub(before);
        }
        added.insert(resource.clone(), delta);
    }
    let grows = added.values().any(|delta| delta.sign() > 0);
    if added.is_empty() || added.values().all(Quantity::is_zero) {
        return Ok(None);
    }
    if grows && added.keys().any(|resource| !hard.contains_key(resource)) {
        let why = format!("status unknown for quota: {name}, resources: {}", joined(&added, &hard));
        return Err(attributes.forbidden(&why));
    }
    let mut total = present.clone();
    resources::add(&mut total, &added);
    let exceeds = |resource: &String| match (total.get(resource), hard.get(resource)) {
        (Some(total), Some(hard)) => total > hard,
        _ => false,
    };
    let over: Amounts = added
        .iter()
        .filter(|(name, delta)| delta.sign() > 0 && exceeds(name))
        .map(|(n, d)| (n.clone(), d.clone()))
        .collect();
    if !over.is_empty() {
        let why = format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            names(&over, &over),
            names(&present, &over),
            names(&hard, &over)
        );
        return Err(attributes.forbidden(&why));
    }
    for resource in added.keys() {
        let amount = total.get(resource).map(Quantity::to_string).unwrap_or_default();
        meta::set(&mut quota, &["status", "used", resource], amount);
    }
    let expect = Expect::Revision(entry.revision);
    Ok(Some(Write { key: entry.key.to_string(), expect, value: Some(Encoded::new(&quota)) }))
}

/// The names of `added` that a quota does not count yet.
fn joined(added: &Amounts, hard: &Amounts) -> String {
    let names: Vec<&str> = added.keys().filter(|name| !hard.contains_key(*name)).map(String::as_str).collect();
    names.join(",")
}
