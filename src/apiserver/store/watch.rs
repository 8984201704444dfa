//! Positions in the log.

use std::sync::Arc;

use super::{Event, Store, StoreError};

/// A reader's position in the log. It holds no events, so a slow reader costs no memory and misses nothing: it reads
/// on from where it stands until the log has been compacted past it.
pub struct Subscription {
    store: Store,
    position: u64,
    revision: tokio::sync::watch::Receiver<u64>,
}

impl Subscription {
    pub(super) fn new(store: Store, position: u64, revision: tokio::sync::watch::Receiver<u64>) -> Self {
        Self { store, position, revision }
    }

    /// The revision up to which everything has been read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next events, waiting for them if there are none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] when the log no longer reaches back to the position; [`StoreError::Closed`] when
    /// nothing can come any more.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, StoreError> {
        loop {
            let seen = *self.revision.borrow_and_update();
            if seen > self.position {
                let events = self.store.events_after(self.position)?;
                match events.last() {
                    Some(last) => {
                        self.position = last.revision();
                        return Ok(events);
                    }
                    None => self.position = seen,
                }
            }
            if self.revision.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
        }
    }
}
