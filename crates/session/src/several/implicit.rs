//! The transaction that the statements of a query string are without saying so.
//!
//! PostgreSQL allows in it what it allows in a transaction block, save for transaction commands.
//! To the nodes it is a block, so what PostgreSQL says of those is said here.

use bytes::Bytes;
use herd_execute::Expected;
use herd_plan::TransactionCommand;
use herd_types::{ClientError, SqlState};
use herd_wire::error::NoticeLevel;
use herd_wire::message;

use super::one_by_one::{Block, Stop};
use crate::batch::Conclusion;
use crate::exchange::Closing;
use crate::registry::Phase;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

const BEGIN: &[u8] = b"BEGIN";

/// How Herd ends a transaction that the client did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImplicitEnd {
    Commit,
    RollBack,
}

impl ImplicitEnd {
    fn sql(self) -> &'static [u8] {
        match self {
            ImplicitEnd::Commit => b"COMMIT",
            ImplicitEnd::RollBack => b"ROLLBACK",
        }
    }

    fn conclusion(self) -> Conclusion {
        match self {
            ImplicitEnd::Commit => Conclusion::Committing,
            ImplicitEnd::RollBack => Conclusion::RollingBack,
        }
    }

    fn command(self) -> TransactionCommand {
        match self {
            ImplicitEnd::Commit => TransactionCommand::Commit { chain: false },
            ImplicitEnd::RollBack => TransactionCommand::Rollback { chain: false },
        }
    }
}

impl Session {
    pub(super) fn begin_implicitly(&mut self, block: &mut Block) {
        if matches!(self.transaction, Transaction::None) {
            self.transaction = Transaction::Promised { begin: BEGIN.to_vec() };
            *block = Block::Implicit;
        }
    }

    pub(super) async fn command_in_implicit_block(
        &mut self,
        command: &TransactionCommand,
        text: &[u8],
        block: &mut Block,
    ) -> Result<(), Trouble> {
        let tag = match command {
            TransactionCommand::Begin => {
                let tag = self.begin_in_implicit_block(text).await?;
                *block = Block::Regular;
                tag
            }
            TransactionCommand::Commit { chain: false } => {
                self.warn_of_no_transaction().await?;
                self.end_implicit(ImplicitEnd::Commit).await?;
                "COMMIT".to_owned()
            }
            TransactionCommand::Rollback { chain: false } => {
                self.warn_of_no_transaction().await?;
                self.end_implicit(ImplicitEnd::RollBack).await?;
                "ROLLBACK".to_owned()
            }
            TransactionCommand::Commit { chain: true } => {
                return Err(only_in_block("COMMIT AND CHAIN"));
            }
            TransactionCommand::Rollback { chain: true } => {
                return Err(only_in_block("ROLLBACK AND CHAIN"));
            }
            TransactionCommand::Savepoint { .. } => return Err(only_in_block("SAVEPOINT")),
            TransactionCommand::Release { .. } => return Err(only_in_block("RELEASE SAVEPOINT")),
            TransactionCommand::RollbackTo { .. } => {
                return Err(only_in_block("ROLLBACK TO SAVEPOINT"));
            }
        };
        self.complete_command(&tag).await
    }

    /// What has run so far becomes part of the transaction that begins here.
    async fn begin_in_implicit_block(&mut self, text: &[u8]) -> Result<String, Trouble> {
        if let Some(link) = &mut self.links.current {
            // The node is in a block already, and warns of that; the modes are set all the same.
            let begun = link.lease.connection().simple(text).await;
            let (answer, _) = begun.map_err(Trouble::in_transaction)?;
            self.transaction.remember(text);
            return Ok(answer.tag);
        }
        self.transaction = Transaction::None;
        let tag = self.answer_promise(&TransactionCommand::Begin, text);
        Ok(tag.unwrap_or("BEGIN").to_owned())
    }

    /// The last statement is complete when the transaction is committed, and not before.
    pub(super) async fn commit_implicit(&mut self) -> Result<(), Stop> {
        let completion = std::mem::take(&mut self.exchange.completion);
        self.end_implicit(ImplicitEnd::Commit).await?;
        if self.exchange.told_error {
            return Err(Stop::Told);
        }
        self.exchange.completion = completion;
        Ok(())
    }

    /// A failure that its node tells the client is not one of the session.
    pub(crate) async fn end_implicit(&mut self, end: ImplicitEnd) -> Result<(), Trouble> {
        match &self.transaction {
            Transaction::Open { .. } if self.defining.is_some() => {
                self.end_definitions(&end.command()).await?;
            }
            Transaction::Open { .. } if self.is_spread() => {
                self.handle().enter(Phase::Running);
                match end {
                    ImplicitEnd::Commit => self.commit_spread().await?,
                    ImplicitEnd::RollBack => self.roll_back_spread().await?,
                }
            }
            Transaction::Open { .. } => {
                self.batch.conclusion = end.conclusion();
                self.handle().enter(Phase::Running);
                message::query(&mut self.exchange.out, end.sql());
                self.exchange.replies.expect(Expected::Part { characters_before: 0 });
                let heard = self.relay().await?;
                self.exchange.completion.clear();
                self.settle(&heard).await?;
            }
            Transaction::None | Transaction::Promised { .. } | Transaction::Void => {
                self.transaction = Transaction::None;
                self.end_cursors().await;
            }
        }
        Ok(())
    }

    /// Tells the client what went wrong; nothing of the transaction stays.
    pub(super) async fn give_up(&mut self, stop: Stop) -> Result<(), Trouble> {
        let error = match stop {
            Stop::Told => Bytes::new(),
            Stop::Trouble(trouble) => {
                self.worker.gateway.metrics.count_trouble(&trouble);
                self.describe_trouble(trouble)?
            }
        };
        match self.end_implicit(ImplicitEnd::RollBack).await {
            Err(Trouble::End(ending)) => return Err(ending.into()),
            Ok(()) if matches!(self.transaction, Transaction::None) => {}
            // Its transaction ends with the connection.
            _ => {
                self.exchange.abandon();
                self.lose_link();
            }
        }
        self.exchange.closing = Closing::Ready;
        self.exchange.completion.clear();
        self.transaction = Transaction::None;
        self.drop_definitions();
        self.settings.roll_back();
        self.reread_routines().await;
        self.release().await;
        self.complete(&error).await
    }

    /// PREPARE TRANSACTION ends an implicit block as COMMIT does.
    pub(super) async fn warn_before_prepare_transaction(
        &mut self,
        text: &[u8],
    ) -> Result<(), Trouble> {
        if self.defining.is_none() && herd_plan::prepares_transaction(text) {
            self.warn_of_no_transaction().await?;
        }
        Ok(())
    }

    async fn warn_of_no_transaction(&mut self) -> Result<(), Trouble> {
        let warning = ClientError::error(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "there is no transaction in progress",
        );
        let mut out = bytes::BytesMut::new();
        herd_wire::error::put_notice(&mut out, NoticeLevel::Warning, &warning);
        self.write(&out).await.map_err(Trouble::End)
    }
}

fn only_in_block(command: &str) -> Trouble {
    let message = format!("{command} can only be used in transaction blocks");
    ClientError::error(SqlState::NO_ACTIVE_SQL_TRANSACTION, message).into()
}
