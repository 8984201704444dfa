//! A text put into a field, or between the parts of a field that holds a path.

use serde::Deserialize;

use super::Error;
use super::fields;
use super::loader::Loader;
use super::model::Selector;
use super::node::{Node, Scalar};
use super::resource::Resource;
use super::select;
use super::transform::NamespaceChange;
use crate::manifest;
use crate::object::Value;

/// Where the text goes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Place {
    selector: Option<Selector>,
    field_path: String,
    /// The place in a path where the text is inserted, from 1; 0 sets the whole field.
    file_path_position: i64,
}

/// A text and where it goes.
pub(super) struct ValueAdd {
    value: String,
    places: Vec<Place>,
}

impl ValueAdd {
    pub fn new(loader: &Loader<'_>, config: &Value) -> Result<Self, Error> {
        let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
        let read = |value: Option<&Value>| -> Result<Vec<Place>, Error> {
            let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
            serde_json::from_value(value.clone()).map_err(|error| Error::fact(error.to_string()))
        };
        let mut places = read(config.get("targets"))?;
        let value = match text("value") {
            "" => loader.root().rsplit('/').next().unwrap_or_default(),
            value => value.trim(),
        };
        if !text("targetFilePath").is_empty() {
            let more = manifest::yaml_to_value(loader.load(text("targetFilePath"))?, false)?;
            places.extend(read(more.get("targets"))?);
        }
        if places.is_empty() {
            return Err(Error::fact("must specify at least one target"));
        }
        for place in &places {
            if place.field_path.is_empty() {
                return Err(Error::fact("fieldPath cannot be empty"));
            }
            if place.file_path_position < 0 {
                let at = place.file_path_position;
                return Err(Error::fact(format!("value of FilePathPosition ({at}) cannot be negative")));
            }
        }
        Ok(Self { value: value.to_owned(), places })
    }

    pub fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        for place in &self.places {
            let selected = match &place.selector {
                Some(selector) => select::select(resources, selector)?,
                None => (0..resources.len()).collect(),
            };
            for at in selected {
                let Some(resource) = resources.get_mut(at) else { continue };
                if place.field_path == "metadata/namespace" {
                    let change = NamespaceChange { namespace: self.value.clone(), ..NamespaceChange::default() };
                    change.apply_to(&mut resource.node)?;
                } else {
                    self.set(&mut resource.node, place)?;
                }
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, place: &Place) -> Result<(), Error> {
        let path = fields::split_path(place.field_path.trim_start_matches('/'), '/');
        let Some((last, folders)) = path.split_last() else { return Ok(()) };
        let mut inner = Some(node);
        for part in folders {
            inner = inner.and_then(|node| node.entry(part, Node::map));
        }
        let Some(inner) = inner else { return Ok(()) };
        let value = match place.file_path_position {
            0 => self.value.clone(),
            position => {
                let old = inner.get(last).map_or("", Node::scalar_text).to_owned();
                let rooted = old.starts_with('/');
                let mut parts: Vec<&str> = old.split('/').filter(|part| !part.is_empty()).collect();
                let at = usize::try_from(position - 1).unwrap_or(0).min(parts.len());
                parts.insert(at, &self.value);
                if rooted {
                    parts.insert(0, "");
                }
                parts.join("/")
            }
        };
        inner.set(last, Node::Scalar(Scalar::open(value)));
        Ok(())
    }
}
