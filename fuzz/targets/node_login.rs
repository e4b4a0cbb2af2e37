//! `herd_fuzz_entries::node_login` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herd_fuzz_entries::node_login(input));
