//! Kinds by what people type or manifests say, asking the server what it serves no more than needed.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Mutex;

use super::{Document, Error, Origin, Target, metadata};
use crate::client::{self, Cache, Client, discover, discover_groups, split_argument};
use crate::kinds::{Kind, Kinds};
use crate::object::{GroupVersionKind, Value, meta};

/// Finds kinds; what the server serves is learnt at first need, kept on disk, and learnt again when a kind is missing.
pub struct Mapper {
    client: Arc<Client>,
    cache: Option<Cache>,
    known: Mutex<Option<Known>>,
    offline: bool,
}

#[derive(Clone)]
struct Known {
    kinds: Arc<Kinds>,
    fresh: bool,
}

impl Mapper {
    /// A mapper for a server, with a cache where one is wanted.
    pub fn new(client: Arc<Client>, cache: Option<Cache>) -> Self {
        Self { client, cache, known: Mutex::new(None), offline: false }
    }

    /// The same mapper, which takes the built-in kinds as known and asks the server for other kinds only; those are
    /// missing when it cannot be reached.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// What the server serves.
    ///
    /// # Errors
    /// [`Error::Discovery`] with one look-up.
    pub async fn kinds(&self) -> Result<Arc<Kinds>, Error> {
        Ok(self.known().await?.kinds)
    }

    async fn known(&self) -> Result<Known, Error> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref() {
            return Ok(known.clone());
        }
        let cached = self.cache.as_ref().and_then(|cache| cache.load(SystemTime::now()));
        let found = match cached {
            Some(kinds) => Known { kinds: Arc::new(kinds), fresh: false },
            None if self.offline => Known { kinds: Arc::new(Kinds::builtin().clone()), fresh: false },
            // The core group is not asked for, so what is known then is not the last word.
            None => Known { fresh: false, ..self.keep(discover_groups(&self.client).await)? },
        };
        Ok(known.insert(found).clone())
    }

    async fn ask(&self) -> Result<Known, Error> {
        self.keep(discover(&self.client).await)
    }

    fn keep(&self, discovered: Result<client::Discovered, client::Error>) -> Result<Known, Error> {
        match discovered {
            Ok(discovered) => {
                if let Some(cache) = &self.cache {
                    cache.store(&discovered);
                }
                Ok(Known { kinds: Arc::new(discovered.kinds), fresh: true })
            }
            Err(client::Error::Transport { .. }) if self.offline => {
                Ok(Known { kinds: Arc::new(Kinds::builtin().clone()), fresh: true })
            }
            Err(source) => Err(Error::Discovery { source, lookups: 1 }),
        }
    }

    /// Asks the server anew, whatever is known.
    ///
    /// # Errors
    /// As [`Mapper::kinds`].
    pub async fn refresh(&self) -> Result<Arc<Kinds>, Error> {
        let mut known = self.known.lock().await;
        let found = self.ask().await?;
        Ok(known.insert(found).kinds.clone())
    }

    /// Looks something up; when it is not there and what is known is old, asks the server once more.
    ///
    /// # Errors
    /// As [`Mapper::kinds`].
    pub async fn find<T>(&self, look: impl Fn(&Kinds) -> Option<T>) -> Result<Option<T>, Error> {
        let known = self.known().await?;
        if let Some(found) = look(&known.kinds) {
            return Ok(Some(found));
        }
        if known.fresh {
            return Ok(None);
        }
        Ok(look(&*self.refresh().await?))
    }

    /// The kind that an argument names.
    ///
    /// # Errors
    /// There is none: `the server doesn't have a resource type "x"`.
    pub async fn resource(&self, argument: &str) -> Result<Arc<Kind>, Error> {
        let found = self.find(|kinds| client::resource(kinds, argument).cloned()).await?;
        found.ok_or_else(|| {
            // A name with dots that no group explains is named up to its first dot.
            let (name, _) = split_argument(argument);
            Error::fact(format!("the server doesn't have a resource type \"{name}\""))
        })
    }

    /// The kinds of a category, or `None` when the word is none.
    ///
    /// # Errors
    /// As [`Mapper::kinds`].
    pub async fn category(&self, word: &str) -> Result<Option<Vec<Arc<Kind>>>, Error> {
        let kinds = self.kinds().await?;
        let found: Vec<Arc<Kind>> = client::category(&kinds, word).into_iter().cloned().collect();
        Ok((!found.is_empty()).then_some(found))
    }

    /// The row of a group, version and kind.
    ///
    /// # Errors
    /// As [`Mapper::kinds`].
    pub async fn kind(&self, gvk: &GroupVersionKind) -> Result<Option<Arc<Kind>>, Error> {
        self.find(|kinds| client::for_kind(kinds, &gvk.group, &gvk.version, &gvk.kind).cloned()).await
    }

    /// The objects of a document: itself, or the items of a list. Failures stand in their place.
    pub async fn targets(&self, document: &Document) -> Vec<Result<Target, Error>> {
        let mut found = Vec::new();
        let (objects, whole) = flattened(document);
        for (path, object) in objects {
            found.push(self.target(document, object, whole, path).await);
        }
        found
    }

    async fn target(&self, document: &Document, value: Value, whole: bool, path: String) -> Result<Target, Error> {
        let source = &document.source;
        check(document, &value)?;
        let gvk = meta::gvk(&value);
        let (name, namespace) = (meta::name(&value).to_owned(), meta::namespace(&value).to_owned());
        let Some(kind) = self.kind(&gvk).await? else {
            let none = format!("no matches for kind \"{}\" in version \"{}\"", gvk.kind, gvk.api_version());
            return Err(Error::fact(if whole {
                format!(
                    "resource mapping not found for name: \"{name}\" namespace: \"{namespace}\" from \"{source}\": \
                     {none}\nensure CRDs are installed first"
                )
            } else {
                format!("unable to recognize {none}")
            }));
        };
        Ok(Target {
            kind,
            namespace,
            name,
            source: source.clone(),
            line: document.line,
            object: value,
            origin: origin(document, path),
        })
    }
}

