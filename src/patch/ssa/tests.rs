use chrono::TimeZone as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::kinds::Schemas;

fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, second).single().unwrap_or_default()
}

/// A kind with what the options borrow.
struct Fixture {
    kind: GroupVersionKind,
    empty: Value,
    reset: Vec<(String, Filter)>,
}

impl Fixture {
    fn new(group: &str, version: &str, kind: &str) -> Self {
        let kind = GroupVersionKind::new(group, version, kind);
        let empty = json!({"apiVersion": kind.api_version(), "kind": kind.kind});
        Self { kind, empty, reset: Vec::new() }
    }

    fn options<'a>(&'a self, manager: &'a str, second: u32) -> Options<'a> {
        Options {
            manager,
            force: false,
            subresource: "",
            kind: &self.kind,
            schema: Schemas::builtin().of_kind(&self.kind),
            empty: &self.empty,
            reset_fields: &self.reset,
            empties: Empties::default(),
            versions: None,
            now: at(second),
        }
    }
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"}, "data": data})
}

fn entries(object: &Value) -> &[Value] {
    meta::list_at(object, &["metadata", "managedFields"])
}

#[test]
fn the_time_of_an_entry_changes_with_the_object_only() {
    let fixture = Fixture::new("", "v1", "ConfigMap");
    let config = config_map(json!({"k": "1"}));
    let first = apply(None, &config, &fixture.options("a", 1)).expect("no conflict");
    assert_eq!(entries(&first)[0]["time"], "2026-01-01T00:00:01Z");
    let again = apply(Some(&first), &config, &fixture.options("a", 2)).expect("no conflict");
    assert_eq!(again, first);
    let shared = apply(Some(&first), &config, &fixture.options("b", 3)).expect("same value");
    let second = entries(&shared).iter().find(|entry| entry["manager"] == "b").expect("shared ownership");
    assert_eq!(second.get("time"), None, "nothing but ownership has changed");
}

#[test]
fn updates_keep_their_entry_when_nothing_changes() {
    let fixture = Fixture::new("", "v1", "ConfigMap");
    let created = update(None, config_map(json!({"k": "1"})), &fixture.options("u", 1));
    let same = update(Some(&created), created.clone(), &fixture.options("u", 2));
    assert_eq!(same, created);
    let changed = update(Some(&created), config_map(json!({"k": "2"})), &fixture.options("v", 3));
    let fields = |manager: &str| {
        let entry = entries(&changed).iter().find(|entry| entry["manager"] == manager);
        entry.map(|entry| entry["fieldsV1"].clone())
    };
    assert_eq!(fields("u"), Some(json!({"f:data": {}})));
    assert_eq!(fields("v"), Some(json!({"f:data": {"f:k": {}}})));
}

#[test]
fn tracking_starts_at_creation_or_with_the_first_apply() {
    let fixture = Fixture::new("", "v1", "ConfigMap");
    let mut untracked = config_map(json!({"k": "1"}));
    untracked["metadata"]["uid"] = json!("u");
    let mut changed = untracked.clone();
    changed["data"]["k"] = json!("2");
    let updated = update(Some(&untracked), changed, &fixture.options("u", 1));
    assert!(entries(&updated).is_empty());
    let applied = apply(Some(&untracked), &config_map(json!({"k": "2"})), &fixture.options("a", 1));
    assert_eq!(
        applied.map_err(|e| e.to_string()),
        Err("Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.k".into())
    );
}

#[test]
fn the_oldest_updates_are_folded() {
    let fixture = Fixture::new("", "v1", "ConfigMap");
    let mut object = update(None, config_map(json!({"k0": ""})), &fixture.options("m00", 0));
    for number in 1..13_u32 {
        let mut changed = object.clone();
        changed["data"][format!("k{number}")] = json!("");
        object = update(Some(&object), changed, &fixture.options(&format!("m{number:02}"), number));
    }
    let managers: Vec<_> = entries(&object).iter().filter_map(|entry| entry["manager"].as_str()).collect();
    assert_eq!(
        managers,
        ["ancient-changes", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12"],
        "ten are left"
    );
    assert_eq!(
        entries(&object)[0]["fieldsV1"],
        json!({"f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}, "f:k3": {}}})
    );
}

#[test]
fn subresources_are_told_apart_and_reset_fields_are_nobodys() {
    let mut fixture = Fixture::new("apps", "v1", "Deployment");
    let object = |replicas: u32, ready: u32| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}})
    };
    fixture.reset = vec![("apps/v1".into(), Filter::excluding(&[&["status"]]))];
    let created = update(None, object(1, 1), &fixture.options("u", 1));
    assert_eq!(entries(&created)[0]["fieldsV1"], json!({"f:spec": {".": {}, "f:replicas": {}}}));
    fixture.reset.clear();
    let mut status = fixture.options("c", 2);
    status.subresource = "status";
    let updated = update(Some(&created), object(1, 2), &status);
    let entry = entries(&updated).iter().find(|entry| entry["subresource"] == "status").expect("own entry");
    assert_eq!(entry["fieldsV1"], json!({"f:status": {"f:readyReplicas": {}}}));
    let config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "status": {"readyReplicas": 5}});
    let error = apply(Some(&updated), &config, &fixture.options("a", 3)).expect_err("owned by c");
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"c\" with subresource \"status\" using apps/v1: \
         .status.readyReplicas"
    );
    assert_eq!(error.to_status().code, 409);
}

