//! The cursors of a transaction: where each of them is, and how statements get there.
//!
//! One over rows of a single node is in the session's transaction on that node. One over rows that
//! were brought together is *aside*: in a transaction of Herd's own, which rests between the
//! statements that read it and ends with the session's. A portal that was not read to its end rests in
//! the same way. What has set the session's transaction up since, savepoints among it, the other hears
//! of before it is read again.

mod declare;
mod portals;

use futures::future::join_all;
use herd_execute::Token;
use herd_plan::{Action, CursorCommand, Place, Plan, Target};
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::message::TransactionStatus;

use crate::bring::{Aside, sets_manner};
use crate::exchange::Heard;
use crate::link::Link;
use crate::session::Session;
use crate::simple::aborted;
use crate::statements::ClientStatement;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Of more cursors it is not known on which node of the transaction they are.
const CURSORS_NOTED_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Cursors {
    noted: Vec<(String, NodeId)>,
    aside: Vec<Resting>,
}

/// A transaction aside with an open cursor, which waits to be read.
#[derive(Debug)]
struct Resting {
    cursor: AsideCursor,
    link: Link,
}

/// What a transaction aside is kept for.
#[derive(Debug)]
pub(crate) struct AsideCursor {
    name: Vec<u8>,
    /// How many of the statements that set the session's transaction up it has heard.
    heard: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A portal that is read to its end when this has been executed.
    EndsWith(Token),
    Over,
}

impl AsideCursor {
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

impl Cursors {
    fn are_none(&self) -> bool {
        self.noted.is_empty() && self.aside.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.noted.clear();
        self.aside.clear();
    }

    fn has_aside(&self, name: &[u8]) -> bool {
        self.aside.iter().any(|resting| resting.cursor.name == name)
    }

    fn take_aside(&mut self, name: &[u8]) -> Option<Resting> {
        let at = self.aside.iter().position(|resting| resting.cursor.name == name)?;
        Some(self.aside.swap_remove(at))
    }

    fn note(&mut self, name: String, node: NodeId) {
        self.forget(&name);
        if self.noted.len() < CURSORS_NOTED_MAX {
            self.noted.push((name, node));
        }
    }

    fn forget(&mut self, name: &str) {
        self.noted.retain(|(known, _)| known != name);
    }
}

impl Session {
    /// Where a statement goes that goes where the transaction is: FETCH and its like to the cursor.
    pub(crate) fn follow_cursor(&self, place: Place, sql: &[u8]) -> Place {
        if place != Place::Current || !self.is_spread() {
            return place;
        }
        let Some(CursorCommand::Read(name) | CursorCommand::Close(name)) = CursorCommand::read(sql)
        else {
            return place;
        };
        let known = self.cursors.noted.iter().find(|(known, _)| *known == name);
        known.map_or(place, |&(_, node)| Place::Node(node))
    }

    /// After a statement has succeeded on the current link.
    pub(crate) fn note_cursor(&mut self, sql: &[u8]) {
        const WORDS: [&[u8]; 2] = [b"declare", b"close"];
        if matches!(self.transaction, Transaction::None)
            || !begins(sql, &WORDS)
            || self.aside.is_some()
        {
            return;
        }
        let here = self.links.current.as_ref().map(Link::node);
        match (CursorCommand::read(sql), here) {
            (Some(CursorCommand::Declare(name)), Some(node)) => self.cursors.note(name, node),
            (Some(CursorCommand::Close(name)), _) => self.cursors.forget(&name),
            (Some(CursorCommand::CloseAll), _) => self.cursors.noted.clear(),
            _ => {}
        }
    }

    /// Its transaction goes on when it is read again.
    pub(crate) async fn rest(
        &mut self,
        cursor: AsideCursor,
        mut link: Link,
    ) -> Result<(), Trouble> {
        let cancelled = self.handle().runs_nowhere().await;
        if cancelled {
            // What was to cancel it must not hit what reads it next.
            link.lease.connection().simple(b"").await.map_err(Trouble::in_transaction)?;
        }
        self.cursors.aside.push(Resting { cursor, link });
        Ok(())
    }

