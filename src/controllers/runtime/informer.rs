//! Fills the cache: lists a resource, watches it from there, and lists again when the server forgot the revision.

use std::sync::Arc;
use std::time::Duration;

use super::api::{Api, ApiError};
use super::cache::{Cache, Key, Resource, revision, trim};
use crate::client::{Event, EventKind};
use crate::object::{Value, meta};

/// How long to wait after a failure before listing again.
const RETRY: Duration = Duration::from_millis(200);

/// Takes every change of a resource, after it is in the cache: before, after.
pub(super) type Notify = Arc<dyn Fn(&Resource, Option<&Value>, Option<&Value>) + Send + Sync>;

pub(super) struct Informer {
    pub api: Api,
    pub cache: Arc<Cache>,
    pub resource: Resource,
    pub notify: Notify,
}

impl Informer {
    /// Runs for ever; `listed` is told when the first list is in the cache.
    pub async fn run(self, listed: tokio::sync::oneshot::Sender<()>) {
        let mut listed = Some(listed);
        loop {
            if let Ok(revision) = self.list().await {
                if let Some(listed) = listed.take() {
                    // The manager may have stopped waiting.
                    let _ = listed.send(());
                }
                self.watch(revision).await;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn list(&self) -> Result<String, ApiError> {
        let (mut objects, revision) = self.api.list(&self.resource).await?;
        objects.iter_mut().for_each(trim);
        for (old, new) in self.cache.replace(&self.resource, objects) {
            (self.notify)(&self.resource, old.as_deref(), new.as_deref());
        }
        Ok(revision)
    }

    /// Follows the resource until the server no longer can.
    async fn watch(&self, mut from: String) {
        while let Ok(mut watch) = self.api.watch(&self.resource, &from).await {
            loop {
                match watch.next().await {
                    Ok(Some(event)) => from = self.take(event),
                    // The server ends streams from time to time; the next one goes on where this one was.
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }

    /// Takes an event over; gives back the revision seen.
    fn take(&self, event: Event) -> String {
        let mut object = event.object;
        trim(&mut object);
        let seen = meta::resource_version(&object).to_owned();
        match event.kind {
            EventKind::Added | EventKind::Modified => {
                let object = Arc::new(object);
                if let Some(old) = self.cache.put(&self.resource, object.clone()) {
                    (self.notify)(&self.resource, old.as_deref(), Some(&object));
                }
            }
            EventKind::Deleted => {
                if let Some(old) = self.cache.remove(&self.resource, &Key::of(&object), revision(&object)) {
                    (self.notify)(&self.resource, Some(&old), None);
                }
            }
            EventKind::Bookmark => {}
        }
        seen
    }
}
