use super::*;
use serde_json::json;

fn deployment() -> GroupVersionKind {
    GroupVersionKind::new("apps", "v1", "Deployment")
}

fn explained(last: Value, manifest: Value, live: Value) -> Explanation {
    let schemas = Schemas::builtin();
    let outcome = apply::three_way(&deployment(), schemas, Some(&last), &manifest, &live, true).expect("a patch");
    explain(&deployment(), schemas, Some(&last), &manifest, &live, &outcome).expect("an explanation")
}

fn reasons(explanation: &Explanation) -> Vec<(&str, String)> {
    explanation.changes.iter().map(|change| (change.path.as_str(), change.reason.to_string())).collect()
}

fn with_containers(containers: Value, rest: Value) -> Value {
    let mut object = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    object["metadata"] = rest;
    object
}

#[test]
fn every_path_has_its_reason() {
    let last = with_containers(
        json!([{"name": "web", "image": "web:1", "tty": true}, {"name": "old", "image": "o"}]),
        json!({"labels": {"a": "1", "b": "1", "gone/x": "1"}}),
    );
    let manifest = with_containers(
        json!([{"name": "web", "image": "web:2"}, {"name": "new", "image": "n"}]),
        json!({"labels": {"a": "1", "b": "2", "c": "3"}}),
    );
    let live = with_containers(
        json!([
            {"name": "web", "image": "web:1", "tty": true, "stdin": true},
            {"name": "old", "image": "o"},
            {"name": "sidecar", "image": "s"}
        ]),
        json!({"labels": {"a": "9", "b": "8", "c": "7", "gone/x": "1", "theirs": "1"}, "uid": "u"}),
    );
    let explanation = explained(last, manifest, live);
    let web = "spec.template.spec.containers";
    let want = [
        ("metadata.labels.a", "changed by others, manifest wins"),
        ("metadata.labels.b", "changed in manifest and by others, manifest wins"),
        ("metadata.labels.c", "set by others before, manifest wins"),
        ("metadata.labels[gone/x]", "removed from manifest"),
        ("metadata.labels.theirs", "kept: set by others"),
        ("metadata.uid", "kept: set by others"),
        (web, "list merged by name"),
        (&format!("{web}[name=web].image"), "changed in manifest"),
        (&format!("{web}[name=web].stdin"), "kept: set by others"),
        (&format!("{web}[name=web].tty"), "removed from manifest"),
        (&format!("{web}[name=new]"), "added in manifest"),
        (&format!("{web}[name=sidecar]"), "kept: set by others"),
        (&format!("{web}[name=old]"), "removed from manifest"),
    ];
    let mut got = reasons(&explanation);
    let mut want: Vec<(&str, String)> = want.iter().map(|(path, reason)| (*path, (*reason).to_owned())).collect();
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

#[test]
fn a_chosen_sibling_excludes_the_other() {
    let last = json!({"spec": {"strategy": {"type": "Recreate"}}});
    let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let explanation = explained(last.clone(), last, live);
    assert_eq!(
        reasons(&explanation),
        [
            ("spec.strategy.rollingUpdate", "removed: excluded by what the manifest sets beside it".to_owned()),
            ("spec.strategy.type", "changed by others, manifest wins".to_owned()),
        ]
    );
}

#[test]
fn the_text_shows_values_and_reasons() {
    let last = json!({"spec": {"replicas": 3}});
    let live = json!({"spec": {"replicas": 5, "paused": true}});
    let text = explained(last.clone(), last.clone(), live).to_string();
    assert_eq!(
        text,
        "~ spec.replicas: 5 -> 3\n      changed by others, manifest wins (last applied: 3)\nkept: set by others\n      spec.paused\n"
    );
    assert_eq!(explained(last.clone(), last.clone(), last).to_string(), "nothing changes\n");
}
