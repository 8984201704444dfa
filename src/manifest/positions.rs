//! Where every field of a document stands.

use std::collections::BTreeMap;

use super::error::Position;
use super::scalar::{Resolved, resolve_scalar};
use super::tree::{NodeId, NodeKind, Tree};

/// A value's place, its key's place, and the places of what is inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// Where the value begins.
    pub value: Position,
    /// Where its key begins, for a field of a mapping.
    pub key: Option<Position>,
    /// What is inside.
    pub children: Children,
}

/// What is inside a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Children {
    /// A scalar.
    None,
    /// A list's items.
    Items(Vec<Located>),
    /// A mapping's fields, merged ones included.
    Fields(BTreeMap<String, Located>),
}

impl Located {
    /// A value with nothing known inside.
    pub(super) fn leaf(value: Position) -> Located {
        Located { value, key: None, children: Children::None }
    }

    /// Where the field begins: at its key, or for an item at its value.
    pub fn start(&self) -> Position {
        self.key.unwrap_or(self.value)
    }

    /// Finds a field by its path, as Kubernetes writes paths: `spec.containers[0].image`,
    /// `metadata.annotations[example.com/owner]`. Keys with dots are found without brackets, too.
    pub fn find(&self, path: &str) -> Option<&Located> {
        let (found, rest) = self.nearest(path);
        rest.is_empty().then_some(found)
    }

    /// The deepest field that exists on the way to `path`, and what is left of the path from there.
    pub fn nearest<'p>(&self, path: &'p str) -> (&Located, &'p str) {
        let mut here = self;
        let mut rest = path;
        while let Some((child, left)) = here.step(rest) {
            here = child;
            rest = left;
        }
        (here, rest)
    }

    /// The child that the path goes to first, and the rest of the path.
    fn step<'p>(&self, path: &'p str) -> Option<(&Located, &'p str)> {
        let path = path.strip_prefix('.').unwrap_or(path);
        if path.is_empty() {
            return None;
        }
        if let Some(inner) = path.strip_prefix('[') {
            return inner.match_indices(']').find_map(|(end, _)| Some((self.child(&inner[..end])?, &inner[end + 1..])));
        }
        let ends = path.match_indices(['.', '[']).map(|(end, _)| end).chain([path.len()]);
        ends.filter(|end| *end > 0).find_map(|end| Some((self.child(&path[..end])?, &path[end..])))
    }

    fn child(&self, name: &str) -> Option<&Located> {
        match &self.children {
            Children::None => None,
            Children::Items(items) => items.get(name.parse::<usize>().ok()?),
            Children::Fields(fields) => fields.get(name.trim_matches('"')).or_else(|| fields.get(name)),
        }
    }

    /// Moves every place.
    pub(super) fn shift(&mut self, by: &impl Fn(Position) -> Position) {
        self.value = by(self.value);
        self.key = self.key.map(by);
        match &mut self.children {
            Children::None => {}
            Children::Items(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Children::Fields(fields) => fields.values_mut().for_each(|field| field.shift(by)),
        }
    }
}

/// The places of a document that decodes without error, so its aliases are bounded.
pub(super) fn locate(tree: &Tree<'_>) -> Located {
    match tree.root {
        Some(root) => located(tree, root),
        None => Located::leaf(Position { line: 1, column: 1 }),
    }
}

fn located(tree: &Tree<'_>, id: NodeId) -> Located {
    let target = tree.followed(id);
    let children = match &tree.nodes[target].kind {
        NodeKind::Scalar(_) | NodeKind::Alias { .. } => Children::None,
        NodeKind::Sequence(items) => Children::Items(items.iter().map(|item| located(tree, *item)).collect()),
        NodeKind::Mapping(_) => {
            let mut fields = BTreeMap::new();
            add_fields(tree, target, &mut fields);
            Children::Fields(fields)
        }
    };
    Located { value: tree.nodes[id].start.into(), key: None, children }
}

fn add_fields(tree: &Tree<'_>, id: NodeId, fields: &mut BTreeMap<String, Located>) {
    let id = tree.followed(id);
    let NodeKind::Mapping(children) = &tree.nodes[id].kind else { return };
    for pair in children.chunks_exact(2) {
        let (key, value) = (pair[0], pair[1]);
        if tree.is_merge(key) {
            match &tree.nodes[value].kind {
                NodeKind::Sequence(items) => items.iter().rev().for_each(|item| add_fields(tree, *item, fields)),
                _ => add_fields(tree, value, fields),
            }
            continue;
        }
        let Some(text) = key_text(tree, key) else { continue };
        let field = Located { key: Some(tree.nodes[key].start.into()), ..located(tree, value) };
        fields.insert(text, field);
    }
}

fn key_text(tree: &Tree<'_>, key: NodeId) -> Option<String> {
    let key = tree.followed(key);
    let scalar = tree.scalar(key)?;
    let resolved = resolve_scalar(scalar, tree.nodes[key].start).unwrap_or(Resolved::Null);
    super::decode::key_text(&resolved).ok().map(std::borrow::Cow::into_owned)
}
