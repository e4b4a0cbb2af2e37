//! The PostgreSQL wire protocol, for both directions: frames, startup, TLS, authentication.
//!
//! It knows nothing of SQL, pools or the catalog.

pub mod auth;
pub mod bounds;
pub mod cancel;
pub mod connect;
pub mod error;
mod exact;
pub mod frame;
pub mod message;
pub mod scram;
pub mod startup;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod tls;
mod welcome;

pub use welcome::put_welcome;
