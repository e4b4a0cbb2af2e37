//! Definitions of several nodes within a transaction block.
//!
//! The block's own statements run on the home node, in the session's transaction; what the
//! definitions need on other nodes is held open beside it. Only Herd's own COMMIT ends both: while
//! definitions are open, no statement may end the session's transaction in another way.

use std::sync::Arc;

use arc_swap::Guard;
use herd_catalog::Catalog;
use herd_execute::Subject;
use herd_execute::define::{Block, Completed};
use herd_plan::ddl::Draft;
use herd_plan::{Action, TransactionCommand, Understood};
use herd_types::{ClientError, SqlState};
use herd_wire::message::TransactionStatus;

use crate::define::{ClientNode, Defined, Returned, answer_of, trouble};
use crate::exchange::Heard;
use crate::link::Link;
use crate::session::Session;
use crate::simple::aborted;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// What the session's transaction has defined beside the home node's own.
pub(crate) enum Defining {
    Open(Box<Block<ClientNode>>),
    /// It failed: the other nodes have rolled back, and the home node may do nothing else.
    Failed,
}

impl Session {
    /// The catalog by which the session's statements are planned.
    pub(crate) fn catalog(&self) -> Guard<Arc<Catalog>> {
        match &self.defining {
            Some(Defining::Open(block)) => Guard::from_inner(Arc::clone(block.catalog())),
            Some(Defining::Failed) | None => self.worker.gateway.catalog(),
        }
    }

    pub(crate) async fn define_in_block(&mut self, draft: &Draft) -> Result<Defined, Trouble> {
        if self.transaction.status() == TransactionStatus::Failed {
            return Err(aborted().into());
        }
        if self.defining.is_none() {
            if self.is_homes_own(draft).await? {
                return Ok(Defined::ByHome);
            }
            self.open_block().await?;
        }
        let defined = self.define_in_open_block(draft).await;
        if defined.is_err() {
            let is_over = matches!(self.transaction, Transaction::Void);
            self.defining = (!is_over).then_some(Defining::Failed);
        }
        defined
    }

    async fn open_block(&mut self) -> Result<(), Trouble> {
        if self.is_spread() {
            return Err(ClientError::unsupported(
                "a definition on several nodes cannot follow other work on several nodes in its transaction",
            )
            .into());
        }
        let home = self.worker.gateway.catalog().home();
        self.attach(home).await?;
        self.send_held_back().await?;
        self.transaction.bind();
        let definitions = Arc::clone(&self.worker.gateway.definitions_runner);
        let block = definitions.open_block().await.map_err(trouble)?;
        self.defining = Some(Defining::Open(Box::new(block)));
        Ok(())
    }

    async fn define_in_open_block(&mut self, draft: &Draft) -> Result<Defined, Trouble> {
        self.send_held_back().await?;
        let nodes = self.client_nodes(self.reuse());
        let settings = Arc::clone(self.settings.current());
        let definitions = Arc::clone(&self.worker.gateway.definitions_runner);
        let Some(Defining::Open(block)) = &mut self.defining else {
            return Err(aborted().into());
        };
        for node in block.others_mut() {
            node.restore(&settings).await?;
        }
        let Some(link) = self.links.current.take() else {
            return Err(aborted().into());
        };
        let said = nodes.notices();
        let returned = Returned::default();
        let home = ClientNode::of_client(link, &said, &returned);
        let completed = definitions.define_in(block, draft.clone(), nodes, home).await;
        match take_back(&returned) {
            Some((link, status)) => {
                self.links.current = Some(link);
                self.transaction.note(status);
            }
            None => {
                self.batch.forget_link();
                self.transaction = Transaction::Void;
            }
        }
        match completed.map_err(trouble)? {
            Completed::Home => Ok(Defined::ByHome),
            Completed::Done { tag, notices } => {
                let subject = Subject::of(tag.as_bytes()).unwrap_or(Subject::Object);
                if self.batch.defined != Some(Subject::Role) {
                    self.batch.defined = Some(subject);
                }
                self.worker.gateway.note_definition(subject);
                Ok(Defined::Done(answer_of(&tag, notices, &said.lock())))
            }
        }
    }

    /// Whether this command is for the open definitions to carry out, and not for a node.
    pub(crate) fn ends_definitions(&self, command: &TransactionCommand) -> bool {
        self.defining.is_some() && *command != TransactionCommand::Begin
    }

