use super::*;

fn gvk(group: &str, kind: &str) -> GroupVersionKind {
    GroupVersionKind::new(group, "v1", kind)
}

#[test]
fn objects_come_out_as_go_prints_them() {
    let node = Node::parse(br#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","labels":null},"spec":{"publishNotReadyAddresses":false,"ports":[{"port":80}]}}"#).expect("JSON");
    let decoded = decode(&gvk("", "Service"), node).expect("decodes");
    assert_eq!(
        decoded.object,
        json!({"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},
            "spec":{"ports":[{"port":80,"targetPort":0}]},"status":{"loadBalancer":{}}})
    );
}

#[test]
fn the_near_miss_is_suggested() {
    let node = Node::from(json!({"spec": {"contianers": []}}));
    let decoded = decode(&gvk("", "Pod"), node).expect("decodes");
    let problem = &decoded.strict[0];
    assert_eq!(problem.message, r#"unknown field "spec.contianers""#);
    assert_eq!(problem.kind, ProblemKind::Unknown { suggestions: vec!["containers".into()] });
}

#[test]
fn syntax_errors_are_those_of_go() {
    let error = |text: &str| Node::parse(text.as_bytes()).unwrap_err().message;
    assert_eq!(error("{"), "unexpected end of JSON input");
    assert_eq!(error("{\"a\" 1}"), "invalid character '1' after object key");
    assert_eq!(error("tru "), "invalid character ' ' in literal true (expecting 'e')");
    assert_eq!(error("{}x"), "invalid character 'x' after top-level value");
}
