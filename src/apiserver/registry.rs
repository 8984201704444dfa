//! The resources that the server serves now: the built-in ones, and those that definitions add while it runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::kinds::table::Group;
use crate::kinds::{Kind, Kinds, SchemaNode, Schemas};
use crate::object::{GroupVersionKind, GroupVersionResource, Value};

use super::convert::{self, Conversion};
use super::strategy::{self, Strategy};

/// Where the schema of a resource stands.
#[derive(Clone)]
pub enum SchemaSource {
    /// Among the definitions that the program carries.
    Builtin,
    /// In a set of its own.
    Own(Arc<Schemas>),
}

/// One served resource with all that the verbs need to know of it.
#[derive(Clone)]
pub struct Resource {
    /// Names, scope, verbs, subresources.
    pub kind: Arc<Kind>,
    /// The schema of its fields.
    pub schemas: SchemaSource,
    /// Prefix of its keys, such as `/registry/pods/`.
    pub prefix: String,
    /// The kind in whose form objects are stored, validated and admitted.
    pub stored: GroupVersionKind,
    /// How objects get from this resource's form to the stored one and back, where they differ.
    pub conversion: Option<&'static Conversion>,
    /// Create, update and delete rules.
    pub strategy: Arc<dyn Strategy>,
    /// Whether a custom resource definition made it: items of lists then carry `apiVersion` and `kind`.
    pub custom: bool,
}

impl Resource {
    /// A built-in resource.
    pub fn builtin(kind: &Arc<Kind>) -> Self {
        let stored = convert::stored_kind(kind);
        Self {
            kind: kind.clone(),
            schemas: SchemaSource::Builtin,
            prefix: convert::prefix(kind),
            conversion: convert::between(&kind.gvk(), &stored),
            stored,
            strategy: strategy::of(&kind.group_kind()),
            custom: false,
        }
    }

    /// The resource of a custom resource definition.
    pub fn custom(kind: Arc<Kind>, schemas: Arc<Schemas>, strategy: Arc<dyn Strategy>) -> Self {
        Self {
            schemas: SchemaSource::Own(schemas),
            prefix: format!("/registry/{}/{}/", kind.group, kind.plural),
            stored: kind.gvk(),
            conversion: None,
            strategy,
            custom: true,
            kind,
        }
    }

    /// The set of definitions with the resource's schema.
    pub fn schemas(&self) -> &Schemas {
        match &self.schemas {
            SchemaSource::Builtin => Schemas::builtin(),
            SchemaSource::Own(schemas) => schemas,
        }
    }

    /// The schema of its objects; custom resources may have none.
    pub fn schema(&self) -> Option<SchemaNode<'_>> {
        self.schemas().of_kind(&self.kind.gvk())
    }

    /// The key of an object.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        format!("{}{name}", self.namespace_prefix(namespace))
    }

    /// The prefix of the keys in a namespace, of all of them for the empty one.
    pub fn namespace_prefix(&self, namespace: &str) -> String {
        if self.kind.namespaced && !namespace.is_empty() {
            format!("{}{namespace}/", self.prefix)
        } else {
            self.prefix.clone()
        }
    }

    /// A stored entry as an object in the form in which it is stored.
    pub fn stored_object(&self, entry: &super::store::Entry) -> Value {
        let mut object = entry.object(&self.stored.api_version(), &self.stored.kind);
        self.strategy.read_back(&mut object);
        object
    }

    /// The part of an entry that fields of a selector or cells of a table are read from, in the form that this
    /// resource shows. Where a conversion or a schema may change any field of what is stored, it is the whole object.
    pub fn shown_part(&self, entry: &super::store::Entry, fields: super::store::Fields) -> Value {
        if self.shows_stored_text() {
            return entry.part(fields, &self.kind.api_version(), &self.kind.kind);
        }
        self.shown(self.stored_object(entry))
    }

    /// Whether objects are shown with the fields that are stored. Those of custom resources may not fit their schema
    /// any more.
    pub fn shows_stored_text(&self) -> bool {
        self.conversion.is_none() && !self.custom && !self.strategy.reads_back()
    }

    /// A stored object in the form that this resource shows.
    pub fn shown(&self, mut object: Value) -> Value {
        if let Some(conversion) = self.conversion {
            (conversion.from_stored)(&mut object);
        }
        crate::object::meta::set(&mut object, &["apiVersion"], self.kind.api_version());
        crate::object::meta::set(&mut object, &["kind"], &*self.kind.kind);
        object
    }

    /// An object in this resource's form in the form in which it is stored.
    pub fn to_stored(&self, mut object: Value) -> Value {
        if let Some(conversion) = self.conversion {
            (conversion.to_stored)(&mut object);
        }
        crate::object::meta::set(&mut object, &["apiVersion"], self.stored.api_version());
        crate::object::meta::set(&mut object, &["kind"], &*self.stored.kind);
        object
    }

    /// API group of errors about objects.
    pub fn group(&self) -> &str {
        &self.kind.group
    }

    /// Plural of errors about objects.
    pub fn plural(&self) -> &str {
        &self.kind.plural
    }
}

