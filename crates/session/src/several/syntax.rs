//! PostgreSQL reads a query string to its end before the first of its statements runs, and so
//! must Herd: a string with a syntax error does nothing at all.
//!
//! A node reads it when it is asked to prepare it as one statement, which it refuses to do only
//! after that. As it writes what it refuses to its log, it is not shown what is in the string's
//! literals, unless there is an error indeed.

use std::borrow::Cow;

use herd_node::NodeError;
use herd_plan::{Action, Part, lex};

use crate::session::Session;
use crate::transaction::Transaction;
use crate::trouble::Trouble;

/// Refusing several commands in one statement is PostgreSQL's last word on a text without errors.
const REFUSING_ROUTINE: &[u8] = b"exec_parse_message";
/// An error would fail a transaction; within this, it can be taken back.
const SAVEPOINT: &[u8] = b"SAVEPOINT herd_syntax";
const BACK: &[u8] = b"ROLLBACK TO SAVEPOINT herd_syntax; RELEASE SAVEPOINT herd_syntax";

impl Session {
    pub(super) async fn check_syntax(&mut self, sql: &[u8], parts: &[Part]) -> Result<(), Trouble> {
        let commands = parts.iter().filter(|part| is_herds_own(part)).count();
        if parts.len() - commands < 2 {
            return Ok(());
        }
        let text = without_commands(sql, parts);
        match (&self.links.current, &self.transaction) {
            (Some(_), Transaction::Open { .. }) => {
                self.read(&text).await.map_err(Trouble::in_transaction)
            }
            // A pipeline that no Sync has ended: an error would undo it.
            (Some(_), _) => Ok(()),
            (None, _) => {
                self.lease(self.any_node()).await?;
                let read = self.read(&text).await;
                match &read {
                    Ok(()) | Err(NodeError::Server(_)) => self.release().await,
                    // Dropping the lease closes the connection.
                    Err(_) => self.links.current = None,
                }
                Ok(read?)
            }
        }
    }

    /// Has the current link's node read it; the error is PostgreSQL's own.
    async fn read(&mut self, text: &[u8]) -> Result<(), NodeError> {
        match self.read_guarded(&without_literals(text)).await {
            Err(NodeError::Server(_)) => self.read_guarded(text).await,
            read => read,
        }
    }

    async fn read_guarded(&mut self, text: &[u8]) -> Result<(), NodeError> {
        let is_guarded = matches!(self.transaction, Transaction::Open { failed: false, .. });
        let Some(link) = &mut self.links.current else { return Ok(()) };
        let server = link.lease.connection();
        if is_guarded {
            server.simple(SAVEPOINT).await?;
        }
        let read = server.parse(text).await;
        if is_guarded {
            server.simple(BACK).await?;
        }
        match read {
            Err(NodeError::Server(body))
                if herd_wire::error::field(&body, b'R') == Some(REFUSING_ROUTINE) =>
            {
                Ok(())
            }
            read => read,
        }
    }
}

/// Commands of Herd's own are no SQL.
fn without_commands<'a>(sql: &'a [u8], parts: &[Part]) -> Cow<'a, [u8]> {
    let mut text = Cow::Borrowed(sql);
    for part in parts.iter().filter(|part| is_herds_own(part)) {
        text.to_mut()[part.span.clone()].fill(b' ');
    }
    text
}

fn is_herds_own(part: &Part) -> bool {
    matches!(&part.understood, Ok(understood) if matches!(understood.plan.action, Action::Admin(_)))
}

/// The text with empty literals in the place of its own.
fn without_literals(sql: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(sql.len());
    let mut copied = 0;
    let tokens = lex::tokens(sql).unwrap_or_default();
    for literal in tokens.iter().filter(|token| token.kind.is_string()) {
        let span = literal.span();
        text.extend_from_slice(&sql[copied..span.start]);
        text.extend_from_slice(b"''");
        copied = span.end;
    }
    text.extend_from_slice(&sql[copied..]);
    text
}

#[cfg(test)]
mod tests {
    use super::without_literals;

    #[test]
    fn no_literal_is_shown() {
        let sql =
            br"ALTER ROLE a PASSWORD 's''ecret'; DO $x$ secret $x$; SELECT E'\'secret', U&'s', 1";
        let shown = b"ALTER ROLE a PASSWORD ''; DO ''; SELECT '', '', 1";
        assert_eq!(without_literals(sql), shown);
    }
}
