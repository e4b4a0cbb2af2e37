//! The client's side: Herd proves a key to a node, and the node proves that it knows it too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::num::NonZeroU32;

use subtle::ConstantTimeEq;

use super::ScramError;
use super::keys::{Key, ScramKeys, sign, xor};
use super::message::{Gs2Flag, ServerFirstMessage, read_server_final};
use crate::bounds::SCRAM_ITERATIONS_MAX;
use crate::tls::EndPoint;

/// libpq's length.
const NONCE_BYTES: usize = 18;

/// What is proven.
#[derive(Clone, Copy)]
pub enum ClientSecret<'a> {
    Password(&'a str),
    Keys(&'a ScramKeys),
}

impl fmt::Debug for ClientSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// Sends client-first, and waits for server-first.
#[derive(Debug)]
pub struct ClientFirst {
    flag: Gs2Flag,
    binding: String,
    nonce: String,
}

/// Has sent client-final, and waits for server-final.
#[derive(Debug)]
pub struct ClientFinal {
    server_signature: Key,
}

impl ClientFirst {
    /// Bound to the node's certificate, where it has one and offers to.
    #[must_use]
    pub fn bound(end_point: &EndPoint) -> ClientFirst {
        ClientFirst::start(Gs2Flag::Bound, end_point.as_bytes())
    }

    /// Without channel binding: `could_bind` when only the server's offer was lacking, so that it
    /// notices if somebody removed it.
    #[must_use]
    pub fn unbound(could_bind: bool) -> ClientFirst {
        let flag = if could_bind { Gs2Flag::NotOffered } else { Gs2Flag::Unsupported };
        ClientFirst::start(flag, b"")
    }

    fn start(flag: Gs2Flag, end_point: &[u8]) -> ClientFirst {
        let mut random = [0; NONCE_BYTES];
        rand::fill(&mut random);
        let binding = flag.binding(end_point);
        ClientFirst { flag, binding, nonce: STANDARD.encode(random) }
    }

    /// The user is the one of the startup packet; PostgreSQL ignores the name here.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{}{}", self.flag.header(), self.bare())
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Answers server-first with client-final.
    pub fn answer(
        self,
        server_first: &[u8],
        secret: ClientSecret<'_>,
    ) -> Result<(ClientFinal, String), ScramError> {
        let message = ServerFirstMessage::read(server_first)?;
        if !message.nonce.starts_with(&self.nonce) || message.nonce.len() == self.nonce.len() {
            return Err(ScramError::NonceMismatch);
        }
        let iterations = NonZeroU32::new(message.iterations)
            .ok_or(ScramError::Malformed("Malformed iteration count."))?;
        let derived;
        let keys = match secret {
            ClientSecret::Password(password) => {
                if iterations.get() > SCRAM_ITERATIONS_MAX {
                    return Err(ScramError::TooManyIterations {
                        iterations: iterations.get(),
                        iterations_max: SCRAM_ITERATIONS_MAX,
                    });
                }
                derived = ScramKeys::from_password(password, &message.salt, iterations);
                &derived
            }
            ClientSecret::Keys(keys)
                if *keys.salt == *message.salt && keys.iterations == iterations =>
            {
                keys
            }
            ClientSecret::Keys(_) => return Err(ScramError::VerifierDiffers),
        };
        let server_first = std::str::from_utf8(server_first)
            .map_err(|_| ScramError::Malformed("The message is not UTF-8."))?;
        let without_proof = format!("c={},r={}", self.binding, message.nonce);
        let signed = format!("{},{server_first},{without_proof}", self.bare());
        let client_signature = sign(&keys.stored_key(), signed.as_bytes());
        let proof = STANDARD.encode(xor(&keys.client_key, &client_signature));
        let server_signature = sign(&keys.server_key, signed.as_bytes());
        Ok((ClientFinal { server_signature }, format!("{without_proof},p={proof}")))
    }
}

impl ClientFinal {
    /// Whether the server knew the verifier, or only passed messages on.
    pub fn verify(self, server_final: &[u8]) -> Result<(), ScramError> {
        let signature = read_server_final(server_final)?;
        if bool::from(signature.ct_eq(&self.server_signature)) {
            Ok(())
        } else {
            Err(ScramError::WrongServerSignature)
        }
    }
}
