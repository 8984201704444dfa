//! Verbs for running clusters: waiting, events, certificates, reconciling of roles, debugging. Every case runs on a
//! cluster in the command's own process and on one that is reached through HTTPS.

use crate::support::{Cluster, both_ways};

both_ways!(
    objects_are_waited_for,
    events_are_listed_by_time,
    certificates_are_approved_or_denied,
    roles_are_reconciled,
    pods_are_debugged_in_copies_and_in_place,
);

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  containers:\n  \
                   - {name: web, image: nginx}\n";

fn objects_are_waited_for(cluster: &Cluster) {
    cluster.write("web.yaml", POD);
    assert_eq!(
        cluster.kubectl("wait --for=create pod/web --timeout=0").text(),
        "error: timed out waiting for the condition\n[1]"
    );
    cluster.knarr("create -f web.yaml").ok();
    assert_eq!(
        cluster.kubectl("wait --for=create --for=condition=ready=TRUE -f web.yaml --timeout=60s").ok(),
        "pod/web condition met\npod/web condition met\n"
    );
    assert_eq!(
        cluster.kubectl("wait pod -l app=web --for=jsonpath={.status.phase}=Running -o name --timeout=-1s").ok(),
        "pod/web\n"
    );
    assert_eq!(
        cluster.kubectl("wait pod/web pod/none --for=jsonpath={.status.phase}=Failed --timeout=0").text(),
        "condition not met for pods/web\nError from server (NotFound): pods \"none\" not found\n[1]"
    );
    assert_eq!(
        cluster.kubectl("wait pod --all --for=condition=Nosuch --timeout=300ms").text(),
        "error: timed out waiting for the condition on pods/web\n[1]"
    );
    cluster.knarr("delete pod web").ok();
    assert_eq!(cluster.kubectl("wait --for=delete pod/web --timeout=5s").text(), "[0]");
    assert_eq!(
        cluster.kubectl("wait pod --all --for=condition=Ready").text(),
        "error: no matching resources found\n[1]"
    );
}

fn events_are_listed_by_time(cluster: &Cluster) {
    assert_eq!(cluster.kubectl("events -n kube-public").text(), "No events found in kube-public namespace.\n[0]");
    let event = |name: &str, type_: &str, day: u8| {
        format!(
            "apiVersion: v1\nkind: Event\nmetadata: {{name: {name}}}\ninvolvedObject: {{kind: Pod, apiVersion: v1, name: \
             {name}, namespace: kube-public}}\ntype: {type_}\nreason: Because\nmessage: ' of {name} '\nlastTimestamp: \
             2026-01-0{day}T00:00:00Z\n"
        )
    };
    cluster
        .piped("create -n kube-public -f -", &format!("{}---\n{}", event("b", "Warning", 2), event("a", "Normal", 1)))
        .ok();
    let shown = cluster.kubectl("events -n kube-public --types=normal,WARNING").ok();
    let expected = "LAST SEEN   TYPE      REASON    OBJECT   MESSAGE\n\
                    <unknown>   Normal    Because   Pod/a    of a\n\
                    <unknown>   Warning   Because   Pod/b    of b\n";
    assert_eq!(shown, expected);
    let about = cluster.kubectl("events -n kube-public --for po/b --no-headers").ok();
    assert_eq!(about, "<unknown>   Warning   Because   Pod/b   of b\n");
    let paths = cluster.kubectl("events -n kube-public -o jsonpath={.kind}{.items[*].metadata.name}").ok();
    assert_eq!(paths, "EventLista b");
    assert_eq!(cluster.kubectl("events --for b").text(), "error: --for must be in resource/name form\n[1]");
    assert_eq!(cluster.kubectl("events --types=Odd").text(), "error: valid --types are Normal or Warning\n[1]");
}

