//! Why a merge turns out as it does: for each path the value in last-applied, live object and manifest, the result,
//! and the reason.
//!
//! The walk follows the four documents side by side with the patch metadata of the kind, so that items of merged lists
//! are told apart as the merge tells them apart. It looks at results only and shares no code with the merge: an
//! explanation that contradicts the merge would show in its rows.

mod owned;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use super::apply::{self, PatchOutcome, PatchType};
use super::ssa::FieldSet;
use super::{PatchError, PatchSchema};
use crate::kinds::Schemas;
use crate::object::{GroupVersionKind, Value, go, meta};

/// Why a path has the value that it has after the merge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// New in the manifest.
    Added,
    /// The manifest says something else than when it was last applied.
    Changed,
    /// Manifest and others both changed it; the manifest wins.
    ChangedByBoth,
    /// Others changed it since the last apply; the manifest wins.
    Reset,
    /// Others removed it since the last apply; the manifest brings it back.
    Restored,
    /// Others had set it before the manifest named it; the manifest wins.
    TakenOver,
    /// It was in the manifest when last applied and is there no longer.
    Removed,
    /// The manifest sets it to null.
    Null,
    /// A sibling that excludes it was chosen (`$retainKeys`).
    NotRetained,
    /// The manifest never named it.
    Kept,
    /// A list whose items are merged by the named field.
    MergedBy(String),
    /// A list of plain values that is merged.
    MergedByValue,
    /// The items stay, in the order of the manifest.
    Reordered,
    /// The server set it: a default, or a value that it computes.
    Server,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Added => "added in manifest",
            Self::Changed => "changed in manifest",
            Self::ChangedByBoth => "changed in manifest and by others, manifest wins",
            Self::Reset => "changed by others, manifest wins",
            Self::Restored => "removed by others, manifest brings it back",
            Self::TakenOver => "set by others before, manifest wins",
            Self::Removed => "removed from manifest",
            Self::Null => "null in manifest",
            Self::NotRetained => "removed: excluded by what the manifest sets beside it",
            Self::Kept => "kept: set by others",
            Self::MergedBy(key) => return write!(f, "list merged by {key}"),
            Self::MergedByValue => "list merged by value",
            Self::Reordered => "order of the manifest",
            Self::Server => "set by the server",
        })
    }
}

/// One path and what happens there.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The value when the manifest was last applied.
    pub last_applied: Option<Value>,
    /// The value before the merge.
    pub live: Option<Value>,
    /// The value in the manifest.
    pub manifest: Option<Value>,
    /// The value after the merge.
    pub result: Option<Value>,
    /// Why.
    pub reason: Reason,
}

impl Change {
    /// Whether the merge changes the value.
    pub fn changes(&self) -> bool {
        self.live != self.result
    }
}

/// The explanation of a merge, in the order of the paths; displayed as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// What changes, what is merged as a list, and what is kept although the manifest does not name it.
    pub changes: Vec<Change>,
}

/// Explains a patch that [`apply::three_way`] computed, as if it were applied without a server.
///
/// # Errors
/// Those of applying the patch.
pub fn explain(
    gvk: &GroupVersionKind,
    schemas: &Schemas,
    last_applied: Option<&Value>,
    manifest: &Value,
    live: &Value,
    outcome: &PatchOutcome,
) -> Result<Explanation, PatchError> {
    let result = apply::apply(gvk, schemas, live.clone(), outcome)?;
    let schema = match outcome.patch_type {
        PatchType::Strategic => PatchSchema::of_kind(schemas, gvk),
        _ => None,
    };
    Ok(explain_result(schema, last_applied, manifest, live, &result))
}

/// The fields of `live` that `set` holds: what a manager of server-side apply had applied.
pub fn owned(live: &Value, set: &FieldSet) -> Option<Value> {
    owned::part(live, set)
}

/// Explains how `live` became `result`, such as what a server's dry run returned.
///
/// `schema` is that of the kind when the merge was strategic, nothing when lists were replaced.
pub fn explain_result(
    schema: Option<PatchSchema<'_>>,
    last_applied: Option<&Value>,
    manifest: &Value,
    live: &Value,
    result: &Value,
) -> Explanation {
    let sides = Sides { last: last_applied, live: Some(live), manifest: Some(manifest), result: Some(result) };
    let mut walk = Walk::default();
    walk.value("", sides, Merge { schema, ..Merge::default() });
    Explanation { changes: walk.changes }
}

/// The value at one path in the four documents.
#[derive(Clone, Copy)]
struct Sides<'a> {
    last: Option<&'a Value>,
    live: Option<&'a Value>,
    manifest: Option<&'a Value>,
    result: Option<&'a Value>,
}

impl<'a> Sides<'a> {
    fn all(self) -> impl Iterator<Item = &'a Value> {
        [self.result, self.live, self.manifest, self.last].into_iter().flatten()
    }

    /// The same step down in all four.
    fn step(self, step: impl Fn(&'a Value) -> Option<&'a Value>) -> Self {
        let side = |value: Option<&'a Value>| value.and_then(&step);
        Self { last: side(self.last), live: side(self.live), manifest: side(self.manifest), result: side(self.result) }
    }
}

/// How the merge treats a value.
#[derive(Clone, Copy, Default)]
struct Merge<'a> {
    /// The type of the value, or of a list's items.
    schema: Option<PatchSchema<'a>>,
    /// The list is merged.
    merges: bool,
    /// The map is replaced as a whole.
    replaces: bool,
    /// The key of the list's items.
    merge_key: &'a str,
}

