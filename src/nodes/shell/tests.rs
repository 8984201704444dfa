use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::client::remote::Output;
use crate::nodes::container::{Scratch, Surroundings};

fn shell() -> Shell {
    let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "node-1"}});
    let spec = json!({"name": "c", "image": "busybox", "env": [{"name": "COLOR", "value": "dark blue"}]});
    Shell::new(Container::new(&pod, &spec, &Surroundings::default(), Scratch::default()))
}

async fn run_in(shell: &mut Shell, command: &[&str], input: &str) -> (u8, String, String) {
    let mut io = Io { input: Input::of(input.as_bytes()), sink: Sink::kept() };
    let code = shell.run(command.iter().map(|word| (*word).to_owned()).collect(), &mut io).await;
    let (out, err) = io.sink.into_kept();
    (code, String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
}

async fn out(text: &str) -> String {
    let (_, out, err) = run_in(&mut shell(), &["sh", "-c", text], "").await;
    out + &err
}

#[tokio::test]
async fn commands_answer_from_the_container() {
    for (text, expected) in [
        ("hostname", "p\n"),
        ("whoami; id -u", "root\n0\n"),
        ("echo $COLOR \"$COLOR\" ${NONE:-x} '$COLOR'", "dark blue dark blue x $COLOR\n"),
        ("printenv COLOR | wc -c", "10\n"),
        ("cd /tmp && pwd", "/tmp\n"),
        ("true && echo yes || echo no", "yes\n"),
        ("false && echo yes || echo no; echo $?", "no\n0\n"),
        ("echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f | tail -n 1", "b\n"),
        ("X=1; echo $X; Y=2 printenv Y; printenv X || echo private", "1\n2\nprivate\n"),
        ("export Z=3; printenv Z; sh -c 'Z=4; exit 7'; echo $? $Z", "3\n7 3\n"),
        ("cat /nosuch 2>/dev/null; echo $?", "1\n"),
        ("cat /nosuch 2>&1 | wc -l", "1\n"),
        ("mkdir -p /tmp/a/b; touch /tmp/a/b/c; ls /tmp/a; rm -r /tmp/a; ls /tmp", "b\n"),
        ("test -d /etc && [ ! -e /none ] && echo ok", "ok\n"),
        ("printf '%s-%s\\n' a b c d", "a-b\nc-d\n"),
        ("echo aGk= | base64 -d", "hi"),
        ("for a in b; do echo; done", "sh: for: the shell of a simulated container does not know this\n"),
        ("exec echo last; echo never", "last\n"),
    ] {
        assert_eq!(out(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn unknown_commands_name_the_simulation() {
    let (code, _, err) = run_in(&mut shell(), &["curl", "http://web"], "").await;
    assert_eq!(code, 127);
    assert!(err.starts_with("curl: not found: node node-1 is simulated") && err.contains("printenv"), "{err}");
    let (code, _, err) = run_in(&mut shell(), &["ls", "/nosuch"], "").await;
    assert_eq!((code, err.as_str()), (1, "ls: /nosuch: No such file or directory\n"));
}

#[tokio::test]
async fn a_shell_reads_commands_from_its_input() {
    let (code, out, _) = run_in(&mut shell(), &["sh"], "echo one\ncat\ntwo\n").await;
    assert_eq!((code, out.as_str()), (0, "one\ntwo\n"));
    let (code, ..) = run_in(&mut shell(), &["sh"], "exit 3\necho never\n").await;
    assert_eq!(code, 3);
}

#[tokio::test]
async fn archives_go_both_ways() {
    let mut shell = shell();
    run_in(&mut shell, &["sh", "-c", "mkdir /tmp/d; echo 1 > /tmp/d/a"], "").await;
    let mut io = Io { input: Input::default(), sink: Sink::kept() };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(shell.run(words("tar cf - /tmp/d"), &mut io).await, 0);
    let (packed, err) = io.sink.into_kept();
    assert_eq!(String::from_utf8_lossy(&err), "tar: removing leading '/' from member names\n");
    let mut io = Io { input: Input::of(&packed), sink: Sink::kept() };
    assert_eq!(shell.run(words("tar -xmf - -C /opt"), &mut io).await, 0);
    assert_eq!(run_in(&mut shell, &["cat", "/opt/tmp/d/a"], "").await.1, "1\n");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_shows_a_prompt_and_can_interrupt() {
    let (typed, receiver) = mpsc::channel(4);
    let (sender, mut screen) = mpsc::channel(64);
    let input = Input::new(receiver, Some(sender.clone()));
    let mut io = Io { input, sink: Sink::Live { sender, terminal: true } };
    typed.send("sleep 3600\r\x03echo $?\rexit\r".into()).await.expect("room");
    assert_eq!(shell().run(vec!["sh".into()], &mut io).await, 0);
    drop(io);
    let mut shown = Vec::new();
    while let Some(Output::Stdout(bytes)) = screen.recv().await {
        shown.extend_from_slice(&bytes);
    }
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert_eq!(shown, "/ # sleep 3600\r\n^C\r\n/ # echo $?\r\n130\r\n/ # exit\r\n");
}
