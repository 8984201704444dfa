//! From values to field sets: which fields a value mentions, and what a schema change does to a set.

use super::set::{FieldSet, PathElement};
use super::typed::{List, Map, Shape, Type};
use crate::object::Value;

/// The fields that a valid value mentions.
pub fn field_set(value: &Value, ty: Type<'_>) -> FieldSet {
    fields_below(value, ty).set
}

/// What a value adds to the set of its parent.
#[derive(Default)]
pub(super) struct Mentioned {
    /// Whether the value itself is a field.
    pub(super) itself: bool,
    /// The fields below it.
    pub(super) set: FieldSet,
}

impl Mentioned {
    fn leaf() -> Self {
        Self { itself: true, set: FieldSet::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.itself && self.set.members.is_empty() && self.set.children.is_empty()
    }

    /// Takes in what the child at `element` mentions.
    pub(super) fn add(&mut self, element: &PathElement, below: Self) {
        if below.itself {
            self.set.insert_member(element.clone());
        }
        if !below.set.is_empty() {
            self.set.insert_child(element.clone(), below.set);
        }
    }

    /// Takes in what the same value mentions otherwise.
    pub(super) fn join(&mut self, other: Self) {
        self.itself |= other.itself;
        if !other.set.is_empty() {
            self.set = self.set.union(&other.set);
        }
    }
}

fn fields_below(value: &Value, ty: Type<'_>) -> Mentioned {
    match ty.shape(Some(value)) {
        Shape::Map(map) => map_fields(value, map),
        Shape::List(list) => list_fields(value, list),
        Shape::Scalar(_) => Mentioned::leaf(),
        Shape::Invalid => Mentioned::default(),
    }
}

fn map_fields(value: &Value, map: Map<'_>) -> Mentioned {
    if map.atomic {
        return Mentioned::leaf();
    }
    let mut mentioned = Mentioned::default();
    for (name, item) in value.as_object().into_iter().flatten() {
        let named = map.named(name);
        let mut below = fields_below(item, named.unwrap_or_else(|| map.values()));
        let empty = item.is_null() || item.as_object().is_some_and(|item| item.is_empty());
        below.itself |= empty || named.is_none();
        mentioned.add(&PathElement::field(name), below);
    }
    mentioned
}

fn list_fields(value: &Value, list: List<'_>) -> Mentioned {
    if list.atomic {
        return Mentioned::leaf();
    }
    let (mut seen, mut duplicates) = (FieldSet::default(), FieldSet::default());
    let items: Vec<(PathElement, &Value)> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| list.element(item).ok().map(|element| (element, item)))
        .collect();
    for (element, _) in &items {
        if seen.has_member(element) {
            duplicates.insert_member(element.clone());
        } else {
            seen.insert_member(element.clone());
        }
    }
    let mut mentioned = Mentioned::default();
    for (element, item) in items {
        let mut below =
            if duplicates.has_member(&element) { Mentioned::default() } else { fields_below(item, list.item) };
        below.itself = true;
        mentioned.add(&element, below);
    }
    mentioned
}

/// Adds the named fields on the way to the set's fields, as far as the schema names them.
pub fn with_named_fields(set: &FieldSet, ty: Type<'_>) -> FieldSet {
    let mut members = set.members.clone();
    let named = set.children.iter().map(|(element, _)| element).filter(|element| ty.names(element));
    members.extend(named.cloned());
    members.sort();
    members.dedup();
    let children = set
        .children
        .iter()
        .map(|(element, child)| (element.clone(), with_named_fields(child, ty.below(element)).into()))
        .collect();
    FieldSet { members, children }
}

/// Brings a set in line with a schema in which a granular container has become atomic: who owned a part of it owns it
/// as a whole. `None` when nothing has changed.
pub fn reconcile(set: &FieldSet, ty: Type<'_>) -> Option<FieldSet> {
    let mut walker = Reconciler { path: Vec::new(), atomic: FieldSet::default() };
    walker.visit(Some(set), ty, false);
    if walker.atomic.is_empty() {
        return None;
    }
    Some(set.recursive_difference(&walker.atomic).union(&walker.atomic))
}

struct Reconciler {
    path: Vec<PathElement>,
    /// The containers that have become atomic.
    atomic: FieldSet,
}

impl Reconciler {
    fn visit(&mut self, set: Option<&FieldSet>, ty: Type<'_>, is_leaf: bool) {
        match ty.first_shape() {
            Shape::Map(map) if map.is_deduced() => (),
            Shape::Map(map) if map.atomic && !is_leaf => {
                if set.is_some_and(|set| !set.is_empty()) {
                    self.atomic.insert_elements(&self.path);
                }
            }
            Shape::List(list) if list.atomic && !is_leaf => self.atomic.insert_elements(&self.path),
            Shape::Map(map) => self.visit_children(set, |element| match element {
                PathElement::Field(name) => map.field(name),
                _ => map.values(),
            }),
            Shape::List(list) => self.visit_children(set, |_| list.item),
            Shape::Scalar(_) | Shape::Invalid => (),
        }
    }

    fn visit_children<'a>(&mut self, set: Option<&FieldSet>, type_of: impl Fn(&PathElement) -> Type<'a>) {
        let Some(set) = set else { return };
        for (element, child) in &set.children {
            self.descend(element, Some(child), type_of(element), false);
        }
        for element in set.members.iter().filter(|element| set.child(element).is_none()) {
            self.descend(element, None, type_of(element), true);
        }
    }

    fn descend(&mut self, element: &PathElement, set: Option<&FieldSet>, ty: Type<'_>, is_leaf: bool) {
        if matches!(ty, Type::Undeclared) {
            return;
        }
        self.path.push(element.clone());
        self.visit(set, ty, is_leaf);
        self.path.pop();
    }
}
