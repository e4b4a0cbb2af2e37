//! What a server owes for one message, and what of it the client sees.

use bytes::Bytes;
use herd_wire::message::TransactionStatus;

/// Names a message for the one who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u32);

/// One entry for each message sent to the server, in order.
#[derive(Clone, Debug)]
pub enum Expected {
    /// A simple query or a function call: everything up to and with ReadyForQuery.
    Query {
        token: Option<Token>,
    },
    /// One statement of a query string, sent as a simple query: its ReadyForQuery is not shown,
    /// its CommandComplete is handed over. Positions are those in the string.
    Part {
        characters_before: u32,
    },
    /// One reply (ParseComplete, BindComplete, CloseComplete).
    Single {
        tag: u8,
        hidden: bool,
        token: Option<Token>,
    },
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement,
    /// RowDescription or NoData.
    DescribePortal,
    /// A description of a statement that Herd has asked for itself; its parameters, once they came.
    Shape {
        token: Token,
        parameters: Bytes,
    },
    /// Rows, or a COPY, up to CommandComplete, EmptyQueryResponse or PortalSuspended.
    Execute {
        hidden: bool,
        token: Option<Token>,
    },
    /// Rows up to CommandComplete, which is handed over: one node's part of a statement.
    Portion,
    Ready {
        shown: Shown,
    },
    /// Not sent to the server: the answer to a message that Herd answers itself.
    Answer(Bytes),
    /// A message made to fail, so that the server's transaction fails too; its error is replaced.
    Refusal(Bytes),
}

/// What becomes of a ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    AsItIs,
    /// With the status of a transaction that the server does not know yet.
    As(TransactionStatus),
    No,
}
