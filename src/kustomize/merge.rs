//! Strategic merge as kustomize does it: like `kubectl patch`, but items from a patch come first in lists with keys, a
//! list may have several keys, and `$patch` is the only directive.

use std::collections::BTreeSet;

use super::Error;
use super::fields::wrong_kind;
use super::id::Gvk;
use super::node::{Node, Scalar, Tag};
use super::schema::{KindSchemas, Place};

/// Merges a patch into an object; none if the patch deletes it.
///
/// # Errors
/// A map meets a list or a text, or a directive is unknown.
pub(super) fn merge(object: Node, patch: Node, schemas: &KindSchemas) -> Result<Option<Node>, Error> {
    let pair = Pair { dest: Some(object), patch: Some(patch), aliased: false };
    Ok(Merger { schemas }.walk(pair, None)?.node)
}

const DIRECTIVE: &str = "$patch";

#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

/// What is merged with what.
struct Pair {
    dest: Option<Node>,
    patch: Option<Node>,
    /// Whether both are the same, since there was nothing to merge into.
    aliased: bool,
}

/// What came of it: a null is one that the object had and keeps.
struct Merged {
    node: Option<Node>,
    /// Whether it is what was merged into, not what the patch holds.
    kept: bool,
}

impl Merged {
    const GONE: Self = Self { node: None, kept: false };
}

struct Merger<'a> {
    schemas: &'a KindSchemas,
}

fn missing(node: Option<&Node>) -> bool {
    node.is_none_or(Node::is_null)
}

/// What a patch's `$patch` says; the directive is taken out.
fn directive(patch: &mut Node) -> Result<Directive, Error> {
    let named = |text: &str| match text {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(Error::fact(format!("unknown patch strategy '{other}'"))),
    };
    match patch {
        Node::Map(_) => {
            let Some(value) = patch.get(DIRECTIVE) else { return Ok(Directive::Merge) };
            let found = named(value.scalar_text())?;
            patch.remove(DIRECTIVE);
            Ok(found)
        }
        Node::List(items) => {
            let Some(item) = items.iter().find(|item| item.get(DIRECTIVE).is_some()) else {
                return Ok(Directive::Merge);
            };
            if matches!(item, Node::Map(fields) if fields.len() > 1) {
                return Ok(Directive::Merge);
            }
            let text = item.get(DIRECTIVE).map_or("", Node::scalar_text).to_owned();
            let found = named(&text)?;
            set_element(items, None, &[DIRECTIVE.to_owned()], &[text])?;
            Ok(found)
        }
        Node::Scalar(scalar) => {
            Err(Error::fact(format!("no implemented strategic merge patch strategy for '!!str' ('{}')", scalar.text)))
        }
    }
}

