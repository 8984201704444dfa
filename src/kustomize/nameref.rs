//! References by name, put right after names have changed.

use super::Error;
use super::config::{BackReference, FieldSpec};
use super::fields::{self, Create, wrong_kind};
use super::id::{Gvk, Id};
use super::node::{Node, Scalar};
use super::resource::Resource;

/// What may be referred to: the names of an object, which references do not change.
struct Candidate {
    id: Id,
    first: Id,
    previous: Vec<Id>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    /// Its place among all objects, for messages.
    at: usize,
}

impl Candidate {
    fn of(at: usize, resource: &Resource) -> Self {
        Self {
            id: resource.id(),
            first: resource.original_id(),
            previous: resource.previous_ids(),
            prefixes: resource.memory.prefixes.clone(),
            suffixes: resource.memory.suffixes.clone(),
            at,
        }
    }

    /// Whether the prefixes and suffixes that both got are the same; `lenient` takes none for the same as any.
    fn same_affixes(&self, other: &Self, lenient: bool) -> bool {
        let same = |one: &[String], other: &[String]| match (one.is_empty(), other.is_empty()) {
            (false, false) => one.iter().rev().zip(other.iter().rev()).all(|(a, b)| a == b),
            (one, other) => lenient || one == other,
        };
        same(&self.prefixes, &other.prefixes) && same(&self.suffixes, &other.suffixes)
    }
}

/// Puts right every reference of every object.
///
/// # Errors
/// A reference could mean several objects, or a rule's path leads to what cannot refer.
pub(super) fn fix(resources: &mut [Resource], rules: &[BackReference]) -> Result<(), Error> {
    let all: Vec<Candidate> = resources.iter().enumerate().map(|(at, resource)| Candidate::of(at, resource)).collect();
    let originals: Vec<Resource> = resources.to_vec();
    for (referrer, resource) in all.iter().zip(resources.iter_mut()) {
        let candidates = reachable(&all, referrer, &resource.node)?;
        for rule in rules {
            for spec in rule.referrers.iter().filter(|spec| referrer.first.gvk.is_selected(&spec.gvk)) {
                let search = Search {
                    referrer,
                    candidates: &candidates,
                    target: &rule.gvk,
                    role: role(&resource.node, spec),
                    all: &originals,
                };
                let spec = FieldSpec { gvk: referrer.id.gvk.clone(), ..spec.clone() };
                fields::visit(&mut resource.node, &spec, Create::Nothing, &mut |node| search.fix(node)).map_err(
                    |error| {
                        let (path, id) = (&spec.path, &referrer.id);
                        error.within(format!("updating name reference in '{path}' field of '{id}'"))
                    },
                )?;
            }
        }
    }
    Ok(())
}

/// The objects that another can refer to: those of its namespace, those without one, and for role bindings also those
/// of the namespaces that it names.
fn reachable<'c>(all: &'c [Candidate], referrer: &Candidate, node: &Node) -> Result<Vec<&'c Candidate>, Error> {
    if referrer.id.cluster {
        return Ok(all.iter().collect());
    }
    let namespaces = binding_namespaces(node, &referrer.id)?;
    let reaches = |other: &&Candidate| {
        other.id.cluster || other.id.same_namespace(&referrer.id) || namespaces.contains(&other.id.namespace)
    };
    Ok(all.iter().filter(reaches).collect())
}

/// The namespaces of the service accounts that a role binding names.
fn binding_namespaces(node: &Node, id: &Id) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let Some(Node::List(subjects)) = node.get("subjects").filter(|_| id.gvk.kind == "RoleBinding") else {
        return Ok(found);
    };
    for subject in subjects.iter().filter(|s| s.get("kind").is_some_and(|k| k.scalar_text() == "ServiceAccount")) {
        match subject.get("namespace") {
            Some(Node::Scalar(namespace)) if namespace.is_text() => found.push(namespace.text.clone()),
            Some(_) => {
                return Err(Error::fact(format!("Invalid Input: namespace is blank for resource \"{id}\"\n")));
            }
            None => {}
        }
    }
    Ok(found)
}

/// The kind that a role binding's `roleRef` names, where the rule is about that.
fn role(node: &Node, spec: &FieldSpec) -> Option<Gvk> {
    if !spec.path.ends_with("roleRef/name") {
        return None;
    }
    let text = |field: &str| node.at(&["roleRef", field]).map(Node::scalar_text);
    Some(Gvk::new(text("apiGroup")?, "", text("kind")?))
}

struct Search<'a> {
    referrer: &'a Candidate,
    candidates: &'a [&'a Candidate],
    target: &'a Gvk,
    role: Option<Gvk>,
    all: &'a [Resource],
}

