//! What apply does besides merging: places of wrong fields, pruning, sets, and the way from client to server side.

use crate::support::{Cluster, both_ways, run};

both_ways!(
    wrong_fields_are_found_in_their_files,
    what_is_no_longer_in_the_files_is_pruned,
    sets_keep_track_of_their_members,
    the_server_takes_over_from_client_side_apply,
    a_definition_and_its_objects_go_in_one_run,
    server_side_merges_are_explained,
);

fn map(name: &str, data: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    app: shop\ndata:\n  a: {data}\n---\n"
    )
}

fn wrong_fields_are_found_in_their_files(cluster: &Cluster) {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\nspec:\n  template:\n    spec:\n";
    let containers = "      containers:\n      - name: main\n        image: x\n";
    let text = format!("{}{job}      restartPolicyy: Never\n{containers}", map("fine", "x"));
    cluster.write("in.yaml", &text);
    let told = cluster.knarr("apply -f in.yaml");
    assert_eq!((told.stdout.as_str(), told.code), ("configmap/fine created\n", Some(1)));
    let hint =
        "hint: in.yaml:17:7: unknown field \"spec.template.spec.restartPolicyy\", did you mean \"restartPolicy\"?";
    assert!(told.stderr.contains(hint), "{}", told.stderr);
    // What only the server refuses has its place, too; under the name kubectl nothing is added.
    cluster.write("in.yaml", &format!("{job}      restartPolicy: Sometimes\n{containers}"));
    let told = cluster.knarr("create -f in.yaml").stderr;
    assert!(told.contains("hint: in.yaml:8:7: spec.template.spec.restartPolicy\n"), "{told}");
    assert!(!cluster.kubectl("create -f in.yaml").stderr.contains("hint:"));
}

fn what_is_no_longer_in_the_files_is_pruned(cluster: &Cluster) {
    cluster.write("in.yaml", &format!("{}{}", map("a", "x"), map("b", "x")));
    cluster.knarr("apply -f in.yaml").ok();
    cluster.write("in.yaml", &map("a", "x"));
    let line = "apply -f in.yaml --prune -l app=shop --prune-allowlist=core/v1/ConfigMap";
    let dry = cluster.knarr(&format!("{line} --dry-run=client")).ok();
    assert_eq!(dry, "configmap/a unchanged (dry run)\nconfigmap/b pruned (dry run)\n");
    assert_eq!(cluster.knarr(line).ok(), "configmap/a unchanged\nconfigmap/b pruned\n");
    assert_eq!(cluster.knarr("get cm -l app=shop -o name").ok(), "configmap/a\n");
    let refused = cluster.kubectl("apply -f in.yaml --prune").text();
    assert!(refused.starts_with("error: all resources selected for prune without explicitly passing --all."));
}

fn sets_keep_track_of_their_members(cluster: &Cluster) {
    cluster.write("in.yaml", &format!("{}{}", map("a", "x"), map("b", "x")));
    let line = "apply -f in.yaml --prune --applyset=configmaps/mine -n default";
    assert_eq!(cluster.knarr(line).ok(), "configmap/a created\nconfigmap/b created\n");
    cluster.write("in.yaml", &map("b", "x"));
    assert_eq!(cluster.knarr(line).ok(), "configmap/b unchanged\nconfigmap/a pruned\n");
    let kinds = "get cm mine -o jsonpath={.metadata.annotations.applyset\\.kubernetes\\.io/contains-group-kinds}";
    assert_eq!(cluster.knarr(kinds).ok(), "ConfigMap");
    assert_eq!(
        cluster.kubectl(line).text(),
        "error: unknown flag: --applyset\nSee 'kubectl apply --help' for usage.\n[1]"
    );
}

fn the_server_takes_over_from_client_side_apply(cluster: &Cluster) {
    cluster.write("in.yaml", &format!("{}  b: x\n", map("a", "x").trim_end_matches("---\n")));
    cluster.knarr("apply -f in.yaml").ok();
    cluster.write("in.yaml", &map("a", "z"));
    assert_eq!(cluster.knarr("apply --server-side -f in.yaml").ok(), "configmap/a serverside-applied\n");
    // The field that the file no longer has is gone, which only its owner could bring about.
    assert_eq!(cluster.knarr("get cm a -o jsonpath={.data}").ok(), "{\"a\":\"z\"}");
    let managers = cluster.knarr("get cm a -o jsonpath={.metadata.managedFields[*].manager}").ok();
    assert_eq!(managers, "kubectl-last-applied kubectl");
}

#[test]
fn dry_runs_in_the_client_need_no_server() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let manifest = map("a", "x");
    let offline = |program: &str, verb: &str| {
        run(folder.path(), program, &["--server=http://127.0.0.1:1", verb, "-f", "-", "--dry-run=client"], &manifest)
    };
    for verb in ["apply", "create"] {
        assert_eq!(offline("knarr", verb).ok(), "configmap/a created (dry run)\n");
        assert_eq!(offline("kubectl", verb).code, Some(1));
    }
}

const THINGS: &str = "apiVersion: example.com/v1
kind: Thing
metadata: {name: first}
spec: {size: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things, singular: thing}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

fn a_definition_and_its_objects_go_in_one_run(cluster: &Cluster) {
    cluster.write("in.yaml", THINGS);
    // kubectl wants a second run.
    let refused = cluster.kubectl("apply -f in.yaml --dry-run=server").stderr;
    assert!(refused.contains("no matches for kind \"Thing\" in version \"example.com/v1\""), "{refused}");
    let told = cluster.knarr("apply -f in.yaml").ok();
    assert_eq!(
        told,
        "customresourcedefinition.apiextensions.k8s.io/things.example.com created\nthing.example.com/first created\n"
    );
}

fn server_side_merges_are_explained(cluster: &Cluster) {
    cluster.write("in.yaml", &map("a", "x"));
    cluster.knarr("apply -f in.yaml --server-side").ok();
    cluster.knarr("label cm a team=blue").ok();
    cluster.write("in.yaml", &map("a", "z").replace("  labels:\n    app: shop\n", ""));
    let told = cluster.knarr("apply -f in.yaml --server-side --dry-run=server --explain").ok();
    assert_eq!(
        told,
        "configmap/a serverside-applied (server dry run)\n~ data.a: \"x\" -> \"z\"\n      changed in manifest\n- \
         metadata.labels.app: \"shop\"\n      removed from manifest\nkept: set by others\n      \
         metadata.labels.team\n"
    );
}
