//! Properties that hold for every merge.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::explain::{Reason, explain};
use super::*;
use crate::kinds::Schemas;
use crate::object::GroupVersionKind;

fn deployment() -> GroupVersionKind {
    GroupVersionKind::new("apps", "v1", "Deployment")
}

fn schema() -> PatchSchema<'static> {
    PatchSchema::of_kind(Schemas::builtin(), &deployment()).expect("deployments are built in")
}

fn labels() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(select(vec!["a", "b", "example.com/c", "d"]), "[xyz]?", 0..4).prop_map(|map| json!(map))
}

/// Items in any order, each with its key and something else.
fn items(key: &'static str, names: &'static [&'static str], other: &'static str) -> impl Strategy<Value = Value> {
    let names = subsequence(names, 0..names.len()).prop_shuffle();
    (names, prop::collection::vec("[pqr]?", 5)).prop_map(move |(names, values)| {
        let item = |(name, value): (&&str, &String)| match value.as_str() {
            "" => json!({key: name}),
            value => json!({key: name, other: value}),
        };
        names.iter().zip(&values).map(item).collect()
    })
}

fn container() -> impl Strategy<Value = BTreeMap<&'static str, Value>> {
    let field = prop_oneof![
        labels().prop_map(|map| ("resources", json!({"limits": map}))),
        "[ijk]".prop_map(|image| ("image", json!(image))),
        prop::collection::vec("[a-c]", 0..3).prop_map(|args| ("args", json!(args))),
        items("name", &["A", "B", "C", "D"], "value").prop_map(|env| ("env", env)),
        items("mountPath", &["/a", "/b", "/c"], "name").prop_map(|mounts| ("volumeMounts", mounts)),
        any::<bool>().prop_map(|tty| ("tty", json!(tty))),
    ];
    prop::collection::vec(field, 0..5).prop_map(|fields| fields.into_iter().collect())
}

fn containers() -> impl Strategy<Value = Value> {
    let names = subsequence(&["web", "log", "proxy", "init"][..], 0..4).prop_shuffle();
    (names, prop::collection::vec(container(), 4)).prop_map(|(names, containers)| {
        let named = |(name, mut container): (&str, BTreeMap<&str, Value>)| {
            container.insert("name", json!(name));
            json!(container)
        };
        names.into_iter().zip(containers).map(named).collect()
    })
}

fn strategy() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "Recreate"})),
        (1..3).prop_map(|surge| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}})),
    ]
}

/// A Deployment with merged lists, lists that are replaced, maps, and a field with `retainKeys`.
fn object() -> impl Strategy<Value = Value> {
    let volumes = subsequence(&["v", "w", "x"][..], 0..3).prop_shuffle();
    let sources = prop::collection::vec(select(vec!["emptyDir", "configMap", "secret"]), 3);
    let volumes = (volumes, sources).prop_map(|(names, sources)| -> Value {
        names.iter().zip(sources).map(|(name, source)| json!({"name": name, source: {}})).collect()
    });
    let tolerations = prop::collection::vec("[st]", 0..3)
        .prop_map(|keys| -> Value { keys.iter().map(|key| json!({"key": key})).collect() });
    // Sorted: the library orders these lists anew on every apply.
    let finalizers = subsequence(&["f/a", "f/b", "f/c"][..], 0..3).prop_map(|list| json!(list));
    (labels(), finalizers, option(strategy()), option(containers()), option(volumes), option(tolerations), any::<u8>())
        .prop_map(|(labels, finalizers, strategy, containers, volumes, tolerations, replicas)| {
            let mut pod = Map::new();
            let fields = [("containers", containers), ("volumes", volumes), ("tolerations", tolerations)];
            pod.extend(fields.into_iter().filter_map(|(key, list)| Some((key.to_owned(), list?))));
            let mut spec = json!({"replicas": replicas % 4, "template": {"spec": pod}});
            if let Some(strategy) = strategy {
                spec["strategy"] = strategy;
            }
            json!({"metadata": {"name": "d", "labels": labels, "finalizers": finalizers}, "spec": spec})
        })
}

fn option<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.8, of)
}

/// The field by which items of a list are merged, or none where the list is replaced as a whole.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "containers" | "env" | "volumes" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

