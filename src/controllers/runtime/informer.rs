//! Fills the cache: lists a resource, watches it from there, and lists again when the server forgot the revision.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;

use super::api::{Api, ApiError};
use super::cache::{Cache, Key, Resource, revision};
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
        let (objects, revision) = self.api.list(&self.resource).await?;
        for (old, new) in self.cache.replace(&self.resource, objects) {
            (self.notify)(&self.resource, old.as_deref(), new.as_deref());
        }
        Ok(revision)
    }

    /// Follows the resource until the server no longer can.
    async fn watch(&self, mut from: String) {
        while let Ok(mut body) = self.api.watch(&self.resource, &from).await {
            let mut buffer = BytesMut::new();
            while let Some(Ok(chunk)) = body.next().await {
                buffer.extend_from_slice(&chunk);
                while let Some(end) = memchr::memchr(b'\n', &buffer) {
                    let line = buffer.split_to(end + 1);
                    let Ok(event) = serde_json::from_slice(&line) else { return };
                    match self.take(event) {
                        Some(seen) => from = seen,
                        None => return,
                    }
                }
            }
        }
    }

    /// Takes an event over; gives back the revision seen, or `None` when the watch has to begin anew.
    fn take(&self, mut event: Value) -> Option<String> {
        let object = event.get_mut("object").map(Value::take)?;
        let seen = meta::resource_version(&object).to_owned();
        match event.get("type").and_then(Value::as_str) {
            Some("ADDED" | "MODIFIED") => {
                let object = Arc::new(object);
                if let Some(old) = self.cache.put(&self.resource, object.clone()) {
                    (self.notify)(&self.resource, old.as_deref(), Some(&object));
                }
            }
            Some("DELETED") => {
                if let Some(old) = self.cache.remove(&self.resource, &Key::of(&object), revision(&object)) {
                    (self.notify)(&self.resource, Some(&old), None);
                }
            }
            Some("BOOKMARK") => {}
            _ => return None,
        }
        Some(seen)
    }
}
