//! Where objects come from and what changed them, as annotations tell it.

use super::Error;
use super::loader::join;
use super::node::Node;
use super::repository::Repository;
use super::resource::{ORIGIN, Resource, TRANSFORMATIONS};
use super::text;
use crate::manifest;
use crate::object::go;

/// Where an object, a generator or a transformer comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub path: String,
    pub repository: String,
    pub reference: String,
    pub configured_in: String,
    /// `apiVersion`, `kind`, `name` and `namespace` of what made it.
    pub configured_by: [String; 4],
}

impl Origin {
    /// The origin of what this one names by a path.
    pub fn append(&self, path: &str) -> Self {
        let mut origin = self.clone();
        match Repository::parse(path) {
            Ok(repository) => {
                origin.repository = repository.url;
                origin.reference = repository.reference;
                origin.path = go::clean_path(&repository.path);
            }
            Err(_) => origin.path = join(&origin.path, path),
        }
        origin
    }

    /// The origin of what a built-in generator or transformer does for a kustomization.
    pub fn builtin(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            configured_in: join(&self.path, file),
            configured_by: ["builtin".into(), kind.into(), String::new(), String::new()],
        }
    }

    /// The origin of what an object does that configures a generator or transformer; none if its own is not known.
    pub fn of_plugin(resource: &Resource) -> Option<Self> {
        let own = Self::read(resource).ok()??;
        let by = [resource.api_version(), resource.kind(), resource.name(), resource.namespace()];
        Some(Self {
            path: String::new(),
            configured_in: own.path,
            configured_by: by.map(str::to_owned),
            repository: own.repository,
            reference: own.reference,
        })
    }

    fn read(resource: &Resource) -> Result<Option<Self>, Error> {
        let Some(text) = resource.annotations().remove(ORIGIN) else { return Ok(None) };
        let value = manifest::yaml_to_value(&text, false)?;
        let text = |key: &str| value.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        Ok(Some(Self {
            path: text("path"),
            repository: text("repo"),
            reference: text("ref"),
            configured_in: text("configuredIn"),
            configured_by: Default::default(),
        }))
    }

    fn node(&self) -> Node {
        let mut node = Node::map();
        let fields = [
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ];
        let mut by = Node::map();
        let names = ["apiVersion", "kind", "name", "namespace"].into_iter().zip(&self.configured_by);
        for (to, key, value) in
            fields.into_iter().map(|(key, value)| (0, key, value)).chain(names.map(|(key, value)| (1, key, value)))
        {
            if !value.is_empty() {
                if to == 0 { &mut node } else { &mut by }.set(key, Node::text(value.clone()));
            }
        }
        if !by.is_empty() {
            node.set("configuredBy", by);
        }
        node
    }

    /// Notes at an object that it comes from here.
    pub fn annotate(&self, resource: &mut Resource) {
        set(resource, ORIGIN, text::to_yaml(&self.node()));
    }

    /// Notes at a generated object that it comes from here, unless it comes from elsewhere.
    pub fn annotate_new(&self, resource: &mut Resource) {
        if !resource.annotations().contains_key(ORIGIN) {
            self.annotate(resource);
        }
    }

    /// Notes at an object that this changed it, or made it if its origin is not known.
    pub fn annotate_change(&self, resource: &mut Resource) {
        let mut annotations = resource.annotations();
        if !annotations.contains_key(ORIGIN) {
            self.annotate(resource);
            return;
        }
        let before = annotations.remove(TRANSFORMATIONS).unwrap_or_default();
        set(resource, TRANSFORMATIONS, format!("{before}{}", text::to_yaml(&Node::List(vec![self.node()]))));
    }
}

fn set(resource: &mut Resource, key: &str, value: String) {
    let mut annotations = resource.annotations();
    annotations.insert(key.to_owned(), value);
    resource.set_annotations(&annotations);
}
