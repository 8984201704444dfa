//! What diffing and merging of lists share: item types, merge keys, and the order of merged lists.

use std::cmp::Ordering;

use crate::object::{Map, Value, go};
use crate::patch::{PatchError, gofmt};

use super::{DELETE, DIRECTIVE};

/// What the items of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// Objects, told apart by their merge key when one is declared.
    Maps,
    /// Anything else.
    Scalars,
}

/// The common type of all items (`sliceElementType`).
pub(super) fn items_of(lists: &[&[Value]]) -> Result<Items, PatchError> {
    let mut items = lists.iter().copied().flatten();
    let first = items.next().ok_or(PatchError::NoElements)?;
    match first {
        Value::Array(_) => return Err(PatchError::ListOfLists),
        Value::Null => return Err(PatchError::Runtime("invalid memory address or nil pointer dereference")),
        _ => {}
    }
    if !items.all(|item| gofmt::same_type(first, item)) {
        let texts: Vec<String> = lists.iter().map(|list| go::list_text(list)).collect();
        return Err(PatchError::MixedList(format!("[{}]", texts.join(" "))));
    }
    Ok(if first.is_object() { Items::Maps } else { Items::Scalars })
}

/// The map that an item must be, and its merge key.
pub(super) fn keyed<'a>(item: &'a Value, merge_key: &str) -> Result<(&'a Map<String, Value>, &'a Value), PatchError> {
    let map = item.as_object().ok_or_else(|| PatchError::wanted_map(item))?;
    let key = map.get(merge_key).ok_or_else(|| PatchError::no_merge_key(map, merge_key))?;
    Ok((map, key))
}

/// Whether an item is to be deleted (`$patch: delete`).
pub(super) fn is_deletion(item: &Value) -> bool {
    item.get(DIRECTIVE).and_then(Value::as_str) == Some(DELETE)
}

/// Checks that every item is a map with its merge key.
pub(super) fn check_keys(list: &[Value], merge_key: &str) -> Result<(), PatchError> {
    list.iter().try_for_each(|item| keyed(item, merge_key).map(drop))
}

/// What tells items apart: the merge key of maps (null when missing), else the item itself.
pub(super) fn identity<'a>(item: &'a Value, merge_key: &str, items: Items) -> &'a Value {
    match items {
        Items::Maps => item.get(merge_key).unwrap_or(&Value::Null),
        Items::Scalars => item,
    }
}

/// The identities of all items.
pub(super) fn identities(list: &[Value], merge_key: &str, items: Items) -> Vec<Value> {
    list.iter().map(|item| identity(item, merge_key, items).clone()).collect()
}

