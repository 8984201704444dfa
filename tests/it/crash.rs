//! Kills: writers at full speed over HTTPS, the server killed at random moments and started again, many times.
//!
//! What must hold after every kill: each acknowledged write is there (or a later one of the same writer), no
//! resourceVersion is given twice, and a watch that goes on from its last version sees each change exactly once, in
//! order. `KNARR_CRASHES` sets the number of kills, `KNARR_CRASH_SEED` repeats a run.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use knarr::client::{Client, Event, EventKind, Request};
use knarr::testing::cluster::TestCluster;
use serde_json::{Value, json};

use crate::support::program;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Writers at the same time.
const WRITERS: usize = 4;
/// Objects of each writer.
const OBJECTS: u64 = 5;
/// Longest life of a server, in milliseconds.
const LIFE: u64 = 150;

/// A generator of numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The present moment as a seed for runs that name none.
fn any_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |time| time.as_secs())
}

/// One write as its writer knows it.
#[derive(Clone, Debug, PartialEq)]
enum Wish {
    /// The object with this step in it.
    Step(u64),
    /// No object.
    Gone,
}

/// What one writer knows of one of its objects.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The last acknowledged state; `None` before the first.
    acknowledged: Option<Wish>,
    /// A write that was sent later and got no answer: it may have happened or not.
    open: Option<Wish>,
    /// Highest resourceVersion that was acknowledged.
    version: u64,
}

type Objects = BTreeMap<String, Known>;

fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a version")
}

fn step_of(object: &Value) -> u64 {
    object["data"]["step"].as_str().and_then(|text| text.parse().ok()).expect("a step")
}

/// A writer: creates, changes and deletes its objects one after the other as fast as they are acknowledged.
struct Writer {
    id: usize,
    step: u64,
    objects: Objects,
    /// Versions that were acknowledged; none may come twice, from whomever.
    versions: Vec<u64>,
}

impl Writer {
    async fn write(&mut self, client: &Client, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.step += 1;
            let name = format!("w{}-{}", self.id, self.step % OBJECTS);
            let known = self.objects.entry(name.clone()).or_default();
            // After a failure it is not known what stands; an apply fits either way.
            let gone = known.open.is_none() && known.acknowledged != Some(Wish::Gone) && self.step.is_multiple_of(7);
            let (wish, request) = if gone && known.acknowledged.is_some() {
                (Wish::Gone, Request::delete(format!("{MAPS}/{name}"), &json!({})))
            } else {
                let object = json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                    "data": {"step": self.step.to_string()},
                });
                let path = format!("{MAPS}/{name}");
                let apply = Request::patch(path, "application/apply-patch+yaml", object.to_string());
                (Wish::Step(self.step), apply.query("fieldManager", "writer").query("force", "true"))
            };
            known.open = Some(wish.clone());
            let Ok(answer) = client.json(request).await else { return };
            known.open = None;
            if wish != Wish::Gone {
                assert_eq!(Wish::Step(step_of(&answer)), wish, "the answer shows what was written");
                known.version = version_of(&answer);
                self.versions.push(known.version);
            }
            known.acknowledged = Some(wish);
        }
    }
}

/// A watcher that goes on from its last version after every break.
#[derive(Default)]
struct Watcher {
    version: u64,
    /// Every event, by version.
    seen: BTreeMap<u64, Event>,
}

