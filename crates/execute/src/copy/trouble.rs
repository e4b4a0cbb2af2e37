//! Why a COPY failed, for the session to tell.

use bytes::Bytes;
use herd_node::NodeError;
use herd_types::{ClientError, SqlState};

use crate::ClientLost;

#[derive(Debug)]
pub enum CopyTrouble {
    /// Herd says no, or the client gave up.
    Refused(ClientError),
    /// The body of the first ErrorResponse of a node.
    Server(Bytes),
    /// A node is lost: that of the session's transaction, and the transaction with it, or any of
    /// those that only read.
    NodeLost(NodeError),
    /// The client broke the protocol.
    Fatal(ClientError),
    ClientGone,
    /// The session was told to end.
    Terminated,
}

impl CopyTrouble {
    /// A node was lost before anything was decided.
    pub(super) fn undone(error: &NodeError) -> CopyTrouble {
        let error = ClientError::error(error.sqlstate(), error.to_string());
        CopyTrouble::Refused(error.with_detail("Nothing of this COPY remains."))
    }

    /// A node answered, or was lost, when a statement of Herd's own was sent to it.
    pub(super) fn of_statement(error: NodeError) -> CopyTrouble {
        match error {
            NodeError::Server(body) => CopyTrouble::Server(body),
            lost => CopyTrouble::undone(&lost),
        }
    }

    pub(super) fn unknown(message: String) -> CopyTrouble {
        let error = ClientError::error(SqlState::TRANSACTION_RESOLUTION_UNKNOWN, message);
        CopyTrouble::Refused(error.with_detail("Whether the COPY took effect is not known."))
    }
}

impl From<ClientError> for CopyTrouble {
    fn from(error: ClientError) -> CopyTrouble {
        CopyTrouble::Refused(error)
    }
}

impl From<ClientLost> for CopyTrouble {
    fn from(lost: ClientLost) -> CopyTrouble {
        match lost {
            ClientLost::Gone => CopyTrouble::ClientGone,
            ClientLost::Io(error) => {
                tracing::debug!(%error, "cannot write to the client");
                CopyTrouble::ClientGone
            }
            ClientLost::Interrupted => CopyTrouble::Terminated,
        }
    }
}
