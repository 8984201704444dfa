//! Positions in the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::topic::Ear;
use super::{Event, Store, StoreError};

/// A reader's position in the log. It holds no events, so a slow reader costs no memory and misses nothing: it reads
/// on from where it stands until the log has been compacted past it.
pub struct Subscription {
    store: Store,
    position: u64,
    ear: Ear,
}

impl Subscription {
    pub(super) fn new(store: Store, position: u64, ear: Ear) -> Self {
        Self { store, position, ear }
    }

    /// The revision up to which everything has been read.
    pub fn position(&mut self) -> u64 {
        self.skip();
        self.position
    }

    /// Moves on over writes that are not under the prefix; true when one under it is still to be read.
    fn skip(&mut self) -> bool {
        // Both are read under the lock under which the writer changes them.
        let (revision, last) = {
            let state = self.store.state();
            (state.revision(), self.ear.last.load(Ordering::Acquire))
        };
        if last > self.position {
            return true;
        }
        self.position = self.position.max(revision);
        false
    }

    /// The next events under the prefix, waiting for them if there are none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] when the log no longer reaches back to the position; [`StoreError::Closed`] when
    /// nothing can come any more.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, StoreError> {
        loop {
            self.ear.changed.borrow_and_update();
            while self.skip() {
                let mut events = self.store.events_after(self.position)?;
                let Some(last) = events.last() else { break };
                self.position = last.revision();
                events.retain(|event| event.entry.key.starts_with(&self.ear.prefix));
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            if self.ear.changed.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.store.leave(&self.ear.prefix);
    }
}
