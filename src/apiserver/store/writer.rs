//! The writer's thread: group commit and compaction.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::sqlite::{Log, Row};
use super::{Change, Entry, Event, Expect, Inner, StoreError, Write, WriteError, WriteResult};

/// Writes that one commit carries at most.
const GROUP: usize = 1024;
/// History is kept for at least this long.
const KEEP: Duration = Duration::from_secs(300);
/// Pause between the small steps of a compaction.
const PAUSE: Duration = Duration::from_millis(20);

/// What is called with the outcome of writes.
pub(super) type Reply = Box<dyn FnOnce(Vec<WriteResult>) + Send>;

/// What the thread is asked to do.
pub(super) enum Job {
    Write(Vec<Write>, Reply),
    Compact(u64),
    Close(mpsc::Sender<()>),
}

/// The other end of the thread.
pub(super) struct Handle {
    jobs: Mutex<Sender<Job>>,
}

pub(super) fn channel() -> (Handle, Receiver<Job>) {
    let (jobs, receiver) = mpsc::channel();
    (Handle { jobs: Mutex::new(jobs) }, receiver)
}

impl Handle {
    fn send(&self, job: Job) -> bool {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job).is_ok()
    }

    /// Hands writes over; `reply` is dropped uncalled when the store is closed.
    pub(super) fn submit(&self, writes: Vec<Write>, reply: Reply) {
        self.send(Job::Write(writes, reply));
    }

    pub(super) fn compact(&self, revision: u64) {
        self.send(Job::Compact(revision));
    }

    pub(super) fn close(&self) {
        let (done, receiver) = mpsc::channel();
        if self.send(Job::Close(done)) {
            // An error means that the thread has ended, which is what is waited for.
            let _ = receiver.recv();
        }
    }
}

/// The answers to `count` writes of a store that is closed.
pub(super) fn closed(count: usize) -> Vec<WriteResult> {
    (0..count).map(|_| Err(WriteError::Store(StoreError::Closed))).collect()
}

/// Starts the thread. It ends when the store is dropped or closed.
pub(super) fn spawn(
    jobs: Receiver<Job>,
    store: Weak<Inner>,
    log: Option<Log>,
    revision: tokio::sync::watch::Sender<u64>,
) -> std::io::Result<()> {
    let writer = Writer { store, log, revision, sweeping: None, marks: VecDeque::new() };
    std::thread::Builder::new().name("store".into()).spawn(move || writer.run(&jobs)).map(drop)
}

struct Writer {
    store: Weak<Inner>,
    log: Option<Log>,
    revision: tokio::sync::watch::Sender<u64>,
    /// The mark below which rows are still being deleted.
    sweeping: Option<u64>,
    /// Revisions with the time at which they were the latest, oldest first.
    marks: VecDeque<(Instant, u64)>,
}

