//! The log on disk.
//!
//! Table `log`: `id` is the revision, `previous` the revision of the key's row before (0 for none), `value` the JSON of
//! the object, null for a deletion. The unique pair of key and previous revision makes the database itself refuse a
//! lost update. Table `mark` holds the revision up to which history was forgotten.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::memory::{BATCH, State};
use super::{Change, Entry, Event, Page, StoreError};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    value BLOB,
    UNIQUE (key, previous)
);
CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL);
";

/// Rows deleted in one step of a compaction.
const STEP: i64 = 500;

/// One row to be written.
pub(super) struct Row<'a> {
    pub(super) revision: u64,
    pub(super) key: &'a str,
    pub(super) previous: u64,
    pub(super) value: Option<&'a [u8]>,
}

/// The writer's connection.
pub(super) struct Log {
    connection: Connection,
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -2048)?;
    Ok(connection)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

impl Log {
    /// Opens or makes the database; a new one starts counting after `first`.
    pub(super) fn open(path: &Path, first: u64) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        connection.execute_batch(SCHEMA)?;
        connection.execute("INSERT OR IGNORE INTO mark (id, revision) VALUES (0, ?1)", [signed(first)])?;
        connection.set_prepared_statement_cache_capacity(16);
        Ok(Self { connection })
    }

    /// Reads the present state back.
    pub(super) fn load(&mut self) -> Result<State, StoreError> {
        let compacted: i64 = self.connection.query_row("SELECT revision FROM mark", [], |row| row.get(0))?;
        let last: Option<i64> = self.connection.query_row("SELECT max(id) FROM log", [], |row| row.get(0))?;
        let mut entries = BTreeMap::new();
        let mut tombstones = BTreeMap::new();
        let mut statement = self
            .connection
            .prepare("SELECT id, key, value FROM log WHERE id IN (SELECT max(id) FROM log GROUP BY key)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key: Arc<str> = row.get::<_, String>(1)?.into();
            let revision = unsigned(row.get(0)?);
            match row.get::<_, Option<Vec<u8>>>(2)? {
                Some(value) => {
                    entries.insert(key.clone(), Arc::new(Entry::new(key, revision, Bytes::from(value))));
                }
                None => {
                    tombstones.insert(key, revision);
                }
            }
        }
        let revision = last.unwrap_or_default().max(compacted);
        Ok(State::restored(entries, tombstones, unsigned(revision), unsigned(compacted)))
    }

    /// Writes rows in one transaction; on return they are on disk.
    pub(super) fn append(&mut self, rows: &[Row<'_>]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO log (id, key, previous, value) VALUES (?1, ?2, ?3, ?4)")?;
            for row in rows {
                insert.execute(params![signed(row.revision), row.key, signed(row.previous), row.value])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Raises the mark. Rows below it go in later [`Log::sweep`]s.
    pub(super) fn mark(&mut self, revision: u64) -> Result<(), StoreError> {
        self.connection.execute("UPDATE mark SET revision = max(revision, ?1)", [signed(revision)])?;
        Ok(())
    }

    /// Deletes some rows up to `mark` that are neither present state nor history after the mark; true when there may
    /// be more.
    pub(super) fn sweep(&mut self, mark: u64) -> Result<bool, StoreError> {
        let deleted = self.connection.execute(
            "DELETE FROM log WHERE id IN (
                SELECT old.id FROM log AS old WHERE old.id <= ?1 AND (
                    old.value IS NULL OR
                    EXISTS (SELECT 1 FROM log AS new WHERE new.key = old.key AND new.previous = old.id AND new.id <= ?1)
                ) LIMIT ?2)",
            params![signed(mark), STEP],
        )?;
        Ok(deleted > 0)
    }

    /// Moves the write-ahead log into the database file.
    pub(super) fn checkpoint(&mut self) {
        // Failing leaves the write-ahead log as it is, which is read at the next start.
        let _: Result<i64, _> = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    }
}

/// A connection for reading history.
pub(super) struct Reader {
    connection: Connection,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: connect(path)? })
    }

    /// The list as it was at `revision`.
    pub(super) fn list_at(&self, prefix: &str, start: Option<&str>, revision: u64) -> Result<Page, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, key, value FROM log WHERE id IN (
                SELECT max(id) FROM log WHERE key >= ?1 AND key < ?2 AND id <= ?3 GROUP BY key
            ) AND value IS NOT NULL ORDER BY key",
        )?;
        let end = format!("{prefix}\u{10ffff}");
        let mut rows = statement.query(params![prefix, end, signed(revision)])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(1)?;
            if start.is_some_and(|start| key.as_str() <= start) {
                continue;
            }
            let json = Bytes::from(row.get::<_, Vec<u8>>(2)?);
            entries.push(Arc::new(Entry::new(key.into(), unsigned(row.get(0)?), json)));
        }
        Ok(Page { entries, revision })
    }

    /// The next events after `position`.
    pub(super) fn events_after(&self, position: u64) -> Result<Vec<Arc<Event>>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, key, previous, value FROM log WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = statement.query(params![signed(position), BATCH as i64])?;
        let mut events = Vec::new();
        let mut seen: HashMap<u64, Arc<Entry>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let revision = unsigned(row.get(0)?);
            let key: Arc<str> = row.get::<_, String>(1)?.into();
            let before = unsigned(row.get(2)?);
            let previous = match seen.get(&before) {
                Some(entry) => Some(entry.clone()),
                None => self.entry(before, &key)?,
            };
            let value: Option<Vec<u8>> = row.get(3)?;
            let event = match (value, &previous) {
                (Some(value), _) => {
                    let entry = Arc::new(Entry::new(key, revision, Bytes::from(value)));
                    seen.insert(revision, entry.clone());
                    Event { change: Change::Put, entry, previous }
                }
                (None, Some(last)) => {
                    Event { change: Change::Delete, entry: Arc::new(last.deleted_at(revision)), previous }
                }
                (None, None) => continue,
            };
            events.push(Arc::new(event));
        }
        Ok(events)
    }

    fn entry(&self, revision: u64, key: &Arc<str>) -> Result<Option<Arc<Entry>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM log WHERE id = ?1")?;
        let value: Option<Option<Vec<u8>>> = statement.query_row([signed(revision)], |row| row.get(0)).optional()?;
        Ok(value.flatten().map(|json| Arc::new(Entry::new(key.clone(), revision, Bytes::from(json)))))
    }
}
