//! The server's side: a client proves that it has the key, and the key is recovered from the proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use subtle::ConstantTimeEq;

use super::keys::{ScramKeys, hash, sign, xor};
use super::message::{ClientFinalMessage, ClientFirstMessage, Gs2Flag};
use super::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError, ScramVerifier};
use crate::tls::EndPoint;

/// PostgreSQL's `SCRAM_RAW_NONCE_LEN`.
const NONCE_BYTES: usize = 18;

/// Whether channel binding is offered, which it is on every encrypted connection that can.
#[derive(Clone, Debug)]
pub enum Offer {
    Plain,
    Bound(EndPoint),
}

impl Offer {
    #[must_use]
    pub fn mechanisms(&self) -> &'static [&'static str] {
        match self {
            Offer::Plain => &[SCRAM_SHA_256],
            Offer::Bound(_) => &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256],
        }
    }
}

/// A verifier that can be satisfied, or one that only looks so.
#[derive(Clone, Debug)]
enum Expected {
    Known(ScramVerifier),
    Mock(ScramVerifier),
}

/// Waits for client-first.
#[derive(Debug)]
pub struct ServerFirst {
    expected: Expected,
    offer: Offer,
}

/// Has sent server-first, and waits for client-final.
#[derive(Debug)]
pub struct ServerFinal {
    expected: Expected,
    /// What `c` must be.
    binding: String,
    nonce: String,
    /// client-first without its header, and server-first: the beginning of what is signed.
    signed: String,
}

impl ServerFirst {
    #[must_use]
    pub fn new(verifier: ScramVerifier, offer: Offer) -> ServerFirst {
        ServerFirst { expected: Expected::Known(verifier), offer }
    }

    /// For a user who cannot log in, indistinguishable until the last message.
    #[must_use]
    pub fn mock(secret: &hmac::Key, user: &str, offer: Offer) -> ServerFirst {
        ServerFirst { expected: Expected::Mock(ScramVerifier::mock(secret, user)), offer }
    }

    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Answers client-first, sent with `mechanism`, which must have been offered.
    pub fn answer(
        self,
        mechanism: &str,
        client_first: &[u8],
    ) -> Result<(ServerFinal, String), ScramError> {
        let mut random = [0; NONCE_BYTES];
        rand::fill(&mut random);
        self.answer_with_nonce(mechanism, client_first, &STANDARD.encode(random))
    }

    pub(super) fn answer_with_nonce(
        self,
        mechanism: &str,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<(ServerFinal, String), ScramError> {
        let message = ClientFirstMessage::read(client_first)?;
        let binding = match (&self.offer, mechanism == SCRAM_SHA_256_PLUS, message.flag) {
            (Offer::Bound(end_point), true, Gs2Flag::Bound) => {
                Gs2Flag::Bound.binding(end_point.as_bytes())
            }
            (Offer::Bound(_), false, Gs2Flag::NotOffered) => {
                return Err(ScramError::BindingDowngraded);
            }
            (_, false, flag @ (Gs2Flag::Unsupported | Gs2Flag::NotOffered)) => flag.binding(b""),
            _ => return Err(ScramError::BindingOutOfPlace),
        };
        let verifier = self.expected.verifier();
        let nonce = format!("{}{server_nonce}", message.nonce);
        let salt = STANDARD.encode(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let signed = format!("{},{server_first}", message.bare);
        Ok((ServerFinal { expected: self.expected, binding, nonce, signed }, server_first))
    }
}

impl ServerFinal {
    /// Checks client-final: the keys of who sent it, and server-final.
    pub fn verify(self, client_final: &[u8]) -> Result<(ScramKeys, String), ScramError> {
        let message = ClientFinalMessage::read(client_final)?;
        if message.binding != self.binding {
            return Err(ScramError::BindingMismatch);
        }
        if message.nonce != self.nonce {
            return Err(ScramError::NonceMismatch);
        }
        let verifier = self.expected.verifier();
        let signed = format!("{},{}", self.signed, message.without_proof);
        let client_signature = sign(&verifier.stored_key, signed.as_bytes());
        let client_key = xor(&message.proof, &client_signature);
        let proven = bool::from(hash(&client_key).ct_eq(&verifier.stored_key));
        let server_signature = sign(&verifier.server_key, signed.as_bytes());
        match self.expected {
            Expected::Known(verifier) if proven => {
                let keys = ScramKeys {
                    client_key,
                    server_key: verifier.server_key,
                    salt: verifier.salt,
                    iterations: verifier.iterations,
                };
                Ok((keys, format!("v={}", STANDARD.encode(server_signature))))
            }
            Expected::Known(_) | Expected::Mock(_) => Err(ScramError::WrongProof),
        }
    }
}

impl Expected {
    fn verifier(&self) -> &ScramVerifier {
        match self {
            Expected::Known(verifier) | Expected::Mock(verifier) => verifier,
        }
    }
}
