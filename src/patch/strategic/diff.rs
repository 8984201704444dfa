//! Two-way strategic diff (`diffMaps` and what it needs).

use std::borrow::Cow;
use std::cell::RefCell;

use super::lists::{self, Items};
use super::{DELETE, DELETE_FROM, DIRECTIVE, ELEMENT_ORDER, RETAIN_KEYS};
use crate::object::{Map, Value, go};
use crate::patch::meta::PatchSchema;
use crate::patch::{PatchError, gofmt};

/// Which differences go into a patch.
#[derive(Clone, Copy, Default)]
pub(super) struct DiffOptions<'o> {
    /// Write `$setElementOrder` for merged lists.
    pub element_order: bool,
    /// Leave out added and changed fields.
    pub ignore_changes: bool,
    /// Leave out removed fields.
    pub ignore_deletions: bool,
    /// Write `$retainKeys` for this map.
    pub retain_keys: bool,
    /// Records which lists of the original the library would have sorted in place.
    pub sorted: Option<&'o SortedLists>,
}

/// The lists of scalars that an earlier diff sorted in place.
///
/// The library sorts lists of its own first argument while comparing, and a later diff of the same object then sees
/// the sorted list. Objects are not modified here; the lists are remembered by address instead.
#[derive(Default)]
pub(super) struct SortedLists(RefCell<Vec<usize>>);

impl SortedLists {
    fn add(&self, list: &[Value]) {
        self.0.borrow_mut().push(list.as_ptr().addr());
    }

    fn contains(&self, list: &[Value]) -> bool {
        self.0.borrow().contains(&list.as_ptr().addr())
    }
}

/// The patch that turns `original` into `modified`, as far as the options ask for it.
pub(super) fn maps(
    original: &Map<String, Value>,
    modified: &Map<String, Value>,
    schema: PatchSchema<'_>,
    options: DiffOptions<'_>,
) -> Result<Map<String, Value>, PatchError> {
    let mut patch = Map::new();
    for (key, new) in modified {
        let Some(old) = original.get(key) else {
            if !options.ignore_changes {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            directive(old, new, &mut patch)?;
            continue;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => map_field(key, old, new, &mut patch, schema, options)?,
            (Value::Array(old), Value::Array(new)) => list_field(key, old, new, &mut patch, schema, options)?,
            _ if !options.ignore_changes && old != new => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    if !options.ignore_deletions {
        let removed = original.keys().filter(|key| !modified.contains_key(*key));
        patch.extend(removed.map(|key| (key.clone(), Value::Null)));
    }
    if options.retain_keys {
        retain_keys(original, modified, &mut patch);
    }
    Ok(patch)
}

fn directive(old: &Value, new: &Value, patch: &mut Map<String, Value>) -> Result<(), PatchError> {
    let (Value::String(old), Value::String(text)) = (old, new) else { return Err(PatchError::DirectiveValue) };
    if old != text {
        patch.insert(DIRECTIVE.to_owned(), new.clone());
    }
    Ok(())
}

/// Names the fields to keep whenever something changes or something else is set.
fn retain_keys(original: &Map<String, Value>, modified: &Map<String, Value>, patch: &mut Map<String, Value>) {
    let kept: Vec<Value> =
        modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| Value::String(key.clone())).collect();
    let others = || original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key));
    if !kept.is_empty() && (!patch.is_empty() || others()) {
        patch.insert(RETAIN_KEYS.to_owned(), Value::Array(kept));
    }
}

