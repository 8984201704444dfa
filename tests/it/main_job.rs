//! The main job: real manifests are applied, changed, merged, scaled, read and deleted. Every case runs on a cluster in
//! the command's own process and on one that is reached through HTTPS.

use std::fs;
use std::path::Path;

use crate::support::{Cluster, both_ways, root};

both_ways!(
    examples_live_through_their_whole_life,
    the_shop_takes_its_change,
    a_change_of_an_applied_object_is_merged,
    fields_set_by_others_stay,
    create_and_replace_keep_to_their_side,
    scale_leaves_the_file_alone,
    a_guestbook_comes_to_run,
    input_may_be_anything_that_holds_objects,
    bad_input_is_told_and_the_rest_goes_on,
    objects_are_read_in_every_form,
    objects_are_deleted_by_all_means,
    dry_runs_change_nothing,
    many_objects_keep_their_order,
);

/// The lines of a text, sorted.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// How many documents the manifests of a folder hold.
fn documents(folder: &Path) -> usize {
    let files = fs::read_dir(folder).expect("a folder of examples");
    files
        .map(|file| fs::read_to_string(file.expect("an entry").path()).expect("a file"))
        .map(|text| text.split("\n---\n").count())
        .sum()
}

/// A copy of a folder's manifests in which every object has one more annotation.
fn annotated(cluster: &Cluster, folder: &Path, name: &str) {
    for file in fs::read_dir(folder).expect("a folder of examples") {
        let file = file.expect("an entry");
        let text = fs::read_to_string(file.path()).expect("a file");
        let changed = text.replace("\nmetadata:\n", "\nmetadata:\n  annotations:\n    example.com/changed: \"yes\"\n");
        assert_ne!(text, changed);
        cluster.write(&format!("{name}/{}", file.file_name().to_string_lossy()), &changed);
    }
}

fn examples_live_through_their_whole_life(cluster: &Cluster) {
    for name in ["guestbook", "course", "shop/base"] {
        let folder = root().join("docs/examples").join(name);
        let file = folder.display();
        let count = documents(&folder);
        let all_say = |line: &str, word: &str| {
            let text = cluster.knarr(line).ok();
            let lines: Vec<&str> = text.lines().filter(|line| line.ends_with(word)).collect();
            assert_eq!((lines.len(), text.lines().count()), (count, count), "{line}: {text}");
        };
        all_say(&format!("apply -f {file}"), " created");
        all_say(&format!("apply -f {file}"), " unchanged");
        annotated(cluster, &folder, name);
        all_say(&format!("apply -f {name}"), " configured");
        all_say(&format!("apply -f {name}"), " unchanged");
        // What is in a namespace of the same files may go with it before its turn comes.
        let deleted = cluster.knarr(&format!("delete --ignore-not-found -f {file}")).ok();
        assert!(deleted.lines().all(|line| line.contains("\" deleted")), "{deleted}");
        assert_eq!(cluster.knarr(&format!("get -f {file} --ignore-not-found -o name")).ok(), "");
    }
}

fn the_shop_takes_its_change(cluster: &Cluster) {
    let examples = root().join("docs/examples/shop");
    cluster.knarr(&format!("apply -R -f {}", examples.join("base").display())).ok();
    let text = cluster.knarr(&format!("apply -f {}", examples.join("change").display())).ok();
    assert!(text.lines().any(|line| line.ends_with(" configured")), "{text}");
    let again = cluster.knarr(&format!("apply -f {}", examples.join("change").display())).ok();
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
}

/// A Deployment with the given lines in its metadata and its spec, and a container's image.
fn deployment(metadata: &str, spec: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n{metadata}spec:\n{spec}  selector:\n    \
         matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      \
         containers:\n      - name: web\n        image: {image}\n"
    )
}