impl Watcher {
    async fn watch(&mut self, client: &Client) {
        let request = Request::get(MAPS).query("watch", "true").query("allowWatchBookmarks", "true");
        let request = request.query("resourceVersion", self.version.to_string());
        let Ok(mut watch) = client.watch(request).await else { return };
        // A broken stream ends the watch as an ended one does; an error of the server's must not come.
        loop {
            match watch.next().await {
                Ok(Some(event)) => self.take(event),
                Err(knarr::client::Error::Status(status)) => panic!("the watch was refused: {}", status.message),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, event: Event) {
        let version = version_of(&event.object);
        if event.kind == EventKind::Bookmark {
            assert!(version >= self.version, "a bookmark goes back");
        } else {
            assert!(version > self.version, "{version} after {}: not in order, or seen before", self.version);
            self.seen.insert(version, event);
        }
        self.version = version;
    }
}

/// What all lives of the server have left behind.
struct Trial {
    writers: Vec<Writer>,
    watcher: Watcher,
    random: Random,
}

impl Trial {
    /// One life: writers and watcher work until the server is killed under them.
    fn live(&mut self, runtime: &tokio::runtime::Runtime, folder: &Path) {
        let mut server = start(folder);
        let clients: Vec<Client> = (0..=WRITERS).map(|_| server.client().expect("a client")).collect();
        runtime.block_on(self.check(&clients[WRITERS]));
        let life = Duration::from_millis(self.random.below(LIFE));
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(life);
            server.kill().expect("it is killed");
            flag.store(true, Ordering::Relaxed);
        });
        runtime.block_on(async {
            let writers = self.writers.iter_mut().zip(&clients).map(|(writer, client)| writer.write(client, &stop));
            let watcher = self.watcher.watch(&clients[WRITERS]);
            let writers = futures_util::future::join_all(writers);
            tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(writers, watcher) })
                .await
                .expect("everything ends when the server is killed");
        });
        killer.join().expect("the killer");
    }

    /// Holds what the server has against what was acknowledged, and takes it for acknowledged from now on.
    async fn check(&mut self, client: &Client) {
        let list = client.json(Request::get(MAPS)).await.expect("a list");
        let live: BTreeMap<&str, &Value> = list["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|object| Some((object["metadata"]["name"].as_str()?, object)))
            .collect();
        for (name, known) in self.writers.iter_mut().flat_map(|writer| &mut writer.objects) {
            let found = live.get(name.as_str());
            let stands = found.map_or(Wish::Gone, |object| Wish::Step(step_of(object)));
            let acknowledged = known.acknowledged.clone().unwrap_or(Wish::Gone);
            assert!(
                stands == acknowledged || known.open.as_ref() == Some(&stands),
                "{name}: acknowledged {acknowledged:?}, under way {:?}, but found {stands:?}",
                known.open
            );
            if let Some(object) = found {
                assert!(version_of(object) >= known.version, "{name}: its version goes back");
            }
            *known = Known {
                acknowledged: Some(stands),
                open: None,
                version: found.map_or(known.version, |object| version_of(object)),
            };
        }
    }

    /// What only the end can show: the watch has seen every version that was acknowledged, and the present state.
    async fn finish(&mut self, client: &Client) {
        self.check(client).await;
        let list = client.json(Request::get(MAPS)).await.expect("a list");
        let last = version_of(&list);
        let request = Request::get(MAPS).query("watch", "true").query("timeoutSeconds", "1");
        let mut watch =
            client.watch(request.query("resourceVersion", self.watcher.version.to_string())).await.expect("a watch");
        while let Some(event) = watch.next().await.expect("an unbroken watch") {
            self.watcher.take(event);
        }
        assert!(self.watcher.version <= last);
        let mut given = HashSet::new();
        for version in self.writers.iter().flat_map(|writer| &writer.versions) {
            assert!(given.insert(*version), "version {version} was given twice");
            assert!(self.watcher.seen.contains_key(version), "the watch missed version {version}");
        }
        let mut state: BTreeMap<String, u64> = BTreeMap::new();
        for (version, event) in &self.watcher.seen {
            let name = event.object["metadata"]["name"].as_str().expect("a name").to_owned();
            match event.kind {
                EventKind::Added => assert_eq!(state.insert(name, *version), None, "added twice at {version}"),
                EventKind::Modified => {
                    assert!(state.insert(name, *version).is_some(), "changed, not added, at {version}")
                }
                EventKind::Deleted => assert!(state.remove(&name).is_some(), "deleted twice at {version}"),
                EventKind::Bookmark => {}
            }
        }
        let items = list["items"].as_array().expect("items");
        let expected: BTreeMap<String, u64> = items
            .iter()
            .map(|object| (object["metadata"]["name"].as_str().expect("a name").to_owned(), version_of(object)))
            .collect();
        assert_eq!(state, expected, "the events add up to the present state");
    }
}

fn start(folder: &Path) -> TestCluster {
    TestCluster::start(program(), folder, &["--controllers=none", "--nodes=0"]).expect("the server comes back")
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let kills = number("KNARR_CRASHES").unwrap_or(100);
    let seed = number("KNARR_CRASH_SEED").unwrap_or_else(any_seed);
    println!("{kills} kills, KNARR_CRASH_SEED={seed}");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let writer = |id| Writer { id, step: 0, objects: Objects::new(), versions: Vec::new() };
    let mut trial =
        Trial { writers: (0..WRITERS).map(writer).collect(), watcher: Watcher::default(), random: Random(seed) };
    // The watch begins before the first write.
    let server = start(scratch.path());
    let client = server.client().expect("a client");
    trial.watcher.version = version_of(&runtime.block_on(client.json(Request::get(MAPS))).expect("a list"));
    drop(server);
    for _ in 0..kills {
        trial.live(&runtime, scratch.path());
    }
    let server = start(scratch.path());
    let client = server.client().expect("a client");
    runtime.block_on(trial.finish(&client));
    let written: usize = trial.writers.iter().map(|writer| writer.versions.len()).sum();
    println!("{written} writes acknowledged, {} events seen", trial.watcher.seen.len());
    assert!(written > 0, "nothing was written between the kills");
}
