//! A COPY from its statement to its end: one client, one or more nodes.

use futures::future::join_all;
use herd_catalog::Table;
use herd_node::{NodeError, ServerConnection};
use herd_plan::{CopyIn, OnError, Spread};
use herd_types::{ClientError, NodeId};
use herd_wire::message::TransactionStatus;

use super::stream::CopyStream;
use super::trouble::CopyTrouble;
use crate::commit::{commit, roll_back};
use crate::{ClientConnection, Decisions, Intent, Interrupts};

/// A planned COPY, and whose it is.
pub struct CopyRun<'a> {
    pub copy: &'a CopyIn,
    pub table: &'a Table,
    /// As the client wrote it.
    pub statement: &'a [u8],
    pub client: &'a mut ClientConnection,
    pub interrupts: &'a Interrupts,
}

/// In whose transaction the rows are written.
pub enum Scope<'a> {
    /// In one of the COPY's own, on all nodes of the table.
    Own { decisions: &'a dyn Decisions, intent: Intent },
    /// In the session's, which is open on the only connection.
    Session,
}

/// What has become of a COPY.
#[derive(Debug)]
pub struct CopyOutcome {
    /// The number of rows for the command tag.
    pub result: Result<u64, CopyTrouble>,
    /// Connections to these nodes are in the middle of something, and have to be closed.
    pub unusable: Vec<NodeId>,
    /// Of the session's transaction; `None` when its node has not heard of the COPY, or is lost.
    pub status: Option<TransactionStatus>,
}

impl CopyRun<'_> {
    /// Runs it on these connections, which are outside of any transaction, or in the session's.
    /// The client gets CopyInResponse and notices; how it ends is for the caller to tell.
    ///
    /// Not cancel-safe: connections have to be closed if it is dropped, and what is prepared by
    /// then is left to be repaired.
    pub async fn run(
        self,
        connections: Vec<&mut ServerConnection>,
        scope: Scope<'_>,
    ) -> CopyOutcome {
        let reason = &self.interrupts.cancel_reason;
        let outcome = match scope {
            Scope::Session => self.run_in_session(connections).await,
            Scope::Own { decisions, intent } => {
                let mut unusable = Vec::new();
                let result = self.run_alone(connections, decisions, intent, &mut unusable).await;
                let result = result.map_err(|trouble| match trouble {
                    CopyTrouble::NodeLost(error) => CopyTrouble::undone(&error),
                    other => other,
                });
                CopyOutcome { result, unusable, status: None }
            }
        };
        CopyOutcome { result: CopyTrouble::explained(outcome.result, reason), ..outcome }
    }

    async fn run_in_session(self, connections: Vec<&mut ServerConnection>) -> CopyOutcome {
        let mut unusable = Vec::new();
        if self.copy.spread == Spread::Everywhere {
            let result = Err(CopyTrouble::Refused(needs_all_nodes(&self.table.name.name)));
            return CopyOutcome { result, unusable, status: None };
        }
        let mut stream = CopyStream::new(self, connections);
        let result = stream.copy().await;
        if result.is_err() {
            stream.abort(&mut unusable).await;
        }
        CopyOutcome { result, unusable, status: stream.status() }
    }

    async fn run_alone(
        self,
        mut connections: Vec<&mut ServerConnection>,
        decisions: &dyn Decisions,
        intent: Intent,
        unusable: &mut Vec<NodeId>,
    ) -> Result<u64, CopyTrouble> {
        if let Err(error) = self.begin(&mut connections, unusable).await {
            roll_back(usable(connections, unusable), unusable).await;
            return Err(CopyTrouble::of_statement(error));
        }
        let mut stream = CopyStream::new(self, connections);
        let result = stream.copy().await;
        if result.is_err() {
            stream.abort(unusable).await;
        }
        let (idle, writers) = stream.into_connections();
        match result {
            Ok(rows) => {
                commit(idle, writers, decisions, intent, unusable).await?;
                Ok(rows)
            }
            Err(trouble) => {
                let all = idle.into_iter().chain(writers).collect();
                roll_back(usable(all, unusable), unusable).await;
                Err(trouble)
            }
        }
    }

    async fn begin(
        &self,
        connections: &mut [&mut ServerConnection],
        unusable: &mut Vec<NodeId>,
    ) -> Result<(), NodeError> {
        let sql: &[u8] = match self.copy.on_error {
            // Their notices are how the nodes' counts become known.
            OnError::Ignore { reject_limit: Some(_) } => {
                b"BEGIN; SET LOCAL client_min_messages TO notice"
            }
            OnError::Ignore { reject_limit: None } | OnError::Stop => b"BEGIN",
        };
        let begun = connections
            .iter_mut()
            .map(|connection| async { (connection.node(), connection.simple(sql).await) });
        let mut first = Ok(());
        for (node, result) in join_all(begun).await {
            if let Err(error) = result {
                unusable.push(node);
                first = first.and(Err(error));
            }
        }
        first
    }
}

fn usable<'c>(
    connections: Vec<&'c mut ServerConnection>,
    unusable: &[NodeId],
) -> Vec<&'c mut ServerConnection> {
    connections.into_iter().filter(|connection| !unusable.contains(&connection.node())).collect()
}

/// A transaction of one node would leave the copies of a reference table different.
fn needs_all_nodes(table: &str) -> ClientError {
    ClientError::unsupported(format!(
        "COPY into reference table \"{table}\" cannot run inside a transaction block"
    ))
    .with_hint("Run the COPY by itself: it is all or nothing on all nodes.")
}
