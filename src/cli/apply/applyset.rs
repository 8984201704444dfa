//! `apply --applyset`: a parent object remembers which kinds and namespaces a set of objects is spread over; members
//! bear the set's label, and those that are not applied again are pruned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::ApplyArgs;
use super::prune::{self, Visited};
use crate::cli::args::DryRun;
use crate::cli::context::Context;
use crate::cli::create::Writer;
use crate::cli::delete::{self, Deletion};
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::client::{self, ListOptions, Request};
use crate::kinds::{self, Kind, Kinds};
use crate::object::go::quote;
use crate::object::json::to_compact;
use crate::object::{GroupKind, Value, meta};
use crate::resource::{Query, Target};

const TOOLING: &str = "applyset.kubernetes.io/tooling";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const GROUP_RESOURCES: &str = "applyset.kubernetes.io/contains-group-resources";
const ID: &str = "applyset.kubernetes.io/id";
const PART_OF: &str = "applyset.kubernetes.io/part-of";
const PARENT_TYPE: &str = "applyset.kubernetes.io/is-parent-type";
/// The tool whose sets these are; a set of another tool is left alone.
const TOOL: &str = "kubectl";
const MANAGER: &str = "kubectl-applyset";
const CONFLICTS: [&str; 2] = ["false", "true"];

/// The kinds and namespaces over which a set is spread.
#[derive(Clone, Debug, Default)]
struct Extent {
    kinds: BTreeMap<String, Arc<Kind>>,
    namespaces: BTreeSet<String>,
}

impl Extent {
    fn union(&self, other: &Self) -> Self {
        let mut whole = self.clone();
        whole.kinds.extend(other.kinds.iter().map(|(name, kind)| (name.clone(), Arc::clone(kind))));
        whole.namespaces.extend(other.namespaces.iter().cloned());
        whole
    }
}

/// A set, known by its parent.
#[derive(Debug)]
pub(super) struct ApplySet {
    parent: Target,
    /// As of before this command.
    current: Extent,
    /// As of this command.
    updated: Extent,
}

/// `Deployment.apps`, or the bare kind of the core group.
fn group_kind(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) }
}

fn split(word: &str) -> (&str, &str) {
    client::split_argument(word)
}

/// Whether objects of the kind may be parents, and are made when missing.
fn is_builtin(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.version == "v1" && matches!(kind.plural.as_str(), "secrets" | "configmaps")
}

impl ApplySet {
    /// Reads `--applyset`: `[RESOURCE][.GROUP]/NAME`, a Secret by default.
    ///
    /// # Errors
    /// No name, or a resource that the server does not have.
    pub(super) async fn parse(cx: &Context, word: &str) -> Result<Self> {
        let invalid = |why: String| Error::new(format!("invalid parent reference {}: {why}", quote(word)));
        let (resource, name) = word.split_once('/').unwrap_or(("secrets", word));
        if name.is_empty() {
            return Err(invalid("name cannot be blank".into()));
        }
        let look = |kinds: &Kinds| client::resource(kinds, resource).cloned();
        let found = cx.mapper()?.find(look).await.map_err(|error| cx.explain(error))?;
        let kind = found.ok_or_else(|| {
            let (plural, group) = split(resource);
            invalid(format!("no matches for {group}/, Resource={plural}"))
        })?;
        let (namespace, explicit) = cx.namespace()?;
        let namespace = if explicit { namespace } else { String::new() };
        Ok(Self {
            parent: Target::named(kind, &namespace, name),
            current: Extent::default(),
            updated: Extent::default(),
        })
    }

    /// Refuses parents that cannot be.
    ///
    /// # Errors
    /// A namespace is missing, or the kind may not be a parent.
    pub(super) async fn check(&self, cx: &Context) -> Result<()> {
        let kind = &self.parent.kind;
        let mut errors = Vec::new();
        if kind.namespaced && self.parent.namespace.is_empty() {
            errors.push(Error::new("namespace is required to use namespace-scoped ApplySet"));
        }
        if !is_builtin(kind) {
            let options = ListOptions { labels: PARENT_TYPE.into(), ..ListOptions::default() };
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let listed = cx.client()?.list(path, &options, "application/json").await;
            let named = |list: &Value| {
                meta::list_at(list, &["items"]).iter().any(|crd| meta::name(crd) == kind.group_resource())
            };
            let permitted = match listed {
                Ok(list) => named(&list),
                Err(error) => {
                    let why = Error::from(error).text();
                    errors.push(Error::new(format!("identifying allowed custom resource parent types: {why}")));
                    false
                }
            };
            if !permitted {
                let gvr = format!("{}/{}, Resource={}", kind.group, kind.version, kind.plural);
                errors.push(Error::new(format!("resource {} is not permitted as an ApplySet parent", quote(&gvr))));
            }
        }
        Error::many(errors)
    }

