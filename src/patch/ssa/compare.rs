//! What has changed between two objects, as field sets.

use std::collections::BTreeMap;

use super::set::{FieldSet, Filter, PathElement};
use super::typed::{List, Map, Shape, Type};
use super::value;
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

fn compare_with(equal: fn(&Value, &Value) -> bool, old: &Value, new: &Value, ty: Type<'_>) -> Comparison {
    let mut comparer = Comparer { equal, comparison: Comparison::default() };
    comparer.visit(Some(old), Some(new), ty, Path { parent: None, step: Step::Root });
    comparer.comparison
}

struct Comparer {
    /// Whether two leaves are the same.
    equal: fn(&Value, &Value) -> bool,
    comparison: Comparison,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(&'a PathElement),
}

/// The way from the root, kept on the stack: path elements are only made for fields that differ.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

impl Path<'_> {
    fn elements(&self) -> Vec<PathElement> {
        let mut elements = self.parent.map(Path::elements).unwrap_or_default();
        match self.step {
            Step::Root => (),
            Step::Field(name) => elements.push(PathElement::field(name)),
            Step::Item(element) => elements.push(element.clone()),
        }
        elements
    }
}

enum Change {
    Removed,
    Modified,
    Added,
}

impl Comparer {
    fn set(&mut self, change: &Change) -> &mut FieldSet {
        match change {
            Change::Removed => &mut self.comparison.removed,
            Change::Modified => &mut self.comparison.modified,
            Change::Added => &mut self.comparison.added,
        }
    }

    fn record(&mut self, change: &Change, path: Path<'_>) {
        self.set(change).insert_elements(&path.elements());
    }

    /// Records a value that only one of the objects has, with all that is in it.
    fn record_whole(&mut self, change: &Change, value: &Value, ty: Type<'_>, path: Path<'_>) {
        self.set(change).insert_with(&path.elements(), everything(value, ty));
    }

    fn visit(&mut self, old: Option<&Value>, new: Option<&Value>, ty: Type<'_>, path: Path<'_>) {
        match (old, new) {
            (None, None) => (),
            (Some(old), None) => self.record_whole(&Change::Removed, old, ty, path),
            (None, Some(new)) => self.record_whole(&Change::Added, new, ty, path),
            (Some(_), Some(_)) => {
                let (before, after) = (ty.shape(old), ty.shape(new));
                if std::mem::discriminant(&before) != std::mem::discriminant(&after) {
                    // A value that changes its shape is looked at both ways.
                    self.visit_shape(old, new, before, path);
                }
                self.visit_shape(old, new, after, path);
            }
        }
    }

    fn visit_shape(&mut self, old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>, path: Path<'_>) {
        match shape {
            Shape::Map(map) => self.maps(old, new, map, path),
            Shape::List(list) => self.lists(old, new, list, path),
            Shape::Scalar(_) => self.leaf(old, new, path),
            Shape::Invalid => (),
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: Path<'_>) {
        if let (Some(old), Some(new)) = (old, new)
            && !(self.equal)(old, new)
        {
            self.record(&Change::Modified, path);
        }
    }

    fn maps(&mut self, old: Option<&Value>, new: Option<&Value>, map: Map<'_>, path: Path<'_>) {
        let (left, right) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
        if map.atomic || (left.is_none_or(Fields::is_empty) && right.is_none_or(Fields::is_empty)) {
            return self.leaf(old, new, path);
        }
        for (name, item) in left.into_iter().flatten() {
            let other = right.and_then(|right| right.get(name));
            let path = Path { parent: Some(&path), step: Step::Field(name) };
            self.visit(Some(item), other, map.field(name), path);
        }
        for (name, item) in right.into_iter().flatten() {
            if left.is_none_or(|left| !left.contains_key(name)) {
                let path = Path { parent: Some(&path), step: Step::Field(name) };
                self.visit(None, Some(item), map.field(name), path);
            }
        }
    }

    fn lists(&mut self, old: Option<&Value>, new: Option<&Value>, list: List<'_>, path: Path<'_>) {
        let (left, right) = (old.and_then(Value::as_array), new.and_then(Value::as_array));
        if list.atomic || (left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty)) {
            return self.leaf(old, new, path);
        }
        if let (Some(left), Some(right)) = (old, new)
            && value::equal(left, right)
        {
            // Spares naming the items.
            return;
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
        for (element, (old, new)) in &items {
            self.items(old, new, list, Path { parent: Some(&path), step: Step::Item(element) });
        }
    }

    /// Compares the items of one key. Several items of the same key count as one leaf.
    fn items(&mut self, old: &[&Value], new: &[&Value], list: List<'_>, path: Path<'_>) {
        match (old, new) {
            ([] | [_], [] | [_]) => self.visit(old.first().copied(), new.first().copied(), list.item, path),
            ([_, _, ..], [_, _, ..]) => {
                let same = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| (self.equal)(old, new));
                if !same {
                    self.record(&Change::Modified, path);
                }
            }
            ([_, _, ..], _) => {
                self.visit(None, new.first().copied(), list.item, path);
                self.record(&Change::Removed, path);
            }
            (_, _) => {
                self.visit(old.first().copied(), None, list.item, path);
                self.record(&Change::Added, path);
            }
        }
    }
}

/// All fields inside of a value: unlike in the fields that it mentions, containers count for themselves.
fn everything(value: &Value, ty: Type<'_>) -> FieldSet {
    let mut set = FieldSet::default();
    match (ty.shape(Some(value)), value) {
        (Shape::Map(map), Value::Object(fields)) if !map.atomic => {
            for (name, item) in fields {
                set.insert_with(&[PathElement::field(name)], everything(item, map.field(name)));
            }
        }
        (Shape::List(list), Value::Array(items)) if !list.atomic => {
            let mut named: BTreeMap<PathElement, Vec<&Value>> = BTreeMap::new();
            for item in items {
                if let Ok(element) = list.element(item) {
                    named.entry(element).or_default().push(item);
                }
            }
            for (element, items) in named {
                // Several items of the same key count as one leaf.
                let below = match items.as_slice() {
                    [item] => everything(item, list.item),
                    _ => FieldSet::default(),
                };
                set.insert_with(&[element], below);
            }
        }
        _ => {}
    }
    set
}
