//! Merging a partial object into a whole one, and taking fields out of an object.

use std::collections::BTreeMap;

use super::set::{FieldSet, PathElement};
use super::typed::{List, Map, Shape, Type};
use crate::object::{Map as Fields, Value};

/// Merges `config` into `live`: every leaf of `config` wins, nothing is removed, lists of maps and sets take the order
/// of `config` where it says one. Both values must be valid for `ty`. `None` is a value that is not there.
pub fn merge(live: Option<&Value>, config: Option<&Value>, ty: Type<'_>) -> Option<Value> {
    let shape = match config {
        Some(_) => ty.shape(config),
        None => ty.shape(live),
    };
    match shape {
        Shape::Map(map) => merge_maps(live, config, map),
        Shape::List(list) => merge_lists(live, config, list),
        Shape::Scalar(_) => config.or(live).cloned(),
        Shape::Invalid => None,
    }
}

fn merge_maps(live: Option<&Value>, config: Option<&Value>, map: Map<'_>) -> Option<Value> {
    let (left, right) = (live.and_then(Value::as_object), config.and_then(Value::as_object));
    let empty = |fields: Option<&Fields<String, Value>>| fields.is_none_or(Fields::is_empty);
    if map.atomic || (empty(left) && empty(right)) {
        return config.or(live).cloned();
    }
    let mut out = Fields::new();
    for (name, value) in left.into_iter().flatten() {
        let other = right.and_then(|right| right.get(name));
        out.extend(merge(Some(value), other, map.field(name)).map(|merged| (name.clone(), merged)));
    }
    let added = right.into_iter().flatten().filter(|(name, _)| left.is_none_or(|left| !left.contains_key(*name)));
    for (name, value) in added {
        out.extend(merge(None, Some(value), map.field(name)).map(|merged| (name.clone(), merged)));
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// The items of a list by their path elements.
struct Items<'a> {
    order: Vec<(PathElement, &'a Value)>,
    /// The item of each element; null for elements that occur more than once, which are not merged.
    by_element: BTreeMap<PathElement, &'a Value>,
}

impl<'a> Items<'a> {
    fn of(value: Option<&'a Value>, list: List<'_>) -> Self {
        const DUPLICATE: &Value = &Value::Null;
        let items = value.and_then(Value::as_array).into_iter().flatten();
        let order: Vec<_> = items.filter_map(|item| Some((list.element(item).ok()?, item))).collect();
        let mut by_element = BTreeMap::new();
        for (element, item) in &order {
            by_element.entry(element.clone()).and_modify(|known| *known = DUPLICATE).or_insert(*item);
        }
        Self { order, by_element }
    }

    fn get(&self, element: &PathElement) -> Option<&'a Value> {
        self.by_element.get(element).copied()
    }
}

fn merge_lists(live: Option<&Value>, config: Option<&Value>, list: List<'_>) -> Option<Value> {
    let empty = |value: Option<&Value>| value.and_then(Value::as_array).is_none_or(Vec::is_empty);
    // Merging equal lists changes nothing; to say so early spares naming the items.
    if list.atomic || (empty(live) && empty(config)) || live == config {
        return config.or(live).cloned();
    }
    let (left, right) = (Items::of(live, list), Items::of(config, list));
    let mut merger = ListMerger { list, left: &left, right: &right, out: Vec::new() };
    merger.run();
    (!merger.out.is_empty()).then_some(Value::Array(merger.out))
}

/// Interleaves two lists: shared items come in the order of the right list, the left list's own items keep their place
/// before the shared item that follows them.
struct ListMerger<'a> {
    list: List<'a>,
    left: &'a Items<'a>,
    right: &'a Items<'a>,
    out: Vec<Value>,
}

impl ListMerger<'_> {
    fn push(&mut self, live: Option<&Value>, config: Option<&Value>) {
        self.out.extend(merge(live, config, self.list.item));
    }

    fn run(&mut self) {
        let (left, right) = (self.left, self.right);
        let mut lefts = left.order.iter().peekable();
        let mut rights = right.order.iter().peekable();
        let mut shared = right.order.iter().filter(|(element, _)| left.get(element).is_some()).map(|(e, _)| e);
        let mut next_shared = shared.next();
        let mut merged = FieldSet::default();
        while lefts.peek().is_some() || rights.peek().is_some() {
            if let (Some((element, _)), Some((wanted, _))) = (lefts.peek(), rights.peek()) {
                if element == wanted {
                    merged.insert_member(element.clone());
                    self.push(left.get(element), right.get(element));
                    lefts.next();
                    rights.next();
                    next_shared = shared.next();
                    continue;
                }
                if right.get(element).is_some() && next_shared.is_some_and(|next| next != element) {
                    // A shared item whose turn comes later.
                    lefts.next();
                    continue;
                }
            }
            if let Some((element, item)) = lefts.peek() {
                if right.get(element).is_none() {
                    self.push(Some(item), None);
                    lefts.next();
                    continue;
                }
                if merged.has_member(element) {
                    lefts.next();
                }
            }
            if let Some((element, _)) = rights.next() {
                merged.insert_member(element.clone());
                self.push(left.get(element), right.get(element));
                if next_shared == Some(element) {
                    next_shared = shared.next();
                }
            }
        }
    }
}

/// The value without the fields of `set`. A container that loses all it had stays, empty; it is gone only when it is
/// itself in the set. A root that loses everything becomes null.
pub fn remove(value: &Value, set: &FieldSet, ty: Type<'_>) -> Value {
    match ty.shape(Some(value)) {
        Shape::Map(map) => remove_fields(value, set, map),
        Shape::List(list) => remove_items(value, set, list),
        Shape::Scalar(_) => value.clone(),
        Shape::Invalid => Value::Null,
    }
}

fn remove_fields(value: &Value, set: &FieldSet, map: Map<'_>) -> Value {
    let Some(fields) = value.as_object().filter(|fields| !fields.is_empty() && !map.atomic) else {
        return Value::Null;
    };
    let mut kept = Fields::new();
    for (name, item) in fields {
        let element = PathElement::field(name);
        if set.has_member(&element) {
            continue;
        }
        kept.insert(name.clone(), remove_below(item, set, &element, map.field(name)));
    }
    if kept.is_empty() { Value::Null } else { Value::Object(kept) }
}

fn remove_items(value: &Value, set: &FieldSet, list: List<'_>) -> Value {
    let Some(items) = value.as_array().filter(|items| !items.is_empty() && !list.atomic) else {
        return Value::Null;
    };
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        match list.element(item) {
            Ok(element) if set.has_member(&element) => (),
            Ok(element) => kept.push(remove_below(item, set, &element, list.item)),
            Err(_) => kept.push(item.clone()),
        }
    }
    if kept.is_empty() { Value::Null } else { Value::Array(kept) }
}

fn remove_below(item: &Value, set: &FieldSet, element: &PathElement, ty: Type<'_>) -> Value {
    match set.child(element).filter(|below| !below.is_empty()) {
        Some(below) => match (remove(item, below, ty), item) {
            (Value::Null, Value::Object(_)) => Value::Object(Fields::new()),
            (Value::Null, Value::Array(_)) => Value::Array(Vec::new()),
            (rest, _) => rest,
        },
        None => item.clone(),
    }
}
