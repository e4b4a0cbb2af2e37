//! With what Herd logs in to a node.

use std::fmt;

use crate::auth::{How, Md5Hash};
use crate::scram::ScramKeys;

/// A secret of a role: never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// What the client itself proved, so that the node sees the same role log in.
    Scram(ScramKeys),
    Md5(Md5Hash),
    Password(Box<str>),
    /// The node must let the role in for another reason.
    None,
}

impl From<&How> for Credential {
    fn from(how: &How) -> Credential {
        match how {
            How::Scram(keys) => Credential::Scram(keys.clone()),
            How::Md5(hash) => Credential::Md5(hash.clone()),
            How::Certificate | How::Trust => Credential::None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Scram(_) => "Scram(…)",
            Credential::Md5(_) => "Md5(…)",
            Credential::Password(_) => "Password(…)",
            Credential::None => "None",
        })
    }
}
