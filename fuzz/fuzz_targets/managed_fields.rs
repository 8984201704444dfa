//! Reading field sets and `managedFields`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knarr::testing::fuzz::fuzz_managed_fields(bytes));
