//! Tests of rows that the recorded cases leave out.

use super::*;

fn now() -> DateTime<Utc> {
    text::parse_time("2026-01-01T00:00:00Z").expect("a timestamp")
}

fn kind(group: &str, kind: &str) -> GroupKind {
    GroupKind { group: group.into(), kind: kind.into() }
}

#[test]
fn every_row_has_columns_and_every_kind_with_columns_has_a_row() {
    for (key, table) in tables() {
        assert!(table.cells.is_some(), "{key} has columns but no row");
        assert!(!table.columns.is_empty(), "{key} has a row but no columns");
        // The server sends the age of IP addresses without announcing it.
        let extra = usize::from(key.kind == "IPAddress");
        let made = cells(key, &json!({"metadata": {"name": "a"}}), now());
        assert_eq!(made.len(), table.columns.len() + extra, "{key}");
    }
}

#[test]
fn kinds_without_a_row_show_their_creation() {
    let kind = kind("rbac.authorization.k8s.io", "Role");
    let object = json!({"metadata": {"name": "a", "creationTimestamp": "2025-01-01T00:00:00Z"}});
    assert_eq!(of(&kind)[1].name, "Created At");
    assert_eq!(cells(&kind, &object, now()), [json!("a"), json!("2025-01-01T00:00:00Z")]);
}

#[test]
fn restarts_of_sidecars_count_once_the_pod_runs() {
    let status = |name: &str, restarts: i64, at: &str| {
        json!({"name": name, "restartCount": restarts, "ready": true, "started": true, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": at}}})
    };
    let pod = json!({
        "metadata": {"name": "p", "creationTimestamp": "2025-12-31T23:00:00Z"},
        "spec": {
            "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
            "containers": [{"name": "app"}],
        },
        "status": {
            "phase": "Running",
            "initContainerStatuses": [
                {"name": "setup", "restartCount": 4, "state": {"terminated": {"exitCode": 0}}},
                status("proxy", 2, "2025-12-31T23:50:00Z"),
            ],
            "containerStatuses": [status("app", 1, "2025-12-31T23:40:00Z")],
        },
    });
    let cells = cells(&kind("", "Pod"), &pod, now());
    assert_eq!(cells[1..5], [json!("2/2"), json!("Running"), json!("3 (10m ago)"), json!("60m")]);
}

#[test]
fn events_of_both_groups_show_the_same() {
    let core = json!({
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "type": "Normal", "reason": "Started", "message": " up \n",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2025-12-31T23:00:00Z", "lastTimestamp": "2025-12-31T23:58:30Z", "count": 3,
    });
    let new = json!({
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p"},
        "type": "Normal", "reason": "Started", "note": " up \n",
        "deprecatedSource": {"component": "kubelet", "host": "n1"},
        "deprecatedFirstTimestamp": "2025-12-31T23:00:00Z", "deprecatedLastTimestamp": "2025-12-31T23:58:30Z",
        "deprecatedCount": 3,
    });
    let shown = cells(&kind("", "Event"), &core, now());
    assert_eq!(shown, cells(&kind("events.k8s.io", "Event"), &new, now()));
    assert_eq!(
        shown,
        ["90s", "Normal", "Started", "pod/p", "", "kubelet, n1", "up", "60m"]
            .map(|t| json!(t))
            .into_iter()
            .chain([json!(3), json!("e")])
            .collect::<Vec<_>>()
    );
}

#[test]
fn custom_cells_follow_the_type_of_their_column() {
    let columns = custom::columns(&[
        json!({"name": "Count", "type": "integer", "jsonPath": ".spec.count"}),
        json!({"name": "Since", "type": "date", "jsonPath": ".spec.since"}),
    ]);
    let found = |value: Value| Some(custom::Found { printed: value.to_string(), value });
    assert_eq!(custom::cell(&columns[0], found(json!(2.7)), now()), json!(2));
    assert_eq!(custom::cell(&columns[0], found(json!("2")), now()), Value::Null);
    assert_eq!(custom::cell(&columns[1], found(json!("never")), now()), json!("<invalid>"));
    assert_eq!(custom::cell(&columns[1], found(json!("2025-12-31T00:00:00Z")), now()), json!("24h"));
    assert_eq!(custom::columns(&[])[0].json_path, ".metadata.creationTimestamp");
}

/// What is left of a value of which only the needed fields are read.
fn reduced(value: &Value, needed: Needed) -> Value {
    match value {
        _ if needed.is_all() => value.clone(),
        Value::Array(items) => items.iter().map(|item| reduced(item, needed)).collect(),
        Value::Object(map) => {
            let kept = map.iter().filter_map(|(name, item)| Some((name.clone(), reduced(item, needed.field(name)?.1))));
            Value::Object(kept.collect())
        }
        scalar => scalar.clone(),
    }
}

#[test]
fn rows_of_pods_need_no_other_fields() {
    let pod = |status: Value| {
        json!({
            "metadata": {"name": "p", "creationTimestamp": "2024-05-01T11:00:00Z", "labels": {"a": "b"}},
            "spec": {
                "nodeName": "n", "readinessGates": [{"conditionType": "g"}], "restartPolicy": "Always",
                "initContainers": [{"name": "i", "image": "x"}, {"name": "s", "restartPolicy": "Always"}],
                "containers": [{"name": "c", "image": "x"}, {"name": "d", "image": "x"}],
            },
            "status": status,
        })
    };
    let condition = |type_: &str, reason: &str| json!({"type": type_, "status": "True", "reason": reason});
    let ended = json!({"exitCode": 3, "signal": 9, "finishedAt": "2024-05-01T11:30:00Z"});
    let statuses = [
        json!({}),
        json!({"phase": "Succeeded", "podIPs": [{"ip": "10.0.0.1"}], "nominatedNodeName": "m"}),
        json!({"phase": "Pending", "conditions": [condition("PodScheduled", "SchedulingGated")]}),
        json!({"phase": "Failed", "reason": "Evicted"}),
        json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "Bad"}}}]}),
        json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": ended}}]}),
        json!({
            "phase": "Running",
            "conditions": [condition("Ready", ""), condition("Initialized", ""), condition("g", "")],
            "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "restartCount": 1},
                {"name": "s", "state": {"running": {}}, "started": true, "ready": true, "restartCount": 2},
            ],
            "containerStatuses": [
                {"name": "c", "ready": true, "restartCount": 5, "state": {"running": {}},
                 "lastState": {"terminated": ended}},
                {"name": "d", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            ],
        }),
    ];
    let kind = kind("", "Pod");
    let needed = needed(&kind).expect("told for pods");
    for status in statuses {
        for deleted in [false, true] {
            let mut pod = pod(status.clone());
            if deleted {
                pod["metadata"]["deletionTimestamp"] = "2024-05-01T11:59:00Z".into();
            }
            let part = reduced(&pod, needed);
            assert_eq!(cells(&kind, &part, now()), cells(&kind, &pod, now()), "{pod}");
            assert_eq!(row_conditions(&kind, &part), row_conditions(&kind, &pod), "{pod}");
        }
    }
}
