//! Why a client did not get in.

use std::io;

use herd_types::{ClientError, SqlState};
use thiserror::Error;

use crate::exact::ReadError;

/// A connection that ended before it was somebody's. Where the client could be told, it was.
#[derive(Debug, Error)]
pub enum ArrivalError {
    #[error("{0}")]
    Refused(ClientError),
    #[error("the client took too long")]
    TimedOut,
    #[error("the client closed the connection")]
    Disconnected,
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error(transparent)]
    Io(io::Error),
}

impl ArrivalError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ArrivalError::Refused(error) => error.sqlstate,
            ArrivalError::TimedOut => SqlState::QUERY_CANCELED,
            ArrivalError::Disconnected | ArrivalError::Io(_) => SqlState::CONNECTION_FAILURE,
            ArrivalError::Tls(_) => SqlState::PROTOCOL_VIOLATION,
        }
    }
}

impl From<ClientError> for ArrivalError {
    fn from(error: ClientError) -> ArrivalError {
        ArrivalError::Refused(error)
    }
}

impl From<ReadError> for ArrivalError {
    fn from(error: ReadError) -> ArrivalError {
        match error {
            ReadError::Closed | ReadError::Torn => ArrivalError::Disconnected,
            ReadError::Length { .. } | ReadError::Unexpected(_) => ArrivalError::Refused(
                ClientError::fatal(SqlState::PROTOCOL_VIOLATION, error.to_string()),
            ),
            ReadError::Io(error) => ArrivalError::Io(error),
        }
    }
}
