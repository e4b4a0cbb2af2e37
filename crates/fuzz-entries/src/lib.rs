//! Every decoder that faces the network, as a function of bytes that must never panic.
//!
//! `fuzz/` gives them to libFuzzer; `tests/seeded.rs` runs them on stable Rust from a seed. Where
//! there is more to say of a decoder than that it lives, its entry asserts it. Inputs that reach
//! deep into an entry are in `samples/` under its name.

mod copy;
mod plan;
mod values;
mod wire;

pub use copy::{copy_binary, copy_csv, copy_text};
pub use plan::{lexer, planner};
pub use values::{config, key_value};
pub use wire::{
    client_messages, error_response, frames, node_login, sasl_client, sasl_server, startup_packet,
    verifier,
};

/// A decoder under the name of its target in `fuzz/targets` and of its samples.
pub struct Entry {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const ENTRIES: &[Entry] = &[
    Entry { name: "startup_packet", run: startup_packet },
    Entry { name: "frames", run: frames },
    Entry { name: "client_messages", run: client_messages },
    Entry { name: "error_response", run: error_response },
    Entry { name: "sasl_server", run: sasl_server },
    Entry { name: "sasl_client", run: sasl_client },
    Entry { name: "node_login", run: node_login },
    Entry { name: "verifier", run: verifier },
    Entry { name: "lexer", run: lexer },
    Entry { name: "planner", run: planner },
    Entry { name: "copy_text", run: copy_text },
    Entry { name: "copy_csv", run: copy_csv },
    Entry { name: "copy_binary", run: copy_binary },
    Entry { name: "key_value", run: key_value },
    Entry { name: "config", run: config },
];