    /// Makes current what a statement needs that reads or closes a cursor; for any other, the session's
    /// own transaction.
    pub(crate) async fn face_cursor(&mut self, statement: &ClientStatement) -> Result<(), Trouble> {
        let is_plain = self.aside.is_none() && self.cursors.are_none();
        if is_plain || matches!(self.transaction, Transaction::None) {
            return Ok(());
        }
        let Some(understood) = &statement.understood else { return Ok(()) };
        let command = match &understood.plan.action {
            Action::Forward(forward) if matches!(forward.target, Target::Current) => {
                CursorCommand::read(&statement.text)
            }
            _ => None,
        };
        Box::pin(self.obey(command)).await.map(drop)
    }

    fn is_aside(&self, name: &[u8]) -> bool {
        self.cursor_on_current() == Some(name) || self.cursors.has_aside(name)
    }

    /// What the transaction aside is kept for that is current.
    pub(crate) fn cursor_on_current(&self) -> Option<&[u8]> {
        let cursor = self.aside.as_ref().and_then(|aside| aside.cursor.as_ref());
        cursor.map(|cursor| cursor.name.as_slice())
    }

    /// Whether the cursor that is meant is aside, and current now.
    pub(crate) async fn obey(&mut self, command: Option<CursorCommand>) -> Result<bool, Trouble> {
        // The transaction aside, in which a cursor lives, may not have failed.
        if command.is_some() && self.transaction.status() == TransactionStatus::Failed {
            return Err(aborted().into());
        }
        match command {
            Some(CursorCommand::Read(name)) => self.go_to_cursor(name.as_bytes()).await,
            Some(CursorCommand::Close(name)) => {
                let is_aside = self.go_to_cursor(name.as_bytes()).await?;
                if is_aside {
                    self.note_closed();
                }
                Ok(is_aside)
            }
            Some(CursorCommand::CloseAll) => {
                self.leave_aside().await?;
                self.end_cursors().await;
                self.close_all_joined().await?;
                Ok(false)
            }
            Some(CursorCommand::Declare(name)) => {
                self.check_not_open(name.as_bytes()).await?;
                self.leave_aside().await.map(|()| false)
            }
            _ => self.leave_aside().await.map(|()| false),
        }
    }

    /// Going back to a savepoint may have closed it.
    pub(crate) async fn check_not_open(&mut self, name: &[u8]) -> Result<(), Trouble> {
        if !self.is_aside(name) || !self.go_to_cursor(name).await? {
            return Ok(());
        }
        let Some(link) = &mut self.links.current else { return Ok(()) };
        let literal = String::from_utf8_lossy(name).replace('\'', "''");
        let sql = format!("SELECT 1 FROM pg_catalog.pg_cursors WHERE name = '{literal}'");
        let asked = link.lease.connection().simple(sql.as_bytes()).await;
        let is_open = !asked.map_err(Trouble::in_transaction)?.0.rows.is_empty();
        if !is_open {
            self.note_closed();
        }
        self.leave_aside().await?;
        if is_open { Err(exists(&String::from_utf8_lossy(name)).into()) } else { Ok(()) }
    }

    /// Whether a portal or cursor of this name is aside; it is current then.
    pub(crate) async fn go_to_cursor(&mut self, name: &[u8]) -> Result<bool, Trouble> {
        if self.cursor_on_current() == Some(name) {
            return Ok(true);
        }
        self.leave_aside().await?;
        if self.batch.is_skipping() || !self.cursors.has_aside(name) {
            return Ok(false);
        }
        if self.links.current.is_some() {
            let heard = self.send_held_back().await?;
            self.act_on(&heard);
            if self.batch.is_skipping() {
                return Ok(false);
            }
        }
        let setup = self.setup_elsewhere().await?;
        let Some(Resting { mut cursor, mut link }) = self.cursors.take_aside(name) else {
            return Ok(false);
        };
        let news = setup.iter().skip(1 + cursor.heard).filter(|sql| !sets_manner(sql));
        for statement in news {
            let told = link.lease.connection().simple(statement).await;
            told.map_err(Trouble::from)?;
        }
        if let Transaction::Open { setup: Some(setup), .. } = &self.transaction {
            cursor.heard = setup.preamble.len();
        }
        self.handle().runs_on(link.lease.identity());
        let waiting = self.links.current.replace(link);
        self.aside = Some(Aside { waiting, cursor: Some(cursor) });
        Ok(true)
    }

