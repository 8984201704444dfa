//! The update of ownership on every write, and the merge on apply (`merge.Updater` of structured-merge-diff).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::compare::{Comparison, changed_lists, compare};
use super::managed::{ManagerId, Owned};
use super::merge::{merge, remove};
use super::set::{FieldPath, FieldSet, Filter};
use super::typed::Type;
use super::walk::{field_set, reconcile, with_named_fields};
use super::{Versions, value};
use crate::object::{Value, meta};

/// One field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner.
    pub manager: ManagerId,
    /// The field.
    pub path: FieldPath,
}

/// The owners of fields, by manager.
pub type Owners = BTreeMap<ManagerId, Owned>;

/// A value with its type.
#[derive(Clone, Debug)]
pub struct Typed<'a> {
    pub value: Cow<'a, Value>,
    pub ty: Type<'a>,
}

impl<'a> Typed<'a> {
    /// Another value of the same type.
    pub fn of<'b>(&self, value: &'b Value) -> Typed<'b>
    where
        'a: 'b,
    {
        Typed { value: Cow::Borrowed(value), ty: self.ty }
    }

    fn with(&self, value: Value) -> Self {
        Self { value: Cow::Owned(value), ty: self.ty }
    }

    fn fields(&self) -> FieldSet {
        field_set(&self.value, self.ty)
    }

    fn with_named(&self, set: &FieldSet) -> FieldSet {
        with_named_fields(set, self.ty)
    }

    fn without(&self, set: &FieldSet) -> Self {
        self.with(remove(&self.value, set, self.ty))
    }

    fn borrowed(&self) -> Typed<'_> {
        Typed { value: Cow::Borrowed(&self.value), ty: self.ty }
    }
}

/// What a write changes, as an endpoint counts it.
struct Changes {
    /// Fields that are new or have another value.
    set: FieldSet,
    /// Fields that are gone.
    removed: FieldSet,
}

/// What the updater needs to know of an endpoint.
#[derive(Clone, Copy)]
pub struct Updater<'a> {
    /// The version of the endpoint.
    pub api_version: &'a str,
    /// Which fields count, per version.
    pub reset_fields: &'a [(String, Filter)],
    /// Conversion to other versions.
    pub versions: Option<&'a dyn Versions>,
    /// The old and the new object with the empty containers that Go does not print, where there are any.
    pub whole: Option<(&'a Typed<'a>, &'a Typed<'a>)>,
}