fn map_field(
    key: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    patch: &mut Map<String, Value>,
    schema: PatchSchema<'_>,
    options: DiffOptions<'_>,
) -> Result<(), PatchError> {
    let field = match schema.field(key) {
        Ok(field) => field,
        // Equal values need no metadata.
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if field.replaces() {
        if !options.ignore_changes {
            patch.insert(key.to_owned(), Value::Object(new.clone()));
        }
        return Ok(());
    }
    let inner = maps(old, new, field.schema, DiffOptions { retain_keys: field.retain_keys, ..options })?;
    if !inner.is_empty() {
        patch.insert(key.to_owned(), Value::Object(inner));
    }
    Ok(())
}

fn list_field(
    key: &str,
    old: &[Value],
    new: &[Value],
    patch: &mut Map<String, Value>,
    schema: PatchSchema<'_>,
    options: DiffOptions<'_>,
) -> Result<(), PatchError> {
    let field = match schema.list(key) {
        Ok(field) => field,
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if !field.merges() {
        if !options.ignore_changes && old != new {
            patch.insert(key.to_owned(), Value::Array(new.to_vec()));
        }
        return Ok(());
    }
    let options = DiffOptions { retain_keys: field.retain_keys, ..options };
    let diff = lists(old, new, field.schema, field.merge_key, options)?;
    let parts = [
        (String::new(), diff.patch),
        (format!("{DELETE_FROM}/"), diff.deletions),
        (format!("{ELEMENT_ORDER}/"), diff.order),
    ];
    for (prefix, list) in parts {
        if !list.is_empty() {
            patch.insert(prefix + key, Value::Array(list));
        }
    }
    Ok(())
}

/// The three lists that together change a merged list.
#[derive(Default)]
struct ListDiff {
    /// Added and changed items, then deletions of maps.
    patch: Vec<Value>,
    /// Scalars to remove.
    deletions: Vec<Value>,
    /// The wanted order.
    order: Vec<Value>,
}

fn lists(
    old: &[Value],
    new: &[Value],
    schema: PatchSchema<'_>,
    merge_key: &str,
    options: DiffOptions<'_>,
) -> Result<ListDiff, PatchError> {
    if old.is_empty() {
        let patch = if options.ignore_changes { Vec::new() } else { new.to_vec() };
        return Ok(ListDiff { patch, ..ListDiff::default() });
    }
    match lists::items_of(&[old, new])? {
        Items::Maps => map_lists(old, new, schema, merge_key, options),
        Items::Scalars => scalar_lists(old, new, merge_key, options),
    }
}

fn map_lists(
    old: &[Value],
    new: &[Value],
    schema: PatchSchema<'_>,
    merge_key: &str,
    options: DiffOptions<'_>,
) -> Result<ListDiff, PatchError> {
    let (changes, deletions) = changed_items(old, new, schema, merge_key, options)?;
    lists::check_keys(&changes, merge_key)?;
    lists::check_keys(new, merge_key)?;
    let order = lists::identities(new, merge_key, Items::Maps);
    let mut patch = lists::sort_by_order(changes, &order, merge_key, Items::Maps)?;
    let order_same = same_order(old, new, merge_key)?;
    patch.extend(deletions);
    let wanted = options.element_order
        && ((!options.ignore_changes && (!patch.is_empty() || !order_same))
            || (!options.ignore_deletions && !patch.is_empty()));
    let order = if wanted { order.into_iter().map(|key| single(merge_key, key)).collect() } else { Vec::new() };
    Ok(ListDiff { patch, order, ..ListDiff::default() })
}

fn single(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

fn same_order(old: &[Value], new: &[Value], merge_key: &str) -> Result<bool, PatchError> {
    if old.len() != new.len() {
        return Ok(false);
    }
    for (old, new) in old.iter().zip(new) {
        let equal = if merge_key.is_empty() {
            gofmt::equal(old, new)?
        } else {
            gofmt::equal(lists::keyed(old, merge_key)?.1, lists::keyed(new, merge_key)?.1)?
        };
        if !equal {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Items sorted by the text of their key; a missing key counts as Go prints it.
fn sorted_maps<'a>(list: &'a [Value], merge_key: &str) -> Vec<(Cow<'a, str>, &'a Value)> {
    let mut sorted: Vec<_> =
        list.iter().rev().map(|item| (go::text(lists::identity(item, merge_key, Items::Maps)), item)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

/// Changed or added items, and deletions (`diffListsOfMaps`).
fn changed_items(
    old: &[Value],
    new: &[Value],
    schema: PatchSchema<'_>,
    merge_key: &str,
    options: DiffOptions<'_>,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (old, new) = (sorted_maps(old, merge_key), sorted_maps(new, merge_key));
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    let (mut changes, mut deletions) = (Vec::new(), Vec::new());
    while old.peek().is_some() || new.peek().is_some() {
        let left = old.peek().map(|(text, item)| lists::keyed(item, merge_key).map(|(map, key)| (text, map, key)));
        let left = left.transpose()?;
        let right = new.peek().map(|(text, item)| lists::keyed(item, merge_key).map(|(map, key)| (text, map, key)));
        let right = right.transpose()?;
        match (left, right) {
            (Some((a, old_map, _)), Some((b, new_map, key))) if a == b => {
                let mut inner = maps(old_map, new_map, schema, options)?;
                if !inner.is_empty() {
                    inner.insert(merge_key.to_owned(), key.clone());
                    changes.push(Value::Object(inner));
                }
                old.next();
                new.next();
            }
            (Some((a, _, key)), right) if right.is_none_or(|(b, ..)| a < b) => {
                if !options.ignore_deletions {
                    deletions.push(deletion(merge_key, key));
                }
                old.next();
            }
            (_, Some((_, added, _))) => {
                if !options.ignore_changes {
                    changes.push(Value::Object(added.clone()));
                }
                new.next();
            }
            (_, None) => break,
        }
    }
    Ok((changes, deletions))
}

fn deletion(merge_key: &str, key: &Value) -> Value {
    let mut map = Map::new();
    map.insert(merge_key.to_owned(), key.clone());
    map.insert(DIRECTIVE.to_owned(), DELETE.into());
    Value::Object(map)
}

/// Added and removed scalars (`diffListsOfScalars`).
fn scalar_lists(
    old: &[Value],
    new: &[Value],
    merge_key: &str,
    options: DiffOptions<'_>,
) -> Result<ListDiff, PatchError> {
    let sorted_before = options.sorted.is_some_and(|sorted| sorted.contains(new));
    let new = if sorted_before { Cow::Owned(lists::sorted_scalars(new)) } else { Cow::Borrowed(new) };
    if let Some(sorted) = options.sorted {
        sorted.add(old);
    }
    let (old_sorted, new_sorted) = (lists::sorted_scalars(old), lists::sorted_scalars(&new));
    let (mut added, mut deletions) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (old_sorted.iter().peekable(), new_sorted.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(_), None) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) => lists::compare(a, b),
        };
        if order.is_le()
            && let Some(value) = left.next()
            && order.is_lt()
            && !options.ignore_deletions
        {
            deletions.push(value.clone());
        }
        if order.is_ge()
            && let Some(value) = right.next()
            && order.is_gt()
            && !options.ignore_changes
        {
            added.push(value.clone());
        }
    }
    let kept = lists::deduplicate(&mut deletions)?;
    deletions.truncate(kept);
    let patch = lists::sort_by_order(added, &new, merge_key, Items::Scalars)?;
    // The library compares with the list that it has just sorted.
    let wanted = options.element_order
        && ((!options.ignore_deletions && !deletions.is_empty())
            || (!options.ignore_changes && old_sorted.as_slice() != new.as_ref()));
    let order = if wanted { new.into_owned() } else { Vec::new() };
    Ok(ListDiff { patch, deletions, order })
}
