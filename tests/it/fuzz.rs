//! The bodies of the fuzz targets, on inputs that property tests make.

use knarr::testing::fuzz::fuzz_yaml;
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
}