/// All resources at one moment.
pub struct Snapshot {
    /// The table of kinds, custom ones included, for discovery.
    pub kinds: Kinds,
    by_gvr: HashMap<GroupVersionResource, Arc<Resource>>,
    by_gvk: HashMap<GroupVersionKind, Arc<Resource>>,
}

impl Snapshot {
    fn new(kinds: Kinds, resources: impl Iterator<Item = Resource>) -> Self {
        let mut snapshot = Self { kinds, by_gvr: HashMap::new(), by_gvk: HashMap::new() };
        for resource in resources {
            let resource = Arc::new(resource);
            snapshot.by_gvk.entry(resource.kind.gvk()).or_insert_with(|| resource.clone());
            snapshot.by_gvr.insert(resource.kind.gvr(), resource);
        }
        snapshot
    }

    /// The resource of a group, version and plural.
    pub fn by_gvr(&self, gvr: &GroupVersionResource) -> Option<&Arc<Resource>> {
        self.by_gvr.get(gvr)
    }

    /// The resource of a kind.
    pub fn by_gvk(&self, gvk: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.by_gvk.get(gvk)
    }

    /// The resource of a group and plural in its preferred version.
    pub fn preferred(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        let version = self.kinds.groups().iter().find(|g| g.group == group).map(|g| g.preferred.as_str())?;
        self.by_gvr
            .get(&GroupVersionResource::new(group, version, plural))
            .or_else(|| self.by_gvr.values().find(|r| r.kind.group == group && r.kind.plural == plural))
    }

    /// All resources, unordered.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_gvr.values()
    }

    /// Whether the group is served.
    pub fn has_group(&self, group: &str) -> bool {
        self.kinds.groups().iter().any(|g| g.group == group)
    }
}

/// The changing set of resources. Readers take a snapshot and keep it for the length of a request.
pub struct Registry {
    snapshot: RwLock<Arc<Snapshot>>,
}

impl Registry {
    /// The built-in resources.
    pub fn new() -> Self {
        Self { snapshot: RwLock::new(Arc::new(build(&[]))) }
    }

    /// The resources as of now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces all custom resources. Versions of a group stand in the order given, best first.
    pub fn set_custom(&self, resources: &[Resource]) {
        let snapshot = Arc::new(build(resources));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn build(custom: &[Resource]) -> Snapshot {
    let builtin = Kinds::builtin();
    let mut groups: Vec<Group> = builtin.groups().to_vec();
    let own: HashSet<String> = groups.iter().map(|g| g.group.clone()).collect();
    for kind in custom.iter().map(|resource| &resource.kind).filter(|kind| !own.contains(&kind.group)) {
        match groups.iter_mut().find(|g| g.group == kind.group) {
            Some(group) if group.versions.contains(&kind.version) => {}
            Some(group) => group.versions.push(kind.version.clone()),
            None => groups.push(Group {
                group: kind.group.clone(),
                versions: vec![kind.version.clone()],
                preferred: kind.version.clone(),
            }),
        }
    }
    let rows = builtin.rows().iter().chain(custom.iter().map(|resource| &resource.kind)).cloned().collect();
    let resources = builtin.rows().iter().map(Resource::builtin).chain(custom.iter().cloned());
    Snapshot::new(Kinds::new(groups, rows), resources)
}
