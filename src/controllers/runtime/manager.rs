//! Runs controllers against a transport.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use http::Method;
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::api::{Api, ApiError, path};
use super::cache::{revision, trim};
use super::events::{Event, Recorder};
use super::informer::{Informer, Notify as Notifier};
use super::queue::Queue;
use super::{Action, Cache, Change, Controller, Key, Resource, Watch, World};
use crate::client::transport::SharedTransport;
use crate::object::{Value, meta};

/// How many creates of one turn are under way at once.
const PARALLEL_CREATES: usize = 16;
/// How long until an owner that the server has must be in the cache.
const UNSEEN: Duration = Duration::from_millis(500);

/// Settings of a manager.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The resources to keep in the cache besides those that controllers watch.
    pub resources: Vec<Resource>,
}

/// Controllers with their cache and queues.
pub struct Manager {
    transport: SharedTransport,
    cache: Arc<Cache>,
    runners: Arc<Vec<Runner>>,
    resources: Vec<Resource>,
    informers: Mutex<HashMap<Resource, AbortHandle>>,
    definitions_changed: Arc<Notify>,
    started: AtomicBool,
}

fn definitions() -> Resource {
    Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions")
}

/// The resource that a definition serves in its storage version, once it is established.
fn served_resource(definition: &Value) -> Option<Resource> {
    let established = |c: &Value| meta::str_at(c, &["type"]) == "Established" && meta::str_at(c, &["status"]) == "True";
    meta::list_at(definition, &["status", "conditions"]).iter().find(|c| established(c))?;
    let versions = meta::list_at(definition, &["spec", "versions"]);
    let served = |version: &&Value| meta::bool_at(version, &["served"]);
    let stored = |version: &&Value| meta::bool_at(version, &["storage"]);
    let version = versions.iter().filter(served).find(stored).or_else(|| versions.iter().find(served))?;
    Some(Resource::new(
        meta::str_at(definition, &["spec", "group"]),
        meta::str_at(version, &["name"]),
        meta::str_at(definition, &["spec", "names", "plural"]),
    ))
}

/// One controller with its queue.
struct Runner {
    controller: Box<dyn Controller>,
    watches: Vec<Watch>,
    queue: Queue,
    api: Api,
    recorder: Recorder,
}

impl Manager {
    /// Prepares controllers; nothing runs yet.
    pub fn new(transport: SharedTransport, controllers: Vec<Box<dyn Controller>>, options: &Options) -> Self {
        let runners: Vec<Runner> = controllers
            .into_iter()
            .map(|controller| Runner {
                watches: controller.watches(),
                queue: Queue::default(),
                api: Api::new(transport.clone(), controller.component()),
                recorder: Recorder::default(),
                controller,
            })
            .collect();
        let mut resources = options.resources.clone();
        resources.extend(runners.iter().flat_map(|runner| &runner.watches).map(|watch| watch.resource.clone()));
        resources.sort();
        resources.dedup();
        Self {
            transport,
            cache: Arc::default(),
            runners: Arc::new(runners),
            resources,
            informers: Mutex::default(),
            definitions_changed: Arc::default(),
            started: AtomicBool::new(false),
        }
    }

    /// The cache that the controllers see.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Lists everything, then runs until the future is dropped. `ready` is told when all is listed.
    pub async fn run(&self, ready: oneshot::Sender<()>) {
        let mut tasks = JoinSet::new();
        let mut listed = Vec::new();
        for resource in &self.resources {
            listed.push(self.follow(resource, &mut tasks));
        }
        for first in listed {
            // A resource that cannot be listed yet is tried again by its informer; the others go on.
            let _ = first.await;
        }
        let events = self.cache.list(&Resource::new("", "v1", "events"), None);
        for runner in self.runners.iter() {
            runner.recorder.learn(runner.controller.event_source(), &events);
        }
        self.started.store(true, Ordering::Release);
        // Whoever waited may have gone.
        let _ = ready.send(());
        for at in 0..self.runners.len() {
            for _ in 0..self.runners[at].controller.workers() {
                tasks.spawn(work(self.runners.clone(), at, self.cache.clone()));
            }
        }
        loop {
            self.definitions_changed.notified().await;
            self.follow_definitions(&mut tasks);
        }
    }

