//! The binary as users run it: arguments in; standard output, standard error and exit code out.

use std::path::Path;

use crate::support;

/// Runs the binary in `folder` under the name `program`; gives its three outputs as one text.
fn run(folder: &Path, program: &str, line: &str, stdin: &str) -> String {
    support::run(folder, program, &line.split_whitespace().collect::<Vec<_>>(), stdin).text()
}

#[test]
fn misuse_is_told_as_kubectl_tells_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let cases = [
        ("get --nosuch", "error: unknown flag: --nosuch\nSee 'kubectl get --help' for usage.\n[1]"),
        ("get pods -o", "error: flag needs an argument: 'o' in -o\nSee 'kubectl get --help' for usage.\n[1]"),
        ("gte pods", "error: unknown command \"gte\" for \"kubectl\"\n\nDid you mean this?\n\tget\n[1]"),
        (
            "scale deploy x --replicas=many",
            "error: invalid argument \"many\" for \"--replicas\" flag: strconv.ParseInt: parsing \"many\": invalid \
             syntax\nSee 'kubectl scale --help' for usage.\n[1]",
        ),
        ("scale deploy x", "error: required flag(s) \"replicas\" not set\n[1]"),
        ("apply -f missing.yaml", "error: the path \"missing.yaml\" does not exist\n[1]"),
        ("--context=none get pods", "Error in configuration: context was not found for specified context: none\n[1]"),
    ];
    for (line, expected) in cases {
        assert_eq!(run(folder.path(), "kubectl", line, ""), expected, "{line}");
    }
}

#[test]
fn an_unreachable_server_is_named() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    // Nothing listens on the port that a listener has just given up.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let told = run(folder.path(), "knarr", &format!("--server=http://127.0.0.1:{port} get pods"), "");
    let expected = format!(
        "The connection to the server 127.0.0.1:{port} was refused - did you specify the right host or port?\n"
    );
    assert!(told.starts_with(&expected), "{told}");
    assert!(told.ends_with("[1]"), "{told}");
}

#[test]
fn a_kubeconfig_is_built_up_and_read_back() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let kubectl = |line: &str| run(folder.path(), "kubectl", line, "");
    assert_eq!(kubectl("config set-cluster dev --server=https://dev:6443"), "Cluster \"dev\" set.\n[0]");
    assert_eq!(kubectl("config set-credentials jane --token=secret"), "User \"jane\" set.\n[0]");
    assert_eq!(kubectl("config set-context dev --cluster=dev --user=jane -n web"), "Context \"dev\" created.\n[0]");
    assert_eq!(kubectl("config use-context dev"), "Switched to context \"dev\".\n[0]");
    assert_eq!(kubectl("config set clusters.dev.insecure-skip-tls-verify true").lines().last(), Some("[0]"));
    assert_eq!(kubectl("config view -o jsonpath={.users[0].user.token}"), "REDACTED[0]");
    assert_eq!(kubectl("config view --raw -o jsonpath={.users[0].user.token}"), "secret[0]");
    let file = std::fs::read_to_string(folder.path().join(".kube/config")).expect("written");
    assert!(file.contains("    insecure-skip-tls-verify: true\n"), "{file}");
}

#[test]
fn preferences_change_defaults_and_add_aliases() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let kubectl = |line: &str| run(folder.path(), "kubectl", line, "");
    let set = "kuberc set --section";
    let prefs = folder.path().join(".kube/kuberc");
    let updated = format!("Updated {}\n[0]", prefs.display());
    assert_eq!(kubectl(&format!("{set} defaults --command=version --option=output=yaml")), updated);
    let runx = "--name runx --command run --option image=nginx --appendarg -- --appendarg last";
    assert_eq!(kubectl(&format!("{set} aliases {runx}")), updated);
    let already = "error: alias \"runx\" already exists, use --overwrite to replace\n[1]";
    assert_eq!(kubectl(&format!("{set} aliases {runx}")), already);
    assert!(kubectl("version --client").starts_with("clientVersion:\n"));
    assert!(kubectl("version --client -ojson").starts_with("{\n"));
    let knarr = |line: &str| run(folder.path(), "knarr", line, "");
    let print = "--dry-run=client -o jsonpath={.spec.containers[0]['image','args']}";
    assert_eq!(knarr(&format!("runx web first {print}")), "nginx [\"first\",\"last\"][0]");
    assert_eq!(knarr(&format!("runx web --image=own {print}")), "own [\"last\"][0]");
    std::fs::rename(&prefs, folder.path().join("prefs")).expect("moved");
    let unknown = "error: unknown flag: --nosuch\nSee 'kubectl runx --help' for usage.\n[1]";
    assert_eq!(kubectl("runx --kuberc=prefs web --nosuch"), unknown);
    let missing = "error occurred while applying preferences kuberc error kuberc: open none: no such file or directory";
    assert_eq!(kubectl("--kuberc none config view"), format!("{missing}\n[1]"));
}

#[test]
fn manifests_are_applied_to_an_embedded_cluster() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let knarr = |line: &str, stdin: &str| run(folder.path(), "knarr", &format!("--embedded=it {line}"), stdin);
    let manifest = |color: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: conf\n  labels: {{app: web}}\ndata:\n  color: {color}\n"
        )
    };
    assert_eq!(knarr("apply -f -", &manifest("red")), "configmap/conf created\n[0]");
    assert_eq!(knarr("apply -f -", &manifest("red")), "configmap/conf unchanged\n[0]");
    assert_eq!(knarr("apply -f -", &manifest("blue")), "configmap/conf configured\n[0]");
    assert_eq!(knarr("get cm conf -o jsonpath={.data.color}", ""), "blue[0]");
    assert_eq!(knarr("get cm -l app=web -o name", ""), "configmap/conf\n[0]");
    assert_eq!(knarr("delete cm conf", ""), "configmap \"conf\" deleted from default namespace\n[0]");
    assert_eq!(knarr("get cm conf", ""), "Error from server (NotFound): configmaps \"conf\" not found\n[1]");
}