fn certificates_are_approved_or_denied(cluster: &Cluster) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["jane.example.com".into()]).expect("parameters");
    let pem = params.serialize_request(&key).and_then(|request| request.pem()).expect("a request");
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    for name in ["one", "two"] {
        let manifest = format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec: \
             {{signerName: example.com/mine, usages: [client auth], request: {encoded}}}\n"
        );
        cluster.piped("create -f -", &manifest).ok();
    }
    let csr = "certificatesigningrequest.certificates.k8s.io";
    assert_eq!(cluster.kubectl("certificate approve one").ok(), format!("{csr}/one approved\n"));
    let state = cluster.kubectl("get csr one -o jsonpath={.status.conditions[*]['type','reason']}").ok();
    assert_eq!(state, "Approved KubectlApprove");
    assert_eq!(
        cluster.kubectl("certificate deny one two").text(),
        format!("{csr}/two denied\nerror: certificate signing request \"one\" is already Approved\n[1]")
    );
    assert_eq!(
        cluster.kubectl("certificate approve").text(),
        "error: one or more CSRs must be specified as <name> or -f <filename>\n[1]"
    );
}

fn roles_are_reconciled(cluster: &Cluster) {
    let role = |verbs: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: r, namespace: fresh}}\nrules:\n- \
             {{apiGroups: [\"\"], resources: [pods], verbs: [{verbs}]}}\n"
        )
    };
    cluster.write("role.yaml", &role("get"));
    let made = cluster.kubectl("auth reconcile -f role.yaml").text();
    assert_eq!(
        made,
        "role.rbac.authorization.k8s.io/r reconciled\n\treconciliation required create\n\tmissing rules \
         added:\n\t\t{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n[0]"
    );
    cluster.write("role.yaml", &role("get, list"));
    let tried = cluster.kubectl("auth reconcile -f role.yaml --dry-run=client").text();
    assert!(tried.starts_with("role.rbac.authorization.k8s.io/r reconciled (dry run)\n"), "{tried}");
    cluster.kubectl("auth reconcile -f role.yaml").text();
    assert_eq!(cluster.kubectl("get role r -n fresh -o jsonpath={.rules[*].verbs}").ok(), r#"["get"] ["list"]"#);
    assert_eq!(cluster.kubectl("auth reconcile -f role.yaml").ok(), "role.rbac.authorization.k8s.io/r reconciled\n");
}

fn pods_are_debugged_in_copies_and_in_place(cluster: &Cluster) {
    cluster.piped("create -f -", POD).ok();
    cluster.knarr("wait --for=condition=Ready pod/web --timeout=60s").ok();
    assert_eq!(cluster.kubectl("debug web --image=busybox -c tool --target=web -q -- sleep 1").ok(), "");
    let tool = "get pod web -o jsonpath={.spec.ephemeralContainers[0]['name','image','targetContainerName']}";
    assert_eq!(cluster.kubectl(tool).ok(), "tool busybox web");
    let capabilities = "get pod web -o jsonpath={.spec.ephemeralContainers[0].securityContext.capabilities.add}";
    assert_eq!(cluster.kubectl(capabilities).ok(), r#"["SYS_PTRACE"]"#);
    assert_eq!(cluster.kubectl("debug web --copy-to=copy --set-image=*=busybox:1 --profile=baseline").ok(), "");
    assert_eq!(cluster.kubectl("get pod copy -o jsonpath={.spec.containers[*].image}").ok(), "busybox:1");
    let copied = cluster.kubectl("debug web --copy-to=other --image=busybox").ok();
    assert!(copied.starts_with("Defaulting debug container name to debugger-"), "{copied}");
    let shared = "get pod other -o jsonpath={.metadata.labels}{.spec.shareProcessNamespace}";
    assert_eq!(cluster.kubectl(shared).ok(), "true");
    assert_eq!(
        cluster.kubectl("debug deploy/none --image=busybox").text(),
        "Error from server (NotFound): deployments.apps \"none\" not found\n[1]"
    );
    assert_eq!(cluster.kubectl("debug web").text(), "error: you must specify --image when not using --copy-to.\n[1]");
}
