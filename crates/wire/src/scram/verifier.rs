//! What a server keeps instead of a password: `SCRAM-SHA-256$4096:salt$stored:server`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use thiserror::Error;

use super::keys::{Key, ScramKeys, sign};
use super::{ITERATIONS_DEFAULT, SALT_BYTES_DEFAULT, SCRAM_SHA_256};

/// A verifier as PostgreSQL stores it in `pg_authid`.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub(super) iterations: NonZeroU32,
    pub(super) salt: Box<[u8]>,
    pub(super) stored_key: Key,
    pub(super) server_key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a SCRAM-SHA-256 verifier")]
pub struct InvalidVerifier;

impl ScramVerifier {
    #[must_use]
    pub fn of(keys: &ScramKeys) -> ScramVerifier {
        ScramVerifier {
            iterations: keys.iterations,
            salt: keys.salt.clone(),
            stored_key: keys.stored_key(),
            server_key: keys.server_key,
        }
    }

    /// What a server stores for `password`: every node that is to accept the same client must get
    /// the same verifier, so it is made once, here.
    #[must_use]
    pub fn make(password: &str) -> ScramVerifier {
        let mut salt = [0; SALT_BYTES_DEFAULT];
        rand::fill(&mut salt);
        let iterations = NonZeroU32::new(ITERATIONS_DEFAULT).expect("the default is not zero");
        ScramVerifier::of(&ScramKeys::from_password(password, &salt, iterations))
    }

    /// A verifier that looks real and that nobody can satisfy: always the same for one user and
    /// secret, so that asking twice does not tell whether the user exists.
    pub(super) fn mock(secret: &hmac::Key, user: &str) -> ScramVerifier {
        let derive = |purpose: &[u8]| {
            let mut context = hmac::Context::with_key(secret);
            context.update(purpose);
            context.update(user.as_bytes());
            let tag = context.sign();
            sign(tag.as_ref(), purpose)
        };
        ScramVerifier {
            iterations: NonZeroU32::new(ITERATIONS_DEFAULT).expect("the default is not zero"),
            salt: derive(b"salt")[..SALT_BYTES_DEFAULT].into(),
            stored_key: derive(b"stored key"),
            server_key: derive(b"server key"),
        }
    }

    /// As PostgreSQL stores it. A secret: it lets its owner try passwords, and play the server.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{SCRAM_SHA_256}${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key),
        )
    }
}

impl FromStr for ScramVerifier {
    type Err = InvalidVerifier;

    fn from_str(text: &str) -> Result<ScramVerifier, InvalidVerifier> {
        let read = || {
            let rest = text.strip_prefix(SCRAM_SHA_256)?.strip_prefix('$')?;
            let (cost, keys) = rest.split_once('$')?;
            let (iterations, salt) = cost.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            Some(ScramVerifier {
                iterations: iterations.parse().ok()?,
                salt: STANDARD.decode(salt).ok()?.into(),
                stored_key: STANDARD.decode(stored_key).ok()?.try_into().ok()?,
                server_key: STANDARD.decode(server_key).ok()?.try_into().ok()?,
            })
        };
        read().ok_or(InvalidVerifier)
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramVerifier(…)")
    }
}
