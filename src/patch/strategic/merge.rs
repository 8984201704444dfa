//! Applying a strategic merge patch (`mergeMap` and what it needs).

use super::lists::{self, Items};
use super::{DELETE, DELETE_FROM, DIRECTIVE, ELEMENT_ORDER, MERGE, REPLACE, RETAIN_KEYS};
use crate::object::{Map, Value, go};
use crate::patch::meta::{PatchField, PatchSchema};
use crate::patch::{PatchError, gofmt};

/// Whether a patch is applied to an object or to another patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Directives are carried out, nulls delete.
    Object,
    /// Directives and nulls stay for the one who applies the merged patch.
    Patch,
}

/// Merges `patch` into `original`.
pub(super) fn maps(
    original: &mut Map<String, Value>,
    mut patch: Map<String, Value>,
    schema: PatchSchema<'_>,
    target: Target,
) -> Result<(), PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        match directive.as_str() {
            Some(REPLACE) => {
                patch.remove(DIRECTIVE);
                *original = patch;
            }
            Some(DELETE) => original.clear(),
            _ => {
                return Err(PatchError::UnknownDirective {
                    directive: gofmt::string_verb(directive),
                    map: go::map_text(&patch),
                });
            }
        }
        return Ok(());
    }
    retain_keys(original, &mut patch, target)?;
    ordered_lists(original, &mut patch, schema, target)?;
    patch.into_iter().try_for_each(|(key, value)| field(original, key, value, schema, target))
}

/// Carries out `$retainKeys`: fields that it does not name go.
fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    target: Target,
) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if target == Target::Patch {
        return match original.get(RETAIN_KEYS) {
            Some(before) if *before != keys => Err(PatchError::RetainKeysDiffer {
                left: go::text(before).into_owned(),
                right: go::text(&keys).into_owned(),
            }),
            _ => {
                original.insert(RETAIN_KEYS.to_owned(), keys);
                Ok(())
            }
        };
    }
    let Value::Array(keys) = keys else { return Err(PatchError::RetainKeysFormat) };
    keys.iter().try_for_each(gofmt::hashable)?;
    let kept = |key: &str| keys.iter().any(|kept| kept.as_str() == Some(key));
    let unnamed = patch.iter().any(|(key, value)| {
        !(value.is_null() || key.starts_with(DELETE_FROM) || key.starts_with(ELEMENT_ORDER) || kept(key))
    });
    if unnamed {
        return Err(PatchError::RetainKeysFormat);
    }
    original.retain(|key, _| kept(key));
    Ok(())
}

/// The field that a directive such as `$setElementOrder/containers` is about.
fn subject<'k>(key: &'k str, prefix: &str, malformed: PatchError) -> Result<&'k str, PatchError> {
    match key.split_once('/') {
        Some((before, subject)) if before == prefix => Ok(subject),
        _ => Err(malformed),
    }
}

/// Merges every list that has a `$setElementOrder` and takes both out of the patch (`mergePatchIntoOriginal`).
fn ordered_lists(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    schema: PatchSchema<'_>,
    target: Target,
) -> Result<(), PatchError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let Some(order) = patch.remove(&directive) else { continue };
        if target == Target::Patch {
            match original.get(&directive) {
                Some(before) if *before != order => return Err(PatchError::ElementOrderFormat),
                Some(_) => {}
                None => {
                    original.insert(directive.clone(), order.clone());
                }
            }
        }
        let Value::Array(order) = order else { return Err(PatchError::wanted_list(&order)) };
        let key = subject(&directive, ELEMENT_ORDER, PatchError::ElementOrderFormat)?;
        ordered_list(original, patch, key, &order, schema, target)?;
    }
    Ok(())
}

