//! What a command was given, and what it amounts to.

use std::sync::Arc;

use super::files::Sources;
use super::{Document, Error, FileOptions, Mapper, Target};
use crate::client::{self, Client, ListOptions, Request, collection_path};
use crate::kinds::Kind;
use crate::object::Value;

/// What a command was given to find its objects by.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `TYPE NAME…`, `TYPE/NAME…`, comma lists.
    pub args: Vec<String>,
    /// Files.
    pub files: FileOptions,
    /// Label selector.
    pub labels: String,
    /// Field selector.
    pub fields: String,
    /// Every object of the types.
    pub all: bool,
    /// Every namespace.
    pub all_namespaces: bool,
    /// The namespace to work in.
    pub namespace: String,
    /// Whether objects of files must be in that namespace.
    pub enforce_namespace: bool,
    /// Whether types alone mean all their objects.
    pub types_mean_all: bool,
    /// Whether only one type may be named.
    pub single_type: bool,
    /// A subresource that bulk selections cannot have.
    pub subresource: String,
    /// The program, as messages name it.
    pub program: String,
}

/// What a selection needs of the command that it belongs to.
pub struct Outside<'a> {
    /// Reads standard input to its end.
    pub stdin: &'a dyn Fn() -> std::io::Result<Vec<u8>>,
    /// Tells what a kustomization warns of.
    pub warn: &'a dyn Fn(&crate::kustomize::Warning),
}

/// A selector over one kind.
#[derive(Clone, Debug)]
pub struct Query {
    /// The kind.
    pub kind: Arc<Kind>,
    /// Namespace; empty for all.
    pub namespace: String,
    /// Label selector.
    pub labels: String,
    /// Field selector.
    pub fields: String,
}

impl Query {
    /// The query for one object: a list or watch of it shows that object only.
    pub fn of_target(target: &Target) -> Self {
        Self {
            kind: Arc::clone(&target.kind),
            namespace: target.namespace.clone(),
            labels: String::new(),
            fields: format!("metadata.name={}", target.name),
        }
    }
}

/// What a selection amounts to.
#[derive(Debug)]
pub enum Plan {
    /// Documents of files, in order; failures stand where they happened.
    Documents {
        /// The documents.
        documents: Vec<Result<Document, Error>>,
        /// Whether one file was named.
        single: bool,
    },
    /// Named objects.
    Names {
        /// The objects; nothing is fetched yet.
        targets: Vec<Target>,
        /// Whether one object was named.
        single: bool,
    },
    /// Selectors.
    Queries(Vec<Query>),
}

const NO_RESOURCES: &str = "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'";

/// Arguments by form.
enum Arguments {
    None,
    /// `TYPE/NAME…`.
    Pairs(Vec<(String, String)>),
    /// `TYPE[,TYPE…]` with names, perhaps none.
    Types(Vec<String>, Vec<String>),
}

impl Selection {
    /// Works out what is selected.
    ///
    /// # Errors
    /// Arguments that do not go together, files that do not exist, kinds that the server does not have.
    pub async fn plan(&self, mapper: &Mapper, outside: &Outside<'_>) -> Result<Plan, Error> {
        let sources = self.files.sources()?;
        let has_selector = !self.labels.trim().is_empty() || !self.fields.trim().is_empty();
        if self.all && has_selector {
            return Err(Error::fact("setting 'all' parameter but found a non empty selector. "));
        }
        let arguments = self.arguments()?;
        let arguments = self.expand_categories(mapper, arguments).await?;
        if !sources.sources.is_empty() {
            return self.plan_files(&arguments, sources, outside).await;
        }
        let selects = has_selector || self.all;
        match arguments {
            Arguments::Types(types, names) if names.is_empty() && (selects || self.types_mean_all) => {
                self.plan_queries(mapper, &types).await
            }
            Arguments::Types(..) if selects => Err(Error::fact("name cannot be provided when a selector is specified")),
            Arguments::Pairs(_) if selects => {
                Err(Error::fact("selectors and the all flag cannot be used when passing resource/name arguments"))
            }
            Arguments::None if selects => Err(Error::fact("at least one resource must be specified to use a selector")),
            Arguments::None => Err(Error::fact(NO_RESOURCES)),
            Arguments::Pairs(pairs) => self.plan_pairs(mapper, pairs).await,
            Arguments::Types(types, names) if names.is_empty() => {
                for word in &types {
                    self.mapped(mapper, word, 5).await?;
                }
                Err(Error::fact("resource(s) were provided, but no name was specified"))
            }
            Arguments::Types(types, names) => self.plan_names(mapper, &types, &names).await,
        }
    }

