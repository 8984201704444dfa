//! A server under load, over HTTPS as any client: time to ready, memory, durable writes, big lists, many watchers.
//!
//! `cargo bench --bench server`; `-- --pods N --watchers N` for other sizes. It prints one line per figure. `KNARR`
//! names another binary as the server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use knarr::client::{Client, EventKind, Request};
use knarr::testing::cluster::TestCluster;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
/// Housekeeping only: other controllers would change what is measured.
const FLAGS: &[&str] = &["--controllers=core", "--nodes=0"];
/// How long writers write.
const WRITING: Duration = Duration::from_secs(4);

/// The server under test: the binary that `KNARR` names, or the one that was built with this bench.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::var_os("KNARR").map_or_else(|| env!("CARGO_BIN_EXE_knarr").into(), PathBuf::from));
    &PROGRAM
}

/// A number given as `--name N`.
fn argument(name: &str) -> Option<usize> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)?.parse().ok()
}

fn told(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<52} {figure}");
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The median time of several runs.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Resident memory of a process, as Linux tells it.
fn memory(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    format!("{:.1} MB", kilobytes / 1024.0)
}

fn pod(i: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{i}"), "labels": {"app": "web", "pod-template-hash": "5d8f7c9b4d"}},
        "spec": {"containers": [{
            "name": "web", "image": "web:1", "ports": [{"containerPort": 80}],
            "env": [{"name": "LOG_LEVEL", "value": "info"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        }]},
    })
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}})
}

fn time_to_ready(folder: &Path) -> Outcome<()> {
    let start = || -> Outcome<Duration> {
        let begin = Instant::now();
        let server = TestCluster::start(program(), folder, FLAGS)?;
        let took = begin.elapsed();
        server.stop()?;
        Ok(took)
    };
    told("time to ready, new store", milliseconds(start()?));
    let times = (0..11).map(|_| start()).collect::<Outcome<Vec<_>>>()?;
    told("time to ready, existing store (median of 11)", milliseconds(median(times)));
    Ok(())
}

/// Durable creates per second with `count` clients, each with a connection of its own.
async fn creates(server: &TestCluster, count: usize) -> Outcome<()> {
    let clients = (0..count).map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    // The handshakes are no part of it.
    join_all(clients.iter().map(|client| client.json(Request::get("/version")))).await;
    let begin = Instant::now();
    let made = join_all(clients.iter().enumerate().map(async |(id, client)| {
        let mut made = 0_usize;
        while begin.elapsed() < WRITING {
            client.json(Request::post(MAPS, &map(&format!("m-{count}-{id}-{made}")))).await?;
            made += 1;
        }
        Ok::<_, knarr::client::Error>(made)
    }))
    .await;
    let made = made.into_iter().sum::<Result<usize, _>>()?;
    let rate = made as f64 / begin.elapsed().as_secs_f64();
    told(&format!("durable creates per second, {count} clients"), format!("{rate:.0}"));
    Ok(())
}

async fn fill(server: &TestCluster, count: usize) -> Outcome<()> {
    let client = server.client()?;
    let lanes = 32;
    let made = join_all((0..lanes).map(async |lane| {
        for i in (lane..count).step_by(lanes) {
            client.json(Request::post(PODS, &pod(i))).await?;
        }
        Ok::<_, knarr::client::Error>(())
    }));
    made.await.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}

async fn lists(client: &Client, count: usize) -> Outcome<()> {
    for (name, accept) in [("JSON", "application/json"), ("Table", TABLE)] {
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..7 {
            let begin = Instant::now();
            let answer = client.call(Request::get(PODS).accept(accept)).await?;
            times.push(begin.elapsed());
            size = answer.body.len();
        }
        let figure = format!("{} ({:.1} MB)", milliseconds(median(times)), size as f64 / 1e6);
        told(&format!("list of {count} pods as {name} (median of 7)"), figure);
    }
    Ok(())
}

/// Events that reach all watchers: `count` watchers see each of a series of writes.
async fn fan_out(server: &TestCluster, count: usize) -> Outcome<()> {
    const WRITES: usize = 50;
    /// Watches on one connection.
    const SHARE: usize = 100;
    let clients = (0..count.div_ceil(SHARE)).map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    let clients: Vec<_> = clients.into_iter().map(Arc::new).collect();
    let list = clients[0].json(Request::get(MAPS).query("limit", "1")).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let watches = (0..count).map(|i| {
        let request = Request::get(MAPS).query("watch", "true").query("resourceVersion", &version);
        let client = clients[i / SHARE].clone();
        async move { client.watch(request).await }
    });
    let watches = join_all(watches).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    told(&format!("resident memory with {count} watchers"), memory(server.pid()));
    let begin = Instant::now();
    let readers = watches.into_iter().map(|mut watch| {
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < WRITES {
                match watch.next().await {
                    Ok(Some(event)) if event.kind == EventKind::Added => seen += 1,
                    Ok(Some(_)) => {}
                    _ => break,
                }
            }
            seen
        })
    });
    let readers: Vec<_> = readers.collect();
    for i in 0..WRITES {
        clients[0].json(Request::post(MAPS, &map(&format!("fan-{i}")))).await?;
    }
    let mut seen = 0;
    for reader in readers {
        seen += reader.await?;
    }
    let took = begin.elapsed();
    assert_eq!(seen, WRITES * count, "events were lost");
    let rate = seen as f64 / took.as_secs_f64();
    told(&format!("{WRITES} writes seen by {count} watchers"), format!("{} ({rate:.0} events/s)", milliseconds(took)));
    Ok(())
}

fn main() -> Outcome<()> {
    let (pods, watchers) = (argument("--pods").unwrap_or(10_000), argument("--watchers").unwrap_or(1000));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scratch = tempfile::tempdir()?;
    time_to_ready(scratch.path())?;
    let server = TestCluster::start(program(), scratch.path(), FLAGS)?;
    runtime.block_on(async { server.client()?.json(Request::get("/version")).await.map_err(std::io::Error::other) })?;
    told("resident memory, idle", memory(server.pid()));
    runtime.block_on(creates(&server, 1))?;
    runtime.block_on(creates(&server, 16))?;
    runtime.block_on(fan_out(&server, watchers))?;
    server.stop()?;
    let scratch = tempfile::tempdir()?;
    let server = TestCluster::start(program(), scratch.path(), FLAGS)?;
    let begin = Instant::now();
    runtime.block_on(fill(&server, pods))?;
    told(&format!("{pods} pods created"), milliseconds(begin.elapsed()));
    told(&format!("resident memory with {pods} pods"), memory(server.pid()));
    runtime.block_on(lists(&server.client()?, pods))?;
    told(&format!("resident memory with {pods} pods, after lists"), memory(server.pid()));
    server.stop()?;
    let begin = Instant::now();
    let server = TestCluster::start(program(), scratch.path(), FLAGS)?;
    told(&format!("time to ready with {pods} pods"), milliseconds(begin.elapsed()));
    told(&format!("resident memory with {pods} pods, started again"), memory(server.pid()));
    server.stop()?;
    Ok(())
}