fn a_change_of_an_applied_object_is_merged(cluster: &Cluster) {
    let labels = "  labels:\n    tier: front\n    team: a\n";
    cluster.write("web.yaml", &deployment(labels, "  replicas: 2\n", "nginx:1.27"));
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web created\n");
    // The label's absence in the file is a wish, though no field requires it.
    cluster.write("web.yaml", &deployment("  labels:\n    team: a\n", "  replicas: 2\n", "nginx:1.27"));
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web configured\n");
    assert_eq!(cluster.knarr("get deploy web -o jsonpath={.metadata.labels}").ok(), r#"{"team":"a"}"#);
    // So is the absence of the field itself, which then has its default.
    cluster.write("web.yaml", &deployment("", "", "nginx:1.27"));
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web configured\n");
    assert_eq!(cluster.knarr("get deploy web -o jsonpath={.metadata.labels}/{.spec.replicas}").ok(), "/1");
    // Entries of a list are merged by name; what the server has filled in stays.
    cluster.write("web.yaml", &deployment("", "", "nginx:1.28"));
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web configured\n");
    let container = "get deploy web -o jsonpath={.spec.template.spec.containers[*]['image','imagePullPolicy']}";
    assert_eq!(cluster.knarr(container).ok(), "nginx:1.28 IfNotPresent");
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web unchanged\n");
}

fn fields_set_by_others_stay(cluster: &Cluster) {
    cluster.write("web.yaml", &deployment("", "", "nginx:1.27"));
    cluster.knarr("apply -f web.yaml").ok();
    assert_eq!(cluster.knarr("scale deploy web --replicas=4").ok(), "deployment.apps/web scaled\n");
    assert_eq!(cluster.knarr("label deploy web by=hand").ok(), "deployment.apps/web labeled\n");
    cluster.write("web.yaml", &deployment("  labels:\n    team: a\n", "", "nginx:1.28"));
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web configured\n");
    let shown = "get deploy web -o jsonpath={.spec.replicas}{.metadata.labels}";
    assert_eq!(cluster.knarr(shown).ok(), r#"4{"by":"hand","team":"a"}"#);
}

fn create_and_replace_keep_to_their_side(cluster: &Cluster) {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: \"1\"\n";
    cluster.write("a.yaml", manifest);
    assert_eq!(
        cluster.knarr("replace -f a.yaml").text(),
        "Error from server (NotFound): error when replacing \"a.yaml\": configmaps \"a\" not found\n[1]"
    );
    assert_eq!(cluster.knarr("create -f a.yaml").text(), "configmap/a created\n[0]");
    assert_eq!(
        cluster.knarr("create -f a.yaml").text(),
        "Error from server (AlreadyExists): error when creating \"a.yaml\": configmaps \"a\" already exists\n[1]"
    );
    cluster.write("a.yaml", &manifest.replace("x:", "z:"));
    assert_eq!(cluster.knarr("replace -f a.yaml").text(), "configmap/a replaced\n[0]");
    assert_eq!(cluster.knarr("get cm a -o jsonpath={.data}").ok(), r#"{"z":"1"}"#);
    let uid = cluster.knarr("get cm a -o jsonpath={.metadata.uid}").ok();
    let forced = cluster.knarr("replace --force -f a.yaml").ok();
    assert_eq!(sorted(&forced), ["configmap \"a\" deleted from default namespace", "configmap/a replaced"]);
    assert_ne!(cluster.knarr("get cm a -o jsonpath={.metadata.uid}").ok(), uid);
}

fn scale_leaves_the_file_alone(cluster: &Cluster) {
    let file = cluster.write("web.yaml", &deployment("", "  replicas: 3\n", "nginx:1.27"));
    cluster.knarr("apply -f web.yaml").ok();
    let before = fs::read_to_string(&file).expect("the file");
    assert_eq!(cluster.knarr("scale --replicas=6 -f web.yaml").text(), "deployment.apps/web scaled\n[0]");
    assert_eq!(fs::read_to_string(&file).expect("the file"), before);
    cluster.until("get deploy web -o jsonpath={.spec.replicas}/{.status.readyReplicas}", "6/6");
    assert_eq!(
        cluster.knarr("scale --current-replicas=2 --replicas=1 deploy/web").text(),
        "error: Expected replicas to be 2, was 6\n[1]"
    );
    // The file's own number is the wish again when it is applied again.
    assert_eq!(cluster.knarr("apply -f web.yaml").ok(), "deployment.apps/web configured\n");
    cluster.until("get deploy web -o jsonpath={.spec.replicas}/{.status.readyReplicas}", "3/3");
}

fn a_guestbook_comes_to_run(cluster: &Cluster) {
    cluster.knarr(&format!("apply -f {}", root().join("docs/examples/guestbook").display())).ok();
    cluster.until("get deploy -o jsonpath={.items[*].status.readyReplicas}", "3 2 1");
    let pods = cluster.knarr("get pods -l app=guestbook").ok();
    assert_eq!(pods.lines().filter(|line| line.contains(" 1/1 ") && line.contains(" Running ")).count(), 3, "{pods}");
    cluster
        .until("get endpointslices -l kubernetes.io/service-name=frontend -o jsonpath={.items[*].ports[*].port}", "80");
    let described = cluster.knarr("describe deploy frontend").ok();
    assert!(described.contains("3 desired | 3 updated | 3 total | 3 available | 0 unavailable"), "{described}");
}

fn input_may_be_anything_that_holds_objects(cluster: &Cluster) {
    let map = |name: &str| {
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"{name}\"}}}}")
    };
    cluster.write("in/a.json", &map("json"));
    cluster.write("in/deep/b.yml", &format!("---\n# nothing\n---\n{}\n---\n{}\n", map("one"), map("two")));
    cluster.write("in/notes.txt", "not a manifest");
    let list =
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{}, {}]}}", map("three"), map("four"));
    assert_eq!(cluster.piped("apply -f -", &list).ok(), "configmap/three created\nconfigmap/four created\n");
    assert_eq!(cluster.knarr("apply -f in").ok(), "configmap/json created\n");
    let text = cluster.knarr("apply -R -f in").ok();
    assert_eq!(text, "configmap/json unchanged\nconfigmap/one created\nconfigmap/two created\n");
    let two = cluster.knarr("apply -f in/a.json -f in/deep/b.yml").ok();
    assert_eq!(two, "configmap/json unchanged\nconfigmap/one unchanged\nconfigmap/two unchanged\n");
    assert_eq!(cluster.knarr("apply -f nowhere.yaml").text(), "error: the path \"nowhere.yaml\" does not exist\n[1]");
}

