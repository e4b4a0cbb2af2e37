//! `herd_fuzz_entries::sasl_server` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herd_fuzz_entries::sasl_server(input));
