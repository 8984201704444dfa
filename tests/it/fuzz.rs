//! The bodies of the fuzz targets, on inputs that property tests make.

use knarr::testing::fuzz::{fuzz_managed_fields, fuzz_yaml};
use proptest::prelude::*;

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
}
