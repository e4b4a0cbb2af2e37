//! Connections to nodes on which a definition runs: with the client's role and settings.

use std::collections::BTreeMap;
use std::future::Future;

use bytes::Bytes;
use herd_types::{ClientError, NodeId};

use super::{DefineError, Refusal};

pub use herd_plan::ddl::Rows;

/// Gives connections that are the client's in all but name.
pub trait Nodes {
    type Session: NodeSession;

    /// A connection to `node` that is in no transaction.
    fn open(&self, node: NodeId) -> impl Future<Output = Result<Self::Session, NodeError>>;
}

/// One connection. When it is dropped within a transaction, that must end.
pub trait NodeSession {
    /// Runs one statement by the simple protocol.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Rows, NodeError>>;

    /// Begins a COPY TO STDOUT.
    fn copy_out(&mut self, sql: &str) -> impl Future<Output = Result<(), NodeError>>;

    /// A piece of what it gives; `None` at its end.
    fn next_piece(&mut self) -> impl Future<Output = Result<Option<Bytes>, NodeError>>;

    /// Begins a COPY FROM STDIN.
    fn copy_in(&mut self, sql: &str) -> impl Future<Output = Result<(), NodeError>>;

    fn put(&mut self, data: Bytes) -> impl Future<Output = Result<(), NodeError>>;

    /// There is no more to put.
    fn end_copy(&mut self) -> impl Future<Output = Result<(), NodeError>>;
}

/// Why a node did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeError {
    /// The server said no.
    Refused(Refusal),
    /// No connection can be had: nothing was sent.
    Unavailable(ClientError),
    /// The connection broke: whether the statement took effect is not known.
    Lost(String),
}

impl NodeError {
    pub(super) fn of(self, node: NodeId) -> DefineError {
        match self {
            NodeError::Refused(refusal) => DefineError::Server { node, refusal },
            NodeError::Unavailable(error) => DefineError::Refused(error),
            NodeError::Lost(reason) => DefineError::Lost { node, reason },
        }
    }
}

/// The connections of one definition, opened as they are needed.
pub(super) struct Sessions<'n, N: Nodes> {
    nodes: &'n N,
    open: BTreeMap<NodeId, N::Session>,
}

impl<'n, N: Nodes> Sessions<'n, N> {
    pub(super) fn new(nodes: &'n N) -> Sessions<'n, N> {
        Sessions { nodes, open: BTreeMap::new() }
    }

    /// Connections that are open already.
    pub(super) fn of(nodes: &'n N, open: BTreeMap<NodeId, N::Session>) -> Sessions<'n, N> {
        Sessions { nodes, open }
    }

    pub(super) fn into_open(self) -> BTreeMap<NodeId, N::Session> {
        self.open
    }

    pub(super) fn put_back(&mut self, node: NodeId, session: N::Session) {
        self.open.insert(node, session);
    }

    /// One statement outside of any transaction, or within one that the same connection is in.
    pub(super) async fn query(&mut self, node: NodeId, sql: &str) -> Result<Rows, NodeError> {
        self.take(node).await?.query(sql).await
    }

    /// Opens connections to all of `nodes`, and gives them away.
    pub(super) async fn take_all(
        &mut self,
        nodes: impl IntoIterator<Item = NodeId>,
    ) -> Result<BTreeMap<NodeId, N::Session>, DefineError> {
        let mut taken = BTreeMap::new();
        for node in nodes {
            self.take(node).await.map_err(|error| error.of(node))?;
            taken.extend(self.open.remove_entry(&node));
        }
        Ok(taken)
    }

    /// A connection that has nothing to do with those that were opened before.
    pub(super) async fn fresh(&self, node: NodeId) -> Result<N::Session, NodeError> {
        self.nodes.open(node).await
    }

    async fn take(&mut self, node: NodeId) -> Result<&mut N::Session, NodeError> {
        if !self.open.contains_key(&node) {
            let session = self.nodes.open(node).await?;
            self.open.insert(node, session);
        }
        Ok(self.open.get_mut(&node).expect("it was opened if it was not open"))
    }
}
