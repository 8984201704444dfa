//! Which readers wait for changes under which prefix, so that a write wakes only those that it is for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What a reader waits with: the wake-up call, and the revision of the last change under its prefix.
pub(super) struct Ear {
    pub(super) prefix: String,
    pub(super) last: Arc<AtomicU64>,
    pub(super) changed: watch::Receiver<()>,
}

#[derive(Debug)]
struct Topic {
    last: Arc<AtomicU64>,
    changed: watch::Sender<()>,
    /// A change was noted and nobody has been woken yet.
    due: bool,
}

/// The prefixes for which somebody waits. A prefix ends with a slash, as those of keys do.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: HashMap<String, Topic>,
    closed: bool,
}

impl Topics {
    /// Joins those who wait for `prefix`; what was written up to `revision` counts as a change.
    pub(super) fn listen(&mut self, prefix: &str, revision: u64) -> Ear {
        let new = || Topic { last: Arc::new(AtomicU64::new(revision)), changed: watch::Sender::new(()), due: false };
        let (last, changed) = if self.closed {
            // The sender is gone at once, which tells the reader that nothing comes any more.
            let topic = new();
            (topic.last.clone(), topic.changed.subscribe())
        } else {
            let topic = self.topics.entry(prefix.to_owned()).or_insert_with(new);
            (topic.last.clone(), topic.changed.subscribe())
        };
        Ear { prefix: prefix.to_owned(), last, changed }
    }

    /// Forgets the prefix of a reader who leaves, if nobody else waits for it.
    pub(super) fn leave(&mut self, prefix: &str) {
        if self.topics.get(prefix).is_some_and(|topic| topic.changed.receiver_count() <= 1) {
            self.topics.remove(prefix);
        }
    }

    /// Notes a change of `key`.
    pub(super) fn note(&mut self, key: &str, revision: u64) {
        for (at, _) in key.match_indices('/') {
            if let Some(topic) = key.get(..=at).and_then(|prefix| self.topics.get_mut(prefix)) {
                topic.last.store(revision, Ordering::Release);
                topic.due = true;
            }
        }
    }

    /// Those who are to be woken because of what was noted.
    pub(super) fn due(&mut self) -> Vec<watch::Sender<()>> {
        let topics = self.topics.values_mut();
        topics.filter_map(|topic| std::mem::take(&mut topic.due).then(|| topic.changed.clone())).collect()
    }

    /// Tells all that nothing comes any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.topics.clear();
    }
}
