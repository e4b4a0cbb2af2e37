//! Statements from before a definition: whether they still give what the client was told.
//!
//! A client is told the shape of a statement once and counts on it until it closes the statement.
//! Where a definition has changed it meanwhile, PostgreSQL refuses the statement; so does Herd, whose
//! server connections have each prepared it at another time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use herd_execute::{Expected, Subject, Token};
use herd_plan::{Action, PreparedCommand};
use herd_wire::message;

use crate::batch::Meaning;
use crate::session::Session;
use crate::shape::Shape;
use crate::statements::{ClientStatement, Statement};
use crate::trouble::Trouble;

/// Where a statement is used, which says how the server is made to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Batch,
    SimpleQuery,
}

/// Whether a statement can be bound, or executed, on the current link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// It cannot even be prepared any more, or something before it failed: the client was told.
    Failed,
}

impl Session {
    /// Has the current link describe a statement to Herd.
    pub(crate) fn ask_shape(&mut self, statement: &Arc<Statement>) {
        let name = statement.key.server_name();
        message::describe_statement(&mut self.exchange.out, name.as_bytes());
        let token = self.batch.mean(Meaning::Described(Arc::clone(statement)));
        self.exchange.replies.expect(Expected::Shape { token, parameters: Bytes::new() });
    }

    /// A second description that differs from the first comes of a definition of which Herd has not
    /// heard yet.
    pub(crate) fn note_shape(&mut self, token: Token, parameters: &[u8], row: Option<&[u8]>) {
        let Some(Meaning::Described(statement)) = self.batch.take_meaning(token) else { return };
        let Ok(shape) = Shape::read(parameters, row) else {
            tracing::warn!("a node's description of a statement is malformed");
            return;
        };
        self.worker.statements.lock().describe(&statement, shape);
        if statement.is_contested() {
            self.worker.gateway.note_definition(Subject::Object);
        }
    }

    /// Prepares a statement, and the one that it executes, on the current link if that has not: then
    /// their shapes must be the ones that the client counts on.
    pub(crate) async fn make_ready(
        &mut self,
        name: &[u8],
        statement: &ClientStatement,
        within: Within,
    ) -> Result<Readiness, Trouble> {
        if let Some(executed) = statement.executes()
            && let Ok(inner) = self.statements.get(executed)
            && self.make_one_ready(executed, &inner, within).await? == Readiness::Failed
        {
            return Ok(Readiness::Failed);
        }
        if self.batch.pending.is_some() {
            self.announce(statement);
            return Ok(Readiness::Ready);
        }
        self.make_one_ready(name, statement, within).await
    }

    async fn make_one_ready(
        &mut self,
        name: &[u8],
        statement: &ClientStatement,
        within: Within,
    ) -> Result<Readiness, Trouble> {
        if self.is_prepared_here(&statement.statement) && statement.is_confirmed() {
            return Ok(Readiness::Ready);
        }
        Box::pin(self.prepare_checked(name, statement, within)).await
    }

    async fn prepare_checked(
        &mut self,
        name: &[u8],
        statement: &ClientStatement,
        within: Within,
    ) -> Result<Readiness, Trouble> {
        let ClientStatement { statement: now, first, .. } = statement;
        let may_be_underway = self.exchange.replies.awaits_server();
        let is_counted_on = first.shape.get().is_some() || may_be_underway;
        if !is_counted_on || self.is_failed_on_server() {
            self.prepare_hidden(now);
            return Ok(Readiness::Ready);
        }
        let is_known_here =
            first.shape.get().is_some() && now.shape.get().is_some() && self.is_prepared_here(now);
        if !is_known_here && !self.prepare_described(now, within).await? {
            return Ok(Readiness::Failed);
        }
        if !now.is_shaped_like(first) {
            return Err(Trouble::Server(shape_changed()));
        }
        if !statement.is_confirmed() {
            self.statements.replace(name, statement.confirmed());
        }
        Ok(Readiness::Ready)
    }

    /// False when that failed, which the client was told then.
    async fn prepare_described(
        &mut self,
        statement: &Arc<Statement>,
        within: Within,
    ) -> Result<bool, Trouble> {
        self.prepare_hidden(statement);
        if statement.shape.get().is_none() {
            self.ask_shape(statement);
        }
        let heard = match within {
            Within::Batch => {
                self.exchange.out.extend_from_slice(&message::FLUSH);
                let heard = self.relay().await?;
                self.act_on(&heard);
                heard
            }
            Within::SimpleQuery => self.send_held_back().await?,
        };
        if heard.failed && within == Within::SimpleQuery {
            self.settle(&heard).await?;
            self.complete(&[]).await?;
        }
        Ok(!heard.failed)
    }
}

impl ClientStatement {
    /// The name of the statement that it executes, if it is an EXECUTE.
    pub(crate) fn executes(&self) -> Option<&[u8]> {
        match &self.understood.as_ref()?.plan.action {
            Action::Prepared(PreparedCommand::Execute { name, .. }) => Some(name.as_bytes()),
            _ => None,
        }
    }
}

/// Word for word as PostgreSQL says it: drivers know it by its code and its routine.
fn shape_changed() -> Bytes {
    let mut body = BytesMut::new();
    let fields: [&[u8]; 6] = [
        b"SERROR",
        b"VERROR",
        b"C0A000",
        b"Mcached plan must not change result type",
        b"Fplancache.c",
        b"RRevalidateCachedQuery",
    ];
    for field in fields {
        body.extend_from_slice(field);
        body.extend_from_slice(&[0]);
    }
    body.extend_from_slice(&[0]);
    body.freeze()
}
