//! What has changed between two objects, as field sets.

use std::collections::BTreeMap;

use super::set::{FieldSet, Filter, PathElement};
use super::typed::{List, Map, Shape, Type};
use super::value;
use super::walk::Mentioned;
use crate::object::{Map as Fields, Value};

/// The fields that differ between an old and a new object; no field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the old object has.
    pub removed: FieldSet,
    /// Fields that both have, with different values.
    pub modified: FieldSet,
    /// Fields that only the new object has.
    pub added: FieldSet,
}

impl Comparison {
    /// The part that counts for an endpoint.
    pub fn filtered(self, filter: Option<&Filter>) -> Self {
        match filter {
            None => self,
            Some(filter) => Self {
                removed: filter.apply(&self.removed),
                modified: filter.apply(&self.modified),
                added: filter.apply(&self.added),
            },
        }
    }
}

/// Compares two valid values of the same type.
pub fn compare(old: &Value, new: &Value, ty: Type<'_>) -> Comparison {
    compare_with(value::equal, old, new, ty)
}

/// The leaves in which a list has changed, however little; whatever else differs between the objects is left out.
pub fn changed_lists(old: &Value, new: &Value, ty: Type<'_>) -> FieldSet {
    compare_with(value::equal_lists, old, new, ty).modified
}

fn compare_with(equal: Equal, old: &Value, new: &Value, ty: Type<'_>) -> Comparison {
    let found = Comparer { equal }.visit(Some(old), Some(new), ty);
    Comparison { removed: found.removed.set, modified: found.modified.set, added: found.added.set }
}

/// Whether two leaves are the same.
type Equal = fn(&Value, &Value) -> bool;

/// What differs at and below one place. Sets are made from the leaves up, so that a path element is made once however
/// many fields lie below it, and only where something differs.
#[derive(Default)]
struct Found {
    removed: Mentioned,
    modified: Mentioned,
    added: Mentioned,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// Takes in what differs below `element`.
    fn add(&mut self, element: impl FnOnce() -> PathElement, below: Self) {
        if below.is_empty() {
            return;
        }
        let element = element();
        self.removed.add(&element, below.removed);
        self.modified.add(&element, below.modified);
        self.added.add(&element, below.added);
    }

    /// Takes in what another look at the same place found.
    fn join(&mut self, other: Self) {
        self.removed.join(other.removed);
        self.modified.join(other.modified);
        self.added.join(other.added);
    }
}

struct Comparer {
    equal: Equal,
}

impl Comparer {
    fn visit(&self, old: Option<&Value>, new: Option<&Value>, ty: Type<'_>) -> Found {
        match (old, new) {
            (None, None) => Found::default(),
            (Some(_), None) => {
                let mut found = self.visit_shape(old, new, ty.shape(old));
                found.removed.itself = true;
                found
            }
            (None, Some(_)) => {
                let mut found = self.visit_shape(old, new, ty.shape(new));
                found.added.itself = true;
                found
            }
            (Some(_), Some(_)) => {
                let (before, after) = (ty.shape(old), ty.shape(new));
                if std::mem::discriminant(&before) == std::mem::discriminant(&after) {
                    return self.visit_shape(old, new, after);
                }
                // A value that changes its shape is looked at both ways.
                let mut found = self.visit_shape(old, new, before);
                found.join(self.visit_shape(old, new, after));
                found
            }
        }
    }

    fn visit_shape(&self, old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>) -> Found {
        match shape {
            Shape::Map(map) => self.maps(old, new, map),
            Shape::List(list) => self.lists(old, new, list),
            Shape::Scalar(_) => self.leaf(old, new),
            Shape::Invalid => Found::default(),
        }
    }

    fn leaf(&self, old: Option<&Value>, new: Option<&Value>) -> Found {
        let mut found = Found::default();
        if let (Some(old), Some(new)) = (old, new) {
            found.modified.itself = !(self.equal)(old, new);
        }
        found
    }

    fn maps(&self, old: Option<&Value>, new: Option<&Value>, map: Map<'_>) -> Found {
        let (left, right) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
        if map.atomic || (left.is_none_or(Fields::is_empty) && right.is_none_or(Fields::is_empty)) {
            return self.leaf(old, new);
        }
        let mut found = Found::default();
        for (name, item) in left.into_iter().flatten() {
            let other = right.and_then(|right| right.get(name));
            found.add(|| PathElement::field(name), self.visit(Some(item), other, map.field(name)));
        }
        for (name, item) in right.into_iter().flatten() {
            if left.is_none_or(|left| !left.contains_key(name)) {
                found.add(|| PathElement::field(name), self.visit(None, Some(item), map.field(name)));
            }
        }
        found
    }

    fn lists(&self, old: Option<&Value>, new: Option<&Value>, list: List<'_>) -> Found {
        let (left, right) = (old.and_then(Value::as_array), new.and_then(Value::as_array));
        if list.atomic || (left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty)) {
            return self.leaf(old, new);
        }
        if let (Some(left), Some(right)) = (old, new)
            && value::equal(left, right)
        {
            // Spares naming the items.
            return Found::default();
        }
        let mut items: BTreeMap<PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in left.into_iter().flatten() {
            if let Ok(element) = list.element(item) {
                items.entry(element).or_default().0.push(item);
            }
        }
        for item in right.into_iter().flatten() {
            if let Ok(element) = list.element(item) {
                items.entry(element).or_default().1.push(item);
            }
        }
        let mut found = Found::default();
        for (element, (old, new)) in items {
            let below = self.items(&old, &new, list);
            found.add(|| element, below);
        }
        found
    }

    /// Compares the items of one key. Several items of the same key count as one leaf.
    fn items(&self, old: &[&Value], new: &[&Value], list: List<'_>) -> Found {
        match (old, new) {
            ([] | [_], [] | [_]) => self.visit(old.first().copied(), new.first().copied(), list.item),
            ([_, _, ..], [_, _, ..]) => {
                let same = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| (self.equal)(old, new));
                let mut found = Found::default();
                found.modified.itself = !same;
                found
            }
            ([_, _, ..], _) => {
                let mut found = self.visit(None, new.first().copied(), list.item);
                found.removed.itself = true;
                found
            }
            (_, _) => {
                let mut found = self.visit(old.first().copied(), None, list.item);
                found.added.itself = true;
                found
            }
        }
    }
}
