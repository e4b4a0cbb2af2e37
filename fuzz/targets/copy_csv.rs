//! `herd_fuzz_entries::copy_csv` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| herd_fuzz_entries::copy_csv(input));