impl<'a> Updater<'a> {
    fn filter(&self, api_version: &str) -> Option<&'a Filter> {
        self.reset_fields.iter().find(|(version, _)| version == api_version).map(|(_, filter)| filter)
    }

    /// The object in another version; `None` when there is no such version any more.
    fn convert<'b>(&self, object: &'b Typed<'b>, api_version: &str) -> Option<Typed<'b>>
    where
        'a: 'b,
    {
        if meta::api_version(&object.value) == api_version {
            return Some(object.borrowed());
        }
        let (value, schema) = self.versions?.convert(&object.value, api_version)?;
        Some(Typed { value: Cow::Owned(value), ty: Type::of_object(schema) })
    }

    /// Drops owners whose version is gone and brings the others in line with the present schema.
    fn reconciled(&self, live: &Typed<'_>, owners: Owners) -> Owners {
        let mut reconciled = Owners::new();
        for (id, owned) in owners {
            let Some(converted) = self.convert(live, &owned.api_version) else { continue };
            let owned = match reconcile(&owned.set, converted.ty) {
                Some(set) => owned.with(set),
                None => owned,
            };
            reconciled.insert(id, owned);
        }
        reconciled
    }

    /// What changes between two objects of a version, as far as it counts.
    fn changes(&self, old: &Typed<'_>, new: &Typed<'_>, version: &str) -> Changes {
        let mut comparison = compare(&old.value, &new.value, old.ty);
        if let Some((old, new)) = self.whole
            && let (Some(old), Some(new)) = (self.convert(old, version), self.convert(new, version))
        {
            comparison.modified = comparison.modified.union(&changed_lists(&old.value, &new.value, old.ty));
        }
        let Comparison { removed, modified, added } = comparison.filtered(self.filter(version));
        Changes { set: modified.union(&added), removed }
    }

    /// Takes from every other manager what changes between `old` and `new`; returns the owners and the fields that
    /// the new object has or has otherwise.
    ///
    /// # Errors
    ///
    /// Unless `force`, the fields of others that change.
    fn take(
        &self,
        old: &Typed<'_>,
        new: &Typed<'_>,
        mut owners: Owners,
        own: Option<&ManagerId>,
        force: bool,
    ) -> Result<(Owners, FieldSet), Vec<Conflict>> {
        let main = self.changes(old, new, self.api_version);
        let mut of_versions: BTreeMap<String, Option<Changes>> = BTreeMap::new();
        let mut conflicts = Vec::new();
        owners.retain(|id, owned| {
            if Some(id) == own {
                return true;
            }
            let changes = if owned.api_version == self.api_version {
                &main
            } else {
                let found = of_versions.entry(owned.api_version.clone()).or_insert_with(|| {
                    let old = self.convert(old, &owned.api_version)?;
                    let new = self.convert(new, &owned.api_version)?;
                    Some(self.changes(&old, &new, &owned.api_version))
                });
                let Some(changes) = found else { return false };
                changes
            };
            let taken = owned.set.intersection(&changes.set);
            if !taken.is_empty() {
                let paths = taken.paths().into_iter().map(|path| Conflict { manager: id.clone(), path });
                conflicts.extend(paths);
                *owned = owned.with(owned.set.difference(&taken));
            }
            if !changes.removed.is_empty() {
                *owned = owned.with(owned.set.difference(&changes.removed));
            }
            true
        });
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        owners.retain(|_, owned| !owned.set.is_empty());
        Ok((owners, main.set))
    }

    /// Gives `own` what it changed between `live` and `new`, in place of whoever had it; returns its fields and the
    /// others'.
    pub fn update(&self, live: &Typed<'_>, new: &Typed<'_>, owners: Owners) -> (Owners, Option<Owned>) {
        let owners = self.reconciled(live, owners);
        // Taking by force has no conflicts.
        let Ok((owners, mut set)) = self.take(live, new, owners, None, true) else {
            return (Owners::new(), None);
        };
        if let Some(filter) = self.filter(self.api_version) {
            set = filter.apply(&set);
        }
        let own = Owned { set: set.into(), api_version: self.api_version.to_owned(), applied: false };
        (owners, (!own.set.is_empty()).then_some(own))
    }

    /// Merges `config` into `live` for manager `own`; no object when nothing changes.
    ///
    /// # Errors
    ///
    /// Unless `force`, the fields of others that the merge would change.
    pub fn apply(
        &self,
        live: &Typed<'_>,
        config: &Typed<'_>,
        owners: Owners,
        own: &ManagerId,
        force: bool,
    ) -> Result<(Option<Value>, Owners), Vec<Conflict>> {
        let mut owners = self.reconciled(live, owners);
        let merged = merge(Some(&live.value), Some(&config.value), live.ty).unwrap_or(Value::Null);
        let merged = live.with(merged);
        let mut set = config.fields();
        if let Some(filter) = self.filter(self.api_version) {
            set = filter.apply(&set);
        }
        let applied = Owned { set: set.into(), api_version: self.api_version.to_owned(), applied: true };
        let last = owners.insert(own.clone(), applied);
        let new = match last {
            Some(last) if !last.set.is_empty() => self.pruned(merged, &owners, own, &last),
            _ => merged,
        };
        let (owners, _) = self.take(live, &new, owners, Some(own), force)?;
        let changed = !value::equal(&live.value, &new.value);
        Ok((changed.then(|| new.value.into_owned()), owners))
    }

    /// Removes what the manager applied last time and not this time, unless somebody else owns it.
    fn pruned<'b>(&self, merged: Typed<'b>, owners: &Owners, own: &ManagerId, last: &Owned) -> Typed<'b> {
        let abandons = owners
            .get(own)
            .is_none_or(|now| now.api_version != last.api_version || !last.set.difference(&now.set).is_empty());
        if !abandons {
            return merged;
        }
        let Some(converted) = self.convert(&merged, &last.api_version) else { return merged };
        let last_fields = converted.with_named(&last.set);
        let all = converted.with_named(&converted.fields());
        let pruned = converted.without(&last_fields);
        let pruned = self.with_owned_items(&converted, &all, pruned, owners, &last.api_version);
        // What the manager did not own stays: fields that nobody owns go only with their container.
        let kept = pruned.with_named(&pruned.fields());
        let pruned = converted.without(&all.difference(&kept).intersection(&last_fields));
        let pruned = match self.convert(&pruned, self.api_version) {
            Some(pruned) => pruned.value.into_owned(),
            None => pruned.value.into_owned(),
        };
        merged.with(pruned)
    }

    /// Adds back what somebody owns, the manager's new configuration included; first in the version that was pruned,
    /// because other versions may need these fields for conversion. `all` are the fields of `merged`.
    fn with_owned_items<'b>(
        &self,
        merged: &Typed<'b>,
        all: &FieldSet,
        pruned: Typed<'b>,
        owners: &Owners,
        pruned_version: &str,
    ) -> Typed<'b> {
        let mut by_version: BTreeMap<&str, FieldSet> = BTreeMap::new();
        for owned in owners.values() {
            let set = by_version.entry(&owned.api_version).or_default();
            *set = set.union(&owned.set);
        }
        let mut pruned = pruned;
        if let Some(owned) = by_version.remove(pruned_version) {
            pruned = merged.without(&unowned(all, &pruned, &merged.with_named(&owned)));
        }
        for (version, owned) in by_version {
            let restored = {
                let (Some(merged), Some(pruned)) = (self.convert(merged, version), self.convert(&pruned, version))
                else {
                    continue;
                };
                let all = merged.with_named(&merged.fields());
                let restored = merged.without(&unowned(&all, &pruned, &merged.with_named(&owned)));
                match self.convert(&restored, pruned_version) {
                    Some(restored) => restored.value.into_owned(),
                    None => continue,
                }
            };
            pruned = merged.with(restored);
        }
        pruned
    }
}

/// The fields among `all` that are neither in the pruned object nor owned.
fn unowned(all: &FieldSet, pruned: &Typed<'_>, owned: &FieldSet) -> FieldSet {
    all.difference(&pruned.with_named(&pruned.fields()).union(owned))
}
