//! SCRAM-SHA-256 (RFC 5802, RFC 7677): keys, messages, and both sides of the exchange.
//!
//! Bytes in, bytes out: sockets and protocol messages are `auth`'s and `connect`'s.

mod client;
mod error;
mod keys;
mod message;
mod saslprep;
mod server;
#[cfg(test)]
mod tests;
mod verifier;

pub use client::{ClientFinal, ClientFirst, ClientSecret};
pub use error::ScramError;
pub use keys::ScramKeys;
pub use server::{Offer, ServerFinal, ServerFirst};
pub use verifier::{InvalidVerifier, ScramVerifier};

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism that is bound to the TLS connection.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What PostgreSQL uses when it makes a verifier.
pub const ITERATIONS_DEFAULT: u32 = 4_096;
/// What PostgreSQL uses when it makes a verifier.
pub const SALT_BYTES_DEFAULT: usize = 16;
