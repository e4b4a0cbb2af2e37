//! Why a COPY failed, for the session to tell.

use bytes::Bytes;
use herd_node::NodeError;
use herd_types::{ClientError, SqlState};
use herd_wire::frame::HEADER_BYTES;

use crate::cancel_reason::is_cancelled;
use crate::{CancelReason, ClientLost};

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
    pub(crate) fn undone(error: &NodeError) -> CopyTrouble {
        let error = ClientError::error(error.sqlstate(), error.to_string());
        CopyTrouble::Refused(error.with_detail("Nothing of it remains."))
    }

    /// A node answered, or was lost, when a statement of Herd's own was sent to it.
    pub(crate) fn of_statement(error: NodeError) -> CopyTrouble {
        match error {
            NodeError::Server(body) => CopyTrouble::Server(body),
            lost => CopyTrouble::undone(&lost),
        }
    }

    /// Of what was cancelled, why, if Herd has had it cancelled.
    pub(crate) fn explained<T>(
        result: Result<T, CopyTrouble>,
        reason: &CancelReason,
    ) -> Result<T, CopyTrouble> {
        let reason = reason.take();
        result.map_err(|trouble| match (trouble, reason) {
            (CopyTrouble::Server(body), Some(frame)) if is_cancelled(&body) => {
                CopyTrouble::Server(frame.slice(HEADER_BYTES..))
            }
            (trouble, _) => trouble,
        })
    }

    pub(crate) fn unknown(message: String) -> CopyTrouble {
        let error = ClientError::error(SqlState::TRANSACTION_RESOLUTION_UNKNOWN, message);
        CopyTrouble::Refused(error.with_detail("Whether it took effect is not known."))
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
