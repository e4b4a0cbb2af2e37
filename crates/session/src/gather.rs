//! COPY … TO STDOUT of tables that lie on several nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use herd_catalog::Catalog;
use herd_execute::Interrupt;
use herd_execute::copy::{CopyOutcome, CopyTrouble, GatherRun};
use herd_node::Lease;
use herd_plan::{CopyGather, Plan};
use herd_types::{ClientError, NodeId};
use herd_wire::message::{self, TransactionStatus};

use crate::batch::Stage;
use crate::copy::{table_gone, trouble};
use crate::define::Reuse;
use crate::link::Link;
use crate::session::Session;
use crate::simple::aborted;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

impl Session {
    /// Runs it; the CommandComplete for the client is appended to `out`.
    pub(crate) async fn gather(
        &mut self,
        copy: &CopyGather,
        plan: &Plan,
        out: &mut BytesMut,
    ) -> Result<(), Trouble> {
        if self.transaction.status() == TransactionStatus::Failed {
            return Err(aborted().into());
        }
        if self.defining.is_some() {
            return Err(ClientError::unsupported(
                "COPY from several nodes cannot follow a definition in its transaction",
            )
            .into());
        }
        if self.is_spread() {
            return Err(ClientError::unsupported(
                "COPY from several nodes cannot follow other work on several nodes in its transaction",
            )
            .into());
        }
        let catalog = Arc::clone(&self.catalog());
        let table = catalog.table(copy.table).ok_or_else(table_gone)?;
        let nodes = catalog.nodes_of(table);
        self.answer_alone().await?;
        let result = if matches!(self.transaction, Transaction::None) {
            let leases = self.lease_each(nodes.iter().copied()).await?;
            self.check_still_placed(&catalog)?;
            self.gather_from(copy, plan, &nodes, leases).await.result
        } else {
            self.gather_in_transaction(copy, plan, &catalog, &nodes).await?
        };
        let rows = result.map_err(|error| trouble(of_a_reader(error)))?;
        message::command_complete(out, &format!("COPY {rows}"));
        Ok(())
    }

    /// Statements of a pipeline are one transaction, which COPY outside of it would not see.
    pub(crate) fn check_first_of_its_pipeline(&self) -> Result<(), ClientError> {
        if self.batch.stage == Stage::Engaged && matches!(self.transaction, Transaction::None) {
            return Err(ClientError::unsupported(
                "what concerns several nodes cannot follow other statements of a pipeline",
            )
            .with_hint("Send Sync before it."));
        }
        Ok(())
    }

    /// In the session's transaction on the node where that is, and outside of it on the others,
    /// which it has not touched.
    async fn gather_in_transaction(
        &mut self,
        copy: &CopyGather,
        plan: &Plan,
        catalog: &Catalog,
        nodes: &[NodeId],
    ) -> Result<Result<u64, CopyTrouble>, Trouble> {
        let here = match (&self.links.current, nodes) {
            (Some(link), _) => link.node(),
            (None, [first, ..]) => *first,
            (None, []) => return Err(table_gone().into()),
        };
        self.attach(here).await?;
        self.foresee(plan);
        let mut heard = self.send_held_back().await?;
        self.check_sees_others().await?;
        let elsewhere = nodes.iter().copied().filter(|&node| node != here);
        let leases = self.lease_each(elsewhere).await?;
        self.check_still_placed(catalog)?;
        let outcome = self.gather_from(copy, plan, nodes, leases).await;
        if outcome.unusable.contains(&here) {
            self.lose_link();
            return Ok(outcome.result);
        }
        if nodes.contains(&here) {
            heard.status = outcome.status;
            heard.failed = outcome.result.is_err();
        }
        self.settle(&heard).await?;
        Ok(outcome.result)
    }

    /// While the session waited for connections, the catalog may have changed.
    pub(crate) fn check_still_placed(&self, catalog: &Catalog) -> Result<(), Trouble> {
        if self.worker.gateway.catalog().version() == catalog.version() {
            return Ok(());
        }
        Err(Trouble::Outdated)
    }

    /// Runs it on `leases`, and on the current link for a node that is not among them.
    async fn gather_from(
        &mut self,
        copy: &CopyGather,
        plan: &Plan,
        nodes: &[NodeId],
        mut leases: BTreeMap<NodeId, Lease>,
    ) -> CopyOutcome {
        let handle = Arc::clone(self.handle());
        let takes_part =
            |link: &Link| nodes.contains(&link.node()) && !leases.contains_key(&link.node());
        let mut link = self.links.current.as_mut().filter(|link| takes_part(link));
        let identities = link.iter().map(|link| link.lease.identity());
        handle.runs_on_all(identities.chain(leases.values().map(Lease::identity)));
        let connections = link
            .iter_mut()
            .map(|link| link.lease.connection())
            .chain(leases.values_mut().map(Lease::connection))
            .collect();
        let run = GatherRun { copy, client: &mut self.client, interrupts: &handle.interrupts };
        let outcome = run.run(connections).await;
        handle.interrupts.lower(Interrupt::QueryTimeout);
        let cancelled = handle.runs_nowhere().await;
        for (node, lease) in leases {
            // A lease that is dropped closes its connection. Whether a cancel request has done its
            // work or is still to come is not known.
            if !cancelled && !outcome.unusable.contains(&node) {
                Reuse::unless(plan.effects.leave_something()).apply(lease);
            }
        }
        if let Some(link) = &self.links.current {
            handle.runs_on(link.lease.identity());
        }
        outcome
    }
}

/// A node that is lost while it is read leaves nothing in doubt.
fn of_a_reader(trouble: CopyTrouble) -> CopyTrouble {
    match trouble {
        CopyTrouble::NodeLost(error) => CopyTrouble::Refused(error.to_client()),
        other => other,
    }
}