    /// Follows the resources of custom resource definitions, and forgets those that are served no more.
    fn follow_definitions(&self, tasks: &mut JoinSet<()>) {
        let served: Vec<Resource> =
            self.cache.list(&definitions(), None).iter().filter_map(|d| served_resource(d)).collect();
        for resource in &served {
            let known = self.informers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(resource);
            if !known {
                drop(self.follow(resource, tasks));
            }
        }
        let mut informers = self.informers.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Resource> = informers
            .keys()
            .filter(|resource| !self.resources.contains(resource) && !served.contains(resource))
            .cloned()
            .collect();
        for resource in gone {
            if let Some(informer) = informers.remove(&resource) {
                informer.abort();
            }
            for old in self.cache.forget(&resource) {
                notify(&self.runners, &self.cache, &resource, &Change { old: Some(&old), new: None });
            }
        }
    }

    /// Begins to follow a resource.
    fn follow(&self, resource: &Resource, tasks: &mut JoinSet<()>) -> oneshot::Receiver<()> {
        let (tell, listed) = oneshot::channel();
        let informer = Informer {
            api: Api::new(self.transport.clone(), "kube-controller-manager"),
            cache: self.cache.clone(),
            resource: resource.clone(),
            notify: self.notifier(),
        };
        let task = tasks.spawn(informer.run(tell));
        let mut informers = self.informers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = informers.insert(resource.clone(), task) {
            former.abort();
        }
        listed
    }

    fn notifier(&self) -> Notifier {
        let (runners, cache) = (self.runners.clone(), self.cache.clone());
        let (changed, definitions) = (self.definitions_changed.clone(), definitions());
        Arc::new(move |resource, old, new| {
            if *resource == definitions {
                changed.notify_one();
            }
            notify(&runners, &cache, resource, &Change { old, new });
        })
    }

    /// Whether everything has been listed and no controller has work now or within `horizon`.
    pub fn is_idle(&self, horizon: Duration) -> bool {
        self.started.load(Ordering::Acquire) && self.runners.iter().all(|runner| runner.queue.is_idle(horizon))
    }
}

/// Queues the keys that a change touches, at every controller that watches the resource.
fn notify(runners: &[Runner], cache: &Cache, resource: &Resource, change: &Change<'_>) {
    for runner in runners {
        for watch in runner.watches.iter().filter(|watch| watch.resource == *resource) {
            for key in (watch.keys)(cache, change) {
                runner.queue.add(key);
            }
        }
        for key in runner.controller.keys_of_any(cache, resource, change) {
            runner.queue.add(key);
        }
    }
}

async fn work(runners: Arc<Vec<Runner>>, at: usize, cache: Arc<Cache>) {
    let runner = &runners[at];
    loop {
        let key = runner.queue.next().await;
        let actions = runner.controller.reconcile(&World { cache: &cache, now: Utc::now() }, &key);
        let turn = Turn { runners: &runners, runner, cache: &cache, key: &key };
        match turn.perform(actions).await {
            Ok(()) => runner.queue.succeeded(&key),
            Err(failure) => {
                let world = World { cache: &cache, now: Utc::now() };
                let more = runner.controller.on_failure(&world, &key, &failure.action, &failure.error);
                // Telling people is worth a try, no more.
                let _ = turn.perform(more).await;
                runner.queue.add_failed(key.clone());
            }
        }
        runner.queue.done(&key);
    }
}

/// Whether the actions after one are still wanted.
enum Next {
    GoOn,
    End,
}

/// An action that failed, and why.
struct Failure {
    action: Action,
    error: ApiError,
}

