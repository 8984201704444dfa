//! One suite, run against every kind of storage.

use std::sync::Arc;

use serde_json::json;

use super::*;

fn value(text: &str) -> Option<Encoded> {
    Some(Encoded::new(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u"}, "data": {"v": text}}),
    ))
}

fn put(store: &Store, key: &str, expect: Expect, text: &str) -> WriteResult {
    store.write_all_blocking(vec![Write { key: key.into(), expect, value: value(text) }]).remove(0)
}

fn delete(store: &Store, key: &str) -> WriteResult {
    store.write_all_blocking(vec![Write { key: key.into(), expect: Expect::Any, value: None }]).remove(0)
}

fn suite(test: impl Fn(&Store)) {
    test(&Store::open(&Storage::Memory).expect("opens"));
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Storage::Sqlite(folder.path().join("state.db"));
    test(&Store::open(&storage).expect("opens"));
}

fn texts(page: &Page) -> Vec<String> {
    page.entries.iter().map(|e| e.object("v1", "ConfigMap")["data"]["v"].as_str().unwrap_or_default().into()).collect()
}

#[test]
fn expectations_hold_or_nothing_is_written() {
    suite(|store| {
        let first = put(store, "/registry/x/a", Expect::Absent, "1").expect("created");
        assert_eq!(first.revision, 101);
        assert!(String::from_utf8_lossy(&first.json).contains(r#""resourceVersion":"101","uid":"u""#));
        assert!(matches!(put(store, "/registry/x/a", Expect::Absent, "2"), Err(WriteError::Conflict(Some(_)))));
        assert!(matches!(put(store, "/registry/x/a", Expect::Revision(7), "2"), Err(WriteError::Conflict(Some(_)))));
        let second = put(store, "/registry/x/a", Expect::Revision(101), "2").expect("updated");
        assert_eq!(second.revision, 102);
        let both = store.write_all_blocking(vec![
            Write { key: "/registry/x/b".into(), expect: Expect::Absent, value: value("b") },
            Write { key: "/registry/x/a".into(), expect: Expect::Absent, value: value("a") },
        ]);
        assert!(both.iter().all(Result::is_err));
        assert_eq!(store.get("/registry/x/b"), None);
        assert_eq!(store.revision(), 102);
    });
}

#[test]
fn the_past_is_listed_until_it_is_compacted() {
    suite(|store| {
        put(store, "/registry/x/a", Expect::Absent, "1").expect("created");
        put(store, "/registry/x/b", Expect::Absent, "1").expect("created");
        put(store, "/registry/x/a", Expect::Any, "2").expect("updated");
        delete(store, "/registry/x/b").expect("deleted");
        put(store, "/registry/x/b", Expect::Absent, "3").expect("made again");
        let at = |revision| store.list_at("/registry/x/", None, revision).map(|page| texts(&page));
        assert_eq!(at(101).ok(), Some(vec!["1".to_owned()]));
        assert_eq!(at(102).ok(), Some(vec!["1".to_owned(), "1".to_owned()]));
        assert_eq!(at(104).ok(), Some(vec!["2".to_owned()]));
        assert_eq!(at(105).ok(), Some(vec!["2".to_owned(), "3".to_owned()]));
        assert!(matches!(at(106), Err(StoreError::Future(105))));
        assert!(matches!(at(1), Err(StoreError::Compacted(100))));
        store.compact(104);
        // The writer works in order, so after this write the compaction has been done.
        put(store, "/registry/x/c", Expect::Absent, "4").expect("created");
        assert!(matches!(at(103), Err(StoreError::Compacted(104))));
        assert_eq!(at(104).ok(), Some(vec!["2".to_owned()]));
        assert!(matches!(store.events_after(103), Err(StoreError::Compacted(104))));
    });
}

#[test]
fn a_subscription_sees_every_change_in_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    suite(|store| {
        put(store, "/registry/x/a", Expect::Absent, "1").expect("created");
        let mut subscription = store.subscribe(100, "/registry/x/").expect("not compacted");
        delete(store, "/registry/x/a").expect("deleted");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(runtime.block_on(subscription.next()).expect("events"));
        }
        assert_eq!(
            seen.iter().map(|e| (e.change, e.revision())).collect::<Vec<_>>(),
            [(Change::Put, 101), (Change::Delete, 102)]
        );
        assert!(seen[1].previous.is_some());
        assert_eq!(seen[1].entry.object("v1", "ConfigMap")["metadata"]["resourceVersion"], "102");
    });
}

#[test]
fn a_database_is_read_back_and_history_survives() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Storage::Sqlite(folder.path().join("state.db"));
    let store = Store::open(&storage).expect("opens");
    put(&store, "/registry/x/a", Expect::Absent, "1").expect("created");
    put(&store, "/registry/x/a", Expect::Any, "2").expect("updated");
    put(&store, "/registry/x/b", Expect::Absent, "1").expect("created");
    delete(&store, "/registry/x/b").expect("deleted");
    let before: Vec<Arc<Event>> = store.events_after(100).expect("all events");
    store.close();
    assert!(matches!(put(&store, "/registry/x/z", Expect::Any, "1"), Err(WriteError::Store(StoreError::Closed))));
    let store = Store::open(&storage).expect("opens again");
    assert_eq!(store.revision(), 104);
    assert_eq!(texts(&store.list("/registry/", None)), ["2"]);
    assert_eq!(store.events_after(100).expect("all events"), before);
    assert_eq!(put(&store, "/registry/x/b", Expect::Absent, "3").expect("made again").revision, 105);
    store.compact(105);
    put(&store, "/registry/x/c", Expect::Absent, "3").expect("created");
    // The sweep goes in small steps when the writer is idle.
    std::thread::sleep(std::time::Duration::from_millis(200));
    store.close();
    let store = Store::open(&storage).expect("opens a third time");
    assert_eq!(store.compacted(), 105);
    assert_eq!(texts(&store.list("/registry/", None)), ["2", "3", "3"]);
}