impl Search<'_> {
    fn fix(&self, node: &mut Node) -> Result<(), Error> {
        if node.is_null() {
            return Ok(());
        }
        match node {
            Node::Scalar(_) => self.fix_text(node),
            Node::Map(_) => self.fix_map(node),
            Node::List(items) => {
                for item in items.iter_mut().filter(|item| !item.is_null()) {
                    match item {
                        Node::Scalar(_) => self.fix_text(item)?,
                        Node::Map(_) => self.fix_map(item)?,
                        Node::List(_) => return Err(wrong_kind(item, "ScalarNode")),
                    }
                }
                Ok(())
            }
        }
    }

    fn fix_text(&self, node: &mut Node) -> Result<(), Error> {
        let found =
            self.find(node.scalar_text(), self.candidates.iter().copied(), |one, other| one.id.name == other.id.name)?;
        match found {
            Some(found) if found.id.name != node.scalar_text() => {
                fields::set_scalar(node, Scalar::open(found.id.name.clone()))
            }
            _ => Ok(()),
        }
    }

    fn fix_map(&self, node: &mut Node) -> Result<(), Error> {
        let Some(name) = node.get("name") else {
            return Err(Error::fact("path config error; no 'name' field in node"));
        };
        let name = name.scalar_text().to_owned();
        let same =
            |one: &Candidate, other: &Candidate| one.id.name == other.id.name && one.id.namespace == other.id.namespace;
        let found = match node.get("namespace").map(|namespace| namespace.scalar_text().to_owned()) {
            None => self.find(&name, self.candidates.iter().copied(), same)?,
            Some(namespace) => {
                let first = |c: &&Candidate| !c.first.cluster && c.first.effective_namespace() == namespace;
                let now = |c: &&Candidate| !c.id.cluster && c.id.effective_namespace() == namespace;
                let mut pool: Vec<&Candidate> = self.candidates.iter().copied().filter(first).collect();
                if pool.is_empty() {
                    pool = self.candidates.iter().copied().filter(now).collect();
                }
                self.find(&name, pool.into_iter(), same)?
            }
        };
        let Some(found) = found else { return Ok(()) };
        if found.id.name == name && found.id.namespace.is_empty() {
            return Ok(());
        }
        node.set("name", Node::Scalar(Scalar::open(found.id.name.clone())));
        if !found.id.namespace.is_empty() {
            node.set("namespace", Node::Scalar(Scalar::open(found.id.namespace.clone())));
        }
        Ok(())
    }

    /// The object that an old name means; none if no object, or none for certain, had that name.
    fn find<'c>(
        &self,
        name: &str,
        pool: impl Iterator<Item = &'c Candidate>,
        same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Result<Option<&'c Candidate>, Error> {
        let fits = |candidate: &&Candidate| {
            candidate.previous.iter().any(|id| id.name == name)
                && candidate.previous.iter().any(|id| id.gvk.is_selected(self.target))
                && self.role.as_ref().is_none_or(|role| candidate.previous.iter().any(|id| id.gvk.is_selected(role)))
                && self.is_near(candidate)
        };
        let mut found: Vec<&Candidate> = pool.filter(fits).collect();
        if found.len() == 1 {
            return Ok(found.pop());
        }
        found.retain(|candidate| candidate.same_affixes(self.referrer, true));
        if found.len() > 1 {
            found.retain(|candidate| candidate.same_affixes(self.referrer, false));
        }
        match found.as_slice() {
            [] => Ok(None),
            [first, rest @ ..] if rest.iter().all(|other| same(first, other)) => Ok(Some(*first)),
            several => Err(self.ambiguous(several)),
        }
    }

    fn is_near(&self, candidate: &Candidate) -> bool {
        self.referrer.id.cluster
            || candidate.id.cluster
            || candidate.id.gvk.kind == "ServiceAccount"
            || self.referrer.id.same_namespace(&candidate.id)
    }

    fn ambiguous(&self, several: &[&Candidate]) -> Error {
        let ids: Vec<String> = several.iter().map(|candidate| candidate.id.to_string()).collect();
        let yaml = |candidate: &Candidate| {
            self.all.get(candidate.at).and_then(|resource| resource.with_memory().yaml().ok()).unwrap_or_default()
        };
        let mut text = format!("found multiple possible referrals: {}\n", ids.join(", "));
        text.push_str(&format!("\n**** Too many possible referral targets to referrer:\n{}\n", yaml(self.referrer)));
        for (number, candidate) in several.iter().enumerate() {
            text.push_str(&format!("--- possible referral {number}:\n{}\n", yaml(candidate)));
        }
        Error::Fact(text)
    }
}
