//! The text of a `proxy.toml`.

#![no_main]

use herd_config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text) {
        assert!(!error.to_string().is_empty());
    }
});