impl<'a> Merge<'a> {
    /// How the field `key` is treated; `list` tells whether lists stand there.
    fn field(self, key: &str, list: bool) -> Self {
        let found = self.schema.and_then(|schema| if list { schema.list(key) } else { schema.field(key) }.ok());
        found.map_or(Self::default(), |field| Merge {
            schema: Some(field.schema),
            merges: field.merges(),
            replaces: field.replaces(),
            merge_key: field.merge_key,
        })
    }
}

/// Collects the rows.
#[derive(Default)]
struct Walk {
    changes: Vec<Change>,
}

impl Walk {
    fn value(&mut self, path: &str, sides: Sides<'_>, merge: Merge<'_>) {
        let named = sides.manifest.is_some() || sides.last.is_some();
        let maps = sides.all().all(Value::is_object);
        let lists = sides.all().all(Value::is_array);
        // A subtree that only one party has is one row.
        let both = sides.live.is_some() && (sides.manifest.is_some() || sides.result.is_some());
        if maps && named && both && !merge.replaces {
            self.fields(path, sides, merge);
        } else if lists && named && both && merge.merges {
            self.list(path, sides, merge);
        } else {
            self.leaf(path, sides);
        }
    }

    fn fields(&mut self, path: &str, sides: Sides<'_>, merge: Merge<'_>) {
        let keys: BTreeSet<&String> = sides.all().filter_map(Value::as_object).flat_map(|map| map.keys()).collect();
        for key in keys {
            let at = joined(path, key);
            if key == meta::LAST_APPLIED && path == "metadata.annotations" {
                continue;
            }
            let sides = sides.step(|value| value.get(key));
            let list = sides.all().any(Value::is_array);
            self.value(&at, sides, merge.field(key, list));
        }
    }

    fn list(&mut self, path: &str, sides: Sides<'_>, merge: Merge<'_>) {
        let Some(keys) = item_keys(sides, merge.merge_key) else { return self.leaf(path, sides) };
        let differs = sides.live != sides.result || sides.live != sides.manifest;
        if sides.manifest.is_some() && differs {
            let by_value = merge.merge_key.is_empty();
            let reason = if by_value { Reason::MergedByValue } else { Reason::MergedBy(merge.merge_key.to_owned()) };
            self.push(path, sides, reason);
        }
        let before = self.changes.len();
        for key in &keys {
            let name = go::text(key);
            let at = if merge.merge_key.is_empty() {
                format!("{path}[{name}]")
            } else {
                format!("{path}[{}={name}]", merge.merge_key)
            };
            let item = sides.step(|list| find(list, merge.merge_key, key));
            self.value(&at, item, Merge { schema: merge.schema, ..Merge::default() });
        }
        let changed = self.changes.get(before..).unwrap_or_default().iter().any(Change::changes);
        if sides.live != sides.result && !changed {
            self.push(path, sides, Reason::Reordered);
        }
    }

    fn leaf(&mut self, path: &str, sides: Sides<'_>) {
        if let Some(reason) = reason(sides) {
            self.push(path, sides, reason);
        }
    }

    fn push(&mut self, path: &str, sides: Sides<'_>, reason: Reason) {
        self.changes.push(Change {
            path: path.to_owned(),
            last_applied: sides.last.cloned(),
            live: sides.live.cloned(),
            manifest: sides.manifest.cloned(),
            result: sides.result.cloned(),
            reason,
        });
    }
}

/// Why the value is what it is; nothing when nobody did anything.
fn reason(sides: Sides<'_>) -> Option<Reason> {
    let Sides { last, live, manifest, result } = sides;
    if live == result {
        let theirs = live.is_some() && manifest.is_none() && last.is_none();
        return theirs.then_some(Reason::Kept);
    }
    Some(match (last, live, manifest, result) {
        (_, _, Some(Value::Null), None) => Reason::Null,
        (Some(_), _, None, None) => Reason::Removed,
        (None, _, _, None) | (_, _, Some(_), None) => Reason::NotRetained,
        (_, _, None, Some(_)) => Reason::Server,
        (None, None, Some(_), _) => Reason::Added,
        (None, Some(_), Some(_), _) => Reason::TakenOver,
        (Some(last), None, Some(new), _) if last == new => Reason::Restored,
        (Some(last), Some(_), Some(new), _) if last == new => Reason::Reset,
        (Some(last), Some(live), Some(_), _) if last == live => Reason::Changed,
        (Some(_), _, Some(_), _) => Reason::ChangedByBoth,
    })
}

/// The identities of all items, those of the result first; nothing when they do not tell the items apart.
fn item_keys<'a>(sides: Sides<'a>, merge_key: &str) -> Option<Vec<&'a Value>> {
    let mut keys: Vec<&Value> = Vec::new();
    for list in sides.all() {
        let mut own: Vec<&Value> = Vec::new();
        for item in list.as_array()? {
            let key = if merge_key.is_empty() { item } else { item.get(merge_key)? };
            if own.contains(&key) || key.is_object() || key.is_array() {
                return None;
            }
            own.push(key);
        }
        own.retain(|key| !keys.contains(key));
        keys.extend(own);
    }
    Some(keys)
}

fn find<'a>(list: &'a Value, merge_key: &str, key: &Value) -> Option<&'a Value> {
    let same = |item: &&Value| if merge_key.is_empty() { *item == key } else { item.get(merge_key) == Some(key) };
    list.as_array()?.iter().find(same)
}

/// A path with one more field; names that are no plain words stand in brackets.
fn joined(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key}]"),
    }
}