impl Merger<'_> {
    fn walk(&self, pair: Pair, place: Option<Place<'_>>) -> Result<Merged, Error> {
        let place = place.or_else(|| {
            [&pair.dest, &pair.patch].into_iter().flatten().find_map(|node| {
                let text = |key: &str| node.get(key).map_or("", Node::scalar_text);
                let (api_version, kind) = (text("apiVersion"), text("kind"));
                let known = !api_version.is_empty() && !kind.is_empty();
                known.then(|| self.schemas.of_kind(&Gvk::parse(api_version, kind))).flatten()
            })
        });
        let sources = || [&pair.dest, &pair.patch].into_iter().flatten().filter(|node| !node.is_null());
        let Some(kind) = sources().map(Node::kind).next() else { return self.walk_map(pair, place) };
        if let Some(other) = sources().find(|node| node.kind() != kind) {
            return Err(wrong_kind(other, kind));
        }
        match kind {
            "MappingNode" => self.walk_map(pair, place),
            "SequenceNode" if place.is_some_and(Place::merges) => self.walk_keyed_list(pair, place),
            _ => Ok(match pair.patch {
                Some(patch) if patch.is_null() => Merged::GONE,
                Some(patch) => Merged { node: Some(patch), kept: pair.aliased },
                None => Merged { node: pair.dest, kept: true },
            }),
        }
    }

    /// Settles what the fields or items are merged into; none if the decision has fallen already.
    fn begin(pair: &mut Pair) -> Result<Result<(Node, bool), Merged>, Error> {
        let Some(patch) = &mut pair.patch else {
            return Ok(match pair.dest.take() {
                Some(dest) if dest.is_null() && dest.scalar_text().is_empty() => Err(Merged::GONE),
                Some(dest) if dest.is_null() => Err(Merged { node: Some(dest), kept: true }),
                Some(dest) => Ok((dest, true)),
                None => Err(Merged::GONE),
            });
        };
        if patch.is_null() {
            return Ok(Err(Merged::GONE));
        }
        if missing(pair.dest.as_ref()) {
            let fresh_map = matches!(patch, Node::Map(_));
            if fresh_map && directive(patch).is_ok_and(|found| found == Directive::Delete) {
                return Ok(Err(Merged::GONE));
            }
            pair.aliased = true;
            return Ok(Ok((patch.clone(), false)));
        }
        let found = directive(patch)?;
        let replaced = found == Directive::Replace || pair.aliased;
        let kept = pair.aliased || found != Directive::Replace;
        pair.aliased |= found == Directive::Replace;
        Ok(match found {
            Directive::Delete => Err(Merged::GONE),
            _ if replaced => Ok((patch.clone(), kept)),
            _ => pair.dest.take().map(|dest| (dest, true)).ok_or(Merged::GONE),
        })
    }

    fn walk_map(&self, mut pair: Pair, place: Option<Place<'_>>) -> Result<Merged, Error> {
        let (mut dest, kept) = match Self::begin(&mut pair)? {
            Ok(found) => found,
            Err(decided) => return Ok(decided),
        };
        let names: BTreeSet<String> = [Some(&dest), pair.patch.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|node| match node {
                Node::Map(fields) => Some(fields.iter().map(|(name, _)| name.clone())),
                _ => None,
            })
            .flatten()
            .collect();
        for name in names {
            let old = dest.remove(&name);
            let quoted = match &old {
                Some(Node::Scalar(scalar)) => Some(scalar.quoted),
                _ => None,
            };
            let patch = pair.patch.as_ref().and_then(|patch| patch.get(&name)).cloned();
            let inner = Pair { dest: old, patch, aliased: pair.aliased };
            let Some(mut value) = self.walk(inner, place.and_then(|place| place.field(&name)))?.node else { continue };
            if let (Node::Scalar(scalar), Some(quoted)) = (&mut value, quoted) {
                scalar.quoted = quoted;
            }
            if let Node::Map(fields) = &mut dest {
                fields.push((name, value));
            }
        }
        Ok(Merged { node: Some(dest), kept })
    }

    fn walk_keyed_list(&self, mut pair: Pair, place: Option<Place<'_>>) -> Result<Merged, Error> {
        let (dest, kept) = match Self::begin(&mut pair)? {
            Ok(found) => found,
            Err(decided) => return Ok(decided),
        };
        let dest = match dest {
            Node::List(items) => items,
            other => return Ok(Merged { node: Some(other), kept }),
        };
        let patch = match pair.patch {
            Some(Node::List(items)) => items,
            _ => Vec::new(),
        };
        let mut keys = place.map(Place::keys).unwrap_or_default();
        let values = if keys.is_empty() {
            keys.push(String::new());
            distinct(patch.iter().chain(&dest).map(|item| vec![item.scalar_text().to_owned()]))
        } else {
            distinct(patch.iter().chain(&dest).map(|item| key_values(item, &keys)))
        };
        let items = place.and_then(Place::items);
        let list = Lists { dest, patch, aliased: pair.aliased };
        Ok(Merged { node: Some(Node::List(self.merge_items(list, &keys, values, items)?)), kept })
    }

    fn merge_items(
        &self,
        mut lists: Lists,
        keys: &[String],
        mut all: Vec<Vec<String>>,
        place: Option<Place<'_>>,
    ) -> Result<Vec<Node>, Error> {
        if keys.len() > 1 {
            align(&mut all);
        }
        let mut merged: Vec<Node> = Vec::new();
        let mut last_keys: Vec<String> = Vec::new();
        for values in &all {
            let (valid_keys, valid_values) = valid(&all, values, keys);
            let (own_keys, own_values) = valid(std::slice::from_ref(&valid_values), &valid_values, &valid_keys);
            let at = find_element(&lists.dest, &own_keys, &own_values);
            let dest = at.and_then(|at| lists.dest.get(at)).cloned();
            let patch = find_element(&lists.patch, &own_keys, &own_values);
            let patch = patch.and_then(|at| lists.patch.get(at)).cloned();
            let outcome = self.walk(Pair { dest, patch, aliased: lists.aliased }, place)?;
            match outcome.node.filter(|node| !node.is_null() && *node != Node::map()) {
                None => set_element(&mut lists.dest, None, &valid_keys, &valid_values)?,
                Some(mut item) => {
                    add_keys(&mut item, &valid_keys, &valid_values);
                    if let Some(old) = at.filter(|_| outcome.kept).and_then(|at| lists.dest.get_mut(at)) {
                        *old = item.clone();
                    }
                    set_element(&mut merged, Some(item), &valid_keys, &valid_values)?;
                }
            }
            last_keys = valid_keys;
        }
        if all.is_empty() {
            return Ok(lists.dest);
        }
        append(&mut merged, lists.dest, &last_keys)?;
        Ok(merged)
    }
}