type Batch = Vec<(Vec<Write>, Reply)>;

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        self.serve(jobs);
        if let Some(store) = self.store.upgrade() {
            store.state.write().unwrap_or_else(PoisonError::into_inner).topics.close();
        }
    }

    fn serve(&mut self, jobs: &Receiver<Job>) {
        let mut waiting = None;
        loop {
            let pause = if self.sweeping.is_some() { PAUSE } else { KEEP / 5 };
            let job = match waiting.take() {
                Some(job) => Ok(job),
                None => jobs.recv_timeout(pause),
            };
            match job {
                Ok(Job::Write(writes, reply)) => waiting = self.group(jobs, writes, reply),
                Ok(Job::Compact(revision)) => self.compact(revision),
                Ok(Job::Close(done)) => {
                    self.checkpoint();
                    // Whoever asked may have gone; the thread ends all the same.
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.housekeeping(),
                Err(RecvTimeoutError::Disconnected) => return self.checkpoint(),
            }
        }
    }

    fn checkpoint(&mut self) {
        if let Some(log) = &mut self.log {
            log.checkpoint();
        }
    }

    /// Commits a write together with those that wait behind it; gives back the first other job found.
    fn group(&mut self, jobs: &Receiver<Job>, writes: Vec<Write>, reply: Reply) -> Option<Job> {
        let mut count = writes.len();
        let mut batch = vec![(writes, reply)];
        let mut other = None;
        while count < GROUP {
            match jobs.try_recv() {
                Ok(Job::Write(writes, reply)) => {
                    count += writes.len();
                    batch.push((writes, reply));
                }
                Ok(job) => {
                    other = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(batch);
        other
    }

    fn commit(&mut self, batch: Batch) {
        let Some(store) = self.store.upgrade() else {
            return batch.into_iter().for_each(|(writes, reply)| reply(closed(writes.len())));
        };
        let mut staged = Staged::new(&store);
        let answers: Vec<_> = batch.into_iter().map(|(writes, reply)| (staged.judge(&writes), reply)).collect();
        let failure = self.log.as_mut().and_then(|log| staged.append(log).err());
        if failure.is_none() {
            let mut state = store.state.write().unwrap_or_else(PoisonError::into_inner);
            staged.events.iter().for_each(|event| state.apply(event.clone()));
            let (revision, waiting) = (state.revision(), state.topics.due());
            drop(state);
            self.revision.send_replace(revision);
            for sender in waiting {
                sender.send_replace(());
            }
        }
        for (results, reply) in answers {
            let results = match &failure {
                Some(error) => results.iter().map(|_| Err(WriteError::Store(error.clone()))).collect(),
                None => results,
            };
            reply(results);
        }
    }

    fn housekeeping(&mut self) {
        if let Some(mark) = self.sweeping {
            let more = self.log.as_mut().is_some_and(|log| log.sweep(mark).unwrap_or_default());
            if !more {
                self.sweeping = None;
            }
            return;
        }
        let now = Instant::now();
        self.marks.push_back((now, *self.revision.borrow()));
        let mut due = None;
        while self.marks.front().is_some_and(|(at, _)| now.duration_since(*at) >= KEEP) {
            due = self.marks.pop_front().map(|(_, revision)| revision);
        }
        if let Some(revision) = due {
            self.compact(revision);
        }
    }

    fn compact(&mut self, revision: u64) {
        let Some(store) = self.store.upgrade() else { return };
        let mark = {
            let mut state = store.state.write().unwrap_or_else(PoisonError::into_inner);
            state.forget(revision);
            state.compacted()
        };
        if let Some(log) = &mut self.log
            && log.mark(mark).is_ok()
        {
            self.sweeping = Some(mark);
        }
    }
}

/// The writes of one commit, judged in order against the state and against each other.
struct Staged<'a> {
    store: &'a Inner,
    changed: HashMap<Arc<str>, Head>,
    events: Vec<Arc<Event>>,
    /// The previous row of each event's key.
    before: Vec<u64>,
    revision: u64,
}

/// What a key holds, and the revision of its last row.
#[derive(Clone)]
struct Head {
    entry: Option<Arc<Entry>>,
    row: u64,
}

impl<'a> Staged<'a> {
    fn new(store: &'a Inner) -> Self {
        let revision = store.state.read().unwrap_or_else(PoisonError::into_inner).revision();
        Self { store, changed: HashMap::new(), events: Vec::new(), before: Vec::new(), revision }
    }

    fn head(&self, key: &str) -> Head {
        if let Some(head) = self.changed.get(key) {
            return head.clone();
        }
        let state = self.store.state.read().unwrap_or_else(PoisonError::into_inner);
        Head { entry: state.get(key), row: state.last_row(key).unwrap_or_default() }
    }

    /// Stages all of `writes`, or none.
    fn judge(&mut self, writes: &[Write]) -> Vec<WriteResult> {
        let unmet: Vec<Option<Head>> = writes
            .iter()
            .map(|write| {
                let head = self.head(&write.key);
                let revision = head.entry.as_ref().map(|entry| entry.revision);
                let met = match write.expect {
                    Expect::Absent => revision.is_none(),
                    Expect::Revision(expected) => revision == Some(expected),
                    Expect::Any => true,
                };
                let nothing_to_delete = write.value.is_none() && revision.is_none();
                (!met || nothing_to_delete).then_some(head)
            })
            .collect();
        if unmet.iter().any(Option::is_some) {
            return unmet.into_iter().map(|head| Err(WriteError::Conflict(head.and_then(|h| h.entry)))).collect();
        }
        writes.iter().map(|write| self.stage(write)).collect()
    }

    fn stage(&mut self, write: &Write) -> WriteResult {
        let head = self.head(&write.key);
        self.revision += 1;
        let revision = self.revision;
        let key: Arc<str> = head.entry.as_ref().map_or_else(|| write.key.as_str().into(), |entry| entry.key.clone());
        let (change, entry) = match (&write.value, &head.entry) {
            (Some(value), _) => (Change::Put, Entry::new(key.clone(), revision, value.fill(revision))),
            (None, Some(last)) => (Change::Delete, last.deleted_at(revision)),
            (None, None) => return Err(WriteError::Conflict(None)),
        };
        let entry = Arc::new(entry);
        let present = (change == Change::Put).then(|| entry.clone());
        self.changed.insert(key, Head { entry: present, row: revision });
        self.events.push(Arc::new(Event { change, entry: entry.clone(), previous: head.entry }));
        self.before.push(head.row);
        Ok(entry)
    }

    fn append(&self, log: &mut Log) -> Result<(), StoreError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row<'_>> = self
            .events
            .iter()
            .zip(&self.before)
            .map(|(event, previous)| Row {
                revision: event.revision(),
                key: &event.entry.key,
                previous: *previous,
                value: (event.change == Change::Put).then_some(&*event.entry.json),
            })
            .collect();
        log.append(&rows)
    }
}
