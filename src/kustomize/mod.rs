//! Kustomizations: objects gathered from files and folders, generated, changed and printed as kustomize 5.8 does it.
//!
//! [`build`] is the whole of it. Files are read through a [`FileSystem`], so the logic needs no disk.
//!
//! | module | does |
//! |---|---|
//! | `loader`, `repository` | what paths and URLs mean, and which may be read |
//! | `model`, `shape`, `decode` | the fields of a kustomization, with Go's words for what is wrong with them |
//! | `config` | the fields that changes look at: names, labels, images, references |
//! | `node`, `read`, `resource`, `resmap`, `id` | objects and what a build remembers of them |
//! | `target` | one folder's kustomization carried out, and those that it names |
//! | `generate` | config maps, secrets and their hashes |
//! | `transform`, `images`, `patches`, `merge`, `schema`, `replace`, `valueadd` | changes |
//! | `plugins` | changes and generators that objects configure |
//! | `nameref`, `variables` | references put right and variables filled in at the end |
//! | `origin`, `sort`, `text` | what is told about objects, and how they are printed |

mod config;
mod decode;
mod error;
mod fields;
mod generate;
mod id;
mod images;
mod loader;
mod merge;
mod model;
mod nameref;
mod node;
mod origin;
mod patches;
mod plugins;
mod read;
mod replace;
mod repository;
mod resmap;
mod resource;
mod schema;
mod select;
mod shape;
mod sort;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod transform;
mod valueadd;
mod variables;

use std::cell::RefCell;

pub use error::Error;
pub use loader::{FileSystem, LoadRestriction};
pub use repository::Repository;

use loader::Loader;
use node::{Node, Scalar};
use resource::Resource;
use target::{Shared, Target};

/// The release of kustomize whose builds these are.
pub const VERSION: &str = "v5.8.1";

/// An order asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reorder {
    /// By kind and name.
    Legacy,
    /// As objects come.
    None,
}

/// How to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which files may be read.
    pub restriction: LoadRestriction,
    /// The order of objects, unless the kustomization has one.
    pub reorder: Option<Reorder>,
    /// Whether objects are labelled as made by a build.
    pub managed_by_label: bool,
    /// Whether helm charts may be asked for.
    pub helm: bool,
    /// The helm program.
    pub helm_command: String,
}

/// Something to tell besides the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The whole text.
    pub text: String,
    /// Whether it is written as a line of the log.
    pub logged: bool,
}

/// A finished object.
#[derive(Clone, Debug)]
pub struct Built {
    resource: Resource,
}

impl Built {
    /// The object as YAML, with a newline at its end.
    ///
    /// # Errors
    /// A text does not fit the type that it has to have.
    pub fn yaml(&self) -> Result<String, Error> {
        self.resource.yaml()
    }

    /// The namespace it belongs to, none for objects of kinds without one.
    pub fn namespace(&self) -> Option<String> {
        let id = self.resource.id();
        (!id.cluster).then(|| id.effective_namespace().to_owned())
    }

    /// The name of a file for this object alone, such as `apps_v1_deployment_web.yaml`.
    pub fn file_name(&self) -> String {
        let gvk = self.resource.gvk();
        let parts = [gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str(), self.resource.name()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}.yaml", parts.join("_").to_lowercase())
    }
}

/// Builds the kustomization of a folder or git repository; `warn` is told what a user should know besides.
///
/// # Errors
/// [`Error`], with kustomize's text.
pub fn build(
    files: &dyn FileSystem,
    path: &str,
    options: &Options,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<Built>, Error> {
    let loader = Loader::new(files, path, options.restriction)?;
    let shared = Shared { options, warn: RefCell::new(warn), schemas: RefCell::default() };
    let mut target = Target::load(&shared, loader)?;
    let mut map = target.build()?;
    let wanted = &target.kustomization;
    if wanted.sort_options.is_some() && options.reorder.is_some() {
        (shared.warn.borrow_mut())(Warning { text: TWO_ORDERS.into(), logged: true });
    }
    if wanted.sort_options.is_some() || options.reorder != Some(Reorder::None) {
        sort::sort(&mut map.resources, wanted.sort_options.as_ref())?;
    }
    let tells = |what: &str| wanted.build_metadata.iter().any(|option| option == what);
    for resource in &mut map.resources {
        if options.managed_by_label || tells("managedByLabel") {
            label_manager(&mut resource.node);
        }
        resource.drop_tool_annotations(tells("originAnnotations"), tells("transformerAnnotations"));
    }
    Ok(map.resources.into_iter().map(|resource| Built { resource }).collect())
}

const TWO_ORDERS: &str = "Warning: Sorting order is set both in 'kustomization.yaml' ('sortOptions') and in a CLI flag \
    ('--reorder'). Using the kustomization file over the CLI flag.";

fn label_manager(object: &mut Node) {
    let labels = object.entry("metadata", Node::map).and_then(|meta| meta.entry("labels", Node::map));
    if let Some(labels) = labels {
        labels.set("app.kubernetes.io/managed-by", Node::Scalar(Scalar::text(format!("kustomize-{VERSION}"))));
    }
}

/// The objects of a build as one YAML text.
///
/// # Errors
/// As [`Built::yaml`].
pub fn to_yaml(built: &[Built]) -> Result<String, Error> {
    let texts = built.iter().map(Built::yaml).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join("---\n"))
}
