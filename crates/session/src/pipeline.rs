//! The transaction that a pipeline is until its Sync, when it needs more than one node.
//!
//! On one node PostgreSQL sees to it: what comes before a Sync is one transaction. As soon as another
//! node is needed, Herd turns it into a block, of which PostgreSQL makes the statements before it a
//! part, and ends it at the Sync.

use std::sync::Arc;

use herd_execute::{Expected, Shown};
use herd_plan::TransactionCommand;
use herd_types::ClientError;
use herd_wire::message;

use crate::batch::Stage;
use crate::session::Session;
use crate::several::ImplicitEnd;
use crate::transaction::{Setup, Transaction};
use crate::trouble::{Ending, Trouble};

const BEGIN: &[u8] = b"BEGIN";

impl Session {
    /// Outside of a transaction: from here to the Sync there is one.
    pub(crate) async fn begin_pipeline_block(&mut self) -> Result<(), Trouble> {
        if !matches!(self.transaction, Transaction::None) {
            return Ok(());
        }
        if self.aside.is_some() {
            return Err(ClientError::unsupported(
                "what concerns several nodes cannot follow a query of several nodes in its pipeline",
            )
            .with_hint("Send Sync before it.")
            .into());
        }
        self.leave_judge().await?;
        self.batch.is_block = true;
        if self.links.current.is_none() {
            self.transaction = Transaction::Promised { begin: BEGIN.to_vec() };
            return Ok(());
        }
        self.send_begin(BEGIN);
        // What has been set up before is not known to other nodes.
        let has_set = !Arc::ptr_eq(self.settings.current(), self.settings.committed());
        let setup = (!has_set).then(|| Setup { begin: BEGIN.to_vec(), preamble: Vec::new() });
        self.transaction = Transaction::Open { setup, bound: true, failed: false };
        Ok(())
    }

    /// A BEGIN of the client's own: the block goes on after the Sync.
    pub(crate) fn keeps_pipeline_block(&self, command: &TransactionCommand) -> bool {
        self.batch.is_block && *command == TransactionCommand::Begin
    }

    /// A simple query instead of the Sync: with it, PostgreSQL would end the transaction.
    pub(crate) async fn refuse_after_pipeline_block(&mut self) -> Result<(), Ending> {
        self.batch.advance(Stage::Skipping);
        let ended = self.end_pipeline_block().await;
        self.batch.end(false);
        let refusal = ClientError::unsupported(
            "a simple query cannot end a pipeline that concerns several nodes",
        )
        .with_hint("Send Sync before it.");
        self.conclude(ended.err().unwrap_or(refusal.into())).await
    }

    /// At the Sync: all of it happens, or nothing if something has failed.
    pub(crate) async fn end_pipeline_block(&mut self) -> Result<(), Trouble> {
        if !std::mem::take(&mut self.batch.is_block)
            || matches!(self.transaction, Transaction::None)
        {
            return Ok(());
        }
        if self.links.current.is_some() {
            // After an error a server reads nothing but a Sync.
            self.exchange.out.extend_from_slice(&message::SYNC);
            self.exchange.replies.expect(Expected::Ready { shown: Shown::No });
            let heard = self.relay().await?;
            self.act_on(&heard);
        }
        let failed = self.batch.is_skipping() || self.is_failed_on_server();
        self.end_implicit(if failed { ImplicitEnd::RollBack } else { ImplicitEnd::Commit }).await
    }
}