    /// The label value that members bear: of name, namespace, kind and group of the parent.
    fn id(&self) -> String {
        let Target { kind, namespace, name, .. } = &self.parent;
        let text = format!("{name}.{namespace}.{}.{}", kind.kind, kind.group);
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(digest.as_ref()))
    }

    /// The parent as messages name it, in quotes.
    fn parent_name(&self) -> String {
        let kind = &self.parent.kind;
        quote(&format!("{}.{}/{}", kind.plural, kind.group, self.parent.name))
    }

    /// Gives the objects the set's label.
    ///
    /// # Errors
    /// An object that has such a label already.
    pub(super) fn label(&self, targets: &mut [Target]) -> Result<()> {
        let id = self.id();
        for target in targets {
            let labels = meta::map_mut(&mut target.object, &["metadata", "labels"]);
            if labels.insert(PART_OF.to_owned(), json!(id)).is_some() {
                return Err(Error::new(format!("ApplySet label {} already set in input data", quote(PART_OF))));
            }
        }
        Ok(())
    }

    /// Reads the parent and widens it to what will be applied, so that an interrupted command loses no member.
    ///
    /// # Errors
    /// The parent is of another tool or malformed, or cannot be written.
    pub(super) async fn before(&mut self, writer: &Writer<'_>, targets: &[Target]) -> Result<()> {
        self.read_parent(writer.cx).await?;
        for target in targets {
            self.updated.kinds.insert(group_kind(&target.kind), Arc::clone(&target.kind));
            if target.kind.namespaced && !target.namespace.is_empty() {
                self.updated.namespaces.insert(target.namespace.clone());
            }
        }
        self.write_parent(writer, &self.current.union(&self.updated)).await
    }

    async fn read_parent(&mut self, cx: &Context) -> Result<()> {
        let name = self.parent_name();
        let object = match targets::get(cx.client()?, &self.parent, "", "application/json", &[]).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() && is_builtin(&self.parent.kind) => return Ok(()),
            Err(error) if error.is_not_found() => {
                return Err(Error::new("custom resource ApplySet parents cannot be created automatically"));
            }
            Err(error) => {
                let why = error.text();
                return Err(Error::new(format!("failed to fetch ApplySet parent object {name}: {why}")));
            }
        };
        let Some(tooling) = meta::annotation(&object, TOOLING) else {
            return Err(Error::new(format!(
                "ApplySet parent object {name} already exists and is missing required annotation {}",
                quote(TOOLING)
            )));
        };
        let tool = tooling.rsplit_once('/').map_or(tooling, |(tool, _)| tool);
        if tool != TOOL {
            return Err(Error::new(format!(
                "ApplySet parent object {name} already exists and is managed by tooling {} instead of {}",
                quote(tool),
                quote(TOOL)
            )));
        }
        let id = self.id();
        match meta::label(&object, ID) {
            None => {
                return Err(Error::new(format!(
                    "ApplySet parent object {name} exists and does not have required label {ID}"
                )));
            }
            Some(other) if other != id => {
                return Err(Error::new(format!(
                    "ApplySet parent object {name} exists and has incorrect value for label {} (got: {other}, want: \
                     {id})",
                    quote(ID)
                )));
            }
            Some(_) => {}
        }
        let kinds = contained(cx, &object).await;
        self.current.kinds =
            kinds.map_err(|error| Error::new(format!("parsing ApplySet annotation on {name}: {}", error.text())))?;
        let namespaces = meta::annotation(&object, NAMESPACES).unwrap_or_default();
        self.current.namespaces = namespaces.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if self.parent.kind.namespaced {
            self.current.namespaces.insert(self.parent.namespace.clone());
        }
        Ok(())
    }

    /// Writes the parent by server-side apply; conflicts are overcome, as these fields are the set's own.
    async fn write_parent(&self, writer: &Writer<'_>, extent: &Extent) -> Result<()> {
        if writer.dry_run == DryRun::Client {
            return Ok(());
        }
        let text = |words: Vec<&str>| words.join(",");
        let kinds: Vec<&str> = extent.kinds.keys().map(String::as_str).collect();
        let others = extent.namespaces.iter().map(String::as_str).filter(|name| *name != self.parent.namespace);
        let version = kinds::version::field("gitVersion");
        let mut object = json!({
            "apiVersion": self.parent.kind.api_version(),
            "kind": self.parent.kind.kind,
            "metadata": {
                "name": self.parent.name,
                "annotations": {
                    TOOLING: format!("{TOOL}/{version}"),
                    GROUP_KINDS: text(kinds),
                    NAMESPACES: text(others.collect()),
                },
                "labels": {ID: self.id()},
            },
        });
        if !self.parent.namespace.is_empty() {
            meta::set(&mut object, &["metadata", "namespace"], self.parent.namespace.as_str());
        }
        let body = to_compact(&object);
        let set_writer = Writer { manager: MANAGER.into(), ..writer.clone() };
        let mut last = Ok(());
        for force in CONFLICTS {
            let request = Request::patch(self.parent.path(""), "application/apply-patch+yaml", body.clone());
            let request = set_writer.parameters(self.parent.about(request)).query("force", force);
            last = match writer.cx.json(request).await {
                Ok(_) => return Ok(()),
                Err(error) => Err(error),
            };
            match &last {
                Err(error) if error.is_reason("Conflict") && force == "false" => {
                    let text = format!(
                        "WARNING: failed to update ApplySet: {}\nApplySet field manager {MANAGER} should own these \
                         fields. Retrying with conflicts forced.",
                        error.text()
                    );
                    writer.cx.log('W', "applyset.go:447", &text)?;
                }
                _ => break,
            }
        }
        last.map_err(|error| Error::new(format!("failed to update ApplySet: {}", error.text())))
    }

    /// Deletes the members that were not applied, and narrows the parent to what was.
    ///
    /// # Errors
    /// The first list or deletion that fails; the parent stays wide then.
    pub(super) async fn prune(
        &self,
        writer: &Writer<'_>,
        args: &ApplyArgs,
        visited: &Visited,
        how: &Deletion,
    ) -> Result<()> {
        let cx = writer.cx;
        let queries = self.queries()?;
        let lists = prune::list(cx, &queries).await?;
        let mut members = Vec::new();
        for (query, list) in queries.iter().zip(lists) {
            let list = list.map_err(|error| {
                let kind = prune::gvk_text(&query.kind);
                Error::new(format!("listing {kind} objects for pruning: {}", error.text()))
            })?;
            members.extend(list.into_iter().filter(|member| !visited.uids.contains(meta::uid(&member.object))));
        }
        let printer = args.output.printer(&format!("pruned{}", how.dry_run.suffix()))?;
        for member in members {
            if how.dry_run != DryRun::Client {
                delete::delete_one(cx, &member, how).await.map_err(|error| {
                    let name = match member.namespace.as_str() {
                        "" => member.name.clone(),
                        namespace => format!("{namespace}/{}", member.name),
                    };
                    Error::new(format!("pruning {} {name}: {}", group_kind(&member.kind), error.text()))
                })?;
            }
            printer.print(cx, &member.object)?;
        }
        self.write_parent(writer, &self.updated).await.map_err(|error| {
            Error::new(format!("apply and prune succeeded, but ApplySet update failed: {}", error.text()))
        })
    }

    /// Where members may be: every kind of the set in every namespace of it.
    fn queries(&self) -> Result<Vec<Query>> {
        let labels = format!("{PART_OF}={}", self.id());
        let mut queries = Vec::new();
        for kind in self.current.kinds.values() {
            let query = |namespace: &str| Query {
                kind: Arc::clone(kind),
                namespace: namespace.to_owned(),
                labels: labels.clone(),
                fields: String::new(),
            };
            if kind.namespaced {
                queries.extend(self.current.namespaces.iter().map(|namespace| query(namespace)));
            } else {
                queries.push(query(""));
            }
        }
        Ok(queries)
    }
}

