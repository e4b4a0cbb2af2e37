//! The keys of SCRAM and how they follow from each other.

use std::fmt;
use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;

use super::saslprep::prepare;

pub(super) const KEY_BYTES: usize = digest::SHA256_OUTPUT_LEN;

pub(super) type Key = [u8; KEY_BYTES];

/// What a client proves to have, and what its server proves to have: enough to log in wherever the
/// role has the same verifier, without the password.
#[derive(Clone)]
pub struct ScramKeys {
    pub(super) client_key: Key,
    pub(super) server_key: Key,
    pub(super) salt: Box<[u8]>,
    pub(super) iterations: NonZeroU32,
}

impl ScramKeys {
    #[must_use]
    pub fn from_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> ScramKeys {
        let mut salted = [0; KEY_BYTES];
        let prepared = prepare(password);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            prepared.as_bytes(),
            &mut salted,
        );
        ScramKeys {
            client_key: sign(&salted, b"Client Key"),
            server_key: sign(&salted, b"Server Key"),
            salt: salt.into(),
            iterations,
        }
    }

    pub(super) fn stored_key(&self) -> Key {
        hash(&self.client_key)
    }
}

impl PartialEq for ScramKeys {
    fn eq(&self, other: &ScramKeys) -> bool {
        let same_keys =
            self.client_key.ct_eq(&other.client_key) & self.server_key.ct_eq(&other.server_key);
        bool::from(same_keys) && self.salt == other.salt && self.iterations == other.iterations
    }
}

impl Eq for ScramKeys {}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

pub(super) fn sign(key: &[u8], message: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
}

pub(super) fn hash(message: &[u8]) -> Key {
    let hashed = digest::digest(&digest::SHA256, message);
    hashed.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

pub(super) fn xor(left: &Key, right: &Key) -> Key {
    std::array::from_fn(|index| left[index] ^ right[index])
}
