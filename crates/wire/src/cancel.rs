//! The key that lets someone cancel a statement without being logged in.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::bounds::CANCEL_SECRET_BYTES_MAX;
use crate::message::{Malformed, Reader};
use crate::startup::ProtocolMinor;

const SHORT_SECRET_BYTES: usize = 4;
const LONG_SECRET_BYTES: usize = 32;

/// What BackendKeyData gives and CancelRequest brings back. Compared in constant time.
#[derive(Clone)]
pub struct CancelKey {
    pub process_id: i32,
    secret: Box<[u8]>,
}

impl CancelKey {
    /// A new key, as long as the client's protocol allows.
    #[must_use]
    pub fn generate(process_id: i32, minor: ProtocolMinor) -> CancelKey {
        let secret_bytes = match minor {
            ProtocolMinor::Zero => SHORT_SECRET_BYTES,
            ProtocolMinor::Two => LONG_SECRET_BYTES,
        };
        let mut secret = vec![0; secret_bytes];
        rand::fill(&mut secret[..]);
        CancelKey { process_id, secret: secret.into() }
    }

    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The process id and the secret that follow each other in BackendKeyData and CancelRequest.
    pub fn read(body: &[u8]) -> Result<CancelKey, Malformed> {
        let mut reader = Reader::new(body);
        let process_id = reader.i32()?;
        let secret = reader.rest();
        if !(SHORT_SECRET_BYTES..=CANCEL_SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(Malformed);
        }
        Ok(CancelKey { process_id, secret: secret.into() })
    }
}

impl PartialEq for CancelKey {
    fn eq(&self, other: &CancelKey) -> bool {
        self.process_id == other.process_id && bool::from(self.secret.ct_eq(&other.secret))
    }
}

impl Eq for CancelKey {}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelKey({}, …)", self.process_id)
    }
}