    fn arguments(&self) -> Result<Arguments, Error> {
        let args = normalized(&self.args);
        let slashes = args.iter().filter(|arg| arg.contains('/')).count();
        if slashes > 0 && slashes < args.len() {
            let program = &self.program;
            return Err(Error::fact(format!(
                "there is no need to specify a resource type as a separate argument when passing arguments in \
                 resource/name form (e.g. '{program} get resource/<resource_name>' instead of '{program} get resource \
                 resource/<resource_name>'"
            )));
        }
        if slashes > 0 {
            return args.iter().map(|arg| pair(arg)).collect::<Result<_, _>>().map(Arguments::Pairs);
        }
        let mut args = args.into_iter();
        let Some(types) = args.next() else { return Ok(Arguments::None) };
        Ok(Arguments::Types(words(&types), args.collect()))
    }

    async fn expand_categories(&self, mapper: &Mapper, arguments: Arguments) -> Result<Arguments, Error> {
        let Arguments::Types(types, names) = arguments else { return Ok(arguments) };
        let mut expanded = Vec::new();
        let count = types.len();
        for word in types {
            let found = mapper.category(&word).await.map_err(|error| counted(error, 4 + count))?;
            match found {
                Some(kinds) => expanded.extend(kinds.iter().map(|kind| kind.group_resource())),
                None => expanded.push(word),
            }
        }
        Ok(Arguments::Types(expanded, names))
    }

    async fn mapped(&self, mapper: &Mapper, word: &str, lookups: usize) -> Result<Arc<Kind>, Error> {
        mapper.resource(word).await.map_err(|error| counted(error, lookups))
    }

    async fn plan_files(&self, arguments: &Arguments, sources: Sources, outside: &Outside<'_>) -> Result<Plan, Error> {
        match arguments {
            Arguments::None => {}
            Arguments::Types(..) => {
                return Err(Error::fact(
                    "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
                ));
            }
            Arguments::Pairs(_) => {
                return Err(Error::fact("resource/name arguments cannot be provided when a path is specified"));
            }
        }
        let mut documents = Vec::new();
        for source in &sources.sources {
            documents.extend(source.read(outside).await);
        }
        Ok(Plan::Documents { documents, single: sources.single })
    }

    async fn plan_queries(&self, mapper: &Mapper, types: &[String]) -> Result<Plan, Error> {
        if !self.subresource.is_empty() {
            return Err(Error::fact("subresource cannot be used when bulk resources are specified"));
        }
        let mut queries: Vec<Query> = Vec::new();
        for kind in self.kinds(mapper, types).await? {
            let namespace =
                if kind.namespaced && !self.all_namespaces { self.namespace.clone() } else { String::new() };
            let (labels, fields) = (self.labels.trim().to_owned(), self.fields.trim().to_owned());
            queries.push(Query { kind, namespace, labels, fields });
        }
        Ok(Plan::Queries(queries))
    }

    /// The kinds of several words, each once.
    async fn kinds(&self, mapper: &Mapper, types: &[String]) -> Result<Vec<Arc<Kind>>, Error> {
        if self.single_type && types.len() > 1 {
            return Err(Error::fact("you may only specify a single resource type"));
        }
        let mut kinds: Vec<Arc<Kind>> = Vec::new();
        for word in types {
            let kind = self.mapped(mapper, word, 4 + types.len()).await?;
            if !kinds.iter().any(|known| known.gvk() == kind.gvk()) {
                kinds.push(kind);
            }
        }
        Ok(kinds)
    }

    fn named(&self, kind: Arc<Kind>, name: &str) -> Result<Target, Error> {
        if kind.namespaced && self.all_namespaces {
            return Err(Error::fact("a resource cannot be retrieved by name across all namespaces"));
        }
        Ok(Target::named(kind, &self.namespace, name))
    }

    async fn plan_pairs(&self, mapper: &Mapper, pairs: Vec<(String, String)>) -> Result<Plan, Error> {
        let single = pairs.len() == 1;
        let mut targets: Vec<Target> = Vec::new();
        for (word, name) in pairs {
            let kind = self.mapped(mapper, &word, 4).await?;
            if self.single_type && targets.first().is_some_and(|first| first.kind.gvr() != kind.gvr()) {
                return Err(Error::fact("you may only specify a single resource type"));
            }
            targets.push(self.named(kind, &name)?);
        }
        Ok(Plan::Names { targets, single })
    }

