//! `herd_fuzz_entries::client_messages` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herd_fuzz_entries::client_messages(input));
