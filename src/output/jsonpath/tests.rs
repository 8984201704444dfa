use serde_json::json;

use super::*;

fn run(template: &str, data: &Value) -> String {
    let mut out = String::new();
    let options = Options { allow_missing_keys: true, json_output: false };
    match JsonPath::parse(template).and_then(|path| path.execute(data, options, &mut out)) {
        Ok(()) => out,
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn paths_ranges_and_filters() {
    let data = json!({"items": [
        {"name": "a", "n": 1, "ports": [80, 443], "x.y": "dot"},
        {"name": "b", "n": 2},
    ]});
    for (template, want) in [
        ("{.items[*].name}", "a b"),
        ("{.items[-1].name}", "b"),
        ("{.items[0]['x\\.y']}", "dot"),
        ("{range .items[*]}{.name}={.ports[0]}\n{end}.", "a=80\nb=\n."),
        ("{range .items[*]}{range .ports[*]}{@},{end};{end}", "80,443,;;"),
        ("{.items[?(@.n>1)].name}", "b"),
        ("{.items[?(@.ports)].name}", "a"),
        ("{..ports}", "[80,443]"),
        ("{.items[0]['name','n']}", "a 1"),
        ("{\"\\x41\\101\"}", "AA"),
        ("{.items[?(@.n==\"1\")].name}", "error: incompatible types for comparison"),
        ("{end}", "error: not in range, nothing to end"),
        ("{.a", "error: unclosed action"),
        ("{....a}", "error: invalid multiple recursive descent"),
    ] {
        assert_eq!(run(template, &data), want, "{template}");
    }
}

#[test]
fn relaxed_paths() {
    for path in ["a.b", ".a.b", "{a.b}", "{.a.b}"] {
        assert_eq!(relaxed(path), Ok("{.a.b}".to_owned()), "{path}");
    }
    assert!(relaxed("{.a}{.b}").is_err() && relaxed("{}").is_err());
}