fn bad_input_is_told_and_the_rest_goes_on(cluster: &Cluster) {
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n";
    cluster.write("malformed.yaml", &format!("{head}  name: a\n   bad: x\n"));
    cluster.write("field.yaml", &format!("{head}  name: a\ndatta: {{}}\n"));
    cluster.write("type.yaml", &deployment("", "  replicas: many\n", "nginx:1.27"));
    cluster.write("name.yaml", &format!("{head}  labels: {{}}\n"));
    cluster.write("kind.yaml", "apiVersion: v1\nkind: ConfigMapp\nmetadata:\n  name: a\n");
    let good = |name: &str| format!("---\n{head}  name: {name}\n");
    cluster.write("mixed.yaml", &format!("{}---\n{head}  name: bad\ndatta: {{}}\n{}", good("first"), good("last")));
    // What each message must hold, whatever the program's name adds to it.
    let cases = [
        ("malformed.yaml", "yaml: line 5: mapping values are not allowed in this context"),
        ("field.yaml", "unknown field \"datta\""),
        ("type.yaml", "spec.replicas"),
        ("name.yaml", "name"),
        ("kind.yaml", "no matches for kind \"ConfigMapp\" in version \"v1\""),
    ];
    for (file, expected) in cases {
        for outcome in [cluster.knarr(&format!("apply -f {file}")), cluster.kubectl(&format!("apply -f {file}"))] {
            assert!(outcome.stderr.contains(expected) && outcome.stderr.contains(file), "{file}: {}", outcome.text());
            assert_eq!((outcome.stdout.as_str(), outcome.code), ("", Some(1)), "{file}");
        }
    }
    assert_eq!(
        cluster.kubectl("create -f field.yaml").text(),
        "Error from server (BadRequest): error when creating \"field.yaml\": ConfigMap in version \"v1\" cannot be \
         handled as a ConfigMap: strict decoding error: unknown field \"datta\"\n[1]"
    );
    let mixed = cluster.knarr("apply -f mixed.yaml");
    assert_eq!((mixed.stdout.as_str(), mixed.code), ("configmap/first created\nconfigmap/last created\n", Some(1)));
    assert_eq!(cluster.knarr("get cm bad --ignore-not-found").ok(), "");
}

