//! The state in memory: the present entries and the recent end of the log.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::topic::Topics;
use super::{Entry, StoreError};

/// How many events stay in memory when the log is on disk, and how many bytes they may hold.
const RECENT_EVENTS: usize = 8192;
const RECENT_BYTES: usize = 8 << 20;
/// The same for a store without a disk, whose recent events are all the history there is.
const UNBACKED_EVENTS: usize = 200_000;
const UNBACKED_BYTES: usize = 128 << 20;
/// How many events [`State::events_after`] gives at once.
pub(super) const BATCH: usize = 512;

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key was made or changed.
    Put,
    /// The key was deleted.
    Delete,
}

/// One row of the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// The new entry, or the last state under the revision of the deletion.
    pub entry: Arc<Entry>,
    /// What the key held before.
    pub previous: Option<Arc<Entry>>,
}

impl Event {
    /// The revision of the write.
    pub fn revision(&self) -> u64 {
        self.entry.revision
    }

    fn size(&self) -> usize {
        self.entry.json.len() + self.entry.key.len()
    }
}

/// Entries of a list together with the revision at which they were seen.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Entries in key order.
    pub entries: Vec<Arc<Entry>>,
    /// Revision of the store.
    pub revision: u64,
}

/// The present entries and recent events.
#[derive(Debug)]
pub(super) struct State {
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    /// Keys whose last row in the log is a deletion that is not compacted yet, with that row's revision.
    tombstones: BTreeMap<Arc<str>, u64>,
    recent: VecDeque<Arc<Event>>,
    recent_bytes: usize,
    revision: u64,
    compacted: u64,
    /// Every event after this revision is in `recent`.
    recent_after: u64,
    backed: bool,
    /// Who waits for what.
    pub(super) topics: Topics,
}

impl State {
    /// An empty state without a log on disk.
    pub(super) fn new(revision: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            revision,
            compacted: revision,
            recent_after: revision,
            backed: false,
            topics: Topics::default(),
        }
    }

    /// The state that a log on disk amounts to.
    pub(super) fn restored(
        entries: BTreeMap<Arc<str>, Arc<Entry>>,
        tombstones: BTreeMap<Arc<str>, u64>,
        revision: u64,
        compacted: u64,
    ) -> Self {
        Self { entries, tombstones, compacted, backed: true, ..Self::new(revision) }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.entries.get(key).cloned()
    }

    /// The revision of the last row of a key, deletions included.
    pub(super) fn last_row(&self, key: &str) -> Option<u64> {
        self.entries.get(key).map(|entry| entry.revision).or_else(|| self.tombstones.get(key).copied())
    }

    fn range(&self, prefix: &str, start: Option<&str>) -> impl Iterator<Item = &Arc<Entry>> {
        let from = match start {
            Some(start) if start > prefix => Bound::Excluded(start.to_owned()),
            _ => Bound::Included(prefix.to_owned()),
        };
        let prefix = prefix.to_owned();
        let bounds = (from.as_ref().map(String::as_str), Bound::Unbounded);
        self.entries
            .range::<str, _>(bounds)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, entry)| entry)
    }

    pub(super) fn list(&self, prefix: &str, start: Option<&str>) -> Page {
        Page { entries: self.range(prefix, start).cloned().collect(), revision: self.revision }
    }

    pub(super) fn count(&self, prefix: &str) -> usize {
        self.range(prefix, None).count()
    }

    /// Whether the state at `revision` can be known.
    pub(super) fn check(&self, revision: u64) -> Result<(), StoreError> {
        if revision < self.compacted {
            return Err(StoreError::Compacted(self.compacted));
        }
        if revision > self.revision {
            return Err(StoreError::Future(self.revision));
        }
        Ok(())
    }

    /// The list as it was at `revision`, by taking back recent events; `None` when they do not reach back that far.
    pub(super) fn list_at(&self, prefix: &str, start: Option<&str>, revision: u64) -> Option<Page> {
        if revision < self.recent_after {
            return None;
        }
        let mut entries: BTreeMap<Arc<str>, Arc<Entry>> =
            self.range(prefix, start).map(|entry| (entry.key.clone(), entry.clone())).collect();
        let later = self.recent.iter().rev().take_while(|event| event.revision() > revision);
        for event in later.filter(|event| event.entry.key.starts_with(prefix)) {
            let key = &event.entry.key;
            match &event.previous {
                Some(previous) if start.is_none_or(|start| &**key > start) => {
                    entries.insert(key.clone(), previous.clone());
                }
                _ => {
                    entries.remove(key);
                }
            }
        }
        Some(Page { entries: entries.into_values().collect(), revision })
    }

    /// The next events after `position`; `None` when they are no longer in memory.
    pub(super) fn events_after(&self, position: u64) -> Option<Vec<Arc<Event>>> {
        if position < self.recent_after {
            return None;
        }
        let from = self.recent.partition_point(|event| event.revision() <= position);
        Some(self.recent.range(from..).take(BATCH).cloned().collect())
    }

    /// Takes a committed event in.
    pub(super) fn apply(&mut self, event: Arc<Event>) {
        let (key, revision) = (event.entry.key.clone(), event.revision());
        match event.change {
            Change::Put => {
                self.tombstones.remove(&key);
                self.entries.insert(key, event.entry.clone());
            }
            Change::Delete => {
                self.entries.remove(&key);
                self.tombstones.insert(key, revision);
            }
        }
        self.revision = revision;
        self.topics.note(&event.entry.key, revision);
        self.recent_bytes += event.size();
        self.recent.push_back(event);
        self.trim();
    }

    fn trim(&mut self) {
        let (events, bytes) =
            if self.backed { (RECENT_EVENTS, RECENT_BYTES) } else { (UNBACKED_EVENTS, UNBACKED_BYTES) };
        while self.recent.len() > events || self.recent_bytes > bytes {
            let Some(event) = self.recent.pop_front() else { return };
            self.recent_bytes -= event.size();
            self.recent_after = event.revision();
            if !self.backed {
                self.forget(event.revision());
            }
        }
    }

    /// Moves the compaction mark up to `revision`.
    pub(super) fn forget(&mut self, revision: u64) {
        self.compacted = self.compacted.max(revision.min(self.revision));
        let mark = self.compacted;
        self.tombstones.retain(|_, at| *at > mark);
        while self.recent.front().is_some_and(|event| event.revision() <= mark) {
            if let Some(event) = self.recent.pop_front() {
                self.recent_bytes -= event.size();
                self.recent_after = self.recent_after.max(event.revision());
            }
        }
        self.recent_after = self.recent_after.max(mark);
    }
}
