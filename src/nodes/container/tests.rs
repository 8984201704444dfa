use base64::Engine as _;
use serde_json::json;

use super::*;
use crate::nodes::container::files::FileError;

fn surroundings() -> Surroundings {
    let service = |name: &str, namespace: &str, address: &str, made: &str, port: Value| {
        json!({"metadata": {"name": name, "namespace": namespace, "creationTimestamp": made},
            "spec": {"clusterIP": address, "ports": [port]}})
    };
    let secret = base64::engine::general_purpose::STANDARD.encode("s3cret");
    Surroundings {
        config_maps: [("conf".to_owned(), json!({"data": {"color": "blue", "size": "big"}}))].into(),
        secrets: [("key".to_owned(), json!({"data": {"password": secret}}))].into(),
        services: vec![
            service("kubernetes", "default", "10.0.0.1", "2024-01-01T00:00:00Z", json!({"name": "https", "port": 443})),
            service("my-db", "n", "10.0.3.4", "2024-01-01T00:00:00Z", json!({"port": 5432, "protocol": "TCP"})),
            service("late", "n", "10.0.3.5", "2030-01-01T00:00:00Z", json!({"port": 1})),
        ],
        node: json!({"status": {"allocatable": {"memory": "8Gi", "cpu": "4"}}}),
        tokens: [(String::new(), "t0ken".to_owned())].into(),
    }
}

fn pod() -> Value {
    json!({"metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "web", "a": "b"}},
    "spec": {"nodeName": "node-1", "volumes": [
        {"name": "conf", "configMap": {"name": "conf"}},
        {"name": "one", "configMap": {"name": "conf", "items": [{"key": "color", "path": "deep/paint"}]}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
        {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {"name": "shared", "emptyDir": {}},
    ], "containers": [{"name": "c", "image": "busybox", "command": ["echo"], "args": ["$(GREETING)", "$$(X)"],
        "env": [
            {"name": "GREETING", "value": "hello $(COLOR)"},
            {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "color"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "key", "key": "password"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
            {"name": "AFTER", "value": "$(COLOR) $(MY_DB_SERVICE_HOST) $(NONE)"},
        ],
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "conf"}}],
        "resources": {"requests": {"cpu": "1500m"}},
        "volumeMounts": [
            {"name": "conf", "mountPath": "/etc/conf"}, {"name": "one", "mountPath": "/etc/one"},
            {"name": "key", "mountPath": "/etc/key/password", "subPath": "password"},
            {"name": "info", "mountPath": "/etc/info"}, {"name": "token", "mountPath": "/run/token"},
            {"name": "shared", "mountPath": "/data"},
        ]}, {"name": "d", "volumeMounts": [{"name": "shared", "mountPath": "/in"}]}]},
    "status": {"podIP": "10.244.1.5", "containerStatuses": [
        {"name": "c", "state": {"running": {"startedAt": "2024-06-01T00:00:00Z"}}}]}})
}

fn container(name: &str, scratch: Scratch) -> Container {
    let pod = pod();
    let spec = spec(&pod, name).cloned().expect("a container");
    Container::new(&pod, &spec, &surroundings(), scratch)
}

#[test]
fn the_environment_is_resolved_in_order() {
    let container = container("c", Scratch::default());
    let value = |name: &str| {
        container.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or("unset")
    };
    for (name, expected) in [
        ("HOSTNAME", "p"),
        ("GREETING", "hello $(COLOR)"),
        ("COLOR", "blue"),
        ("PASSWORD", "s3cret"),
        ("IP", "10.244.1.5"),
        ("MEM", "8192"),
        ("CPU", "2"),
        ("AFTER", "blue 10.0.3.4 $(NONE)"),
        ("C_size", "big"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
        ("MY_DB_PORT_5432_TCP", "tcp://10.0.3.4:5432"),
        ("LATE_SERVICE_HOST", "unset"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert_eq!(container.command, ["echo", "hello $(COLOR)", "$(X)"]);
}

#[test]
fn volumes_hold_what_objects_say() {
    let files = container("c", Scratch::default()).files;
    let text = |path: &str| files.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    for (path, expected) in [
        ("/etc/conf/color", "blue"),
        ("/etc/one/deep/paint", "blue"),
        ("/etc/key/password", "s3cret"),
        ("/etc/info/labels", "a=\"b\"\napp=\"web\""),
        ("/run/token/token", "t0ken"),
    ] {
        assert_eq!(text(path).as_deref(), Ok(expected), "{path}");
    }
    assert_eq!(text("/etc/one/color"), Err(FileError::Missing));
    assert!(text("/etc/hosts").is_ok_and(|hosts| hosts.contains("10.244.1.5\tp\n")));
    assert!(
        text("/etc/resolv.conf").is_ok_and(|conf| conf.starts_with("search n.svc.cluster.local svc.cluster.local"))
    );
    let names: Vec<String> = files.list("/etc/conf").expect("a folder").into_keys().collect();
    assert_eq!(names, ["color", "size"]);
    assert_eq!(files.write("/etc/conf/color", Vec::new(), 0o644), Err(FileError::ReadOnly));
}

#[test]
fn what_is_written_stays_and_is_shared() {
    let scratch = Scratch::default();
    let files = container("c", scratch.clone()).files;
    assert_eq!(files.write("/data/a", b"1".to_vec(), 0o644), Ok(()));
    assert_eq!(files.write("/tmp/a", b"2".to_vec(), 0o644), Ok(()));
    assert_eq!(files.write("/nosuch/a", Vec::new(), 0o644), Err(FileError::Missing));
    assert_eq!(files.write("/data/b", vec![0; 17 << 20], 0o644), Err(FileError::Full));
    assert_eq!(files.remove("/data"), Err(FileError::NotEmpty));
    let other = container("d", scratch).files;
    assert_eq!(other.read("/in/a").map(|bytes| bytes.to_vec()), Ok(b"1".to_vec()));
    assert_eq!(other.read("/tmp/a"), Err(FileError::Missing));
    assert_eq!(other.remove("/in/a"), Ok(()));
    assert_eq!(files.read("/data/a"), Err(FileError::Missing));
}
