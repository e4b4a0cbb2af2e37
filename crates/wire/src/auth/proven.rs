//! A proof of identity that only a finished authentication makes.

use super::Md5Hash;
use crate::scram::ScramKeys;

/// A client is who it says. Nothing outside of `auth` can make one.
#[derive(Clone, Debug)]
pub struct Proven {
    user: String,
    how: How,
}

/// By what, and so with what Herd can log in to nodes as the same role.
#[derive(Clone, Debug)]
pub enum How {
    /// The keys that the client proved to have.
    Scram(ScramKeys),
    /// The hash that the client proved to have.
    Md5(Md5Hash),
    Certificate,
    Trust,
}

impl Proven {
    pub(super) fn new(user: &str, how: How) -> Proven {
        Proven { user: user.to_owned(), how }
    }

    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    #[must_use]
    pub fn how(&self) -> &How {
        &self.how
    }
}
