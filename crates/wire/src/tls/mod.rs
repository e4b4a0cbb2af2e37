//! TLS: what is loaded from PEM files, and what is learnt from a finished handshake.
//!
//! When to encrypt is `startup`'s and `connect`'s business.

mod client;
mod end_point;
mod files;
mod server;
#[cfg(test)]
pub(crate) mod tests;

pub use client::{TlsToNode, Verification};
pub use end_point::EndPoint;
pub use files::TlsError;
pub use server::{ClientCertificate, ClientCertificates, TlsFacts, TlsFiles, TlsIdentity};

/// The protocol's name in TLS; direct negotiation requires it.
pub const ALPN_POSTGRESQL: &[u8] = b"postgresql";