    /// What comes next in the pipeline of a transaction is not for the transaction aside.
    async fn leave_aside(&mut self) -> Result<(), Trouble> {
        if self.aside.is_none() || matches!(self.transaction, Transaction::None) {
            return Ok(());
        }
        let heard = self.send_held_back().await?;
        self.act_on(&heard);
        if self.batch.is_skipping() {
            return Ok(());
        }
        self.end_aside(false).await
    }

    pub(crate) fn note_closed(&mut self) {
        self.set_state(State::Over);
    }

    fn set_state(&mut self, state: State) {
        if let Some(cursor) = self.aside.as_mut().and_then(|aside| aside.cursor.as_mut()) {
            cursor.state = state;
        }
    }

    /// The cursors of a transaction end with it.
    pub(crate) async fn end_cursors(&mut self) {
        for resting in std::mem::take(&mut self.cursors.aside) {
            Box::pin(self.end_resting(resting)).await;
        }
    }

    async fn end_resting(&mut self, resting: Resting) {
        let Resting { mut link, .. } = resting;
        // A link that is dropped closes its connection.
        if link.lease.connection().simple(b"ROLLBACK").await.is_ok() {
            link.lease.give_back();
        }
    }

    async fn close_all_joined(&mut self) -> Result<(), Trouble> {
        let joined = self.links.joined.iter_mut();
        let closed =
            join_all(joined.map(|link| link.lease.connection().simple(b"CLOSE ALL"))).await;
        closed.into_iter().try_for_each(|told| told.map(drop)).map_err(Trouble::in_transaction)
    }

    /// Whether a statement is for a cursor aside, or for cursors wherever they are.
    pub(crate) fn is_for_cursors_elsewhere(&self, sql: &[u8]) -> bool {
        if self.cursors.are_none() {
            return false;
        }
        match CursorCommand::read(sql) {
            Some(
                CursorCommand::Declare(name)
                | CursorCommand::Read(name)
                | CursorCommand::Close(name),
            ) => self.cursors.has_aside(name.as_bytes()),
            Some(CursorCommand::CloseAll) => true,
            None => false,
        }
    }

    /// A simple query that reads or closes a cursor aside. False if it is for the session's own
    /// transaction.
    pub(crate) async fn answered_by_cursor(
        &mut self,
        frame: &[u8],
        sql: &[u8],
    ) -> Result<bool, Trouble> {
        if !self.is_for_cursors_elsewhere(sql) || !self.obey(CursorCommand::read(sql)).await? {
            return Ok(false);
        }
        self.exchange.out.extend_from_slice(frame);
        self.answer_aside(None).await?;
        Ok(true)
    }

    /// What has been sent to the current link is answered; the transaction aside has done its work.
    pub(crate) async fn answer_aside(
        &mut self,
        statement: Option<(&Plan, &[u8])>,
    ) -> Result<(), Trouble> {
        // It is complete when the transaction aside is over.
        self.exchange.expect_part();
        let heard = self.relay().await?;
        if let (false, Some((plan, sql))) = (heard.failed, statement) {
            self.apply(plan, sql);
        }
        self.end_of_answer_aside(&heard).await
    }

    /// The transaction aside has done its work; what it answered is complete.
    pub(crate) async fn end_of_answer_aside(&mut self, heard: &Heard) -> Result<(), Trouble> {
        let completion = self.exchange.completion.split();
        if self.aside.is_some() {
            self.end_aside(heard.failed).await?;
        } else {
            self.settle(heard).await?;
        }
        self.exchange.told_error = heard.failed;
        self.complete(&completion).await
    }
}

/// Whether the first word of a statement is one of these.
fn begins(sql: &[u8], words: &[&[u8]]) -> bool {
    let sql = sql.trim_ascii_start();
    words.iter().any(|word| sql.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word)))
}

fn exists(name: &str) -> ClientError {
    ClientError::error(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists"))
}
