//! `herd_fuzz_entries::config` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herd_fuzz_entries::config(input));