/// The kinds that a parent's annotation names.
async fn contained(cx: &Context, parent: &Value) -> Result<BTreeMap<String, Arc<Kind>>> {
    let words =
        |text: &str| -> Vec<String> { text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect() };
    let mut kinds = BTreeMap::new();
    let mapper = cx.mapper()?;
    let Some(text) = meta::annotation(parent, GROUP_KINDS) else {
        let Some(text) = meta::annotation(parent, GROUP_RESOURCES).filter(|text| !text.is_empty()) else {
            return Err(Error::new(format!(
                "kubectl requires the {} annotation to be set on all ApplySet parent objects",
                quote(GROUP_KINDS)
            )));
        };
        for word in words(text) {
            let look = |kinds: &Kinds| client::resource(kinds, &word).cloned();
            let found = mapper.find(look).await.map_err(|error| cx.explain(error))?;
            let kind = found.ok_or_else(|| {
                let (plural, group) = split(&word);
                let name = quote(GROUP_RESOURCES);
                Error::new(format!(
                    "invalid group resource in {name} annotation: no matches for {group}/, Resource={plural}"
                ))
            })?;
            kinds.insert(group_kind(&kind), kind);
        }
        return Ok(kinds);
    };
    for word in words(text) {
        let (kind, group) = split(&word);
        let wanted = GroupKind { group: group.to_owned(), kind: kind.to_owned() };
        let look = |kinds: &Kinds| client::for_group_kind(kinds, &wanted).cloned();
        let found = mapper.find(look).await.map_err(|error| cx.explain(error))?;
        let row = found.ok_or_else(|| {
            let (kind, group, name) = (quote(kind), quote(group), quote(GROUP_KINDS));
            Error::new(format!(
                "could not find mapping for kind in {name} annotation: no matches for kind {kind} in group {group}"
            ))
        })?;
        kinds.insert(group_kind(&row), row);
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::GroupVersionKind;

    #[test]
    fn the_id_is_made_of_the_parents_name_namespace_and_kind() {
        let kind = Kinds::builtin().by_gvk(&GroupVersionKind::new("", "v1", "Secret")).expect("built in");
        let parent = Target::named(Arc::clone(kind), "default", "mine");
        let set = ApplySet { parent, current: Extent::default(), updated: Extent::default() };
        assert_eq!(set.id(), "applyset-ys5EGYi_BUuUvnOWurgroZiPpCfcP_mpZ8wXIg4nomo-v1");
        assert_eq!(set.parent_name(), "\"secrets./mine\"");
    }
}
