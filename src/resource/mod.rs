//! Turns names, files, folders, standard input, URLs and selectors into one stream of targets.
//!
//! A command states what it was given as a [`Selection`]; [`Selection::plan`] makes of it, without asking the server
//! for more than kinds, one of three things: documents of files, named objects, or selectors over kinds.

mod document;
mod error;
mod files;
mod kustomization;
mod mapper;
mod metadata;
mod selection;

pub use document::{Document, documents};
pub use error::Error;
pub use files::{FileOptions, read_url};
pub use kustomization::build_kustomization;
pub use mapper::{Mapper, local_targets};
pub use selection::{Outside, Plan, Query, Selection};

use std::sync::Arc;

use crate::client::{Request, collection_path, object_path};
use crate::kinds::Kind;
use crate::object::Value;
use crate::object::meta;

/// One object that a command is about.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: Arc<Kind>,
    /// Its namespace; empty for kinds without.
    pub namespace: String,
    /// Its name; empty where the server will make one up.
    pub name: String,
    /// File, URL or `STDIN` that it came from; empty for arguments.
    pub source: String,
    /// Line of the source at which its document begins, from 1; 0 for arguments.
    pub line: usize,
    /// The object, as far as it is known.
    pub object: Value,
    /// Where its fields are written; none for what was made otherwise.
    pub origin: Option<Origin>,
}

/// The document in which an object is written.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The document.
    pub document: Arc<crate::manifest::Document>,
    /// The path of the object in it: empty, or `items[2]` for an item of a list.
    pub path: String,
}

impl Origin {
    /// Where a field is written, or the nearest one above it that is.
    fn position(&self, field: &str) -> crate::manifest::Position {
        let positions = self.document.positions();
        let path = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        positions.nearest(&path).0.start()
    }
}

impl Target {
    /// A named object that nothing else is known of.
    pub fn named(kind: Arc<Kind>, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced { namespace.to_owned() } else { String::new() };
        Self {
            kind,
            namespace,
            name: name.to_owned(),
            source: String::new(),
            line: 0,
            object: Value::Null,
            origin: None,
        }
    }

    /// The path of its collection.
    pub fn collection(&self) -> String {
        collection_path(&self.kind, &self.namespace)
    }

    /// Its own path, or that of a subresource.
    pub fn path(&self, subresource: &str) -> String {
        object_path(&self.kind, &self.namespace, &self.name, subresource)
    }

    /// `FILE:LINE:COLUMN` of a field, or of the nearest one above it; none where it was not read from a source.
    pub fn place(&self, field: &str) -> Option<String> {
        let at = self.origin.as_ref()?.position(field);
        Some(format!("{}:{}:{}", self.source, at.line, at.column))
    }

    /// A request about it with what messages name it.
    #[must_use]
    pub fn about(&self, request: Request) -> Request {
        request.on(self.kind.group_resource(), &self.name)
    }

    /// Takes over what the server answered: the object and the name it bears.
    pub fn refresh(&mut self, object: Value) {
        let name = meta::name(&object);
        if !name.is_empty() {
            name.clone_into(&mut self.name);
        }
        self.object = object;
    }

    /// `deployment.apps/web`, as results name it.
    pub fn printed(&self) -> String {
        format!("{}/{}", self.kind.printed_name(), self.name)
    }

    /// What error messages say of an object: resource, kind, name and namespace on two lines.
    pub fn describe(&self) -> String {
        format!(
            "Resource: \"{}\", GroupVersionKind: \"{}\"\nName: \"{}\", Namespace: \"{}\"",
            self.kind.gvr(),
            self.kind.gvk(),
            self.name,
            self.namespace
        )
    }
}
