//! Moves the fields of client-side apply's managers to a server-side applier (`csaupgrade` of client-go).

use serde_json::json;

use super::codec::ParseError;
use super::set::FieldSet;
use crate::object::{Value, meta};

fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    meta::str_at(entry, &[name])
}

fn is(entry: &Value, manager: &str, operation: &str, subresource: &str) -> bool {
    text(entry, "manager") == manager
        && text(entry, "operation") == operation
        && text(entry, "subresource") == subresource
}

/// Merges the `Update` entries of the managers `from` into the `Apply` entry of manager `to`, which is made of the
/// first of them when there is none. Only entries of `subresource` are touched.
///
/// # Errors
///
/// Entries whose fields cannot be read.
pub fn upgrade_managed_fields(
    entries: &[Value],
    from: &[&str],
    to: &str,
    subresource: &str,
) -> Result<Vec<Value>, ParseError> {
    let mut entries = entries.to_vec();
    for manager in from {
        upgrade_one(&mut entries, manager, to, subresource)?;
    }
    Ok(entries)
}

fn upgrade_one(entries: &mut Vec<Value>, from: &str, to: &str, subresource: &str) -> Result<(), ParseError> {
    let is_from = |entry: &Value| is(entry, from, "Update", subresource);
    let target = entries
        .iter()
        .position(|entry| is(entry, to, "Apply", subresource))
        .or_else(|| entries.iter().position(is_from));
    let Some(mut merged) = target.and_then(|at| entries.get(at)).cloned() else { return Ok(()) };
    meta::set(&mut merged, &["operation"], "Apply");
    meta::set(&mut merged, &["manager"], to);
    let set_of = |entry: &Value| FieldSet::from_value(entry.get("fieldsV1").unwrap_or(&Value::Null));
    let version = text(&merged, "apiVersion").to_owned();
    let is_target = |at: usize| Some(at) == target;
    let same_version = entries
        .iter()
        .enumerate()
        .find(|(at, entry)| !is_target(*at) && is_from(entry) && text(entry, "apiVersion") == version);
    let mut set = set_of(&merged)?;
    if let Some((_, other)) = same_version {
        set = set.union(&set_of(other)?);
    }
    meta::set(&mut merged, &["fieldsV1"], set.to_value());
    let kept = entries.drain(..).enumerate().filter_map(|(at, entry)| match () {
        () if is_target(at) => Some(merged.clone()),
        () if is_from(&entry) => None,
        () => Some(entry),
    });
    *entries = kept.collect();
    Ok(())
}

/// The JSON patch that upgrades an object on the server, or `None` when there is nothing to do. It carries the
/// resource version, so that a concurrent change makes it fail.
///
/// # Errors
///
/// Entries whose fields cannot be read.
pub fn upgrade_patch(object: &Value, from: &[&str], to: &str, subresource: &str) -> Result<Option<Value>, ParseError> {
    let entries = meta::list_at(object, &["metadata", "managedFields"]);
    let upgraded = upgrade_managed_fields(entries, from, to, subresource)?;
    if upgraded == entries {
        return Ok(None);
    }
    let upgraded = if upgraded.is_empty() { Value::Null } else { Value::Array(upgraded) };
    Ok(Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": upgraded},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": meta::resource_version(object)},
    ])))
}