#[test]
fn kubectl_takes_over_what_it_applied_on_the_client_side() {
    let fixture = Fixture::new("", "v1", "ConfigMap");
    let mut object = config_map(json!({"k": "1"}));
    let last_applied = config_map(json!({"k": "1"})).to_string();
    meta::set(&mut object, &["metadata", "annotations", meta::LAST_APPLIED], last_applied);
    let created = update(None, object, &fixture.options("kubectl-client-side-apply", 1));
    let config = config_map(json!({"k": "2"}));
    assert!(apply(Some(&created), &config, &fixture.options("other", 2)).is_err());
    let applied = apply(Some(&created), &config, &fixture.options("kubectl", 2)).expect("taken over");
    assert_eq!(applied["data"]["k"], "2");
    assert_eq!(
        meta::annotation(&applied, meta::LAST_APPLIED),
        Some(concat!(
            r#"{"apiVersion":"v1","data":{"k":"2"},"kind":"ConfigMap","metadata":{"name":"c","namespace":"d"}}"#,
            "\n"
        ))
    );
    let patch = upgrade_patch(&created, &["kubectl-client-side-apply"], "kubectl", "").expect("readable");
    let upgraded = patch.expect("there is something to upgrade")[0]["value"][0].clone();
    assert_eq!((&upgraded["manager"], &upgraded["operation"]), (&json!("kubectl"), &json!("Apply")));
}

#[test]
fn keys_take_their_defaults_from_the_schema() {
    let fixture = Fixture::new("", "v1", "Service");
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}});
    let applied = apply(None, &service(json!([{"port": 80}])), &fixture.options("a", 1)).expect("no conflict");
    assert_eq!(
        entries(&applied)[0]["fieldsV1"],
        json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}})
    );
}

/// A pod whose affinity holds an atomic list with a label selector in it.
fn pod_with_selector(selector: Value) -> Value {
    let term = json!({"labelSelector": selector, "topologyKey": "zone"});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
        "containers": [{"name": "c"}],
    }})
}

#[test]
fn an_empty_map_within_an_atomic_list_is_something_else_than_none() {
    let fixture = Fixture::new("", "v1", "Pod");
    let printed = pod_with_selector(json!({}));
    let created = update(None, printed.clone(), &fixture.options("a", 1));
    let sent = crate::kinds::decode::empties(&fixture.kind, &pod_with_selector(json!({"matchLabels": {}})));
    let options = Options { empties: Empties { live: &[], new: &sent }, ..fixture.options("b", 2) };
    let sent_again = update(Some(&created), printed.clone(), &options);
    let list = &entries(&sent_again)[1]["fieldsV1"]["f:spec"]["f:affinity"]["f:podAffinity"];
    assert_eq!(entries(&sent_again)[1]["manager"], "b");
    assert_eq!(*list, json!({"f:requiredDuringSchedulingIgnoredDuringExecution": {}}));
    let both = Options { empties: Empties { live: &sent, new: &sent }, ..options };
    assert_eq!(entries(&update(Some(&created), printed, &both)).len(), 1, "nothing has changed");
    // Outside of lists, none and empty are the same.
    let labelled = |labels: &Value| {
        let mut pod = pod_with_selector(json!({}));
        pod["metadata"]["labels"] = labels.clone();
        crate::kinds::decode::empties(&fixture.kind, &pod)
    };
    let sent = labelled(&json!({}));
    assert_eq!(sent.len(), 1);
    let options = Options { empties: Empties { live: &[], new: &sent }, ..fixture.options("b", 2) };
    assert_eq!(entries(&update(Some(&created), pod_with_selector(json!({})), &options)).len(), 1);
}

#[test]
fn without_a_schema_maps_are_merged_and_lists_are_atomic() {
    let fixture = Fixture::new("example.com", "v1", "Thing");
    let thing =
        |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec});
    let first = apply(None, &thing(json!({"a": {"x": 1}, "l": [1]})), &fixture.options("a", 1)).expect("no conflict");
    let both = apply(Some(&first), &thing(json!({"a": {"y": 2}})), &fixture.options("b", 2)).expect("no conflict");
    assert_eq!(both["spec"], json!({"a": {"x": 1, "y": 2}, "l": [1]}));
    let error = apply(Some(&both), &thing(json!({"l": [2]})), &fixture.options("b", 3)).expect_err("owned by a");
    assert_eq!(error.to_string(), "Apply failed with 1 conflict: conflict with \"a\": .spec.l");
}