struct Lists {
    dest: Vec<Node>,
    patch: Vec<Node>,
    aliased: bool,
}

/// Each list of values once, in order.
fn distinct(values: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// What an item says in the key fields; empty where it says nothing.
fn key_values(item: &Node, keys: &[String]) -> Vec<String> {
    let text = |key: &String| item.get(key).filter(|value| !value.is_empty()).map_or("", Node::scalar_text);
    keys.iter().map(|key| text(key).to_owned()).collect()
}

/// Makes lists of values the same that agree in one value and contradict in none.
fn align(all: &mut [Vec<String>]) {
    for i in 0..all.len() {
        for j in 0..all.len() {
            if let Some(joined) = joined(&all[i], &all[j]) {
                all[i].clone_from(&joined);
                all[j] = joined;
            }
        }
    }
}

fn joined(first: &[String], second: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let mut out = Vec::with_capacity(first.len());
    for (one, other) in first.iter().zip(second) {
        common |= one == other;
        if one != other && !one.is_empty() && !other.is_empty() {
            return None;
        }
        out.push(if one.is_empty() { other.clone() } else { one.clone() });
    }
    common.then_some(out)
}

/// The keys that some list of values uses, and the values for them.
fn valid(all: &[Vec<String>], values: &[String], keys: &[String]) -> (Vec<String>, Vec<String>) {
    let used = |at: usize| all.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty()));
    let places: Vec<usize> = (0..keys.len()).filter(|at| used(*at)).collect();
    if places.is_empty() {
        return (keys.to_vec(), values.to_vec());
    }
    let pick = |from: &[String]| places.iter().filter_map(|at| from.get(*at).cloned()).collect();
    (pick(keys), pick(values))
}

/// Writes the keys into an item that lacks them.
fn add_keys(item: &mut Node, keys: &[String], values: &[String]) {
    for (key, value) in keys.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
        match item {
            Node::Scalar(scalar) if key.is_empty() => scalar.tag = Tag::Open,
            _ if item.get(key).is_none() => item.set(key, Node::Scalar(Scalar::open(value.clone()))),
            _ => {}
        }
    }
}

/// The first item with these values in these fields; with an empty key, the text itself.
fn find_element(items: &[Node], keys: &[String], values: &[String]) -> Option<usize> {
    let first = keys.first()?;
    if first.is_empty() {
        return items.iter().position(|item| Some(item.scalar_text()) == values.first().map(String::as_str));
    }
    let has = |item: &Node, key: &str, value: &str| item.get(key).is_some_and(|found| found.scalar_text() == value);
    items.iter().position(|item| keys.iter().zip(values).all(|(key, value)| has(item, key, value)))
}

/// Puts an element in the place of those with the same keys, or at the end; with none, takes those out. Empty items go
/// in any case.
fn set_element(items: &mut Vec<Node>, element: Option<Node>, keys: &[String], values: &[String]) -> Result<(), Error> {
    let for_maps =
        keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|value| !value.is_empty());
    let mut found_one = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in std::mem::take(items) {
        if item.is_null() || item == Node::map() {
            continue;
        }
        if for_maps && !matches!(item, Node::Map(_)) || !has_keys(&item, keys, values)? {
            kept.push(item);
            continue;
        }
        found_one = true;
        kept.extend(element.clone());
    }
    if !found_one {
        kept.extend(element);
    }
    *items = kept;
    Ok(())
}

fn has_keys(item: &Node, keys: &[String], values: &[String]) -> Result<bool, Error> {
    for (key, value) in keys.iter().zip(values) {
        let found = match item {
            Node::Scalar(scalar) if key.is_empty() => scalar.text == *value,
            _ if key.is_empty() => return Err(wrong_kind(item, "ScalarNode")),
            Node::Map(_) if value.is_empty() => item.get(key).is_some(),
            Node::Map(_) => item.get(key).is_some_and(|found| found.scalar_text() == value),
            _ => return Err(wrong_kind(item, "MappingNode")),
        };
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds the items of a list behind those that are there; an item with the same keys takes the place of the other.
fn append(merged: &mut Vec<Node>, items: Vec<Node>, keys: &[String]) -> Result<(), Error> {
    for item in items {
        if keys.first().is_none_or(String::is_empty) {
            let text = item.scalar_text().to_owned();
            set_element(merged, Some(item), &[String::new()], &[text])?;
            continue;
        }
        let mut values = Vec::new();
        for key in keys {
            match item.get(key) {
                Some(value) => values.push(value.scalar_text().to_owned()),
                None => merged.push(item.clone()),
            }
        }
        if keys.len() > 1 {
            set_element(merged, None, keys, &values)?;
        }
        set_element(merged, Some(item), keys, &values)?;
    }
    Ok(())
}
