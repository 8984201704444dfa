//! The bodies of the fuzz targets, on inputs that property tests make.

use knarr::testing::fuzz::{
    fuzz_gotemplate, fuzz_jsonpath, fuzz_managed_fields, fuzz_patch, fuzz_quantity, fuzz_selectors, fuzz_yaml,
};
use proptest::prelude::*;

/// Numbers in path elements are read to the last bit.
#[test]
fn large_numbers_of_managed_fields_keep_their_value() {
    fuzz_managed_fields(br#"{"v:99999999999949999999999999999999":{}}"#);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        fuzz_yaml(&bytes);
    }

    #[test]
    fn anything_like_yaml_is_read_without_panic(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \t\r\nab01.<=~]|: |- |\n  |---\n|&a |\\*a|<<: |!!int |\u{2028}|\u{85}|\u{feff}|\\\\x4){0,40}") {
        fuzz_yaml(text.as_bytes());
    }

    #[test]
    fn anything_like_managed_fields_is_read_without_panic(text in "[\\[{]?(\"(f:[a-z.]{0,3}|k:\\{\\}|k:\\{\\\\\"a\\\\\":[12]\\}|v:[12]|v:\\\\\"x\\\\\"|i:[0-9]{0,2}|i:-1|x:|\\.|f|)\":(\\{\\}|\\{\"f:a\":\\{\\}\\}|\\{\"\\.\":\\{\\},\"v:1\":\\{\\}\\}|null|1),?){0,3}[}\\]]?") {
        fuzz_managed_fields(text.replace(",}", "}").as_bytes());
        fuzz_managed_fields(format!("[{{\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{}}}]", text.replace(",}", "}")).as_bytes());
    }

    #[test]
    fn any_documents_are_patched_without_panic(lines in prop::collection::vec(document(), 3)) {
        fuzz_patch(lines.join("\n").as_bytes());
    }

    #[test]
    fn any_operations_are_tried_without_panic(document in document(), operations in prop::collection::vec(operation(), 0..4)) {
        fuzz_patch(format!("{document}\n[{}]", operations.join(",")).as_bytes());
    }
}

proptest! {
    #[test]
    fn anything_like_jsonpath_is_executed_without_panic(text in "(\\{|\\}|\\.|\\.\\.|\\[|\\]|\\*|items|a|b|range |end|@|\\$|\\?\\(|\\)|==|<|>=|'|\"|,|:|-1|0|1|\\\\| |é|true|1\\.5){0,24}") {
        fuzz_jsonpath(text.as_bytes());
        fuzz_jsonpath(format!("{{.items{text}}}").as_bytes());
    }

    #[test]
    fn anything_like_a_go_template_is_executed_without_panic(text in "(\\{\\{|\\}\\}|\\{\\{- | -\\}\\}|\\.|\\.items|\\.n|\\.s|\\$|\\$x|:=|=|,|\\||\\(|\\)| |if |range |with |else|end|template |define |\"x\"|`r`|'c'|index |slice |len |eq |lt |and |or |not |printf |\"%5.2v%d%\"|html |js |exists |base64decode |-1|0x1F|1e3|é|nil|true|/\\*|\\*/|\n){0,24}") {
        fuzz_gotemplate(text.as_bytes());
        fuzz_gotemplate(format!("{{{{{text}}}}}").as_bytes());
    }

    #[test]
    fn anything_like_a_selector_is_read_without_panic(text in "(a|b\\.c/d|=|==|!=|!|<|>|,| in | notin |\\(|\\)|1|\\\\|é|\t|\0){0,16}") {
        fuzz_selectors(text.as_bytes());
    }

    #[test]
    fn anything_like_quantities_is_computed_without_panic(text in "([-+]?[0-9]{0,22}(\\.[0-9]{0,12})?([numkKMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,10})?\n){2}") {
        fuzz_quantity(text.as_bytes());
    }
}

/// JSON made of the words that patches and their targets know, in places that make sense or not.
fn document() -> impl Strategy<Value = String> {
    let words = [
        "metadata",
        "labels",
        "finalizers",
        "spec",
        "containers",
        "ports",
        "name",
        "containerPort",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/finalizers",
        "$deleteFromPrimitiveList/finalizers",
        "$setElementOrder/ports",
        "strategy",
        "template",
        "tolerations",
        "volumes",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1".to_owned()),
        Just("1.50".to_owned()),
        Just("true".to_owned()),
        prop::sample::select(vec!["\"a\"", "\"b\"", "\"delete\"", "\"replace\"", "\"merge\"", "\"\\u003c\""])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let field = (prop::sample::select(words.to_vec()), inner.clone())
            .prop_map(|(key, value)| format!("\"{key}\": {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

fn operation() -> impl Strategy<Value = String> {
    let path = || "(/(spec|metadata|containers|name|-|0|1|-1|01|x|~1|~2)){0,3}";
    (prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]), path(), path(), document())
        .prop_map(|(op, path, from, value)| {
            format!("{{\"op\":\"{op}\",\"path\":\"{path}\",\"from\":\"{from}\",\"value\":{value}}}")
        })
}