fn position(order: &[Value], item: &Value) -> Result<Option<usize>, PatchError> {
    for (at, candidate) in order.iter().enumerate() {
        if gofmt::equal(item, candidate)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Sorts items by their place in `order` (identities), items to delete last (`normalizeSliceOrder`).
pub(super) fn sort_by_order(
    list: Vec<Value>,
    order: &[Value],
    merge_key: &str,
    items: Items,
) -> Result<Vec<Value>, PatchError> {
    let (deletions, list) = match items {
        Items::Maps => list.into_iter().partition(is_deletion),
        Items::Scalars => (Vec::new(), list),
    };
    let mut placed = Vec::with_capacity(list.len());
    for item in list {
        placed.push((position(order, identity(&item, merge_key, items))?, item));
    }
    if placed.iter().all(|(at, _)| at.is_some()) {
        placed.sort_by_key(|(at, _)| *at);
    } else {
        insertion_sort(&mut placed, |a, b| match (a.0, b.0) {
            (Some(a), Some(b)) => a < b,
            _ => true,
        });
    }
    Ok(placed.into_iter().map(|(_, item)| item).chain(deletions).collect())
}

/// Insertion sort with a comparison that is no order: items without a place go before whatever stands before them.
fn insertion_sort<T>(list: &mut [T], less: impl Fn(&T, &T) -> bool) {
    for i in 1..list.len() {
        let mut at = i;
        while at > 0 && less(&list[at], &list[at - 1]) {
            list.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Brings a merged list into its final order (`normalizeElementOrder`): items of the patch as the patch orders them,
/// items that only the server has in their own order, both interleaved as the server's list suggests.
pub(super) fn interleave(
    from_patch: Vec<Value>,
    server_only: Vec<Value>,
    server_order: &[Value],
    merge_key: &str,
    items: Items,
) -> Result<Vec<Value>, PatchError> {
    let place = |item: &Value| position(server_order, identity(item, merge_key, items));
    let mut merged = Vec::with_capacity(from_patch.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    let mut right = from_patch.into_iter().peekable();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let left_first = match (place(l)?, place(r)?) {
            (Some(l), Some(r)) => l < r,
            _ => false,
        };
        merged.extend(if left_first { left.next() } else { right.next() });
    }
    merged.extend(right);
    merged.extend(left);
    Ok(merged)
}

/// Splits maps into those whose key `order` has and the others.
pub(super) fn partition_maps(
    list: Vec<Value>,
    order: &[Value],
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for item in list {
        let (_, key) = keyed(&item, merge_key)?;
        match find_by_key(order, merge_key, key)? {
            Some(_) => inside.push(item),
            None => outside.push(item),
        }
    }
    Ok((inside, outside))
}

/// Splits scalars into those that `order` has and the others.
pub(super) fn partition_scalars(list: Vec<Value>, order: &[Value]) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    order.iter().chain(&list).try_for_each(gofmt::hashable)?;
    Ok(list.into_iter().partition(|item| order.contains(item)))
}

/// The index of the map whose merge key is `wanted` (`findMapInSliceBasedOnKeyValue`).
pub(super) fn find_by_key(list: &[Value], merge_key: &str, wanted: &Value) -> Result<Option<usize>, PatchError> {
    for (at, item) in list.iter().enumerate() {
        let Some(map) = item.as_object() else {
            return Err(PatchError::ItemNotMap(at));
        };
        if let Some(key) = map.get(merge_key)
            && gofmt::equal(key, wanted)?
        {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Sorts by text; equal texts end up in reverse, as Go's insertion sort with a non-strict comparison leaves them.
pub(super) fn sort_by_text<T>(list: &mut [T], text: impl Fn(&T) -> String) {
    list.reverse();
    list.sort_by_cached_key(text);
}

/// Sorts scalars by their text (`sortScalars`).
pub(super) fn sorted_scalars(list: &[Value]) -> Vec<Value> {
    let mut sorted = list.to_vec();
    let ordered = sorted.windows(2).all(|pair| matches!(pair, [a, b] if compare(a, b) == Ordering::Less));
    if !ordered {
        sort_by_text(&mut sorted, |value| go::text(value).into_owned());
    }
    sorted
}

/// The order of two scalars: that of their texts.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    go::text(a).as_ref().cmp(go::text(b).as_ref())
}

/// Drops repeated values by moving the last one into their place, as the library does; returns how many remain, the
/// rest of `list` being leftovers.
pub(super) fn deduplicate(list: &mut [Value]) -> Result<usize, PatchError> {
    let mut length = list.len();
    let mut i = 0;
    while i + 1 < length {
        let mut j = i + 1;
        while j < length {
            if gofmt::equal(&list[i], &list[j])? {
                length -= 1;
                list[j] = list[length].clone();
            } else {
                j += 1;
            }
        }
        i += 1;
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(text: &str) -> Vec<Value> {
        text.chars().map(|c| json!(c.to_string())).collect()
    }

    #[test]
    fn server_items_keep_their_place_among_patch_items() {
        let merged = interleave(values("ca"), values("bd"), &values("abcd"), "", Items::Scalars);
        assert_eq!(merged.ok(), Some(values("bcad")));
    }

    #[test]
    fn duplicates_give_way_to_the_last_value() {
        let mut list = values("aabc");
        assert_eq!(deduplicate(&mut list).ok(), Some(3));
        assert_eq!(list.get(..3), Some(values("acb").as_slice()));
    }
}
