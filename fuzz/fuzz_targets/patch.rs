//! Patches: three JSON texts, one a line.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knarr::testing::fuzz::fuzz_patch(bytes));