fn ordered_list(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    key: &str,
    order: &[Value],
    schema: PatchSchema<'_>,
    target: Target,
) -> Result<(), PatchError> {
    let live = original.get(key).map(as_list).transpose()?;
    let wanted = patch.get(key).map(as_list).transpose()?;
    let declared = schema.list(key)?;
    check_order(wanted.unwrap_or_default(), order, declared.merge_key)?;
    let by_key = !declared.merge_key.is_empty();
    let before = match (live, wanted) {
        (None, None) => return Ok(()),
        (live, wanted) => (live.is_some(), lists::items_of(&[live.unwrap_or_default(), wanted.unwrap_or_default()])),
    };
    let (found, items) = before;
    let live = take_list(original, key);
    let mut server_order = identities_checked(&live, declared.merge_key, items.as_ref().ok().copied());
    let merged = match (found, take_list_if(patch, key)) {
        (true, None) => live,
        (_, None) => Vec::new(),
        (false, Some(wanted)) => wanted.into_iter().filter_map(without_directives).collect(),
        (true, Some(wanted)) if declared.merges() => {
            let merged = merge_lists(live, wanted, declared, target)?;
            server_order = Ok(merged.storage);
            merged.list
        }
        (true, Some(wanted)) => wanted,
    };
    let (from_patch, server_only) = if by_key {
        lists::partition_maps(merged, order, declared.merge_key)?
    } else {
        lists::partition_scalars(merged, order)?
    };
    let items = items?;
    if items == Items::Maps {
        lists::check_keys(&from_patch, declared.merge_key)?;
        lists::check_keys(order, declared.merge_key)?;
        lists::check_keys(&server_only, declared.merge_key)?;
    }
    let order = lists::identities(order, declared.merge_key, items);
    let from_patch = lists::sort_by_order(from_patch, &order, declared.merge_key, items)?;
    let server_order = server_order?;
    let server_only = lists::sort_by_order(server_only, &server_order, declared.merge_key, items)?;
    let list = lists::interleave(from_patch, server_only, &server_order, declared.merge_key, items)?;
    original.insert(key.to_owned(), Value::Array(list));
    Ok(())
}

fn identities_checked(list: &[Value], merge_key: &str, items: Option<Items>) -> Result<Vec<Value>, PatchError> {
    let items = items.unwrap_or(Items::Scalars);
    if items == Items::Maps {
        lists::check_keys(list, merge_key)?;
    }
    Ok(lists::identities(list, merge_key, items))
}

fn as_list(value: &Value) -> Result<&[Value], PatchError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| PatchError::wanted_list(value))
}

fn take_list_if(map: &mut Map<String, Value>, key: &str) -> Option<Vec<Value>> {
    match map.remove(key) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    }
}

fn take_list(map: &mut Map<String, Value>, key: &str) -> Vec<Value> {
    match map.get_mut(key) {
        Some(Value::Array(list)) => std::mem::take(list),
        _ => Vec::new(),
    }
}

/// Checks that the patch's items occur in the wanted order (`validatePatchWithSetOrderList`).
fn check_order(patch: &[Value], order: &[Value], merge_key: &str) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let by_key = !merge_key.is_empty();
    if by_key && let Some(item) = patch.iter().find(|item| !item.is_object()) {
        return Err(PatchError::wanted_map(item));
    }
    let mut pending = patch.iter().filter(|item| !(by_key && lists::is_deletion(item))).peekable();
    let mut places = order.iter();
    while let Some(item) = pending.peek() {
        if places.as_slice().is_empty() {
            return Err(PatchError::ElementOrder { list: go::list_text(patch), order: go::list_text(order) });
        }
        if item.get(DIRECTIVE).is_some() {
            pending.next();
            continue;
        }
        let Some(place) = places.next() else { break };
        let equal = if by_key { keys_equal(item, place, merge_key)? } else { gofmt::equal(item, place)? };
        if equal {
            pending.next();
        }
    }
    Ok(())
}

fn keys_equal(left: &Value, right: &Value, merge_key: &str) -> Result<bool, PatchError> {
    let map = |value| Value::as_object(value).ok_or_else(|| PatchError::wanted_map(value));
    let (left, right) = (map(left)?, map(right)?);
    let key = |map: &'_ Map<String, Value>| match map.get(merge_key) {
        Some(key) => Ok(key.clone()),
        None => Err(PatchError::no_merge_key(map, merge_key)),
    };
    gofmt::equal(&key(left)?, &key(right)?)
}