/// The actions of one reconciliation under way.
struct Turn<'a> {
    runners: &'a [Runner],
    runner: &'a Runner,
    cache: &'a Cache,
    key: &'a Key,
}

impl Turn<'_> {
    /// Performs the actions in order, neighbouring creates side by side; ends at the first failure.
    async fn perform(&self, actions: Vec<Action>) -> Result<(), Failure> {
        let mut actions = actions.into_iter().peekable();
        let mut earlier = None;
        while let Some(action) = actions.next() {
            if !action.is_create() {
                match self.attempt(action).await? {
                    Next::GoOn => continue,
                    Next::End => break,
                }
            }
            let mut creates = vec![action];
            while let Some(create) = actions.next_if(Action::is_create) {
                creates.push(create);
            }
            let running = creates.into_iter().map(|create| self.attempt(create));
            let mut running = stream::iter(running).buffer_unordered(PARALLEL_CREATES);
            let mut failed = None;
            while let Some(done) = running.next().await {
                failed = failed.or(done.err());
            }
            match failed {
                Some(failed) if self.runner.controller.goes_on_after_failed_creates() => {
                    earlier = earlier.or(Some(failed));
                }
                Some(failed) => return Err(failed),
                None => {}
            }
        }
        earlier.map_or(Ok(()), Err)
    }

    async fn attempt(&self, action: Action) -> Result<Next, Failure> {
        if let Action::RequireAbsent { resource, namespace, name, uid } = &action {
            let key = Key { namespace: namespace.clone(), name: name.clone() };
            return match self.runner.api.get(resource, &key).await {
                Ok(object) if meta::uid(&object) == uid => {
                    // It may go before the cache ever sees it, and then nothing would tell of its end.
                    self.runner.queue.add_after(self.key.clone(), UNSEEN);
                    Ok(Next::End)
                }
                Err(error) if !error.is_code(404) => Err(Failure { action, error }),
                _ => Ok(Next::GoOn),
            };
        }
        self.one(action.clone()).await.map(|()| Next::GoOn).map_err(|error| Failure { action, error })
    }

    async fn one(&self, action: Action) -> Result<(), ApiError> {
        const JSON: &str = "application/json";
        let api = &self.runner.api;
        match action {
            Action::Create { resource, object } => {
                let path = path(&resource, meta::namespace(&object), "", None);
                match api.call(Method::POST, &path, JSON, Some(&object)).await {
                    Err(e) if e.is_code(409) && !meta::name(&object).is_empty() => Ok(()),
                    created => self.seen(&resource, created?),
                }
            }
            Action::CreateAndTell { resource, object, event } => {
                Box::pin(self.one(Action::Create { resource, object })).await?;
                Box::pin(self.one(*event)).await
            }
            Action::Update { resource, subresource, object } => {
                let path = path(&resource, meta::namespace(&object), meta::name(&object), subresource);
                let updated = api.call(Method::PUT, &path, JSON, Some(&object)).await;
                self.unless_gone(&resource, &Key::of(&object), updated)
            }
            Action::Patch { resource, namespace, name, subresource, patch_type, patch } => {
                let path = path(&resource, &namespace, &name, subresource);
                let mut answer = api.call(Method::PATCH, &path, patch_type.media_type(), Some(&patch)).await;
                let key = Key { namespace, name };
                if subresource == Some("scale") && answer.is_ok() {
                    // A scale is another kind of object; what has become of its owner is what the cache keeps.
                    answer = api.get(&resource, &key).await;
                }
                self.unless_gone(&resource, &key, answer)
            }
            Action::Delete { resource, namespace, name, options } => {
                let path = path(&resource, &namespace, &name, None);
                let deleted = api.call(Method::DELETE, &path, JSON, Some(&options)).await;
                self.unless_gone(&resource, &Key { namespace, name }, deleted)
            }
            Action::Post { resource, namespace, name, subresource, object } => {
                let path = path(&resource, &namespace, &name, Some(subresource));
                match api.call(Method::POST, &path, JSON, Some(&object)).await {
                    Err(e) if e.is_code(404) => return Ok(()),
                    posted => posted.map(drop)?,
                };
                // The answer is not the object; what has become of it must be in the cache before the next turn.
                let key = Key { namespace, name };
                let now = api.get(&resource, &key).await;
                self.unless_gone(&resource, &key, now)
            }
            Action::StoreToken { account, request, secret, patch } => {
                self.store_token(&account, &request, secret, patch).await
            }
            Action::Event { regarding, type_, reason, message } => {
                let (component, action) =
                    (self.runner.controller.event_source(), self.runner.controller.event_action(reason));
                let event = Event { component, action, regarding: &regarding, type_, reason, message: &message };
                if let Some(write) = self.runner.recorder.record(&event, Utc::now()) {
                    // An event that cannot be written (the namespace is going away) must not hold up the work itself.
                    let _ = Box::pin(self.one(write)).await;
                }
                Ok(())
            }
            Action::FirstAllowed(choices) => {
                const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
                for (review, action) in choices {
                    let answer = api.call(Method::POST, REVIEWS, JSON, Some(&review)).await?;
                    if meta::bool_at(&answer, &["status", "allowed"]) {
                        return Box::pin(self.one(action)).await;
                    }
                }
                Ok(())
            }
            // Decided in `attempt`.
            Action::RequireAbsent { .. } => Ok(()),
            Action::RequeueAfter(delay) => {
                self.runner.queue.add_after(self.key.clone(), delay);
                Ok(())
            }
        }
    }

    async fn store_token(&self, account: &Key, request: &Value, secret: Key, mut patch: Value) -> Result<(), ApiError> {
        use base64::Engine as _;
        let accounts = Resource::new("", "v1", "serviceaccounts");
        let path = path(&accounts, &account.namespace, &account.name, Some("token"));
        let answer = match self.runner.api.call(Method::POST, &path, "application/json", Some(request)).await {
            // Account or secret went away meanwhile; their deletion brings the next turn.
            Err(error) if error.is_code(404) => return Ok(()),
            answer => answer?,
        };
        let token = meta::str_at(&answer, &["status", "token"]);
        let token = base64::engine::general_purpose::STANDARD.encode(token);
        meta::set(&mut patch, &["data", "token"], token);
        let write = Action::Patch {
            resource: Resource::new("", "v1", "secrets"),
            namespace: secret.namespace,
            name: secret.name,
            subresource: None,
            patch_type: super::PatchType::Merge,
            patch,
        };
        Box::pin(self.one(write)).await
    }

    /// An object that is gone needs no write; the cache learns that it is.
    fn unless_gone(&self, resource: &Resource, key: &Key, answer: Result<Value, ApiError>) -> Result<(), ApiError> {
        match answer {
            Err(e) if e.is_code(404) => {
                self.gone(resource, key);
                Ok(())
            }
            // A delete answers with a Status once the object is gone.
            Ok(answer) if meta::kind(&answer) == "Status" => {
                self.gone(resource, key);
                Ok(())
            }
            answer => self.seen(resource, answer?),
        }
    }

    fn gone(&self, resource: &Resource, key: &Key) {
        if let Some(old) = self.cache.remove(resource, key, 0) {
            notify(self.runners, self.cache, resource, &Change { old: Some(&old), new: None });
        }
    }

    /// What was written is in the cache before the next turn.
    fn seen(&self, resource: &Resource, mut object: Value) -> Result<(), ApiError> {
        // Scale and the like are no objects of the resource.
        if revision(&object) == 0 || !self.cache.knows(resource) {
            return Ok(());
        }
        trim(&mut object);
        let object = Arc::new(object);
        if let Some(old) = self.cache.put(resource, object.clone()) {
            notify(self.runners, self.cache, resource, &Change { old: old.as_deref(), new: Some(&object) });
        }
        Ok(())
    }
}
