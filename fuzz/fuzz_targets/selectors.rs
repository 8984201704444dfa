//! Label and field selectors.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knarr::testing::fuzz::fuzz_selectors(bytes));
