//! What a node stores as a role's password, and which method follows from it.

use std::str::FromStr;
use std::time::SystemTime;

use thiserror::Error;

use super::{Md5Hash, Method, MockSecret};
use crate::scram::ScramVerifier;

/// `rolpassword` and `rolvaliduntil` of `pg_authid`.
#[derive(Clone, Debug)]
pub struct RolePassword {
    pub stored: StoredPassword,
    pub valid_until: Option<SystemTime>,
}

/// The forms in which a password is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredPassword {
    Scram(ScramVerifier),
    Md5(Md5Hash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stored password has a form that is not known")]
pub struct UnknownPasswordForm;

impl FromStr for StoredPassword {
    type Err = UnknownPasswordForm;

    fn from_str(text: &str) -> Result<StoredPassword, UnknownPasswordForm> {
        if let Some(hash) = Md5Hash::parse(text) {
            return Ok(StoredPassword::Md5(hash));
        }
        text.parse().map(StoredPassword::Scram).map_err(|_| UnknownPasswordForm)
    }
}

impl RolePassword {
    /// The method for a role of which this is known. Whether it is unknown, has expired, or has
    /// only an MD5 hash that is not accepted: the client finds out that it cannot log in, not why.
    #[must_use]
    pub fn method<'a>(
        role: Option<&RolePassword>,
        now: SystemTime,
        md5_allowed: bool,
        mock: &'a MockSecret,
    ) -> Method<'a> {
        let valid = role.filter(|role| role.valid_until.is_none_or(|until| now < until));
        match valid.map(|role| &role.stored) {
            Some(StoredPassword::Scram(verifier)) => Method::Scram(verifier.clone()),
            Some(StoredPassword::Md5(hash)) if md5_allowed => Method::Md5(hash.clone()),
            Some(StoredPassword::Md5(_)) | None => Method::ScramMock(mock),
        }
    }
}