    /// Ends the transaction everywhere; the command tag.
    pub(crate) async fn end_definitions(
        &mut self,
        command: &TransactionCommand,
    ) -> Result<&'static str, Trouble> {
        // What was planned by the catalog that was to be must not be taken for valid.
        self.worker.gateway.note_definition(Subject::Object);
        let is_good = self.transaction.status() == TransactionStatus::InBlock;
        match (command, self.defining.take()) {
            (TransactionCommand::Commit { chain: false }, Some(Defining::Open(block)))
                if is_good =>
            {
                self.commit_block(*block).await
            }
            (
                TransactionCommand::Commit { chain: false }
                | TransactionCommand::Rollback { chain: false },
                _,
            ) => self.roll_back_block().await,
            (_, defining) => {
                self.defining = defining.map(|_| Defining::Failed);
                Err(refuse_command().into())
            }
        }
    }

    async fn commit_block(&mut self, block: Block<ClientNode>) -> Result<&'static str, Trouble> {
        let handle = Arc::clone(self.handle());
        let cancelled = handle.runs_nowhere().await;
        let Some(mut link) = self.links.current.take() else {
            return Err(aborted().into());
        };
        if cancelled {
            // Whatever was still to come has come by then, or breaks the commit.
            let _ = link.lease.connection().simple(b"").await;
        }
        let nodes = self.client_nodes(self.reuse());
        let returned = Returned::default();
        let home = ClientNode::of_client(link, &nodes.notices(), &returned);
        let definitions = Arc::clone(&self.worker.gateway.definitions_runner);
        // A task of its own: it comes to its end even if the client goes away.
        let run = tokio::spawn(async move { definitions.commit_block(block, nodes, home).await });
        let ended = |_| ClientError::error(SqlState::INTERNAL_ERROR, "the commit was given up");
        let committed = run.await.map_err(ended);
        match take_back(&returned) {
            Some((link, TransactionStatus::Idle)) => self.links.current = Some(link),
            // A link that is dropped closes its connection.
            _ => self.batch.forget_link(),
        }
        let failed = !matches!(committed, Ok(Ok(())));
        self.finish_definitions(failed).await?;
        committed?.map_err(trouble)?;
        Ok("COMMIT")
    }

    async fn roll_back_block(&mut self) -> Result<&'static str, Trouble> {
        if let Some(link) = &mut self.links.current {
            let ended = link.lease.connection().simple(b"ROLLBACK").await;
            ended.map_err(Trouble::NodeLost)?;
        }
        self.finish_definitions(true).await?;
        Ok("ROLLBACK")
    }

    async fn finish_definitions(&mut self, failed: bool) -> Result<(), Trouble> {
        let status = Some(TransactionStatus::Idle);
        self.batch.defined.get_or_insert(Subject::Object);
        self.settle(&Heard { status, failed, ..Heard::default() }).await
    }

    /// The session's transaction is over, whoever has ended it: what is left is undone.
    pub(crate) fn drop_definitions(&mut self) {
        if self.defining.take().is_some() {
            // What was planned by the catalog that was to be must not be taken for valid.
            self.worker.gateway.note_definition(Subject::Object);
        }
    }

    /// A statement that would end the home node's part alone.
    pub(crate) fn check_keeps_block(
        &self,
        understood: &Understood,
        text: &[u8],
    ) -> Result<(), ClientError> {
        let is_forwarded = matches!(understood.plan.action, Action::Forward(_));
        let is_in_question = is_forwarded && (self.defining.is_some() || self.is_spread());
        if !is_in_question || !herd_plan::prepares_transaction(text) {
            return Ok(());
        }
        if self.defining.is_some() {
            return Err(refuse_command());
        }
        Err(ClientError::unsupported(
            "a transaction on several nodes cannot be prepared by its client",
        ))
    }

    /// Whether this ends the definitions; refused if it would end the home node's part alone.
    pub(crate) fn runs_in_block(&self, statement: &ClientStatement) -> Result<bool, ClientError> {
        let Some(understood) = &statement.understood else { return Ok(false) };
        self.check_keeps_block(understood, &statement.text)?;
        Ok(match &understood.plan.action {
            Action::Transaction(command) if self.ends_definitions(command) => true,
            _ => self.concerns_all_joined(&understood.plan),
        })
    }
}

fn take_back(returned: &Returned) -> Option<(Link, TransactionStatus)> {
    returned.lock().take()
}

fn refuse_command() -> ClientError {
    ClientError::unsupported(
        "a transaction that has defined what lies on several nodes can only be committed or rolled back",
    )
    .with_detail("Savepoints, AND CHAIN and PREPARE TRANSACTION would concern its home node alone.")
}