#[test]
fn sets_are_written_in_the_order_of_path_elements() {
    let text = r#"{"f:b":{".":{},"k:{\"n\":9}":{},"k:{\"n\":10}":{},"v:1":{},"i:0":{}},"f:c":{}}"#;
    let set = FieldSet::from_json(text).expect("a set");
    assert_eq!(set.to_json(), text);
}

/// Values that a config map's `data` may have.
fn data() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", prop_oneof![Just(json!("1")), Just(json!("2")), Just(json!(null))], 0..3)
        .prop_map(|map| json!(map))
}

/// Containers of a deployment, told apart by name; at least one, for an applier that owns nothing is forgotten.
fn containers() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", ("[xy]", prop::option::of(1..3_u32)), 1..3).prop_map(|map| {
        let items = map.into_iter().map(|(name, (image, port))| {
            let mut container = json!({"name": name, "image": image});
            if let Some(port) = port {
                container["ports"] = json!([{"containerPort": port}]);
            }
            container
        });
        Value::Array(items.collect())
    })
}

fn deployment(containers: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"template": {"spec": {"containers": containers}}}})
}

proptest! {
    #[test]
    fn applying_twice_changes_nothing(steps in prop::collection::vec((0..3_usize, any::<bool>(), containers()), 1..6)) {
        let fixture = Fixture::new("apps", "v1", "Deployment");
        let mut live: Option<Value> = None;
        for (second, (manager, is_apply, containers)) in (0..).zip(steps) {
            let options = Options { force: true, ..fixture.options(["a", "b", "c"][manager], second) };
            let config = deployment(containers);
            if !is_apply {
                live = Some(update(live.as_ref(), config, &options));
                continue;
            }
            let once = apply(live.as_ref(), &config, &options).expect("forced");
            let later = Options { now: at(59), ..options };
            let twice = apply(Some(&once), &config, &later).expect("forced");
            prop_assert_eq!(&twice, &once);
            live = Some(once);
        }
    }

    #[test]
    fn an_apply_takes_away_only_what_the_applier_alone_owned(
        steps in prop::collection::vec((0..3_usize, any::<bool>(), containers()), 1..6),
        last in (0..3_usize, containers()),
    ) {
        let fixture = Fixture::new("apps", "v1", "Deployment");
        let ty = Type::of_object(Schemas::builtin().of_kind(&fixture.kind));
        let mut live: Option<Value> = None;
        for (second, (manager, is_apply, containers)) in (0..).zip(steps) {
            let options = Options { force: true, ..fixture.options(["a", "b", "c"][manager], second) };
            let config = deployment(containers);
            live = Some(match is_apply {
                true => apply(live.as_ref(), &config, &options).expect("forced"),
                false => update(live.as_ref(), config, &options),
            });
        }
        let live = live.expect("at least one step");
        let (manager, config) = (["a", "b", "c"][last.0], deployment(last.1));
        let options = Options { force: true, ..fixture.options(manager, 30) };
        let result = apply(Some(&live), &config, &options).expect("forced");
        let fields = |object: &Value| walk::field_set(&without_managed_fields(object), ty);
        let lost = fields(&live).difference(&fields(&result));
        let mut owners = Managed::of_object(&live).expect("readable").owners;
        let own = owners.remove(&options.id(manager, Operation::Apply));
        let own = own.map(|owned| owned.set.as_ref().clone()).unwrap_or_default();
        let others = owners.values().fold(fields(&config), |all, owned| all.union(&owned.set));
        // An item goes with all that is in it.
        let unasked = lost.recursive_difference(&own.difference(&others));
        prop_assert!(unasked.is_empty(), "{:?}", unasked.paths());
    }

    #[test]
    fn what_somebody_owns_is_not_lost(first in data(), second in data()) {
        let fixture = Fixture::new("", "v1", "ConfigMap");
        let owned = apply(None, &config_map(first.clone()), &fixture.options("a", 1)).expect("nobody else");
        let options = Options { force: true, ..fixture.options("b", 2) };
        let both = apply(Some(&owned), &config_map(second), &options).expect("forced");
        let gone = apply(Some(&both), &config_map(json!({})), &fixture.options("b", 3)).expect("no conflict");
        for key in first.as_object().into_iter().flat_map(|map| map.keys()) {
            prop_assert!(both["data"].get(key).is_some());
            let still_owned = entries(&both).iter().any(|e| e["manager"] == "a" && !e["fieldsV1"]["f:data"][format!("f:{key}")].is_null());
            prop_assert_eq!(gone["data"].get(key).is_some(), still_owned);
        }
    }

    #[test]
    fn set_operations_keep_their_laws(a in data(), b in data()) {
        let set = |data: &Value| walk::field_set(&config_map(data.clone()), Type::Deduced);
        let (a, b) = (set(&a), set(&b));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
    }
}
