//! Why a definition failed.

use bytes::Bytes;
use herd_types::{ClientError, NodeId, SqlState};

/// A server's refusal, as it said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub sqlstate: SqlState,
    pub message: String,
    /// The ErrorResponse, to be passed on untouched.
    pub frame: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefineError {
    /// Herd's own refusal.
    #[error("{0}")]
    Refused(ClientError),
    /// The error of a node: the client gets it untouched.
    #[error("{}: {}", refusal.sqlstate, refusal.message)]
    Server { node: NodeId, refusal: Refusal },
    /// A connection was lost before anything was decided.
    #[error("{node} was lost: {reason}")]
    Lost { node: NodeId, reason: String },
    /// A connection was lost while the only node of the definition committed.
    #[error("{node} was lost while it committed: {reason}")]
    Unknown { node: NodeId, reason: String },
}

impl DefineError {
    /// As Herd puts it; [`DefineError::Server`] has a frame of its own.
    #[must_use]
    pub fn into_client_error(self) -> ClientError {
        match self {
            DefineError::Refused(error) => error,
            DefineError::Server { refusal, .. } => {
                ClientError::error(refusal.sqlstate, refusal.message)
            }
            DefineError::Lost { node, reason } => ClientError::error(
                SqlState::CONNECTION_FAILURE,
                format!("the connection to {node} was lost: {reason}"),
            )
            .with_detail("Nothing has been changed on any node."),
            DefineError::Unknown { node, reason } => ClientError::error(
                SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                format!("the connection to {node} was lost while it committed: {reason}"),
            )
            .with_hint("SHOW JOBS tells the outcome when the node is back."),
        }
    }
}

impl From<ClientError> for DefineError {
    fn from(error: ClientError) -> DefineError {
        DefineError::Refused(error)
    }
}
