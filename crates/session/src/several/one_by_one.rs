//! The statements of a query string one after the other, each answered as if it had come alone,
//! with one ReadyForQuery for all of them.

use bytes::{Bytes, BytesMut};
use herd_plan::lex::position;
use herd_plan::{Action, Part, Query, Understood};
use herd_types::{ClientError, SqlState};
use herd_wire::message;

use crate::exchange::Closing;
use crate::registry::Phase;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// What the statements are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A transaction because they came together. The nodes are told BEGIN and COMMIT by Herd.
    Implicit,
    /// A transaction that the client began.
    Regular,
}

/// Why the statements that are left do not run.
pub(super) enum Stop {
    /// A node has told the client.
    Told,
    Trouble(Trouble),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Trouble(trouble)
    }
}

impl Session {
    /// A single statement, as a query string of its own.
    pub(crate) async fn run_in_block_of_its_own(
        &mut self,
        sql: &[u8],
        understood: &Understood,
    ) -> Result<(), Trouble> {
        let part = Part { span: 0..sql.len(), understood: Ok(understood.clone()) };
        self.run_one_by_one(sql, &[part]).await
    }

    pub(super) async fn run_one_by_one(
        &mut self,
        sql: &[u8],
        parts: &[Part],
    ) -> Result<(), Trouble> {
        self.check_pipeline_is_over()?;
        self.check_syntax(sql, parts).await?;
        let mut block = Block::Regular;
        let ran = self.run_parts(sql, parts, &mut block).await;
        self.exchange.closing = Closing::Ready;
        let completion = std::mem::take(&mut self.exchange.completion);
        match (ran, block) {
            (Ok(()), _) => self.complete(&completion).await,
            (Err(stop), Block::Implicit) => self.give_up(stop).await,
            (Err(Stop::Told), Block::Regular) => self.complete(&[]).await,
            (Err(Stop::Trouble(trouble)), Block::Regular) => Err(trouble),
        }
    }

    async fn run_parts(
        &mut self,
        sql: &[u8],
        parts: &[Part],
        block: &mut Block,
    ) -> Result<(), Stop> {
        let cancels = self.handle().cancels();
        let mut characters_before = 0;
        let mut at = 0;
        for part in parts {
            characters_before += position(&sql[at..], part.span.start - at) - 1;
            at = part.span.start;
            self.tell_completion().await?;
            if self.handle().cancels() != cancels {
                return Err(Stop::Trouble(cancelled().into()));
            }
            self.begin_implicitly(block);
            self.handle().enter(Phase::Running);
            self.exchange.closing = Closing::Held { characters_before };
            self.exchange.told_error = false;
            let ran = self.run_part(&sql[part.span.clone()], block).await;
            ran.map_err(|trouble| trouble.moved(characters_before))?;
            if self.exchange.told_error {
                return Err(Stop::Told);
            }
        }
        if *block == Block::Implicit { self.commit_implicit().await } else { Ok(()) }
    }

    async fn run_part(&mut self, text: &[u8], block: &mut Block) -> Result<(), Trouble> {
        loop {
            match self.answer_part(text, block).await {
                Err(Trouble::Outdated) => {}
                answered => return answered,
            }
        }
    }

    /// It is understood only now: what it means may depend on those before it.
    async fn answer_part(&mut self, text: &[u8], block: &mut Block) -> Result<(), Trouble> {
        let mut frame = BytesMut::new();
        message::query(&mut frame, text);
        let understood = match self.understand(text, &[]) {
            Ok(Query::One(understood)) => understood,
            Ok(Query::Empty | Query::Several(_)) => return Err(not_one_statement().into()),
            Err(_) if self.is_failed_on_server() && self.defining.is_none() => {
                return self.forward_here(&frame).await;
            }
            Err(error) => return Err(error.into()),
        };
        match &understood.plan.action {
            Action::Transaction(command) if *block == Block::Implicit => {
                self.command_in_implicit_block(command, text, block).await
            }
            action => {
                let is_implicit = *block == Block::Implicit;
                if is_implicit && matches!(action, Action::Forward(_)) {
                    self.warn_before_prepare_transaction(text).await?;
                }
                self.answer_statement(&frame, text, &understood).await
            }
        }
    }

    /// The statement before this one is complete whatever comes.
    async fn tell_completion(&mut self) -> Result<(), Trouble> {
        let completion: Bytes = self.exchange.completion.split().freeze();
        self.write(&completion).await.map_err(Trouble::End)
    }

    /// Its statements are in a transaction that ends with Sync, and no BEGIN must end it earlier.
    fn check_pipeline_is_over(&self) -> Result<(), ClientError> {
        if self.links.current.is_none() || !matches!(self.transaction, Transaction::None) {
            return Ok(());
        }
        Err(ClientError::unsupported("such a query string cannot follow a pipeline without Sync")
            .with_hint("Send Sync before it."))
    }
}

fn cancelled() -> ClientError {
    ClientError::error(SqlState::QUERY_CANCELED, "canceling statement due to user request")
}

fn not_one_statement() -> ClientError {
    ClientError::error(SqlState::INTERNAL_ERROR, "a part of the query string is no statement")
}
