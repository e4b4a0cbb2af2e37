//! `proxy.toml`: the raw file, and the validated [`Config`] that cannot be wrong.
//!
//! It reads no file and opens no socket itself: text in, value out.

mod config;
mod defaults;
mod describe;
mod error;
mod raw;
mod rules;
#[cfg(test)]
mod tests;
mod units;
mod validate;

pub use config::{
    Auth, ClientCertificates, Config, Limits, Listen, NodeConfig, Password, Pool, PoolMode,
    StaticUser, Timeouts, Tls,
};
pub use error::ConfigError;
pub use units::{Bytes, Span};
