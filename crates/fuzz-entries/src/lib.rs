//! Every decoder that faces the network, as a function of bytes that must never panic.
//!
//! `fuzz/` gives them to libFuzzer; `tests/seeded.rs` runs them on stable Rust from a seed. Where
//! there is more to say of a decoder than that it lives, its entry asserts it.

mod copy;
mod plan;
mod wire;

pub use copy::{copy_binary, copy_csv, copy_text};
pub use plan::{lexer, planner};
pub use wire::{
    client_messages, error_response, frames, node_login, sasl_client, sasl_server, startup_packet,
    verifier,
};

/// A decoder with inputs that reach deep into it.
pub struct Entry {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub samples: &'static [&'static [u8]],
}

/// All of them; each has a target of the same name in `fuzz/fuzz_targets`.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "startup_packet", run: startup_packet, samples: wire::STARTUP_SAMPLES },
    Entry { name: "frames", run: frames, samples: wire::FRAME_SAMPLES },
    Entry { name: "client_messages", run: client_messages, samples: wire::CLIENT_SAMPLES },
    Entry { name: "error_response", run: error_response, samples: wire::ERROR_SAMPLES },
    Entry { name: "sasl_server", run: sasl_server, samples: wire::SASL_SERVER_SAMPLES },
    Entry { name: "sasl_client", run: sasl_client, samples: wire::SASL_CLIENT_SAMPLES },
    Entry { name: "node_login", run: node_login, samples: wire::NODE_LOGIN_SAMPLES },
    Entry { name: "verifier", run: verifier, samples: wire::VERIFIER_SAMPLES },
    Entry { name: "lexer", run: lexer, samples: plan::SAMPLES },
    Entry { name: "planner", run: planner, samples: plan::SAMPLES },
    Entry { name: "copy_text", run: copy_text, samples: copy::TEXT_SAMPLES },
    Entry { name: "copy_csv", run: copy_csv, samples: copy::CSV_SAMPLES },
    Entry { name: "copy_binary", run: copy_binary, samples: copy::BINARY_SAMPLES },
];
