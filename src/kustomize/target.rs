//! A kustomization carried out: what it names is gathered, generated and changed, folder by folder.

use std::cell::RefCell;

use super::config::Config;
use super::decode::go_quoted;
use super::generate::{self, Product};
use super::loader::Loader;
use super::model::{COMPONENT, Kustomization};
use super::origin::Origin;
use super::resmap::{self, ResMap};
use super::resource::Resource;
use super::schema::KindSchemas;
use super::transform::{self, Change};
use super::variables::{self, Variables};
use super::{Error, Options, Warning, nameref, plugins, read};
use crate::manifest;

/// The names that a kustomization's file may have.
const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What all folders of a build share.
pub(super) struct Shared<'a> {
    pub options: &'a Options,
    pub warn: RefCell<&'a mut dyn FnMut(Warning)>,
    /// The schema that patches are merged by, and whether a kustomization has chosen it.
    pub schemas: RefCell<(KindSchemas, bool)>,
}

/// What has been gathered so far.
#[derive(Default)]
pub(super) struct Gathered {
    pub map: ResMap,
    pub rules: Config,
    pub variables: Variables,
}

impl Gathered {
    fn merge(&mut self, other: Self) -> Result<(), Error> {
        self.map.append_all(other.map.resources)?;
        self.rules.merge(&other.rules)?;
        other.variables.values().try_for_each(|variable| variables::insert(&mut self.variables, variable))
    }
}

/// The kustomization of one folder.
pub(super) struct Target<'a> {
    shared: &'a Shared<'a>,
    loader: Loader<'a>,
    pub kustomization: Kustomization,
    file: &'static str,
    /// Where its objects come from, if that is wanted.
    origin: Option<Origin>,
}

