//! The objects of a build in their order.

use super::Error;
use super::generate::set_merged_data;
use super::id::Id;
use super::loader::Loader;
use super::read;
use super::resource::{Behavior, ORIGIN, Resource, text_map};

/// Objects in order; no two of the same kind, name and namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct ResMap {
    pub resources: Vec<Resource>,
}

/// The objects of a file.
///
/// # Errors
/// It cannot be read, or holds no objects.
pub(super) fn from_file(loader: &Loader<'_>, path: &str) -> Result<Vec<Resource>, Error> {
    let text = loader.load(path)?;
    read::resources(&text).map_err(|error| match error {
        Error::Fact(why) if why.contains("MalformedYAMLError") => Error::Fact(format!("{why} in File: {path}")),
        other => other,
    })
}

impl ResMap {
    /// A map of objects.
    ///
    /// # Errors
    /// Two are the same.
    pub fn of(resources: Vec<Resource>) -> Result<Self, Error> {
        let mut map = Self::default();
        map.append_all(resources)?;
        Ok(map)
    }

    /// Adds an object.
    ///
    /// # Errors
    /// There is one of the same name.
    pub fn append(&mut self, resource: Resource) -> Result<(), Error> {
        let id = resource.id();
        if self.resources.iter().any(|known| known.name() == id.name && known.id().same(&id)) {
            return Err(Error::fact(format!("may not add resource with an already registered id: {id}")));
        }
        self.resources.push(resource);
        Ok(())
    }

    /// Adds objects.
    ///
    /// # Errors
    /// There is one of the same name.
    pub fn append_all(&mut self, resources: Vec<Resource>) -> Result<(), Error> {
        resources.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// The places of the objects with a name, now or before, that `is` accepts.
    pub fn with_any_id(&self, is: impl Fn(&Id) -> bool) -> Vec<usize> {
        let has = |resource: &Resource| !resource.is_empty() && resource.all_ids().iter().any(&is);
        (0..self.resources.len()).filter(|at| self.resources.get(*at).is_some_and(has)).collect()
    }

    /// The one object that has or had a name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn unique(&mut self, id: &Id) -> Result<&mut Resource, Error> {
        let found = self.with_any_id(|other| id.same(other));
        let fault =
            |what: &str| Error::fact(format!("{what} for Id {id}; failed to find unique target for patch {id}"));
        match found.as_slice() {
            [at] => self.resources.get_mut(*at).ok_or_else(|| fault("no matches")),
            [] => Err(fault("no matches")),
            _ => Err(fault("multiple matches")),
        }
    }

    /// Takes in a generated object: it is added, or takes the place of one of its name, or is merged with it.
    ///
    /// # Errors
    /// Its behavior does not fit what is there.
    pub fn absorb(&mut self, mut resource: Resource) -> Result<(), Error> {
        let id = resource.id();
        let found = self.with_any_id(|other| id.same(other));
        let behavior = resource.memory.behavior;
        let shown = || {
            format!(
                "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, Name:{:?}, \
                 Namespace:{:?}}}",
                id.gvk.group, id.gvk.version, id.gvk.kind, id.cluster, id.name, id.namespace
            )
        };
        let at = match found.as_slice() {
            [] if matches!(behavior, Behavior::Merge | Behavior::Replace) => {
                return Err(Error::fact(format!("id {} does not exist; cannot merge or replace", shown())));
            }
            [] => return self.append(resource),
            [at] => *at,
            several => {
                let objects = several.iter().filter_map(|at| self.resources.get(*at)?.value().ok());
                let texts: Vec<String> = objects.map(|value| crate::object::json::to_compact(&value)).collect();
                return Err(Error::fact(format!(
                    "found multiple objects [{}] that could accept merge of {id}",
                    texts.join(" ")
                )));
            }
        };
        let Some(old) = self.resources.get_mut(at) else { return Ok(()) };
        match behavior {
            Behavior::Replace => resource.take_over(old),
            Behavior::Merge => merge_generated(&mut resource, old),
            Behavior::Create | Behavior::Unspecified => {
                let behavior = behavior.text();
                return Err(Error::fact(format!(
                    "id {} exists; can not use behavior: '{behavior}', behavior must be merge or replace",
                    shown()
                )));
            }
        }
        *old = resource;
        Ok(())
    }

    /// Leaves out what was deleted.
    pub fn drop_empty(&mut self) {
        self.resources.retain(|resource| !resource.is_empty());
    }
}

fn merge_generated(resource: &mut Resource, old: &Resource) {
    let origin = old.annotations().remove(ORIGIN);
    resource.take_over(old);
    for field in ["data", "binaryData"] {
        let mut data = text_map(old.node.get(field));
        data.extend(text_map(resource.node.get(field)));
        set_merged_data(&mut resource.node, field, &data);
    }
    if let Some(origin) = origin {
        let mut annotations = resource.annotations();
        annotations.insert(ORIGIN.to_owned(), origin);
        resource.set_annotations(&annotations);
    }
}
