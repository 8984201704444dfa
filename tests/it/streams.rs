//! Streams to and from the containers of simulated nodes, through the in-process transport and through HTTPS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use knarr::client::{Client, Request};
use knarr::cluster::Embedded;
use knarr::testing::cluster::TestCluster;
use serde_json::{Value, json};

use crate::support::{Cluster, both_ways, program};

both_ways!(
    commands_see_their_container,
    commands_end_with_their_code,
    files_are_copied_both_ways,
    what_cannot_be_reached_is_told,
    attached_pods_end_with_their_command,
    ports_lead_to_an_error,
    the_proxy_passes_requests_on,
    proxies_name_what_does_not_answer,
);

const POD: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: blue}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  volumes: [{name: conf, configMap: {name: conf}}]
  containers:
  - name: main
    image: nginx
    ports: [{name: http, containerPort: 80}]
    envFrom: [{configMapRef: {name: conf}}]
    volumeMounts: [{name: conf, mountPath: /etc/conf}]
  - {name: side, image: busybox}
";

fn start(cluster: &Cluster) {
    cluster.write("pod.yaml", POD);
    cluster.knarr("apply -f pod.yaml").ok();
    cluster.until("get pod web -o jsonpath={.status.phase}", "Running");
}

fn proxies_name_what_does_not_answer(cluster: &Cluster) {
    start(cluster);
    cluster.knarr("expose pod web --port=8080 --target-port=http").ok();
    cluster.knarr("create service clusterip empty --tcp=80").ok();
    cluster.until("get endpointslices -o jsonpath={.items[*].endpoints[*].targetRef.name}", "web");
    for (path, error) in [
        ("pods/web:81/proxy/", "error trying to reach service: dial tcp 10.244."),
        ("pods/none/proxy/", "pods \"none\" not found"),
        ("services/web:8080/proxy/", ":80: connect: connection refused"),
        ("services/web:9/proxy/", "no service port 9 found for service \"web\""),
        ("services/empty:80/proxy/", "no endpoints available for service \"empty\""),
        ("services/a:b:c:d/proxy/", "invalid service request \"a:b:c:d\""),
        ("pods/web/exec?container=main&command=env&stdout=1", "Upgrade request required"),
    ] {
        let outcome = cluster.knarr(&format!("get --raw /api/v1/namespaces/default/{path}"));
        assert!(outcome.code == Some(1) && outcome.stderr.contains(error), "{path}: {}", outcome.text());
    }
}

fn commands_see_their_container(cluster: &Cluster) {
    start(cluster);
    assert_eq!(cluster.knarr("exec web -q -- printenv color HOSTNAME").ok(), "blue\nweb\n");
    assert_eq!(cluster.knarr("exec pod/web -c main -- cat /etc/conf/color").ok(), "blue");
    assert_eq!(cluster.knarr("exec web -c side -- cat /etc/conf/color").code, Some(1));
    let files = cluster.knarr("exec web -c main -- ls /var/run/secrets/kubernetes.io/serviceaccount").ok();
    assert_eq!(files, "ca.crt\nnamespace\ntoken\n");
    let outcome = cluster.kubectl("exec web -- hostname");
    assert_eq!(outcome.text(), "web\nDefaulted container \"main\" out of: main, side\n[0]");
}

fn commands_end_with_their_code(cluster: &Cluster) {
    start(cluster);
    let outcome = cluster.piped("exec -i web -c main -- sh", "echo one\nexit 4\n");
    assert_eq!(outcome.text(), "one\ncommand terminated with exit code 4\n[4]");
    let outcome = cluster.knarr("exec web -c main -- curl http://web");
    assert_eq!(outcome.code, Some(127));
    assert!(outcome.stderr.contains("is simulated"), "{}", outcome.stderr);
    let outcome = cluster.piped("exec -it web -c main -- cat", "typed");
    let expected = "typedUnable to use a TTY - input is not a terminal or the right kind of file\n[0]";
    assert_eq!(outcome.text(), expected);
}

fn files_are_copied_both_ways(cluster: &Cluster) {
    start(cluster);
    cluster.knarr("cp web:/etc/conf got -c main");
    let got = std::fs::read_to_string(cluster.folder().join("got/color")).expect("a copy");
    assert_eq!(got, "blue");
    cluster.write("src/a", "1");
    cluster.write("src/deep/b", "2");
    cluster.knarr("cp src web:/tmp/src -c main").ok();
    let refused = cluster.knarr("cp src/a web:/etc/conf/a -c main --no-preserve");
    assert!(refused.stderr.contains("Read-only file system"), "{}", refused.text());
    for (line, error) in [
        ("cp a b", "one of src or dest must be a remote file specification"),
        ("cp none web:/tmp/x", "none doesn't exist in local filesystem"),
        ("cp web:a web:b", "one of src or dest must be a local file specification"),
        ("cp a/b/c:d e", "filespec must match the canonical format: [[namespace/]pod:]file/path"),
        ("cp web: x", "filepath can not be empty"),
    ] {
        assert_eq!(cluster.kubectl(line).text(), format!("error: {error}\n[1]"), "{line}");
    }
}

