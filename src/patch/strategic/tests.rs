use super::*;
use crate::kinds::Schemas;
use crate::object::GroupVersionKind;
use serde_json::json;

fn pod() -> PatchSchema<'static> {
    PatchSchema::of_kind(Schemas::builtin(), &GroupVersionKind::new("", "v1", "Pod")).expect("pods are built in")
}

fn applied(original: Value, patch: Value) -> Result<Value, String> {
    apply(original, patch, pod()).map_err(|e| e.to_string())
}

#[test]
fn containers_merge_by_name_and_keep_what_the_patch_does_not_name() {
    let live = json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}});
    let patch = json!({"spec": {"containers": [{"name": "b", "image": "b:2"}, {"name": "a", "$patch": "delete"}]}});
    assert_eq!(applied(live, patch), Ok(json!({"spec": {"containers": [{"name": "b", "image": "b:2"}]}})));
}

#[test]
fn retain_keys_clears_other_sources_of_a_volume() {
    let live = json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}});
    let patch =
        json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}, "$retainKeys": ["name", "hostPath"]}]}});
    let want = json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}});
    assert_eq!(applied(live, patch), Ok(want));
}

#[test]
fn order_directive_wins_over_the_live_order() {
    let live = json!({"spec": {"containers": [{"name": "a"}, {"name": "x"}, {"name": "b"}]}});
    let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}});
    let want = json!({"spec": {"containers": [{"name": "x"}, {"name": "b"}, {"name": "a"}]}});
    assert_eq!(applied(live, patch), Ok(want));
}

#[test]
fn three_way_removes_only_what_was_applied() {
    let last = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
    let modified = json!({"metadata": {"labels": {"a": "1"}}});
    let live = json!({"metadata": {"labels": {"a": "1", "b": "2", "theirs": "3"}}});
    let patch = three_way(&last, &modified, &live, pod(), true, &[]).expect("a patch");
    assert_eq!(patch, json!({"metadata": {"labels": {"b": null}}}));
}

#[test]
fn conflicts_are_reported_when_nothing_may_be_overwritten() {
    let (last, modified) = (json!({"spec": {"nodeName": "a"}}), json!({"spec": {"nodeName": "b"}}));
    let live = json!({"spec": {"nodeName": "c"}});
    assert!(three_way(&last, &modified, &live, pod(), true, &[]).is_ok());
    let error = three_way(&last, &modified, &live, pod(), false, &[]).unwrap_err();
    let PatchError::Conflict(conflict) = error else { panic!("{error}") };
    assert_eq!(conflict.changes, json!({"spec": {"nodeName": "c"}}));
}