/// Merges one field of a patch.
fn field(
    original: &mut Map<String, Value>,
    key: String,
    value: Value,
    schema: PatchSchema<'_>,
    target: Target,
) -> Result<(), PatchError> {
    let deletes_items = key.starts_with(DELETE_FROM);
    if deletes_items && target == Target::Patch {
        original.insert(key, value);
        return Ok(());
    }
    let key = if deletes_items { subject(&key, DELETE_FROM, PatchError::PrimitiveListFormat)?.to_owned() } else { key };
    if value.is_null() {
        original.remove(&key);
        if target == Target::Object {
            return Ok(());
        }
    }
    let Some(live) = original.get_mut(&key).filter(|live| gofmt::same_type(live, &value)) else {
        if !deletes_items {
            set_new(original, key, value, target);
        }
        return Ok(());
    };
    match (live, value) {
        (Value::Object(live), Value::Object(value)) => {
            let declared = schema.field(&key)?;
            if declared.replaces() {
                *live = value;
                return Ok(());
            }
            maps(live, value, declared.schema, target)
        }
        (Value::Array(live), Value::Array(value)) => {
            let declared = schema.list(&key)?;
            *live = if deletes_items {
                delete_items(std::mem::take(live), value, declared, target)?
            } else if declared.merges() {
                merge_lists(std::mem::take(live), value, declared, target)?.list
            } else {
                value
            };
            Ok(())
        }
        (live, value) => {
            *live = value;
            Ok(())
        }
    }
}

