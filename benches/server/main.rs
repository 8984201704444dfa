//! A server under load, over HTTPS as any client: time to ready, memory, durable writes, big lists, many watchers.
//!
//! `cargo bench --bench server`; `-- --pods N --watchers N` for other sizes, `-- --only PART` for one of `ready`,
//! `creates`, `watchers` and `lists`. It prints one line per figure. `KNARR` names another binary as the server.

mod lean;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use knarr::client::{Client, Request};
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

/// What is given as `--name TEXT`.
fn text_argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// A number given as `--name N`.
fn argument(name: &str) -> Option<usize> {
    text_argument(name)?.parse().ok()
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

/// Processor time that a process has used, as Linux tells it in hundredths of a second.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field, the name, may hold spaces and ends with the last parenthesis.
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ')).into_iter().flatten();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "5d8f7c9b4d"}},
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

/// Durable creates per second of the objects that `body` makes, with `count` clients, each with a connection of its own.
async fn creates(server: &TestCluster, count: usize, what: &str, path: &str, body: fn(&str) -> Value) -> Outcome<()> {
    let endpoint = lean::Endpoint::new(&server.access()?)?;
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(endpoint.connect().await?);
    }
    const NAME: &str = "-name-";
    let template = body(NAME).to_string();
    let (before, begin) = (processor_time(server.pid()), Instant::now());
    let made = join_all(connections.into_iter().enumerate().map(async |(id, mut connection)| {
        let mut made = 0_usize;
        while begin.elapsed() < WRITING {
            connection.create(path, &template.replace(NAME, &format!("m-{count}-{id}-{made}"))).await?;
            made += 1;
        }
        Outcome::Ok(made)
    }))
    .await;
    let made = made.into_iter().sum::<Outcome<usize>>()?;
    let took = begin.elapsed();
    let spent = processor_time(server.pid()).saturating_sub(before);
    let rate = made as f64 / took.as_secs_f64();
    let each = spent.as_secs_f64() * 1e6 / made.max(1) as f64;
    let clients = if count == 1 { "client" } else { "clients" };
    told(
        &format!("durable creates of {what}, {count} {clients}"),
        format!("{rate:.0}/s ({each:.0} us CPU of the server)"),
    );
    Ok(())
}

async fn fill(server: &TestCluster, count: usize) -> Outcome<()> {
    let endpoint = lean::Endpoint::new(&server.access()?)?;
    let lanes = 16;
    let made = join_all((0..lanes).map(async |lane| {
        let mut connection = endpoint.connect().await?;
        for i in (lane..count).step_by(lanes) {
            connection.create(PODS, &pod(&format!("web-{i}")).to_string()).await?;
        }
        Outcome::Ok(())
    }));
    made.await.into_iter().collect()
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

/// Events that reach all watchers: `count` watchers, each on a connection of its own, see each of a series of writes.
async fn fan_out(server: &TestCluster, count: usize) -> Outcome<()> {
    const WRITES: usize = 50;
    let endpoint = lean::Endpoint::new(&server.access()?)?;
    let list = server.client()?.json(Request::get(MAPS).query("limit", "1")).await?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let before = memory(server.pid());
    let mut watches = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = endpoint.connect().await?;
        connection.watch(MAPS, &version).await?;
        watches.push(connection);
    }
    told(&format!("resident memory with {count} watchers"), format!("{} ({before} before)", memory(server.pid())));
    let mut writer = endpoint.connect().await?;
    // One write, seen by all; then the series.
    let mut times = Vec::new();
    for i in 0..9 {
        let begin = Instant::now();
        writer.create(MAPS, &map(&format!("one-{i}")).to_string()).await?;
        join_all(watches.iter_mut().map(|watch| watch.added(1))).await.into_iter().collect::<Outcome<()>>()?;
        times.push(begin.elapsed());
    }
    told(&format!("one write seen by {count} watchers (median of 9)"), milliseconds(median(times)));
    let (spent, begin) = (processor_time(server.pid()), Instant::now());
    let write = async {
        for i in 0..WRITES {
            writer.create(MAPS, &map(&format!("fan-{i}")).to_string()).await?;
        }
        Outcome::Ok(())
    };
    let read = join_all(watches.iter_mut().map(|watch| watch.added(WRITES)));
    let (written, seen) = futures_util::future::join(write, read).await;
    written?;
    seen.into_iter().collect::<Outcome<()>>()?;
    let took = begin.elapsed();
    let spent = processor_time(server.pid()).saturating_sub(spent);
    let rate = (WRITES * count) as f64 / took.as_secs_f64();
    let figure = format!("{} ({rate:.0} events/s, {} CPU of the server)", milliseconds(took), milliseconds(spent));
    told(&format!("{WRITES} writes seen by {count} watchers"), figure);
    told(&format!("resident memory after {WRITES} writes"), memory(server.pid()));
    Ok(())
}

fn main() -> Outcome<()> {
    let (pods, watchers) = (argument("--pods").unwrap_or(10_000), argument("--watchers").unwrap_or(1000));
    let only = text_argument("--only");
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scratch = tempfile::tempdir()?;
    if wanted("ready") {
        time_to_ready(scratch.path())?;
    }
    let server = TestCluster::start(program(), scratch.path(), FLAGS)?;
    runtime.block_on(async { server.client()?.json(Request::get("/version")).await.map_err(std::io::Error::other) })?;
    told("resident memory, idle", memory(server.pid()));
    if wanted("creates") {
        for count in [1, 16] {
            runtime.block_on(creates(&server, count, "config maps", MAPS, map))?;
        }
        for count in [1, 16] {
            runtime.block_on(creates(&server, count, "pods", PODS, pod))?;
        }
    }
    if wanted("watchers") {
        runtime.block_on(fan_out(&server, watchers))?;
    }
    server.stop()?;
    if wanted("lists") {
        many_pods(&runtime, pods)?;
    }
    Ok(())
}

/// What a server with many pods takes: memory, lists, the next start.
fn many_pods(runtime: &tokio::runtime::Runtime, pods: usize) -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    let server = TestCluster::start(program(), scratch.path(), FLAGS)?;
    let begin = Instant::now();
    runtime.block_on(fill(&server, pods))?;
    told(&format!("{pods} pods created, 16 clients"), milliseconds(begin.elapsed()));
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
