//! The life of clusters: data folders, locks, background processes, signals.

use std::path::Path;

use knarr::testing::cluster::TestCluster;

use crate::support::{program, run};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

/// Runs a line in a folder; gives the three outputs as one text.
fn knarr(folder: &Path, line: &str, stdin: &str) -> String {
    run(folder, "knarr", &line.split_whitespace().collect::<Vec<_>>(), stdin).text()
}

/// Ends the background cluster of a test that fails half-way.
struct Stop<'a>(&'a Path);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        knarr(self.0, "cluster stop bg", "");
    }
}

#[test]
fn a_background_cluster_lives_and_is_joined() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let _stop = Stop(folder);
    assert_eq!(knarr(folder, "--embedded=bg apply -f -", MAP), "configmap/a created\n[0]");
    let started = knarr(folder, "cluster start bg", "");
    assert!(started.starts_with("cluster \"bg\" started: https://127.0.0.1:"), "{started}");
    assert!(started.ends_with("current context is now \"knarr-bg\"\n[0]"), "{started}");
    // The same data through the context and through the folder's name.
    assert_eq!(knarr(folder, "get cm a -o name", ""), "configmap/a\n[0]");
    assert_eq!(knarr(folder, "--embedded=bg get cm a -o name", ""), "configmap/a\n[0]");
    let again = knarr(folder, "cluster start bg", "");
    assert!(again.starts_with("cluster \"bg\" is running already: "), "{again}");
    let status = knarr(folder, "cluster status bg", "");
    assert!(status.contains("state:  running (process ") && status.ends_with("[0]"), "{status}");
    let list = knarr(folder, "cluster list", "");
    assert!(list.lines().any(|line| line.starts_with("bg") && line.contains("running")), "{list}");
    assert_eq!(knarr(folder, "cluster reset bg", ""), "cluster \"bg\" is empty\n[0]");
    assert_eq!(knarr(folder, "get cm a --ignore-not-found", ""), "[0]");
    assert_eq!(knarr(folder, "create -f -", MAP), "configmap/a created\n[0]");
    assert_eq!(knarr(folder, "cluster stop bg", ""), "cluster \"bg\" stopped\n[0]");
    assert_eq!(knarr(folder, "cluster stop bg", ""), "cluster \"bg\" was not running\n[0]");
    assert!(knarr(folder, "cluster status bg", "").ends_with("state:  stopped\n[1]"));
    assert_eq!(knarr(folder, "--embedded=bg get cm a -o name", ""), "configmap/a\n[0]");
    assert_eq!(knarr(folder, "cluster delete bg", ""), "cluster \"bg\" deleted\n[0]");
    assert_eq!(knarr(folder, "cluster list", ""), "No clusters found.\n[0]");
    assert_eq!(knarr(folder, "config get-contexts -o name", ""), "[0]");
    let unknown = knarr(folder, "cluster stop bg", "");
    assert!(unknown.starts_with("error: there is no cluster \"bg\"\n") && unknown.ends_with("[1]"), "{unknown}");
}

#[test]
fn a_data_folder_has_one_server_at_a_time() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let server = TestCluster::start(program(), scratch.path(), &[]).expect("the cluster serves");
    let second = knarr(scratch.path(), "cluster run --port=0 --data-dir=data", "");
    let expected = format!("error: cluster \"data\" is in use by process {} (", server.pid());
    assert!(second.starts_with(&expected) && second.ends_with("[1]"), "{second}");
}

#[test]
fn commands_at_the_same_time_do_not_lose_writes() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    knarr(folder, "--embedded=busy get ns", "");
    let outcomes: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|i| {
                scope.spawn(move || {
                    knarr(folder, "--embedded=busy create -f -", &MAP.replace("name: a", &format!("name: w{i}")))
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    });
    // Whoever did not get the folder says who has it; whoever said "created" has created.
    let names = knarr(folder, "--embedded=busy get cm -o name", "");
    for (i, outcome) in outcomes.iter().enumerate() {
        let there = names.lines().any(|name| name == format!("configmap/w{i}"));
        match outcome.as_str() {
            created if created == format!("configmap/w{i} created\n[0]") => assert!(there, "{names}"),
            refused => {
                assert!(refused.starts_with("error: cluster \"busy\" is in use by process "), "{refused}");
                assert!(!there, "{names}");
            }
        }
    }
    assert!(outcomes.iter().any(|outcome| outcome.ends_with("created\n[0]")), "{outcomes:?}");
}

#[test]
fn sigterm_ends_a_cluster_cleanly() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let server = TestCluster::start(program(), scratch.path(), &[]).expect("the cluster serves");
    assert_eq!(knarr(scratch.path(), "--kubeconfig=kubeconfig create -f -", MAP), "configmap/a created\n[0]");
    let status = server.stop().expect("it ends");
    assert_eq!(status.code(), Some(0));
    // The log has been moved into the database file, and the next server finds everything.
    let wal = scratch.path().join("data/store.db-wal");
    assert!(wal.metadata().map_or(true, |wal| wal.len() == 0), "the log was left behind");
    let server = TestCluster::start(program(), scratch.path(), &["--controllers=none"]).expect("it serves again");
    assert_eq!(knarr(scratch.path(), "--kubeconfig=kubeconfig get cm a -o name", ""), "configmap/a\n[0]");
    assert_eq!(server.stop().expect("it ends").code(), Some(0));
}

#[test]
fn clusters_in_memory_keep_nothing() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    assert_eq!(knarr(folder, "--embedded=memory create -f -", MAP), "configmap/a created\n[0]");
    assert_eq!(knarr(folder, "--embedded=memory get cm a --ignore-not-found", ""), "[0]");
    assert!(!folder.join(".local").exists());
}

#[test]
fn nothing_is_served_without_being_asked_for() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let told = knarr(scratch.path(), "get pods", "");
    assert!(told.contains("--embedded") && told.ends_with("[1]"), "{told}");
}