/// Puts a value where there was none, or one of another type.
fn set_new(original: &mut Map<String, Value>, key: String, mut value: Value, target: Target) {
    if target == Target::Object {
        drop_nulls(&mut value);
    }
    match without_directives(value) {
        Some(value) => original.insert(key, value),
        None => original.remove(&key),
    };
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The value without maps that hold a `$patch`; nothing if it is such a map itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => Some(Value::Object(
            map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?))).collect(),
        )),
        Value::Array(list) => Some(Value::Array(list.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

/// A merged list, and what the library's storage of the live list holds afterwards.
struct Merged {
    list: Vec<Value>,
    /// Identities in the first slots of the live list's storage. The library merges in place, so a deletion followed by
    /// an addition leaves the added item there, and the order of the result depends on it.
    storage: Vec<Value>,
}

/// Handles `$deleteFromPrimitiveList` on a list, whatever its strategy.
fn delete_items(
    live: Vec<Value>,
    unwanted: Vec<Value>,
    declared: PatchField<'_>,
    target: Target,
) -> Result<Vec<Value>, PatchError> {
    if live.is_empty() && unwanted.is_empty() {
        return Ok(live);
    }
    match lists::items_of(&[&live, &unwanted])? {
        Items::Maps => Ok(merge_lists(live, unwanted, declared, target)?.list),
        Items::Scalars => Ok(live.into_iter().filter(|item| !unwanted.contains(item)).collect()),
    }
}

/// Merges two lists item by item (`mergeSlice`).
fn merge_lists(
    live: Vec<Value>,
    patch: Vec<Value>,
    declared: PatchField<'_>,
    target: Target,
) -> Result<Merged, PatchError> {
    if live.is_empty() && patch.is_empty() {
        return Ok(Merged { list: live, storage: Vec::new() });
    }
    match lists::items_of(&[&live, &patch])? {
        Items::Scalars => merge_scalars(live, patch, declared.merge_key),
        Items::Maps if declared.merge_key.is_empty() => Err(PatchError::NoKeyDeclared(declared.schema.kind())),
        Items::Maps => merge_items(live, patch, declared, target),
    }
}

fn merge_scalars(live: Vec<Value>, patch: Vec<Value>, merge_key: &str) -> Result<Merged, PatchError> {
    let slots = live.len();
    let mut all = live.clone();
    all.extend_from_slice(&patch);
    let shared = all.len() <= slots.next_power_of_two() && slots > 0;
    let kept = lists::deduplicate(&mut all)?;
    // When the additions fit into the storage of the live list, dropping repeated items happens in that storage.
    let storage = if shared { all.iter().take(slots).cloned().collect() } else { live };
    all.truncate(kept);
    let (from_patch, server_only) = if merge_key.is_empty() {
        lists::partition_scalars(all, &patch)?
    } else {
        lists::partition_maps(all, &patch, merge_key)?
    };
    let from_patch = lists::sort_by_order(from_patch, &patch, merge_key, Items::Scalars)?;
    let server_only = lists::sort_by_order(server_only, &storage, merge_key, Items::Scalars)?;
    let list = lists::interleave(from_patch, server_only, &storage, merge_key, Items::Scalars)?;
    Ok(Merged { list, storage })
}

fn merge_items(
    mut live: Vec<Value>,
    patch: Vec<Value>,
    declared: PatchField<'_>,
    target: Target,
) -> Result<Merged, PatchError> {
    let merge_key = declared.merge_key;
    let mut storage = lists::identities(&live, merge_key, Items::Maps);
    let mut patch = directives(&mut live, patch, merge_key, &mut storage)?;
    let live_order = lists::identities(&live, merge_key, Items::Maps);
    let patch_order: Vec<Value> = patch.iter().map(key_only(merge_key)).collect();
    let slots = storage.len();
    for item in std::mem::take(&mut patch) {
        let (_, key) = lists::keyed(&item, merge_key)?;
        match lists::find_by_key(&live, merge_key, key)? {
            Some(at) => {
                if let (Some(Value::Object(live)), Value::Object(item)) = (live.get_mut(at), item) {
                    maps(live, item, declared.schema, target)?;
                }
            }
            None => {
                if live.len() < slots
                    && let Some(slot) = storage.get_mut(live.len())
                {
                    *slot = key.clone();
                }
                live.push(item);
            }
        }
    }
    let (from_patch, server_only) = lists::partition_maps(live, &patch_order, merge_key)?;
    let wanted = lists::identities(&patch_order, merge_key, Items::Maps);
    let from_patch = lists::sort_by_order(from_patch, &wanted, merge_key, Items::Maps)?;
    let server_only = lists::sort_by_order(server_only, &live_order, merge_key, Items::Maps)?;
    let list = lists::interleave(from_patch, server_only, &live_order, merge_key, Items::Maps)?;
    Ok(Merged { list, storage })
}

/// A copy of an item that holds nothing but its key.
fn key_only(merge_key: &str) -> impl Fn(&Value) -> Value + '_ {
    move |item| {
        let key = item.get(merge_key).map(|key| (merge_key.to_owned(), key.clone()));
        Value::Object(key.into_iter().collect())
    }
}

/// Carries out the items that hold a `$patch` and returns the others (`mergeSliceWithSpecialElements`).
fn directives(
    live: &mut Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
    storage: &mut [Value],
) -> Result<Vec<Value>, PatchError> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut replace = false;
    for item in patch {
        let Some(directive) = item.get(DIRECTIVE) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some(DELETE) => delete_matching(live, lists::keyed(&item, merge_key)?.1, merge_key, storage)?,
            Some(REPLACE) => replace = true,
            Some(MERGE) => return Err(PatchError::MergeDirectiveInList),
            _ => {
                return Err(PatchError::UnknownDirective {
                    directive: gofmt::string_verb(directive),
                    map: go::text(&item).into_owned(),
                });
            }
        }
    }
    if replace {
        *live = plain;
        return Ok(Vec::new());
    }
    Ok(plain)
}

/// Deletes every item with that key; `storage` sees what moving the rest down leaves behind.
fn delete_matching(
    live: &mut Vec<Value>,
    key: &Value,
    merge_key: &str,
    storage: &mut [Value],
) -> Result<(), PatchError> {
    while let Some(at) = lists::find_by_key(live, merge_key, key)? {
        for slot in at + 1..live.len() {
            if let Some(moved) = storage.get(slot).cloned()
                && let Some(free) = storage.get_mut(slot - 1)
            {
                *free = moved;
            }
        }
        live.remove(at);
    }
    Ok(())
}
