//! Expressions as a whole.

use serde_json::json;

use super::*;

fn run(text: &str) -> String {
    let mut variables = Variables::default();
    variables.set("x", Value::from_json(&json!({"a": [1, 2, 3], "s": "text", "m": {"k": "v", "l": "w"}, "n": null})));
    let checked = Environment::default().with("x", Type::Dyn).compile(text);
    if let Err(why) = checked {
        return why;
    }
    match Program::of(text).map(|program| program.run(&variables).outcome) {
        Ok(Ok(value)) => value.to_json().map_or_else(|why| why, |json| json.to_string()),
        Ok(Err(failure)) => failure.to_string(),
        Err(why) => why,
    }
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(run(text), *expected, "{text}");
    }
}

#[test]
fn the_language_itself() {
    all(&[
        ("x.a.all(i, i > 0) && x.s.startsWith('te')", "true"),
        ("x.a.map(i, i * 2)", "[2,4,6]"),
        ("x.a.map(i, i > 1, i * 2)", "[4,6]"),
        ("x.a.exists(i, i > 2) && !x.a.exists(i, i > 3) && !x.a.existsOne(i, i > 1)", "true"),
        ("x.a.filter(i, i != 2).size()", "2"),
        ("x.a.exists_one(i, i == 3)", "true"),
        ("x.none == 1", "no such key: none"),
        ("x.a[7]", "index out of bounds: 7"),
        ("x.none == 1 || true", "true"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("x.s < 3", "no such overload"),
        ("has(x.none) ? 1 : size(x.m)", "2"),
        ("type(x.a) == list && type(1u) == uint && type(duration('1s')) == google.protobuf.Duration", "true"),
        ("dyn(1) == 1.0 && 1 < 2u && {1: 'a'}[dyn(1u)] == 'a'", "true"),
        ("duration('90s').getMinutes()", "1"),
        ("timestamp('2024-02-03T04:05:06Z') + duration('1h')", "\"2024-02-03T05:05:06Z\""),
        ("timestamp('2024-02-03T04:05:06Z').getDayOfWeek('America/New_York')", "5"),
        ("string(1.5) + string(b'x') + string(true)", "\"1.5xtrue\""),
        ("int('x')", "strconv.ParseInt: parsing \"x\": invalid syntax"),
    ]);
}

#[test]
fn optional_values_and_two_variables() {
    all(&[
        ("x.?none.orValue(5)", "5"),
        ("x.?m.?k.value()", "\"v\""),
        ("x.m[?'q'].hasValue()", "false"),
        ("optional.of(2).optMap(y, y + 1).orValue(0)", "3"),
        ("optional.none().optMap(y, y + 1).hasValue()", "false"),
        ("x.?m.optFlatMap(m, m.?k).value() + x.?none.optFlatMap(m, m.?k).orValue('!')", "\"v!\""),
        ("optional.none().value()", "optional.none() dereference"),
        ("[1, ?optional.none(), ?optional.of(3)]", "[1,3]"),
        ("x.m.all(k, v, k < v)", "true"),
        ("x.a.transformList(i, v, i * v)", "[0,2,6]"),
        ("x.m.transformMap(k, v, k != 'l', v + '!')", "{\"k\":\"v!\"}"),
        ("x.m.transformMapEntry(k, v, {v: k})", "{\"v\":\"k\",\"w\":\"l\"}"),
        ("x.m.exists(k, v, v == 'w') && x.a.existsOne(i, v, v == 2)", "true"),
    ]);
}

#[test]
fn the_libraries() {
    all(&[
        ("'a b'.find('[b-z]') + 'xaxb'.findAll('x.').join('-')", "\"bxa-xb\""),
        ("quantity('10Gi').isLessThan(quantity('11Gi')) && quantity('50k').add(1).asInteger() == 50001", "true"),
        ("isQuantity('1x')", "false"),
        ("url('https://h:80/p?a=1').getHostname() + url('https://h:80/p').getPort()", "\"h80\""),
        ("isURL('../x')", "false"),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && ip('::1').isLoopback() && isIP('1.2.3.4')", "true"),
        ("string(cidr('10.1.2.3/8').masked())", "\"10.0.0.0/8\""),
        ("semver('1.2.3').isLessThan(semver('1.10.0')) && semver('v1.2', true).minor() == 2", "true"),
        ("format.dns1123Label().validate('A').hasValue() && !format.named('none').hasValue()", "true"),
        ("[3, 1, 2].sort() == [1, 2, 3] && [1, 1].distinct().size() == 1 && lists.range(3).sum() == 3", "true"),
        ("[[1], [2]].flatten() == [1, 2] && [1, 2, 3].slice(1, 2) == [2] && [1, 2].max() == 2", "true"),
        ("['bb', 'a'].sortBy(e, e.size())", "[\"a\",\"bb\"]"),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])", "true"),
        ("'%s is %d of %.2f, %x'.format([dyn('a'), dyn(3), dyn(1.5), dyn(255)])", "\"a is 3 of 1.50, ff\""),
        ("'aXb'.lowerAscii().replace('x', '-').split('-')", "[\"a\",\"b\"]"),
        ("'hello'.substring(1, 3) + 'hello'.charAt(0)", "\"elh\""),
        ("[].max()", "max called on empty list"),
        ("jsonpatch.escapeKey('a/b~c')", "\"a~1b~0c\""),
    ]);
}