fn what_cannot_be_reached_is_told(cluster: &Cluster) {
    cluster.knarr("run broken --image=nosuch:1").ok();
    cluster.until("get pod broken -o jsonpath={.status.containerStatuses[0].state.waiting.reason}", "ImagePullBackOff");
    for (line, error) in [
        (
            "exec broken -- env",
            "error: Internal error occurred: unable to upgrade connection: container not found (\"broken\")",
        ),
        ("exec none -- env", "Error from server (NotFound): pods \"none\" not found"),
        ("exec broken", "error: you must specify at least one command for the container"),
        (
            "attach broken -c no",
            "error: cannot attach to the container: container no is not valid for pod broken out of: broken",
        ),
        ("attach a b c", "error: expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw 3: [a b c]"),
        ("port-forward broken 80", "error: unable to forward port because pod is not running. Current status=Pending"),
        ("port-forward broken http", "error: Pod 'broken' does not have a named port 'http'"),
    ] {
        assert_eq!(cluster.kubectl(line).text(), format!("{error}\n[1]"), "{line}");
    }
    let log = cluster.knarr("logs broken");
    assert_eq!((log.stdout.as_str(), log.code), ("", Some(0)));
    assert!(log.stderr.contains("trying and failing to pull image"), "{}", log.stderr);
}

fn attached_pods_end_with_their_command(cluster: &Cluster) {
    let outcome = cluster.piped("run once --image=busybox --rm -i -q --restart=Never -- sh", "hostname\nexit 3\n");
    assert!(outcome.stdout.ends_with("once\n"), "{}", outcome.text());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(3), "pod default/once terminated (Error)\n"));
    cluster.until("get pods --ignore-not-found", "");
    let outcome = cluster.knarr("run two --image=busybox --attach --restart=OnFailure -- echo done");
    assert!(outcome.stdout.ends_with("done\n") && outcome.code == Some(0), "{}", outcome.text());
    assert_eq!(cluster.knarr("get pod two -o jsonpath={.status.phase}").ok(), "Succeeded");
    let outcome = cluster.kubectl("exec two -- env");
    let expected = "error: cannot exec into a container in a completed pod; current phase is Succeeded\n[1]";
    assert_eq!(outcome.text(), expected);
}

/// A command that runs in the background, ended with this.
struct Background(Child);

impl Background {
    fn start(cluster: &Cluster, line: &str) -> Self {
        let mut args = vec![cluster.reach().to_owned()];
        args.extend(line.split_whitespace().map(str::to_owned));
        let child = Command::new(program())
            .args(args)
            .current_dir(cluster.folder())
            .env_clear()
            .env("HOME", cluster.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("the binary starts"))
    }

    /// The port in the first line that it prints.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        let stdout = self.0.stdout.take().expect("piped");
        let mut reader = BufReader::new(stdout);
        reader.read_line(&mut line).expect("a line");
        self.0.stdout = Some(reader.into_inner());
        let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).expect("an address");
        address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

fn ports_lead_to_an_error(cluster: &Cluster) {
    start(cluster);
    cluster.knarr("expose pod web --port=8080 --target-port=http").ok();
    let mut forward = Background::start(cluster, "port-forward service/web :8080 --address=127.0.0.1");
    let mut stream = connect(forward.port());
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    let mut rest = Vec::new();
    // The connection ends, by its end or by a reset.
    stream.read_to_end(&mut rest).ok();
    assert_eq!(rest, b"");
    let mut told = String::new();
    forward.0.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    assert!(told.contains("-> 80: error forwarding port 80 to pod web: connect: connection refused"), "{told}");
    assert!(told.ends_with("error: lost connection to pod\n"), "{told}");
    assert_eq!(forward.0.wait().expect("an end").code(), Some(1));
}

fn fetch(port: u16, head: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn the_proxy_passes_requests_on(cluster: &Cluster) {
    cluster.write("www/page.html", "<p>hi</p>");
    let mut proxy = Background::start(cluster, "proxy --port=0 --www=www --www-prefix=/s --reject-methods=DELETE");
    let port = proxy.port();
    let local = "HTTP/1.1\r\nHost: localhost";
    let answer = fetch(port, &format!("GET /api/v1/namespaces/default {local}"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"kind\":\"Namespace\""), "{answer}");
    assert!(fetch(port, &format!("GET /s/page.html {local}")).ends_with("<p>hi</p>"));
    for (head, status) in [
        (format!("GET /api/v1/namespaces/default/pods/x/exec {local}"), "403 Forbidden"),
        (format!("DELETE /api/v1/namespaces/default {local}"), "403 Forbidden"),
        ("GET /api HTTP/1.1\r\nHost: evil.example.com".to_owned(), "403 Forbidden"),
        (format!("GET /s/none {local}"), "404 Not Found"),
    ] {
        let answer = fetch(port, &head);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}: {answer}");
    }
}

const NAMESPACE: &str = "/api/v1/namespaces/default";

/// What is the same for every client.
async fn the_server_streams(client: &Client) {
    let path = &*format!("{NAMESPACE}/configmaps");
    let options = "?watch=1&fieldSelector=metadata.name%3Dwatched";
    let socket = client.websocket(Request::get(format!("{path}{options}")), &[]).await.expect("a websocket");
    let (_sender, mut receiver) = socket.split();
    for (name, expected) in [("other", None), ("watched", Some("ADDED"))] {
        client.json(Request::post(path, &json!({"metadata": {"name": name}}))).await.expect("made");
        let Some(expected) = expected else { continue };
        let event = receiver.next().await.expect("connected").expect("an event");
        let event: Value = serde_json::from_slice(&event).expect("one event in a message");
        assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!(expected), &json!(name)));
    }
    let refused = client.json(Request::get(format!("{path}?timeout=x"))).await;
    let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(text, "invalid timeout specified in the request URL - time: invalid duration \"x\"");
}

#[tokio::test]
async fn the_server_streams_in_process() {
    let cluster = Embedded::open(None, 0).expect("a cluster");
    let client = Client::new(cluster.transport(), "https://embedded");
    the_server_streams(&client).await;
    cluster.close().await;
}

#[tokio::test]
async fn the_server_streams_over_https() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = TestCluster::start(program(), folder.path(), &["--nodes=0"]).expect("the cluster serves");
    the_server_streams(&cluster.client().expect("a client")).await;
}
