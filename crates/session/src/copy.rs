//! COPY … FROM STDIN into tables that lie on several nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use herd_execute::copy::{CopyOutcome, CopyRun, CopyTrouble, Scope};
use herd_execute::{Intent, IntentKind};
use herd_node::Lease;
use herd_plan::{CopyIn, Plan};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message;

use crate::define::Reuse;
use crate::exchange::Heard;
use crate::registry::Spanning;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble};

impl Session {
    /// Runs it; the CommandComplete for the client is appended to `out`.
    pub(crate) async fn copy_in(
        &mut self,
        copy: &CopyIn,
        plan: &Plan,
        sql: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), Trouble> {
        let catalog = Arc::clone(&self.catalog());
        let table = catalog.table(copy.table).cloned().ok_or_else(table_gone)?;
        let nodes = catalog.nodes_of(&table);
        self.answer_alone().await?;
        let outcome = if matches!(self.transaction, Transaction::None) {
            self.copy_alone(copy, plan, &table, &nodes, sql).await?
        } else {
            self.copy_in_transaction(copy, plan, &table, &nodes, sql).await?
        };
        let rows = outcome.result.map_err(trouble)?;
        message::command_complete(out, &format!("COPY {rows}"));
        Ok(())
    }

    /// In a transaction of its own on every node.
    async fn copy_alone(
        &mut self,
        copy: &CopyIn,
        plan: &Plan,
        table: &herd_catalog::Table,
        nodes: &[NodeId],
        sql: &[u8],
    ) -> Result<CopyOutcome, Trouble> {
        let mut leases = self.lease_each(nodes.iter().copied()).await?;
        let intent = Intent {
            kind: IntentKind::Copy,
            description: format!("COPY {}", table.name),
            nodes: nodes.to_vec(),
            database: self.pool_key.database.clone(),
            role: self.pool_key.role.clone(),
        };
        let decisions = Arc::clone(&self.worker.gateway.decisions);
        let handle = Arc::clone(self.handle());
        let run = CopyRun {
            copy,
            table,
            statement: sql,
            client: &mut self.client,
            interrupts: &handle.interrupts,
        };
        let _spanning = (leases.len() > 1).then(|| Spanning::begin(&handle));
        // A node that waits for rows does not hear of a cancel request; one that works on them does.
        handle.runs_on_all(leases.values().map(Lease::identity));
        let connections = leases.values_mut().map(Lease::connection).collect();
        let scope = Scope::Own { decisions: decisions.as_ref(), intent };
        let mut outcome = run.run(connections, scope).await;
        if handle.runs_nowhere().await {
            // Whether the cancel request has done its work or is still to come is not known.
            outcome.unusable.extend(nodes);
        }
        for (node, lease) in leases {
            // A lease that is dropped closes its connection.
            if !outcome.unusable.contains(&node) {
                Reuse::unless(plan.effects.leave_something()).apply(lease);
            }
        }
        Ok(outcome)
    }

    /// Connections outside of the session's transaction, with its settings.
    pub(crate) async fn lease_each(
        &mut self,
        nodes: impl Iterator<Item = NodeId>,
    ) -> Result<BTreeMap<NodeId, Lease>, Trouble> {
        let settings = Arc::clone(self.settings.current());
        let mut leases = BTreeMap::new();
        for node in nodes {
            let pool = self.pool(node)?;
            let mut lease = pool.lease(&settings).await?;
            lease.connection().restore(&settings).await?;
            leases.insert(node, lease);
        }
        Ok(leases)
    }

    /// In the session's transaction, as long as that concerns one node only.
    async fn copy_in_transaction(
        &mut self,
        copy: &CopyIn,
        plan: &Plan,
        table: &herd_catalog::Table,
        nodes: &[NodeId],
        sql: &[u8],
    ) -> Result<CopyOutcome, Trouble> {
        let bound = self.transaction.is_bound();
        let node = match (nodes, &self.links.current) {
            ([only], _) => *only,
            (_, Some(link)) if bound => link.node(),
            _ => return Err(needs_several_nodes().into()),
        };
        self.attach(node).await?;
        self.foresee(plan);
        self.transaction.bind();
        let mut heard = self.send_held_back().await?;
        let handle = Arc::clone(self.handle());
        let Some(link) = &mut self.links.current else {
            return Err(needs_several_nodes().into());
        };
        let run = CopyRun {
            copy,
            table,
            statement: sql,
            client: &mut self.client,
            interrupts: &handle.interrupts,
        };
        let outcome = run.run(vec![link.lease.connection()], Scope::Session).await;
        if outcome.unusable.contains(&node) {
            self.lose_link();
            return Ok(outcome);
        }
        heard.status = outcome.status;
        heard.failed = outcome.result.is_err();
        self.settle(&heard).await?;
        Ok(outcome)
    }

    /// What goes in front of a statement, BEGIN above all, when the statement is not sent with it.
    pub(crate) async fn send_held_back(&mut self) -> Result<Heard, Trouble> {
        if self.exchange.replies.awaits_server() {
            self.exchange.out.extend_from_slice(&message::SYNC);
            let shown = herd_execute::Shown::No;
            self.exchange.replies.expect(herd_execute::Expected::Ready { shown });
        }
        let heard = self.relay().await?;
        self.note(&heard);
        Ok(heard)
    }
}

pub(crate) fn trouble(trouble: CopyTrouble) -> Trouble {
    match trouble {
        CopyTrouble::Refused(error) => Trouble::Refused(error),
        CopyTrouble::Server(body) => Trouble::Server(body),
        CopyTrouble::NodeLost(error) => Trouble::NodeLost(error),
        CopyTrouble::Fatal(error) => Trouble::End(Ending::Fatal(error)),
        CopyTrouble::ClientGone => Trouble::End(Ending::ClientLeft),
        CopyTrouble::Terminated => Trouble::End(Ending::Terminated),
    }
}

pub(crate) fn table_gone() -> ClientError {
    ClientError::error(SqlState::UNDEFINED_TABLE, "the table of this COPY is gone")
}

fn needs_several_nodes() -> ClientError {
    ClientError::unsupported("COPY to several nodes cannot run inside a transaction block")
        .with_hint("Run the COPY by itself: it is all or nothing on all nodes.")
}
