use serde_json::json;

use super::*;

fn run(template: &str) -> String {
    let data = json!({
        "kind": "List", "none": null, "m": {"a": 1}, "data": "aGk=",
        "items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}],
    });
    let mut out = String::new();
    match GoTemplate::parse(template) {
        Err(error) => error.to_string(),
        Ok(parsed) => match exec::execute(&parsed, &data, &mut out) {
            Ok(()) => out,
            Err(error) => format!("{out}!{error}"),
        },
    }
}

#[test]
fn actions_and_functions() {
    for (template, want) in [
        ("{{.kind}} {{.none}} {{.missing.deep}}", "List <no value> <no value>"),
        ("{{range $i, $e := .items}}{{if $i}},{{end}}{{$e.name}}{{end}}", "a,b"),
        ("{{range .items}}{{if eq .name \"a\"}}{{continue}}{{end}}{{.name}}{{break}}{{end}}", "b"),
        ("{{define \"x\"}}[{{.}}]{{end}}{{template \"x\" .kind}}", "[List]"),
        ("{{with .none}}a{{else with .kind}}{{.}}{{else}}c{{end}}", "List"),
        ("a {{- /* c */ -}} b", "ab"),
        ("{{$x := 1}}{{range .items}}{{$x = .n}}{{end}}{{$x}}", "2"),
        ("{{.data | base64decode | printf \"%s %d\" \"x\"}}", "x %!d(string=hi)"),
        ("{{index .items 1 \"name\"}}{{len .m}}{{exists .m \"a\"}}", "b1true"),
    ] {
        assert_eq!(run(template), want, "{template}");
    }
}

#[test]
fn errors_have_the_texts_of_go() {
    for (template, want) in [
        ("{{", "template: output:1: unclosed action"),
        ("{{if .a}}", "template: output:1: unexpected EOF"),
        ("{{$x}}", "template: output:1: undefined variable \"$x\""),
        ("{{break}}", "template: output:1: {{break}} outside {{range}}"),
        ("{{(.kind}}", "template: output:1: unclosed left paren"),
        (
            "x\n{{.kind.a}}",
            "x\n!template: output:2:7: executing \"output\" at <.kind.a>: can't evaluate field a in type interface {}",
        ),
        (
            "{{.none.a}}",
            "!template: output:1:7: executing \"output\" at <.none.a>: nil pointer evaluating interface {}.a",
        ),
        ("{{printf 1}}", "!template: output:1:9: executing \"output\" at <1>: expected string; found 1"),
        (
            "{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
            "!template: output:1:25: executing \"x\" at <{{template \"x\"}}>: exceeded maximum template depth (100000)",
        ),
    ] {
        assert_eq!(run(template), want, "{template}");
    }
}