impl<'a> Target<'a> {
    /// Reads the kustomization of a folder.
    ///
    /// # Errors
    /// There is none or more than one, or it is not good.
    pub fn load(shared: &'a Shared<'a>, loader: Loader<'a>) -> Result<Self, Error> {
        let found: Vec<(&'static str, Vec<u8>)> =
            FILE_NAMES.iter().filter_map(|name| Some((*name, loader.load(name).ok()?))).collect();
        let root = loader.root().to_owned();
        let (file, text) = match found.as_slice() {
            [one] => one,
            [] => {
                let names = FILE_NAMES.map(|name| format!("'{name}'"));
                let [first, second, third] = &names;
                return Err(Error::fact(format!(
                    "unable to find one of {first}, {second} or {third} in directory '{root}'"
                )));
            }
            _ => return Err(Error::fact(format!("Found multiple kustomization files under: {root}\n"))),
        };
        let mut warn = |text: String| (shared.warn.borrow_mut())(Warning { text, logged: false });
        let kustomization = Kustomization::read(text, &root, &mut warn)?;
        let file = *file;
        Ok(Self { shared, loader, kustomization, file, origin: None })
    }

    /// Carries out the whole build; changes of all folders come first, then names are settled.
    ///
    /// # Errors
    /// Any step fails.
    pub fn build(&mut self) -> Result<ResMap, Error> {
        self.choose_schema(true)?;
        if !self.kustomization.build_metadata.is_empty() {
            self.origin = Some(Origin::default());
        }
        let mut gathered = self.accumulate(Gathered::default())?;
        let map = &mut gathered.map;
        transform::add_hashes(&mut map.resources)?;
        nameref::fix(&mut map.resources, &gathered.rules.name_reference)?;
        let unused = variables::resolve(map, &gathered.variables, &gathered.rules.var_reference)?;
        if !unused.is_empty() {
            let text = format!("well-defined vars that were never replaced: {}", unused.join(","));
            (self.shared.warn.borrow_mut())(Warning { text, logged: true });
        }
        for resource in &map.resources {
            read::check(&resource.node)?;
        }
        map.resources.retain(|resource| !resource.is_local());
        Ok(gathered.map)
    }

    /// Chooses the schema that `openapi` names; the first choice counts, that of the top folder before all.
    fn choose_schema(&self, top: bool) -> Result<(), Error> {
        let wanted = &self.kustomization.openapi;
        let text = wanted.get("path").map(|path| self.loader.load(path)).transpose()?;
        if self.shared.schemas.borrow().1 && !top {
            return Ok(());
        }
        let version = wanted.get("version");
        match (text, version.map(String::as_str)) {
            (Some(_), Some(_)) => Err(Error::fact("builtin version and custom schema provided, cannot use both")),
            (Some(text), None) => {
                *self.shared.schemas.borrow_mut() = (KindSchemas::custom(&text)?, true);
                Ok(())
            }
            (None, None | Some("")) => Ok(()),
            (None, Some("v1.21.2")) => {
                *self.shared.schemas.borrow_mut() = (KindSchemas::default(), true);
                Ok(())
            }
            (None, Some(_)) => Err(Error::fact("the specified OpenAPI version is not built in")),
        }
    }

    fn accumulate(&mut self, mut gathered: Gathered) -> Result<Gathered, Error> {
        let resources = self.kustomization.resources.clone();
        self.add_resources(&mut gathered, &resources).map_err(|error| error.within("accumulating resources"))?;
        gathered.rules.merge(&Config::load(&self.loader, &self.kustomization.configurations)?)?;
        let crds = &self.kustomization.crds;
        let implied = Config::of_crds(&self.loader, crds)
            .map_err(|error| error.within(format!("loading CRDs [{}]", crds.join(" "))))?;
        gathered.rules.merge(&implied)?;
        self.generate(&mut gathered.map)?;
        let components = self.kustomization.components.clone();
        for path in &components {
            gathered = self.add_component(gathered, path).map_err(|error| error.within("accumulating components"))?;
        }
        self.transform(&mut gathered)?;
        self.validate(&gathered.map)?;
        let vars = &self.kustomization.vars;
        variables::add(&mut gathered.variables, vars, &mut gathered.map).map_err(|error| {
            let names: Vec<String> = vars.iter().map(variables::shown).collect();
            error.within(format!("merging vars [{}]", names.join(" ")))
        })?;
        Ok(gathered)
    }

    /// Adds the objects of files and folders.
    fn add_resources(&mut self, gathered: &mut Gathered, paths: &[String]) -> Result<(), Error> {
        for path in paths {
            let Err(of_file) = self.add_file(&mut gathered.map, path) else { continue };
            if matches!(of_file, Error::Http(_)) {
                return Err(of_file);
            }
            let loader = match self.loader.descend(path) {
                Ok(loader) => loader,
                Err(_) if of_file.is_malformed() => return Err(of_file),
                Err(error) => return Err(error.within(format!("accumulation err='{of_file}'"))),
            };
            let origin = self.origin.as_ref().map(|origin| origin.append(path));
            let found = self.inner(loader, origin, false, Gathered::default());
            found
                .and_then(|(found, root)| {
                    gathered.merge(found).map_err(|error| error.within(format!("recursed merging from path '{root}'")))
                })
                .map_err(|error| error.within(format!("accumulation err='{of_file}'")))?;
        }
        Ok(())
    }

    fn add_file(&self, map: &mut ResMap, path: &str) -> Result<(), Error> {
        let mut resources = resmap::from_file(&self.loader, path)
            .and_then(ResMap::of)
            .map_err(|error| error.within(format!("accumulating resources from '{path}'")))?
            .resources;
        if let Some(origin) = &self.origin {
            let own = origin.append(path);
            resources.iter_mut().for_each(|resource| own.annotate(resource));
        }
        map.append_all(resources).map_err(|error| error.within(format!("merging resources from '{path}'")))
    }

    fn add_component(&mut self, gathered: Gathered, path: &str) -> Result<Gathered, Error> {
        let loader = self
            .loader
            .descend(path)
            .map_err(|error| Error::fact(format!("loader.New {}", go_quoted(&error.to_string()))))?;
        let origin = self.origin.as_ref().map(|origin| origin.append(path));
        let failed = |error: Error| Error::fact(format!("accumulateDirectory: {}", go_quoted(&error.to_string())));
        self.inner(loader, origin, true, gathered).map(|(gathered, _)| gathered).map_err(failed)
    }

    /// Carries out the kustomization of another folder: a component goes on with what is there, others begin anew.
    fn inner(
        &self,
        loader: Loader<'a>,
        origin: Option<Origin>,
        component: bool,
        gathered: Gathered,
    ) -> Result<(Gathered, String), Error> {
        let root = loader.root().to_owned();
        let mut inner = Self::load(self.shared, loader)
            .map_err(|error| error.within(format!("couldn't make target for path '{root}'")))?;
        inner.kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        inner.origin = origin;
        inner.choose_schema(false)?;
        let kind = &inner.kustomization.kind;
        if component && kind != COMPONENT {
            return Err(Error::fact(format!("expected kind '{COMPONENT}' for path '{root}' but got '{kind}'")));
        }
        if !component && kind == COMPONENT {
            return Err(Error::fact(format!("expected kind != '{COMPONENT}' for path '{root}'")));
        }
        let gathered = inner
            .accumulate(gathered)
            .map_err(|error| error.within(format!("recursed accumulation of path '{root}'")))?;
        Ok((gathered, root))
    }

    /// Makes what generators make.
    fn generate(&mut self, map: &mut ResMap) -> Result<(), Error> {
        let common = self.kustomization.generator_options.clone();
        self.refuse_helm()?;
        let external = self.plugin_objects(&self.kustomization.generators.clone(), "generator")?;
        let k = &self.kustomization;
        // The reference shows the addresses of two structs here; any will do.
        let origin = if self.origin.is_some() { "0xc000000000" } else { "<nil>" };
        let place = format!("merging from generator &{{0xc000000000 {origin}}}");
        let listed = [(Product::ConfigMap, &k.config_map_generator), (Product::Secret, &k.secret_generator)];
        for (product, generators) in listed {
            for generator in generators {
                let generator = generate::with_common(generator, common.as_ref());
                let mut made = generate::generate(&self.loader, &generator, product)?;
                if let Some(origin) = &self.origin {
                    let kind = format!("{product:?}Generator");
                    origin.builtin(self.file, &kind).annotate_new(&mut made);
                }
                map.absorb(made).map_err(|error| error.within(&place))?;
            }
        }
        for resource in &external {
            let mut made = plugins::generate(&self.loader, resource)?;
            if let Some(origin) = Origin::of_plugin(resource) {
                origin.annotate_new(&mut made);
            }
            map.absorb(made).map_err(|error| error.within(&place))?;
        }
        Ok(())
    }

    fn refuse_helm(&self) -> Result<(), Error> {
        let Some(chart) = self.kustomization.helm_charts.first() else { return Ok(()) };
        let why = match (self.shared.options.helm, self.shared.options.helm_command.as_str()) {
            (false, _) => "must specify --enable-helm".to_owned(),
            (true, "") => "must specify --helm-command".to_owned(),
            (true, _) => {
                "helm charts are not supported; render them first, and name the result as a resource".to_owned()
            }
        };
        let config = manifest::to_yaml(&super::patches::without_zeros(chart));
        Err(plugins::trouble("HelmChartInflationGenerator", &config, Error::Fact(why)))
    }

    /// The objects that configure plugins, inline or in files and folders.
    fn plugin_objects(&mut self, entries: &[String], what: &str) -> Result<Vec<Resource>, Error> {
        let mut gathered = Gathered::default();
        let mut paths = Vec::new();
        for entry in entries {
            let Ok(mut found) = read::resources(entry.as_bytes()) else {
                paths.push(entry.clone());
                continue;
            };
            if let Some(origin) = &self.origin {
                let own = origin.append(self.file);
                found.iter_mut().for_each(|resource| own.annotate(resource));
            }
            gathered.map.append_all(found).map_err(|error| error.within(format!("configuring external {what}")))?;
        }
        let place = |error: Error| if what == "generator" { error.within("loading generator plugins") } else { error };
        self.add_resources(&mut gathered, &paths).map_err(place)?;
        Ok(gathered.map.resources)
    }

    /// Changes what has been gathered: first by the kustomization's own fields, then by the transformers that it names.
    fn transform(&mut self, gathered: &mut Gathered) -> Result<(), Error> {
        let own = plugins::of_fields(&self.loader, &self.kustomization, &gathered.rules)?;
        let origin = self.origin.clone();
        let file = self.file;
        let mut changes: Vec<(Change, Option<Origin>)> = own
            .into_iter()
            .map(|(kind, change)| (change, origin.as_ref().map(|origin| origin.builtin(file, kind))))
            .collect();
        for resource in self.plugin_objects(&self.kustomization.transformers.clone(), "transformer")? {
            changes.push((plugins::change(&self.loader, &resource)?, Origin::of_plugin(&resource)));
        }
        let map = &mut gathered.map;
        for (change, origin) in changes {
            change.apply(map, &self.shared.schemas.borrow().0)?;
            if let Some(origin) = origin {
                map.resources
                    .iter_mut()
                    .filter(|r| !r.is_empty())
                    .for_each(|resource| origin.annotate_change(resource));
            }
            map.drop_empty();
        }
        Ok(())
    }

    /// Runs transformers that must not change anything.
    fn validate(&mut self, map: &ResMap) -> Result<(), Error> {
        for resource in self.plugin_objects(&self.kustomization.validators.clone(), "transformer")? {
            let change = plugins::change(&self.loader, &resource)?;
            let mut copy = map.clone();
            change.apply(&mut copy, &self.shared.schemas.borrow().0)?;
            check_unchanged(map, &copy).map_err(|error| error.within("validator shouldn't modify the resource map"))?;
        }
        Ok(())
    }
}

/// Whether the objects are the same before and after.
fn check_unchanged(before: &ResMap, after: &ResMap) -> Result<(), Error> {
    if before.resources.len() != after.resources.len() {
        return Err(Error::fact("lists have different number of entries"));
    }
    for old in &before.resources {
        let id = old.id();
        let Some(new) = after.resources.iter().find(|new| new.id().same(&id)) else {
            return Err(Error::fact(format!("id in self missing from other; id: {id}")));
        };
        if old.node != new.node {
            let text = |resource: &Resource| resource.value().map(|value| crate::object::json::to_compact(&value));
            return Err(Error::fact(format!("nodes unequal: \n -- {},\n -- {}\n", text(old)?, text(new)?)));
        }
    }
    Ok(())
}