#[test]
fn errors_show_their_place() {
    let self_ = Decl::structure(
        "self".into(),
        [
            ("a".to_owned(), Arc::new(Decl::simple(Type::Int, 1, 0))),
            ("l".to_owned(), Arc::new(Decl::list(Decl::simple(Type::String, 2, 10), Some(5)))),
        ]
        .into(),
        2,
    );
    let environment = Environment::default().declared("self", &Arc::new(self_));
    let why = |text: &str| environment.compile(text).err().unwrap_or_default();
    let wrong = |text: &str| why(text).lines().next().unwrap_or_default().to_owned();
    assert_eq!(wrong("has(self)"), "ERROR: <input>:1:5: invalid argument to has() macro");
    assert_eq!(wrong("self.l.all(1, true)"), "ERROR: <input>:1:12: argument must be a simple name");
    assert_eq!(wrong("self.l.all(i, i, true)"), "ERROR: <input>:1:15: duplicate variable name: i");
    assert_eq!(why("self.nope"), "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope\n | ....^");
    assert_eq!(
        why("self.a == 'x'"),
        "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'\n | self.a == 'x'\n | .......^"
    );
    assert_eq!(
        why("nope(1)"),
        "ERROR: <input>:1:5: undeclared reference to 'nope' (in container '')\n | nope(1)\n | ....^"
    );
    assert_eq!(
        why("self.l.nope()"),
        "ERROR: <input>:1:12: undeclared reference to 'nope' (in container '')\n | self.l.nope()\n | ...........^"
    );
    assert_eq!(
        why("self.a.startsWith('x')"),
        "ERROR: <input>:1:18: found no matching overload for 'startsWith' applied to 'int.(string)'\n | self.a.startsWith('x')\n | .................^"
    );
    assert_eq!(
        why("self.a && true"),
        "ERROR: <input>:1:5: expected type 'bool' but found 'int'\n | self.a && true\n | ....^"
    );
    assert_eq!(
        environment.compile("self.l.map(i, i + 'x')").map(|c| c.result.to_string()).as_deref(),
        Ok("list(string)")
    );
}

#[test]
fn costs_grow_with_what_a_schema_allows() {
    let list = |max: Option<u64>| {
        let texts = Decl::list(Decl::simple(Type::String, 2, 40), max);
        let decl = Decl::structure("self".into(), [("l".to_owned(), Arc::new(texts))].into(), 2);
        Environment::default().declared("self", &Arc::new(decl))
    };
    let cost = |max, text: &str| list(max).compile(text).map(|compiled| compiled.max_cost);
    let bounded = cost(Some(10), "self.l.all(i, i.contains('abc'))").expect("an expression");
    let unbounded = cost(None, "self.l.all(i, i.contains('abc'))").expect("an expression");
    assert!(bounded < 200 && unbounded > 1_000_000, "{bounded} {unbounded}");
    let mut variables = Variables::default();
    variables.set("l", Value::list(vec![Value::Int(1); 2000]));
    let ran = Program::of("l.all(a, l.all(b, a == b))").expect("an expression").run(&variables);
    assert_eq!(ran.outcome.unwrap_err(), Failure::TooExpensive);
}
