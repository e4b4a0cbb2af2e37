//! Cursors over rows that are brought together: whether they can be declared, and what is kept for them.

use herd_plan::{CursorCommand, Exchange, Plan};
use herd_types::{ClientError, SqlState};

use super::{AsideCursor, State};
use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Connections that one transaction may keep for its cursors.
const CURSORS_ASIDE_MAX: usize = 16;

impl Session {
    /// The name of the cursor that a query of several nodes is for, if it can be had.
    pub(crate) fn cursor_to_declare(
        &self,
        exchange: &Exchange,
        plan: &Plan,
        sql: &[u8],
    ) -> Result<Option<Vec<u8>>, ClientError> {
        if exchange.part.is_none() {
            return Ok(None);
        }
        let Some(CursorCommand::Declare(name)) = CursorCommand::read(sql) else { return Ok(None) };
        let in_block = !matches!(self.transaction, Transaction::None);
        match (plan.effects.are_of_a_held_cursor(), in_block) {
            (true, true) => Err(ClientError::unsupported(
                "a cursor WITH HOLD over several nodes cannot be declared in a transaction block",
            )
            .with_hint("Declare it by itself, or WITHOUT HOLD.")),
            (true, false) => Ok(None),
            (false, false) => Err(ClientError::error(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "DECLARE CURSOR can only be used in transaction blocks",
            )),
            (false, true) => Ok(Some(name.into_bytes())),
        }
    }

    pub(crate) fn check_room_for_cursor(&self) -> Result<(), ClientError> {
        if self.cursors.aside.len() < CURSORS_ASIDE_MAX {
            return Ok(());
        }
        let message =
            format!("a transaction can have {CURSORS_ASIDE_MAX} open cursors over several nodes");
        let error = ClientError::error(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message);
        Err(error.with_hint("Close some first."))
    }

    /// The transaction aside that is current now stays when it has done its work, for this cursor or
    /// portal; not on a connection that the session may need for something else meanwhile.
    pub(crate) fn keep_aside_for(&mut self, name: &[u8]) {
        let heard = match &self.transaction {
            Transaction::None => return,
            Transaction::Open { setup: Some(setup), .. } => setup.preamble.len(),
            _ => 0,
        };
        let is_shared = self.links.current.as_ref().is_some_and(|link| !link.is_pinned());
        if let Some(aside) = self.aside.as_mut().filter(|_| is_shared) {
            aside.cursor = Some(AsideCursor { name: name.to_vec(), heard, state: State::Open });
        }
    }

    /// The same for a cursor that cannot be without.
    pub(crate) async fn keep_aside_for_cursor(&mut self, name: &[u8]) -> Result<(), Trouble> {
        self.keep_aside_for(name);
        if self.aside.is_none() || self.cursor_on_current().is_some() {
            return Ok(());
        }
        self.end_aside(true).await?;
        Err(ClientError::unsupported("a cursor over several nodes cannot be declared in this session")
            .with_detail("Its connection to the home node cannot do anything else meanwhile, and has what others have not, such as temporary tables.")
            .into())
    }
}