/// The fields of `live` that the last manifest did not state and that are gone all the same. Fields that the new
/// manifest states with another kind of value, lists that are replaced, and fields of which only one may be set are
/// left out.
fn lost(
    live: &Value,
    last: Option<&Value>,
    manifest: Option<&Value>,
    result: Option<&Value>,
    name: &str,
) -> Vec<String> {
    let Some(result) = result else {
        return if last.is_none() { vec![name.to_owned()] } else { Vec::new() };
    };
    let below = |name: &str, inner: Vec<String>| inner.into_iter().map(|path| format!("{name}.{path}")).collect();
    match (live, result) {
        // `strategy` and volumes keep only what the manifest states.
        (Value::Object(_), _) if matches!(name, "strategy" | "volumes") && manifest.is_some() => Vec::new(),
        (Value::Object(fields), Value::Object(results)) => fields
            .iter()
            .flat_map(|(key, value)| -> Vec<String> {
                let of = |object: Option<&Value>| object.and_then(|object| object.get(key)).cloned();
                below(name, lost(value, of(last).as_ref(), of(manifest).as_ref(), results.get(key), key))
            })
            .collect(),
        (Value::Array(items), Value::Array(results)) if merge_key(name).is_some() => items
            .iter()
            .flat_map(|item| -> Vec<String> {
                let key = |item: &Value| item.get(merge_key(name).unwrap_or_default()).cloned();
                let same = |list: Option<&Vec<Value>>| {
                    list.into_iter().flatten().find(|other| key(other) == key(item)).cloned()
                };
                let of = |object: Option<&Value>| same(object.and_then(Value::as_array));
                let found = same(Some(results));
                below(name, lost(item, of(last).as_ref(), of(manifest).as_ref(), found.as_ref(), name))
            })
            .collect(),
        (Value::Array(items), Value::Array(results)) if name == "finalizers" => items
            .iter()
            .filter(|item| !results.contains(item) && !last.is_some_and(|last| has(last, item)))
            .map(ToString::to_string)
            .collect(),
        _ => Vec::new(),
    }
}

fn has(list: &Value, item: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(item))
}

/// Whether a patch holds nothing but the wanted order of lists.
fn only_orders(patch: &Value) -> bool {
    match patch {
        Value::Object(map) => {
            map.iter().all(|(key, value)| key.starts_with("$setElementOrder/") || key == "name" || only_orders(value))
        }
        Value::Array(list) => list.iter().all(only_orders),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_two_way_patch_makes_the_other_object(a in object(), b in object()) {
        let patch = strategic::two_way(&a, &b, schema(), &[]).expect("a patch");
        prop_assert_eq!(strategic::apply(a, patch.clone(), schema()).expect("an object"), b, "{}", patch);
    }

    #[test]
    fn a_merge_patch_makes_the_other_object(a in object(), b in object()) {
        let patch = json_merge::three_way(&a, &b, &a, &[]).expect("a patch");
        let mut result = a;
        json_merge::apply(&mut result, patch).expect("an object");
        prop_assert_eq!(&result, &b);
        prop_assert_eq!(json_merge::three_way(&b, &b, &result, &[]).expect("a patch"), json!({}));
    }

    #[test]
    fn an_object_needs_no_patch_to_itself(a in object()) {
        prop_assert_eq!(strategic::two_way(&a, &a, schema(), &[]).expect("a patch"), json!({}));
        prop_assert_eq!(strategic::three_way(&a, &a, &a, schema(), false, &[]).expect("a patch"), json!({}));
    }

    #[test]
    fn a_second_apply_changes_nothing(last in object(), manifest in object(), live in object()) {
        let patch = strategic::three_way(&last, &manifest, &live, schema(), true, &[]).expect("a patch");
        let mut result = strategic::apply(live, patch, schema()).expect("an object");
        strategic::drop_directives(&mut result);
        let again = strategic::three_way(&manifest, &manifest, &result, schema(), true, &[]).expect("a patch");
        // Items that only the server has make the library send the order of the others every time.
        prop_assert!(again == json!({}) || only_orders(&again), "{}", again);
        prop_assert_eq!(strategic::apply(result.clone(), again, schema()).expect("an object"), result);
    }

    #[test]
    fn a_second_apply_of_a_custom_resource_is_empty(last in object(), manifest in object(), live in object()) {
        let patch = json_merge::three_way(&last, &manifest, &live, &[]).expect("a patch");
        let mut result = live;
        json_merge::apply(&mut result, patch).expect("an object");
        prop_assert_eq!(json_merge::three_way(&manifest, &manifest, &result, &[]).expect("a patch"), json!({}));
    }

    #[test]
    fn fields_that_were_never_applied_stay(last in object(), manifest in object(), live in object()) {
        let patch = strategic::three_way(&last, &manifest, &live, schema(), true, &[]).expect("a patch");
        let result = strategic::apply(live.clone(), patch, schema()).expect("an object");
        let lost = lost(&live, Some(&last), Some(&manifest), Some(&result), "");
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }

    #[test]
    fn what_nobody_removed_stays(last in object(), manifest in object(), live in object()) {
        for gvk in [deployment(), GroupVersionKind::new("example.com", "v1", "Widget")] {
            let schemas = Schemas::builtin();
            let outcome = apply::three_way(&gvk, schemas, Some(&last), &manifest, &live, true).expect("a patch");
            let rows = explain(&gvk, schemas, Some(&last), &manifest, &live, &outcome).expect("an explanation").changes;
            for row in rows {
                let removed = row.live.is_some() && row.result.is_none();
                prop_assert!(!removed || matches!(row.reason, Reason::Removed | Reason::NotRetained), "{}", row);
                if let (Some(wanted), Reason::Added) = (&row.manifest, &row.reason) {
                    prop_assert_eq!(row.result.as_ref(), Some(wanted));
                }
                prop_assert!(row.reason != Reason::Server, "{}", row);
            }
        }
    }
}
