//! Why a statement did not run its course, and why a session ends.

use bytes::Bytes;
use herd_execute::RelayError;
use herd_node::NodeError;
use herd_types::ClientError;
use herd_wire::message::Malformed;

/// A statement that failed in Herd, or before its node could answer.
#[derive(Debug)]
pub enum Trouble {
    /// Herd says no.
    Refused(ClientError),
    /// A server's own ErrorResponse body, met while preparing the ground.
    Server(Bytes),
    /// The connection to the node broke while it owed answers.
    NodeLost(NodeError),
    /// The catalog has changed while the statement waited for a connection: it must be placed anew.
    Outdated,
    End(Ending),
}

/// Why a session ends.
#[derive(Debug)]
pub enum Ending {
    ClientLeft,
    /// Told so from outside, without a word to the client.
    Terminated,
    /// The client is told, and the connection closed.
    Fatal(ClientError),
}

impl Trouble {
    /// An error on a connection in a transaction: if that is broken, the transaction is lost.
    pub(crate) fn in_transaction(error: NodeError) -> Trouble {
        match error {
            NodeError::Server(body) => Trouble::Server(body),
            lost => Trouble::NodeLost(lost),
        }
    }

    /// The same for a statement with so many characters in front of it.
    pub(crate) fn moved(self, characters: u32) -> Trouble {
        match self {
            Trouble::Refused(error) => Trouble::Refused(error.moved(characters)),
            Trouble::Server(body) => {
                let moved = herd_wire::error::moved(&body, characters);
                Trouble::Server(moved.map_or(body, Bytes::from))
            }
            other => other,
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble::Refused(error)
    }
}

impl From<Ending> for Trouble {
    fn from(ending: Ending) -> Trouble {
        Trouble::End(ending)
    }
}

/// An error before any byte of the statement was sent: nothing has happened yet.
impl From<NodeError> for Trouble {
    fn from(error: NodeError) -> Trouble {
        match error.server_error() {
            Some(body) => Trouble::Server(Bytes::copy_from_slice(body)),
            None => Trouble::Refused(error.to_client()),
        }
    }
}

impl From<RelayError> for Trouble {
    fn from(error: RelayError) -> Trouble {
        match error {
            RelayError::ClientGone => Trouble::End(Ending::ClientLeft),
            RelayError::Terminated => Trouble::End(Ending::Terminated),
            RelayError::Node(error) => Trouble::NodeLost(error),
            RelayError::Client(error) => Trouble::End(Ending::Fatal(protocol_violation(&error))),
        }
    }
}

impl From<Malformed> for Trouble {
    fn from(error: Malformed) -> Trouble {
        Trouble::End(Ending::Fatal(protocol_violation(&error)))
    }
}

pub(crate) fn protocol_violation(error: &dyn std::fmt::Display) -> ClientError {
    ClientError::fatal(herd_types::SqlState::PROTOCOL_VIOLATION, error.to_string())
}
