use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::kinds::decode;
use crate::object::meta;

fn context() -> Context<'static> {
    Context { now: DateTime::default(), allow_privileged: true, empties: &[] }
}

/// Any JSON, with keys that objects have.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "name",
        "namespace",
        "labels",
        "metadata",
        "spec",
        "status",
        "template",
        "containers",
        "volumes",
        "ports",
        "selector",
        "matchLabels",
        "type",
        "resources",
        "limits",
        "cpu",
        "data",
        "rules",
        "value",
        "port",
        "schedule",
        "jobTemplate",
        "strategy",
        "rollingUpdate",
        "maxSurge",
        "affinity",
        "nodeAffinity",
        "securityContext",
        "env",
        "initContainers",
        "livenessProbe",
        "httpGet",
        "image",
        "a/b",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["", "a", "Bad_Name", "1Gi", "10%", "../x", "None", "*/5 * * * *"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn kind_rows() -> impl Strategy<Value = crate::object::GroupVersionKind> {
    let all: Vec<_> = crate::kinds::Kinds::builtin().rows().iter().map(|row| row.gvk()).collect();
    prop::sample::select(all)
}

/// An object of a built-in kind with anything in its fields.
fn object() -> impl Strategy<Value = Value> {
    (kind_rows(), any_json(), any_json(), any_json()).prop_map(|(gvk, metadata, spec, rest)| {
        let mut object = if rest.is_object() { rest } else { json!({}) };
        for (field, value) in [("metadata", metadata), ("spec", spec)] {
            meta::set(&mut object, &[field], value);
        }
        meta::set(&mut object, &["apiVersion"], gvk.api_version());
        meta::set(&mut object, &["kind"], gvk.kind);
        object
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn defaulting_twice_changes_nothing(object in object()) {
        if let Ok(decoded) = decode::decode(&meta::gvk(&object), object) {
            let mut once = decoded.object;
            default_object(&mut once);
            let mut twice = once.clone();
            default_object(&mut twice);
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn no_json_makes_the_rules_panic(object in object(), old in object()) {
        let rules = of(&meta::gvk(&object).group_kind());
        let mut defaulted = object.clone();
        default_object(&mut defaulted);
        let _ = rules.before_create(&mut defaulted, &context());
        let _ = rules.before_update(&mut object.clone(), &old, &context());
        let _ = rules.before_status_update(&mut object.clone(), &old, &context());
        if let Ok(decoded) = decode::decode(&meta::gvk(&object), object) {
            let mut clean = decoded.object;
            default_object(&mut clean);
            let _ = rules.before_create(&mut clean.clone(), &context());
            let _ = rules.before_update(&mut clean, &old, &context());
        }
    }
}

#[test]
fn an_update_keeps_what_the_server_set_and_counts_changes() {
    let kind = GroupKind { group: "apps".into(), kind: "Deployment".into() };
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
        },
    });
    default_object(&mut object);
    of(&kind).before_create(&mut object, &context()).expect("a valid deployment");
    meta::set(&mut object, &["metadata", "resourceVersion"], "5");
    let mut new = object.clone();
    meta::remove(&mut new, &["metadata", "uid"]);
    meta::set(&mut new, &["status", "replicas"], 7);
    meta::set(&mut new, &["spec", "replicas"], 3);
    of(&kind).before_update(&mut new, &object, &context()).expect("a valid update");
    assert_eq!(meta::uid(&new), "u");
    assert_eq!(meta::generation(&new), 2);
    assert_eq!(new["status"], object["status"]);
}