fn objects_are_read_in_every_form(cluster: &Cluster) {
    let maps: String = ["b", "a", "c"]
        .iter()
        .enumerate()
        .map(|(i, name)| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels: {{odd: \"{}\"}}\ndata: {{i: \"{i}\"}}\n", i % 2)
        })
        .collect();
    cluster.piped("apply -f -", &maps).ok();
    let get = |rest: &str| cluster.knarr(&format!("get {rest}")).ok();
    assert_eq!(get("cm -l odd=0 -o name"), "configmap/b\nconfigmap/c\n");
    assert_eq!(get("cm -l odd -o jsonpath={.items[*].metadata.name} --sort-by=.data.i"), "b a c");
    assert_eq!(get("cm a c -o custom-columns=N:.metadata.name,I:.data.i --no-headers"), "a     1\nc     2\n");
    assert_eq!(get("cm/a ns/default -o name"), "configmap/a\nnamespace/default\n");
    assert_eq!(get("cm -A --field-selector metadata.name=a,metadata.namespace=default -o name"), "configmap/a\n");
    assert!(get("cm a -L odd --show-labels").lines().any(|line| line.ends_with("odd=0") || line.ends_with("odd=1")));
    assert_eq!(get("cm a -o go-template={{.data.i}}"), "1");
    assert!(get("cm a -o yaml").starts_with("apiVersion: v1\ndata:\n  i: \"1\"\nkind: ConfigMap\n"));
    assert_eq!(get("cm nowhere --ignore-not-found"), "");
    let missing = cluster.knarr("get cm nowhere a -o name").text();
    assert_eq!(missing, "configmap/a\nError from server (NotFound): configmaps \"nowhere\" not found\n[1]");
}

fn objects_are_deleted_by_all_means(cluster: &Cluster) {
    cluster.write("web.yaml", &deployment("", "  replicas: 2\n", "nginx:1.27"));
    cluster.knarr("apply -f web.yaml").ok();
    cluster.until("get deploy web -o jsonpath={.status.readyReplicas}", "2");
    // Without its Deployment the ReplicaSet goes on.
    let orphaned = cluster.knarr("delete deploy web --cascade=orphan").ok();
    assert_eq!(orphaned, "deployment.apps \"web\" deleted from default namespace\n");
    assert_eq!(cluster.knarr("get rs -o jsonpath={.items[*].spec.replicas}").ok(), "2");
    // With it, its pods go, too.
    cluster.knarr("delete rs -l app=web --cascade=foreground").ok();
    cluster.until("get pods -o name", "");
    assert_eq!(cluster.knarr("delete cm nowhere --ignore-not-found").text(), "[0]");
    assert_eq!(
        cluster.knarr("delete -f web.yaml").text(),
        "Error from server (NotFound): error when deleting \"web.yaml\": deployments.apps \"web\" not found\n[1]"
    );
    cluster.piped("create -f -", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team\n").ok();
    cluster.piped("create -n team -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n").ok();
    assert_eq!(cluster.knarr("delete ns team").ok(), "namespace \"team\" deleted\n");
    assert_eq!(cluster.knarr("get cm -n team a --ignore-not-found").ok(), "");
}

fn dry_runs_change_nothing(cluster: &Cluster) {
    cluster.write("web.yaml", &deployment("", "", "nginx:1.27"));
    assert_eq!(cluster.knarr("apply -f web.yaml --dry-run=client").ok(), "deployment.apps/web created (dry run)\n");
    let server = cluster.knarr("apply -f web.yaml --dry-run=server").ok();
    assert_eq!(server, "deployment.apps/web created (server dry run)\n");
    assert_eq!(cluster.knarr("get deploy --ignore-not-found -o name").ok(), "");
    cluster.knarr("apply -f web.yaml").ok();
    cluster.write("web.yaml", &deployment("", "  replicas: 3\n", "nginx:1.27"));
    let replicas = cluster.knarr("apply -f web.yaml --dry-run=server -o jsonpath={.spec.replicas}").ok();
    assert_eq!(replicas, "3");
    assert_eq!(cluster.knarr("get deploy web -o jsonpath={.spec.replicas}").ok(), "1");
}

fn many_objects_keep_their_order(cluster: &Cluster) {
    // Nothing in a namespace is sent before the namespace is there.
    let mut text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: many\n".to_owned();
    let mut expected = "namespace/many created\n".to_owned();
    for i in 0..100 {
        text += &format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m{i}\n  namespace: many\n");
        expected += &format!("configmap/m{i} created\n");
    }
    assert_eq!(cluster.piped("apply -f -", &text).ok(), expected);
}
