//! The pure engines: merges, YAML, JSONPath, tables.
//!
//! `cargo bench --bench engines`, or `-- NAME` for one of them.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use chrono::DateTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Throughput, criterion_group, criterion_main};
use knarr::kinds::rules::default_object;
use knarr::kinds::{Schemas, columns};
use knarr::manifest;
use knarr::object::{GroupKind, GroupVersionKind, meta};
use knarr::output::jsonpath::{self, JsonPath};
use knarr::output::table::{self, Column, Row, Table};
use knarr::patch::apply as merge;
use knarr::patch::ssa::{self, Options};
use knarr::patch::{JsonPatch, PatchSchema, strategic};
use serde::Deserialize;
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

/// A Service in front of a Deployment.
fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: default\n  labels: {{app: {name}, tier: \
         backend}}\nspec:\n  type: ClusterIP\n  selector:\n    app: {name}\n  ports:\n  - name: http\n    port: 80\n    \
         targetPort: http\n  - name: metrics\n    port: 9090\n    targetPort: 9090\n    protocol: TCP\n"
    )
}

/// Settings of a program, one of them a file of 40 lines.
fn config_map(name: &str, level: &str) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: default\n  labels:\n    app: {name}\n\
         data:\n  LOG_LEVEL: {level}\n  DB_HOST: db.prod.svc.cluster.local\n  MAX_CONNECTIONS: \"100\"\n  app.yaml: |\n"
    );
    for i in 0..40 {
        let _ = writeln!(text, "    setting-{i}: value of setting {i} # as it is by default");
    }
    text
}

/// An Ingress for two hosts.
fn ingress(name: &str) -> String {
    let mut text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: default\n  \
         annotations:\n    nginx.ingress.kubernetes.io/rewrite-target: /\nspec:\n  ingressClassName: nginx\n  rules:\n"
    );
    for host in ["example.com", "www.example.com"] {
        let _ = write!(
            text,
            "  - host: {name}.{host}\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        \
             backend:\n          service:\n            name: {name}\n            port:\n              name: http\n"
        );
    }
    text
}

/// The manifests of one program after the other: a Deployment of one container, its Service, ConfigMap and Ingress.
fn manifest(i: usize, version: &str) -> String {
    let name = format!("web-{}", i / 4);
    match i % 4 {
        0 => deployment(&name, 1, &format!("web:{version}")),
        1 => service(&name),
        2 => config_map(&name, version),
        _ => ingress(&name),
    }
}

fn value(text: &str) -> Value {
    manifest::yaml_to_value(text, true).expect("a manifest")
}

fn deployment_kind() -> GroupVersionKind {
    GroupVersionKind::new("apps", "v1", "Deployment")
}

/// What a server holds of an applied manifest: with defaults, owners of fields and what it sets itself.
fn live(manifest: &Value) -> Value {
    let mut live = merge::with_last_applied(manifest);
    default_object(&mut live);
    live["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    live["metadata"]["resourceVersion"] = json!("12345");
    live["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let gvk = meta::gvk(&live);
    let empty = json!({"apiVersion": gvk.api_version(), "kind": gvk.kind});
    ssa::update(None, live, &options(&gvk, &empty))
}

fn options<'a>(gvk: &'a GroupVersionKind, empty: &'a Value) -> Options<'a> {
    Options {
        manager: "bench",
        force: false,
        subresource: "",
        kind: gvk,
        schema: Schemas::builtin().of_kind(gvk),
        empty,
        reset_fields: &[],
        empties: ssa::Empties::default(),
        versions: None,
        now: DateTime::default(),
    }
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
    let options = options(&gvk, &empty);
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
    // The peer reads the documents into values, without places and with fewer of the rules.
    group.bench_function("1 MB of many documents to values, serde_norway", |b| {
        b.iter(|| {
            serde_yaml::Deserializer::from_slice(black_box(text.as_bytes()))
                .map(|document| Value::deserialize(document).expect("a document").is_object())
                .filter(|is_object| *is_object)
                .count()
        });
    });
    group.finish();
    let text: String = (0..1000).map(|i| format!("---\n{}", manifest(i, "1"))).collect();
    let same: Vec<Value> = (0..1000).map(|i| live(&value(&manifest(i, "1")))).collect();
    let other: Vec<Value> = (0..1000).map(|i| live(&value(&manifest(i, "0")))).collect();
    let merge_all = |lives: &[Value]| -> usize {
        let documents = manifest::documents(black_box(text.as_bytes())).map(|document| document.expect("a document"));
        documents.zip(lives).filter(|(new, live)| three_way(&meta::gvk(live), &new.value, live).is_empty).count()
    };
    let mut group = c.benchmark_group("apply");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("1,000 manifests read and merged, unchanged", |b| {
        b.iter(|| assert_eq!(merge_all(&same), 1000));
    });
    group.bench_function("1,000 manifests read and merged, half of them changed", |b| {
        b.iter(|| assert_eq!(merge_all(&other), 500));
    });
    group.finish();
}

/// Patches as the server gets them, with a peer on the same operations.
fn patches(c: &mut Criterion) {
    let live = live(&value(&deployment("web", 10, "web:1")));
    let operations = r#"[
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
        {"op": "add", "path": "/metadata/labels/new", "value": "x"},
        {"op": "remove", "path": "/spec/template/spec/containers/9"}
    ]"#;
    let mut group = c.benchmark_group("patches");
    group.bench_function("JSON patch, 10 containers", |b| {
        b.iter(|| {
            let mut object = live.clone();
            JsonPatch::decode(black_box(operations)).expect("a patch").apply(&mut object).expect("an object");
            object
        });
    });
    group.bench_function("JSON patch, 10 containers, json-patch", |b| {
        b.iter(|| {
            let mut object = live.clone();
            let patch: json_patch::Patch = serde_json::from_str(black_box(operations)).expect("a patch");
            json_patch::patch(&mut object, &patch).expect("an object");
            object
        });
    });
    let gvk = deployment_kind();
    let schema = PatchSchema::of_kind(Schemas::builtin(), &gvk).expect("deployments are built in");
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c3", "image": "web:2"}]}}}});
    group.bench_function("strategic patch, 10 containers", |b| {
        b.iter(|| strategic::apply(live.clone(), black_box(&patch).clone(), schema).expect("an object"));
    });
    group.bench_function("owners of an update, 10 containers", |b| {
        let empty = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {}, "status": {}});
        let mut changed = live.clone();
        changed["spec"]["replicas"] = json!(4);
        b.iter(|| ssa::update(Some(&live), black_box(&changed).clone(), &options(&gvk, &empty)));
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

/// Processor time of the thread that measures, for the machine may be busy with other work.
struct CpuTime(WallTime);

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes one timespec, which outlives it.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.0.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

type Criterion = criterion::Criterion<CpuTime>;

criterion_group!(
    name = engines;
    config = criterion::Criterion::default().with_measurement(CpuTime(WallTime));
    targets = merges, manifests, patches, printers
);
criterion_main!(engines);
