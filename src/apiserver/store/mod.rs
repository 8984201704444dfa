//! The store: every write is one row of a log whose row id is the resourceVersion.
//!
//! What always holds:
//! - One writer thread commits; requests that arrive while a commit is under way share the next one. A reply is sent
//!   only after the commit is durable.
//! - Readers see the state in memory, which the writer changes after the commit, in the order of the log.
//! - Watchers hold nothing but a position in the log: recent events come from memory, older ones are read back from
//!   disk, and positions below the compaction mark are refused.

mod entry;
mod memory;
mod partial;
mod sqlite;
#[cfg(test)]
mod tests;
mod topic;
mod watch;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

pub use entry::{Encoded, Entry};
pub use memory::{Change, Event, Page};
pub use partial::Fields;
pub use watch::Subscription;

use memory::State;

/// The revision after which an empty store starts counting, so that small resourceVersions are always too old.
const FIRST_REVISION: u64 = 100;

/// Where a store keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: all is gone when the store is dropped.
    Memory,
    /// In a SQLite database file.
    Sqlite(PathBuf),
}

/// Why a store does not open, or gives up.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused.
    #[error("the database of the cluster failed")]
    Database(#[source] Arc<rusqlite::Error>),
    /// The history before this revision is gone.
    #[error("the revision is below the compaction mark {0}")]
    Compacted(u64),
    /// The revision has not been reached.
    #[error("the revision is above the present one, {0}")]
    Future(u64),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The writer's thread could not be started.
    #[error("the store's thread could not be started")]
    Thread(#[source] Arc<std::io::Error>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// What a write expects to find under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the write creates.
    Absent,
    /// The entry of this revision.
    Revision(u64),
    /// Anything.
    Any,
}

/// One change of one key.
#[derive(Clone, Debug)]
pub struct Write {
    /// Key, such as `/registry/pods/default/web`.
    pub key: String,
    /// Condition.
    pub expect: Expect,
    /// The new value; absent to delete.
    pub value: Option<Encoded>,
}

/// Why a write was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The key holds something else than expected; here is what, if anything.
    #[error("the stored entry is not the expected one")]
    Conflict(Option<Arc<Entry>>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The outcome of one write: the entry written, or the entry that was deleted under the revision of its deletion.
pub type WriteResult = Result<Arc<Entry>, WriteError>;

struct Inner {
    state: RwLock<State>,
    writer: writer::Handle,
    reader: Option<Mutex<sqlite::Reader>>,
    revision: tokio::sync::watch::Receiver<u64>,
}

/// A cheap handle of a store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens a store, reading back what it holds.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened or read.
    pub fn open(storage: &Storage) -> Result<Self, StoreError> {
        let (log, reader, state) = match storage {
            Storage::Memory => (None, None, State::new(FIRST_REVISION)),
            Storage::Sqlite(path) => {
                let mut log = sqlite::Log::open(path, FIRST_REVISION)?;
                let state = log.load()?;
                (Some(log), Some(Mutex::new(sqlite::Reader::open(path)?)), state)
            }
        };
        let (sender, revision) = tokio::sync::watch::channel(state.revision());
        let (writer, jobs) = writer::channel();
        let inner = Arc::new(Inner { state: RwLock::new(state), writer, reader, revision });
        writer::spawn(jobs, Arc::downgrade(&inner), log, sender).map_err(|e| StoreError::Thread(Arc::new(e)))?;
        Ok(Self { inner })
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision of the latest write.
    pub fn revision(&self) -> u64 {
        self.state().revision()
    }

    /// The revision up to which history is gone.
    pub fn compacted(&self) -> u64 {
        self.state().compacted()
    }

    /// The entry under a key.
    pub fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.state().get(key)
    }

    /// Entries under `prefix` in key order as of now, after `start` if given, and the present revision.
    pub fn list(&self, prefix: &str, start: Option<&str>) -> Page {
        self.state().list(prefix, start)
    }

    /// How many entries stand under `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        self.state().count(prefix)
    }

    /// Entries under `prefix` in key order as they were at `revision`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] and [`StoreError::Future`] when that state is not, or not yet, known.
    pub fn list_at(&self, prefix: &str, start: Option<&str>, revision: u64) -> Result<Page, StoreError> {
        {
            let state = self.state();
            state.check(revision)?;
            if let Some(page) = state.list_at(prefix, start, revision) {
                return Ok(page);
            }
        }
        self.reader()?.list_at(prefix, start, revision)
    }

    /// Events after `position` in the order of the log: at most a few hundred at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] when the log does not reach back that far.
    pub fn events_after(&self, position: u64) -> Result<Vec<Arc<Event>>, StoreError> {
        {
            let state = self.state();
            if position < state.compacted() {
                return Err(StoreError::Compacted(state.compacted()));
            }
            if let Some(events) = state.events_after(position) {
                return Ok(events);
            }
        }
        self.reader()?.events_after(position)
    }

    /// A position in the log that can wait for what comes after it under `prefix`, which ends with a slash.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`] when the log does not reach back that far.
    pub fn subscribe(&self, position: u64, prefix: &str) -> Result<Subscription, StoreError> {
        let ear = {
            let mut state = self.inner.state.write().unwrap_or_else(PoisonError::into_inner);
            if position < state.compacted() {
                return Err(StoreError::Compacted(state.compacted()));
            }
            let revision = state.revision();
            state.topics.listen(prefix, revision)
        };
        Ok(Subscription::new(self.clone(), position, ear))
    }

    /// Forgets a subscription's prefix.
    fn leave(&self, prefix: &str) {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner).topics.leave(prefix);
    }

    /// Waits until the store has reached `revision`, for at most `limit`; true when it has.
    pub async fn reached(&self, revision: u64, limit: std::time::Duration) -> bool {
        let mut receiver = self.inner.revision.clone();
        matches!(tokio::time::timeout(limit, receiver.wait_for(|at| *at >= revision)).await, Ok(Ok(_)))
    }

    /// Carries out one write, durably.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] when the expectation does not hold.
    pub async fn write(&self, write: Write) -> WriteResult {
        let mut results = self.write_all(vec![write]).await;
        results.pop().unwrap_or(Err(WriteError::Store(StoreError::Closed)))
    }

    /// Carries out several writes in one transaction: all, or, when one expectation does not hold, none of them.
    ///
    /// The results are in order; writes that would have held report [`WriteError::Conflict`] with nothing when another
    /// one failed.
    pub async fn write_all(&self, writes: Vec<Write>) -> Vec<WriteResult> {
        let count = writes.len();
        let (reply, receiver) = tokio::sync::oneshot::channel();
        // A caller that has gone away does not want its answer.
        self.inner.writer.submit(writes, Box::new(|results| drop(reply.send(results))));
        receiver.await.unwrap_or_else(|_| writer::closed(count))
    }

    /// As [`Store::write_all`], blocking the calling thread.
    pub fn write_all_blocking(&self, writes: Vec<Write>) -> Vec<WriteResult> {
        let count = writes.len();
        let (reply, receiver) = std::sync::mpsc::channel();
        self.inner.writer.submit(writes, Box::new(move |results| drop(reply.send(results))));
        receiver.recv().unwrap_or_else(|_| writer::closed(count))
    }

    /// Forgets history up to `revision`, in small steps, as far as the present state does not need it.
    pub fn compact(&self, revision: u64) {
        self.inner.writer.compact(revision);
    }

    /// Waits for the writes under way, moves the log into the database file and stops the writer; later writes fail.
    pub fn close(&self) {
        self.inner.writer.close();
    }

    fn reader(&self) -> Result<std::sync::MutexGuard<'_, sqlite::Reader>, StoreError> {
        match &self.inner.reader {
            Some(reader) => Ok(reader.lock().unwrap_or_else(PoisonError::into_inner)),
            None => Err(StoreError::Compacted(self.compacted())),
        }
    }
}
