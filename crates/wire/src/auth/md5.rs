//! PostgreSQL's old password hash: `md5` and the MD5 of password and user, in hex.

use std::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

const PREFIX: &str = "md5";
const HEX_BYTES: usize = 32;
pub(crate) const SALT_BYTES: usize = 4;

/// The hash that a server stores; whoever has it can log in with it.
#[derive(Clone)]
pub struct Md5Hash([u8; HEX_BYTES]);

impl Md5Hash {
    #[must_use]
    pub fn of(user: &str, password: &str) -> Md5Hash {
        Md5Hash(hex_md5(&[password.as_bytes(), user.as_bytes()]))
    }

    /// As stored: `md5` and 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Md5Hash> {
        let digits: [u8; HEX_BYTES] = text.strip_prefix(PREFIX)?.as_bytes().try_into().ok()?;
        let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_hex).then_some(Md5Hash(digits))
    }

    /// What a client sends when it is asked with `salt`.
    pub(crate) fn response(&self, salt: [u8; SALT_BYTES]) -> String {
        let hash = hex_md5(&[&self.0, &salt]);
        format!("{PREFIX}{}", std::str::from_utf8(&hash).expect("hex digits are ASCII"))
    }

    pub(super) fn accepts(&self, salt: [u8; SALT_BYTES], response: &[u8]) -> bool {
        bool::from(self.response(salt).as_bytes().ct_eq(response))
    }
}

impl PartialEq for Md5Hash {
    fn eq(&self, other: &Md5Hash) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl Eq for Md5Hash {}

impl fmt::Debug for Md5Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Hash(…)")
    }
}

fn hex_md5(parts: &[&[u8]]) -> [u8; HEX_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finalize();
    std::array::from_fn(|index| {
        let byte = hash[index / 2];
        let digit = if index % 2 == 0 { byte >> 4 } else { byte & 0xf };
        DIGITS[usize::from(digit)]
    })
}
