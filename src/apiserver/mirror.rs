//! What a part of the server wants to know of some stored objects, kept ready in memory and brought up to date from the
//! store's log whenever it is asked for: as fresh as the store itself, without parsing an object twice.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::store::{Change, Entry, Store, StoreError};

/// Parsed objects by key.
pub type Items<T> = Arc<BTreeMap<Arc<str>, Arc<T>>>;

/// The objects under some prefixes, each parsed once.
pub struct Mirror<T> {
    prefixes: &'static [&'static str],
    parse: fn(&Entry) -> T,
    state: RwLock<State<T>>,
}

struct State<T> {
    /// The revision up to which the log has been read; nothing before the first question.
    position: Option<u64>,
    items: Items<T>,
}

impl<T> Mirror<T> {
    /// A mirror of what stands under `prefixes` (`/registry/roles/`); nothing is read yet.
    pub fn new(prefixes: &'static [&'static str], parse: fn(&Entry) -> T) -> Self {
        Self { prefixes, parse, state: RwLock::new(State { position: None, items: Arc::default() }) }
    }

    /// The objects as of now.
    pub fn items(&self, store: &Store) -> Items<T> {
        let now = store.revision();
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.position.is_some_and(|position| position >= now) {
                return state.items.clone();
            }
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let caught_up = match state.position {
            Some(position) => self.follow(store, &mut state, position).is_ok(),
            None => false,
        };
        if !caught_up {
            self.load(store, &mut state);
        }
        state.items.clone()
    }

    fn load(&self, store: &Store, state: &mut State<T>) {
        // Writes between two lists are seen again in the log, which does no harm.
        let position = store.revision();
        let mut items = BTreeMap::new();
        for entry in self.prefixes.iter().flat_map(|prefix| store.list(prefix, None).entries) {
            items.insert(entry.key.clone(), Arc::new((self.parse)(&entry)));
        }
        *state = State { position: Some(position), items: Arc::new(items) };
    }

    fn follow(&self, store: &Store, state: &mut State<T>, mut position: u64) -> Result<(), StoreError> {
        loop {
            let events = store.events_after(position)?;
            let Some(last) = events.last() else { break };
            position = last.revision();
            for event in events.iter().filter(|event| self.has(&event.entry.key)) {
                let items = Arc::make_mut(&mut state.items);
                match event.change {
                    Change::Put => {
                        drop(items.insert(event.entry.key.clone(), Arc::new((self.parse)(&event.entry))));
                    }
                    Change::Delete => drop(items.remove(&event.entry.key)),
                }
            }
        }
        state.position = Some(position);
        Ok(())
    }

    fn has(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::{Encoded, Expect, Storage, Write};
    use super::*;

    fn put(store: &Store, key: &str, value: Option<serde_json::Value>) {
        let value = value.map(|value| Encoded::new(&value));
        let results = store.write_all_blocking(vec![Write { key: key.into(), expect: Expect::Any, value }]);
        assert!(results.iter().all(Result::is_ok));
    }

    #[test]
    fn changes_are_seen_at_once() {
        let store = Store::open(&Storage::Memory).expect("a store");
        let mirror = Mirror::new(&["/registry/a/"], |entry| entry.json.len());
        put(&store, "/registry/a/x", Some(serde_json::json!({"n": 1})));
        assert_eq!(mirror.items(&store).len(), 1);
        put(&store, "/registry/b/x", Some(serde_json::json!({"n": 1})));
        put(&store, "/registry/a/y", Some(serde_json::json!({"n": 1})));
        assert_eq!(mirror.items(&store).len(), 2);
        put(&store, "/registry/a/x", None);
        assert_eq!(mirror.items(&store).keys().map(|k| &**k).collect::<Vec<_>>(), ["/registry/a/y"]);
    }
}