/// The document itself, or the items of a list, each with its path; and whether it is itself.
fn flattened(document: &Document) -> (Vec<(String, Value)>, bool) {
    let mut found = Vec::new();
    let mut waiting = std::collections::VecDeque::from([(String::new(), document.value.clone())]);
    let mut whole = true;
    while let Some((path, mut value)) = waiting.pop_front() {
        let is_list = meta::kind(&value).ends_with("List") && value.get("items").is_some_and(Value::is_array);
        if is_list {
            let items = value.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
            let prefix = if path.is_empty() { path } else { format!("{path}.") };
            let items = items.into_iter().flatten().enumerate();
            waiting.extend(items.map(|(at, item)| (format!("{prefix}items[{at}]"), item)));
            whole = false;
        } else {
            found.push((path, value));
        }
    }
    (found, whole)
}

fn origin(document: &Document, path: String) -> Option<Origin> {
    document.origin.clone().map(|document| Origin { document, path })
}

fn check(document: &Document, value: &Value) -> Result<(), Error> {
    let source = &document.source;
    metadata::check(value).map_err(|why| Error::fact(format!("unable to decode \"{source}\": {why}")))
}

/// The objects of a document as targets, without asking a server for their kinds. Failures stand in their place.
pub fn local_targets(document: &Document) -> Vec<Result<Target, Error>> {
    let target = |(path, object): (String, Value)| {
        check(document, &object)?;
        let gvk = meta::gvk(&object);
        let kind = Kinds::builtin().by_gvk(&gvk).cloned().unwrap_or_else(|| {
            let (group, version, kind) = (gvk.group.clone(), gvk.version.clone(), gvk.kind.clone());
            Arc::new(Kind { group, version, kind, ..Kind::default() })
        });
        let (name, namespace) = (meta::name(&object).to_owned(), meta::namespace(&object).to_owned());
        Ok(Target {
            kind,
            namespace,
            name,
            source: document.source.clone(),
            line: document.line,
            object,
            origin: origin(document, path),
        })
    };
    flattened(document).0.into_iter().map(target).collect()
}
