//! A queue of keys: a key waits at most once, is never worked on twice at a time, comes back later when asked, and
//! waits longer after each failure.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Key;

/// The first and the longest wait after failures.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(30));

/// The work queue of one controller.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Key>,
    waiting: HashSet<Key>,
    working: HashSet<Key>,
    again: HashSet<Key>,
    later: BTreeMap<(Instant, u64), Key>,
    due: HashMap<Key, (Instant, u64)>,
    failures: HashMap<Key, u32>,
    serial: u64,
}

impl State {
    fn push(&mut self, key: Key) {
        if self.working.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn push_due(&mut self, now: Instant) {
        while let Some((&at, _)) = self.later.first_key_value().filter(|((at, _), _)| *at <= now) {
            if let Some(key) = self.later.remove(&at) {
                self.due.remove(&key);
                self.push(key);
            }
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves plain collections behind: still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a key now.
    pub fn add(&self, key: Key) {
        self.state().push(key);
        self.changed.notify_one();
    }

    /// Queues a key after a while; an earlier appointment of the same key stands.
    pub fn add_after(&self, key: Key, delay: Duration) {
        let at = Instant::now() + delay;
        let mut state = self.state();
        if let Some(known) = state.due.get(&key).copied() {
            if known.0 <= at {
                return;
            }
            state.later.remove(&known);
        }
        state.serial += 1;
        let at = (at, state.serial);
        state.later.insert(at, key.clone());
        state.due.insert(key, at);
        drop(state);
        self.changed.notify_one();
    }

    /// Queues a key after its failure: each one in a row doubles the wait.
    pub fn add_failed(&self, key: Key) {
        let failures = {
            let mut state = self.state();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures += 1;
            *failures
        };
        let wait = BACKOFF.0.saturating_mul(1 << failures.clamp(1, 14)).min(BACKOFF.1);
        self.add_after(key, wait);
    }

    /// Forgets the failures of a key.
    pub fn succeeded(&self, key: &Key) {
        self.state().failures.remove(key);
    }

    /// The next key; waits until there is one. Give it back with [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let until = {
                let mut state = self.state();
                state.push_due(Instant::now());
                if let Some(key) = state.ready.pop_front() {
                    state.waiting.remove(&key);
                    state.working.insert(key.clone());
                    if !state.ready.is_empty() {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.later.first_key_value().map(|((at, _), _)| *at)
            };
            match until {
                Some(at) => tokio::select! { () = changed => {}, () = tokio::time::sleep_until(at) => {} },
                None => changed.await,
            }
        }
    }

    /// Ends the work on a key; it is queued again when it changed meanwhile.
    pub fn done(&self, key: &Key) {
        let mut state = self.state();
        state.working.remove(key);
        if state.again.remove(key) {
            state.push(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Whether nothing is queued, worked on, or due within `horizon`.
    pub fn is_idle(&self, horizon: Duration) -> bool {
        let state = self.state();
        let soon = Instant::now() + horizon;
        state.ready.is_empty()
            && state.working.is_empty()
            && state.later.first_key_value().is_none_or(|((at, _), _)| *at > soon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: "default".into(), name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_is_worked_on_once() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("b"));
        queue.done(&key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"));
        queue.done(&key("b"));
        assert!(queue.is_idle(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn later_keys_come_in_time_and_failures_wait_longer() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add_after(key("slow"), Duration::from_secs(5));
        queue.add_after(key("slow"), Duration::from_secs(9));
        queue.add_after(key("quick"), Duration::from_secs(1));
        assert!(!queue.is_idle(Duration::from_secs(2)));
        assert_eq!(queue.next().await, key("quick"));
        assert_eq!(queue.next().await, key("slow"));
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.done(&key("slow"));
        queue.add_failed(key("slow"));
        let first = Instant::now();
        queue.next().await;
        let first = first.elapsed();
        queue.done(&key("slow"));
        queue.add_failed(key("slow"));
        let second = Instant::now();
        queue.next().await;
        assert!(second.elapsed() > first);
    }
}
