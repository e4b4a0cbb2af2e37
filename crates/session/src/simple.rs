//! The simple query protocol: one text, one answer, one ReadyForQuery.

use bytes::BytesMut;
use herd_plan::{
    Action, Forward, NoParameters, Place, Plan, Query, SettingCommand, Target, TransactionCommand,
    Understood, Values,
};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::frame::HEADER_BYTES;
use herd_wire::message::{self, TransactionStatus};

use crate::batch::Conclusion;
use crate::define::Defined;
use crate::exchange::Closing;
use crate::inline;
use crate::local::{describe_action, has_rows};
use crate::session::{Session, query_text};
use crate::transaction::Transaction;
use crate::trouble::{Ending, Trouble};

/// A text that no server accepts, to make its transaction fail as Herd's own refusal must.
pub(crate) const REFUSED_SQL: &[u8] = b"herd refused the statement";

impl Session {
    pub(crate) async fn simple_query(&mut self, frame: &[u8]) -> Result<(), Ending> {
        let sql = query_text(frame)?;
        if self.batch.is_skipping() {
            return Ok(());
        }
        if !self.batch.is_empty() {
            self.flush_batch().await?;
            if let Err(trouble) = self.end_aside(false).await {
                return self.conclude(trouble).await;
            }
        }
        if self.batch.is_block {
            return self.refuse_after_pipeline_block().await;
        }
        self.batch.forget_meanings();
        self.handle().show_statement(sql);
        self.worker.gateway.pass_hold().await;
        let timer = self.worker.gateway.metrics.start();
        let answered = loop {
            match self.answer_query(frame, sql).await {
                Err(Trouble::Outdated) => {}
                answered => break answered,
            }
        };
        self.worker.gateway.metrics.stop_simple(&timer, &answered);
        match answered {
            Ok(()) => Ok(()),
            Err(trouble) => self.conclude(trouble).await,
        }
    }

    async fn answer_query(&mut self, frame: &[u8], sql: &[u8]) -> Result<(), Trouble> {
        let query = match self.understand(sql, &[]) {
            Ok(query) => query,
            // Whatever it is, the server says what a failed transaction says.
            Err(_) if self.is_failed_on_server() && self.defining.is_none() => {
                return self.forward_here(frame).await;
            }
            Err(error) => return Err(error.into()),
        };
        match query {
            Query::Empty => self.complete(&message::EMPTY_QUERY).await,
            Query::One(understood) => self.answer_statement(frame, sql, &understood).await,
            Query::Several(parts) => Box::pin(self.answer_several(frame, sql, &parts)).await,
        }
    }

    pub(crate) async fn answer_statement(
        &mut self,
        frame: &[u8],
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        let plan = &understood.plan;
        self.check_not_void(plan)?;
        self.check_keeps_block(understood, sql)?;
        if self.is_failed_on_server() && !matches!(plan.action, Action::Transaction(_)) {
            return self.forward_here(frame).await;
        }
        match &plan.action {
            Action::Forward(forward) => self.answer_forward(forward, frame, sql, understood).await,
            Action::Transaction(command) => {
                self.transaction_command(command, frame, plan, sql).await
            }
            Action::Setting(SettingCommand::DiscardAll) => {
                let tag = Box::pin(self.discard_all()).await?;
                self.complete_command(tag).await
            }
            Action::Setting(_) if self.concerns_all_joined(plan) => {
                let tag = self.command_all_joined(plan, sql).await?;
                self.complete_command(&tag).await
            }
            Action::Setting(_) => {
                let node = self.node_for_settings();
                self.forward(node, false, frame, plan, sql).await
            }
            Action::Prepared(command) => self.prepared_command(command, sql, understood).await,
            Action::CopyOut(copy) => {
                let (node, binds) = self.place(&copy.target, sql, understood)?;
                let mut frame = BytesMut::new();
                message::query(&mut frame, &copy.text);
                self.forward(node, binds, &frame, plan, sql).await
            }
            Action::CopyIn(copy) => {
                let mut answer = BytesMut::new();
                Box::pin(self.copy_in(copy, plan, sql, &mut answer)).await?;
                self.complete(&answer).await
            }
            Action::CopyGather(copy) => {
                let mut answer = BytesMut::new();
                Box::pin(self.gather(copy, plan, &mut answer)).await?;
                self.complete(&answer).await
            }
            Action::Define(draft) => {
                self.foresee(plan);
                match self.define(draft).await? {
                    Defined::Done(answer) => {
                        let mut whole = BytesMut::new();
                        if has_rows(&plan.action) {
                            describe_action(&plan.action, &mut whole);
                        }
                        whole.extend_from_slice(&answer);
                        self.complete(&whole).await
                    }
                    Defined::ByHome => self.forward_home(frame, plan, sql).await,
                }
            }
            _ => {
                let mut answer = BytesMut::new();
                if has_rows(&plan.action) {
                    describe_action(&plan.action, &mut answer);
                }
                self.answer_locally(plan, sql, understood, &mut answer)?;
                self.complete(&answer).await
            }
        }
    }

