//! The pure engines: merges, YAML, JSONPath, tables.
//!
//! `cargo bench --bench engines`, or `-- NAME` for one of them.

use std::fmt::Write as _;
use std::hint::black_box;

use chrono::DateTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use knarr::kinds::rules::default_object;
use knarr::kinds::{Schemas, columns};
use knarr::manifest;
use knarr::object::{GroupKind, GroupVersionKind};
use knarr::output::jsonpath::{self, JsonPath};
use knarr::output::table::{self, Column, Row, Table};
use knarr::patch::apply as merge;
use knarr::patch::ssa::{self, Options};
use serde_json::{Value, json};

/// A Deployment as people write it, with that many containers.
fn deployment(name: &str, containers: usize, image: &str) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: default\n  labels:\n    \
         app: {name}\n    tier: backend\n  annotations:\n    example.com/owner: team-a\nspec:\n  replicas: 3\n  \
         selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        \
         app: {name}\n    spec:\n      serviceAccountName: {name}\n      containers:\n"
    );
    for i in 0..containers {
        let _ = write!(
            text,
            "      - name: c{i}\n        image: {image}\n        args: [\"--port=80{i}\", \"--verbose\"]\n        \
             ports:\n        - name: http\n          containerPort: 808{i}\n        env:\n        - name: LOG_LEVEL\n          \
             value: info\n        - name: DB_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              \
             name: db\n              key: password\n        resources:\n          requests:\n            cpu: 100m\n            \
             memory: 128Mi\n          limits:\n            memory: 256Mi\n        readinessProbe:\n          httpGet:\n            \
             path: /ready\n            port: http\n          periodSeconds: 5\n        volumeMounts:\n        - name: conf\n          \
             mountPath: /etc/conf\n"
        );
    }
    text + "      volumes:\n      - name: conf\n        configMap:\n          name: conf\n"
}

fn value(text: &str) -> Value {
    manifest::yaml_to_value(text, true).expect("a manifest")
}

fn deployment_kind() -> GroupVersionKind {
    GroupVersionKind::new("apps", "v1", "Deployment")
}

/// What a server holds of an applied manifest.
fn live(manifest: &Value) -> Value {
    let mut live = merge::with_last_applied(manifest);
    default_object(&mut live);
    live
}

fn three_way(gvk: &GroupVersionKind, modified: &Value, live: &Value) -> merge::PatchOutcome {
    let original = merge::last_applied(live).expect("an annotation");
    let modified = merge::with_last_applied(modified);
    merge::three_way(gvk, Schemas::builtin(), original.as_ref(), &modified, live, true).expect("a patch")
}

fn merges(c: &mut Criterion) {
    let gvk = deployment_kind();
    let (first, second) = (value(&deployment("web", 10, "web:1")), value(&deployment("web", 10, "web:2")));
    let live = live(&first);
    c.bench_function("three-way merge, 10 containers, unchanged", |b| {
        b.iter(|| assert!(three_way(&gvk, black_box(&first), &live).is_empty));
    });
    c.bench_function("three-way merge, 10 containers, all images changed", |b| {
        b.iter(|| assert!(!three_way(&gvk, black_box(&second), &live).is_empty));
    });
    let empty = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {}, "status": {}});
    let options = Options {
        manager: "bench",
        force: false,
        subresource: "",
        kind: &gvk,
        schema: Schemas::builtin().of_kind(&gvk),
        empty: &empty,
        reset_fields: &[],
        empties: ssa::Empties::default(),
        versions: None,
        now: DateTime::default(),
    };
    let mut applied = ssa::apply(None, &first, &options).expect("created");
    default_object(&mut applied);
    c.bench_function("server-side apply, 10 containers, unchanged", |b| {
        b.iter(|| ssa::apply(Some(&applied), black_box(&first), &options).expect("applied"));
    });
    c.bench_function("server-side apply, 10 containers, all images changed", |b| {
        b.iter(|| ssa::apply(Some(&applied), black_box(&second), &options).expect("applied"));
    });
}

fn manifests(c: &mut Criterion) {
    let mut text = String::new();
    while text.len() < 1_000_000 {
        text += "---\n";
        text += &deployment(&format!("web-{}", text.len()), 2, "web:1");
    }
    let mut group = c.benchmark_group("YAML");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("1 MB of many documents to JSON", |b| {
        b.iter(|| {
            manifest::documents(black_box(text.as_bytes()))
                .map(|document| document.expect("a document").json().len())
                .sum::<usize>()
        });
    });
    group.finish();
    let gvk = deployment_kind();
    let text: String = (0..1000).map(|i| format!("---\n{}", deployment(&format!("web-{i}"), 1, "web:1"))).collect();
    let lives: Vec<Value> = (0..1000).map(|i| live(&value(&deployment(&format!("web-{i}"), 1, "web:0")))).collect();
    let mut group = c.benchmark_group("apply");
    group.sample_size(20);
    group.bench_function("1,000 manifests read and merged", |b| {
        b.iter(|| {
            for (document, live) in manifest::documents(black_box(text.as_bytes())).zip(&lives) {
                assert!(!three_way(&gvk, &document.expect("a document").value, live).is_empty);
            }
        });
    });
    group.finish();
}

fn pod(i: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("web-{i}"), "namespace": format!("team-{}", i % 10), "labels": {"app": "web", "n": i.to_string()},
            "creationTimestamp": "2026-01-01T00:00:00Z", "uid": format!("00000000-0000-0000-0000-{i:012}"),
        },
        "spec": {
            "nodeName": format!("node-{}", i % 50),
            "containers": [
                {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": "100m"}}},
                {"name": "proxy", "image": "proxy:2", "ports": [{"containerPort": 8080}], "resources": {}},
            ],
        },
        "status": {
            "phase": "Running", "podIP": format!("10.1.{}.{}", i / 250, i % 250),
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "web", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}},
                {"name": "proxy", "ready": true, "restartCount": i % 3, "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}},
            ],
        },
    })
}

fn printers(c: &mut Criterion) {
    let list = json!({"kind": "List", "items": (0..5000).map(pod).collect::<Vec<_>>()});
    let template = r#"{range .items[?(@.metadata.namespace=="team-3")]}{.metadata.name}{"\t"}{.spec.containers[*].image}{"\n"}{end}"#;
    let path = JsonPath::parse(template).expect("a template");
    let mut group = c.benchmark_group("printers");
    group.sample_size(20);
    group.bench_function("JSONPath with a filter over 5,000 pods", |b| {
        b.iter(|| {
            let mut out = String::new();
            path.execute(black_box(&list), jsonpath::Options::default(), &mut out).expect("output");
            assert_eq!(out.lines().count(), 500);
        });
    });
    let kind = GroupKind { group: String::new(), kind: "Pod".into() };
    let pods: Vec<Value> = (0..10_000).map(pod).collect();
    let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
    let definitions =
        || columns::of(&kind).iter().map(|c| Column { priority: c.priority.into(), ..Column::text(&c.name) });
    let rows = |pods: &[Value]| -> Vec<Row> {
        pods.iter().map(|pod| Row { cells: columns::cells(&kind, pod, now), object: Value::Null }).collect()
    };
    group.bench_function("cells of 10,000 pods", |b| b.iter(|| rows(black_box(&pods))));
    let table = Table { columns: definitions().collect(), rows: rows(&pods) };
    group.bench_function("table of 10,000 rows", |b| {
        b.iter(|| table::print(black_box(&table), &table::Options::default()));
    });
    group.finish();
}

criterion_group!(engines, merges, manifests, printers);
criterion_main!(engines);
