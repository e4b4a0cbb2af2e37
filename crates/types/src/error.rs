//! What a client may see of an error: message, detail and hint that tell what to do.

use std::borrow::Cow;
use std::fmt;

use crate::SqlState;

/// How bad it is: an `Error` ends the statement, a `Fatal` the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
}

impl Severity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        }
    }
}

/// An error raised by Herd, in the words that a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    pub severity: Severity,
    pub sqlstate: SqlState,
    pub message: Cow<'static, str>,
    pub detail: Option<Cow<'static, str>>,
    pub hint: Option<Cow<'static, str>>,
    /// Where in the query string, in characters from 1.
    pub position: Option<u32>,
}

impl ClientError {
    pub fn error(sqlstate: SqlState, message: impl Into<Cow<'static, str>>) -> ClientError {
        ClientError {
            severity: Severity::Error,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }

    pub fn fatal(sqlstate: SqlState, message: impl Into<Cow<'static, str>>) -> ClientError {
        ClientError { severity: Severity::Fatal, ..ClientError::error(sqlstate, message) }
    }

    /// What Herd cannot do (yet), as opposed to what is wrong.
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> ClientError {
        ClientError::error(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> ClientError {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> ClientError {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn at(mut self, position: u32) -> ClientError {
        self.position = Some(position);
        self
    }

    /// The same error in a longer text: its position is so many characters further on.
    #[must_use]
    pub fn moved(mut self, characters: u32) -> ClientError {
        self.position = self.position.map(|position| position.saturating_add(characters));
        self
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl std::error::Error for ClientError {}