    async fn answer_forward(
        &mut self,
        forward: &Forward,
        frame: &[u8],
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        let plan = &understood.plan;
        if matches!(forward.target, Target::Current) && self.answered_by_cursor(frame, sql).await? {
            return Ok(());
        }
        match self.place(&forward.target, sql, understood) {
            Ok((node, binds)) if forward.inline.is_empty() => {
                self.forward(node, binds, frame, plan, sql).await
            }
            Ok((node, binds)) => {
                let inlined =
                    inline::splice(sql, &forward.inline, &self.worker.gateway, &self.asker());
                let mut frame = BytesMut::new();
                message::query(&mut frame, &inlined);
                self.forward(node, binds, &frame, plan, sql).await
            }
            Err(refusal) => {
                if let Some(dispatch) = Session::dispatch_of(plan) {
                    return Box::pin(self.query_dispatched(dispatch, sql, understood)).await;
                }
                let exchange = Session::exchange_of(plan).ok_or(refusal)?;
                if let Some(scattered) = self.scattered(exchange, sql, understood) {
                    return Box::pin(self.query_over_nodes(&scattered)).await;
                }
                Box::pin(self.query_over_brought(exchange, sql, understood)).await
            }
        }
    }

    /// The node that can answer, and whether the transaction belongs to it from then on.
    pub(crate) fn place(
        &self,
        target: &Target,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(NodeId, bool), ClientError> {
        let place = self.place_of(target, sql, understood)?;
        Ok((self.node_of(place), place.binds()))
    }

    pub(crate) fn place_of(
        &self,
        target: &Target,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<Place, ClientError> {
        let values = Values { text: sql, slots: &understood.slots, parameters: &NoParameters };
        let place = target.place(&self.catalog(), &values)?;
        Ok(self.follow_cursor(place, sql))
    }

    /// Sends a simple query to a node as it is and passes on the answer.
    async fn forward(
        &mut self,
        node: NodeId,
        binds: bool,
        frame: &[u8],
        plan: &Plan,
        sql: &[u8],
    ) -> Result<(), Trouble> {
        self.attach_for(node, plan.effects.uses_sequences).await?;
        self.foresee(plan);
        if binds {
            self.transaction.bind();
        }
        self.exchange.out.extend_from_slice(frame);
        self.exchange.expect_answer();
        let heard = self.relay().await?;
        if !heard.failed {
            self.apply(plan, sql);
        }
        self.settle(&heard).await
    }

    async fn forward_home(&mut self, frame: &[u8], plan: &Plan, sql: &[u8]) -> Result<(), Trouble> {
        let home = self.catalog().home();
        self.forward(home, true, frame, plan, sql).await
    }

    /// To the node where the transaction is, without a thought.
    pub(crate) async fn forward_here(&mut self, frame: &[u8]) -> Result<(), Trouble> {
        self.exchange.out.extend_from_slice(frame);
        self.exchange.expect_answer();
        let heard = self.relay().await?;
        self.settle(&heard).await
    }

    pub(crate) fn node_for_settings(&self) -> NodeId {
        let link = self.links.current.as_ref().or(self.links.kept.first());
        link.map_or_else(|| self.catalog().home(), crate::link::Link::node)
    }

    async fn transaction_command(
        &mut self,
        command: &TransactionCommand,
        frame: &[u8],
        plan: &Plan,
        sql: &[u8],
    ) -> Result<(), Trouble> {
        if self.concerns_all_joined(plan) {
            let tag = self.command_all_joined(plan, sql).await?;
            return self.complete_command(&tag).await;
        }
        if self.ends_definitions(command) {
            let tag = self.end_definitions(command).await?;
            return self.complete_command(tag).await;
        }
        if let Some(tag) = self.answer_promise(command, sql) {
            if matches!(self.transaction, Transaction::None) {
                self.end_cursors().await;
            }
            return self.complete_command(tag).await;
        }
        self.batch.conclusion = Conclusion::of(plan, self.batch.conclusion);
        let node = self.node_for_settings();
        self.forward(node, false, frame, plan, sql).await
    }

    /// Transaction commands that no node has to hear of; returns the command tag.
    pub(crate) fn answer_promise(
        &mut self,
        command: &TransactionCommand,
        sql: &[u8],
    ) -> Option<&'static str> {
        match (command, &self.transaction) {
            (TransactionCommand::Begin, Transaction::None) => {
                self.transaction = Transaction::Promised { begin: sql.to_vec() };
                let is_start = sql.trim_ascii_start().first().is_some_and(|b| b | 0x20 == b's');
                Some(if is_start { "START TRANSACTION" } else { "BEGIN" })
            }
            (TransactionCommand::Commit { chain: false }, Transaction::Promised { .. }) => {
                self.transaction = Transaction::None;
                Some("COMMIT")
            }
            (
                TransactionCommand::Rollback { chain: false },
                Transaction::Promised { .. } | Transaction::Void,
            )
            | (TransactionCommand::Commit { chain: false }, Transaction::Void) => {
                self.transaction = Transaction::None;
                self.settings.roll_back();
                Some("ROLLBACK")
            }
            _ => None,
        }
    }

    pub(crate) fn is_failed_on_server(&self) -> bool {
        matches!(self.transaction, Transaction::Open { failed: true, .. })
    }

    /// A transaction that failed before any node heard of it, or whose node was lost.
    pub(crate) fn check_not_void(&self, plan: &Plan) -> Result<(), ClientError> {
        if !matches!(self.transaction, Transaction::Void) {
            return Ok(());
        }
        match &plan.action {
            Action::Transaction(
                TransactionCommand::Commit { .. } | TransactionCommand::Rollback { .. },
            ) => Ok(()),
            Action::Transaction(TransactionCommand::RollbackTo { name }) => {
                let message = format!("savepoint \"{name}\" does not exist");
                Err(ClientError::error(SqlState::INVALID_SAVEPOINT, message))
            }
            _ => Err(aborted()),
        }
    }

    pub(crate) async fn complete_command(&mut self, tag: &str) -> Result<(), Trouble> {
        let mut answer = BytesMut::new();
        message::command_complete(&mut answer, tag);
        self.complete(&answer).await
    }

    /// An answer of Herd's own to a simple query.
    pub(crate) async fn complete(&mut self, answer: &[u8]) -> Result<(), Trouble> {
        self.answer_alone().await?;
        if let Closing::Held { .. } = self.exchange.closing {
            self.exchange.completion.extend_from_slice(answer);
            return Ok(());
        }
        let mut out = BytesMut::from(answer);
        message::ready(&mut out, self.transaction.status());
        self.write(&out).await.map_err(Trouble::End)
    }

    /// Function calls by OID, which is home's.
    pub(crate) async fn function_call(&mut self, frame: &[u8]) -> Result<(), Ending> {
        if self.batch.is_skipping() {
            return Ok(());
        }
        let called = async {
            let void = matches!(self.transaction.status(), TransactionStatus::Failed);
            if void && self.links.current.is_none() {
                return Err(Trouble::Refused(aborted()));
            }
            let function = message::read_function_call(&frame[HEADER_BYTES..])?;
            let home = self.catalog().home();
            self.attach(home).await?;
            self.foresee_call(function);
            self.transaction.bind();
            self.forward_here(frame).await
        };
        match called.await {
            Ok(()) => Ok(()),
            Err(trouble) => self.conclude(trouble).await,
        }
    }
}

pub(crate) fn aborted() -> ClientError {
    ClientError::error(
        SqlState::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}
