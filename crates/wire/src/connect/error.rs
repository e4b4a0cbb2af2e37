//! Why a node could not be reached or did not let us in.

use std::io;

use herd_types::SqlState;
use thiserror::Error;

use crate::error::ServerError;
use crate::frame::FrameError;
use crate::message::Malformed;
use crate::scram::ScramError;

#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("cannot resolve {host}: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("cannot connect to {endpoint}: {source}")]
    Unreachable { endpoint: String, source: io::Error },
    #[error("no answer in time")]
    TimedOut,
    #[error("the server does not encrypt, and encryption is required")]
    TlsRefused,
    #[error("\"{host}\" cannot be the name in a certificate")]
    InvalidServerName { host: String },
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
    /// The server's own words.
    #[error("{0}")]
    Server(Box<ServerError>),
    #[error("startup parameters hold a zero byte, or more bytes than a server reads")]
    InvalidParameters,
    #[error("the server asks for {asked}, for which there is no credential")]
    CredentialUnfit { asked: &'static str },
    #[error("the server asks for the password in plain text on a connection without encryption")]
    PasswordInPlainText,
    #[error("the server asks for an authentication method that is not supported: {0}")]
    UnsupportedMethod(String),
    #[error(transparent)]
    Scram(#[from] ScramError),
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
    #[error("the server broke the protocol: {0}")]
    Malformed(#[from] Malformed),
    #[error("the server broke the protocol: {0}")]
    Frame(#[from] FrameError),
}

impl ConnectError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ConnectError::Resolve { .. }
            | ConnectError::NoAddress { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::TimedOut
            | ConnectError::Lost(_)
            | ConnectError::Tls(_) => SqlState::CONNECTION_FAILURE,
            ConnectError::TlsRefused
            | ConnectError::InvalidServerName { .. }
            | ConnectError::CredentialUnfit { .. }
            | ConnectError::PasswordInPlainText
            | ConnectError::UnsupportedMethod(_) => SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            ConnectError::InvalidParameters => SqlState::INVALID_PARAMETER_VALUE,
            ConnectError::Server(error) => error.sqlstate,
            ConnectError::Scram(error) => error.sqlstate(),
            ConnectError::Protocol(_) | ConnectError::Malformed(_) | ConnectError::Frame(_) => {
                SqlState::PROTOCOL_VIOLATION
            }
        }
    }

    /// The body of the server's ErrorResponse, if that is why.
    #[must_use]
    pub fn server_error(&self) -> Option<&[u8]> {
        match self {
            ConnectError::Server(error) => Some(&error.body),
            _ => None,
        }
    }
}
