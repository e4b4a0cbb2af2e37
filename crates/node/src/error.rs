//! What can go wrong between Herd and a node.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use herd_types::{ClientError, SqlState};
use herd_wire::connect::ConnectError;
use herd_wire::frame::FrameError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum NodeError {
    /// The server's own ErrorResponse, to be passed on untouched.
    #[error("the server refused: {}", ErrorText(.0))]
    Server(Bytes),
    #[error("cannot connect to node \"{node}\": {source}")]
    Connect { node: String, source: ConnectError },
    #[error("no connection to node \"{node}\" became free within {waited:?}")]
    WaitedTooLong { node: String, waited: Duration },
    #[error("too many clients wait for a connection to node \"{node}\"")]
    TooManyWaiting { node: String, waiting_max: usize },
    #[error("the connection to node \"{node}\" was lost: {source}")]
    Lost { node: String, source: io::Error },
    #[error("node \"{node}\" did not answer within {waited:?}")]
    Silent { node: String, waited: Duration },
    #[error("node \"{node}\" broke the protocol: {reason}")]
    Protocol { node: String, reason: String },
    #[error("node {0} is not part of the herd")]
    Unknown(String),
}

impl NodeError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            NodeError::Server(body) => {
                herd_wire::error::field(body, b'C').and_then(SqlState::from_bytes)
            }
            NodeError::Connect { source, .. } => match source.server_error() {
                Some(body) => herd_wire::error::field(body, b'C').and_then(SqlState::from_bytes),
                None => Some(SqlState::CONNECTION_FAILURE),
            },
            NodeError::WaitedTooLong { .. } | NodeError::TooManyWaiting { .. } => {
                Some(SqlState::TOO_MANY_CONNECTIONS)
            }
            NodeError::Lost { .. } | NodeError::Silent { .. } | NodeError::Protocol { .. } => {
                Some(SqlState::CONNECTION_FAILURE)
            }
            NodeError::Unknown(_) => Some(SqlState::CONNECTION_DOES_NOT_EXIST),
        }
        .unwrap_or(SqlState::INTERNAL_ERROR)
    }

    /// The server's own words, when there are any.
    #[must_use]
    pub fn server_error(&self) -> Option<&[u8]> {
        match self {
            NodeError::Server(body) => Some(body),
            NodeError::Connect { source, .. } => source.server_error(),
            _ => None,
        }
    }

    /// As a client reads it, when the server said nothing itself.
    #[must_use]
    pub fn to_client(&self) -> ClientError {
        let error = ClientError::error(self.sqlstate(), self.to_string());
        match self {
            NodeError::WaitedTooLong { .. } => error.with_hint(
                "Raise pool.size_max or shorten transactions; SHOW POOLS tells who waits.",
            ),
            NodeError::TooManyWaiting { waiting_max, .. } => {
                error.with_detail(format!("At most {waiting_max} clients may wait for one pool."))
            }
            _ => error,
        }
    }

    pub(crate) fn frame(node: &str, error: FrameError) -> NodeError {
        NodeError::Protocol { node: node.to_owned(), reason: error.to_string() }
    }
}

struct ErrorText<'a>(&'a [u8]);

impl std::fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = herd_wire::error::field(self.0, b'M').unwrap_or_default();
        f.write_str(&String::from_utf8_lossy(text))
    }
}
