//! Who a client is: password, certificate or trust, and the proof that one of them held.
//!
//! Which method a client must use, and what is known of the role, is decided by the caller.

mod exchange;
mod md5;
mod password;
mod proven;
#[cfg(test)]
mod tests;

pub use exchange::{SaslInitialResponse, authenticate};
pub use md5::Md5Hash;
pub use password::{RolePassword, StoredPassword, UnknownPasswordForm};
pub use proven::{How, Proven};

use std::fmt;

use herd_types::ClientError;
use ring::hmac;

use crate::scram::ScramVerifier;

/// What a client must do to get in.
#[derive(Debug)]
pub enum Method<'a> {
    /// SCRAM-SHA-256, and -PLUS on encrypted connections.
    Scram(ScramVerifier),
    /// SCRAM that cannot succeed, for users who do not exist or must not log in.
    ScramMock(&'a MockSecret),
    Md5(Md5Hash),
    /// The verified client certificate must name the user.
    Certificate,
    Trust,
    Reject(ClientError),
}

/// From which the salts of users who do not exist are made. Keep it for the life of the process at
/// least: a salt that changes betrays that there is no user.
#[derive(Clone)]
pub struct MockSecret(hmac::Key);

impl MockSecret {
    #[must_use]
    pub fn new(secret: &[u8]) -> MockSecret {
        MockSecret(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    #[must_use]
    pub fn random() -> MockSecret {
        MockSecret::new(&rand::random::<[u8; 32]>())
    }
}

impl fmt::Debug for MockSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockSecret(…)")
    }
}
