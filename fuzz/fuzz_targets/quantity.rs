//! Quantities and their sums.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| knarr::testing::fuzz::fuzz_quantity(bytes));