    async fn plan_names(&self, mapper: &Mapper, types: &[String], names: &[String]) -> Result<Plan, Error> {
        let kinds = self.kinds(mapper, types).await?;
        let [kind] = kinds.as_slice() else {
            return Err(Error::fact("you must specify only one resource"));
        };
        let targets = names.iter().map(|name| self.named(Arc::clone(kind), name)).collect::<Result<Vec<_>, _>>()?;
        Ok(Plan::Names { single: targets.len() == 1, targets })
    }

    /// Gives objects of files the namespace they lack.
    ///
    /// # Errors
    /// The object is in another namespace than the one that must be.
    pub fn settle_namespace(&self, target: &mut Target) -> Result<(), Error> {
        if !target.kind.namespaced {
            target.namespace.clear();
            crate::object::meta::remove(&mut target.object, &["metadata", "namespace"]);
            return Ok(());
        }
        if target.namespace.is_empty() {
            target.namespace.clone_from(&self.namespace);
            crate::object::meta::set(&mut target.object, &["metadata", "namespace"], self.namespace.clone());
        } else if self.enforce_namespace && target.namespace != self.namespace {
            let (own, wanted) = (&target.namespace, &self.namespace);
            return Err(Error::fact(format!(
                "the namespace from the provided object \"{own}\" does not match the namespace \"{wanted}\". You must \
                 pass '--namespace={own}' to perform this operation."
            )));
        }
        Ok(())
    }
}

/// A failed discovery with the number of times that kubectl would have asked.
fn counted(error: Error, lookups: usize) -> Error {
    match error {
        Error::Discovery { source, .. } => Error::Discovery { source, lookups },
        other => other,
    }
}

/// The words between commas, each once; an empty one is a word, too.
fn words(types: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in types.split(',') {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// `a,b x y` is `a/x a/y b/x b/y`.
fn normalized(args: &[String]) -> Vec<String> {
    let Some((types, names)) = args.split_first() else { return Vec::new() };
    let types = words(types);
    if names.is_empty() || types.len() < 2 {
        return args.to_vec();
    }
    types.iter().flat_map(|word| names.iter().map(move |name| format!("{word}/{name}"))).collect()
}

fn pair(argument: &str) -> Result<(String, String), Error> {
    let parts: Vec<&str> = argument.split('/').collect();
    let [word, name] = parts.as_slice() else {
        return Err(Error::fact("arguments in resource/name form may not have more than one slash"));
    };
    if word.is_empty() || name.is_empty() || word.contains(',') {
        return Err(Error::fact("arguments in resource/name form must have a single resource and name"));
    }
    Ok(((*word).to_owned(), (*name).to_owned()))
}

impl Query {
    /// Fetches all that is selected, as one list or Table; with `whole`, rows of a Table bring their objects.
    ///
    /// # Errors
    /// The server refuses; a malformed selector is told as kubectl does.
    pub async fn list(&self, client: &Client, limit: i64, accept: &str, whole: bool) -> Result<Value, client::Error> {
        let options = ListOptions {
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            limit,
            about: self.kind.group_resource(),
            ..ListOptions::default()
        };
        let mut path = collection_path(&self.kind, &self.namespace);
        if whole {
            path.push_str("?includeObject=Object");
        }
        let listed = client.list(&path, &options, accept).await;
        listed.map_err(|error| self.explain(error))
    }

    /// A request for a watch from a version on.
    pub fn watch(&self, resource_version: &str) -> Request {
        let options = ListOptions {
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            resource_version: resource_version.to_owned(),
            ..ListOptions::default()
        };
        Request::get(collection_path(&self.kind, &self.namespace))
            .list_options(&options)
            .query("watch", "true")
            .on(self.kind.group_resource(), "")
    }

    /// Adds what was searched for to a refusal of the search itself.
    fn explain(&self, error: client::Error) -> client::Error {
        match error {
            client::Error::Status(mut status) if matches!(status.reason.as_str(), "BadRequest" | "NotFound") => {
                let (what, why) = (self.kind.gvr(), &status.message);
                status.message = if self.labels.is_empty() && self.fields.is_empty() {
                    format!("Unable to list \"{what}\": {why}")
                } else {
                    format!(
                        "Unable to find \"{what}\" that match label selector \"{}\", field selector \"{}\": {why}",
                        self.labels, self.fields
                    )
                };
                client::Error::Status(status)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_types_with_names_are_pairs() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(normalized(&args("a,b x y")), ["a/x", "a/y", "b/x", "b/y"]);
        assert_eq!(normalized(&args("a x")), ["a", "x"]);
        assert_eq!(
            pair("a/").unwrap_err().to_string(),
            "arguments in resource/name form must have a single resource and name"
        );
    }
}
